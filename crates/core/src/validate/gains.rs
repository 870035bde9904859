//! What prediction, optimiser and caches have come to, as their own records tell.
//!
//! Invariant: a share of too few says nothing.

use super::Verdict;
use crate::quantity::{age, count, several};
use crate::series::forecast::NOMINAL;
use crate::series::forecast::score::{SCORED_MIN, Scorecard};

/// How far the share of intervals that held may be from what is nominal, besides chance.
const COVERAGE_OFF_MAX: f64 = 0.03;
/// Standard errors that are put down to chance: one in twenty is beyond.
const CHANCE: f64 = 1.96;
/// So much worse than the last value is as good as it.
const SKILL_MIN: f64 = -0.01;
/// How old models may be: they are made weekly, when the worker runs.
const MODELS_AGE_MAX_NS: u64 = 8 * 24 * 3_600 * 1_000_000_000;
/// Entries of caches that must have been checked.
const CHECKED_MIN: u64 = 100;
/// Of the entries that were checked, so many may be wrong: a name that was removed from PATH's folders a moment ago.
const WRONG_SHARE_MAX: f64 = 0.001;

/// How forecasts did that were kept until their moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecasts {
    /// Forecasts scored, of all series.
    pub scored: u64,
    /// Of these, whose interval held.
    pub covered: f64,
    /// How much nearer than the last value, as a share, of each series of which that is known.
    pub skills: Vec<f64>,
}

impl Forecasts {
    /// Sums up what is kept; series with too few scores are left out.
    pub fn of<'a>(cards: impl Iterator<Item = &'a Scorecard>) -> Self {
        let mut all = Self::default();
        for card in cards {
            let Some(coverage) = card.coverage() else { continue };
            all.scored += card.scored();
            all.covered += coverage * card.scored() as f64;
            all.skills.extend(card.skill());
        }
        all.skills.sort_by(f64::total_cmp);
        all
    }

    pub(super) fn look(facts: Option<&Self>) -> (Verdict, String) {
        let Some(facts) = facts.filter(|facts| facts.scored >= SCORED_MIN) else {
            let words = format!("forecasts: no series has {SCORED_MIN} of them scored yet");
            return (Verdict::Unknown, words);
        };
        let (n, share) = (facts.scored as f64, facts.covered / facts.scored as f64);
        let allowed = COVERAGE_OFF_MAX + CHANCE * (NOMINAL * (1.0 - NOMINAL) / n).sqrt();
        let median = facts.skills.get(facts.skills.len() / 2);
        let skill = match median {
            Some(skill) => format!(
                "{:.0} % nearer than the last value at the median of series",
                skill * 100.0
            ),
            None => "the last value was never wrong".to_owned(),
        };
        let holds = (share - NOMINAL).abs() <= allowed && median.is_none_or(|skill| *skill >= SKILL_MIN);
        let words = format!(
            "of {} forecasts scored {:.0} % held, of {:.0} % that should; {skill}",
            count(facts.scored),
            share * 100.0,
            NOMINAL * 100.0
        );
        (verdict(holds), words)
    }
}

/// Models that were made in the background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Models {
    /// How long ago.
    pub age_ns: u64,
    /// Series that have one.
    pub fitted: u64,
    /// Of these, whose says more than the last value.
    pub of_use: u64,
}

impl Models {
    pub(super) fn look(facts: Option<Self>) -> (Verdict, String) {
        let Some(facts) = facts else {
            return (
                Verdict::Unknown,
                "models of the day and the week: none made yet".to_owned(),
            );
        };
        let words = format!(
            "models of the day and the week made {} ago, of {}, {} of use",
            age(facts.age_ns),
            several(facts.fitted, "series", "series"),
            facts.of_use
        );
        (verdict(facts.age_ns <= MODELS_AGE_MAX_NS), words)
    }
}

/// Trials of levers that are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trials {
    /// All of them.
    pub ended: u64,
    /// Those whose value was better, and was kept.
    pub kept: u64,
    /// Those whose value is in force although it was not better.
    pub in_force: u64,
}

impl Trials {
    pub(super) fn look(facts: Option<Self>) -> (Verdict, String) {
        let Some(facts) = facts.filter(|facts| facts.ended > 0) else {
            return (Verdict::Unknown, "trials: none has ended yet".to_owned());
        };
        let words = format!(
            "{} ended, {} better and kept; {} in force without being better",
            several(facts.ended, "trial", "trials"),
            facts.kept,
            facts.in_force
        );
        (verdict(facts.in_force == 0), words)
    }
}

/// What the caches of live sessions have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caches {
    /// Questions.
    pub asked: u64,
    /// Of these, what they could answer.
    pub hits: u64,
    /// Entries that were computed again and compared.
    pub checked: u64,
    /// Of these, what was wrong.
    pub wrong: u64,
}

impl Caches {
    pub(super) fn look(facts: Option<Self>) -> (Verdict, String) {
        let Some(facts) = facts.filter(|facts| facts.asked > 0) else {
            return (
                Verdict::Unknown,
                "caches: no live session has asked one".to_owned(),
            );
        };
        let words = format!(
            "{:.0} % of {} questions answered from caches; {} of {} checked were wrong",
            facts.hits as f64 * 100.0 / facts.asked as f64,
            count(facts.asked),
            count(facts.wrong),
            several(facts.checked, "entry", "entries")
        );
        let holds = facts.wrong as f64 <= facts.checked as f64 * WRONG_SHARE_MAX;
        match facts.checked < CHECKED_MIN && holds {
            true => (Verdict::Unknown, format!("{words}: too few to say")),
            false => (verdict(holds), words),
        }
    }
}

fn verdict(holds: bool) -> Verdict {
    if holds { Verdict::Met } else { Verdict::Missed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forecasts_are_met_by_their_interval_and_by_the_last_value() {
        let check = |scored: u64, covered: f64, skills: &[f64], expect: Verdict| {
            let facts = Forecasts {
                scored,
                covered,
                skills: skills.to_vec(),
            };
            let (verdict, words) = Forecasts::look(Some(&facts));
            assert_eq!(verdict, expect, "{words}");
        };
        check(10, 8.0, &[0.5], Verdict::Unknown);
        check(1_000, 800.0, &[0.1, 0.5], Verdict::Met);
        check(1_000, 800.0, &[], Verdict::Met);
        check(1_000, 800.0, &[-0.4, -0.3, 0.1], Verdict::Missed);
        check(1_000, 700.0, &[0.5], Verdict::Missed);
        check(1_000, 990.0, &[0.5], Verdict::Missed);
        // Of few, chance explains as much.
        check(25, 17.0, &[0.5], Verdict::Met);
        assert_eq!(Forecasts::look(None).0, Verdict::Unknown);
        assert_eq!(Forecasts::of([Scorecard::default()].iter()), Forecasts::default());
    }

    #[test]
    fn models_trials_and_caches() {
        let check = |(verdict, words): (Verdict, String), expect: Verdict, says: &str| {
            assert_eq!((verdict, words.as_str()), (expect, says));
        };
        let day_ns: u64 = 24 * 3_600 * 1_000_000_000;
        let models = |days| Models {
            age_ns: days * day_ns,
            fitted: 9,
            of_use: 2,
        };
        let of_models = "models of the day and the week made 2 d ago, of 9 series, 2 of use";
        check(Models::look(Some(models(2))), Verdict::Met, of_models);
        assert_eq!(Models::look(Some(models(20))).0, Verdict::Missed);
        let mut trials = Trials {
            ended: 7,
            kept: 2,
            in_force: 0,
        };
        let of_trials = "7 trials ended, 2 better and kept; 0 in force without being better";
        check(Trials::look(Some(trials)), Verdict::Met, of_trials);
        trials.in_force = 1;
        assert_eq!(Trials::look(Some(trials)).0, Verdict::Missed);
        assert_eq!(Trials::look(Some(Trials::default())).0, Verdict::Unknown);
        let caches = |checked, wrong| Caches {
            asked: 2_000,
            hits: 1_500,
            checked,
            wrong,
        };
        let of_caches = "75 % of 2,000 questions answered from caches; 0 of 2,000 entries checked were wrong";
        check(Caches::look(Some(caches(2_000, 0))), Verdict::Met, of_caches);
        assert_eq!(Caches::look(Some(caches(20, 0))).0, Verdict::Unknown);
        assert_eq!(Caches::look(Some(caches(20, 1))).0, Verdict::Missed);
        assert_eq!(Caches::look(None).0, Verdict::Unknown);
    }
}
