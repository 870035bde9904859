//! `lusush maint backup`: snapshots of the home, what is in them, and back.
//!
//! Works without a worker, which runs `create` as a job when its task is due. One at a time, by the archive's lock.

mod back;
mod bar;
mod keys;
mod look;
mod open;
mod take;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use lle_archive::Section;
use lle_maintenance::api::{Request, ScheduleRequest};

use super::{Json, show};
use crate::failure::Failure;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupVerb {
    /// Takes a snapshot of configuration, start-up files, history, state and plugins
    Create {
        /// Why, for the list
        #[arg(long, value_name = "TEXT", default_value = "asked for")]
        why: String,
        #[command(flatten)]
        at: At,
    },
    /// Lists the snapshots, the newest last
    List(At),
    /// Shows what is in a snapshot
    Show {
        /// The snapshot: the beginning of its name, latest, or latest~2
        #[arg(default_value = "latest")]
        snapshot: String,
        /// Names every file
        #[arg(long)]
        files: bool,
        #[command(flatten)]
        at: At,
    },
    /// Shows what differs between two snapshots, or between one and what is there now
    Diff {
        /// The earlier snapshot
        #[arg(default_value = "latest")]
        a: String,
        /// The later one; what is there now without it
        b: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Says whether the backup is what was written; exit status 10 if not
    Verify {
        /// Reads every byte: only this finds one that has changed
        #[arg(long)]
        data: bool,
        #[command(flatten)]
        at: At,
    },
    /// Brings files back, proven; what is in their places is kept aside
    Restore {
        /// The snapshot: the beginning of its name, latest, or latest~2
        #[arg(default_value = "latest")]
        snapshot: String,
        /// Only this section; may be given again
        #[arg(long, value_enum)]
        section: Vec<Part>,
        /// To this new folder instead of their places
        #[arg(long, value_name = "FOLDER")]
        to: Option<PathBuf>,
        #[command(flatten)]
        at: At,
    },
    /// Forgets old snapshots, and gives their room back
    Prune {
        #[command(flatten)]
        keep: Keep,
        /// Only says what would go
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        at: At,
    },
    /// The key, without which nobody reads a backup
    Key {
        #[command(subcommand)]
        verb: KeyVerb,
    },
    /// Says when the next snapshot is taken by itself, or changes it
    Schedule {
        /// When: "0 2 * * SUN" in local time, "every 1d", "manual"
        when: Option<String>,
        #[command(flatten)]
        json: Json,
    },
}

/// Which repository, and how to answer.
#[derive(Clone, Debug, Args)]
pub(crate) struct At {
    /// The repository, if it is not this home's own: a folder
    #[arg(long, value_name = "FOLDER")]
    repository: Option<PathBuf>,
    #[command(flatten)]
    json: Json,
}

/// How many snapshots are kept.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Keep {
    /// The newest
    #[arg(long, value_name = "N", default_value_t = lle_archive::KEEP.last)]
    keep_last: u16,
    /// The last of each day
    #[arg(long, value_name = "N", default_value_t = lle_archive::KEEP.daily)]
    keep_daily: u16,
    /// Of each week
    #[arg(long, value_name = "N", default_value_t = lle_archive::KEEP.weekly)]
    keep_weekly: u16,
    /// Of each month
    #[arg(long, value_name = "N", default_value_t = lle_archive::KEEP.monthly)]
    keep_monthly: u16,
    /// Of each year
    #[arg(long, value_name = "N", default_value_t = lle_archive::KEEP.yearly)]
    keep_yearly: u16,
}

/// A section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    Configuration,
    Data,
    State,
    Plugins,
}

/// What is done with the key.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Prints the one line to write down; restic takes it as the password
    Export(Json),
    /// Takes in a line that was written down: on a new machine, before a restore
    Import {
        /// The line; read from standard input without it, where no other user sees it
        line: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Replaces the line; the former one opens nothing any more
    Rotate(At),
}

impl Part {
    const fn section(self) -> Section {
        match self {
            Part::Configuration => Section::Configuration,
            Part::Data => Section::Data,
            Part::State => Section::State,
            Part::Plugins => Section::Plugins,
        }
    }
}

/// Answers one of the verbs.
pub(crate) fn run(verb: BackupVerb) -> Result<ExitCode, Failure> {
    // Whatever a library creates is for this user alone, too.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    match verb {
        BackupVerb::Create { why, at } => take::create(&why, &at),
        BackupVerb::List(at) => look::list(&at),
        BackupVerb::Show { snapshot, files, at } => look::show(&snapshot, files, &at),
        BackupVerb::Diff { a, b, at } => look::diff(&a, b.as_deref(), &at),
        BackupVerb::Verify { data, at } => look::verify(data, &at),
        BackupVerb::Restore {
            snapshot,
            section,
            to,
            at,
        } => {
            let asked: Vec<Section> = section.into_iter().map(Part::section).collect();
            let sections = if asked.is_empty() { Section::ALL } else { &asked };
            back::restore(&snapshot, sections, to.as_deref(), &at)
        }
        BackupVerb::Prune { keep, dry_run, at } => take::prune(keep, dry_run, &at),
        BackupVerb::Key { verb } => match verb {
            KeyVerb::Export(Json { json }) => keys::export(json),
            KeyVerb::Import { line, at } => keys::import(line.as_deref(), &at),
            KeyVerb::Rotate(at) => keys::rotate(&at),
        },
        BackupVerb::Schedule { when, json } => {
            let request = match when {
                None => Request::Tasks,
                Some(when) => Request::Schedule(Box::new(schedule(when))),
            };
            show::answer(&request, json.json)
        }
    }
}

fn schedule(when: String) -> ScheduleRequest {
    ScheduleRequest {
        name: lle_core::task::TaskKind::Backup.name().to_owned(),
        schedule: Some(when),
        ..ScheduleRequest::default()
    }
}
