//! What must hold after every event, each a function with a name.

use std::collections::BTreeSet;

use lle_core::schedule::Schedule;
use lle_core::task::statistics::Outcome;
use lle_maintenance::state::Durable;
use lle_maintenance::world::{File, Now};

use crate::world::World;

/// Plans at a time, as the engine promises.
const RUNNING_MAX: usize = 4;
/// Tasks: ten and those that were registered.
const TASKS_MAX: usize = 10 + 256;
/// Plans that are remembered because they could not be taken back.
const STUCK_MAX: usize = 64;
/// Bytes of the state's log: what makes it begin anew, and once more for what the new one begins with.
const STATE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Everything that holds of any state at any time.
pub fn state(world: &World, state: &Durable, now: Now) -> Vec<String> {
    let mut broken = Vec::new();
    broken.extend(queues_are_bounded(world, state));
    broken.extend(statistics_add_up(state));
    broken.extend(nothing_waits_longer_than_its_period(state, now));
    broken.extend(numbers_are_not_given_twice(state));
    broken
}

/// Nothing grows without bound.
pub fn queues_are_bounded(world: &World, state: &Durable) -> Vec<String> {
    let found = [
        ("running plans", state.running.len(), RUNNING_MAX),
        ("incidents", state.incidents.len(), 64),
        (
            "open alerts",
            state.alerts.open().count(),
            lle_core::alert::OPEN_MAX,
        ),
        (
            "past alerts",
            state.alerts.history().count(),
            lle_core::alert::HISTORY_MAX,
        ),
        ("tasks", state.tasks.len(), TASKS_MAX),
        ("modes", state.modes.len(), TASKS_MAX),
        ("stuck plans", state.stuck.len(), STUCK_MAX),
        ("trials", state.trials.len(), lle_core::trial::OPEN_MAX),
        (
            "bytes of state",
            world.disk.peek(File::State).map_or(0, <[u8]>::len),
            STATE_BYTES_MAX,
        ),
    ];
    let over = found.into_iter().filter(|(_, n, most)| n > most);
    over.map(|(what, n, most)| format!("bounded: {n} {what}, and {most} are the most"))
        .collect()
}

/// Every run is counted once.
pub fn statistics_add_up(state: &Durable) -> Vec<String> {
    let wrong = |known: &&lle_maintenance::state::TaskState| {
        let counted = Outcome::ALL
            .iter()
            .map(|outcome| known.statistics.counter(*outcome));
        counted.sum::<u64>() != known.statistics.runs
    };
    let wrong = state.tasks.values().filter(wrong);
    wrong
        .map(|known| format!("statistics: those of {} do not add up", known.task.name))
        .collect()
}

/// A clock that was set back holds nothing up: the next run is at most one period away.
pub fn nothing_waits_longer_than_its_period(state: &Durable, now: Now) -> Vec<String> {
    if state.paused {
        return Vec::new();
    }
    let mut broken = Vec::new();
    for known in state
        .tasks
        .values()
        .filter(|known| known.task.enabled && !known.paused)
    {
        let Schedule::Every { seconds } = known.task.schedule else {
            continue;
        };
        let latest = now
            .wall_ns
            .saturating_add(i64::try_from(seconds).unwrap_or(0) * 1_000_000_000);
        if let Some(next) = known.timing.next_wall_ns.filter(|next| *next > latest) {
            let late = (next - latest) / 1_000_000_000;
            broken.push(format!(
                "stalled: {} is due {late} s later than its period",
                known.task.name
            ));
        }
    }
    broken
}

/// Numbers grow.
pub fn numbers_are_not_given_twice(state: &Durable) -> Vec<String> {
    let over = state
        .running
        .keys()
        .chain(state.stuck.keys())
        .filter(|id| **id > state.last_id);
    over.map(|id| format!("numbers: {id} is in use and not counted"))
        .collect()
}

/// The chain of the audit log is whole, but for what the disk did to it.
///
/// `proven` is the number of the last record that is proven: what is left of attempts at later ones is no record.
pub fn audit_is_whole(world: &World, problems: &[String], proven: u64) -> Vec<String> {
    let torn = [
        "never finished",
        "lacks its end",
        "are no record",
        "was not made with this key",
        "file header",
        "frame of record",
    ];
    let lost = ["cut off at byte"];
    let attempt = |problem: &str| {
        let number = problem
            .split("record ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        number
            .and_then(|number| number.parse().ok())
            .is_some_and(|number: u64| number > proven)
    };
    let explained = |problem: &&String| {
        world.disk.torn > 0 && problem.ends_with("was changed") && attempt(problem)
            || world.disk.torn + world.disk.lost > 0 && torn.iter().any(|words| problem.contains(words))
            || world.disk.lost > 0 && lost.iter().any(|words| problem.contains(words))
    };
    let unexplained = problems.iter().filter(|problem| !explained(problem));
    unexplained.map(|problem| format!("audit: {problem}")).collect()
}

/// Plans that ran when the faults stopped have ended.
pub fn plans_have_ended(state: &Durable, ran: &BTreeSet<u64>) -> Vec<String> {
    let running = state.running.values().filter(|running| ran.contains(&running.id));
    running
        .map(|running| format!("plans: {} of {} does not end", running.id, running.plan.task))
        .collect()
}
