//! Which rows a round has when it is over.

use super::*;

fn names(table: &Table) -> Vec<(String, u64, Option<usize>)> {
    names_with(table, &[])
}

fn names_with(table: &Table, own: &[(&'static str, u64)]) -> Vec<(String, u64, Option<usize>)> {
    let text = |part: &NewPart<'_>| String::from_utf8_lossy(part.name).into_owned();
    table
        .parts(own)
        .map(|part| (text(&part), part.ns, part.parent))
        .collect()
}

#[test]
fn small_parts_of_parts_are_left_out() {
    let mut table = Table::default();
    let f = table.add(PartKind::Command, Name::of("f"), 100, None, true);
    table.add(PartKind::Inner, Name::of("tiny"), 2, f, false);
    table.add(PartKind::Inner, Name::of("sleep 1"), 90, f, false);
    table.add(PartKind::Command, Name::of("f"), 20, None, true);
    assert_eq!(
        names(&table),
        [("f".into(), 120, None), ("sleep 1".into(), 90, Some(0))]
    );
    assert_eq!(
        table.slowest(|_| true).map(|row| row.name.bytes()),
        Some(&b"f"[..])
    );
}

#[test]
fn the_function_that_took_it_is_the_slowest() {
    let mut table = Table::default();
    let f = table.add(
        PartKind::Command,
        Name::of("__bp_precmd_invoke_cmd"),
        100,
        None,
        true,
    );
    table.add(PartKind::Inner, Name::of("precmd"), 60, f, true);
    assert_eq!(
        table.slowest(|_| true).map(|row| row.name.bytes()),
        Some(&b"precmd"[..])
    );
}

#[test]
fn what_nobody_may_see_has_no_name() {
    let fill = || {
        let mut table = Table::default();
        let f = table.add(PartKind::Command, Name::of("f"), 100, None, true);
        table.add(PartKind::Inner, Name::of("sleep 1"), 90, f, false);
        table.add(PartKind::Command, Name::of("g"), 20, None, true);
        table.add(PartKind::Substitution, Name::of("a"), 30, None, false);
        table.add(PartKind::Expanded, Name::of("b"), 5, None, false);
        table
    };
    let check = |command, ps1, expect: &[(&str, u64, Option<usize>)]| {
        let mut table = fill();
        table.hide(Private { command, ps1 });
        let expect: Vec<_> = expect
            .iter()
            .map(|row| (row.0.to_owned(), row.1, row.2))
            .collect();
        assert_eq!(names(&table), expect, "{command} {ps1}");
    };
    check(
        false,
        false,
        &names(&fill())
            .iter()
            .map(|row| (row.0.as_str(), row.1, row.2))
            .collect::<Vec<_>>(),
    );
    check(true, true, &[("PROMPT_COMMAND", 120, None), ("$(...)", 35, None)]);
    check(
        true,
        false,
        &[("PROMPT_COMMAND", 120, None), ("a", 30, None), ("b", 5, None)],
    );
}

#[test]
fn what_finds_no_row_is_counted() {
    let mut table = Table::default();
    for n in 0..100 {
        table.add(PartKind::Command, Name::of(&format!("c{n}")), 1, None, false);
    }
    let sum: u64 = names(&table).iter().map(|part| part.1).sum();
    assert_eq!(sum, 100);
    assert_eq!(table.rows().count(), ROWS_MAX);
    assert_eq!(
        names(&table).last().map(|part| part.0.clone()),
        Some(REST.to_owned())
    );
}

#[test]
fn what_everybody_may_see_stays_what_it_is() {
    let mut table = Table::default();
    table.add(PartKind::Substitution, Name::of("a"), 30, None, false);
    table.mark(0, |_| true);
    table.hide(Private::default());
    let kept = table.rows().next().map(|row| (row.kind, row.may_wait, row.ns));
    assert_eq!(kept, Some((PartKind::Substitution, true, 30)));
}

/// However many came before it, what is slow has its name, and nothing that was measured is lost.
#[test]
fn the_quickest_gives_way_to_what_is_slow() {
    let mut table = Table::default();
    let mut sum = 0;
    let mut add = |kind, name: &str, ns: u64, parent: Option<usize>| {
        sum += if parent.is_none() { ns } else { 0 };
        table.add(kind, Name::of(name), ns, parent, false)
    };
    for n in 0..100 {
        add(PartKind::Command, &format!("v{n}=..."), 1_000 + n, None);
    }
    let f = add(PartKind::Command, "f", 90 * GRAIN_NS, None);
    assert!(add(PartKind::Inner, "git status", 80 * GRAIN_NS, f).is_some());
    for n in 0..60 {
        add(PartKind::Command, &format!("quick{n}"), GRAIN_NS + n, None);
    }
    add(PartKind::Command, "sleep 0.1", 1_000 * GRAIN_NS, None);
    add(PartKind::Command, "f", 10 * GRAIN_NS, None);
    let names = names(&table);
    let found = |name: &str| names.iter().find(|row| row.0 == name);
    assert_eq!(
        found("sleep 0.1").map(|row| row.1),
        Some(1_000 * GRAIN_NS),
        "{names:?}"
    );
    assert_eq!(found("f").map(|row| row.1), Some(100 * GRAIN_NS), "{names:?}");
    let within = found("git status").and_then(|row| row.2);
    assert_eq!(within.map(|at| names[at].0.as_str()), Some("f"), "{names:?}");
    let added: u64 = names.iter().filter(|row| row.2.is_none()).map(|row| row.1).sum();
    assert_eq!(added, sum, "{names:?}");
    assert!(names.len() <= ROWS_MAX);
    assert_eq!(
        table.slowest(|_| true).map(|row| row.name.bytes()),
        Some(&b"sleep 0.1"[..])
    );
}

#[test]
fn what_lle_does_always_has_a_place_behind_what_is_whole() {
    let own = ["history log", "the rest of LLE", "paint", "PS1, put off"].map(|name| (name, 1));
    for slow in [false, true] {
        let mut table = Table::default();
        for n in 0..100 {
            let name = Name::of(&format!("c{n}"));
            if slow {
                table.add_slow(PartKind::Line, name, n);
            } else {
                table.add(PartKind::Command, name, n, None, false);
            }
        }
        let names = names_with(&table, &own);
        assert!(names.len() <= PARTS_MAX, "{names:?}");
        let last: Vec<_> = names
            .iter()
            .skip(names.len() - own.len())
            .map(|row| row.0.as_str())
            .collect();
        assert_eq!(last, own.map(|(name, _)| name), "{names:?}");
    }
    let mut table = Table::default();
    table.add(PartKind::Command, Name::of("first"), 5, None, false);
    let f = table.add(PartKind::Command, Name::of("f"), 100, None, true);
    table.add(PartKind::Inner, Name::of("sleep 1"), 90, f, false);
    table.add(PartKind::Substitution, Name::of("a"), 30, None, false);
    let places: Vec<_> = names_with(&table, &own)
        .into_iter()
        .map(|row| (row.0, row.2))
        .collect();
    let expect = [
        ("first", None),
        ("f", None),
        ("a", None),
        ("history log", None),
        ("the rest of LLE", None),
        ("paint", None),
        ("PS1, put off", None),
        ("sleep 1", Some(1)),
    ];
    assert_eq!(places, expect.map(|(name, parent)| (name.to_owned(), parent)));
}
