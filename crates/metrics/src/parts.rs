//! What a prompt, or the start, spent its time on: bounded tables of named parts.
//!
//! A part is met again by its kind, its name and what it is a part of. When a table is full, the row that was met
//! longest ago gives way, with what is part of it; what it had taken, and what finds no row, is counted as "other", so
//! that the sum over parts and others stays what was measured.
//!
//! Invariant: a part of a part is told besides, never added: it has a parent, and its time is within the parent's.

use std::borrow::Borrow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::layout::{PART_NAME_WORDS, PARTS_HEAD_WORDS, PartCell, PartCells};
use super::snapshot::Snapshot;
use super::snapshot::sections::Span;

/// What is divided into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parted {
    /// Every prompt, from the end of the command to the first paint.
    Prompt,
    /// The start, from the load of LLE to the first prompt.
    Start,
    /// What bash's completion took, of the completions that gave an answer.
    Completion,
}

macro_rules! kinds {
    ($($kind:ident = $number:literal, $name:literal, $about:literal;)*) => {
        /// What a part is. The numbers are part of the file format.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum PartKind { $(#[doc = $about] $kind = $number,)* }

        impl PartKind {
            /// Every kind.
            pub const ALL: &[PartKind] = &[$(PartKind::$kind,)*];

            /// The stable name in lower case with underscores.
            pub const fn name(self) -> &'static str {
                match self { $(PartKind::$kind => $name,)* }
            }
        }
    };
}

kinds! {
    Command = 1, "prompt_command", "A command of `PROMPT_COMMAND`.";
    Inner = 2, "inner", "A function or a command within the part it belongs to.";
    Substitution = 3, "substitution", "A `$(…)` of `PS1`.";
    Joint = 4, "one_of", "One of several `$(…)` of `PS1`; which one is not known.";
    Own = 5, "lle", "What LLE itself does for a prompt.";
    Line = 6, "line", "A line of a start-up file, without the files it sources.";
    File = 7, "file", "A start-up file with all it sources; told besides its lines.";
    FirstPrompt = 8, "first_prompt", "`PROMPT_COMMAND` before the first prompt.";
    Expanded = 9, "expanded", "A command that `PS1` runs in the shell itself.";
    Completer = 10, "completer", "A function or a command that completes what stands behind a command.";
}

impl PartKind {
    /// Whether the part is told besides others whose time it shares.
    pub const fn is_besides(self) -> bool {
        matches!(self, PartKind::Inner | PartKind::File)
    }
}

/// A part as it is recorded.
#[derive(Clone, Copy, Debug)]
pub struct NewPart<'a> {
    /// What it is.
    pub kind: PartKind,
    /// Its name: 48 bytes are kept.
    pub name: &'a [u8],
    /// What it took, in ns.
    pub ns: u64,
    /// It could be put off: where it stands, the prompt can be made without it.
    pub may_wait: bool,
    /// Which of the parts recorded with it, and before it, it is a part of.
    pub parent: Option<usize>,
}

/// The bit of a row's kind that says that it could be put off the last time it was met.
const MAY_WAIT: u64 = 1 << 16;

/// Parts recorded at once, at most: as many as a table has rows.
pub const PARTS_MAX: usize = super::layout::PARTS;

/// In place of a row: the part found none.
const NOWHERE: u8 = u8::MAX;

const _: () = assert!(PARTS_MAX < NOWHERE as usize, "a row's number is kept in a byte");

/// Records one round: the whole, and its parts, as they come.
///
/// Memory that nothing else touches is what costs at a prompt: nothing is copied on the way.
pub(crate) fn record<'a, const ROWS: usize>(
    table: &PartCells<ROWS>,
    whole_ns: u64,
    parts: impl IntoIterator<Item: Borrow<NewPart<'a>>>,
) {
    let round = table.rounds.load(Relaxed).wrapping_add(1);
    table.rounds.store(round, Relaxed);
    add(&table.whole_sum, whole_ns);
    table.whole_last.store(whole_ns, Relaxed);
    raise(&table.whole_max, whole_ns);
    let mut rows = [NOWHERE; PARTS_MAX];
    // Parts come in the order of the round before: the next one is most often in the next row.
    let mut next = 0;
    for (part, place) in parts.into_iter().zip(0..PARTS_MAX) {
        let part = part.borrow();
        let parent = match part.parent {
            None => None,
            Some(parent) => match rows.get(parent) {
                Some(row) if *row != NOWHERE => Some(usize::from(*row)),
                // The part it belongs to found no row.
                _ => continue,
            },
        };
        let row = row_for(table, part, parent, round, next);
        match row.and_then(|row| Some((row, table.rows.get(row)?))) {
            Some((row, cell)) => {
                rows[place] = row as u8;
                next = row + 1;
                meet(cell, part, round);
            }
            None if !part.kind.is_besides() => other(table, part.ns, round),
            None => {}
        }
    }
}

/// Adds to a row: what ran more than once in a round counts once, as all that is said of a row is said of rounds.
fn meet(cell: &PartCell, part: &NewPart<'_>, round: u64) {
    let is_again = cell.round.load(Relaxed) == round && cell.count.load(Relaxed) > 0;
    let before = if is_again { cell.last.load(Relaxed) } else { 0 };
    let kind = cell.kind.load(Relaxed) & !MAY_WAIT;
    cell.kind
        .store(if part.may_wait { kind | MAY_WAIT } else { kind }, Relaxed);
    let last = before.saturating_add(part.ns);
    cell.round.store(round, Relaxed);
    cell.last.store(last, Relaxed);
    add(&cell.count, u64::from(!is_again));
    add(&cell.sum, part.ns);
    raise(&cell.max, last);
}

/// Finds the row of a part, looking at a likely one first, or makes one; none if all are of this round.
fn row_for<const ROWS: usize>(
    table: &PartCells<ROWS>,
    part: &NewPart<'_>,
    parent: Option<usize>,
    round: u64,
    likely: usize,
) -> Option<usize> {
    let kind = u64::from(part.kind as u16) | parent.map_or(0, |row| row as u64 + 1) << 32;
    let found = |cell: &PartCell| is_row_of(cell, kind, part.name);
    if table.rows.get(likely).is_some_and(found) {
        return Some(likely);
    }
    row_elsewhere(table, part, kind, round)
}

/// Finds the row of a part wherever it is, or makes one: once for each name, and where the order changes.
#[cold]
#[inline(never)]
fn row_elsewhere<const ROWS: usize>(
    table: &PartCells<ROWS>,
    part: &NewPart<'_>,
    kind: u64,
    round: u64,
) -> Option<usize> {
    let found = |cell: &PartCell| is_row_of(cell, kind, part.name);
    if let Some(row) = table.rows.iter().position(found) {
        return Some(row);
    }
    let is_empty = |cell: &PartCell| cell.kind.load(Relaxed) == 0;
    let row = table.rows.iter().position(is_empty).or_else(|| {
        // Of those that were met as long ago the one that took least: the slow one may still come in this round.
        // A table of few rows goes by that alone, or three quick ones would push the slow one out.
        let met = |cell: &PartCell| {
            if ROWS < PARTS_MAX {
                0
            } else {
                cell.round.load(Relaxed)
            }
        };
        let age = |cell: &PartCell| (met(cell), cell.sum.load(Relaxed));
        let oldest = table.rows.iter().enumerate();
        let (row, cell) = oldest.min_by_key(|(_, cell)| age(cell))?;
        (cell.round.load(Relaxed) < round).then(|| give_up(table, row));
        is_empty(cell).then_some(row)
    })?;
    let cell = table.rows.get(row)?;
    for value in [&cell.count, &cell.sum, &cell.last, &cell.max] {
        value.store(0, Relaxed);
    }
    cell.round.store(round, Relaxed);
    cell.name.write(part.name);
    cell.kind.store(kind, Relaxed);
    Some(row)
}

/// Whether a row is that of a part, by its kind with the row of what it is a part of, and its name.
fn is_row_of(cell: &PartCell, kind: u64, name: &[u8]) -> bool {
    cell.kind.load(Relaxed) & !MAY_WAIT == kind && cell.name.is(name)
}

/// Empties a row and those of its parts.
fn give_up<const ROWS: usize>(table: &PartCells<ROWS>, row: usize) {
    for (at, cell) in table.rows.iter().enumerate() {
        let kind = cell.kind.load(Relaxed);
        if at == row || kind >> 32 == row as u64 + 1 {
            let besides = PartKind::of(kind).is_some_and(PartKind::is_besides);
            if !besides {
                add(&table.other_count, cell.count.load(Relaxed));
                add(&table.other_sum, cell.sum.load(Relaxed));
            }
            cell.kind.store(0, Relaxed);
        }
    }
}

fn other<const ROWS: usize>(table: &PartCells<ROWS>, ns: u64, round: u64) {
    if table.other_round.load(Relaxed) != round {
        table.other_round.store(round, Relaxed);
        table.other_last.store(0, Relaxed);
        add(&table.other_count, 1);
    }
    add(&table.other_sum, ns);
    add(&table.other_last, ns);
}

fn add(cell: &AtomicU64, n: u64) {
    cell.store(cell.load(Relaxed).wrapping_add(n), Relaxed);
}

fn raise(cell: &AtomicU64, n: u64) {
    if n > cell.load(Relaxed) {
        cell.store(n, Relaxed);
    }
}

impl PartKind {
    fn of(word: u64) -> Option<PartKind> {
        let number = word as u16;
        PartKind::ALL.iter().copied().find(|kind| *kind as u16 == number)
    }
}

/// A table of parts, read.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    snapshot: &'a Snapshot,
    section: Span,
}

/// What a number of rounds took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// In how many rounds it was met; of others, how many parts of rounds they were at least.
    pub count: u64,
    /// In all, in ns.
    pub sum_ns: u64,
    /// The last time, in ns.
    pub last_ns: u64,
    /// At most, in ns.
    pub max_ns: u64,
}

impl Times {
    /// The mean in ns; none if it never happened.
    pub fn mean_ns(&self) -> Option<u64> {
        self.sum_ns.checked_div(self.count)
    }
}

/// One part, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Its row, by which its own parts name it.
    pub row: usize,
    /// What it is; none if a newer version knows more kinds.
    pub kind: Option<PartKind>,
    /// The row of what it is a part of.
    pub parent: Option<usize>,
    /// At most 48 bytes.
    pub name: &'a [u8],
    /// What it took. `last_ns` is of the last round in which it was met.
    pub times: Times,
    /// The round it was last met in, counted from 1.
    pub last_round: u64,
    /// It could have been put off then; false, too, where the writer was of a version that does not say.
    pub may_wait: bool,
}

impl<'a> Parts<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, section: Span) -> Self {
        Self { snapshot, section }
    }

    fn head(&self, at: usize) -> u64 {
        let known = self.section.rows > 0;
        known
            .then(|| self.snapshot.word(self.section.offset + at * 8))
            .flatten()
            .unwrap_or(0)
    }

    /// The wholes: prompts, or the one start. Not one means that nothing was divided yet.
    pub fn whole(&self) -> Times {
        Times {
            count: self.head(0),
            sum_ns: self.head(1),
            last_ns: self.head(2),
            max_ns: self.head(3),
        }
    }

    /// What had no row, in all and in the last round.
    pub fn other(&self) -> Times {
        let of_last_round = self.head(7) == self.head(0);
        Times {
            count: self.head(4),
            sum_ns: self.head(5),
            last_ns: if of_last_round { self.head(6) } else { 0 },
            max_ns: 0,
        }
    }

    /// The parts, in the order of their rows.
    pub fn rows(&self) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let (snapshot, section) = (self.snapshot, self.section);
        (0..section.rows).filter_map(move |row| part(snapshot, section, row))
    }
}

fn part(snapshot: &Snapshot, section: Span, row: usize) -> Option<Part<'_>> {
    let start = section.offset + PARTS_HEAD_WORDS * 8 + row * size_of::<PartCell>();
    let word = |at: usize| snapshot.word(start + at * 8).unwrap_or(0);
    let kind = word(0);
    (kind != 0).then(|| Part {
        row,
        kind: PartKind::of(kind),
        parent: ((kind >> 32) as usize).checked_sub(1),
        name: snapshot.text(start + 6 * 8, PART_NAME_WORDS).text,
        times: Times {
            count: word(1),
            sum_ns: word(2),
            last_ns: word(3),
            max_ns: word(4),
        },
        last_round: word(5),
        may_wait: kind & MAY_WAIT != 0,
    })
}
