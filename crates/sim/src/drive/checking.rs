//! What must hold after every event, and when all faults have stopped.

use std::collections::BTreeSet;

use lle_core::policy::Who;
use lle_core::task;
use lle_maintenance::api::Request;
use lle_maintenance::engine::Engine;
use lle_maintenance::state::Durable;
use lle_maintenance::world::File;
use serde_json::Value;

use super::{Run, SECOND, UID};
use crate::check;
use crate::disk::Faults;

impl Run {
    /// What must hold whenever the engine has done something.
    pub(super) fn after(&mut self) {
        let Some(engine) = &self.engine else { return };
        let state = engine.durable();
        let mut broken = check::queues_are_bounded(&self.world, state);
        broken.extend(check::statistics_add_up(state));
        broken.extend(check::numbers_are_not_given_twice(state));
        broken.extend(self.turning.check(state));
        for alert in state.alerts.open() {
            let what = (
                alert.key.clone(),
                alert.raised_wall_ns,
                format!("{:?}", alert.severity),
            );
            self.raised.insert(alert.id, what);
        }
        self.model.forget_what_got_worse(state);
        broken.extend(self.due_once());
        if !self.world.disk.is_dirty(File::State) {
            self.model.durable();
        }
        broken.extend(self.settings_are_as_they_should());
        broken.into_iter().for_each(|what| self.world.violate(what));
        self.let_sessions_read(false);
    }

    /// Every due time of the calendar has one run at most.
    pub(super) fn due_once(&mut self) -> Vec<String> {
        let mut broken = Vec::new();
        let Some(engine) = &self.engine else { return broken };
        for running in engine.durable().running.values() {
            if !self.seen_plans.insert(running.id) || running.plan.why != "its schedule" {
                continue;
            }
            let Some(known) = engine.durable().tasks.get(&running.plan.task) else {
                continue;
            };
            let calendar = matches!(known.task.schedule, lle_core::schedule::Schedule::Cron { .. });
            let Some(due) = known
                .timing
                .last_due_wall_ns
                .filter(|_| calendar && known.attempt == 0)
            else {
                continue;
            };
            if !self.due_runs.insert((running.plan.task.clone(), due)) {
                broken.push(format!(
                    "schedule: {} ran twice for the time {due}",
                    running.plan.task
                ));
            }
        }
        broken
    }

    pub(super) fn settings_are_as_they_should(&mut self) -> Vec<String> {
        let Some(engine) = &self.engine else {
            return Vec::new();
        };
        let mut broken = Vec::new();
        let (world, state) = (&self.world, engine.durable());
        self.expected.retain(|expect| {
            let plan = world
                .intents
                .iter()
                .find(|(_, (_, why))| *why == expect.why)
                .map(|(id, _)| *id);
            let Some(outcome) = plan.and_then(|id| world.outcomes.get(&id)) else {
                return true;
            };
            let wanted = match outcome.as_str() {
                "applied" => &expect.after,
                "stuck" | "unknown" => return false,
                _ => &expect.former,
            };
            for (name, value) in wanted {
                let found = state.settings.get(name);
                if found != value.as_ref() {
                    broken.push(format!(
                        "undo: after a plan that was {outcome}, {name} is {found:?} and not {value:?}"
                    ));
                }
            }
            false
        });
        broken
    }

    pub(super) fn verify(&mut self) {
        let who = Who::peer(UID, None, UID);
        let answered = self.with(|engine, hands, now| engine.request(hands, now, &who, &Request::Verify));
        let Some(Ok(document)) = answered else { return };
        let problems = document["problems"].as_array().cloned().unwrap_or_default();
        let problems: Vec<String> = problems
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let broken = check::audit_is_whole(
            &self.world,
            &problems,
            document["last_sequence"].as_u64().unwrap_or(0),
        );
        broken.into_iter().for_each(|what| self.world.violate(what));
    }

    /// Faults stop; then everything that began ends, and what was promised is there.
    pub(super) fn quiesce(&mut self) {
        self.world.tell(|| "faults stop".into());
        self.world.disk.faults = Faults::default();
        self.world.unpublishable = false;
        self.world.dies_at = None;
        while self.engine.is_none() && self.world.violations.is_empty() {
            self.start();
        }
        let ran: BTreeSet<u64> = self
            .state()
            .map(|state| state.running.keys().copied().collect())
            .unwrap_or_default();
        // A job that hangs is ended when its task's time is over, and not before.
        let budgets = task::table().into_iter().map(|task| task.budget_ms);
        let longest_s = budgets.max().unwrap_or(0) / 1_000;
        let until = self.world.now.mono_ns + (600 + longest_s) * SECOND;
        let mut turns = 0;
        while self.world.now.mono_ns < until && turns < 6_000 && self.world.violations.is_empty() {
            self.turn();
            turns += 1;
            let Some(state) = self.state() else { break };
            if turns > 3 && !state.running.keys().any(|id| ran.contains(id)) {
                break;
            }
        }
        let Some(engine) = &self.engine else { return };
        let mut broken = check::plans_have_ended(engine.durable(), &ran);
        if let Some(failed) = self.state_log_failed() {
            broken.push(format!(
                "healing: without faults the state still cannot be written: {failed}"
            ));
        }
        broken.into_iter().for_each(|what| self.world.violate(what));
        self.verify();
        self.kill();
        self.start();
        self.verify();
        self.intents_have_outcomes();
    }

    /// Whatever was about to be done ended, and the audit log says how.
    pub(super) fn intents_have_outcomes(&mut self) {
        let Some(engine) = &self.engine else { return };
        let running = &engine.durable().running;
        let open = self
            .world
            .intents
            .keys()
            .filter(|id| !self.world.outcomes.contains_key(id) && !running.contains_key(id));
        let open: Vec<u64> = open.copied().collect();
        // What power loss took, and what lies in an older segment, nobody can tell.
        if self.world.disk.lost == 0 && self.world.disk.torn == 0 && self.world.disk.segments().len() == 1 {
            open.into_iter().for_each(|id| {
                self.world
                    .violate(format!("audit: the intent of plan {id} has no outcome"));
            });
        }
    }

    pub(super) fn state(&self) -> Option<&Durable> {
        self.engine.as_ref().map(Engine::durable)
    }

    /// Why the state is kept in memory only, by the engine's own word.
    pub(super) fn state_log_failed(&mut self) -> Option<String> {
        let who = Who::peer(UID, None, UID);
        // Something to write, so that it finds out.
        self.request(Request::Resume { task: None });
        let status = self
            .with(|engine, hands, now| engine.request(hands, now, &who, &Request::Status))?
            .ok()?;
        status["memory_only"].as_str().map(str::to_owned)
    }
}
