//! `lusush install --prefix DIR`: the binary and the shared object, under names that last.
//!
//! ```text
//! DIR/bin/lusush
//! DIR/lib/lusush/liblle_bash-<version>-<8 hex of its content>.so     never overwritten: shells have it mapped
//! DIR/lib/lusush/liblle_bash.so -> the newest                        what ~/.bashrc names
//! DIR/share/man/man1/lusush*.1, DIR/share/bash-completion/completions/lusush
//! DIR/lib/systemd/user/lusush-worker.service                         installed, not enabled
//! ```
//!
//! Every file is written beside its place, made durable and renamed, so that whoever looks finds the old or
//! the new one, whole. Older objects stay: sessions that run them may load them again.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use clap::Parser;

use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::{answer, init, install_unit, launch, manual};

/// The name `~/.bashrc` knows the shared object by.
const LASTING: &str = "liblle_bash.so";

/// What took backups before `lusush` did that itself.
const FORMER_JOB: &str = "lusush-job";

/// Installs the binary to DIR/bin and the line editor to DIR/lib/lusush
#[derive(Debug, Parser)]
#[command(name = "lusush install")]
struct Install {
    /// Where to, such as /usr/local or ~/.local
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
}

/// What was installed.
struct Installed {
    binary: PathBuf,
    library: PathBuf,
    /// The folder of the manual pages.
    pages: PathBuf,
    /// The systemd user unit.
    unit: PathBuf,
}

/// Runs `lusush install` with the arguments that follow it.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let prefix = match answer::parse::<Install>("lusush install", arguments) {
        Ok(parsed) => parsed.prefix,
        Err(code) => return Ok(code),
    };
    let library = launch::library().map_err(|places| not_found(&places))?;
    let failed = || Failure::new(format!("cannot install to {}", prefix.display()));
    let program = std::env::current_exe().map_err(|error| failed().because(error))?;
    let installed = install(&prefix, &program, &library).map_err(|error| {
        failed()
            .because(error)
            .hint("choose a prefix you may write to: lusush install --prefix ~/.local")
    })?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    answer::text(&next_steps(&installed, &path))
}

/// The failure of a verb that needs the shared object, which is in none of `places`.
pub(crate) fn not_found(places: &[PathBuf]) -> Failure {
    let places: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
    Failure::new("there is no shared object of LLE")
        .because(format!("looked for {}", places.join(", ")))
        .hint("from source, `cargo build --release` makes it beside the binary")
        .hint("LUSUSH_LIB=/path/to/liblle_bash.so names one")
}

/// Returns the name that outlives upgrades for an installed shared object; for any other the object itself.
pub(crate) fn lasting_name(library: &Path) -> PathBuf {
    let lasting = library.with_file_name(LASTING);
    match lasting.canonicalize() {
        Ok(target) if library.canonicalize().is_ok_and(|library| library == target) => lasting,
        _ => library.to_owned(),
    }
}

/// Returns the newest shared object of `version` installed in `folder`.
pub(crate) fn installed_library(folder: &Path, version: &str) -> Option<PathBuf> {
    let (begin, end) = (format!("liblle_bash-{version}-"), ".so");
    let ours = |name: &OsStr| {
        let content = name.to_str()?.strip_prefix(&begin)?.strip_suffix(end)?;
        (content.len() == 8 && content.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(())
    };
    let entries = fs::read_dir(folder).ok()?.flatten();
    let objects = entries.filter(|entry| ours(&entry.file_name()).is_some());
    let dated = objects.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())));
    dated.max().map(|(_, path)| path)
}

fn install(prefix: &Path, program: &Path, library: &Path) -> io::Result<Installed> {
    let (bin, lib) = (prefix.join("bin"), prefix.join("lib/lusush"));
    fs::create_dir_all(&bin)?;
    fs::create_dir_all(&lib)?;
    // Names that still lead there from another folder.
    let (bin, lib) = (bin.canonicalize()?, lib.canonicalize()?);
    let content = fs::read(library)?;
    let mut hasher = DefaultHasher::new();
    hasher.write(&content);
    let hash = hasher.finish() as u32;
    let name = format!("liblle_bash-{}-{hash:08x}.so", env!("CARGO_PKG_VERSION"));
    // The object first: a binary that finds none is a shell without its editor.
    place(&lib, OsStr::new(&name), &content, 0o644)?;
    link(&lib, Path::new(&name))?;
    place(&bin, OsStr::new("lusush"), &fs::read(program)?, 0o755)?;
    if let Err(error) = fs::remove_file(lib.join(FORMER_JOB))
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let binary = bin.join("lusush");
    let pages = prefix.join("share/man/man1");
    manual::write(&pages)?;
    let completions = prefix.join("share/bash-completion/completions");
    fs::create_dir_all(&completions)?;
    place(&completions, OsStr::new("lusush"), &manual::completion(), 0o644)?;
    let units = prefix.join("lib/systemd/user");
    fs::create_dir_all(&units)?;
    place(
        &units,
        OsStr::new(install_unit::NAME),
        &install_unit::unit(&binary),
        0o644,
    )?;
    Ok(Installed {
        binary,
        library: lib.join(LASTING),
        pages: pages.canonicalize()?,
        unit: units.canonicalize()?.join(install_unit::NAME),
    })
}

/// Puts a file under its name, durable and at once.
fn place(folder: &Path, name: &OsStr, content: &[u8], mode: u32) -> io::Result<()> {
    through_draft(folder, name, |draft| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(draft)?;
        file.write_all(content)?;
        // Whatever the umask says, others run it.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()
    })
}

/// Leads the lasting name to the object `target` beside it.
fn link(folder: &Path, target: &Path) -> io::Result<()> {
    through_draft(folder, OsStr::new(LASTING), |draft| symlink(target, draft))
}

/// Makes something under a passing name and renames it; nothing is left behind if that fails.
fn through_draft(folder: &Path, name: &OsStr, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut draft_name = OsString::from(".");
    draft_name.push(name);
    draft_name.push(format!(".{}", std::process::id()));
    let draft = folder.join(draft_name);
    let made = make(&draft).and_then(|()| fs::rename(&draft, folder.join(name)));
    if made.is_err() {
        let _never_made = fs::remove_file(&draft);
        return made;
    }
    File::open(folder)?.sync_all()
}

/// Says what was installed, and what is left to do.
fn next_steps(installed: &Installed, path: &OsStr) -> String {
    let Installed {
        binary,
        library,
        pages,
        unit,
    } = installed;
    let mut out = format!(
        "Installed {}\n          {}\n          {}/lusush*.1\n      and {}\n\n",
        binary.display(),
        library.display(),
        pages.display(),
        unit.display()
    );
    let folder = binary.parent().unwrap_or(binary);
    let in_path = std::env::split_paths(path).any(|entry| entry == folder);
    let command = if in_path {
        "lusush".to_owned()
    } else {
        init::shown_word(binary.as_os_str())
    };
    if !in_path {
        let _ = writeln!(
            out,
            "{} is not in PATH: add it, or name the binary in full.",
            folder.display()
        );
    }
    let _ = writeln!(out, "Try it:                  {command}");
    let _ = writeln!(out, "In every shell you type: {command} init bash >> ~/.bashrc");
    let _ = writeln!(
        out,
        "A session starts the worker by itself; to have one all the time, with systemd:\n{:25}systemctl --user enable --now {}",
        "",
        init::shown_word(unit.as_os_str())
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_found_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("program"), "binary").unwrap();
        fs::write(at("object"), "one").unwrap();
        let prefix = at("prefix");
        let first = install(&prefix, &at("program"), &at("object")).unwrap();
        let lib = prefix.join("lib/lusush");
        let one = installed_library(&lib, env!("CARGO_PKG_VERSION")).unwrap();
        assert_eq!(fs::read(&first.library).unwrap(), b"one");
        assert_eq!(lasting_name(&one), one.with_file_name(LASTING));
        assert_eq!(
            fs::metadata(&first.binary).unwrap().permissions().mode() & 0o777,
            0o755
        );

        let unit = fs::read_to_string(&first.unit).unwrap();
        assert!(
            unit.contains(&format!("ExecStart=\"{}\" maint", first.binary.display())),
            "{unit}"
        );
        assert!(first.pages.join("lusush-maint-status.1").exists());
        assert!(prefix.join("share/bash-completion/completions/lusush").exists());

        fs::write(lib.join(FORMER_JOB), "of an earlier version").unwrap();
        fs::write(at("object"), "two").unwrap();
        let second = install(&prefix, &at("program"), &at("object")).unwrap();
        assert_eq!(fs::read(&second.library).unwrap(), b"two");
        assert_eq!(fs::read(&one).unwrap(), b"one", "sessions still have it");
        assert_eq!(lasting_name(&one), one, "no longer the newest");
        let mut names: Vec<_> = fs::read_dir(&lib)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(
            names.len(),
            3,
            "no draft is left, nor what nobody runs: {names:?}"
        );
    }

    #[test]
    fn only_objects_of_the_version_count() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, found: bool| {
            let path = folder.path().join(name);
            fs::write(&path, "").unwrap();
            assert_eq!(
                installed_library(folder.path(), "1.2.3"),
                found.then(|| path.clone()),
                "{name}"
            );
            fs::remove_file(path).unwrap();
        };
        check("liblle_bash-1.2.3-0123abcd.so", true);
        check("liblle_bash-1.2.30-0123abcd.so", false);
        check("liblle_bash-1.2.3-0123abc.so", false);
        check("liblle_bash-1.2.3-0123abcg.so", false);
        check(".liblle_bash-1.2.3-0123abcd.so.77", false);
        check("liblle_bash.so", false);
    }

    #[test]
    fn the_next_steps_fit_the_path() {
        let installed = Installed {
            binary: "/p q/bin/lusush".into(),
            library: "/p q/lib/lusush/liblle_bash.so".into(),
            pages: "/p q/share/man/man1".into(),
            unit: "/p q/lib/systemd/user/lusush-worker.service".into(),
        };
        assert!(
            next_steps(&installed, OsStr::new("/bin:/p q/bin")).contains(": lusush init bash >> ~/.bashrc\n")
        );
        let steps = next_steps(&installed, OsStr::new("/bin"));
        assert!(steps.contains("/p q/bin is not in PATH"), "{steps}");
        assert!(
            steps.contains("--now '/p q/lib/systemd/user/lusush-worker.service'\n"),
            "{steps}"
        );
        assert!(
            steps.contains("'/p q/bin/lusush' init bash >> ~/.bashrc\n"),
            "{steps}"
        );
    }
}
