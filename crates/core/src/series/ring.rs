//! The last values, oldest first, in an array that is never moved.
//!
//! Invariant: it holds the last `min(pushed, N)` values.

/// A ring of the last `N` values.
#[derive(Clone, Debug)]
pub(super) struct Ring<T, const N: usize> {
    items: [T; N],
    pushed: usize,
}

impl<T: Copy + Default, const N: usize> Ring<T, N> {
    pub(super) fn new() -> Self {
        Self {
            items: [T::default(); N],
            pushed: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.pushed.min(N)
    }

    /// Adds a value and gives the one that falls out.
    pub(super) fn push(&mut self, item: T) -> Option<T> {
        let place = &mut self.items[self.pushed % N];
        let old = std::mem::replace(place, item);
        let full = self.pushed >= N;
        self.pushed += 1;
        full.then_some(old)
    }

    /// Forgets all but the last so many.
    pub(super) fn keep_last(&mut self, count: usize) {
        let count = count.min(self.len());
        let kept: [Option<T>; N] = std::array::from_fn(|at| {
            if at < count {
                self.back(count - 1 - at)
            } else {
                None
            }
        });
        self.pushed = 0;
        for item in kept.into_iter().flatten() {
            self.push(item);
        }
    }

    /// The value so many before the last: 0 is the last.
    pub(super) fn back(&self, steps: usize) -> Option<T> {
        (steps < self.len()).then(|| self.items[(self.pushed - 1 - steps) % N])
    }

    /// Its two parts, the older one first.
    pub(super) fn parts(&self) -> (&[T], &[T]) {
        if self.pushed <= N {
            (&self.items[..self.pushed], &[])
        } else {
            let (newer, older) = self.items.split_at(self.pushed % N);
            (older, newer)
        }
    }

    /// Every value, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = T> + '_ {
        let (older, newer) = self.parts();
        older.iter().chain(newer).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_holds_the_last_values(values in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut ring = Ring::<u8, 7>::new();
            for (at, value) in values.iter().enumerate() {
                let out = ring.push(*value);
                prop_assert_eq!(out, at.checked_sub(7).map(|old| values[old]));
            }
            let kept = &values[values.len().saturating_sub(7)..];
            prop_assert_eq!(ring.iter().collect::<Vec<_>>(), kept);
            for (steps, value) in kept.iter().rev().enumerate() {
                prop_assert_eq!(ring.back(steps), Some(*value));
            }
            prop_assert_eq!(ring.back(kept.len()), None);
            ring.keep_last(3);
            prop_assert_eq!(ring.iter().collect::<Vec<_>>(), &kept[kept.len().saturating_sub(3)..]);
        }
    }
}
