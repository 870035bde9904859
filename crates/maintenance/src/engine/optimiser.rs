//! The optimiser in the running engine: what its tasks would do now, and what people ask of it.
//!
//! Invariant: everything here ends in a plan, a trial that is withdrawn, or a record of what was measured; what is in force
//! is turned by [`super::execute`] alone.

use std::collections::BTreeMap;

use lle_core::cache::{CACHES, Counted};
use lle_core::error::Code;
use lle_core::health::sample::Window;
use lle_core::lever::{self, Cost, LEVERS, Lever};
use lle_core::mode::Mode;
use lle_core::optimise::since::{Mark, SESSIONS_MAX};
use lle_core::optimise::{Costs, Opportunity, SAMPLES_MIN, targets};
use lle_core::plan::{Plan, Planned};
use lle_core::policy::{Who, sanitise};
use lle_core::task::{TaskKind, cache_cleanup, performance};
use lle_core::trial::paired;
use lle_core::trial::{Ended, Trial};
use lle_metrics::{Counter, Histogram, Timer};
use serde_json::{Value, json};

use super::Engine;
use super::audit::{Entry, name_of};
use super::observe::session::SessionState;
use crate::api::Fault;
use crate::state::Change;
use crate::world::{Now, World};

/// The least and the most active time of a trial that somebody asks for, in milliseconds.
const WITHIN_MS: std::ops::RangeInclusive<u64> = 1_000..=30 * 24 * 60 * 60 * 1_000;

impl Engine {
    /// What a run of the optimiser would do now.
    pub(super) fn plan_performance(&mut self, why: &str, now: Now, asked: bool) -> Planned {
        if let Some(why) = self.trials_wait() {
            return Planned::Nothing(why.to_owned());
        }
        let number = self.state.last_id.saturating_add(1);
        let tried: Vec<Ended> = self.state.trials_ended.iter().cloned().collect();
        let inputs = performance::Inputs {
            costs: &self.recent_costs(),
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
        let costs = self.costs_since(before);
        let updated = targets::update(before, &costs, &self.levers(), &ended, now.wall_ns);
        let Some((mut targets, differences)) = updated else {
            return;
        };
        targets.marks = self.marks();
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
    pub(super) fn plan_cache_cleanup(&mut self, why: &str, now: Now, asked: bool) -> Planned {
        let number = self.state.last_id.saturating_add(1);
        let counted = self.counted();
        let tried: Vec<Ended> = self.state.trials_ended.iter().cloned().collect();
        let inputs = cache_cleanup::Inputs {
            readings: &counted.caches,
            levers: &self.levers(),
            on_trial: self.lever_on_trial(),
            checked: (counted.checked, counted.wrong),
            parts: counted.parts,
            tried: &tried,
            now_wall_ns: now.wall_ns,
            may_try: self.trials_wait().is_none() && (asked || self.optimises()),
            asked,
        };
        let former = |name: &str| self.state.settings.get(name).cloned();
        let planned = cache_cleanup::plan(&inputs, why, former, || number);
        if matches!(planned, Planned::Do(_)) {
            self.state.last_id = number;
        }
        planned
    }

    /// The lever that is on trial, as people say it, and the number of the trial.
    pub(super) fn lever_trial(&self) -> Option<(u64, String)> {
        self.state.trials.iter().find_map(|(id, trial)| {
            let paired = trial.paired.as_ref()?;
            Some((*id, format!("{} instead of {}", trial.change, paired.current)))
        })
    }

    /// The levers that have another value than before, as people say it.
    pub(super) fn turned(&self, before: &BTreeMap<String, String>) -> Vec<String> {
        let value = |settings: &BTreeMap<String, String>, row: &lever::Row| {
            let set = settings.get(row.name).cloned();
            set.unwrap_or_else(|| row.show(row.default))
        };
        let rows = LEVERS
            .iter()
            .map(|row| (row, value(before, row), value(&self.state.settings, row)));
        rows.filter(|(_, was, is)| was != is)
            .map(|(row, was, is)| format!("{} was {was} and is {is}", row.name))
            .collect()
    }

    /// What the caches of live sessions have counted since the size of one last changed.
    fn counted(&self) -> Counted {
        let mut counted = Counted::default();
        for session in self.sessions.values().filter(|session| session.is_alive()) {
            counted.add(&session.counted());
        }
        counted
    }

    /// What live sessions have measured since the baseline was taken; all they have before the first one.
    fn costs_since(&self, baseline: Option<&targets::Targets>) -> Costs {
        let Some(baseline) = baseline else {
            return self.costs();
        };
        let mut costs = Costs::default();
        for session in self.sessions.values() {
            let taken_ns = baseline.wall_ns.max(0).cast_unsigned();
            let is_younger = session.created_wall_ns().is_some_and(|at| at >= taken_ns);
            let life = life(session.window());
            let since = match baseline.marks.get(&format!("{:016x}", session.id())) {
                Some(mark) => mark.since(&life),
                None if is_younger => life,
                // What it measured before the baseline cannot be told from what it measured since.
                None => continue,
            };
            for cost in Cost::ALL {
                costs.of_mut(*cost).merge(since.of(*cost));
            }
        }
        costs
    }

    /// What live sessions have measured by now, for the next baseline to count from.
    fn marks(&self) -> BTreeMap<String, Mark> {
        let live = self.sessions.values().filter(|session| session.is_alive());
        let of = |session: &SessionState| {
            (
                format!("{:016x}", session.id()),
                Mark::of(&life(session.window())),
            )
        };
        live.map(of).take(SESSIONS_MAX).collect()
    }

    /// What live sessions have measured since they began, all together.
    fn costs(&self) -> Costs {
        self.gather(
            |window, timer, sum| sum.merge(&window.life(timer)),
            Window::counter,
        )
    }

    /// What speaks for turning a lever now: the last minute if enough was typed in it, so that nothing is tried for what
    /// was slow last week, else all there is.
    pub(super) fn recent_costs(&self) -> Costs {
        let recent = self.gather(Window::add_to, Window::grown);
        match recent.key_to_paint.count.min(recent.highlight.count) {
            SAMPLES_MIN.. => recent,
            _ => self.costs(),
        }
    }

    fn gather(
        &self,
        add: impl Fn(&Window, Timer, &mut Histogram),
        count: impl Fn(&Window, Counter) -> u64,
    ) -> Costs {
        let mut costs = Costs {
            caches: self.counted().caches,
            ..Costs::default()
        };
        for session in self.sessions.values() {
            let window = session.window();
            add(window, Timer::KeyToPaint, &mut costs.key_to_paint);
            add(window, Timer::Highlight, &mut costs.highlight);
            add(window, Timer::Suggestion, &mut costs.suggestion);
            add(window, Timer::Completion, &mut costs.completion);
            let searches = count(window, Counter::HighlightPathLookups);
            costs.path_searches = costs.path_searches.saturating_add(searches);
        }
        costs
    }

    /// A setting has changed, or a trial of it has begun or ended: if it is the size of a cache, what was counted so far says
    /// nothing of what follows.
    pub(super) fn note_size(&mut self, setting: &str) {
        if CACHES.iter().any(|row| row.capacity.row().name == setting) {
            self.sessions.values_mut().for_each(SessionState::mark_caches);
        }
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
            return Err(Fault::new(Code::InvalidState, message)
                .with_hint(format!("another value than the one in force: {}", row.range())));
        }
        if let Some(other) = self.lever_on_trial() {
            return Err(Fault::new(Code::Busy, format!("{other} is on trial"))
                .with_hint("`lusush maint optimize --history` shows how far it is, `--withdraw` ends it"));
        }
        if let Some(why) = self.trials_wait() {
            let message = "no lever is tried while nothing may be turned";
            return Err(Fault::new(Code::InvalidState, message).with_hint(why));
        }
        let name = TaskKind::Performance.name();
        if self.config.policy.mode_max(name) < Mode::Automatic {
            let message = "the policy lets the optimiser change nothing";
            return Err(Fault::new(Code::PolicyViolation, message));
        }
        if within_ms.is_some_and(|ms| !WITHIN_MS.contains(&ms)) {
            let message = "a trial has from one second to thirty days of typing";
            return Err(Fault::new(Code::InvalidParameters, message)
                .with_hint("`--within SECONDS`, 1 to 2592000; without it a trial has four hours"));
        }
        let active_ns_max = within_ms.map_or(paired::ACTIVE_NS_MAX, |ms| ms.saturating_mul(1_000_000));
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
            true => Ok(json!({
                "trial": number,
                "tries": self.lever_trial().map(|(_, change)| change),
            })),
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
        // A trial of it compares with a value that is about to go.
        if self.lever_on_trial() == Some(lever.row().name) {
            self.withdraw_open(world, now, who)?;
        }
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
            return Err(Fault::new(Code::NotFound, "no lever is on trial").with_hint(
                "`lusush maint optimize --history` shows what was, and `--force LEVER=VALUE` tries one",
            ));
        };
        let why = format!("withdrawn by {}", name_of(who));
        self.withdraw_trial(world, now, id, &why)
            .map_err(|error| Fault::new(Code::Unavailable, error))?;
        Ok(json!({ "withdrawn": id }))
    }
}

/// What a session has measured since it began.
fn life(window: &Window) -> Costs {
    Costs {
        key_to_paint: window.life(Timer::KeyToPaint),
        highlight: window.life(Timer::Highlight),
        suggestion: window.life(Timer::Suggestion),
        completion: window.life(Timer::Completion),
        ..Costs::default()
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
        let message = match value {
            "" => format!("{name} needs a value"),
            _ => format!("{name} takes no {}", sanitise(value, 64)),
        };
        Fault::new(Code::InvalidParameters, message).with_hint(format!("it takes {}", row.range()))
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
