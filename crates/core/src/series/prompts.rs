//! The prompts of one session: each of them, on its side of what was typed.
//!
//! ```text
//!  prompts   0   1   2   3       4   5        each with its time, and how many lines came before it
//!  lines               0 ▲   1 2 ▲            so line 0 lies between prompts 2 and 3, and 1 and 2 between 3 and 4
//! ```
//!
//! Which came first is told by these numbers, never by a clock: one that is set back or forward between two prompts puts
//! nothing on the other side. Times say when a line was typed, to people, and whether a handful of prompts is spread over
//! more than a busy moment.
//!
//! Invariants:
//! - What is found does not depend on how often the session is looked at: each prompt is judged as if it had been seen at
//!   once. Only prompts and lines that its rings had lost by then are not there, and that is said.
//! - No numbers that a session writes make it do more than there are rows in its rings.
//! - A look at which nothing was typed that may have changed the prompt allocates nothing.

use lle_metrics::{Counter, PromptChange, Snapshot, TimedPrompt};

use super::blame::ChangeKind;
use super::noticed;
use super::suspected::{Found, Lines, Matters, VALUES_KEPT, Value, Watched};
use crate::quantity::several;
use crate::shown::command_line;

/// What a session keeps of its last prompts, and of what was typed that may have changed them.
pub trait Rows {
    /// Prompts ever timed one by one; none if it does not tell them apart.
    fn timed(&self) -> Option<u64>;
    /// Lines ever typed that may have changed the prompt.
    fn typed(&self) -> u64;
    /// The prompts from a number on that are still there, oldest first.
    fn prompts_since(&self, from: u64) -> impl Iterator<Item = TimedPrompt>;
    /// The lines from a number on that are still there, oldest first.
    fn lines_since(&self, from: u64) -> impl Iterator<Item = PromptChange<'_>>;
}

impl Rows for Snapshot {
    fn timed(&self) -> Option<u64> {
        self.prompts_timed()
    }

    fn typed(&self) -> u64 {
        self.counter(Counter::PromptChanges)
    }

    fn prompts_since(&self, from: u64) -> impl Iterator<Item = TimedPrompt> {
        Snapshot::prompts_since(self, from)
    }

    fn lines_since(&self, from: u64) -> impl Iterator<Item = PromptChange<'_>> {
        self.prompt_changes_since(from)
    }
}

/// A line that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// When, in nanoseconds since 1970.
    pub at_ns: i64,
    /// What, as a sentence goes on after "since".
    pub what: String,
    /// Its number in the session, counted from 0; of several that are told as one, the first.
    pub number: u64,
    /// [`ChangeKind::Looks`] if it set how prompts look and nothing else, as far as that is told.
    pub kind: ChangeKind,
}

/// What is known of the prompts of one session.
#[derive(Clone, Debug, Default)]
pub struct Prompts {
    /// Prompts timed, and lines typed, when it was last looked at; none before that.
    seen: Option<(u64, u64)>,
    /// How long they take, and what is suspected.
    pub watched: Watched,
    /// What was typed, to be remembered.
    pub typed: Vec<Typed>,
    /// What moved, to be blamed.
    pub moved: Vec<Found>,
    /// Prompts before anything was typed that may have changed them, to be taken for those of the start-up files.
    pub untouched: Vec<Value>,
    /// Prompts that nobody looked at in time.
    pub missed: u64,
    /// A suspicion has begun or ended: it is to be written at once.
    pub turned: bool,
}

impl Prompts {
    /// Goes on with what an earlier worker knew of the session.
    pub fn of(known: &noticed::Prompts) -> Self {
        Self {
            seen: Some((known.timed, known.changes)),
            watched: known.watched.clone(),
            ..Self::default()
        }
    }

    /// What is to be remembered of them.
    pub fn known(&self) -> noticed::Prompts {
        let (timed, changes) = self.seen.unwrap_or_default();
        noticed::Prompts {
            timed,
            changes,
            watched: self.watched.clone(),
        }
    }

    /// Prompts that were timed by the last look.
    pub fn timed(&self) -> u64 {
        self.seen.map_or(0, |(timed, _)| timed)
    }

    /// Takes every prompt in that was timed since the last look; `timed` is how many ever were. Of a session that was never
    /// looked at before, those that are still there: whoever typed a line while no worker ran is told as well.
    pub fn fold(&mut self, wall_ns: i64, timed: u64, rows: &impl Rows, matters: Matters) {
        let mut there = rows
            .prompts_since(self.seen.map_or(0, |(timed, _)| timed))
            .peekable();
        let first = there.peek().map(|prompt| (prompt.number, prompt.changes));
        let (from, mut lines) = self.seen.or(first).unwrap_or_default();
        if let Some((first, _)) = first {
            self.missed = self.missed.saturating_add(first.saturating_sub(from));
        }
        for prompt in there {
            let at_ns = prompt.wall_ns.cast_signed();
            if prompt.changes > lines {
                self.lines(lines, prompt.changes, at_ns, rows);
                lines = prompt.changes;
            }
            if lines == 0 {
                self.untouched(at_ns, prompt.took_ns as f64);
            }
            let value = Value::of(at_ns, prompt.took_ns as f64, prompt.folder);
            self.take(value.map(|value| value.with_command(prompt.command_us)), matters);
        }
        // The prompt after it is still to come, or was not timed as a whole.
        let typed = rows.typed();
        if typed > lines {
            self.lines(lines, typed, wall_ns, rows);
            lines = typed;
        }
        self.seen = Some((timed, lines));
    }

    /// Takes in how many prompts and lines there are, of a session that tells of its last prompt alone; gives what there
    /// were at the last look.
    pub fn see(&mut self, timed: u64, typed: u64) -> Option<(u64, u64)> {
        self.seen.replace((timed, typed))
    }

    /// Lines of these numbers were typed, by that time.
    fn lines(&mut self, from: u64, until: u64, by_ns: i64, rows: &impl Rows) {
        let (mut known, mut at_ns) = (0, by_ns);
        for line in rows.lines_since(from).take_while(|line| line.number < until) {
            known += 1;
            at_ns = line.wall_ns.cast_signed();
            self.typed.push(Typed {
                at_ns,
                what: named(line.text),
                number: line.number,
                kind: match line.looks_alone {
                    true => ChangeKind::Looks,
                    false => ChangeKind::Rc,
                },
            });
        }
        let unknown = (until - from).saturating_sub(known);
        if unknown > 0 {
            let commands = several(unknown, "command", "commands");
            self.typed.push(Typed {
                at_ns,
                what: format!("{commands} changed the prompt, too many at once to know which"),
                number: from,
                kind: ChangeKind::Rc,
            });
        }
        self.suspect(at_ns, Lines { from, until });
    }

    /// Lines were typed that may have changed the prompt: what comes is compared with what was.
    pub fn suspect(&mut self, at_ns: i64, lines: Lines) {
        self.watched.typed(at_ns, lines);
        self.turned = true;
    }

    /// Adds a prompt, and judges what is suspected. `folder` is 0 if it is not known where it was shown.
    pub fn add(&mut self, wall_ns: i64, ns: f64, folder: u64, matters: Matters) {
        self.take(Value::of(wall_ns, ns, folder), matters);
    }

    fn take(&mut self, value: Option<Value>, matters: Matters) {
        self.watched.take(value);
        let before = self.watched.suspects();
        self.moved.extend(self.watched.judge(matters));
        self.turned |= before != self.watched.suspects();
    }

    /// Keeps a prompt for one of the start-up files: nothing was typed before it that may have changed it.
    pub fn untouched(&mut self, wall_ns: i64, ns: f64) {
        // Sessions number their folders each for itself.
        if self.untouched.len() < VALUES_KEPT {
            self.untouched.extend(Value::of(wall_ns, ns, 0));
        }
    }
}

/// Says what was typed, as a sentence goes on after "since"; nothing of it if nobody may see it. What a session tells is
/// shortened already, but for one of a version before this one.
pub fn named(text: &[u8]) -> String {
    match String::from_utf8_lossy(text).trim() {
        "" => "a command changed the prompt".to_owned(),
        text => format!("`{}` was typed", command_line(text)),
    }
}

#[cfg(test)]
mod tests;
