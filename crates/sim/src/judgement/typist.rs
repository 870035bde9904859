//! Somebody who types, and the machine on which that happens: each prompt, as the rings of a flight file keep it.
//!
//! Invariant: the rings lose what a flight file's lose, and hold a clock that may be set; the true time only goes on.

use lle_core::series::prompts::Rows;
use lle_metrics::prompts::{CHANGES_KEPT, PROMPTS_KEPT};
use lle_metrics::{PromptChange, TimedPrompt};

use super::prompts::{Kind, MATTERS};
use super::signal::{S, between, even, normal};
use crate::random::Random;

/// What prompts take when nobody changes them.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    base_ms: f64,
    /// The spread of the logarithm.
    spread: f64,
    /// One prompt in so many takes at least three times the usual.
    far_off_in: u64,
    /// Whether it is busy now and then.
    is_busy: bool,
    busy_ns: (i64, i64),
    busy_times: f64,
    /// How much of a prompt is `PROMPT_COMMAND`.
    command_share: f64,
}

/// How a line begins that sets how prompts look, and nothing else.
pub(super) const LOOKS: &str = "PS1=";

impl Machine {
    pub(super) fn draw(random: &mut Random, kind: Kind) -> Self {
        let heavy = kind.is_heavy();
        Self {
            base_ms: 10f64.powf(between(random, 0.3, 1.8)),
            spread: between(random, 0.03, 0.15) * if heavy { 2.0 } else { 1.0 },
            far_off_in: if heavy { 20 } else { 100 },
            is_busy: kind.is_busy(),
            busy_ns: (i64::MIN, i64::MIN),
            busy_times: 1.0,
            command_share: 0.5,
        }
    }

    /// The same machine, a little other than it was: another session.
    pub(super) fn again(&self, random: &mut Random) -> Self {
        Self {
            base_ms: self.base_ms * between(random, 0.98, 1.02),
            ..self.clone()
        }
    }

    /// The least by which a prompt must get slower to matter.
    pub(super) fn noticeable_ms(&self) -> f64 {
        (MATTERS.least / 1e6).max(self.base_ms * MATTERS.share)
    }

    fn takes_ms(&mut self, random: &mut Random, now_ns: i64, factor: f64, slower_ms: f64) -> f64 {
        let mut ms = (self.base_ms * factor + slower_ms) * (self.spread * normal(random)).exp();
        if self.is_busy {
            if now_ns > self.busy_ns.1 {
                let from = now_ns + exponential_ns(random, 900.0);
                self.busy_ns = (from, from + exponential_ns(random, 30.0));
                self.busy_times = between(random, 1.5, 4.0);
            }
            if now_ns >= self.busy_ns.0 {
                ms *= self.busy_times * (0.3 * normal(random)).exp();
            }
        }
        if random.once_in(self.far_off_in) {
            // Pareto's distribution: a hundred times is the end of it.
            ms *= (3.0 * even(random).powf(-1.0 / 1.5)).min(100.0);
        }
        ms
    }
}

fn exponential_ns(random: &mut Random, mean_s: f64) -> i64 {
    (-mean_s * even(random).ln() * S as f64) as i64
}

/// A session, and what its flight file keeps of its prompts.
pub(super) struct Session {
    machine: Machine,
    /// How much slower prompts are where it is.
    pub(super) factor: f64,
    /// How much slower a line has made them.
    pub(super) slower_ms: f64,
    /// Whether what is slower is `PROMPT_COMMAND`.
    pub(super) is_in_command: bool,
    /// When it began, by the true time.
    pub(super) began_ns: i64,
    true_ns: i64,
    /// The folder that it is in, counted from 1, and how many there were.
    folder: u64,
    folders: u64,
    clock_off_ns: i64,
    timed: u64,
    prompts: Vec<TimedPrompt>,
    lines: Vec<(i64, String)>,
}

impl Session {
    pub(super) fn new(machine: Machine, now_ns: i64) -> Self {
        Self {
            machine,
            factor: 1.0,
            slower_ms: 0.0,
            is_in_command: true,
            began_ns: now_ns,
            true_ns: now_ns,
            folder: 1,
            folders: 3,
            clock_off_ns: 0,
            timed: 0,
            prompts: Vec::new(),
            lines: Vec::new(),
        }
    }

    pub(super) fn true_ns(&self) -> i64 {
        self.true_ns
    }

    pub(super) fn clock_ns(&self) -> i64 {
        self.true_ns + self.clock_off_ns
    }

    /// Nothing is done in it until then.
    pub(super) fn wait_until(&mut self, true_ns: i64) {
        self.true_ns = self.true_ns.max(true_ns);
    }

    /// Prompts that were timed so far.
    pub(super) fn count(&self) -> u64 {
        self.timed
    }

    pub(super) fn set_clock(&mut self, by_ns: i64) {
        self.clock_off_ns += by_ns;
    }

    /// What of a prompt `PROMPT_COMMAND` took: its share of the machine's own, and all that came later or none of it.
    fn command_us(&self, us: u32) -> u32 {
        let own = self.machine.base_ms * self.factor;
        let slower = if self.is_in_command { self.slower_ms } else { 0.0 };
        let share = own.mul_add(self.machine.command_share, slower) / (own + self.slower_ms);
        (f64::from(us) * share) as u32
    }

    /// A line is typed that may have changed the prompt.
    pub(super) fn types(&mut self, line: String) {
        self.true_ns += S;
        self.lines.push((self.clock_ns(), line));
    }

    /// Goes to another folder, once in some prompts, if that is what is done in scenarios of that kind.
    pub(super) fn wander(&mut self, kind: Kind, random: &mut Random) {
        const FACTORS: [f64; 3] = [1.0, 1.4, 2.5];
        let is_often = matches!(kind, Kind::TypedFolders | Kind::TypedNewFoldersOften);
        let once_in = if is_often { 20 } else { 40 };
        match kind {
            Kind::QuietFolders | Kind::TypedFolders if random.once_in(once_in) => {
                let folder = random.index(FACTORS.len());
                (self.folder, self.factor) = (1 + folder as u64, FACTORS[folder]);
            }
            Kind::QuietNewFolders | Kind::TypedNewFolders | Kind::TypedNewFoldersOften
                if random.once_in(once_in) =>
            {
                // Half of the time it is back home.
                self.folders += 1;
                (self.folder, self.factor) = match random.once_in(2) {
                    true => (1, 1.0),
                    false => (self.folders, between(random, 1.0, 3.0)),
                };
            }
            _ => {}
        }
    }

    /// A command runs, and the next prompt is shown.
    pub(super) fn prompt(&mut self, random: &mut Random, is_timed: bool) {
        // Half within five seconds; who goes away for longer leaves the session to others.
        let after_s = (5.0 * normal(random).exp()).min(120.0);
        self.true_ns += (after_s * S as f64) as i64;
        let ms = self
            .machine
            .takes_ms(random, self.true_ns, self.factor, self.slower_ms);
        if !is_timed {
            return;
        }
        self.prompts.push(TimedPrompt {
            number: self.timed,
            wall_ns: self.clock_ns().cast_unsigned(),
            took_ns: (ms * 1e6) as u64,
            changes: self.lines.len() as u64,
            folder: self.folder,
            command_us: Some(self.command_us((ms * 1e3) as u32)),
        });
        self.timed += 1;
        if self.prompts.len() > PROMPTS_KEPT {
            self.prompts.remove(0);
        }
    }
}

impl Rows for Session {
    fn timed(&self) -> Option<u64> {
        Some(self.timed)
    }

    fn typed(&self) -> u64 {
        self.lines.len() as u64
    }

    fn prompts_since(&self, from: u64) -> impl Iterator<Item = TimedPrompt> {
        self.prompts
            .iter()
            .filter(move |prompt| prompt.number >= from)
            .copied()
    }

    fn lines_since(&self, from: u64) -> impl Iterator<Item = PromptChange<'_>> {
        let kept = self.lines.len().saturating_sub(CHANGES_KEPT) as u64;
        let lines = self.lines.iter().enumerate();
        let lines = lines.map(|(number, (at_ns, text))| PromptChange {
            number: number as u64,
            wall_ns: at_ns.cast_unsigned(),
            text: text.as_bytes(),
            looks_alone: text.starts_with(LOOKS),
        });
        lines.filter(move |line| line.number >= from.max(kept))
    }
}
