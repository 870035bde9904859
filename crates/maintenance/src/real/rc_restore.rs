//! A start-up file says again what one of its versions said.
//!
//! ```text
//!  version ─▸ read what is there ─▸ keep that as a version ─▸ replace, if it is still that ─▸ keep what is there now
//! ```
//!
//! Invariants: nothing is overwritten that is not a version. Mode and links stay. What cannot be kept, because it is too
//! long, no file, or somebody else's, is not touched.

use std::path::Path;
use std::time::Duration;

use lle_log::versions::{self, Cause};

use super::config::ReplaceError;
use super::rc_versions::{FILE_BYTES_MAX, Seen, keep, path};
use super::start_file::{self, ReadError, StartFile};
use super::versions::{VersionLog, VersionsError};

/// How long it waits for whoever else writes a version.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The file, as the log names it.
    pub file: String,
    /// The version that it says again.
    pub version: u64,
    /// False if it said so already.
    pub changed: bool,
    /// The version that keeps what was there before; none if nothing was.
    pub before: Option<u64>,
}

/// Why nothing was restored. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is no such version.
    #[error("there is no version #{0}")]
    NoVersion(u64),
    /// What is there could not be kept.
    #[error("what is there cannot be kept: {0}")]
    Unkept(ReadError),
    /// The file is another user's.
    #[error("it belongs to user {owner}")]
    Foreign {
        /// Whose it is.
        owner: u32,
    },
    /// The log of versions is not to be had.
    #[error(transparent)]
    Versions(#[from] VersionsError),
    /// It was not replaced.
    #[error(transparent)]
    Replace(#[from] ReplaceError),
}

impl RestoreError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            RestoreError::NoVersion(_) => "`lusush maint rc log` lists them",
            RestoreError::Unkept(_) => "move it away and try again",
            RestoreError::Foreign { .. } => "its owner can restore it",
            RestoreError::Versions(_) => "`lusush doctor` says more about folders",
            RestoreError::Replace(_) => "look at it and try again",
        }
    }
}

/// Makes a file say what a version of it said, by its name in the log and the version's number; `now_ns` is nanoseconds of Unix time, `tool` who does
/// it.
///
/// # Errors
/// There is no such version, what is there cannot be kept, or somebody else changed it in the meantime.
pub fn restore(
    log: &VersionLog,
    home: &Path,
    (file, number): (&str, u64),
    now_ns: i64,
    tool: &str,
) -> Result<Restored, RestoreError> {
    let bytes = log.bytes().map_err(VersionsError::from)?;
    let read = versions::read(&bytes).map_err(VersionsError::from)?;
    let version = read.numbered(number).filter(|version| version.file == file);
    let version = version.ok_or(RestoreError::NoVersion(number))?;
    let at = path(version.file, home);
    let before = start_file::read(&at, FILE_BYTES_MAX).map_err(RestoreError::Unkept)?;
    let own = rustix::process::geteuid().as_raw();
    if let Some(file) = before.as_ref().filter(|file| file.owner != own) {
        return Err(RestoreError::Foreign { owner: file.owner });
    }
    let seen = |content, time_ns, cause, from| Seen {
        file: version.file,
        content,
        time_ns,
        is_now: true,
        cause,
        from,
        verdict: None,
    };
    if let Some(StartFile {
        bytes, written_ns, ..
    }) = &before
    {
        keep(
            log,
            &[seen(bytes, *written_ns, Cause::Noticed, 0)],
            tool,
            PATIENCE,
        )?;
    }
    let changed = before
        .as_ref()
        .is_none_or(|before| before.bytes != version.content);
    let kept = match &before {
        Some(before) => newest(log, version.file, &before.bytes)?,
        None => None,
    };
    if changed {
        start_file::replace(&at, before.as_ref(), version.content, FILE_BYTES_MAX)?;
        // It is done: a version that is missing is noticed by the next who looks.
        let said = seen(version.content, now_ns, Cause::RolledBack, number);
        let _noticed_later = keep(log, &[said], tool, PATIENCE);
    }
    Ok(Restored {
        file: version.file.to_owned(),
        version: number,
        changed,
        before: kept,
    })
}

/// The version that keeps this.
fn newest(log: &VersionLog, file: &str, content: &[u8]) -> Result<Option<u64>, VersionsError> {
    let bytes = log.bytes()?;
    let read = versions::read(&bytes)?;
    let found = read.newest(file).filter(|newest| newest.content == content);
    Ok(found.map(|newest| newest.number))
}

#[cfg(test)]
mod tests {
    use super::super::rc_versions::{self, log};
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct House {
        folder: tempfile::TempDir,
        log: VersionLog,
    }

    impl House {
        fn new(versions: &[&str]) -> House {
            let folder = tempfile::tempdir().unwrap();
            let log = log(&folder.path().join("state"));
            let house = House { folder, log };
            for content in versions {
                house.see(content);
            }
            house
        }

        fn see(&self, content: &str) {
            let seen = Seen {
                file: "~/.bashrc",
                content: content.as_bytes(),
                time_ns: 1,
                is_now: true,
                cause: Cause::Noticed,
                from: 0,
                verdict: None,
            };
            keep(&self.log, &[seen], "test", rc_versions::PATIENCE).unwrap();
        }

        fn rc(&self) -> std::path::PathBuf {
            self.folder.path().join(".bashrc")
        }

        fn restore(&self, number: u64) -> Result<Restored, RestoreError> {
            restore(&self.log, self.folder.path(), ("~/.bashrc", number), 2, "test")
        }

        fn kept(&self) -> Vec<String> {
            let bytes = self.log.bytes().unwrap();
            let read = versions::read(&bytes).unwrap();
            let said = read.versions.iter().map(|version| {
                let content = String::from_utf8_lossy(version.content);
                format!(
                    "{} {} {content} {}",
                    version.number,
                    version.cause.name(),
                    version.from
                )
            });
            said.collect()
        }
    }

    #[test]
    fn what_was_there_is_a_version_first_and_mode_and_link_stay() {
        let house = House::new(&["a", "b"]);
        let real = house.folder.path().join("dotfiles");
        fs::write(&real, "nobody saw this").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
        symlink("dotfiles", house.rc()).unwrap();
        let restored = house.restore(1).unwrap();
        assert_eq!((restored.changed, restored.before), (true, Some(3)));
        assert_eq!(fs::read_to_string(&real).unwrap(), "a");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o7777, 0o644);
        assert!(fs::symlink_metadata(house.rc()).unwrap().is_symlink());
        let expect = [
            "1 noticed a 0",
            "2 noticed b 0",
            "3 noticed nobody saw this 0",
            "4 rolled-back a 1",
        ];
        assert_eq!(house.kept(), expect);
        // Again is no change, and back leads back.
        assert!(!house.restore(1).unwrap().changed);
        house.restore(3).unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "nobody saw this");
    }

    #[test]
    fn a_file_that_is_gone_comes_back_for_its_user_alone() {
        let house = House::new(&["a"]);
        let restored = house.restore(1).unwrap();
        assert_eq!((restored.changed, restored.before), (true, None));
        assert_eq!(fs::read_to_string(house.rc()).unwrap(), "a");
        assert_eq!(
            fs::metadata(house.rc()).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn what_cannot_be_kept_is_not_touched() {
        let house = House::new(&["a"]);
        let refused = |house: &House, expect: &str| {
            let said = house.restore(1).unwrap_err().to_string();
            assert!(said.contains(expect), "{said}");
            assert_eq!(house.kept(), ["1 noticed a 0"]);
        };
        fs::create_dir(house.rc()).unwrap();
        refused(&house, "it is a folder");
        fs::remove_dir(house.rc()).unwrap();
        assert!(
            std::process::Command::new("mkfifo")
                .arg(house.rc())
                .status()
                .unwrap()
                .success()
        );
        refused(&house, "it is a pipe");
        fs::remove_file(house.rc()).unwrap();
        fs::File::create(house.rc()).unwrap().set_len(10 << 20).unwrap();
        refused(&house, "it is too long");
        fs::remove_file(house.rc()).unwrap();
        symlink("nowhere", house.rc()).unwrap();
        refused(&house, "a link to nothing");
        assert!(matches!(house.restore(9), Err(RestoreError::NoVersion(9))));
        fs::remove_file(house.rc()).unwrap();
        fs::write(house.rc(), "x").unwrap();
        if std::os::unix::fs::chown(house.rc(), Some(12_345), None).is_ok() {
            refused(&house, "it belongs to user 12345");
        }
    }
}
