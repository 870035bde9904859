//! What could not be written, in order.
//!
//! The library writes packs on threads of its own. After one that could not be written it stops listening, and what it gives
//! in the end is as a rule that: that nobody listens. Here is kept what went wrong first, and how often something did.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustic_core::{BytesList, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend};

use crate::failure::RepositoryError;

/// What could not be written.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    first: Option<RepositoryError>,
    /// Behind the first one.
    more: u64,
}

impl Failures {
    fn note(&self, error: &RusticError) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        match all.first {
            None => all.first = Some(RepositoryError::of(error)),
            Some(_) => all.more += 1,
        }
    }

    /// What went wrong first, with how often something did, if the error is of a run that could not write.
    pub(crate) fn behind(&self, error: RepositoryError) -> RepositoryError {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        match (all.first.take(), all.more) {
            (None, _) => error,
            (Some(first), 0) => first,
            (Some(first), more) => first.with_more(more),
        }
    }
}

/// A backend that notes what it could not write.
#[derive(Debug)]
pub(crate) struct Noting {
    inner: Arc<dyn WriteBackend>,
    failures: Arc<Failures>,
}

impl Noting {
    pub(crate) fn over(inner: Arc<dyn WriteBackend>, failures: Arc<Failures>) -> Noting {
        Noting { inner, failures }
    }
}

impl ReadBackend for Noting {
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

impl WriteBackend for Noting {
    fn create(&self) -> RusticResult<()> {
        self.inner.create()
    }

    fn write_bytes(&self, kind: FileType, id: &Id, cacheable: bool, content: BytesList) -> RusticResult<()> {
        let written = self.inner.write_bytes(kind, id, cacheable, content);
        written.inspect_err(|error| self.failures.note(error))
    }

    fn remove(&self, kind: FileType, id: &Id, cacheable: bool) -> RusticResult<()> {
        self.inner.remove(kind, id, cacheable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::RemoteError;

    #[test]
    fn the_first_is_told_and_the_others_are_counted() {
        let unreachable = |why: &str| RemoteError::Unreachable {
            host: "h".into(),
            why: why.into(),
        };
        let failed = |why: &str| {
            RusticError::with_source(rustic_core::ErrorKind::Backend, "not written", unreachable(why))
        };
        let check = |noted: &[&str], expect: &str, remote: Option<RemoteError>| {
            let failures = Failures::default();
            for why in noted {
                failures.note(&failed(why));
            }
            let last = RusticError::new(rustic_core::ErrorKind::Internal, "nobody listens");
            let told = failures.behind(last.into());
            assert_eq!(told.to_string(), expect);
            assert_eq!(told.remote(), remote.as_ref());
        };
        check(&[], "nobody listens", None);
        check(&["gone"], "h cannot be reached: gone", Some(unreachable("gone")));
        check(
            &["gone", "refused", "refused"],
            "h cannot be reached: gone (and 2 more files were not written)",
            Some(unreachable("gone")),
        );
    }
}
