//! Plans put together at random, of every kind of step, sound and unsound.

use std::collections::BTreeMap;

use lle_core::plan::{Action, Check, LogName, Plan, Step};
use lle_core::policy::Who;

use super::{Expect, Run, SETTINGS, UID};

impl Run {
    /// A plan with something to take back.
    pub(super) fn propose(&mut self) {
        let Some(engine) = &self.engine else { return };
        let state = engine.durable();
        if state
            .running
            .values()
            .any(|running| running.plan.task == "settings")
            || !self.expected.is_empty()
        {
            return;
        }
        let settings = state.settings.clone();
        self.plans += 1;
        let why = format!("plan {} of the simulator", self.plans);
        let mut expect = Expect {
            why: why.clone(),
            former: BTreeMap::new(),
            after: BTreeMap::new(),
        };
        let segment = self.world.disk.segments().last().copied().unwrap_or(0);
        let random = &mut self.world.random;
        let mut steps = Vec::new();
        for _ in 0..1 + random.below(if random.clone().once_in(4) { 40 } else { 4 }) {
            let name = (*random.pick(&SETTINGS)).to_owned();
            let before = expect
                .after
                .get(&name)
                .cloned()
                .unwrap_or_else(|| settings.get(&name).cloned());
            let value = (!random.once_in(5)).then(|| format!("value {}", random.below(1_000)));
            expect
                .former
                .entry(name.clone())
                .or_insert_with(|| settings.get(&name).cloned());
            expect.after.insert(name.clone(), value.clone());
            let undo = if self.options.broken_undo {
                value.clone()
            } else {
                before
            };
            steps.push(Step {
                action: Action::UseSetting {
                    name: name.clone(),
                    value,
                },
                verify: Check::Published,
                undo: Some(Action::UseSetting { name, value: undo }),
            });
        }
        let (log, dead) = (LogName::Audit, random.draw());
        let session = self.world.sessions.first().map_or(dead, |session| session.id);
        let last = match random.below(6) {
            0 => Some((
                Action::TrimSession {
                    session: dead,
                    token: 1,
                },
                Check::SessionAnswered { within_ms: 1_000 },
            )),
            1 => Some((
                Action::TrimSession {
                    session,
                    token: u64::MAX >> 2,
                },
                Check::SessionAnswered { within_ms: 9_000 },
            )),
            2 | 3 => Some((
                Action::RunCommand {
                    command: vec!["apply".into()],
                    budget_ms: 30_000,
                },
                Check::ExitZero,
            )),
            4 => Some((
                Action::OpenSegment {
                    log,
                    segment: segment + 1,
                },
                Check::SegmentOpen,
            )),
            _ => None,
        };
        steps.extend(last.map(|(action, verify)| Step {
            action,
            verify,
            undo: None,
        }));
        if random.once_in(6) && segment > 1 {
            let keep = segment - 1;
            steps.push(Step {
                action: Action::RemoveSegmentsBelow { log, segment: keep },
                verify: Check::SegmentsGone,
                undo: None,
            });
        }
        steps.truncate(lle_core::plan::STEPS_MAX);
        let plan = Plan {
            task: "settings".into(),
            why,
            steps,
        };
        if plan.check().is_err() {
            return;
        }
        self.world
            .tell(|| format!("proposed: {} steps, {}", plan.steps.len(), plan.why));
        self.expected.push(expect);
        let who = Who::peer(UID, None, UID);
        let begun = self.with(|engine, hands, now| engine.propose(hands, now, &who, plan));
        self.world.tell(|| format!("proposed: {begun:?}"));
        if let Some(Err(_)) = begun {
            self.expected.clear();
        }
    }
}
