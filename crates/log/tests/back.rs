//! An earlier state of a log comes back into the one that is here: what is lost is filled, and nothing else is touched.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use std::fs;
use std::path::Path;

use lle_log::formats::Entry;
use lle_log::history::{Command, History};
use lle_log::mirror::{Followed, Lock, Mirror};
use lle_log::rewrite::back::{Lacks, bring_back, lacks};
use lle_log::rewrite::import;
use lle_log::scrub::scrub;

const SECOND_NS: i64 = 1_000_000_000;

fn open(log: &Path, session: u64) -> History {
    History::open(log, session, 1, None).unwrap().history
}

fn commands(log: &Path) -> Vec<String> {
    open(log, 99)
        .commands()
        .map(|command| String::from_utf8_lossy(&command.command).into_owned())
        .collect()
}

fn entry(second: i64, command: &str) -> Entry {
    Entry {
        time_ns: second * SECOND_NS,
        command: command.into(),
        ran: None,
    }
}

fn run(history: &mut History, at: i64, text: &str) {
    let seq = history
        .started(at * SECOND_NS + 5, b"/", text.as_bytes())
        .unwrap();
    history.finished(seq, at * SECOND_NS + 9, 0, 3).unwrap();
}

/// A log with what was typed, its copy as a snapshot has it, and what is typed since.
fn with_an_earlier_state(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let (log, earlier) = (folder.join("m.log"), folder.join("snapshot"));
    let mut session = open(&log, 1);
    for (at, text) in [(10, "before"), (20, "hunter2"), (30, "between")] {
        run(&mut session, at, text);
    }
    Mirror::new(&log).follow().unwrap();
    fs::copy(&log, &earlier).unwrap();
    run(&mut session, 40, "after");
    (log, earlier)
}

#[test]
fn an_earlier_state_brings_nothing_back_that_was_taken_out_and_takes_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let (log, earlier) = with_an_earlier_state(folder.path());
    let secret = |command: &Command| command.command == b"hunter2";
    assert_eq!(scrub(&log, secret).unwrap().commands, 1);
    let lock = Lock::take(&log).unwrap();
    import(&log, &lock, 7, &[entry(5, "imported")]).unwrap();
    let before = fs::read(&log).unwrap();
    let there = Lacks {
        missing: 0,
        taken_out: 1,
    };
    assert_eq!(lacks(&log, &earlier).unwrap(), there);
    assert_eq!(bring_back(&log, &lock, &earlier).unwrap(), there);
    assert_eq!(fs::read(&log).unwrap(), before);
    assert_eq!(commands(&log), ["imported", "before", "between", "after"]);
}

#[test]
fn an_earlier_state_fills_what_was_lost_where_it_was() {
    let all = ["before", "hunter2", "between", "after"];
    let check = |what: &str, lose: &dyn Fn(&Path), expect: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let (log, earlier) = with_an_earlier_state(folder.path());
        lose(&log);
        let lock = Lock::take(&log).unwrap();
        for _ in 0..2 {
            bring_back(&log, &lock, &earlier).unwrap();
            assert_eq!(commands(&log), expect, "{what}");
            assert_eq!(lacks(&log, &earlier).unwrap().missing, 0, "{what}");
        }
        drop(lock);
        let mut mirror = Mirror::new(&log);
        assert!(
            !matches!(mirror.follow().unwrap(), Followed::Trouble(_)),
            "{what}"
        );
        assert_eq!(mirror.compare_whole().unwrap(), None, "{what}");
        let strays = fs::read_dir(folder.path()).unwrap().flatten();
        let strays = strays.filter(|entry| {
            let name = entry.file_name().into_string().unwrap();
            name.ends_with(".new") || name.ends_with(".before")
        });
        assert_eq!(strays.count(), 0, "{what}");
    };
    let mirror = |log: &Path| log.with_extension("mirror");
    check("nothing", &|_| {}, &all);
    check("the log", &|log| fs::remove_file(log).unwrap(), &all[..3]);
    check(
        "both",
        &|log| {
            fs::remove_file(log).unwrap();
            fs::remove_file(mirror(log)).unwrap();
        },
        &all[..3],
    );
    check(
        "both, and begun anew",
        &|log| {
            fs::remove_file(log).unwrap();
            fs::remove_file(mirror(log)).unwrap();
            run(&mut open(log, 2), 50, "anew");
        },
        &["before", "hunter2", "between", "anew"],
    );
    check(
        "emptied",
        &|log| {
            fs::write(log, "").unwrap();
            fs::remove_file(mirror(log)).unwrap();
        },
        &all[..3],
    );
    check(
        "a record in the middle",
        &|log| {
            let bytes = fs::read(log).unwrap();
            let at = bytes.windows(7).position(|seven| seven == b"hunter2").unwrap();
            let mut bad = bytes;
            bad[at] ^= 1;
            fs::write(log, bad).unwrap();
            fs::remove_file(mirror(log)).unwrap();
        },
        &all,
    );
}

#[test]
fn what_is_no_log_is_not_filled() {
    let folder = tempfile::tempdir().unwrap();
    let (log, earlier) = with_an_earlier_state(folder.path());
    fs::write(&log, "cut").unwrap();
    assert!(lacks(&log, &earlier).is_err());
    assert!(lacks(&earlier, &log).is_err());
}
