//! Trials in the running engine: opened by a plan, told to the sessions, heard from them, and judged.
//!
//! ```text
//!  plan { open trial } ─▸ published ─▸ sessions compare ─▸ flight files ─▸ hear ─▸ judge ┬ better ─▸ plan { use setting }
//!                                                                                     └ else ───▸ nothing to take back
//! ```
//!
//! A value on trial is in force on every other line only, and is nobody's setting: if it is not better, or nobody is
//! left to judge it, it never becomes one. While nobody may judge it, no line is typed with it either: the trial stays
//! open, sessions are not told of it, and its time stands still.
//!
//! Invariants: one lever is tried at a time; a trial ends exactly once, in the record that puts it into the history; no
//! setting is changed by the optimiser but by an authorised plan whose trial was better, or at a person's word.

use lle_core::desired;
use lle_core::error::Code;
use lle_core::lever::{Lever, Levers};
use lle_core::mode::Mode;
use lle_core::plan::{Action, Check, Plan, Step};
use lle_core::policy::Who;
use lle_core::task::TaskKind;
use lle_core::trial::paired::Paired;
use lle_core::trial::{Ended, OPEN_MAX, Otherwise, Trial, Verdict};

use super::audit::Entry;
use super::{Engine, SECOND_NS};
use crate::state::{Change, OpenTrial};
use crate::world::{Now, World};

/// How often what is heard of a trial is written, in nanoseconds: sessions say it again, and only what a session that
/// ended said in between is lost with a worker.
const KEEP_NS: u64 = 60 * SECOND_NS;
/// What is known of trials and need not survive.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    heard_ns: u64,
    kept_ns: u64,
    /// More is known than was written.
    news: bool,
}

impl Engine {
    /// Begins a comparison; one that is open already stays as it is.
    pub(super) fn open_trial<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        asked: &Action,
    ) -> Result<(), String> {
        let Action::OpenTrial {
            trial: id,
            lever,
            value,
            active_ns_max,
            forced,
        } = asked
        else {
            return Err("that opens no trial".into());
        };
        let row = Lever::named(lever)
            .map(Lever::row)
            .ok_or("there is no such lever")?;
        let candidate = row.parse(value).ok_or("the lever takes no such value")?;
        if !self.state.trials.contains_key(id) {
            if let Some(other) = self.lever_on_trial() {
                return Err(format!("{other} is on trial"));
            }
            if let Some(why) = self.trials_wait() {
                return Err(format!("no lever is tried now: {why}"));
            }
            if self.state.trials.len() >= OPEN_MAX {
                return Err(format!("{OPEN_MAX} trials are open"));
            }
            let current = row.show(self.levers().value(row.lever));
            let trial = Trial {
                change: format!("{lever} = {value}"),
                revert: Action::WithdrawTrial { trial: *id },
                metric: row.cost.name().to_owned(),
                before: lle_core::trial::Evidence::default(),
                after: lle_core::trial::Evidence::default(),
                tolerance: 0.0,
                active_ns_max: *active_ns_max,
                active_ns: 0,
                otherwise: Otherwise::Revert,
                paired: Some(Paired::new(lever, &current, &row.show(candidate), *forced)),
                configured: None,
            };
            let trial = Box::new(OpenTrial { id: *id, trial });
            self.log
                .commit(world, now, &mut self.state, Change::Trial { trial })
                .map_err(|error| format!("the trial cannot be recorded: {error}"))?;
            self.note_size(row.name);
            self.trials = Hearing {
                heard_ns: now.mono_ns,
                kept_ns: now.mono_ns,
                news: false,
            };
        }
        self.publish_now(world, now)
    }

    /// Ends a trial without a verdict, if it is open.
    pub(super) fn withdraw_trial<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        id: u64,
        why: &str,
    ) -> Result<(), String> {
        if let Some(trial) = self.state.trials.get(&id).cloned() {
            self.end_trial(world, now, id, &trial, Verdict::Withdrawn, why.to_owned(), false);
        }
        self.publish_now(world, now)
    }

    /// The lever that is tried, if one is.
    pub(super) fn lever_on_trial(&self) -> Option<&str> {
        let mut open = self
            .state
            .trials
            .values()
            .filter_map(|trial| trial.paired.as_ref());
        open.next().map(|paired| paired.lever.as_str())
    }

    /// What sessions use, by what they were told.
    pub(super) fn levers(&self) -> Levers {
        let mut levers = Levers::default();
        for (name, value) in &self.state.settings {
            // What is no lever is another's setting.
            let _ours = levers.set(name, value);
        }
        levers
    }

    /// Why no lever is tried now, in words; none if one may be.
    pub(super) fn trials_wait(&self) -> Option<&'static str> {
        let name = TaskKind::Performance.name();
        let is_paused = self.state.tasks.get(name).is_some_and(|known| known.paused);
        match (self.acts && !self.stopping, self.state.paused, is_paused) {
            (false, ..) => Some("there is no worker"),
            (_, true, _) => Some("everything is paused: `lusush maint resume`"),
            (.., true) => Some("performance is paused: `lusush maint resume performance`"),
            _ => None,
        }
    }

    /// What sessions are told to compare; nothing while nobody may judge it.
    pub(super) fn trials_to_publish(&self) -> Vec<desired::Trial> {
        if self.trials_wait().is_some() {
            return Vec::new();
        }
        let of = |(id, trial): (&u64, &Trial)| {
            let paired = trial.paired.as_ref()?;
            Some(desired::Trial {
                id: *id,
                setting: desired::Setting {
                    name: paired.lever.clone(),
                    value: paired.candidate.clone(),
                },
            })
        };
        let open = self.state.trials.iter().filter_map(of);
        open.take(desired::TRIALS_MAX).collect()
    }

    /// Takes over what sessions say of the trial that is open. Does nothing without one.
    pub(super) fn hear_trials(&mut self, now: Now) {
        let active = self.somebody_is_active(now);
        let before = std::mem::replace(&mut self.trials.heard_ns, now.mono_ns);
        // Before the first look nobody looked, either.
        let since = if before == 0 {
            0
        } else {
            now.mono_ns.saturating_sub(before)
        };
        let waits = self.trials_wait().is_some();
        for (id, trial) in &mut self.state.trials {
            if trial.paired.is_none() && trial.configured.is_none() {
                continue;
            }
            // Longer than a look nobody looked, and nobody knows whether somebody typed.
            let typed = if active && !(waits && trial.paired.is_some()) {
                since.min(2 * self.pace.look_ns)
            } else {
                0
            };
            trial.active_ns = trial.active_ns.saturating_add(typed);
            self.trials.news |= typed > 0;
            let Some(paired) = &mut trial.paired else { continue };
            for session in self.sessions.values() {
                if let Some((of, tally)) = session.trial_tally()
                    && of == *id
                {
                    self.trials.news |= paired.hear(session.id(), tally);
                }
            }
        }
    }

    /// Gives trials their verdicts.
    pub(crate) fn judge_trials<W: World>(&mut self, world: &mut W, now: Now) {
        let ids: Vec<u64> = self.state.trials.keys().copied().collect();
        for id in ids {
            let Some(mut trial) = self.state.trials.get(&id).cloned() else {
                continue;
            };
            match (&trial.configured, &trial.paired) {
                (Some(_), _) => self.judge_configuration(world, now, id, &mut trial),
                (None, None) => self.judge_before_and_after(world, now, id, &trial),
                (None, Some(_)) => self.judge_pairs(world, now, id, &mut trial),
            }
        }
    }

    fn judge_pairs<W: World>(&mut self, world: &mut W, now: Now, id: u64, trial: &mut Trial) {
        let Some(paired) = &mut trial.paired else { return };
        if !paired.forced && !self.optimises() {
            let why = "the optimiser was switched off, or may only observe or advise";
            self.end_trial(world, now, id, trial, Verdict::Withdrawn, why.into(), false);
            return;
        }
        if self.trials_wait().is_some() {
            return;
        }
        let looks = paired.looks;
        let verdict = paired.look(trial.active_ns >= trial.active_ns_max);
        let looked = paired.looks > looks;
        let Some(verdict) = verdict else {
            let due = self.trials.news && now.mono_ns.saturating_sub(self.trials.kept_ns) >= KEEP_NS;
            if looked || due {
                self.trials.kept_ns = now.mono_ns;
                self.trials.news = false;
                let trial = Box::new(OpenTrial {
                    id,
                    trial: trial.clone(),
                });
                self.keep(world, now, Change::Trial { trial });
            }
            return;
        };
        let (lever, candidate) = (paired.lever.clone(), paired.candidate.clone());
        let mut why = paired.why(verdict);
        let mut kept = false;
        if verdict == Verdict::Confirm {
            let plan = self.turn(&lever, Some(candidate.clone()), format!("trial {id}: {why}"));
            let who = Who::engine(self.config.uid);
            match self.begin(world, now, &who, plan) {
                // It stays on trial until it can be recorded.
                Err(fault) if fault.code != Code::PolicyViolation => return,
                Err(fault) => why = format!("{why}; not kept: {}", fault.message),
                Ok(_) => kept = self.state.settings.get(&lever) == Some(&candidate),
            }
        }
        self.end_trial(world, now, id, trial, verdict, why, kept);
    }

    fn judge_before_and_after<W: World>(&mut self, world: &mut W, now: Now, id: u64, trial: &Trial) {
        let Some(verdict) = trial.verdict() else { return };
        if verdict.reverts() {
            let plan = Plan {
                task: trial.change.clone(),
                why: format!("trial {id}: {verdict:?}"),
                steps: vec![Step {
                    action: trial.revert.clone(),
                    verify: Check::Published,
                    undo: None,
                }],
            };
            let who = Who::engine(self.config.uid);
            if self.begin(world, now, &who, plan).is_err() {
                // It stays on trial until it can be taken back.
                return;
            }
        }
        let why = format!(
            "{} samples before, {} since",
            trial.before.count, trial.after.count
        );
        self.end_trial(world, now, id, trial, verdict, why, !verdict.reverts());
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "all of it goes into the one record of the end"
    )]
    fn end_trial<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        id: u64,
        trial: &Trial,
        verdict: Verdict,
        why: String,
        kept: bool,
    ) {
        let paired = trial.paired.as_ref();
        let ended = Ended {
            id,
            wall_ns: now.wall_ns,
            change: trial.change.clone(),
            lever: paired.map(|paired| {
                let Paired {
                    lever,
                    current,
                    candidate,
                    ..
                } = paired.clone();
                (lever, current, candidate)
            }),
            metric: trial.metric.clone(),
            estimate: paired.and_then(|paired| paired.seen),
            active_ns: trial.active_ns,
            verdict,
            why: why.clone(),
            kept,
            config: None,
        };
        let what = format!("trial {id} of {}: {}", trial.change, verdict.name());
        self.record(world, now, &Entry::noticed(&what, &why));
        let ended = Some(Box::new(ended));
        self.keep(world, now, Change::TrialEnded { id, ended });
        if let Some(paired) = paired {
            // What was counted with the candidate says nothing of the size that stays.
            self.note_size(&paired.lever);
        }
    }

    /// Whether the optimiser may act by itself, unless it is paused.
    pub(super) fn optimises(&self) -> bool {
        let name = TaskKind::Performance.name();
        let enabled = self.state.tasks.get(name).is_some_and(|known| known.task.enabled);
        enabled && self.mode_of(name) == Mode::Automatic
    }

    /// A plan that turns a lever, or lets it go back to its default.
    pub(super) fn turn(&self, lever: &str, value: Option<String>, why: String) -> Plan {
        let setting = |value| Action::UseSetting {
            name: lever.to_owned(),
            value,
        };
        Plan {
            task: TaskKind::Performance.name().to_owned(),
            why,
            steps: vec![Step {
                action: setting(value),
                verify: Check::Published,
                undo: Some(setting(self.state.settings.get(lever).cloned())),
            }],
        }
    }
}
