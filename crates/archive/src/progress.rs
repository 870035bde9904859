//! How far something is, for whoever shows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustic_core::{Progress, ProgressBars, ProgressType, RusticProgress};

/// How far one step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done, as "backing up".
    pub what: String,
    /// How much is done.
    pub done: u64,
    /// Of how much; none while nobody knows.
    pub of: Option<u64>,
    /// Whether these are bytes; else things.
    pub bytes: bool,
    /// Whether the step has ended.
    pub ended: bool,
}

/// Whoever is told. Called from several threads and often: what is shown is shown seldom.
pub type Watch = Arc<dyn Fn(&Step) + Send + Sync>;

/// Tells nobody.
pub(crate) fn nobody() -> Watch {
    Arc::new(|_| ())
}

/// rustic's progress, passed on.
pub(crate) struct Told(pub(crate) Watch);

impl std::fmt::Debug for Told {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Told")
    }
}

impl ProgressBars for Told {
    fn progress(&self, kind: ProgressType, prefix: &str) -> Progress {
        Progress::new(One {
            watch: self.0.clone(),
            what: prefix.trim_end_matches('.').to_owned(),
            bytes: matches!(kind, ProgressType::Bytes),
            done: AtomicU64::new(0),
            of: AtomicU64::new(0),
        })
    }
}

struct One {
    watch: Watch,
    what: String,
    bytes: bool,
    done: AtomicU64,
    of: AtomicU64,
}

impl One {
    fn tell(&self, ended: bool) {
        let of = self.of.load(Ordering::Relaxed);
        (self.watch)(&Step {
            what: self.what.clone(),
            done: self.done.load(Ordering::Relaxed),
            of: (of > 0).then_some(of),
            bytes: self.bytes,
            ended,
        });
    }
}

impl std::fmt::Debug for One {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.what)
    }
}

impl RusticProgress for One {
    fn is_hidden(&self) -> bool {
        false
    }

    fn set_length(&self, length: u64) {
        self.of.store(length, Ordering::Relaxed);
        self.tell(false);
    }

    fn set_title(&self, _title: &str) {}

    fn inc(&self, by: u64) {
        self.done.fetch_add(by, Ordering::Relaxed);
        self.tell(false);
    }

    fn finish(&self) {
        self.tell(true);
    }
}
