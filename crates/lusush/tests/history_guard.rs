//! Another program cuts the history while sessions run: seen, told, undone; lost at most the stated window.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use lle_log::history::History;
use lle_maintenance::api::Request;
use lle_pty::Terminal;
use support::household::{Household, wait};
use support::log_of;

/// Sessions are looked at often: a test cannot wait for ten seconds.
const SOON: [&str; 2] = ["--look-every", "50"];

fn commands(log: &Path) -> Vec<String> {
    let opened = History::open(log, 99, 0, None).unwrap();
    opened
        .history
        .commands()
        .map(|command| String::from_utf8(command.command).unwrap())
        .collect()
}

fn run(terminal: &mut Terminal, line: &str) {
    terminal
        .press(format!("{line}\r"))
        .unwrap_or_else(|error| panic!("{line}: {error}"));
}

/// Types empty lines until the text stands above a prompt.
fn told(terminal: &mut Terminal, text: &str) {
    let mut screen = String::new();
    let began = Instant::now();
    while began.elapsed() < lle_pty::deadline() {
        run(terminal, "");
        screen = terminal.text();
        // A long line is cut into rows.
        if screen.replace('\n', "").contains(text) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{text:?} is not told:\n{screen}");
}

fn mirrored(log: &Path) {
    wait("the mirror", || {
        lle_maintenance::real::history::mirrored(log).is_some_and(|(log, mirror)| log > 64 && log == mirror)
    });
}

#[test]
fn a_log_that_is_emptied_while_sessions_run_comes_back() {
    let house = Household::with_worker("HISTFILE=~/.bash_history\n", &SOON);
    let (mut a, mut b) = (house.session(), house.session());
    let log = log_of(&house.home);
    run(&mut a, "echo before-a");
    run(&mut b, "echo before-b");
    mirrored(&log);
    // By a shell that is none of ours, in the middle of it all.
    let emptied = std::process::Command::new("sh")
        .args(["-c", ": > \"$0\""])
        .arg(&log)
        .status();
    assert!(emptied.unwrap().success());
    let began = Instant::now();
    wait("the log to be back", || {
        fs::metadata(&log).is_ok_and(|found| found.len() > 200)
    });
    println!("emptied log: back after {:?}", began.elapsed());
    run(&mut b, "echo after-b");
    run(&mut a, "echo after-a");
    let there = commands(&log);
    for expected in ["echo before-a", "echo before-b", "echo after-b", "echo after-a"] {
        let times = there.iter().filter(|command| *command == expected).count();
        assert_eq!(times, 1, "{expected} in {there:?}");
    }
    told(&mut a, "the history log was emptied by another program");
    let said: String = a.text().chars().filter(|c| !c.is_whitespace()).collect();
    assert!(said.contains("putback.Thereisnothinglefttodo"), "{}", a.text());
    let audit = house.json(&["audit", "show"]).to_string();
    assert!(
        audit.contains("emptied by another program") && audit.contains("put back"),
        "{audit}"
    );
    assert!(house.said(&["audit", "verify"]).contains("whole"));
    mirrored(&log);
}

#[test]
fn bash_s_own_file_comes_back_and_bash_may_go_on_cutting_it() {
    let house = Household::with_worker("HISTFILE=~/.bash_history\nHISTFILESIZE=300\n", &SOON);
    let file = house.home.history();
    let lines: String = (0..250).map(|n| format!("echo line {n}\n")).collect();
    fs::write(&file, &lines).unwrap();
    let mut a = house.session();
    run(&mut a, "true");
    let copied = || {
        let folder = fs::read_dir(log_of(&house.home).parent().unwrap())
            .unwrap()
            .flatten();
        folder
            .filter(|entry| entry.file_name().to_string_lossy().contains(".list-"))
            .any(|entry| {
                fs::read_to_string(entry.path()).is_ok_and(|text| text == fs::read_to_string(&file).unwrap())
            })
    };
    wait("a copy", copied);
    run(&mut a, ": > ~/.bash_history");
    wait("the file to be back", || {
        fs::read_to_string(&file).is_ok_and(|text| text.starts_with("echo line 0\n"))
    });
    told(&mut a, ".bash_history was emptied by another program");
    let audit = house.json(&["audit", "show"]).to_string();
    assert!(audit.contains("last ran a command that names it"), "{audit}");
    // A session that ends appends, and cuts the oldest off: nobody is alarmed.
    let mut b = house.session();
    for n in 0..60 {
        run(&mut b, &format!("echo own {n}"));
    }
    b.type_bytes(b"exit\r").unwrap();
    b.wait_exit(lle_pty::deadline()).unwrap();
    wait("bash's cut", || {
        fs::read_to_string(&file)
            .is_ok_and(|text| text.lines().count() == 300 && text.contains("echo own 59\n"))
    });
    wait("a copy of it", copied);
    // Nor if somebody tells bash to empty it.
    run(&mut a, "history -c; history -w");
    wait("a copy of nothing", || {
        fs::read(&file).is_ok_and(|text| text.is_empty()) && copied()
    });
    let alerts = house.json(&["alerts"]).to_string();
    assert_eq!(alerts.matches("was emptied").count(), 1, "{alerts}");
    assert!(!alerts.contains("was cut"), "{alerts}");
}

#[test]
fn who_wants_to_be_asked_is_asked() {
    let house = Household::new("HISTFILE=~/.bash_history\n");
    let config = house.home.lusush().join("config");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("config.toml"), "[history]\nrestore = \"ask\"\n").unwrap();
    let mut house = house;
    house.start_worker(&SOON);
    let mut a = house.session();
    let log = log_of(&house.home);
    run(&mut a, "echo kept");
    mirrored(&log);
    fs::write(&log, "").unwrap();
    told(&mut a, "the history log was emptied by another program");
    assert!(!commands(&log).contains(&"echo kept".to_owned()));
    // What is typed before anybody has answered is mirrored all the same: a second cut does not take it.
    run(&mut a, "echo since");
    let mirror = log.with_extension("mirror");
    wait("what was typed to be mirrored", || {
        commands(&mirror).contains(&"echo since".to_owned())
    });
    fs::write(&log, "").unwrap();
    let open = || house.json(&["alerts"])["alerts"].to_string();
    assert!(open().contains("was emptied"), "{}", open());
    assert!(house.said(&["history", "restore"]).contains("put back"));
    for expected in ["echo kept", "echo since"] {
        let times = commands(&log)
            .iter()
            .filter(|command| *command == expected)
            .count();
        assert_eq!(times, 1, "{expected} in {:?}", commands(&log));
    }
    assert!(
        !open().contains("was emptied"),
        "what was answered is told no longer: {}",
        open()
    );
    let again = house.maint(&["history", "restore"]);
    assert!(
        !again.status.success()
            && String::from_utf8_lossy(&again.stderr).contains("nothing of the log is gone")
    );
    // The other answer.
    mirrored(&log);
    fs::remove_file(&log).unwrap();
    told(&mut a, "the history log was removed");
    house.said(&["history", "restore", "--accept"]);
    assert!(!commands(&log).contains(&"echo kept".to_owned()));
    assert!(house.ask(&Request::Version).is_ok());
}

#[test]
fn what_check_finds_in_the_middle_restore_puts_back() {
    let house = Household::with_worker("", &SOON);
    let log = log_of(&house.home);
    let mut history = History::open(&log, 77, 0, None).unwrap().history;
    for n in 0..4_000 {
        history.started(1, b"/", format!("echo {n}").as_bytes()).unwrap();
    }
    mirrored(&log);
    let bytes = fs::metadata(&log).unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(&log).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0; 5_000], bytes / 2).unwrap();
    let said = house.said(&["history", "check"]);
    assert!(said.contains("`lusush maint history restore`"), "{said}");
    assert!(house.said(&["history", "restore"]).contains("put back"));
    assert_eq!(commands(&log).len(), 4_000);
    let said = house.said(&["history", "check"]);
    assert!(
        said.contains("the mirror is the same") && said.contains("no damage"),
        "{said}"
    );
}

/// Types without pause while the log is emptied again and again, and counts what is lost.
#[test]
fn the_loss_window_is_measured() {
    let house = Household::with_worker("", &SOON);
    let mut session = house.session();
    run(&mut session, "true");
    let log = log_of(&house.home);
    mirrored(&log);
    let mut typist = History::open(&log, 77, 0, None).unwrap().history;
    let (mut typed, mut lost_most, mut lost_oldest) = (0, 0, Duration::ZERO);
    for round in 0..3 {
        let mut at = Vec::new();
        let began = Instant::now();
        // More than a window, and no multiple of it.
        while began.elapsed() < Duration::from_millis(1_300 + 170 * round) {
            let _cut_meanwhile = typist.refresh();
            typist
                .started(1, b"/", format!("typed {typed}").as_bytes())
                .unwrap();
            at.push((typed, Instant::now()));
            typed += 1;
            std::thread::sleep(Duration::from_millis(2));
        }
        fs::write(&log, "").unwrap();
        let emptied = Instant::now();
        wait("the log to be back", || {
            fs::metadata(&log).is_ok_and(|found| found.len() > 200)
        });
        let there = commands(&log);
        let lost: Vec<_> = at
            .iter()
            .filter(|(n, _)| !there.contains(&format!("typed {n}")))
            .collect();
        let oldest = lost
            .first()
            .map_or(Duration::ZERO, |(_, at)| emptied.duration_since(*at));
        println!(
            "round {round}: back after {:.0?}; lost {} of {}, the oldest typed {oldest:.0?} before",
            emptied.elapsed(),
            lost.len(),
            at.len()
        );
        lost_most = lost_most.max(lost.len());
        lost_oldest = lost_oldest.max(oldest);
        // What is lost was typed last: nothing before it is missing.
        let newest_kept = at
            .iter()
            .rev()
            .find(|(n, _)| there.contains(&format!("typed {n}")));
        if let (Some((kept, _)), Some((gone, _))) = (newest_kept, lost.first()) {
            assert!(kept < gone, "{kept} is there and {gone} is not");
        }
        mirrored(&log);
    }
    println!("loss window: {lost_oldest:.0?} at most, {lost_most} commands; stated is one second");
}
