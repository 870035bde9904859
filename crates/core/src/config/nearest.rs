//! Which known name somebody probably meant.
//!
//! Invariant: the work is bounded, whatever was written; a name is suggested only if it is close.

/// Characters of a name beyond which nothing is suggested.
const CHARS_MAX: usize = 64;

/// Finds the known name closest to `written`: at most a third of its characters differ, or it is the last part of that
/// name. Of two as close, the first.
pub(super) fn nearest<'n>(written: &str, known: impl Iterator<Item = &'n str> + Clone) -> Option<&'n str> {
    let chars: Vec<char> = written.chars().take(CHARS_MAX + 1).collect();
    if chars.is_empty() || chars.len() > CHARS_MAX {
        return None;
    }
    let last = written.rsplit('.').next().unwrap_or(written);
    let exact = |name: &&str| name.rsplit('.').next() == Some(last);
    let far = chars.len() / 3;
    known
        .clone()
        .map(|name| (distance(&chars, name), name))
        .filter(|(distance, _)| *distance <= far.max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
        .or_else(|| known.clone().find(exact))
}

/// How many insertions, deletions, changes and swaps of neighbours make one of the other: "optimal string alignment"
/// (Damerau 1964; Wagner and Fischer 1974).
fn distance(written: &[char], known: &str) -> usize {
    let known: Vec<char> = known.chars().collect();
    let mut before: Vec<usize> = vec![0; known.len() + 1];
    let mut last: Vec<usize> = (0..=known.len()).collect();
    for (i, a) in written.iter().enumerate() {
        let mut row = vec![i + 1; known.len() + 1];
        for (j, b) in known.iter().enumerate() {
            let change = last[j] + usize::from(a != b);
            row[j + 1] = change.min(last[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && written[i - 1] == *b && *a == known[j - 1];
            if swapped {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[known.len()]
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
