//! The success metrics: what all of this is for, each with formula, window, denominator and least sample.
//!
//! The least sample of a share is what makes one failure visible without letting it decide alone: 200 for 99.5 %,
//! 1,000 for 99.9 %. Where nothing may fail at all it is [`WHOLE_LEAST`].

use super::{Reading, Row, Source, Validator, Verdict};
use crate::quantity::{count, percent, several};

/// What the metrics are computed from, counted over each metric's window. What was not counted is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SuccessInputs {
    /// Seconds of sessions in which LLE was in force, of all seconds of sessions.
    pub availability: Option<Share>,
    /// Hourly medians of key to paint.
    pub performance: Option<Spread>,
    /// Errors after which the part worked again without help, of all errors.
    pub recovered_errors: Option<Share>,
    /// Processor time of the worker, its jobs and the sessions' recording, of elapsed time.
    pub overhead: Option<Share>,
    /// Operations that were authorised, policy-checked and audited, of all operations carried out.
    pub compliance: Option<Share>,
    /// Outcomes inside the interval that was forecast, of all outcomes that were forecast.
    pub interval_coverage: Option<Share>,
    /// Squared error of the forecasts, against that of the naive forecast, each series in units of the latter.
    pub forecast_error: Option<Errors>,
    /// Threshold crossings that were forecast in time, of all crossings.
    pub crossings_called: Option<Share>,
    /// Mean improvement of the optimisations that were confirmed, in percent.
    pub optimisation: Option<Mean>,
    /// Configurations that came into force validated, of all that came into force.
    pub config_validation: Option<Share>,
    /// Backups whose data was read back and was the same, of all backups read back.
    pub backup_integrity: Option<Share>,
    /// Recoveries, drills among them, that ended with every phase valid, of all recoveries.
    pub recovery: Option<Share>,
    /// Probes of features during tasks that were answered, of all such probes.
    pub feature_availability: Option<Share>,
    /// Operations that ended applied or cleanly undone, of all operations that ended.
    pub operations: Option<Share>,
    /// Prompts, keys and paints disturbed by a task, against the tasks looked at.
    pub disruptions: Option<Share>,
    /// Upper 95 % bound of the paired difference in key to echo during tasks, in percent.
    pub impact: Option<Mean>,
    /// Hourly 99th percentiles of key to paint.
    pub response: Option<Spread>,
}

/// A part of a whole, both counted in the same thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The part.
    pub part: u64,
    /// The whole, which is the number of samples too.
    pub of: u64,
}

/// How far a series spreads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
    /// Of how many.
    pub samples: u64,
}

/// A mean that somebody else computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The mean, in the metric's unit.
    pub value: f64,
    /// Of how many.
    pub samples: u64,
}

/// Errors of two ways to forecast the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errors {
    /// Of the forecasts that were made.
    pub ours: f64,
    /// Of the forecast that everything stays as it is.
    pub naive: f64,
    /// Outcomes that both were scored against.
    pub samples: u64,
}

/// What a metric must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// This or more.
    AtLeast(f64),
    /// More than this.
    Above(f64),
    /// Less than this.
    Below(f64),
    /// None at all.
    Zero,
}

/// One success metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The stable name.
    pub id: &'static str,
    /// What it says, for people.
    pub title: &'static str,
    /// Who judges it.
    pub validator: Validator,
    /// How it is computed, in words.
    pub formula: &'static str,
    /// What is looked at: the last so many days.
    pub window_days: u32,
    /// What it is counted in.
    pub denominator: &'static str,
    /// The least number of samples that says anything.
    pub least: u64,
    /// What it must be.
    pub target: Target,
    number: fn(&SuccessInputs) -> Option<Number>,
}

/// A metric's number: a count for [`Target::Zero`], else percent.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Number {
    value: f64,
    samples: u64,
}

/// What became of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Met, missed or unknown.
    pub verdict: Verdict,
    /// The number, in percent or as a count.
    pub value: Option<f64>,
    /// How it was obtained, or would be.
    pub how: String,
    /// Why it is judged so.
    pub why: String,
}

/// The least sample where nothing may fail: enough that success is no accident, few enough to be reached.
pub const WHOLE_LEAST: u64 = 30;

/// Hours that a spread over hours takes: a day and a night.
const HOURS_LEAST: u64 = 24;

/// Every success metric.
pub const METRICS: &[Metric] = &[
    Metric {
        id: "availability",
        title: "availability of LLE",
        validator: Validator::Operational,
        formula: "seconds in which LLE was in force / seconds of sessions",
        window_days: 30,
        denominator: "seconds of sessions",
        // Ten hours: 36 seconds of them may be lost.
        least: 36_000,
        target: Target::AtLeast(99.9),
        number: |inputs| share(inputs.availability),
    },
    Metric {
        id: "performance-variance",
        title: "constancy of speed",
        validator: Validator::Performance,
        formula: "standard deviation / mean of the hourly medians of key to paint",
        window_days: 7,
        denominator: "hours with 100 keys or more",
        least: HOURS_LEAST,
        target: Target::Below(5.0),
        number: |inputs| spread(inputs.performance),
    },
    Metric {
        id: "error-recovery",
        title: "recovery from errors",
        validator: Validator::Operational,
        formula: "errors after which the part worked again without help / errors",
        window_days: 30,
        denominator: "errors",
        least: 200,
        target: Target::AtLeast(99.5),
        number: |inputs| share(inputs.recovered_errors),
    },
    Metric {
        id: "overhead",
        title: "overhead of maintenance",
        validator: Validator::Performance,
        formula: "processor time of worker, jobs and recording / elapsed time",
        window_days: 7,
        denominator: "milliseconds of elapsed time",
        // An hour.
        least: 3_600_000,
        target: Target::Below(1.0),
        number: |inputs| rate(inputs.overhead),
    },
    Metric {
        id: "policy-compliance",
        title: "compliance with policy",
        validator: Validator::Security,
        formula: "operations authorised, policy-checked and audited / operations carried out",
        window_days: 30,
        denominator: "operations carried out",
        least: WHOLE_LEAST,
        target: Target::AtLeast(100.0),
        number: |inputs| share(inputs.compliance),
    },
    Metric {
        id: "prediction-coverage",
        title: "forecast intervals that held",
        validator: Validator::Performance,
        formula: "outcomes inside the forecast's interval / outcomes forecast",
        window_days: 30,
        denominator: "outcomes forecast",
        least: 100,
        // An interval that should hold four times in five is wrong if it always does: three points less is what it may miss.
        target: Target::AtLeast(77.0),
        number: |inputs| share(inputs.interval_coverage),
    },
    Metric {
        id: "prediction-skill",
        title: "forecasts better than naive ones",
        validator: Validator::Performance,
        formula: "1 - squared error / squared error of the naive forecast",
        window_days: 30,
        denominator: "outcomes forecast",
        least: 100,
        target: Target::Above(0.0),
        number: |inputs| skill(inputs.forecast_error),
    },
    Metric {
        id: "prediction-crossings",
        title: "threshold crossings called",
        validator: Validator::Performance,
        formula: "crossings forecast in time / crossings",
        window_days: 90,
        denominator: "crossings",
        least: 10,
        target: Target::AtLeast(90.0),
        number: |inputs| share(inputs.crossings_called),
    },
    Metric {
        id: "optimisation",
        title: "gain where the optimiser acts",
        validator: Validator::Performance,
        formula: "mean improvement of confirmed optimisations over the shipped defaults",
        window_days: 90,
        denominator: "confirmed optimisations",
        least: 5,
        target: Target::AtLeast(15.0),
        number: |inputs| mean(inputs.optimisation),
    },
    Metric {
        id: "config-validation",
        title: "configuration validated",
        validator: Validator::Operational,
        formula: "configurations that came into force validated / that came into force",
        window_days: 90,
        denominator: "configurations that came into force",
        least: WHOLE_LEAST,
        target: Target::AtLeast(100.0),
        number: |inputs| share(inputs.config_validation),
    },
    Metric {
        id: "backup-integrity",
        title: "integrity of backups",
        validator: Validator::Operational,
        formula: "backups read back the same / backups read back",
        window_days: 90,
        denominator: "backups read back",
        least: WHOLE_LEAST,
        target: Target::AtLeast(100.0),
        number: |inputs| share(inputs.backup_integrity),
    },
    Metric {
        id: "recovery",
        title: "recoveries that succeed",
        validator: Validator::Operational,
        formula: "recoveries with every phase valid / recoveries, drills included",
        window_days: 365,
        denominator: "recoveries",
        least: 1_000,
        target: Target::AtLeast(99.9),
        number: |inputs| share(inputs.recovery),
    },
    Metric {
        id: "feature-availability",
        title: "features during maintenance",
        validator: Validator::Integration,
        formula: "probes of features answered / probes, made while a task runs",
        window_days: 30,
        denominator: "probes",
        least: WHOLE_LEAST,
        target: Target::AtLeast(100.0),
        number: |inputs| share(inputs.feature_availability),
    },
    Metric {
        id: "operations",
        title: "operations applied or cleanly undone",
        validator: Validator::Operational,
        formula: "operations applied or cleanly undone / operations that ended",
        window_days: 30,
        denominator: "operations that ended",
        least: WHOLE_LEAST,
        target: Target::AtLeast(100.0),
        number: |inputs| share(inputs.operations),
    },
    Metric {
        id: "disruption",
        title: "disruptions that somebody could see",
        validator: Validator::Integration,
        formula: "prompts, keys and paints disturbed by a task",
        window_days: 30,
        denominator: "tasks looked at",
        least: WHOLE_LEAST,
        target: Target::Zero,
        number: |inputs| {
            inputs.disruptions.map(|share| Number {
                value: share.part as f64,
                samples: share.of,
            })
        },
    },
    Metric {
        id: "impact",
        title: "impact while a task runs",
        validator: Validator::Performance,
        formula: "upper 95 % bound of the paired difference in key to echo",
        window_days: 30,
        denominator: "pairs of keys",
        least: 10_000,
        target: Target::Below(2.0),
        number: |inputs| mean(inputs.impact),
    },
    Metric {
        id: "response-variance",
        title: "constancy of response",
        validator: Validator::Performance,
        formula: "standard deviation / mean of the hourly 99th percentiles of key to paint",
        window_days: 7,
        denominator: "hours with 100 keys or more",
        least: HOURS_LEAST,
        target: Target::Below(10.0),
        number: |inputs| spread(inputs.response),
    },
];

/// A part larger than its whole was miscounted, and is no number.
fn share(share: Option<Share>) -> Option<Number> {
    let sound = |Share { part, of }: &Share| part <= of;
    rate(share).map(|number| match share.as_ref().is_some_and(sound) {
        true => number,
        false => Number {
            value: f64::NAN,
            ..number
        },
    })
}

/// What may be more than the whole: several processors work in one second.
fn rate(share: Option<Share>) -> Option<Number> {
    share.map(|Share { part, of }| Number {
        value: 100.0 * part as f64 / of as f64,
        samples: of,
    })
}

fn spread(spread: Option<Spread>) -> Option<Number> {
    spread.map(|spread| Number {
        value: if spread.mean > 0.0 && spread.deviation >= 0.0 {
            100.0 * spread.deviation / spread.mean
        } else {
            f64::NAN
        },
        samples: spread.samples,
    })
}

fn mean(mean: Option<Mean>) -> Option<Number> {
    mean.map(|Mean { value, samples }| Number { value, samples })
}

fn skill(errors: Option<Errors>) -> Option<Number> {
    errors.map(|errors| Number {
        value: 100.0 * (1.0 - errors.ours / errors.naive),
        samples: errors.samples,
    })
}

pub(super) fn judge(inputs: &SuccessInputs) -> Vec<Row> {
    METRICS.iter().map(|metric| metric.row(inputs)).collect()
}

impl Metric {
    /// Finds a metric by its name.
    pub fn named(name: &str) -> Option<&'static Metric> {
        METRICS.iter().find(|metric| metric.id == name)
    }

    /// Judges this metric.
    pub fn judge(&self, inputs: &SuccessInputs) -> Judged {
        let how = format!(
            "{}; the last {} days, counted in {}",
            self.formula, self.window_days, self.denominator
        );
        let (verdict, value, why) = match (self.number)(inputs) {
            None => (Verdict::Unknown, None, "nobody counts this yet".to_owned()),
            Some(number) if number.samples < self.least => {
                let (samples, least) = (count(number.samples), count(self.least));
                let value = number.value.is_finite().then_some(number.value);
                (
                    Verdict::Unknown,
                    value,
                    format!("too few samples ({samples} of {least})"),
                )
            }
            Some(number) if !number.value.is_finite() => (
                Verdict::Unknown,
                None,
                "what was supplied gives no number".to_owned(),
            ),
            Some(number) => {
                let (verdict, words) = match self.target.holds(number.value) {
                    true => (Verdict::Met, "within the target"),
                    false => (Verdict::Missed, "misses the target"),
                };
                let why = format!("{words}, of {}", several(number.samples, "sample", "samples"));
                (verdict, Some(number.value), why)
            }
        };
        Judged {
            verdict,
            value,
            how,
            why,
        }
    }

    fn row(&'static self, inputs: &SuccessInputs) -> Row {
        let Judged {
            verdict,
            value,
            how,
            why,
        } = self.judge(inputs);
        let source = value.map_or(Source::Nothing, |_| Source::Live);
        Row {
            id: self.id,
            title: self.title,
            validator: self.validator,
            target: self.target.words(),
            reading: Reading {
                verdict,
                value,
                shown: value.map(|value| self.target.show(value)).unwrap_or_default(),
                source,
                how,
                why,
            },
            bench: None,
        }
    }
}

impl Target {
    /// Whether `value` keeps it.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Target::AtLeast(least) => value >= least,
            Target::Above(bound) => value > bound,
            Target::Below(bound) => value < bound,
            Target::Zero => value == 0.0,
        }
    }

    /// Writes the target as people read it.
    pub fn words(self) -> String {
        match self {
            Target::AtLeast(least) => format!("at least {}", percent(least)),
            Target::Above(bound) => format!("above {}", percent(bound)),
            Target::Below(bound) => format!("below {}", percent(bound)),
            Target::Zero => "none".to_owned(),
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Target::Zero => format!("{value:.0}"),
            _ => percent(value),
        }
    }
}
