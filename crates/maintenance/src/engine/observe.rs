//! Looking at the sessions, saying how they are doing, and what to tell about it.
//!
//! ```text
//!  collect: each flight file ▸ session ─┬ lives ▸ window, prompts, what is usual
//!                                       └ died  ▸ last words, an incident
//!  check:   sessions, worker ▸ assess, learn ▸ findings, with the engine's own ▸ alerts ▸ samples, forecasts
//! ```
//!
//! The seven steps of a health check: collect ([`Engine::look`]), evaluate, record, alert, components, trigger, publish.
//! They are taken with every look, since together they cost less than a tenth of a millisecond; the task `health-check`
//! takes them on its schedule and is counted.
//!
//! Invariants:
//! - A look allocates nothing as long as nobody comes or goes.
//! - A look changes no session: what is told to one is published, and what it is to do is a plan's.
//! - An engine that does not act collects and assesses, and writes nothing.

mod alerts;
mod death;
mod own;
pub(super) mod session;
mod sessions;
pub(super) mod worker;

use lle_core::health::assess::{Assessment, assess, learn};
use lle_core::health::view::SessionView;
use lle_metrics::Liveness;

use super::{Engine, SECOND_NS, predict};
use crate::state::Change;
use crate::world::{Cost, Now, World};
use session::SessionState;

/// A session that nobody typed into for so long is idle, in nanoseconds.
pub(crate) const IDLE_NS: u64 = 30 * SECOND_NS;
/// Sessions known at once; more are not looked at.
const SESSIONS_MAX: usize = 2_000;
/// How often what was learned is written, in nanoseconds: it is learned again in minutes if it is lost.
const BASELINES_NS: u64 = 600 * SECOND_NS;

impl Engine {
    /// Collects, evaluates, records, alerts: all of a health check but telling the sessions.
    pub fn look<W: World>(&mut self, world: &mut W, now: Now) {
        self.collect(world, now);
        self.check_health(world, now);
    }

    /// Looks at every session, and notes who has come and gone: the first step of a health check. Allocates nothing
    /// as long as nobody comes or goes.
    pub fn collect<W: World>(&mut self, world: &mut W, now: Now) {
        self.looked_at = Some(now);
        self.looks += 1;
        let this_look = self.looks;
        let mut died = Vec::new();
        let sessions = &mut self.sessions;
        let buried = &mut self.buried;
        let known = &self.state.noticed;
        let incidents = &self.state.incidents;
        let idle_ns = self.pace.idle_ns;
        let began_wall_ns = self.started_wall_ns.max(0).cast_unsigned();
        world.look(&mut |look| {
            if let Some(seen_in) = buried.get_mut(&look.session) {
                *seen_in = this_look;
            }
            if sessions.len() >= SESSIONS_MAX && !sessions.contains_key(&look.session) {
                return;
            }
            let dead = look.liveness == Liveness::Dead;
            if dead && buried.contains_key(&look.session) {
                return;
            }
            // An earlier worker has told of it, and taken in what it had done.
            let is_told = |session| incidents.iter().any(|incident| incident.session == Some(session));
            if dead && !sessions.contains_key(&look.session) && is_told(look.session) {
                buried.insert(look.session, this_look);
                return;
            }
            let state = sessions
                .entry(look.session)
                .or_insert_with(|| SessionState::new(look.session, idle_ns, now, known));
            state.see(now, this_look, began_wall_ns, &look);
            if dead {
                died.push(look.session);
            }
        });
        self.hear_trials(now);
        self.hear_configuration(now);
        // Whose file is gone has ended by itself.
        self.sessions.retain(|_, session| session.is_in(this_look));
        self.buried.retain(|_, seen_in| *seen_in == this_look);
        if self.acts {
            // What a session that died had typed and timed since the last look counts before it is forgotten.
            self.suspect(world, now);
            died.into_iter()
                .for_each(|session| self.report_death(world, now, session));
            self.worker.take_cost(now, world.own_cost());
        }
    }

    /// Evaluates, records and alerts, on what was collected.
    pub(crate) fn check_health<W: World>(&mut self, world: &mut W, now: Now) {
        let views: Vec<SessionView<'_>> = self.sessions.values().map(|session| session.view(now)).collect();
        let worker = self.worker_view(now);
        let wall_ns = now.wall_ns.max(0).cast_unsigned();
        let mut assessment = assess(&views, &worker, &self.state.baselines, &self.config.thresholds);
        learn(&mut self.state.baselines, wall_ns, &views, &assessment);
        drop(views);
        assessment.findings.extend(self.own_findings(now));
        assessment.findings.extend(self.history_findings());
        assessment.findings.extend(self.drilled.finding());
        assessment.findings.extend(self.backed_up.finding(now.wall_ns));
        assessment.findings.extend(self.changed_findings(now));
        assessment.findings.extend(self.coming_findings(now));
        if self.acts {
            self.worker.forget_shed();
            let told = predict::told_once(&assessment.findings, &self.state.alerts);
            self.alert(world, now, &told);
            let mut samples = samples(&assessment);
            samples.extend(self.starts_and_floors());
            let sizes = self.predict(world, now, &samples);
            samples.extend(sizes);
            world.keep_samples(now, &samples);
        }
        self.assessment = Some(assessment);
    }

    /// Writes what was learned of what is usual, now and then: no part of a look, which must be short.
    pub(crate) fn keep_learned<W: World>(&mut self, world: &mut W, now: Now) {
        if self.looked_at == Some(now) && now.mono_ns.saturating_sub(self.baselines_kept_at) >= BASELINES_NS {
            self.baselines_kept_at = now.mono_ns;
            // Somebody may have run a drill, or taken a snapshot, by hand.
            self.drilled.read(world);
            self.backed_up.read(world);
            let baselines = Box::new(self.state.baselines.clone());
            self.keep(world, now, Change::Baselines { baselines });
        }
    }
}

/// One number of each metric, for trends: all sessions together.
fn samples(assessment: &Assessment) -> Vec<(&'static str, f64)> {
    assessment
        .metrics
        .iter()
        .filter(|measured| measured.session.is_none())
        .filter_map(|measured| Some((measured.metric.name, measured.value.known()?)))
        .collect()
}

/// Percent of one processor between two looks, if both tell.
fn percent(before: Option<Cost>, after: Option<Cost>, elapsed_ns: u64) -> Option<f64> {
    let (before, after) = before.zip(after)?;
    let spent = after.cpu_ns.checked_sub(before.cpu_ns)?;
    (elapsed_ns > 0).then(|| spent as f64 * 100.0 / elapsed_ns as f64)
}
