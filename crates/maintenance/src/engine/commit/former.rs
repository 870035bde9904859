//! A version that comes while another is on trial: it takes that one's place, and gives way to it again if it is taken back.
//!
//! ```text
//!  1 proven ◂ 2 on trial ◂ 3 on trial   3 is slower ─▸ 2 in force, its trial goes on ─▸ 2 is slower ─▸ 1
//!                          └ compared with 1, since 2 has not proved itself
//! ```
//!
//! Invariants:
//! - What is taken back is one edit. What was applied for a while is taken back to what the file said before, with every
//!   edit since: those keep its deadline, and its need for a word.
//! - An edit that changes no value, such as a comment, changes nothing of a trial but the number of its version.
//! - Trials that wait for the one above are bounded by [`LEVELS_MAX`].

use lle_core::config::{CATALOGUE, Config, Name, Part, effect};
use lle_core::in_force::InForce;
use lle_core::plan::Action;
use lle_core::trial::configured::Configured;
use lle_core::trial::measure::moved_by_all;
use lle_core::trial::{Evidence, OPEN_MAX, Otherwise, Trial};

use super::super::Engine;
use super::super::audit::Entry;
use super::super::config::Accepted;
use super::{Watching, changed_theme, withdrawn};
use crate::state::{Change, OpenTrial};
use crate::world::{Now, World};

/// Trials above one another: each is kept with its evidence. A further edit is judged together with the one below.
const LEVELS_MAX: usize = 4;

impl Engine {
    /// A version has come into force: ends the trial of the one before it, and opens its own, or goes on with one that waits.
    pub(in crate::engine) fn try_configuration<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        accepted: &Accepted<'_>,
    ) {
        let open = self.on_trial().map(|(id, trial, _)| (id, trial.clone()));
        let open = open.and_then(|(id, trial)| Some((id, trial.configured.clone()?, trial)));
        let says = |says: &InForce| {
            accepted.after.says_the_same(&CATALOGUE.read_back(says))
                && changed_theme(says, accepted.after_says).is_none()
        };
        if let Some((id, configured, trial)) = &open
            && configured.judged.is_none()
            && says(accepted.before_says)
        {
            self.go_on_as(world, now, *id, trial.clone(), accepted.version);
            return;
        }
        let armed = self.disarm(world, now, accepted.after);
        let decoded = |level: &Configured| InForce::decode(level.earlier_says.as_bytes());
        // What is applied for a while is a trial, whatever it says.
        let back = open
            .iter()
            .filter(|_| armed.is_none())
            .flat_map(|(_, configured, _)| configured.levels())
            .find(|level| decoded(level).is_some_and(|earlier| says(&earlier)));
        if let Some((id, configured, trial)) = &open {
            let judged = match (&configured.judged, back) {
                // By us, or by somebody in that moment.
                (Some(judged), Some(_)) => judged.clone(),
                (_, Some(level)) => {
                    withdrawn(format!("version {} was taken up again by hand", level.earlier))
                }
                _ => withdrawn(format!("version {} took its place", accepted.version)),
            };
            let mut trial = trial.clone();
            if let Some(configured) = trial.configured.as_deref_mut().filter(|_| back.is_none()) {
                configured.judged = None;
            }
            self.end_configuration(world, now, *id, &trial, &judged, false);
        }
        if let Some(level) = back {
            if let Some(waited) = &level.former {
                self.wait_no_more(world, now, (**waited).clone(), accepted.version);
            }
            return;
        }
        // Nobody knows what was in force before the first start: that is no change.
        if !accepted.is_first {
            self.open_above(world, now, accepted, open.map(|(_, _, trial)| trial), armed);
        }
    }

    /// Opens the trial of a version, in place of that of `open` if there is one.
    fn open_above<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        accepted: &Accepted<'_>,
        open: Option<Trial>,
        armed: Option<u64>,
    ) {
        let below = open.as_ref().and_then(|trial| trial.configured.as_deref());
        // Which files it was made of tells nobody what it said.
        let before = InForce {
            sources: Vec::new(),
            ..accepted.before_says.clone()
        };
        let proven = below
            .filter(|_| armed.is_none())
            .and_then(|below| InForce::decode(below.levels().last()?.earlier_says.as_bytes()));
        let proven = proven.as_ref().unwrap_or(&before);
        let theme = changed_theme(proven, accepted.after_says);
        let change = effect(&CATALOGUE.read_back(proven), accepted.after);
        let mut keys: Vec<String> = change
            .changed
            .iter()
            .map(|changed| changed.name.to_owned())
            .collect();
        let mut parts = change.parts;
        if let Some(theme) = theme {
            // Another theme's name says that the colours are others.
            if !keys.iter().any(|key| key == Name::EditorTheme.key().name) {
                keys.push(theme);
            }
            parts.push(Part::Display);
        }
        let measures = moved_by_all(&parts);
        let joined = below.filter(|below| below.needs_word && armed.is_none());
        if keys.is_empty() || (measures.is_empty() && armed.is_none() && joined.is_none()) {
            return;
        }
        let needs_word = armed.is_some() || joined.is_some();
        let earlier = joined.map_or(accepted.before_version, |joined| joined.earlier);
        let mut configured = Configured::new(accepted.version, earlier, keys, &measures, needs_word);
        configured.earlier_says =
            joined.map_or_else(|| before.encode(), |joined| joined.earlier_says.clone());
        self.say_what_was_before(&mut configured, below);
        let time = match (joined, &open) {
            (Some(_), Some(open)) => (open.active_ns, Some(open.active_ns_max)),
            _ => (0, armed),
        };
        configured.former = match (below, joined) {
            (Some(below), None) if below.levels().count() < LEVELS_MAX => open.clone().map(waiting),
            (Some(below), _) => below.former.clone(),
            (None, _) => None,
        };
        self.open_configuration(world, now, configured, accepted.after, time);
    }

    /// The trial goes on, of a version that says the same.
    fn go_on_as<W: World>(&mut self, world: &mut W, now: Now, id: u64, mut trial: Trial, version: u64) {
        rename(&mut trial, version);
        self.watch_anew(now);
        let trial = Box::new(OpenTrial { id, trial });
        self.keep(world, now, Change::Trial { trial });
    }

    /// What waited is in force again, as that version: its trial goes on.
    fn wait_no_more<W: World>(&mut self, world: &mut W, now: Now, mut trial: Trial, version: u64) {
        rename(&mut trial, version);
        self.begin_trial(world, now, trial);
    }

    fn watch_anew(&mut self, now: Now) {
        self.commit = Watching {
            generation: self.published.generation().saturating_add(1),
            kept_ns: now.mono_ns,
            attempts: 0,
        };
    }

    fn open_configuration<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        configured: Configured,
        config: &Config,
        (active_ns, active_ns_max): (u64, Option<u64>),
    ) {
        if self.state.trials.len() >= OPEN_MAX {
            return;
        }
        let minutes = config.number(Name::TrialActive);
        let version = configured.version;
        let trial = Trial {
            change: format!("config version {version}"),
            revert: Action::UseConfig {
                version: configured.earlier,
                instead_of: version,
            },
            metric: configured
                .judged_by()
                .map(|measure| measure.row().name)
                .collect::<Vec<_>>()
                .join(", "),
            before: Evidence::default(),
            after: Evidence::default(),
            tolerance: config.number(Name::TrialPromptTolerance) as f64 / 100.0,
            active_ns_max: active_ns_max.unwrap_or_else(|| minutes.saturating_mul(self.pace.minute_ns)),
            active_ns,
            otherwise: match config.word(Name::TrialInconclusive) {
                "revert" => Otherwise::Revert,
                _ => Otherwise::Keep,
            },
            paired: None,
            configured: Some(Box::new(configured)),
        };
        self.begin_trial(world, now, trial);
    }

    fn begin_trial<W: World>(&mut self, world: &mut W, now: Now, trial: Trial) {
        let id = self.state.next_id();
        self.watch_anew(now);
        let what = format!("trial {id} of {} is open", trial.change);
        let why = format!(
            "judged by {}",
            if trial.metric.is_empty() {
                "nothing but trouble"
            } else {
                &trial.metric
            }
        );
        self.record(world, now, &Entry::noticed(&what, &why));
        let trial = Box::new(OpenTrial { id, trial });
        self.keep(world, now, Change::Trial { trial });
    }
}

/// A trial that waits for the one above: whatever it was about to come to, it is looked at again.
fn waiting(mut trial: Trial) -> Box<Trial> {
    if let Some(configured) = trial.configured.as_deref_mut() {
        configured.judged = None;
    }
    Box::new(trial)
}

/// Makes it the trial of that version, which says the same.
fn rename(trial: &mut Trial, version: u64) {
    if let Some(configured) = trial.configured.as_deref_mut() {
        configured.version = version;
        trial.change = format!("config version {version}");
        trial.revert = Action::UseConfig {
            version: configured.earlier,
            instead_of: version,
        };
    }
}
