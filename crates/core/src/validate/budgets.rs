//! Budgets against what was measured.

use super::evidence::{BenchResult, Evidence, LIVE, LiveRow, Measured, P50_LEAST, P99_LEAST, PAIRED_LEAST};
use super::{Reading, Row, Source, Validator, Verdict};
use crate::budget::{self, Budget, Percentile};
use crate::quantity::{count, duration, several};

/// What no single run of a critical operation may take, in nanoseconds.
const CRITICAL_NS: f64 = 1e6;

pub(super) fn judge(evidence: &Evidence) -> Vec<Row> {
    budget::all().map(|budget| row(budget, evidence)).collect()
}

fn row(budget: &'static Budget, evidence: &Evidence) -> Row {
    let source = LIVE.iter().find(|row| row.budget == budget.name);
    let live = source.and_then(|row| Some(live(budget, row, evidence.live.values.get(budget.name)?)));
    let bench = evidence
        .bench
        .get(budget.name)
        .map(|result| of_bench(budget, result));
    let (reading, bench) = match (live, bench) {
        (Some(live), bench) if live.verdict != Verdict::Unknown => (live, bench),
        // A live number that decides nothing gives way to a bench's that does.
        (Some(_), Some(bench)) if bench.verdict != Verdict::Unknown => (bench, None),
        (Some(live), bench) => (live, bench),
        (None, Some(bench)) => (bench, None),
        (None, None) => (missing(budget, source), None),
    };
    Row {
        id: budget.name,
        title: budget.operation,
        validator: validator(budget),
        target: target(budget),
        reading,
        bench,
    }
}

fn target(budget: &Budget) -> String {
    let at_most = format!("at most {}", budget.show(budget.at_most));
    match budget.percentile {
        Percentile::Every => at_most,
        percentile => format!("{percentile} {at_most}"),
    }
}

fn validator(budget: &Budget) -> Validator {
    match budget.name {
        "access_decision"
        | "access_validation"
        | "audit_append"
        | "threat_scan"
        | "threat_scan_again"
        | "vulnerability_assessment" => Validator::Security,
        _ => Validator::Performance,
    }
}

fn live(budget: &Budget, row: &LiveRow, measured: &Measured) -> Reading {
    let number = Number {
        value: measured.value,
        worst: measured.worst,
        samples: measured.samples,
        least: row.least,
    };
    let how = format!("live: {}, on what these sessions do", measured.how);
    number.against(budget, Source::Live, how)
}

fn of_bench(budget: &Budget, result: &BenchResult) -> Reading {
    let number = Number {
        value: result.value,
        worst: result.worst,
        samples: result.samples,
        least: match budget.percentile {
            Percentile::Every => 1,
            Percentile::P50 => P50_LEAST,
            Percentile::P99 => P99_LEAST,
            Percentile::Upper95 => PAIRED_LEAST,
        },
    };
    let how = format!(
        "bench of {} on {}: {}",
        result.when, result.machine, budget.corpus
    );
    number.against(budget, Source::Bench, how)
}

fn missing(budget: &Budget, source: Option<&LiveRow>) -> Reading {
    match (source, budget.probe()) {
        (Some(row), Some(probe)) => Reading::unknown(
            format!("{}, or `{probe}`", row.source.about()),
            "the running system supplied no number, and no result of the bench is at hand",
        ),
        (Some(row), None) => Reading::unknown(row.source.about(), "the running system supplied no number"),
        (None, Some(probe)) => Reading::unknown(format!("`{probe}`"), "no result of the bench is at hand"),
        (None, None) => Reading::unknown("no probe yet", "no probe yet: nothing measures this"),
    }
}

/// A measurement, whoever took it.
struct Number {
    value: f64,
    worst: Option<f64>,
    samples: u64,
    least: u64,
}

impl Number {
    fn against(&self, budget: &Budget, source: Source, how: String) -> Reading {
        if !self.value.is_finite() {
            return Reading::unknown(how, "what was supplied is not a number");
        }
        let (verdict, why) = self.verdict(budget);
        Reading {
            verdict,
            value: Some(self.value),
            shown: budget.show(self.value),
            source,
            how,
            why,
        }
    }

    fn verdict(&self, budget: &Budget) -> (Verdict, String) {
        if self.samples < self.least {
            let why = format!(
                "too few samples ({} of {})",
                count(self.samples),
                count(self.least)
            );
            return (Verdict::Unknown, why);
        }
        let samples = several(self.samples, "sample", "samples");
        let limit = budget.show(budget.at_most);
        match (budget.judge(Some(self.value)), self.worst) {
            (Verdict::Met, Some(worst)) if budget.critical && worst >= CRITICAL_NS => {
                let worst = duration(worst);
                (
                    Verdict::Missed,
                    format!("within {limit}, but one of {samples} took {worst}, and none may take 1 ms"),
                )
            }
            (Verdict::Met, worst) if budget.critical && !worst.is_some_and(f64::is_finite) => (
                Verdict::Unknown,
                format!("within {limit}, but the largest of {samples}, below 1 ms too, was not supplied"),
            ),
            (Verdict::Met, _) => (Verdict::Met, format!("within {limit}, of {samples}")),
            (verdict, _) => (verdict, format!("over {limit}, of {samples}")),
        }
    }
}
