//! A slower prompt, and the line that made it so.
//!
//! ```text
//!  session: a command may have changed the prompt ─▸ before | after of that session  ┐
//!  start-up file: a line was added                ─▸ sessions before | sessions since ┴▸ judge ─▸ changepoint, blamed
//! ```
//!
//! A detector that does not know where to look needs an hour to see a slower prompt. Here the moment is known: what the
//! user typed, or saved in a start-up file. Each look takes one prompt of each session, if there was one.
//!
//! Invariant: one suspicion a session, one for the start-up files; a look at which nothing changed allocates nothing.

use std::collections::BTreeMap;

use lle_core::health::text::command_line;
use lle_core::series::Changepoint;
use lle_core::series::blame::{Change, ChangeKind};
use lle_core::series::suspected::{SAMPLES_MIN, Suspected, Verdict};

use lle_core::trial::Evidence;
use lle_metrics::{Counter, EventKind, Gauge, Snapshot, Timer};

use super::Engine;
use super::predict::watched::{FLOOR_BYTES, START_NS};
use crate::world::{Now, RcChange, World};

/// How often start-up files are looked at while nobody starts a session, in nanoseconds: what changed is dated by the
/// file itself, and only new sessions show what came of it.
const RC_LOOK_NS: u64 = 60 * super::SECOND_NS;

/// The prompts of one session.
#[derive(Debug, Default)]
pub(crate) struct Prompts {
    /// Prompts timed, and candidates for a change, when it was last looked at; none before that.
    seen: Option<(u64, u64)>,
    /// It was changed from inside: it tells nothing of the start-up files.
    touched: bool,
    level: Level,
    suspect: Option<Suspected>,
    /// What ran, and when, to be remembered.
    changed: Option<(i64, String)>,
    /// The last one timed, to be taken.
    fresh: Option<f64>,
    start: Start,
}

/// How long the session took to start.
#[derive(Clone, Copy, Debug, Default)]
enum Start {
    /// It has not reached a prompt.
    #[default]
    Ahead,
    /// Nanoseconds, to be taken.
    Fresh(f64),
    /// It was taken.
    Taken,
}

/// How long prompts take since something was changed.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    evidence: Evidence,
    first_ns: i64,
    last_ns: i64,
}

impl Level {
    fn add(&mut self, wall_ns: i64, ns: f64) {
        if self.evidence.count == 0 {
            self.first_ns = wall_ns;
        }
        self.evidence.add(ns);
        self.last_ns = wall_ns;
    }

    /// Suspects a change of being the end of this level. Without enough of it, what an open suspicion compares with
    /// stays what is compared with.
    fn suspect(self, at_ns: i64, open: Option<Suspected>) -> Suspected {
        match open {
            Some(open) if self.evidence.count < SAMPLES_MIN && open.before.count >= SAMPLES_MIN => open,
            _ => Suspected {
                at_ns,
                last_before_ns: self.last_ns,
                before: self.evidence,
            },
        }
    }
}

/// The start-up files, as the prompts of all sessions show them.
#[derive(Debug, Default)]
pub(crate) struct StartFiles {
    /// When they were looked at last, on the monotonic clock.
    looked: Option<u64>,
    /// When the newest session known then began.
    newest_wall_ns: u64,
    /// When they were last changed: sessions that began before tell nothing of how they are now.
    since_wall_ns: i64,
    level: Level,
    suspect: Option<Suspected>,
}

impl Prompts {
    /// Takes a look in.
    pub(crate) fn fold(&mut self, now: Now, snapshot: &Snapshot) {
        let at = (
            snapshot.samples(Timer::Prompt),
            snapshot.counter(Counter::PromptChanges),
        );
        self.touched |= at.1 > 0;
        if matches!(self.start, Start::Ahead)
            && let Some(ns) = snapshot.histogram(Timer::Start).mean()
        {
            self.start = Start::Fresh(ns as f64);
        }
        let Some(before) = self.seen.replace(at) else {
            return;
        };
        if at.1 > before.1 {
            self.change(now, snapshot);
        }
        let last = snapshot.gauge(Gauge::PromptLastNs).filter(|ns| *ns > 0);
        if let Some(ns) = last.filter(|_| at.0 > before.0) {
            self.level.add(now.wall_ns, ns as f64);
            self.fresh = Some(ns as f64);
        }
    }

    fn change(&mut self, now: Now, snapshot: &Snapshot) {
        let event = snapshot
            .events()
            .filter(|event| event.kind == Some(EventKind::PromptChanged))
            .last();
        let (at_ns, what) = event.map_or((now.wall_ns, String::new()), |event| {
            let text = String::from_utf8_lossy(event.text).trim().to_owned();
            (event.wall_ns.cast_signed(), text)
        });
        let what = match what.as_str() {
            "" => "a command changed the prompt".to_owned(),
            text => format!("`{}` was typed", command_line(text)),
        };
        self.changed = Some((at_ns, what));
        self.suspect = Some(std::mem::take(&mut self.level).suspect(at_ns, self.suspect));
    }
}

/// Judges what is suspected, and ends the suspicion if it can.
fn judge(suspect: &mut Option<Suspected>, level: &mut Level) -> Option<Changepoint> {
    let row = super::predict::PROMPT;
    let suspected = (*suspect)?;
    match suspected.judge(
        &level.evidence,
        level.first_ns,
        row.least,
        super::predict::SHARE_MIN,
    ) {
        Verdict::Open => None,
        Verdict::Cleared => {
            level.evidence.merge(&suspected.before);
            *suspect = None;
            None
        }
        Verdict::Moved(changepoint) => {
            *suspect = None;
            Some(changepoint)
        }
    }
}

impl Engine {
    /// Takes the prompts of a look in, and what was changed in start-up files; blames a slower prompt on its cause.
    pub(crate) fn suspect<W: World>(&mut self, world: &mut W, now: Now) {
        if self.rc_look_is_due(now) {
            for change in world.rc_changes() {
                self.rc_changed(&change);
            }
        }
        let mut moved = Vec::new();
        let files = &mut self.start_files;
        for session in self.sessions.values_mut() {
            let prompts = &mut session.prompts;
            if let Some((at_ns, what)) = prompts.changed.take() {
                self.predict.note(Change {
                    at_ns,
                    what,
                    kind: ChangeKind::Rc,
                });
            }
            moved.extend(judge(&mut prompts.suspect, &mut prompts.level));
            let Some(ns) = prompts.fresh.take().filter(|_| !prompts.touched) else {
                continue;
            };
            let began = session.created_wall_ns.map(u64::cast_signed);
            if began.is_some_and(|began| began >= files.since_wall_ns) {
                files.level.add(now.wall_ns, ns);
            }
        }
        moved.extend(judge(&mut files.suspect, &mut files.level));
        for changepoint in moved {
            self.predict.moved(super::predict::PROMPT, changepoint, now);
        }
    }

    /// Once a minute, and before the first prompts of a new session are taken for those of the files as they were.
    fn rc_look_is_due(&mut self, now: Now) -> bool {
        let newest = self
            .sessions
            .values()
            .filter_map(|session| session.created_wall_ns)
            .max();
        let files = &mut self.start_files;
        let is_new = newest.is_some_and(|newest| newest > files.newest_wall_ns);
        let is_old = files
            .looked
            .is_none_or(|looked| now.mono_ns.saturating_sub(looked) >= RC_LOOK_NS);
        if is_new || is_old {
            files.looked = Some(now.mono_ns);
            files.newest_wall_ns = newest.unwrap_or(files.newest_wall_ns);
        }
        is_new || is_old
    }

    /// How long the sessions took that have started since the last look, and the least memory of idle ones; means.
    pub(crate) fn starts_and_floors(&mut self) -> Vec<(&'static str, f64)> {
        let (mut starts, mut floors) = (Evidence::default(), Evidence::default());
        for session in self.sessions.values_mut() {
            // Of the others an earlier worker has told.
            let is_new = session
                .created_wall_ns
                .is_some_and(|began| began.cast_signed() >= self.started_wall_ns);
            if let Start::Fresh(ns) = session.prompts.start {
                session.prompts.start = Start::Taken;
                starts.add(if is_new { ns } else { f64::NAN });
            }
            if let Some(bytes) = session.floor.least() {
                floors.add(bytes as f64);
            }
        }
        [(START_NS, starts), (FLOOR_BYTES, floors)]
            .into_iter()
            .filter(|(_, seen)| seen.count > 0)
            .map(|(name, seen)| (name, seen.mean))
            .collect()
    }

    /// How many prompts of each session are known since something was changed in it.
    pub(crate) fn prompts_known(&self) -> BTreeMap<String, u64> {
        let known = self.sessions.iter();
        known
            .map(|(id, session)| (format!("{id:016x}"), session.prompts.level.evidence.count))
            .collect()
    }

    fn rc_changed(&mut self, change: &RcChange) {
        self.predict.note(Change {
            at_ns: change.at_wall_ns,
            what: change.what.clone(),
            kind: ChangeKind::Rc,
        });
        let files = &mut self.start_files;
        files.since_wall_ns = files.since_wall_ns.max(change.at_wall_ns);
        files.suspect = Some(std::mem::take(&mut files.level).suspect(change.at_wall_ns, files.suspect));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::started;
    use super::*;

    #[test]
    fn start_up_files_are_looked_at_once_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        let (_world, mut engine, start) = started(folder.path());
        engine.start_files = StartFiles::default();
        let looks = (0..=30u64).filter(|n| {
            let mono_ns = start.mono_ns + n * 10 * super::super::SECOND_NS;
            engine.rc_look_is_due(Now { mono_ns, ..start })
        });
        assert_eq!(looks.collect::<Vec<_>>(), [0, 6, 12, 18, 24, 30]);
    }
}
