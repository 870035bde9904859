//! Bytes that were changed in their place, with right checksums or without.

use lle_log::audit::ProblemKind::{AnchorMissing, Changed, Destroyed, Foreign, Frame, Header, Unproven};
use lle_log::audit::{Problem, SEGMENT, entries, verify};
use lle_log::records::Entry;

use super::sample::{FILE_HEADER_BYTES, NAMES, Sample, changed, key, problem};

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
