//! Bash's own history file: did bash write it anew, or did another program take lines out?
//!
//! Bash appends at its end, and cuts its beginning off down to `HISTFILESIZE` lines. So what bash leaves begins with
//! an end of what was there. Anything else was another program, or `history -w` of a shell that had not seen all of it.
//!
//! Invariant: [`restored`] and [`gathered`] keep every line of both.

use std::collections::BTreeSet;

/// Lines of the former file that bash must have left, at least, for its cut to be believed when the file got shorter:
/// nobody who keeps a history sets `HISTFILESIZE` below that.
const KEPT_LEAST: usize = 100;

/// What became of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the same.
    Same,
    /// What bash does: lines were appended, and perhaps the oldest cut off.
    Bash,
    /// Most lines are there: somebody edited it, or `history -w` wrote it without some.
    Edited {
        /// Lines that are nowhere in it any more.
        missing: usize,
    },
    /// Its end, or all of it, is gone.
    Cut {
        /// Lines that are gone.
        missing: usize,
    },
}

/// Judges a change of the file.
pub fn judge(former: &[u8], now: &[u8]) -> Verdict {
    if former == now {
        return Verdict::Same;
    }
    let (was, is) = (lines(former), lines(now));
    if was.is_empty() || now.starts_with(former) {
        return Verdict::Bash;
    }
    let kept = overlap(&was, &is);
    if kept > 0 && (is.len() >= was.len() || kept >= KEPT_LEAST || kept * 2 >= was.len()) {
        return Verdict::Bash;
    }
    let there: BTreeSet<&[u8]> = is.iter().copied().collect();
    let missing = was.iter().filter(|line| !there.contains(*line)).count();
    let begins_alike = was.iter().zip(&is).take_while(|(a, b)| a == b).count();
    match missing {
        _ if begins_alike == is.len() => Verdict::Cut {
            missing: was.len() - is.len(),
        },
        0 => Verdict::Bash,
        missing if missing * 2 <= was.len() => Verdict::Edited { missing },
        missing => Verdict::Cut { missing },
    }
}

/// What the file is to hold once what it lost is put back: all that it held, and then what is new.
pub fn restored(former: &[u8], now: &[u8]) -> Vec<u8> {
    let (was, is) = (lines(former), lines(now));
    let begins_alike = was.iter().zip(&is).take_while(|(a, b)| a == b).count();
    let known: BTreeSet<&[u8]> = match judge(former, now) {
        // Lines that stayed stand in the former file already.
        Verdict::Edited { .. } => was.iter().copied().collect(),
        _ => BTreeSet::new(),
    };
    let new = is[begins_alike..].iter().filter(|line| !known.contains(*line));
    let mut out = former.to_vec();
    if out.last().is_some_and(|byte| *byte != b'\n') {
        out.push(b'\n');
    }
    for line in new {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out
}

/// What a file held in turn, as one text: what it held so far, and the lines that are new in what it holds now, whether they
/// were appended or stand in a file that was begun anew.
pub fn gathered(so_far: &[u8], now: &[u8]) -> Vec<u8> {
    let (was, is) = (lines(so_far), lines(now));
    let begins_alike = was.iter().zip(&is).take_while(|(a, b)| a == b).count();
    let mut out = so_far.to_vec();
    if out.last().is_some_and(|byte| *byte != b'\n') {
        out.push(b'\n');
    }
    let new = &is[begins_alike.max(overlap(&was, &is))..];
    // Seen once more, it adds nothing; behind all that was there a line may well come again.
    let is_known = begins_alike < was.len() && was.ends_with(new);
    for line in if is_known { &[] } else { new } {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    // What follows the last newline is no line if it is nothing.
    if lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

/// The most lines that end `was` and begin `is`, by the failure function of Knuth, Morris and Pratt.
fn overlap(was: &[&[u8]], is: &[&[u8]]) -> usize {
    let mut failure = vec![0; is.len()];
    let mut matched = 0;
    for at in 1..is.len() {
        while matched > 0 && is[at] != is[matched] {
            matched = failure[matched - 1];
        }
        matched += usize::from(is[at] == is[matched]);
        failure[at] = matched;
    }
    let mut matched = 0;
    for line in was {
        while matched > 0 && (matched == is.len() || *line != is[matched]) {
            matched = failure[matched - 1];
        }
        matched += usize::from(is.get(matched) == Some(line));
    }
    matched
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbered(range: std::ops::Range<usize>) -> Vec<u8> {
        range
            .map(|n| format!("command {n}\n"))
            .collect::<String>()
            .into_bytes()
    }

    #[test]
    fn bash_is_told_from_others() {
        let check = |former: &[u8], now: &[u8], expect: Verdict| {
            assert_eq!(judge(former, now), expect, "{:?}", String::from_utf8_lossy(now));
        };
        let was = numbered(0..500);
        check(&was, &was, Verdict::Same);
        check(&was, &numbered(0..510), Verdict::Bash);
        check(&was, &numbered(10..510), Verdict::Bash);
        // `HISTFILESIZE` was made smaller.
        check(&was, &numbered(400..510), Verdict::Bash);
        check(&was, b"", Verdict::Cut { missing: 500 });
        check(&was, &numbered(0..100), Verdict::Cut { missing: 400 });
        check(&was, b"exit\n", Verdict::Cut { missing: 500 });
        check(&was, &numbered(600..620), Verdict::Cut { missing: 500 });
        let edited = [numbered(0..20), numbered(22..500)].concat();
        check(&was, &edited, Verdict::Edited { missing: 2 });
        check(b"ls\nls\nls\n", b"ls\nls\nls\nls\n", Verdict::Bash);
        check(b"a\nb\na\nb\n", b"a\nb\na\nb\nc\n", Verdict::Bash);
        check(b"", b"a\n", Verdict::Bash);
    }

    #[test]
    fn what_a_file_held_in_turn_is_gathered_once() {
        let check = |so_far: &str, now: &str, expect: &str| {
            let out = gathered(so_far.as_bytes(), now.as_bytes());
            assert_eq!(String::from_utf8_lossy(&out), expect, "{so_far:?} and {now:?}");
        };
        check("", "", "");
        check("", "a\n", "a\n");
        check("a\n", "a\nb\n", "a\nb\n");
        check("a\nb\n", "", "a\nb\n");
        check("a\nb\n", "c\n", "a\nb\nc\n");
        check("a\nb\nc\n", "c\nd\n", "a\nb\nc\nd\n");
        check("a\nb\nc\n", "a\nb\n", "a\nb\nc\n");
        check("a", "b", "a\nb\n");
    }

    proptest! {
        #[test]
        fn every_line_that_was_gathered_is_there(
            was in proptest::collection::vec("[abc]{1,2}", 0..20),
            is in proptest::collection::vec("[abc]{1,2}", 0..20),
        ) {
            let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes();
            let all = gathered(&text(&was), &text(&is));
            prop_assert!(all.starts_with(&text(&was)));
            for line in &is {
                prop_assert!(lines(&all).contains(&line.as_bytes()));
            }
            prop_assert_eq!(gathered(&all, &text(&is)), all);
        }

        #[test]
        fn every_line_of_both_is_kept(
            was in proptest::collection::vec("[abc]{0,2}", 0..20),
            is in proptest::collection::vec("[abc]{0,2}", 0..20),
        ) {
            let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes();
            let back = restored(&text(&was), &text(&is));
            prop_assert!(back.starts_with(&text(&was)));
            for line in &is {
                prop_assert!(lines(&back).contains(&line.as_bytes()));
            }
            prop_assert!(matches!(judge(&text(&was), &back), Verdict::Same | Verdict::Bash));
        }

        #[test]
        fn appending_and_cutting_the_oldest_is_bash_s(cut in 0..200_usize, new in 0..50_usize) {
            let was = numbered(0..400);
            let is = numbered(cut..400 + new);
            prop_assert!(matches!(judge(&was, &is), Verdict::Same | Verdict::Bash));
        }
    }
}
