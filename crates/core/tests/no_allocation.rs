//! Sampling a session and raising an alert already known allocate nothing: checked with an allocator that counts.
#![cfg(feature = "engine")]
#![allow(unsafe_code, reason = "an allocator is unsafe to write")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use lle_core::alert::{Alerts, Now};
use lle_core::health::component::Component;
use lle_core::health::finding::Finding;
use lle_core::health::floor::Floor;
use lle_core::health::sample::Window;
use lle_core::severity::Severity;
use lle_metrics::{Counter, Flight, Identity, Timer};

struct Counted;

#[global_allocator]
static COUNTED: Counted = Counted;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

// SAFETY: everything is passed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(p, layout, size) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(p, layout) }
    }
}

fn allocations(f: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    f();
    ALLOCATIONS.get() - before
}

#[test]
fn the_allocator_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn folding_a_session_in() {
    let flight = Flight::private(&Identity::default());
    let mut snapshots = Vec::new();
    for step in 1..=20 {
        flight.update(|w| {
            for timer in Timer::ALL {
                (0..step).for_each(|n| w.time(*timer, 1 << (n + 8)));
            }
            w.add(Counter::Keys, step);
        });
        snapshots.push(flight.snapshot().unwrap());
    }
    // One that begins anew at the end.
    snapshots.push(Flight::private(&Identity::default()).snapshot().unwrap());
    let mut window = Box::new(Window::new());
    let mut floor = Floor::default();
    let folding = || {
        for (at, snapshot) in snapshots.iter().enumerate() {
            window.fold(at as u64 * 10_000_000_000, snapshot);
            floor.observe(at as u64 * 600_000_000_000, true, 1);
        }
    };
    assert_eq!(allocations(folding), 0);
    assert_eq!(window.begun_anew(), 1);
}

#[test]
fn reading_a_window() {
    let flight = Flight::private(&Identity::default());
    let mut window = Box::new(Window::new());
    window.fold(0, &flight.snapshot().unwrap());
    flight.update(|w| w.time(Timer::Prompt, 1_000));
    window.fold(10_000_000_000, &flight.snapshot().unwrap());
    let reading = || {
        assert!(window.summary(Timer::Prompt).is_some());
        assert!(window.rate(Counter::Keys).is_some());
    };
    assert_eq!(allocations(reading), 0);
}

#[test]
fn raising_an_alert_already_known() {
    let findings: Vec<Finding> = (0..8)
        .map(|n| Finding {
            key: format!("prompt.slow/{n:016x}"),
            severity: Severity::Warning,
            component: Component::Prompt,
            session: Some(n),
            title: String::new(),
            evidence: String::new(),
            remedy: String::new(),
            before: None,
            after: None,
            unit: String::new(),
        })
        .collect();
    let now = Now {
        wall_ns: 1,
        mono_ns: 1,
    };
    let mut alerts = Alerts::default();
    assert_eq!(alerts.observe(now, &findings).len(), 8);
    let raising = || {
        for finding in &findings {
            assert_eq!(alerts.raise(now, finding), None);
        }
        assert!(alerts.observe(now, &findings).is_empty());
    };
    assert_eq!(allocations(raising), 0);
}
