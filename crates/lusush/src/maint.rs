//! `lusush maint`: what the maintenance system knows and does, one verb a file.
//!
//! Help, completion of mistyped verbs and the manual page come from the one table below.

mod analyze;
pub(crate) mod ask;
pub(crate) mod backup;
mod cache;
mod config;
mod drill;
pub(crate) mod history;
mod memory_only;
mod optimise;
mod predict;
mod rc;
pub(crate) mod recover;
mod render;
pub(crate) mod session;
mod show;
pub(crate) mod status;
#[cfg(test)]
mod tests;
mod versions;
mod why;
mod worker;

use std::ffi::OsString;

use clap::{Args, CommandFactory, Parser, Subcommand};
use lle_maintenance::api::{Request, ScheduleRequest};

use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::text::Ink;
use crate::{answer, paths, start_record};
use memory_only::MemoryOnly;
use session::Status;

/// Shows and maintains the sessions of this user
#[derive(Debug, Parser)]
#[command(name = "lusush maint", disable_help_subcommand = true)]
pub(crate) struct Maint {
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// Writes JSON instead
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Json {
    /// Writes JSON instead
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Shows every session and the worker: how fast, at what cost, and how dead ones ended
    Status(Json),
    /// Shows what prompts, the start, keys or completions spend their time on
    Why {
        /// What to divide
        #[arg(value_enum, default_value = "prompt")]
        of: why::Subject,
        /// In one session, by its sixteen hex digits; this one without, or the one last used
        #[arg(long)]
        session: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Shows how every part is doing, what was found, and what to do about it
    Health(Json),
    /// Shows everything that is measured
    Metrics {
        /// Of one session only, by its sixteen hex digits
        #[arg(long)]
        session: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Shows every cache: what it holds and answers, what more room would win, and by what it keeps
    Cache(Json),
    /// Lists the tasks: when they run, how their runs went
    Tasks(Json),
    /// Starts the worker, and lets sessions start one again
    Start(Json),
    /// Ends the worker, and keeps sessions from starting another
    Stop(Json),
    /// Does nothing by itself, or leaves one task alone
    Pause {
        /// The task; all of them without one
        task: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Goes on after a pause
    Resume {
        /// The task; all of them without one
        task: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Runs a task now
    Run {
        /// The task
        task: String,
        #[command(flatten)]
        json: Json,
    },
    /// Cancels a task's run; removes a task of yours that does not run
    Cancel {
        /// The task
        task: String,
        #[command(flatten)]
        json: Json,
    },
    /// Registers a task of yours, or changes when a task runs
    Schedule(Box<ScheduleArguments>),
    /// Sets how far a task may go by itself
    Mode {
        /// The task
        task: String,
        /// observe, advise or automatic
        mode: String,
        #[command(flatten)]
        json: Json,
    },
    /// Lists what needs attention, or takes note of one alert
    Alerts {
        /// Takes note of the alert of this number
        #[arg(long, value_name = "ID")]
        ack: Option<u64>,
        #[command(flatten)]
        json: Json,
    },
    /// Shows what was done, by whom and why, or proves that nothing of it was changed
    Audit {
        #[command(subcommand)]
        verb: AuditVerb,
    },
    /// Shows the reviews that people do, or signs one off
    Checklist {
        /// Signs this review off
        #[arg(long, value_name = "ITEM")]
        sign_off: Option<String>,
        /// What was found
        #[arg(long, requires = "sign_off")]
        note: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Measures the system against everything it promises
    Validate(Json),
    /// Looks for what is slow, tries a lever, and keeps only what is proven to help
    Optimize(Optimize),
    /// Shows where everything will be in a day, when something runs out, and how such forecasts did
    Forecast(Json),
    /// Shows what is unusual, what changed, and what may have done it
    Anomalies(Json),
    /// Says of each row of a series how unusual it is, by the detectors that watch this shell
    Analyze(analyze::Analyze),
    /// Shows, checks and changes what is configured, and says which session goes by what
    Config {
        #[command(subcommand)]
        verb: config::ConfigVerb,
    },
    /// Shows every state of your start-up files, and brings one back
    Rc {
        #[command(subcommand)]
        verb: rc::RcVerb,
    },
    /// Saves the home, and brings it back: snapshots that restic reads, too
    Backup {
        #[command(subcommand)]
        verb: backup::verbs::BackupVerb,
    },
    /// Finds out what was lost or damaged, and brings it back
    Recover(recover::Recover),
    /// Loses everything for real, on a copy, and brings it back: what it takes, and what it costs
    Drill(drill::DrillArguments),
    /// Looks after the history log
    History {
        #[command(subcommand)]
        verb: history::verbs::HistoryVerb,
    },
    /// Runs the worker in the foreground
    Worker(worker::Worker),
}

/// The optimiser: without an option it does what its task does on its schedule
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").multiple(false))]
struct Optimize {
    /// Says what may be worth turning, and turns nothing
    #[arg(long, group = "what")]
    advise: bool,
    /// Shows the levers, and every trial with what it came to
    #[arg(long, group = "what")]
    history: bool,
    /// Tries this value of this lever against the one in force, whatever the mode
    #[arg(long, value_name = "LEVER=VALUE", group = "what")]
    force: Option<String>,
    /// How long the trial may take, in seconds in which somebody types
    #[arg(long, value_name = "SECONDS", requires = "force")]
    within: Option<u64>,
    /// Lets this lever go back to its default
    #[arg(long, value_name = "LEVER", group = "what")]
    reset: Option<String>,
    /// Ends the trial that is open, and keeps what is in force
    #[arg(long, group = "what")]
    withdraw: bool,
    #[command(flatten)]
    json: Json,
}

/// A task of yours, and when it runs
#[derive(Debug, Args)]
struct ScheduleArguments {
    /// Its name: a-z, 0-9 and -
    task: String,
    /// When: "every 30m", "0 2 * * SUN" in local time, "manual"
    #[arg(long = "when", value_name = "SCHEDULE")]
    schedule: Option<String>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// critical, high, medium, low or deferred
    #[arg(long)]
    priority: Option<String>,
    /// How long one run may take, in seconds
    #[arg(long, value_name = "SECONDS")]
    budget: Option<u64>,
    /// How often a failed run is tried again
    #[arg(long, value_name = "TIMES")]
    retries: Option<u32>,
    /// A program, run by sh, that follows each run however it ended
    #[arg(long, value_name = "COMMAND")]
    cleanup: Option<String>,
    /// It no longer runs by itself
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// It runs by itself again
    #[arg(long)]
    enable: bool,
    #[command(flatten)]
    json: Json,
    /// The program and its arguments, after --
    #[arg(last = true)]
    command: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum AuditVerb {
    /// Shows the last records
    Show {
        /// From this record on
        #[arg(long, value_name = "NUMBER")]
        from: Option<u64>,
        /// So many
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
        #[command(flatten)]
        json: Json,
    },
    /// Says whether any record was deleted, changed, reordered or cut off, and where; exit status 8 if so
    Verify(Json),
}

/// Runs `lusush maint` with the arguments that follow it.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let parsed = match answer::parse::<Maint>("lusush maint", arguments) {
        Ok(parsed) => parsed,
        Err(code) => return Ok(code),
    };
    match parsed.verb {
        None => answer::text(&Maint::command().render_help().to_string()),
        Some(Verb::Status(Json { json })) => show_status(json),
        Some(Verb::Why { of, session, json }) => show_why(of, session.as_deref(), json.json),
        Some(Verb::Cache(Json { json })) => cache::run(json),
        Some(Verb::History { verb }) => history::verbs::run(verb),
        Some(Verb::Analyze(asked)) => analyze::run(&asked),
        Some(Verb::Config { verb }) => config::run(verb),
        Some(Verb::Rc { verb }) => rc::run(verb),
        Some(Verb::Backup { verb }) => backup::run(verb, &arguments[1..]),
        Some(Verb::Recover(asked)) => recover::run(&asked),
        Some(Verb::Drill(asked)) => drill::run(&asked),
        Some(Verb::Worker(asked)) => worker::run(&asked),
        Some(Verb::Optimize(asked)) if asked.advise => show::advice(asked.json.json),
        Some(verb) => {
            let (request, json) = verb.request();
            show::answer(&request, json)
        }
    }
}

impl Verb {
    /// What the verb asks the engine, and whether the answer is wanted as JSON.
    fn request(self) -> (Request, bool) {
        match self {
            Verb::Status(Json { json }) => (Request::Status, json),
            Verb::Health(Json { json }) => (Request::Health, json),
            Verb::Metrics { session, json } => (Request::Metrics { session }, json.json),
            Verb::Tasks(Json { json }) => (Request::Tasks, json),
            Verb::Start(Json { json }) => (Request::Start, json),
            Verb::Stop(Json { json }) => (Request::Stop, json),
            Verb::Pause { task, json } => (Request::Pause { task }, json.json),
            Verb::Resume { task, json } => (Request::Resume { task }, json.json),
            Verb::Run { task, json } => (Request::Run { task }, json.json),
            Verb::Cancel { task, json } => (Request::Cancel { task }, json.json),
            Verb::Schedule(asked) => {
                let json = asked.json.json;
                (Request::Schedule(Box::new(asked.request())), json)
            }
            Verb::Mode { task, mode, json } => (Request::SetMode { area: task, mode }, json.json),
            Verb::Alerts { ack: Some(id), json } => (Request::Acknowledge { id }, json.json),
            Verb::Alerts { ack: None, json } => (Request::Alerts, json.json),
            Verb::Audit {
                verb: AuditVerb::Show { from, limit, json },
            } => (Request::Audit { from, limit }, json.json),
            Verb::Audit {
                verb: AuditVerb::Verify(Json { json }),
            } => (Request::Verify, json),
            Verb::Checklist {
                sign_off: Some(item),
                note,
                json,
            } => (Request::SignOff { item, note }, json.json),
            Verb::Checklist { json, .. } => (Request::Checklist, json.json),
            Verb::Validate(Json { json }) => (Request::Validate, json),
            Verb::Optimize(asked) => {
                let json = asked.json.json;
                (asked.request(), json)
            }
            Verb::Forecast(Json { json }) => (Request::Forecast, json),
            Verb::Anomalies(Json { json }) => (Request::Anomalies, json),
            // Handled before: they ask no engine.
            Verb::History { .. }
            | Verb::Cache(_)
            | Verb::Why { .. }
            | Verb::Analyze(_)
            | Verb::Backup { .. }
            | Verb::Config { .. }
            | Verb::Drill(_)
            | Verb::Rc { .. }
            | Verb::Recover(_)
            | Verb::Worker(_) => (Request::Version, false),
        }
    }
}

impl Optimize {
    fn request(self) -> Request {
        if self.history || self.advise {
            return Request::Trials;
        }
        Request::Optimize {
            force: self.force,
            within_ms: self.within.map(|seconds| seconds.saturating_mul(1_000)),
            reset: self.reset,
            withdraw: self.withdraw.then_some(true),
        }
    }
}

impl ScheduleArguments {
    fn request(self) -> ScheduleRequest {
        let shell = |text: String| vec!["sh".to_owned(), "-c".to_owned(), text];
        ScheduleRequest {
            name: self.task,
            description: self.description,
            schedule: self.schedule,
            command: (!self.command.is_empty()).then_some(self.command),
            cleanup: self.cleanup.map(shell),
            priority: self.priority,
            budget_ms: self.budget.map(|seconds| seconds.saturating_mul(1_000)),
            retries: self.retries,
            enabled: match (self.enable, self.disable) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            },
        }
    }
}

fn show_status(json: bool) -> Result<ExitCode, Failure> {
    let failed = || Failure::new("cannot look for sessions").hint("`lusush doctor` says more about folders");
    let own = MemoryOnly::of_this_session();
    let looked = paths::folders()
        .runtime
        .map_err(|refusal| failed().because(refusal))
        .and_then(|runtime| {
            status::status(&runtime.join("sessions")).map_err(|error| failed().because(error))
        });
    let mut status = match (looked, &own) {
        (Ok(status), _) => status,
        // What this session says of itself is told whatever becomes of the others.
        (Err(failure), Some(_)) => Status::of_no_folder(status::now_wall_ns(), &failure),
        (Err(failure), None) => return Err(failure),
    };
    status.memory_only = own;
    // The sessions are shown whatever becomes of the worker.
    match ask::ask(&Request::Status) {
        Ok(answer) => status.worker = serde_json::from_value(answer.value).ok(),
        Err(failure) => status.worker_unknown = Some(failure.to_string()),
    }
    if !status.worker.as_ref().is_some_and(|worker| worker.worker) {
        status.worker_elsewhere = ask::elsewhere();
    }
    if json {
        answer::json(&status)
    } else {
        answer::text(&render::status(&status, Ink::of_stdout()))
    }
}

fn show_why(of: why::Subject, session: Option<&str>, json: bool) -> Result<ExitCode, Failure> {
    let failed = || Failure::new("cannot tell what the time is spent on");
    let runtime = paths::folders()
        .runtime
        .map_err(|refusal| failed().because(refusal))?;
    let snapshot = why::session(&runtime.join("sessions"), session).map_err(|error| {
        failed()
            .because(error)
            .hint("`lusush maint status` lists the sessions; `lusush` starts one")
    })?;
    let mut answer = why::why(&snapshot, of);
    if of == why::Subject::Prompt {
        why::put_off::advise(&mut answer, &snapshot, why::put_off::in_force());
        let state = paths::state().ok();
        let read = state.and_then(|state| start_record::has_read(&state, snapshot.process()));
        why::set_in::locate(&mut answer, &snapshot, paths::home().as_deref(), read.as_ref());
        let began_ns = snapshot.created_wall_ns().cast_signed();
        answer.slower_since = show::anomalies()
            .and_then(|found| why::since::slower(&found, &answer, began_ns, show::now_wall_ns()));
    }
    if json {
        answer::json(&answer)
    } else {
        answer::text(&why::render::text(&answer, Ink::of_stdout()))
    }
}
