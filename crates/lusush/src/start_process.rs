//! What is to be seen of the process of a start, in `/proc`.
//!
//! Invariant: what cannot be seen is taken for the shell that it was.

use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use lle_core::start::Process;

use crate::start_record::Begun;

/// What a file that is read at a start rarely is longer than, in bytes: `/proc/PID/stat` has 52 numbers of up to 20 digits, and a
/// name.
const SMALL_BYTES: usize = 2048;
/// Processes below a shell that are looked at: what asks for a passphrase is two or three deep.
const CHILDREN_MAX: usize = 32;
/// What the kernel calls the place where a process waits for a terminal's input.
const READS_TERMINAL: &[u8] = b"n_tty_read";

/// Reads a file of the kernel's, whose size is not known before, or one that is small, in one call; a longer one in more.
pub(crate) fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(path)?;
    let mut content = vec![0; SMALL_BYTES];
    let length = file.read(&mut content)?;
    content.truncate(length);
    // Only the end makes a read shorter than its buffer.
    if length == SMALL_BYTES {
        file.read_to_end(&mut content)?;
    }
    Ok(content)
}

fn of(pid: u32, name: &str) -> io::Result<Vec<u8>> {
    read_small(Path::new(&format!("/proc/{pid}/{name}")))
}

/// When a process began: field 22 of `/proc/PID/stat`; none of one that has ended and only waits to be reaped, which whoever
/// closes a terminal may leave for seconds. The second field is the program's name, in parentheses, and may hold anything.
pub(crate) fn begins(pid: u32) -> Option<u64> {
    let stat = of(pid, "stat").ok()?;
    let after_name = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let fields = std::str::from_utf8(&stat[after_name..]).ok()?;
    let mut fields = fields.split_ascii_whitespace();
    let has_ended = matches!(fields.next()?, "Z" | "X");
    let start = fields.nth(18)?.parse().ok()?;
    (!has_ended).then_some(start)
}

/// What has become of the process of a start; `boot` is the present one.
pub(crate) fn process(begun: &Begun, boot: &str) -> Process {
    if boot != begun.boot || begins(begun.pid) != Some(begun.process_start) {
        return Process::Gone;
    }
    // Not permitted to look: then it is taken for what it was.
    let Ok(program) = std::fs::read_link(format!("/proc/{}/exe", begun.pid)) else {
        return Process::Shell;
    };
    let name = program
        .file_name()
        .map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
    let name = name.as_deref().unwrap_or_default();
    // An upgrade replaces the file under a running program.
    let name = name.strip_suffix(" (deleted)").unwrap_or(name);
    if !begun.programs.iter().any(|known| known == name) {
        Process::Other
    } else if asks(begun.pid) {
        Process::Asks
    } else {
        Process::Shell
    }
}

/// Whether a process, or one below it, waits for what somebody types. A loop waits for nothing, and a network for something else.
fn asks(pid: u32) -> bool {
    let mut family = vec![pid];
    let mut index = 0;
    while let Some(&pid) = family.get(index) {
        if reads_terminal(pid) {
            return true;
        }
        let children = of(pid, &format!("task/{pid}/children")).unwrap_or_default();
        let children = String::from_utf8_lossy(&children).into_owned();
        let children = children
            .split_ascii_whitespace()
            .filter_map(|pid| pid.parse::<u32>().ok());
        family.extend(children.take(CHILDREN_MAX.saturating_sub(family.len())));
        index += 1;
    }
    false
}

fn reads_terminal(pid: u32) -> bool {
    if of(pid, "wchan").is_ok_and(|place| place == READS_TERMINAL) {
        return true;
    }
    // The kernel may know only that it waits; then the call itself tells, to those who may see it: its number, the descriptor.
    let call = of(pid, "syscall").unwrap_or_default();
    let call = String::from_utf8_lossy(&call).into_owned();
    let mut words = call.split_ascii_whitespace();
    let reads = words.next().is_some_and(|number| number == SYS_READ);
    let descriptor = words
        .next()
        .and_then(|word| u32::from_str_radix(word.strip_prefix("0x")?, 16).ok());
    let Some(descriptor) = descriptor.filter(|_| reads) else {
        return false;
    };
    std::fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).is_ok_and(|file| {
        file.starts_with("/dev/pts") || file.as_os_str().as_bytes().starts_with(b"/dev/tty")
    })
}

/// The number of `read`, as `/proc/PID/syscall` has it.
const SYS_READ: &str = if cfg!(target_arch = "x86_64") { "0" } else { "63" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_only_waits_to_be_reaped_is_gone() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        assert!(begins(child.id()).is_some());
        drop(child.stdin.take());
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while begins(child.id()).is_some() && std::time::Instant::now() < until {
            std::thread::yield_now();
        }
        assert!(Path::new(&format!("/proc/{}", child.id())).exists());
        assert_eq!(begins(child.id()), None);
        child.wait().unwrap();
    }
}
