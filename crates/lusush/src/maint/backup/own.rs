//! This home's own repository, as its configuration says.
//!
//! The job reads no configuration: it is told by the variables that would give the same keys. What is secret is in the
//! environment, or in a file that the configuration names; neither is read here.
//!
//! Invariant: a copy of a home, which a drill damages, never goes to where the home itself is saved.

use lle_core::config::{CATALOGUE, Config, Name};
use lle_core::repository::Address;

use super::super::drill::is_copy;
use super::super::recover::places::Places;
use crate::maint::config::layers;
use crate::{launch_config, paths};

/// The variables for the job; each is given, so that what the environment has besides says nothing.
pub(crate) fn variables() -> [(String, String); 2] {
    let (repository, credentials) = said();
    let of = |name: Name, value: String| (name.key().variable(), value);
    [
        of(Name::BackupRepository, repository),
        of(Name::BackupCredentials, credentials),
    ]
}

/// Where it is, if the configuration says so.
pub(crate) fn address() -> Option<Address> {
    Address::parse(&said().0).ok()
}

/// The address and the file of credentials; empty where nothing is said.
fn said() -> (String, String) {
    if Places::look(None).is_ok_and(|places| is_copy(&places)) {
        return (String::new(), String::new());
    }
    let config = config();
    let word = |name| in_home(config.word(name));
    (word(Name::BackupRepository), word(Name::BackupCredentials))
}

/// What the files say; if there are mistakes in them, what was in force last, since a broken configuration is among what a
/// backup is for.
fn config() -> Config {
    let last = || Some(CATALOGUE.read_back(&launch_config::files()?.read_in_force()?));
    match CATALOGUE.merge(&layers::all(&[])) {
        Ok(merged) => merged.config,
        Err(_) => last().unwrap_or_else(|| CATALOGUE.built_in()),
    }
}

/// The file that `~/` means.
fn in_home(text: &str) -> String {
    let plain = text.strip_prefix("local:").unwrap_or(text);
    match (plain.strip_prefix("~/"), paths::home()) {
        (Some(below), Some(home)) => home.join(below).display().to_string(),
        _ => text.to_owned(),
    }
}
