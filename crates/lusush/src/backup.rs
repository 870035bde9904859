//! `lusush maint backup`, done: `lusush job backup`, a process of its own that [`crate::maint::backup`] runs.
//!
//! Works without a worker, which runs `create` as a job when its task is due. One at a time, by the archive's lock.

mod back;
mod bar;
mod keys;
mod look;
mod open;
mod take;
mod went;

use std::ffi::OsString;

use lle_archive::{Section, Verification};
use serde::Serialize;

use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::maint::backup::address;
use crate::maint::backup::verbs::{At, Backup, BackupVerb, Json, Keep, KeyVerb, Part};

/// What stands for the journal where a snapshot is named.
const JOURNAL: &str = "journal";

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

/// The version of the JSON that these verbs answer with.
const SCHEMA_VERSION: u32 = 1;

/// Answers with JSON.
fn json(answer: &impl Serialize) -> Result<ExitCode, Failure> {
    answer::versioned(SCHEMA_VERSION, answer)
}

/// Keeps the threads of the library quiet: when whoever takes their results has ended with an error, which is told, they
/// panic one by one for want of somebody to give them to.
fn quieten_threads() {
    let tell = std::panic::take_hook();
    let own = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == own {
            tell(panic);
        }
    }));
}

/// Answers one of the verbs.
pub(crate) fn run(words: &[OsString]) -> Result<ExitCode, Failure> {
    quieten_threads();
    let parsed = match answer::parse::<Backup>("lusush maint backup", words) {
        Ok(parsed) => parsed,
        Err(code) => return Ok(code),
    };
    // Whatever a library creates is for this user alone, too.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    match parsed.verb {
        BackupVerb::Create {
            why,
            journal,
            anew,
            at,
        } => match journal {
            true => take::journal(anew, &at),
            false => take::create(&why, &at),
        },
        BackupVerb::List(at) => look::list(&at),
        BackupVerb::Show { snapshot, files, at } => look::show(&snapshot, files, &at),
        BackupVerb::Diff { a, b, at } => look::diff(&a, b.as_deref(), &at),
        BackupVerb::Verify { data, metadata, at } => {
            let verification = match (data, metadata) {
                (true, _) => Verification::Data,
                (false, true) => Verification::Metadata,
                (false, false) => Verification::Trees,
            };
            look::verify(verification, &at)
        }
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
        BackupVerb::Schedule { .. } => Err(Failure::new("the schedule is the worker's")
            .code(2)
            .hint("`lusush maint backup schedule`")),
    }
}
