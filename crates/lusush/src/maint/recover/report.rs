//! What was found, what would be done, and what was: as text and as JSON.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lle_core::error::Code;
use lle_core::quantity::{age, duration, several};
use lle_core::recovery::{LostSnapshots, Plan, Point, Scenario, Step};
use serde::Serialize;

use super::kept::Pending;
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::text::{COLUMNS, Ink, wrapped};

/// The version of the schema of `--json`.
const SCHEMA_VERSION: u32 = 1;

/// A scenario that applies.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) scenario: &'static Scenario,
    /// What was seen; none of one that was only named.
    pub(super) evidence: Option<String>,
    pub(super) is_sure: bool,
    pub(super) plan: Result<Plan, String>,
}

/// One phase that was done.
#[derive(Debug, Serialize)]
pub(super) struct PhaseDone {
    step: String,
    took_ms: u64,
    said: Option<String>,
    failed: Option<String>,
}

impl PhaseDone {
    pub(super) fn new(step: Step, took: Duration, result: Result<String, String>) -> PhaseDone {
        let (said, failed) = match result {
            Ok(said) => (Some(said), None),
            Err(why) => (None, Some(why)),
        };
        PhaseDone {
            step: step.about(),
            took_ms: millis(took),
            said,
            failed,
        }
    }
}

/// A scenario that was dealt with.
#[derive(Debug)]
pub(super) struct Done {
    scenario: &'static Scenario,
    point: Point,
    pub(super) phases: Vec<PhaseDone>,
    pub(super) took: Duration,
    /// Where what was there is.
    pub(super) aside: Option<PathBuf>,
    pub(super) failed: Option<String>,
    /// Why what had been done could not be taken back.
    pub(super) not_undone: Option<String>,
}

/// What the backup was looked at by, and why not.
#[derive(Debug)]
pub(super) struct Looked {
    /// The repository that was named, if it is not this home's own.
    repository: Option<OsString>,
    /// Why nothing is known of what is in it.
    unseen: Option<String>,
}

impl Looked {
    pub(super) fn new(repository: Option<OsString>, unseen: Option<String>) -> Looked {
        Looked { repository, unseen }
    }

    /// The command that does a step by hand, with the repository that was named.
    fn by_hand(&self, step: Step) -> Option<String> {
        let words = step.by_hand()?;
        let of_a_backup = words.starts_with("lusush maint backup ");
        Some(match self.repository.as_ref().filter(|_| of_a_backup) {
            Some(address) => format!("{words} --repository {}", quoted(&address.to_string_lossy())),
            None => words,
        })
    }

    fn text(&self) -> String {
        match &self.unseen {
            Some(why) => wrapped(&format!("The backup was not looked at: {why}."), COLUMNS, 0) + "\n",
            None => String::new(),
        }
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-:+=@%".contains(c);
    match word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// All of it.
#[derive(Debug)]
pub(super) struct Recovered {
    looked: Looked,
    /// A recovery that had been killed, and was taken back.
    finished: Option<String>,
    pub(super) done: Vec<Done>,
    /// What somebody may have meant.
    pub(super) left: Vec<Found>,
}

#[derive(Serialize)]
struct PlanRow<'a> {
    scenario: &'a str,
    about: &'a str,
    evidence: Option<&'a str>,
    sure: bool,
    by_itself: Option<&'a str>,
    point: Option<String>,
    point_kind: Option<&'static str>,
    lost_snapshots: Option<u64>,
    phases: Vec<PhaseRow>,
    no_way_back: Option<&'a str>,
}

#[derive(Serialize)]
struct PhaseRow {
    step: String,
    by_hand: Option<String>,
}

#[derive(Serialize)]
struct DoneRow<'a> {
    scenario: &'a str,
    recovered: bool,
    point: String,
    point_kind: &'static str,
    point_ns: Option<u64>,
    /// Former states that have lost something; none if that is unknown, or there is no question of it.
    lost_snapshots: Option<u64>,
    took_ms: u64,
    phases: &'a [PhaseDone],
    aside: Option<String>,
    failed: Option<&'a str>,
    undone: bool,
}

impl Recovered {
    pub(super) fn new(finished: Option<String>, looked: Looked) -> Recovered {
        Recovered {
            looked,
            finished,
            done: Vec::new(),
            left: Vec::new(),
        }
    }
}

impl Done {
    pub(super) fn new(scenario: &'static Scenario, point: Point) -> Done {
        Done {
            scenario,
            point,
            phases: Vec::new(),
            took: Duration::ZERO,
            aside: None,
            failed: None,
            not_undone: None,
        }
    }

    /// One for which there is no plan.
    pub(super) fn refused(scenario: &'static Scenario, why: &str) -> Done {
        Done {
            failed: Some(why.to_owned()),
            ..Done::new(scenario, Point::Nothing)
        }
    }

    /// For the audit log.
    pub(super) fn in_short(&self) -> String {
        match (&self.failed, &self.not_undone) {
            (None, _) => format!(
                "recovered in {}; {}",
                duration(self.took.as_nanos() as f64),
                point(self.point)
            ),
            (Some(why), None) => format!("not recovered, and what was kept put back: {why}"),
            (Some(why), Some(stuck)) => format!("not recovered: {why}; not put back: {stuck}"),
        }
    }

    fn row(&self) -> DoneRow<'_> {
        DoneRow {
            scenario: self.scenario.name,
            recovered: self.failed.is_none(),
            point: point(self.point),
            point_kind: self.point.name(),
            point_ns: point_ns(self.point),
            lost_snapshots: lost_snapshots(self.point),
            took_ms: millis(self.took),
            phases: &self.phases,
            aside: self.aside.as_ref().map(|aside| aside.display().to_string()),
            failed: self.failed.as_deref(),
            undone: self.failed.is_some() && self.not_undone.is_none(),
        }
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// What is lost, in words.
fn point(point: Point) -> String {
    match point {
        Point::Nothing => "nothing is lost".into(),
        Point::Window => "lost is at most what was typed within a second".into(),
        Point::Snapshot(Some(ns)) => format!(
            "lost is what had changed since the last snapshot, {} ago",
            age(ns)
        ),
        Point::Snapshot(None) => "lost is what had changed since the last snapshot".into(),
        Point::Learned => "lost is only what is learned or made again".into(),
        Point::Former(lost) => former(lost),
    }
}

/// What is lost of former states.
fn former(lost: Option<LostSnapshots>) -> String {
    let here = "nothing that is here is lost";
    match lost {
        None => format!("{here}; which former states the damaged repository has lost is unknown"),
        Some(LostSnapshots { snapshots: 0, .. }) => {
            format!("{here}, and every former state can still be read from the damaged repository")
        }
        Some(LostSnapshots { snapshots, of }) => format!(
            "{here}; lost is, of {snapshots} of {}, what needed the damaged files",
            several(of, "former state", "former states")
        ),
    }
}

/// What is lost, as a time; none if that is unknown.
fn point_ns(point: Point) -> Option<u64> {
    match point {
        Point::Nothing | Point::Learned => Some(0),
        Point::Window => Some(1_000_000_000),
        Point::Snapshot(age_ns) => age_ns,
        Point::Former(Some(LostSnapshots { snapshots: 0, .. })) => Some(0),
        // Former states are lost, not a time before now.
        Point::Former(_) => None,
    }
}

fn lost_snapshots(point: Point) -> Option<u64> {
    match point {
        Point::Former(lost) => lost.map(|lost| lost.snapshots),
        _ => None,
    }
}

/// Says what was found and would be done.
pub(super) fn plans(
    found: &[Found],
    looked: &Looked,
    pending: Option<&Pending>,
    json: bool,
) -> Result<ExitCode, Failure> {
    if json {
        let rows: Vec<PlanRow<'_>> = found.iter().map(|one| plan_row(one, looked)).collect();
        return answer::json(&serde_json::json!({ "version": SCHEMA_VERSION, "found": rows,
            "backup_not_looked_at": looked.unseen,
            "pending": pending.map(|pending| &pending.scenario) }));
    }
    let mut out = String::new();
    if let Some(pending) = pending {
        out += &wrapped(
            &format!(
                "A recovery from {} was interrupted: what it had replaced goes back first.",
                pending.scenario
            ),
            COLUMNS,
            0,
        );
        out.push('\n');
    }
    if found.is_empty() {
        out.push_str("Nothing is lost or damaged that can be told.\n");
    }
    for one in found {
        out.push_str(&plan_text(one, looked));
    }
    out += &looked.text();
    answer::text(&out)
}

fn plan_row<'a>(one: &'a Found, looked: &Looked) -> PlanRow<'a> {
    let phases = one.plan.as_ref().map_or(&[][..], |plan| &plan.phases);
    PlanRow {
        scenario: one.scenario.name,
        about: one.scenario.about,
        evidence: one.evidence.as_deref(),
        sure: one.is_sure,
        by_itself: one.scenario.by_itself,
        point: one.plan.as_ref().ok().map(|plan| point(plan.point)),
        point_kind: one.plan.as_ref().ok().map(|plan| plan.point.name()),
        lost_snapshots: one.plan.as_ref().ok().and_then(|plan| lost_snapshots(plan.point)),
        phases: phases
            .iter()
            .map(|phase| PhaseRow {
                step: phase.step.about(),
                by_hand: looked.by_hand(phase.step),
            })
            .collect(),
        no_way_back: one.plan.as_ref().err().map(String::as_str),
    }
}

fn line(text: &str) -> String {
    wrapped(text, COLUMNS - 2, 0)
        .lines()
        .map(|row| format!("  {row}\n"))
        .collect()
}

fn plan_text(one: &Found, looked: &Looked) -> String {
    let ink = Ink::of_stdout();
    let mut out = format!("{}: {}\n", ink.strong(one.scenario.name), one.scenario.about);
    out += &match &one.evidence {
        Some(evidence) => line(&format!("Seen: {evidence}.")),
        None => line("Nothing of it is seen; it was named."),
    };
    match &one.plan {
        Err(why) => out += &line(&format!("No way back: {why}.")),
        Ok(plan) => {
            for (at, phase) in plan.phases.iter().enumerate() {
                out += &line(&format!("{}. {}", at + 1, phase.step.about()));
                if let Some(words) = looked.by_hand(phase.step) {
                    out += &format!("     by hand: {words}\n");
                }
            }
            out += &line(&format!("Then {}.", point(plan.point)));
            if !one.is_sure && one.evidence.is_some() {
                out += &line(&named_only(one.scenario));
            }
        }
    }
    if let Some(who) = one.scenario.by_itself {
        out += &line(&format!("By itself: {who}."));
    }
    out
}

fn named_only(scenario: &Scenario) -> String {
    format!("Not unasked: `lusush maint recover {}` does it.", scenario.name)
}

/// Says what was done; the exit status is that of the worst.
pub(super) fn recovered(all: &Recovered, json: bool) -> Result<ExitCode, Failure> {
    if json {
        let rows: Vec<DoneRow<'_>> = all.done.iter().map(Done::row).collect();
        let left: Vec<PlanRow<'_>> = all.left.iter().map(|one| plan_row(one, &all.looked)).collect();
        answer::json(&serde_json::json!({
            "version": SCHEMA_VERSION, "done": rows, "left": left, "taken_back": all.finished,
            "backup_not_looked_at": all.looked.unseen,
        }))?;
    } else {
        answer::text(&text(all))?;
    }
    Ok(exit(all))
}

fn exit(all: &Recovered) -> ExitCode {
    let failed = || all.done.iter().filter(|done| done.failed.is_some());
    match failed().next() {
        None if all.left.is_empty() => ExitCode::SUCCESS,
        // Somebody has to name it.
        None => ExitCode::from(Code::InvalidState.exit()),
        Some(_) if failed().any(|done| done.not_undone.is_some()) => ExitCode::from(Code::Stuck.exit()),
        Some(_) => ExitCode::from(Code::RecoveryPhaseInvalid.exit()),
    }
}

fn text(all: &Recovered) -> String {
    let ink = Ink::of_stdout();
    let mut out = String::new();
    if let Some(scenario) = &all.finished {
        out += &format!("A recovery from {scenario} had been interrupted, and was taken back.\n");
    }
    if all.done.is_empty() {
        out += match all.left.is_empty() {
            true => "Nothing is lost or damaged that can be told.\n",
            false => "Nothing was done: what is seen may be meant, or is in doubt.\n",
        };
    }
    for done in &all.done {
        out += &format!("{}: {}\n", ink.strong(done.scenario.name), done.scenario.about);
        for phase in &done.phases {
            let came = phase
                .said
                .as_deref()
                .or(phase.failed.as_deref())
                .unwrap_or_default();
            let word = if phase.failed.is_some() { "FAILED" } else { "done" };
            out += &line(&format!("{word}: {}: {came}", phase.step));
        }
        match (&done.failed, &done.not_undone) {
            (None, _) => {
                let took = duration(done.took.as_nanos() as f64);
                out += &line(&format!("Recovered in {took}; {}.", point(done.point)));
            }
            (Some(why), None) => {
                out += &line(&format!(
                    "NOT recovered, and what was kept before is put back: {why}."
                ));
            }
            (Some(why), Some(stuck)) => {
                out += &line(&format!("NOT recovered: {why}. NOT put back: {stuck}."));
            }
        }
        if let Some(aside) = &done.aside {
            out += &format!("  What was there is kept in\n  {}\n", aside.display());
        }
    }
    for one in &all.left {
        out += &format!("{}: {}\n", ink.strong(one.scenario.name), one.scenario.about);
        if let Some(evidence) = &one.evidence {
            out += &line(&format!("Seen: {evidence}."));
        }
        out += &line(&match &one.plan {
            Ok(_) => named_only(one.scenario),
            Err(why) => format!("No way back: {why}."),
        });
    }
    out += &all.looked.text();
    out
}
