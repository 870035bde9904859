//! What the worker wants of this session: the runtime folder's `desired`, read only when it has changed.
//!
//! Invariants: one look costs one `stat`; the file is read only if it is this user's own regular file of bounded size;
//! each alert is told once and each trim done once, whatever the file says how often.

use lle_core::desired::{Alert, BYTES_MAX, Desired, FILE_NAME, Setting, Trial};
use lle_core::in_force::InForce;
use std::fs::{Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// What tells one version of the file from another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    modified: (i64, i64),
    bytes: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            bytes: metadata.len(),
        }
    }
}

/// The file as this session last saw it, and what the session has done of it.
#[derive(Default)]
pub(crate) struct Inbox {
    seen: Option<Stamp>,
    /// Alerts for this session that were not told yet, lowest number first.
    alerts: Vec<Alert>,
    told: u64,
    /// What every session is to use, and the value that is compared with one of them.
    settings: Vec<Setting>,
    trial: Option<Trial>,
    /// The configuration that running sessions are to go by.
    config: Option<InForce>,
    /// The newest trim asked for.
    trim: u64,
    trimmed: u64,
}

impl Inbox {
    /// Looks whether the file in `runtime` has changed, and reads it if so; gives its generation then.
    pub(crate) fn look(&mut self, runtime: &Path, session: u64) -> Option<u64> {
        let path = runtime.join(FILE_NAME);
        let Ok(metadata) = std::fs::symlink_metadata(&path) else {
            // Nothing is wanted any more.
            self.seen = None;
            self.alerts.clear();
            self.trim = self.trimmed;
            return None;
        };
        let stamp = Stamp::of(&metadata);
        if self.seen.replace(stamp) == Some(stamp) {
            return None;
        }
        // What cannot be read is not looked at again before it changes; `lusush doctor` is who explains it.
        let desired = read_own(&path, BYTES_MAX).and_then(|bytes| Desired::decode(&bytes).ok())?;
        self.take(desired, session)
    }

    fn take(&mut self, desired: Desired, session: u64) -> Option<u64> {
        self.alerts = desired.alerts;
        self.alerts
            .retain(|alert| alert.session == session && alert.id > self.told);
        self.alerts.sort_by_key(|alert| alert.id);
        let trims = desired.trims.iter().filter(|trim| trim.session == session);
        self.trim = trims.map(|trim| trim.token).fold(self.trimmed, u64::max);
        self.settings = desired.settings;
        self.trial = desired.trials.into_iter().next();
        self.config = desired.config;
        Some(desired.generation)
    }

    /// What every session is to use, and what is compared with it.
    pub(crate) fn settings(&self) -> (&[Setting], Option<&Trial>) {
        (&self.settings, self.trial.as_ref())
    }

    /// Nobody judges the trial any more; true if there was one. The next worker says anew what it wants.
    pub(crate) fn drop_trial(&mut self) -> bool {
        self.trial.take().is_some()
    }

    /// The configuration that is published, if one is.
    pub(crate) fn configuration(&self) -> Option<&InForce> {
        self.config.as_ref()
    }

    /// The next alert to tell.
    pub(crate) fn alert(&self) -> Option<&Alert> {
        self.alerts.first()
    }

    /// The alert was told, and is never told again; gives its number.
    pub(crate) fn told(&mut self) -> u64 {
        if let Some(first) = self.alerts.first() {
            self.told = first.id;
        }
        self.alerts.retain(|alert| alert.id > self.told);
        self.told
    }

    /// True if a trim is asked for that was not done.
    pub(crate) fn wants_trim(&self) -> bool {
        self.trim > self.trimmed
    }

    /// Takes the trim as done; gives its number.
    pub(crate) fn trimmed(&mut self) -> u64 {
        self.trimmed = self.trim;
        self.trimmed
    }
}

/// A file's bytes, if it is a file that this user wrote, of at most `bytes_max`.
pub(crate) fn read_own(path: &Path, bytes_max: usize) -> Option<Vec<u8>> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .ok()?;
    let metadata = file.metadata().ok()?;
    // SAFETY: geteuid has no arguments and cannot fail.
    let ours = metadata.uid() == unsafe { libc::geteuid() };
    if !(metadata.is_file() && ours && metadata.len() <= bytes_max as u64) {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).ok()?);
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lle_core::desired::Trim;
    use lle_core::severity::Severity;

    const SELF: u64 = 7;

    fn alert(id: u64, session: u64) -> Alert {
        Alert {
            id,
            session,
            severity: Severity::Info,
            text: format!("alert {id}"),
        }
    }

    fn desired(alerts: &[(u64, u64)], trims: &[(u64, u64)]) -> Desired {
        Desired {
            generation: 1,
            alerts: alerts.iter().map(|a| alert(a.0, a.1)).collect(),
            trims: trims
                .iter()
                .map(|t| Trim {
                    token: t.0,
                    session: t.1,
                })
                .collect(),
            ..Desired::default()
        }
    }

    /// Tells all there is to tell.
    fn tell(inbox: &mut Inbox) -> Vec<u64> {
        std::iter::from_fn(|| inbox.alert().map(|_| ()).map(|()| inbox.told())).collect()
    }

    #[test]
    fn an_alert_is_told_once_and_in_order() {
        let mut inbox = Inbox::default();
        let mut check = |alerts: &[(u64, u64)], expect: &[u64]| {
            inbox.take(desired(alerts, &[]), SELF);
            assert_eq!(tell(&mut inbox), expect, "{alerts:?}");
        };
        check(&[(2, SELF), (1, SELF), (9, 8)], &[1, 2]);
        check(&[(2, SELF), (1, SELF), (9, 8)], &[]);
        check(&[(2, SELF), (3, SELF), (3, SELF)], &[3]);
        check(&[(u64::MAX, SELF)], &[u64::MAX]);
        check(&[(4, SELF)], &[]);
    }

    #[test]
    fn a_trim_is_done_once() {
        let mut inbox = Inbox::default();
        let mut check = |trims: &[(u64, u64)], expect: Option<u64>| {
            inbox.take(desired(&[], trims), SELF);
            let done = inbox.wants_trim().then(|| inbox.trimmed());
            assert_eq!(done, expect, "{trims:?}");
        };
        check(&[], None);
        check(&[(1, 8)], None);
        check(&[(1, SELF), (3, SELF), (2, SELF)], Some(3));
        check(&[(3, SELF)], None);
        check(&[(2, SELF)], None);
        check(&[(4, SELF)], Some(4));
    }
}
