//! A decision on access allocates nothing, whichever way it goes.
#![cfg(feature = "engine")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use lle_core::policy::{Operation, Policy, PolicyRules, Target, Who, authorise};
use lle_core::task::TaskKind;

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[allow(unsafe_code)]
// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(run: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    run();
    ALLOCATIONS.get() - before
}

fn rules(json: &str) -> PolicyRules {
    serde_json::from_str(json).expect("the rules of a test can be read")
}

#[test]
fn deciding_allocates_nothing() {
    let policy = Policy::combine(
        rules(
            r#"{
                "mode_max": { "*": "advise", "backup": "automatic" },
                "denied_operations": ["register", "act-plugin-update"],
                "required_tasks": ["backup", "security-scan"],
                "task_commands_allowed": ["/usr/bin/rsync", "/opt/team/"],
                "audit_required": true
            }"#,
        ),
        rules(r#"{ "denied_operations": ["stop"], "task_commands_allowed": false }"#),
    );
    let callers = [Who::peer(1, Some(2), 1), Who::engine(1), Who::peer(3, None, 1)];
    let targets = [
        Target::All,
        Target::Task("backup"),
        Target::Area(TaskKind::Performance),
        Target::Command {
            task: "mine",
            command: "/usr/bin/rsync -a here there",
        },
    ];
    let (mut allowed, mut refused) = (0, 0);
    let allocated = allocations(|| {
        for who in callers {
            for operation in Operation::all() {
                for target in targets {
                    match authorise(who, operation, target, (), &policy) {
                        Ok(_) => allowed += 1,
                        Err(refusal) => {
                            black_box(refusal.remedy());
                            refused += 1;
                        }
                    }
                    let _ = black_box(policy.unaudited(operation));
                }
            }
        }
    });
    assert_eq!(allocated, 0);
    assert!(allowed > 0 && refused > 0, "{allowed} {refused}");
    assert_eq!(allocations(|| drop(vec![1])), 1, "the count counts");
}
