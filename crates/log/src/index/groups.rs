//! The groups of bytes that an index knows of, as numbers of rows.
//!
//! ```text
//!  a command "git log"    its first byte, its first two         ▸   256 and 1,024 rows
//!                         its first 3, 4, 6                     ▸ 2,048 rows      for prefixes
//!                         its first 8, 12, 16, 24, 32           ▸ 2,048 rows
//!                         every three bytes in a row            ▸ 8,192 rows
//!                         every byte, every two                 ▸   256 and 768   for texts too short for three
//! ```
//!
//! Short beginnings stand apart, since there are few of them: among the long ones, of which each command has its own, a
//! byte that nothing begins with would be taken for one that something does.
//!
//! Invariant: every row of a text is a row of each command that the text begins or occurs in: nothing that matches is
//! passed over.

const THREES: usize = 8_192;
const FIRST_TWOS: usize = 1_024;
const SHORT: usize = 2_048;
const LONG: usize = 2_048;
const ONES: usize = 256;
const TWOS: usize = 768;
const FIRST_ONES_AT: usize = THREES;
const FIRST_TWOS_AT: usize = FIRST_ONES_AT + ONES;
const SHORT_AT: usize = FIRST_TWOS_AT + FIRST_TWOS;
const LONG_AT: usize = SHORT_AT + SHORT;
const ONES_AT: usize = LONG_AT + LONG;
const TWOS_AT: usize = ONES_AT + ONES;
/// Rows of an index.
pub(super) const ROWS: usize = TWOS_AT + TWOS;
/// The lengths of beginnings that are told apart.
const LENGTHS: [usize; 10] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
/// Lengths from here on are long.
const LONG_FROM: usize = 8;
/// Threes looked at for one text: of more, those that lie evenly spread. What a command has of its own may be a few
/// bytes of it, and each row costs a third of a microsecond.
const THREES_MAX: usize = 40;
/// Rows looked at for one text.
const ROWS_MAX: usize = LENGTHS.len() + THREES_MAX;

/// The rows of a text that is searched for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Groups {
    rows: [u16; ROWS_MAX],
    count: usize,
}

impl Groups {
    /// The groups of `text`, which begins a command, or only occurs in one.
    pub(crate) fn of(text: &[u8], begins: bool) -> Self {
        let mut groups = Self {
            rows: [0; ROWS_MAX],
            count: 0,
        };
        if begins {
            // The longest says most.
            let lengths = LENGTHS.iter().rev().filter(|length| **length <= text.len());
            lengths.for_each(|length| groups.add(beginning(&text[..*length])));
        }
        match text {
            [] => {}
            [byte] => groups.add(one(*byte)),
            [a, b] => groups.add(two(*a, *b)),
            _ => {
                let threes = text.len() - 2;
                let wanted = threes.min(THREES_MAX);
                for at in 0..wanted {
                    let from = at * (threes - 1) / wanted.max(2).saturating_sub(1);
                    groups.add(three(&text[from..from + 3]));
                }
            }
        }
        groups
    }

    fn add(&mut self, row: usize) {
        if let Some(place) = self.rows.get_mut(self.count) {
            // Rows number fewer than 2^16.
            *place = row as u16;
            self.count += 1;
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = usize> {
        self.rows[..self.count].iter().map(|row| usize::from(*row))
    }
}

/// Gives every row of a command, some more than once.
pub(super) fn each_of(command: &[u8], mut each: impl FnMut(usize)) {
    for length in LENGTHS.iter().filter(|length| **length <= command.len()) {
        each(beginning(&command[..*length]));
    }
    command.iter().for_each(|byte| each(one(*byte)));
    command.windows(2).for_each(|pair| each(two(pair[0], pair[1])));
    command.windows(3).for_each(|group| each(three(group)));
}

/// Multiplicative hashing by the golden ratio (Knuth, volume 3, 6.4).
fn scatter(value: u32, rows: usize) -> usize {
    let spread = value.wrapping_mul(0x9E37_79B1);
    ((u64::from(spread) * rows as u64) >> 32) as usize
}

fn one(byte: u8) -> usize {
    ONES_AT + usize::from(byte)
}

fn two(a: u8, b: u8) -> usize {
    TWOS_AT + scatter(u32::from(a) << 8 | u32::from(b), TWOS)
}

fn three(group: &[u8]) -> usize {
    let value = group.iter().fold(0, |value, byte| value << 8 | u32::from(*byte));
    scatter(value, THREES)
}

fn beginning(text: &[u8]) -> usize {
    match text {
        [byte] => FIRST_ONES_AT + usize::from(*byte),
        [a, b] => FIRST_TWOS_AT + scatter(u32::from(*a) << 8 | u32::from(*b), FIRST_TWOS),
        text => {
            // FNV-1a (Fowler, Noll, Vo); the length is in it.
            let hash = text.iter().fold(0x811c_9dc5_u32, |hash, byte| {
                (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
            }) ^ text.len() as u32;
            match text.len() {
                ..LONG_FROM => SHORT_AT + scatter(hash, SHORT),
                _ => LONG_AT + scatter(hash, LONG),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_matches_is_never_passed_over(
            command in proptest::collection::vec(any::<u8>(), 1..80), from: prop::sample::Index, length: prop::sample::Index,
        ) {
            let mut rows = Vec::new();
            each_of(&command, |row| rows.push(row));
            prop_assert!(rows.iter().all(|row| *row < ROWS));
            let from = from.index(command.len());
            let text = &command[from..from + 1 + length.index(command.len() - from)];
            for row in Groups::of(text, from == 0).rows() {
                prop_assert!(rows.contains(&row), "{:?} in {:?}", text, command);
            }
        }
    }
}
