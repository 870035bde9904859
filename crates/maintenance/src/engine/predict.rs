//! What is unusual, what changed and what did it, what will run out: the series of the whole host.
//!
//! ```text
//!  samples of a look, sizes on disk ─▸ Watch (five-minute means) ─▸ readings ─▸ `maint anomalies`
//!                                          │                          └ changepoint ─▸ blame ─▸ finding ─▸ alert
//!  audit records ─▸ changes, the last ────────────────────────────────────────────────┘
//!                                          └▸ forecasts, scored later ─▸ `maint forecast`
//! ```
//!
//! Invariants:
//! - Series, changes and findings kept are bounded; what a series was is read back from the samples, one series a look,
//!   so no look is long.
//! - While too little was seen the answer is unknown, and how much is missing.

mod answer;
pub(crate) mod watched;

use std::collections::{BTreeMap, VecDeque};

use lle_core::alert::Alerts;
use lle_core::health::finding::Finding;
use lle_core::health::text::harmless;
use lle_core::quantity::several;
use lle_core::series::Changepoint;
use lle_core::series::blame::{self, Suspect, blame};
use lle_core::series::watch::{Judged, MEAN_NS, Watch};
use lle_core::severity::Severity;

use super::Engine;
use crate::state::Change;
use crate::world::{Now, World};
use watched::{WATCHED, Watched, Worse};

/// Changes of the system that are remembered to be blamed.
const CHANGES_MAX: usize = 256;
/// Changepoints that are remembered.
const MOVED_MAX: usize = 16;
/// For how long a changepoint for the worse is a finding: a day, after which it is how things are.
const TOLD_NS: i64 = 24 * 3_600 * 1_000_000_000;
/// A change smaller than this share of what was before is nobody's concern.
pub(crate) const SHARE_MIN: f64 = 0.2;
/// The series of prompts.
pub(crate) const PROMPT: &Watched = &WATCHED[0];
/// What is read back of a series: two weeks.
const RECALL_NS: i64 = 14 * 24 * 3_600 * 1_000_000_000;
/// How sure the blame must be to be in a title.
const BLAME_MIN: f64 = 0.8;
/// How the key of a finding about a change begins.
const CHANGED: &str = "changed.";
/// Characters of what was changed, in a title.
const WHAT_CHARS_MAX: usize = 60;

/// A changepoint of a series.
pub(crate) struct Moved {
    row: &'static Watched,
    changepoint: Changepoint,
    suspects: Vec<Suspect>,
    noticed_wall_ns: i64,
}

/// Every series that is watched.
#[derive(Default)]
pub(crate) struct Predict {
    watches: BTreeMap<&'static str, Watch>,
    /// Rows of the table whose past was read back.
    recalled: usize,
    changes: VecDeque<blame::Change>,
    moved: VecDeque<Moved>,
    resources_at: Option<i64>,
}

impl Predict {
    /// Remembers that something was changed.
    pub(crate) fn note_all(&mut self, changes: impl IntoIterator<Item = blame::Change>) {
        changes.into_iter().for_each(|change| self.note(change));
    }

    /// Remembers that something was changed.
    pub(crate) fn note(&mut self, change: blame::Change) {
        if self.changes.len() >= CHANGES_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
    }

    /// A series has moved: who may have done it?
    pub(crate) fn moved(&mut self, row: &'static Watched, changepoint: Changepoint, now: Now) {
        let suspects = blame(&changepoint, MEAN_NS, self.changes.make_contiguous());
        if self.moved.len() >= MOVED_MAX {
            self.moved.pop_front();
        }
        self.moved.push_back(Moved {
            row,
            changepoint,
            suspects,
            noticed_wall_ns: now.wall_ns,
        });
    }
}

impl Engine {
    /// Takes the samples of a look in; gives those of the disk, which were measured for it.
    pub(crate) fn predict<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        samples: &[(&'static str, f64)],
    ) -> Vec<(&'static str, f64)> {
        self.recall_one(world, now);
        let since = self.predict.resources_at.map(|at| now.wall_ns.saturating_sub(at));
        let sizes = if since.is_some_and(|since| (0..MEAN_NS).contains(&since)) {
            Vec::new()
        } else {
            self.predict.resources_at = Some(now.wall_ns);
            world.resources()
        };
        let mut scored = false;
        for row in WATCHED {
            let sample = samples.iter().chain(&sizes).find(|(name, _)| *name == row.metric);
            let (Some((_, value)), Some(watch)) = (sample, self.predict.watches.get_mut(row.metric)) else {
                continue;
            };
            let Some(judged) = watch.add(now.wall_ns, *value) else {
                continue;
            };
            scored |= watch.forecast_when_due(judged.at_ns);
            if let Some(changepoint) = judged.reading.changepoint {
                self.predict.moved(row, changepoint, now);
            }
        }
        if scored {
            self.keep_scorecards(world, now);
        }
        sizes
    }

    /// Reads the past of the next series back.
    fn recall_one<W: World>(&mut self, world: &mut W, now: Now) {
        let Some(row) = WATCHED.get(self.predict.recalled) else {
            return;
        };
        self.predict.recalled += 1;
        let card = self.state.scorecards.get(row.metric).cloned();
        let mut watch = card.map_or_else(Watch::default, Watch::with_card);
        let since = now.wall_ns.saturating_sub(RECALL_NS);
        world.recall(row.metric, since, &mut |at_ns, value| {
            // What is past was told when it was new. What a clock that was ahead has left lies in the future.
            if at_ns <= now.wall_ns {
                let _judged: Option<Judged> = watch.add(at_ns, value);
            }
        });
        self.predict.watches.insert(row.metric, watch);
    }

    fn keep_scorecards<W: World>(&mut self, world: &mut W, now: Now) {
        let cards = self.predict.watches.iter();
        let scorecards = cards
            .map(|(name, watch)| ((*name).to_owned(), watch.card().clone()))
            .collect();
        self.keep(world, now, Change::Scorecards { scorecards });
    }

    /// What changed for the worse within the last day.
    pub(crate) fn changed_findings(&self, now: Now) -> Vec<Finding> {
        let recent = self
            .predict
            .moved
            .iter()
            .filter(|moved| (0..TOLD_NS).contains(&now.wall_ns.saturating_sub(moved.noticed_wall_ns)));
        // Of one series the last: what was mended since is no finding any more.
        let last: BTreeMap<&str, &Moved> = recent.map(|moved| (moved.row.metric, moved)).collect();
        let worse = last.into_values().filter(|moved| moved.is_worse());
        worse.map(Moved::finding).collect()
    }
}

/// Findings to tell: of a part that got worse, and by that beyond its limit, only what was told first, or the limit. Told
/// as two things it would look like two.
pub(crate) fn told_once(findings: &[Finding], alerts: &Alerts) -> Vec<Finding> {
    let is_change = |key: &str| key.starts_with(CHANGED);
    let is_open = |finding: &Finding| alerts.open().any(|alert| alert.key == finding.key);
    let rivals = |finding: &Finding| {
        let same = |other: &&Finding| {
            other.component == finding.component && is_change(&other.key) != is_change(&finding.key)
        };
        findings.iter().filter(same).collect::<Vec<_>>()
    };
    let is_told = |finding: &&Finding| {
        is_open(finding)
            || rivals(finding).into_iter().all(|other| {
                // What is worse than what was told is told all the same.
                finding.severity > other.severity || is_change(&other.key) && !is_open(other)
            })
    };
    findings.iter().filter(is_told).cloned().collect()
}

impl Moved {
    fn is_worse(&self) -> bool {
        let by = self.changepoint.after - self.changepoint.before;
        let matters = by.abs() >= self.row.least && by.abs() >= self.changepoint.before.abs() * SHARE_MIN;
        matters
            && match self.row.worse {
                Worse::More => by > 0.0,
                Worse::Less => by < 0.0,
            }
    }

    /// What happened, in a line.
    fn title(&self) -> String {
        let by = self.changepoint.after - self.changepoint.before;
        let unit = self.row.unit;
        let direction = if by > 0.0 { self.row.more } else { self.row.less };
        let blamed = self
            .suspects
            .first()
            .filter(|suspect| suspect.confidence >= BLAME_MIN);
        let since = blamed.and_then(|suspect| suspect.what.as_deref()).map_or_else(
            || "a change that nobody recorded".to_owned(),
            |what| harmless(what.as_bytes(), WHAT_CHARS_MAX),
        );
        format!(
            "{} {} {direction} since {since}",
            self.row.words,
            unit.show(by.abs())
        )
    }

    /// How sure that is, and what else changed then.
    fn evidence(&self) -> String {
        let unit = self.row.unit;
        let change = &self.changepoint;
        let mut out = format!(
            "{} before, {} after; {:.1} % sure that it changed",
            unit.show(change.before),
            unit.show(change.after),
            (change.confidence * 100.0).min(99.9)
        );
        if let Some(first) = self.suspects.first() {
            out += &format!(", {:.0} % of what did it", first.confidence * 100.0);
        }
        let others = self
            .suspects
            .iter()
            .skip(1)
            .filter(|suspect| suspect.what.is_some())
            .count();
        if others > 0 {
            out += &format!(
                "; {} then too",
                several(others as u64, "other change was made", "other changes were made")
            );
        }
        out
    }

    fn finding(&self) -> Finding {
        Finding {
            key: format!("{CHANGED}{}", self.row.metric),
            severity: Severity::Warning,
            component: self.row.component,
            session: None,
            title: self.title(),
            evidence: self.evidence(),
            remedy: "`lusush maint anomalies` shows when it was and what else was changed then".into(),
            before: Some(self.changepoint.before),
            after: Some(self.changepoint.after),
            unit: self.row.unit_name().into(),
        }
    }
}

#[cfg(test)]
mod tests;
