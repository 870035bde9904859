//! The prompts of one session: each of them, with its own time and on its side of what was typed.
//!
//! Invariants:
//! - What is found does not depend on how often the session is looked at: each prompt is judged as if it had been seen at
//!   once. Only prompts and commands that its rings had lost by then are not there, and that is said.
//! - A look at which nothing was typed that may have changed the prompt allocates nothing.

use std::ops::Range;

use lle_core::shown::command_line;
use lle_core::quantity::several;
use lle_core::series::Changepoint;
use lle_core::series::noticed::{self, Level, Watched};
use lle_metrics::{Counter, EventKind, Gauge, Snapshot, Timer};

use super::super::predict::{PROMPT, SHARE_MIN};
use crate::world::Now;

/// What is known of the prompts of one session.
#[derive(Debug, Default)]
pub(crate) struct Prompts {
    /// Prompts timed, and candidates for a change, when it was last looked at; none before that.
    seen: Option<(u64, u64)>,
    pub(super) watched: Watched,
    /// What was typed, and when, to be remembered.
    pub(super) typed: Vec<(i64, String)>,
    /// What moved, to be blamed.
    pub(super) moved: Vec<Changepoint>,
    /// Prompts before anything was typed that may have changed them, to be taken for those of the start-up files.
    pub(super) untouched: Level,
    /// Prompts that nobody looked at in time.
    pub(super) missed: u64,
    pub(super) start: Start,
    /// How much of it is in the state: prompts of the level.
    pub(super) kept: u64,
    /// A suspicion has begun or ended: it is written at once.
    pub(super) turned: bool,
}

/// How long the session took to start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Start {
    /// It has not reached a prompt.
    #[default]
    Ahead,
    /// Nanoseconds, to be taken.
    Fresh(f64),
    /// It was taken.
    Taken,
}

impl Prompts {
    /// Goes on with what an earlier worker knew of the session.
    pub(crate) fn of(known: Option<&noticed::Prompts>) -> Self {
        let Some(known) = known else {
            return Self::default();
        };
        Self {
            seen: Some((known.timed, known.changes)),
            watched: known.watched.clone(),
            kept: known.watched.level.evidence.count,
            ..Self::default()
        }
    }

    /// What is to be remembered of them.
    pub(super) fn known(&self) -> noticed::Prompts {
        let (timed, changes) = self.seen.unwrap_or_default();
        noticed::Prompts {
            timed,
            changes,
            watched: self.watched.clone(),
        }
    }

    /// Takes a look in.
    pub(crate) fn fold(&mut self, now: Now, snapshot: &Snapshot) {
        if matches!(self.start, Start::Ahead)
            && let Some(ns) = snapshot.histogram(Timer::Start).mean()
        {
            self.start = Start::Fresh(ns as f64);
        }
        match snapshot.prompts_timed() {
            Some(timed) => self.fold_each(now, timed, snapshot),
            None => self.fold_last(now, snapshot),
        }
    }

    /// Takes every prompt in that was timed since the last look. Of a session that was never looked at before, those that
    /// are still there: whoever typed a line while no worker ran is told as well.
    fn fold_each(&mut self, now: Now, timed: u64, snapshot: &Snapshot) {
        let mut there = snapshot
            .prompts_since(self.seen.map_or(0, |(timed, _)| timed))
            .peekable();
        let first = there.peek().map(|prompt| (prompt.number, prompt.changes));
        let (from, mut changes) = self.seen.or(first).unwrap_or_default();
        if let Some((first, _)) = first {
            self.missed = self.missed.saturating_add(first.saturating_sub(from));
        }
        for prompt in there {
            if prompt.changes > changes {
                self.change(changes..prompt.changes, prompt.wall_ns.cast_signed(), snapshot);
                changes = prompt.changes;
            }
            self.add(prompt.wall_ns.cast_signed(), prompt.took_ns as f64, changes == 0);
        }
        // The prompt after it is still to come, or was not timed as a whole.
        let typed = snapshot.counter(Counter::PromptChanges);
        if typed > changes {
            self.change(changes..typed, now.wall_ns, snapshot);
            changes = typed;
        }
        self.seen = Some((timed, changes));
    }

    /// Candidates for a change of these numbers were typed, by that time.
    fn change(&mut self, numbers: Range<u64>, by_ns: i64, snapshot: &Snapshot) {
        let (mut known, mut at_ns) = (0, by_ns);
        let there = snapshot.prompt_changes_since(numbers.start);
        for change in there.take_while(|change| change.number < numbers.end) {
            known += 1;
            at_ns = change.wall_ns.cast_signed();
            self.typed.push((at_ns, named(change.text)));
        }
        let unknown = (numbers.end - numbers.start).saturating_sub(known);
        if unknown > 0 {
            let commands = several(unknown, "command", "commands");
            let what = format!("{commands} changed the prompt, too many at once to know which");
            self.typed.push((at_ns, what));
        }
        self.watched.changed(at_ns);
        self.turned = true;
    }

    /// Takes a look at a session in that tells only of its last prompt: one of a version before this one.
    fn fold_last(&mut self, now: Now, snapshot: &Snapshot) {
        let at = (
            snapshot.samples(Timer::Prompt),
            snapshot.counter(Counter::PromptChanges),
        );
        let Some(before) = self.seen.replace(at) else {
            return;
        };
        if at.1 > before.1 {
            let event = snapshot
                .events()
                .filter(|event| event.kind == Some(EventKind::PromptChanged))
                .last();
            let at_ns = event.map_or(now.wall_ns, |event| event.wall_ns.cast_signed());
            self.typed
                .push((at_ns, named(event.map_or(b"", |event| event.text))));
            self.watched.changed(at_ns);
            self.turned = true;
        }
        let last = snapshot.gauge(Gauge::PromptLastNs).filter(|ns| *ns > 0);
        if let Some(ns) = last.filter(|_| at.0 > before.0) {
            self.add(now.wall_ns, ns as f64, at.1 == 0);
        }
    }

    /// Adds a prompt, and judges what is suspected.
    fn add(&mut self, wall_ns: i64, ns: f64, is_untouched: bool) {
        self.watched.level.add(wall_ns, ns);
        if is_untouched {
            self.untouched.add(wall_ns, ns);
        }
        let open = |watched: &Watched| watched.suspect.as_ref().map(|open| open.later.len());
        let before = open(&self.watched);
        self.moved.extend(self.watched.judge(PROMPT.least, SHARE_MIN));
        self.turned |= before != open(&self.watched);
    }
}

/// Says what was typed, as a sentence goes on after "since"; nothing of it if nobody may see it. What a session tells is
/// shortened already, but for one of a version before this one.
fn named(text: &[u8]) -> String {
    match String::from_utf8_lossy(text).trim() {
        "" => "a command changed the prompt".to_owned(),
        text => format!("`{}` was typed", command_line(text)),
    }
}

#[cfg(test)]
mod tests {
    use lle_metrics::{Flight, Identity};

    use super::*;

    const NOW: Now = Now {
        wall_ns: 0,
        mono_ns: 0,
    };

    /// A session that can be looked at at any moment.
    struct Session {
        flight: Flight,
        prompts: Prompts,
        timed: u64,
    }

    impl Session {
        fn new() -> Self {
            let flight = Flight::private(&Identity::of_this_process(1, "", "", ""));
            let (prompts, timed) = (Prompts::default(), 0);
            let mut session = Self {
                flight,
                prompts,
                timed,
            };
            session.look();
            session
        }

        fn look(&mut self) {
            self.prompts.fold(NOW, &self.flight.snapshot().unwrap());
        }

        fn prompts(&mut self, n: u64, ms: u64) {
            for _ in 0..n {
                self.timed += 1;
                let scatter_ns = self.timed * 7 % 5 * 100_000;
                self.flight.update(|w| w.prompt(ms * 1_000_000 + scatter_ns));
            }
        }

        fn types(&self, line: &str) {
            self.flight.update(|w| {
                w.add(Counter::PromptChanges, 1);
                w.prompt_change(line.as_bytes());
            });
        }

        fn typed(&self) -> Vec<&str> {
            self.prompts.typed.iter().map(|(_, what)| what.as_str()).collect()
        }
    }

    #[test]
    fn what_is_found_does_not_depend_on_how_often_it_is_looked() {
        let found = |looks_after: &[u64]| {
            let mut session = Session::new();
            let mut prompt = 0;
            for line in ["", "PS1='> '", "PROMPT_COMMAND=slow", "PS1='$ '"] {
                if !line.is_empty() {
                    session.types(line);
                }
                for _ in 0..12 {
                    session.prompts(1, if session.flight_is_slow() { 60 } else { 3 });
                    prompt += 1;
                    if looks_after.contains(&prompt) {
                        session.look();
                    }
                }
            }
            session.look();
            let moved: Vec<_> = session
                .prompts
                .moved
                .iter()
                .map(|at| (at.before, at.after))
                .collect();
            let typed: Vec<String> = session.typed().into_iter().map(str::to_owned).collect();
            (typed, moved, session.prompts.watched.level.evidence.count)
        };
        let each: Vec<u64> = (0..48).collect();
        let expect = found(&each);
        assert_eq!(expect.0.len(), 3, "{expect:?}");
        assert_eq!(expect.1.len(), 1, "{expect:?}");
        for looks in [&[][..], &[5], &[11, 12, 13], &[30], &[7, 29, 41]] {
            assert_eq!(found(looks), expect, "{looks:?}");
        }
    }

    impl Session {
        fn flight_is_slow(&self) -> bool {
            let snapshot = self.flight.snapshot().unwrap();
            snapshot
                .prompt_changes_since(0)
                .any(|change| change.text.ends_with(b"slow"))
        }
    }

    #[test]
    fn prompts_that_were_lost_are_counted_and_their_line_is_known() {
        let mut session = Session::new();
        session.prompts(20, 3);
        session.look();
        session.prompts(60, 3);
        session.types("PROMPT_COMMAND=slow");
        session.prompts(100, 60);
        session.look();
        assert_eq!(session.prompts.missed, 60 + 100 - 64);
        assert_eq!(session.typed(), ["`PROMPT_COMMAND=slow` was typed"]);
        assert_eq!(session.prompts.moved.len(), 1);
        assert_eq!(session.prompts.known().timed, 180);
    }

    #[test]
    fn lines_that_were_lost_are_said_and_none_is_named_for_another() {
        let mut session = Session::new();
        session.prompts(20, 3);
        session.look();
        session.types("PROMPT_COMMAND=slow");
        (0..9).for_each(|n| session.types(&format!("PS1='{n}> '")));
        session.types("");
        session.prompts(20, 60);
        session.look();
        let typed = session.typed();
        assert_eq!(typed.len(), 9, "{typed:?}");
        assert_eq!(typed[6], "`PS1='8> '` was typed");
        assert_eq!(typed[7], "a command changed the prompt");
        assert_eq!(
            typed[8],
            "3 commands changed the prompt, too many at once to know which"
        );
        assert_eq!(session.prompts.moved.len(), 1);
    }

    #[test]
    fn a_worker_that_comes_late_knows_what_is_still_there() {
        let mut session = Session::new();
        session.prompts(20, 3);
        session.look();
        session.types("PROMPT_COMMAND=slow");
        session.look();
        assert_eq!(
            session.typed(),
            ["`PROMPT_COMMAND=slow` was typed"],
            "before its prompt"
        );
        session.prompts(12, 60);
        session.prompts = Prompts::default();
        session.look();
        assert_eq!(session.typed(), ["`PROMPT_COMMAND=slow` was typed"]);
        assert_eq!((session.prompts.moved.len(), session.prompts.missed), (1, 0));
        // And one that goes on with what an earlier one knew does not find it again.
        session.prompts = Prompts::of(Some(&session.prompts.known()));
        session.prompts(12, 60);
        session.look();
        assert!(session.typed().is_empty() && session.prompts.moved.is_empty());
    }
}
