//! The prompts of one session: each of them, with its own time and on its side of what was typed.
//!
//! Invariants:
//! - What is found does not depend on how often the session is looked at: each prompt is judged as if it had been seen at
//!   once. Only prompts and commands that its rings had lost by then are not there, and that is said.
//! - A look at which nothing was typed that may have changed the prompt allocates nothing.

use lle_core::health::text::command_line;
use lle_core::quantity::several;
use lle_core::series::Changepoint;
use lle_core::series::noticed::{self, Level, Watched};
use lle_metrics::{Counter, EventKind, Gauge, Snapshot, TimedPrompt, Timer};

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
            Some(timed) => self.fold_each(timed, snapshot),
            None => self.fold_last(now, snapshot),
        }
    }

    /// Takes every prompt in that was timed since the last look. Of a session that was never looked at before, those that
    /// are still there: whoever typed a line while no worker ran is told as well.
    fn fold_each(&mut self, timed: u64, snapshot: &Snapshot) {
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
                self.change(changes, &prompt, snapshot);
                changes = prompt.changes;
            }
            self.add(prompt.wall_ns.cast_signed(), prompt.took_ns as f64, changes == 0);
        }
        self.seen = Some((timed, changes));
    }

    /// Candidates for a change from that number on were typed before a prompt.
    fn change(&mut self, from: u64, prompt: &TimedPrompt, snapshot: &Snapshot) {
        let mut known = 0;
        let there = snapshot.prompt_changes_since(from);
        for change in there.take_while(|change| change.number < prompt.changes) {
            known += 1;
            self.typed
                .push((change.wall_ns.cast_signed(), named(change.text)));
        }
        let at_ns = prompt.wall_ns.cast_signed();
        let unknown = (prompt.changes - from).saturating_sub(known);
        if unknown > 0 {
            let commands = several(unknown, "command", "commands");
            self.typed.push((
                at_ns,
                format!("{commands} changed the prompt, too many at once to know which"),
            ));
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

/// Says what was typed, as a sentence goes on after "since"; nothing of it if nobody may see it.
fn named(text: &[u8]) -> String {
    match String::from_utf8_lossy(text).trim() {
        "" => "a command changed the prompt".to_owned(),
        text => format!("`{}` was typed", command_line(text)),
    }
}
