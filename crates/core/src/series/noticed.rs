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
use super::ranks::Recent;
use super::suspected::{Found, Lines, Suspected, Verdict};
use crate::trial::Evidence;

/// Changepoints that are remembered.
pub const MOVED_MAX: usize = 16;
/// Sessions of which it is remembered how long their prompts take; more live ones are known to the worker alone.
pub const SESSIONS_MAX: usize = 64;
/// Bytes of what was changed, in words: with all there is room for, the whole stays below 288 KiB.
pub const WHAT_BYTES_MAX: usize = 240;
/// Two of the same words so close to each other are one change, told twice: a worker that begins anew sees a file's
/// change again, to the precision of the file system's clock.
const SAME_NS: i64 = 1_000_000_000;
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
}

/// How long something takes since it was changed last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Level {
    /// What was measured.
    pub evidence: Evidence,
    /// The first measurement, in nanoseconds since 1970.
    pub first_ns: i64,
    /// The last one.
    pub last_ns: i64,
    /// The last measurements.
    pub recent: Recent,
    /// The first ones.
    pub first: Recent,
}

impl Level {
    /// Adds a measurement, in nanoseconds.
    pub fn add(&mut self, wall_ns: i64, value: f64) {
        if self.evidence.count == 0 {
            self.first_ns = wall_ns;
        }
        self.evidence.add(value);
        self.recent.add(value);
        self.first.fill(value);
        self.last_ns = wall_ns;
    }

    /// Goes on with another, which was measured after it, or beside it in another session: it is as long as both.
    pub fn append(&mut self, later: &Level) {
        if later.evidence.count == 0 {
            return;
        }
        if self.evidence.count == 0 {
            *self = *later;
            return;
        }
        self.evidence.merge(&later.evidence);
        self.recent.append(&later.recent);
        self.first.fill_from(&later.first);
        self.first_ns = self.first_ns.min(later.first_ns);
        self.last_ns = self.last_ns.max(later.last_ns);
    }
}

/// A level, and the change that is suspected of having ended the one before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Watched {
    /// How it is since.
    pub level: Level,
    /// The change under suspicion, if one is.
    pub suspect: Option<Suspected>,
}

impl Watched {
    /// Something was changed: what is measured from now on is compared with what was before.
    pub fn changed(&mut self, at_ns: i64) {
        self.typed(at_ns, Lines::default());
    }

    /// The same, of lines that were typed.
    pub fn typed(&mut self, at_ns: i64, lines: Lines) {
        let level = std::mem::take(&mut self.level);
        match &mut self.suspect {
            Some(open) => open.changed(&level, at_ns, lines),
            None => self.suspect = Some(Suspected::of(&level, at_ns, lines)),
        }
    }

    /// Judges what is suspected, and ends the suspicion of what it can say something of; gives what moved. `least` and
    /// `share` are as in [`Suspected::judge`].
    pub fn judge(&mut self, least: f64, share: f64) -> Option<Found> {
        let suspected = self.suspect.as_ref()?;
        match suspected.judge(&self.level, least, share) {
            Verdict::Open => None,
            Verdict::Cleared => {
                let mut whole = suspected.level_before();
                self.suspect = self.suspect.take()?.without_first(true);
                if self.suspect.is_none() {
                    whole.append(&self.level);
                    self.level = whole;
                }
                None
            }
            Verdict::Moved(at, changepoint) => {
                let lines = suspected.lines_of(at);
                // Those before it are cleared by it.
                let mut open = self.suspect.take();
                for _ in 0..=at {
                    open = open.and_then(|open| open.without_first(false));
                }
                self.suspect = open;
                Some(Found { changepoint, lines })
            }
        }
    }
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
}

impl StartFiles {
    /// They were changed: what sessions that begin later measure is compared with what was before.
    pub fn changed(&mut self, at_ns: i64) {
        self.since_wall_ns = self.since_wall_ns.max(at_ns);
        self.watched.changed(at_ns);
    }

    /// Takes prompts in of a session that began at that time, and in which nothing was typed that may have changed them. One
    /// that began before the files were changed last tells nothing of them.
    pub fn take(&mut self, began_ns: i64, untouched: &Level) {
        if began_ns >= self.since_wall_ns {
            self.watched.level.append(untouched);
        }
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
                .min_by_key(|(_, known)| known.watched.level.last_ns);
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
    use super::super::suspected::LATER_MAX;
    use super::*;

    const S: i64 = 1_000_000_000;

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
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut noticed = Noticed::default();
        for at in 0..2 * CHANGES_MAX as i64 {
            noticed.note(change(at * 10 * S, &"\u{8a9e}".repeat(500), ChangeKind::Rc));
            noticed.moved(moved(at));
            let mut watched = Watched::default();
            for line in 0..=2 * LATER_MAX as u64 {
                (0..40).for_each(|n| watched.level.add(at * S, 99_999_999.9 + f64::from(n)));
                let lines = Lines {
                    from: 9_999 + line,
                    until: 10_000 + line,
                };
                watched.typed(at * S, lines);
            }
            (0..40).for_each(|n| watched.level.add(at * S, 99_999_999.9 + f64::from(n)));
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
        assert!(bytes <= 288 * 1_024, "{bytes}");
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

    #[test]
    fn sessions_side_by_side_make_one_level_in_any_order() {
        let level = |times: &[i64]| {
            let mut level = Level::default();
            times.iter().for_each(|at| level.add(*at, 3e6));
            level
        };
        let (long, within, later) = (level(&[10, 20, 90]), level(&[30, 40]), level(&[80, 95]));
        let orders = [
            [long, within, later],
            [within, long, later],
            [later, within, long],
            [within, later, long],
        ];
        for order in orders {
            let mut whole = Level::default();
            order.iter().for_each(|level| whole.append(level));
            assert_eq!((whole.first_ns, whole.last_ns), (10, 95), "{order:?}");
            assert_eq!(whole.evidence.count, 7);
        }
        // Nothing moves neither end.
        let mut whole = long;
        whole.append(&Level::default());
        assert_eq!(whole, long);
    }

    #[test]
    fn of_a_line_of_a_file_the_moment_is_after_every_prompt_before_it() {
        let side = |times: std::ops::Range<i64>, ms: f64| {
            let mut level = Level::default();
            times.for_each(|at| level.add(at * S, ms * 1e6 + at as f64 * 1e3));
            level
        };
        let mut watched = Watched::default();
        // The session that was looked at last had ended first.
        watched.level.append(&side(100..120, 3.0));
        watched.level.append(&side(40..60, 3.0));
        watched.changed(130 * S);
        watched.level.append(&side(140..160, 60.0));
        let found = watched.judge(5e6, 0.2).unwrap().changepoint;
        // A line that was added at 80 is none of those that fit.
        assert_eq!((found.earliest_ns, found.at_ns), (119 * S, 140 * S));
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
        (0..9).for_each(|at| watched.level.add(at, 3e6));
        watched.changed(10);
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
        (-2..9).for_each(|at| watched.level.add(at, 3e6 + at as f64));
        watched.changed(10);
        let bytes = serde_json::to_vec(&watched).unwrap();
        let mut again: Watched = serde_json::from_slice(&bytes).unwrap();
        (11..22).for_each(|at| again.level.add(at, 6e7 + at as f64));
        let found = again.judge(5e6, 0.2).unwrap().changepoint;
        assert_eq!((found.earliest_ns, found.at_ns, again.suspect), (8, 11, None));
    }
}
