//! What the kernel says about a child: whether it waits for a key, and how often it woke.
//!
//! Invariant: a process is called waiting only if the kernel shows it blocked in a system call that waits for input, and
//! nothing it does afterwards by itself shows.

use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::Pid;

/// Returns the leader of the foreground process group of the terminal, if it has one.
pub fn foreground_pid(terminal: impl AsFd) -> Option<Pid> {
    rustix::termios::tcgetpgrp(terminal).ok()
}

/// From here on LLE's wait for the next key alone, behind which it only goes on waiting, is told from its wait for an echo to
/// pass, behind which it paints.
const NEXT_KEY_AT_LEAST: Duration = Duration::from_millis(100);

/// Whether process `pid` is blocked, without a timeout, in a system call that waits for input.
///
/// A wait with a timeout does not count: the process will go on by itself, as readline does after an Escape. One of LLE's
/// does: it is the only one here that sleeps in `ppoll`, and a long one for the terminal alone is for the next key.
#[must_use]
pub fn waits_for_input(pid: Pid) -> bool {
    // First asleep, then where: a process woken by a signal shows its old system call until another core has
    // really woken it, but not the state of a sleeper.
    if !is_asleep(pid) {
        return false;
    }
    let path = format!("/proc/{}/syscall", pid.as_raw_nonzero());
    let Ok(text) = std::fs::read_to_string(path) else {
        return false;
    };
    // "number arg0 … arg5 sp pc" when blocked, "running" otherwise.
    let mut words = text.split_whitespace();
    let Some(number) = words.next().and_then(|word| word.parse::<libc::c_long>().ok()) else {
        return false;
    };
    let args: Vec<u64> = words
        .map_while(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok())
        .collect();
    match timeout_argument(number) {
        Some(Wait::Read) => args.first().is_some_and(|&fd| is_terminal(pid, fd)),
        Some(Wait::Pointer(at)) => args.get(at) == Some(&0),
        Some(Wait::Long { count, time }) => args.get(time).is_some_and(|&place| {
            let is_alone = args.get(count) == Some(&1)
                && args
                    .first()
                    .and_then(|&first| memory_at::<4>(pid, first))
                    .is_some_and(|fd| is_terminal(pid, u64::from(u32::from_ne_bytes(fd))));
            place == 0 || is_alone && time_at(pid, place) >= Some(NEXT_KEY_AT_LEAST)
        }),
        // A poll timeout is an int; the kernel shows the register, whose upper half is undefined.
        Some(Wait::Millis(at)) => args.get(at).is_some_and(|&arg| (arg as u32).cast_signed() < 0),
        None => false,
    }
}

/// Where a system call that waits for input takes its timeout.
enum Wait {
    /// It reads one descriptor and has none.
    Read,
    /// A pointer, null for none.
    Pointer(usize),
    /// A pointer, too; where one descriptor is waited for, and that is a terminal, a long time is as good as none.
    Long { count: usize, time: usize },
    /// Milliseconds, negative for none.
    Millis(usize),
}

/// The `timespec` at `place` in the memory of `pid`, if that can be read.
fn time_at(pid: Pid, place: u64) -> Option<Duration> {
    let number = |place| memory_at::<8>(pid, place).map(u64::from_ne_bytes);
    let (seconds, nanoseconds) = (number(place)?, number(place + 8)?);
    Some(Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds))
}

/// What stands at `place` in the memory of `pid`, if that can be read.
fn memory_at<const BYTES: usize>(pid: Pid, place: u64) -> Option<[u8; BYTES]> {
    let memory = std::fs::File::open(format!("/proc/{}/mem", pid.as_raw_nonzero())).ok()?;
    let mut bytes = [0; BYTES];
    memory.read_exact_at(&mut bytes, place).ok()?;
    Some(bytes)
}

/// Whether `pid` sleeps and can be interrupted.
fn is_asleep(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    // "pid (name) state …", and a name may hold anything.
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| rest.starts_with(" S"))
}

/// Whether descriptor `fd` of `pid` is a terminal; a shell also reads pipes, from command substitutions.
fn is_terminal(pid: Pid, fd: u64) -> bool {
    let target = std::fs::read_link(format!("/proc/{}/fd/{fd}", pid.as_raw_nonzero())).unwrap_or_default();
    target.starts_with("/dev/pts") || target.as_os_str() == "/dev/tty"
}

fn timeout_argument(number: libc::c_long) -> Option<Wait> {
    #[cfg(target_arch = "x86_64")]
    match number {
        libc::SYS_select => return Some(Wait::Pointer(4)),
        libc::SYS_poll => return Some(Wait::Millis(2)),
        libc::SYS_epoll_wait => return Some(Wait::Millis(3)),
        _ => {}
    }
    match number {
        libc::SYS_read => Some(Wait::Read),
        libc::SYS_pselect6 => Some(Wait::Pointer(4)),
        libc::SYS_ppoll => Some(Wait::Long { count: 1, time: 2 }),
        libc::SYS_epoll_pwait => Some(Wait::Millis(3)),
        _ => None,
    }
}

/// Returns how often the threads of `pid` went to sleep by their own will, or nothing if it is gone.
#[must_use]
pub fn wakeups(pid: Pid) -> Option<u64> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).ok()?;
    threads
        .flatten()
        .map(|thread| status_number(&thread.path().join("status"), "voluntary_ctxt_switches:"))
        .sum()
}

/// Returns the private memory of `pid` in bytes (`RssAnon`), or nothing if it is gone.
#[must_use]
pub fn rss_anon(pid: Pid) -> Option<u64> {
    let kib = status_number(
        Path::new(&format!("/proc/{}/status", pid.as_raw_nonzero())),
        "RssAnon:",
    )?;
    Some(kib * 1024)
}

fn status_number(path: &Path, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(path).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
