//! The runtime folder that the worker serves, for sessions and verbs whose environment names another.

use std::path::Path;

use super::{Found, RUNTIME_BYTES_MAX, Values};

/// The link in the worker's folder that names the runtime folder which the worker serves.
///
/// Sessions of one home may have different runtime folders, as a login without `pam_systemd`, `su` or a job of cron has no
/// `XDG_RUNTIME_DIR`. The worker is one for all of them: sessions and verbs go where it is.
pub const LINK: &str = "runtime";

/// Whether `served`, which [`LINK`] names, may be used in place of `own`: it is this user's alone, and of the same state
/// folder, whose name is the last part of both. So a copy of a home never leads to the worker of the original.
pub fn may_be_used(
    values: &Values,
    own: &Path,
    served: &Path,
    look: impl Fn(&Path) -> Option<Found>,
) -> bool {
    let ours = |path: &Path| look(path).filter(|found| found.owner == values.euid && !found.symlink);
    values.lusush_home.is_none()
        && served != own
        && served.is_absolute()
        && served.file_name() == own.file_name()
        && served.as_os_str().len() <= RUNTIME_BYTES_MAX
        && served.parent().and_then(ours).is_some()
        && ours(served).is_some_and(|found| found.mode & 0o077 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const LINK_MODE: u32 = 0o777;
    const OWN: &str = "/tmp/lusush-1000/43b6a791fd02e00b";

    #[test]
    fn another_runtime_folder_of_the_same_state_is_used_if_it_is_this_users_alone() {
        let check = |served: &str, disk: &[(&str, u32, u32)], lusush_home: Option<&str>, expect: bool| {
            let values = Values {
                euid: 1000,
                lusush_home: lusush_home.map(PathBuf::from),
                ..Values::default()
            };
            let look = |path: &Path| {
                let &(_, owner, mode) = disk.iter().find(|(known, ..)| Path::new(known) == path)?;
                Some(Found {
                    owner,
                    mode,
                    symlink: mode == LINK_MODE,
                })
            };
            let may = may_be_used(&values, Path::new(OWN), Path::new(served), look);
            assert_eq!(may, expect, "{served} {disk:?}");
        };
        let served = "/run/user/1000/lusush/43b6a791fd02e00b";
        let parent = ("/run/user/1000/lusush", 1000, 0o700);
        let good = [parent, (served, 1000, 0o700)];
        check(served, &good, None, true);
        check(served, &good, Some("/tmp/try"), false);
        check(served, &[], None, false);
        check(served, &[parent], None, false);
        check(served, &[parent, (served, 1001, 0o700)], None, false);
        check(served, &[parent, (served, 1000, 0o750)], None, false);
        check(served, &[parent, (served, 1000, LINK_MODE)], None, false);
        check(
            served,
            &[("/run/user/1000/lusush", 1001, 0o777), good[1]],
            None,
            false,
        );
        // Its own, and that of another home.
        check(
            OWN,
            &[(OWN, 1000, 0o700), ("/tmp/lusush-1000", 1000, 0o700)],
            None,
            false,
        );
        let other = "/run/user/1000/lusush/6112345bacdf554b";
        check(other, &[parent, (other, 1000, 0o700)], None, false);
    }
}
