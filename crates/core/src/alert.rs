//! Alerts: what somebody must be told, once.
//!
//! ```text
//!  findings ─▸ observe ─▸ raised | worsened | resolved | held back      to_show ─▸ above the next prompt ─▸ shown
//!                 ▲ deduplicated by key, limited in number                  ▲ addressed to one session
//!                 └ acknowledge: quiet until it goes and comes back, or gets worse
//! ```
//!
//! Invariants:
//! - One finding has one alert for as long as it lasts, and that is shown once, wherever it is shown.
//! - Nothing is dropped silently: what the limits hold back is counted, and the count is an alert.
//! - What is open and what is remembered is bounded. An alert already known is found again without allocating.
//!
//! Times are those of the wall clock, since alerts outlive a boot; only how long a finding has been gone is measured by
//! the monotonic one. A wall clock that jumps back shortens no wait by more than the jump and blocks nothing.

pub mod escalation;
mod limit;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::health::component::Component;
use crate::health::finding::Finding;
use crate::quantity::several;
use crate::severity::Severity;
use crate::shown::{TEXT_CHARS_MAX, harmless};
use limit::Raises;
pub use limit::{PER_HOUR_MAX, PER_KEY_PER_HOUR_MAX};

/// The least severity that is told.
pub const SEVERITY_MIN: Severity = Severity::Warning;

/// Alerts open at a time: more nobody reads.
pub const OPEN_MAX: usize = 64;

/// Resolved alerts remembered.
pub const HISTORY_MAX: usize = 256;

/// Windows of a minute for which a finding must be gone before its alert is resolved, so that one that comes and goes
/// is told once.
pub const CLEAR_WINDOWS: u64 = 3;

const WINDOW_NS: u64 = 60 * 1_000_000_000;

/// The key of the alert that tells what was held back.
pub const HELD_BACK: &str = "alerts.held-back";

/// The time, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Nanoseconds since 1970.
    pub wall_ns: u64,
    /// Nanoseconds of the monotonic clock.
    pub mono_ns: u64,
}

/// Who said "I know", and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Who.
    pub who: String,
    /// When, in nanoseconds since 1970.
    pub wall_ns: u64,
}

/// Where an alert was shown, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The session above whose prompt it stood.
    pub session: u64,
    /// When, in nanoseconds since 1970.
    pub wall_ns: u64,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Its number; they count up and are never used again.
    pub id: u64,
    /// The key of its finding.
    pub key: String,
    /// The worst it has been.
    pub severity: Severity,
    /// What it is about.
    pub component: Component,
    /// The session it is about.
    pub session: Option<u64>,
    /// What it is, in a line, as it was when raised or when it got worse.
    pub title: String,
    /// What was seen then.
    pub evidence: String,
    /// What to do about it.
    pub remedy: String,
    /// When it was raised, in nanoseconds since 1970.
    pub raised_wall_ns: u64,
    /// When its finding was last seen, in nanoseconds since 1970.
    pub seen_wall_ns: u64,
    /// How often its finding was seen.
    pub times: u64,
    /// Who knows.
    pub acknowledged: Option<Acknowledged>,
    /// Where it was shown.
    pub shown: Option<Shown>,
    /// When it was resolved, in nanoseconds since 1970.
    pub resolved_wall_ns: Option<u64>,
    /// The round of findings it was last seen in.
    #[serde(skip)]
    round: u64,
    /// Since when its finding is gone, by the monotonic clock.
    #[serde(skip)]
    gone_mono_ns: Option<u64>,
}

/// A session to whose prompt alerts may be addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// The session.
    pub session: u64,
    /// When somebody last typed there, by either clock, but all by the same.
    pub active_ns: u64,
}

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// A new alert.
    Raised(u64),
    /// Its finding got worse: it is told again.
    Worsened(u64),
    /// Its finding is gone.
    Resolved(u64),
    /// Somebody knows.
    Acknowledged(u64),
    /// It stood above a prompt.
    Shown(u64),
    /// A finding for which there is no alert for now, by its key.
    HeldBack(String),
}

/// Every alert, open and past.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alerts {
    last_id: u64,
    open: BTreeMap<String, Alert>,
    history: VecDeque<Alert>,
    raises: Raises,
    #[serde(skip)]
    round: u64,
}

impl Alerts {
    /// Takes in everything found, and says what that changed. Findings that are not there any more are gone.
    pub fn observe(&mut self, now: Now, findings: &[Finding]) -> Vec<Change> {
        let mut changes = Vec::new();
        self.round += 1;
        self.tell_of_held_back(now, &mut changes);
        let told = || findings.iter().filter(|finding| finding.severity >= SEVERITY_MIN);
        for finding in told() {
            if self.open.contains_key(finding.key.as_str()) {
                changes.extend(self.raise(now, finding));
            }
        }
        // What is over makes room for what is new.
        self.resolve(now, &mut changes);
        for finding in told() {
            if !self.open.contains_key(finding.key.as_str()) {
                changes.extend(self.raise(now, finding));
            }
        }
        changes
    }

    /// Raises the alert of one finding, unless it is known and no worse; then nothing is allocated.
    pub fn raise(&mut self, now: Now, finding: &Finding) -> Option<Change> {
        let Some(alert) = self.open.get_mut(finding.key.as_str()) else {
            return self.raise_new(now, finding);
        };
        alert.round = self.round;
        alert.gone_mono_ns = None;
        alert.seen_wall_ns = now.wall_ns;
        alert.times = alert.times.saturating_add(1);
        if finding.severity <= alert.severity {
            return None;
        }
        // There are few severities, so getting worse needs no limit.
        alert.severity = finding.severity;
        alert.title.clone_from(&finding.title);
        alert.evidence.clone_from(&finding.evidence);
        alert.remedy.clone_from(&finding.remedy);
        (alert.acknowledged, alert.shown) = (None, None);
        Some(Change::Worsened(alert.id))
    }

    /// Keeps an alert quiet until its finding has gone and come back, or gets worse; none if it is not open.
    pub fn acknowledge(&mut self, id: u64, who: &str, wall_ns: u64) -> Option<Change> {
        let alert = self.open.values_mut().find(|alert| alert.id == id)?;
        alert.acknowledged = Some(Acknowledged {
            who: harmless(who.as_bytes(), TEXT_CHARS_MAX),
            wall_ns,
        });
        Some(Change::Acknowledged(id))
    }

    /// The alerts to be shown above a session's next prompt, the worst first. `sessions` are those alive; an alert
    /// about none of them is addressed to the one that was active last.
    pub fn to_show(&self, session: u64, sessions: &[Addressee]) -> Vec<&Alert> {
        let active = sessions.iter().max_by_key(|each| (each.active_ns, each.session));
        let addressee = |alert: &&Alert| {
            let own = sessions.iter().find(|each| Some(each.session) == alert.session);
            own.or(active).map(|each| each.session) == Some(session)
        };
        let mut alerts: Vec<&Alert> = self
            .open
            .values()
            .filter(|alert| alert.is_due())
            .filter(addressee)
            .collect();
        alerts.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.id));
        alerts
    }

    /// Every alert to be shown, with the session above whose next prompt: by session, the worst first. As
    /// [`to_show`](Self::to_show) says for each, at the cost of one.
    pub fn addressed(&self, sessions: &[Addressee]) -> impl Iterator<Item = (u64, &Alert)> {
        let active = sessions.iter().max_by_key(|each| (each.active_ns, each.session));
        let addressed = |alert: &'_ Alert| {
            let own = sessions.iter().find(|each| Some(each.session) == alert.session);
            own.or(active).map(|each| each.session)
        };
        let mut alerts: Vec<(u64, &Alert)> = self
            .open
            .values()
            .filter(|alert| alert.is_due())
            .filter_map(|alert| Some((addressed(alert)?, alert)))
            .collect();
        alerts.sort_by_key(|(session, alert)| (*session, std::cmp::Reverse(alert.severity), alert.id));
        alerts.into_iter()
    }

    /// Resolves an alert at once, told or not: what it says is not so any more. None if it is not open.
    pub fn close(&mut self, key: &str, wall_ns: u64) -> Option<Change> {
        let alert = self.open.remove(key)?;
        Some(self.remember(alert, wall_ns))
    }

    /// Notes that an alert stood above a session's prompt; none if it is not open or was shown before.
    pub fn shown(&mut self, id: u64, session: u64, wall_ns: u64) -> Option<Change> {
        let alert = self.open.values_mut().find(|alert| alert.id == id)?;
        if alert.shown.is_some() {
            return None;
        }
        alert.shown = Some(Shown { session, wall_ns });
        Some(Change::Shown(id))
    }

    /// Gives an open alert a new number, so that whoever shows only what is newer shows it; none if it is not open.
    pub fn renumber(&mut self, id: u64) -> Option<u64> {
        let last = &mut self.last_id;
        let alert = self.open.values_mut().find(|alert| alert.id == id)?;
        *last += 1;
        alert.id = *last;
        Some(*last)
    }

    /// Numbers up to this one were given out already, by somebody whose memory is lost.
    pub fn skip_to(&mut self, id: u64) {
        self.last_id = self.last_id.max(id);
    }

    /// Raises at most so many alerts in an hour from now on, [`PER_HOUR_MAX`] if nothing is said.
    pub fn limit_per_hour(&mut self, most: usize) {
        self.raises.limit(most);
    }

    /// The open alerts, by key.
    pub fn open(&self) -> impl Iterator<Item = &Alert> {
        self.open.values()
    }

    /// The resolved alerts remembered, the oldest first.
    pub fn history(&self) -> impl Iterator<Item = &Alert> {
        self.history.iter()
    }

    /// An alert by its number, open or remembered.
    pub fn of(&self, id: u64) -> Option<&Alert> {
        self.open().chain(self.history()).find(|alert| alert.id == id)
    }

    /// Findings held back by the limits and not told of yet, as far as they are told apart.
    pub fn held_back(&self) -> u64 {
        self.raises.held_back()
    }

    fn raise_new(&mut self, now: Now, finding: &Finding) -> Option<Change> {
        // The last place is for telling of what is held back.
        let room = self.open.len() + 1 < OPEN_MAX;
        if !room || !self.raises.permit(now.wall_ns, &finding.key) {
            let new = self.raises.hold_back(&finding.key);
            return new.then(|| Change::HeldBack(finding.key.clone()));
        }
        Some(self.insert(now, finding))
    }

    fn insert(&mut self, now: Now, finding: &Finding) -> Change {
        self.last_id += 1;
        self.raises.release(&finding.key);
        let alert = Alert {
            id: self.last_id,
            key: finding.key.clone(),
            severity: finding.severity,
            component: finding.component,
            session: finding.session,
            title: finding.title.clone(),
            evidence: finding.evidence.clone(),
            remedy: finding.remedy.clone(),
            raised_wall_ns: now.wall_ns,
            seen_wall_ns: now.wall_ns,
            times: 1,
            acknowledged: None,
            shown: None,
            resolved_wall_ns: None,
            round: self.round,
            gone_mono_ns: None,
        };
        self.open.insert(finding.key.clone(), alert);
        Change::Raised(self.last_id)
    }

    /// Says how many findings had to wait, once they may wait no longer.
    fn tell_of_held_back(&mut self, now: Now, changes: &mut Vec<Change>) {
        if self.open.contains_key(HELD_BACK) || self.open.len() >= OPEN_MAX {
            return;
        }
        if let Some((held, more)) = self.raises.tell(now.wall_ns) {
            changes.push(self.insert(now, &held_back_finding(held, more)));
        }
    }

    fn resolve(&mut self, now: Now, changes: &mut Vec<Change>) {
        let round = self.round;
        for alert in self.open.values_mut().filter(|alert| alert.round != round) {
            alert.gone_mono_ns.get_or_insert(now.mono_ns);
        }
        // Resolving is rare and the alerts are few: in most rounds nothing is taken out.
        let over: Vec<Alert> = self
            .open
            .extract_if(.., |_, alert| alert.is_over(now.mono_ns))
            .map(|(_, alert)| alert)
            .collect();
        changes.extend(over.into_iter().map(|alert| self.remember(alert, now.wall_ns)));
    }

    fn remember(&mut self, mut alert: Alert, wall_ns: u64) -> Change {
        let id = alert.id;
        alert.resolved_wall_ns = Some(wall_ns);
        if self.history.len() == HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(alert);
        Change::Resolved(id)
    }
}

impl Alert {
    /// Whether it is still to be told.
    pub fn is_due(&self) -> bool {
        self.shown.is_none() && self.acknowledged.is_none()
    }

    /// Whether its finding has been gone for long enough. One that must not be missed waits until it has been told.
    fn is_over(&self, mono_ns: u64) -> bool {
        let gone = self.gone_mono_ns.map_or(0, |since| mono_ns.saturating_sub(since));
        let must_be_told = self.severity >= Severity::Major || self.key == HELD_BACK;
        gone >= CLEAR_WINDOWS * WINDOW_NS && !(must_be_told && self.is_due())
    }
}

fn held_back_finding(held: u64, more: bool) -> Finding {
    let at_least = if more { "at least " } else { "" };
    Finding {
        key: HELD_BACK.to_owned(),
        severity: Severity::Warning,
        component: Component::Host,
        session: None,
        title: format!(
            "{at_least}{} held back",
            several(held, "further alert was", "further alerts were")
        ),
        evidence: format!(
            "at most {PER_HOUR_MAX} an hour are told, {PER_KEY_PER_HOUR_MAX} of them about one thing"
        ),
        remedy: "`lusush maint health` shows everything found".to_owned(),
        before: None,
        after: Some(held as f64),
        unit: "1".to_owned(),
    }
}
