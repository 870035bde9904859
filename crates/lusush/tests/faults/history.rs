//! Scrub, import and merge of the history, by `lusush` itself beside a worker that follows the log.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Output, Stdio};

use lle_fault::{Fault, Faults, Kind, are_here};
use lle_log::history::History;
use rustix::process::Signal;

use super::support::household::{Household, wait};
use super::support::log_of;
use super::{ended_well, spread};

/// Commands that stay, whatever is done.
const KEPT: usize = 40;
/// Commands that come and go in each round.
const OTHERS: usize = 20;

fn open(log: &Path, session: u64) -> History {
    History::open(log, session, 1, None).unwrap().history
}

fn commands(log: &Path) -> Vec<String> {
    open(log, 99)
        .commands()
        .map(|command| String::from_utf8_lossy(&command.command).into_owned())
        .collect()
}

fn count(log: &Path, marker: &str) -> usize {
    commands(log).iter().filter(|c| c.starts_with(marker)).count()
}

fn add(log: &Path, session: u64, marker: &str, count: usize) {
    let mut history = open(log, session);
    for n in 0..count {
        let seq = history
            .started(5, b"/", format!("{marker} {n}").as_bytes())
            .unwrap();
        history.finished(seq, 6, 0, 1).unwrap();
    }
}

fn contains(path: &Path, text: &str) -> bool {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn house() -> Household {
    let house = Household::with_worker("", &["--look-every", "50"]);
    add(&log_of(&house.home), 1, "kept", KEPT);
    house
}

fn mirrored(log: &Path) {
    wait("the mirror", || {
        lle_maintenance::real::history::mirrored(log).is_some_and(|(log, mirror)| log == mirror)
    });
}

fn run(house: &Household, faults: &Faults, words: &[&str]) -> Output {
    let started = faults.start(|| {
        house
            .command(&[&["maint", "history"], words].concat())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    });
    started.unwrap()
}

/// Runs a verb with every fault at some of its calls. `before` makes ready for round n and gives the words; `after` looks,
/// told whether it said that all is done.
fn walk(
    salt: u64,
    mut before: impl FnMut(&Household, usize) -> Vec<String>,
    mut after: impl FnMut(&Household, usize, bool, &str),
) {
    let house = house();
    let log = log_of(&house.home);
    let faults = Faults::below(&house.home.lusush());
    let mut round = 0;
    let mut once = |fault: Option<(u64, Fault)>| {
        round += 1;
        let words = before(&house, round);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        mirrored(&log);
        match fault {
            Some((at, fault)) => faults.set(at, fault),
            None => {
                faults.clear();
            }
        }
        let output = run(&house, &faults, &words);
        let (hit, calls) = (faults.hit(), faults.calls());
        faults.clear();
        let about = format!("round {round}, {words:?}: {fault:?} at {hit:?}");
        let fault = fault.map_or(Fault::Short, |(_, fault)| fault);
        let done = ended_well(&output, fault, hit.as_deref(), &about);
        assert_eq!(count(&log, "kept"), KEPT, "{about}");
        after(&house, round, done, &about);
        assert_eq!(count(&log, "kept"), KEPT, "{about}");
        calls
    };
    let calls = once(None);
    assert!(calls > 0);
    for fault in Fault::ALL {
        for at in spread(calls, salt) {
            once(Some((at, fault)));
        }
    }
    println!("{calls} calls");
    let checked = house.said(&["history", "check"]);
    assert!(checked.contains("no damage"), "{checked}");
    let alerts = house.json(&["alerts"]).to_string();
    assert!(!alerts.contains("another program"), "{alerts}");
}

#[test]
fn a_scrub_is_finished_by_the_next() {
    if !are_here() {
        return;
    }
    walk(
        11,
        |house, round| {
            add(&log_of(&house.home), 100 + round as u64, "secret-word", OTHERS);
            ["scrub", "secret-word"].map(str::to_owned).to_vec()
        },
        |house, _, done, about| {
            let log = log_of(&house.home);
            if !done {
                house.said(&["history", "scrub", "secret-word"]);
            }
            assert_eq!(count(&log, "secret-word"), 0, "{about}");
            let mirror = lle_log::mirror::path_of(&log);
            assert!(
                !contains(&log, "secret-word") && !contains(&mirror, "secret-word"),
                "{about}"
            );
        },
    );
}

#[test]
fn an_import_is_whole_or_did_not_happen() {
    if !are_here() {
        return;
    }
    walk(
        12,
        |house, round| {
            let list = house.home.path().join("list");
            let lines: String = (0..OTHERS)
                .map(|n| format!("#{}\nimported-{round} {n}\n", 1_500_000_000 + n))
                .collect();
            fs::write(&list, lines).unwrap();
            vec!["import".into(), list.display().to_string()]
        },
        |house, round, done, about| {
            let (log, marker) = (log_of(&house.home), format!("imported-{round} "));
            let there = count(&log, &marker);
            assert!(there == 0 || there == OTHERS, "{about}: {there} of {OTHERS}");
            assert!(there == OTHERS || !done, "{about}: what was told is not there");
            let list = house.home.path().join("list");
            house.said_in_time(&["history", "import", list.to_str().unwrap()]);
            assert_eq!(count(&log, &marker), OTHERS, "{about}");
        },
    );
}

#[test]
fn a_merge_is_finished_by_the_next() {
    if !are_here() {
        return;
    }
    walk(
        13,
        |house, round| {
            let other = house.home.path().join("laptop.log");
            add(&other, 500 + round as u64, &format!("merged-{round}"), OTHERS);
            vec!["merge".into(), other.display().to_string()]
        },
        |house, round, done, about| {
            let merged = log_of(&house.home).with_file_name("laptop.log");
            let marker = format!("merged-{round} ");
            assert!(!done || count(&merged, &marker) == OTHERS, "{about}");
            let other = house.home.path().join("laptop.log");
            house.said(&["history", "merge", other.to_str().unwrap()]);
            assert_eq!(count(&merged, &marker), OTHERS, "{about}");
        },
    );
}

/// A session stands still between its look at the log and its write, as under SIGSTOP or on a busy machine, while an import
/// or a restore replaces the log. Each time somebody has given the former file a name of their own.
#[test]
fn a_command_whose_log_is_replaced_before_it_is_written_is_in_the_new_one() {
    if !are_here() {
        return;
    }
    let house = Household::with_worker("", &["--look-every", "50"]);
    house.no_drill_is_due();
    let log = log_of(&house.home);
    let faults = Faults::below(log.parent().unwrap()).only(&[Kind::Write]);
    let mut session = faults.start(|| house.session()).unwrap();
    session.press("echo of old\r").unwrap();
    house.said(&["backup", "create"]);
    let list = house.home.path().join("list");
    fs::write(&list, "#1500000000\nimported\n").unwrap();
    let import = ["history", "import", list.to_str().unwrap()];
    // What the snapshot has and the log has not comes back into it by a restore.
    let words: [(&str, &[&str]); 2] = [
        ("import", &import),
        ("restore", &["backup", "restore", "--section", "data"]),
    ];
    for (n, (what, words)) in words.into_iter().enumerate() {
        if what == "restore" {
            for path in [lle_log::mirror::path_of(&log), log.clone()] {
                fs::remove_file(path).unwrap();
            }
            session.press("echo anew\r").unwrap();
        }
        fs::hard_link(&log, house.home.path().join(format!("copied-by-link-{n}"))).unwrap();
        let before = fs::metadata(&log).unwrap().ino();
        faults.set(1, Fault::Stopped);
        session
            .type_bytes(format!("echo typed-{n} >>~/witness\r").as_bytes())
            .unwrap();
        wait("a session that stands still", || faults.hit().is_some());
        house.said(words);
        assert_ne!(
            fs::metadata(&log).unwrap().ino(),
            before,
            "{what}: the log was not replaced"
        );
        faults.clear();
        session.signal(Signal::CONT).unwrap();
        wait("the command", || {
            let ran = fs::read_to_string(house.home.path().join("witness")).unwrap_or_default();
            ran.contains(&format!("typed-{n}"))
        });
        session.press("\r").unwrap();
        let there = commands(&log);
        let typed = there.iter().filter(|c| c.starts_with(&format!("echo typed-{n}")));
        assert_eq!(typed.count(), 1, "{what}: {there:?}");
        assert_eq!(count(&log, "echo of old"), 1, "{what}: {there:?}");
    }
}

#[test]
fn what_a_scrub_cannot_write_is_named() {
    if !are_here() {
        return;
    }
    let house = house();
    let log = log_of(&house.home);
    add(&log, 2, "secret-word", 1);
    let list = house.home.path().join("lists/hist");
    fs::create_dir(list.parent().unwrap()).unwrap();
    fs::write(&list, "secret-word\n").unwrap();
    fs::write(log.with_extension("lists"), format!("{}\n", list.display())).unwrap();
    for (file, kind) in [(&log, Kind::WriteAt), (&list, Kind::Make)] {
        let folder = file.parent().unwrap();
        let faults = Faults::below(folder).only(&[kind]);
        faults.set(1, Fault::Broken);
        let output = run(&house, &faults, &["scrub", "secret-word", "--histfile"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{kind:?}: {said}");
        let named = format!("Caused by: {}/", folder.display());
        assert!(said.contains(&named), "{kind:?} at {:?}: {said}", faults.hit());
        assert!(said.contains("error 5"), "{kind:?} at {:?}: {said}", faults.hit());
    }
}
