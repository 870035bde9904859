//! The local folder of a repository, made durable and private.
//!
//! The library syncs each file before it has its name, and not the folder that lists it: after a power loss a snapshot
//! could be there without its data. Here the folder is synced, too.
//!
//! Invariant: what is written here is for this user alone, whatever the umask.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustic_core::{BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend};

use crate::disk;

/// A backend, and the folder that it writes to.
#[derive(Debug)]
pub(crate) struct Durable {
    inner: Arc<dyn WriteBackend>,
    path: PathBuf,
}

impl Durable {
    pub(crate) fn over(inner: Arc<dyn WriteBackend>, path: &Path) -> Durable {
        Durable {
            inner,
            path: path.to_owned(),
        }
    }

    /// The folder that a file of that type and name is in.
    fn folder(&self, kind: FileType, id: &Id) -> PathBuf {
        match kind {
            FileType::Config => self.path.clone(),
            FileType::Pack => self.path.join("data").join(&id.to_hex()[..2]),
            kind => self.path.join(kind.dirname()),
        }
    }

    fn file(&self, kind: FileType, id: &Id) -> PathBuf {
        match kind {
            FileType::Config => self.path.join("config"),
            kind => self.folder(kind, id).join(id.to_hex().as_str()),
        }
    }
}

fn refused(path: &Path, error: io::Error) -> Box<RusticError> {
    RusticError::with_source(
        ErrorKind::InputOutput,
        format!("cannot make {} durable", path.display()),
        error,
    )
}

impl ReadBackend for Durable {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        self.inner.list_with_size(kind)
    }

    fn list(&self, kind: FileType) -> RusticResult<Vec<Id>> {
        self.inner.list(kind)
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        self.inner.read_full(kind, id)
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        self.inner.read_partial(kind, id, cacheable, offset, length)
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        self.inner.warmup_path(kind, id)
    }
}

impl WriteBackend for Durable {
    fn create(&self) -> RusticResult<()> {
        self.inner.create()
    }

    fn write_bytes(&self, kind: FileType, id: &Id, cacheable: bool, content: BytesList) -> RusticResult<()> {
        self.inner.write_bytes(kind, id, cacheable, content)?;
        let (file, folder) = (self.file(kind, id), self.folder(kind, id));
        fs::set_permissions(&file, Permissions::from_mode(0o600))
            .and_then(|()| disk::sync_folder(&folder))
            .map_err(|error| refused(&file, error))
    }

    fn remove(&self, kind: FileType, id: &Id, cacheable: bool) -> RusticResult<()> {
        self.inner.remove(kind, id, cacheable)
    }
}
