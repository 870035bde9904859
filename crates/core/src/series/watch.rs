//! One metric under watch: its samples become five-minute means, which are judged, remembered and forecast.
//!
//! Invariant: a mean is judged once, when its five minutes are over; memory is bounded.

use super::detect::{Detector, WARMING_POINTS};
use super::forecast::score::Scorecard;
use super::forecast::{Forecast, History, Unknown, forecast, forecast_with};
use super::model::{Model, Recent};
use super::{Reading, Rising};

/// What a mean is over.
pub const MEAN_NS: i64 = 300 * 1_000_000_000;
/// How far ahead is forecast to be scored: a day.
pub const AHEAD_NS: i64 = 24 * 3_600 * 1_000_000_000;
/// How often: four forecasts wait at a time.
pub const FORECAST_EVERY_NS: i64 = AHEAD_NS / 4;

/// A metric under watch.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    phase_ns: i64,
    began_ns: i64,
    sum: f64,
    count: u32,
    detector: Box<Detector>,
    history: History,
    card: Scorecard,
    recent: Recent,
    model: Option<Model>,
    forecast_ns: Option<i64>,
    last: Option<Judged>,
}

/// A mean, and what was said of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// When its five minutes began.
    pub at_ns: i64,
    /// The mean.
    pub value: f64,
    /// What the detector said.
    pub reading: Reading,
}

impl Watch {
    /// Goes on with the score of an earlier worker.
    pub fn with_card(card: Scorecard) -> Self {
        Self {
            card,
            ..Self::default()
        }
    }

    /// Lets its five minutes begin so much later than the clock's: where many series are watched, those of all of them
    /// should not be over at the same moment.
    pub fn at_phase(self, phase_ns: i64) -> Self {
        Self {
            phase_ns: phase_ns.rem_euclid(MEAN_NS),
            ..self
        }
    }

    /// Adds a sample; gives the mean before it when that is over.
    pub fn add(&mut self, at_ns: i64, value: f64) -> Option<Judged> {
        if !value.is_finite() {
            return None;
        }
        let into_ns = at_ns
            .rem_euclid(MEAN_NS)
            .saturating_sub(self.phase_ns)
            .rem_euclid(MEAN_NS);
        let began_ns = at_ns.saturating_sub(into_ns);
        let over = (self.count > 0 && began_ns != self.began_ns).then(|| self.close());
        self.began_ns = began_ns;
        self.sum += value;
        self.count = self.count.saturating_add(1);
        over
    }

    fn close(&mut self) -> Judged {
        let value = self.sum / f64::from(self.count);
        (self.sum, self.count) = (0.0, 0);
        let judged = Judged {
            at_ns: self.began_ns,
            value,
            reading: self.detector.observe(self.began_ns, value),
        };
        self.card.observe(self.began_ns, value);
        self.history.add(self.began_ns, value);
        self.recent.add(self.began_ns, value);
        self.last = Some(judged);
        judged
    }

    /// Makes the next forecast that will be scored, if it is time to; says whether it did.
    pub fn forecast_when_due(&mut self, at_ns: i64) -> bool {
        let since = self.forecast_ns.map(|last| at_ns.saturating_sub(last));
        if since.is_some_and(|since| (0..FORECAST_EVERY_NS).contains(&since)) {
            return false;
        }
        let made = self.forecast(AHEAD_NS);
        if made.is_ok() {
            self.forecast_ns = Some(at_ns);
        }
        made.map(|forecast| self.card.keep(forecast)).is_ok()
    }

    /// Where it will be.
    pub fn forecast(&self, ahead_ns: i64) -> Result<Forecast, Unknown> {
        if ahead_ns != AHEAD_NS {
            return forecast(&self.history, ahead_ns, self.card.miss());
        }
        let model = self.model.as_ref().map(|model| (model, &self.recent));
        forecast_with(&self.history, ahead_ns, self.card.miss(), model)
    }

    /// Takes a model over that was fitted in the background, for forecasts of [`AHEAD_NS`]; or has none from now on.
    pub fn take_model(&mut self, model: Option<Model>) {
        self.model = model;
    }

    /// The model that was fitted in the background.
    pub fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }

    /// What it was.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// How its forecasts did.
    pub fn card(&self) -> &Scorecard {
        &self.card
    }

    /// The last mean that is over.
    pub fn last(&self) -> Option<Judged> {
        self.last
    }

    /// A rise or fall that is certain and goes on; none while it warms.
    pub fn rising(&self) -> Option<Rising> {
        self.detector.rising().filter(|_| self.points() > WARMING_POINTS)
    }

    /// Means judged.
    pub fn points(&self) -> u64 {
        self.detector.points()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn samples_become_means_of_five_minutes() {
        let mut watch = Watch::default();
        assert_eq!(watch.add(0, 1.0), None);
        assert_eq!(watch.add(299 * S, 3.0), None);
        assert_eq!(watch.add(299 * S, f64::NAN), None);
        let over = watch.add(600 * S, 9.0).unwrap();
        assert_eq!((over.at_ns, over.value), (0, 2.0));
        assert_eq!(watch.points(), 1);
        // A clock set back begins another mean.
        assert_eq!(watch.add(0, 1.0).map(|over| over.at_ns), Some(600 * S));
    }

    #[test]
    fn the_five_minutes_of_another_series_are_over_at_another_moment() {
        let mut watch = Watch::default().at_phase(40 * S);
        assert_eq!(watch.add(0, 1.0), None);
        assert_eq!(watch.add(39 * S, 3.0), None);
        let over = watch.add(40 * S, 9.0).unwrap();
        assert_eq!((over.at_ns, over.value), (-260 * S, 2.0));
        assert_eq!(watch.add(339 * S, 9.0), None);
        assert_eq!(watch.add(340 * S, 9.0).map(|over| over.at_ns), Some(40 * S));
    }

    #[test]
    fn forecasts_are_made_four_times_a_day_and_scored() {
        let mut watch = Watch::default();
        let mut made = 0;
        for at in 0..20 * 288 {
            watch.add(at * MEAN_NS, 100.0 + at as f64);
            made += u32::from(watch.forecast_when_due(at * MEAN_NS));
        }
        assert!((70..=80).contains(&made), "{made}");
        assert!(watch.card().skill().is_some_and(|skill| skill > 0.9));
    }
}
