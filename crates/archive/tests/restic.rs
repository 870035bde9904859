//! restic itself takes our repository for one of its own.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use lle_archive::{Keep, Store, Verification, create, prune, rotate, verify};
use support::{AtWork, House, files, restic, restic_is_here, restic_said};

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
fn a_restic_that_works_is_respected_and_one_that_was_killed_is_not() {
    if !restic_is_here() {
        return;
    }
    let house = House::furnished();
    let store = house.store();
    let (path, line) = (store.folder().unwrap().to_owned(), store.line().clone());
    drop(store);
    let locks = path.join("locks");
    let restic = AtWork::on(path.to_str().unwrap(), line.as_str(), &locks);
    let error = Store::open(&house.places, None, None).unwrap_err();
    let expect = format!(
        "restic is at work on the repository, as process {} of ",
        restic.pid()
    );
    assert!(error.to_string().starts_with(&expect), "{error}");
    drop(restic);
    // Its lock is there still, and says whose it was.
    let lock = locks.join(files(&locks).into_keys().next().unwrap());
    drop(house.store());
    // One that says nothing is respected until it is old.
    fs::remove_file(&lock).unwrap();
    fs::write(&lock, "sealed").unwrap();
    let error = Store::open(&house.places, None, None).unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    let old = SystemTime::now() - Duration::from_secs(31 * 60);
    let file = fs::File::options().write(true).open(&lock).unwrap();
    file.set_modified(old).unwrap();
    drop(house.store());
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
