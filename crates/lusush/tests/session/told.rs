//! What the worker wants: it is said at a prompt, once, and memory is given back.

use lle_metrics::{Counter, Gauge};
use support::press;

use super::*;

#[test]
fn an_alert_waits_for_the_next_prompt_and_is_shown_once() {
    let (home, mut terminal) = session("");
    let seen = Seen::of(&home);
    press(&mut terminal, "echo half", "$ echo half");
    let screen = terminal.text();
    let id = seen.id();
    seen.want(
        4,
        &[
            (8, id, "the second"),
            (7, id, "the history log is on a full disk"),
            (9, id ^ 1, "not for you"),
        ],
        &[],
    );
    assert!(seen.wake());
    seen.wait(&mut terminal, "the session to look", |s| {
        s.gauge(Gauge::ConfigGeneration) == Some(4)
    });
    terminal.settle().unwrap();
    assert_eq!(terminal.text(), screen, "nothing is shown while one types");
    assert_eq!(seen.counter(Counter::Wakes), 1);
    assert_eq!(seen.gauge(Gauge::AlertsShown), None);

    press(
        &mut terminal,
        " line\r",
        "$ echo half line\nhalf line\n\
         lusush: warning: the history log is on a full disk\n\
         lusush: warning: the second\n$",
    );
    assert_eq!(seen.gauge(Gauge::AlertsShown), Some(8));
    press(&mut terminal, "clear\r", "$");
    press(&mut terminal, "echo again\r", "$ echo again\nagain\n$");
    // Neither a new generation nor a wake shows it again, and without a wake the next prompt looks by itself.
    seen.want(5, &[(8, id, "the second"), (10, id, "the third")], &[]);
    press(&mut terminal, "\r", "lusush: warning: the third\n$");
    assert!(!terminal.text().contains("the second") && !terminal.text().contains("not for you"));
    assert_eq!(seen.gauge(Gauge::AlertsShown), Some(10));
    assert_eq!(seen.gauge(Gauge::ConfigGeneration), Some(5));
}

#[test]
fn more_alerts_than_one_prompt_has_room_for_come_at_the_next() {
    let (home, mut terminal) = session("");
    let seen = Seen::of(&home);
    let id = seen.id();
    let texts: Vec<_> = (1..=8).map(|n| format!("alert number {n}")).collect();
    let alerts: Vec<_> = texts
        .iter()
        .zip(1..)
        .map(|(text, n)| (n, id, text.as_str()))
        .collect();
    seen.want(1, &alerts, &[]);
    press(&mut terminal, "\r", "alert number 6\n$");
    assert!(!terminal.text().contains("alert number 7"));
    press(
        &mut terminal,
        "\r",
        "alert number 7\nlusush: warning: alert number 8\n$",
    );
}

#[test]
fn an_idle_session_gives_memory_back_when_it_is_asked() {
    // What was allocated and freed stays with the allocator: a list of small pieces, and one behind it in use.
    let (home, mut terminal) = session("");
    let seen = Seen::of(&home);
    let line = "x=(); for i in {1..40000}; do x+=(piece$i); done; y=end; unset x\r";
    press(&mut terminal, line, "$");
    press(&mut terminal, "half a line", "$ half a line");
    let id = seen.id();
    seen.want(2, &[], &[(5, id), (6, id ^ 1)]);
    assert!(seen.wake());
    seen.wait(&mut terminal, "the trim", |s| {
        s.gauge(Gauge::TrimToken) == Some(5)
    });
    terminal.settle().unwrap();
    assert!(terminal.text().ends_with("$ half a line"), "{}", terminal.text());
    // A bash with an allocator of its own answers, and knows nothing.
    if let Some(spent) = seen.gauge(Gauge::TrimNs) {
        assert!(spent > 0);
        let (before, after) = (
            seen.gauge(Gauge::TrimBeforeBytes),
            seen.gauge(Gauge::TrimAfterBytes),
        );
        assert!(after.unwrap() > 0 && before > after, "{before:?} {after:?}");
        assert_eq!(seen.counter(Counter::Trims), 1);
        let [arena, used, free] = [
            Gauge::MallocArenaBytes,
            Gauge::MallocUsedBytes,
            Gauge::MallocFreeBytes,
        ]
        .map(|gauge| seen.gauge(gauge).unwrap());
        assert!(
            used > 0 && free > 0 && used + free <= arena,
            "{arena} {used} {free}"
        );
        eprintln!("trim: {before:?} to {after:?} bytes in {spent} ns; arena {arena}, free {free}");
    }
    // Looked at again, it is not done again.
    let trims = seen.counter(Counter::Trims);
    seen.want(3, &[], &[(5, id)]);
    assert!(seen.wake());
    seen.wait(&mut terminal, "the session to look", |s| {
        s.gauge(Gauge::ConfigGeneration) == Some(3)
    });
    terminal.settle().unwrap();
    assert_eq!(seen.counter(Counter::Trims), trims);
}
