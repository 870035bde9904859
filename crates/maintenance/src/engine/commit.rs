//! A configuration that has come into force is on trial until it proved itself.
//!
//! ```text
//!  accepted ─▸ trial, before = what each session usually takes ─▸ each look: since ─▸ judge
//!     ▲                                                                                ├ no slower, or in time: stays
//!     │ the same way as an edit                                                        │
//!     └── plan { use the version before } ◂── verdict written down ◂── worse, or nobody said so
//! ```
//!
//! To open a trial changes nothing in the world, so it is a record and no plan; what takes a version back is a plan,
//! authorised and recorded as every other.
//!
//! Invariants:
//! - One configuration is on trial at a time. The next edit takes its place, and is compared with what proved itself last;
//!   taken back, it gives way to the one before it, whose trial goes on (`former`).
//! - Each trial ends once: kept, taken back, or named as what cannot be taken back.
//! - What somebody wrote meanwhile is not overwritten: a version is taken back only while it is the one in force.

use lle_core::config::{Config, Name};
use lle_core::in_force::InForce;
use lle_core::mode::Mode;
use lle_core::plan::{Action, Check, Plan, Step};
use lle_core::policy::Who;
use lle_core::task::TaskKind;
use lle_core::trial::configured::{Configured, Judged};
use lle_core::trial::measure::Measure;
use lle_core::trial::{ConfigEnded, Ended, Evidence, Trial, Verdict};

use super::audit::Entry;
mod former;

use super::{Engine, SECOND_NS};
use crate::state::{Change, OpenTrial};
use crate::world::{Now, World};

/// How often what was heard is written, in nanoseconds: what was heard since is lost with a worker, and heard anew.
const KEEP_NS: u64 = 60 * SECOND_NS;
/// Looks at which a version is tried to be taken back, before that is given up and told.
const ATTEMPTS_MAX: u32 = 5;
/// For so long a session may be in the command that is configured for before prompts, in nanoseconds: nobody waits longer.
const COMMAND_NS_MAX: u64 = 10 * SECOND_NS;
/// The session that all starts are counted to: each session has but one.
const ALL_SESSIONS: u64 = 0;

/// What is known of the trial of a configuration and need not survive.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    /// The generation that sessions have seen once they go by what is on trial.
    generation: u64,
    kept_ns: u64,
    attempts: u32,
}

impl Engine {
    /// The configuration on trial, and the trial's number.
    pub(super) fn on_trial(&self) -> Option<(u64, &Trial, &Configured)> {
        let mut trials = self.state.trials.iter();
        trials.find_map(|(id, trial)| Some((*id, trial, trial.configured.as_deref()?)))
    }

    /// Takes what was armed if it is this configuration; gives the active time that it has. What else was armed is
    /// forgotten: something else came of it.
    fn disarm<W: World>(&mut self, world: &mut W, now: Now, after: &Config) -> Option<u64> {
        let armed = self.state.armed.clone()?;
        self.keep(world, now, Change::Armed { armed: None });
        (armed.says == after.mark()).then_some(armed.active_ns_max)
    }

    /// What sessions usually take, or what the trial before compared with.
    fn say_what_was_before(&self, configured: &mut Configured, former: Option<&Configured>) {
        let measures: Vec<Measure> = configured.judged_by().collect();
        let mut starts = Evidence::default();
        for session in self.sessions.values().filter(|session| session.is_alive()) {
            starts.merge(&session.usual.of(Measure::Starts));
            for measure in measures.iter().filter(|measure| **measure != Measure::Starts) {
                let usual = session.usual.of(*measure);
                if usual.count > 0 {
                    configured.before(session.id(), *measure, usual);
                }
            }
        }
        if measures.contains(&Measure::Starts) {
            configured.before(ALL_SESSIONS, Measure::Starts, starts);
        }
        // Sessions keep apart what they took before a version went on trial; a trial in between does not end that.
        if let Some(former) = former {
            configured.take_before_of(former);
        }
    }

    /// Takes over what sessions show of the configuration on trial, or adds it to what is usual. Once a look.
    pub(super) fn hear_configuration(&mut self, now: Now) {
        let looks = self.looks;
        let began = self.started_wall_ns.max(0).cast_unsigned();
        let seen_generation = self.commit.generation;
        let mut on_trial = self
            .state
            .trials
            .values_mut()
            .find_map(|trial| trial.configured.as_deref_mut());
        for session in self
            .sessions
            .values_mut()
            .filter(|session| session.was_seen_in(looks))
        {
            let Some(trial) = &mut on_trial else {
                session.usual.keep();
                continue;
            };
            let goes_by = session.config_version() == Some(trial.version);
            // What it went by when the look before was taken: what lies in between is of both.
            let version = session.config_version();
            let settled = std::mem::replace(&mut session.goes_by, version) == Some(trial.version);
            let has_seen = session
                .seen_generation()
                .is_some_and(|seen| seen >= seen_generation);
            if session.new_faults() > 0 && (goes_by || has_seen) {
                trial.fail(&format!("LLE failed in the session on {}", session.tty()));
            }
            if let Some((version, since_ns)) = session.in_command()
                && is_of(trial, version)
                && now.mono_ns.saturating_sub(since_ns) > COMMAND_NS_MAX
            {
                trial.fail(&format!(
                    "prompt.command did not come to an end within {} s in the session on {}",
                    COMMAND_NS_MAX / SECOND_NS,
                    session.tty()
                ));
            }
            if session.began_with() == Some(trial.version)
                && session.created_wall_ns().is_some_and(|created| created >= began)
                && let Some(start) = session.usual.fresh(Measure::Starts)
            {
                trial.hear(ALL_SESSIONS, Measure::Starts, start);
            }
            if !goes_by {
                session.usual.keep();
                continue;
            }
            let mut moved: Vec<Measure> = trial.judged_by().filter(|of| *of != Measure::Starts).collect();
            if settled {
                for measure in &moved {
                    if let Some(seen) = session.usual.fresh(*measure) {
                        trial.hear(session.id(), *measure, seen);
                    }
                }
            }
            // A theme on trial does not keep prompts from being learned: the next edit may slow those.
            moved.push(Measure::Starts);
            session.usual.keep_but(&moved);
        }
    }

    /// A session that went by the configuration on trial has ended without a word: while a command ran, somebody may have
    /// killed it; otherwise nobody knows what else it was.
    pub(super) fn note_crash(&mut self, version: Option<u64>, was_busy: bool, tty: &str) {
        let mut trials = self.state.trials.values_mut();
        let on_trial = trials.find_map(|trial| trial.configured.as_deref_mut());
        if let Some(trial) = on_trial.filter(|trial| version == Some(trial.version) && !was_busy) {
            trial.fail(&format!("the session on {tty} ended without a word"));
        }
    }

    /// A session has ended in the command of that version that is run before prompts: by itself, or without a word.
    pub(super) fn note_end_in_command(&mut self, version: u64, tty: &str) {
        let mut trials = self.state.trials.values_mut();
        let on_trial = trials.find_map(|trial| trial.configured.as_deref_mut());
        if let Some(trial) = on_trial.filter(|trial| is_of(trial, version)) {
            trial.fail(&format!("the session on {tty} ended in prompt.command"));
        }
    }

    /// Gives a configuration its verdict, if there is one. Once a look.
    pub(super) fn judge_configuration<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        id: u64,
        trial: &mut Trial,
    ) {
        if self.looked_at != Some(now) {
            return;
        }
        let over = trial.active_ns >= trial.active_ns_max;
        let (tolerance, otherwise) = (trial.tolerance, trial.otherwise);
        let Some(configured) = trial.configured.as_deref_mut() else {
            return;
        };
        let before = configured.looks();
        let judged = match &configured.judged {
            Some(judged) => Some(judged.clone()),
            None => configured.look(tolerance, over, otherwise),
        };
        let looked = configured.looks() > before;
        match judged {
            None => {
                if looked || now.mono_ns.saturating_sub(self.commit.kept_ns) >= KEEP_NS {
                    self.commit.kept_ns = now.mono_ns;
                    let trial = Box::new(OpenTrial {
                        id,
                        trial: trial.clone(),
                    });
                    self.keep(world, now, Change::Trial { trial });
                }
            }
            Some(judged) if judged.verdict.reverts() => self.take_back(world, now, id, trial, judged),
            Some(judged) => {
                self.adopt(trial);
                self.end_configuration(world, now, id, trial, &judged, true);
            }
        }
    }

    /// What was measured under the configuration that stays is what is usual from now on.
    pub(super) fn adopt(&mut self, trial: &Trial) {
        let Some(configured) = trial.configured.as_deref() else {
            return;
        };
        for session in self.sessions.values_mut() {
            for measure in configured.judged_by() {
                if let Some(after) = configured.after(session.id(), measure) {
                    session.usual.begin_anew(measure, after);
                }
            }
        }
    }

    fn take_back<W: World>(&mut self, world: &mut W, now: Now, id: u64, trial: &mut Trial, judged: Judged) {
        // Whatever somebody has saved by now goes first: then there is nothing to take back.
        let _later = self.sync_configuration(world, now);
        if !self.state.trials.contains_key(&id) {
            return;
        }
        let Some(configured) = trial.configured.as_deref_mut() else {
            return;
        };
        let (version, earlier, needs_word) = (configured.version, configured.earlier, configured.needs_word);
        configured.judged = Some(judged.clone());
        let kept = Box::new(OpenTrial {
            id,
            trial: trial.clone(),
        });
        self.keep(world, now, Change::Trial { trial: kept });
        // Who applied it for a while has said what is to become of it.
        let name = TaskKind::ConfigSync.name();
        if !needs_word && self.mode_of(name) != Mode::Automatic {
            let why = format!(
                "not taken back, since {name} may only {}",
                self.mode_of(name).name()
            );
            self.end_configuration(world, now, id, trial, &and(&judged, &why), true);
            return;
        }
        let plan = Plan {
            task: name.to_owned(),
            why: format!("trial {id}: {}", judged.why),
            steps: vec![Step {
                action: Action::UseConfig {
                    version: earlier,
                    instead_of: version,
                },
                verify: Check::Accepted,
                undo: None,
            }],
        };
        let who = Who::engine(self.config.uid);
        let refused = self
            .begin(world, now, &who, plan)
            .err()
            .map(|fault| fault.message);
        if !self.state.trials.contains_key(&id) {
            return;
        }
        self.commit.attempts += 1;
        if self.commit.attempts >= ATTEMPTS_MAX {
            let last = self
                .state
                .tasks
                .get(name)
                .and_then(|known| known.statistics.last.as_ref());
            let why = refused.or(last.map(|last| last.note.clone())).unwrap_or_default();
            let why = format!("it could not be taken back: {why}");
            self.end_configuration(world, now, id, trial, &and(&judged, &why), true);
        }
    }

    /// Does what a plan that takes a version back consists of.
    pub(super) fn use_config<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        version: u64,
        instead_of: u64,
    ) -> Result<(), String> {
        let in_force = self.version_in_force();
        if in_force != instead_of {
            return Err(format!("version {in_force} is in force, and not {instead_of}"));
        }
        let why = format!("version {instead_of} did not prove itself");
        self.put_back(world, now, version, Some(instead_of), &why)
            .map(drop)?;
        if self
            .on_trial()
            .is_some_and(|(_, _, on_trial)| on_trial.version == instead_of)
        {
            return Err("what it changed does not stand in your file".into());
        }
        self.publish_now(world, now)
    }

    /// Ends the trial of a configuration, and says so among its versions.
    pub(super) fn end_configuration<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        id: u64,
        trial: &Trial,
        judged: &Judged,
        kept: bool,
    ) {
        let Some(configured) = trial.configured.as_deref() else {
            return;
        };
        // It was judged, and what it was compared with is in force again.
        let taken_back = !kept && configured.judged.is_some();
        let ended = Ended {
            id,
            wall_ns: now.wall_ns,
            change: trial.change.clone(),
            lever: None,
            metric: trial.metric.clone(),
            estimate: None,
            active_ns: trial.active_ns,
            verdict: judged.verdict,
            why: judged.why.clone(),
            kept,
            config: Some(ConfigEnded {
                version: configured.version,
                earlier: configured.earlier,
                keys: configured.keys.clone(),
                slower: judged.by.clone(),
                taken_back,
            }),
        };
        let what = format!("trial {id} of {}: {}", trial.change, outcome(&ended));
        self.record(world, now, &Entry::noticed(&what, &judged.why));
        // What only another edit ended has neither proved itself nor failed.
        let said = match judged.verdict {
            Verdict::Confirm => Some(true),
            _ => taken_back.then_some(false),
        };
        if let Some(confirmed) = said
            && let Err(trouble) = world.judge_version(now, configured.version, confirmed)
        {
            let why = format!("{trouble:?}");
            self.record(
                world,
                now,
                &Entry::noticed("a verdict is not among the versions", &why),
            );
        }
        let ended = Some(Box::new(ended));
        self.keep(world, now, Change::TrialEnded { id, ended });
    }
}

/// The file of the user's theme whose colours are others, or that there is one now or none any more; as the log of
/// versions names it.
pub(super) fn changed_theme(before: &InForce, after: &InForce) -> Option<String> {
    if before.look == after.look {
        return None;
    }
    let look = after.look.as_ref().or(before.look.as_ref())?;
    Some(format!("themes/{}.toml", look.name))
}

/// What became of a configuration, in a word.
pub(super) fn outcome(ended: &Ended) -> &'static str {
    let taken_back = ended.config.as_ref().is_some_and(|config| config.taken_back);
    match (ended.verdict, taken_back) {
        (Verdict::Confirm, _) => "confirmed",
        (Verdict::InconclusiveKept, _) => "kept, undecided",
        (Verdict::InconclusiveReverted, true) => "taken back, undecided",
        (_, true) => "taken back",
        _ if ended.kept => "worse, and kept",
        _ => "replaced",
    }
}

/// Whether what is on trial brought the command that version `version` has run before prompts.
fn is_of(trial: &Configured, version: u64) -> bool {
    let has_it = trial.keys.iter().any(|key| key == Name::PromptCommand.key().name);
    has_it && trial.began_at() <= version && version <= trial.version
}

fn withdrawn(why: String) -> Judged {
    Judged {
        verdict: Verdict::Withdrawn,
        by: None,
        why,
    }
}

fn and(judged: &Judged, why: &str) -> Judged {
    Judged {
        why: format!("{}; {why}", judged.why),
        ..judged.clone()
    }
}
