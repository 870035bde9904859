//! What is told before it happens: a limit that is near, and a rise that goes on.
//!
//! A spike, values that scatter and values that drift are told to nobody: they are over before anybody looks, or become
//! a level that changed, or a rise that goes on, and those are told. `maint anomalies` shows them all.
//!
//! Invariants:
//! - A series has one finding, whatever is coming: a leak that nears its limit is not told as two things.
//! - A finding goes by itself: with the growth, with the samples, or when the limit is out of sight again.

use lle_core::health::finding::Finding;
use lle_core::quantity::age;
use lle_core::series::Rising;
use lle_core::series::forecast::nearing::Near;
use lle_core::series::watch::Watch;
use lle_core::severity::Severity;

use super::watched::{WATCHED, Watched, Worse};
use super::{Engine, SHARE_MIN};
use crate::world::Now;

/// How the key of a finding about what is to come begins.
pub(super) const COMING: &str = "coming.";
/// A series without a sample for so long says nothing of what comes: a day, in nanoseconds.
const STALE_NS: i64 = DAY_NS;
/// What is expected within a day is worse, and told once more.
const DAY_NS: i64 = 24 * 3_600 * 1_000_000_000;
const DAY_S: f64 = 86_400.0;

impl Engine {
    /// Everything that is coming.
    pub(crate) fn coming_findings(&self, now: Now) -> Vec<Finding> {
        let rows = WATCHED.iter().enumerate();
        rows.filter_map(|(at, row)| {
            if at >= self.predict.recalled {
                // Its past is not read back yet. Until then what was told holds, or it would be told again.
                return self.told_before(row);
            }
            self.coming(row, now)
        })
        .collect()
    }

    /// What is coming of one series.
    pub(super) fn coming(&self, row: &'static Watched, now: Now) -> Option<Finding> {
        let watch = self.predict.watches.get(row.metric)?;
        let since_ns = now.wall_ns.saturating_sub(watch.history().last_ns());
        if watch.history().is_empty() || since_ns > STALE_NS {
            return None;
        }
        let near = self
            .predict
            .nearing
            .get(row.metric)
            .and_then(|nearing| nearing.near());
        match (row.limit.zip(near), watch.rising()) {
            (Some((limit, near)), _) => Some(reaches(row, watch, limit, near, now)),
            (None, Some(rising)) => rises(row, watch, rising),
            (None, None) => None,
        }
    }

    /// Whether somebody was told that something is coming of it.
    pub(super) fn is_coming(&self, row: &Watched) -> bool {
        self.state.alerts.open().any(|alert| is_of(&alert.key, row))
    }

    fn told_before(&self, row: &Watched) -> Option<Finding> {
        let alert = self.state.alerts.open().find(|alert| is_of(&alert.key, row))?;
        Some(Finding {
            key: alert.key.clone(),
            severity: alert.severity,
            component: alert.component,
            session: None,
            title: alert.title.clone(),
            evidence: alert.evidence.clone(),
            remedy: alert.remedy.clone(),
            before: None,
            after: None,
            unit: row.unit_name().into(),
        })
    }
}

fn is_of(key: &str, row: &Watched) -> bool {
    key.strip_prefix(COMING) == Some(row.metric)
}

/// "history reaches 1 GiB in 12 d, 9 d to 17 d".
fn reaches(row: &Watched, watch: &Watch, limit: f64, near: Near, now: Now) -> Finding {
    let until = |at_ns: i64| age(at_ns.saturating_sub(now.wall_ns).max(0).cast_unsigned());
    let latest = near.latest_ns.map_or("never".to_owned(), until);
    let (what, shown) = (row.words, row.unit.show(limit));
    let falls = row.worse == Worse::Less;
    let title = if near.expected_ns <= now.wall_ns {
        let reached = if falls { "has fallen to" } else { "has reached" };
        format!("{what} {reached} {shown}")
    } else {
        let reaches = if falls { "falls to" } else { "reaches" };
        let (earliest, expected) = (until(near.earliest_ns), until(near.expected_ns));
        format!("{what} {reaches} {shown} in {expected}, {earliest} to {latest}")
    };
    let card = watch.card();
    let held = match card.coverage() {
        Some(coverage) => format!(
            "of {} forecasts of it a day ahead {:.0} % held",
            card.scored(),
            coverage * 100.0
        ),
        None => "how good forecasts of it are is not known yet".to_owned(),
    };
    let last = watch.history().last();
    let severity = if near.expected_ns.saturating_sub(now.wall_ns) <= DAY_NS {
        Severity::Minor
    } else {
        Severity::Warning
    };
    finding(
        row,
        severity,
        title,
        format!("{} now; {held}", row.unit.show(last)),
        last,
    )
}

/// "a session's memory rises by 4 MiB a day": of what should not, for the worse, and by as much as matters.
fn rises(row: &Watched, watch: &Watch, rising: Rising) -> Option<Finding> {
    let last = watch.history().last();
    let is_worse = match row.worse {
        Worse::More => rising.by > 0.0,
        Worse::Less => rising.by < 0.0,
    };
    let by = rising.by.abs();
    let matters = by >= row.least && by >= (last - rising.by).abs() * SHARE_MIN;
    if row.grows || !is_worse || !matters {
        return None;
    }
    let a_day = row.unit.show(rising.slope_per_s.abs() * DAY_S);
    let goes = if rising.by > 0.0 { row.more } else { row.less };
    let title = format!("{} becomes {goes} by {a_day} every day", row.words);
    let since = age((rising.for_s.max(0.0) * 1e9) as u64);
    let evidence = format!(
        "{} within {since}, {} now; little by little, and it goes on",
        row.unit.show(by),
        row.unit.show(last)
    );
    Some(finding(row, Severity::Warning, title, evidence, last))
}

fn finding(row: &Watched, severity: Severity, title: String, evidence: String, last: f64) -> Finding {
    Finding {
        key: format!("{COMING}{}", row.metric),
        severity,
        component: row.component,
        session: None,
        title,
        evidence,
        remedy: row.remedy.to_owned(),
        before: None,
        after: Some(last),
        unit: row.unit_name().into(),
    }
}

#[cfg(test)]
mod tests;
