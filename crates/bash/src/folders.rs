//! In which folder a prompt was shown, as a number: what is told of a folder is which prompts were in the same one.
//!
//! Prompts take longer in some folders than in others, so whoever compares them has to know. A name would say more than
//! that, and so would a sum of it, which can be guessed: here each folder gets the next number when it is first come to.
//!
//! Invariant: nothing is allocated, and two folders never have one number; one that nobody was in for long gets a new one.

use crate::prompt_text::fnv;

/// Folders that are known again: as many as a reader has prompts to compare.
const KNOWN_MAX: usize = 64;

/// A folder that was come to.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Of its name; it never leaves the process.
    sum: u64,
    /// 0 if there is none.
    number: u64,
    /// The prompt at which it was seen last.
    seen_at: u64,
}

/// The folders of one session.
pub(crate) struct Folders {
    known: [Known; KNOWN_MAX],
    given: u64,
    prompts: u64,
}

impl Default for Folders {
    fn default() -> Self {
        Self {
            known: [Known::default(); KNOWN_MAX],
            given: 0,
            prompts: 0,
        }
    }
}

impl Folders {
    /// The number of the folder that a prompt is shown in; 0 if it has no name.
    pub(crate) fn number(&mut self, name: &[u8]) -> u64 {
        if name.is_empty() {
            return 0;
        }
        self.prompts += 1;
        let (sum, seen_at) = (fnv(name), self.prompts);
        if let Some(known) = self
            .known
            .iter_mut()
            .find(|known| known.number != 0 && known.sum == sum)
        {
            known.seen_at = seen_at;
            return known.number;
        }
        self.given += 1;
        let number = self.given;
        if let Some(oldest) = self.known.iter_mut().min_by_key(|known| known.seen_at) {
            *oldest = Known { sum, number, seen_at };
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_number_and_shares_it_with_none() {
        let mut folders = Folders::default();
        let mut number = |name: &str| folders.number(name.as_bytes());
        assert_eq!(number(""), 0);
        assert_eq!(
            [number("/a"), number("/b"), number("/a"), number("/b/c")],
            [1, 2, 1, 3]
        );
        // Whoever goes through many folders and comes back to one every now and then is known there.
        for n in 4..1_000 {
            assert_eq!(number(&format!("/many/{n}")), n);
            assert_eq!(number("/a"), 1);
        }
        assert_eq!(number("/b"), 1_000, "nobody was there for long");
        assert_eq!(number("/many/999"), 999);
    }
}
