//! Trials in the running engine: opened by a plan, told to the sessions, heard from them, and judged.
//!
//! ```text
//!  plan { open trial } ─▸ published ─▸ sessions compare ─▸ flight files ─▸ hear ─▸ judge ┬ better ─▸ plan { use setting }
//!                                                                                     └ else ───▸ nothing to take back
//! ```
//!
//! A value on trial is in force on every other line only, and is nobody's setting: if it is not better, or nobody is
//! left to judge it, it never becomes one.
//!
//! Invariants: one lever is tried at a time; a trial ends exactly once, in the record that puts it into the history; no
//! setting is changed by the optimiser but by an authorised plan whose trial was better, or at a person's word.

use lle_core::cache::{CACHES, Reading};
use lle_core::desired;
use lle_core::error::Code;
use lle_core::lever::{LEVERS, Lever, Levers};
use lle_core::mode::Mode;
use lle_core::optimise::{self, Costs, Opportunity, targets};
use lle_core::plan::{Action, Check, Plan, Planned, Step};
use lle_core::policy::{Who, sanitise};
use lle_core::task::{TaskKind, cache_cleanup, performance};
use lle_core::trial::paired::{self, Paired};
use lle_core::trial::{Ended, OPEN_MAX, Otherwise, Trial, Verdict};
use lle_metrics::{Counter, Gauge, Timer};
use serde_json::{Value, json};

use super::audit::{Entry, name_of};
use super::{Engine, SECOND_NS};
use crate::api::{
    BaselineDocument, EstimateDocument, Fault, LeverDocument, OpportunityDocument, TargetDocument,
    TrialDocument, TrialsDocument, VERSION,
};
use crate::state::{Change, OpenTrial};
use crate::world::{Now, World};

/// How often what is heard of a trial is written, in nanoseconds: sessions say it again, and only what a session that
/// ended said in between is lost with a worker.
const KEEP_NS: u64 = 60 * SECOND_NS;
/// The least and the most active time of a trial that somebody asks for, in milliseconds.
const WITHIN_MS: std::ops::RangeInclusive<u64> = 1..=30 * 24 * 60 * 60 * 1_000;

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
            };
            let trial = Box::new(OpenTrial { id: *id, trial });
            self.log
                .commit(world, now, &mut self.state, Change::Trial { trial })
                .map_err(|error| format!("the trial cannot be recorded: {error}"))?;
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

    /// What sessions are told to compare.
    pub(super) fn trials_to_publish(&self) -> Vec<desired::Trial> {
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
        for (id, trial) in &mut self.state.trials {
            let Some(paired) = &mut trial.paired else { continue };
            // Longer than a look nobody looked, and nobody knows whether somebody typed.
            let typed = if active {
                since.min(2 * self.pace.look_ns)
            } else {
                0
            };
            trial.active_ns = trial.active_ns.saturating_add(typed);
            self.trials.news |= typed > 0;
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
            match trial.paired {
                None => self.judge_before_and_after(world, now, id, &trial),
                Some(_) => self.judge_pairs(world, now, id, &mut trial),
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
        };
        let what = format!("trial {id} of {}: {}", trial.change, verdict.name());
        self.record(world, now, &Entry::noticed(&what, &why));
        let ended = Some(Box::new(ended));
        self.keep(world, now, Change::TrialEnded { id, ended });
    }

    /// Whether the optimiser may act by itself.
    fn optimises(&self) -> bool {
        let name = TaskKind::Performance.name();
        let enabled = self.state.tasks.get(name).is_some_and(|known| known.task.enabled);
        enabled && self.mode_of(name) == Mode::Automatic
    }

    /// A plan that turns a lever, or lets it go back to its default.
    fn turn(&self, lever: &str, value: Option<String>, why: String) -> Plan {
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

    /// What a run of the optimiser would do now.
    pub(super) fn plan_performance(&mut self, why: &str, now: Now, asked: bool) -> Planned {
        let number = self.state.last_id.saturating_add(1);
        let tried: Vec<Ended> = self.state.trials_ended.iter().cloned().collect();
        let inputs = performance::Inputs {
            costs: &self.costs(),
            levers: &self.levers(),
            on_trial: self.lever_on_trial(),
            tried: &tried,
            now_wall_ns: now.wall_ns,
            asked,
        };
        let planned = performance::plan(&inputs, why, || number);
        if matches!(planned, Planned::Do(_)) {
            self.state.last_id = number;
        }
        planned
    }

    /// Takes the weekly baseline of performance, if it is due.
    pub(super) fn update_targets<W: World>(&mut self, world: &mut W, now: Now) {
        // Due once a week, and known from a look.
        if self.looked_at != Some(now) {
            return;
        }
        let is_fresh = |at: i64| (0..targets::WEEK_NS).contains(&now.wall_ns.saturating_sub(at));
        if self
            .state
            .targets
            .as_ref()
            .is_some_and(|targets| is_fresh(targets.wall_ns))
        {
            return;
        }
        let ended: Vec<Ended> = self.state.trials_ended.iter().cloned().collect();
        let before = self.state.targets.as_ref();
        let updated = targets::update(before, &self.costs(), &self.levers(), &ended, now.wall_ns);
        let Some((targets, differences)) = updated else {
            return;
        };
        let said = match differences.is_empty() {
            true => "nothing is different".to_owned(),
            false => differences.join("; "),
        };
        self.record(
            world,
            now,
            &Entry::noticed("the weekly baseline of performance", &said),
        );
        let targets = Box::new(targets);
        self.keep(world, now, Change::Targets { targets });
    }

    /// What a run of the cache maintenance would do now.
    pub(super) fn plan_cache_cleanup(&self, why: &str) -> Planned {
        let mut checked = (0u64, 0u64);
        let mut readings = vec![None; CACHES.len()];
        for session in self.sessions.values().filter(|session| session.is_alive()) {
            let window = session.window();
            for (sum, row) in readings.iter_mut().zip(CACHES) {
                if let Some(reading) = Reading::of(row, window) {
                    sum.get_or_insert_with(Reading::default).add(&reading);
                }
            }
            let gauge = |gauge| window.gauge(gauge).map_or(0, |n| n.max(0).cast_unsigned());
            checked.0 = checked.0.saturating_add(gauge(Gauge::CachesChecked));
            checked.1 = checked.1.saturating_add(gauge(Gauge::CachesWrong));
        }
        let inputs = cache_cleanup::Inputs {
            readings: &readings,
            levers: &self.levers(),
            on_trial: self.lever_on_trial(),
            checked,
        };
        cache_cleanup::plan(&inputs, why, |name| self.state.settings.get(name).cloned())
    }

    /// What live sessions have measured since they began, all together.
    fn costs(&self) -> Costs {
        let mut costs = Costs::default();
        for session in self.sessions.values() {
            let window = session.window();
            costs.key_to_paint.merge(&window.life(Timer::KeyToPaint));
            costs.highlight.merge(&window.life(Timer::Highlight));
            costs.suggestion.merge(&window.life(Timer::Suggestion));
            costs.completion.merge(&window.life(Timer::Completion));
            let add = |sum: u64, counter| sum.saturating_add(window.counter(counter));
            costs.path_searches = add(costs.path_searches, Counter::HighlightPathLookups);
            costs.completions_late = add(costs.completions_late, Counter::CompletionsLate);
        }
        costs
    }

    /// Opens a trial that a person asks for, `LEVER=VALUE`.
    pub(super) fn force_trial<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        asked: &str,
        within_ms: Option<u64>,
    ) -> Result<Value, Fault> {
        let (lever, candidate) = named(asked)?;
        let row = lever.row();
        if self.levers().value(lever) == candidate {
            let message = format!("{} is {} already", row.name, row.show(candidate));
            return Err(Fault::new(Code::InvalidState, message));
        }
        if let Some(other) = self.lever_on_trial() {
            return Err(Fault::new(Code::Busy, format!("{other} is on trial"))
                .with_hint("`lusush maint optimize --history` shows how far it is, `--withdraw` ends it"));
        }
        let name = TaskKind::Performance.name();
        if self.config.policy.mode_max(name) < Mode::Automatic {
            let message = "the policy lets the optimiser change nothing";
            return Err(Fault::new(Code::PolicyViolation, message));
        }
        let within = within_ms.map(|ms| ms.clamp(*WITHIN_MS.start(), *WITHIN_MS.end()));
        let active_ns_max = within.map_or(paired::ACTIVE_NS_MAX, |ms| ms.saturating_mul(1_000_000));
        let number = self.state.next_id();
        let found = Opportunity {
            lever,
            candidate,
            gain: 0.0,
            evidence: String::new(),
        };
        let plan = Plan {
            task: name.to_owned(),
            why: format!("asked for by {}", name_of(who)),
            steps: vec![performance::trial(&found, number, active_ns_max, true)],
        };
        self.begin(world, now, who, plan)?;
        match self.state.trials.contains_key(&number) {
            true => Ok(json!({ "trial": number })),
            false => Err(Fault::new(Code::Undone, "the trial could not be published")
                .with_hint("`lusush doctor` says more about folders")),
        }
    }

    /// Lets a lever go back to its default.
    pub(super) fn reset_lever<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        name: &str,
    ) -> Result<Value, Fault> {
        let lever = Lever::named(name).ok_or_else(|| no_lever(name))?;
        let plan = self.turn(lever.row().name, None, format!("asked for by {}", name_of(who)));
        self.begin(world, now, who, plan)?;
        Ok(json!({ "reset": lever.row().name }))
    }

    /// Ends the trial that is open, at a person's word.
    pub(super) fn withdraw_open<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
    ) -> Result<Value, Fault> {
        let of = |(id, trial): (&u64, &Trial)| trial.paired.as_ref().map(|_| *id);
        let Some(id) = self.state.trials.iter().find_map(of) else {
            return Err(Fault::new(Code::NotFound, "no lever is on trial"));
        };
        let why = format!("withdrawn by {}", name_of(who));
        self.withdraw_trial(world, now, id, &why)
            .map_err(|error| Fault::new(Code::Unavailable, error))?;
        Ok(json!({ "withdrawn": id }))
    }

    /// What is tried, what was, and what would be worth it.
    pub(super) fn trials(&self, now: Now) -> TrialsDocument {
        let levers = self.levers();
        let tried: Vec<Ended> = self.state.trials_ended.iter().cloned().collect();
        let name = TaskKind::Performance.name();
        TrialsDocument {
            version: VERSION,
            now_wall_ns: now.wall_ns,
            mode: self.mode_of(name).name().to_owned(),
            levers: LEVERS.iter().map(|row| lever(row, &levers)).collect(),
            opportunities: optimise::opportunities(&self.costs(), &levers, &tried, now.wall_ns)
                .iter()
                .map(|found| opportunity(found, &levers))
                .collect(),
            baseline: self.state.targets.as_ref().map(baseline),
            open: self
                .state
                .trials
                .iter()
                .map(|(id, trial)| open(*id, trial))
                .collect(),
            ended: tried.iter().map(ended).collect(),
        }
    }
}

fn named(asked: &str) -> Result<(Lever, u64), Fault> {
    let (name, value) = asked.split_once('=').ok_or_else(|| {
        Fault::new(Code::InvalidParameters, "a lever and a value: LEVER=VALUE")
            .with_hint("`lusush maint optimize --history` lists the levers")
    })?;
    let lever = Lever::named(name).ok_or_else(|| no_lever(name))?;
    let row = lever.row();
    let value = row.parse(value).ok_or_else(|| {
        let message = format!("{name} takes no {}", sanitise(value, 64));
        Fault::new(Code::InvalidParameters, message).with_hint(row.range())
    })?;
    Ok((lever, value))
}

fn no_lever(name: &str) -> Fault {
    Fault::new(
        Code::NotFound,
        format!("there is no lever {}", sanitise(name, 64)),
    )
    .with_hint("`lusush maint optimize --history` lists them")
}

fn lever(row: &lle_core::lever::Row, levers: &Levers) -> LeverDocument {
    LeverDocument {
        name: row.name.to_owned(),
        value: row.show(levers.value(row.lever)),
        default: row.show(row.default),
        range: row.range(),
        component: row.component.to_owned(),
        cost: row.cost.name().to_owned(),
        about: row.about.to_owned(),
    }
}

fn opportunity(found: &Opportunity, levers: &Levers) -> OpportunityDocument {
    let row = found.lever.row();
    OpportunityDocument {
        lever: row.name.to_owned(),
        current: row.show(levers.value(found.lever)),
        candidate: row.show(found.candidate),
        cost: row.cost.name().to_owned(),
        gain_percent: found.gain * 100.0,
        evidence: found.evidence.clone(),
    }
}

fn open(id: u64, trial: &Trial) -> TrialDocument {
    let paired = trial.paired.as_ref();
    TrialDocument {
        id,
        change: trial.change.clone(),
        lever: paired.map(|paired| paired.lever.clone()),
        current: paired.map(|paired| paired.current.clone()),
        candidate: paired.map(|paired| paired.candidate.clone()),
        metric: trial.metric.clone(),
        pairs: paired.map_or(0, Paired::pairs),
        pairs_next: paired.and_then(|paired| paired::LOOKS.get(paired.looks).copied()),
        // What is seen between two looks decides nothing, so it is not shown either.
        estimate: paired.and_then(|paired| paired.seen.as_ref()).map(estimate),
        active_ns: trial.active_ns,
        active_ns_max: Some(trial.active_ns_max),
        verdict: None,
        why: None,
        kept: false,
        ended_wall_ns: None,
    }
}

fn ended(ended: &Ended) -> TrialDocument {
    let lever = ended.lever.clone();
    TrialDocument {
        id: ended.id,
        change: ended.change.clone(),
        lever: lever.as_ref().map(|lever| lever.0.clone()),
        current: lever.as_ref().map(|lever| lever.1.clone()),
        candidate: lever.map(|lever| lever.2),
        metric: ended.metric.clone(),
        pairs: ended.estimate.map_or(0, |estimate| estimate.pairs),
        pairs_next: None,
        estimate: ended.estimate.as_ref().map(estimate),
        active_ns: ended.active_ns,
        active_ns_max: None,
        verdict: Some(ended.verdict.name().to_owned()),
        why: Some(ended.why.clone()),
        kept: ended.kept,
        ended_wall_ns: Some(ended.wall_ns),
    }
}

fn baseline(targets: &targets::Targets) -> BaselineDocument {
    let of = |(cost, target): (&String, &targets::Target)| TargetDocument {
        cost: cost.clone(),
        usual_ns: target.usual_ns,
        target_ns: target.target_ns,
    };
    BaselineDocument {
        taken_wall_ns: targets.wall_ns,
        costs: targets.costs.iter().map(of).collect(),
        levers: targets.levers.clone(),
    }
}

fn estimate(seen: &paired::Estimate) -> EstimateDocument {
    let percent = |ratio: f64| (ratio - 1.0) * 100.0;
    EstimateDocument {
        percent: percent(seen.ratio),
        percent_low: percent(seen.low),
        percent_high: percent(seen.high),
        current_ns: seen.current_ns,
        candidate_ns: seen.candidate_ns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lle_core::lever::Cost;

    #[test]
    fn every_cost_is_a_timer() {
        for cost in Cost::ALL {
            let is_timer = Timer::ALL.iter().any(|timer| timer.name() == cost.name());
            assert!(is_timer, "{}", cost.name());
        }
    }
}
