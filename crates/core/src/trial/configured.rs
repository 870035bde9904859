//! A configuration on trial: before and after, in the same sessions, by what its keys can move and nothing else.
//!
//! ```text
//!  each look, each session: one observation of each measure ─▸ after │ kept before ─▸ difference, with its interval
//!                           a panic, a fallback, a crash ────▸ worse at once
//! ```
//!
//! The difference is that of the means (Welch 1947), taken in each session by itself and weighed by how much each was used
//! since, so that a session that is always slow, and is used more now, moves nothing. The spread after is taken to be no
//! less than before: a handful of prompts in one folder are more alike than prompts are.
//!
//! A measure is looked at when [`LOOKS`] observations are there and at no other time but the deadline. Each look is held
//! to one error in 2,000 on the slower side, so that all looks at all measures together are wrong in at most 3 % of the
//! trials of a configuration that changes nothing (Bonferroni), were it not that a difference also has to exceed what
//! somebody notices and what is allowed. `docs/confirm.md` says what that comes to on noise; the interval shown is the
//! look's own, 99.9 %.
//!
//! A session that had hardly begun has too few observations before to show a spread of its own. It is taken to have
//! scattered as it does since (Student 1908): two hundred milliseconds more are seen then, too, and little ones are not.
//!
//! Invariants: *worse* is said only if the whole interval lies beyond both the floor of the measure and the tolerance;
//! what cannot be a duration is not counted; sessions and looks are bounded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::measure::Measure;
use super::usual::Observation;
use super::{Evidence, Otherwise, Trial, Verdict};
use crate::quantity::several;

/// Observations since the change at which a measure is looked at: twice as many each time.
pub const LOOKS: [u64; 7] = [5, 10, 20, 40, 80, 160, 320];
/// Observations before the change below which a session tells nothing.
pub const BEFORE_MIN: u64 = 1;
/// Below so many it is taken to have scattered as it does since.
const SPREAD_MIN: u64 = 5;
/// Sessions counted; what further ones say is left out.
pub const SESSIONS_MAX: usize = 64;
/// No duration is longer: a day, in nanoseconds.
const OBSERVED_NS_MAX: f64 = 86_400e9;
/// The fewest degrees of freedom that there can be: of five observations.
const FREEDOM_MIN: u64 = 4;
/// Degrees of freedom, and the quantile of Student's t at 99.9 % two-sided for so many.
const QUANTILES: [(u64, f64); 16] = [
    (4, 8.610),
    (5, 6.869),
    (6, 5.959),
    (7, 5.408),
    (8, 5.041),
    (9, 4.781),
    (10, 4.587),
    (12, 4.318),
    (15, 4.073),
    (20, 3.850),
    (25, 3.725),
    (30, 3.646),
    (40, 3.551),
    (60, 3.460),
    (120, 3.373),
    (1_000, 3.300),
];

/// A configuration under trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configured {
    /// The version on trial.
    pub version: u64,
    /// The one before, which is taken up again if it is worse.
    pub earlier: u64,
    /// The keys whose value is another one.
    pub keys: Vec<String>,
    /// It stays only if somebody says so.
    pub needs_word: bool,
    /// What it is judged by, by the measure's name.
    pub measures: BTreeMap<String, Comparison>,
    /// What went wrong in a session that goes by it, in words.
    pub trouble: Option<String>,
    /// What was in force before, as it was written down then.
    #[serde(default)]
    pub earlier_says: String,
    /// What it came to: written before it is taken back, so that whoever comes to see it taken back knows why.
    #[serde(default)]
    pub judged: Option<Judged>,
    /// The trial that this one took the place of, which goes on if this one is taken back.
    #[serde(default)]
    pub former: Option<Box<Trial>>,
}

/// One measure, before and since.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// By session.
    pub sessions: BTreeMap<String, Sides>,
    /// Looks that were taken.
    pub looks: usize,
    /// What the last look saw.
    pub seen: Option<Difference>,
}

/// What one session said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sides {
    /// Before the change.
    pub before: Evidence,
    /// Since.
    pub after: Evidence,
    /// Samples that the observations since are made of.
    pub samples: u64,
}

/// By how much a measure is another one since, in nanoseconds; slower is more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The best guess.
    pub by_ns: f64,
    /// The lower end of its interval.
    pub low_ns: f64,
    /// The upper end.
    pub high_ns: f64,
    /// What it was before.
    pub before_ns: f64,
    /// Samples since.
    pub samples: u64,
    /// Observations since.
    pub observations: u64,
}

/// What a configuration on trial came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// The measure that it goes by, by name, and the difference; none if it does not go by one.
    pub by: Option<(String, Difference)>,
    /// Why, in words.
    pub why: String,
}

/// How one measure stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Standing {
    /// Slower than is allowed.
    Worse(Difference),
    /// Not slower than is allowed.
    Fine,
    /// It may be either.
    Open,
    /// Too little was measured.
    Unknown,
}

impl Configured {
    /// Begins a trial of what these measures say.
    pub fn new(
        version: u64,
        earlier: u64,
        keys: Vec<String>,
        measures: &[Measure],
        needs_word: bool,
    ) -> Self {
        let empty = |measure: &Measure| (measure.row().name.to_owned(), Comparison::default());
        Self {
            version,
            earlier,
            keys,
            needs_word,
            measures: measures.iter().map(empty).collect(),
            trouble: None,
            earlier_says: String::new(),
            judged: None,
            former: None,
        }
    }

    /// The first version that is not the one which all of these trials would go back to.
    pub fn began_at(&self) -> u64 {
        self.levels()
            .map(|level| level.earlier)
            .min()
            .unwrap_or(self.earlier)
            .saturating_add(1)
    }

    /// This trial, and those below that it took the place of, the newest first.
    pub fn levels(&self) -> impl Iterator<Item = &Configured> {
        std::iter::successors(Some(self), |level| level.former.as_deref()?.configured.as_deref())
    }

    /// What it is judged by.
    pub fn judged_by(&self) -> impl Iterator<Item = Measure> + use<'_> {
        self.measures.keys().filter_map(|name| Measure::named(name))
    }

    /// Looks that were taken, at all measures together.
    pub fn looks(&self) -> usize {
        self.measures.values().map(|comparison| comparison.looks).sum()
    }

    /// What a session shows since; none if nothing was heard of it.
    pub fn after(&self, session: u64, measure: Measure) -> Option<Evidence> {
        let comparison = self.measures.get(measure.row().name)?;
        let sides = comparison.sessions.get(&format!("{session:016x}"))?;
        Some(sides.after).filter(|after| after.count > 0)
    }

    /// Compares with what a trial before this one compared with, where both are judged by the same: what came in between
    /// was on trial itself.
    pub fn take_before_of(&mut self, former: &Configured) {
        for (name, comparison) in &mut self.measures {
            for (session, sides) in former.measures.get(name).into_iter().flat_map(|of| &of.sessions) {
                if sides.before.count > 0
                    && let Some(ours) = comparison.sessions.get_mut(session)
                {
                    ours.before = sides.before;
                }
            }
        }
    }

    /// Says what a session was like before.
    pub fn before(&mut self, session: u64, measure: Measure, before: Evidence) {
        if let Some(sides) = self.sides(session, measure) {
            sides.before = before;
        }
    }

    /// Takes in what a session shows since; true if that is news.
    pub fn hear(&mut self, session: u64, measure: Measure, seen: Observation) -> bool {
        let can_be = (0.0..=OBSERVED_NS_MAX).contains(&seen.mean_ns) && seen.samples > 0;
        let Some(sides) = self.sides(session, measure).filter(|_| can_be) else {
            return false;
        };
        sides.after.add(seen.mean_ns);
        sides.samples = sides.samples.saturating_add(seen.samples);
        true
    }

    fn sides(&mut self, session: u64, measure: Measure) -> Option<&mut Sides> {
        let sessions = &mut self.measures.get_mut(measure.row().name)?.sessions;
        let session = format!("{session:016x}");
        if sessions.len() >= SESSIONS_MAX && !sessions.contains_key(&session) {
            return None;
        }
        Some(sessions.entry(session).or_default())
    }

    /// Notes that something went wrong in a session that goes by it. The first is what is told.
    pub fn fail(&mut self, what: &str) {
        self.trouble.get_or_insert_with(|| what.to_owned());
    }

    /// Looks at the evidence if it is time to; gives what it came to if that ends the trial. `tolerance` is a fraction of
    /// what was before; `over` says that its time is up, and `otherwise` what happens then if nobody can tell.
    pub fn look(&mut self, tolerance: f64, over: bool, otherwise: Otherwise) -> Option<Judged> {
        if let Some(trouble) = &self.trouble {
            return Some(Judged {
                verdict: Verdict::Revert,
                by: None,
                why: trouble.clone(),
            });
        }
        let mut standings = Vec::new();
        for (name, comparison) in &mut self.measures {
            let Some(measure) = Measure::named(name) else {
                continue;
            };
            standings.push((measure, comparison.look(measure, tolerance, over)));
        }
        let worse = |(measure, standing): &(Measure, Standing)| match standing {
            Standing::Worse(difference) => Some((*measure, *difference)),
            _ => None,
        };
        // Of several the one that costs most by what is noticed.
        let cost = |found: &(Measure, Difference)| found.1.by_ns / found.0.row().floor_ns as f64;
        let worst = standings
            .iter()
            .filter_map(worse)
            .max_by(|a, b| cost(a).total_cmp(&cost(b)));
        if let Some((measure, difference)) = worst {
            return Some(Judged {
                verdict: Verdict::Revert,
                by: Some((measure.row().name.to_owned(), difference)),
                why: slower(measure, &difference),
            });
        }
        over.then(|| self.at_the_end(&standings, otherwise))
    }

    fn at_the_end(&self, standings: &[(Measure, Standing)], otherwise: Otherwise) -> Judged {
        let of = |wanted: Standing| {
            let those = standings.iter().filter(|(_, standing)| *standing == wanted);
            those.map(|(measure, _)| measure.row().many).collect::<Vec<_>>()
        };
        let (fine, open, unknown) = (of(Standing::Fine), of(Standing::Open), of(Standing::Unknown));
        let judged = |verdict, why| Judged {
            verdict,
            by: None,
            why,
        };
        if self.needs_word {
            return judged(Verdict::Withdrawn, "nobody confirmed it in time".to_owned());
        }
        if open.is_empty() && (!fine.is_empty() || standings.is_empty()) {
            let mut why = match fine.as_slice() {
                [] => "nothing that can be slower by it is measured, and nothing went wrong".to_owned(),
                fine => format!("no slower than is allowed: {}", fine.join(", ")),
            };
            if !unknown.is_empty() {
                why.push_str(&format!("; too few to tell: {}", unknown.join(", ")));
            }
            return judged(Verdict::Confirm, why);
        }
        let why = match open.is_empty() {
            true => format!("too few to tell: {}", unknown.join(", ")),
            false => format!("nobody can tell whether these are slower: {}", open.join(", ")),
        };
        let verdict = match otherwise {
            Otherwise::Keep => Verdict::InconclusiveKept,
            Otherwise::Revert => Verdict::InconclusiveReverted,
        };
        judged(verdict, why)
    }

    /// Observations since the change of the measure that has most of them, and how many the next look at it needs; none
    /// if there is no next one.
    pub fn progress(&self) -> (u64, Option<u64>) {
        let most = self
            .measures
            .values()
            .max_by_key(|comparison| comparison.observations());
        most.map_or((0, None), |comparison| {
            (comparison.observations(), LOOKS.get(comparison.looks).copied())
        })
    }
}

impl Comparison {
    /// Observations since the change, in sessions that can be compared.
    fn observations(&self) -> u64 {
        self.compared().map(|sides| sides.after.count).sum()
    }

    /// Sessions of which there is something on either side.
    fn compared(&self) -> impl Iterator<Item = &Sides> {
        self.sessions.values().filter(|sides| sides.can_be_compared())
    }

    /// The difference as it is known now; none as long as there is too little.
    pub fn difference(&self) -> Option<Difference> {
        let observations = self.observations();
        if observations < LOOKS[0] {
            return None;
        }
        let n = observations as f64;
        let (mut by_ns, mut variance, mut before_ns) = (0.0, 0.0, 0.0);
        // What the spread is known from: a session that is much like itself says nothing of one that is not (Satterthwaite
        // 1946).
        let (mut samples, mut of_each) = (0u64, 0.0);
        for Sides {
            before,
            after,
            samples: of_these,
        } in self.compared()
        {
            let weight = after.count as f64 / n;
            by_ns += weight * (after.mean - before.mean);
            before_ns += weight * before.mean;
            let has_spread = before.count >= SPREAD_MIN;
            let of_both = before.variance().max(after.variance());
            let was = if has_spread { before.variance() } else { of_both };
            let part = weight * weight * (was / before.count as f64 + of_both / after.count as f64);
            let known_from = if has_spread { before.count } else { after.count };
            variance += part;
            of_each += part * part / (known_from as f64 - 1.0);
            samples = samples.saturating_add(*of_these);
        }
        let freedom = match of_each > 0.0 {
            true => (variance * variance / of_each) as u64,
            false => u64::MAX,
        };
        let margin = quantile(freedom.clamp(FREEDOM_MIN, observations - 1)) * variance.sqrt();
        Some(Difference {
            by_ns,
            low_ns: by_ns - margin,
            high_ns: by_ns + margin,
            before_ns,
            samples,
            observations,
        })
    }

    fn look(&mut self, measure: Measure, tolerance: f64, over: bool) -> Standing {
        let passed = LOOKS.iter().filter(|due| self.observations() >= **due).count();
        if passed <= self.looks && !over {
            return Standing::Open;
        }
        // Observations that came at once are one look.
        self.looks = passed;
        let Some(seen) = self.difference() else {
            return Standing::Unknown;
        };
        self.seen = Some(seen);
        let allowed = (measure.row().floor_ns as f64).max(seen.before_ns * tolerance);
        match () {
            () if seen.low_ns > allowed => Standing::Worse(seen),
            () if seen.high_ns <= allowed => Standing::Fine,
            () => Standing::Open,
        }
    }
}

impl Sides {
    /// There is something on either side, and on one of them enough to show how it scatters.
    fn can_be_compared(&self) -> bool {
        let (before, after) = (self.before.count, self.after.count);
        before >= SPREAD_MIN && after > 0 || before >= BEFORE_MIN && after >= SPREAD_MIN
    }
}

impl Evidence {
    /// The spread of a single one, squared.
    fn variance(&self) -> f64 {
        self.squares / (self.count as f64 - 1.0).max(1.0)
    }
}

/// The quantile for so many degrees of freedom, or for the next fewer that is known.
fn quantile(freedom: u64) -> f64 {
    let known = QUANTILES.iter().rev().find(|(least, _)| freedom >= *least);
    known.map_or(f64::INFINITY, |(_, quantile)| *quantile)
}

/// What a slower configuration cost: "prompts were 203 ms slower (190 to 216, 41 prompts)".
pub fn slower(measure: Measure, difference: &Difference) -> String {
    let row = measure.row();
    format!(
        "{} were {} ms slower ({} to {}, {})",
        row.many,
        in_ms(difference.by_ns),
        in_ms(difference.low_ns),
        in_ms(difference.high_ns),
        several(difference.samples, row.one, row.many),
    )
}

/// That a configuration was taken back, why, and where to read what it was.
pub fn taken_back(version: u64, earlier: u64, why: &str) -> String {
    format!("config version {version} taken back: {why}; `lusush maint config diff {earlier} {version}`")
}

fn in_ms(ns: f64) -> String {
    format!("{:.0}", ns / 1e6)
}

#[cfg(test)]
mod tests;
