//! What bash and readline are about to read, and what they would wait for.
//!
//! Invariant: what is left out is told.

use std::path::PathBuf;

use super::{PROFILES, RC, system_profile};
use crate::launch_script::Source;
use crate::start_file::{self, File, INPUTRC, NOTHING};

/// What bash and readline would read by themselves, and what they would wait for.
pub(super) struct Found {
    pub(super) home: PathBuf,
    /// The file of a login shell that is read.
    profile: Option<&'static str>,
    pub(super) files: Vec<File>,
    /// What is left out, and what it is.
    endless: Vec<(&'static str, &'static str)>,
}

impl Found {
    pub(super) fn look(home: PathBuf, login: bool) -> Self {
        let mut found = Self {
            home,
            profile: None,
            files: Vec::new(),
            endless: Vec::new(),
        };
        if login {
            found.profile = PROFILES.into_iter().find(|name| found.read(name));
        }
        found.read(RC);
        found.read(INPUTRC);
        found
    }

    /// Says whether bash finds something of that name that it can read.
    fn read(&mut self, name: &'static str) -> bool {
        let path = start_file::path_of(name, &self.home);
        match File::read(name, path) {
            Ok(file) => {
                let is_there = file.is_some();
                self.files.extend(file);
                is_there
            }
            Err(what) => {
                self.endless.push((name, what));
                false
            }
        }
    }

    pub(super) fn is_endless(&self, name: &str) -> bool {
        self.endless.iter().any(|(endless, _)| *endless == name)
    }

    /// The files on disk, but for what bash would wait for.
    pub(super) fn sources(&self, login: bool) -> Vec<Source> {
        let rc = (!self.is_endless(RC)).then_some(Source::Home(RC));
        match (login, self.profile) {
            (false, _) => rc.into_iter().collect(),
            (true, None) => vec![system_profile()],
            (true, Some(profile)) => vec![system_profile(), Source::Home(profile)],
        }
    }

    pub(super) fn inputrc(&self) -> Option<PathBuf> {
        self.is_endless(INPUTRC).then(|| NOTHING.into())
    }

    /// Says what is left out.
    pub(super) fn left_out(&self) -> String {
        let line = |(name, what): &(&str, &str)| {
            format!("lusush: ~/{name} is left out: it is {what},\n        and reading it may never end.\n")
        };
        self.endless.iter().map(line).collect()
    }
}
