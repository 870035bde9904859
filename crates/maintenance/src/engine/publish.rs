//! What sessions are to do, published as one state with a generation: alerts to show, memory to give back, settings.
//!
//! Invariant: level-triggered. A session that was busy, or a worker that died, misses nothing: the state stands until
//! it was observed.

use lle_core::desired::{ALERTS_MAX, Alert, Desired, Setting, Trim};
use lle_core::in_force::InForce;

use super::Engine;
use crate::world::{Now, World};

/// What was published last.
#[derive(Debug, Default)]
pub(crate) struct Published {
    desired: Desired,
    /// It was not written yet, or could not be.
    stale: bool,
    pub(crate) failed: Option<String>,
    /// Memory that sessions are to give back, until they have answered or it was given up.
    trims: Vec<Trim>,
}

impl Published {
    /// Goes on where an earlier worker was: a session must not take a new state for an old one, and what it has shown of
    /// the old one is not shown again. Memory is not asked for any more: nobody waits for the answer.
    pub(crate) fn resume<W: World>(&mut self, world: &mut W) {
        self.desired = world.published().unwrap_or_default();
        self.desired.trims.clear();
        self.stale = true;
    }

    /// What was published is no longer there.
    pub(crate) fn is_lost(&mut self) {
        self.stale = true;
    }

    /// The alerts that are out.
    pub(crate) fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.desired.alerts.iter()
    }

    /// The configuration that is out.
    pub(crate) fn config(&self) -> Option<&InForce> {
        self.desired.config.as_ref()
    }

    pub(crate) fn generation(&self) -> u64 {
        self.desired.generation
    }
}

/// Adds the alerts that are out. While it cannot be written that one was shown, only what is published says so to the
/// next worker; who has shown it does not show it again.
fn and_those_out(mut alerts: Vec<Alert>, last: &Desired) -> Vec<Alert> {
    for out in &last.alerts {
        let stays = alerts
            .iter()
            .any(|alert| (alert.id, alert.session) == (out.id, out.session));
        if !stays && alerts.len() < ALERTS_MAX {
            alerts.push(out.clone());
        }
    }
    alerts
}

impl Engine {
    pub(crate) fn ask_to_trim<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        session: u64,
        token: u64,
    ) -> Result<(), String> {
        match self.sessions.get_mut(&session).filter(|asked| asked.is_alive()) {
            Some(asked) => asked.note_trim(token),
            None => return Err(format!("session {session:016x} has ended")),
        }
        self.published.trims.retain(|trim| trim.session != session);
        self.published.trims.push(Trim { session, token });
        self.publish_now(world, now)
    }

    pub(crate) fn publish_now<W: World>(&mut self, world: &mut W, now: Now) -> Result<(), String> {
        self.publish(world, now);
        match &self.published.failed {
            None => Ok(()),
            Some(error) => Err(format!("what sessions are to do cannot be published: {error}")),
        }
    }

    /// Publishes, if there is anything new, and wakes whom it concerns.
    pub(crate) fn publish<W: World>(&mut self, world: &mut W, now: Now) {
        self.forget_answered_trims();
        let (alerts, renumbered) = self.addressed_alerts();
        if renumbered {
            // A number that a session may show is not given out again.
            self.keep_alerts(world, now);
        }
        let last = &self.published.desired;
        let alerts = match self.log.failed().is_some() {
            true => and_those_out(alerts, last),
            false => alerts,
        };
        let settings: Vec<Setting> = self
            .state
            .settings
            .iter()
            .map(|(name, value)| Setting {
                name: name.clone(),
                value: value.clone(),
            })
            .collect();
        let trials = self.trials_to_publish();
        let config = self.config_to_publish();
        // Whoever published before may have died before it woke anybody.
        let concerns_all = config.is_some() && (config != last.config || self.published.stale);
        let same = alerts == last.alerts
            && self.published.trims == last.trims
            && settings == last.settings
            && trials == last.trials
            && config == last.config;
        if same && !self.published.stale {
            return;
        }
        let desired = Desired {
            generation: last.generation.saturating_add(1),
            alerts,
            trims: self.published.trims.clone(),
            settings,
            trials,
            config,
        };
        match world.publish(&desired) {
            Ok(()) => {
                let mut woken: Vec<u64> = desired.trims.iter().map(|trim| trim.session).collect();
                woken.extend(desired.alerts.iter().map(|alert| alert.session));
                if concerns_all {
                    let known: Vec<u64> = self.session_names().map(|(session, ..)| session).collect();
                    world.wake_everyone(&known);
                    woken.clear();
                }
                woken.sort_unstable();
                woken.dedup();
                woken.into_iter().for_each(|session| world.wake(session));
                self.published.desired = desired;
                self.published.stale = false;
                self.published.failed = None;
            }
            Err(error) => {
                self.published.stale = true;
                self.published.failed = Some(error.to_string());
            }
        }
    }

    fn forget_answered_trims(&mut self) {
        let sessions = &self.sessions;
        self.published.trims.retain(|trim| {
            sessions
                .get(&trim.session)
                .is_some_and(|session| session.is_alive() && session.trim_token() != Some(trim.token))
        });
    }

    pub(crate) fn is_published(&self, name: &str, value: Option<&str>) -> bool {
        let published = self
            .published
            .desired
            .settings
            .iter()
            .find(|setting| setting.name == name);
        !self.published.stale && published.map(|setting| setting.value.as_str()) == value
    }

    pub(crate) fn is_trial_published(&self, id: u64) -> bool {
        let mut published = self.published.desired.trials.iter();
        !self.published.stale && published.any(|trial| trial.id == id)
    }

    /// A worker that ends wants nothing of anybody. What is on trial is in force on every other line for as long as somebody
    /// judges it, and no longer: lines are typed with what was in force before, until the next worker goes on comparing.
    pub(crate) fn publish_nothing<W: World>(&mut self, world: &mut W) {
        let last = &self.published.desired;
        let alerts = match self.log.failed() {
            // What was shown is written down nowhere else.
            Some(_) => and_those_out(Vec::new(), last),
            None => Vec::new(),
        };
        let desired = Desired {
            generation: last.generation.saturating_add(1),
            alerts,
            trims: Vec::new(),
            // What is in force stays so without a worker.
            settings: last.settings.clone(),
            trials: Vec::new(),
            config: last.config.clone(),
        };
        // Failing that, sessions do once more what was wanted: each is done once.
        let _stands = world.publish(&desired);
    }
}
