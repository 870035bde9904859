//! The performance optimiser: look for what is slow, try a lever, compare, keep what is proven.
//!
//! A run opens a trial at most; whether the value stays is decided by its pairs, days later perhaps. One lever is tried
//! at a time: two at once would be told apart only by four kinds of lines, and twice the typing.

use super::{Priority, Task, TaskKind};
use crate::lever::Levers;
use crate::optimise::{self, Costs, Opportunity, SAMPLES_MIN};
use crate::plan::{Action, Check, Plan, Planned, Step};
use crate::quantity::age;
use crate::schedule::Schedule;
use crate::trial::{Ended, paired};

pub(super) fn task() -> Task {
    Task::shipped(
        TaskKind::Performance,
        "Looks for what is slow, changes it, and keeps only what is proven to help.",
        Priority::High,
        Schedule::Every { seconds: 2 * 60 * 60 },
    )
}

/// What a run goes by.
pub struct Inputs<'a> {
    /// What sessions have measured.
    pub costs: &'a Costs,
    /// What they use.
    pub levers: &'a Levers,
    /// The lever that is on trial, if one is.
    pub on_trial: Option<&'a str>,
    /// What was tried before.
    pub tried: &'a [Ended],
    /// Now, in nanoseconds since 1970.
    pub now_wall_ns: i64,
    /// A person asked for the run.
    pub asked: bool,
}

/// Plans a trial of what may gain most; `number` is the trial's.
pub fn plan(inputs: &Inputs<'_>, why: &str, number: impl FnOnce() -> u64) -> Planned {
    if let Some(lever) = inputs.on_trial {
        return Planned::Nothing(format!("{lever} is on trial"));
    }
    let found = optimise::opportunities(inputs.costs, inputs.levers, inputs.tried, inputs.now_wall_ns);
    match found.first() {
        Some(first) => Planned::Do(Plan {
            task: TaskKind::Performance.name().to_owned(),
            why: format!("{why}: {}", first.evidence),
            steps: vec![trial(first, number(), paired::ACTIVE_NS_MAX, inputs.asked)],
        }),
        None => Planned::Nothing(why_none(
            inputs.costs,
            inputs.levers,
            inputs.tried,
            inputs.now_wall_ns,
        )),
    }
}

/// Why there is no opportunity.
pub fn why_none(costs: &Costs, levers: &Levers, tried: &[Ended], now_wall_ns: i64) -> String {
    if let Some(left) = optimise::left_alone(costs, levers, tried, now_wall_ns) {
        let row = left.found.lever.row();
        let change = format!("{} = {}", row.name, row.show(left.found.candidate));
        let ago = now_wall_ns.saturating_sub(left.trial.wall_ns).unsigned_abs();
        return format!(
            "{change} may save {:.0} % of {}, but was tried {} ago ({}), and is left alone for {} more; \
             `lusush maint optimize --force {}={}` tries it all the same",
            left.found.gain * 100.0,
            row.cost.name(),
            age(ago),
            left.trial.verdict.name(),
            age(left.left_ns.unsigned_abs()),
            row.name,
            row.show(left.found.candidate)
        );
    }
    match costs.key_to_paint.count {
        paints if paints < SAMPLES_MIN => {
            format!("too little was measured: {paints} paints, and {SAMPLES_MIN} are the least")
        }
        _ => "nothing that was measured is slow enough for a lever".into(),
    }
}

/// The step that opens a trial.
pub fn trial(of: &Opportunity, number: u64, active_ns_max: u64, forced: bool) -> Step {
    let row = of.lever.row();
    Step {
        action: Action::OpenTrial {
            trial: number,
            lever: row.name.to_owned(),
            value: row.show(of.candidate),
            active_ns_max,
            forced,
        },
        verify: Check::Published,
        undo: Some(Action::WithdrawTrial { trial: number }),
    }
}
