//! Who changed a file: what the kernel tells root, and what can be told without being root.
//!
//! The kernel names the process that writes to a file to root only ([`Writers`]). What anybody can see is who of their
//! own processes has it open at this moment, and what for: a hint, and told as one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use lle_core::shown::harmless;

use super::writers::Writers;

/// Processes looked at, and descriptors of all of them: a few milliseconds.
const PROCESSES_MAX: usize = 4_096;
const DESCRIPTORS_MAX: usize = 20_000;
/// Processes named.
const NAMED_MAX: usize = 3;
/// Characters of a program's name.
const NAME_CHARS_MAX: usize = 32;

/// Says who may have changed the file.
pub(super) fn of(path: &Path, writers: &Writers) -> String {
    if let Some(named) = writers.of(path) {
        return named;
    }
    let unknown = match writers.are_told() {
        true => "who did it is unknown: the kernel told of nobody who wrote to it since this worker looked",
        false => "who did it is unknown: the kernel tells that to root only",
    };
    let holders = fs::metadata(path)
        .map(|found| holders((found.dev(), found.ino())))
        .unwrap_or_default();
    match holders.is_empty() {
        true => format!("{unknown}, and no other program has it open for writing any more"),
        false => format!("{unknown}; open for writing just now: {}", holders.join(", ")),
    }
}

/// Processes of this user that have the file open for writing anywhere in it; sessions only append.
fn holders(file: (u64, u64)) -> Vec<String> {
    let mut named = Vec::new();
    let mut left = DESCRIPTORS_MAX;
    let Ok(processes) = fs::read_dir("/proc") else {
        return named;
    };
    let own = std::process::id();
    let pids = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids.filter(|pid| *pid != own).take(PROCESSES_MAX) {
        let folder = Path::new("/proc").join(pid.to_string());
        let Ok(descriptors) = fs::read_dir(folder.join("fd")) else {
            continue;
        };
        let mut holds = false;
        for entry in descriptors.flatten() {
            if left == 0 {
                return named;
            }
            left -= 1;
            let is_it = fs::metadata(entry.path()).is_ok_and(|found| (found.dev(), found.ino()) == file);
            holds |= is_it && writes_anywhere(&folder.join("fdinfo").join(entry.file_name()));
        }
        if holds {
            let name = fs::read(folder.join("comm")).unwrap_or_default();
            let name = harmless(name.trim_ascii_end(), NAME_CHARS_MAX);
            named.push(format!("{name} (process {pid})"));
            if named.len() == NAMED_MAX {
                return named;
            }
        }
    }
    named
}

/// Whether a descriptor is open for writing and not for appending, by `/proc/<pid>/fdinfo`.
fn writes_anywhere(info: &Path) -> bool {
    let text = fs::read_to_string(info).unwrap_or_default();
    let flags = text
        .lines()
        .find_map(|line| line.strip_prefix("flags:"))
        .and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok())
        .unwrap_or(0);
    flags & libc::O_ACCMODE != libc::O_RDONLY && flags & libc::O_APPEND == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_it_open_is_named_as_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        fs::write(&path, "a\n").unwrap();
        assert!(of(&path, &Writers::new()).contains("no other program"));
        // It opens the file and says so, then waits until its input is closed.
        let mut child = std::process::Command::new("sh")
            .args(["-c", "exec 3<>\"$0\"; echo open; read line"])
            .arg(&path)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 5];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        let told = of(&path, &Writers::new());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(told.contains(&format!("(process {})", child.id())), "{told}");
    }
}
