//! restic itself takes our repository for one of its own.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::path::Path;

use lle_archive::{Keep, Verification, create, prune, rotate, verify};
use support::{House, files, restic, restic_is_here, restic_said};

#[test]
fn restic_checks_and_restores_what_we_wrote() {
    if !restic_is_here() {
        return;
    }
    let house = House::furnished();
    let mut store = house.store();
    create(&store, "by hand").unwrap();
    house.put("lusush/state/history/m.log", &support::log(3_500, 1));
    create(&store, "by hand").unwrap();
    let (path, line) = (store.folder().unwrap().to_owned(), store.line().clone());
    let check = |line: &str| {
        let said = restic_said(&path, line, &["check", "--read-data"]);
        assert!(said.contains("no errors were found"), "{said}");
    };
    check(line.as_str());

    let to = house.path("restored");
    restic_said(
        &path,
        line.as_str(),
        &["restore", "latest", "--target", to.to_str().unwrap()],
    );
    let restored = files(&to);
    let ours = house.files();
    let same = |theirs: &str, name: &str| {
        assert_eq!(
            restored.get(Path::new(theirs)),
            ours.get(Path::new(name)),
            "{name}"
        );
        assert!(ours.contains_key(Path::new(name)));
    };
    same("configuration/home/.bashrc", "home/.bashrc");
    same("configuration/lusush/config.toml", "lusush/config/config.toml");
    same("configuration/lusush/empty", "lusush/config/empty");
    same("data/history/m.log", "lusush/state/history/m.log");
    same(
        "plugins/clock/clock.wasm",
        "lusush/config/plugins/clock/clock.wasm",
    );
    same("state/data/audit/m.anchor", "lusush/data/audit/m.anchor");
    assert_eq!(restored.len(), 11, "{:?}", restored.keys());

    let keep = Keep {
        last: 1,
        daily: 0,
        weekly: 0,
        monthly: 0,
        yearly: 0,
    };
    assert_eq!(prune(&store, keep, false).unwrap().forgotten.len(), 1);
    check(line.as_str());
    let new = rotate(&mut store).unwrap().line;
    check(new.as_str());
    let former = restic(&path, line.as_str(), &["snapshots"]);
    assert!(String::from_utf8_lossy(&former.stderr).contains("wrong password"));
    assert!(verify(&store, Verification::Data).unwrap().findings.is_empty());
}

#[test]
fn what_restic_adds_is_read_and_kept() {
    if !restic_is_here() {
        return;
    }
    let house = House::furnished();
    let store = house.store();
    create(&store, "by hand").unwrap();
    let line = store.line().as_str().to_owned();
    let path = store.folder().unwrap().to_owned();
    let home = house.path("home");
    restic_said(&path, &line, &["backup", home.to_str().unwrap()]);
    let keep = Keep {
        last: 1,
        daily: 0,
        weekly: 0,
        monthly: 0,
        yearly: 0,
    };
    assert_eq!(prune(&store, keep, false).unwrap().forgotten, [""; 0]);
    assert_eq!(lle_archive::snapshots(&store).unwrap().len(), 2);
    assert!(verify(&store, Verification::Data).unwrap().is_good());
}
