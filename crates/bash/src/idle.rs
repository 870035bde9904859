//! What is done while nobody types: everything that can wait until the prompt is painted and no key waits.
//!
//! ```text
//!  prompt ─▸ Register · Measure · Worker ─┐
//!  wake ───▸ Read ─▸ Trim ────────────────┴─▸ one step after the other, a look for a key before each ─▸ sleep
//! ```
//!
//! Invariants: a key costs one look at one byte here; a step begins only if no key waits, and what a key leaves undone is
//! done behind it; nothing is done before the first prompt is painted, nothing by a timer, and nothing is shown: alerts
//! wait for the next prompt.

use crate::abi::state::READCMD;
use crate::clock;
use crate::inbox::Inbox;
use crate::lle::Lle;
use crate::memory::{self, Allocator};
use crate::wake::Wake;
use crate::worker::Worker;
use lle_metrics::{Counter, Gauge};

/// The allocator is asked no more often than this: by the minute would do for a trend, and a person may run ten commands
/// in five seconds.
const MEASURE_EVERY_NS: u64 = 5_000_000_000;
/// What is not known, in a gauge.
const UNKNOWN: i64 = i64::MIN;

/// One thing to do, in the order they are done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// Make sure that the session can be woken.
    Register,
    /// Look at what the worker wants.
    Read,
    /// Give free memory back.
    Trim,
    /// Ask the allocator what it holds.
    Measure,
    /// Work some of what caches hold out again.
    Check,
    /// See to it that there is a worker.
    Worker,
}

const STEPS: [Step; 6] = [
    Step::Register,
    Step::Read,
    Step::Trim,
    Step::Measure,
    Step::Check,
    Step::Worker,
];

/// What is to be done, and what the steps know.
#[derive(Default)]
pub(crate) struct Idle {
    /// One bit a step.
    due: u8,
    pub(crate) inbox: Inbox,
    pub(crate) wake: Wake,
    pub(crate) worker: Worker,
    /// Looked up when first needed; then perhaps nothing.
    allocator: Option<Option<Allocator>>,
    measured_at: u64,
    /// Entries of caches that were checked, and those that were wrong.
    checked: (u64, u64),
}

impl Idle {
    fn plan(&mut self, step: Step) {
        self.due |= 1 << step as u8;
    }

    /// The session is in another runtime folder from now on.
    pub(crate) fn moved(&mut self) {
        self.plan(Step::Register);
        self.plan(Step::Read);
    }

    /// Takes the next step out of the plan.
    fn next(&mut self) -> Option<Step> {
        let step = STEPS
            .into_iter()
            .find(|step| self.due & (1 << *step as u8) != 0)?;
        self.due &= !(1 << step as u8);
        Some(step)
    }

    fn allocator(&mut self) -> Option<Allocator> {
        *self.allocator.get_or_insert_with(Allocator::find)
    }
}

impl Lle {
    /// A prompt is about to be shown. What the worker wants to be told joins the notices; at the first prompt that has
    /// to wait, for nobody can have addressed this session yet.
    pub(crate) fn prompt_for_idle(&mut self, first: bool) {
        self.idle.wake.rested();
        self.idle.plan(Step::Register);
        self.idle.plan(Step::Measure);
        self.idle.plan(Step::Check);
        self.idle.plan(Step::Worker);
        if first {
            self.idle.plan(Step::Read);
        } else {
            self.configured.is_settled();
            self.read_desired();
            self.tell_alerts();
        }
    }

    /// Another process woke the session.
    pub(crate) fn woken(&mut self) {
        self.idle.wake.drain(clock::now());
        self.idle.plan(Step::Read);
        self.session.record(|w| w.add(Counter::Wakes, 1));
    }

    /// Does what is due, as long as no key comes.
    pub(crate) fn use_idle_time(&mut self) {
        if self.idle.due == 0
            || self.job.is_some()
            || !self.bash.is(READCMD)
            || !self.bash.reads_commands()
            || self.owner != std::process::id()
        {
            return;
        }
        while self.idle.due != 0 && !self.key_came() {
            match self.idle.next() {
                Some(Step::Register) => self.register_wake(),
                Some(Step::Read) => self.follow_desired(),
                Some(Step::Trim) => self.trim(),
                Some(Step::Measure) => self.measure_memory(),
                Some(Step::Check) => self.check_caches(),
                Some(Step::Worker) => self.see_to_worker(),
                None => {}
            }
        }
    }

    /// The socket stands beside the flight file; a session that has none is known to nobody.
    fn register_wake(&mut self) {
        match self.session.flight_path() {
            // Without a socket the session looks at its prompts only, and tries again there.
            Some(flight) => drop(
                self.idle
                    .wake
                    .register(&flight.with_extension(crate::wake::EXTENSION)),
            ),
            None => self.idle.wake.remove(),
        }
    }

    /// Reads what is wanted, and shows the line as it looks by that.
    fn follow_desired(&mut self) {
        if self.read_desired() {
            self.paint_again();
        }
    }

    /// Reads what is wanted, if that has changed; true if what is shown changes with it.
    fn read_desired(&mut self) -> bool {
        let id = self.session.id();
        let runtime = self
            .session
            .flight_path()
            .and_then(|flight| flight.parent()?.parent());
        let Some(generation) = runtime.and_then(|runtime| self.idle.inbox.look(runtime, id)) else {
            return false;
        };
        let generation = i64::try_from(generation).unwrap_or(i64::MAX);
        self.session
            .record(|w| w.set(Gauge::ConfigGeneration, generation));
        let (settings, trial) = self.idle.inbox.settings();
        let refused = self.session.take_levers(settings, trial);
        if refused > 0 {
            self.session.record(|w| w.add(Counter::SettingsRefused, refused));
        }
        if self.idle.inbox.wants_trim() {
            self.idle.plan(Step::Trim);
        }
        self.take_configuration()
    }

    /// Adds the alerts to the notices, as many as have room; the others wait for the next prompt.
    fn tell_alerts(&mut self) {
        while let Some(alert) = self.idle.inbox.alert() {
            let text = format!("lusush: {}: {}", alert.severity, alert.text);
            if !self.session.notice(text) {
                return;
            }
            let id = i64::try_from(self.idle.inbox.told()).unwrap_or(i64::MAX);
            self.session.record(|w| w.set(Gauge::AlertsShown, id));
        }
    }

    fn trim(&mut self) {
        if !self.idle.inbox.wants_trim() {
            return;
        }
        let token = i64::try_from(self.idle.inbox.trimmed()).unwrap_or(i64::MAX);
        let Some(allocator) = self.idle.allocator() else {
            // Answered all the same, or it would be asked for ever.
            self.session.record(|w| {
                w.set(Gauge::TrimToken, token);
                w.set(Gauge::TrimBeforeBytes, UNKNOWN);
                w.set(Gauge::TrimAfterBytes, UNKNOWN);
                w.set(Gauge::TrimNs, UNKNOWN);
            });
            return;
        };
        let before = memory::anonymous_bytes().unwrap_or(UNKNOWN);
        let began = clock::now();
        allocator.trim();
        let spent = clock::now().saturating_sub(began).cast_signed();
        let after = memory::anonymous_bytes().unwrap_or(UNKNOWN);
        self.session.record(|w| {
            w.add(Counter::Trims, 1);
            w.set(Gauge::TrimToken, token);
            w.set(Gauge::TrimBeforeBytes, before);
            w.set(Gauge::TrimAfterBytes, after);
            w.set(Gauge::TrimNs, spent);
        });
        self.idle.measured_at = 0;
        self.idle.plan(Step::Measure);
    }

    /// What no directory tells of, as a right that was taken away, is found here.
    fn check_caches(&mut self) {
        let (checked, wrong) = self.names.check(&self.bash);
        self.idle.checked.0 += checked;
        self.idle.checked.1 += wrong;
        let (checked, wrong) = self.idle.checked;
        self.session.record(|w| {
            w.set(Gauge::CachesChecked, checked.cast_signed());
            w.set(Gauge::CachesWrong, wrong.cast_signed());
        });
    }

    fn measure_memory(&mut self) {
        let now = clock::now();
        let measured_at = self.idle.measured_at;
        if measured_at != 0 && now.saturating_sub(measured_at) < MEASURE_EVERY_NS {
            return;
        }
        let Some(allocator) = self.idle.allocator() else {
            return;
        };
        self.idle.measured_at = now;
        let account = allocator.account();
        self.session.record(|w| {
            w.set(Gauge::MallocArenaBytes, account.arena);
            w.set(Gauge::MallocUsedBytes, account.used);
            w.set(Gauge::MallocFreeBytes, account.free);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_taken_once_and_in_order() {
        let mut idle = Idle::default();
        for step in STEPS.into_iter().rev() {
            idle.plan(step);
            idle.plan(step);
        }
        let taken: Vec<_> = std::iter::from_fn(|| idle.next()).collect();
        assert_eq!(taken, STEPS);
        assert_eq!(idle.due, 0);
    }
}
