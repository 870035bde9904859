//! A bounded cache that keeps count: what it was asked for and had, had not, and would have had if it were larger.
//!
//! What goes first is what the hand of a clock finds unused since its last round (Corbató 1968): nearly as good as the
//! least recently used, and a hit costs one bit. The fingerprints of what went last are kept as *ghosts*: asking for one
//! of them is a hit that so much more room would have won, and says what the memory would be worth here.
//!
//! Invariants: never more than `capacity` entries and [`GHOSTS`] ghosts; a capacity of 0 keeps nothing.

use lle_core::lever::GHOSTS;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// What a cache has counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    /// Entries that had to go for others.
    pub(crate) evictions: u64,
    /// Misses that [`GHOSTS`] more entries would have made hits.
    pub(crate) ghost_hits: u64,
}

/// What a cache tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) counts: Counts,
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
}

impl Account {
    /// Asks a cache; `bytes` says what a value holds beside itself.
    pub(crate) fn of<V>(cache: &Cache<V>, bytes: impl Fn(&V) -> usize) -> Self {
        Self {
            counts: cache.counts,
            entries: cache.entries.len(),
            bytes: cache.bytes(bytes),
        }
    }
}

struct Entry<V> {
    fingerprint: u64,
    key: Box<[u8]>,
    value: V,
    /// Asked for since the hand came by.
    used: bool,
}

/// The cache.
pub(crate) struct Cache<V> {
    hasher: RandomState,
    /// Where the entry with a fingerprint is. The entry has the key itself: two keys of one fingerprint replace each other.
    places: HashMap<u64, usize>,
    entries: Vec<Entry<V>>,
    capacity: usize,
    hand: usize,
    sampled: usize,
    key_bytes: usize,
    ghosts: Vec<u64>,
    oldest_ghost: usize,
    counts: Counts,
}

impl<V> Cache<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            places: HashMap::new(),
            entries: Vec::new(),
            capacity,
            hand: 0,
            sampled: 0,
            key_bytes: 0,
            ghosts: Vec::new(),
            oldest_ghost: 0,
            counts: Counts::default(),
        }
    }

    /// What is kept under a key. Counts nothing: the caller knows whether what is found is of use.
    pub(crate) fn peek(&self, key: &[u8]) -> Option<&V> {
        let place = self.places.get(&self.hasher.hash_one(key))?;
        let entry = self.entries.get(*place)?;
        (*entry.key == *key).then_some(&entry.value)
    }

    /// What was found under a key was of use.
    pub(crate) fn hit(&mut self, key: &[u8]) {
        self.counts.hits += 1;
        let fingerprint = self.hasher.hash_one(key);
        if let Some(entry) = self
            .places
            .get(&fingerprint)
            .and_then(|at| self.entries.get_mut(*at))
        {
            entry.used = true;
        }
    }

    /// Nothing of use was found under a key.
    pub(crate) fn miss(&mut self, key: &[u8]) {
        self.counts.misses += 1;
        let fingerprint = self.hasher.hash_one(key);
        self.counts.ghost_hits += u64::from(self.ghosts.contains(&fingerprint));
    }

    /// Keeps a value, in place of an older one under the same key, or of what was not asked for lately. Without any room
    /// the value is not even made.
    pub(crate) fn keep(&mut self, key: &[u8], value: impl FnOnce() -> V) {
        if self.capacity == 0 {
            self.add_ghost(self.hasher.hash_one(key));
            return;
        }
        let value = value();
        let fingerprint = self.hasher.hash_one(key);
        let old = self.places.get(&fingerprint).copied();
        let place = old.unwrap_or_else(|| self.room());
        let entry = Entry {
            fingerprint,
            key: key.into(),
            value,
            used: false,
        };
        self.key_bytes += key.len();
        match self.entries.get_mut(place) {
            Some(slot) => {
                self.key_bytes -= slot.key.len();
                *slot = entry;
            }
            None => self.entries.push(entry),
        }
        self.places.insert(fingerprint, place);
    }

    /// A place for one more: a new one, or that of the first entry under the hand that was not used.
    fn room(&mut self) -> usize {
        if self.entries.len() < self.capacity {
            return self.entries.len();
        }
        loop {
            let at = self.hand % self.entries.len().max(1);
            self.hand = at + 1;
            let Some(entry) = self.entries.get_mut(at) else {
                return at;
            };
            if !std::mem::take(&mut entry.used) {
                let fingerprint = entry.fingerprint;
                self.places.remove(&fingerprint);
                self.counts.evictions += 1;
                self.add_ghost(fingerprint);
                return at;
            }
        }
    }

    fn add_ghost(&mut self, fingerprint: u64) {
        if self.ghosts.contains(&fingerprint) {
            return;
        }
        match self.ghosts.get_mut(self.oldest_ghost) {
            Some(oldest) => *oldest = fingerprint,
            None => self.ghosts.push(fingerprint),
        }
        self.oldest_ghost = (self.oldest_ghost + 1) % GHOSTS;
    }

    /// Sets how many entries there may be; what is too many is forgotten. That is no eviction, for nothing else came in its
    /// place; and a ghost of another size says nothing of what more room would win in this one.
    pub(crate) fn resize(&mut self, capacity: usize) {
        if capacity == self.capacity {
            return;
        }
        if capacity < self.entries.len() {
            for entry in self.entries.drain(capacity..) {
                self.places.remove(&entry.fingerprint);
                self.key_bytes -= entry.key.len();
            }
        }
        self.ghosts.clear();
        self.oldest_ghost = 0;
        self.capacity = capacity;
    }

    /// Forgets every entry, since none holds any more. That is no eviction: more room would not have kept them.
    pub(crate) fn forget(&mut self) {
        self.places.clear();
        self.entries.clear();
        self.ghosts.clear();
        (self.hand, self.oldest_ghost, self.key_bytes) = (0, 0, 0);
    }

    /// The keys and values of at most `most` entries from the hand on, the next time of the next ones.
    pub(crate) fn sample(&mut self, most: usize) -> impl Iterator<Item = (&[u8], &V)> {
        let (n, from) = (self.entries.len(), self.sampled);
        self.sampled = (from + most) % n.max(1);
        let places = (0..most.min(n)).map(move |at| (from + at) % n);
        places.filter_map(|at| self.entries.get(at).map(|entry| (&*entry.key, &entry.value)))
    }

    /// Forgets one entry, if it is there.
    pub(crate) fn remove(&mut self, key: &[u8]) {
        let Some(place) = self.places.remove(&self.hasher.hash_one(key)) else {
            return;
        };
        let gone = self.entries.swap_remove(place);
        self.key_bytes -= gone.key.len();
        if let Some(moved) = self.entries.get(place) {
            self.places.insert(moved.fingerprint, place);
        }
    }

    /// Bytes it takes; `of` says what a value holds beside itself.
    fn bytes(&self, of: impl Fn(&V) -> usize) -> usize {
        let a_place = size_of::<(u64, usize)>() + 1;
        let values: usize = self.entries.iter().map(|entry| of(&entry.value)).sum();
        self.key_bytes
            + values
            + self.entries.capacity() * size_of::<Entry<V>>()
            + self.places.capacity() * a_place
            + self.ghosts.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ask(cache: &mut Cache<u32>, key: u32) -> bool {
        let bytes = key.to_le_bytes();
        let found = cache.peek(&bytes).copied();
        assert!(found.is_none_or(|value| value == key));
        match found {
            Some(_) => cache.hit(&bytes),
            None => {
                cache.miss(&bytes);
                cache.keep(&bytes, || key);
            }
        }
        found.is_some()
    }

    #[test]
    fn what_is_used_stays_and_what_went_is_remembered() {
        let mut cache = Cache::new(2);
        for (key, hit) in [
            (1, false),
            (2, false),
            (1, true),
            (3, false),
            (1, true),
            (2, false),
        ] {
            assert_eq!(ask(&mut cache, key), hit, "{key}");
        }
        let counts = cache.counts;
        assert_eq!((counts.hits, counts.misses), (2, 4));
        assert_eq!((counts.evictions, counts.ghost_hits), (2, 1), "2 went for 3");
        cache.forget();
        assert!(!ask(&mut cache, 1));
        assert_eq!(cache.counts.ghost_hits, 1, "what was forgotten is no ghost");
    }

    #[test]
    fn what_was_missed_with_less_room_asks_for_no_more() {
        let mut cache = Cache::new(4);
        // As in a trial of no room against some, line for line.
        for _ in 0..10 {
            cache.resize(0);
            assert!(!ask(&mut cache, 1) && !ask(&mut cache, 2));
            cache.resize(4);
            let before = cache.counts.ghost_hits;
            assert!(!ask(&mut cache, 1) && !ask(&mut cache, 2) && ask(&mut cache, 1));
            assert_eq!(cache.counts.ghost_hits, before, "there is room for both");
        }
        assert_eq!(cache.counts.evictions, 0, "nothing had to go for another");
    }

    #[test]
    fn without_room_everything_is_a_ghost() {
        let mut cache = Cache::new(0);
        assert!(!ask(&mut cache, 1) && !ask(&mut cache, 1));
        assert_eq!((cache.entries.len(), cache.counts.ghost_hits), (0, 1));
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds(
            steps in prop::collection::vec((0..12u32, 0..20u8), 1..300),
            capacity in 0..6usize,
        ) {
            let mut cache = Cache::new(capacity);
            let mut capacity = capacity;
            for (key, what) in steps {
                match what {
                    0 => cache.forget(),
                    1 => { capacity = key as usize % 6; cache.resize(capacity); }
                    2 => {
                        let sampled = cache.sample(3).count();
                        prop_assert_eq!(sampled, cache.entries.len().min(3));
                        cache.remove(&key.to_le_bytes());
                    }
                    _ => drop(ask(&mut cache, key)),
                }
                prop_assert!(cache.entries.len() <= capacity && cache.ghosts.len() <= GHOSTS);
                prop_assert_eq!(cache.places.len(), cache.entries.len());
                let bytes: usize = cache.entries.iter().map(|entry| entry.key.len()).sum();
                prop_assert_eq!(bytes, cache.key_bytes);
                for (at, entry) in cache.entries.iter().enumerate() {
                    prop_assert_eq!(cache.places.get(&entry.fingerprint), Some(&at));
                }
            }
        }
    }
}
