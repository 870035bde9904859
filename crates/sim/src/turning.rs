//! What must hold of levers and their trials, from one event to the next.
//!
//! Invariants checked: one lever is tried at a time; a trial ends once and is not opened again; a lever turns only by a
//! trial that was better, or back to its default at a person's word; one that is not automatic opens no trial by itself;
//! while the optimiser is paused, no lever turns but at that word.

use std::collections::{BTreeMap, BTreeSet};

use lle_core::lever::LEVERS;
use lle_core::mode::Mode;
use lle_core::trial::Verdict;
use lle_maintenance::api::Request;
use lle_maintenance::state::Durable;

use crate::random::Random;

/// Trials that are remembered, of either kind.
const ENDED_MAX: usize = 2 * 128;

/// What was seen last, and what is asked for.
pub struct Turning {
    /// A stream of its own: seeds that were found before levers were turned find the same again.
    pub random: Random,
    seen: Option<Seen>,
    /// Levers that somebody let go back to their defaults since the last check.
    reset: BTreeSet<String>,
}

struct Seen {
    open: BTreeSet<u64>,
    ended: BTreeSet<u64>,
    settings: BTreeMap<String, String>,
    automatic: bool,
    paused: bool,
}

impl Turning {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(!seed),
            seen: None,
            reset: BTreeSet::new(),
        }
    }

    /// Another engine: it goes by what was written, and that may be less.
    pub fn forget(&mut self) {
        self.seen = None;
        self.reset.clear();
    }

    /// Something that somebody asks the optimiser for.
    pub fn request(&mut self) -> Request {
        let random = &mut self.random;
        let force = *random.pick(&[
            "names.cache_entries=0",
            "names.keep=path",
            "suggestion.scan_bytes=65536",
            "suggestion.scan_bytes=1",
            "nonsense",
        ]);
        let lever = *random.pick(&[
            "names.cache_entries",
            "names.keep",
            "suggestion.scan_bytes",
            "one",
        ]);
        let mut asked = (None, None, None, None);
        match random.below(8) {
            0 => asked.1 = Some(lever.to_owned()),
            1 => asked.2 = Some(true),
            2 | 3 => {}
            _ => {
                asked.0 = Some(force.to_owned());
                asked.3 = random.once_in(2).then(|| random.below(600_000));
            }
        }
        self.reset.extend(asked.1.clone());
        Request::Optimize {
            force: asked.0,
            reset: asked.1,
            withdraw: asked.2,
            within_ms: asked.3,
        }
    }

    /// Compares with what was seen last; says what must not be.
    pub fn check(&mut self, state: &Durable) -> Vec<String> {
        let mut broken = Vec::new();
        let tries = state
            .trials
            .values()
            .filter(|trial| trial.paired.is_some())
            .count();
        if tries > 1 {
            broken.push(format!("levers: {tries} are on trial"));
        }
        let now = Seen {
            open: state.trials.keys().copied().collect(),
            ended: state.trials_ended.iter().map(|ended| ended.id).collect(),
            settings: state.settings.clone(),
            automatic: state
                .modes
                .get("performance")
                .is_none_or(|mode| *mode == Mode::Automatic),
            paused: state.paused || state.tasks.get("performance").is_some_and(|known| known.paused),
        };
        if now.ended.len() != state.trials_ended.len() || now.ended.len() > ENDED_MAX {
            broken.push(format!(
                "trials: {} ended, and not once each",
                state.trials_ended.len()
            ));
        }
        if let Some(id) = now.open.intersection(&now.ended).next() {
            broken.push(format!("trials: {id} is open and has ended"));
        }
        if let Some(before) = &self.seen {
            broken.extend(self.changes(before, &now, state));
        }
        self.seen = Some(now);
        self.reset.clear();
        broken
    }

    fn changes(&self, before: &Seen, now: &Seen, state: &Durable) -> Vec<String> {
        let mut broken = Vec::new();
        if let Some(id) = now.open.intersection(&before.ended).next() {
            broken.push(format!("trials: {id} had ended and is open again"));
        }
        let lost = before
            .open
            .iter()
            .filter(|id| !now.open.contains(id) && !now.ended.contains(id));
        broken.extend(lost.map(|id| format!("trials: {id} is gone without an end")));
        for (id, trial) in &state.trials {
            let forced = trial.paired.as_ref().is_none_or(|paired| paired.forced);
            if !before.open.contains(id) && !forced && !before.automatic && !now.automatic {
                broken.push(format!("mode: trial {id} was opened, and nobody may"));
            }
        }
        for row in LEVERS {
            let (was, is) = (before.settings.get(row.name), now.settings.get(row.name));
            let proven = state.trials_ended.iter().any(|ended| {
                let tried = ended.lever.as_ref().filter(|lever| lever.0 == row.name);
                !before.ended.contains(&ended.id)
                    && ended.kept
                    && ended.verdict == Verdict::Confirm
                    && tried.map(|lever| &lever.2) == is
            });
            let reset = is.is_none() && self.reset.contains(row.name);
            if was != is && !reset && before.paused && now.paused {
                broken.push(format!(
                    "levers: {} went from {was:?} to {is:?} while the optimiser was paused",
                    row.name
                ));
            }
            if was != is && !proven && !reset {
                broken.push(format!(
                    "levers: {} went from {was:?} to {is:?} unproven",
                    row.name
                ));
            }
        }
        broken
    }
}
