//! Seeds that once failed, and what they found. They failed with the engine as it was before its first day in here.

use lle_sim::drive::{Options, run};

const FOUND: &[(u64, &str)] = &[
    (
        1,
        "a clock that was set back held an interval up until it got there again",
    ),
    (
        12,
        "a cleanup began before the job that was killed had ended, whose end was then taken for the cleanup's",
    ),
    (
        20,
        "a new worker forgot which alerts were out, and a session showed one again",
    ),
    (
        29,
        "records of the audit log were not made with its key: a key that could not be read was replaced",
    ),
    (31, "what was acknowledged was not made durable within a second"),
    (
        42,
        "after a torn append that lacked little, two records of the audit log had the same number",
    ),
    (
        50,
        "an acknowledged mode was gone: a snapshot with a plan in it could not be read back",
    ),
    (
        84,
        "a plan that timed out ended with its settings only half taken back",
    ),
    (
        87,
        "the key of the audit log was not durable, and its records were",
    ),
    (101, "a segment of the audit log was missing"),
    (
        106,
        "an unfinished attempt at a record was called a changed record",
    ),
    (
        142,
        "a plan was called undone, and a setting was not what it was before",
    ),
    (
        204,
        "a trial that a person asked for was withdrawn at once, since the mode lets none begin by itself",
    ),
    (422, "the intent of a plan never had an outcome"),
    (
        893,
        "a cleanup began before the job that was killed had ended, since the run was cancelled when its time was over",
    ),
];

#[test]
fn what_was_found_once_stays_found() {
    for (seed, what) in FOUND {
        run(*seed, Options::default()).unwrap_or_else(|failure| panic!("{failure}\nonce: {what}"));
    }
}
