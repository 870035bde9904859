//! `lusush maint drill`: loses everything for real, on a copy, and brings it back by the code that would do it.
//!
//! ```text
//!  home ─▸ copy ─▸ snapshot ─▸ for each scenario { copy the copy ─▸ damage ─▸ lusush maint recover ─▸ compare byte for byte }
//!                                                                  └ rows ─▸ data/recovery/drill.json, runbook.md
//! ```
//!
//! Invariants: the real home is only read, but for `data/recovery`, whose files are replaced whole. Killed at any moment, what
//! is left is the copy, which the next drill removes.

mod damage;
mod report;
mod runbook;
mod scratch;

pub(crate) use scratch::is_copy;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::Args;
use lle_core::error::Code;
use lle_core::quantity::{age, bytes};
use lle_core::recovery::drilled::{Drill, Row, VERSION};
use lle_core::recovery::{Point, Scenario, named};
use lle_core::repository::Address;
use lle_log::mirror;

use self::damage::{DISASTERS, Disaster};
use self::scratch::{Replica, Scratch};
use super::Json;
use super::recover::gather::{files_below, now_ns};
use super::recover::own;
use super::recover::places::Places;
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::replace::replace;

/// What is drilled
#[derive(Clone, Debug, Args)]
pub(crate) struct DrillArguments {
    /// The scenario; all of them without one
    scenario: Option<String>,
    /// Only if the last drill was four weeks ago, or failed; what fails is told by the worker
    #[arg(long, conflicts_with = "scenario")]
    scheduled: bool,
    #[command(flatten)]
    json: Json,
}

/// The loss window of the history, in nanoseconds: the mirror is at most so far behind.
const WINDOW_NS: u64 = 1_000_000_000;

/// Where the last drill is kept.
fn result_file(places: &Places) -> PathBuf {
    places.data.join("recovery").join("drill.json")
}

/// Answers the verb.
pub(crate) fn run(asked: &DrillArguments) -> Result<ExitCode, Failure> {
    let real = Places::look(None)?;
    if is_copy(&real) {
        return not_run("This is a drill's own copy: no drill is run in it.", asked);
    }
    // A copy of the whole history is nothing to leave about until the next one is due.
    scratch::tidy(&real);
    if asked.scheduled {
        let last = std::fs::read(result_file(&real)).ok();
        let last = last.and_then(|bytes| serde_json::from_slice::<Drill>(&bytes).ok());
        if last
            .and_then(Drill::understood)
            .is_some_and(|last| !last.is_due(now_ns()))
        {
            return not_run("No drill is due yet.", asked);
        }
        // Nobody waits for it, and somebody may be typing.
        let _as_it_is = rustix::process::nice(19);
    }
    let began = Instant::now();
    let drill = match drilled(&real, asked) {
        Ok(drill) => drill,
        // The other one says what it came to.
        Err(failed) if asked.scheduled && failed.status() == Code::Busy.exit() => {
            return not_run("Another drill is at work.", asked);
        }
        // Whoever is not there to read it is told by the worker; trying again at once would not help.
        Err(failed) if asked.scheduled => could_not_run(&failed),
        Err(failed) => return Err(failed),
    };
    // One scenario says nothing of the others: only a whole drill is kept.
    if asked.scenario.is_none() {
        keep(&real, &drill)?;
    }
    report::tell(&drill, began.elapsed(), asked.json.json)?;
    Ok(match drill.passed() || asked.scheduled {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(Code::TestingFailed.exit()),
    })
}

fn not_run(why: &str, asked: &DrillArguments) -> Result<ExitCode, Failure> {
    match asked.json.json {
        true => answer::json(&serde_json::json!({ "version": VERSION, "not_run": why })),
        false => answer::text(&format!("{why}\n")),
    }
}

/// The row of a scheduled drill that could not be run.
const NOT_RUN: &str = "not-run";

fn could_not_run(failed: &Failure) -> Drill {
    let why = own::in_one_line(&failed.to_string());
    Drill {
        version: VERSION,
        at_wall_ns: now_ns(),
        rows: vec![Row {
            scenario: NOT_RUN.into(),
            failed: Some(format!("could not run: {why}")),
            ..Row::default()
        }],
    }
}

/// Runs what was asked for.
fn drilled(real: &Places, asked: &DrillArguments) -> Result<Drill, Failure> {
    let disasters = chosen(asked.scenario.as_deref())?;
    let interrupted = own::note_interruptions()?;
    let scratch = Scratch::make(real)?;
    let first = scratch.copy_of(real)?;
    first
        .done(&["backup", "create", "--why", "drill"])
        .map_err(|why| {
            Failure::new("no drill was run")
                .because(format!("the copy cannot be backed up: {why}"))
                .hint("`lusush maint backup create` backs the home itself up, and says more")
        })?;
    let exposed = Exposed::look(real);
    let mut rows: Vec<Row> = Vec::new();
    for disaster in disasters {
        rows.push(drill(&scratch, &first, disaster, &exposed));
        // The copy goes with it.
        if interrupted.load(Ordering::Relaxed) {
            return Err(Failure::new("the drill was interrupted")
                .because("somebody ended it; its copy is removed")
                .hint("`lusush maint drill` runs it again"));
        }
    }
    Ok(Drill {
        version: VERSION,
        at_wall_ns: now_ns(),
        rows,
    })
}

fn chosen(scenario: Option<&str>) -> Result<impl Iterator<Item = &'static Disaster>, Failure> {
    if let Some(name) = scenario
        && named(name).is_none()
    {
        let names: Vec<&str> = DISASTERS.iter().map(|row| row.scenario).collect();
        return Err(Failure::new(format!("there is no scenario {name}"))
            .code(Code::InvalidParameters.exit())
            .hint(format!("there are {}", names.join(", "))));
    }
    let scenario = scenario.map(str::to_owned);
    Ok(DISASTERS
        .iter()
        .filter(move |row| scenario.as_deref().is_none_or(|name| name == row.scenario)))
}

/// What a disaster would cost now, as it is in the real home.
struct Exposed {
    /// Age of the newest snapshot; none if there is none.
    snapshot_age_ns: Option<u64>,
    /// Bytes of the log that its mirror has not yet.
    behind_bytes: Option<u64>,
}

impl Exposed {
    fn look(real: &Places) -> Exposed {
        // By their files: the repository itself is not opened, since that may finish what somebody else had begun.
        // A server is not asked: how old its newest snapshot is stays unknown here.
        let snapshots = match real.own_repository() {
            Address::Folder(folder) => files_below(&folder.join("snapshots")),
            _ => Vec::new(),
        };
        let written = |path: &PathBuf| std::fs::metadata(path).and_then(|found| found.modified()).ok();
        let newest = snapshots.iter().filter_map(|(path, _)| written(path)).max();
        let length = |path: &std::path::Path| std::fs::metadata(path).ok().map(|found| found.len());
        let (log, copy) = (length(&real.log), length(&mirror::path_of(&real.log)));
        Exposed {
            snapshot_age_ns: newest
                .and_then(|at| at.elapsed().ok())
                .map(|age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)),
            behind_bytes: log.zip(copy).map(|(log, copy)| log.saturating_sub(copy)),
        }
    }

    /// What a scenario would cost, by what kind of point the plan had that the drill went by.
    fn point(&self, kind: &str) -> (String, Option<u64>) {
        let is = |point: Point| point.name() == kind;
        if is(Point::Window) {
            return match self.behind_bytes {
                Some(0) => ("nothing: the mirror has all".into(), Some(0)),
                Some(behind) => (
                    format!("{}, not mirrored yet", bytes(behind as f64)),
                    Some(WINDOW_NS),
                ),
                None => ("unknown: no mirror yet".into(), None),
            };
        }
        if is(Point::Snapshot(None)) {
            return match self.snapshot_age_ns {
                Some(age_ns) => (format!("changes of {}", age(age_ns)), Some(age_ns)),
                None => ("unknown: no snapshot yet".into(), None),
            };
        }
        if is(Point::Learned) {
            return ("what is learned again".into(), Some(0));
        }
        match is(Point::Nothing) {
            true => ("nothing".into(), Some(0)),
            false => ("unknown".into(), None),
        }
    }
}

/// Runs one scenario.
fn drill(scratch: &Scratch, first: &Replica, disaster: &Disaster, exposed: &Exposed) -> Row {
    let objective_ns = named(disaster.scenario).map_or(0, |row: &Scenario| row.time_objective_ns);
    let mut row = Row {
        scenario: disaster.scenario.to_owned(),
        objective_ns,
        ..Row::default()
    };
    let copy = match scratch.another(first) {
        Ok(copy) => copy,
        Err(error) => {
            row.failed = Some(format!("the home cannot be copied: {error}"));
            return row;
        }
    };
    let result = recovered(first, &copy, disaster, exposed, &mut row);
    row.failed = result.err();
    scratch::remove(&copy.root);
    row
}

fn recovered(
    first: &Replica,
    copy: &Replica,
    disaster: &Disaster,
    exposed: &Exposed,
    row: &mut Row,
) -> Result<(), String> {
    let besides = (disaster.damage)(copy).map_err(|why| format!("it cannot be damaged: {why}"))?;
    is_seen(copy, disaster, &besides)?;
    let mut asked: Vec<OsString> = vec!["recover".into(), disaster.scenario.into()];
    asked.extend(besides);
    let asked: Vec<&OsStr> = asked.iter().map(OsString::as_os_str).collect();
    let began = Instant::now();
    let ran = copy.maint(&asked)?;
    row.recovery_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let done = &ran.value["done"][0];
    (row.point, row.point_ns) = exposed.point(done["point_kind"].as_str().unwrap_or_default());
    if ran.code != Some(0) {
        let why = done["failed"].as_str().map(str::to_owned);
        return Err(format!("not recovered: {}", why.unwrap_or_else(|| ran.why())));
    }
    (disaster.after)(copy)?;
    let compared = damage::compare(first, copy, disaster.back);
    row.compared_files = compared.files;
    row.compared_bytes = compared.bytes;
    row.lost_bytes = compared.lost_bytes;
    match compared.wrong {
        None => Ok(()),
        Some(path) => {
            let below = path.strip_prefix(&first.root).unwrap_or(&path);
            Err(format!("{} did not come back as it was", below.display()))
        }
    }
}

/// Whether the disaster is told by its signs.
fn is_seen(copy: &Replica, disaster: &Disaster, besides: &[OsString]) -> Result<(), String> {
    if !disaster.is_seen {
        return Ok(());
    }
    let words = ["recover", disaster.scenario, "--plan"]
        .map(OsStr::new)
        .into_iter();
    let words: Vec<&OsStr> = words.chain(besides.iter().map(OsString::as_os_str)).collect();
    let found = copy.maint(&words)?.succeeded()?;
    match found["found"][0]["evidence"].is_string() {
        true => Ok(()),
        false => Err("its signs were not seen".into()),
    }
}

/// Keeps what a drill came to, and the runbook of it.
fn keep(real: &Places, drill: &Drill) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new("what the drill came to cannot be kept")
            .because(error)
            .code(Code::Unavailable.exit())
            .hint("`lusush doctor` says more about folders")
    };
    let document = serde_json::to_vec_pretty(drill).map_err(|error| failed(error.into()))?;
    replace(&result_file(real), &document).map_err(failed)?;
    // The runbook of the last one that ran is worth more.
    if drill.rows.iter().any(|row| row.scenario == NOT_RUN) {
        return Ok(());
    }
    let runbook = runbook::text(real, drill);
    replace(&real.data.join("recovery").join("runbook.md"), runbook.as_bytes()).map_err(failed)
}
