//! What stands beside the log, read as a whole: is the mirror what the log is, and does the index hide anything?

use std::path::Path;

use lle_core::history_names;
use lle_core::quantity::{count, several};
use lle_log::mirror::{Lock, Mirror};
use serde::Serialize;

/// What was found. `null` is unknown: there is none, or it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Beside {
    /// Whether the mirror is, as far as it goes, what the log is.
    pub(crate) mirror_is_same: Option<bool>,
    /// The first byte at which it is not.
    pub(crate) mirror_differs_at: Option<u64>,
    /// Segments of the index that hide a record.
    pub(crate) index_damaged: Option<u64>,
    /// History files of bash that sessions have named and that the worker does not guard: it has no room for them.
    pub(crate) unguarded_files: u64,
}

/// Compares log and mirror, and makes the index anew beside the one that is there.
pub(super) fn look(log: &Path, index: Option<&Path>) -> Beside {
    // Without the lock, which keeps the worker from mirroring what is typed: all of it is read, and may be gigabytes. What
    // seems to be wrong is looked at again with it, since somebody may have been writing either anew.
    let mirror = Mirror::new(log);
    let mut compared = mirror.compare_whole().ok();
    let mut damaged = index.and_then(|index| lle_log::index::verify(log, index).ok());
    let differs_at = compared.flatten();
    let is_damaged = damaged.as_ref().is_some_and(|damaged| !damaged.is_empty());
    let _lock = (differs_at.is_some() || is_damaged).then(|| Lock::take(log));
    if let Some(at) = differs_at {
        compared = mirror.compare_from(at).ok();
    }
    if is_damaged {
        damaged = index.and_then(|index| lle_log::index::verify(log, index).ok());
    }
    if let (Some(index), Some(damaged)) = (index, &damaged) {
        // Taken out, they are made again; one that cannot be taken out is told all the same.
        let starts = damaged
            .iter()
            .map(|segment| segment * lle_log::index::SEGMENT_SPAN);
        let _told = lle_log::index::forget(index, starts);
    }
    Beside {
        mirror_is_same: compared.map(|differs| differs.is_none()),
        mirror_differs_at: compared.flatten(),
        index_damaged: damaged.map(|damaged| damaged.len() as u64),
        unguarded_files: history_names::files(&std::fs::read(log.with_extension("lists")).unwrap_or_default())
            .1 as u64,
    }
}

impl Beside {
    pub(super) fn text(&self) -> String {
        let mirror = match (self.mirror_is_same, self.mirror_differs_at) {
            (None, _) => "  no mirror: the worker makes one\n".to_owned(),
            (Some(true), _) => "  the mirror is the same as far as it goes\n".to_owned(),
            (Some(false), at) => format!(
                "  the mirror is another from byte {} on: `lusush maint history restore`\n",
                count(at.unwrap_or(0))
            ),
        };
        let index = match self.index_damaged {
            None => "  no index\n".to_owned(),
            Some(0) => "  the index hides nothing\n".to_owned(),
            Some(damaged) => format!(
                "  {} of the index hid commands, and will be made again\n",
                several(damaged, "segment", "segments")
            ),
        };
        let unguarded = match self.unguarded_files {
            0 => String::new(),
            more => format!(
                "  {} not guarded: of those that sessions named, the {} newest are\n",
                several(more, "history file of bash is", "history files of bash are"),
                history_names::GUARDED_MAX - 1
            ),
        };
        mirror + &index + &unguarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sound_is_read_while_somebody_else_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("m.log");
        let mut history = lle_log::history::History::open(&log, 1, 0, None).unwrap().history;
        history.started(1, b"/", b"ls").unwrap();
        Mirror::new(&log).follow().unwrap();
        // If it were waited for, this would never end.
        let lock = Lock::take(&log).unwrap();
        assert_eq!(look(&log, None).mirror_is_same, Some(true));
        drop(lock);
        std::fs::write(&log, "").unwrap();
        assert_eq!(look(&log, None).mirror_differs_at, Some(0));
    }

    #[test]
    fn what_stands_beside_is_said() {
        let all = [
            (None, None, None, 0),
            (Some(true), None, Some(0), 0),
            (Some(false), Some(12_345), Some(2), 3),
        ];
        let text: String = all
            .map(
                |(mirror_is_same, mirror_differs_at, index_damaged, unguarded_files)| {
                    Beside {
                        mirror_is_same,
                        mirror_differs_at,
                        index_damaged,
                        unguarded_files,
                    }
                    .text()
                },
            )
            .concat();
        insta::assert_snapshot!("beside", text);
    }
}
