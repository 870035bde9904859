//! What a writer leaves behind: failed writes, a log that was cut and continued, refusals.

use lle_log::audit::ProblemKind::{Changed, Deleted, Torn, Unproven};
use lle_log::audit::{AppendError, BODY_BYTES_MAX, Chain, Head, SEGMENT, verify};

use super::sample::{FILE_HEADER_BYTES, Sample, WRITER, key, problem};

#[test]
fn a_failed_write_leaves_an_unfinished_record_and_a_sound_chain() {
    let sample = Sample::new();
    let mut log = sample.clone();
    let mut chain = Chain::resume(&key(), sample.head());
    let mut lost = Vec::new();
    chain
        .append(&mut lost, 1, WRITER, 1, b"the disk was full")
        .unwrap();
    let end = log.files[2].len();
    for written in 1..lost.len() - 4 {
        let mut log = log.clone();
        log.files[2].extend_from_slice(&lost[..written]);
        // Before the restart: the anchor was not moved, so nothing was cut.
        let torn = problem(2, end..end + written, None, Torn);
        assert_eq!(log.verify().problems, std::slice::from_ref(&torn), "{written}");
        let mut chain = Chain::resume(&key(), log.verify().head);
        let head = chain.append(&mut log.files[2], 1, WRITER, 2, b"again").unwrap();
        let verified = verify(&log.segments(), &key(), Some(head));
        assert_eq!(
            (verified.problems, verified.records),
            (vec![torn], 33),
            "{written}"
        );
    }
    log.files[2].extend_from_slice(&lost);
    assert_eq!(log.verify().problems, [], "the log may be ahead of its anchor");
}

#[test]
fn a_log_that_was_cut_and_continued_keeps_its_gap() {
    let mut sample = Sample::new();
    let cut = sample.places[29].range.end;
    sample.files[2].truncate(cut);
    let mut chain = Chain::resume(&key(), sample.verify().head);
    chain.append(&mut sample.files[2], 1, WRITER, 2, b"one").unwrap();
    let head = chain.append(&mut sample.files[2], 1, WRITER, 2, b"two").unwrap();
    let problems = verify(&sample.segments(), &key(), Some(head)).problems;
    let gap = problem(2, cut..cut, None, Deleted { from: 31, to: 32 });
    assert_eq!(problems[0], gap);
    assert_eq!((problems[1].kind, problems[1].sequence), (Unproven, Some(33)));
    assert_eq!(problems.len(), 2);
}

#[test]
fn what_cannot_be_recorded_is_refused_and_moves_nothing() {
    let mut chain = Chain::begin(&key());
    let (mut out, before) = (Vec::new(), chain.head());
    let long = vec![0; BODY_BYTES_MAX + 1];
    let bytes = long.len();
    assert_eq!(
        chain.append(&mut out, 1, 1, 1, &long),
        Err(AppendError::TooLong { bytes })
    );
    assert_eq!(
        chain.append(&mut out, SEGMENT, 1, 1, b""),
        Err(AppendError::Reserved)
    );
    assert_eq!((out.len(), chain.head()), (0, before));
    chain.append(&mut out, 1, 1, 1, &long[1..]).unwrap();
    let last = Head {
        sequence: u64::MAX,
        ..before
    };
    let mut chain = Chain::resume(&key(), last);
    assert_eq!(chain.append(&mut out, 1, 1, 1, b""), Err(AppendError::Exhausted));
    assert_eq!(format!("{:?}", key()), "Key(hidden)");
}

#[test]
fn damage_behind_the_start_does_not_pass_it_off_as_pruned() {
    let sample = Sample::new();
    let mut damaged = sample.clone();
    damaged.files[0][sample.places[2].range.start + 77] ^= 0xFF;
    let end = sample.places[1].range.end;
    damaged.files[0].drain(FILE_HEADER_BYTES..end);
    let problems = damaged.verify().problems;
    let gone = problem(0, 64..64, None, Deleted { from: 1, to: 2 });
    assert_eq!(problems[0], gone);
    let rest: Vec<_> = problems[1..]
        .iter()
        .map(|problem| (problem.kind, problem.sequence))
        .collect();
    assert_eq!(rest, [(Changed, Some(3))]);
}
