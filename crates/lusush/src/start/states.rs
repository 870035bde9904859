//! What the guard knows of start-up files, for their versions.
//!
//! Invariant: looking changes nothing.

use std::path::Path;

use lle_core::start;
use lle_log::versions::Verdict;

use super::found::Found;
use super::{Guard, now_ns};
use crate::start_record;
use crate::start_versions::{self, State};

/// Every state of start-up files that the guard knows of, with what became of it; what the files hold now is last.
pub(crate) fn states(home: &Path) -> Vec<State> {
    let (now_ns, boot) = (now_ns(), start_record::boot().unwrap_or_default());
    let mut states: Vec<State> = Vec::new();
    let mut now: Vec<State> = Vec::new();
    for login in [false, true] {
        let Ok(mut guard) = Guard::of(Found::look(home.to_owned(), login), login) else {
            continue;
        };
        let good = guard
            .good()
            .map(|good| start_versions::copies(home, &good, Verdict::Confirmed));
        let good = good.unwrap_or_default();
        let found = guard.look(now_ns).unwrap_or_default();
        guard.add_sourced(&found, &boot);
        for record in &found.records {
            let start = record.look(&boot);
            let verdict = match (start.reached, start::failure(&start, now_ns)) {
                (Some(start::Reached::Ready), _) => Verdict::Confirmed,
                // One alone says little.
                (_, Some(start::Failure::Died)) => continue,
                (_, Some(_)) => Verdict::TakenBack,
                _ => continue,
            };
            let copies = start_versions::copies(home, record, verdict);
            states.extend(
                copies
                    .into_iter()
                    .filter(|state| !good.iter().any(|good| good.says(state))),
            );
        }
        states.splice(0..0, good);
        let current = start_versions::current(home, &guard.files, None);
        now.extend(
            current
                .into_iter()
                .filter(|state| !now.iter().any(|known| known.says(state)))
                .collect::<Vec<_>>(),
        );
    }
    states.extend(now);
    states
}
