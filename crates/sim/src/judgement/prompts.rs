//! What becomes of a line that makes prompts slower, and of lines that do nothing: single prompts, as sessions keep them.
//!
//! ```text
//!  seed ─▸ machine, typist ─▸ rings of 64 prompts and 8 lines ─▸ a look ─▸ series::prompts ─▸ found ─▸ series::reach ─▸ tally
//!             └ a start-up file, sessions that begin before and after ──────▸ noticed::StartFiles ─┘
//! ```
//!
//! Invariant: what is judged is what the worker runs; only the rings, the clock and the truth are made up.

use lle_core::series::Changepoint;
use lle_core::series::blame::{Change, ChangeKind, Measured};
use lle_core::series::noticed::Noticed;
use lle_core::series::prompts::Prompts;
use lle_core::series::reach::{Reach, suspects};
use lle_core::series::suspected::Matters;

use super::signal::{DAY, HOUR, S, START, between};
use super::typist::{LOOKS, Machine, Session};
use crate::random::Random;

/// What prompts must differ by: what the engine demands of the series of prompts.
pub const MATTERS: Matters = Matters {
    least: 5e6,
    share: 0.2,
};
/// How sure the blame must be to be told as one line: what the engine demands of a title.
const BLAME_MIN: f64 = 0.8;
/// Prompts of a quiet day, and lines typed in it that may change the prompt, which is many.
const DAY_PROMPTS: u64 = 1_500;
const DAY_LINES: u64 = 10;
/// Prompts after the slow line in which it has to be told.
const PATIENCE: u64 = 100;
/// The session whose prompts are looked at.
const OWN: &str = "000000000000000a";

/// The kinds of scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Lines that do nothing.
    Quiet,
    /// The same, where one prompt in twenty takes many times the usual.
    QuietHeavy,
    /// The same, on a machine that is busy for half a minute now and then.
    QuietBusy,
    /// The same, of somebody who goes to folders in which prompts take longer.
    QuietFolders,
    /// The same, where many a folder is one that nobody was in before.
    QuietNewFolders,
    /// A slow line.
    Typed,
    /// A slow line right between others.
    TypedAmong,
    /// A slow line, with heavy tails.
    TypedHeavy,
    /// A slow line, on a machine that is busy now and then.
    TypedBusy,
    /// A slow line; of what follows a line nothing is timed, and of others one in five.
    TypedHalf,
    /// A slow line, looked at once in ten minutes.
    TypedSeldom,
    /// A slow line, and a clock that is set around it.
    TypedClock,
    /// A slow line of somebody who goes to folders in which prompts take longer.
    TypedFolders,
    /// The same, where many a folder is one that nobody was in before.
    TypedNewFolders,
    /// The same, twice as often.
    TypedNewFoldersOften,
    /// A slow line in a start-up file.
    File,
    /// The same, with heavy tails.
    FileHeavy,
    /// Something that nobody typed makes prompts slower, some prompts before or after a line that does nothing.
    Outside,
    /// The same, with heavy tails.
    OutsideHeavy,
    /// A function that `PROMPT_COMMAND` runs gets slower by what is no line, right when a line sets PS1.
    OutsideLooks,
    /// A slow line that is no candidate by what is told, right between lines that set PS1 and do nothing.
    Unseen,
}

/// A kind beside those that have a target: a folder that somebody is in for twenty prompts, and seldom again, tells nothing.
pub const BEYOND: (Kind, &str) = (
    Kind::TypedNewFoldersOften,
    "a slow line, ever new folders, twice as often",
);

/// Every kind that has a target, and what it is called.
pub const KINDS: &[(Kind, &str)] = &[
    (Kind::Quiet, "quiet: lines that do nothing"),
    (Kind::QuietHeavy, "quiet: heavy tails"),
    (Kind::QuietBusy, "quiet: a machine that is busy now and then"),
    (Kind::QuietFolders, "quiet: folders with slower prompts"),
    (Kind::QuietNewFolders, "quiet: ever new folders"),
    (Kind::Typed, "a slow line"),
    (Kind::TypedAmong, "a slow line right between others"),
    (Kind::TypedHeavy, "a slow line, heavy tails"),
    (Kind::TypedBusy, "a slow line, a machine that is busy"),
    (Kind::TypedHalf, "a slow line, prompts timed in part"),
    (Kind::TypedSeldom, "a slow line, looked at every ten minutes"),
    (Kind::TypedClock, "a slow line, a clock that is set"),
    (Kind::TypedFolders, "a slow line, folders with slower prompts"),
    (Kind::TypedNewFolders, "a slow line, ever new folders"),
    (Kind::File, "a slow line of a start-up file"),
    (Kind::FileHeavy, "the same, heavy tails"),
];

/// Kinds in which no line did it that is known: whoever is named, is named wrongly.
pub const INNOCENT: &[(Kind, &str)] = &[
    (Kind::Outside, "nobody's, lines one to five prompts from it"),
    (Kind::OutsideHeavy, "the same, heavy tails"),
    (Kind::OutsideLooks, "of PROMPT_COMMAND, PS1 set at that moment"),
    (
        Kind::Unseen,
        "a line that is not told, PS1 set before and after it",
    ),
];

impl Kind {
    /// Whether nothing makes prompts slower in it.
    pub fn is_quiet(self) -> bool {
        self <= Kind::QuietNewFolders
    }

    /// Whether one prompt in twenty takes many times the usual.
    pub(super) fn is_heavy(self) -> bool {
        matches!(
            self,
            Kind::QuietHeavy | Kind::TypedHeavy | Kind::FileHeavy | Kind::OutsideHeavy
        )
    }

    /// Whether the machine is busy now and then.
    pub(super) fn is_busy(self) -> bool {
        matches!(self, Kind::QuietBusy | Kind::TypedBusy)
    }

    /// How long after a look the next is, at least.
    fn looked_every_ns(self) -> i64 {
        if self == Kind::TypedSeldom {
            600 * S
        } else {
            10 * S
        }
    }
}

/// What came of all seeds of a kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Scenarios.
    pub n: u64,
    /// In which it was told in time that prompts are slower.
    pub noticed: u64,
    /// Of these, with the line that did it named, and it alone.
    pub right: u64,
    /// Of these, with nobody named: it is one of several that nothing tells apart, or nobody's.
    pub unsure: u64,
    /// After how many prompts that was, in order.
    pub took: Vec<f64>,
    /// Times that it was told and nothing had happened, or with another named.
    pub others: u64,
    /// Lines that did nothing.
    pub decoys: u64,
    /// Weeks of seven such days, of quiet kinds.
    pub weeks: f64,
}

/// Runs a kind with seeds.
pub fn run(kind: Kind, seeds: impl Iterator<Item = u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let mut random = Random::new(seed.wrapping_mul(41).wrapping_add(kind as u64));
        tally.n += 1;
        match kind {
            kind if kind.is_quiet() => tally.quiet(kind, &mut random),
            Kind::File | Kind::FileHeavy => tally.file(kind, &mut random),
            Kind::Outside | Kind::OutsideHeavy | Kind::OutsideLooks | Kind::Unseen => {
                tally.innocent(kind, &mut random);
            }
            _ => tally.typed(kind, &mut random),
        }
    }
    tally.took.sort_by(f64::total_cmp);
    tally
}

/// The worker, as far as it looks at one session.
struct Worker {
    kind: Kind,
    prompts: Prompts,
    noticed: Noticed,
    looked_ns: i64,
}

impl Worker {
    /// One that knows of some changes that were no lines, which it cannot have been.
    fn new(kind: Kind, random: &mut Random) -> Self {
        let mut worker = Self {
            kind,
            prompts: Prompts::default(),
            noticed: Noticed::default(),
            looked_ns: START,
        };
        for n in 0..1 + random.below(4) {
            worker.noticed.note(other(random, n, START + 10 * 60 * S));
        }
        worker
    }

    /// Looks if it is time to; gives what was told to be slower, and who is named for it.
    fn look(&mut self, session: &Session) -> Vec<Option<String>> {
        let now_ns = session.true_ns();
        if now_ns - self.looked_ns < self.kind.looked_every_ns() {
            return Vec::new();
        }
        self.looked_ns = now_ns;
        self.prompts
            .fold(session.clock_ns(), session.count(), session, MATTERS);
        for line in self.prompts.typed.drain(..) {
            self.noticed.note(Change {
                at_ns: line.at_ns,
                what: line.what,
                kind: line.kind,
                session: Some(OWN.into()),
                number: Some(line.number),
            });
        }
        let changes = &self.noticed.changes;
        let slower = self.prompts.moved.drain(..);
        let slower = slower.filter(|found| is_slower(&found.changepoint));
        let named = slower.map(|found| {
            let reach = Reach::Session {
                id: OWN,
                lines: found.lines,
                none: found.none,
                in_command: found.in_command,
            };
            named(&found.changepoint, reach, changes)
        });
        named.collect()
    }
}

/// A change that is no line: of the configuration, or a run of a task, within an hour of that moment.
fn other(random: &mut Random, n: u64, around_ns: i64) -> Change {
    let kind = *random.pick(&[
        ChangeKind::Config,
        ChangeKind::Task,
        ChangeKind::Task,
        ChangeKind::Plugin,
    ]);
    Change {
        at_ns: around_ns + (between(random, -1.0, 1.0) * HOUR as f64) as i64,
        what: format!("other {n}"),
        kind,
        session: None,
        number: None,
    }
}

fn is_slower(at: &Changepoint) -> bool {
    at.after > at.before
}

/// Who is named as the one who did it, if anybody is.
fn named<'a>(
    at: &Changepoint,
    reach: Reach<'_>,
    changes: impl IntoIterator<Item = &'a Change>,
) -> Option<String> {
    let first = suspects(at, reach, Measured::Session, changes).into_iter().next();
    first
        .filter(|first| first.confidence >= BLAME_MIN)
        .and_then(|first| first.what)
}

impl Tally {
    /// A day of somebody whose lines do nothing.
    fn quiet(&mut self, kind: Kind, random: &mut Random) {
        let mut session = Session::new(Machine::draw(random, kind), START);
        let mut worker = Worker::new(kind, random);
        let mut typed: Vec<u64> = (0..DAY_LINES).map(|_| random.below(DAY_PROMPTS)).collect();
        typed.sort_unstable();
        for prompt in 0..DAY_PROMPTS {
            for line in typed.iter().filter(|at| **at == prompt) {
                session.types(format!("decoy {line}"));
            }
            session.wander(kind, random);
            session.prompt(random, true);
            self.others += worker.look(&session).len() as u64;
        }
        self.decoys += DAY_LINES;
        self.weeks += 1.0 / 7.0;
    }

    /// A session in which a slow line is typed, and others.
    fn typed(&mut self, kind: Kind, random: &mut Random) {
        let machine = Machine::draw(random, kind);
        let slower_ms = machine.noticeable_ms() * between(random, 2.0, 10.0);
        let mut session = Session::new(machine, START);
        let mut worker = Worker::new(kind, random);
        let is_among = kind == Kind::TypedAmong;
        let mut lines = vec!["culprit".to_owned()];
        for n in 0..random.below(3) + u64::from(is_among) {
            lines.insert(0, format!("before {n}"));
        }
        for n in 0..random.below(3) + u64::from(is_among) {
            lines.push(format!("later {n}"));
        }
        self.decoys += lines.len() as u64 - 1;
        let set_at = (kind == Kind::TypedClock).then(|| random.index(lines.len() + 1));
        let set_by_ns = (between(random, -1.0, 1.0) * HOUR as f64) as i64 / [1, 60, 600][random.index(3)];
        let mut told = None;
        let (mut since, mut is_over) = (None, false);
        let mut go_on = |session: &mut Session, random: &mut Random, prompts: u64, tally: &mut Self| {
            for n in 0..prompts {
                // What a variable is made by is not timed as a whole, and neither is what was interrupted.
                let is_half = kind == Kind::TypedHalf && (n == 0 || random.once_in(5));
                session.wander(kind, random);
                session.prompt(random, !is_half);
                if let Some(since) = &mut since {
                    *since += 1;
                    is_over |= *since > PATIENCE;
                } else if session.slower_ms > 0.0 {
                    since = Some(1);
                }
                for named in worker.look(session) {
                    let is_right = named.as_deref() == Some("`culprit` was typed");
                    if since.is_none() || told.is_some() && !is_right {
                        tally.others += 1;
                    } else if !is_over && told.is_none() {
                        told = Some((is_right, named.is_none(), since.unwrap_or(0)));
                    }
                }
            }
        };
        let before = 20 + random.below(100);
        go_on(&mut session, random, before, self);
        for (at, line) in lines.iter().enumerate() {
            if set_at == Some(at) {
                session.set_clock(set_by_ns);
            }
            session.types(line.clone());
            if line == "culprit" {
                session.slower_ms = slower_ms;
            }
            if set_at == Some(at + 1) {
                session.set_clock(set_by_ns);
            }
            let many = match is_among {
                true => 1 + random.below(3),
                false => 6 + random.below(40),
            };
            go_on(&mut session, random, many, self);
        }
        go_on(&mut session, random, PATIENCE, self);
        self.take(told);
    }

    /// A session in which prompts get slower, and no line that is known did it.
    fn innocent(&mut self, kind: Kind, random: &mut Random) {
        let machine = Machine::draw(random, kind);
        let slower_ms = machine.noticeable_ms() * between(random, 2.0, 10.0);
        let mut session = Session::new(machine, START);
        session.is_in_command = kind == Kind::OutsideLooks || random.once_in(2);
        let mut worker = Worker::new(kind, random);
        // What is done, and how many prompts follow: `None` makes prompts slower, and nobody is told.
        let near = |random: &mut Random| 1 + random.below(5);
        let decoy = |random: &mut Random| match random.once_in(2) {
            true => format!("{LOOKS}decoy"),
            false => "decoy".to_owned(),
        };
        let story: Vec<(Option<String>, u64)> = match kind {
            Kind::OutsideLooks => vec![(Some(format!("{LOOKS}decoy")), 0), (None, PATIENCE)],
            Kind::Unseen => vec![
                (Some(format!("{LOOKS}before")), 1),
                (None, 1),
                (Some(format!("{LOOKS}after")), PATIENCE),
            ],
            _ => match random.below(3) {
                0 => vec![(Some(decoy(random)), near(random)), (None, PATIENCE)],
                1 => vec![(None, near(random)), (Some(decoy(random)), PATIENCE)],
                _ => vec![
                    (Some(decoy(random)), near(random)),
                    (None, near(random)),
                    (Some(decoy(random)), PATIENCE),
                ],
            },
        };
        let before = 20 + random.below(100);
        let mut named = None;
        let mut told = false;
        for (at, (line, prompts)) in std::iter::once((Some(String::new()), before))
            .chain(story)
            .enumerate()
        {
            match line {
                Some(_) if at == 0 => {}
                Some(line) => {
                    self.decoys += 1;
                    session.types(line);
                }
                None => session.slower_ms = slower_ms,
            }
            for _ in 0..prompts {
                session.prompt(random, true);
                for one in worker.look(&session) {
                    told = true;
                    named = named.or(one);
                }
            }
        }
        self.noticed += u64::from(told);
        self.unsure += u64::from(told && named.is_none());
        self.others += u64::from(named.is_some());
    }

    /// Sessions that begin one after another, two at a time, while lines are added to a start-up file.
    fn file(&mut self, kind: Kind, random: &mut Random) {
        const SESSIONS: usize = 14;
        let machine = Machine::draw(random, kind);
        let slower_ms = machine.noticeable_ms() * between(random, 2.0, 10.0);
        let slow_before = 5 + random.index(4);
        let decoys: Vec<usize> = (0..random.below(3))
            .map(|_| 1 + random.index(SESSIONS - 1))
            .filter(|at| *at != slow_before)
            .collect();
        self.decoys += decoys.len() as u64;
        let mut noticed = Noticed::default();
        for n in 0..1 + random.below(4) {
            noticed.note(other(random, n, START + DAY / 24));
        }
        let (mut now_ns, mut slow, mut since, mut told) = (START, 0.0, 0, None);
        let mut earlier: Option<(Session, Prompts)> = None;
        for number in 0..SESSIONS {
            now_ns += 60 * S + random.below(600) as i64 * S;
            let added = [
                (number == slow_before, "culprit"),
                (decoys.contains(&number), "decoy"),
            ];
            for (_, what) in added.iter().filter(|(is_added, _)| *is_added) {
                let at_ns = now_ns - (1 + random.below(50)) as i64 * S;
                noticed.note(Change {
                    at_ns,
                    what: format!("{what} {number}"),
                    kind: ChangeKind::Rc,
                    session: None,
                    number: None,
                });
                noticed.start_files.changed(at_ns);
                if *what == "culprit" {
                    slow = slower_ms;
                }
            }
            let mut session = Session::new(machine.again(random), now_ns);
            session.slower_ms = slow;
            session.factor = between(random, 0.95, 1.05);
            let mut here = (session, Prompts::default());
            for _ in 0..10 + random.below(30) {
                for (session, prompts) in [Some(&mut here), earlier.as_mut()].into_iter().flatten() {
                    session.wait_until(now_ns);
                    session.prompt(random, true);
                    now_ns = now_ns.max(session.true_ns());
                    since += u64::from(session.slower_ms > 0.0);
                    prompts.fold(session.clock_ns(), session.count(), session, MATTERS);
                    noticed.start_files.take(session.began_ns, &prompts.untouched);
                    prompts.untouched.clear();
                }
                let found = noticed.start_files.watched.judge(MATTERS);
                let Some(found) = found.filter(|found| is_slower(&found.changepoint)) else {
                    continue;
                };
                let unmoved_ns = noticed.start_files.unmoved_ns(&found.changepoint);
                let named = named(
                    &found.changepoint,
                    Reach::StartFiles { unmoved_ns },
                    &noticed.changes,
                );
                let is_right = named == Some(format!("culprit {slow_before}"));
                if since == 0 || told.is_some() && !is_right {
                    self.others += 1;
                } else if told.is_none() {
                    told = Some((is_right, named.is_none(), since));
                }
            }
            earlier = Some(here);
        }
        self.take(told);
    }

    /// Takes what was told of the slow line: whether it was named, or nobody, and after how many prompts with it.
    fn take(&mut self, told: Option<(bool, bool, u64)>) {
        let Some((is_right, is_nobody, after)) = told else {
            return;
        };
        self.noticed += 1;
        self.right += u64::from(is_right);
        self.unsure += u64::from(is_nobody);
        self.others += u64::from(!is_right && !is_nobody);
        self.took.push(after as f64);
    }
}
