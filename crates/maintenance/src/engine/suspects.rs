//! A slower prompt, and the line that made it so.
//!
//! ```text
//!  session: a command may have changed the prompt ─▸ before | after of that session  ┐
//!  start-up file: a line was added                ─▸ sessions before | sessions since ┴▸ judge ─▸ changepoint, blamed
//! ```
//!
//! A detector that does not know where to look needs an hour to see a slower prompt. Here the moment is known: what the
//! user typed, or saved in a start-up file. Each look takes every prompt since the last ([`prompts`]), so a dozen on either
//! side tell, however seldom it is looked.
//!
//! What is known of levels and suspicions is part of the state ([`lle_core::series::noticed`]): written when a suspicion
//! begins or ends, when the worker ends, and every [`KEEP_NS`] in between. A worker that is killed loses some prompts of
//! what it compares with, and no suspicion; what was done while none worked, the next finds in the session's counters.
//!
//! Invariant: one suspicion a session, one for the start-up files; a look at which nothing changed allocates nothing.

mod prompts;

use std::collections::BTreeMap;

use lle_core::series::blame::{self, ChangeKind};
use lle_core::series::reach::Reach;
use lle_core::series::suspected::{SAMPLES_MIN, Watched};
use lle_core::trial::Evidence;
use serde_json::{Value, json};

use super::predict::PROMPT;
use super::predict::watched::{FLOOR_BYTES, START_NS};
use super::{Engine, SECOND_NS};
use crate::state::Change;
use crate::world::{Disk, Now, RcChange, World};
pub(crate) use prompts::Prompts;
use prompts::{MATTERS, Start};

/// How often levels are written, in nanoseconds: as much of them is lost at most.
const KEEP_NS: u64 = 600 * SECOND_NS;

/// How often start-up files are looked at while nobody starts a session, in nanoseconds: what changed is dated by the
/// file itself, and only new sessions show what came of it.
const RC_LOOK_NS: u64 = 60 * SECOND_NS;

/// When levels were written last.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    mono_ns: u64,
    /// When the last of the start-up files' prompts that are written was shown.
    start_files: i64,
}

/// When start-up files were looked at.
#[derive(Debug, Default)]
pub(crate) struct RcLooks {
    /// The last time, on the monotonic clock.
    looked: Option<u64>,
}

impl Engine {
    /// Takes the prompts of a look in, and what was changed in start-up files; blames a slower prompt on its cause.
    pub(crate) fn suspect<W: World>(&mut self, world: &mut W, now: Now) {
        if self.rc_look_is_due(now) {
            for change in world.rc_changes() {
                // Sessions that began before it tell how it was, also in what they timed since.
                self.take_untouched(change.at_wall_ns);
                self.rc_changed(world, now, &change);
            }
        }
        self.take_untouched(i64::MAX);
        let (mut typed, mut moved) = (Vec::new(), Vec::new());
        for (id, session) in &mut self.sessions {
            let prompts = &mut session.prompts.each;
            if !prompts.typed.is_empty() {
                let whose = named(*id);
                typed.extend(prompts.typed.drain(..).map(|line| blame::Change {
                    at_ns: line.at_ns,
                    what: line.what,
                    kind: line.kind,
                    session: Some(whose.clone()),
                    number: Some(line.number),
                }));
            }
            moved.extend(prompts.moved.drain(..).map(|found| (*id, found)));
        }
        for change in typed {
            self.note_change(world, now, change);
        }
        for (id, found) in moved {
            let reach = Reach::Session {
                id: &named(id),
                lines: found.lines,
                none: found.none,
                in_command: found.in_command,
            };
            self.moved(world, now, PROMPT, found.changepoint, reach);
        }
        let files = &mut self.state.noticed.start_files;
        let were_open = files.watched.suspects();
        let of_files = files.watched.judge(MATTERS);
        let files_turned = were_open != files.watched.suspects();
        if let Some(found) = of_files {
            let unmoved_ns = self.state.noticed.start_files.unmoved_ns(&found.changepoint);
            let reach = Reach::StartFiles { unmoved_ns };
            self.moved(world, now, PROMPT, found.changepoint, reach);
        }
        let is_time = now.mono_ns.saturating_sub(self.prompts_kept.mono_ns) >= KEEP_NS;
        self.keep_prompts(world, now, is_time, files_turned);
    }

    /// Takes the prompts of sessions that began before that moment for those of the start-up files as they are known; what
    /// began before the files were changed last tells nothing of them, nor does what began by another clock.
    fn take_untouched(&mut self, until_wall_ns: i64) {
        let files = &mut self.state.noticed.start_files;
        for session in self.sessions.values_mut() {
            let began = session.created_wall_ns().map_or(i64::MIN, u64::cast_signed);
            if began < until_wall_ns {
                if !session.began_ahead() {
                    files.take(began, &session.prompts.each.untouched);
                }
                // It keeps its room: the next look fills it again.
                session.prompts.each.untouched.clear();
            }
        }
    }

    /// Writes the levels of prompts that have turned, of all of them when it is time to, and forgets sessions that are
    /// gone.
    fn keep_prompts(&mut self, world: &mut impl Disk, now: Now, all: bool, files_turned: bool) {
        if all {
            self.prompts_kept.mono_ns = now.mono_ns;
        }
        let files = &self.state.noticed.start_files;
        let last = files.watched.last_ms();
        if files_turned || all && last != self.prompts_kept.start_files {
            self.prompts_kept.start_files = last;
            let known = Box::new(files.clone());
            self.keep(world, now, Change::StartFiles { known });
        }
        let mut changes = Vec::new();
        for (id, session) in &mut self.sessions {
            let prompts = &mut session.prompts;
            let timed = prompts.each.timed();
            if prompts.each.turned || all && timed != prompts.kept {
                (prompts.each.turned, prompts.kept) = (false, timed);
                changes.push(Change::Prompts {
                    session: named(*id),
                    prompts: Some(Box::new(prompts.each.known())),
                });
            }
        }
        let lives =
            |name: &String| u64::from_str_radix(name, 16).is_ok_and(|id| self.sessions.contains_key(&id));
        let gone = self.state.noticed.prompts.keys().filter(|name| !lives(name));
        changes.extend(gone.map(|session| Change::Prompts {
            session: session.clone(),
            prompts: None,
        }));
        for change in changes {
            self.keep(world, now, change);
        }
    }

    /// Writes all levels before the worker ends.
    pub(crate) fn keep_all_prompts(&mut self, world: &mut impl Disk, now: Now) {
        self.keep_prompts(world, now, true, false);
    }

    /// Once a minute, before the first prompts of a new session are taken for those of the files as they were, and once its
    /// start has read all that it reads: only from then on is it known which files these are.
    fn rc_look_is_due(&mut self, now: Now) -> bool {
        let mut is_new = false;
        for session in self.sessions.values_mut() {
            // By whether it was known, not by when it began: the clock may have been set back.
            is_new |= session.created_wall_ns().is_some() && !session.prompts.is_known;
            session.prompts.is_known |= session.created_wall_ns().is_some();
            let has_started = !matches!(session.prompts.start, Start::Ahead);
            is_new |= has_started && !session.prompts.has_started;
            session.prompts.has_started |= has_started;
        }
        let files = &mut self.rc_looks;
        let is_old = files
            .looked
            .is_none_or(|looked| now.mono_ns.saturating_sub(looked) >= RC_LOOK_NS);
        if is_new || is_old {
            files.looked = Some(now.mono_ns);
        }
        is_new || is_old
    }

    /// How long the sessions took that have started since the last look, and the least memory of idle ones; means.
    pub(crate) fn starts_and_floors(&mut self) -> Vec<(&'static str, f64)> {
        let (mut starts, mut floors) = (Evidence::default(), Evidence::default());
        for session in self.sessions.values_mut() {
            // Of the others an earlier worker has told.
            let is_new = session
                .created_wall_ns()
                .is_some_and(|began| began.cast_signed() >= self.started_wall_ns);
            if let Start::Fresh(ns) = session.prompts.start {
                session.prompts.start = Start::Taken;
                starts.add(if is_new { ns } else { f64::NAN });
            }
            if let Some(bytes) = session.floor().least() {
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
            .map(|(id, session)| (named(*id), session.prompts.each.watched.since() as u64))
            .collect()
    }

    /// Changes whose effect on the prompt is still looked for, and how many prompts are known on either side.
    pub(crate) fn suspicions(&self) -> Vec<Value> {
        let open = |session: Option<u64>, watched: &Watched| {
            let suspect = watched.suspect()?;
            let missed = session.and_then(|id| Some(self.sessions.get(&id)?.prompts.each.missed));
            Some(json!({
                "session": session.map(named),
                "at_ns": suspect.at_ns,
                "before": watched.before(),
                "since": watched.since(),
                "need": SAMPLES_MIN,
                "missed": missed.unwrap_or(0),
            }))
        };
        let sessions = self.sessions.iter();
        let sessions = sessions.filter_map(|(id, session)| open(Some(*id), &session.prompts.each.watched));
        let files = open(None, &self.state.noticed.start_files.watched);
        sessions.chain(files).collect()
    }

    fn rc_changed(&mut self, world: &mut impl Disk, now: Now, change: &RcChange) {
        let noted = blame::Change {
            at_ns: change.at_wall_ns,
            what: change.what.clone(),
            kind: ChangeKind::Rc,
            session: None,
            number: None,
        };
        if !self.note_change(world, now, noted) {
            // An earlier worker saw it, and what it suspects is known.
            return;
        }
        let files = &mut self.state.noticed.start_files;
        files.changed(change.at_wall_ns);
        let known = Box::new(files.clone());
        self.keep(world, now, Change::StartFiles { known });
    }
}

/// A session's sixteen hex digits.
pub(super) fn named(id: u64) -> String {
    format!("{id:016x}")
}

#[cfg(test)]
mod tests {
    use lle_core::series::reach::Reached;
    use lle_metrics::{Counter, Flight, Identity};

    use super::super::tests::started;
    use super::*;

    /// Leaves what a session wrote that died before anybody looked at it: a dozen prompts, a line, a dozen slow ones.
    fn died_at_once(folder: &std::path::Path, created_wall_ns: i64) {
        let sessions = folder.join("r/sessions");
        std::fs::create_dir_all(&sessions).unwrap();
        let identity = Identity {
            created_wall_ns: created_wall_ns.cast_unsigned(),
            ..Identity::of_this_process(7, "/dev/pts/7", "", "")
        };
        let flight = Flight::create(&sessions, &identity).unwrap();
        let prompts = |ms: u64| {
            flight.update(|w| (0..12).for_each(|n| w.prompt(ms * 1_000_000 + n * 7 % 5 * 100_000)));
        };
        prompts(3);
        flight.update(|w| {
            w.add(Counter::PromptChanges, 1);
            w.prompt_change(b"PROMPT_COMMAND=slow");
        });
        prompts(60);
        // Its lock goes with it; the file stays.
    }

    #[test]
    fn what_a_session_typed_that_died_before_a_look_is_blamed_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let (mut world, mut engine, now) = started(folder.path());
        died_at_once(folder.path(), now.wall_ns);
        engine.look(&mut world, now);
        assert_eq!(engine.state.incidents.len(), 1, "it died");
        let noticed = engine.state.noticed.clone();
        assert_eq!(noticed.moved.len(), 1, "{noticed:?}");
        assert_eq!(noticed.moved[0].reached, Reached::Session(named(7)));
        let suspect = noticed.moved[0].suspects[0].what.as_deref();
        assert_eq!(suspect, Some("`PROMPT_COMMAND=slow` was typed"));
        // Neither the next look nor the next worker finds it again.
        let config = engine.config.clone();
        engine.look(&mut world, now);
        engine.keep_all_prompts(&mut world, now);
        let before = engine.state.noticed.clone();
        assert!(before.prompts.is_empty(), "nobody asks for them any more");
        assert_eq!(before.start_files.watched.since(), 12);
        assert_eq!(
            (&before.changes, &before.moved),
            (&noticed.changes, &noticed.moved)
        );
        drop(engine);
        let mut next = Engine::load(&mut world, config, now).unwrap();
        next.start(&mut world, now);
        next.look(&mut world, now);
        let after = &next.state.noticed;
        let known = (after.moved.len(), after.start_files.watched.since());
        assert_eq!(known, (1, 12));
        assert_eq!(next.state.incidents.len(), 1);
    }

    #[test]
    fn what_began_by_another_clock_tells_nothing_of_start_up_files() {
        const HOUR_NS: i64 = 3_600_000_000_000;
        let told = |ahead_ns: i64| {
            let folder = tempfile::tempdir().unwrap();
            let (mut world, mut engine, now) = started(folder.path());
            died_at_once(folder.path(), now.wall_ns + ahead_ns);
            engine.look(&mut world, now);
            engine.state.noticed.start_files.watched.since()
        };
        assert_eq!((told(-HOUR_NS), told(0), told(HOUR_NS)), (12, 12, 0));
    }

    #[test]
    fn start_up_files_are_looked_at_once_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        let (_world, mut engine, start) = started(folder.path());
        engine.rc_looks = RcLooks::default();
        let looks = (0..=30u64).filter(|n| {
            let mono_ns = start.mono_ns + n * 10 * SECOND_NS;
            engine.rc_look_is_due(Now { mono_ns, ..start })
        });
        assert_eq!(looks.collect::<Vec<_>>(), [0, 6, 12, 18, 24, 30]);
    }
}
