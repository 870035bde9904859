//! What a session's measures usually are, while nothing is on trial: what a trial compares with.
//!
//! A look takes one observation of each measure, the mean of what was sampled since the last one. Samples that follow each
//! other are alike, keys of one line above all, and a trial that took each for a witness of its own would be too sure.
//!
//! Invariant: nothing here allocates, and what is kept is bounded: two stretches of [`STRETCH`] observations.

use lle_metrics::Snapshot;

use super::Evidence;
use super::measure::{MEASURES, Measure, Totals};

/// Observations after which a stretch is over. What is older than two stretches is forgotten: half an hour of use, since
/// a machine is not what it was yesterday.
pub const STRETCH: u64 = 90;

/// The measures of one session.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usual {
    rows: [Kept; MEASURES.len()],
    folds: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    last: Totals,
    fresh: Option<Observation>,
    older: Evidence,
    recent: Evidence,
}

/// What was sampled between two looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Samples.
    pub samples: u64,
    /// Their mean, in nanoseconds.
    pub mean_ns: f64,
}

impl Usual {
    /// Takes a look in. The first one of a session only says where to count from, but for what happens once: its start.
    pub fn fold(&mut self, snapshot: &Snapshot) {
        let first = self.folds == 0;
        self.folds = self.folds.saturating_add(1);
        for (row, kept) in MEASURES.iter().zip(&mut self.rows) {
            let totals = row.measure.totals(snapshot);
            let before = std::mem::replace(&mut kept.last, totals);
            let counts = !first || row.measure == Measure::Starts;
            kept.fresh = totals
                .since(&before)
                .filter(|_| counts)
                .map(|(samples, mean_ns)| Observation { samples, mean_ns });
        }
    }

    /// What the last look brought.
    pub fn fresh(&self, measure: Measure) -> Option<Observation> {
        self.rows.get(measure as usize).and_then(|kept| kept.fresh)
    }

    /// Adds what the last look brought to what is usual.
    pub fn keep(&mut self) {
        self.keep_but(&[]);
    }

    /// The same, and passes over what it brought of these measures: what is on trial moves them.
    pub fn keep_but(&mut self, on_trial: &[Measure]) {
        for (row, kept) in MEASURES.iter().zip(&mut self.rows) {
            let fresh = kept.fresh.take().filter(|_| !on_trial.contains(&row.measure));
            let Some(fresh) = fresh else { continue };
            if kept.recent.count >= STRETCH {
                kept.older = std::mem::take(&mut kept.recent);
            }
            kept.recent.add(fresh.mean_ns);
        }
    }

    /// Takes this for what is usual: another configuration has come to stay.
    pub fn begin_anew(&mut self, measure: Measure, evidence: Evidence) {
        if let Some(kept) = self.rows.get_mut(measure as usize) {
            (kept.older, kept.recent) = (Evidence::default(), evidence);
        }
    }

    /// What is usual.
    pub fn of(&self, measure: Measure) -> Evidence {
        let Some(kept) = self.rows.get(measure as usize) else {
            return Evidence::default();
        };
        let mut evidence = kept.older;
        evidence.merge(&kept.recent);
        evidence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lle_metrics::{Flight, Identity, Stage, Timer};

    fn flight() -> Flight {
        Flight::private(&Identity {
            session_id: 1,
            boot_id: [1; 16],
            pid: 1,
            start_ticks: 1,
            created_wall_ns: 1,
            tty: String::new(),
            bash_version: String::new(),
            lle_version: String::new(),
        })
    }

    fn look(usual: &mut Usual, flight: &Flight) -> Option<Observation> {
        usual.fold(&flight.snapshot().unwrap());
        let fresh = usual.fresh(Measure::Keys);
        usual.keep();
        assert!(usual.fresh(Measure::Keys).is_none(), "it is taken once");
        fresh
    }

    #[test]
    fn a_look_is_one_observation_and_the_first_says_where_to_count_from() {
        let (flight, mut usual) = (flight(), Usual::default());
        let keys = |ns: &[u64]| flight.update(|w| ns.iter().for_each(|ns| w.time(Timer::KeyToPaint, *ns)));
        flight.update(|w| w.time(Timer::Start, 500));
        keys(&[7, 7, 7]);
        look(&mut usual, &flight);
        assert_eq!(usual.of(Measure::Keys), Evidence::default());
        assert_eq!(
            (usual.of(Measure::Starts).count, usual.of(Measure::Starts).mean),
            (1, 500.0)
        );
        keys(&[100, 300]);
        let fresh = Observation {
            samples: 2,
            mean_ns: 200.0,
        };
        assert_eq!(look(&mut usual, &flight), Some(fresh));
        assert_eq!(look(&mut usual, &flight), None);
        keys(&[400]);
        look(&mut usual, &flight);
        assert_eq!(
            (usual.of(Measure::Keys).count, usual.of(Measure::Keys).mean),
            (2, 300.0)
        );
    }

    #[test]
    fn what_is_not_on_trial_goes_on_being_learned() {
        let (flight, mut usual) = (flight(), Usual::default());
        look(&mut usual, &flight);
        flight.update(|w| {
            w.time(Timer::KeyToPaint, 10);
            w.stage(Stage::PromptOwn, 20);
        });
        usual.fold(&flight.snapshot().unwrap());
        usual.keep_but(&[Measure::Keys]);
        assert!(
            usual.fresh(Measure::Keys).is_none(),
            "it is passed over once and for all"
        );
        let known = [Measure::Keys, Measure::Prompts].map(|measure| usual.of(measure).count);
        assert_eq!(known, [0, 1]);
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let (flight, mut usual) = (flight(), Usual::default());
        look(&mut usual, &flight);
        for at in 0..5 * STRETCH {
            let ns = if at < 2 * STRETCH { 10_000 } else { 100 };
            flight.update(|w| w.stage(Stage::PromptOwn, ns));
            look(&mut usual, &flight);
        }
        let kept = usual.of(Measure::Prompts);
        assert_eq!((kept.count, kept.mean), (2 * STRETCH, 100.0));
        usual.begin_anew(Measure::Prompts, Evidence::default());
        assert_eq!(usual.of(Measure::Prompts).count, 0);
    }
}
