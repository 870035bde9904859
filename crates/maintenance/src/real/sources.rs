//! The files that the engine goes by and does not write: the machine's policy, the user's, the time zone, and the word
//! that nobody wants a worker. Whoever runs the engine looks now and then whether they have changed.
//!
//! Invariant: a change is seen at the next look, whoever made it and whatever they did to the clock: device, inode,
//! length, and the times of change of content and inode are compared. Policies are read once more at the first look: what
//! changed between their first reading and that look is no less in force.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::policy::{self, Rules};

/// Where the machine says which time zone it is in.
const ZONE: &str = "/etc/localtime";

/// What tells one state of a file from another; none if there is no file, or it cannot be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    bytes: u64,
    changed: (i64, i64),
    inode_changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self {
            file: (found.dev(), found.ino()),
            bytes: found.len(),
            changed: (found.mtime(), found.mtime_nsec()),
            inode_changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// The files, and how they were when they were looked at last.
pub(crate) struct Sources {
    user_policy: Option<PathBuf>,
    stopped: PathBuf,
    policies: Option<[Option<Stamp>; 2]>,
    zone: Option<Stamp>,
    stop: Option<Stamp>,
}

impl Sources {
    /// Takes the files as they are now for what the engine goes by already, all but the policies.
    ///
    /// `unless_stopped`: that nobody wants a worker was looked for already, so whoever has written it since is to be heard.
    pub(crate) fn new(user_policy: Option<PathBuf>, stopped: PathBuf, unless_stopped: bool) -> Self {
        Self {
            policies: None,
            zone: Stamp::of(Path::new(ZONE)),
            stop: Stamp::of(&stopped).filter(|_| !unless_stopped),
            user_policy,
            stopped,
        }
    }

    /// The rules, if their files may have changed since the last look; the user's only if there is a file to follow.
    pub(crate) fn changed_rules(&mut self) -> Option<Rules> {
        // Before they are read: what changes while they are is seen at the next look.
        let user = self.user_policy.as_deref();
        let found = Some([Stamp::of(Path::new(policy::SYSTEM)), user.and_then(Stamp::of)]);
        (std::mem::replace(&mut self.policies, found) != found).then(|| policy::rules(user))
    }

    /// Whether the user's rules are in a file that is followed.
    pub(crate) fn follows_user(&self) -> bool {
        self.user_policy.is_some()
    }

    /// The time zone, if the machine's may have changed since the last look.
    pub(crate) fn changed_zone(&mut self) -> Option<TimeZone> {
        let found = Stamp::of(Path::new(ZONE));
        if std::mem::replace(&mut self.zone, found) == found {
            return None;
        }
        // The library remembers the zone for minutes.
        jiff::tz::reset_system_time_zone_cache();
        Some(super::zone())
    }

    /// Whether somebody has written that nobody wants a worker, and was not heard yet.
    pub(crate) fn is_stopped(&self) -> bool {
        let found = Stamp::of(&self.stopped);
        found.is_some() && found != self.stop
    }

    /// Whoever wrote it was heard.
    pub(crate) fn stop_heard(&mut self) {
        self.stop = Stamp::of(&self.stopped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_a_file_is_seen_once() {
        let folder = tempfile::tempdir().unwrap();
        let (rules, stopped) = (folder.path().join("policy.toml"), folder.path().join("stopped"));
        fs::write(&stopped, "").unwrap();
        let mut sources = Sources::new(Some(rules.clone()), stopped.clone(), false);
        let spawned = Sources::new(None, stopped.clone(), true);
        assert!(spawned.is_stopped(), "it was written while the worker started");
        assert!(sources.changed_rules().is_some(), "at first they are read anyway");
        assert!(!sources.is_stopped(), "it was there before");
        let mut check = |change: &dyn Fn()| {
            change();
            assert!(sources.changed_rules().is_some());
            assert!(sources.changed_rules().is_none());
        };
        check(&|| fs::write(&rules, "").unwrap());
        check(&|| fs::write(&rules, "denied_operations = [\"stop\"]").unwrap());
        // Another file of the same length and time, and one that others may write to.
        check(&|| {
            let at = fs::metadata(&rules).unwrap().modified().unwrap();
            let other = rules.with_extension("other");
            fs::write(&other, "denied_operations = [\"wake\"]").unwrap();
            let file = fs::File::options().write(true).open(&other).unwrap();
            file.set_modified(at).unwrap();
            fs::rename(&other, &rules).unwrap();
        });
        check(&|| fs::remove_file(&rules).unwrap());
        fs::remove_file(&stopped).unwrap();
        assert!(!sources.is_stopped());
        fs::write(&stopped, "").unwrap();
        assert!(sources.is_stopped());
        assert!(sources.is_stopped(), "until it was heard");
        sources.stop_heard();
        assert!(!sources.is_stopped());
    }
}
