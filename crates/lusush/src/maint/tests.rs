//! Synthetic flights, rendered: what people and programs see of each situation.

use lle_metrics::{Counter, Draft, EventKind, Flight, Gauge, Identity, Liveness, Timer};

use super::memory_only::MemoryOnly;
use super::render;
use super::session::{Session, Status, Unreadable};
use crate::text::{COLUMNS, Ink};
use lle_maintenance::world::Cost;

const S: u64 = 1_000_000_000;
/// The signal of a closed terminal, as sessions record it.
const SIGHUP: i64 = 1;

/// When the synthetic sessions are looked at.
const NOW: u64 = 1_700_000_000 * S;

/// A session that started 7500 s ago on this boot.
fn flight() -> Flight {
    Flight::private(&Identity {
        session_id: 0x5eed,
        boot_id: [7; 16],
        pid: 4711,
        start_ticks: 12,
        created_wall_ns: NOW - 7_500 * S,
        tty: "/dev/pts/3".to_owned(),
        bash_version: "5.2.15(1)-release".to_owned(),
        lle_version: "0.1.0".to_owned(),
    })
}

/// What can be told of a flight; its last sign of life is 200 s old, and so are its events.
fn session(flight: &Flight, liveness: Liveness, cost: Result<Cost, String>) -> Session {
    let mut session = Session::of(&flight.snapshot().unwrap(), liveness, Some(false), cost);
    session
        .gauges
        .insert("seen_wall_ns", Some((NOW - 200 * S) as i64));
    for event in &mut session.events {
        event.wall_ns = NOW - 200 * S;
    }
    session
}

fn status(sessions: Vec<Session>, dead: Vec<Session>) -> Status {
    Status {
        sessions,
        dead,
        ..Status::empty(NOW, "/run/user/1000/lusush/sessions".to_owned())
    }
}

fn cost() -> Result<Cost, String> {
    Ok(Cost {
        rss_anon_bytes: 1_728_512,
        cpu_ns: 340_000_000,
    })
}

/// Renders without colour, checking that it fits.
fn rendered(status: &Status) -> String {
    let text = render::status(status, Ink::Plain);
    for line in text.lines() {
        assert!(
            line.chars().count() <= COLUMNS,
            "{line:?} is wider than {COLUMNS}"
        );
        assert!(line.trim_end() == line, "{line:?} ends in spaces");
    }
    text
}

/// A session someone has typed in.
fn busy() -> Flight {
    let flight = flight();
    flight.update(|w| {
        w.set(Gauge::On, 1);
        w.set(Gauge::HighlightOn, 1);
        w.set(Gauge::SuggestOn, 0);
        w.set(Gauge::LastStatus, 130);
        w.set(Gauge::CommandRunning, 0);
        w.set(Gauge::PromptLastNs, 212_000_000);
        w.set(Gauge::PromptCommandLastNs, 3_000_000);
        w.set(Gauge::PromptExpandLastNs, 190_000_000);
        w.prompt_blame(b"__git_ps1");
        w.add(Counter::Keys, 12_345);
        w.add(Counter::TypeAheadKeys, 12);
        w.add(Counter::Commands, 321);
        for n in 1..=1_000 {
            w.time(Timer::KeyToPaint, 150_000 + n * 100);
            w.time(Timer::Highlight, 9_000 + n);
            w.time(Timer::PaintBytes, 1 + n % 9);
        }
        w.time(Timer::Prompt, 212_000_000);
    });
    flight
}

#[test]
fn no_session() {
    insta::assert_snapshot!(rendered(&status(Vec::new(), Vec::new())));
}

#[test]
fn a_live_session() {
    let session = session(&busy(), Liveness::Alive, cost());
    insta::assert_snapshot!(rendered(&status(vec![session], Vec::new())));
}

#[test]
fn a_live_session_as_json() {
    let session = session(&busy(), Liveness::Alive, cost());
    let json = serde_json::to_string_pretty(&status(vec![session], Vec::new())).unwrap();
    insta::assert_snapshot!(json);
}

#[test]
fn a_session_in_trouble_with_a_command_running() {
    let flight = busy();
    flight.update(|w| {
        w.set(Gauge::CommandRunning, 1);
        w.set(Gauge::CommandStartedWallNs, (NOW - 65 * S) as i64);
        w.last_command(b"for f in *; do\n\techo \x1b[31m$f; done | sort | uniq -c | sort -rn | head");
        w.set(Gauge::InstructionsPerKey, 41_000);
        w.set(Gauge::MemoryOnly, 1);
        w.set(Gauge::PrivateMode, 1);
        w.add(Counter::Panics, 1);
        w.add(Counter::Fallbacks, 2);
        w.add(Counter::HistoryAppendFailures, 3);
    });
    let session = session(
        &flight,
        Liveness::Alive,
        Err("process 4711 is not visible here".to_owned()),
    );
    insta::assert_snapshot!(rendered(&status(vec![session], Vec::new())));
}

#[test]
fn a_session_that_has_recorded_nothing() {
    let session = session(
        &flight(),
        Liveness::Unknown,
        Err("process 4711 is not visible here".to_owned()),
    );
    insta::assert_snapshot!(rendered(&status(vec![session], Vec::new())));
}

#[test]
fn last_words_and_files_that_are_none() {
    let typing = busy();
    typing.update(|w| {
        w.draft(&"git commit -m 'всё 漢字' ".repeat(200).into_bytes(), Draft::Kept);
        w.set(Gauge::CommandRunning, 1);
        w.set(Gauge::CommandStartedWallNs, (NOW - 300 * S) as i64);
        w.last_command(b"make -j8");
        w.event(EventKind::Started, 0, 0, b"");
        w.event(EventKind::Panic, 0, 0, b"index out of bounds: the length is 3");
        w.add(Counter::Panics, 1);
    });
    let hidden = flight();
    hidden.update(|w| w.draft(b"", Draft::Hidden));
    let gone = || Err("gone".to_owned());
    let mut other_boot = session(&hidden, Liveness::Dead, gone());
    other_boot.another_boot = Some(true);
    other_boot.torn = true;
    let mut status = status(
        Vec::new(),
        vec![session(&typing, Liveness::Dead, gone()), other_boot],
    );
    status.unreadable.push(Unreadable {
        file: "\x1b]0;x\x07.flight".to_owned(),
        problem: "is not a flight file".to_owned(),
    });
    status.left_out = 1_234;
    insta::assert_snapshot!(rendered(&status));
}

#[test]
fn many_that_are_gone_take_little_room_and_exec_is_told_apart() {
    let gone = |seen_ns: u64, command: &[u8]| {
        let flight = flight();
        flight.update(|w| w.last_command(command));
        let mut session = session(&flight, Liveness::Dead, Err("gone".to_owned()));
        let seen = Some(seen_ns.cast_signed());
        session.gauges.insert("seen_wall_ns", seen);
        session
    };
    let mut went_on = gone(NOW - S, b"exec bash");
    went_on.replaced = Some(true);
    let old = gone(NOW - 900 * S, b"echo the oldest");
    let dead = vec![old, gone(NOW - 2 * S, b"make"), went_on, gone(NOW - 3 * S, b"ls")];
    let text = rendered(&status(Vec::new(), dead));
    assert!(text.contains("Ended without a word: 3\n"), "{text}");
    assert!(text.contains("Became another program (exec): 1\n"), "{text}");
    assert_eq!(text.matches("last seen").count(), 2, "{text}");
    let before = text.split("And before them:\n").nth(1).unwrap();
    assert!(before.lines().next().unwrap().contains("15 min ago"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn a_closed_terminal_is_no_crash() {
    let closed = flight();
    closed.update(|w| {
        w.last_command(b"echo hi");
        w.event(EventKind::Started, 0, 0, b"");
        w.event(EventKind::Signal, SIGHUP, 0, b"");
        w.event(EventKind::Off, 0, 0, b"");
    });
    let gone = |flight: &Flight| session(flight, Liveness::Dead, Err("gone".to_owned()));
    let text = rendered(&status(Vec::new(), vec![gone(&closed), gone(&closed)]));
    insta::assert_snapshot!(text);
    // What came after it, or another signal, is another end.
    closed.update(|w| w.event(EventKind::Panic, 0, 0, b""));
    let text = rendered(&status(Vec::new(), vec![gone(&closed), gone(&busy())]));
    assert!(text.contains("Ended without a word: 2\n"), "{text}");
    assert!(!text.contains("with their terminal"), "{text}");
}

#[test]
fn where_the_last_prompt_spent_its_time() {
    fn check(record: impl Fn(&mut lle_metrics::Recorder<'_>), expect: &str) {
        let flight = flight();
        flight.update(|w| record(w));
        let text = rendered(&status(
            vec![session(&flight, Liveness::Alive, cost())],
            Vec::new(),
        ));
        assert!(text.contains(&format!("  last prompt      {expect}\n")), "{text}");
    }
    let ms = |n: i64| n * 1_000_000;
    check(|_| (), "unknown: none was timed yet");
    check(
        |w| w.set(Gauge::PromptLastNs, ms(5)),
        "5 ms; its parts are unknown",
    );
    check(
        |w| {
            w.set(Gauge::PromptLastNs, ms(212));
            w.set(Gauge::PromptBlameNs, ms(190));
            w.prompt_blame(b"__git_ps1");
        },
        "212 ms, of it 190 ms in `__git_ps1`",
    );
    check(
        |w| {
            w.set(Gauge::PromptLastNs, ms(212));
            w.set(Gauge::PromptCommandLastNs, ms(200));
            w.set(Gauge::PromptExpandLastNs, ms(2));
            w.prompt_blame(b"update_prompt");
        },
        "212 ms, of it 200 ms in PROMPT_COMMAND (`update_prompt`)",
    );
    check(
        |w| {
            w.set(Gauge::PromptLastNs, ms(212));
            w.set(Gauge::PromptExpandLastNs, ms(210));
        },
        "212 ms, of it 210 ms in PS1",
    );
}

#[test]
fn colour_adds_nothing_but_colour() {
    let flight = busy();
    flight.update(|w| w.add(Counter::Panics, 1));
    let status = status(vec![session(&flight, Liveness::Alive, cost())], Vec::new());
    let mut coloured = render::status(&status, Ink::Colour);
    assert!(coloured.contains("\x1b[31m"));
    for code in ["\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[m"] {
        coloured = coloured.replace(code, "");
    }
    assert_eq!(coloured, rendered(&status));
}

#[test]
fn a_session_that_no_file_tells_of() {
    let mut unseen = status(Vec::new(), Vec::new());
    let folder = "/run/user/1000/lusush/0123456789abcdef/sessions";
    unseen.memory_only = Some(MemoryOnly {
        session: "00000000000011fe".to_owned(),
        pid: Some(4711),
        unseen: Some(format!("{folder}: No space left on device (os error 28)")),
        history: Some("cannot create the log /home/me/x.log: No space left on device".to_owned()),
        commands_waiting: Some(3),
    });
    insta::assert_snapshot!(rendered(&unseen));
    // Others can be seen, and it can be by them.
    let mut seen = status(vec![session(&busy(), Liveness::Alive, cost())], Vec::new());
    seen.memory_only = Some(MemoryOnly {
        session: "0000000000005eed".to_owned(),
        history: Some("none of XDG_STATE_HOME, HOME is set".to_owned()),
        ..MemoryOnly::default()
    });
    let text = rendered(&seen);
    assert!(text.contains("kept by bash alone: none of"), "{text}");
    assert!(
        text.contains("set HOME") && !text.contains("tried again"),
        "{text}"
    );
    assert!(!text.contains("can be seen"), "{text}");
    // Nor can others be looked for.
    unseen.sessions_unknown = Some("/run is a link or open to others".to_owned());
    let text = rendered(&unseen);
    assert!(
        text.contains("Whether others run is unknown: /run is a link"),
        "{text}"
    );
}
