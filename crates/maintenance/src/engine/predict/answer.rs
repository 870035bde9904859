//! What is answered to `Forecast` and `Anomalies`.

use lle_core::quantity::age;
use lle_core::series::detect::{ALARM_SCORE, WARMING_POINTS};
use lle_core::series::forecast::score::SCORED_MIN;
use lle_core::series::forecast::{Crossing, NOMINAL, POINTS_MIN, Unknown, crossing};
use lle_core::series::watch::{AHEAD_NS, MEAN_NS, Watch};
use serde_json::{Value, json};

use super::watched::{WATCHED, Watched, Worse, may_lack};
use super::{Engine, Told};
use crate::api::VERSION;
use crate::world::Now;

impl Engine {
    /// Where everything will be in a day, when it reaches its limit, and how such forecasts did so far.
    pub(crate) fn forecasts(&self, now: Now) -> Value {
        let rows = WATCHED.iter().filter_map(|row| {
            let watch = self.predict.watches.get(row.metric);
            let is_there = watch.is_some_and(|watch| !watch.history().is_empty());
            if may_lack(row.metric) && !is_there {
                return None;
            }
            let mut answer = forecast(row, watch, self.pattern(row), now);
            let coming = self.coming(row, now);
            answer["coming"] = json!(coming.as_ref().map(|finding| &finding.title));
            Some(answer)
        });
        json!({
            "version": VERSION,
            "now_wall_ns": now.wall_ns,
            "nominal": NOMINAL,
            "models_made_wall_ns": self.models_made().map(|(made, ..)| made),
            "resources": rows.collect::<Vec<_>>(),
        })
    }

    /// How unusual everything is, and what changed.
    pub(crate) fn anomalies(&self, now: Now) -> Value {
        let series = WATCHED.iter().filter_map(|row| {
            let watch = self.predict.watches.get(row.metric);
            let is_there = watch.is_some_and(|watch| watch.points() > 0);
            (is_there || !may_lack(row.metric)).then(|| series(row, watch))
        });
        let changes = self
            .state
            .noticed
            .moved
            .iter()
            .rev()
            .filter_map(Told::of)
            .map(moved);
        json!({
            "version": VERSION,
            "now_wall_ns": now.wall_ns,
            "alarm_score": ALARM_SCORE,
            "series": series.collect::<Vec<_>>(),
            "changes": changes.collect::<Vec<_>>(),
            "prompts": self.prompts_known(),
            "suspicions": self.suspicions(),
        })
    }
}

fn forecast(row: &Watched, watch: Option<&Watch>, pattern: Value, now: Now) -> Value {
    let show = |value: f64| row.unit.show(value);
    let points = watch.map_or(0, |watch| watch.history().len());
    let told = watch.map(|watch| watch.forecast(AHEAD_NS));
    let (told, unknown) = match told {
        // It is made from the last sample on: of what lies behind us by now nobody needs to be told.
        Some(Ok(told)) if told.due_ns <= now.wall_ns => {
            let old = now.wall_ns.saturating_sub(told.made_ns).unsigned_abs();
            let unknown = format!(
                "unknown: the last sample is {} old, and a forecast reaches a day",
                age(old)
            );
            (None, Some(unknown))
        }
        Some(Ok(told)) => (Some(told), None),
        Some(Err(Unknown::TooFew { have, need })) => (None, Some(too_few(have as u64, need as u64))),
        Some(Err(unknown)) => (None, Some(unknown.to_string())),
        None => (None, Some(too_few(0, POINTS_MIN as u64))),
    };
    let falling = row.worse == Worse::Less;
    let reached = row
        .limit
        .zip(watch)
        .and_then(|(limit, watch)| crossing(watch.history(), limit, falling).ok());
    let (earliest, expected, latest) = match reached {
        Some(Crossing::At {
            earliest_ns,
            expected_ns,
            latest_ns,
        }) => (Some(earliest_ns), expected_ns, latest_ns),
        _ => (None, None, None),
    };
    let card = watch.map(Watch::card);
    json!({
        "metric": row.metric,
        "what": row.words,
        "unit": row.unit,
        "samples": points,
        "unknown": unknown,
        "now": watch.filter(|_| points > 0).map(|watch| show(watch.history().last())),
        "at_wall_ns": watch.filter(|_| points > 0).map(|watch| watch.history().last_ns()),
        "due_wall_ns": told.map(|told| told.due_ns),
        "value": told.map(|told| told.value),
        "low": told.map(|told| told.low),
        "high": told.map(|told| told.high),
        "naive": told.map(|told| told.naive),
        "shown": told.map(|told| format!("{}, {} to {}", show(told.value), show(told.low), show(told.high))),
        "remedy": row.remedy,
        "limit": row.limit,
        "limit_shown": row.limit.map(show),
        "limit_when": reached,
        "limit_earliest_wall_ns": earliest,
        "limit_expected_wall_ns": expected,
        "limit_latest_wall_ns": latest,
        "scored": card.map_or(0, |card| card.scored()),
        "scored_min": SCORED_MIN,
        "coverage": card.and_then(|card| card.coverage()),
        "skill": card.and_then(|card| card.skill()),
        "pattern": pattern,
    })
}

/// What is missing, and how long that takes.
fn too_few(have: u64, need: u64) -> String {
    let left_ns = need.saturating_sub(have).saturating_mul(MEAN_NS.unsigned_abs());
    format!(
        "unknown: {have} of {need} samples so far; one is a mean of five minutes of use, so the others take {} at least",
        age(left_ns)
    )
}

fn series(row: &Watched, watch: Option<&Watch>) -> Value {
    let last = watch.and_then(Watch::last);
    let points = watch.map_or(0, Watch::points);
    let warming = points <= WARMING_POINTS;
    json!({
        "metric": row.metric,
        "what": row.words,
        "unit": row.unit,
        "samples": points,
        "unknown": warming.then(|| too_few(points, WARMING_POINTS + 1)),
        "at_wall_ns": last.map(|last| last.at_ns),
        "value": last.map(|last| last.value),
        "shown": last.map(|last| row.unit.show(last.value)),
        "expected": last.and_then(|last| last.reading.expected),
        "expected_shown": last.and_then(|last| last.reading.expected).map(|value| row.unit.show(value)),
        "score": last.filter(|_| !warming).map(|last| last.reading.score),
        "kind": last.and_then(|last| last.reading.kind),
    })
}

#[allow(clippy::needless_pass_by_value, reason = "a step of an iteration")]
fn moved(told: Told<'_>) -> Value {
    json!({
        "metric": told.row.metric,
        "title": told.title(),
        "evidence": told.evidence(),
        "noticed_wall_ns": told.moved.noticed_wall_ns,
        "changepoint": told.moved.changepoint,
        "worse": told.is_worse(),
        "reached": told.moved.reached,
        "suspects": told.moved.suspects,
    })
}
