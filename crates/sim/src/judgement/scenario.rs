//! The scenarios: three weeks of five-minute points, and what is true of them.
//!
//! Invariant: what happens, happens after the first eight days, so there was something to learn from.

use lle_core::series::blame::{Change, ChangeKind};

use super::signal::{DAY, HOUR, MINUTES_5, S, START, Signal, Tails, between, even};
use crate::random::Random;

/// Points in three weeks.
const POINTS: i64 = 21 * DAY / MINUTES_5;
/// When something happens, in days.
const EVENT_DAYS: (f64, f64) = (8.0, 17.0);

/// The kinds of scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Noise around a level.
    QuietSteady,
    /// A day, weaker at the weekend.
    QuietDaily,
    /// Noise with heavy tails.
    QuietHeavy,
    /// A job every night and bursts at any time.
    QuietBursty,
    /// Nights without points, missing values, uneven intervals.
    QuietGaps,
    /// A level that wanders.
    QuietWandering,
    /// The level changes after a change that somebody made.
    Shift,
    /// The same, with a day.
    ShiftDaily,
    /// The same, with heavy tails.
    ShiftHeavy,
    /// The same, with points missing.
    ShiftGaps,
    /// A slow rise.
    Leak,
    /// A slow rise in a series with a day.
    LeakDaily,
    /// A faster rise to a new level within some hours.
    Ramp,
    /// One value far off.
    Spike,
    /// It scatters four times as much.
    Unrest,
    /// A day that is not like the others.
    OddDay,
}

/// Every kind, and what it is called.
pub const KINDS: &[(Kind, &str)] = &[
    (Kind::QuietSteady, "quiet: noise around a level"),
    (Kind::QuietDaily, "quiet: daily load, weekends"),
    (Kind::QuietHeavy, "quiet: heavy tails"),
    (Kind::QuietBursty, "quiet: nightly job and bursts"),
    (Kind::QuietGaps, "quiet: suspended nights, missing data"),
    (Kind::QuietWandering, "quiet: a level that wanders"),
    (Kind::Shift, "level shift"),
    (Kind::ShiftDaily, "level shift, daily load"),
    (Kind::ShiftHeavy, "level shift, heavy tails"),
    (Kind::ShiftGaps, "level shift, missing data"),
    (Kind::Leak, "leak"),
    (Kind::LeakDaily, "leak, daily load"),
    (Kind::Ramp, "ramp within hours"),
    (Kind::Spike, "spike"),
    (Kind::Unrest, "unrest: it scatters more"),
    (Kind::OddDay, "a day unlike the others"),
];

impl Kind {
    /// Whether nothing happens in it.
    pub fn is_quiet(self) -> bool {
        self <= Kind::QuietWandering
    }

    /// Whether the level changes in it at one moment, by something that was changed.
    pub fn is_shift(self) -> bool {
        matches!(
            self,
            Kind::Shift | Kind::ShiftDaily | Kind::ShiftHeavy | Kind::ShiftGaps
        )
    }
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truth {
    /// When it begins.
    pub at_ns: i64,
    /// Until when noticing it counts.
    pub until_ns: i64,
}

/// A series and what is true of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// When and how much; a value that is no number is missing.
    pub points: Vec<(i64, f64)>,
    /// What happens, if anything.
    pub truth: Option<Truth>,
    /// What was changed, in the order of time.
    pub changes: Vec<Change>,
    /// Which of them did it; none if nobody recorded what did.
    pub culprit: Option<String>,
}

/// Makes the scenario of a kind and a seed.
pub fn scenario(kind: Kind, seed: u64) -> Scenario {
    let mut random = Random::new(seed.wrapping_mul(31).wrapping_add(kind as u64));
    let daily = matches!(
        kind,
        Kind::QuietDaily | Kind::ShiftDaily | Kind::LeakDaily | Kind::OddDay
    );
    let tails = match kind {
        Kind::QuietHeavy | Kind::ShiftHeavy => Tails::Heavy,
        _ if random.once_in(3) => Tails::Skewed,
        _ => Tails::Normal,
    };
    let mut signal = Signal::draw(&mut random, tails, daily);
    let event_ns = START + (between(&mut random, EVENT_DAYS.0, EVENT_DAYS.1) * DAY as f64) as i64;
    let sign = if random.once_in(3) { -1.0 } else { 1.0 };
    let size = signal.spread * between(&mut random, 4.0, 10.0) * sign;
    let length_ns = (between(&mut random, 3.0, 8.0) * HOUR as f64) as i64;
    let nightly_ns = (even(&mut random) * DAY as f64) as i64;
    let mut gaps = Gaps::draw(&mut random, matches!(kind, Kind::QuietGaps | Kind::ShiftGaps));
    let mut wander = 0.0;
    let mut burst = 0u64;
    let mut points = Vec::new();
    let mut first_after = None;
    for at in 0..POINTS {
        let at_ns = gaps.jitter(&mut random, START + at * MINUTES_5);
        let after = at_ns >= event_ns;
        let since_ns = at_ns - event_ns;
        let rougher = if kind == Kind::Unrest && (0..DAY).contains(&since_ns) {
            4.0
        } else {
            1.0
        };
        // On the odd day it is as if it were half a day later.
        let odd = kind == Kind::OddDay && (0..DAY).contains(&since_ns);
        let mut value = signal.next(&mut random, at_ns + if odd { DAY / 2 } else { 0 }, rougher);
        value += match kind {
            kind if kind.is_shift() && after => size,
            Kind::Leak | Kind::LeakDaily if after => {
                // In four days it has risen by some spreads, or by half of the day's swing.
                let rise = size.abs() + signal.level * signal.swing * 0.5;
                rise * since_ns as f64 / (4 * DAY) as f64
            }
            Kind::Ramp if after => size * (since_ns as f64 / length_ns as f64).min(1.0),
            Kind::Spike if after && first_after.is_none() => 2.0 * size,
            _ => 0.0,
        };
        if kind == Kind::QuietWandering {
            wander += signal.spread * 0.2 * super::signal::normal(&mut random);
            value += wander;
        }
        if kind == Kind::QuietBursty {
            if random.once_in(96) {
                burst = 1 + random.below(4);
            }
            let job = (at_ns - nightly_ns).rem_euclid(DAY) < HOUR / 2;
            let strength = f64::from(burst > 0) * between(&mut random, 4.0, 12.0) + f64::from(job) * 10.0;
            value += signal.spread * strength;
            burst = burst.saturating_sub(1);
        }
        if gaps.is_gap(&mut random, at_ns) {
            continue;
        }
        if after && first_after.is_none() {
            first_after = Some(at_ns);
        }
        let missing = gaps.is_missing(&mut random);
        points.push((at_ns, if missing { f64::NAN } else { signal.rounded(value) }));
    }
    let at_ns = first_after.unwrap_or(event_ns);
    let patience = match kind {
        Kind::Spike => HOUR / 2,
        Kind::Unrest | Kind::OddDay => DAY,
        Kind::Leak | Kind::LeakDaily => 4 * DAY,
        _ => DAY,
    };
    let truth = (!kind.is_quiet()).then_some(Truth {
        at_ns,
        until_ns: at_ns + patience,
    });
    let (changes, culprit) = changes(&mut random, event_ns, kind.is_shift());
    Scenario {
        points,
        truth,
        changes,
        culprit,
    }
}

/// What somebody changed: the culprit shortly before the event, in one of five cases nobody recorded it, and others at
/// any time in the days around.
fn changes(random: &mut Random, event_ns: i64, is_shift: bool) -> (Vec<Change>, Option<String>) {
    const STRONG: [ChangeKind; 5] = [
        ChangeKind::Rc,
        ChangeKind::Plugin,
        ChangeKind::Config,
        ChangeKind::Feature,
        ChangeKind::Upgrade,
    ];
    let mut changes = Vec::new();
    let recorded = !random.once_in(5);
    let kind = *random.pick(&STRONG);
    if is_shift && recorded {
        changes.push(Change {
            at_ns: event_ns - random.below(20) as i64 * S,
            what: "culprit".into(),
            kind,
            session: None,
            number: None,
        });
    }
    for decoy in 0..2 + random.below(7) {
        let at = between(random, -3.0, 2.0);
        let kind = if random.once_in(2) {
            *random.pick(&STRONG)
        } else {
            ChangeKind::Task
        };
        changes.push(Change {
            at_ns: event_ns + (at * DAY as f64) as i64,
            what: format!("decoy {decoy}"),
            kind,
            session: None,
            number: None,
        });
    }
    changes.sort_by_key(|change| change.at_ns);
    (changes, (is_shift && recorded).then(|| "culprit".to_owned()))
}

/// Points that are not there.
struct Gaps {
    any: bool,
    /// When the machine is suspended: from so far into the day, for so long.
    night_ns: (i64, i64),
    missing_in: u64,
}

impl Gaps {
    fn draw(random: &mut Random, any: bool) -> Self {
        Self {
            any,
            night_ns: (
                (between(random, 0.0, 24.0) * HOUR as f64) as i64,
                (between(random, 4.0, 9.0) * HOUR as f64) as i64,
            ),
            missing_in: 10 + random.below(30),
        }
    }

    fn jitter(&mut self, random: &mut Random, at_ns: i64) -> i64 {
        let by = random.below(60) as i64 * S;
        if self.any { at_ns + by } else { at_ns }
    }

    fn is_gap(&mut self, random: &mut Random, at_ns: i64) -> bool {
        let lost = random.once_in(50);
        let night = (at_ns - self.night_ns.0).rem_euclid(DAY) < self.night_ns.1;
        self.any && (night || lost)
    }

    fn is_missing(&mut self, random: &mut Random) -> bool {
        let missing = random.once_in(self.missing_in);
        self.any && missing
    }
}
