//! Where the shells to be tested are.
//!
//! Invariant: under `LUSUSH_TEST_REQUIRE=1` nothing is silently left out.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A bash to be tested.
#[derive(Clone, Debug)]
pub struct Shell {
    /// The program.
    pub program: PathBuf,
    /// What it says of itself, such as `5.2.15(1)-release`.
    pub version: String,
}

/// Returns the bashes to test: the system's, then those of `LUSUSH_TEST_BASHES` (separated by colons).
///
/// # Panics
/// If one that was named cannot be run, or the system has none: then the test would prove nothing.
#[must_use]
pub fn test_bashes() -> Vec<Shell> {
    let named = std::env::var("LUSUSH_TEST_BASHES").unwrap_or_default();
    let system = installed("bash").expect("these tests need a bash in PATH");
    std::iter::once(system)
        .chain(
            named
                .split(':')
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
        )
        .map(describe)
        .collect()
}

fn describe(program: PathBuf) -> Shell {
    let output = Command::new(&program)
        .args(["--norc", "-c", "echo $BASH_VERSION"])
        .output();
    let output = output.unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(!version.is_empty(), "{} is no bash", program.display());
    Shell { program, version }
}

/// Returns where `program` is in `PATH`, if it is installed.
#[must_use]
pub fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Returns where `program` is, or says that `test` is skipped for want of it.
///
/// # Panics
/// Under `LUSUSH_TEST_REQUIRE=1`: a machine that promises to have everything must not skip.
#[must_use]
pub fn required(program: &str, test: &str) -> Option<PathBuf> {
    let found = installed(program);
    if found.is_none() {
        assert!(
            std::env::var("LUSUSH_TEST_REQUIRE").as_deref() != Ok("1"),
            "{test} needs {program}"
        );
        eprintln!("skipped: {test} ({program} is not installed)");
    }
    found
}

/// Returns the shared object that cargo built with `lusush`, the binary at `binary`.
///
/// # Panics
/// If there is none: it is built with every build of the binary.
#[must_use]
pub fn shared_object(binary: &Path) -> PathBuf {
    let folder = binary.parent().expect("a binary is in a folder");
    let names = [folder.join("deps/liblle_bash.so"), folder.join("liblle_bash.so")];
    let newest = names
        .iter()
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .max();
    newest
        .unwrap_or_else(|| panic!("no liblle_bash.so in {}", folder.display()))
        .1
        .clone()
}
