//! Versions of the user's start-up files, in `state/versions/rc.log`: every state that anybody saw, and which starts with
//! it reached a prompt.
//!
//! ```text
//!  worker: a file changed                    ─▸ a version
//!  launcher: a start with a copy reached its prompt, or did not ─▸ a version, if nobody saw it before, and a verdict
//!  `lusush maint rc restore`                 ─▸ what was there, and what is there now
//! ```
//!
//! Start-up files hold what their owner put there, tokens and passwords among it: the log is for that user alone, as the
//! files should be, and nothing of it is sent anywhere.
//!
//! Invariants: a file that is longer than [`FILE_BYTES_MAX`] is not kept; the log is of [`FILES_MAX`] files at most, and as
//! long as [`lle_log::versions`] lets it be. A state that a start reached its prompt with is never called bad by a later
//! one that did not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lle_log::versions::{self, Cause, NAME_BYTES_MAX, Verdict, Version, Versions};

use super::versions::{Accepted, VersionLog, VersionsError};

/// Bytes of a file that is kept: twice the longest script that people source at start, and so little that the newest and
/// the last good version of all files fit the log.
pub const FILE_BYTES_MAX: u64 = 192 * 1024;
/// Files that versions are kept of.
pub const FILES_MAX: usize = 32;
/// How long somebody who starts a shell waits for whoever else writes: a write takes a few milliseconds.
pub const PATIENCE: Duration = Duration::from_millis(100);

/// A state of a start-up file that somebody saw.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The file, as [`shown`] names it.
    pub file: &'a str,
    /// What is in it.
    pub content: &'a [u8],
    /// When it got that, as well as is known, in nanoseconds of Unix time.
    pub time_ns: i64,
    /// It is what the file holds now; otherwise an earlier state.
    pub is_now: bool,
    /// Why.
    pub cause: Cause,
    /// The version that was taken up again; 0 if none was.
    pub from: u64,
    /// What became of a start with it, if that is known: [`Verdict::Confirmed`] is a prompt, [`Verdict::TakenBack`] none.
    pub verdict: Option<Verdict>,
}

/// The log of start-up files below the state folder.
pub fn log(state: &Path) -> VersionLog {
    VersionLog::named(state, "rc")
}

/// A file's name in the log and for people: below the home folder it begins with `~/`.
pub fn shown(path: &Path, home: &Path) -> String {
    match path.strip_prefix(home) {
        Ok(below) => format!("~/{}", below.display()),
        Err(_) => path.display().to_string(),
    }
}

/// The path of a file that the log names.
pub fn path(shown: &str, home: &Path) -> PathBuf {
    match shown.strip_prefix("~/") {
        Some(below) => home.join(below),
        None => PathBuf::from(shown),
    }
}

/// Keeps what was seen, as far as the log does not say it already.
///
/// # Errors
/// Nothing was kept.
pub fn keep(
    log: &VersionLog,
    seen: &[Seen<'_>],
    tool: &str,
    patience: Duration,
) -> Result<(), VersionsError> {
    // Mostly there is nothing new, and then nobody has to wait for anybody.
    let bytes = log.bytes()?;
    if added(&versions::read(&bytes)?, seen, tool, bytes.is_empty())?.is_empty() {
        return Ok(());
    }
    let mut held = log.hold(patience)?;
    let mut bytes = held.bytes()?;
    let records = added(&versions::read(&bytes)?, seen, tool, bytes.is_empty())?;
    held.append(&records)?;
    bytes.extend_from_slice(&records);
    if let Some(fewer) = versions::read(&bytes)?.of_fewer_files(FILES_MAX) {
        held.replace(&fewer)?;
    }
    held.sync()
}

/// The records that say what the log does not say yet.
fn added(
    log: &Versions<'_>,
    seen: &[Seen<'_>],
    tool: &str,
    is_empty: bool,
) -> Result<Vec<u8>, VersionsError> {
    // A log begins with a header, which is written with the first record.
    let mut out = if is_empty { Vec::new() } else { vec![0] };
    let mut number = log.next_number();
    for state in seen {
        if state.content.len() as u64 > FILE_BYTES_MAX || state.file.len() > NAME_BYTES_MAX {
            continue;
        }
        let newest = log.newest(state.file);
        let same = |version: &&Version<'_>| version.file == state.file && version.content == state.content;
        let known = match state.is_now {
            true => newest.filter(same),
            false => log.versions.iter().rfind(same),
        };
        let of = match known {
            Some(known) => known.number,
            None => {
                let accepted = Accepted {
                    time_ns: state.time_ns,
                    cause: state.cause,
                    from: state.from,
                    file: state.file,
                    tool,
                    content: state.content,
                };
                versions::encode(&mut out, &accepted.version(number))?;
                number += 1;
                number - 1
            }
        };
        let before = known.and_then(|known| known.verdict);
        let told = match (before, state.verdict) {
            (_, None) => None,
            (Some(Verdict::Confirmed), Some(Verdict::TakenBack)) => None,
            (before, now) => now.filter(|_| before != now),
        };
        if let Some(verdict) = told {
            versions::encode_verdict(&mut out, number, state.time_ns, of, verdict)?;
            number += 1;
        }
    }
    if !is_empty {
        out.remove(0);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen<'a>(file: &'a str, content: &'a [u8], verdict: Option<Verdict>) -> Seen<'a> {
        Seen {
            file,
            content,
            time_ns: 1,
            is_now: true,
            cause: Cause::Noticed,
            from: 0,
            verdict,
        }
    }

    fn said(log: &VersionLog) -> Vec<String> {
        let bytes = log.bytes().unwrap();
        let read = versions::read(&bytes).unwrap();
        let said = read.versions.iter().map(|version| {
            let content =
                String::from_utf8_lossy(&version.content[..version.content.len().min(3)]).into_owned();
            format!(
                "{} {} {content} {:?}",
                version.number,
                version.file,
                version.verdict.map(Verdict::name)
            )
        });
        said.collect()
    }

    #[test]
    fn what_was_seen_is_kept_once_and_judged_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path());
        let keep = |seen: &[Seen<'_>]| keep(&log, seen, "test", PATIENCE).unwrap();
        let (good, bad) = (Some(Verdict::Confirmed), Some(Verdict::TakenBack));
        keep(&[seen("~/.bashrc", b"a", None), seen("~/.inputrc", b"x", None)]);
        keep(&[seen("~/.bashrc", b"a", good)]);
        keep(&[seen("~/.bashrc", b"b", bad)]);
        // An earlier state is known, whatever came after it.
        keep(&[Seen {
            is_now: false,
            ..seen("~/.bashrc", b"a", bad)
        }]);
        let expect = [
            "1 ~/.bashrc a Some(\"confirmed\")",
            "2 ~/.inputrc x None",
            "4 ~/.bashrc b Some(\"taken-back\")",
        ];
        assert_eq!(said(&log), expect);
        let length = log.bytes().unwrap().len();
        keep(&[seen("~/.bashrc", b"b", bad), seen("~/.inputrc", b"x", None)]);
        assert_eq!(log.bytes().unwrap().len(), length, "nothing new, nothing written");
        // It was tried again and worked.
        keep(&[seen("~/.bashrc", b"b", good)]);
        // It says again what it said: a version of its own.
        keep(&[seen("~/.bashrc", b"a", None)]);
        assert_eq!(said(&log).last().unwrap(), "7 ~/.bashrc a None");
        assert_eq!(versions::read(&log.bytes().unwrap()).unwrap().damaged_bytes, 0);
    }

    #[test]
    fn the_log_is_bounded_in_files_and_bytes() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path());
        let long = vec![b'#'; FILE_BYTES_MAX as usize];
        for n in 0..3 * FILES_MAX as u8 {
            let mut content = long.clone();
            content[0] = b'0' + n;
            let file = format!("~/{}", n % (FILES_MAX as u8 + 8));
            keep(
                &log,
                &[seen(&file, &content, Some(Verdict::Confirmed))],
                "test",
                PATIENCE,
            )
            .unwrap();
        }
        let bytes = log.bytes().expect("it is no longer than what is read");
        let read = versions::read(&bytes).unwrap();
        let files: std::collections::BTreeSet<_> = read.versions.iter().map(|version| version.file).collect();
        assert!(files.len() <= FILES_MAX, "{}", files.len());
        keep(
            &log,
            &[seen("~/long", &[long, b"x".to_vec()].concat(), None)],
            "test",
            PATIENCE,
        )
        .unwrap();
        assert!(
            !said(&log).iter().any(|line| line.contains("~/long")),
            "it is too long"
        );
        let mode = std::fs::metadata(folder.path().join("versions/rc.log"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn names_lead_back_to_their_files() {
        let home = Path::new("/home/u");
        for (path_of, name) in [
            ("/home/u/.bashrc", "~/.bashrc"),
            ("/etc/x", "/etc/x"),
            ("/home/u2/x", "/home/u2/x"),
        ] {
            assert_eq!(shown(Path::new(path_of), home), name);
            assert_eq!(path(name, home), Path::new(path_of));
        }
    }
}
