//! Says what is wrong with an audit log, record by record.
//!
//! ```text
//!  segments ▸ examine: pieces, each proven or not ▸ keep: one piece a number ▸ order, gaps, spare pieces ▸ problems
//! ```
//!
//! Every number between the first record and the last, or the anchor, is either proven in its place or named by
//! a problem; and every byte belongs to a record or is named by one.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::examine::{Examined, Item, Standing, examine};
use super::{Head, Key, Problem, ProblemKind};

/// One file of the log.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// What problems call it.
    pub name: &'a str,
    /// All of it.
    pub bytes: &'a [u8],
}

/// What verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Number of records that are proven.
    pub records: u64,
    /// The head before the oldest segment, if segments before it are gone, as they may be. None if the log is
    /// there from its start, or if the oldest record is damaged and named among the problems.
    pub first: Option<Head>,
    /// Where to go on: the last proven record, or the anchor if that is further. A log that was cut so keeps
    /// its gap for ever.
    pub head: Head,
    /// In the order of the segments and their bytes; problems of the whole log come last.
    pub problems: Vec<Problem>,
}

/// One record of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Name of its file.
    pub segment: &'a str,
    /// Where it starts in it, in bytes.
    pub at: u64,
    /// Its number.
    pub sequence: u64,
    /// What the body is; [`SEGMENT`](super::SEGMENT) for the record that opens a file.
    pub kind: u8,
    /// Who wrote it.
    pub writer: u64,
    /// When, in nanoseconds of Unix time.
    pub time_ns: i64,
    /// What it says.
    pub body: &'a [u8],
    /// It was made with the key and follows the record before it. One that is not may say anything.
    pub proven: bool,
}

/// Lists the records whose frames check, in the order of the files.
pub fn entries<'a>(segments: &[Segment<'a>], key: &Key) -> Vec<Entry<'a>> {
    let examined = examine(segments, key, None);
    let whole = examined.items.iter().filter(|item| item.whole);
    whole
        .filter_map(|item| {
            let (header, sealed) = (item.header?, item.sealed?);
            Some(Entry {
                segment: segments[item.file].name,
                at: item.at as u64,
                sequence: header.sequence,
                kind: header.kind,
                writer: header.session,
                time_ns: header.time_ns,
                body: sealed.body,
                proven: item.proven(),
            })
        })
        .collect()
}

/// Verifies a log, oldest segment first, against the key and the head that was kept outside it.
pub fn verify(segments: &[Segment<'_>], key: &Key, anchor: Option<Head>) -> Verified {
    let examined = examine(segments, key, anchor);
    let mut verdict = Verdict {
        segments,
        anchor,
        spare: BTreeSet::new(),
        problems: Vec::new(),
    };
    let whole = examined.items.iter().any(|item| item.whole);
    let proven = examined.items.iter().filter(|item| item.proven());
    let last = proven.filter_map(head_of).max_by_key(|head| head.sequence);
    let further = anchor.filter(|anchor| last.is_none_or(|last| last.sequence < anchor.sequence));
    let head = further.or(last).unwrap_or_else(|| key.seal().root());
    let (mut records, mut first) = (0, None);
    if whole && last.is_none() {
        verdict.whole_log(ProblemKind::WrongKey);
    } else {
        let kept = verdict.keep(&examined.items);
        records = kept
            .iter()
            .filter(|&&index| examined.items[index].proven())
            .count() as u64;
        first = kept.first().and_then(|&index| {
            let item = &examined.items[index];
            item.carried().filter(|_| item.proven())
        });
        verdict.judge(&examined, &kept);
    }
    if whole && anchor.is_none() {
        verdict.whole_log(ProblemKind::AnchorMissing);
    }
    verdict
        .problems
        .sort_by_key(|(file, problem)| (*file, problem.at.start, problem.at.end));
    Verified {
        records,
        first,
        head,
        problems: verdict.problems.into_iter().map(|(_, problem)| problem).collect(),
    }
}

fn head_of(item: &Item<'_>) -> Option<Head> {
    let (header, sealed) = (item.header?, item.sealed?);
    Some(Head {
        sequence: header.sequence,
        segment: sealed.segment,
        mac: sealed.mac,
    })
}

pub(super) struct Verdict<'s> {
    pub(super) segments: &'s [Segment<'s>],
    anchor: Option<Head>,
    /// Pieces that are not the record of any number, and not yet explained.
    spare: BTreeSet<usize>,
    /// Each with the index of its segment.
    problems: Vec<(usize, Problem)>,
}

impl Verdict<'_> {
    pub(super) fn problem(
        &mut self,
        file: usize,
        at: Range<usize>,
        sequence: Option<u64>,
        kind: ProblemKind,
    ) {
        let name = self.segments.get(file).map_or("", |segment| segment.name);
        let problem = Problem {
            segment: name.to_owned(),
            at: at.start as u64..at.end as u64,
            sequence,
            kind,
        };
        self.problems.push((file, problem));
    }

    fn at_item(&mut self, item: &Item<'_>, sequence: Option<u64>, kind: ProblemKind) {
        self.problem(item.file, item.at..item.end, sequence, kind);
    }

    fn whole_log(&mut self, kind: ProblemKind) {
        self.problem(self.segments.len(), 0..0, None, kind);
    }

    /// Chooses the record of each number, in the order of numbers; all other pieces are spare.
    fn keep(&mut self, items: &[Item<'_>]) -> Vec<usize> {
        let possible = self.possible(items);
        let proven = items
            .iter()
            .filter(|item| item.proven())
            .filter_map(Item::sequence);
        let known = proven
            .chain(self.anchor.map(|anchor| anchor.sequence))
            .max()
            .unwrap_or(0);
        let mut numbered: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (index, item) in items.iter().enumerate() {
            self.spare.insert(index);
            if let Some(sequence) = item.sequence().filter(|&sequence| sequence > 0)
                && !item.torn
                // Several attempts at the next record may have failed: none of them is it.
                && !(item.unfinished && sequence > known)
                && (item.proven() || possible[index].contains(&sequence))
            {
                numbered.entry(sequence).or_default().push(index);
            }
        }
        let mut kept = Vec::new();
        for (sequence, indices) in numbered {
            let rank = |&index: &usize| {
                let item = &items[index];
                let before = index.checked_sub(1).and_then(|index| items[index].sequence());
                let in_place = before.is_none_or(|before| before.checked_add(1) == Some(sequence));
                (!item.proven(), !item.whole, !in_place)
            };
            let Some(best) = indices.iter().copied().min_by_key(rank) else {
                continue;
            };
            self.spare.remove(&best);
            kept.push(best);
        }
        kept
    }

    /// The numbers that each piece may have, as the proven records around it and the anchor see it.
    ///
    /// A number that its writer could not prove decides nothing by itself: it might claim that thousands of
    /// records are missing.
    fn possible(&self, items: &[Item<'_>]) -> Vec<Range<u64>> {
        let mut possible = vec![0..u64::MAX; items.len()];
        let (mut low, mut since) = (0, 0_u64);
        for (index, item) in items.iter().enumerate() {
            since += 1;
            possible[index].start = low;
            if let Some(anchor) = self.anchor {
                possible[index].end = anchor.sequence.max(low).saturating_add(since).saturating_add(1);
            }
            if let Some(sequence) = item.sequence().filter(|_| item.proven()) {
                (low, since) = (sequence.saturating_add(1), 0);
            }
        }
        let mut high = None;
        for (index, item) in items.iter().enumerate().rev() {
            if let Some(high) = high {
                possible[index].end = high;
            }
            if item.proven() {
                high = item.sequence();
            }
        }
        possible
    }

    fn judge(&mut self, examined: &Examined<'_>, kept: &[usize]) {
        let items = &examined.items[..];
        for flaw in &examined.flaws {
            self.problem(flaw.file, flaw.at..flaw.end, flaw.sequence, flaw.kind);
        }
        for &index in kept {
            self.standing(&items[index]);
        }
        self.gaps(items, kept);
        self.start(items, kept);
        self.end(items, kept);
        self.order(items, kept);
        for index in std::mem::take(&mut self.spare) {
            self.unexplained(items, kept, index);
        }
    }

    /// Says what is wrong with the record of a number.
    fn standing(&mut self, item: &Item<'_>) {
        let sequence = item.sequence();
        let unwritten = || self.anchor.is_some_and(|anchor| sequence > Some(anchor.sequence));
        let kind = match (item.standing, item.whole) {
            (Standing::Proven, _) => return self.diverged(item),
            (_, false) => ProblemKind::Changed,
            (Standing::Refuted, true) if unwritten() => ProblemKind::Foreign,
            (Standing::Refuted, true) => ProblemKind::Changed,
            (Standing::Unknown, true) => ProblemKind::Unproven,
        };
        self.at_item(item, sequence, kind);
    }

    fn diverged(&mut self, item: &Item<'_>) {
        let head = head_of(item);
        if let Some(anchor) = self.anchor
            && head.is_some_and(|head| head.sequence == anchor.sequence && head != anchor)
        {
            self.at_item(item, item.sequence(), ProblemKind::Diverged);
        }
    }

    /// Looks for numbers left out between two records.
    fn gaps(&mut self, items: &[Item<'_>], kept: &[usize]) {
        for pair in kept.windows(2) {
            let (before, after) = (&items[pair[0]], &items[pair[1]]);
            let (Some(from), Some(to)) = (before.sequence(), after.sequence()) else {
                continue;
            };
            let (from, to) = (from.saturating_add(1), to.saturating_sub(1));
            if from <= to {
                let spare = self.spare_between(items, pair[0]..pair[1]);
                self.gap(items, (from, to), &spare, Some(before), after);
            } else if let Some(carried) = after.carried().filter(|_| after.proven() && before.proven())
                && head_of(before).is_some_and(|head| head != carried)
            {
                self.at_item(after, after.sequence(), ProblemKind::Diverged);
            }
        }
    }

    /// The spare pieces between two places. What a cut left at the end of a file is no record's remains.
    fn spare_between(&self, items: &[Item<'_>], range: Range<usize>) -> Vec<usize> {
        if range.is_empty() {
            return Vec::new();
        }
        let spare = self.spare.range(range).copied();
        spare.filter(|&index| !items[index].torn).collect()
    }

    /// Explains the missing numbers `from..=to` by the spare pieces where they should be.
    fn gap(
        &mut self,
        items: &[Item<'_>],
        (from, to): (u64, u64),
        spare: &[usize],
        before: Option<&Item<'_>>,
        after: &Item<'_>,
    ) {
        let Some((&first, &last)) = spare.first().zip(spare.last()) else {
            return self.missing((from, to), before, after);
        };
        for index in spare {
            self.spare.remove(index);
        }
        if spare.len() as u64 - 1 == to - from {
            for (&index, sequence) in spare.iter().zip(from..) {
                self.at_item(&items[index], Some(sequence), ProblemKind::Changed);
            }
            return;
        }
        let (first, last) = (&items[first], &items[last]);
        let end = if first.file == last.file {
            last.end
        } else {
            self.segments[first.file].bytes.len()
        };
        if from == to {
            self.problem(first.file, first.at..end, Some(from), ProblemKind::Changed);
        } else {
            self.problem(
                first.file,
                first.at..end,
                None,
                ProblemKind::Destroyed { from, to },
            );
        }
    }

    /// Says that records are gone without a trace, and where they were.
    fn missing(&mut self, (from, to): (u64, u64), before: Option<&Item<'_>>, after: &Item<'_>) {
        let deleted = ProblemKind::Deleted { from, to };
        let before = before.filter(|before| before.file != after.file);
        let Some(before) = before else {
            return self.problem(after.file, after.at..after.at, None, deleted);
        };
        let segments = before
            .sealed
            .zip(after.sealed)
            .map(|(one, two)| (one.segment, two.segment));
        if let Some((one, two)) = segments
            && let (Some(first), Some(last)) = (one.checked_add(1), two.checked_sub(1))
            && first <= last
        {
            let kind = ProblemKind::MissingSegment {
                first,
                last,
                from,
                to,
            };
            return self.problem(after.file, 0..0, None, kind);
        }
        if after.carried().is_none() && from == to {
            // Only the record that opens the file can be missing there.
            self.problem(after.file, after.at..after.at, None, deleted);
        } else {
            self.problem(before.file, before.end..before.end, None, deleted);
        }
    }

    /// Looks for records missing before the first.
    fn start(&mut self, items: &[Item<'_>], kept: &[usize]) {
        let Some(&index) = kept.first() else { return };
        let first = &items[index];
        let Some(to) = first.sequence().and_then(|sequence| sequence.checked_sub(1)) else {
            return;
        };
        let pruned = pruned(items, kept, first);
        if to == 0 || (pruned && first.header.is_some_and(|header| header.kind == super::SEGMENT)) {
            return;
        }
        let spare = self.spare_between(items, 0..index);
        // A later segment may be the oldest, but not without the record that opens it.
        let from = if pruned {
            to.saturating_sub(spare.len().max(1) as u64 - 1).max(1)
        } else {
            1
        };
        self.gap(items, (from, to), &spare, None, first);
    }

    /// Compares the end with the anchor.
    fn end(&mut self, items: &[Item<'_>], kept: &[usize]) {
        let Some(anchor) = self.anchor else { return };
        let last = kept.last().map(|&index| &items[index]);
        let sequence = last.and_then(Item::sequence).unwrap_or(0);
        if sequence >= anchor.sequence {
            return;
        }
        let mut sequence = sequence;
        // Without any record, only a log that was never pruned says what number a piece had.
        if last.is_some() || anchor.segment == 0 {
            let from = kept.last().map_or(0, |&index| index + 1);
            for index in self.spare_between(items, from..items.len()) {
                if sequence == anchor.sequence {
                    break;
                }
                sequence += 1;
                self.spare.remove(&index);
                self.at_item(&items[index], Some(sequence), ProblemKind::Changed);
            }
        }
        if sequence < anchor.sequence {
            let file = self.segments.len().saturating_sub(1);
            let end = self.segments.last().map_or(0, |segment| segment.bytes.len());
            self.problem(file, end..end, None, ProblemKind::Truncated { expected: anchor });
        }
    }

    /// Says what a piece is that fills no gap.
    fn unexplained(&mut self, items: &[Item<'_>], kept: &[usize], index: usize) {
        let item = &items[index];
        let numbered = kept.binary_search_by_key(&item.sequence(), |&index| items[index].sequence());
        let twin = numbered.is_ok_and(|place| {
            let other = &items[kept[place]];
            item.whole && item.header == other.header && item.sealed == other.sealed
        });
        let kind = if item.proven() || twin {
            ProblemKind::Duplicated
        } else if item.unfinished {
            return self.at_item(item, None, ProblemKind::Torn);
        } else {
            ProblemKind::Foreign
        };
        let sequence = item.sequence().filter(|_| item.whole);
        self.at_item(item, sequence, kind);
    }
}

/// Says whether the log may begin with the file of `first`, its first record.
///
/// What a record says about its file counts only if it is proven, so the first that is decides, as many files
/// further on as it may be.
fn pruned(items: &[Item<'_>], kept: &[usize], first: &Item<'_>) -> bool {
    let proven = kept.iter().map(|&index| &items[index]).find(|item| item.proven());
    let segment = proven.and_then(|item| {
        let files = item.file.saturating_sub(first.file) as u64;
        item.sealed
            .map(|sealed| u64::from(sealed.segment).saturating_sub(files))
    });
    segment.is_some_and(|segment| segment > 0)
}
