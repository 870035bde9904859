//! An error as the user sees it: what failed, why, and what to do next.
//!
//! Invariant: every one carries a hint or a cause; nothing else in this binary prints an error.

use std::error::Error;
use std::fmt;

use crate::exit::ExitCode;

/// What a verb fails with.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    source: Option<Box<dyn Error>>,
    hints: Vec<String>,
    code: u8,
}

impl Failure {
    /// Makes a failure of the verb; exit status 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
            hints: Vec::new(),
            code: 1,
        }
    }

    /// Adds what caused it; its own causes follow.
    pub(crate) fn because(mut self, source: impl Into<Box<dyn Error>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds what the user can do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Sets the exit status.
    pub(crate) fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// What caused it, in a row.
    pub(crate) fn causes(&self) -> String {
        let mut causes = Vec::new();
        let mut cause = self.source.as_deref();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        causes.join(": ")
    }

    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        self.code
    }

    /// Prints it to standard error.
    pub(crate) fn report(&self) -> ExitCode {
        eprint!("{self}");
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "Error: {}", self.message)?;
        let mut cause = self.source.as_deref();
        while let Some(error) = cause {
            writeln!(out, "Caused by: {error}")?;
            cause = error.source();
        }
        self.hints
            .iter()
            .try_for_each(|hint| writeln!(out, "Hint: {hint}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_its_causes_and_hints() {
        let failure = Failure::new("cannot start bash")
            .because(std::io::Error::other("no such thing"))
            .hint("install one");
        assert_eq!(
            failure.to_string(),
            "Error: cannot start bash\nCaused by: no such thing\nHint: install one\n"
        );
        assert_eq!(failure.causes(), "no such thing");
    }
}
