//! Whether the worker lives, and starting it where it does not.
//!
//! The worker holds a record lock on `<state>/maint/<machine>/worker.lock` for as long as it lives; a file `stopped`
//! beside it says that the user wants none. A session looks once after each prompt. What a worker that is gone has left
//! in its lock's file tells how it ended: nothing, by itself; its number, killed; `ready` too, killed at work.
//!
//! While nobody types anywhere the worker looks once a minute; a session that shows a prompt again rings its bell, a
//! datagram socket in the runtime folder.
//!
//! Invariants: in doubt nothing is started; a worker that was killed is replaced at once; starts that fail become ever
//! rarer. What is on trial is typed with only as long as there is, or soon will be, a worker that judges it.

use crate::detached;
use crate::lle::Lle;
use std::ffi::{CString, OsStr};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// After a start of which nothing came the next is this far at the least: longer than a worker needs to take its
/// lock …
const RETRY_NS: u64 = 5_000_000_000;
/// … and this far at the most, where none works.
const RETRY_NS_MAX: u64 = 300_000_000_000;
/// Workers in a row that may be killed while they start before that counts as a start that fails: one that crashes
/// there each time must not be started with every prompt for ever, and one that somebody kills is wanted at the next.
const EARLY_MAX: u8 = 20;
/// Said once, when that is so.
const CRASHES: &str = "the maintenance worker dies each time it starts, and is started ever more rarely";
const CRASHES_REMEDY: &str =
    "`lusush doctor` says more; `lusush maint recover worker-crashes` lets it begin anew";
/// A worker that was killed is replaced within seconds, and its trial goes on. After so long nobody judges it.
const MISSED_NS: u64 = 60_000_000_000;
/// Bytes of the lock's file: a number and a word.
const LEFT_BYTES_MAX: u64 = 32;
/// The worker's bell is rung at most this often: whoever is active is looked at every ten seconds, and idle after thirty.
const RING_NS: u64 = 30_000_000_000;
const BELL: &str = "bell";
const LOCK: &str = "worker.lock";
/// The user stopped the worker, and wants no other.
const STOPPED: &str = "stopped";

/// What the worker gets of bash's environment, besides the variables that say where everything lies: who, the program's
/// own programs, the language, the time zone, and the session's notifications.
const ENVIRONMENT: [&std::ffi::CStr; 8] = [
    c"USER",
    c"LOGNAME",
    c"PATH",
    c"LANG",
    c"LC_ALL",
    c"TZ",
    c"TMPDIR",
    c"DBUS_SESSION_BUS_ADDRESS",
];

/// What is known of the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// It lives.
    Alive,
    /// The user wants none.
    Stopped,
    Gone(Left),
    /// The lock cannot be looked at.
    Unknown,
}

/// What a worker that is gone has left in its lock's file.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
struct Left {
    /// Its number; none if it ended by itself, or there was none.
    killed: Option<u32>,
    /// It was at work by then.
    ready: bool,
}

impl Left {
    fn read(text: &str) -> Self {
        let mut lines = text.lines();
        Self {
            killed: lines.next().and_then(|line| line.parse().ok()),
            ready: lines.next() == Some("ready"),
        }
    }
}

/// What this session has done about the worker.
#[derive(Default)]
pub(crate) struct Worker {
    folder: Option<PathBuf>,
    next_start: u64,
    retry: u64,
    /// The worker in whose place this session started another.
    replaced: Option<u32>,
    /// Workers in a row that were killed before they worked.
    early: u8,
    /// It dies while it starts, again and again.
    crashes: bool,
    /// When the bell was last rung; none before that.
    rung_at: Option<u64>,
    /// Since when each look has found it gone.
    gone_at: Option<u64>,
}

impl Worker {
    /// Tells the worker that somebody is here, unless that was done a while ago. Waits for nothing: a worker that does
    /// not hear looks by itself, later.
    fn ring(&mut self, now: u64, runtime: &Path) {
        if self.rung_at.is_some_and(|at| now.saturating_sub(at) < RING_NS) {
            return;
        }
        self.rung_at = Some(now);
        let Ok(socket) = UnixDatagram::unbound() else {
            return;
        };
        if socket.set_nonblocking(true).is_ok() {
            let _unheard = socket.send_to(b"r", runtime.join(BELL));
        }
    }

    /// True if it is time for a start; the next is put off.
    fn may_start(&mut self, now: u64, left: Left) -> bool {
        // Somebody's start has worked since ours, and that worker was killed.
        let was_killed = left.killed.is_some() && left.killed != self.replaced;
        if was_killed && (left.ready || self.early < EARLY_MAX) {
            self.early = if left.ready { 0 } else { self.early + 1 };
            self.crashes = false;
            self.retry = 0;
        } else if now < self.next_start {
            self.crashes |= was_killed;
            return false;
        }
        self.replaced = left.killed;
        self.retry = self.retry.saturating_mul(2).clamp(RETRY_NS, RETRY_NS_MAX);
        self.next_start = now.saturating_add(self.retry);
        true
    }

    /// True if nobody judges what is on trial: the user wants no worker, or for long there was none.
    fn is_missed(&mut self, now: u64, found: Found) -> bool {
        match found {
            Found::Alive | Found::Unknown => {
                self.gone_at = None;
                false
            }
            Found::Stopped => true,
            Found::Gone(_) => now.saturating_sub(*self.gone_at.get_or_insert(now)) >= MISSED_NS,
        }
    }

    /// It lives: should it go one day, that is the first time.
    fn lives(&mut self) {
        (self.retry, self.next_start) = (0, 0);
    }
}

impl Lle {
    /// Starts the worker if there is none and the user wants one.
    pub(crate) fn see_to_worker(&mut self) {
        let bash = self.bash;
        let wanted = bash.variable(c"LUSUSH_WORKER") != Some(b"off") && bash.flag(bash.interactive);
        if !wanted {
            return;
        }
        let worker = &mut self.idle.worker;
        if worker.folder.is_none() {
            // Refused are folders of other users, as under su and sudo.
            worker.folder = self.session.places.maint().ok();
        }
        let found = worker.folder.as_deref().map_or(Found::Unknown, look);
        let is_missed = worker.is_missed(crate::clock::now(), found);
        if found == Found::Alive {
            worker.lives();
            let folder = worker.folder.clone();
            if folder.is_some_and(|folder| self.follow_worker(&folder)) {
                self.idle.moved();
            }
            let worker = &mut self.idle.worker;
            // A session that has no flight file is not looked at.
            let runtime = self
                .session
                .flight_path()
                .and_then(|flight| flight.parent()?.parent());
            if let Some(runtime) = runtime {
                worker.ring(crate::clock::now(), runtime);
            }
        }
        if is_missed && self.idle.inbox.drop_trial() {
            let (settings, trial) = self.idle.inbox.settings();
            // What of them this version does not have was counted when they came.
            let _counted = self.session.take_levers(settings, trial);
        }
        let worker = &mut self.idle.worker;
        let Found::Gone(left) = found else { return };
        let may_start = worker.may_start(crate::clock::now(), left);
        if worker.crashes {
            self.session.say_once(CRASHES, CRASHES_REMEDY);
        }
        if !may_start {
            return;
        }
        let Some(program) = crate::maint::own_program(self.round.program.as_deref()) else {
            return;
        };
        let result = self.start_worker(&program);
        self.session.started_worker(result);
    }

    fn start_worker(&self, program: &Path) -> std::io::Result<()> {
        let program = CString::new(program.as_os_str().as_bytes())?;
        let arguments = [
            program.clone(),
            c"maint".to_owned(),
            c"worker".to_owned(),
            c"--spawned".to_owned(),
        ];
        let exported = ENVIRONMENT
            .into_iter()
            .filter_map(|name| Some((name.to_str().ok()?, OsStr::from_bytes(self.bash.exported(name)?))));
        let environment: Vec<_> = self
            .session
            .places
            .environment()
            .chain(exported)
            .filter_map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok())
            .collect();
        detached::start(&program, &arguments, &environment)
    }
}

fn look(folder: &Path) -> Found {
    if std::fs::symlink_metadata(folder.join(STOPPED)).is_ok() {
        return Found::Stopped;
    }
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let lock = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(folder.join(LOCK));
    match lock {
        Ok(file) => match is_locked(&file) {
            Some(true) => Found::Alive,
            Some(false) => Found::Gone(read(file)),
            None => Found::Unknown,
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Found::Gone(Left::default()),
        Err(_) => Found::Unknown,
    }
}

fn read(file: File) -> Left {
    let mut text = String::new();
    // What cannot be read tells nothing.
    let _unknown = file.take(LEFT_BYTES_MAX).read_to_string(&mut text);
    Left::read(&text)
}

/// Whether another process holds the record lock. Closing the file afterwards drops this process's own locks on it,
/// of which there are none.
fn is_locked(file: &File) -> Option<bool> {
    // SAFETY: zero is a valid flock: from the start, to the end of the file; it outlives the call.
    let (result, found) = unsafe {
        let mut lock: libc::flock = std::mem::zeroed();
        lock.l_type = libc::F_WRLCK as libc::c_short;
        lock.l_whence = libc::SEEK_SET as libc::c_short;
        (libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &raw mut lock), lock)
    };
    (result == 0).then(|| i32::from(found.l_type) != libc::F_UNLCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_become_rarer_until_the_worker_lives() {
        const S: u64 = 1_000_000_000;
        let mut worker = Worker::default();
        let mut now = 0;
        let mut gaps = Vec::new();
        let mut last = None;
        while gaps.len() < 9 {
            if worker.may_start(now, Left::default()) {
                gaps.extend(last.map(|last| (now - last) / S));
                last = Some(now);
            }
            now += S;
        }
        assert_eq!(gaps, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        worker.lives();
        let again = now + 300 * S;
        let mut may = |at| worker.may_start(at, Left::default());
        assert!(may(again) && !may(again + 4 * S) && may(again + 5 * S));
    }

    #[test]
    fn a_trial_is_given_up_when_nobody_is_left_to_judge_it() {
        let mut worker = Worker::default();
        let gone = Found::Gone(Left::default());
        let mut check = |at: u64, found: Found, expect: bool| {
            assert_eq!(worker.is_missed(at, found), expect, "{at} {found:?}");
        };
        check(0, Found::Alive, false);
        check(1, gone, false);
        check(MISSED_NS, gone, false);
        // Another has come meanwhile, and was killed, too.
        check(MISSED_NS + 1, Found::Alive, false);
        check(MISSED_NS + 2, gone, false);
        check(2 * MISSED_NS + 2, gone, true);
        check(2 * MISSED_NS + 3, Found::Unknown, false);
        check(2 * MISSED_NS + 4, Found::Stopped, true);
    }

    #[test]
    fn the_bell_is_rung_now_and_then() {
        let folder = std::env::temp_dir().join(format!("lusush-bell-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let path = folder.join(BELL);
        let _ = std::fs::remove_file(&path);
        let mut worker = Worker::default();
        // Nobody hears, and nobody waits.
        worker.ring(0, &folder);
        let bell = UnixDatagram::bind(&path).expect("it can be bound");
        bell.set_nonblocking(true).expect("it is a socket");
        let mut heard = |now| {
            worker.ring(now, &folder);
            bell.recv(&mut [0; 8]).is_ok()
        };
        assert!(!heard(RING_NS - 1));
        assert!(heard(RING_NS));
        assert!(!heard(RING_NS + 1));
        assert!(heard(2 * RING_NS));
        let _ = std::fs::remove_dir_all(&folder);
    }

    #[test]
    fn a_worker_that_was_killed_is_replaced_at_once() {
        let mut worker = Worker::default();
        let mut check = |now: u64, left: &str, expect: bool| {
            assert_eq!(worker.may_start(now, Left::read(left)), expect, "{now} {left:?}");
        };
        check(1, "", true);
        for (at, pid) in (2..40).zip(100..) {
            check(at, &format!("{pid}\nready\n"), true);
            // It has not taken its lock yet.
            check(at, &format!("{pid}\nready\n"), false);
        }
        // It ended by itself.
        check(40, "", false);
        // Killed while they start: some are replaced, and then it is the start that fails.
        for (at, pid) in (41..).zip(200..220) {
            check(at, &format!("{pid}\n"), true);
        }
        check(99, "300\n", false);
        check(99 + RETRY_NS, "300\n", true);
        check(100 + RETRY_NS, "301\nready\n", true);
        check(101 + RETRY_NS, "rubbish\nready\n", false);
    }

    #[test]
    fn one_that_dies_each_time_it_starts_is_told_of() {
        let mut worker = Worker::default();
        let mut check = |pid: u32, ready: bool, expect: (bool, bool)| {
            let left = Left {
                killed: Some(pid),
                ready,
            };
            let may = worker.may_start(1, left);
            assert_eq!((may, worker.crashes), expect, "{pid} {ready}");
        };
        for pid in 1..=u32::from(EARLY_MAX) {
            check(pid, false, (true, false));
        }
        check(98, false, (false, true));
        check(99, true, (true, false));
    }

    #[test]
    fn what_stands_in_the_folder_decides() {
        let folder = std::env::temp_dir().join(format!("lusush-worker-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let nobody = Found::Gone(Left::default());
        assert_eq!(look(&folder), nobody);
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        assert_eq!(look(&folder), nobody);
        std::fs::write(folder.join(LOCK), "4711\nready\n").expect("it can be written");
        let killed = Left {
            killed: Some(4711),
            ready: true,
        };
        assert_eq!(look(&folder), Found::Gone(killed), "nobody holds the lock");
        std::fs::write(folder.join(STOPPED), "").expect("it can be written");
        assert_eq!(look(&folder), Found::Stopped);
        std::fs::remove_file(folder.join(STOPPED)).expect("it was there");
        std::fs::remove_file(folder.join(LOCK)).expect("it was there");
        std::os::unix::fs::symlink("/dev/null", folder.join(LOCK)).expect("it can be made");
        assert_eq!(look(&folder), Found::Unknown);
        let _ = std::fs::remove_dir_all(&folder);
    }
}
