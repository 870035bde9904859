//! `lusush maint recover`: finds out what was lost or damaged, and brings it back.
//!
//! ```text
//!  signs ─▸ detect ─▸ plan ─▸ { keep what is there ▸ step ▸ check ─▸ else put all back } ─▸ signs again ─▸ report
//! ```
//!
//! What to do is [`lle_core::recovery`]'s; what does it exists already: mirrors, versions and the backup, each by its own verb
//! or its own code. Killed at any moment, the next run first puts back what had been begun.
//!
//! Invariants: one at a time; what a phase may replace is kept before it begins; a worker that runs writes it down first,
//! unless its audit log cannot be written, which may be what is to be mended.

mod act;
mod check;
pub(crate) mod gather;
pub(crate) mod kept;
pub(super) mod own;
pub(crate) mod places;
mod report;

use std::ffi::OsString;
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::Args;
use lle_core::error::Code;
use lle_core::recovery::{self, Plan, Scenario, Signs, TABLE};
use lle_maintenance::api::{RECOVERY_BEGINS, Request};

use self::gather::Depth;
use self::kept::Keeping;
use self::places::Places;
use self::report::{Done, Found, Looked, Recovered};
use super::{Json, ask, backup};
use crate::exit::ExitCode;
use crate::failure::Failure;

/// What is to be recovered from, and how
#[derive(Clone, Debug, Args)]
pub(crate) struct Recover {
    /// The scenario; without one, whatever is found that nobody can have meant
    scenario: Option<String>,
    /// Only says what was found and what would be done
    #[arg(long)]
    plan: bool,
    /// The repository to go by, if it is not this home's own: a folder, rest:https://… or s3:https://…
    #[arg(long, value_name = "FOLDER")]
    repository: Option<OsString>,
    #[command(flatten)]
    json: Json,
}

/// Answers the verb.
pub(crate) fn run(asked: &Recover) -> Result<ExitCode, Failure> {
    let places = Places::look(asked.repository.clone())?;
    let named = asked.scenario.as_deref().map(scenario).transpose()?;
    let depth = match named.map(|row| row.name) {
        Some("repository-damaged") => Depth::Data,
        _ => Depth::Metadata,
    };
    let _one_at_a_time = if asked.plan { None } else { Some(places.lock()?) };
    let interrupted = match asked.plan {
        true => None,
        false => Some(own::note_interruptions()?),
    };
    let finished = match asked.plan {
        true => None,
        false => kept::finish(&places, named.map(|row| row.name))?,
    };
    let signs = gather::signs(&places, depth);
    let looked = Looked::new(asked.repository.clone(), signs.archive.unseen());
    let found = found(&signs, named, why_not_away(&places).as_deref());
    if asked.plan {
        return report::plans(&found, &looked, kept::pending(&places).as_ref(), asked.json.json);
    }
    let mut recovered = Recovered::new(finished, looked);
    for one in found {
        // What has begun is brought to its end; nothing else begins.
        if interrupted
            .as_ref()
            .is_some_and(|flag| flag.load(Ordering::Relaxed))
        {
            break;
        }
        // What somebody may have meant is undone only by its name.
        if named.is_none() && !one.is_sure {
            recovered.left.push(one);
            continue;
        }
        let plan = match &one.plan {
            Ok(plan) => plan.clone(),
            Err(why) => {
                let failure = Failure::new(format!("there is no way back from {}", one.scenario.name));
                recovered.done.push(Done::refused(one.scenario, why));
                if named.is_some() {
                    return Err(failure
                        .because(why.clone())
                        .hint("`lusush maint recover --plan` says what was found")
                        .code(Code::InvalidState.exit()));
                }
                continue;
            }
        };
        recovered
            .done
            .push(recover(&places, one.scenario, &plan, depth, &signs)?);
    }
    let told = report::recovered(&recovered, asked.json.json)?;
    match interrupted.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
        false => Ok(told),
        true => Err(Failure::new("interrupted: nothing more was begun")
            .because("somebody ended it")
            .hint("`lusush maint recover --plan` says what is left")),
    }
}

fn scenario(name: &str) -> Result<&'static Scenario, Failure> {
    recovery::named(name).ok_or_else(|| {
        let names: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
        Failure::new(format!("there is no scenario {name}"))
            .code(Code::InvalidParameters.exit())
            .hint(format!("there are {}", names.join(", ")))
    })
}

/// Why the repository that was looked at is not moved away; none if it may be.
fn why_not_away(places: &Places) -> Option<String> {
    if places.repository.is_some() {
        return Some("it is about this home's own backup, without --repository".into());
    }
    // One of a server cannot be moved, and one that somebody keeps elsewhere may be shared.
    let elsewhere = backup::own::address()?;
    Some(format!(
        "nothing at {elsewhere} is moved away: let `backup.repository` name another place beside it, and \
         `lusush maint backup create` begins a new one there"
    ))
}

/// What applies, with its plan. A scenario that is named applies in any case; `stays` says why no repository is moved away.
fn found(signs: &Signs, named: Option<&'static Scenario>, stays: Option<&str>) -> Vec<Found> {
    let rows = TABLE
        .iter()
        .filter(|row| named.is_none_or(|named| named.name == row.name));
    rows.filter_map(|row| {
        // What was looked at is another repository than the one that would be moved away.
        let stays = stays.filter(|_| row.name == "repository-damaged");
        let detected = (row.detect)(signs).filter(|_| stays.is_none());
        if detected.is_none() && named.is_none() {
            return None;
        }
        Some(Found {
            scenario: row,
            evidence: detected.as_ref().map(|found| found.evidence.clone()),
            is_sure: detected.is_some_and(|found| found.is_sure),
            plan: match stays {
                Some(why) => Err(why.to_owned()),
                None => (row.plan)(signs),
            },
        })
    })
    .collect()
}

/// Carries a plan out.
fn recover(
    places: &Places,
    row: &'static Scenario,
    plan: &Plan,
    depth: Depth,
    before: &Signs,
) -> Result<Done, Failure> {
    let began = Instant::now();
    note(row.name, RECOVERY_BEGINS)?;
    let mut keeping = Keeping::begin(places, row.name);
    let mut done = Done::new(row, plan.point);
    let mut failed = None;
    for phase in &plan.phases {
        let phase_began = Instant::now();
        let result = keeping
            .keep(places, phase.undo)
            .map_err(|error| format!("what is there cannot be kept: {error}"))
            .and_then(|()| act::step(places, phase.step, &keeping))
            .and_then(|said| match check::check(places, phase.check) {
                Ok(()) => Ok(said),
                // What was done, and where what it replaced is, counts all the more.
                Err(why) => Err(format!("{why} ({said})")),
            });
        let why = result.as_ref().err().cloned();
        done.phases
            .push(report::PhaseDone::new(phase.step, phase_began.elapsed(), result));
        if let Some(why) = why {
            failed = Some(format!("{}: {why}", phase.step.about()));
            break;
        }
    }
    if failed.is_none() {
        // Whatever was done, what was seen before must not be seen any more.
        let after = gather::signs(places, depth);
        failed = (row.detect)(&after).map(|found| format!("after all of it, {}", found.evidence));
        // A log that could be opened has no more damage now than it had.
        let grew = after.history.damaged_bytes > before.history.damaged_bytes;
        if row.name == "history-corrupt" && before.history.unreadable.is_none() && grew {
            failed = Some("the history log has more damage than before".into());
        }
    }
    match &failed {
        None => done.aside = keeping.end(places),
        Some(why) => {
            done.failed = Some(why.clone());
            done.not_undone = keeping.put_back(places).err().map(|error| error.to_string());
        }
    }
    done.took = began.elapsed();
    // It is done; that it could not be written down is told by the worker's own findings.
    let _told = note(row.name, &done.in_short());
    Ok(done)
}

/// Has it written into the audit log by a worker, if one runs.
fn note(scenario: &str, what: &str) -> Result<(), Failure> {
    let request = Request::Recover {
        scenario: scenario.to_owned(),
        detail: Some(what.to_owned()),
    };
    match ask::ask_worker(&request) {
        // On a full disk it cannot be written down, and making room may not wait for that.
        Some(Err(failed)) if failed.status() == Code::Unavailable.exit() => Ok(()),
        Some(Err(refused)) => Err(refused),
        // None runs, or an older one that knows nothing of this.
        None | Some(Ok(_)) => Ok(()),
    }
}
