//! What the quick look finds, and what only the deeper ones do.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use lle_archive::{Store, Verification, create, verify};
use support::{House, files};

/// A repository with two snapshots.
fn stored() -> (House, Store) {
    let house = House::furnished();
    let store = house.store();
    create(&store, "the first").unwrap();
    house.put("lusush/config/config.toml", b"version = 2\n");
    create(&store, "the second").unwrap();
    (house, store)
}

/// What the quick look says of files below the repository.
fn said(store: &Store) -> Vec<String> {
    let verdict = verify(store, Verification::Metadata).unwrap();
    let said: Vec<_> = verdict.findings.iter().map(|one| one.what.clone()).collect();
    assert_eq!(verdict.is_good(), said.is_empty(), "{said:?}");
    said
}

/// Does something to each file of a folder in turn, looks, and puts it back.
fn each(store: &Store, folder: &str, harm: impl Fn(&Path), mut look: impl FnMut(&Path, Vec<String>)) {
    let root = store.folder().unwrap().join(folder);
    let all = files(&root);
    assert!(!all.is_empty());
    for (name, content) in all {
        let path = root.join(name);
        harm(&path);
        look(&path, said(store));
        fs::write(&path, content).unwrap();
    }
    assert_eq!(said(store), [] as [String; 0]);
}

/// Whether one of the sentences is of that file.
fn names(said: &[String], path: &Path, what: &str) -> bool {
    let path = path.display().to_string();
    said.iter()
        .any(|said| said.contains(&path) && said.contains(what))
}

#[test]
fn a_pack_that_is_gone_cut_or_longer_is_found() {
    let (_house, store) = stored();
    let gone = |path: &Path| fs::remove_file(path).unwrap();
    each(&store, "data", gone, |path, said| {
        assert!(names(&said, path, "is not present"), "{path:?}: {said:?}");
    });
    let longer = |by: i64| {
        move |path: &Path| {
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            let bytes = file.metadata().unwrap().len();
            file.set_len(bytes.checked_add_signed(by).unwrap()).unwrap();
        }
    };
    for by in [-1, 1] {
        each(&store, "data", longer(by), |path, said| {
            assert!(names(&said, path, "by the index"), "{path:?}: {said:?}");
        });
    }
}

#[test]
fn a_small_file_that_has_changed_or_takes_anothers_place_is_found() {
    let (_house, store) = stored();
    for folder in ["keys", "snapshots", "index"] {
        let flip = |path: &Path| {
            let mut bytes = fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).unwrap();
        };
        each(&store, folder, flip, |path, said| {
            assert!(names(&said, path, "have changed"), "{path:?}: {said:?}");
        });
    }
    // Its seal holds, and it is another one.
    let snapshots = store.folder().unwrap().join("snapshots");
    let all: Vec<PathBuf> = files(&snapshots)
        .into_keys()
        .map(|name| snapshots.join(name))
        .collect();
    let other = |path: &Path| {
        let other = all.iter().find(|other| *other != path).unwrap();
        fs::write(path, fs::read(other).unwrap()).unwrap();
    };
    each(&store, "snapshots", other, |path, said| {
        assert!(names(&said, path, "have changed"), "{path:?}: {said:?}");
    });
}

#[test]
fn a_snapshot_whose_folder_no_index_file_names_is_found() {
    let (_house, store) = stored();
    let folder = store.folder().unwrap().to_owned();
    let mut found = 0;
    each(
        &store,
        "index",
        |path| fs::remove_file(path).unwrap(),
        |_, said| {
            assert!(
                said.iter().all(|said| said.contains("no index file names")),
                "{said:?}"
            );
            found += said.len();
        },
    );
    assert_eq!(found, 2, "each of the two is of another index file");
    // Of a folder that cannot be listed nobody knows what is gone.
    fs::rename(folder.join("snapshots"), folder.join("away")).unwrap();
    fs::write(folder.join("snapshots"), "").unwrap();
    let said = said(&store);
    assert!(
        names(&said, &folder.join("snapshots"), "cannot be listed"),
        "{said:?}"
    );
}

#[test]
fn what_is_in_packs_the_deeper_looks_find() {
    let (_house, store) = stored();
    let root = store.folder().unwrap().join("data");
    let is_found = |depth| !verify(&store, depth).unwrap().is_good();
    let mut of_trees = 0;
    for (name, content) in files(&root) {
        let mut bad = content.clone();
        bad[20] ^= 1;
        fs::write(root.join(&name), &bad).unwrap();
        assert!(!is_found(Verification::Metadata), "no pack is read: {name:?}");
        of_trees += u32::from(is_found(Verification::Trees));
        assert!(is_found(Verification::Data), "{name:?}");
        fs::write(root.join(&name), content).unwrap();
    }
    assert_eq!(of_trees, 2, "each snapshot has a pack of trees");
    // What is counted is what was looked at.
    let looked = verify(&store, Verification::Metadata).unwrap();
    let all = files(store.folder().unwrap());
    let bytes: usize = all.values().map(Vec::len).sum();
    assert_eq!((looked.files as usize, looked.bytes as usize), (all.len(), bytes));
    assert_eq!(looked.snapshots, 2);
}
