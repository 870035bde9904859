//! Which records of an audit log are not where they were written.

use std::collections::BTreeMap;

use super::ProblemKind;
use super::examine::Item;
use super::verify::Verdict;

impl Verdict<'_> {
    /// Names the fewest records without which the others stand in order, and those in a file not theirs.
    pub(super) fn order(&mut self, items: &[Item<'_>], kept: &[usize]) {
        let mut physical: Vec<usize> = kept.to_vec();
        physical.sort_unstable();
        let numbers: Vec<u64> = physical
            .iter()
            .filter_map(|&index| items[index].sequence())
            .collect();
        let rising = longest_rising(&numbers);
        let files = self.majority(items, kept);
        let mut run: Option<(usize, u64, usize, u64)> = None;
        for (place, &index) in physical.iter().enumerate() {
            let item = &items[index];
            let segment = item.sealed.filter(|_| item.proven()).map(|sealed| sealed.segment);
            let elsewhere = segment.is_some_and(|segment| files[item.file] != Some(segment));
            if rising[place] && !elsewhere {
                continue;
            }
            let number = numbers[place];
            run = match run {
                Some((start, from, last, to))
                    if last + 1 == index && to + 1 == number && items[last].file == item.file =>
                {
                    Some((start, from, index, number))
                }
                other => {
                    self.reordered(items, other);
                    Some((index, number, index, number))
                }
            };
        }
        self.reordered(items, run);
    }

    fn reordered(&mut self, items: &[Item<'_>], run: Option<(usize, u64, usize, u64)>) {
        let Some((start, from, last, to)) = run else {
            return;
        };
        let range = items[start].at..items[last].end;
        let sequence = (from == to).then_some(from);
        self.problem(
            items[start].file,
            range,
            sequence,
            ProblemKind::Reordered { from, to },
        );
    }

    /// The segment that each file is, by its records.
    fn majority(&self, items: &[Item<'_>], kept: &[usize]) -> Vec<Option<u32>> {
        let mut counts: Vec<BTreeMap<u32, usize>> = vec![BTreeMap::new(); self.segments.len()];
        for item in kept
            .iter()
            .map(|&index| &items[index])
            .filter(|item| item.proven())
        {
            if let Some(sealed) = item.sealed {
                *counts[item.file].entry(sealed.segment).or_default() += 1;
            }
        }
        let most = |counts: BTreeMap<u32, usize>| counts.into_iter().max_by_key(|&(_, count)| count);
        counts
            .into_iter()
            .map(|counts| most(counts).map(|(segment, _)| segment))
            .collect()
    }
}

/// Marks a longest rising subsequence.
fn longest_rising(numbers: &[u64]) -> Vec<bool> {
    // `ends[n]` is where the best subsequence of n + 1 numbers ends: the one with the smallest last number.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(numbers.len());
    for (place, &number) in numbers.iter().enumerate() {
        let length = ends.partition_point(|&end| numbers[end] < number);
        before.push(length.checked_sub(1).map(|length| ends[length]));
        match ends.get_mut(length) {
            Some(end) => *end = place,
            None => ends.push(place),
        }
    }
    let mut rising = vec![false; numbers.len()];
    let mut place = ends.last().copied();
    while let Some(at) = place {
        rising[at] = true;
        place = before[at];
    }
    rising
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_are_out_of_order() {
        let check = |numbers: &[u64], expect: &[u64]| {
            let rising = longest_rising(numbers);
            let left: Vec<u64> = numbers
                .iter()
                .zip(rising)
                .filter_map(|(&number, rising)| rising.then_some(number))
                .collect();
            assert_eq!(left, expect, "{numbers:?}");
        };
        check(&[], &[]);
        check(&[1, 2, 3], &[1, 2, 3]);
        check(&[1, 4, 2, 3], &[1, 2, 3]);
        check(&[5, 2, 3, 4, 1, 6], &[2, 3, 4, 6]);
    }
}
