//! What is taken out is nowhere of ours, and what could not be reached is named.

use std::fs;
use std::path::Path;
use std::time::Instant;

use lle_log::history::History;
use lle_log::search::SubstringSearch;
use rustix::process::Signal;

use crate::support::household::{Household, wait};
use crate::support::{Random, log_of, number, press};
use crate::{KILLS, commands, fill, killed, open};

#[test]
fn a_secret_is_counted_and_never_shown() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let key = "lbk1-mpjtb9-d5mpjt-b9d5mp-jtb9d5-mpjtb9-d5v3z3";
    let mut history = open(&log_of(&house.home), 1);
    for line in [
        format!("RESTIC_PASSWORD={key} restic check"),
        format!("maint key {key}"),
    ] {
        history.started(1, b"/", line.as_bytes()).unwrap();
    }
    history.started(1, b"/", b"PASSWORD=hunter2").unwrap();
    let stats = house.json(&["history", "stats"]);
    assert_eq!(stats["secrets"].as_array().unwrap().len(), 3, "{stats}");
    let shown = stats.to_string() + &house.said(&["history", "stats"]);
    assert!(shown.contains("restic") && shown.contains("maint"), "{shown}");
    assert!(!shown.contains("lbk1") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_is_scrubbed_is_nowhere_of_ours() {
    let house = Household::with_worker("HISTFILE=~/.bash_history\n", &["--look-every", "50"]);
    let log = log_of(&house.home);
    fs::write(house.home.history(), "ls\nexport KEY=hunter2\nls -l\n").unwrap();
    fill(&log, 20);
    let mut session = house.session();
    session.press("true\r").unwrap();
    let drafts = house.state().join("drafts");
    fs::create_dir_all(&drafts).unwrap();
    fs::write(drafts.join("0000000000000001.draft"), "login hunter2").unwrap();
    let mut died = house.session();
    died.press("login hunter2").unwrap();
    died.signal(Signal::KILL).unwrap();
    died.wait_exit(lle_pty::deadline()).unwrap();
    let has_flight = |house: &Household| {
        let flights = fs::read_dir(house.runtime().join("sessions")).unwrap().flatten();
        flights
            .filter_map(|entry| fs::read(entry.path()).ok())
            .any(|bytes| bytes.windows(7).any(|window| window == b"hunter2"))
    };
    assert!(has_flight(&house));
    wait("the mirror", || {
        lle_maintenance::real::history::mirrored(&log).is_some_and(|(log, mirror)| log == mirror)
    });
    let planned = house.said(&["history", "scrub", "hunter2", "--plan"]);
    assert!(planned.starts_with("4 commands would be taken out"), "{planned}");
    assert!(planned.contains("--histfile"), "{planned}");
    let done = house.said(&["history", "scrub", "hunter2", "--histfile"]);
    assert!(done.starts_with("4 commands taken out"), "{done}");
    assert!(!has_flight(&house), "{done}");
    assert_eq!(commands(&log).len(), 17);
    assert_eq!(fs::read_to_string(house.home.history()).unwrap(), "ls\nls -l\n");
    let mut folders = vec![house.state(), house.home.lusush().join("cache")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => folders.push(entry.path()),
                false => {
                    let bytes = match fs::read(entry.path()) {
                        // The worker has given what it wrote its name meanwhile.
                        Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                        bytes => bytes.unwrap(),
                    };
                    let is_there = bytes.windows(7).any(|window| window == b"hunter2");
                    assert!(!is_there, "it is in {}", entry.path().display());
                }
            }
        }
    }
    let audit = house.json(&["audit", "show"]).to_string();
    assert!(
        audit.contains("scrub: begins: 4 commands") && audit.contains("scrub: done"),
        "{audit}"
    );
    assert!(
        !house.maint(&["history", "scrub", "ab"]).status.success(),
        "too short"
    );
    let id = house.json(&["history", "search", "echo 7", "--limit", "1"]);
    assert_eq!(id["matches"], 1);
}

#[test]
fn what_is_no_log_is_left_out_and_said_to_be() {
    let mut house = Household::new("");
    let log = log_of(&house.home);
    // This machine's own must be one.
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    fs::write(&log, "not ours\n").unwrap();
    assert!(!house.maint(&["history", "search", "echo"]).status.success());
    fs::remove_file(&log).unwrap();
    fill(&log, 10);
    house.start_worker(&["--look-every", "50"]);
    let foreign = log.with_file_name("notes.log");
    fs::write(&foreign, "not hunter2's log\n").unwrap();
    for words in [&["search", "echo"][..], &["stats"], &["export"]] {
        let output = house.maint(&[&["history"], words].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {said}");
        assert!(
            said.contains("left out") && said.contains("notes.log"),
            "{words:?}: {said}"
        );
    }
    let done = house.said(&["history", "scrub", "hunter2"]);
    assert!(
        done.starts_with("2 commands taken out") && done.contains("notes.log"),
        "{done}"
    );
    assert_eq!(fs::read_to_string(&foreign).unwrap(), "not hunter2's log\n");
}

#[test]
fn what_scrub_cannot_reach_in_a_damaged_log_is_named() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let log = log_of(&house.home);
    fill(&log, 4);
    let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
    std::io::Write::write_all(&mut file, b"torn hunter2-9").unwrap();
    let done = house.said(&["history", "scrub", "hunter2"]);
    assert!(done.starts_with("1 command taken out"), "{done}");
    let byte = fs::metadata(&log).unwrap().len() - 9;
    assert!(
        done.contains(&format!("no record, from byte {byte} on")),
        "{done}"
    );
}

#[test]
fn what_was_noted_beside_the_history_is_named() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let mut session = house.session();
    press(&mut session, "echo 'hunter2'\r", "hunter2");
    wait("the session to be seen", || {
        house.json(&["health"])["sessions"][0]["id"].is_string()
    });
    session.signal(Signal::KILL).unwrap();
    session.wait_exit(lle_pty::deadline()).unwrap();
    wait("its last words", || {
        house.json(&["status"])["worker"]["incidents"][0].is_object()
    });
    for words in [&["--plan"][..], &[]] {
        let said = house.said(&[&["history", "scrub", "hunter2"], words].concat());
        let is_named = |store: &str| {
            said.lines()
                .any(|line| line.contains(store) && line.contains("it or its beginning"))
        };
        for store in ["state.log", "audit-"] {
            assert!(is_named(store), "{store}: {said}");
        }
        // What a session that died left of itself goes.
        let is_plan = !words.is_empty();
        assert_eq!(is_named(".flight"), is_plan, "{said}");
        assert_eq!(said.contains(".flight: removed"), !is_plan, "{said}");
    }
    // What has nothing of it is not.
    let said = house.said(&["history", "scrub", "hunter3"]);
    assert!(!said.contains("it or its beginning"), "{said}");
}

#[test]
fn a_history_file_that_is_too_long_to_be_edited_is_looked_into() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let log = log_of(&house.home);
    fill(&log, 1);
    // Not written out: it has only a length, and the text at its end.
    let file = fs::File::create(house.home.history()).unwrap();
    file.set_len(65 * 1024 * 1024).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"\nlogin hunter2\n", 65 * 1024 * 1024).unwrap();
    for words in [
        &["history", "scrub", "hunter2"][..],
        &["history", "scrub", "hunter2", "--histfile"],
    ] {
        let said = house.said(words);
        assert!(said.contains(".bash_history: too long"), "{words:?}: {said}");
    }
}

#[test]
fn a_history_file_with_a_name_that_is_no_text_hides_no_other() {
    use std::os::unix::ffi::OsStrExt;
    let house = Household::with_worker("", &["--look-every", "50"]);
    let log = log_of(&house.home);
    fill(&log, 1);
    let odd = house.home.path().join(std::ffi::OsStr::from_bytes(b"h\xffst"));
    let plain = house.home.path().join("list");
    for file in [&odd, &plain] {
        fs::write(file, "ls\nlogin hunter2\n").unwrap();
    }
    let names = [odd.as_os_str().as_bytes(), plain.as_os_str().as_bytes(), b""].join(&b'\n');
    fs::write(log.with_extension("lists"), names).unwrap();
    house.said(&["history", "scrub", "hunter2", "--histfile"]);
    for file in [&odd, &plain] {
        assert_eq!(fs::read_to_string(file).unwrap(), "ls\n", "{}", file.display());
    }
}

#[test]
fn a_folder_s_name_is_told_and_taken_out_only_if_asked_for() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let log = log_of(&house.home);
    let mut history = open(&log, 1);
    for (cwd, command) in [
        (&b"/srv/hunter2"[..], "make"),
        (b"/srv/hunter2/src", "ls"),
        (b"/srv/hunter2", "login hunter2"),
        (b"/srv", "login hunter2"),
        (b"/srv", "pwd"),
    ] {
        history.started(1, cwd, command.as_bytes()).unwrap();
    }
    let counts = |words: &[&str]| {
        let answer = house.json(&[&["history", "scrub", "hunter2"], words].concat());
        (answer["commands"].clone(), answer["in_folders"].clone())
    };
    assert_eq!(counts(&["--plan"]), (2.into(), 2.into()));
    assert_eq!(counts(&["--plan", "--folders"]), (4.into(), 2.into()));
    let said = house.said(&["history", "scrub", "hunter2"]);
    assert!(said.starts_with("2 commands taken out\n"), "{said}");
    assert!(
        said.contains("2 more commands") && said.contains("--folders"),
        "{said}"
    );
    assert_eq!(commands(&log), ["make", "ls", "pwd"]);
    let said = house.said(&["history", "scrub", "hunter2", "--folders"]);
    assert!(said.starts_with("2 commands taken out, 2 of them"), "{said}");
    assert!(!said.contains("more command"), "{said}");
    assert_eq!(commands(&log), ["pwd"]);
}

#[test]
fn every_session_s_own_history_file_is_reached_and_guarded() {
    let rc = "HISTFILE=~/hist-$(ls ~ | grep -c '^hist-')\n\
              printf '%s\\n' 'echo first' 'login hunter2' 'echo last' >$HISTFILE\n";
    let house = Household::with_worker(rc, &["--look-every", "50"]);
    let mut sessions: Vec<_> = (0..9).map(|_| house.session()).collect();
    // One of them goes over to another file.
    sessions[0].press("HISTFILE=~/later\r").unwrap();
    let mut names: Vec<String> = (0..9).map(|n| format!("hist-{n}")).collect();
    names.push("later".into());
    let files: Vec<_> = names.iter().map(|name| house.home.path().join(name)).collect();
    fs::write(&files[9], "echo first\nlogin hunter2\necho last\n").unwrap();
    let told = house.said(&["history", "scrub", "hunter2", "--plan"]);
    for file in &files {
        assert!(
            told.contains(&format!("{}: `--histfile`", file.display())),
            "{told}"
        );
    }
    house.said(&["history", "scrub", "hunter2", "--histfile"]);
    for file in &files {
        assert_eq!(
            fs::read_to_string(file).unwrap(),
            "echo first\necho last\n",
            "{}",
            file.display()
        );
    }
    // Each of them is seen and put back.
    let log = log_of(&house.home);
    let copies = || {
        let beside = fs::read_dir(log.parent().unwrap()).unwrap().flatten();
        let copies = beside.filter(|entry| entry.file_name().to_string_lossy().contains(".list-"));
        copies
            .filter(|entry| fs::read(entry.path()).unwrap_or_default() == b"echo first\necho last\n")
            .count()
    };
    wait("a copy of each", || copies() == files.len());
    for file in &files {
        fs::write(file, "").unwrap();
    }
    for file in &files {
        wait("a file that was emptied to be put back", || {
            fs::read_to_string(file).unwrap() == "echo first\necho last\n"
        });
    }
}

#[test]
fn what_history_files_are_not_known_or_not_guarded_is_said() {
    use lle_core::history_names::{GUARDED_MAX, NAMES_MAX};
    let house = Household::with_worker("", &["--look-every", "50"]);
    let log = log_of(&house.home);
    fill(&log, 1);
    let names: String = (0..NAMES_MAX - 1).map(|n| format!("/nowhere/{n}\n")).collect();
    fs::write(log.with_extension("lists"), format!("{names}relative\n")).unwrap();
    let said = house.said(&["history", "scrub", "hunter2", "--plan"]);
    assert!(said.contains("HISTFILE=relative: no whole path"), "{said}");
    assert!(said.contains("beyond the 256 whose names are kept"), "{said}");
    let checked = house.json(&["history", "check"]);
    assert_eq!(checked["unguarded_files"], NAMES_MAX - GUARDED_MAX, "{checked}");
    fs::write(log.with_extension("lists"), "/nowhere/1\n").unwrap();
    let said = house.said(&["history", "scrub", "hunter2", "--plan"]);
    assert!(!said.contains("HISTFILE=") && !said.contains("beyond"), "{said}");
}

#[test]
fn a_name_that_two_logs_know_takes_the_right_command_out() {
    let house = Household::with_worker("HISTFILE=~/.bash_history\n", &["--look-every", "50"]);
    let log = log_of(&house.home);
    let imported = |log: &Path, text: &str| {
        let list = house.home.path().join("list");
        fs::write(&list, text).unwrap();
        History::open(log, 1, 1, Some(&list)).unwrap();
    };
    imported(&log, "ls\nls -l\n");
    fs::write(house.home.history(), "ls\nls -l\n").unwrap();
    let other = house.home.path().join("laptop.log");
    imported(
        &other,
        "export GITHUB_TOKEN=ghp_0123456789abcdefghijABCDEFGHIJ012345\nls -l\n",
    );
    house.said(&["history", "merge", other.to_str().unwrap()]);
    let id = "0000000000000000:1";
    assert_eq!(house.json(&["history", "stats"])["secrets"][0]["id"], id);
    let refused = house.maint(&["history", "scrub", "--id", id]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("laptop"), "{said}");
    house.said(&["history", "scrub", "--id", id, "--host", "laptop"]);
    let laptop = log.with_file_name("laptop.log");
    assert_eq!(
        (commands(&log), commands(&laptop)),
        (vec!["ls".into(), "ls -l".into()], vec!["ls -l".into()])
    );
    // The other one; of bash's file only that command, not what contains it.
    house.said(&["history", "scrub", "--id", id, "--histfile"]);
    assert_eq!(
        (commands(&log), commands(&laptop)),
        (vec!["ls -l".into()], vec!["ls -l".into()])
    );
    assert_eq!(fs::read_to_string(house.home.history()).unwrap(), "ls -l\n");
    // Both have this one, with one text.
    house.said(&["history", "scrub", "--id", "0000000000000000:2"]);
    assert!(commands(&log).is_empty() && commands(&laptop).is_empty());
}

/// Commands of a history that has a whole segment of an index, and some more.
const INDEXED: usize = 150_000;
/// One in so many of them holds what is scrubbed in some round.
const HIDDEN_EVERY: usize = 50;

/// A history with an index over most of it; in it, for each round and for one more, commands that are to go.
fn indexed(house: &Household, rounds: usize) {
    let list = house.home.path().join("list");
    let lines: String = (0..INDEXED)
        .map(|n| match n % HIDDEN_EVERY {
            0 => format!("login hidden-{:04}- of {n}\n", n / HIDDEN_EVERY % (rounds + 1)),
            _ => format!("echo kept {n}\n"),
        })
        .collect();
    fs::write(&list, lines).unwrap();
    let log = log_of(&house.home);
    drop(History::open(&log, 7, 1, Some(&list)).unwrap());
}

fn found_by_index(history: &History, index: &Path, text: &str) -> Option<Vec<u8>> {
    let mut search = SubstringSearch::new();
    search.set_index(Some(index.to_owned()));
    loop {
        let found = search.find(history, text.as_bytes()).map(<[u8]>::to_vec);
        if search.is_done() {
            return found;
        }
    }
}

#[test]
fn a_scrub_that_is_killed_leaves_whole_records_and_is_finished_by_the_next() {
    let rounds = number("LUSUSH_KILLS", KILLS);
    let mut random = Random::new(number("LUSUSH_SEED", 2) as u64);
    let mut house = Household::new("");
    indexed(&house, rounds);
    house.start_worker(&["--look-every", "50"]);
    let log = log_of(&house.home);
    let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let index = lle_core::paths::history_index(&house.home.lusush().join("cache"), &machine);
    wait("the index", || {
        lle_log::index::coverage(&log, &index).is_some_and(|(covered, _)| covered > 0)
    });
    house.said(&["backup", "create", "--journal"]);
    let kept = |log: &Path| {
        commands(log)
            .iter()
            .filter(|c| c.starts_with("echo kept"))
            .count()
    };
    let all_kept = kept(&log);
    let began = Instant::now();
    house.said(&["history", "scrub", &format!("hidden-{rounds:04}-")]);
    let takes = began.elapsed();
    let mut unfinished = 0;
    for round in 0..rounds {
        let word = format!("hidden-{round:04}-");
        let hidden = |log: &Path| commands(log).into_iter().filter(|c| c.contains(&word)).count();
        assert!(hidden(&log) > 0, "round {round}: there is nothing to take out");
        let moment = takes.mul_f64(random.below(1200) as f64 / 1000.0);
        killed(&house, &["scrub", &word], moment);
        let left = hidden(&log);
        unfinished += usize::from(left > 0);
        let history = open(&log, 99);
        let found = found_by_index(&history, &index, &word);
        assert!(
            left > 0 || found.is_none(),
            "round {round}: the index finds {found:?}"
        );
        let report = history.check();
        // A page may end within a header: the byte that says "taken out" is then there, and the command is, too.
        assert!(report.damaged_bytes <= 1, "round {round}: {report:?}");
        assert_eq!(report.torn_tail_bytes, 0, "round {round}");
        assert_eq!(kept(&log), all_kept, "round {round}");

        let said = house.said(&["history", "scrub", &word]);
        assert!(said.contains("journal: begun anew"), "round {round}: {said}");
        assert_eq!(hidden(&log), 0, "round {round}");
        assert_eq!(
            found_by_index(&open(&log, 99), &index, &word),
            None,
            "round {round}"
        );
        let mirror = lle_log::mirror::path_of(&log);
        let has = |path: &Path| {
            let bytes = fs::read(path).unwrap();
            bytes.windows(word.len()).any(|window| window == word.as_bytes())
        };
        assert!(!has(&log) && !has(&mirror), "round {round}");
    }
    println!("scrubs: {unfinished} of {rounds} had not come to the log or through it");
    assert!(house.said(&["history", "check"]).contains("no damage"));
    let alerts = house.json(&["alerts"]).to_string();
    assert!(!alerts.contains("another program"), "{alerts}");
    let to = house.home.path().join("out");
    house.said(&["backup", "restore", "journal", "--to", to.to_str().unwrap()]);
    let name = log.file_name().unwrap();
    let bytes = fs::read(to.join("data/history").join(name)).unwrap();
    assert!(
        !bytes.windows(7).any(|window| window == b"hidden-"),
        "the journal has what was taken out"
    );
}
