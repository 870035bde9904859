//! Memory that sessions hold and do not use goes back to the system.
//!
//! Built: each idle session trims its own allocator, measured before and after. Four times a day, since a session
//! lives for days and grows slowly; deferred, since a trim in a session that is typed into would be felt.

use super::{Condition, Priority, Task, TaskKind};
use crate::plan::{Action, Check, Plan, Planned, Step};
use crate::schedule::Schedule;

pub(super) fn task() -> Task {
    Task {
        budget_ms: 30_000,
        condition: Condition::AllSessionsIdle,
        ..Task::shipped(
            TaskKind::MemoryDefrag,
            "Asks idle sessions to give back the memory they do not use.",
            Priority::Deferred,
            Schedule::Every { seconds: 6 * 60 * 60 },
        )
    }
}

/// Free memory of an allocator, in bytes, below which a trim is not worth waking a session for: it is what bash takes
/// anew for the next command.
pub const FREE_BYTES_MIN: u64 = 256 * 1024;
/// How long a session may take to answer, in milliseconds: it is idle, and a trim takes less than one.
const ANSWER_MS: u64 = 3_000;
/// Sessions of one run: as many as answer within its budget even if each keeps it waiting. Those that were asked
/// longest ago come first, so that over some runs each has its turn, whoever does not answer.
pub const SESSIONS_MAX: usize = 8;

/// What an idle session's allocator holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heap {
    /// The session.
    pub session: u64,
    /// Bytes that it holds and nobody uses; none if it does not tell.
    pub free_bytes: Option<u64>,
    /// The last request that it was sent or has answered; none if it never was. Later ones are higher.
    pub last_token: Option<u64>,
}

/// Plans a trim of every idle session that holds enough; `token` gives numbers that were not used before.
pub fn plan(heaps: &[Heap], why: &str, mut token: impl FnMut() -> u64) -> Planned {
    let worth = |heap: &&Heap| heap.free_bytes.is_some_and(|bytes| bytes >= FREE_BYTES_MIN);
    let mut waiting: Vec<&Heap> = heaps.iter().filter(worth).collect();
    waiting.sort_by_key(|heap| heap.last_token);
    let steps: Vec<Step> = waiting
        .into_iter()
        .take(SESSIONS_MAX)
        .map(|heap| Step {
            action: Action::TrimSession {
                session: heap.session,
                token: token(),
            },
            verify: Check::SessionAnswered { within_ms: ANSWER_MS },
            undo: None,
        })
        .collect();
    if steps.is_empty() {
        let unknown = heaps.iter().filter(|heap| heap.free_bytes.is_none()).count();
        let told = heaps.len() - unknown;
        return Planned::Nothing(format!(
            "none of {told} idle sessions holds {} KiB that it does not use; {unknown} do not tell",
            FREE_BYTES_MIN / 1024
        ));
    }
    Planned::Do(Plan {
        task: TaskKind::MemoryDefrag.name().to_owned(),
        why: why.to_owned(),
        steps,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_worth_it_is_trimmed() {
        fn check(free: &[Option<u64>], expect: &[u64]) {
            let heaps: Vec<Heap> = (0..)
                .zip(free)
                .map(|(session, free_bytes)| Heap {
                    session,
                    free_bytes: *free_bytes,
                    last_token: None,
                })
                .collect();
            let mut last = 0;
            let planned = plan(&heaps, "test", || {
                last += 1;
                last
            });
            let sessions = match planned {
                Planned::Do(plan) => {
                    plan.check().unwrap();
                    plan.steps
                        .iter()
                        .map(|step| match step.action {
                            Action::TrimSession { session, .. } => session,
                            _ => panic!("{step:?}"),
                        })
                        .collect()
                }
                _ => Vec::new(),
            };
            assert_eq!(sessions, expect, "{free:?}");
        }
        check(&[], &[]);
        check(&[None, Some(FREE_BYTES_MIN - 1)], &[]);
        check(&[None, Some(FREE_BYTES_MIN), Some(u64::MAX)], &[1, 2]);
    }
    #[test]
    fn everybody_has_a_turn() {
        const ALL: usize = 3 * SESSIONS_MAX;
        let mut heaps: Vec<Heap> = (0..ALL as u64)
            .map(|session| Heap {
                session,
                free_bytes: Some(FREE_BYTES_MIN),
                last_token: None,
            })
            .collect();
        let (mut asked, mut last) = (std::collections::BTreeSet::new(), 0);
        // Nobody's free memory changes: not even those who were asked have answered.
        for run in 1..=3 {
            let planned = plan(&heaps, "test", || {
                last += 1;
                last
            });
            let Planned::Do(plan) = planned else {
                panic!("{planned:?}")
            };
            for step in plan.steps {
                let Action::TrimSession { session, token } = step.action else {
                    panic!("{step:?}")
                };
                asked.insert(session);
                heaps[usize::try_from(session).unwrap()].last_token = Some(token);
            }
            assert_eq!(asked.len(), run * SESSIONS_MAX);
        }
    }
}
