//! Several things done to a log at once, and any bytes at all.

use lle_log::audit::ProblemKind::{
    Changed, Deleted, Destroyed, MissingSegment, Truncated, Unproven, WrongKey,
};
use lle_log::audit::{SEGMENT, Segment, entries, verify};
use proptest::collection::vec;
use proptest::prelude::*;

use super::sample::{Sample, key};

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
