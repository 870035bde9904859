//! What rustic says, in one line.
//!
//! Its errors are pages with addresses where to report them; what failed and what it failed on is one sentence of each.

use rustic_core::RusticError;

use crate::remote::RemoteError;

/// Sentences of a cause that are shown.
const CAUSE_BYTES_MAX: usize = 300;

/// The repository, or the library that keeps it, refused.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct RepositoryError {
    what: String,
    /// The library's code: `C001` is a checksum that is wrong, `C002` a password that opens nothing.
    code: Code,
    /// What the server said that is the cause of it.
    remote: Option<RemoteError>,
}

/// What there is to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Seal,
    Password,
    /// There is no such snapshot.
    Absent,
    Other,
}

impl RepositoryError {
    /// Says what the library does.
    pub(crate) fn of(error: &RusticError) -> Self {
        let code = match () {
            () if has_code(error, "C001") => Code::Seal,
            () if error.is_incorrect_password() => Code::Password,
            () => Code::Other,
        };
        let remote = remote(error).cloned();
        Self {
            // The library's own words around it say nothing more.
            what: remote
                .as_ref()
                .map_or_else(|| sentence(error), ToString::to_string),
            code,
            remote,
        }
    }

    /// That there is no such snapshot.
    pub(crate) fn absent(what: String) -> Self {
        Self {
            what,
            code: Code::Absent,
            remote: None,
        }
    }

    /// Whether the repository is well, and has no such snapshot.
    pub fn is_absent(&self) -> bool {
        self.code == Code::Absent
    }

    /// The same, as the first of several.
    pub(crate) fn with_more(mut self, more: u64) -> Self {
        let files = if more == 1 { "file was" } else { "files were" };
        self.what = format!("{} (and {more} more {files} not written)", self.what);
        self
    }

    /// Whether something could not be decrypted: the key is another one, or bytes have changed.
    pub(crate) fn is_seal(&self) -> bool {
        self.code == Code::Seal
    }

    /// What the server did not do, if that is the cause.
    pub fn remote(&self) -> Option<&RemoteError> {
        self.remote.as_ref()
    }

    /// Whether there was no room to write. The library keeps some causes as text alone, in which the system's words are.
    pub fn is_full(&self) -> bool {
        self.is_of_system(rustix::io::Errno::NOSPC)
    }

    /// Whether this user may not read or write something.
    pub fn is_denied(&self) -> bool {
        self.is_of_system(rustix::io::Errno::ACCESS)
    }

    fn is_of_system(&self, error: rustix::io::Errno) -> bool {
        self.what
            .contains(&format!("(os error {})", error.raw_os_error()))
    }

    /// Whether no key file is opened by the line.
    pub(crate) fn is_password(&self) -> bool {
        self.code == Code::Password
    }
}

impl From<Box<RusticError>> for RepositoryError {
    fn from(error: Box<RusticError>) -> Self {
        Self::of(&error)
    }
}

impl From<RemoteError> for RepositoryError {
    fn from(error: RemoteError) -> Self {
        Self {
            what: error.to_string(),
            code: Code::Other,
            remote: Some(error),
        }
    }
}

/// The error of a server's among the causes of an error of the library.
pub(crate) fn remote<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e RemoteError> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<RemoteError>() {
            return Some(found);
        }
        // As in `has_code`.
        cause = match error.downcast_ref::<Box<RusticError>>() {
            Some(boxed) => Some(&**boxed),
            None => error.source(),
        };
    }
    None
}

/// Whether the error, or what caused it, has the code.
fn has_code(error: &RusticError, code: &str) -> bool {
    let mut cause = std::error::Error::source(error);
    if error.is_code(code) {
        return true;
    }
    while let Some(error) = cause {
        // The library wraps its own errors with their boxes.
        let boxed = error.downcast_ref::<Box<RusticError>>().map(|error| &**error);
        let inner = error.downcast_ref::<RusticError>().or(boxed);
        if inner.is_some_and(|error| error.is_code(code)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The library's guidance and the innermost cause.
pub(crate) fn sentence(error: &RusticError) -> String {
    let log = error.display_log();
    let text = log.strip_prefix("Error: ").unwrap_or(&log);
    let text = text.split(" (kind: related to").next().unwrap_or(text);
    let mut out = text.replace('\n', " ");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause.and_then(std::error::Error::source) {
        cause = Some(inner);
    }
    if let Some(cause) = cause {
        let cause = match cause.to_string() {
            // All that the cipher says.
            text if text == "aead::Error" => "its bytes have changed, or the key is another one".to_owned(),
            text => text,
        };
        let cause: String = cause.chars().take(CAUSE_BYTES_MAX).collect();
        out.push_str(": ");
        out.push_str(cause.replace('\n', " ").trim());
    }
    out.trim().to_owned()
}
