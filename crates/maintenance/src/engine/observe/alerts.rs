//! Alerts: what of the findings is told, above whose prompt, and what was shown.
//!
//! Invariants:
//! - What was shown is taken in before anything new is, so that what got worse since is told again.
//! - A session shows only numbers above the last it has shown; what comes to it late has a new one.

use lle_core::alert::{self, Addressee};
use lle_core::health::finding::Finding;
use lle_core::policy::sanitise;

use super::session::SessionState;
use crate::engine::{Engine, config, history};
use crate::state::Change;
use crate::world::{Now, World};

impl Engine {
    pub(super) fn alert<W: World>(&mut self, world: &mut W, now: Now, findings: &[Finding]) {
        let at = alert::Now {
            wall_ns: now.wall_ns.max(0).cast_unsigned(),
            mono_ns: now.mono_ns,
        };
        // First what was shown: what got worse since is told again.
        let mut changed = self.take_shown(now);
        changed |= !self.state.alerts.observe(at, findings).is_empty();
        // They are as they are in memory, and written when there is something to tell: that one was seen again is not.
        if changed {
            self.keep_alerts(world, now);
        }
    }

    /// Notes which alerts were shown by now.
    pub(crate) fn note_shown<W: World>(&mut self, world: &mut W, now: Now) {
        if self.take_shown(now) {
            self.keep_alerts(world, now);
        }
    }

    fn take_shown(&mut self, now: Now) -> bool {
        let wall_ns = now.wall_ns.max(0).cast_unsigned();
        let mut changed = false;
        for alert in self.published.alerts() {
            let session = self.sessions.get(&alert.session);
            let last = session.and_then(SessionState::alerts_shown);
            if last.is_some_and(|last| last >= alert.id) {
                changed |= self
                    .state
                    .alerts
                    .shown(alert.id, alert.session, wall_ns)
                    .is_some();
            }
        }
        changed
    }

    pub(crate) fn keep_alerts<W: World>(&mut self, world: &mut W, now: Now) {
        let alerts = Box::new(self.state.alerts.clone());
        self.keep(world, now, Change::Alerts { alerts });
    }

    /// The alerts to be shown, each above one session's prompt, and whether one has a new number.
    pub(crate) fn addressed_alerts(&mut self) -> (Vec<lle_core::desired::Alert>, bool) {
        if self.state.alerts.open().next().is_none() {
            return (Vec::new(), false);
        }
        let live: Vec<Addressee> = self
            .sessions
            .values()
            .filter(|session| session.is_alive())
            .map(|session| Addressee {
                session: session.id(),
                active_ns: session.used_at(),
            })
            .collect();
        let addressed = self.state.alerts.addressed(&live);
        let wanted: Vec<(u64, u64)> = addressed.map(|(session, alert)| (alert.id, session)).collect();
        let mut renumbered = false;
        let addressed = wanted
            .into_iter()
            .filter_map(|(id, session)| {
                // A session shows only what is newer than what it has shown.
                let seen = self.sessions.get(&session).and_then(SessionState::alerts_shown);
                let is_out = self
                    .published
                    .alerts()
                    .any(|alert| (alert.id, alert.session) == (id, session));
                let id = match seen {
                    Some(seen) if seen >= id && !is_out => {
                        renumbered = true;
                        self.state.alerts.renumber(id)?
                    }
                    _ => id,
                };
                let alert = self.state.alerts.of(id)?;
                if !self.is_told(&alert.key, alert.severity) {
                    return None;
                }
                Some(lle_core::desired::Alert {
                    id,
                    session,
                    severity: alert.severity,
                    text: told(alert),
                })
            })
            .collect();
        (addressed, renumbered)
    }
}

/// An alert above a prompt: what it is, and where there is more. The remedy would take three rows.
fn told(alert: &alert::Alert) -> String {
    let text = if alert.key.starts_with(config::TOLD_WHOLE) {
        alert.title.clone()
    } else if alert.key.starts_with(history::PUT_BACK) {
        format!("{}. There is nothing left to do", alert.title)
    } else {
        format!("{}. `lusush maint health` says what to do", alert.title)
    };
    sanitise(&text, lle_core::desired::TEXT_BYTES_MAX).into_owned()
}
