//! Each exception holds for the screens it was made for, and no longer once LLE's screen is another.

use super::*;

/// A screen of `size` rows and columns with `rows` from the top down.
fn view(size: (usize, usize), rows: &[&str], cursor: (u16, u16)) -> View {
    let mut rows: Vec<_> = rows.iter().map(|&row| row.to_owned()).collect();
    assert!(rows.len() <= size.0);
    rows.resize(size.0, String::new());
    View {
        last_cell_filled: rows[size.0 - 1].chars().count() == size.1,
        rows,
        cursor,
        after_cursor: String::new(),
        ended: false,
        cols: size.1,
    }
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|n| format!("above {n}")).collect()
}

fn difference(before: View, stock: View, other: View, fresh: (View, View)) -> Difference {
    Difference {
        at: 1,
        what: String::new(),
        before,
        stock,
        other,
        fresh: Some(fresh),
    }
}

/// Checks that `step` to `seen` is excepted as `expect`, and is not if LLE shows any of what it might show by a fault: the
/// cursor elsewhere, a row more or fewer above, other text in a row, or nothing new.
fn check(step: &Step, seen: &Difference, expect: &str) {
    assert_eq!(name(Some(step), seen), Some(expect));
    let spoiled = |spoil: &dyn Fn(&mut View)| {
        let mut seen = seen.clone();
        spoil(&mut seen.other);
        (seen.other != seen.stock).then(|| (name(Some(step), &seen), seen.other.to_string()))
    };
    let mut faults = vec![
        spoiled(&|other| other.cursor.1 += 1),
        spoiled(&|other| other.cursor.0 -= 1),
        spoiled(&|other| {
            let empty = other.rows.iter().rposition(String::is_empty);
            other.rows.remove(empty.unwrap_or(0));
            other.rows.insert(0, "another".into());
            other.cursor.0 += u16::from(empty.is_some());
        }),
        spoiled(&|other| {
            other.rows.remove(0);
            other.rows.push(String::new());
            other.cursor.0 -= 1;
        }),
        spoiled(&|other| {
            let rows = other.rows.len();
            other.rows.clone_from_slice(&seen.before.rows[..rows]);
            other.cursor.0 = seen.before.cursor.0.min(other.rows.len() as u16 - 1);
        }),
    ];
    for row in 0..seen.other.rows.len() {
        faults.push(spoiled(&|other| other.rows[row].push('!')));
        faults.push(spoiled(&|other| other.rows[row].clear()).filter(|_| !seen.other.rows[row].is_empty()));
    }
    for (name, other) in faults.into_iter().flatten() {
        assert_eq!(name, None, "{expect}, LLE showing\n{other}");
    }
}

fn keys(keys: &str) -> Step {
    Step::Keys(keys.as_bytes().to_vec())
}

fn refs(rows: &[String]) -> Vec<&str> {
    rows.iter().map(String::as_str).collect()
}

/// Seed 41466.
#[test]
fn prompt_is_broken_where_it_was_before_a_resize() {
    let (full, end) = ("z".repeat(20), format!("{}$", "z".repeat(15)));
    let whole = [vec![full.as_str(); 6], vec![end.as_str()]].concat();
    let broken = [vec![full.as_str(); 6], vec![&full[..12], "zzz$"]].concat();
    let size = (10, 20);
    let above = numbered(0..9);
    let before = [refs(&above), vec!["(arg: 0)"]].concat();
    let seen = difference(
        view(size, &before, (9, 9)),
        view(size, &[&refs(&above)[7..], &broken].concat(), (9, 5)),
        view(size, &[&refs(&above)[6..], &whole].concat(), (9, 17)),
        (view(size, &broken, (7, 5)), view(size, &whole, (6, 17))),
    );
    check(&keys("\x1b "), &seen, "prompt measured before a resize");
}

/// Seed 41466, shortened.
#[test]
fn prompt_broken_where_it_was_before_a_resize_may_be_submitted() {
    let (full, end) = ("z".repeat(20), format!("{}$", "z".repeat(15)));
    let prompt = [vec![full.as_str(); 6], vec![end.as_str()]].concat();
    let size = (10, 20);
    let mut before = numbered(0..9);
    before.push("(arg: 0)".into());
    let broken = [&full[..], &full[..12], "zzz$"];
    let seen = difference(
        view(size, &refs(&before), (9, 9)),
        view(size, &[&broken[..], &prompt].concat(), (9, 17)),
        view(
            size,
            &[&[full.as_str(), &full, &end][..], &prompt].concat(),
            (9, 17),
        ),
        (view(size, &prompt, (6, 17)), view(size, &prompt, (6, 17))),
    );
    check(&keys("\r"), &seen, "prompt measured before a resize, submitted");
    assert_eq!(name(Some(&keys("x")), &seen), None, "not submitted");
}

/// Seed 41764.
#[test]
fn room_below_a_full_window_is_scrolled_for() {
    let rows = ["first row", "> : a long", "line it is", "0123456789"];
    let lle = || view((4, 10), &rows, (2, 8));
    let stock = || view((4, 10), &rows[1..], (1, 8));
    let before = view(
        (4, 10),
        &["first row", "> : a lon", "line it is", "123456789"],
        (2, 7),
    );
    let seen = difference(before.clone(), stock(), lle(), (stock(), lle()));
    check(&keys("m"), &seen, "room below a full window");
    let short = |top: usize| {
        let rows = ["first row", "> : a long", "line it is", "012345678"];
        view((4, 10), &rows[top..], (2 - top as u16, 8))
    };
    let seen = difference(before, short(1), short(0), (short(1), short(0)));
    assert_eq!(name(Some(&keys("m")), &seen), None, "the last row is not full");
}

/// Seeds 40790 and 41742.
#[test]
fn scrolled_by_a_resize_that_cuts_the_upper_row_of_the_prompt() {
    let prompt = ["first row", "> echo three four fi", "ve"];
    let fresh = || view((10, 132), &["first row", "> echo three four five"], (1, 2));
    let after = |from: usize| {
        let mut rows = numbered(from..9);
        rows.push("> echo three four five".into());
        view((10, 132), &refs(&rows), (9 - from as u16, 2))
    };
    let before = |above: usize| {
        let rows = numbered(0..above);
        view(
            (24, 20),
            &[refs(&rows), prompt.to_vec()].concat(),
            (above as u16 + 1, 2),
        )
    };
    let step = Step::Resize { rows: 10, cols: 132 };
    let seen = |above, from| difference(before(above), after(from), after(0), (fresh(), fresh()));
    check(&step, &seen(19, 1), "scrolled by a resize");
    assert_eq!(name(Some(&step), &seen(5, 1)), None, "the upper row was not cut");
    assert_eq!(
        name(Some(&step), &seen(19, 3)),
        None,
        "stock had only one row below"
    );
    let higher = Step::Resize { rows: 24, cols: 132 };
    assert_eq!(name(Some(&higher), &seen(19, 1)), None, "the window is not lower");
}

/// Seed 41692.
#[test]
fn argument_in_the_row_below_may_be_submitted() {
    let size = (8, 20);
    let fresh = || view(size, &["user:dir$"], (0, 10));
    let seen = difference(
        view(size, &["user:dir$ a", "b", "c"], (2, 1)),
        view(size, &["(arg: 1) a", "user:dir$", "c", "", "user:dir$"], (4, 10)),
        view(size, &["user:dir$ a", "b", "c", "user:dir$"], (3, 10)),
        (fresh(), fresh()),
    );
    let step = keys("\x1b[200~\n\x1b[201~");
    check(&step, &seen, "argument in the row below, submitted");
    assert_eq!(name(Some(&keys("200")), &seen), None, "not submitted");
}

/// Seed 40699.
#[test]
fn message_below_a_mark_that_filled_its_row() {
    let (size, prompt, marked) = ((10, 20), "y".repeat(19), format!("*{}", "y".repeat(19)));
    let message = format!("{prompt}/");
    let seen = difference(
        view(size, &[&marked, "e", "cho one"], (2, 6)),
        view(size, &[&marked, &message], (2, 0)),
        view(size, &[&message], (1, 0)),
        (
            view(size, &[&marked, &marked, "/^L"], (2, 3)),
            view(size, &[&marked, "/^L"], (1, 3)),
        ),
    );
    check(&keys("/"), &seen, "modified mark at the margin");
    let seen_next = difference(
        view(size, &[&marked, &marked, "/^L"], (2, 3)),
        view(size, &[&marked, &marked, "/^Lz"], (2, 4)),
        view(size, &[&marked, "/^Lz"], (1, 4)),
        (
            view(size, &[&marked, &marked, "/^Lz^L"], (2, 6)),
            view(size, &[&marked, "/^Lz^L"], (1, 6)),
        ),
    );
    check(&keys("z"), &seen_next, "modified mark at the margin");
    let mut unmarked = seen;
    unmarked.before.rows[0] = prompt;
    unmarked.stock.rows[0] = "another row".into();
    assert_eq!(name(Some(&keys("/")), &unmarked), None, "no mark fills a row");
}
