//! What is unusual, what changed and what did it, what will run out: the series of the whole host.
//!
//! ```text
//!  samples of a look, sizes on disk ─▸ Watch (five-minute means) ─▸ readings ─▸ `maint anomalies`
//!                                          │                          └ changepoint ─▸ blame ─▸ finding ─▸ alert
//!  audit records, lines ─▸ changes, the last ──────────────────────────────────────────┘
//!                                          ├▸ forecasts, scored later ─▸ `maint forecast`
//!                                          └▸ a limit that is near, a rise that goes on ─▸ finding ─▸ alert (coming.rs)
//! ```
//!
//! What was changed and what moved by it is part of the state ([`lle_core::series::noticed`]). What the detectors have
//! learned is not: it is learned again from the samples of two weeks. What they find in doing so was told when it was new,
//! and is in the state; a detector that begins elsewhere may find it at another moment, or not, and is not asked.
//!
//! Invariants:
//! - Series are bounded; what one was is read back from the samples, one series a look, so no look is long.
//! - While too little was seen the answer is unknown, and how much is missing.

mod answer;
mod coming;
mod models;
pub(crate) mod watched;

use std::collections::BTreeMap;

use lle_core::alert::Alerts;
use lle_core::health::finding::Finding;
use lle_core::quantity::several;
use lle_core::series::Changepoint;
use lle_core::series::blame::{self, Suspect};
use lle_core::series::forecast::nearing::Nearing;
use lle_core::series::noticed::Moved;
use lle_core::series::reach::{Reach, Reached, suspects};
use lle_core::series::watch::{Judged, MEAN_NS, Watch};
use lle_core::severity::Severity;
use lle_core::shown::harmless;

use super::Engine;
use crate::models::Models;
use crate::state::Change;
use crate::world::{Disk, Now, World};
use watched::{WATCHED, Watched, Worse};

/// For how long a changepoint for the worse is a finding: a day, after which it is how things are.
const TOLD_NS: i64 = 24 * 3_600 * 1_000_000_000;
/// A change smaller than this share of what was before is nobody's concern.
pub(crate) const SHARE_MIN: f64 = 0.2;
/// The series of prompts.
pub(crate) const PROMPT: &Watched = &WATCHED[0];
/// What is read back of a series: two weeks.
const RECALL_NS: i64 = 14 * 24 * 3_600 * 1_000_000_000;
/// How much later the five minutes of each series begin than those of the one before: two looks.
const PHASE_NS: i64 = 20 * 1_000_000_000;
const _: () = assert!(WATCHED.len() as i64 * PHASE_NS <= MEAN_NS);
/// How sure the blame must be to be in a title.
const BLAME_MIN: f64 = 0.8;
/// How the key of a finding about a change begins.
const CHANGED: &str = "changed.";
/// Characters of what was changed, in a title.
const WHAT_CHARS_MAX: usize = 96;

/// Every series that is watched.
#[derive(Default)]
pub(crate) struct Predict {
    watches: BTreeMap<&'static str, Watch>,
    /// How those that have a limit are on their way there.
    nearing: BTreeMap<&'static str, Nearing>,
    /// Rows of the table whose past was read back.
    recalled: usize,
    resources_at: Option<i64>,
    /// What was measured on disk, for the next look.
    sizes: Vec<(&'static str, f64)>,
    /// What the last job has fitted.
    models: Option<Models>,
}

impl Engine {
    /// Remembers that something was changed; false if that was known.
    pub(crate) fn note_change(&mut self, world: &mut impl Disk, now: Now, change: blame::Change) -> bool {
        let is_new = !self.state.noticed.knows(&change);
        if is_new {
            self.keep(world, now, Change::Noted { change });
        }
        is_new
    }

    /// A series has moved: says who may have done it, and remembers that.
    pub(crate) fn moved(
        &mut self,
        world: &mut impl Disk,
        now: Now,
        row: &'static Watched,
        changepoint: Changepoint,
        reach: Reach<'_>,
    ) {
        let changes = &self.state.noticed.changes;
        let suspects = suspects(&changepoint, reach, row.measured(), changes);
        let reached = self.reached(reach, suspects.first());
        let moved = Box::new(Moved {
            metric: row.metric.to_owned(),
            changepoint,
            suspects,
            noticed_wall_ns: now.wall_ns,
            reached,
        });
        self.keep(world, now, Change::Moved { moved });
    }

    /// Whom it reached: of a series of all sessions, too, only the one in which it was typed.
    fn reached(&self, reach: Reach<'_>, first: Option<&Suspect>) -> Reached {
        match reach {
            Reach::Session { id, .. } => Reached::Session(id.to_owned()),
            Reach::StartFiles { .. } => Reached::BegunSince(self.state.noticed.start_files.since_wall_ns),
            Reach::Any => {
                let mut changes = self.state.noticed.changes.iter().rev();
                let did_it =
                    first.and_then(|first| changes.find(|change| first.what.as_ref() == Some(&change.what)));
                let typed_in = did_it.and_then(|change| change.session.clone());
                typed_in.map_or(Reached::All, Reached::Session)
            }
        }
    }

    /// Takes the samples of a look in; gives those of the disk, which were measured for it.
    pub(crate) fn predict<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        samples: &[(&'static str, f64)],
    ) -> Vec<(&'static str, f64)> {
        self.recall_one(world, now);
        let sizes = std::mem::take(&mut self.predict.sizes);
        let mut scored = false;
        let mut found = Vec::new();
        for row in WATCHED {
            let sample = samples.iter().chain(&sizes).find(|(name, _)| *name == row.metric);
            let (Some((_, value)), Some(watch)) = (sample, self.predict.watches.get_mut(row.metric)) else {
                continue;
            };
            let Some(judged) = watch.add(now.wall_ns, *value) else {
                continue;
            };
            if let Some((limit, nearing)) = row.limit.zip(self.predict.nearing.get_mut(row.metric)) {
                nearing.look(watch.history(), limit, row.worse == Worse::Less);
            }
            scored |= watch.forecast_when_due(judged.at_ns);
            found.extend(judged.reading.changepoint.map(|changepoint| (row, changepoint)));
        }
        for (row, changepoint) in found {
            self.moved(world, now, row, changepoint, Reach::Any);
        }
        if scored {
            self.keep_scorecards(world, now);
        }
        sizes
    }

    /// Measures what lies on disk, every five minutes, for the next look: it goes through folders, and a look must be short.
    pub(crate) fn measure_disk<W: World>(&mut self, world: &mut W, now: Now) {
        let since = self.predict.resources_at.map(|at| now.wall_ns.saturating_sub(at));
        if self.looked_at == Some(now) && !since.is_some_and(|since| (0..MEAN_NS).contains(&since)) {
            self.predict.resources_at = Some(now.wall_ns);
            self.predict.sizes = world.resources();
        }
    }

    /// Reads the past of the next series back.
    fn recall_one<W: World>(&mut self, world: &mut W, now: Now) {
        let Some(row) = WATCHED.get(self.predict.recalled) else {
            return;
        };
        if self.predict.recalled == 0 {
            self.read_models(world);
        }
        self.predict.recalled += 1;
        let card = self.state.scorecards.get(row.metric).cloned();
        let watch = card.map_or_else(Watch::default, Watch::with_card);
        // One series' five minutes end in a look: judging a mean costs a tenth of what a look may.
        let mut watch = watch.at_phase(self.predict.recalled as i64 * PHASE_NS);
        let since = now.wall_ns.saturating_sub(RECALL_NS);
        world.recall(row.metric, since, &mut |at_ns, value| {
            // What is past was told when it was new. What a clock that was ahead has left lies in the future.
            if at_ns <= now.wall_ns {
                let _judged: Option<Judged> = watch.add(at_ns, value);
            }
        });
        watch.take_model(
            self.predict
                .models
                .as_ref()
                .and_then(|models| models.of(row.metric)),
        );
        if let Some(limit) = row.limit {
            // A worker that is new goes on where the last one was: told again, it would look like another.
            let mut nearing = match self.is_coming(row) {
                true => Nearing::told_before(),
                false => Nearing::default(),
            };
            nearing.look(watch.history(), limit, row.worse == Worse::Less);
            self.predict.nearing.insert(row.metric, nearing);
        }
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
            .state
            .noticed
            .moved
            .iter()
            .filter(|moved| (0..TOLD_NS).contains(&now.wall_ns.saturating_sub(moved.noticed_wall_ns)));
        // Of one series the last: what was mended since is no finding any more.
        let last: BTreeMap<&str, &Moved> = recent.map(|moved| (moved.metric.as_str(), moved)).collect();
        let worse = last.into_values().filter_map(Told::of).filter(Told::is_worse);
        worse.map(|told| told.finding()).collect()
    }
}

/// Findings to tell: of a part that got worse, and by that beyond its limit, only what was told first, or the limit. Told
/// as two things it would look like two.
pub(crate) fn told_once(findings: &[Finding], alerts: &Alerts) -> Vec<Finding> {
    let is_change = |key: &str| key.starts_with(CHANGED);
    // What is yet to come is neither.
    let comes = |key: &str| key.starts_with(coming::COMING);
    let is_open = |finding: &Finding| alerts.open().any(|alert| alert.key == finding.key);
    let rivals = |finding: &Finding| {
        let same = |other: &&Finding| {
            other.component == finding.component
                && is_change(&other.key) != is_change(&finding.key)
                && !comes(&other.key)
                && !comes(&finding.key)
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

/// What moved, with its row of the table.
pub(crate) struct Told<'a> {
    row: &'static Watched,
    moved: &'a Moved,
}

impl<'a> Told<'a> {
    /// Finds the row; none if another version watched that series and this one does not.
    fn of(moved: &'a Moved) -> Option<Self> {
        let row = WATCHED.iter().find(|row| row.metric == moved.metric)?;
        Some(Self { row, moved })
    }

    fn is_worse(&self) -> bool {
        let changepoint = &self.moved.changepoint;
        let by = changepoint.after - changepoint.before;
        let matters = by.abs() >= self.row.least && by.abs() >= changepoint.before.abs() * SHARE_MIN;
        matters
            && match self.row.worse {
                Worse::More => by > 0.0,
                Worse::Less => by < 0.0,
            }
    }

    /// What happened, in a line.
    fn title(&self) -> String {
        let by = self.moved.changepoint.after - self.moved.changepoint.before;
        let unit = self.row.unit;
        let direction = if by > 0.0 { self.row.more } else { self.row.less };
        let since = match self.blamed() {
            [] => "a change that nobody recorded".to_owned(),
            [only] => harmless(
                only.what.as_deref().unwrap_or_default().as_bytes(),
                WHAT_CHARS_MAX,
            ),
            several => format!("one of {} changes at that moment", several.len()),
        };
        format!(
            "{} {} {direction} since {since}",
            self.row.words,
            unit.show(by.abs())
        )
    }

    /// Who did it: as many as it takes to be sure that it was one of them. None if it may have been none of those that are
    /// known.
    fn blamed(&self) -> &[Suspect] {
        let suspects = &self.moved.suspects[..];
        let known = suspects.iter().take_while(|suspect| suspect.what.is_some());
        let mut sum = 0.0;
        let sure = known.map(|suspect| {
            sum += suspect.confidence;
            sum >= BLAME_MIN
        });
        let last = sure.enumerate().find(|(_, is_sure)| *is_sure).map(|(at, _)| at);
        last.and_then(|last| suspects.get(..=last)).unwrap_or_default()
    }

    /// How sure that is, and what else changed then.
    fn evidence(&self) -> String {
        let unit = self.row.unit;
        let change = &self.moved.changepoint;
        // Of single prompts it is the typical one that is compared, of everything else the means of five minutes: an alert,
        // which compares the mean of the last ones with what it has learned, has other numbers.
        let of = match (self.row.metric == PROMPT.metric, &self.moved.reached) {
            (true, Reached::Session(_) | Reached::BegunSince(_)) => "the typical prompt",
            _ => "on average",
        };
        let mut out = format!(
            "{of} {} before, {} after; {:.1} % sure that it changed",
            unit.show(change.before),
            unit.show(change.after),
            (change.confidence * 100.0).min(99.9)
        );
        if let Some(first) = self.moved.suspects.first() {
            out += &format!(", {:.0} % of what did it", first.confidence * 100.0);
        }
        let others = self
            .moved
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
            before: Some(self.moved.changepoint.before),
            after: Some(self.moved.changepoint.after),
            unit: self.row.unit_name().into(),
        }
    }
}

#[cfg(test)]
mod tests;
