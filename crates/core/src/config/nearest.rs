//! Which known name somebody probably meant.
//!
//! Invariant: the work is bounded, whatever was written; a name is suggested only if it is close.

/// Bytes of a name beyond which nothing is suggested.
const BYTES_MAX: usize = 64;

/// Finds the known name closest to `written`: at most a third of its bytes differ, or it is the last part of that name.
/// Of two as close, the first.
pub(super) fn nearest<'n>(written: &str, known: impl Iterator<Item = &'n str> + Clone) -> Option<&'n str> {
    if written.is_empty() || written.len() > BYTES_MAX {
        return None;
    }
    let last = written.rsplit('.').next().unwrap_or(written);
    let exact = |name: &&str| name.rsplit('.').next() == Some(last);
    let far = (written.len() / 3).max(1);
    known
        .clone()
        // Each byte that one is longer is one that differs.
        .filter(|name| name.len() <= BYTES_MAX && name.len().abs_diff(written.len()) <= far)
        .map(|name| (distance(written.as_bytes(), name.as_bytes()), name))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
        .or_else(|| known.clone().find(exact))
}

type Row = [u8; BYTES_MAX + 1];

/// How many insertions, deletions, changes and swaps of neighbours make one of the other: "optimal string alignment"
/// (Damerau 1964; Wagner and Fischer 1974). Neither is longer than [`BYTES_MAX`].
fn distance(written: &[u8], known: &[u8]) -> usize {
    let mut before: Row = [0; BYTES_MAX + 1];
    let mut last: Row = std::array::from_fn(|at| at as u8);
    let mut row: Row = [0; BYTES_MAX + 1];
    for (i, a) in written.iter().enumerate() {
        row[0] = i as u8 + 1;
        for (j, b) in known.iter().enumerate() {
            let change = last[j] + u8::from(a != b);
            row[j + 1] = change.min(last[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && written[i - 1] == *b && *a == known[j - 1];
            if swapped {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        (before, last, row) = (last, row, before);
    }
    usize::from(last[known.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_probably_meant() {
        fn check(written: &str, expect: Option<&str>) {
            let known = [
                "editor.highlight",
                "editor.theme",
                "history.share",
                "keep",
                "revert",
            ];
            assert_eq!(nearest(written, known.into_iter()), expect, "{written}");
        }
        check("editor.higlight", Some("editor.highlight"));
        check("editor.theem", Some("editor.theme"));
        check("theme", Some("editor.theme"));
        check("edit.theme", Some("editor.theme"));
        check("kepe", Some("keep"));
        check("colour", None);
        check("", None);
        check(&"x".repeat(10_000), None);
    }
}
