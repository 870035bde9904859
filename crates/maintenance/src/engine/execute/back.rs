//! The way back: what began is taken back, the last step first.
//!
//! Invariants:
//! - An undo that fails ends the plan as stuck, and is named: nothing before it is touched.
//! - A plan that is on its way back stays on it; whoever cancels it then only has its job killed.
//! - Nothing is undone beside a job that still runs: its end is waited for, until the deadline.

use lle_core::plan::Outcome;

use super::live::fit;
use crate::engine::Engine;
use crate::state::Phase;
use crate::world::{Now, World};

impl Engine {
    /// A step did not hold: what began is taken back.
    pub(crate) fn fail<W: World>(&mut self, world: &mut W, now: Now, id: u64, why: &str) {
        self.turn_back(world, now, id, Outcome::Undone { why: fit(why) });
    }

    /// Its time is over.
    pub(super) fn overrun<W: World>(&mut self, world: &mut W, now: Now, id: u64) {
        let phase = self.state.running.get(&id).map(|running| running.phase);
        match phase {
            Some(Phase::Applying) => self.turn_back(world, now, id, Outcome::TimedOut),
            Some(Phase::CleaningUp) => {
                world.kill_job(id);
                self.finish(world, now, id);
                return;
            }
            // A killed job that does not end is given up; taking back goes on, since it has an end by itself.
            _ => self.set_wait(id, None),
        }
        self.begin_deadline(now, id);
    }

    /// Goes over to taking back; `outcome` is what the plan ends with if that succeeds.
    pub(super) fn turn_back<W: World>(&mut self, world: &mut W, now: Now, id: u64, outcome: Outcome) {
        let Some(mut running) = self.state.running.get(&id).cloned() else {
            return;
        };
        if running.phase != Phase::Applying {
            // It is on its way back already, and a cleanup changes nothing about how the plan ended. But who cancels
            // it wants nothing of it to go on.
            if outcome == Outcome::Cancelled {
                world.kill_job(id);
            }
            return;
        }
        self.stop_job(world, id);
        // Whatever of its own time was left: a job that was just killed has not been given up.
        self.begin_deadline(now, id);
        let reversible = running
            .plan
            .steps
            .iter()
            .take(running.begun)
            .any(|step| step.undo.is_some());
        running.outcome = Some(match outcome {
            Outcome::Undone { why } if !reversible => Outcome::Failed { why },
            outcome => outcome,
        });
        running.phase = Phase::Undoing;
        self.keep_running(world, now, running);
    }

    /// Takes the last step that began back.
    pub(super) fn undo<W: World>(&mut self, world: &mut W, now: Now, id: u64) {
        let Some(mut running) = self.state.running.get(&id).cloned() else {
            return;
        };
        let Some(last) = running.begun.checked_sub(1) else {
            let outcome = running.outcome.unwrap_or(Outcome::Cancelled);
            self.wind_up(world, now, id, outcome);
            return;
        };
        let undo = running.plan.steps.get(last).and_then(|step| step.undo.clone());
        if let Some(undo) = undo
            && let Err(why) = self.apply(world, now, id, &undo)
        {
            let why = format!("{}: {why}", undo.about());
            self.wind_up(world, now, id, Outcome::Stuck { step: last, why });
            return;
        }
        running.begun = last;
        self.keep_running(world, now, running);
    }

    /// Taking back and cleaning up have a time of their own.
    pub(super) fn begin_deadline(&mut self, now: Now, id: u64) {
        if let Some(live) = self.live.get_mut(&id) {
            live.begin_deadline(now);
        }
    }
}
