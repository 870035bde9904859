//! Sampling one session: the difference between two copies of its flight file, kept over the last minute.
//!
//! ```text
//!  Snapshot ─▸ fold ─▸ minus the copy before ─▸ the open interval ─▸ ring of intervals ─▸ rates, quantiles
//!                                           └─▸ the recent samples of each timer, kept while nothing new comes
//! ```
//!
//! Two views of the same samples. The *window* is the last minute: it empties when nobody types. The *recent* samples
//! are the last few there were, whenever that was: a prompt that was slow is slow until a faster one has been seen, so
//! that a finding does not vanish because the user went for lunch.
//!
//! Invariants: folding allocates nothing; no rate is negative; a session whose numbers shrank (it was started anew)
//! is a new one.

use lle_metrics::bucket::BUCKETS;
use lle_metrics::{Counter, FILE_BYTES, Gauge, Histogram, Snapshot, Timer};

use super::grown::{Grown, Totals};
use super::slot::{Slot, Sparse};

/// Intervals in the window: six of ten seconds are the minute within which a finding is promised.
pub const WINDOW_SLOTS: usize = 6;

/// The shortest interval. Sampling is every ten seconds; a sample asked for in between joins the open interval, and
/// one that comes a little early does not.
pub const SLOT_NS_MIN: u64 = 8_000_000_000;

/// Bytes kept of the name blamed for a slow prompt: as many as a flight file has.
const BLAME_BYTES: usize = 64;

/// Flight file and window of a session: a sixteenth of the megabyte promised for sixteen sessions.
const SESSION_BYTES_MAX: usize = 1_000_000 / 16;

const _: () = assert!(
    size_of::<Window>() + FILE_BYTES <= SESSION_BYTES_MAX,
    "monitoring data of sixteen sessions exceeds a megabyte"
);

/// A distribution over the window. All in the unit of its timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Samples.
    pub count: u64,
    /// Their mean.
    pub mean: u64,
    /// The largest, at most a bucket above the truth.
    pub max: u64,
    /// The median, at most a bucket above the truth.
    pub p50: u64,
    /// The 99th percentile, at most a bucket above the truth.
    pub p99: u64,
}

impl Summary {
    /// Sums a distribution up; none without samples.
    pub fn of(histogram: &Histogram) -> Option<Summary> {
        let mean = histogram.mean()?;
        let [p50, p99] = histogram.quantiles([0.5, 0.99])?;
        Some(Summary {
            count: histogram.count,
            mean,
            max: histogram.max,
            p50,
            p99,
        })
    }
}

/// The last samples of a timer there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// Samples, at least [`recent_least`].
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// The largest, at most a bucket above the truth.
    pub max: u64,
}

impl Recent {
    /// The mean; 0 without samples.
    pub fn mean(&self) -> u64 {
        self.sum.checked_div(self.count).unwrap_or(0)
    }

    fn add(&mut self, sparse: &Sparse) {
        self.count = self.count.saturating_add(u64::from(sparse.count));
        self.sum = self.sum.saturating_add(sparse.sum);
        self.max = self.max.max(sparse.max);
    }
}

/// Samples of a timer that are judged together: few where each is an event for the user, more where one in between
/// is lost in the noise.
pub const fn recent_least(timer: Timer) -> u64 {
    match timer {
        Timer::Prompt | Timer::PromptCommand | Timer::PromptExpand => 2,
        Timer::Start => 1,
        Timer::Completion | Timer::HistoryAppend | Timer::HistorySearch | Timer::Command => 3,
        _ => 20,
    }
}

/// What a session did in the last minute.
pub struct Window {
    last: Cumulated,
    slots: [Slot; WINDOW_SLOTS],
    /// Where the newest interval is.
    newest: usize,
    folds: u64,
    folded_ns: u64,
    begun_anew: u64,
    building: [Recent; Timer::ALL.len()],
    recent: [Recent; Timer::ALL.len()],
    /// Timers whose recent samples the last fold replaced, a bit each.
    fresh: u32,
    gauges: [Option<i64>; Gauge::ALL.len()],
    blame: [u8; BLAME_BYTES],
    blame_bytes: u8,
}

/// Numbers as the last fold saw them.
struct Cumulated {
    created_wall_ns: u64,
    counters: [u64; Counter::ALL.len()],
    timers: [Totals; Timer::ALL.len()],
    buckets: [[u32; BUCKETS]; Timer::ALL.len()],
}

const _: () = assert!(Timer::ALL.len() <= 32, "a timer's freshness is a bit");

impl Default for Window {
    fn default() -> Window {
        Window::new()
    }
}

impl Window {
    /// Makes an empty window.
    pub const fn new() -> Window {
        const NONE: Recent = Recent {
            count: 0,
            sum: 0,
            max: 0,
        };
        Window {
            last: Cumulated {
                created_wall_ns: 0,
                counters: [0; Counter::ALL.len()],
                timers: [Totals {
                    count: 0,
                    sum: 0,
                    max: 0,
                }; Timer::ALL.len()],
                buckets: [[0; BUCKETS]; Timer::ALL.len()],
            },
            slots: [Slot::EMPTY; WINDOW_SLOTS],
            newest: 0,
            folds: 0,
            folded_ns: 0,
            begun_anew: 0,
            building: [NONE; Timer::ALL.len()],
            recent: [NONE; Timer::ALL.len()],
            fresh: 0,
            gauges: [None; Gauge::ALL.len()],
            blame: [0; BLAME_BYTES],
            blame_bytes: 0,
        }
    }

    /// Takes in a copy of the session's flight, at a time of the monotonic clock. The first one only says where to
    /// count from. Says whether it completed an interval.
    pub fn fold(&mut self, now_mono_ns: u64, snapshot: &Snapshot) -> bool {
        self.fresh = 0;
        self.keep_as_is(snapshot);
        if self.folds == 0 || self.shrank(snapshot) {
            self.begin_anew(now_mono_ns, snapshot);
            return false;
        }
        let now = now_mono_ns.max(self.folded_ns);
        self.open_slot(now);
        self.fold_counters(snapshot);
        for (row, timer) in Timer::ALL.iter().enumerate() {
            self.fold_timer(row, *timer, snapshot);
        }
        if let Some(slot) = self.slots.get_mut(self.newest) {
            slot.to_ns = now;
            slot.torn |= snapshot.torn();
        }
        self.folded_ns = now;
        self.folds = self.folds.saturating_add(1);
        self.slot_complete()
    }

    /// Copies of the flight taken in since the session was last counted anew.
    pub fn folds(&self) -> u64 {
        self.folds
    }

    /// How often the session's numbers had shrunk, so that it was counted anew.
    pub fn begun_anew(&self) -> u64 {
        self.begun_anew
    }

    /// Whether a copy in the window was torn: single values are true, sums may not add up.
    pub fn torn(&self) -> bool {
        self.slots.iter().any(|slot| slot.torn)
    }

    /// How long the window is, in ns.
    pub fn span_ns(&self) -> u64 {
        self.slots.iter().map(Slot::span_ns).sum()
    }

    /// A distribution over the window; none without samples.
    pub fn summary(&self, timer: Timer) -> Option<Summary> {
        let mut histogram = Histogram::empty(timer.unit());
        self.add_to(timer, &mut histogram);
        Summary::of(&histogram)
    }

    /// Adds the window's samples to a distribution, for all sessions together.
    pub fn add_to(&self, timer: Timer, histogram: &mut Histogram) {
        for slot in &self.slots {
            if let Some(sparse) = slot.timers.get(timer as usize).filter(|sparse| sparse.count > 0) {
                sparse.add_to(histogram);
            }
        }
    }

    /// The last samples of a timer there were; none as long as they are too few.
    pub fn recent(&self, timer: Timer) -> Option<Recent> {
        let recent = self.recent.get(timer as usize).copied();
        recent.filter(|recent| recent.count > 0)
    }

    /// Whether the last fold brought new recent samples.
    pub fn fresh(&self, timer: Timer) -> bool {
        self.fresh & 1 << timer as u32 != 0
    }

    /// Whether the newest interval is complete, and so whether the last fold completed one.
    pub fn slot_complete(&self) -> bool {
        let newest = self.slots.get(self.newest);
        newest.is_some_and(|slot| slot.span_ns() >= SLOT_NS_MIN)
    }

    /// How much a counter grew over the window.
    pub fn grown(&self, counter: Counter) -> u64 {
        let of = |slot: &Slot| slot.counters.get(counter as usize).copied().map_or(0, u64::from);
        self.slots.iter().map(of).sum()
    }

    /// How much a counter grew over the window, a second; none as long as there is no window.
    pub fn rate(&self, counter: Counter) -> Option<f64> {
        let span = self.span_ns();
        (span > 0).then(|| self.grown(counter) as f64 * 1e9 / span as f64)
    }

    /// A counter over the session's life.
    pub fn counter(&self, counter: Counter) -> u64 {
        self.last.counters.get(counter as usize).copied().unwrap_or(0)
    }

    /// A distribution over the session's life.
    pub fn life(&self, timer: Timer) -> Histogram {
        let mut histogram = Histogram::empty(timer.unit());
        let row = timer as usize;
        if let (Some(totals), Some(buckets)) = (self.last.timers.get(row), self.last.buckets.get(row)) {
            (histogram.count, histogram.sum, histogram.max) = (totals.count, totals.sum, totals.max);
            for (at, n) in buckets.iter().enumerate().filter(|(_, n)| **n > 0) {
                histogram.add_to_bucket(at, *n);
            }
        }
        histogram
    }

    /// A gauge as last seen.
    pub fn gauge(&self, gauge: Gauge) -> Option<i64> {
        self.gauges.get(gauge as usize).copied().flatten()
    }

    /// The names blamed for the last prompt's time, as the session wrote them: not to be shown as they are.
    pub fn blame(&self) -> &[u8] {
        self.blame.get(..usize::from(self.blame_bytes)).unwrap_or(&[])
    }

    fn keep_as_is(&mut self, snapshot: &Snapshot) {
        for (to, gauge) in self.gauges.iter_mut().zip(Gauge::ALL) {
            *to = snapshot.gauge(*gauge);
        }
        let blame = snapshot.prompt_blame();
        let kept = blame.len().min(BLAME_BYTES);
        if let (Some(to), Some(from)) = (self.blame.get_mut(..kept), blame.get(..kept)) {
            to.copy_from_slice(from);
        }
        self.blame_bytes = kept as u8;
    }

    /// Whether this is not the flight seen before, or it begins again.
    fn shrank(&self, snapshot: &Snapshot) -> bool {
        let shorter = |(counter, last): (&Counter, &u64)| snapshot.counter(*counter) < *last;
        let fewer = |(timer, last): (&Timer, &Totals)| snapshot.samples(*timer) < last.count;
        snapshot.created_wall_ns() != self.last.created_wall_ns
            || Counter::ALL.iter().zip(&self.last.counters).any(shorter)
            || Timer::ALL.iter().zip(&self.last.timers).any(fewer)
    }

    fn begin_anew(&mut self, now_mono_ns: u64, snapshot: &Snapshot) {
        if self.folds > 0 {
            self.begun_anew += 1;
        }
        self.slots = [Slot::EMPTY; WINDOW_SLOTS];
        self.building = [Recent::default(); Timer::ALL.len()];
        self.recent = self.building;
        self.last.created_wall_ns = snapshot.created_wall_ns();
        for (last, counter) in self.last.counters.iter_mut().zip(Counter::ALL) {
            *last = snapshot.counter(*counter);
        }
        let mut histogram = Histogram::empty(lle_metrics::Unit::Nanoseconds);
        for (row, timer) in Timer::ALL.iter().enumerate() {
            snapshot.read_histogram(*timer, &mut histogram);
            self.remember(row, &histogram);
        }
        (self.folds, self.folded_ns) = (1, now_mono_ns);
    }

    /// Keeps the open interval open until it is long enough, else goes on to the next one, over the oldest.
    fn open_slot(&mut self, now_ns: u64) {
        let begun = self.slots.get(self.newest).is_some_and(|slot| slot.to_ns > 0);
        if begun && !self.slot_complete() {
            return;
        }
        if begun {
            self.newest = (self.newest + 1) % WINDOW_SLOTS;
        }
        if let Some(slot) = self.slots.get_mut(self.newest) {
            *slot = Slot {
                from_ns: self.folded_ns,
                to_ns: now_ns,
                ..Slot::EMPTY
            };
        }
    }

    fn fold_counters(&mut self, snapshot: &Snapshot) {
        let Some(slot) = self.slots.get_mut(self.newest) else {
            return;
        };
        let rows = Counter::ALL.iter().zip(&mut self.last.counters);
        for ((counter, last), grown) in rows.zip(&mut slot.counters) {
            let now = snapshot.counter(*counter);
            let by = u32::try_from(now.saturating_sub(*last)).unwrap_or(u32::MAX);
            *grown = grown.saturating_add(by);
            *last = now;
        }
    }

    fn fold_timer(&mut self, row: usize, timer: Timer, snapshot: &Snapshot) {
        let (Some(last), Some(buckets)) = (self.last.timers.get_mut(row), self.last.buckets.get_mut(row))
        else {
            return;
        };
        let (count, sum) = snapshot.total(timer);
        if count == last.count {
            return;
        }
        let now = Totals {
            count,
            sum,
            max: snapshot.largest(timer),
        };
        let before = std::mem::replace(last, now);
        let grown = Grown::of(timer, snapshot, buckets, before, now);
        self.add_recent(row, timer, &grown.sparse);
        let slot = self.slots.get_mut(self.newest);
        if let Some(kept) = slot.and_then(|slot| slot.timers.get_mut(row)) {
            *kept = if kept.count == 0 {
                grown.sparse
            } else {
                let mut joined = grown.whole(timer);
                kept.add_to(&mut joined);
                Sparse::of(&joined)
            };
        }
    }

    fn remember(&mut self, row: usize, now: &Histogram) {
        if let Some(last) = self.last.timers.get_mut(row) {
            *last = Totals {
                count: now.count,
                sum: now.sum,
                max: now.max,
            };
        }
        if let Some(buckets) = self.last.buckets.get_mut(row) {
            *buckets = *now.buckets();
        }
    }

    fn add_recent(&mut self, row: usize, timer: Timer, sparse: &Sparse) {
        let (Some(building), Some(recent)) = (self.building.get_mut(row), self.recent.get_mut(row)) else {
            return;
        };
        building.add(sparse);
        if building.count >= recent_least(timer) {
            *recent = std::mem::take(building);
            self.fresh |= 1 << row;
        }
    }
}

#[cfg(test)]
mod tests;
