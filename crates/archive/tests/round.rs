//! A home is backed up, lost, and comes back.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use lle_archive::{
    Change, ImportError, Imported, Key, Line, OpenError, RestoreError, Section, Store, Verification, create,
    import, restore, restore_to, since, snapshots, verify,
};
use lle_core::repository::Address;
use lle_log::formats::Entry;
use lle_log::history::History;
use lle_log::mirror::{Lock, Mirror};
use lle_log::rewrite::import as import_entries;
use lle_log::scrub::scrub;
use support::{House, files};

#[test]
fn a_home_that_was_lost_comes_back_on_another_machine() {
    let house = House::furnished();
    let store = house.store();
    let created = create(&store, "by hand").unwrap();
    assert_eq!(created.left_out, []);
    assert_eq!(created.changed_files, 11);
    let before = house.files();
    let line = store.line().clone();
    drop(store);

    let archive = house.path("copy");
    fs::rename(house.places.archive(), &archive).unwrap();
    let new = House::empty();
    let archive = Address::Folder(archive);
    let open = || Store::open(&new.places, Some(&archive), None);
    assert!(matches!(open(), Err(OpenError::NoKey(_))));
    assert_eq!(
        import(&new.places, Some(&archive), line.clone()).unwrap(),
        Imported::Opens
    );
    let store = open().unwrap();
    let restored = restore(&store, "latest", Section::ALL).unwrap();
    assert_eq!((restored.moved, restored.aside), (11, None));
    let mut after = new.files();
    let mut lost = before;
    for name in [
        "home/notes",
        "lusush/state/versions/config.lock",
        "lusush/state/maint/m/worker.lock",
    ] {
        lost.remove(Path::new(name));
        after.remove(Path::new(name));
    }
    assert_eq!(after, lost);
    // The next backup goes to the new machine's own repository, under the same line.
    drop(store);
    let store = new.store();
    create(&store, "by hand").unwrap();
    assert_eq!(store.line(), &line);
    drop(store);
    // With a backup of its own, another line would lock it up.
    let other = Line::random().unwrap();
    let refused = import(&new.places, Some(&archive), other.clone());
    assert!(matches!(refused, Err(ImportError::InUse)), "{refused:?}");
    assert!(matches!(
        import(&new.places, None, other),
        Err(ImportError::Open(OpenError::WrongKey(_)))
    ));
    assert_eq!(import(&new.places, None, line).unwrap(), Imported::Same);
}

#[test]
fn a_key_is_not_taken_in_beside_a_backup_that_it_does_not_open() {
    let lines = || {
        let house = House::furnished();
        let line = house.store().line().clone();
        (house, line)
    };
    let ((mut house, own), (elsewhere, theirs)) = (lines(), lines());
    let archive = Address::Folder(elsewhere.places.archive());
    let key = Key::path(&house.places.state);
    let another = |result: Result<Imported, ImportError>, which: &Address| {
        let is_it = matches!(&result, Err(ImportError::Another(other)) if other == which);
        assert!(is_it, "{result:?}");
    };
    // The key of this home's own backup is gone, and that of another one is at hand.
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let local = Address::Folder(house.places.archive());
    another(import(&house.places, Some(&archive), theirs.clone()), &local);
    assert!(!key.exists());
    // It is saved elsewhere now, and what was saved before lies here still.
    house.places.repository = Some(archive);
    another(import(&house.places, None, theirs.clone()), &local);
    fs::write(&key, &kept).unwrap();
    another(import(&house.places, None, theirs.clone()), &local);
    assert_eq!(fs::read(&key).unwrap(), kept);
    // The own one opens what it opens, and is not said to open anything else.
    let named = import(&house.places, None, own.clone());
    assert!(
        matches!(named, Err(ImportError::Open(OpenError::WrongKey(_)))),
        "{named:?}"
    );
    assert_eq!(import(&house.places, Some(&local), own).unwrap(), Imported::Same);
    // Once that is moved away, nothing is in the way.
    fs::rename(house.places.archive(), house.path("away")).unwrap();
    assert_eq!(import(&house.places, None, theirs).unwrap(), Imported::Opens);
    create(&house.store(), "under the other key").unwrap();
}

#[test]
fn what_was_there_is_kept_and_logs_that_grew_are_left() {
    let house = House::furnished();
    let store = house.store();
    create(&store, "by hand").unwrap();
    let log = fs::read(house.path("lusush/state/history/m.log")).unwrap();
    house.put("lusush/state/history/m.log", &[&log[..], b"later\n"].concat());
    house.put("lusush/config/config.toml", b"broken");
    fs::remove_file(house.path("home/.bashrc")).unwrap();
    fs::rename(house.path("home/.inputrc"), house.path("home/inputrc")).unwrap();
    std::os::unix::fs::symlink("inputrc", house.path("home/.inputrc")).unwrap();
    house.put("home/inputrc", b"changed");
    let found: Vec<_> = since(&store, "latest").unwrap().1;
    let found: Vec<_> = found
        .iter()
        .map(|one| (one.path.to_str().unwrap(), one.change))
        .collect();
    assert_eq!(
        found,
        [
            ("/configuration/home/.bashrc", Change::Removed),
            ("/configuration/home/.inputrc", Change::Changed),
            ("/configuration/lusush/config.toml", Change::Changed),
            ("/data/history/m.log", Change::Grown),
        ]
    );
    let restored = restore(&store, "latest", Section::ALL).unwrap();
    assert_eq!((restored.moved, restored.same, restored.grown), (3, 7, 1));
    let aside = files(&restored.aside.unwrap());
    assert_eq!(
        aside
            .into_iter()
            .map(|(name, content)| (name.display().to_string(), content))
            .collect::<Vec<_>>(),
        [
            ("configuration/home/.inputrc".to_owned(), b"changed".to_vec()),
            ("configuration/lusush/config.toml".to_owned(), b"broken".to_vec())
        ]
    );
    assert_eq!(fs::read(house.path("home/.bashrc")).unwrap(), b"PS1='$ '\n");
    assert_eq!(
        fs::read(house.path("home/inputrc")).unwrap(),
        b"set editing-mode vi\n"
    );
    assert!(
        fs::symlink_metadata(house.path("home/.inputrc"))
            .unwrap()
            .is_symlink()
    );
    assert!(
        house
            .files()
            .keys()
            .all(|name| !name.to_string_lossy().contains("lusush-restore"))
    );
    // A log that was cut is no log that grew.
    house.put("lusush/state/history/m.log", b"cut");
    restore(&store, "latest", &[Section::Data]).unwrap();
    assert_eq!(fs::read(house.path("lusush/state/history/m.log")).unwrap(), log);
}

/// Bytes that do not get smaller, and of which none are the same.
fn random(length: usize, mut seed: u64) -> Vec<u8> {
    let mut byte = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as u8
    };
    (0..length).map(|_| byte()).collect()
}

#[test]
fn a_changed_byte_is_seen_whatever_the_times_of_the_file_say() {
    let house = House::furnished();
    // Of several pieces; and more files than are open at once.
    let long = random(9 << 20, 1);
    house.put("lusush/config/long", &long);
    for n in 0..150 {
        house.put(&format!("lusush/config/many/{n}"), &random(200, n));
    }
    let store = house.store();
    create(&store, "by hand").unwrap();
    let whole = house.files();
    let same = restore(&store, "latest", Section::ALL).unwrap();
    assert_eq!((same.moved, same.same), (0, 162));
    let check = |name: &str, at: usize| {
        let path = house.path(name);
        let times = fs::metadata(&path).unwrap().modified().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_modified(times).unwrap();
        let found = since(&store, "latest").unwrap().1;
        assert_eq!(found.len(), 1, "{name} at {at}");
        assert_eq!(found[0].change, Change::Changed);
        assert_eq!(restore(&store, "latest", Section::ALL).unwrap().moved, 1);
        assert_eq!(house.files(), whole, "{name} at {at}");
    };
    for at in [0, 1 << 20, 5 << 20, long.len() - 1] {
        check("lusush/config/long", at);
    }
    check("lusush/config/many/0", 7);
    check("lusush/config/many/149", 199);
}

#[test]
fn a_snapshot_is_written_to_a_folder_or_not_at_all() {
    let house = House::furnished();
    let store = house.store();
    create(&store, "by hand").unwrap();
    let to = house.path("to");
    restore_to(&store, "latest", &[Section::Configuration], &to).unwrap();
    assert_eq!(files(&to).len(), 5);
    let again = restore_to(&store, "latest", Section::ALL, &to);
    assert!(matches!(again, Err(RestoreError::Occupied(_))));
}

#[test]
fn an_unchanged_home_adds_nothing_but_the_snapshot() {
    let house = House::furnished();
    let store = house.store();
    create(&store, "by hand").unwrap();
    let again = create(&store, "by hand").unwrap();
    assert_eq!((again.changed_files, again.added_bytes), (0, 0));
    house.put("lusush/config/config.toml", b"version = 2\n");
    assert_eq!(create(&store, "by hand").unwrap().changed_files, 1);
    assert_eq!(snapshots(&store).unwrap().len(), 3);
}

fn damaged(error: OpenError, expect: &str) {
    match error {
        OpenError::Damaged { what, .. } | OpenError::KeyFiles { what, .. } => {
            assert!(what.contains(expect), "{what}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_wrong_key_and_a_damaged_repository_are_told_apart() {
    let house = House::furnished();
    let store = house.store();
    create(&store, "by hand").unwrap();
    drop(store);
    let open = || Store::open(&house.places, None, None).map(|_| ()).unwrap_err();
    let key = fs::read(Key::path(&house.places.state)).unwrap();
    let config = house.places.archive().join("config");
    let good = fs::read(&config).unwrap();

    let mut bad = good.clone();
    bad[20] ^= 1;
    fs::write(&config, &bad).unwrap();
    damaged(open(), "config has changed");
    fs::write(&config, &good).unwrap();

    Key::random().unwrap().keep(&house.places.state).unwrap();
    assert!(matches!(open(), OpenError::WrongKey(_)));
    let keys = house.places.archive().join("keys");
    let file = fs::read_dir(&keys).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&file, &bytes).unwrap();
    damaged(open(), "key file");

    fs::remove_file(Key::path(&house.places.state)).unwrap();
    assert!(matches!(open(), OpenError::NoKey(_)));
    // With its master key a repository opens though its key file is damaged.
    fs::write(Key::path(&house.places.state), key).unwrap();
    Store::open(&house.places, None, None).unwrap();
    fs::remove_file(&config).unwrap();
    damaged(open(), "is gone");
    let none = House::empty();
    assert!(matches!(
        Store::open(&none.places, None, None),
        Err(OpenError::None(_))
    ));
}

#[test]
fn one_flipped_byte_in_any_file_is_found() {
    let house = House::furnished();
    let store = house.store();
    create(&store, "by hand").unwrap();
    house.put("lusush/config/config.toml", b"version = 2\n");
    create(&store, "by hand").unwrap();
    for depth in [Verification::Metadata, Verification::Trees, Verification::Data] {
        assert_eq!(verify(&store, depth).unwrap().findings, []);
    }
    let root = store.folder().unwrap().to_owned();
    let all = files(&root);
    assert!(all.len() > 6);
    for (name, content) in all {
        for at in [0, content.len() / 2, content.len() - 1] {
            let mut bad = content.clone();
            bad[at] ^= 0x10;
            fs::write(root.join(&name), &bad).unwrap();
            let mut depths = vec![Verification::Data];
            if !name.starts_with("data") {
                depths.extend([Verification::Trees, Verification::Metadata]);
            }
            for depth in depths {
                let found = verify(&store, depth);
                assert!(
                    found.is_ok_and(|verdict| !verdict.is_good()),
                    "{name:?} at {at}, {depth:?}"
                );
            }
        }
        fs::write(root.join(&name), &content).unwrap();
    }
    assert!(verify(&store, Verification::Data).unwrap().is_good());
}

#[test]
fn nothing_is_restored_from_a_damaged_snapshot() {
    let house = House::furnished();
    let store = house.store();
    create(&store, "by hand").unwrap();
    house.put("lusush/state/history/m.log", b"cut");
    let before = house.files();
    let packs = files(&store.folder().unwrap().join("data"));
    let (name, content) = packs.iter().max_by_key(|(_, content)| content.len()).unwrap();
    let mut bad = content.clone();
    bad.iter_mut().step_by(97).for_each(|byte| *byte ^= 0x55);
    fs::write(store.folder().unwrap().join("data").join(name), bad).unwrap();
    assert!(restore(&store, "latest", Section::ALL).is_err());
    assert_eq!(house.files(), before);
    // Nor does what was opened before the damage was met lie about.
    assert!(restore_to(&store, "latest", Section::ALL, &house.path("to")).is_err());
    assert_eq!(house.files(), before);
}

#[test]
fn links_that_lead_to_nothing_and_rights_are_what_they_were() {
    let house = House::furnished();
    let (real, link) = (house.path("home/dot/bashrc"), house.path("home/.bashrc"));
    fs::create_dir_all(real.parent().unwrap()).unwrap();
    fs::rename(&link, &real).unwrap();
    std::os::unix::fs::symlink("dot/bashrc", &link).unwrap();
    let log = house.path("lusush/state/history/m.log");
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    set(&log, 0o600);
    let store = house.store();
    create(&store, "by hand").unwrap();
    let before = fs::read(&real).unwrap();
    // Once the file alone, and once its folder, too.
    for folder in [false, true] {
        fs::remove_file(&real).unwrap();
        if folder {
            fs::remove_dir(real.parent().unwrap()).unwrap();
        }
        assert_eq!(restore(&store, "latest", Section::ALL).unwrap().moved, 1);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), before);
    }
    set(&log, 0o666);
    let found = since(&store, "latest").unwrap().1;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].change, found[0].rights),
        (Change::Rights, Some((0o600, 0o666)))
    );
    // Also of one that has grown since.
    let bytes = fs::read(&log).unwrap();
    fs::write(&log, [&bytes[..], b"later\n"].concat()).unwrap();
    let restored = restore(&store, "latest", Section::ALL).unwrap();
    assert_eq!((restored.moved, restored.grown, restored.rights), (0, 1, 1));
    assert_eq!(mode(&log), 0o600);
    assert_eq!(restore(&store, "latest", Section::ALL).unwrap().rights, 0);
}

#[test]
fn nothing_is_moved_where_a_folder_is_in_the_way() {
    let house = House::furnished();
    let store = house.store();
    create(&store, "by hand").unwrap();
    house.put("home/.bashrc", b"# another\n");
    let config = house.path("lusush/config/config.toml");
    fs::remove_file(&config).unwrap();
    fs::create_dir(&config).unwrap();
    let themes = house.path("lusush/config/themes");
    let way = |expect: &Path| match restore(&store, "latest", Section::ALL) {
        Err(RestoreError::InTheWay(path)) => assert_eq!(path, expect),
        other => panic!("{other:?}"),
    };
    let before = house.files();
    way(&config);
    fs::remove_dir(&config).unwrap();
    fs::remove_dir_all(&themes).unwrap();
    fs::write(&themes, "a file").unwrap();
    way(&themes);
    assert_eq!(fs::read(house.path("home/.bashrc")).unwrap(), b"# another\n");
    assert_eq!(before.get(Path::new("home/.bashrc")).unwrap(), b"# another\n");
    fs::remove_file(&themes).unwrap();
    assert_eq!(restore(&store, "latest", Section::ALL).unwrap().moved, 3);
}

fn run(log: &Path, session: u64, second: i64, command: &str) {
    let mut history = History::open(log, session, 1, None).unwrap().history;
    history
        .started(second * 1_000_000_000, b"/", command.as_bytes())
        .unwrap();
}

fn commands(log: &Path) -> Vec<String> {
    let history = History::read(log).unwrap();
    history
        .commands()
        .map(|command| String::from_utf8(command.command).unwrap())
        .collect()
}

#[test]
fn a_history_keeps_what_was_typed_since_and_what_was_taken_out_stays_out() {
    let house = House::furnished();
    let log = house.path("lusush/state/history/m.log");
    fs::remove_file(&log).unwrap();
    run(&log, 1, 10, "before");
    run(&log, 2, 20, "hunter2");
    Mirror::new(&log).follow().unwrap();
    let store = house.store();
    create(&store, "by hand").unwrap();
    run(&log, 3, 30, "after");
    for path in [&log, &log.with_extension("mirror")] {
        scrub(path, |command| command.command == b"hunter2").unwrap();
    }
    let old = Entry {
        time_ns: 1,
        command: "imported".into(),
        ran: None,
    };
    import_entries(&log, &Lock::take(&log).unwrap(), 7, &[old]).unwrap();
    run(&log, 4, 40, "after the import");
    let expect = ["imported", "before", "after", "after the import"];
    assert_eq!(commands(&log), expect);
    let restored = restore(&store, "latest", Section::ALL).unwrap();
    assert_eq!((restored.moved, restored.grown, restored.filled), (0, 2, 0));
    assert_eq!((restored.taken_out, restored.aside), (1, None));
    assert_eq!(commands(&log), expect);

    // The same after all but what is typed now was lost.
    fs::remove_file(&log).unwrap();
    fs::remove_file(log.with_extension("mirror")).unwrap();
    run(&log, 5, 50, "begun anew");
    let restored = restore(&store, "latest", &[Section::Data]).unwrap();
    assert_eq!((restored.moved, restored.filled), (0, 1));
    assert_eq!(commands(&log), ["before", "hunter2", "begun anew"]);
    let aside = restored.aside.unwrap().join("data/history/m.log");
    assert_eq!(commands(&aside), ["begun anew"]);
    let again = restore(&store, "latest", &[Section::Data]).unwrap();
    assert_eq!((again.moved, again.filled, again.aside), (0, 0, None));
}
