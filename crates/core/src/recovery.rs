//! Disasters and the way back: what it looks like when something is lost, and what is done then, step by step.
//!
//! ```text
//!  signs ─▸ detect (which scenarios?) ─▸ plan: phases { step ▸ check ▸ else undo } ─▸ signs again ─▸ nothing detected
//! ```
//!
//! One file a scenario, listed in [`TABLE`]. Each decides from [`Signs`], plain numbers that somebody gathered; doing what
//! a plan says is `lusush maint recover`'s, over what backs up, follows and restores anyway. The steps of the seed
//! document (assess, plan, phases, validate each, undo, integrity check, restore service) are the fields of a [`Plan`].
//!
//! Invariants: nothing is planned that throws away what is there: whatever a step replaces is kept. A plan is bounded.
//! The same signs give the same plan.

pub mod backed_up;
mod config_broken;
mod config_gone;
mod disk_full;
pub mod drilled;
mod history_corrupt;
mod history_cut;
mod history_lost;
mod home_gone;
mod plugins_damaged;
mod repository_damaged;
mod session_crashes;
mod signs;
mod state_corrupt;
mod worker_crashes;

pub use self::session_crashes::{CRASHES_MIN, Early, LEVEL_MAX, LIVED_NS_MAX, WINDOW_NS, escalates};
pub use self::signs::{
    Archive, ConfigSigns, Crashes, DiskSigns, HistorySigns, LostSnapshots, PluginSigns, Signs, StateSigns,
    WORKER_CRASHES_MIN, WORKER_WINDOW_NS,
};

/// Phases of one plan, at most: what has more is two plans.
pub const PHASES_MAX: usize = 8;

/// What was seen of a disaster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// What was seen, as one sentence without a full stop.
    pub evidence: String,
    /// Nobody could have meant it, and what is done about it can lose nothing; otherwise it is done only when it is named.
    pub is_sure: bool,
}

impl Detected {
    fn sure(evidence: impl Into<String>) -> Option<Detected> {
        let evidence = evidence.into();
        Some(Detected {
            evidence,
            is_sure: true,
        })
    }

    fn perhaps(evidence: impl Into<String>) -> Option<Detected> {
        let evidence = evidence.into();
        Some(Detected {
            evidence,
            is_sure: false,
        })
    }
}

/// What is lost when a plan has been carried out, compared with the moment before the disaster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Nothing.
    Nothing,
    /// What was typed since the last look of whoever keeps the mirror: the loss window of the history.
    Window,
    /// What has changed since the newest snapshot, which is so old, in nanoseconds; none if its age is unknown.
    Snapshot(Option<u64>),
    /// Nothing of the user's; what can be measured or learned again.
    Learned,
    /// Nothing that is here. Of former states, what the damaged repository has lost; none if that is not known.
    Former(Option<LostSnapshots>),
}

impl Point {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Point::Nothing => "nothing",
            Point::Window => "window",
            Point::Snapshot(_) => "snapshot",
            Point::Learned => "learned",
            Point::Former(_) => "former",
        }
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The archive's copy of the history log becomes its mirror.
    ArchiveToMirror,
    /// What the mirror has and the log lacks goes back into the log.
    MirrorToLog,
    /// The mirror is made anew of the log; the former one is kept beside it.
    MirrorAnew,
    /// A section of the newest snapshot goes back to its places.
    Section(&'static str),
    /// All of the newest snapshot does.
    Everything,
    /// The configuration says again what this version said.
    ConfigVersion(u64),
    /// `config.toml` of the newest snapshot, and nothing else of its section, goes back to its place.
    ConfigFile,
    /// The worker's state is moved away, and it begins anew.
    StateAway,
    /// The repository is moved away.
    RepositoryAway,
    /// A snapshot is taken, into a new repository where there is none.
    Snapshot,
    /// What can be made again is removed: caches, the remains of drills.
    MakeRoom,
    /// Features that crashes switched off are on again.
    FeaturesOn,
    /// Crashes of the worker are forgotten, so that sessions start one again.
    ForgetCrashes,
    /// Bash's own history file, if it is not there, is made of the newest commands of the log.
    HistoryFile,
    /// A worker runs, unless somebody has stopped it on purpose.
    Worker,
}

impl Step {
    /// What it does, in a few words.
    pub fn about(self) -> String {
        match self {
            Step::ArchiveToMirror => "take the history log of the newest snapshot as the mirror".into(),
            Step::MirrorToLog => "put back what the mirror has and the log lacks".into(),
            Step::MirrorAnew => "make the mirror anew of the log, and keep the former one".into(),
            Step::Section(section) => format!("restore the section {section} of the newest snapshot"),
            Step::Everything => "restore every section of the newest snapshot".into(),
            Step::ConfigVersion(number) => format!("let config.toml say again what version #{number} said"),
            Step::ConfigFile => "take config.toml of the newest snapshot".into(),
            Step::StateAway => "move the worker's state away, so that it begins anew".into(),
            Step::RepositoryAway => {
                "move the damaged repository away, and with it all snapshots up to now".into()
            }
            Step::Snapshot => "take a snapshot".into(),
            Step::MakeRoom => "remove caches and the remains of drills".into(),
            Step::FeaturesOn => "switch on what crashes had switched off".into(),
            Step::ForgetCrashes => "forget the worker's crashes".into(),
            Step::HistoryFile => "make bash's own history file of the log, if there is none".into(),
            Step::Worker => "start the worker, unless it was stopped on purpose".into(),
        }
    }

    /// The command that does the same by hand, for the runbook; none where only `maint recover` does it.
    pub fn by_hand(self) -> Option<String> {
        Some(match self {
            Step::MirrorToLog => "lusush maint history restore".into(),
            Step::MirrorAnew => "lusush maint history restore --accept".into(),
            Step::Section(section) => format!("lusush maint backup restore --section {section}"),
            Step::Everything => "lusush maint backup restore".into(),
            Step::ConfigVersion(number) => format!("lusush maint config rollback {number}"),
            Step::ConfigFile => "lusush maint backup restore --section configuration --to FOLDER".into(),
            Step::Snapshot => "lusush maint backup create".into(),
            Step::Worker => "lusush maint start".into(),
            _ => return None,
        })
    }
}

/// What must hold behind a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The history log opens, and the mirror is the same as far as it goes.
    HistoryWhole,
    /// There is a mirror with commands in it.
    MirrorThere,
    /// The configuration is there and sound.
    ConfigSound,
    /// State and audit log are whole.
    StateWhole,
    /// Every file of a section of the newest snapshot is there, as it was or longer.
    SectionThere(&'static str),
    /// The same of every section.
    EverythingThere,
    /// The repository opens, has a snapshot, and every byte of it is as it was written.
    RepositoryWhole,
    /// There is room to write again.
    RoomMade,
    /// What a step says of itself is enough.
    Said,
    /// A worker answers, or was stopped on purpose.
    WorkerAnswers,
}

/// How a phase that did not hold is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// It only adds, or happens as a whole or not at all: there is nothing to take back.
    Nothing,
    /// The files that it may replace are kept before, and go back.
    PutBack(Kept),
}

/// Files that are kept before a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The configuration's folder without the plugins.
    Configuration,
    /// The plugins' folder.
    Plugins,
    /// The worker's folder of this machine, the audit log's anchor and its key.
    State,
    /// The repository, by its name, and its key.
    Repository,
}

/// One phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// What is done.
    pub step: Step,
    /// What must hold then.
    pub check: Check,
    /// How it is taken back.
    pub undo: Undo,
}

const fn phase(step: Step, check: Check, undo: Undo) -> Phase {
    Phase { step, check, undo }
}

/// What is done about a disaster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Which.
    pub scenario: &'static str,
    /// What is lost all the same.
    pub point: Point,
    /// In this order; one that does not hold ends it, and all are taken back.
    pub phases: Vec<Phase>,
}

/// One scenario.
#[derive(Debug)]
pub struct Scenario {
    /// The stable name.
    pub name: &'static str,
    /// What has happened, as a few words.
    pub about: &'static str,
    /// Who does something about it without being asked, and when; none where somebody has to ask.
    pub by_itself: Option<&'static str>,
    /// What should not be lost at most, in words.
    pub point_objective: &'static str,
    /// How long the way back should take at most on a usual home, in nanoseconds: what a person waits for.
    pub time_objective_ns: u64,
    /// Says whether it has happened.
    pub detect: fn(&Signs) -> Option<Detected>,
    /// Plans the way back; else why there is none.
    pub plan: fn(&Signs) -> Result<Plan, String>,
}

/// A second, in nanoseconds.
const SECOND_NS: u64 = 1_000_000_000;

/// Every scenario. The order is that in which they are detected and dealt with: room first, since everything else needs
/// it; the whole home before its parts.
pub const TABLE: &[Scenario] = &[
    disk_full::SCENARIO,
    home_gone::SCENARIO,
    history_lost::SCENARIO,
    history_cut::SCENARIO,
    history_corrupt::SCENARIO,
    config_broken::SCENARIO,
    config_gone::SCENARIO,
    state_corrupt::SCENARIO,
    plugins_damaged::SCENARIO,
    repository_damaged::SCENARIO,
    session_crashes::SCENARIO,
    worker_crashes::SCENARIO,
];

/// Finds a scenario by its name.
pub fn named(name: &str) -> Option<&'static Scenario> {
    TABLE.iter().find(|scenario| scenario.name == name)
}

/// A plan of a few phases.
fn plan(scenario: &'static str, point: Point, phases: &[Phase]) -> Result<Plan, String> {
    debug_assert!((1..=PHASES_MAX).contains(&phases.len()));
    Ok(Plan {
        scenario,
        point,
        phases: phases.to_vec(),
    })
}

/// The age of the newest snapshot, or why none can be gone by.
fn snapshot(signs: &Signs) -> Result<Point, String> {
    match &signs.archive {
        Archive::Open {
            snapshots: 1..,
            newest_age_ns,
        } => Ok(Point::Snapshot(*newest_age_ns)),
        Archive::Open { .. } => Err("the backup has no snapshot yet".into()),
        Archive::None => Err("there is no backup; one that lies elsewhere is named by --repository".into()),
        Archive::NoKey => Err(signs::NEEDS_KEY.into()),
        Archive::Damaged { what, .. } => Err(format!("the backup cannot be gone by: {what}")),
        Archive::Unknown(why) => Err(format!("it is unknown whether there is a backup: {why}")),
    }
}

#[cfg(test)]
mod tests;
