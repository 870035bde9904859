//! Whatever is done to an audit log without its key is found, and the right record named.
#![cfg(feature = "audit")]
// A panic is the report.
#![allow(clippy::unwrap_used)]

use std::ops::Range;

use lle_log::audit::ProblemKind::*;
use lle_log::audit::{
    AppendError, BODY_BYTES_MAX, Chain, Head, Key, Problem, SEGMENT, Segment, Verified, entries, verify,
};
use lle_log::records::{self, Entry, LogKind};
use proptest::collection::vec;
use proptest::prelude::*;

const NAMES: [&str; 3] = ["audit.0", "audit.1", "audit.2"];
const FILE_HEADER_BYTES: usize = 64;
const WRITER: u64 = 0x57;

fn key() -> Key {
    Key::from_bytes([7; 32])
}

/// One record of the sample.
#[derive(Clone, Debug)]
struct Place {
    file: usize,
    range: Range<usize>,
    sequence: u64,
}

/// Thirty-two records in three files; record 12 and record 23 open a file.
#[derive(Clone)]
struct Sample {
    files: Vec<Vec<u8>>,
    places: Vec<Place>,
    heads: Vec<Head>,
}

impl Sample {
    fn new() -> Self {
        Self::with_bodies(|index| vec![b'a' + (index % 26) as u8; index * 7 % 61])
    }

    fn with_bodies(body: impl Fn(usize) -> Vec<u8>) -> Self {
        let mut chain = Chain::begin(&key());
        let mut sample = Self {
            files: vec![records::header(LogKind::Audit, WRITER, 1).to_vec()],
            places: Vec::new(),
            heads: vec![chain.head()],
        };
        for index in 0..32 {
            let time_ns = 1_000 + index as i64;
            let opens = [11, 22].contains(&index);
            if opens {
                sample.files.push(Vec::new());
            }
            let file = sample.files.len() - 1;
            let out = sample.files.last_mut().unwrap();
            let start = if opens { FILE_HEADER_BYTES } else { out.len() };
            let head = if opens {
                chain.next_segment(out, WRITER, time_ns)
            } else {
                chain.append(out, 1 + (index % 3) as u8, WRITER, time_ns, &body(index))
            };
            sample.heads.push(head.unwrap());
            sample.places.push(Place {
                file,
                range: start..sample.files[file].len(),
                sequence: index as u64 + 1,
            });
        }
        sample
    }

    fn head(&self) -> Head {
        *self.heads.last().unwrap()
    }

    fn verify(&self) -> Verified {
        verify(&self.segments(), &key(), Some(self.head()))
    }

    fn segments(&self) -> Vec<Segment<'_>> {
        let files = NAMES.iter().zip(&self.files);
        files.map(|(name, bytes)| Segment { name, bytes }).collect()
    }

    fn bytes(&self, place: &Place) -> Vec<u8> {
        self.files[place.file][place.range.clone()].to_vec()
    }

    /// The sample with the records of each file laid out anew: what `records` says, in that order.
    fn laid_out(&self, records: &[(usize, Vec<u8>)]) -> Self {
        let mut changed = self.clone();
        for file in &mut changed.files {
            file.truncate(FILE_HEADER_BYTES);
        }
        for (file, bytes) in records {
            changed.files[*file].extend_from_slice(bytes);
        }
        changed
    }

    fn records(&self) -> Vec<(usize, Vec<u8>)> {
        self.places
            .iter()
            .map(|place| (place.file, self.bytes(place)))
            .collect()
    }

    /// Changes a record and makes its checksums right again, as anyone can.
    fn forged(&self, index: usize, change: impl FnOnce(&mut Entry<'_>, &mut Vec<u8>)) -> Self {
        let mut all = self.records();
        let file = [&records::header(LogKind::Audit, 1, 1)[..], &all[index].1].concat();
        let read = records::read(&file, LogKind::Audit).unwrap();
        let mut entry = read.entries[0];
        let mut payload = entry.payload.to_vec();
        change(&mut entry, &mut payload);
        all[index].1.clear();
        let entry = Entry {
            payload: &payload,
            ..entry
        };
        records::encode(&mut all[index].1, &entry).unwrap();
        self.laid_out(&all)
    }
}

fn problem(
    file: usize,
    at: Range<usize>,
    sequence: Option<u64>,
    kind: lle_log::audit::ProblemKind,
) -> Problem {
    Problem {
        segment: NAMES[file].to_owned(),
        at: at.start as u64..at.end as u64,
        sequence,
        kind,
    }
}

fn changed(place: &Place) -> Problem {
    problem(place.file, place.range.clone(), Some(place.sequence), Changed)
}

#[test]
fn a_sound_log_has_no_problem() {
    let sample = Sample::new();
    let verified = sample.verify();
    assert_eq!(verified.problems, []);
    assert_eq!(
        (verified.records, verified.first, verified.head),
        (32, None, sample.head())
    );

    let listed = entries(&sample.segments(), &key());
    assert_eq!(listed.len(), 32);
    for (index, (entry, place)) in listed.iter().zip(&sample.places).enumerate() {
        assert!(entry.proven);
        assert_eq!(
            (entry.segment, entry.sequence),
            (NAMES[place.file], place.sequence)
        );
        assert_eq!(
            (entry.at, entry.time_ns),
            (place.range.start as u64, 1_000 + index as i64)
        );
        if entry.kind != SEGMENT {
            assert_eq!(entry.body, vec![b'a' + (index % 26) as u8; index * 7 % 61]);
        }
    }
}

#[test]
fn an_anchor_may_be_behind_but_not_missing() {
    let sample = Sample::new();
    for head in &sample.heads {
        let verified = verify(&sample.segments(), &key(), Some(*head));
        assert_eq!((verified.problems, verified.head), (vec![], sample.head()));
    }
    let verified = verify(&sample.segments(), &key(), None);
    let kinds: Vec<_> = verified.problems.iter().map(|problem| problem.kind).collect();
    assert_eq!((kinds, verified.head), (vec![AnchorMissing], sample.head()));
}

#[test]
fn every_changed_byte_is_found_in_its_record() {
    let sample = Sample::new();
    for file in 0..sample.files.len() {
        for at in 0..sample.files[file].len() {
            let hit = sample
                .places
                .iter()
                .find(|place| place.file == file && place.range.contains(&at));
            let expect = match hit {
                None => problem(file, 0..FILE_HEADER_BYTES, None, Header),
                // The state byte and the closing length: the record itself is sound.
                Some(place) if at == place.range.start + 6 => {
                    problem(file, at..at + 1, Some(place.sequence), Frame)
                }
                Some(place) if at >= place.range.end - 4 => {
                    let closing = place.range.end - 4..place.range.end;
                    problem(file, closing, Some(place.sequence), Frame)
                }
                Some(place) => changed(place),
            };
            for flip in [0x01, 0x80, 0xA5, 0xFF] {
                let mut damaged = sample.clone();
                damaged.files[file][at] ^= flip;
                let verified = damaged.verify();
                assert_eq!(
                    verified.problems,
                    std::slice::from_ref(&expect),
                    "{file}:{at} ^ {flip:#x}"
                );
                assert_eq!(verified.records, 32 - u64::from(expect.kind == Changed));
                assert_eq!(verified.head, sample.head());
                let unanchored = verify(&damaged.segments(), &key(), None);
                // Without an anchor, nothing says that the last record's number was ever given.
                let last = hit.is_some_and(|place| place.sequence == 32);
                let found = |problem: &Problem| {
                    *problem == expect || (last && problem.kind == Foreign && problem.at == expect.at)
                };
                assert!(
                    unanchored.problems.iter().any(found),
                    "{file}:{at}: {:?}",
                    unanchored.problems
                );
                assert_eq!(
                    unanchored.problems.len(),
                    2,
                    "{file}:{at}: {:?}",
                    unanchored.problems
                );
            }
        }
    }
}

#[test]
fn a_change_with_right_checksums_is_found() {
    let sample = Sample::new();
    type Forge = fn(&mut Entry<'_>, &mut Vec<u8>);
    let forgeries: [(&str, Forge); 8] = [
        ("mac", |_, payload| payload[3] ^= 1),
        ("segment", |_, payload| payload[32] ^= 2),
        ("longer", |_, payload| payload.push(0)),
        ("emptied", |_, payload| payload.truncate(35)),
        ("kind", |entry, _| entry.kind ^= 1),
        ("writer", |entry, _| entry.writer ^= 1),
        ("time", |entry, _| entry.time_ns ^= 1),
        ("sequence", |entry, _| entry.sequence = 1_000_000),
    ];
    for (name, forge) in forgeries {
        for index in 0..32 {
            let forged = sample.forged(index, forge);
            let verified = forged.verify();
            let place = &sample.places[index];
            let found =
                |problem: &&Problem| problem.kind == Changed && problem.sequence == Some(place.sequence);
            let problem = verified.problems.iter().find(found);
            let Some(problem) = problem else {
                panic!("{name} of {}: {:?}", place.sequence, verified.problems);
            };
            assert_eq!(problem.segment, NAMES[place.file]);
            assert_eq!(problem.at.start, place.range.start as u64, "{name}");
            // A record whose number or payload is beyond reading leaves the next without proof, at worst.
            for other in verified.problems.iter().filter(|other| *other != problem) {
                let next = (other.kind, other.sequence);
                assert_eq!(next, (Unproven, Some(place.sequence + 1)), "{name}: {other:?}");
                assert!(["sequence", "emptied"].contains(&name), "{name}: {other:?}");
            }
        }
    }
}

#[test]
fn two_changed_records_are_both_found() {
    let sample = Sample::new();
    for one in 0..32 {
        for two in one + 1..32 {
            for within in [2, 8, 50, 79] {
                let mut damaged = sample.clone();
                for place in [&sample.places[one], &sample.places[two]] {
                    damaged.files[place.file][place.range.start + within] ^= 0x11;
                }
                let problems = damaged.verify().problems;
                for place in [&sample.places[one], &sample.places[two]] {
                    let range = place.range.start as u64..place.range.end as u64;
                    let names = |problem: &&Problem| {
                        let destroyed = matches!(problem.kind, Destroyed { from, to }
                            if (from..=to).contains(&place.sequence));
                        problem.segment == NAMES[place.file]
                            && problem.at.start <= range.start
                            && problem.at.end >= range.end
                            && (destroyed
                                || (problem.kind, problem.sequence) == (Changed, Some(place.sequence)))
                    };
                    assert_eq!(
                        problems.iter().filter(names).count(),
                        1,
                        "{place:?}: {problems:?}"
                    );
                }
            }
        }
    }
}

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

/// Several things done to a log at once.
#[derive(Clone, Debug)]
enum Harm {
    Flip(prop::sample::Index, u8),
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    Repeat(prop::sample::Index, usize, prop::sample::Index),
}

fn harm() -> impl Strategy<Value = Harm> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), 1u8..).prop_map(|(at, flip)| Harm::Flip(at, flip)),
        (index(), 1usize..300).prop_map(|(at, length)| Harm::Remove(at, length)),
        (index(), vec(any::<u8>(), 1..100)).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        (index(), 1usize..300, index()).prop_map(|(at, length, to)| Harm::Repeat(at, length, to)),
    ]
}

fn apply(bytes: &mut Vec<u8>, harm: &Harm) {
    if bytes.is_empty() {
        return;
    }
    match harm {
        Harm::Flip(at, flip) => {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        Harm::Remove(at, length) => {
            let at = at.index(bytes.len());
            bytes.drain(at..bytes.len().min(at + length));
        }
        Harm::Insert(at, with) => {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..at, with.iter().copied());
        }
        Harm::Repeat(at, length, to) => {
            let at = at.index(bytes.len());
            let copy = bytes[at..bytes.len().min(at + length)].to_vec();
            let to = to.index(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_verify_without_panic(files in vec(vec(any::<u8>(), 0..400), 0..4)) {
        let segments: Vec<_> = files.iter().map(|bytes| Segment { name: "any", bytes }).collect();
        let _ = (verify(&segments, &key(), None), entries(&segments, &key()));
    }

    #[test]
    fn nothing_done_to_a_log_goes_unnoticed(harms in vec((0usize..3, harm()), 1..6)) {
        let sample = Sample::new();
        let mut harmed = sample.clone();
        for (file, harm) in &harms {
            apply(&mut harmed.files[*file], harm);
        }
        let verified = harmed.verify();
        let pruned = verified.first.is_some();
        prop_assert_eq!(verified.problems.is_empty() && !pruned, harmed.files == sample.files);
        // Every number is proven or named.
        let nothing = verified.problems.iter().any(|problem| problem.kind == WrongKey);
        prop_assume!(!nothing && !pruned);
        let listed = entries(&harmed.segments(), &key());
        for sequence in 1..=32 {
            let proven = listed.iter().any(|entry| entry.proven && entry.sequence == sequence);
            let named = verified.problems.iter().any(|problem| match problem.kind {
                Deleted { from, to } | Destroyed { from, to } | MissingSegment { from, to, .. } => {
                    // What is missing before the oldest record left may be more than is known.
                    (from..=to).contains(&sequence) || sequence < from
                }
                Truncated { .. } => true,
                Changed | Unproven => problem.sequence == Some(sequence),
                _ => false,
            });
            prop_assert!(proven || named, "{}: {:?}", sequence, verified.problems);
        }
    }

    #[test]
    fn any_bodies_are_listed_as_written(bodies in vec(vec(any::<u8>(), 0..100), 32)) {
        let sample = Sample::with_bodies(|index| bodies[index].clone());
        prop_assert_eq!(sample.verify().problems, []);
        for entry in entries(&sample.segments(), &key()) {
            prop_assert!(entry.proven);
            if entry.kind != SEGMENT {
                prop_assert_eq!(entry.body, &bodies[entry.sequence as usize - 1][..]);
            }
        }
    }
}
