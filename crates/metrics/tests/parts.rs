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
        may_wait: false,
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
fn what_runs_twice_in_a_round_is_met_once_in_it() {
    let flight = Flight::private(&identity());
    let twice = [part("git", 60, None), part("git", 100, None)];
    flight.update(|w| {
        w.parts(Parted::Prompt, 200, &twice);
        w.parts(Parted::Prompt, 200, &twice);
    });
    let snapshot = flight.snapshot().unwrap();
    let times = snapshot.parts(Parted::Prompt).rows().next().unwrap().times;
    assert_eq!(
        (times.count, times.mean_ns(), times.last_ns, times.max_ns),
        (2, Some(160), 160, 160)
    );
}

#[test]
fn what_took_most_keeps_its_row_while_others_come_and_go() {
    let flight = Flight::private(&identity());
    for round in 0..6 {
        let names: Vec<_> = (0..PARTS_MAX - 1).map(|n| format!("{round}:{n}")).collect();
        let mut parts: Vec<_> = names.iter().map(|name| part(name, 1, None)).collect();
        // It stands elsewhere each time.
        parts.insert(round * 4 % parts.len(), part("slow", 1_000, None));
        flight.update(|w| w.parts(Parted::Prompt, 1_100, &parts));
    }
    let snapshot = flight.snapshot().unwrap();
    let mut rows = snapshot.parts(Parted::Prompt).rows();
    let slow = rows.find(|row| row.name == b"slow").unwrap().times;
    assert_eq!((slow.count, slow.sum_ns), (6, 6_000));
}

#[test]
fn whether_a_part_may_wait_is_of_the_last_round() {
    let flight = Flight::private(&identity());
    for may_wait in [false, true, true, false] {
        let part = NewPart {
            may_wait,
            ..part("git", 60, None)
        };
        flight.update(|w| w.parts(Parted::Prompt, 60, &[part]));
        let snapshot = flight.snapshot().unwrap();
        let rows: Vec<_> = snapshot.parts(Parted::Prompt).rows().collect();
        assert_eq!((rows.len(), rows[0].may_wait), (1, may_wait));
        assert_eq!((rows[0].kind, rows[0].parent), (Some(PartKind::Command), None));
    }
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
