//! What comes in from other shells, and goes out.

use std::fs;
use std::path::Path;
use std::time::Duration;

use lle_log::history::History;

use crate::support::household::{Household, wait};
use crate::support::{Random, log_of, number};
use crate::{KILLS, commands, fill, killed, open, refused};

#[test]
fn histories_of_other_shells_come_in_once() {
    let house = Household::with_worker("", &[]);
    let log = log_of(&house.home);
    fill(&log, 3);
    let zsh = house.home.path().join("zsh");
    fs::write(
        &zsh,
        ": 1600000000:0;git log\n: 1600000001:2;for i in 1\\\ndo echo\\\ndone\n",
    )
    .unwrap();
    let fish = house.home.path().join("fish");
    fs::write(&fish, "- cmd: cargo test\n  when: 1600000002\n").unwrap();
    let path = |path: &Path| path.display().to_string();
    assert_eq!(house.json(&["history", "import", &path(&zsh)])["added"], 2);
    assert_eq!(house.json(&["history", "import", &path(&zsh)])["known"], 2);
    assert_eq!(house.json(&["history", "import", &path(&fish)])["added"], 1);
    let there = commands(&log);
    assert_eq!(there[..3], ["cargo test", "git log", "for i in 1\ndo echo\ndone"]);
    assert_eq!(there.len(), 6);
    // What was exported comes back as it was.
    let out = house.home.path().join("out");
    fs::write(&out, house.said(&["history", "export"])).unwrap();
    assert_eq!(house.json(&["history", "import", &path(&out)])["added"], 0);
    let audit = house.json(&["audit", "show"]).to_string();
    assert!(audit.contains("import: done: 2 added, 0 known"), "{audit}");

    let other = house.home.path().join("laptop.log");
    fill(&other, 2);
    assert_eq!(house.json(&["history", "merge", &path(&other)])["added"], 4);
    assert_eq!(house.json(&["history", "merge", &path(&other)])["added"], 0);
    // A backup of one's own log would be taken for what others type just now.
    let backup = house.home.path().join(log.file_name().unwrap());
    fs::copy(&log, &backup).unwrap();
    let before = fs::read(&log).unwrap();
    let refused = house.maint(&["history", "merge", &path(&backup)]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("--host"), "{said}");
    assert_eq!(fs::read(&log).unwrap(), before);
    assert_eq!(
        house.json(&["history", "merge", &path(&backup), "--host", "former"])["known"],
        0
    );
    let found = house.json(&["history", "search", "echo 1", "--host", "laptop"]);
    assert_eq!(found["commands"][0]["host"], "laptop");
    let alerts = house.json(&["alerts"]).to_string();
    assert!(!alerts.contains("another program"), "{alerts}");
}

/// Runs it in vain, and gives what it said.
#[test]
fn what_is_no_history_of_a_shell_is_refused_and_what_was_exported_comes_back() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let log = log_of(&house.home);
    fill(&log, 4);
    let before = commands(&log);
    let path = |path: &Path| path.display().to_string();
    let import = |file: &str| refused(&house, &["history", "import", file]);
    assert!(import(&path(crate::support::lusush())).contains("no text"));
    let random = house.home.path().join("random");
    let mut noise = Random::new(31);
    let bytes: Vec<u8> = std::iter::repeat_with(|| noise.bits() as u8)
        .take(300_000)
        .collect();
    fs::write(&random, bytes).unwrap();
    let words = ["history", "import", &path(&random), "--format", "zsh"];
    assert!(refused(&house, &words).contains("no text"));
    let other = house.home.path().join("laptop.log");
    fill(&other, 2);
    let said = import(&path(&other));
    assert!(said.contains("history merge"), "{said}");
    assert_eq!(commands(&log), before);

    let all = house.said(&["history", "export", "--format", "json"]);
    let out = house.home.path().join("out");
    fs::write(&out, &all).unwrap();
    assert_eq!(house.json(&["history", "import", &path(&out)])["added"], 0);
    let elsewhere = Household::with_worker("", &["--look-every", "50"]);
    drop(open(&log_of(&elsewhere.home), 3));
    assert_eq!(elsewhere.json(&["history", "import", &path(&out)])["added"], 4);
    assert_eq!(elsewhere.said(&["history", "export", "--format", "json"]), all);
    fs::write(&out, format!("{all}{{ echo; }}\n")).unwrap();
    let said = refused(&elsewhere, &["history", "import", &path(&out)]);
    assert!(said.contains("line 5 "), "{said}");
}

#[test]
fn every_command_that_was_exported_is_known_when_it_comes_back() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let log = log_of(&house.home);
    let mut history = open(&log, 1);
    let odd: [&[u8]; 4] = [
        b"echo \xc3\x28",
        b"cat <<E\n#1700000000\n #1700000001\nE",
        b"#5 is a comment",
        "echo ü \u{fffd}".as_bytes(),
    ];
    for (n, command) in odd.into_iter().enumerate() {
        history
            .started((1_700_000_000 + n as i64) * 1_000_000_000, b"/srv/\xff", command)
            .unwrap();
    }
    let there = |log: &Path| -> Vec<(Vec<u8>, Vec<u8>)> {
        let history = History::read(log).unwrap();
        history
            .commands()
            .map(|command| (command.cwd, command.command))
            .collect()
    };
    let elsewhere = Household::with_worker("", &["--look-every", "50"]);
    let other = log_of(&elsewhere.home);
    drop(open(&other, 3));
    for format in ["json", "text"] {
        let out = house.home.path().join(format);
        fs::write(
            &out,
            house.maint(&["history", "export", "--format", format]).stdout,
        )
        .unwrap();
        let words = ["history", "import", out.to_str().unwrap()];
        assert_eq!(house.json(&words)["added"], 0, "{format}");
        // By either the other house gets them once.
        let added = elsewhere.json(&words)["added"].clone();
        assert_eq!(added, if format == "json" { 4 } else { 0 }, "{format}");
    }
    assert_eq!(there(&other), there(&log));
}

#[test]
fn what_is_too_long_is_left_out_and_said_to_be() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let log = log_of(&house.home);
    fill(&log, 1);
    let list = house.home.path().join("list");
    fs::write(&list, format!("echo one\n{}\necho two\n", "x".repeat(3 << 20))).unwrap();
    let words = ["history", "import", list.to_str().unwrap()];
    let said = house.said(&words);
    assert!(
        said.starts_with("2 entries added") && said.contains("1 left out: longer than 1 MiB"),
        "{said}"
    );
    assert_eq!(house.json(&words)["too_long"], 1);
}

#[test]
fn line_ends_of_dos_are_taken_off_and_that_is_said() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let log = log_of(&house.home);
    drop(open(&log, 1));
    let list = house.home.path().join("list");
    fs::write(&list, "#5\r\nls\r\n#6\r\npwd\r\n").unwrap();
    let words = ["history", "import", list.to_str().unwrap()];
    assert!(house.said(&words).contains("as DOS has it"));
    assert_eq!(commands(&log), ["ls", "pwd"]);
    assert_eq!(house.json(&words)["dos_line_ends"], true);
    // A carriage return that is somebody's own stays.
    fs::write(&list, "#7\nprintf 'a\r\n'\n").unwrap();
    assert_eq!(house.json(&words)["dos_line_ends"], false);
    assert_eq!(commands(&log), ["printf 'a\r\n'", "ls", "pwd"]);
}

#[test]
fn what_was_scrubbed_does_not_come_back_by_an_import_and_what_may_is_told() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let log = log_of(&house.home);
    let mut session = house.session();
    session.press("echo hunter2\r").unwrap();
    session.press("echo other\r").unwrap();
    let list = house.home.path().join("list");
    let words = ["history", "import", list.to_str().unwrap()];
    fs::write(&list, "#1600000000\nlogin hunter2\n#1600000001\nls\n").unwrap();
    let said = house.said(&words);
    assert!(
        said.starts_with("2 entries added") && !said.contains("scrub"),
        "{said}"
    );
    let exported = house.said(&["history", "export"]);
    house.said(&["history", "scrub", "hunter2"]);
    // The same file, and what bash and an export have of it.
    assert_eq!(house.json(&words)["taken_out"], 1);
    fs::write(&list, "echo hunter2\necho other\n").unwrap();
    let answer = house.json(&words);
    assert_eq!(
        (&answer["taken_out"], &answer["known"]),
        (&1.into(), &1.into()),
        "{answer}"
    );
    fs::write(&list, exported).unwrap();
    assert_eq!(house.json(&words)["taken_out"], 2);
    fs::write(&list, "#1600000002\nlogin hunter2 again\n").unwrap();
    let said = house.said(&words);
    assert!(
        said.starts_with("1 entry added") && said.contains("history scrub TEXT"),
        "{said}"
    );
    assert_eq!(commands(&log), ["login hunter2 again", "ls", "echo other"]);
}

#[test]
fn an_import_into_a_lost_history_waits_until_it_is_put_back() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let log = log_of(&house.home);
    fill(&log, 20);
    wait("the mirror", || {
        lle_maintenance::real::history::mirrored(&log).is_some_and(|(log, mirror)| log > 64 && log == mirror)
    });
    // A session begins it anew, and somebody wants back what was lost.
    fs::remove_file(&log).unwrap();
    open(&log, 5).started(1, b"/", b"echo anew").unwrap();
    let list = house.home.path().join("list");
    fs::write(&list, "#1500000000\necho from the list\n").unwrap();
    let words = ["history", "import", list.to_str().unwrap()];
    let refused = house.maint(&words);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("restore --accept"),
        "{said}"
    );
    assert!(house.said(&["history", "restore"]).contains("put back"));
    house.said(&words);
    let there = commands(&log);
    assert_eq!(there.len(), 22, "{there:?}");
    assert_eq!(
        (&there[0][..], &there[21][..]),
        ("echo from the list", "echo anew")
    );
}

#[test]
fn an_import_that_is_killed_is_whole_or_did_not_happen() {
    let rounds = number("LUSUSH_KILLS", KILLS);
    let mut random = Random::new(number("LUSUSH_SEED", 1) as u64);
    let house = Household::with_worker("", &["--look-every", "50"]);
    let log = log_of(&house.home);
    fill(&log, 2_000);
    let list = house.home.path().join("list");
    for round in 0..rounds {
        let lines: String = (0..500)
            .map(|n| format!("#{}\nimported {round} {n}\n", 1_500_000_000 + n))
            .collect();
        fs::write(&list, lines).unwrap();
        let words = ["import", list.to_str().unwrap()];
        killed(&house, &words, Duration::from_micros(random.below(40_000) as u64));
        let marker = format!("imported {round} ");
        let there = |log: &Path| commands(log).iter().filter(|c| c.starts_with(&marker)).count();
        let count = there(&log);
        assert!(count == 0 || count == 500, "round {round}: {count} of 500");
        // Killed between mirror and log, the worker puts the log back first.
        house.said_in_time(&["history", "import", list.to_str().unwrap()]);
        assert_eq!(there(&log), 500, "round {round}");
        assert_eq!(
            commands(&log).iter().filter(|c| c.starts_with("echo ")).count(),
            1_600,
            "round {round}"
        );
    }
    assert!(house.said(&["history", "check"]).contains("no damage"));
}
