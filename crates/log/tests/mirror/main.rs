//! What another program does to a log, and what of it can be undone.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod flips;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use lle_log::history::History;
use lle_log::mirror::{Damage, Followed, Lock, Mirror};
use proptest::prelude::*;

struct Place {
    _folder: tempfile::TempDir,
    log: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("history").join("m.log");
        Self { _folder: folder, log }
    }

    fn session(&self, number: u64) -> History {
        History::open(&self.log, number, 1, None).unwrap().history
    }

    fn commands(&self) -> Vec<String> {
        self.session(99)
            .commands()
            .map(|c| String::from_utf8(c.command).unwrap())
            .collect()
    }

    fn restore(&self, mirror: &mut Mirror) -> lle_log::mirror::Restored {
        let lock = Lock::take(&self.log).unwrap();
        mirror.restore(&lock, 1_000).unwrap()
    }
}

fn run(history: &mut History, text: &str) {
    let seq = history.started(1, b"/", text.as_bytes()).unwrap();
    history.finished(seq, 2, 0, 3).unwrap();
}

fn empty(path: &Path) {
    fs::write(path, b"").unwrap();
}

fn damage(mirror: &mut Mirror) -> Option<Damage> {
    match mirror.follow().unwrap() {
        Followed::Trouble(trouble) => Some(trouble.damage),
        _ => None,
    }
}

/// A log of a few records and its mirror, for what one byte does.
fn mirrored() -> (Place, Mirror, Vec<u8>) {
    let place = Place::new();
    let mut mirror = Mirror::new(&place.log);
    let mut session = place.session(1);
    for text in ["first", "second", "third"] {
        run(&mut session, text);
    }
    mirror.follow().unwrap();
    let bytes = fs::read(&place.log).unwrap();
    (place, mirror, bytes)
}

#[test]
fn the_mirror_is_the_log() {
    let place = Place::new();
    let mut mirror = Mirror::new(&place.log);
    assert_eq!(mirror.follow().unwrap(), Followed::Busy, "there is no folder yet");
    let mut a = place.session(1);
    for n in 0..50 {
        run(&mut a, &format!("command {n}"));
        assert!(matches!(
            mirror.follow().unwrap(),
            Followed::Copied { left: 0, .. }
        ));
        assert_eq!(fs::read(&place.log).unwrap(), fs::read(mirror.path()).unwrap());
    }
    assert_eq!(mirror.follow().unwrap(), Followed::Unchanged);
    assert_eq!(mirror.compare_whole().unwrap(), None);
}

#[test]
fn an_emptied_log_comes_back_with_what_was_typed_since() {
    let place = Place::new();
    let mut mirror = Mirror::new(&place.log);
    let (mut a, mut b) = (place.session(1), place.session(2));
    run(&mut a, "before a");
    run(&mut b, "before b");
    mirror.follow().unwrap();
    empty(&place.log);
    assert_eq!(damage(&mut mirror), Some(Damage::Emptied));
    a.refresh().unwrap();
    run(&mut a, "since a");
    assert!(damage(&mut mirror).is_some(), "it stays what it is");
    let restored = place.restore(&mut mirror);
    assert_eq!((restored.records_kept, restored.foreign_bytes), (2, 0));
    assert_eq!(place.commands(), ["before a", "before b", "since a"]);
    // Sessions that have the emptied file open write into the restored one.
    run(&mut b, "after b");
    run(&mut a, "after a");
    assert_eq!(
        place.commands(),
        ["before a", "before b", "since a", "after b", "after a"]
    );
    assert!(matches!(mirror.follow().unwrap(), Followed::Copied { .. }));
    assert_eq!(mirror.compare_whole().unwrap(), None);
}

/// Cut, typed into, and cut again before anybody has said what is to become of it.
fn cut_twice() -> (Place, Mirror) {
    let place = Place::new();
    let mut mirror = Mirror::new(&place.log);
    let mut a = place.session(1);
    run(&mut a, "before");
    mirror.follow().unwrap();
    for text in ["since the first", "since the second"] {
        empty(&place.log);
        assert!(damage(&mut mirror).is_some());
        a.refresh().unwrap();
        run(&mut a, text);
        // However often it is looked at, it is there once.
        for _ in 0..3 {
            let Followed::Trouble(trouble) = mirror.follow().unwrap() else {
                panic!("it waits for an answer")
            };
            assert!(trouble.is_kept);
        }
    }
    (place, mirror)
}

#[test]
fn what_is_typed_while_a_cut_waits_survives_the_next_cut() {
    let (place, mut mirror) = cut_twice();
    let restored = place.restore(&mut mirror);
    assert_eq!(restored.records_kept, 4, "two commands, begun and ended");
    let all = ["before", "since the first", "since the second"];
    assert_eq!(place.commands(), all);
    // By another worker than the one that saw the first.
    let (place, _ended) = cut_twice();
    empty(&place.log);
    let mut mirror = Mirror::new(&place.log);
    assert!(damage(&mut mirror).is_some());
    place.restore(&mut mirror);
    assert_eq!(place.commands(), all);
    // The other answer: the log is as it is, and the rest is beside it.
    let (place, mut mirror) = cut_twice();
    let lock = Lock::take(&place.log).unwrap();
    mirror.accept(&lock).unwrap();
    drop(lock);
    assert_eq!(place.commands(), ["since the second"]);
    let before = History::open(&place.log.with_file_name("m.mirror.before"), 99, 1, None).unwrap();
    let kept = before
        .history
        .commands()
        .map(|c| String::from_utf8(c.command).unwrap());
    assert_eq!(kept.collect::<Vec<_>>(), all);
}

#[test]
fn a_log_that_grew_again_never_shortens_a_mirror_that_has_more() {
    let place = Place::new();
    let mut mirror = Mirror::new(&place.log);
    let mut a = place.session(1);
    for n in 0..20 {
        run(&mut a, &format!("command {n}"));
    }
    // What a full disk left of a record.
    OpenOptions::new()
        .append(true)
        .open(&place.log)
        .unwrap()
        .write_all(b"half")
        .unwrap();
    a.refresh().unwrap();
    run(&mut a, "the last");
    mirror.follow().unwrap();
    empty(&place.log);
    a.refresh().unwrap();
    for n in 20..80 {
        run(&mut a, &format!("command {n}"));
    }
    assert!(fs::metadata(&place.log).unwrap().len() > fs::metadata(mirror.path()).unwrap().len());
    assert!(damage(&mut mirror).is_some(), "the log is what was damaged");
    place.restore(&mut mirror);
    assert_eq!(place.commands().len(), 81);
}

#[test]
fn what_is_typed_into_a_long_log_that_was_cut_is_kept_without_looking_through_its_mirror() {
    let place = Place::new();
    let mut mirror = Mirror::new(&place.log);
    let mut a = place.session(1);
    let long = "x".repeat(512 * 1024);
    for n in 0..36 {
        run(&mut a, &format!("{n}{long}"));
    }
    while matches!(mirror.follow().unwrap(), Followed::Copied { left: 1.., .. }) {}
    for round in 0..4 {
        if round % 2 == 0 {
            OpenOptions::new()
                .write(true)
                .open(&place.log)
                .unwrap()
                .set_len(3 << 20)
                .unwrap();
            a.refresh().unwrap();
        }
        assert!(damage(&mut mirror).is_some());
        for n in 0..3 {
            run(&mut a, &format!("since {round} {n}"));
        }
        assert!(damage(&mut mirror).is_some());
    }
    place.restore(&mut mirror);
    let there = place.commands();
    assert_eq!(there.len(), 36 + 12);
    assert_eq!((&there[36][..], &there[47][..]), ("since 0 0", "since 3 2"));
}

#[test]
fn what_is_written_into_the_old_file_late_is_carried_over() {
    let place = Place::new();
    let mut mirror = Mirror::new(&place.log);
    let mut a = place.session(1);
    run(&mut a, "before");
    mirror.follow().unwrap();
    empty(&place.log);
    // A session that looked just before the rename.
    let mut late = OpenOptions::new().append(true).open(&place.log).unwrap();
    place.restore(&mut mirror);
    let other = Place::new();
    let mut writer = other.session(7);
    run(&mut writer, "late");
    late.write_all(&fs::read(&other.log).unwrap()[64..]).unwrap();
    mirror.follow().unwrap();
    assert_eq!(place.commands(), ["before", "late"]);
}

#[test]
fn every_damage_is_told_apart_and_undone() {
    let check = |what: &str, harm: &dyn Fn(&Path), expect: Damage| {
        let place = Place::new();
        let mut mirror = Mirror::new(&place.log);
        let mut a = place.session(1);
        for n in 0..20 {
            run(&mut a, &format!("command number {n}"));
        }
        mirror.follow().unwrap();
        harm(&place.log);
        assert_eq!(damage(&mut mirror), Some(expect), "{what}");
        assert_eq!(damage(&mut mirror), Some(expect), "{what}: it stays");
        // One that began only now sees it from the mirror alone.
        assert!(damage(&mut Mirror::new(&place.log)).is_some(), "{what}");
        place.restore(&mut mirror);
        assert!(place.commands().len() >= 20, "{what}");
        assert_eq!(damage(&mut mirror), None, "{what}");
    };
    check("emptied", &|log| empty(log), Damage::Emptied);
    check(
        "cut",
        &|log| {
            OpenOptions::new()
                .write(true)
                .open(log)
                .unwrap()
                .set_len(500)
                .unwrap();
        },
        Damage::Cut,
    );
    check(
        "text",
        &|log| fs::write(log, "echo hello\n").unwrap(),
        Damage::Emptied,
    );
    check(
        "a byte",
        &|log| {
            OpenOptions::new()
                .write(true)
                .open(log)
                .unwrap()
                .write_all_at(b"X", 200)
                .unwrap();
        },
        Damage::Rewritten,
    );
    check("removed", &|log| fs::remove_file(log).unwrap(), Damage::Removed);
    for session in [5, 1] {
        check(
            "another log",
            &|log| {
                fs::remove_file(log).unwrap();
                // Two files that are there at once are told apart by their numbers.
                fs::write(log.with_extension("other"), "").unwrap();
                run(&mut History::open(log, session, 1, None).unwrap().history, "anew");
            },
            Damage::Removed,
        );
    }
}

#[test]
fn a_change_in_the_middle_of_a_long_log_is_undone() {
    let place = Place::new();
    let mut mirror = Mirror::new(&place.log);
    let mut a = place.session(1);
    for n in 0..4_000 {
        run(&mut a, &format!("command number {n}"));
    }
    mirror.follow().unwrap();
    let bytes = fs::metadata(&place.log).unwrap().len();
    let file = OpenOptions::new().write(true).open(&place.log).unwrap();
    file.write_all_at(&[0; 5_000], bytes / 2).unwrap();
    run(&mut a, "since");
    assert_eq!(damage(&mut mirror), None, "only the ends are looked at");
    assert!(mirror.has_more().unwrap());
    // There are eight times as many records as may be remembered.
    assert_eq!(
        place.restore(&mut mirror).records_kept,
        0,
        "the mirror has those at the end, too"
    );
    let there = place.commands();
    assert_eq!(
        (there.len(), &there[2_000][..], &there[4_000][..]),
        (4_001, "command number 2000", "since")
    );
    assert!(!mirror.has_more().unwrap());
    assert_eq!(damage(&mut mirror), None);
}

#[test]
fn foreign_bytes_stay_in_a_file_of_their_own() {
    let place = Place::new();
    let mut mirror = Mirror::new(&place.log);
    run(&mut place.session(1), "mine");
    mirror.follow().unwrap();
    fs::write(&place.log, "what another program wrote\n").unwrap();
    assert!(place.restore(&mut mirror).foreign_bytes > 0);
    let found = place.log.with_file_name("m.log.found");
    assert_eq!(fs::read_to_string(found).unwrap(), "what another program wrote\n");
}

#[test]
fn a_redaction_is_followed_and_never_undone() {
    let place = Place::new();
    let mut mirror = Mirror::new(&place.log);
    let mut a = place.session(1);
    for n in 0..2_000 {
        run(&mut a, &format!("command number {n} with a secret"));
    }
    mirror.follow().unwrap();
    let bytes = fs::metadata(&place.log).unwrap().len();
    assert!(bytes > 3 * 64 * 1024, "beginning and end are told apart");
    // The last, the first, and one that lies across the border of what is compared.
    for seq in [1, 3_999, 1_999] {
        assert_eq!(a.redact(1, seq).unwrap(), 1);
    }
    assert_eq!(damage(&mut mirror), None);
    assert!(mirror.compare_whole().unwrap().is_none());
    empty(&place.log);
    place.restore(&mut mirror);
    let left = place.commands();
    assert!(!left.contains(&"command number 0 with a secret".to_owned()));
    assert!(!left.contains(&"command number 1999 with a secret".to_owned()));
}

#[test]
fn that_both_are_gone_is_said_once() {
    let check = |begins_anew: bool| {
        let (place, mut mirror, bytes) = mirrored();
        mirror.follow().unwrap();
        let folder = place.log.parent().unwrap();
        fs::remove_dir_all(folder).unwrap();
        let lost = Followed::Lost {
            bytes: bytes.len() as u64,
        };
        if begins_anew {
            run(&mut place.session(7), "typed since");
        } else {
            fs::create_dir_all(folder).unwrap();
        }
        assert_eq!(mirror.follow().unwrap(), lost);
        run(&mut place.session(8), "and on");
        assert!(matches!(
            mirror.follow().unwrap(),
            Followed::Copied { left: 0, .. }
        ));
        assert_eq!(fs::read(mirror.path()).unwrap(), fs::read(&place.log).unwrap());
    };
    check(true);
    check(false);
    // A mirror alone is made again without a word.
    let (_place, mut mirror, bytes) = mirrored();
    mirror.follow().unwrap();
    fs::remove_file(mirror.path()).unwrap();
    assert!(!matches!(mirror.follow().unwrap(), Followed::Lost { .. }));
    assert_eq!(fs::read(mirror.path()).unwrap(), bytes);
}

#[test]
fn who_accepts_a_damaged_log_keeps_the_former_mirror() {
    let place = Place::new();
    let mut mirror = Mirror::new(&place.log);
    run(&mut place.session(1), "before");
    mirror.follow().unwrap();
    let was = fs::read(mirror.path()).unwrap();
    empty(&place.log);
    let lock = Lock::take(&place.log).unwrap();
    assert!(matches!(
        Mirror::new(&place.log).follow().unwrap(),
        Followed::Busy
    ));
    mirror.accept(&lock).unwrap();
    drop(lock);
    assert_eq!(damage(&mut mirror), None);
    assert_eq!(
        fs::read(place.log.with_file_name("m.mirror.before")).unwrap(),
        was
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is cut off and whenever: what was mirrored and what was written since are there afterwards, each once.
    #[test]
    fn nothing_mirrored_is_lost(steps in proptest::collection::vec((0..4_u8, any::<prop::sample::Index>()), 1..30)) {
        let place = Place::new();
        let mut mirror = Mirror::new(&place.log);
        let mut sessions = [place.session(1), place.session(2)];
        let (mut mirrored, mut unmirrored) = (Vec::new(), Vec::new());
        for (n, (step, index)) in steps.into_iter().enumerate() {
            match step {
                0 => {
                    let text = format!("command {n}");
                    let session = &mut sessions[index.index(2)];
                    session.refresh().unwrap();
                    run(session, &text);
                    unmirrored.push(text);
                }
                1 => {
                    let _waits_or_not = damage(&mut mirror);
                    mirrored.append(&mut unmirrored);
                }
                _ => {
                    let _waits_or_not = damage(&mut mirror);
                    mirrored.append(&mut unmirrored);
                    let bytes = fs::metadata(&place.log).unwrap().len();
                    let mut left = index.index(usize::try_from(bytes).unwrap() + 1) as u64;
                    // Half a header is no log to a session that opens it: what is typed then waits in the shell.
                    if step == 2 && left < 64 {
                        left = 0;
                    }
                    OpenOptions::new().write(true).open(&place.log).unwrap().set_len(left).unwrap();
                    if step == 2 {
                        // It waits for an answer, while other things happen to it.
                        continue;
                    }
                    place.restore(&mut mirror);
                    let there = place.commands();
                    for text in &mirrored {
                        prop_assert_eq!(there.iter().filter(|known| *known == text).count(), 1, "{}", text);
                    }
                }
            }
        }
    }
}
