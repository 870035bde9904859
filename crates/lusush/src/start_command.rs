//! The command that is configured for before prompts, left out of a start: a session ended in it, or does not come out of
//! it.
//!
//! A command such as `exit` ends each session at its second prompt. The worker takes it back while it is on trial; where
//! there is no worker, or the command has been there for long, the next start does without it, and says so. As long as it
//! runs, a session's flight file says that and since when ([`Gauge::PromptCommandSinceWallNs`]), and a session that ends
//! meanwhile leaves the file. What is left out is kept in one small file, until the configuration says something else or
//! somebody starts with `--retry`.
//!
//! Invariants: whatever cannot be read changes nothing. Where no such command is configured, it costs a start nothing. What the machine has locked is the machine's.

use std::fs;
use std::path::Path;

use lle_core::config::Name;
use lle_log::versions;
use lle_maintenance::real::settle::{ConfigFiles, at_version};
use lle_maintenance::real::versions::VersionLog;
use lle_metrics::liveness::{from_another_boot, liveness};
use lle_metrics::{EXTENSION, Gauge, Liveness, Snapshot};

use crate::launch_config::Configured;
use crate::paths;
use crate::replace::replace;
use crate::start_crashes::{hung_up, now_ns};

/// Where it is kept, below the state folder; no backup has it.
const FILE: &str = "start/prompt-command";
/// How the file begins.
const HEAD: &str = "lusush-prompt-command 1\n";
/// For so long it may run, in nanoseconds: nobody waits longer for a prompt.
const RUNS_NS_MAX: i64 = 10 * 1_000_000_000;
/// Flight files that are looked into: each costs a start some 30 us. No more are kept.
const FLIGHTS_MAX: usize = 64;

/// What is kept.
#[derive(Debug, Default, PartialEq, Eq)]
struct Kept {
    /// What is left out, if anything is.
    command: String,
    /// Since when sessions count, in nanoseconds since 1970.
    since_ns: i64,
}

impl Kept {
    fn read(path: &Path) -> Kept {
        let text = fs::read_to_string(path).unwrap_or_default();
        let Some((since, command)) = text.strip_prefix(HEAD).and_then(|text| text.split_once('\n')) else {
            return Kept::default();
        };
        Kept {
            command: command.strip_suffix('\n').unwrap_or(command).to_owned(),
            since_ns: since.parse().unwrap_or(0),
        }
    }

    fn write(&self, path: &Path) {
        let text = format!("{HEAD}{}\n{}\n", self.since_ns, self.command);
        // Where nothing can be written each start decides by itself, and comes to the same.
        let _untold = replace(path, text.as_bytes());
    }
}

/// Decides whether the command is left out of this start; gives what to say then. `retry` says that somebody wants it again.
pub(crate) fn begin(configured: Option<&Configured>, retry: bool) -> Option<String> {
    let Configured { files, in_force } = configured?;
    let command = in_force.value(Name::PromptCommand.key().name);
    let (command, locked) = command.filter(|(command, _)| !command.is_empty())?;
    let own = paths::runtime().ok();
    let folders: Vec<_> = own
        .into_iter()
        .chain(paths::served())
        .map(|runtime| runtime.join("sessions"))
        .collect();
    let now_ns = now_ns();
    let path = files.state.join(FILE);
    if retry {
        let kept = Kept {
            command: String::new(),
            since_ns: now_ns,
        };
        kept.write(&path);
        return None;
    }
    if locked {
        return None;
    }
    let kept = Kept::read(&path);
    if kept.command == command {
        return Some(message("has not come out of it, or has ended in it"));
    }
    let says_it =
        |version: u64| version == in_force.version || said_at(files, version) == Some(command.to_owned());
    let how = folders
        .iter()
        .find_map(|sessions| look(sessions, kept.since_ns, now_ns, &says_it))?;
    let kept = Kept {
        command: command.to_owned(),
        ..kept
    };
    kept.write(&path);
    Some(message(how))
}

fn message(how: &str) -> String {
    format!(
        "lusush: prompt.command is left out, since a session\n  {how}.\n  \
         `lusush maint config unset prompt.command` takes it away for good;\n  \
         `lusush --retry` starts with it again.\n"
    )
}

/// What the configuration said of the command as of a version.
fn said_at(files: &ConfigFiles, version: u64) -> Option<String> {
    let bytes = VersionLog::below(&files.state).bytes().ok()?;
    let then = at_version(files, &versions::read(&bytes).ok()?, version)?;
    let said = then.value(Name::PromptCommand.key().name);
    said.map(|(command, _)| command.to_owned())
}

/// What became of a session in the command, as a sentence goes on, if anything did; `says_it` tells the versions that say
/// that command.
fn look(sessions: &Path, since_ns: i64, now_ns: i64, says_it: &dyn Fn(u64) -> bool) -> Option<&'static str> {
    let entries = fs::read_dir(sessions).ok()?.flatten().map(|entry| entry.path());
    let flights = entries.filter(|path| path.extension().is_some_and(|end| end == EXTENSION));
    flights.take(FLIGHTS_MAX).find_map(|path| {
        let alive = liveness(&path);
        let snapshot = Snapshot::read(&path).ok()?;
        let number = |gauge| snapshot.gauge(gauge).filter(|number| *number > 0);
        let began_ns = number(Gauge::PromptCommandSinceWallNs).filter(|began_ns| *began_ns >= since_ns)?;
        let version = number(Gauge::PromptCommandVersion)?.unsigned_abs();
        if from_another_boot(&snapshot) == Some(true) || hung_up(&snapshot) {
            return None;
        }
        let how = match alive {
            Liveness::Dead => "has ended in it",
            Liveness::Alive if now_ns.saturating_sub(began_ns) > RUNS_NS_MAX => {
                "has not come out of it for a while"
            }
            _ => return None,
        };
        says_it(version).then_some(how)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join(FILE);
        assert_eq!(Kept::read(&path), Kept::default());
        let kept = Kept {
            command: "exit".into(),
            since_ns: 7,
        };
        kept.write(&path);
        assert_eq!(Kept::read(&path), kept);
        fs::write(&path, "7\nexit\n").expect("it can be written");
        assert_eq!(Kept::read(&path), Kept::default(), "of another version");
    }

    #[test]
    fn what_is_said_fits_eighty_columns_and_names_the_way_back() {
        let text = message("has not come out of it for a while");
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert!(text.contains("--retry") && text.contains("unset"), "{text}");
    }
}
