//! Runs `lusush maint` itself: each verb is whole by itself, and what is done here is what a person could do.

use std::ffi::{OsStr, OsString};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::Failure;

/// From now on Ctrl-C, a closed terminal and a polite kill are noted instead of obeyed: who obeyed them now would leave
/// something half done.
pub(crate) fn note_interruptions() -> Result<Arc<AtomicBool>, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        flag::register(signal, Arc::clone(&interrupted)).map_err(|error| {
            Failure::new("nothing was done: an interruption would not be noted")
                .because(error)
                .hint("try again in a moment")
        })?;
    }
    Ok(interrupted)
}

/// What a verb came to.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its exit status; none if it was killed.
    pub(crate) code: Option<i32>,
    /// Its document; null if it wrote none.
    pub(crate) value: Value,
    /// What it said of why it failed.
    pub(crate) error: String,
}

/// Words of a verb.
pub(crate) type Words = Vec<OsString>;

/// Makes words of text.
pub(crate) fn words(text: &[&str]) -> Words {
    text.iter().map(OsString::from).collect()
}

/// Adds the repository to the words of a verb, if one is named.
pub(crate) fn at(mut words: Words, repository: Option<&OsStr>) -> Words {
    if let Some(address) = repository {
        words.push("--repository".into());
        words.push(address.into());
    }
    words
}

/// Runs a verb with `--json`.
pub(crate) fn run(words: &Words) -> Result<Ran, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.arg("maint");
    run_command(command.args(words).arg("--json"))
}

/// Runs a command and reads its document.
pub(crate) fn run_command(command: &mut Command) -> Result<Ran, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run lusush: {error}"))?;
    Ok(Ran {
        code: output.status.code(),
        value: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        error: in_one_line(&String::from_utf8_lossy(&output.stderr)),
    })
}

impl Ran {
    /// Its document if it succeeded, or why it did not.
    pub(crate) fn succeeded(self) -> Result<Value, String> {
        match self.code {
            Some(0) => Ok(self.value),
            _ => Err(self.why()),
        }
    }

    /// Why it failed.
    pub(crate) fn why(&self) -> String {
        match (self.error.is_empty(), self.code) {
            (false, _) => self.error.clone(),
            (true, Some(code)) => format!("exit status {code}"),
            (true, None) => "it was killed".into(),
        }
    }
}

/// Error and causes as one sentence, without the hints.
pub(crate) fn in_one_line(error: &str) -> String {
    let lines = error.lines().filter(|line| !line.starts_with("Hint: "));
    let stripped = lines.map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("Error: ").unwrap_or(line);
        line.strip_prefix("Caused by: ").unwrap_or(line)
    });
    stripped
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_one_sentence() {
        let error = "Error: cannot open\nCaused by: no key\nHint: import it\n";
        assert_eq!(in_one_line(error), "cannot open: no key");
        assert_eq!(in_one_line(""), "");
    }
}
