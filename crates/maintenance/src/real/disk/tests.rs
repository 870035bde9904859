//! What a real disk keeps, and what it refuses.

use super::*;

fn disk(folder: &Path) -> RealDisk {
    let places = Places::below(
        &folder.join("s"),
        &folder.join("d"),
        &folder.join("c"),
        &folder.join("r"),
        "m",
    );
    RealDisk::open(&places, true).unwrap()
}

#[test]
fn what_was_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = disk(folder.path());
    assert_eq!(disk.read(File::State).unwrap(), None);
    disk.append(File::State, b"one").unwrap();
    disk.append(File::State, b"two").unwrap();
    assert_eq!(disk.read(File::State).unwrap().unwrap(), b"onetwo");
    disk.replace(File::State, b"three").unwrap();
    disk.append(File::State, b"four").unwrap();
    assert_eq!(disk.read(File::State).unwrap().unwrap(), b"threefour");
    disk.write_at(File::Anchor, 4, b"xy").unwrap();
    disk.write_at(File::Anchor, 0, b"ab").unwrap();
    assert_eq!(disk.read(File::Anchor).unwrap().unwrap(), b"ab\0\0xy");
    disk.append(File::Audit(2), b"x").unwrap();
    disk.append(File::Audit(1), b"x").unwrap();
    assert_eq!(disk.audit_segments().unwrap(), [1, 2]);
    disk.remove(File::Audit(1)).unwrap();
    disk.remove(File::Audit(1)).unwrap();
    assert_eq!(disk.audit_segments().unwrap(), [2]);
}

#[test]
fn a_file_that_was_replaced_by_another_program_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = disk(folder.path());
    disk.append(File::State, b"one").unwrap();
    fs::remove_file(disk.maint.join("state.log")).unwrap();
    disk.append(File::State, b"two").unwrap();
    assert_eq!(disk.read(File::State).unwrap().unwrap(), b"two");
    disk.write_at(File::Anchor, 0, b"one").unwrap();
    fs::remove_dir_all(folder.path().join("d")).unwrap();
    disk.write_at(File::Anchor, 0, b"two").unwrap();
    assert_eq!(disk.read(File::Anchor).unwrap().unwrap(), b"two");
}

#[test]
fn in_a_state_folder_that_is_gone_nothing_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = disk(folder.path());
    disk.append(File::State, b"one").unwrap();
    let state = folder.path().join("s");
    fs::remove_dir_all(&state).unwrap();
    // Another worker's, by now.
    fs::create_dir_all(&disk.maint).unwrap();
    for file in [File::State, File::Audit(0), File::Stopped] {
        assert!(disk.append(file, b"two").is_err());
        assert!(disk.replace(file, b"two").is_err());
        assert!(disk.sync(file).is_err());
        disk.remove(file).unwrap();
    }
    assert_eq!(fs::read_dir(&disk.maint).unwrap().count(), 0);
}

#[test]
fn without_its_lock_it_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = disk(folder.path());
    let path = disk.maint.join("worker.lock");
    fs::write(&path, "").unwrap();
    let found = fs::metadata(&path).unwrap();
    let number = (found.dev(), found.ino());
    disk.guard(Guard {
        path: path.clone(),
        number,
    });
    disk.append(File::State, b"one").unwrap();
    disk.create(File::Key, b"one").unwrap();
    // The path was looked at a moment ago.
    disk.append(File::State, b"one").unwrap();
    fs::rename(&path, path.with_extension("old")).unwrap();
    fs::write(&path, "").unwrap();
    for file in [
        File::State,
        File::Audit(0),
        File::Key,
        File::KeyAside,
        File::Anchor,
        File::Stopped,
    ] {
        assert!(disk.append(file, b"two").is_err());
        assert!(disk.replace(file, b"two").is_err());
        assert!(disk.create(file, b"two").is_err());
        assert!(disk.write_at(file, 0, b"two").is_err());
        assert!(disk.remove(file).is_err());
    }
    assert_eq!(disk.read(File::Key).unwrap().unwrap(), b"one");
}

#[test]
fn a_lock_that_is_removed_or_moved_with_its_folder_is_missed() {
    let check = |lose: &dyn Fn(&Path), at_once: bool| {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = disk(folder.path());
        let path = disk.maint.join("worker.lock");
        fs::write(&path, "").unwrap();
        let found = fs::metadata(&path).unwrap();
        let number = (found.dev(), found.ino());
        disk.guard(Guard { path, number });
        disk.append(File::State, b"one").unwrap();
        lose(folder.path());
        let began = std::time::Instant::now();
        while disk.append(File::State, b"two").is_ok() {
            assert!(!at_once && began.elapsed().as_secs() < 60);
        }
        // Whoever took the lock's place has nothing of it.
        let maint = disk.maint.clone();
        assert!(!maint.join("state.log").exists() || at_once);
        assert!(disk.append(File::Anchor, b"two").is_err());
    };
    let lock = |folder: &Path| lle_core::paths::maint_folder(&folder.join("s"), "m").join("worker.lock");
    check(&|folder| fs::remove_file(lock(folder)).unwrap(), true);
    check(
        &|folder| {
            fs::remove_file(lock(folder)).unwrap();
            fs::write(lock(folder), "").unwrap();
        },
        true,
    );
    check(
        &|folder| {
            fs::rename(folder.join("s"), folder.join("moved")).unwrap();
            fs::create_dir_all(lock(folder).parent().unwrap()).unwrap();
            fs::write(lock(folder), "").unwrap();
        },
        false,
    );
}

#[test]
fn what_is_made_durable_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = disk(folder.path());
    for file in [File::Key, File::State, File::Audit(3), File::Anchor] {
        assert!(disk.sync(file).is_err());
        assert_eq!(disk.read(file).unwrap(), None);
    }
}

#[test]
fn what_is_there_is_not_created() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = disk(folder.path());
    disk.create(File::Key, b"one").unwrap();
    let error = disk.create(File::Key, b"two").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(disk.read(File::Key).unwrap().unwrap(), b"one");
    disk.sync(File::Key).unwrap();
    let names = fs::read_dir(folder.path().join("s/keys")).unwrap();
    assert_eq!(names.count(), 1, "no draft is left");
}

#[test]
fn what_is_too_long_is_not_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = disk(folder.path());
    let file = fs::File::create(disk.maint.join("state.log")).unwrap();
    file.set_len(BYTES_MAX).unwrap();
    assert_eq!(
        disk.read(File::State).unwrap().map(|bytes| bytes.len() as u64),
        Some(BYTES_MAX)
    );
    file.set_len(BYTES_MAX + 1).unwrap();
    let error = disk.read(File::State).unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}

#[test]
fn a_link_in_the_place_of_a_file_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = disk(folder.path());
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, disk.maint.join("state.log")).unwrap();
    assert!(disk.append(File::State, b"x").is_err());
    assert!(disk.read(File::State).is_err());
    disk.replace(File::State, b"ours").unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}
