//! What was changed, what changed by it, and what is still suspected: all that a worker which begins anew must know of
//! the one before, to go on blaming as if it had never ended.
//!
//! The detectors themselves are not kept: what they know is learned again from the samples of the last weeks
//! ([`super::watch`]). What they found once is kept here, since a detector that began elsewhere may find a change at
//! another moment, or not; and what was found is blamed on what was known then.
//!
//! Invariants:
//! - Everything is bounded, texts too ([`WHAT_BYTES_MAX`]). Runs of tasks, which come by the hour, and typed lines, of which
//!   somebody who tries a prompt out types dozens, have shares of their own: neither pushes out what was changed in files
//!   or in the configuration, nor the other.
//! - Taking the same news twice is taking it once.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::Changepoint;
use super::blame::{CHANGES_MAX, Change, ChangeKind, SUSPECTS_MAX, Suspect};
use super::reach::Reached;
use super::suspected::{Value, Watched};

/// Changepoints that are remembered.
pub const MOVED_MAX: usize = 16;
/// Sessions of which it is remembered how long their prompts take; more live ones are known to the worker alone.
pub const SESSIONS_MAX: usize = 64;
/// Bytes of what was changed, in words: with all there is room for, the whole stays below 448 KiB.
pub const WHAT_BYTES_MAX: usize = 240;
/// Two of the same words so close to each other are one change, told twice: a worker that begins anew sees a file's
/// change again, to the precision of the file system's clock.
const SAME_NS: i64 = 1_000_000_000;
/// Prompts that are kept of sessions that began before the start-up files were changed.
const EARLIER_MAX: usize = 16;
/// Of these, the last ones that tell whether something reached them; one may be far off.
const UNMOVED_MIN: usize = 5;
/// Of the changes, so many may be runs of tasks, and what becomes of the worker.
const RUNS_MAX: usize = CHANGES_MAX / 2;
/// So many may be typed lines: within a dozen prompts each is found to have done it, or cleared.
const TYPED_MAX: usize = CHANGES_MAX / 8;

/// A changepoint of a series, and who may have done it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// The series.
    pub metric: String,
    /// What happened.
    pub changepoint: Changepoint,
    /// Who may have done it, the most probable first; as it was known then.
    pub suspects: Vec<Suspect>,
    /// When it was noticed, in nanoseconds since 1970.
    pub noticed_wall_ns: i64,
    /// Whom it reached; a version before this one did not say.
    #[serde(default)]
    pub reached: Reached,
}

/// What is remembered of the prompts of one session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Prompts {
    /// Prompts timed when it was last looked at.
    pub timed: u64,
    /// Commands so far that may have changed the prompt.
    pub changes: u64,
    /// How long they take, and what is suspected.
    #[serde(flatten)]
    pub watched: Watched,
}

/// What is remembered of the start-up files, as the prompts of all sessions show them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StartFiles {
    /// When they were last changed: sessions that began before tell nothing of how they are now.
    pub since_wall_ns: i64,
    /// How long prompts of later sessions take, and what is suspected.
    #[serde(flatten)]
    pub watched: Watched,
    /// The last prompts of sessions that began before they were changed, oldest first: what is no line of a start-up file
    /// reaches these, too.
    #[serde(skip)]
    earlier: VecDeque<Value>,
}

impl StartFiles {
    /// They were changed: what sessions that begin later measure is compared with what was before.
    pub fn changed(&mut self, at_ns: i64) {
        self.since_wall_ns = self.since_wall_ns.max(at_ns);
        self.watched.changed(at_ns);
        // Some of those that are earlier now have begun later than the ones known so far.
        self.earlier.clear();
    }

    /// Takes prompts in of a session that began at that time, and in which nothing was typed that may have changed them. One
    /// that began before the files were changed last tells nothing of them, but of what reaches every session.
    pub fn take(&mut self, began_ns: i64, untouched: &[Value]) {
        if began_ns >= self.since_wall_ns {
            self.watched.extend(untouched);
            return;
        }
        for value in untouched {
            if self.earlier.len() >= EARLIER_MAX {
                self.earlier.pop_front();
            }
            self.earlier.push_back(*value);
        }
    }

    /// By when something would show, by now, in sessions that began before the files were changed: in these, prompts are more
    /// like those before the changepoint than like those since. None if there are too few to tell, or some are not.
    pub fn unmoved_ns(&self, at: &Changepoint) -> Option<i64> {
        let first = self.earlier.len().checked_sub(UNMOVED_MIN)?;
        let last = self.earlier.range(first..);
        let unmoved = last
            .clone()
            .filter(|value| value.is_like(at.before, at.after))
            .count();
        let began_ns = last.map(|value| value.wall_ns()).min()?;
        (unmoved + 1 >= UNMOVED_MIN).then_some(began_ns)
    }
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Noticed {
    /// What was changed, oldest first.
    pub changes: VecDeque<Change>,
    /// What moved, oldest first.
    pub moved: VecDeque<Moved>,
    /// Live sessions' prompts, by the session's sixteen hex digits.
    pub prompts: BTreeMap<String, Prompts>,
    /// The start-up files.
    pub start_files: StartFiles,
}

impl Noticed {
    /// Whether it was taken in already: of lines of a session the numbers tell, of anything else the time.
    pub fn knows(&self, change: &Change) -> bool {
        let is_same_moment = |known: &Change| match (known.number, change.number) {
            (Some(known), Some(number)) => known == number,
            _ => known.at_ns.saturating_sub(change.at_ns).saturating_abs() <= SAME_NS,
        };
        self.changes.iter().rev().any(|known| {
            known.what == fit(&change.what) && known.session == change.session && is_same_moment(known)
        })
    }

    /// Remembers that something was changed.
    pub fn note(&mut self, mut change: Change) {
        if self.knows(&change) {
            return;
        }
        let fits = fit(&change.what).len();
        change.what.truncate(fits);
        let sort = Sort::of(&change);
        while self.sort(sort).count() >= sort.most() {
            let oldest = self.sort(sort).next();
            oldest.and_then(|at| self.changes.remove(at));
        }
        if self.changes.len() >= CHANGES_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
    }

    /// Where the changes of a sort are, oldest first.
    fn sort(&self, sort: Sort) -> impl Iterator<Item = usize> {
        let changes = self.changes.iter().enumerate();
        changes
            .filter(move |(_, known)| Sort::of(known) == sort)
            .map(|(at, _)| at)
    }

    /// Remembers that a series moved.
    pub fn moved(&mut self, mut moved: Moved) {
        moved.suspects.truncate(SUSPECTS_MAX);
        // A worker that begins anew and looks at the same prompts may know more or fewer of them.
        let same = |known: &Moved| {
            let (known_at, at) = (&known.changepoint, &moved.changepoint);
            known.metric == moved.metric
                && (known_at.at_ns, known_at.earliest_ns) == (at.at_ns, at.earliest_ns)
        };
        if self.moved.iter().any(same) {
            return;
        }
        if self.moved.len() >= MOVED_MAX {
            self.moved.pop_front();
        }
        self.moved.push_back(moved);
    }

    /// Remembers what a session's prompts are like; where there is no room, instead of the one whose last was longest ago.
    pub fn prompts(&mut self, session: &str, prompts: Prompts) {
        if self.prompts.len() >= SESSIONS_MAX && !self.prompts.contains_key(session) {
            let oldest = self
                .prompts
                .iter()
                .min_by_key(|(_, known)| known.watched.last_ms());
            let goes = oldest.map(|(session, _)| session.clone());
            goes.and_then(|goes| self.prompts.remove(&goes));
        }
        self.prompts.insert(session.to_owned(), prompts);
    }
}

/// What share of the changes one counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// A line of a start-up file, the configuration, a plugin: seldom, and for good.
    Made,
    /// A line that was typed.
    Typed,
    /// A run of a task, and what becomes of the worker.
    Run,
}

impl Sort {
    fn of(change: &Change) -> Self {
        match change.kind {
            ChangeKind::Task | ChangeKind::Worker => Self::Run,
            _ if change.session.is_some() => Self::Typed,
            _ => Self::Made,
        }
    }

    /// So many of them at most: what is made has all the room that the others leave.
    fn most(self) -> usize {
        match self {
            Self::Made => CHANGES_MAX,
            Self::Typed => TYPED_MAX,
            Self::Run => RUNS_MAX,
        }
    }
}

/// As much of a text as is kept, to the end of a character.
fn fit(text: &str) -> &str {
    let mut end = text.len().min(WHAT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::suspected::{self, Lines, Matters};
    use super::*;

    const S: i64 = 1_000_000_000;
    const MATTERS: Matters = Matters {
        least: 5e6,
        share: 0.2,
    };

    fn change(at_ns: i64, what: &str, kind: ChangeKind) -> Change {
        Change {
            at_ns,
            what: what.into(),
            kind,
            session: None,
            number: None,
        }
    }

    fn moved(at_ns: i64) -> Moved {
        Moved {
            metric: "prompt_ns_recent".into(),
            changepoint: Changepoint {
                at_ns,
                earliest_ns: at_ns - 10,
                latest_ns: at_ns + 10,
                before: 1e6,
                after: 6e7,
                confidence: 0.999,
            },
            suspects: vec![
                Suspect {
                    what: Some("x".repeat(WHAT_BYTES_MAX)),
                    at_ns: Some(at_ns),
                    confidence: 0.1,
                };
                2 * SUSPECTS_MAX
            ],
            noticed_wall_ns: at_ns + 1,
            reached: Reached::Session("00000000000000ff".into()),
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut noticed = Noticed::default();
        for at in 0..2 * CHANGES_MAX as i64 {
            noticed.note(change(at * 10 * S, &"\u{8a9e}".repeat(500), ChangeKind::Rc));
            noticed.moved(moved(at));
            let mut watched = Watched::default();
            // Prompts a minute apart, that take a second each, in a hundred folders.
            let prompts = |watched: &mut Watched, n: i64| {
                (0..n).for_each(|n| watched.add((at + n * 60) * S, 1e9 + n as f64 * 1e3, 900 + n as u64));
            };
            prompts(&mut watched, 200);
            for line in 0..=2 * suspected::CHANGES_MAX as u64 {
                prompts(&mut watched, 1);
                let lines = Lines {
                    from: 9_999 + line,
                    until: 10_000 + line,
                };
                watched.typed(at * S, lines);
            }
            prompts(&mut watched, 20);
            let prompts = Prompts {
                timed: 80,
                changes: 1,
                watched,
            };
            noticed.prompts(&format!("{at:016x}"), prompts);
        }
        assert_eq!(noticed.changes.len(), CHANGES_MAX);
        assert_eq!(noticed.moved.len(), MOVED_MAX);
        assert_eq!(noticed.prompts.len(), SESSIONS_MAX);
        let bytes = serde_json::to_vec(&noticed).unwrap().len();
        assert!(bytes <= 448 * 1_024, "{bytes}");
    }

    #[test]
    fn what_tasks_did_gives_way_before_what_a_person_did() {
        let mut noticed = Noticed::default();
        noticed.note(change(0, "a line", ChangeKind::Rc));
        for at in 1..4 * CHANGES_MAX as i64 {
            noticed.note(change(at * 10 * S, "a run", ChangeKind::Task));
        }
        assert_eq!(noticed.changes[0].what, "a line");
        // But not for ever: of what persons do, too, there may be much.
        for at in 0..CHANGES_MAX as i64 {
            noticed.note(change(at * 10 * S, "another line", ChangeKind::Rc));
        }
        assert!(noticed.changes.iter().all(|known| known.what == "another line"));
        assert_eq!(noticed.changes.len(), CHANGES_MAX);
    }

    #[test]
    fn what_is_typed_pushes_out_nothing_that_was_made() {
        let mut noticed = Noticed::default();
        let made = [
            (ChangeKind::Rc, "a line of a file"),
            (ChangeKind::Config, "a key"),
            (ChangeKind::Plugin, "a plugin"),
        ];
        for (at, (kind, what)) in made.iter().enumerate() {
            noticed.note(change(at as i64, what, *kind));
        }
        // Runs and lines in turn, of two sessions, for weeks.
        for at in 0..8 * CHANGES_MAX as i64 {
            noticed.note(change(at * 10 * S, "a run", ChangeKind::Task));
            noticed.note(Change {
                session: Some(format!("{:016x}", at % 2)),
                ..change(at * 10 * S, &format!("line {at}"), ChangeKind::Rc)
            });
        }
        let is_there = |what: &str| noticed.changes.iter().any(|known| known.what == what);
        for (_, what) in made {
            assert!(is_there(what), "{what}");
        }
        let typed = noticed.changes.iter().filter(|known| known.session.is_some());
        let typed: Vec<&str> = typed.map(|known| known.what.as_str()).collect();
        let last = 8 * CHANGES_MAX - TYPED_MAX..8 * CHANGES_MAX;
        assert_eq!(typed, last.map(|at| format!("line {at}")).collect::<Vec<_>>());
        // What is made has its room however much is typed and run.
        for at in 0..(CHANGES_MAX - RUNS_MAX - TYPED_MAX - made.len()) as i64 {
            noticed.note(change(at * 10 * S, "another key", ChangeKind::Config));
        }
        noticed.note(change(0, "one run more", ChangeKind::Task));
        assert_eq!(noticed.changes.len(), CHANGES_MAX);
        assert_eq!(noticed.changes[0].what, "a line of a file");
    }

    fn values(times: std::ops::Range<i64>, ms: f64) -> Vec<Value> {
        let value = |at: i64| Value::of(at * S, ms * 1e6 + at as f64 * 1e3, 0);
        times.filter_map(value).collect()
    }

    #[test]
    fn of_a_line_of_a_file_the_moment_is_after_every_prompt_before_it() {
        let mut watched = Watched::default();
        // The session that was looked at last had ended first.
        watched.extend(&values(100..120, 3.0));
        watched.extend(&values(40..60, 3.0));
        watched.changed(130 * S);
        watched.extend(&values(140..160, 60.0));
        let found = watched.judge(MATTERS).unwrap().changepoint;
        // A line that was added at 80 is none of those that fit.
        assert_eq!((found.earliest_ns, found.at_ns), (119 * S, 140 * S));
    }

    #[test]
    fn what_reaches_every_session_would_show_in_those_that_run() {
        let at = Changepoint {
            before: 3e6,
            after: 60e6,
            ..moved(0).changepoint
        };
        let check = |earlier: &[Value], expect: Option<i64>| {
            let mut files = StartFiles::default();
            files.changed(100 * S);
            // Of a session that began since, they tell nothing of this.
            files.take(101 * S, &values(200..300, 3.0));
            files.take(99 * S, earlier);
            assert_eq!(files.unmoved_ns(&at), expect, "{earlier:?}");
            // The next line has its own.
            files.changed(1_000 * S);
            assert_eq!(files.unmoved_ns(&at), None);
        };
        check(&[], None);
        check(&values(110..114, 3.0), None);
        check(&values(110..115, 3.0), Some(110 * S));
        check(&values(110..150, 3.0), Some(145 * S));
        check(&values(110..150, 60.0), None);
        check(
            &[values(110..114, 3.0), values(114..115, 60.0)].concat(),
            Some(110 * S),
        );
        check(&[values(110..113, 3.0), values(113..115, 60.0)].concat(), None);
    }

    #[test]
    fn news_that_come_twice_are_taken_once() {
        let mut noticed = Noticed::default();
        for again in 0..2 {
            noticed.note(change(100 * S + again, "a line", ChangeKind::Rc));
            noticed.moved(moved(100));
        }
        noticed.note(change(102 * S, "a line", ChangeKind::Rc));
        assert_eq!((noticed.changes.len(), noticed.moved.len()), (2, 1));
    }

    #[test]
    fn it_is_read_back_as_it_was_and_what_is_missing_is_empty() {
        let mut noticed = Noticed::default();
        noticed.note(change(7, "a line", ChangeKind::Rc));
        noticed.moved(moved(100));
        assert_eq!(noticed.moved[0].suspects.len(), SUSPECTS_MAX);
        let mut watched = Watched::default();
        (0..9).for_each(|at| watched.add(at * S, 3e6, 7));
        watched.changed(10 * S);
        let prompts = Prompts {
            timed: 9,
            changes: 1,
            watched: watched.clone(),
        };
        noticed.prompts("00000000000000ff", prompts);
        noticed.start_files.watched = watched;
        let bytes = serde_json::to_vec(&noticed).unwrap();
        assert_eq!(serde_json::from_slice::<Noticed>(&bytes).unwrap(), noticed);
        assert_eq!(serde_json::from_str::<Noticed>("{}").unwrap(), Noticed::default());
    }

    #[test]
    fn a_suspicion_outlives_whoever_had_it() {
        let mut watched = Watched::default();
        watched.extend(&values(-2..9, 3.0));
        watched.changed(10 * S);
        let bytes = serde_json::to_vec(&watched).unwrap();
        let mut again: Watched = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(again, watched);
        again.extend(&values(11..22, 60.0));
        let found = again.judge(MATTERS).unwrap().changepoint;
        assert_eq!(
            (found.earliest_ns, found.at_ns, again.suspects()),
            (8 * S, 11 * S, 0)
        );
    }

    /// As the version before this one wrote it: sums, and no values.
    #[test]
    fn what_an_earlier_version_knew_is_read_and_learned_anew() {
        let text = r#"{"timed": 40, "changes": 2, "level": {"evidence": {"count": 9, "mean": 3e6, "squares": 1.0},
            "first_ns": 1, "last_ns": 2, "recent": {"values_us": [1, 2], "count": 2}},
            "suspect": {"at_ns": 7, "last_before_ns": 5, "before": {"count": 1, "mean": 1.0, "squares": 0.0}}}"#;
        let known: Prompts = serde_json::from_str(text).unwrap();
        assert_eq!((known.timed, known.changes), (40, 2));
        assert_eq!(known.watched, Watched::default());
        // Numbers that make no sense are survived.
        let text = r#"{"since_ms": [5, 9223372036854775807, 7], "us": [1, 2],
            "suspects": [{"at_ns": 1, "from_ns": 1, "before": 9, "until": 3}, {"at_ns": 1, "from_ns": 1, "before": 0, "until": 1}]}"#;
        let mut watched: Watched = serde_json::from_str(text).unwrap();
        assert_eq!((watched.before(), watched.since(), watched.suspects()), (2, 0, 2));
        watched.extend(&values(0..200, 3.0));
        assert_eq!(watched.judge(MATTERS), None);
    }
}
