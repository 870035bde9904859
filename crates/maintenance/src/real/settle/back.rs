//! An earlier version in force again, and what became of a version.
//!
//! Invariant: a file is replaced only while it says what is among the versions, so nothing that anybody wrote is lost,
//! whatever is killed or loses power.

use std::path::{Path, PathBuf};

use lle_core::config::FILE_NAME;
use lle_log::versions::{Cause, Verdict};

use super::super::config::{put, read};
use super::super::versions::{Accepted, VersionLog};
use super::{ConfigFiles, SettleError, Settled, Settler, Unsynced, hold, settle_held, state};

/// Makes the user's files say again what they said when version `number` was accepted, and brings that into force: the
/// same path as an edit.
///
/// # Errors
/// A file cannot be written, or was changed by somebody in that moment; what was in force stays.
pub fn restore(files: &ConfigFiles, by: &Settler, number: u64) -> Result<Settled, SettleError> {
    let mut held = hold(files, by)?;
    let bytes = held.bytes()?;
    let known = held.know(&bytes)?;
    let mut unsynced = Unsynced::default();
    let names = known.versions.iter().map(|version| version.file);
    let mut names: Vec<&str> = names
        .filter(|name| *name == FILE_NAME || name.starts_with("themes/"))
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let Some(path) = files.path(name) else { continue };
        let then = known
            .versions
            .iter()
            .rfind(|version| version.file == name && version.number <= number);
        let (content, from) = then.map_or((&[][..], 0), |version| (version.content, version.number));
        // A configuration that was not there yet says nothing now; a theme without a file is nobody's then.
        if name != FILE_NAME && content.is_empty() {
            continue;
        }
        let kept = known.newest(name).map_or(&[][..], |version| version.content);
        if let Some(target) = say(&path, kept, content)? {
            unsynced.file(target);
        }
        let state = Accepted {
            cause: Cause::RolledBack,
            from,
            ..state(by, name, content)
        };
        if held.accept(&[state])?.is_some() {
            unsynced.log(&VersionLog::below(&files.state));
        }
    }
    let mut settled = settle_held(files, &mut held, by)?;
    settled.unsynced.add(unsynced);
    Ok(settled)
}

/// Writes down what became of version `number`: that it proved itself, or was taken back.
///
/// # Errors
/// It is not written down.
pub fn judge(files: &ConfigFiles, by: &Settler, number: u64, confirmed: bool) -> Result<(), SettleError> {
    let verdict = if confirmed {
        Verdict::Confirmed
    } else {
        Verdict::TakenBack
    };
    Ok(hold(files, by)?.judge(number, verdict, by.wall_ns)?)
}

/// Makes a file of the user's say that, if what it says is `kept` among the versions and so not lost; gives the file that
/// was replaced, if that was needed.
fn say(path: &Path, kept: &[u8], content: &[u8]) -> Result<Option<PathBuf>, SettleError> {
    let before = read(path, ConfigFiles::user_trust()).map_err(|source| SettleError::Read {
        path: path.to_owned(),
        source,
    })?;
    let text = String::from_utf8_lossy(content);
    if before.as_ref().map_or("", |before| before.text.as_str()) == text {
        return Ok(None);
    }
    if before
        .as_ref()
        .is_some_and(|before| before.text.as_bytes() != kept)
    {
        return Err(SettleError::Unkept {
            path: path.to_owned(),
        });
    }
    let put = put(path, before.as_ref(), &text).map(Some);
    put.map_err(|source| SettleError::Replace {
        path: path.to_owned(),
        source,
    })
}
