//! The real programs on a real file system that fails at a chosen call: a full disk, a broken one, a short write, a kill,
//! a torn write. Whatever the call: it is said once and clearly, nothing that was acknowledged is lost, and the next
//! run goes on as if nothing had been.
//!
//! Each operation is run once to count its calls, and then again for calls spread over all of them, with each fault.
//! `LUSUSH_FAULTS=n` sets how many for each operation and fault; with as many as there are calls every one is tried.
//! `LUSUSH_FAULTS_SEED` shifts them.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

#[path = "../support/mod.rs"]
mod support;

mod backup;
mod history;
mod session;
mod worker;

use std::os::unix::process::ExitStatusExt;
use std::process::Output;

use lle_fault::Fault;
use support::{Random, number};

/// Calls tried for each operation and fault: half a minute in all.
const CALLS: usize = 2;

/// The calls to try, out of so many, spread evenly from a random one on.
fn spread(calls: u64, salt: u64) -> Vec<u64> {
    let wanted = number("LUSUSH_FAULTS", CALLS).clamp(1, calls.max(1) as usize) as u64;
    let mut random = Random::new(number("LUSUSH_FAULTS_SEED", 1) as u64 ^ salt);
    let first = random.below(calls.div_ceil(wanted).max(1) as usize) as u64;
    (0..wanted)
        .map(|n| (first + n * calls / wanted) % calls.max(1) + 1)
        .collect()
}

/// A program that met a fault ended as it should: by the kill, well, or with one message that says what to do.
/// Gives whether it told that all is done.
fn ended_well(output: &Output, fault: Fault, was_hit: Option<&str>, what: &str) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    let about = format!("{what}: {fault:?} at {was_hit:?}: {} {said}", output.status);
    assert!(!said.contains("panicked"), "{about}");
    if was_hit.is_some() && fault.kills() {
        assert_eq!(output.status.signal(), Some(9), "{about}");
        return false;
    }
    if output.status.success() {
        return true;
    }
    assert!(output.status.code().is_some(), "{about}");
    assert_eq!(said.matches("Error: ").count(), 1, "{about}");
    assert!(
        said.contains("Caused by: ") && said.contains("Hint: "),
        "it does not say why and what to do: {about}"
    );
    false
}

#[test]
fn calls_are_spread_over_all() {
    assert_eq!(spread(1, 0), [1]);
    let all = spread(2, 7);
    assert!(all.iter().all(|n| (1..=2).contains(n)), "{all:?}");
    let some = spread(300, 9);
    assert!(some.windows(2).all(|pair| pair[0] != pair[1]), "{some:?}");
    assert!(some.iter().all(|n| (1..=300).contains(n)), "{some:?}");
}
