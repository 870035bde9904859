//! Where everything lies: environment values in, folders out.
//!
//! `LUSUSH_HOME` moves all of it under one folder; else the XDG base directories hold a `lusush` folder each. In that of
//! the runtime folder each state folder has one of its own: one user may have several homes (containers that share `/tmp`,
//! `HOME=… lusush`), and a worker must neither tell the sessions of another home what to do nor be asked for it there.
//!
//! Invariant: no folder is offered that another user owns. Under su and sudo the environment still names the
//! former user's folders: using them would leave root's files there, or trust files that this user did not
//! write. And none is offered below a home folder that is not there: it may be on a disk that is not mounted yet, and what
//! was made in its place would lie hidden below it. The caller looks at the disk (`look`) and makes the folders, 0700.

pub mod served;

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::sum;

/// Longest runtime folder, in bytes: a socket path ends at 107, and `/sessions/` with a session's id and
/// `.wake` takes 31.
const RUNTIME_BYTES_MAX: usize = 107 - 31;

/// Below the home folder, where nothing else is said.
const STATE_DEFAULT: &str = ".local/state";

/// What the environment says, unset and empty alike being none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// `LUSUSH_HOME`.
    pub lusush_home: Option<PathBuf>,
    /// `HOME`, or what the user database says.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<PathBuf>,
    /// `XDG_DATA_HOME`.
    pub data_home: Option<PathBuf>,
    /// `XDG_CACHE_HOME`.
    pub cache_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// The effective user id.
    pub euid: u32,
}

impl Values {
    /// Reads the values with `value`, which answers for one variable.
    ///
    /// Relative paths count as unset, as the XDG specification asks.
    pub fn read(euid: u32, value: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name| value(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self {
            lusush_home: path("LUSUSH_HOME"),
            home: path("HOME"),
            config_home: path("XDG_CONFIG_HOME"),
            state_home: path("XDG_STATE_HOME"),
            data_home: path("XDG_DATA_HOME"),
            cache_home: path("XDG_CACHE_HOME"),
            runtime_dir: path("XDG_RUNTIME_DIR"),
            euid,
        }
    }
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Owner, of the target if it is a symbolic link.
    pub owner: u32,
    /// Permission bits, of the target likewise.
    pub mode: u32,
    /// True if the path itself is a symbolic link.
    pub symlink: bool,
}

/// The folders, each with the reason if it must not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// `config.toml`, themes, plugins.
    pub config: Result<PathBuf, Refusal>,
    /// History, audit, start-up records.
    pub state: Result<PathBuf, Refusal>,
    /// Backups.
    pub data: Result<PathBuf, Refusal>,
    /// What can be rebuilt.
    pub cache: Result<PathBuf, Refusal>,
    /// Flight files and sockets, gone after a reboot.
    pub runtime: Result<PathBuf, Refusal>,
}

/// Why a folder must not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No variable says where it is.
    Unset {
        /// The variables that could.
        variables: &'static str,
    },
    /// It would be in a home folder that does not exist.
    NoHome {
        /// That home folder.
        home: PathBuf,
    },
    /// Another user owns it, or the folder it would be made in.
    Foreign {
        /// What that user owns.
        path: PathBuf,
        /// The user's id.
        owner: u32,
    },
    /// A shared place holds something that anyone could have put there.
    Unsafe {
        /// The symbolic link, or the folder others may write to.
        path: PathBuf,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset { variables } => write!(out, "none of {variables} is set"),
            Self::NoHome { home } => {
                write!(
                    out,
                    "the home folder {} is not there: mount it or make it",
                    home.display()
                )
            }
            Self::Foreign { path, owner } => write!(out, "{} belongs to user {owner}", path.display()),
            Self::Unsafe { path } => write!(out, "{} is a link or open to others", path.display()),
        }
    }
}

impl std::error::Error for Refusal {}

/// Decides on the folders. `look` says what is at a path, if anything.
pub fn folders(values: &Values, look: impl Fn(&Path) -> Option<Found>) -> Folders {
    Folders {
        config: config(values, &look),
        state: state(values, &look),
        data: below_home(
            values,
            "data",
            &values.data_home,
            ".local/share",
            "XDG_DATA_HOME, HOME",
            &look,
        ),
        cache: cache(values, &look),
        runtime: runtime(values, &look),
    }
}

/// Decides on [`Folders::config`], and looks at nothing else: a start that needs two folders does not look at five.
///
/// # Errors
/// It must not be used.
pub fn config(values: &Values, look: impl Fn(&Path) -> Option<Found>) -> Result<PathBuf, Refusal> {
    let variables = "XDG_CONFIG_HOME, HOME";
    below_home(values, "config", &values.config_home, ".config", variables, &look)
}

/// Decides on [`Folders::state`] alone.
///
/// # Errors
/// It must not be used.
pub fn state(values: &Values, look: impl Fn(&Path) -> Option<Found>) -> Result<PathBuf, Refusal> {
    let variables = "XDG_STATE_HOME, HOME";
    below_home(
        values,
        "state",
        &values.state_home,
        STATE_DEFAULT,
        variables,
        &look,
    )
}

/// Decides on [`Folders::cache`] alone.
///
/// # Errors
/// It must not be used.
pub fn cache(values: &Values, look: impl Fn(&Path) -> Option<Found>) -> Result<PathBuf, Refusal> {
    let variables = "XDG_CACHE_HOME, HOME";
    below_home(values, "cache", &values.cache_home, ".cache", variables, &look)
}

fn below_home(
    values: &Values,
    own: &str,
    xdg: &Option<PathBuf>,
    default: &str,
    variables: &'static str,
    look: &impl Fn(&Path) -> Option<Found>,
) -> Result<PathBuf, Refusal> {
    let path = named(values, own, xdg, default).ok_or(Refusal::Unset { variables })?;
    owned(path, values, look)
}

/// Where the variables say that a folder is.
fn named(values: &Values, own: &str, xdg: &Option<PathBuf>, default: &str) -> Option<PathBuf> {
    match (&values.lusush_home, xdg, &values.home) {
        (Some(lusush_home), ..) => Some(lusush_home.join(own)),
        (None, Some(xdg), _) => Some(xdg.join("lusush")),
        (None, None, home) => Some(home.as_ref()?.join(default).join("lusush")),
    }
}

/// The history log of this machine below the state folder: a shared home has one for each, since NFS has no
/// atomic append. `machine_id` is what `/etc/machine-id` says, perhaps nothing.
pub fn history_log(state: &Path, machine_id: &str) -> PathBuf {
    state
        .join("history")
        .join(format!("{}.log", machine_name(machine_id)))
}

/// The index of that log below the cache folder: it may be deleted at any time.
pub fn history_index(cache: &Path, machine_id: &str) -> PathBuf {
    cache
        .join("history")
        .join(format!("{}.index", machine_name(machine_id)))
}

/// The worker's folder of this machine below the state folder, for the same reason as [`history_log`]'s: its lock,
/// its log, and what it is told to leave alone.
pub fn maint_folder(state: &Path, machine_id: &str) -> PathBuf {
    state.join("maint").join(machine_name(machine_id))
}

/// The machine's id if it can name a file, else one name for all.
fn machine_name(machine_id: &str) -> &str {
    let id = machine_id.trim();
    let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain { id } else { "local" }
}

/// Decides on [`Folders::runtime`] alone.
///
/// # Errors
/// It must not be used.
pub fn runtime(values: &Values, look: impl Fn(&Path) -> Option<Found>) -> Result<PathBuf, Refusal> {
    if let Some(lusush_home) = &values.lusush_home {
        return owned(lusush_home.join("run"), values, &look);
    }
    // Without a home there is no state folder, and all who have none share one.
    let own = named(values, "state", &values.state_home, STATE_DEFAULT).map(|state| {
        // Written otherwise, with a slash too many, it is the same.
        let state: PathBuf = state.components().collect();
        format!("{:016x}", sum::of(state.as_os_str().as_bytes()))
    });
    let own = own.unwrap_or_else(|| "homeless".to_owned());
    if let Some(given) = &values.runtime_dir {
        let path = given.join("lusush").join(&own);
        let ours = look(given).is_some_and(|found| found.owner == values.euid);
        if ours && path.as_os_str().len() <= RUNTIME_BYTES_MAX {
            return owned(path, values, &look);
        }
    }
    let path = PathBuf::from(format!("/tmp/lusush-{}", values.euid));
    match look(&path) {
        Some(found) if found.owner != values.euid => Err(Refusal::Foreign {
            path,
            owner: found.owner,
        }),
        Some(found) if found.symlink || found.mode & 0o077 != 0 => Err(Refusal::Unsafe { path }),
        _ => Ok(path.join(own)),
    }
}

/// Accepts `path` if this user owns it, or may be given it: nobody but root or this user owns the folder that
/// it will be made in, and that is no home folder still to be made.
fn owned(path: PathBuf, values: &Values, look: &impl Fn(&Path) -> Option<Found>) -> Result<PathBuf, Refusal> {
    let nearest = path
        .ancestors()
        .find_map(|folder| Some((folder, look(folder)?.owner)));
    let in_home = values.home.as_ref().filter(|home| path.starts_with(home));
    if let Some(home) = in_home.filter(|home| !nearest.is_some_and(|(there, _)| there.starts_with(home))) {
        return Err(Refusal::NoHome { home: home.clone() });
    }
    let euid = values.euid;
    match nearest {
        Some((folder, owner)) if owner != euid && (folder == path || owner != 0) => Err(Refusal::Foreign {
            path: folder.to_owned(),
            owner,
        }),
        _ => Ok(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The disk of these tests: root's `/`, `/tmp` and `/run`, and what `extra` adds as path, owner, mode.
    fn check(
        environment: &[(&str, &str)],
        euid: u32,
        extra: &[(&str, u32, u32)],
        state: &str,
        runtime: &str,
    ) {
        let value = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let disk = [
            ("/", 0, 0o755),
            ("/tmp", 0, 0o1777),
            ("/run", 0, 0o755),
            ("/home/joe", 1000, 0o700),
        ];
        let look = |path: &Path| {
            let mut entries = disk.iter().chain(extra);
            let &(_, owner, mode) = entries.find(|(known, ..)| Path::new(known) == path)?;
            Some(Found {
                owner,
                mode: mode & 0o7777,
                symlink: mode == LINK,
            })
        };
        let folders = folders(&Values::read(euid, value), look);
        let text = |folder: Result<PathBuf, Refusal>| {
            folder.map_or_else(
                |refusal| format!("! {refusal}"),
                |path| path.display().to_string(),
            )
        };
        assert_eq!(text(folders.state), state, "{environment:?} as {euid}, {extra:?}");
        assert_eq!(
            text(folders.runtime),
            runtime,
            "{environment:?} as {euid}, {extra:?}"
        );
    }

    const LINK: u32 = 0o777;
    const HOME: (&str, &str) = ("HOME", "/home/joe");
    const RUN: (&str, &str) = ("XDG_RUNTIME_DIR", "/run/user/1000");
    const STATE: &str = "/home/joe/.local/state/lusush";
    /// The runtime folder where there is no other, for [`STATE`].
    const FALLBACK: &str = "/tmp/lusush-1000/43b6a791fd02e00b";

    #[test]
    fn folders_follow_the_environment() {
        let run = &[("/run/user/1000", 1000, 0o700)];
        check(
            &[HOME, RUN],
            1000,
            run,
            STATE,
            "/run/user/1000/lusush/43b6a791fd02e00b",
        );
        check(&[HOME], 1000, &[], STATE, FALLBACK);
        let xdg = ("XDG_STATE_HOME", "/home/joe/s");
        check(
            &[HOME, xdg],
            1000,
            &[],
            "/home/joe/s/lusush",
            "/tmp/lusush-1000/6112345bacdf554b",
        );
        check(&[HOME, ("XDG_STATE_HOME", "s")], 1000, &[], STATE, FALLBACK);
        check(&[HOME, ("XDG_STATE_HOME", "")], 1000, &[], STATE, FALLBACK);
        let own = ("LUSUSH_HOME", "/tmp/try");
        check(&[HOME, RUN, own], 1000, run, "/tmp/try/state", "/tmp/try/run");
        check(
            &[],
            1000,
            &[],
            "! none of XDG_STATE_HOME, HOME is set",
            "/tmp/lusush-1000/homeless",
        );
    }

    #[test]
    fn each_home_of_a_user_has_a_runtime_folder_of_its_own() {
        let of = |home: &str| {
            runtime(
                &Values {
                    home: Some(home.into()),
                    ..Values::default()
                },
                |_| None,
            )
            .unwrap()
        };
        assert_ne!(of("/home/joe"), of("/home/joe/box"));
        assert_eq!(of("/home/joe"), of("/home//joe/"));
    }

    #[test]
    fn a_folder_of_another_user_is_refused() {
        // sudo -E, su without -: root with joe's environment.
        let run = &[("/run/user/1000", 1000, 0o700)];
        check(
            &[HOME, RUN],
            0,
            run,
            "! /home/joe belongs to user 1000",
            "/tmp/lusush-0/43b6a791fd02e00b",
        );
        let own = ("LUSUSH_HOME", "/tmp/try");
        let theirs = &[("/tmp/try", 1000, 0o755)];
        let refusal = "! /tmp/try belongs to user 1000";
        check(&[HOME, own], 0, theirs, refusal, refusal);
        check(&[HOME, own], 1001, theirs, refusal, refusal);
        let roots = &[("/home/joe/.local/state/lusush", 0, 0o700)];
        check(
            &[HOME],
            1000,
            roots,
            &format!("! {STATE} belongs to user 0"),
            FALLBACK,
        );
    }

    #[test]
    fn a_home_folder_that_is_not_there_is_not_made() {
        let check = |environment: &[(&str, &str)], expect: &str| {
            let value = |name: &str| {
                let found = environment.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            let root = Found {
                owner: 0,
                mode: 0o755,
                symlink: false,
            };
            let disk = ["/", "/home", "/var"];
            let look = |path: &Path| disk.iter().any(|there| Path::new(there) == path).then_some(root);
            let found = state(&Values::read(0, value), look);
            let text = found.map_or_else(|refusal| refusal.to_string(), |path| path.display().to_string());
            assert_eq!(text, expect, "{environment:?}");
        };
        let gone = ("HOME", "/home/gone");
        let refusal = "the home folder /home/gone is not there: mount it or make it";
        check(&[gone], refusal);
        check(&[gone, ("XDG_STATE_HOME", "/home/gone/s")], refusal);
        check(&[gone, ("LUSUSH_HOME", "/home/gone/l")], refusal);
        check(&[gone, ("XDG_STATE_HOME", "/home/s")], "/home/s/lusush");
        check(&[gone, ("LUSUSH_HOME", "/var/try")], "/var/try/state");
        check(&[("HOME", "/var")], "/var/.local/state/lusush");
        check(&[("HOME", "/")], "/.local/state/lusush");
    }

    #[test]
    fn the_shared_fallback_is_ours_alone_or_refused() {
        let fallback = |owner, mode, expect: &str| {
            check(&[HOME], 1000, &[("/tmp/lusush-1000", owner, mode)], STATE, expect);
        };
        fallback(1000, 0o700, FALLBACK);
        fallback(1001, 0o700, "! /tmp/lusush-1000 belongs to user 1001");
        fallback(1000, 0o755, "! /tmp/lusush-1000 is a link or open to others");
        fallback(1000, LINK, "! /tmp/lusush-1000 is a link or open to others");
    }

    #[test]
    fn a_runtime_folder_too_long_for_sockets_is_passed_over() {
        let long = format!("/run/{}", "x".repeat(80));
        check(
            &[HOME, ("XDG_RUNTIME_DIR", &long)],
            1000,
            &[(&long, 1000, 0o700)],
            STATE,
            FALLBACK,
        );
    }

    #[test]
    fn a_history_log_for_each_machine() {
        let check = |id: &str, expect: &str| assert_eq!(history_log(Path::new("/s"), id), Path::new(expect));
        check("0123abcd\n", "/s/history/0123abcd.log");
        check("", "/s/history/local.log");
        check("../../etc\n", "/s/history/local.log");
    }

    #[test]
    fn a_worker_for_each_machine() {
        let check = |id: &str, expect: &str| assert_eq!(maint_folder(Path::new("/s"), id), Path::new(expect));
        check("0123abcd\n", "/s/maint/0123abcd");
        check("", "/s/maint/local");
        check("..\n", "/s/maint/local");
    }
}
