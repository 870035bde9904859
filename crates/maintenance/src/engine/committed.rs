//! Configurations on trial, for people: what is told above a prompt, what can be asked, and what somebody says to it.
//!
//! Invariant: what was taken back is told once, and says what it cost and where to read what it was.

use lle_core::error::Code;
use lle_core::health::component::Component;
use lle_core::health::finding::Finding;
use lle_core::policy::{Who, sanitise};
use lle_core::quantity::age;
use lle_core::severity::Severity;
use lle_core::trial::configured::{Configured, Difference, Judged, taken_back};
use lle_core::trial::measure::Measure;
use lle_core::trial::{ConfigEnded, Ended, Trial, Verdict};
use serde_json::{Value, json};

use super::audit::name_of;
use super::commit::outcome;
use super::{Engine, config};
use crate::api::config_trials::{
    ConfigTrialDocument, ConfigTrialsDocument, DifferenceDocument, MeasureDocument,
};
use crate::api::{Fault, VERSION};
use crate::state::{Armed, Change};
use crate::world::{Now, World};

/// How long it is a finding that a configuration was taken back, in nanoseconds: somebody has come to a prompt by then.
const TOLD_NS: i64 = 6 * 60 * 60 * 1_000_000_000;
/// The least and the most active time of a configuration that is applied for a while, in milliseconds.
const WITHIN_MS: std::ops::RangeInclusive<u64> = 1_000..=7 * 24 * 60 * 60 * 1_000;
/// Bytes of what tells a configuration from another.
const SAYS_BYTES: usize = 16;

impl Engine {
    /// What became of configurations of late that did not stay, or should not have.
    pub(super) fn trial_findings(&self, now: Now) -> Vec<Finding> {
        let of = |ended: &Ended| {
            let config = ended.config.as_ref()?;
            let is_late = !(0..TOLD_NS).contains(&now.wall_ns.saturating_sub(ended.wall_ns));
            let is_worse = ended.verdict.reverts() && ended.kept;
            if is_late || !(config.taken_back || is_worse) {
                return None;
            }
            Some(finding(ended, config))
        };
        self.state.trials_ended.iter().filter_map(of).collect()
    }

    /// What is on trial, and what was.
    pub(super) fn config_trials(&self, now: Now) -> ConfigTrialsDocument {
        let open = self
            .on_trial()
            .map(|(id, trial, configured)| open(id, trial, configured));
        ConfigTrialsDocument {
            version: VERSION,
            now_wall_ns: now.wall_ns,
            in_force: self.version_in_force(),
            open: open.into_iter().collect(),
            ended: self.state.trials_ended.iter().filter_map(ended).collect(),
        }
    }

    /// Keeps the configuration on trial, at a person's word.
    pub(super) fn confirm_configuration<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        version: Option<u64>,
    ) -> Result<Value, Fault> {
        // What was saved a moment ago is what is meant.
        let _later = self.sync_configuration(world, now);
        let Some((id, trial, configured)) = self.on_trial() else {
            return Err(Fault::new(Code::NotFound, "no configuration is on trial")
                .with_hint("`lusush maint config trials` shows what was"));
        };
        if let Some(other) = version.filter(|version| *version != configured.version) {
            let message = format!("version {} is on trial, and not {other}", configured.version);
            return Err(Fault::new(Code::InvalidState, message)
                .with_hint("`lusush maint config trials` shows it; `rollback` takes an older one up again"));
        }
        if configured.judged.is_some() {
            let message = format!("version {} is being taken back", configured.version);
            return Err(Fault::new(Code::InvalidState, message)
                .with_hint("`lusush maint config rollback` takes it up again afterwards"));
        }
        let (trial, version) = (trial.clone(), configured.version);
        let judged = Judged {
            verdict: Verdict::Confirm,
            by: None,
            why: format!("confirmed by {}", name_of(who)),
        };
        self.adopt(&trial);
        self.end_configuration(world, now, id, &trial, &judged, true);
        Ok(json!({ "confirmed": version }))
    }

    /// Takes note that a configuration is about to be applied for a while: it stays only if somebody says so. Written down
    /// before anybody writes the file, so that whoever finds it there knows.
    pub(super) fn arm_configuration<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        says: &str,
        within_ms: u64,
    ) -> Result<Value, Fault> {
        let is_mark = says.len() == SAYS_BYTES && says.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_mark || !WITHIN_MS.contains(&within_ms) {
            let message = "what the configuration says, in sixteen hex digits, and a second to a week";
            return Err(Fault::new(Code::InvalidParameters, message));
        }
        let armed = Armed {
            says: says.to_owned(),
            active_ns_max: within_ms.saturating_mul(1_000_000),
            who: name_of(who),
            wall_ns: now.wall_ns,
        };
        self.write(world, now, Change::Armed { armed: Some(armed) })?;
        Ok(json!({}))
    }
}

fn finding(ended: &Ended, config: &ConfigEnded) -> Finding {
    let (version, earlier) = (config.version, config.earlier);
    let why = sanitise(&ended.why, 300);
    let (title, remedy) = match config.taken_back {
        true => (
            taken_back(version, earlier, &why),
            format!("`lusush maint config diff {earlier} {version}` shows what it said"),
        ),
        false => (
            format!("config version {version} is in force: {why}; `lusush maint config rollback {earlier}`"),
            format!("`lusush maint config rollback {earlier}`"),
        ),
    };
    Finding {
        key: format!("{}tried/{version}", config::TOLD_WHOLE),
        severity: Severity::Warning,
        component: Component::Config,
        session: None,
        title,
        evidence: format!(
            "{why}, in {} of use; keys: {}",
            age(ended.active_ns),
            config.keys.join(", ")
        ),
        remedy,
        before: config.slower.as_ref().map(|(_, difference)| difference.before_ns),
        after: config
            .slower
            .as_ref()
            .map(|(_, difference)| difference.before_ns + difference.by_ns),
        unit: "ns".to_owned(),
    }
}

fn open(id: u64, trial: &Trial, configured: &Configured) -> ConfigTrialDocument {
    let (observations, observations_next) = configured.progress();
    ConfigTrialDocument {
        id,
        config_version: configured.version,
        earlier: configured.earlier,
        keys: configured.keys.clone(),
        needs_word: configured.needs_word,
        measures: configured
            .measures
            .iter()
            .map(|(name, of)| measure(name, of.seen.as_ref()))
            .collect(),
        observations,
        observations_next,
        active_ns: trial.active_ns,
        active_ns_max: Some(trial.active_ns_max),
        outcome: None,
        why: configured.judged.as_ref().map(|judged| judged.why.clone()),
        kept: true,
        ended_wall_ns: None,
    }
}

fn ended(ended: &Ended) -> Option<ConfigTrialDocument> {
    let config = ended.config.clone()?;
    Some(ConfigTrialDocument {
        id: ended.id,
        config_version: config.version,
        earlier: config.earlier,
        outcome: Some(outcome(ended).to_owned()),
        measures: config
            .slower
            .iter()
            .map(|(name, seen)| measure(name, Some(seen)))
            .collect(),
        keys: config.keys,
        needs_word: false,
        observations: 0,
        observations_next: None,
        active_ns: ended.active_ns,
        active_ns_max: None,
        why: Some(ended.why.clone()),
        kept: ended.kept,
        ended_wall_ns: Some(ended.wall_ns),
    })
}

fn measure(name: &str, seen: Option<&Difference>) -> MeasureDocument {
    MeasureDocument {
        name: name.to_owned(),
        floor_ns: Measure::named(name).map_or(0, |measure| measure.row().floor_ns),
        difference: seen.map(|seen| DifferenceDocument {
            before_ns: seen.before_ns,
            by_ns: seen.by_ns,
            low_ns: seen.low_ns,
            high_ns: seen.high_ns,
            samples: seen.samples,
        }),
    }
}
