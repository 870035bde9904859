//! Where everything of a home lies, for recovering it.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use lle_core::error::Code;
use lle_core::repository::Address;
use rustix::fs::FlockOperation;

use super::super::{backup, history};
use crate::failure::Failure;
use crate::paths;

/// The folders, and the files that scenarios are about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) config: PathBuf,
    pub(crate) state: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) cache: PathBuf,
    /// The worker's folder of this machine.
    pub(crate) maint: PathBuf,
    /// The history log of this machine.
    pub(crate) log: PathBuf,
    /// The folder with the start-up files.
    pub(crate) home: Option<PathBuf>,
    /// The repository, if it is not this home's own.
    pub(crate) repository: Option<OsString>,
}

impl Places {
    /// Finds them.
    pub(crate) fn look(repository: Option<OsString>) -> Result<Places, Failure> {
        let folders = paths::folders();
        let refused = |refusal| {
            Failure::new("cannot tell where the home is")
                .because(refusal)
                .hint("`lusush doctor` says more about folders")
        };
        let state = folders.state.map_err(refused)?;
        let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
        Ok(Places {
            config: folders.config.map_err(refused)?,
            data: folders.data.map_err(refused)?,
            cache: folders.cache.map_err(refused)?,
            maint: lle_core::paths::maint_folder(&state, &machine),
            log: history::log_in(&state),
            home: paths::home(),
            repository: repository.as_deref().map(named).transpose()?,
            state,
        })
    }

    /// This home's own repository, wherever it is.
    pub(crate) fn own_repository(&self) -> Address {
        backup::own::address().unwrap_or_else(|| Address::Folder(self.archive()))
    }

    /// The user's configuration.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.config.join(lle_core::config::FILE_NAME)
    }

    /// What it is a link to, or itself: people keep their configuration in a folder of their own.
    pub(crate) fn config_target(&self) -> PathBuf {
        let file = self.config_file();
        std::fs::canonicalize(&file).unwrap_or(file)
    }

    /// The plugins' folder.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.config.join("plugins")
    }

    /// The folder of everything that the backup keeps.
    pub(crate) fn backup(&self) -> PathBuf {
        self.data.join("backup")
    }

    /// Where this home's own repository is unless its configuration says otherwise.
    pub(crate) fn archive(&self) -> PathBuf {
        self.backup().join("archive")
    }

    /// What is known of crashes of sessions.
    pub(crate) fn degraded(&self) -> PathBuf {
        self.state.join(crate::start_crashes::FILE)
    }

    /// Where what is kept before a recovery goes, one folder each.
    pub(crate) fn aside(&self) -> PathBuf {
        self.backup().join("aside")
    }

    /// Somebody has said that no worker is wanted.
    pub(crate) fn is_stopped(&self) -> bool {
        self.maint.join("stopped").exists()
    }

    /// The backup's own lock: whoever backs up just now is not disturbed.
    pub(super) fn backup_lock(&self) -> std::io::Result<File> {
        let lock = lock_file(&self.backup().join("lock"))?;
        rustix::fs::fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| std::io::Error::other("somebody is backing up just now"))?;
        Ok(lock)
    }

    /// The one that recovers: held until it is dropped, however its process ends.
    pub(super) fn lock(&self) -> Result<File, Failure> {
        let failed = || Failure::new("nothing was recovered");
        let path = self.backup().join("recover.lock");
        let opened = paths::create_folder(&self.backup()).and_then(|()| lock_file(&path));
        let file = opened.map_err(|error| {
            failed()
                .because(error)
                .hint("`lusush doctor` says more about folders")
        })?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(failed()
                .because("another recovery is at work")
                .code(Code::Busy.exit())
                .hint("try again in a moment")),
            Err(error) => Err(failed().because(std::io::Error::from(error))),
        }
    }
}

/// Opens a lock's file.
pub(crate) fn lock_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// The repository that was named, for verbs that run elsewhere.
fn named(text: &OsStr) -> Result<OsString, Failure> {
    Ok(match backup::address::named(text)? {
        Address::Folder(folder) => folder.into(),
        server => server.to_string().into(),
    })
}
