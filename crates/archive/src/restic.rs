//! The locks that restic leaves in a repository while it works.
//!
//! Each is a file in `locks`, sealed by the repository's own key as everything there is, that says since when, on which
//! machine and as which process. restic writes a new one every five minutes and removes the one before. Whether one is dead
//! is judged as restic does it: it is older than half an hour, or its process was one of this machine and is gone. Nobody
//! has to say when the file was written, and restic's own server does not say it.
//!
//! Invariants: in doubt restic is at work. Nothing is removed: `restic unlock` does that.

use std::time::Duration;

use jiff::Timestamp;
use rustic_core::repofile::MasterKey;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::Deserialize;

use crate::hex;
use crate::lock::LockError;
use crate::unseal::Opener;

/// Where the locks are.
pub(crate) const FOLDER: &str = "locks";
/// Bytes of a lock, at most; restic's have a few hundred.
pub(crate) const LOCK_BYTES_MAX: u64 = 64 * 1024;
/// restic renews its lock every five minutes and takes one for dead after thirty.
const STALE: Duration = Duration::from_secs(30 * 60);
/// Characters of a machine's name that are repeated.
const HOST_CHARS_MAX: usize = 64;

/// A lock that was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Where it lies, as it is said to a person.
    pub(crate) place: String,
    /// What is in it; nothing if that could not be read.
    pub(crate) sealed: Vec<u8>,
    /// How many seconds ago it was written, if anybody says so.
    pub(crate) age_s: Option<u64>,
}

/// What a lock says.
#[derive(Debug, Deserialize)]
struct Said {
    time: String,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    pid: i64,
}

/// This machine, now.
#[derive(Debug)]
pub(crate) struct Here {
    now: Timestamp,
    host: String,
}

impl Here {
    /// Looks at the clock, and what this machine is called.
    pub(crate) fn look() -> Here {
        let name = rustix::system::uname();
        Here {
            now: Timestamp::now(),
            host: name.nodename().to_string_lossy().into_owned(),
        }
    }
}

/// Whether a file of that name may be a lock: restic passes over others.
pub(crate) fn is_lock(name: &str) -> bool {
    name.len() == 64 && hex::decode(name).is_some()
}

/// Whether a lock is of a restic that works.
///
/// # Errors
/// It is, or may be.
pub(crate) fn judge(found: &Found, master: &MasterKey, here: &Here) -> Result<(), LockError> {
    let lock = found.place.clone();
    let Some((since, said)) = opened(&found.sealed, master) else {
        // All that is left is its age.
        return match found.age_s.is_some_and(|age_s| age_s >= STALE.as_secs()) {
            true => Ok(()),
            false => Err(LockError::Unread { lock }),
        };
    };
    // One from the future is of a clock that is ahead: fresh.
    let age_s = u64::try_from(here.now.duration_since(since).as_secs()).unwrap_or(0);
    let is_gone = said.hostname == here.host && !said.hostname.is_empty() && !may_live(said.pid);
    if age_s >= STALE.as_secs() || is_gone {
        return Ok(());
    }
    let plain = said.hostname.chars().filter(|c| !c.is_control());
    Err(LockError::Restic {
        lock,
        host: plain.take(HOST_CHARS_MAX).collect(),
        pid: said.pid,
        minutes: age_s / 60,
    })
}

/// Whether there may be such a process here; one that may not be signalled is somebody else's, and lives.
fn may_live(pid: i64) -> bool {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0);
    pid.and_then(Pid::from_raw)
        .is_none_or(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// Reads a lock; none if it is not sealed by that key, or says something else than a lock does.
fn opened(sealed: &[u8], master: &MasterKey) -> Option<(Timestamp, Said)> {
    let mut sealed = sealed.to_vec();
    let mut opener = Opener::of(master)?;
    let json = opener.open(&mut sealed, LOCK_BYTES_MAX as usize).ok()?;
    let said: Said = serde_json::from_slice(json).ok()?;
    Some((said.time.parse().ok()?, said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unseal;

    const NOW: &str = "2026-11-26T12:00:00Z";

    fn sealed(master: &MasterKey, json: &str, is_compressed: bool) -> Vec<u8> {
        unseal::tests::sealed(master, json.as_bytes(), is_compressed)
    }

    fn judged(sealed: Vec<u8>, age_s: Option<u64>, master: &MasterKey) -> Result<(), LockError> {
        let found = Found {
            place: "r/locks/l".into(),
            sealed,
            age_s,
        };
        let here = Here {
            now: NOW.parse().unwrap(),
            host: "here".into(),
        };
        judge(&found, master, &here)
    }

    /// The number of a process that has ended.
    fn gone() -> u32 {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        pid
    }

    #[test]
    fn a_lock_is_dead_when_restic_would_take_it_for_dead() {
        let master = MasterKey::new();
        let (own, gone) = (std::process::id(), gone());
        let check = |time: &str, host: &str, pid: u32, expect: Option<&str>| {
            let json = format!(
                r#"{{"time":"{time}","exclusive":false,"hostname":"{host}","username":"u","pid":{pid},"uid":1}}"#
            );
            for is_compressed in [false, true] {
                let judged = judged(sealed(&master, &json, is_compressed), Some(1), &master);
                let said = judged.err().map(|error| error.to_string());
                assert_eq!(said.as_deref(), expect, "{json}");
            }
        };
        // As Go writes a time: with nanoseconds and the zone of whoever writes.
        let fresh = "2026-11-26T12:40:01.123456789+01:00";
        let at_work = format!(
            "restic is at work on the repository, as process {gone} of there: it left r/locks/l 19 min ago"
        );
        check(fresh, "there", gone, Some(&at_work));
        check("2026-11-26T12:29:59.5+01:00", "there", gone, None);
        check(fresh, "here", gone, None);
        let at_work = format!(
            "restic is at work on the repository, as process {own} of here: it left r/locks/l 19 min ago"
        );
        check(fresh, "here", own, Some(&at_work));
        // A clock that is ahead.
        let ahead = "restic is at work on the repository, as process 7 of there: it left r/locks/l 0 min ago";
        check("2026-11-26T13:00:00Z", "there", 7, Some(ahead));
        // No process has this number, so nothing is known of it.
        let unknown =
            "restic is at work on the repository, as process 0 of here: it left r/locks/l 19 min ago";
        check(fresh, "here", 0, Some(unknown));
    }

    #[test]
    fn one_that_cannot_be_read_is_respected_until_its_file_is_old() {
        let master = MasterKey::new();
        let json = r#"{"time":"2026-11-26T01:00:00Z","hostname":"there","pid":1}"#;
        let good = sealed(&master, json, true);
        judged(good.clone(), None, &master).unwrap();
        let mut flipped = good;
        flipped[20] ^= 1;
        let other = sealed(&MasterKey::new(), json, true);
        let odd = sealed(&master, r#"{"time":"yesterday"}"#, false);
        for unread in [Vec::new(), b"sealed".to_vec(), flipped, other, odd] {
            for (age_s, expect) in [(None, false), (Some(60), false), (Some(30 * 60), true)] {
                let judged = judged(unread.clone(), age_s, &master);
                let is_as_expected = match &judged {
                    Ok(()) => expect,
                    Err(error) => !expect && matches!(error, LockError::Unread { .. }),
                };
                assert!(is_as_expected, "{age_s:?} {judged:?}");
            }
        }
    }

    #[test]
    fn a_lock_is_named_as_all_files_of_a_repository_are() {
        for (name, expect) in [
            ("ab".repeat(32), true),
            ("ab".repeat(31), false),
            ("x".repeat(64), false),
        ] {
            assert_eq!(is_lock(&name), expect, "{name}");
        }
        assert!(!is_lock(&format!("{}-tmp-1", "ab".repeat(32))));
    }
}
