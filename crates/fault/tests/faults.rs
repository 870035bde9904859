//! Each fault is what it says, on programs that know nothing of it.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use lle_fault::{Fault, Faults, Kind, are_here};

/// `dd` writes three blocks of four bytes, and says how it ended.
fn blocks(faults: &Faults, folder: &Path) -> Output {
    let words = ["if=/dev/zero", "bs=4", "count=3", "status=none"];
    let started = faults.start(|| {
        Command::new("dd")
            .args(words)
            .arg(format!("of={}", folder.join("out").display()))
            .env("LC_ALL", "C")
            .env_remove("LD_PRELOAD")
            .output()
    });
    started.unwrap().unwrap()
}

#[test]
fn faults_are_what_they_say() {
    if !are_here() {
        return;
    }
    // The first call makes the file; then there are three writes.
    let check = |at: u64, fault: Fault, bytes: u64, says: &str| {
        let folder = tempfile::tempdir().unwrap();
        let faults = Faults::below(folder.path());
        faults.set(at, fault);
        let output = blocks(&faults, folder.path());
        let length = fs::metadata(folder.path().join("out")).map_or(0, |found| found.len());
        assert_eq!(length, bytes, "{fault:?} at {at}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains(says) && said.is_empty() == says.is_empty(),
            "{fault:?} at {at}: {said}"
        );
        assert_eq!(
            output.status.signal(),
            fault.kills().then_some(9),
            "{fault:?} at {at}"
        );
        assert!(faults.hit().unwrap().contains("out"), "{fault:?} at {at}");
    };
    check(1, Fault::Broken, 0, "Input/output error");
    check(3, Fault::Broken, 4, "Input/output error");
    check(3, Fault::Full, 6, "No space left");
    check(1, Fault::Full, 0, "No space left");
    check(3, Fault::Killed, 4, "");
    check(3, Fault::Torn, 6, "");
    // dd goes on with the other half.
    check(3, Fault::Short, 12, "");
}

#[test]
fn calls_are_counted_where_they_are_looked_for() {
    if !are_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let faults = Faults::below(folder.path());
    assert!(blocks(&faults, elsewhere.path()).status.success());
    assert_eq!((faults.calls(), faults.hit()), (0, None));
    assert!(blocks(&faults, folder.path()).status.success());
    assert_eq!(faults.calls(), 4);
    let faults = Faults::below(folder.path()).only(&[Kind::Rename, Kind::Sync]);
    fs::write(folder.path().join("a"), "").unwrap();
    faults.set(2, Fault::Broken);
    let script = || {
        Command::new("sh")
            .args(["-c", "mv a b; mv b c"])
            .current_dir(folder.path())
            .status()
    };
    assert!(!faults.start(script).unwrap().unwrap().success());
    assert!(folder.path().join("b").exists(), "{:?}", faults.hit());
    // The disk has room again.
    faults.clear();
    assert!(blocks(&faults, folder.path()).status.success());
}
