//! Cache maintenance: give the memory to the cache that would use it, and say how all of them are doing.
//!
//! Sessions remove what is expired themselves, at each prompt, and check a sample of the rest while nobody types; what
//! they found is in their flight files. What is left to decide for all of them is who gets how much room. Once a day, at
//! night: whoever sleeps through it catches up in the morning.
//!
//! More room is a trial like any other turn of a lever: it stays only if lines are proven faster by it. Room that one cache
//! never filled may go to another at once: what was never used is missed by nobody, and the settings can be taken back.

use super::{Priority, Task, TaskKind, performance};
use crate::cache::{CACHES, Move, PromptParts, Reading, rebalance};
use crate::lever::Levers;
use crate::optimise;
use crate::plan::{Action, Check, Plan, Planned, Step};
use crate::quantity;
use crate::schedule::Schedule;
use crate::trial::{Ended, paired};

pub(super) fn task() -> Task {
    Task::shipped(
        TaskKind::CacheCleanup,
        "Gives memory to the cache that wins most by it, and checks a sample of what caches hold.",
        Priority::Low,
        Schedule::Cron {
            text: "20 4 * * *".into(),
        },
    )
}

/// Why no entry was checked.
pub const NONE_CHECKED: &str = "no entry was checked: out of the box none outlives its line, so none can be out of date; with names.keep = path names do, and are checked";

/// What a run goes by.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Each cache of [`CACHES`], of all sessions together; none where no session tells.
    pub readings: &'a [Option<Reading>],
    /// What sessions use.
    pub levers: &'a Levers,
    /// A lever that is on trial: what it moves is not moved from here.
    pub on_trial: Option<&'a str>,
    /// Entries that sessions checked, and those that were found wrong.
    pub checked: (u64, u64),
    /// Parts of prompts that are put off; none where nothing is.
    pub parts: Option<PromptParts>,
    /// What was tried before.
    pub tried: &'a [Ended],
    /// Now, in nanoseconds since 1970.
    pub now_wall_ns: i64,
    /// Whether a trial may be opened: the optimiser is on, or a person asks.
    pub may_try: bool,
    /// A person asked for the run.
    pub asked: bool,
}

/// Plans to give a cache more room, on trial; `former` is what a setting is now, `number` the trial's.
pub fn plan(
    inputs: &Inputs<'_>,
    why: &str,
    former: impl Fn(&str) -> Option<String>,
    number: impl FnOnce() -> u64,
) -> Planned {
    let nothing = |because: Option<String>| {
        let parts = because.into_iter().chain([state(inputs)]).collect::<Vec<_>>();
        Planned::Nothing(parts.join("; "))
    };
    let moves = rebalance(inputs.readings, inputs.levers);
    let Some((grows, shrink)) = moves.split_last() else {
        return nothing(None);
    };
    if let Some(lever) = inputs.on_trial {
        return nothing(Some(format!("{lever} is on trial")));
    }
    let found = optimise::room(grows, inputs.readings, inputs.levers);
    let row = found.lever.row();
    if optimise::is_settled(&found, inputs.levers, inputs.tried, inputs.now_wall_ns) {
        let said = format!(
            "{} = {} was tried not long ago",
            row.name,
            row.show(found.candidate)
        );
        return nothing(Some(said));
    }
    if !inputs.may_try {
        return nothing(Some("the optimiser is off, and more room is a trial".into()));
    }
    let give = |found: &Move| {
        let row = found.lever.row();
        let setting = |value| Action::UseSetting {
            name: row.name.to_owned(),
            value,
        };
        Step {
            action: setting(Some(row.show(found.entries))),
            verify: Check::Published,
            undo: Some(setting(former(row.name))),
        }
    };
    let mut steps: Vec<Step> = shrink.iter().map(give).collect();
    steps.push(performance::trial(
        &found,
        number(),
        paired::ACTIVE_NS_MAX,
        inputs.asked,
    ));
    Planned::Do(Plan {
        task: TaskKind::CacheCleanup.name().to_owned(),
        why: format!("{why}: {}; {}", found.evidence, state(inputs)),
        steps,
    })
}

/// How the caches are doing, in words.
fn state(inputs: &Inputs<'_>) -> String {
    let of = |(row, reading): (&crate::cache::Row, &Option<Reading>)| {
        let Some(reading) = reading else {
            return format!("{}: no session tells", row.name);
        };
        match reading.hit_percent() {
            Some(percent) => format!(
                "{}: {percent:.0} % of {} found",
                row.name,
                quantity::count(reading.asked())
            ),
            None => format!("{}: never asked", row.name),
        }
    };
    let (checked, wrong) = inputs.checked;
    let mut parts: Vec<String> = CACHES.iter().zip(inputs.readings).map(of).collect();
    parts.push(match checked {
        0 => NONE_CHECKED.to_owned(),
        _ => format!(
            "{} of {} checked were wrong",
            quantity::count(wrong),
            quantity::several(checked, "entry", "entries")
        ),
    });
    parts.extend(inputs.parts.map(|of| prompt_parts(&of)));
    parts.join("; ")
}

fn prompt_parts(of: &PromptParts) -> String {
    let shown = of.kept.asked().saturating_add(of.fresh);
    let age = of.age_ns.map_or(String::new(), |ns| {
        format!(", the last one {} old", quantity::duration(ns as f64))
    });
    format!(
        "prompt parts: {} shown, {} of them older{age}; {} came later, of which {} were other",
        quantity::count(shown),
        quantity::count(of.kept.hits),
        quantity::count(of.late),
        quantity::count(of.differed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_moves_memory_and_can_be_undone() {
        let wants = Reading {
            misses: 1_000,
            ghost_hits: 250,
            ..Reading::default()
        };
        let readings = [None, Some(wants), Some(Reading::default())];
        let levers = Levers::default();
        let mut inputs = Inputs {
            readings: &readings,
            levers: &levers,
            on_trial: None,
            checked: (40, 1),
            parts: None,
            tried: &[],
            now_wall_ns: 0,
            may_try: true,
            asked: false,
        };
        let plan = |inputs: &Inputs<'_>| plan(inputs, "test", |_| None, || 7);
        let planned = plan(&inputs);
        let Planned::Do(planned) = planned else {
            panic!("{planned:?}")
        };
        planned.check().unwrap();
        insta::assert_snapshot!(planned.why, @"test: the suggestion cache answers 0 % of 1,000 questions with 0 entries, 0 of which let go, and 64 would have answered 25 % more; names: no session tells; suggestion: 0 % of 1,000 found; completion: never asked; 1 of 40 entries checked were wrong");
        inputs.parts = Some(PromptParts {
            kept: Reading {
                hits: 40,
                misses: 2,
                ..Reading::default()
            },
            fresh: 3,
            late: 30,
            differed: 4,
            age_ns: Some(7_000_000_000),
        });
        let said = state(&inputs);
        let said = said.rsplit_once("wrong; ").map(|(_, parts)| parts);
        assert_eq!(
            said,
            Some(
                "prompt parts: 45 shown, 40 of them older, the last one 7 s old; 30 came later, of which 4 were other"
            )
        );
        let Action::OpenTrial {
            trial: 7,
            lever,
            value,
            forced: false,
            ..
        } = &planned.steps[0].action
        else {
            panic!("{:?} opens no trial", planned.steps)
        };
        assert_eq!(
            (lever.as_str(), value.as_str()),
            ("suggestion.cache_entries", "64")
        );
        assert_eq!(planned.steps[0].undo, Some(Action::WithdrawTrial { trial: 7 }));
        let nothing = |inputs: &Inputs<'_>, expect: &str| match plan(inputs) {
            Planned::Nothing(said) => assert!(said.starts_with(expect), "{said}"),
            planned => panic!("{planned:?}"),
        };
        inputs.may_try = false;
        nothing(&inputs, "the optimiser is off");
        inputs.may_try = true;
        let tried = [Ended {
            id: 3,
            wall_ns: 0,
            change: String::new(),
            lever: Some((lever.clone(), "0".into(), "64".into())),
            metric: "suggestion".into(),
            estimate: None,
            active_ns: 0,
            verdict: crate::trial::Verdict::InconclusiveReverted,
            why: String::new(),
            kept: false,
            config: None,
        }];
        inputs.tried = &tried;
        nothing(&inputs, "suggestion.cache_entries = 64 was tried not long ago");
        inputs.tried = &[];
        inputs.on_trial = Some("names.keep");
        nothing(&inputs, "names.keep is on trial");
        inputs.on_trial = None;
        inputs.checked = (0, 0);
        inputs.readings = &[];
        nothing(&inputs, NONE_CHECKED);
    }

    #[test]
    fn room_that_was_never_filled_is_given_at_once_and_what_it_is_for_is_tried() {
        let wants = Reading {
            misses: 1_000,
            evictions: 400,
            ghost_hits: 250,
            entries: 512,
            ..Reading::default()
        };
        let idle = Reading {
            hits: 900,
            misses: 100,
            entries: 40,
            ..Reading::default()
        };
        let mut levers = Levers::default();
        levers.turn(crate::lever::Lever::SuggestionCacheEntries, 512);
        let inputs = Inputs {
            readings: &[Some(idle), Some(wants), None],
            levers: &levers,
            on_trial: None,
            checked: (40, 0),
            parts: None,
            tried: &[],
            now_wall_ns: 0,
            may_try: true,
            asked: false,
        };
        let Planned::Do(planned) = plan(&inputs, "test", |_| None, || 7) else {
            panic!("a plan")
        };
        planned.check().unwrap();
        let setting = |value: Option<&str>| Action::UseSetting {
            name: "names.cache_entries".into(),
            value: value.map(str::to_owned),
        };
        assert_eq!(planned.steps[0].action, setting(Some("448")));
        assert_eq!(planned.steps[0].undo, Some(setting(None)));
        assert!(matches!(&planned.steps[1].action, Action::OpenTrial { value, .. } if value == "576"));
    }
}
