//! The prompts of one session, as the looks at its flight file show them: folded by [`lle_core::series::prompts`].
//!
//! Invariant: a look at which nothing was typed that may have changed the prompt allocates nothing.

use lle_core::series::blame::ChangeKind;
use lle_core::series::noticed;
use lle_core::series::prompts::{self as each, Typed, named};
use lle_core::series::suspected::{Lines, Matters};
use lle_metrics::{EventKind, Gauge, Snapshot, Timer};

use super::super::predict::{PROMPT, SHARE_MIN};
use crate::world::Now;

/// What is known of the prompts of one session.
#[derive(Debug, Default)]
pub(crate) struct Prompts {
    /// Each of them, and what was typed between them.
    pub(super) each: each::Prompts,
    pub(super) start: Start,
    /// Start-up files were looked at since it came.
    pub(super) is_known: bool,
    /// And since it has reached its first prompt.
    pub(super) has_started: bool,
    /// How much of it is in the state: prompts that were timed by then.
    pub(super) kept: u64,
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

/// What prompts must differ by.
pub(super) const MATTERS: Matters = Matters {
    least: PROMPT.least,
    share: SHARE_MIN,
};

impl Prompts {
    /// Goes on with what an earlier worker knew of the session.
    pub(crate) fn of(known: Option<&noticed::Prompts>) -> Self {
        let Some(known) = known else {
            return Self::default();
        };
        Self {
            each: each::Prompts::of(known),
            kept: known.timed,
            ..Self::default()
        }
    }

    /// Takes a look in.
    pub(crate) fn fold(&mut self, now: Now, snapshot: &Snapshot) {
        if matches!(self.start, Start::Ahead)
            && let Some(ns) = snapshot.histogram(Timer::Start).mean()
        {
            self.start = Start::Fresh(ns as f64);
        }
        match each::Rows::timed(snapshot) {
            Some(timed) => self.each.fold(now.wall_ns, timed, snapshot, MATTERS),
            None => self.fold_last(now, snapshot),
        }
    }

    /// Takes a look at a session in that tells only of its last prompt: one of a version before this one.
    fn fold_last(&mut self, now: Now, snapshot: &Snapshot) {
        let (timed, typed) = (snapshot.samples(Timer::Prompt), each::Rows::typed(snapshot));
        let Some((timed_before, typed_before)) = self.each.see(timed, typed) else {
            return;
        };
        if typed > typed_before {
            let event = snapshot
                .events()
                .filter(|event| event.kind == Some(EventKind::PromptChanged))
                .last();
            let at_ns = event.map_or(now.wall_ns, |event| event.wall_ns.cast_signed());
            self.each.typed.push(Typed {
                at_ns,
                what: named(event.map_or(b"", |event| event.text)),
                number: typed - 1,
                kind: ChangeKind::Rc,
            });
            let lines = Lines {
                from: typed_before,
                until: typed,
            };
            self.each.suspect(at_ns, lines);
        }
        let last = snapshot.gauge(Gauge::PromptLastNs).filter(|ns| *ns > 0);
        if let Some(ns) = last.filter(|_| timed > timed_before) {
            if typed == 0 {
                self.each.untouched(now.wall_ns, ns as f64);
            }
            self.each.add(now.wall_ns, ns as f64, 0, MATTERS);
        }
    }
}

#[cfg(test)]
mod tests {
    use lle_metrics::prompts::PROMPTS_KEPT;
    use lle_metrics::{Counter, Flight, Identity};

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
        folder: u64,
    }

    impl Session {
        fn new() -> Self {
            let flight = Flight::private(&Identity::of_this_process(1, "", "", ""));
            let (prompts, timed) = (Prompts::default(), 0);
            let mut session = Self {
                flight,
                prompts,
                timed,
                folder: 1,
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
                self.flight
                    .update(|w| w.prompt_in(self.folder, ms * 1_000_000 + scatter_ns));
            }
        }

        fn types(&self, line: &str) {
            self.flight.update(|w| {
                w.add(Counter::PromptChanges, 1);
                w.prompt_change(line.as_bytes());
            });
        }

        fn typed(&self) -> Vec<&str> {
            self.prompts
                .each
                .typed
                .iter()
                .map(|line| line.what.as_str())
                .collect()
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
                .each
                .moved
                .iter()
                .map(|found| (found.changepoint.before, found.changepoint.after, found.lines))
                .collect();
            let typed: Vec<String> = session.typed().into_iter().map(str::to_owned).collect();
            (typed, moved, session.prompts.each.watched.since())
        };
        let each: Vec<u64> = (0..48).collect();
        let expect = found(&each);
        assert_eq!(expect.0.len(), 3, "{expect:?}");
        assert_eq!(expect.1.len(), 1, "{expect:?}");
        for looks in [&[][..], &[5], &[11, 12, 13], &[30], &[7, 29, 41]] {
            assert_eq!(found(looks), expect, "{looks:?}");
        }
    }

    #[test]
    fn a_folder_with_slower_prompts_is_blamed_on_no_line() {
        let found = |folder: u64| {
            let mut session = Session::new();
            session.prompts(20, 20);
            session.types("PS1='> '");
            session.prompts(4, 20);
            session.look();
            session.folder = folder;
            session.prompts(20, 90);
            session.look();
            session.prompts.each.moved.len()
        };
        assert_eq!(
            (found(2), found(1)),
            (0, 0),
            "what began four prompts later is none of it, either"
        );
        let mut session = Session::new();
        session.prompts(20, 20);
        session.types("PS1='> '");
        session.folder = 2;
        session.prompts(20, 90);
        session.look();
        assert!(session.prompts.each.moved.is_empty(), "nobody was there before");
        session.types("PROMPT_COMMAND=slow");
        session.prompts(12, 130);
        session.look();
        let lines: Vec<_> = session
            .prompts
            .each
            .moved
            .iter()
            .map(|found| found.lines)
            .collect();
        assert_eq!(lines, [Lines { from: 1, until: 2 }]);
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
        assert_eq!(session.prompts.each.missed, 60 + 100 - PROMPTS_KEPT as u64);
        assert_eq!(session.typed(), ["`PROMPT_COMMAND=slow` was typed"]);
        assert_eq!(session.prompts.each.moved.len(), 1);
        assert_eq!(session.prompts.each.known().timed, 180);
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
        assert_eq!(session.prompts.each.moved.len(), 1);
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
        assert_eq!(
            (session.prompts.each.moved.len(), session.prompts.each.missed),
            (1, 0)
        );
        // And one that goes on with what an earlier one knew does not find it again.
        session.prompts = Prompts::of(Some(&session.prompts.each.known()));
        session.prompts(12, 60);
        session.look();
        assert!(session.typed().is_empty() && session.prompts.each.moved.is_empty());
    }
}
