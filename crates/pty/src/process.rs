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
    // Its memory is read while it may go on. The kernel tells the system call only once the process is really off its
    // processor, and has counted the sleep by then: as many sleeps before the first telling as behind the second are one.
    let sleep = sleep_of(pid);
    sleep.is_some()
        && call_of(pid).is_some_and(|call| waits_in(pid, &call) && call_of(pid) == Some(call))
        && sleep_of(pid) == sleep
}

/// The system call in which `pid` is blocked, as the kernel tells it.
fn call_of(pid: Pid) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{}/syscall", pid.as_raw_nonzero())).ok()
}

/// Whether `pid`, which was seen asleep, waits for input in `call`.
fn waits_in(pid: Pid, call: &str) -> bool {
    // "number arg0 … arg5 sp pc" when blocked, "running" otherwise.
    let mut words = call.split_whitespace();
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

/// Returns how often `pid` has gone to sleep, if it sleeps now and can be interrupted.
///
/// A process woken by a signal shows its old system call until another core has really woken it, but not the state of a
/// sleeper.
fn sleep_of(pid: Pid) -> Option<u64> {
    let path = format!("/proc/{}/status", pid.as_raw_nonzero());
    let status = std::fs::read_to_string(path).ok()?;
    // A name stands before, and its line breaks are escaped.
    let is_asleep = status.lines().any(|line| line.starts_with("State:\tS"));
    is_asleep
        .then(|| number_in(&status, "voluntary_ctxt_switches:"))
        .flatten()
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
    number_in(&std::fs::read_to_string(path).ok()?, name)
}

fn number_in(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, unsafe_code)]
mod tests {
    use super::*;
    use rustix::pty::OpenptFlags;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

    const SHORT_NS: libc::c_long = 200_000;
    const LONG_NS: libc::c_long = 900_000_000;
    const LOOKS: u32 = 20_000;

    fn pty() -> (OwnedFd, OwnedFd) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags).unwrap();
        (master, slave)
    }

    /// Short waits as LLE makes them before it paints, at a place that holds a long time as soon as they are over.
    #[test]
    fn what_stands_where_a_short_wait_had_its_time_makes_it_no_long_one() {
        let (_master, slave) = pty();
        let (thread, over) = (AtomicI32::new(0), AtomicBool::new(false));
        let wait_shortly = || {
            // SAFETY: it only tells the number of this thread.
            thread.store(unsafe { libc::gettid() }, Ordering::Release);
            let mut terminal = libc::pollfd {
                fd: slave.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            };
            let mut time = libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            while !over.load(Ordering::Relaxed) {
                // SAFETY: the places outlive the calls. The system call itself, for the C library waits with a copy.
                unsafe {
                    (&raw mut time.tv_nsec).write_volatile(SHORT_NS);
                    libc::syscall(libc::SYS_ppoll, &raw mut terminal, 1, &raw mut time, 0, 0);
                    (&raw mut time.tv_nsec).write_volatile(LONG_NS);
                }
                for _ in 0..2_000 {
                    std::hint::spin_loop();
                }
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(wait_shortly);
            let pid = loop {
                if let Some(pid) = Pid::from_raw(thread.load(Ordering::Acquire)) {
                    break pid;
                }
                std::thread::yield_now();
            };
            let mistaken = (0..LOOKS).filter(|_| waits_for_input(pid)).count();
            over.store(true, Ordering::Relaxed);
            assert_eq!(mistaken, 0, "of {LOOKS}");
        });
    }
}
