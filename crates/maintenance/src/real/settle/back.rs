//! An earlier version in force again, and what became of a version.
//!
//! Invariant: a file is replaced only while it says what is among the versions, so nothing that anybody wrote is lost,
//! whatever is killed or loses power.

use std::path::PathBuf;

use lle_core::config::FILE_NAME;
use lle_log::versions::{Cause, Verdict, Versions};

use super::super::config::{FileText, put, read, remove};
use super::super::layers;
use super::super::versions::{Accepted, VersionLog};
use super::{
    ConfigFiles, SettleError, Settled, Settler, Unsynced, hold, settle_held, state, theme_file_name,
};

/// Makes the user's files say again what they said when version `number` was accepted, and brings that into force: the
/// same path as an edit. Of themes that is the one that was in force then and the one that is now: what stands in others
/// is nobody's concern. With `instead_of`, only while nothing newer than that version is known.
///
/// # Errors
/// A file cannot be written, or was changed by somebody in that moment; what was in force stays.
pub fn restore(
    files: &ConfigFiles,
    by: &Settler,
    number: u64,
    instead_of: Option<u64>,
) -> Result<Settled, SettleError> {
    let mut held = hold(files, by)?;
    let bytes = held.bytes()?;
    let known = held.know(&bytes)?;
    let newest = known
        .versions
        .iter()
        .filter(|version| files.path(version.file).is_some());
    let newest = newest.map(|version| version.number).max().unwrap_or(0);
    if instead_of.is_some_and(|instead_of| newest > instead_of) {
        return Err(SettleError::Newer { number: newest });
    }
    let mut files_to_say = Vec::new();
    for name in names(files, &known, number) {
        let Some(path) = files.path(&name) else { continue };
        let (content, from) = as_of(&known, &name, number);
        // A configuration that was not there yet says nothing now; a theme without a file is nobody's then.
        if name != FILE_NAME && content.is_empty() {
            continue;
        }
        let kept = known.newest(&name).map_or(&[][..], |version| version.content);
        let is_there = from > 0;
        files_to_say.push((name, look(path, kept, content, is_there)?, from));
    }
    // Only once each of them may be replaced is the first.
    let mut unsynced = Unsynced::default();
    for (name, file, from) in &files_to_say {
        if let Some(target) = file.say()? {
            unsynced.file(target);
        }
        let state = Accepted {
            cause: Cause::RolledBack,
            from: *from,
            ..state(by, name, file.content)
        };
        if held.accept(&[state])?.is_some() {
            unsynced.log(&VersionLog::below(&files.state));
        }
    }
    let mut settled = settle_held(files, &mut held, by)?;
    settled.unsynced.add(unsynced);
    Ok(settled)
}

/// What a file said when version `number` was accepted, and which version that was; nothing if it was not there.
fn as_of<'b>(known: &Versions<'b>, name: &str, number: u64) -> (&'b [u8], u64) {
    let then = known
        .versions
        .iter()
        .rfind(|version| version.file == name && version.number <= number);
    then.map_or((&[][..], 0), |version| (version.content, version.number))
}

/// The files that version `number` consists of, and the theme that is in force now.
fn names(files: &ConfigFiles, known: &Versions<'_>, number: u64) -> Vec<String> {
    let then = String::from_utf8_lossy(as_of(known, FILE_NAME, number).0);
    let now = files.read_in_force();
    let now = now.iter().flat_map(|found| &found.sources);
    let now = now.filter_map(|source| {
        source
            .strip_prefix("theme ")?
            .split(' ')
            .next()
            .map(str::to_owned)
    });
    let mut themes: Vec<String> = layers::theme_of(&then).into_iter().chain(now).collect();
    themes.sort_unstable();
    themes.dedup();
    let themes = themes.iter().map(|name| theme_file_name(name));
    std::iter::once(FILE_NAME.to_owned()).chain(themes).collect()
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

/// A file of the user's that is to say something else.
struct ToSay<'c> {
    path: PathBuf,
    before: Option<FileText>,
    content: &'c [u8],
    /// It was there then, whatever it said.
    is_there: bool,
}

/// Looks at a file that is to say `content`. What it says now has to be `kept` among the versions, so that it is not lost.
fn look<'c>(path: PathBuf, kept: &[u8], content: &'c [u8], is_there: bool) -> Result<ToSay<'c>, SettleError> {
    let before = match read(&path, ConfigFiles::user_trust()) {
        Ok(before) => before,
        Err(source) => return Err(SettleError::Read { path, source }),
    };
    let is_kept = before
        .as_ref()
        .is_none_or(|before| [kept, content].contains(&before.text.as_bytes()));
    match is_kept {
        true => Ok(ToSay {
            path,
            before,
            content,
            is_there,
        }),
        false => Err(SettleError::Unkept { path }),
    }
}

impl ToSay<'_> {
    /// Makes it say that, unless somebody wrote to it since; gives the file that was replaced, if that was needed.
    fn say(&self) -> Result<Option<PathBuf>, SettleError> {
        let text = String::from_utf8_lossy(self.content);
        if self.before.as_ref().map_or("", |before| before.text.as_str()) == text {
            return Ok(None);
        }
        if let Some(before) = self
            .before
            .as_ref()
            .filter(|_| !self.is_there && !self.path.is_symlink())
        {
            let removed = remove(&self.path, before).map(|()| None);
            return removed.map_err(|source| SettleError::Replace {
                path: self.path.clone(),
                source,
            });
        }
        let put = put(&self.path, self.before.as_ref(), &text).map(Some);
        put.map_err(|source| SettleError::Replace {
            path: self.path.clone(),
            source,
        })
    }
}
