//! What stands beside the log, read as a whole: is the mirror what the log is, and does the index hide anything?

use std::path::Path;

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
}

/// Compares log and mirror, and makes the index anew beside the one that is there.
pub(super) fn look(log: &Path, index: Option<&Path>) -> Beside {
    // Nobody writes either anew meanwhile; who only appends does no harm.
    let _lock = Lock::take(log);
    let compared = Mirror::new(log).compare_whole().ok();
    let damaged = index.and_then(|index| lle_log::index::verify(log, index).ok());
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
        mirror + &index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_is_said() {
        let all = [
            (None, None, None),
            (Some(true), None, Some(0)),
            (Some(false), Some(12_345), Some(2)),
        ];
        let text: String = all
            .map(|(mirror_is_same, mirror_differs_at, index_damaged)| {
                Beside {
                    mirror_is_same,
                    mirror_differs_at,
                    index_damaged,
                }
                .text()
            })
            .concat();
        insta::assert_snapshot!("beside", text);
    }
}
