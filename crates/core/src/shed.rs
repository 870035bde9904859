//! What is dropped when there is more to do than can be done.
//!
//! ```text
//!  load      queue ≥ 50 %      70 %      85 %      95 %      over
//!            lag   ≥  1 s       5 s      30 s     120 s         –
//!  sheds       deferred     + low  + medium    + high   + critical     never: NEVER
//! ```
//!
//! A long queue is brought down to [`QUEUE_RELIEF_PERCENT`] and no further. When the worker lags behind, everything up
//! to the level goes: there the work itself is what is too much. A task that is shed misses this one due time.
//!
//! Invariant: nothing goes while something pending of lower priority stays, and what [`NEVER`] lists never goes.

use std::cmp::Reverse;

use crate::task::{Priority, TaskKind};

/// What is never shed, and why.
pub const NEVER: &[(TaskKind, &str)] = &[
    (
        TaskKind::HealthCheck,
        "an overload that nobody looks at is never understood",
    ),
    (TaskKind::SecurityScan, "an overload would be a way past it"),
    (TaskKind::Backup, "it saves history, which cannot be made again"),
];

/// Down to here a long queue is brought, in percent of the longest allowed: below the first level, so that it does not
/// shed again at once.
pub const QUEUE_RELIEF_PERCENT: u64 = 40;
/// Most tasks shed at once; the rest is looked at again with the next tick. Keeps one finding readable.
pub const SHED_MAX: usize = 256;

const SECOND_NS: u64 = 1_000_000_000;

/// From which load on a priority is shed: the queue in percent of the longest allowed, the lag in nanoseconds.
///
/// The first lag is what a person would notice in an answer; the last is past the time in which a session expects
/// the worker to be alive.
const LEVELS: &[(Priority, u64, u64)] = &[
    (Priority::High, 95, 120 * SECOND_NS),
    (Priority::Medium, 85, 30 * SECOND_NS),
    (Priority::Low, 70, 5 * SECOND_NS),
    (Priority::Deferred, 50, SECOND_NS),
];

/// A task that is due and has not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending<'a> {
    /// Which task, for whoever reports what was shed.
    pub name: &'a str,
    /// Its kind; none for what was registered.
    pub kind: Option<TaskKind>,
    /// How urgent it is.
    pub priority: Priority,
    /// How long it has been due, in nanoseconds.
    pub waited_ns: u64,
}

/// How much there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// How many things wait in the worker's queue, the pending tasks among them.
    pub queue_len: usize,
    /// How many may.
    pub queue_max: usize,
    /// How late the worker's tick is, in nanoseconds.
    pub lag_ns: u64,
}

/// What is to be dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shed {
    /// Which of the pending, in the order in which they go; at most [`SHED_MAX`].
    pub dropped: Vec<usize>,
    /// Up to which priority the load allows to shed; none while there is no overload. It may be a level without
    /// anything dropped: nothing of that priority was pending.
    pub level: Option<Priority>,
}

/// Says what to drop: deferred first, then low, medium, high; among equals what has waited least, so that what has
/// waited gets its turn.
pub fn shed(pending: &[Pending<'_>], load: &Load) -> Shed {
    let (by_queue, by_lag) = (queue_level(load), lag_level(load));
    // Priorities are ordered from critical to deferred: the smaller reaches further.
    let level = [by_queue, by_lag].into_iter().flatten().min();
    let mut candidates: Vec<usize> = (0..pending.len()).filter(|at| may_go(&pending[*at])).collect();
    candidates.sort_by_key(|at| {
        (
            Reverse(pending[*at].priority),
            pending[*at].waited_ns,
            Reverse(*at),
        )
    });

    let mut excess = excess(load);
    let mut dropped = Vec::new();
    for at in candidates {
        let reached = |level: Option<Priority>| level.is_some_and(|level| pending[at].priority >= level);
        if dropped.len() == SHED_MAX || !(reached(by_lag) || reached(by_queue) && excess > 0) {
            break;
        }
        excess = excess.saturating_sub(1);
        dropped.push(at);
    }
    Shed { dropped, level }
}

fn may_go(pending: &Pending<'_>) -> bool {
    !NEVER.iter().any(|(kind, _)| Some(*kind) == pending.kind)
}

fn queue_level(load: &Load) -> Option<Priority> {
    if load.queue_len > load.queue_max {
        return Some(Priority::Critical);
    }
    let over = |percent: u64| load.queue_len > 0 && load.queue_len >= percent_of(load.queue_max, percent);
    LEVELS
        .iter()
        .find(|(_, percent, _)| over(*percent))
        .map(|(priority, ..)| *priority)
}

fn lag_level(load: &Load) -> Option<Priority> {
    LEVELS
        .iter()
        .find(|(.., lag_ns)| load.lag_ns >= *lag_ns)
        .map(|(priority, ..)| *priority)
}

/// How many have to go until the queue is relieved.
fn excess(load: &Load) -> usize {
    load.queue_len
        .saturating_sub(percent_of(load.queue_max, QUEUE_RELIEF_PERCENT))
}

/// Rounded up: a level is reached when its percentage is.
fn percent_of(most: usize, percent: u64) -> usize {
    let share = (most as u128 * u128::from(percent)).div_ceil(100);
    // A share is at most the whole, which fits.
    usize::try_from(share).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(kind: Option<TaskKind>, priority: Priority, waited_ns: u64) -> Pending<'static> {
        Pending {
            name: "some",
            kind,
            priority,
            waited_ns,
        }
    }

    fn one_of_each() -> Vec<Pending<'static>> {
        Priority::ALL
            .iter()
            .map(|priority| one(None, *priority, 0))
            .collect()
    }

    #[test]
    fn the_stated_order() {
        fn check(queue_len: usize, lag_ms: u64, level: Option<Priority>, dropped: &[usize]) {
            let load = Load {
                queue_len,
                queue_max: 100,
                lag_ns: lag_ms * 1_000_000,
            };
            let expect = Shed {
                dropped: dropped.to_vec(),
                level,
            };
            assert_eq!(
                shed(&one_of_each(), &load),
                expect,
                "{queue_len} waiting, {lag_ms} ms late"
            );
        }
        check(0, 0, None, &[]);
        check(49, 999, None, &[]);
        check(50, 0, Some(Priority::Deferred), &[4]);
        check(70, 0, Some(Priority::Low), &[4, 3]);
        check(85, 0, Some(Priority::Medium), &[4, 3, 2]);
        check(95, 0, Some(Priority::High), &[4, 3, 2, 1]);
        check(100, 0, Some(Priority::High), &[4, 3, 2, 1]);
        check(101, 0, Some(Priority::Critical), &[4, 3, 2, 1, 0]);
        check(0, 1_000, Some(Priority::Deferred), &[4]);
        check(0, 5_000, Some(Priority::Low), &[4, 3]);
        check(50, 30_000, Some(Priority::Medium), &[4, 3, 2]);
        check(85, 1_000, Some(Priority::Medium), &[4, 3, 2]);
        // However late: a critical task is not what makes it late.
        check(0, u64::MAX / 1_000_000, Some(Priority::High), &[4, 3, 2, 1]);
    }

    #[test]
    fn a_queue_is_relieved_and_not_emptied() {
        let pending: Vec<_> = (0..60)
            .map(|at| one(None, Priority::Deferred, 1_000 - at))
            .collect();
        let shed = shed(
            &pending,
            &Load {
                queue_len: 60,
                queue_max: 100,
                lag_ns: 0,
            },
        );
        // What has waited least goes first.
        assert_eq!(shed.dropped, (40..60).rev().collect::<Vec<_>>());
    }

    #[test]
    fn a_queue_without_room_does_not_divide_by_it() {
        let load = Load {
            queue_len: 0,
            queue_max: 0,
            lag_ns: 0,
        };
        assert_eq!(shed(&one_of_each(), &load), Shed::default());
        let load = Load { queue_len: 5, ..load };
        assert_eq!(shed(&one_of_each(), &load).level, Some(Priority::Critical));
    }

    fn any_pending() -> impl Strategy<Value = Pending<'static>> {
        let kind = proptest::option::of(proptest::sample::select(TaskKind::ALL));
        let priority = proptest::sample::select(Priority::ALL);
        (kind, priority, 0_u64..4).prop_map(|(kind, priority, waited_ns)| one(kind, priority, waited_ns))
    }

    proptest! {
        #[test]
        fn lower_goes_first_and_the_never_list_never(
            pending in proptest::collection::vec(any_pending(), 0..400),
            queue_len in prop_oneof![0_usize..500, any::<usize>()],
            queue_max in prop_oneof![0_usize..500, any::<usize>()],
            lag_ns in prop_oneof![0..200 * SECOND_NS, any::<u64>()],
        ) {
            let shed = shed(&pending, &Load { queue_len, queue_max, lag_ns });
            prop_assert!(shed.dropped.len() <= SHED_MAX);
            let mut gone = vec![false; pending.len()];
            for at in &shed.dropped {
                prop_assert!(!gone[*at], "{} twice", at);
                gone[*at] = true;
                prop_assert!(may_go(&pending[*at]));
                prop_assert!(shed.level.is_some_and(|level| pending[*at].priority >= level));
            }
            let stays = |at: &usize| !gone[*at] && may_go(&pending[*at]);
            let lowest_left = (0..pending.len()).filter(stays).map(|at| pending[at].priority).max();
            for at in &shed.dropped {
                prop_assert!(lowest_left.is_none_or(|left| left <= pending[*at].priority));
            }
        }
    }
}
