//! Where the repository is, as it is said on a command line, read by `lusush maint`, which notes it in the audit log, and
//! by its job, which goes there.
//!
//! Invariant: what is refused is refused before it is noted anywhere, and is not repeated: a password may be in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use lle_core::error::Code;
use lle_core::repository::Address;

use crate::failure::Failure;

/// Reads a repository that was named; a folder may be anywhere and of any bytes.
pub(crate) fn named(text: &OsStr) -> Result<Address, Failure> {
    let Some(plain) = text.to_str() else {
        return Ok(Address::Folder(absolute(Path::new(text))));
    };
    match Address::parse(plain) {
        Ok(Address::Folder(folder)) => Ok(Address::Folder(absolute(&folder))),
        Ok(server) => Ok(server),
        Err(error) => Err(Failure::new("this is no repository")
            .code(Code::InvalidParameters.exit())
            .because(error)
            .hint("a folder, rest:https://host/path or s3:https://host/bucket/prefix")
            .hint(
                "user name, password and keys come from the environment, or the file of `backup.credentials`",
            )),
    }
}

fn absolute(folder: &Path) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}
