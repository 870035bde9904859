//! Records that were removed, moved, repeated, or cut off.

use lle_log::audit::Problem;
use lle_log::audit::ProblemKind::{
    Deleted, Duplicated, MissingSegment, Reordered, Torn, Truncated, Unproven,
};

use super::sample::{FILE_HEADER_BYTES, NAMES, Place, Sample, problem};

/// Where a record of the sample is missing: before the next one, or at the end of its file.
fn deleted(sample: &Sample, index: usize) -> Problem {
    let place = &sample.places[index];
    let kind = Deleted {
        from: place.sequence,
        to: place.sequence,
    };
    problem(place.file, place.range.start..place.range.start, None, kind)
}

#[test]
fn every_deleted_record_is_missed() {
    let sample = Sample::new();
    for index in 0..32 {
        let mut records = sample.records();
        records.remove(index);
        let problems = sample.laid_out(&records).verify().problems;
        let place = &sample.places[index];
        let gone = match index {
            31 => problem(
                2,
                place.range.start..place.range.start,
                None,
                Truncated {
                    expected: sample.head(),
                },
            ),
            _ => deleted(&sample, index),
        };
        assert!(problems.contains(&gone), "{index}: {problems:?}");
        // The next record has nothing to stand on, unless it carries the head before it.
        for other in problems.iter().filter(|other| **other != gone) {
            assert_eq!((other.kind, other.sequence), (Unproven, Some(place.sequence + 1)));
        }
        let stands = [10, 21, 31].contains(&index);
        assert_eq!(problems.len(), 2 - usize::from(stands), "{index}: {problems:?}");
    }
}

#[test]
fn every_two_swapped_records_are_out_of_order() {
    let sample = Sample::new();
    for one in 0..32 {
        for two in one + 1..32 {
            let mut records = sample.records();
            let (first, second) = (records[one].1.clone(), records[two].1.clone());
            (records[one].1, records[two].1) = (second, first);
            let swapped = sample.laid_out(&records);
            let verified = swapped.verify();
            assert_eq!(verified.records, 32);
            assert!(!verified.problems.is_empty());
            let bytes = |problem: &Problem| {
                let file = NAMES.iter().position(|name| *name == problem.segment).unwrap();
                &swapped.files[file][problem.at.start as usize..problem.at.end as usize]
            };
            let mut named = 0;
            for problem in &verified.problems {
                let Reordered { from, to } = problem.kind else {
                    panic!("{one} {two}: {problem:?}");
                };
                // Of three in a row swapped at the ends, the one between may stay or go.
                for sequence in from..=to {
                    assert!(
                        (one as u64 + 1..=two as u64 + 1).contains(&sequence),
                        "{problem:?}"
                    );
                    named += u64::from([one as u64 + 1, two as u64 + 1].contains(&sequence));
                }
                let moved: Vec<u8> = (from..=to)
                    .flat_map(|sequence| sample.bytes(&sample.places[sequence as usize - 1]))
                    .collect();
                assert_eq!(bytes(problem), moved);
            }
            let apart = two - one > 2;
            let across = sample.places[one].file != sample.places[two].file;
            assert!(
                named > u64::from(apart || across),
                "{one} {two}: {:?}",
                verified.problems
            );
        }
    }
}

#[test]
fn every_repeated_record_is_named() {
    let sample = Sample::new();
    for index in 0..32 {
        let place = &sample.places[index];
        // Right behind itself, and at the end of the log.
        for (file, at) in [(place.file, place.range.end), (2, sample.files[2].len())] {
            let mut repeated = sample.clone();
            let bytes = sample.bytes(place);
            repeated.files[file].splice(at..at, bytes.iter().copied());
            let expect = problem(file, at..at + bytes.len(), Some(place.sequence), Duplicated);
            let verified = repeated.verify();
            assert_eq!(
                (verified.problems, verified.records),
                (vec![expect], 32),
                "{index}"
            );
        }
    }
}

#[test]
fn every_cut_is_found() {
    let sample = Sample::new();
    for (file, name) in NAMES.iter().enumerate() {
        for length in 0..sample.files[file].len() {
            let mut cut = sample.clone();
            cut.files[file].truncate(length);
            let verified = cut.verify();
            let whole = |place: &&Place| place.file == file && place.range.end - 4 <= length;
            let lost = |place: &&Place| place.file == file && place.range.end - 4 > length;
            let close = sample.places.iter().rfind(whole);
            let first = sample.places.iter().find(lost).map(|place| place.sequence);
            let last = sample.places.iter().rfind(lost).map(|place| place.sequence);
            let mut problems = verified.problems.clone();
            let end = close.map_or(
                if length < FILE_HEADER_BYTES {
                    0
                } else {
                    FILE_HEADER_BYTES
                },
                |place| place.range.end.min(length),
            );
            let unclosed = close.filter(|place| place.range.end > length);
            if let Some(place) = unclosed {
                let torn = problem(file, place.range.end - 4..length, Some(place.sequence), Torn);
                assert!(problems.contains(&torn), "{file}:{length}: {problems:?}");
                problems.retain(|other| *other != torn);
            } else if length > end {
                let torn = problem(file, end..length, None, Torn);
                assert!(problems.contains(&torn), "{file}:{length}: {problems:?}");
                problems.retain(|other| *other != torn);
            }
            let kinds: Vec<_> = problems.iter().map(|problem| problem.kind).collect();
            let expect = match first.zip(last) {
                None => vec![],
                Some(_) if file == 2 => vec![Truncated {
                    expected: sample.head(),
                }],
                Some((from, to)) if file == 1 && close.is_none() => {
                    vec![MissingSegment {
                        first: 1,
                        last: 1,
                        from,
                        to,
                    }]
                }
                // A first file without a record is as good as one that was removed on purpose.
                Some(_) if close.is_none() => vec![],
                Some((from, to)) => vec![Deleted { from, to }],
            };
            assert_eq!(kinds, expect, "{file}:{length}");
            if let (Some(Deleted { .. }), [problem]) = (kinds.first(), &problems[..]) {
                assert_eq!(problem.segment, *name);
                // A record without its closing length ends with its payload.
                let end = unclosed.map_or(end, |place| place.range.end - 4) as u64;
                assert_eq!(problem.at, end..end, "{file}:{length}");
            }
            if file == 2 {
                assert_eq!(verified.head, sample.head(), "the log goes on after its gap");
            }
        }
    }
}
