//! The tables of parts: what is met again is one row, and nothing that was measured is lost when a table is full.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use lle_metrics::parts::PARTS_MAX;
use lle_metrics::{Flight, NewPart, PartKind, Parted, Snapshot};
use proptest::prelude::*;
use support::identity;

fn part(name: &str, ns: u64, parent: Option<usize>) -> NewPart<'_> {
    let kind = parent.map_or(PartKind::Command, |_| PartKind::Inner);
    NewPart {
        kind,
        name: name.as_bytes(),
        ns,
        count: 1,
        parent,
    }
}

fn sum(snapshot: &Snapshot) -> u64 {
    let parts = snapshot.parts(Parted::Prompt);
    let rows = parts.rows().filter(|row| row.parent.is_none());
    rows.map(|row| row.times.sum_ns).sum::<u64>() + parts.other().sum_ns
}

#[test]
fn a_part_that_is_met_again_is_one_row() {
    let flight = Flight::private(&identity());
    flight.update(|w| {
        w.parts(Parted::Prompt, 10, &[part("f", 6, None), part("g", 5, Some(0))]);
        w.parts(Parted::Prompt, 20, &[part("f", 8, None), part("h", 1, None)]);
    });
    let snapshot = flight.snapshot().unwrap();
    let parts = snapshot.parts(Parted::Prompt);
    let rows: Vec<_> = parts
        .rows()
        .map(|row| {
            (
                row.name,
                row.times.count,
                row.times.sum_ns,
                row.times.last_ns,
                row.parent,
                row.last_round,
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            (&b"f"[..], 2, 14, 8, None, 2),
            (&b"g"[..], 1, 5, 5, Some(0), 1),
            (&b"h"[..], 1, 1, 1, None, 2),
        ]
    );
    assert_eq!(
        (parts.whole().count, parts.whole().sum_ns, parts.whole().last_ns),
        (2, 30, 20)
    );
    assert_eq!(snapshot.parts(Parted::Start).rows().count(), 0);
}

#[test]
fn a_long_name_keeps_its_beginning_and_is_met_again() {
    let flight = Flight::private(&identity());
    let name = "n".repeat(80);
    flight.update(|w| {
        w.parts(Parted::Start, 1, &[part(&name, 1, None)]);
        w.parts(Parted::Start, 1, &[part(&name, 1, None)]);
    });
    let snapshot = flight.snapshot().unwrap();
    let rows: Vec<_> = snapshot.parts(Parted::Start).rows().collect();
    assert_eq!((rows.len(), rows[0].name.len(), rows[0].times.count), (1, 48, 2));
}

proptest! {
    #[test]
    fn the_sum_over_parts_and_others_is_what_was_recorded(
        rounds in proptest::collection::vec(
            proptest::collection::vec((0u8..60, 0u64..1000, any::<bool>()), 0..PARTS_MAX), 0..30)
    ) {
        let flight = Flight::private(&identity());
        let mut recorded = 0;
        for round in rounds {
            let names: Vec<_> = round.iter().map(|(n, ..)| n.to_string()).collect();
            let mut parts: Vec<NewPart<'_>> = Vec::new();
            for (at, ((_, ns, within), name)) in round.iter().zip(&names).enumerate() {
                let parent = (*within && at > 0 && parts[0].parent.is_none()).then_some(0);
                recorded += if parent.is_none() { *ns } else { 0 };
                parts.push(part(name, *ns, parent));
            }
            flight.update(|w| w.parts(Parted::Prompt, 1_000, &parts));
        }
        let snapshot = flight.snapshot().unwrap();
        prop_assert_eq!(sum(&snapshot), recorded);
        let rows: Vec<_> = snapshot.parts(Parted::Prompt).rows().collect();
        for row in &rows {
            let known = row.parent.is_none_or(|parent| rows.iter().any(|other| other.row == parent));
            prop_assert!(known, "{:?}", row);
        }
    }
}
