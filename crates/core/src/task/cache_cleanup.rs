//! Cache maintenance: give the memory to the cache that would use it, and say how all of them are doing.
//!
//! Sessions remove what is expired themselves, at each prompt, and check a sample of the rest while nobody types; what
//! they found is in their flight files. What is left to decide for all of them is who gets how much room. Once a day, at
//! night: whoever sleeps through it catches up in the morning.

use super::{Priority, Task, TaskKind};
use crate::cache::{CACHES, PromptParts, Reading, rebalance};
use crate::lever::Levers;
use crate::plan::{Action, Check, Plan, Planned, Step};
use crate::quantity;
use crate::schedule::Schedule;

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
}

/// Plans to move memory from cache to cache; `former` is what a setting is now.
pub fn plan(inputs: &Inputs<'_>, why: &str, former: impl Fn(&str) -> Option<String>) -> Planned {
    let moves = rebalance(inputs.readings, inputs.levers);
    let on_trial = |name: &str| inputs.on_trial == Some(name);
    if moves.is_empty() || moves.iter().any(|found| on_trial(found.lever.row().name)) {
        return Planned::Nothing(state(inputs));
    }
    let step = |found: &crate::cache::Move| {
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
    let gain = moves.iter().map(|found| found.gain).fold(0.0, f64::max);
    Planned::Do(Plan {
        task: TaskKind::CacheCleanup.name().to_owned(),
        why: format!(
            "{why}: more room would have answered {:.0} % of what was asked; {}",
            gain * 100.0,
            state(inputs)
        ),
        steps: moves.iter().map(step).collect(),
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
    parts.push(format!(
        "{} of {} checked were wrong",
        quantity::count(wrong),
        quantity::several(checked, "entry", "entries")
    ));
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
        };
        let planned = plan(&inputs, "test", |_| None);
        let Planned::Do(planned) = planned else {
            panic!("{planned:?}")
        };
        planned.check().unwrap();
        insta::assert_snapshot!(planned.why, @"test: more room would have answered 25 % of what was asked; names: no session tells; suggestion: 0 % of 1,000 found; completion: never asked; 1 of 40 entries checked were wrong");
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
        let name = "suggestion.cache_entries".to_owned();
        let setting = |value| Action::UseSetting {
            name: name.clone(),
            value,
        };
        assert_eq!(planned.steps[0].action, setting(Some("64".into())));
        assert_eq!(planned.steps[0].undo, Some(setting(None)));
        inputs.on_trial = Some(&name);
        assert!(matches!(plan(&inputs, "test", |_| None), Planned::Nothing(_)));
    }
}
