//! Files that are missing or moved, and whatever the key did not make.

use lle_log::audit::ProblemKind::{
    AnchorMissing, Diverged, Foreign, MissingSegment, Reordered, Truncated, WrongKey,
};
use lle_log::audit::{Chain, Head, Key, Problem, Segment, entries, verify};

use super::sample::{FILE_HEADER_BYTES, NAMES, Sample, WRITER, key, problem};

#[test]
fn a_missing_segment_is_named_unless_it_was_the_oldest() {
    let sample = Sample::new();
    let all = sample.segments();
    let check = |segments: &[Segment<'_>], first: Option<Head>, expect: &[Problem]| {
        let verified = verify(segments, &key(), Some(sample.head()));
        assert_eq!((verified.first, &verified.problems[..]), (first, expect));
    };
    check(&all[1..], Some(sample.heads[11]), &[]);
    check(&all[2..], Some(sample.heads[22]), &[]);
    let missing = MissingSegment {
        first: 1,
        last: 1,
        from: 12,
        to: 22,
    };
    check(&[all[0], all[2]], None, &[problem(2, 0..0, None, missing)]);
    let end = sample.files[1].len();
    let cut = problem(
        1,
        end..end,
        None,
        Truncated {
            expected: sample.head(),
        },
    );
    check(&all[..2], None, &[cut]);
    let nothing = Problem {
        segment: String::new(),
        at: 0..0,
        sequence: None,
        kind: Truncated {
            expected: sample.head(),
        },
    };
    check(&[], None, &[nothing]);
}

#[test]
fn the_oldest_segment_kept_is_checked_as_strictly() {
    let sample = Sample::new();
    for at in FILE_HEADER_BYTES..sample.files[1].len() {
        let mut damaged = sample.clone();
        damaged.files[1][at] ^= 0x40;
        let place = sample
            .places
            .iter()
            .find(|place| place.file == 1 && place.range.contains(&at))
            .unwrap();
        let problems = verify(&damaged.segments()[1..], &key(), Some(sample.head())).problems;
        let expect = (NAMES[1].to_owned(), Some(place.sequence));
        let found: Vec<_> = problems
            .into_iter()
            .map(|problem| (problem.segment, problem.sequence))
            .collect();
        assert_eq!(found, [expect], "byte {at}");
    }
}

#[test]
fn swapped_segments_are_out_of_order() {
    let sample = Sample::new();
    for (one, two) in [(0, 1), (0, 2), (1, 2)] {
        let mut segments = sample.segments();
        segments.swap(one, two);
        let verified = verify(&segments, &key(), Some(sample.head()));
        assert_eq!(verified.records, 32);
        assert!(!verified.problems.is_empty());
        for problem in &verified.problems {
            assert!(matches!(problem.kind, Reordered { .. }), "{problem:?}");
            assert!(
                NAMES[one..=two].contains(&problem.segment.as_str()),
                "{problem:?}"
            );
        }
    }
}

#[test]
fn what_the_key_did_not_make_is_foreign() {
    let sample = Sample::new();
    for index in 0..32 {
        let place = &sample.places[index];
        let at = place.range.end;
        let mut with = sample.clone();
        with.files[place.file].splice(at..at, *b"not a record");
        let verified = with.verify();
        let expect = problem(place.file, at..at + 12, None, Foreign);
        assert_eq!(
            (verified.problems, verified.records),
            (vec![expect], 32),
            "{index}"
        );

        let mut forged = Vec::new();
        let mut other = Chain::resume(&Key::from_bytes([8; 32]), sample.heads[index + 1]);
        other.append(&mut forged, 1, WRITER, 5, b"forged").unwrap();
        let mut with = sample.clone();
        with.files[place.file].splice(at..at, forged.iter().copied());
        let verified = with.verify();
        let expect = problem(
            place.file,
            at..at + forged.len(),
            Some(place.sequence + 1),
            Foreign,
        );
        assert_eq!(
            (verified.problems, verified.records),
            (vec![expect], 32),
            "{index}"
        );
    }
}

#[test]
fn another_key_proves_nothing() {
    let sample = Sample::new();
    let verified = verify(&sample.segments(), &Key::from_bytes([8; 32]), None);
    let kinds: Vec<_> = verified.problems.iter().map(|problem| problem.kind).collect();
    assert_eq!((kinds, verified.records), (vec![WrongKey, AnchorMissing], 0));
    assert!(
        entries(&sample.segments(), &Key::from_bytes([8; 32]))
            .iter()
            .all(|entry| !entry.proven)
    );
}

#[test]
fn an_old_copy_that_was_continued_has_diverged() {
    let sample = Sample::new();
    let mut chain = Chain::resume(&key(), sample.heads[28]);
    let mut old = sample.clone();
    let end = sample.places[27].range.end;
    old.files[2].truncate(end);
    let mut heads = Vec::new();
    for _ in 29..=32 {
        heads.push(
            chain
                .append(&mut old.files[2], 1, WRITER, 9, b"another course")
                .unwrap(),
        );
    }
    let verified = old.verify();
    let [problem] = &verified.problems[..] else {
        panic!("{:?}", verified.problems)
    };
    assert_eq!((problem.kind, problem.sequence), (Diverged, Some(32)));
}
