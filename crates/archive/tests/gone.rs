//! Parts of a repository that are gone or damaged: told, and nothing is built on them.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lle_archive::{
    CreateError, ImportError, Keep, Key, OpenError, PruneError, Section, Store, Verification, contents,
    create, import, note_path, prune, restore_to, snapshots, verify,
};
use lle_core::repository::Address;
use support::{House, files};

fn restored(house: &House, store: &Store, snapshot: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let to = house.path("to");
    let _before = fs::remove_dir_all(&to);
    restore_to(store, snapshot, Section::ALL, &to).unwrap();
    files(&to)
}

#[test]
fn a_snapshot_stands_on_no_pack_that_is_gone() {
    let house = House::furnished();
    let store = house.store();
    create(&store, "by hand").unwrap();
    let whole = restored(&house, &store, "latest");
    let data = store.folder().unwrap().join("data");
    let largest = || {
        let packs = files(&data);
        let (name, _) = packs.iter().max_by_key(|(_, content)| content.len()).unwrap();
        data.join(name)
    };
    let lose: [&dyn Fn(); 2] = [&|| fs::remove_file(largest()).unwrap(), &|| {
        fs::remove_dir_all(&data).unwrap();
    }];
    for lose in lose {
        lose();
        let created = create(&store, "by hand").unwrap();
        assert!(created.gone_packs > 0);
        assert_eq!(restored(&house, &store, "latest"), whole);
        assert!(verify(&store, Verification::Data).unwrap().is_good());
        assert_eq!(create(&store, "by hand").unwrap().gone_packs, 0);
    }
    let cut = fs::OpenOptions::new().write(true).open(largest()).unwrap();
    cut.set_len(100).unwrap();
    let before = snapshots(&store).unwrap();
    let refused = create(&store, "by hand");
    let is_said = matches!(refused, Err(CreateError::GonePacks { gone: 1, .. }));
    assert!(is_said, "{refused:?}");
    assert_eq!(snapshots(&store).unwrap(), before);
}

#[test]
fn what_of_a_damaged_repository_cannot_be_restored_is_told() {
    let house = House::furnished();
    let store = house.store();
    create(&store, "the first").unwrap();
    let data = store.folder().unwrap().join("data");
    let before = files(&data);
    // What is new in the second is in packs of its own.
    house.put("home/.bashrc", "# another\n".repeat(500).as_bytes());
    create(&store, "the second").unwrap();
    let good = verify(&store, Verification::Data).unwrap();
    assert_eq!(good.lost, Some(Vec::new()));
    let packs = files(&data);
    let new: Vec<_> = packs.keys().filter(|name| !before.contains_key(*name)).collect();
    assert!(!new.is_empty());
    let lost = |verification| {
        let verdict = verify(&store, verification).unwrap();
        assert!(!verdict.is_good());
        let lost = verdict.lost.unwrap();
        let said = lost.iter().map(|lost| (lost.snapshot.why.clone(), lost.files));
        said.collect::<Vec<_>>()
    };
    let flip = |name: &PathBuf| {
        let mut bytes = packs[name].clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(data.join(name), bytes).unwrap();
    };
    for name in &new {
        flip(name);
    }
    let told = lost(Verification::Data);
    assert_eq!(told.len(), 1, "the first needs none of them: {told:?}");
    assert_eq!(told[0].0, "the second");
    for name in &new {
        fs::remove_file(data.join(name)).unwrap();
    }
    let told = lost(Verification::Metadata);
    assert_eq!(
        told.iter().map(|(why, _)| &why[..]).collect::<Vec<_>>(),
        ["the second"]
    );
    fs::remove_dir_all(&data).unwrap();
    assert_eq!(
        lost(Verification::Metadata),
        [("the first".to_owned(), None), ("the second".to_owned(), None)]
    );
}

#[test]
fn one_snapshot_that_cannot_be_read_hides_no_other() {
    let house = House::furnished();
    let store = house.store();
    let older = create(&store, "older").unwrap().snapshot;
    house.put("lusush/config/config.toml", b"version = 2\n");
    let newer = create(&store, "newer").unwrap().snapshot;
    let path = store.folder().unwrap().join("snapshots").join(&older.id);
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    bad[40] ^= 1;
    fs::write(&path, bad).unwrap();
    assert_eq!(snapshots(&store).unwrap(), std::slice::from_ref(&newer));
    let unread = store.unread();
    assert_eq!(unread.len(), 1);
    assert!(
        unread[0].0.ends_with(&older.id) && unread[0].1.contains("bytes have changed"),
        "{unread:?}"
    );
    assert_eq!(contents(&store, "latest").unwrap().0, newer);
    assert_eq!(restored(&house, &store, "latest").len(), 11);
    assert!(contents(&store, older.short()).is_err());
    create(&store, "newest").unwrap();
    let keep = Keep {
        last: 1,
        daily: 0,
        weekly: 0,
        monthly: 0,
        yearly: 0,
    };
    let refused = prune(&store, keep, false);
    assert!(matches!(refused, Err(PruneError::Unread(_))), "{refused:?}");
    drop(store);
    fs::write(&path, good).unwrap();
    let store = house.store();
    assert_eq!(snapshots(&store).unwrap().len(), 3);
    assert_eq!(prune(&store, keep, false).unwrap().kept, 1);
}

#[test]
fn key_files_that_are_gone_are_no_wrong_key_and_are_written_anew_where_the_key_is() {
    let house = House::furnished();
    let store = house.store();
    create(&store, "by hand").unwrap();
    let line = store.line().clone();
    let keys = store.folder().unwrap().join("keys");
    drop(store);
    let elsewhere = House::empty();
    let archive = Address::Folder(house.places.archive());
    type Lose = dyn Fn(&Path);
    let lose: [(&str, &Lose); 2] = [
        ("are gone", &|file| fs::remove_file(file).unwrap()),
        ("has changed", &|file| {
            let mut bytes = fs::read(file).unwrap();
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            fs::write(file, bytes).unwrap();
        }),
    ];
    for (what, lose) in lose {
        let (name, _) = files(&keys).pop_first().unwrap();
        lose(&keys.join(&name));
        let refused = import(&elsewhere.places, Some(&archive), line.clone());
        let is_said = matches!(
            &refused,
            Err(ImportError::Open(OpenError::KeyFiles { what: said, .. })) if said.contains(what)
        );
        assert!(is_said, "{refused:?}");
        // Daily use writes it anew, under the same line.
        drop(house.store());
        assert_eq!(files(&keys).len(), 1);
        assert!(!keys.join(&name).exists());
        import(&elsewhere.places, Some(&archive), line.clone()).unwrap();
        fs::remove_file(Key::path(&elsewhere.places.state)).unwrap();
    }
}

#[test]
fn what_is_found_is_said_in_words_and_without_a_trace() {
    let house = House::furnished();
    let store = house.store();
    create(&store, "by hand").unwrap();
    let root = store.folder().unwrap().to_owned();
    for folder in ["index", "snapshots", "data"] {
        let (name, content) = files(&root.join(folder)).pop_first().unwrap();
        let path = root.join(folder).join(name);
        let mut bad = content.clone();
        bad[40] ^= 1;
        fs::write(&path, bad).unwrap();
        for depth in [Verification::Metadata, Verification::Data] {
            for finding in verify(&store, depth).unwrap().findings {
                let what = finding.what;
                let foreign = ["aead", "rustic", "BACKTRACE", "backtrace", "https://"];
                assert!(
                    !foreign.iter().any(|word| what.contains(word)),
                    "{folder}: {what}"
                );
                assert!(what.len() < 400, "{folder}: {what}");
            }
        }
        fs::write(&path, content).unwrap();
    }
    fs::remove_dir_all(root.join("data")).unwrap();
    let findings = verify(&store, Verification::Metadata).unwrap().findings;
    assert!(
        findings
            .iter()
            .any(|one| one.serious && one.what.contains("not present")),
        "{findings:?}"
    );
    assert!(
        !findings.iter().any(|one| one.what.contains("rustic")),
        "{findings:?}"
    );
}

#[test]
fn a_configured_repository_that_is_gone_is_not_begun_anew() {
    let mut house = House::furnished();
    let disk = house.path("usb");
    let address = Address::Folder(disk.join("repo"));
    house.places.repository = Some(address.clone());
    create(&house.store(), "by hand").unwrap();
    let note = note_path(&house.places);
    fs::write(
        &note,
        format!(r#"{{"version":1,"repository":"{address}","at_wall_ns":1}}"#),
    )
    .unwrap();
    drop(house.store());
    fs::rename(&disk, house.path("away")).unwrap();
    type Open = fn(&House) -> Result<Store, OpenError>;
    let open: [Open; 2] = [
        |house| Store::open(&house.places, None, None),
        |house| Store::open_or_make(&house.places, None, None),
    ];
    for open in open {
        let opened = open(&house);
        assert!(matches!(opened, Err(OpenError::Vanished(_))), "{opened:?}");
        assert!(!disk.exists());
    }
    // Whoever gives it up removes the note.
    fs::remove_file(&note).unwrap();
    create(&house.store(), "by hand").unwrap();
}
