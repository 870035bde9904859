//! What a process costs right now, from `/proc` and the clock that the kernel keeps for each process.
//!
//! Invariant: a look at a process allocates nothing; it is taken at every session in every round.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use lle_metrics::Identity;
use lle_metrics::identity::start_ticks_in;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::world::Cost;

/// The longest of the files read has a name of 15 bytes and 51 numbers.
const BYTES_MAX: usize = 2_048;
/// `/proc/4294967295/statm` and some.
const PATH_BYTES_MAX: usize = 40;

/// Why it cannot be known what a process costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// The number is used by another process, or counted in another namespace.
    #[error("process {0} is another here: a container's session?")]
    Another(u32),
    /// There is no such process, or it is hidden.
    #[error("process {0} is not visible here")]
    Invisible(u32),
    /// It is there, and that file of its is not.
    #[error("the kernel tells no {0}")]
    Untold(&'static str),
}

/// Asks the kernel what a session's process costs.
///
/// # Errors
/// The reason why it cannot be known.
pub fn cost(identity: &Identity) -> Result<Cost, Unknown> {
    cost_since(identity.pid, identity.start_ticks)
}

/// Asks the kernel what the process of that number costs, if it is the one that started then, in clock ticks since
/// boot.
///
/// # Errors
/// The reason why it cannot be known.
pub fn cost_since(pid: u32, start_ticks: u64) -> Result<Cost, Unknown> {
    Process::started(pid, start_ticks)?.cost()
}

/// Asks the kernel what the process of that number costs, whoever it is.
///
/// # Errors
/// The reason why it cannot be known.
pub fn cost_of(pid: u32) -> Result<Cost, Unknown> {
    Process::of(pid)?.cost()
}

/// A process that is asked about again and again: its file stays open, since most of a look at a process is to find it.
///
/// The kernel opened the file for that process, not for its number: once it has ended, the file tells nothing, whoever has
/// the number by then. The file is asked first, so the clock is asked of a process that is there.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    statm: fs::File,
    clock: ClockId,
}

impl Process {
    /// The process that has that number now.
    pub(crate) fn of(pid: u32) -> Result<Self, Unknown> {
        let statm = open(pid, "statm").map_err(|_| Unknown::Invisible(pid))?;
        let found = i32::try_from(pid).ok().map(Pid::from_raw);
        let clock = found.and_then(|pid| clock_getcpuclockid(pid).ok());
        Ok(Self {
            pid,
            statm,
            clock: clock.ok_or(Unknown::Untold("processor time"))?,
        })
    }

    /// The process of that number, if it is the one that started then, in clock ticks since boot.
    pub(crate) fn started(pid: u32, start_ticks: u64) -> Result<Self, Unknown> {
        // In this order: who started then and has the number now, had it when the file was opened.
        let process = Self::of(pid)?;
        let mut buffer = [0; BYTES_MAX];
        let read = open(pid, "stat").and_then(|mut stat| stat.read(&mut buffer));
        let stat = read.ok().and_then(|bytes| buffer.get(..bytes));
        match stat.and_then(start_ticks_in) {
            Some(started) if started == start_ticks => Ok(process),
            Some(_) => Err(Unknown::Another(pid)),
            None => Err(Unknown::Invisible(pid)),
        }
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Asks the kernel what it costs.
    pub(crate) fn cost(&self) -> Result<Cost, Unknown> {
        let mut buffer = [0; BYTES_MAX];
        let bytes = self
            .statm
            .read_at(&mut buffer, 0)
            .map_err(|_| Unknown::Invisible(self.pid))?;
        let pages = buffer.get(..bytes).and_then(parse_private_pages);
        let pages = pages.ok_or(Unknown::Untold("private memory"))?;
        Ok(Cost {
            cpu_ns: cpu_ns(self.clock).ok_or(Unknown::Untold("processor time"))?,
            rss_anon_bytes: pages.saturating_mul(rustix::param::page_size() as u64),
        })
    }
}

/// The kernel makes these files at each read, and gives all of it to one that is large enough.
fn open(pid: u32, name: &str) -> io::Result<fs::File> {
    let mut path = [0; PATH_BYTES_MAX];
    let mut rest = path.as_mut_slice();
    write!(rest, "/proc/{pid}/{name}")?;
    let left = rest.len();
    let path = path.get(..PATH_BYTES_MAX - left).unwrap_or_default();
    fs::File::open(OsStr::from_bytes(path))
}

/// Processor time of the children that this process has waited for, and of theirs, in nanoseconds; 0 if the kernel
/// does not tell.
pub(crate) fn children_cpu_ns() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = parse_children_ticks(&stat).unwrap_or(0);
    ticks.saturating_mul(1_000_000_000 / rustix::param::clock_ticks_per_second().max(1))
}

/// Fields 16 and 17. The second, the command's name, may hold spaces and brackets: count from its end.
fn parse_children_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(13);
    let (user, system) = (times.next()?, times.next()?);
    user.parse::<u64>().ok()?.checked_add(system.parse().ok()?)
}

/// Resident pages that no file and no other process has a part in: what `status` calls RssAnon, which costs ten times
/// as much to ask for. The third field counts the files' and the shared ones.
fn parse_private_pages(statm: &[u8]) -> Option<u64> {
    let mut fields = std::str::from_utf8(statm).ok()?.split_ascii_whitespace().skip(1);
    let (resident, shared) = (fields.next()?, fields.next()?);
    resident.parse::<u64>().ok()?.checked_sub(shared.parse().ok()?)
}

/// Of all its threads, without a file to open: a tenth of the cost of asking `/proc`. None once it has ended.
fn cpu_ns(clock: ClockId) -> Option<u64> {
    let time = clock_gettime(clock).ok()?;
    let seconds = u64::try_from(time.tv_sec()).ok()?;
    seconds
        .checked_mul(1_000_000_000)?
        .checked_add(u64::try_from(time.tv_nsec()).ok()?)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Processes that are started to get a number once more.
    const USED_AGAIN_TRIES: u32 = 50;

    #[test]
    fn private_memory() {
        fn check(statm: &str, expect: Option<u64>) {
            assert_eq!(parse_private_pages(statm.as_bytes()), expect, "{statm}");
        }
        check("2173 1100 678 250 0 300 0\n", Some(422));
        check("2173 1100\n", None);
        check("2173 600 678 250 0 300 0\n", None);
        check("", None);
    }

    #[test]
    fn private_memory_is_what_status_calls_rss_anon() {
        fn by_status() -> u64 {
            let status = fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
            let kib: u64 = line.unwrap().trim().strip_suffix(" kB").unwrap().parse().unwrap();
            kib * 1024
        }
        let held = vec![1_u8; 32 << 20];
        // Other tests allocate meanwhile, and each processor counts for itself for a while.
        let is_near = || {
            let (before, found, after) = (by_status(), cost_of(std::process::id()).unwrap(), by_status());
            let near = before.min(after).saturating_sub(16 << 20)..before.max(after) + (16 << 20);
            near.contains(&found.rss_anon_bytes)
        };
        assert!((0..10).any(|_| is_near()), "not once in ten times");
        drop(std::hint::black_box(held));
    }

    #[test]
    fn a_process_that_is_another_or_none() {
        let own = std::process::id();
        let started = lle_metrics::identity::start_ticks(own).unwrap();
        assert!(cost_since(own, started).is_ok());
        assert_eq!(cost_since(own, started + 1), Err(Unknown::Another(own)));
        assert_eq!(cost_since(u32::MAX, 1), Err(Unknown::Invisible(u32::MAX)));
        assert_eq!(cost_of(u32::MAX), Err(Unknown::Invisible(u32::MAX)));
    }

    /// However soon the number is somebody else's: what is open is that process's, and tells nothing once it has ended.
    #[test]
    fn a_process_that_has_ended_tells_nothing_and_is_no_other() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        let started = lle_metrics::identity::start_ticks(pid).unwrap();
        let process = Process::started(pid, started).unwrap();
        assert_eq!(process.pid(), pid);
        assert!(process.cost().unwrap().rss_anon_bytes > 0);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(process.cost(), Err(Unknown::Invisible(pid)));
        assert_eq!(
            Process::started(pid, started).unwrap_err(),
            Unknown::Invisible(pid)
        );
        // A file that was kept stays the one of that process when another gets its number.
        for _ in 0..USED_AGAIN_TRIES {
            // Who may not say which number comes next cannot try this.
            if fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).is_err() {
                return;
            }
            let mut other = Command::new("sleep").arg("60").spawn().unwrap();
            let (kept, asked) = (process.cost(), cost_since(pid, started));
            // Both may have started within one tick of the kernel's clock; then nothing but the file tells them apart.
            let is_told = lle_metrics::identity::start_ticks(other.id()) != Some(started);
            other.kill().unwrap();
            other.wait().unwrap();
            // Somebody else's process may have got the number.
            if other.id() == pid {
                assert_eq!(kept, Err(Unknown::Invisible(pid)));
                assert!(!is_told || asked == Err(Unknown::Another(pid)), "{asked:?}");
                return;
            }
        }
    }

    #[test]
    fn processor_time_of_children() {
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 30 12 15 16";
        assert_eq!(parse_children_ticks(stat), Some(42));
        assert_eq!(parse_children_ticks("12 (a"), None);
    }

    #[test]
    fn processor_time() {
        let clock = |pid: u32| clock_getcpuclockid(Pid::from_raw(i32::try_from(pid).unwrap())).unwrap();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let of_child = clock(child.id());
        assert!(cpu_ns(of_child).is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(cpu_ns(of_child), None);
        let own = clock(std::process::id());
        let (before, mut work) = (cpu_ns(own).unwrap(), 0_u64);
        while cpu_ns(own).unwrap() < before + 1_000_000 {
            work = std::hint::black_box(work + 1);
        }
    }
}
