//! The configuration: brought into force as its files change, published to the sessions, and gone by here.
//!
//! ```text
//!  files ─ settle ─┬ a new version ─▸ record ▸ modes, alerts, linger ▸ accepted ▸ published ▸ every session woken
//!                  └ refused ───────▸ finding, told once; what was in force stays
//! ```
//!
//! Invariants: what is in force is one version, whole, and known after a restart whatever the files say by then. A change
//! comes into force in one way, whether an editor, `maint config set`, a rollback or a trial that failed is behind it.
//! Modes only ever narrow what the policy allows.

use std::time::Duration;

use lle_core::alert;
use lle_core::config::{CATALOGUE, Config, Effect, Name, Problem, Refused, Value, Weight, effect};
use lle_core::health::component::Component;
use lle_core::health::finding::Finding;
use lle_core::in_force::InForce;
use lle_core::mode::Mode;
use lle_core::policy::Who;
use lle_core::severity::Severity;

use super::Engine;
use super::audit::Entry;
use super::commit::changed_theme;
use crate::state::Change;
use crate::world::{ConfigFound, ConfigTrouble, Now, World};

/// Keys named in a record of what a version changed.
const KEYS_NAMED_MAX: usize = 8;
/// How the keys of findings begin whose alert says all there is: where, what was expected, and how to mend it.
pub(super) const TOLD_WHOLE: &str = "config.";
/// How that of the news begins that a mended file is in force.
pub(super) const APPLIED: &str = "config.applied";

/// What is in force, and what is wrong with the files.
pub(crate) struct Configured {
    config: Config,
    in_force: InForce,
    /// The files were read in this engine's life; before that, what was published last stays so.
    known: bool,
    /// They were before, as well.
    was_known: bool,
    refused: Option<Refused>,
    warnings: Vec<Problem>,
    /// Why what the files say is not kept, and so not in force.
    failed: Option<String>,
    /// What told the files from others when they were read.
    sources: Vec<String>,
}

impl Default for Configured {
    fn default() -> Self {
        let config = CATALOGUE.built_in();
        Self {
            in_force: config.in_force(0, None, Vec::new()),
            config,
            known: false,
            was_known: false,
            refused: None,
            warnings: Vec::new(),
            failed: None,
            sources: Vec::new(),
        }
    }
}

/// A version that has come into force.
#[allow(dead_code, reason = "what follows a version goes by all of it")]
pub(super) struct Accepted<'a> {
    /// Its number.
    pub(super) version: u64,
    /// The version before.
    pub(super) before_version: u64,
    /// What was in force.
    pub(super) before: &'a Config,
    /// What is.
    pub(super) after: &'a Config,
    /// The same as sessions read it, with the colours of a theme of the user's.
    pub(super) before_says: &'a InForce,
    /// See above.
    pub(super) after_says: &'a InForce,
    /// What that changes, and whom it concerns.
    pub(super) effect: &'a Effect,
    /// Nobody knows what was in force before: no worker was here yet.
    pub(super) is_first: bool,
}

impl Engine {
    /// The configuration in force.
    pub(super) fn configuration(&self) -> &Config {
        &self.configured.config
    }

    /// What told the configuration's files from others when they were read.
    pub fn config_sources(&self) -> &[String] {
        &self.configured.sources
    }

    /// The version in force.
    pub(super) fn version_in_force(&self) -> u64 {
        self.configured.in_force.version
    }

    /// How long to stay after the last session.
    pub fn linger(&self) -> Duration {
        Duration::from_secs(self.configuration().number(Name::WorkerLinger))
    }

    /// Goes by what an earlier engine had in force.
    pub(super) fn recall_configuration(&mut self) {
        let kept = self
            .state
            .config
            .as_deref()
            .and_then(|text| InForce::decode(text.as_bytes()));
        if let Some(in_force) = kept {
            self.configured.config = CATALOGUE.read_back(&in_force);
            self.configured.in_force = in_force;
        }
        self.go_by_configuration();
    }

    /// Sees what has become of the files since an earlier engine read them.
    pub(super) fn begin_configuration<W: World>(&mut self, world: &mut W, now: Now) {
        let _later = self.sync_configuration(world, now);
    }

    /// Reads the files and brings what they say into force; true if that is to be tried again in a moment.
    pub fn sync_configuration<W: World>(&mut self, world: &mut W, now: Now) -> bool {
        let found = world.settle_config(now);
        self.take_found(world, now, found)
    }

    /// Puts an earlier version back in force, on the way that an edit takes; gives the number of the version it becomes.
    /// `why` goes on after "since".
    ///
    /// # Errors
    /// A file cannot be written, or was changed by somebody in that moment: then what was in force still is.
    pub(super) fn put_back<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        version: u64,
        instead_of: Option<u64>,
        why: &str,
    ) -> Result<u64, String> {
        let who = Who::engine(self.config.uid);
        let target = format!("version {version}");
        let entry = Entry::request("intent", &who, "put the configuration back", &target, "");
        self.record(world, now, &entry.because(why));
        match world.restore_config(now, version, instead_of) {
            Ok(found) => {
                let _settled = self.take_found(world, now, Ok(Some(found)));
                Ok(self.configured.in_force.version)
            }
            Err(ConfigTrouble::Busy) => Err("somebody else is changing it".into()),
            Err(ConfigTrouble::Failed(why)) => Err(why),
        }
    }

    /// A version has come into force, and is about to be published: whoever watches over versions hears of it here.
    pub(super) fn accepted<W: World>(&mut self, world: &mut W, now: Now, accepted: &Accepted<'_>) {
        self.try_configuration(world, now, accepted);
    }

    fn take_found<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        found: Result<Option<ConfigFound>, ConfigTrouble>,
    ) -> bool {
        let found = match found {
            Ok(None) => return false,
            Ok(Some(found)) => found,
            Err(ConfigTrouble::Busy) => return true,
            Err(ConfigTrouble::Failed(why)) => {
                let news = self.configured.failed.replace(why.clone()).as_ref() != Some(&why);
                if news && self.acts {
                    let what = "the configuration cannot be brought into force";
                    self.record(world, now, &Entry::noticed(what, &why));
                    self.look(world, now);
                }
                return false;
            }
        };
        let ConfigFound {
            in_force,
            refused,
            warnings,
            sources,
        } = found;
        let configured = &mut self.configured;
        let was_failing = configured.failed.take().is_some();
        let news = configured.refused != refused;
        let mended = configured.refused.is_some() && refused.is_none();
        configured.warnings = warnings;
        configured.sources = sources;
        configured.was_known = std::mem::replace(&mut configured.known, true);
        if let Some(refused) = refused.as_ref().filter(|_| news) {
            let what = "a changed configuration was refused";
            self.record(world, now, &Entry::noticed(what, &refused.to_string()));
        }
        self.configured.refused = refused;
        if in_force.version != self.configured.in_force.version
            || !in_force.says_the_same(&self.configured.in_force)
        {
            self.bring_into_force(world, now, in_force);
        } else {
            self.configured.in_force = in_force;
        }
        if self.acts && (news || was_failing) {
            self.look(world, now);
        }
        if mended {
            self.tell_applied(world, now);
        }
        false
    }

    fn bring_into_force<W: World>(&mut self, world: &mut W, now: Now, in_force: InForce) {
        let is_first = self.state.config.is_none() && !self.configured.was_known;
        let after = CATALOGUE.read_back(&in_force);
        let version = in_force.version;
        let text = in_force.encode();
        let before_says = std::mem::replace(&mut self.configured.in_force, in_force.clone());
        let before_version = before_says.version;
        let before = std::mem::replace(&mut self.configured.config, after.clone());
        let effect = effect(&before, &after);
        if version != before_version {
            let who = Who::engine(self.config.uid);
            let target = format!("version {version}");
            let entry = Entry::request("intent", &who, "apply the configuration", &target, "");
            let theme = changed_theme(&before_says, &in_force).filter(|_| effect.changed.is_empty());
            let what = theme.map_or_else(|| named(&effect), |theme| format!("{theme} says something else"));
            self.record(world, now, &entry.because(&what));
        }
        self.keep(world, now, Change::Config { in_force: text });
        self.go_by_configuration();
        self.accepted(
            world,
            now,
            &Accepted {
                version,
                before_version,
                before: &before,
                after: &after,
                before_says: &before_says,
                after_says: &in_force,
                effect: &effect,
                is_first,
            },
        );
    }

    /// Hands on what is in force to those here who go by it and keep it themselves.
    fn go_by_configuration(&mut self) {
        let per_hour = self.configured.config.number(Name::AlertsPerHour);
        let per_hour = usize::try_from(per_hour).unwrap_or(usize::MAX);
        self.state.alerts.limit_per_hour(per_hour);
    }

    /// How far an area may go by the configuration.
    pub(super) fn configured_mode(&self, area: &str) -> Mode {
        let name = format!("maintenance.mode.{area}");
        let row = CATALOGUE.find(&name).map(|(row, _)| row);
        let setting = row.and_then(|row| self.configuration().settings().nth(row));
        let mode = setting.and_then(|(_, setting)| match &setting.value {
            Value::Text(word) => Mode::named(word),
            _ => None,
        });
        // A registered task has no key of its own.
        mode.unwrap_or(Mode::Automatic)
    }

    /// Whether an alert is told above prompts.
    pub(super) fn is_told(&self, key: &str, severity: Severity) -> bool {
        let config = self.configuration();
        let least = config.word(Name::AlertsPromptSeverity);
        let least = Severity::ALL.iter().find(|severity| severity.name() == least);
        let enough = severity >= least.copied().unwrap_or(alert::SEVERITY_MIN);
        // That a file is mended is told to whom it was told that it is broken, or to nobody.
        config.is_on(Name::AlertsPrompt) && (enough || key.starts_with(APPLIED))
    }

    /// The configuration as running sessions are to have it; none leaves them theirs.
    pub(super) fn config_to_publish(&self) -> Option<InForce> {
        let configured = &self.configured;
        if !configured.known {
            return self.published.config().cloned();
        }
        let live = configured.config.is_on(Name::ReloadLive);
        live.then(|| configured.in_force.only(|name| CATALOGUE.is_for_sessions(name)))
    }

    /// What is wrong with the configuration's files.
    pub(super) fn config_findings(&self) -> Vec<Finding> {
        let configured = &self.configured;
        let mut findings = Vec::new();
        if let Some(refused) = &configured.refused {
            let told = refused
                .problems
                .iter()
                .filter(|problem| problem.weight == Weight::Error);
            let first = told.clone().next().map(ToString::to_string).unwrap_or_default();
            let more = told.count().saturating_sub(1) + refused.more_problems;
            let more = match more {
                0 => String::new(),
                more => format!(" ({more} more: `lusush maint config check`)"),
            };
            findings.push(finding(
                format!("{TOLD_WHOLE}broken/{:016x}", fingerprint(&first)),
                Severity::Warning,
                format!("the configuration before holds: {}{more}", one_line(&first)),
                first,
                "`lusush maint config check` says all that is wrong",
            ));
        }
        for warning in &configured.warnings {
            let text = warning.to_string();
            findings.push(finding(
                format!("{TOLD_WHOLE}warning/{:016x}", fingerprint(&text)),
                Severity::Warning,
                one_line(&text),
                text,
                "`lusush maint config check` says all that is worth knowing",
            ));
        }
        if let Some(failed) = &configured.failed {
            findings.push(finding(
                format!("{TOLD_WHOLE}unkept"),
                Severity::Minor,
                format!("a changed configuration is not in force, since it cannot be kept: {failed}"),
                failed.clone(),
                "make room: `lusush doctor` says where the state is",
            ));
        }
        findings
    }

    /// Says once that a file which was broken is mended, and in force.
    fn tell_applied<W: World>(&mut self, world: &mut W, now: Now) {
        let version = self.configured.in_force.version;
        let news = finding(
            format!("{APPLIED}/{version}"),
            Severity::Info,
            format!("the configuration is in order again, and applied (version {version})"),
            String::new(),
            "",
        );
        let at = alert::Now {
            wall_ns: now.wall_ns.max(0).cast_unsigned(),
            mono_ns: now.mono_ns,
        };
        if self.state.alerts.raise(at, &news).is_some() {
            self.keep_alerts(world, now);
        }
    }

    /// The hourly run: what no notification told of.
    pub(super) fn sync_now<W: World>(&mut self, world: &mut W, now: Now, id: u64) -> Result<(), String> {
        if self.sync_configuration(world, now) {
            return Err("somebody else is changing the configuration".into());
        }
        let configured = &self.configured;
        if let Some(failed) = &configured.failed {
            return Err(failed.clone());
        }
        let note = match &configured.refused {
            Some(_) => format!(
                "the files have mistakes; version {} stays in force",
                configured.in_force.version
            ),
            None => format!("version {} is in force", configured.in_force.version),
        };
        self.note(id, &note);
        self.publish_now(world, now)
    }
}

/// Tells one text from another: FNV-1a, 64 bits (Fowler, Noll, Vo 1991).
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The keys that a version changed, as a sentence names them.
fn named(effect: &Effect) -> String {
    let changed = |changed: &lle_core::config::Changed| format!("{} = {}", changed.name, changed.after);
    let mut keys: Vec<String> = effect.changed.iter().take(KEYS_NAMED_MAX).map(changed).collect();
    if keys.is_empty() {
        return "no key has another value".into();
    }
    let more = effect.changed.len().saturating_sub(KEYS_NAMED_MAX);
    if more > 0 {
        keys.push(format!("and {more} more"));
    }
    keys.join(", ")
}

fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).collect::<Vec<_>>().join("; ")
}

fn finding(key: String, severity: Severity, title: String, evidence: String, remedy: &str) -> Finding {
    Finding {
        key,
        severity,
        component: Component::Config,
        session: None,
        title,
        evidence,
        remedy: remedy.to_owned(),
        before: None,
        after: None,
        unit: String::new(),
    }
}

#[cfg(test)]
mod tests;
