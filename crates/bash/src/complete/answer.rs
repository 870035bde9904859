//! What the child that completes reports, as bytes through a pipe.
//!
//! Invariant: treated as input. Lengths are checked, sizes bounded, and what does not end well is no answer.

use crate::menu::{ITEMS_MAX, Item, split_description};
use std::time::Duration;

/// What the child reports. See [`crate::complete_child`] for the writing side.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The line as readline left it.
    pub(crate) line: Vec<u8>,
    pub(crate) point: usize,
    /// All there was to choose, if more than one.
    pub(crate) items: Vec<Item>,
    pub(crate) total: usize,
    /// The function or command that completed; empty if bash did by itself.
    pub(crate) completer: Vec<u8>,
    /// What bash's completion took.
    pub(crate) worked: Duration,
}

/// Begins and ends an answer: a child that died on the way has not written the end.
pub(crate) const MAGIC: u32 = 0x4c4c_4531;

impl Answer {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut r = Fields(bytes);
        if r.number()? != MAGIC {
            return None;
        }
        let point = r.number()? as usize;
        let line = r.bytes()?.to_vec();
        let total = r.number()? as usize;
        let listed = r.number()? as usize;
        let mut items = Vec::with_capacity(listed.min(ITEMS_MAX));
        for _ in 0..listed.min(ITEMS_MAX) {
            let start = r.number()? as usize;
            let replacement = r.bytes()?;
            let shown = String::from_utf8_lossy(r.bytes()?).into_owned();
            let (label, about) = split_description(&shown);
            let replacement = if about.is_empty() {
                replacement
            } else {
                without_description(replacement)
            };
            items.push(Item {
                label: label.into(),
                about: about.into(),
                replacement: replacement.to_vec(),
                start,
            });
        }
        let completer = r.bytes()?.to_vec();
        let worked = Duration::from_micros(u64::from(r.number()?));
        (r.number()? == MAGIC && point <= line.len() && items.iter().all(|i| i.start <= line.len()))
            .then_some(Self {
                line,
                point,
                items,
                total,
                completer,
                worked,
            })
    }
}

/// The word of `word   (description) `, with the blank that ends it.
fn without_description(replacement: &[u8]) -> &[u8] {
    match replacement.windows(3).position(|w| w == b"  (") {
        Some(at) => {
            let word = replacement[..at].trim_ascii_end().len();
            &replacement[..(word + 1).min(replacement.len())]
        }
        None => replacement,
    }
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u32> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*head))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let n = self.number()? as usize;
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::complete_child::Writer;
    use proptest::prelude::*;

    #[test]
    fn descriptions_leave_the_word() {
        assert_eq!(without_description(b"get   (Display one) "), b"get ");
        assert_eq!(without_description(b"get "), b"get ");
    }

    fn answer() -> Vec<u8> {
        let mut w = Writer::default();
        w.head(4, b"ls a", 2);
        w.items(&[(3, b"abc ", b"abc"), (3, b"abd/", b"abd/")]);
        w.finish(b"_ls", 5)
    }

    #[test]
    fn reads_what_the_child_writes() {
        let a = Answer::parse(&answer()).expect("well formed");
        assert_eq!((a.line.as_slice(), a.point, a.total), (&b"ls a"[..], 4, 2));
        assert_eq!(a.items[1].replacement, b"abd/");
        assert_eq!(a.completer, b"_ls");
    }

    #[test]
    fn a_child_that_died_gave_no_answer() {
        let whole = answer();
        for n in 0..whole.len() {
            assert_eq!(Answer::parse(&whole[..n]), None, "cut at {n}");
        }
    }

    proptest! {
        #[test]
        fn rubbish_is_no_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Answer::parse(&bytes);
        }
    }
}
