//! What may happen between a session's look at the log's name and its write: whoever has the name then, the record is in it
//! once.

use super::*;
use crate::event::Event;
use crate::formats::Entry;
use crate::history::History;
use crate::leftovers::{self, Late};
use crate::mirror::Lock;
use crate::rewrite::import;

struct Place {
    folder: tempfile::TempDir,
    log: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("m.log");
        let mut history = History::open(&log, 9, 0, None).unwrap().history;
        history.started(1, b"/", b"before").unwrap();
        Self { folder, log }
    }

    /// A session that has looked at the log and is about to write.
    fn looked(&self) -> LogFile {
        let opened = LogFile::open(&self.log, LogKind::History, 1, 0, |_| Ok(())).unwrap();
        let mut session = opened.log;
        let event = Event::Started {
            cwd: b"/",
            command: b"mine",
        };
        let prepared = session
            .outbox
            .prepare(event.kind(), 2, event.payload_bytes(), |out| event.write(out));
        prepared.unwrap();
        session.look().unwrap();
        session
    }

    fn commands(&self) -> Vec<String> {
        let history = History::open(&self.log, 99, 0, None).unwrap().history;
        let text = |command: crate::history::Command| String::from_utf8(command.command).unwrap();
        history.commands().map(text).collect()
    }

    /// Replaces the log by a copy of itself, as whoever writes it anew does; gives the former file.
    fn replace(&self) -> Descriptor {
        let former = Descriptor::open(&self.log).unwrap();
        let draft = self.folder.path().join("draft");
        std::fs::copy(&self.log, &draft).unwrap();
        std::fs::hard_link(&self.log, leftovers::before(&self.log)).unwrap();
        std::fs::rename(&draft, &self.log).unwrap();
        former
    }
}

/// As whoever restores a backup does, or copies a home by links: the former file keeps a name of somebody else's.
fn link_elsewhere(place: &Place) {
    std::fs::hard_link(&place.log, place.folder.path().join("elsewhere")).unwrap();
}

#[test]
fn a_log_that_was_written_anew_meanwhile_gets_the_record() {
    for is_linked in [false, true] {
        let place = Place::new();
        let mut session = place.looked();
        if is_linked {
            link_elsewhere(&place);
        }
        let lock = Lock::take(&place.log).unwrap();
        let entry = Entry {
            time_ns: 5,
            command: b"imported".to_vec(),
            ..Entry::default()
        };
        import(&place.log, &lock, 7, &[entry]).unwrap();
        session.write().unwrap();
        assert_eq!(
            place.commands(),
            ["imported", "before", "mine"],
            "linked: {is_linked}"
        );
    }
}

#[test]
fn what_is_written_at_any_step_of_a_rewrite_is_there_once() {
    for (step, is_linked) in (0..5).flat_map(|step| [(step, false), (step, true)]) {
        let place = Place::new();
        let mut session = place.looked();
        if is_linked {
            link_elsewhere(&place);
        }
        let mut write = |at| {
            if at == step {
                session.write().unwrap();
            }
        };
        let end = std::fs::metadata(&place.log).unwrap().len();
        let former = place.replace();
        let mut late = Late::new(former, end);
        write(0);
        late.carry_over(&place.log).unwrap();
        write(1);
        late.carry_over(&place.log).unwrap();
        // As after a failure: what was carried over is known.
        late = Late::new(Descriptor::open(&leftovers::before(&place.log)).unwrap(), end);
        late.carry_over(&place.log).unwrap();
        write(2);
        std::fs::remove_file(leftovers::before(&place.log)).unwrap();
        write(3);
        late.carry_over(&place.log).unwrap();
        write(4);
        late.carry_over(&place.log).unwrap();
        assert_eq!(
            place.commands(),
            ["before", "mine"],
            "step {step}, linked: {is_linked}"
        );
    }
}

#[test]
fn a_record_that_is_completed_in_a_former_file_is_in_the_log_too() {
    for is_linked in [false, true] {
        let place = Place::new();
        let mut session = place.looked();
        let part = session.outbox.record.len() / 2;
        let mut file = OpenOptions::new().append(true).open(&place.log).unwrap();
        file.write_all(&session.outbox.record[..part]).unwrap();
        if is_linked {
            link_elsewhere(&place);
        }
        place.replace();
        std::fs::remove_file(leftovers::before(&place.log)).unwrap();
        let late = waiting::Late {
            sequence: session.outbox.sequence,
            bytes: session.outbox.record.clone(),
            written: part,
            may_be_there: false,
        };
        session.write_late(&late).unwrap();
        assert_eq!(place.commands(), ["before", "mine"], "linked: {is_linked}");
    }
}

#[test]
fn a_log_that_was_removed_or_replaced_meanwhile_is_made_anew_with_the_record() {
    for is_linked in [false, true] {
        let place = Place::new();
        let mut session = place.looked();
        if is_linked {
            link_elsewhere(&place);
        }
        std::fs::remove_file(&place.log).unwrap();
        session.write().unwrap();
        assert_eq!(place.commands(), ["mine"], "linked: {is_linked}");
    }

    let place = Place::new();
    let mut session = place.looked();
    let other = Place::new();
    std::fs::rename(&other.log, &place.log).unwrap();
    session.write().unwrap();
    assert_eq!(place.commands(), ["before", "mine"]);
}

#[test]
fn a_name_that_somebody_took_meanwhile_stays_theirs() {
    let (place, other) = (Place::new(), Place::new());
    let there = std::fs::read(&place.log).unwrap();
    assert!(!give_name(&other.log, &place.log).unwrap());
    assert_eq!(std::fs::read(&place.log).unwrap(), there);
    let free = place.folder.path().join("n.log");
    assert!(give_name(&other.log, &free).unwrap());
    assert_eq!(std::fs::read(&free).unwrap(), std::fs::read(&other.log).unwrap());
}

#[test]
fn a_removed_folder_is_made_again_or_said_to_be_gone_once() {
    let place = Place::new();
    let folder = place.folder.path().join("state").join("history");
    let log = folder.join("m.log");
    let mut session = History::open(&log, 1, 0, None).unwrap().history;
    session.started(1, b"/", b"before").unwrap();
    std::fs::remove_dir_all(place.folder.path().join("state")).unwrap();
    session.started(2, b"/", b"since").unwrap();
    assert_eq!(session.take_disturbance(), Some(Disturbance::Removed));
    let found = std::fs::metadata(&folder).unwrap();
    assert_eq!(found.mode() & 0o777, 0o700);

    // No folder can be made where a link leads nowhere.
    std::fs::remove_dir_all(place.folder.path().join("state")).unwrap();
    std::os::unix::fs::symlink("nowhere/at/all", place.folder.path().join("state")).unwrap();
    for disturbance in [Some(Disturbance::Lost), None] {
        let refused = session.started(3, b"/", b"nowhere").unwrap_err();
        assert!(matches!(refused, AppendError::Lost), "{refused}");
        assert_eq!(session.take_disturbance(), disturbance);
        session.refresh().unwrap();
        assert_eq!(session.take_disturbance(), None);
    }
    // Nor can a file be looked into as if it were one.
    std::fs::remove_file(place.folder.path().join("state")).unwrap();
    session.started(3, b"/", b"there for a moment").unwrap();
    std::fs::remove_dir_all(place.folder.path().join("state")).unwrap();
    std::fs::write(place.folder.path().join("state"), "").unwrap();
    let refused = session.started(3, b"/", b"nowhere").unwrap_err();
    assert!(matches!(refused, AppendError::Lost), "{refused}");
    std::fs::remove_file(place.folder.path().join("state")).unwrap();
    session.started(4, b"/", b"again").unwrap();
    let there: Vec<_> = session.commands().map(|command| command.command).collect();
    // What found no place waited for one.
    assert_eq!(there, [&b"nowhere"[..], b"again"]);
}

/// A session for whose log there is no place, until it is given back.
fn nowhere(place: &Place) -> (History, PathBuf) {
    let history = History::open(&place.log, 5, 0, None).unwrap().history;
    let away = place.folder.path().join("away");
    std::fs::rename(&place.log, &away).unwrap();
    std::fs::create_dir(&place.log).unwrap();
    (history, away)
}

fn give_back(place: &Place, away: &Path) {
    std::fs::remove_dir(&place.log).unwrap();
    std::fs::rename(away, &place.log).unwrap();
}

#[test]
fn what_could_not_be_written_goes_before_the_next_with_its_own_time_and_end() {
    let place = Place::new();
    let (mut history, away) = nowhere(&place);
    for (time_ns, command) in [(7, &b"one"[..]), (9, b"two")] {
        assert!(history.started(time_ns, b"/there", command).is_err());
        let seq = history.newest_waits().unwrap();
        assert!(history.finished(seq, time_ns + 1, 3, 1).is_err());
    }
    give_back(&place, &away);
    assert_eq!(place.commands(), ["before"]);
    history.started(11, b"/", b"three").unwrap();
    assert_eq!(history.newest_waits(), None);
    let late = history.take_late();
    assert_eq!((late.written, late.dropped, late.still_waits), (2, 0, false));
    assert_eq!(history.take_late(), crate::history::Late::default());
    assert_eq!(place.commands(), ["before", "one", "two", "three"]);
    let ends: Vec<_> = history
        .commands()
        .skip(1)
        .map(|command| (command.time_ns, command.cwd, command.status))
        .collect();
    let there = || b"/there".to_vec();
    assert_eq!(
        ends,
        [
            (7, there(), Some(3)),
            (9, there(), Some(3)),
            (11, b"/".to_vec(), None)
        ]
    );
    assert_eq!(history.check().damaged_runs, 0);
}

#[test]
fn what_waits_is_bounded_and_what_finds_no_room_is_counted() {
    let place = Place::new();
    let (mut history, away) = nowhere(&place);
    let long = vec![b'x'; waiting::BYTES_MAX / 4];
    for _ in 0..5 {
        assert!(history.started(7, b"/", &long).is_err());
    }
    // Its end is not taken for that of one that waits.
    assert_eq!(history.newest_waits(), None);
    assert!(history.started(8, b"/", b"short").is_err());
    give_back(&place, &away);
    history.write_waiting().unwrap();
    let late = history.take_late();
    assert_eq!((late.written, late.dropped), (4, 2));
    assert_eq!(place.commands().len(), 1 + 4);
}

#[test]
fn a_record_that_a_full_disk_cut_short_is_completed_or_written_anew() {
    for (part, is_followed) in [
        (1, false),
        (60, false),
        (60, true),
        (usize::MAX, false),
        (usize::MAX, true),
    ] {
        let place = Place::new();
        let mut session = place.looked();
        let bytes = session.outbox.record.len();
        let part = part.min(bytes - 2);
        let mut file = OpenOptions::new().append(true).open(&place.log).unwrap();
        file.write_all(&session.outbox.record[..part]).unwrap();
        let error = AppendError::Short { written: part, bytes };
        session.outbox.keep(&error);
        if is_followed {
            let mut other = History::open(&place.log, 6, 0, None).unwrap().history;
            other.started(3, b"/", b"other").unwrap();
        }
        let event = Event::Started {
            cwd: b"/",
            command: b"next",
        };
        let next = session.append(event.kind(), 4, event.payload_bytes(), |out| event.write(out));
        next.unwrap();
        let mut expect = vec!["before", "mine", "next"];
        if is_followed {
            // Cut within its closing length it was whole before the other came.
            expect.insert(if part == bytes - 2 { 2 } else { 1 }, "other");
        }
        assert_eq!(place.commands(), expect, "{part} of {bytes}");
        let report = History::read(&place.log).unwrap().check();
        assert_eq!(report.damaged_runs > 0, is_followed, "{part} {report:?}");
    }
}
