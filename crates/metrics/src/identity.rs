//! Who writes a flight file: enough to tell a live session from a process number used again.

use std::fs::File;
use std::io::{self, Read};
use std::time::{SystemTime, UNIX_EPOCH};

/// The longest is `/proc/PID/stat`: 52 numbers of at most 20 digits, and a name.
const KERNEL_FILE_BYTES_MAX: usize = 2048;

/// One session, named by its random number and the boot it lives in.
///
/// Strings longer than 64 bytes are cut when written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Random, chosen by the session.
    pub session_id: u64,
    /// The kernel's boot id; all zero when unknown.
    pub boot_id: [u8; 16],
    /// The process id, in the session's own pid namespace.
    pub pid: u32,
    /// When the process started, in clock ticks since boot; 0 when unknown.
    pub start_ticks: u64,
    /// When the flight was created: nanoseconds since 1970.
    pub created_wall_ns: u64,
    /// The terminal, such as `/dev/pts/3`.
    pub tty: String,
    /// The version of bash.
    pub bash_version: String,
    /// The version of LLE.
    pub lle_version: String,
}

impl Identity {
    /// Describes the calling process; asks the kernel for what the arguments do not say.
    pub fn of_this_process(session_id: u64, tty: &str, bash_version: &str, lle_version: &str) -> Identity {
        let pid = std::process::id();
        Identity {
            session_id,
            boot_id: boot_id().unwrap_or_default(),
            pid,
            start_ticks: start_ticks(pid).unwrap_or_default(),
            created_wall_ns: wall_ns(),
            tty: tty.to_owned(),
            bash_version: bash_version.to_owned(),
            lle_version: lle_version.to_owned(),
        }
    }
}

/// Reads the kernel's boot id; none where /proc is missing.
pub fn boot_id() -> Option<[u8; 16]> {
    let text = of_the_kernel("/proc/sys/kernel/random/boot_id").ok()?;
    parse_boot_id(std::str::from_utf8(&text).ok()?)
}

/// Reads when a process started, in clock ticks since boot; none if it is gone, or has ended and only waits to be reaped, which
/// whoever closed its terminal may leave for seconds.
pub fn start_ticks(pid: u32) -> Option<u64> {
    let stat = of_the_kernel(&format!("/proc/{pid}/stat")).ok()?;
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let has_ended = matches!(stat.get(name_end + 2), Some(b'Z' | b'X'));
    start_ticks_in(&stat).filter(|_| !has_ended)
}

/// Reads a file of the kernel's in one call: it tells no size, and writes all of it into a buffer that has room.
fn of_the_kernel(path: &str) -> io::Result<Vec<u8>> {
    let mut content = vec![0; KERNEL_FILE_BYTES_MAX];
    let length = File::open(path)?.read(&mut content)?;
    content.truncate(length);
    Ok(content)
}

fn wall_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn parse_boot_id(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
    (digits.len() == 32).then_some(())?;
    u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)
}

/// Finds when a process started in its `/proc/PID/stat`, in clock ticks since boot.
///
/// The 22nd field. The second, the command's name, may hold spaces, brackets and half a letter: count from its end.
pub fn start_ticks_in(stat: &[u8]) -> Option<u64> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_ids() {
        fn check(text: &str, expect: Option<[u8; 16]>) {
            assert_eq!(parse_boot_id(text), expect, "{text}");
        }
        check(
            "00000000-0000-0000-0000-0000000000ff\n",
            Some(0xff_u128.to_be_bytes()),
        );
        check("", None);
        check("00000000-0000-0000-0000-00000000000", None);
        check("z0000000-0000-0000-0000-0000000000ff", None);
    }

    #[test]
    fn one_that_has_ended_and_was_not_reaped_is_gone() {
        let mut child = std::process::Command::new("true").spawn().expect("it can be run");
        let began = std::time::Instant::now();
        while start_ticks(child.id()).is_some() {
            assert!(began.elapsed().as_secs() < 60, "it is not gone");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(std::path::Path::new(&format!("/proc/{}", child.id())).exists());
        child.wait().expect("it is reaped");
        assert!(start_ticks(std::process::id()).is_some());
    }

    #[test]
    fn start_times() {
        fn check(stat: &str, expect: Option<u64>) {
            assert_eq!(start_ticks_in(stat.as_bytes()), expect, "{stat}");
        }
        // A name is cut after 15 bytes, wherever a letter ends.
        let stat = b"12 (\xc3) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(start_ticks_in(stat), Some(4711));
        let fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        check(&format!("12 (bash) {fields}"), Some(4711));
        check(&format!("12 (a) b) ( c) {fields}"), Some(4711));
        check("12 (bash) S 1", None);
        check("", None);
    }
}
