//! The differences from stock bash that are no fault of LLE, each with its proof.
//!
//! Stock readline updates its screen by difference and sometimes loses track of it; its own drawing from
//! scratch then shows what it meant. So the proof of an exception is what both shells draw when told to start
//! over: they agree, LLE had shown that already, and stock had not.
//!
//! Invariant: an exception matches as little as can be, and how often it did is printed with the result.

use crate::duel::{Difference, View};
use crate::keys::Step;

/// A difference that is no fault of LLE.
pub(crate) struct Exception {
    pub(crate) name: &'static str,
    /// Why LLE shows something else; printed with the count.
    pub(crate) reason: &'static str,
    matches: fn(&Step, &Difference, fresh: &View) -> bool,
}

/// All of them.
pub(crate) const EXCEPTIONS: &[Exception] = &[
    Exception {
        name: "stale",
        reason: "stock draws something else when it starts over, and that is what LLE had shown",
        matches: |step, difference, fresh| {
            matches!(step, Step::Keys(_))
                && shows_fresh_below_old(difference, fresh)
                && !shows(&difference.stock, fresh)
        },
    },
    Exception {
        name: "stale after a resize",
        reason: "as above, and what scrolled or was cut above the prompt depends on where stock thought it was",
        matches: |step, difference, fresh| {
            matches!(step, Step::Resize { .. })
                && shows(&difference.other, fresh)
                && !shows(&difference.stock, fresh)
        },
    },
    Exception {
        name: "cursor in a search",
        reason: "stock misplaces the cursor behind a search prompt in lines with other than ASCII characters",
        matches: |_, Difference { stock, other, .. }, fresh| {
            let finding = found(other).is_some_and(|text| !text.is_ascii() && ends_with(fresh, &text));
            finding && stock.rows == other.rows && other.after_cursor == fresh.after_cursor
        },
    },
    Exception {
        name: "room below a full row",
        reason: "stock scrolls for an empty row below a line that ends at the margin, LLE once the cursor goes there",
        matches: |_, Difference { stock, other, .. }, fresh| {
            let last = other.rows.len() - 1;
            let scrolled = other.rows[1..] == stock.rows[..last] && stock.rows[last].is_empty();
            scrolled && shows(other, fresh) && shows(stock, fresh)
        },
    },
    Exception {
        name: "torn message",
        reason: "stock leaves remains of the former line behind the prompt of a search or an argument; LLE shows the whole line",
        matches: |_, Difference { stock, other, .. }, fresh| {
            stock.rows != other.rows
                && found(other).is_some_and(|text| ends_with(fresh, &text))
                && other.after_cursor == fresh.after_cursor
        },
    },
    Exception {
        name: "torn message, submitted",
        reason: "the same remains stay behind when the line is submitted right from the search",
        matches: |_,
                  Difference {
                      before, stock, other, ..
                  },
                  _| {
            let whole = |view: &View, line: &str| view.rows.iter().any(|row| row.ends_with(line));
            found(before).is_some_and(|line| whole(other, &line) && !whole(stock, &line))
                && stock.cursor == other.cursor
        },
    },
    Exception {
        name: "mark without a letter",
        reason: "a combining mark at the start of the line joins the prompt; stock overwrites it by halves",
        matches: |_, Difference { stock, other, .. }, _| {
            let bare = |view: &View| {
                view.rows
                    .iter()
                    .map(|row| row.replace(is_mark, ""))
                    .collect::<Vec<_>>()
            };
            let leads = |row: &String| row.contains([' ', '#']) && row.contains(is_mark);
            other.rows.iter().any(leads) && bare(stock) == bare(other) && stock.cursor == other.cursor
        },
    },
];

/// Whether `c` is one of the combining marks that are typed here.
fn is_mark(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// Returns the name of the exception that holds for what `step` led to.
pub(crate) fn name(step: Option<&Step>, difference: &Difference) -> Option<&'static str> {
    let (step, (fresh, same)) = (step?, difference.fresh.as_ref()?);
    if fresh != same {
        return None;
    }
    EXCEPTIONS
        .iter()
        .find(|exception| (exception.matches)(step, difference, fresh))
        .map(|exception| exception.name)
}

fn shows(view: &View, fresh: &View) -> bool {
    view.rows_below(fresh).is_some()
}

/// Whether LLE shows the fresh screen, and above it only what was there or what stock shows too.
fn shows_fresh_below_old(difference: &Difference, fresh: &View) -> bool {
    let known = |row| difference.before.rows.contains(row) || difference.stock.rows.contains(row);
    difference
        .other
        .rows_below(fresh)
        .is_some_and(|down| difference.other.rows[..down].iter().all(known))
}

/// Returns the line behind the prompt of a search or an argument, if `view` shows a whole one.
fn found(view: &View) -> Option<String> {
    let text = view.rows.concat();
    if let Some((_, rest)) = text.rsplit_once("(arg: ") {
        return rest.split_once(") ").map(|(_, line)| line.to_owned());
    }
    let (before, rest) = text.rsplit_once("i-search)`")?;
    before
        .rsplit_once('(')
        .filter(|(_, kind)| ["", "reverse-", "failed ", "failed reverse-"].contains(kind))?;
    rest.split_once("': ")
        .map(|(_, line)| line.to_owned())
        .or_else(|| rest.ends_with("':").then(String::new))
}

fn ends_with(fresh: &View, text: &str) -> bool {
    fresh.rows.concat().ends_with(text)
}
