//! What is known of start-up files: their versions, and what the files hold now.

use std::path::PathBuf;

use lle_core::error::Code;
use lle_log::versions::{self, Version, Versions};
use lle_maintenance::real::rc_versions::{self, FILE_BYTES_MAX, Seen, shown};
use lle_maintenance::real::start_file;
use lle_maintenance::real::versions::VersionLog;

use crate::failure::Failure;
use crate::start_versions::State;
use crate::{paths, start};

/// Who writes versions here.
pub(super) const TOOL: &str = "lusush maint";

/// The log and the home folder.
pub(super) struct Known {
    pub(super) home: PathBuf,
    pub(super) log: VersionLog,
    bytes: Vec<u8>,
}

impl Known {
    /// Looks at everything; what nobody had seen before is a version now.
    pub(super) fn look() -> Result<Known, Failure> {
        let home = paths::home().ok_or_else(|| unreadable().because("there is no home folder"))?;
        let state = paths::state().map_err(|refusal| unreadable().because(refusal))?;
        let log = rc_versions::log(&state);
        let states = start::states::states(&home);
        let seen: Vec<Seen<'_>> = states.iter().map(State::seen).collect();
        if let Err(error) = rc_versions::keep(&log, &seen, TOOL, rc_versions::PATIENCE) {
            eprintln!("lusush: what the files hold now is no version yet: {error}");
        }
        let bytes = log.bytes().map_err(|error| unreadable().because(error))?;
        Ok(Known { home, log, bytes })
    }

    /// The versions.
    pub(super) fn versions(&self) -> Result<Versions<'_>, Failure> {
        versions::read(&self.bytes).map_err(|error| unreadable().because(error))
    }

    /// What a file holds now; none if there is nothing, or nothing that could be a version.
    pub(super) fn now(&self, file: &str) -> Option<Vec<u8>> {
        let path = rc_versions::path(file, &self.home);
        let found = start_file::read(&path, FILE_BYTES_MAX).ok().flatten();
        found.map(|found| found.bytes)
    }

    /// The name in the log of what somebody calls a file.
    pub(super) fn file(&self, versions: &Versions<'_>, asked: &str) -> Result<String, Failure> {
        let here = std::env::current_dir().unwrap_or_default().join(asked);
        let names = [shown(&here, &self.home), format!("~/{asked}"), asked.to_owned()];
        let found = names.into_iter().find(|name| versions.newest(name).is_some());
        found.ok_or_else(|| {
            let asked = crate::text::printable(asked, 60);
            Failure::new(format!("there is no version of {asked}"))
                .code(Code::NotFound.exit())
                .hint("`lusush maint rc log` lists the files")
        })
    }

    /// What files say now although a start with it reached no prompt, where no version is better: they were new then.
    pub(super) fn hopeless<'v>(&self, versions: &'v Versions<'_>) -> Vec<&'v Version<'v>> {
        let bad = versions.versions.iter().filter(|version| {
            let newest = versions.newest(version.file).map(|newest| newest.number);
            newest == Some(version.number) && versions.last_good(version.file).is_none()
        });
        bad.filter(|bad| self.now(bad.file).as_deref() == Some(bad.content))
            .collect()
    }

    /// The files that do not say what their last good version says, with that version.
    pub(super) fn changed<'v>(&self, versions: &'v Versions<'_>) -> Vec<&'v Version<'v>> {
        let mut files: Vec<&str> = versions.versions.iter().map(|version| version.file).collect();
        files.sort_unstable();
        files.dedup();
        let good = files.into_iter().filter_map(|file| versions.last_good(file));
        good.filter(|good| self.now(good.file).as_deref() != Some(good.content))
            .collect()
    }
}

/// The version of that number.
pub(super) fn numbered<'v>(versions: &'v Versions<'v>, number: u64) -> Result<&'v Version<'v>, Failure> {
    versions.numbered(number).ok_or_else(|| {
        Failure::new(format!("there is no version #{number}"))
            .code(Code::NotFound.exit())
            .hint("`lusush maint rc log` lists them")
    })
}

/// A number, if that is what was asked for: a file of such a name is asked for as `./7`.
pub(super) fn number(asked: &str) -> Option<u64> {
    asked.strip_prefix('#').unwrap_or(asked).parse().ok()
}

pub(super) fn unreadable() -> Failure {
    Failure::new("the versions of start-up files cannot be read")
        .hint("`lusush doctor` says more about folders")
}
