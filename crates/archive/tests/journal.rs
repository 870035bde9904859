//! The journal: what it was told is there, whatever was cut off or flipped.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lle_archive::{
    JournalError, Key, Line, OpenError, Section, Store, has_journal, journal, key_or_first, note_path,
    record, record_anew, record_under, restore_journal_to,
};
use support::{House, files};

/// The journal's files, restored; none if nothing is.
fn restored(house: &House, line: &Line) -> Result<BTreeMap<PathBuf, Vec<u8>>, JournalError> {
    let to = house.path("to");
    let _before = fs::remove_dir_all(&to);
    restore_journal_to(&house.places, line, Section::ALL, &to)?;
    Ok(files(&to))
}

fn segment(house: &House) -> PathBuf {
    let folder = house.places.backup().join("journal");
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    all.sort();
    all.pop().unwrap()
}

#[test]
fn what_changed_is_added_and_the_last_state_comes_back() {
    let house = House::furnished();
    let line = Line::random().unwrap();
    assert!(!has_journal(&house.places));
    assert!(matches!(restored(&house, &line), Err(JournalError::None)));
    let long = support::log(60_000, 3);
    house.put("lusush/state/history/m.log", &long);
    let first = record(&house.places, &line).unwrap();
    assert_eq!((first.files, first.changed), (11, 11));
    let same = record(&house.places, &line).unwrap();
    assert_eq!((same.changed, same.written_bytes), (0, 0));
    let mut log = fs::OpenOptions::new()
        .append(true)
        .open(house.path("lusush/state/history/m.log"))
        .unwrap();
    log.write_all(b"one more\n").unwrap();
    house.put("lusush/config/config.toml", b"version = 2\n");
    fs::remove_file(house.path("lusush/config/themes/a.toml")).unwrap();
    let more = record(&house.places, &line).unwrap();
    assert_eq!((more.files, more.changed), (10, 2));
    assert!(more.written_bytes < 4_000, "{more:?}");
    let back = restored(&house, &line).unwrap();
    assert_eq!(back.len(), 10);
    let same = |name: &str| &back[Path::new(name)];
    assert_eq!(*same("data/history/m.log"), [&long[..], b"one more\n"].concat());
    assert_eq!(same("configuration/lusush/config.toml"), b"version = 2\n");
    assert_eq!(same("configuration/lusush/empty"), b"");
    assert_eq!(journal(&house.places, &line).unwrap().1.len(), 10);
}

#[test]
fn files_of_the_journal_have_their_times_and_go_to_no_folder_with_something_in_it() {
    let house = House::furnished();
    let line = Line::random().unwrap();
    record(&house.places, &line).unwrap();
    let of = |path: PathBuf| fs::metadata(path).unwrap().modified().unwrap();
    let saved = of(house.path("home/.bashrc"));
    restored(&house, &line).unwrap();
    assert_eq!(of(house.path("to/configuration/home/.bashrc")), saved);
    let to = house.path("to");
    let again = restore_journal_to(&house.places, &line, Section::ALL, &to);
    assert!(matches!(again, Err(JournalError::Occupied(_))), "{again:?}");
    assert!(!house.path(".to.lusush-restore").exists());
}

#[test]
fn pieces_come_back_in_their_order_whoever_sealed_them() {
    let house = House::empty();
    let line = Line::random().unwrap();
    let piece = 960 * 1024;
    // Short ones between long ones, and more than are in memory at once.
    let lengths = [
        0,
        1,
        3 * piece,
        100,
        piece,
        piece + 1,
        0,
        20 * piece - 1,
        7,
        2 * piece,
    ];
    let mut expect = BTreeMap::new();
    for (n, length) in lengths.into_iter().chain([5; 300]).enumerate() {
        let text = support::log(length as u32 / 20 + 1, n as u32 + 3)[..length].to_vec();
        house.put(&format!("lusush/config/{n:03}"), &text);
        expect.insert(PathBuf::from(format!("configuration/lusush/{n:03}")), text);
    }
    let recorded = record(&house.places, &line).unwrap();
    assert_eq!((recorded.files, recorded.changed), (310, 310));
    assert_eq!(restored(&house, &line).unwrap(), expect);
    assert_eq!(record(&house.places, &line).unwrap().written_bytes, 0);
}

#[test]
fn what_another_key_sealed_stays_until_that_key_lets_it_go() {
    let house = House::furnished();
    let line = Line::random().unwrap();
    record(&house.places, &line).unwrap();
    let first = restored(&house, &line).unwrap();
    // Another key finds nothing, and begins its own beside it.
    let other = Line::random().unwrap();
    assert!(matches!(restored(&house, &other), Err(JournalError::None)));
    house.put("lusush/config/config.toml", b"version = 2\n");
    let begun = record(&house.places, &other).unwrap();
    assert_eq!((begun.changed, begun.foreign.len()), (11, 1));
    assert_eq!(record_anew(&house.places, &other).unwrap().foreign.len(), 1);
    assert_eq!(restored(&house, &line).unwrap(), first);
    // The first one is back, goes on in its own, and keeps the other's in turn.
    house.put("lusush/config/config.toml", b"version = 3\n");
    assert_eq!(record(&house.places, &line).unwrap().foreign, [] as [PathBuf; 0]);
    let third = restored(&house, &line).unwrap();
    assert_eq!(
        third[Path::new("configuration/lusush/config.toml")],
        b"version = 3\n"
    );
    assert_eq!(record_anew(&house.places, &line).unwrap().foreign.len(), 1);
    assert!(restored(&house, &other).is_ok());
    // A rotation has both lines: what the former one sealed goes.
    record_under(&house.places, &other, &line).unwrap();
    assert!(matches!(restored(&house, &line), Err(JournalError::None)));
    assert!(restored(&house, &other).is_ok());
    // Of keys that come and go, a few leave something.
    for _ in 0..4 {
        record(&house.places, &Line::random().unwrap()).unwrap();
    }
    let left = fs::read_dir(house.places.backup().join("journal"))
        .unwrap()
        .count();
    assert_eq!(left, 3);
}

#[test]
fn no_key_is_made_where_something_is_sealed_by_one_that_is_gone() {
    let house = House::furnished();
    let kept = Key::path(&house.places.state);
    let line = key_or_first(&house.places).unwrap().line;
    let refused = |away: PathBuf| {
        match key_or_first(&house.places) {
            Err(OpenError::Sealed(sealed)) => assert_eq!(sealed.away, away),
            other => panic!("{other:?}"),
        }
        assert!(!kept.exists());
    };
    record(&house.places, &line).unwrap();
    let journal = house.places.backup().join("journal");
    fs::remove_file(&kept).unwrap();
    refused(journal.clone());
    let opened = Store::open_or_make(&house.places, None, None);
    assert!(matches!(opened, Err(OpenError::Sealed(_))), "{opened:?}");
    fs::rename(&journal, house.path("journal")).unwrap();
    drop(house.store());
    fs::remove_file(&kept).unwrap();
    refused(house.places.archive());
    fs::rename(house.places.archive(), house.path("archive")).unwrap();
    let note = note_path(&house.places);
    fs::write(
        &note,
        r#"{"version":1,"repository":"/mnt/usb/repo","at_wall_ns":1}"#,
    )
    .unwrap();
    refused(note.clone());
    fs::remove_file(&note).unwrap();
    assert_ne!(key_or_first(&house.places).unwrap().line, line);
}

#[test]
fn a_log_that_was_rewritten_is_kept_whole() {
    let house = House::furnished();
    let line = Line::random().unwrap();
    record(&house.places, &line).unwrap();
    let path = house.path("lusush/state/history/m.log");
    fs::write(house.path("new"), b"shorter\n").unwrap();
    fs::rename(house.path("new"), &path).unwrap();
    record(&house.places, &line).unwrap();
    assert_eq!(
        restored(&house, &line).unwrap()[Path::new("data/history/m.log")],
        b"shorter\n"
    );
    fs::write(&path, b"s\n").unwrap();
    record(&house.places, &line).unwrap();
    assert_eq!(
        restored(&house, &line).unwrap()[Path::new("data/history/m.log")],
        b"s\n"
    );
    // Written over, it is the same file, and longer.
    let other = support::log(4_000, 2);
    fs::write(&path, &other).unwrap();
    record(&house.places, &line).unwrap();
    assert_eq!(
        restored(&house, &line).unwrap()[Path::new("data/history/m.log")],
        other
    );
}

#[test]
fn a_log_that_took_the_number_of_a_former_one_is_kept_whole() {
    let house = House::furnished();
    let line = Line::random().unwrap();
    let path = house.path("lusush/state/history/m.log");
    // Some file systems give a number again at once, and others never do: both are tried as they are.
    let mut was_taken = false;
    for round in 0..50 {
        record(&house.places, &line).unwrap();
        let before = fs::metadata(&path).unwrap().ino();
        fs::remove_file(&path).unwrap();
        let other = support::log(3_100 + 100 * round, round + 2);
        fs::write(&path, &other).unwrap();
        was_taken |= fs::metadata(&path).unwrap().ino() == before;
        record(&house.places, &line).unwrap();
        let back = restored(&house, &line).unwrap();
        assert!(back[Path::new("data/history/m.log")] == other, "round {round}");
        if was_taken {
            break;
        }
    }
    println!("a number was given again: {was_taken}");
}

/// No two are of one length: where times are kept coarsely, a file written twice at once tells by nothing else.
fn state_of_config(n: usize) -> Vec<u8> {
    format!("version = {n}\n").repeat(n + 1).into_bytes()
}

/// Bytes of the length that closes a record, by which it is known whole from its end, too.
const CLOSING_BYTES: u64 = 4;

#[test]
fn cut_off_anywhere_the_last_whole_state_counts() {
    let house = House::furnished();
    let line = Line::random().unwrap();
    let mut states = Vec::new();
    for n in 0..4 {
        house.put("lusush/config/config.toml", &state_of_config(n));
        record(&house.places, &line).unwrap();
        states.push((
            fs::metadata(segment(&house)).unwrap().len(),
            restored(&house, &line).unwrap(),
        ));
    }
    let whole = fs::read(segment(&house)).unwrap();
    let path = segment(&house);
    for cut in (0..whole.len()).step_by(whole.len() / 150) {
        fs::write(&path, &whole[..cut]).unwrap();
        let before = |cut: u64| {
            states
                .iter()
                .rfind(|(length, _)| *length <= cut)
                .map(|(_, state)| state)
        };
        let expect = before(cut as u64);
        // All of a listing but its closing length is a listing.
        let nearly = before(cut as u64 + CLOSING_BYTES);
        match restored(&house, &line) {
            Ok(found) => assert!([expect, nearly].contains(&Some(&found)), "cut at {cut}"),
            Err(error) => assert!(expect.is_none(), "cut at {cut}: {error}"),
        }
        // And it goes on from there.
        record(&house.places, &line).unwrap();
        assert_eq!(
            restored(&house, &line).unwrap(),
            states[3].1,
            "after a cut at {cut}"
        );
        for entry in fs::read_dir(path.parent().unwrap()).unwrap().flatten() {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

#[test]
fn a_flipped_byte_is_found_or_harmless() {
    let house = House::furnished();
    let line = Line::random().unwrap();
    let mut states = Vec::new();
    for n in 0..2 {
        house.put("lusush/config/config.toml", &state_of_config(n));
        record(&house.places, &line).unwrap();
        states.push(restored(&house, &line).unwrap());
    }
    let path = segment(&house);
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 300) {
        let mut bad = whole.clone();
        bad[at] ^= 0x20;
        fs::write(&path, bad).unwrap();
        match restored(&house, &line) {
            Ok(found) => assert!(states.contains(&found), "a flip at {at} went unseen"),
            // What was unsealed before the damage was met does not lie about.
            Err(JournalError::Damaged(_) | JournalError::None) => {
                assert!(!house.path(".to.lusush-restore").exists(), "{at}");
            }
            Err(error) => panic!("{at}: {error}"),
        }
    }
}
