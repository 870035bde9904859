//! Seeds that once failed, and what they found. They failed with the engine as it was before its first day in here.

use lle_sim::drive::{Options, run};

const FOUND: &[(u64, &str)] = &[
    (1, "a clock set back by months held every interval up for as long"),
    (
        12,
        "a cleanup began before the job that was killed had ended, whose end was then taken for the cleanup's",
    ),
    (20, "a new worker forgot what was shown, and showed it again"),
    (
        29,
        "a key that could not be read for a moment was replaced, and nothing could be proven any more",
    ),
    (
        31,
        "what was acknowledged to an idle user became durable only a minute later, or never after a kill",
    ),
    (
        42,
        "after a torn append whose record lacked its last bytes only, the next one had the same number",
    ),
    (
        50,
        "a snapshot with a running plan in it could not be read back: everything acknowledged was lost",
    ),
    (
        84,
        "a plan that timed out while it was taken back was called undone, half of it applied",
    ),
    (
        87,
        "the audit key was not durable, the records were: after power loss nothing could be proven",
    ),
    (
        101,
        "power loss left the audit anchor ahead of its log, which said for ever that it was cut",
    ),
    (
        106,
        "several unfinished attempts at one record were called a changed record",
    ),
    (
        142,
        "with more steps than fit one event, a plan waited a minute for each further part and ran out of time",
    ),
    (
        422,
        "killed between intent and beginning, a plan's intent stayed without an outcome",
    ),
    (
        398,
        "without room on disk, a number was given to two alerts, and the second never shown",
    ),
];

#[test]
fn what_was_found_once_stays_found() {
    for (seed, what) in FOUND {
        run(*seed, Options::default()).unwrap_or_else(|failure| panic!("{failure}\nonce: {what}"));
    }
}
