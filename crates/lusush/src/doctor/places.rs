//! Where things are kept: folders, the machine's name, the histories.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lle_core::paths::Refusal;
use lle_core::quantity::bytes;
use lle_core::report::Check;
use lle_core::severity::Severity;

use crate::maint::history::{self, CheckError};
use crate::paths;

/// Looks at the folders and what is in them.
pub(super) fn checks() -> Vec<Check> {
    let folders = paths::folders();
    let mut checks = vec![
        folder("state folder", &folders.state),
        folder("runtime folder", &folders.runtime),
        folder("config folder", &folders.config),
        machine_id(),
        bash_history(),
    ];
    if let (Some(_), Ok(own)) = (paths::served(), paths::runtime()) {
        let evidence = format!(
            "{}: sessions that begin there go where the worker is",
            own.display()
        );
        checks.push(Check::fine("of this shell", evidence));
    }
    if let Ok(state) = &folders.state {
        checks.push(log(&history::log_in(state)));
    }
    checks
}

fn folder(subject: &'static str, decided: &Result<PathBuf, Refusal>) -> Check {
    let path = match decided {
        Ok(path) => path,
        Err(refusal) => {
            let remedy = match refusal {
                Refusal::Unset { .. } => "set HOME",
                Refusal::NoHome { .. } => "mount or make the home folder, or set HOME to the one you have",
                Refusal::Foreign { .. } => "chown it, or use `sudo -i` or `su -` so that HOME is your own",
                Refusal::Unsafe { .. } => "remove it, or chmod 700",
            };
            return Check::found(Severity::Major, subject, refusal.to_string(), remedy);
        }
    };
    let shown = path.display();
    let found = match path.metadata() {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return to_be_made(subject, path),
        Err(error) => return Check::found(Severity::Major, subject, format!("{shown}: {error}"), ""),
    };
    let mode = found.mode() & 0o7777;
    let evidence = format!("{shown}, mode {mode:04o}, owner {}", found.uid());
    if !found.is_dir() {
        let remedy = format!("move it away: mv {shown} {shown}.old");
        return Check::found(
            Severity::Major,
            subject,
            format!("{shown} is not a folder"),
            remedy,
        );
    }
    if !may_write(path) {
        let evidence = format!("{evidence}, cannot be written to: memory only");
        return Check::found(
            Severity::Major,
            subject,
            evidence,
            format!("chmod 700 {shown}, or free the disk"),
        );
    }
    if mode & 0o077 != 0 {
        let evidence = format!("{evidence}: others may look into it");
        return Check::found(Severity::Warning, subject, evidence, format!("chmod 700 {shown}"));
    }
    match is_full(path) {
        true => full(subject, path),
        false => Check::fine(subject, evidence),
    }
}

/// A folder that is not there: can it be made?
fn to_be_made(subject: &'static str, path: &Path) -> Check {
    let shown = path.display();
    match path.ancestors().skip(1).find(|folder| folder.exists()) {
        Some(folder) if !may_write(folder) => {
            let evidence = format!(
                "{shown} cannot be made, since {} cannot be written to: memory only",
                folder.display()
            );
            let remedy = format!(
                "give that folder to user {} (chown), or mount it to be written to; or set LUSUSH_HOME",
                rustix::process::geteuid().as_raw()
            );
            Check::found(Severity::Major, subject, evidence, remedy)
        }
        Some(folder) if is_full(folder) => full(subject, folder),
        _ => Check::fine(subject, format!("{shown}, to be made when needed")),
    }
}

/// By the rights of the files and by the file system, which may be read-only.
fn may_write(folder: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

/// Whether there is less room than one file needs.
fn is_full(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|found| found.f_blocks > 0 && found.f_bavail == 0)
}

fn full(subject: &'static str, folder: &Path) -> Check {
    let evidence = format!(
        "{}: the disk is full; commands wait in their shells until there is room",
        folder.display()
    );
    Check::found(
        Severity::Major,
        subject,
        evidence,
        "free some room: `df -h`, and `du -xh --max-depth=2` on that disk",
    )
}

fn machine_id() -> Check {
    let id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    match id.trim() {
        "" => Check::found(
            Severity::Warning,
            "machine-id",
            "/etc/machine-id is missing or empty: machines that share this home share one history log",
            "sudo systemd-machine-id-setup",
        ),
        id => Check::fine("machine-id", id),
    }
}

fn bash_history() -> Check {
    let named = std::env::var_os("HISTFILE").map(PathBuf::from);
    let Some(path) = named.or_else(|| paths::home().map(|home| home.join(".bash_history"))) else {
        return Check::unknown("HISTFILE", "neither HISTFILE nor HOME is set");
    };
    let shown = path.display();
    match path.metadata() {
        Ok(found) if !found.is_file() => Check::fine("HISTFILE", format!("{shown}, not a file: left alone")),
        Ok(found) if std::fs::File::open(&path).is_ok() => {
            let evidence = format!("{shown}, {}", bytes(found.len() as f64));
            match found.mode() & 0o077 {
                0 => Check::fine("HISTFILE", evidence),
                _ => {
                    let evidence = format!("{evidence}, others may read it");
                    Check::found(
                        Severity::Warning,
                        "HISTFILE",
                        evidence,
                        format!("chmod 600 {shown}"),
                    )
                }
            }
        }
        Ok(_) => {
            let evidence = format!("{shown} cannot be read: nothing can be imported from it");
            Check::found(
                Severity::Warning,
                "HISTFILE",
                evidence,
                format!("chmod 600 {shown}"),
            )
        }
        Err(_) => Check::fine("HISTFILE", format!("{shown}, not there: nothing to import")),
    }
}

fn log(path: &Path) -> Check {
    match history::check(path) {
        Ok(checked) => match checked.damage() {
            None => Check::fine("history log", checked.summary()),
            Some(damage) => {
                let evidence = format!("{}; {damage}", checked.summary());
                let remedy = "nothing is lost but those bytes; see `lusush maint history check`";
                Check::found(Severity::Warning, "history log", evidence, remedy)
            }
        },
        Err(CheckError::None { .. }) => Check::fine("history log", "none yet: the first session makes it"),
        Err(CheckError::Open { path, source }) => {
            let evidence = format!("{}: {source}", path.display());
            let remedy = "history is kept by bash alone until this file is mended or moved away";
            Check::found(Severity::Major, "history log", evidence, remedy)
        }
    }
}
