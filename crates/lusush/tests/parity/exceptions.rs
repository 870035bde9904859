//! The differences from stock bash that are no fault of LLE, each with its proof.
//!
//! Stock readline updates its screen by difference and sometimes loses track of it; its own drawing from
//! scratch then shows what it meant. Where that can be asked, it is the proof of an exception: both shells draw
//! the same from scratch, LLE had shown that already, and stock had not ("stale" and its kin). The rest are
//! patterns, each as narrow as could be found: they name a fault of stock that was looked at once, and would
//! also pass a fault of LLE's that looks exactly like it.
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

/// Those in which stock is wrong even from scratch, or starting over is part of what is being typed.
const NOT_FROM_SCRATCH: &[&str] = &[
    "mark without a letter",
    "inside a quoted insert",
    "quoted in command mode",
    "modified mark at the margin",
    "room below a full window",
];

/// Those after which stock does not find back, also when it starts over: the sequence ends there.
pub(crate) const LOST: &[&str] = &["prompt measured before a resize", "argument in the row below"];

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
        name: "scrolled by a resize",
        reason: "in a window become too low for the text stock goes down to the last row it had, and scrolls rows away",
        matches: scrolled_by_resize,
    },
    Exception {
        name: "cursor in a search",
        reason: "stock misplaces the cursor behind a search prompt in lines with other than ASCII characters",
        matches: |_, Difference { stock, other, .. }, fresh| {
            let text = found(other).filter(|text| !text.is_ascii());
            let at_match = searched(other).is_some_and(|string| other.after_cursor.starts_with(&string));
            let as_fresh = text.as_ref().is_some_and(|text| ends_as(fresh, text))
                && bare(&other.after_cursor) == bare(&fresh.after_cursor);
            stock.rows == other.rows && text.is_some() && (as_fresh || at_match)
        },
    },
    Exception {
        name: "room below a full row",
        reason: "stock scrolls for an empty row below a line that ends at the margin, LLE once the cursor goes there",
        matches: |_, Difference { stock, other, .. }, fresh| {
            let last = other.rows.len() - 1;
            let scrolled = other.rows[1..] == stock.rows[..last] && stock.rows[last].is_empty();
            let in_search = found(other).is_some() && found(other) == found(stock);
            scrolled && (in_search || shows(other, fresh) && shows(stock, fresh))
        },
    },
    Exception {
        name: "room below a full window",
        reason: "the same where the line fills the window: from scratch it scrolls, too, and LLE does not",
        matches: |_,
                  Difference {
                      stock, other, fresh, ..
                  },
                  _| {
            let last = other.rows.len() - 1;
            let scrolled = other.rows[1..] == stock.rows[..last] && stock.rows[last].is_empty();
            let apart = stock.cursor.0 + 1 == other.cursor.0 && stock.cursor.1 == other.cursor.1;
            let as_fresh = fresh
                .as_ref()
                .is_some_and(|(of_stock, of_other)| stock == of_stock && other == of_other);
            scrolled && apart && other.last_cell_filled && as_fresh
        },
    },
    Exception {
        name: "torn message",
        reason: "stock leaves remains of the former line behind the prompt of a search or an argument; LLE shows the whole line",
        matches: |_,
                  Difference {
                      before, stock, other, ..
                  },
                  fresh| {
            let known = |text: &String| ends_as(fresh, text) || ends_as(before, text);
            let text = found(other).filter(known).map(|text| bare(&text));
            stock.rows != other.rows && text.is_some_and(|text| text.ends_with(&bare(&other.after_cursor)))
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
        name: "first search message again",
        reason: "without a prompt, stock draws the message the search began with when a signal ends it",
        matches: |step,
                  Difference {
                      before, stock, other, ..
                  },
                  _| {
            let began = ["(reverse-i-search)`':", "(i-search)`':"];
            let (stock, other) = (bare(&stock.rows.concat()), bare(&other.rows.concat()));
            matches!(step, Step::Keys(keys) if keys.contains(&3))
                && found(before).is_some()
                && began
                    .iter()
                    .any(|message| stock.replacen(message, "", 1) == other)
        },
    },
    Exception {
        name: "remains of a message",
        reason: "stock leaves the end of a search's message behind the prompt; LLE clears it",
        matches: |_,
                  Difference {
                      before, stock, other, ..
                  },
                  _| {
            let message = before.rows.concat();
            let left = |stock: &str, other: &str| {
                // Behind the prompt that LLE shows too, or over its beginning where the prompt is `> `.
                let behind = stock.strip_prefix(other).or_else(|| {
                    other
                        .starts_with('>')
                        .then(|| stock.split_once('>').map_or("", |(_, rest)| rest))
                });
                behind.is_some_and(|rest| rest.trim().chars().count() > 3 && message.contains(rest.trim()))
            };
            let differing: Vec<_> = stock
                .rows
                .iter()
                .zip(&other.rows)
                .filter(|(a, b)| a != b)
                .collect();
            (message.contains("search)`") || message.contains("(arg: "))
                && differing.len() == 1
                && differing.iter().all(|(stock, other)| left(stock, other))
        },
    },
    Exception {
        name: "prompt measured before a resize",
        reason: "stock keeps the prompt's rows of before a message, and ends them there though the window changed since",
        matches: broken_prompt,
    },
    Exception {
        name: "prompt measured before a resize, submitted",
        reason: "the same, and Enter ends the message and the line at once: the next prompt is measured anew",
        matches: broken_prompt_submitted,
    },
    Exception {
        name: "argument in the row below",
        reason: "stock clears as many columns more as the prompt has bytes that take none, into the row below where the text \
                 goes on there, and writes the second number of an argument in that row; LLE over the first",
        matches: |_,
                  Difference {
                      before, stock, other, ..
                  },
                  _| {
            let argument = |view: &View| view.rows.iter().position(|row| row.starts_with("(arg: "));
            let (ours, theirs) = (argument(other), argument(stock));
            argument(before).is_none()
                && ours.is_some()
                && ours == theirs
                && ours.is_some_and(|row| stock.rows[row].starts_with("(arg: 1)"))
                && stock.cursor == (other.cursor.0 + 1, other.cursor.1)
        },
    },
    Exception {
        name: "argument in the row below, submitted",
        reason: "the same, and the line is submitted with the argument: the prompt is over the text in the row below",
        matches: argument_below_submitted,
    },
    Exception {
        name: "prompt behind unfinished output",
        reason: "stock goes to columns counted from the left, where the prompt does not begin; LLE moves from where it is",
        matches: |_,
                  Difference {
                      before, stock, other, ..
                  },
                  _| {
            let row = usize::from(other.cursor.0);
            let prompt_inside = |text: &str| text.find("$ ").is_some_and(|at| at > 0);
            stock.rows == other.rows
                && stock.cursor.0 == other.cursor.0
                && other.rows.get(row).is_some_and(|text| prompt_inside(text))
                && before.rows.get(row).is_some_and(|text| prompt_inside(text))
        },
    },
    Exception {
        name: "inside a quoted insert",
        reason: "with a negative argument stock shows nothing until the last character is there; LLE shows those that are",
        matches: |step, Difference { before, .. }, _| {
            let quotes =
                matches!(step, Step::Keys(keys) if keys.starts_with(b"\x16") || keys.starts_with(b"\x11"));
            quotes && before.rows.concat().contains("(arg: -")
        },
    },
    Exception {
        name: "quoted in command mode",
        reason: "stock shows a blank for a quoted character that vi's command mode does not insert",
        matches: |step,
                  Difference {
                      before, stock, other, ..
                  },
                  _| {
            let squeezed = |view: &View| view.rows.iter().map(|row| bare(row)).collect::<Vec<_>>();
            let wide = matches!(step, Step::Keys(keys) if keys.first().is_some_and(|byte| !byte.is_ascii()));
            wide && other.rows == before.rows
                && other.cursor == before.cursor
                && squeezed(stock) == squeezed(other)
                && stock.cursor == other.cursor
        },
    },
    Exception {
        name: "modified mark at the margin",
        reason: "stock counts the mark of a modified line twice where the prompt fills the row, and breaks the text there",
        matches: |_, difference, fresh| {
            let Difference {
                before, stock, other, ..
            } = difference;
            let fills = |row: &String| row.starts_with('*') && row.chars().count() == other.cols;
            let marked = [before, stock, other]
                .iter()
                .any(|view| view.rows.iter().any(fills));
            let as_fresh = bare(&other.rows.concat()).ends_with(&bare(&fresh.rows.concat()));
            let in_message = found(other).is_some_and(|text| ends_as(fresh, &text));
            let as_stock = bare(&other.rows.concat()) == bare(&stock.rows.concat());
            marked && (as_fresh || in_message || as_stock || is_below_mark(difference))
        },
    },
    Exception {
        name: "modified mark, submitted",
        reason: "stock shifts the text by a column as the mark comes before a coloured prompt, and submits it so",
        matches: |_, Difference { stock, other, .. }, _| {
            let mut differing = stock.rows.iter().zip(&other.rows).filter(|(a, b)| a != b);
            let shifted =
                |(stock, other): (&String, &String)| other.starts_with('*') && bare(stock) == bare(other);
            differing.next().is_some_and(shifted)
                && differing.next().is_none()
                && stock.cursor == other.cursor
        },
    },
    Exception {
        name: "mark without a letter",
        reason: "a combining mark at the start of the line joins the prompt; stock overwrites it by halves",
        matches: |_, Difference { stock, other, .. }, _| {
            let unmarked = |view: &View| {
                view.rows
                    .iter()
                    .map(|row| bare(&row.replace(is_mark, "")))
                    .collect::<Vec<_>>()
            };
            let leads = |row: &String| row.contains([' ', '#']) && row.contains(is_mark);
            let near = stock.cursor.0 == other.cursor.0 && stock.cursor.1.abs_diff(other.cursor.1) <= 1;
            other.rows.iter().any(leads) && unmarked(stock) == unmarked(other) && near
        },
    },
];

/// Whether `c` is one of the characters without a width that are typed here.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{200d}' | '\u{fe0f}')
}

/// Returns the name of the exception that holds for what `step` led to.
pub(crate) fn name(step: Option<&Step>, difference: &Difference) -> Option<&'static str> {
    let (step, (fresh, same)) = (step?, difference.fresh.as_ref()?);
    EXCEPTIONS
        .iter()
        .filter(|Exception { name, .. }| {
            fresh == same || NOT_FROM_SCRATCH.contains(name) || LOST.contains(name)
        })
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

/// Whether stock, going down to the last row it had in a window that became too low, scrolled rows away that LLE leaves.
fn scrolled_by_resize(
    step: &Step,
    Difference {
        before, stock, other, ..
    }: &Difference,
    fresh: &View,
) -> bool {
    let Step::Resize { rows, .. } = step else {
        return false;
    };
    let rows = usize::from(*rows);
    let used = before
        .rows
        .iter()
        .rposition(|row| !row.is_empty())
        .map_or(0, |at| at + 1);
    // An empty row below a full one is stock's last, too.
    let had_below = used.saturating_sub(usize::from(before.cursor.0)).max(1);
    let scrolled = |fresh: &View| {
        above(stock, fresh)
            .zip(above(other, fresh))
            .filter(|(stock, other)| {
                other.ends_with(stock) && (1..=had_below).contains(&(other.len() - stock.len()))
            })
    };
    // Nobody draws the upper row of a prompt anew at a resize, and where the terminal cut the cursor's row, which is now the
    // last, that one is over it.
    let cut = || {
        let first = before.rows.iter().rposition(|row| *row == fresh.rows[0])?;
        let rest = fresh.without_first_row().filter(|_| first + 1 >= rows)?;
        let (_, other) = scrolled(&rest)?;
        Some(before.rows.windows(other.len()).any(|old| old == other))
    };
    rows < before.rows.len() && (scrolled(fresh).is_some() || cut().unwrap_or(false))
}

/// Whether LLE shows where the message was what it shows from scratch, and stock the same with one more break, also from scratch.
fn broken_prompt(_: &Step, difference: &Difference, fresh: &View) -> bool {
    let Difference {
        before, stock, other, ..
    } = difference;
    let whole = difference.fresh.as_ref().map(|(_, whole)| whole);
    let left = whole.and_then(|whole| above(other, whole).zip(began(before)));
    shows(stock, fresh)
        && left.is_some_and(|(rows, began)| are_left(rows, &before.rows[..began], other))
        && whole.is_some_and(|whole| {
            bare(&whole.rows.concat()) == bare(&fresh.rows.concat()) && fresh.cursor.0 == whole.cursor.0 + 1
        })
}

/// Whether LLE shows the prompt as from scratch where the message was, with the line behind it, and stock the same with one
/// more break in the prompt's last row; the row more may have scrolled one away.
fn broken_prompt_submitted(
    step: &Step,
    Difference {
        before, stock, other, ..
    }: &Difference,
    fresh: &View,
) -> bool {
    let Some((theirs, ours)) = above(stock, fresh).zip(above(other, fresh)) else {
        return false;
    };
    let (upper, last) = fresh.rows.split_at(usize::from(fresh.cursor.0));
    let upper = began(before).map(|began| [&before.rows[..began], upper].concat());
    let breaks_once_more = |scrolled: usize| {
        let kept = &ours[scrolled..];
        let same = theirs.iter().zip(kept).take_while(|(a, b)| a == b).count();
        let (theirs, kept) = (&theirs[same..], &kept[same..]);
        let broken = theirs.first().zip(kept.first()).is_some_and(|(part, whole)| {
            part.len() < last[0].len() && last[0].starts_with(part) && whole.starts_with(&last[0])
        });
        let left = |upper: &Vec<_>| are_left(&ours[..scrolled + same], upper, other);
        broken && upper.as_ref().is_some_and(left) && bare(&theirs.concat()) == bare(&kept.concat())
    };
    submits(step) && (0..=ours.len().min(1)).any(breaks_once_more)
}

/// Returns the first row of the message that `view` shows.
fn began(view: &View) -> Option<usize> {
    let searches = view.rows.concat().contains("search)`");
    view.rows
        .iter()
        .rposition(|row| row.starts_with("(arg: ") || searches && row.starts_with('('))
}

/// Whether `rows`, the upper ones of `view`, are those of `upper`, less what a full screen scrolled away.
fn are_left(rows: &[String], upper: &[String], view: &View) -> bool {
    let full = view.rows.last().is_some_and(|row| !row.is_empty());
    upper.ends_with(rows) && (full || rows.len() == upper.len())
}

/// Whether LLE shows the line as it was and the next prompt below, and stock the first number of an argument before it,
/// the prompt in the row below, and all that follows one row lower.
fn argument_below_submitted(
    step: &Step,
    Difference {
        before, stock, other, ..
    }: &Difference,
    fresh: &View,
) -> bool {
    let prompt = &fresh.rows[usize::from(fresh.cursor.0)];
    let Some((theirs, ours)) = above(stock, fresh).zip(above(other, fresh)) else {
        return false;
    };
    let Some(top) = theirs.iter().rposition(|row| row.starts_with("(arg: 1) ")) else {
        return false;
    };
    let text = theirs[top].strip_prefix("(arg: 1) ").map(str::trim);
    submits(step)
        && !prompt.is_empty()
        && before.rows.starts_with(ours)
        && ours.len() > top + 1
        && theirs.len() == ours.len() + 1
        && theirs[..top] == ours[..top]
        && ours[top].strip_prefix(prompt.as_str()).map(str::trim) == text
        && theirs[top + 1] == *prompt
        && theirs[top + 2..ours.len()] == ours[top + 2..]
        && theirs[ours.len()].is_empty()
}

/// Whether stock shows what LLE does one row lower, below a prompt that fills its row with the mark, where the same prompt is
/// to be: with a message, which has no mark, or the mark of what was typed since.
fn is_below_mark(
    Difference {
        before, stock, other, ..
    }: &Difference,
) -> bool {
    let fills = |row: &String| row.starts_with('*') && row.chars().count() == other.cols;
    let Some(at) = stock.rows.iter().position(fills) else {
        return false;
    };
    let last = other.rows.len() - 1;
    (other.rows[at].starts_with(&stock.rows[at][1..]) || other.rows[at] == stock.rows[at])
        && before.rows[at] == stock.rows[at]
        && stock.rows[..at] == other.rows[..at]
        && stock.rows[at + 1..] == other.rows[at..last]
        && other.rows[last].is_empty()
        && stock.cursor == (other.cursor.0 + 1, other.cursor.1)
}

/// Returns the rows of `view` above the fresh screen, if it shows that below them.
fn above<'a>(view: &'a View, fresh: &View) -> Option<&'a [String]> {
    view.rows_below(fresh).map(|down| &view.rows[..down])
}

fn submits(step: &Step) -> bool {
    matches!(step, Step::Keys(keys) if keys.contains(&b'\r') || keys.contains(&b'\n'))
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
    rest.split_once("':")
        .map(|(_, line)| line.strip_prefix(' ').unwrap_or(line).to_owned())
}

/// Returns what is searched for, from the prompt of an incremental search.
fn searched(view: &View) -> Option<String> {
    let text = view.rows.concat();
    let (_, rest) = text.rsplit_once("i-search)`")?;
    rest.split_once("': ").map(|(string, _)| string.to_owned())
}

/// A text without what takes another width elsewhere: tabs are shown as blanks, up to the next stop.
fn bare(text: &str) -> String {
    text.split_whitespace().collect()
}

fn ends_as(fresh: &View, text: &str) -> bool {
    bare(&fresh.rows.concat()).ends_with(&bare(text))
}

#[cfg(test)]
mod tests;
