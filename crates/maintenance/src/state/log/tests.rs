//! What is read back from a log, whoever wrote it.

use lle_core::series::blame;
use lle_core::series::noticed::Noticed;

use super::*;
use crate::real::Places;
use crate::real::disk::RealDisk;

/// Writes a log of a snapshot and another record, as JSON.
fn written(disk: &mut RealDisk, records: &[&str]) {
    let mut bytes = records::header(LogKind::State, 1, 0).to_vec();
    for (sequence, payload) in (1..).zip(records) {
        let entry = Entry {
            at: 0,
            kind: CHANGE,
            sequence,
            writer: 1,
            time_ns: 0,
            payload: payload.as_bytes(),
        };
        records::encode(&mut bytes, &entry).unwrap();
    }
    disk.replace(File::State, &bytes).unwrap();
}

#[test]
fn a_state_of_before_changes_were_kept_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let below = |name: &str| folder.path().join(name);
    let places = Places::below(&below("s"), &below("d"), &below("c"), &below("r"), "m");
    let mut disk = RealDisk::open(&places, true).unwrap();
    written(
        &mut disk,
        &[r#"{"snapshot":{"state":{"installed_wall_ns":7,"last_id":3}}}"#],
    );
    let (mut log, mut state, loaded) = StateLog::load(&mut disk, 1).unwrap();
    assert_eq!((loaded.unknown, &state.noticed), (0, &Noticed::default()));
    let change = blame::Change {
        at_ns: 5,
        what: "a line".into(),
        kind: blame::ChangeKind::Rc,
        session: None,
        number: None,
    };
    log.commit(&mut disk, Now::default(), &mut state, Change::Noted { change })
        .unwrap();
    let prompts = Some(Box::default());
    let session = "00000000000000ff".to_owned();
    log.commit(
        &mut disk,
        Now::default(),
        &mut state,
        Change::Prompts { session, prompts },
    )
    .unwrap();
    // By its records, and by a snapshot.
    for _ in 0..2 {
        let (mut log, again, loaded) = StateLog::load(&mut disk, 1).unwrap();
        assert_eq!((loaded.unknown, &again.noticed), (0, &state.noticed));
        assert_eq!((again.installed_wall_ns, again.noticed.prompts.len()), (7, 1));
        log.snapshot(&mut disk, Now::default(), &again).unwrap();
    }
}

#[test]
fn a_new_state_counts_from_a_random_number() {
    let folder = tempfile::tempdir().unwrap();
    let below = |name: &str| folder.path().join(name);
    let places = Places::below(&below("s"), &below("d"), &below("c"), &below("r"), "m");
    let mut disk = RealDisk::open(&places, true).unwrap();
    let mut check = |random: u64, expect: u64| {
        let (mut log, mut state, _) = StateLog::load(&mut disk, random).unwrap();
        assert_eq!(state.next_id(), expect);
        let change = Change::Paused { paused: true };
        log.commit(&mut disk, Now::default(), &mut state, change).unwrap();
    };
    check(u64::MAX, 1 << FIRST_ID_BITS);
    // From then on it is known.
    check(1 << 63, (1 << FIRST_ID_BITS) + 1);
    // Lost, or nothing of it can be read.
    disk.remove(File::State).unwrap();
    let mut check = |random: u64, expect: u64| {
        let (_, mut state, _) = StateLog::load(&mut disk, random).unwrap();
        assert_eq!(state.next_id(), expect);
        let header = records::header(LogKind::State, 1, 0);
        disk.replace(File::State, &[&header[..], b"rubbish"].concat())
            .unwrap();
    };
    check(1 << 63, (1 << (FIRST_ID_BITS - 1)) + 1);
    check(3 << 62, (3 << (FIRST_ID_BITS - 2)) + 1);
}

#[test]
fn what_a_newer_version_wrote_is_kept_aside_before_it_would_be_lost() {
    let folder = tempfile::tempdir().unwrap();
    let below = |name: &str| folder.path().join(name);
    let places = Places::below(&below("s"), &below("d"), &below("c"), &below("r"), "m");
    let mut disk = RealDisk::open(&places, true).unwrap();
    let mut check = |records: &[&str], unknown: u64| {
        written(&mut disk, records);
        let newer = disk.read(File::State).unwrap();
        let _none = disk.remove(File::StateAside);
        let (mut log, mut state, loaded) = StateLog::load(&mut disk, 1).unwrap();
        assert_eq!((loaded.unknown, loaded.damaged), (unknown, 0), "{records:?}");
        let change = Change::Paused { paused: true };
        log.commit(&mut disk, Now::default(), &mut state, change).unwrap();
        assert_eq!(disk.read(File::StateAside).unwrap(), None, "nothing is lost yet");
        log.snapshot(&mut disk, Now::default(), &state).unwrap();
        let aside = disk.read(File::StateAside).unwrap();
        assert_eq!(aside.is_some(), unknown > 0, "{records:?}");
        if let (Some(aside), Some(newer)) = (aside, newer) {
            assert!(aside.starts_with(&newer));
        }
        // The rest was understood, and there is one copy, of the last time.
        let (_, state, loaded) = StateLog::load(&mut disk, 1).unwrap();
        assert!(state.paused && state.installed_wall_ns == 7);
        assert_eq!(loaded.unknown, 0);
    };
    let installed = r#"{"installed":{"wall_ns":7}}"#;
    check(&[installed], 0);
    check(&[installed, r#"{"moon-phase":{"phase":3}}"#], 1);
    check(&[r#"{"snapshot":{"state":{"installed_wall_ns":7}}}"#], 0);
    check(
        &[r#"{"snapshot":{"state":{"installed_wall_ns":7,"moon_phase":3}}}"#],
        1,
    );
}
