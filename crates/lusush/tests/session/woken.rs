//! The wake socket: who sends to it is heard, however much is typed, and disturbs nobody.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use lle_pty::deadline;
use rustix::process::Signal;
use support::press;

use super::*;

#[test]
fn a_flood_of_wakes_delays_no_key() {
    let (home, mut terminal) = session("");
    let seen = Seen::of(&home);
    let socket = seen.flight.with_extension("wake");
    assert_eq!(
        fs::symlink_metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let sender = UnixDatagram::unbound().unwrap();
            sender.set_nonblocking(true).unwrap();
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                // Full: the session leaves it alone by now.
                if sender.send_to(&[b'x'; 4000], &socket).is_err() {
                    std::thread::yield_now();
                }
            }
        });
        let typed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            seen.wait(&mut terminal, "a wake", |s| s.counter(Counter::Wakes) > 0);
            // Its wait has a limit as long as the flood lasts: it looks settled behind a key only.
            let mut shows = |keys: &str, expect: &str| {
                terminal.type_bytes(keys.as_bytes()).unwrap();
                terminal.wait_for(expect, |t| t.text().ends_with(expect)).unwrap();
            };
            for n in 0..3 {
                shows(
                    &format!("echo typed in flood {n}\r"),
                    &format!("\ntyped in flood {n}\n$"),
                );
            }
            // It leaves alone what is sent: ten times a second is less than the socket takes.
            terminal
                .wait_for("the flood to be left alone", |_| !seen.wake())
                .unwrap();
            terminal.type_bytes(b"a").unwrap();
            terminal.wait_for("a key", |t| t.text().ends_with("$ a")).unwrap();
        }));
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        typed.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    // Afterwards it is heard as before, without a key.
    seen.want(6, &[], &[]);
    terminal
        .wait_for("the socket to take more", |_| seen.wake())
        .unwrap();
    seen.wait(&mut terminal, "the session to look", |s| {
        s.gauge(Gauge::ConfigGeneration) == Some(6)
    });
    press(&mut terminal, "\x15echo calm\r", "\ncalm\n$");
}

#[test]
fn a_session_whose_runtime_folder_vanished_can_be_woken_again() {
    let (home, mut terminal) = session("");
    let id = Seen::of(&home).id();
    fs::remove_dir_all(home.lusush().join("run")).unwrap();
    press(&mut terminal, "echo on\r", "\non\n$");
    let seen = Seen::of(&home);
    assert_eq!(seen.id(), id);
    assert_eq!(lle_metrics::liveness(&seen.flight), Liveness::Alive);
    seen.want(3, &[(1, id, "still there")], &[]);
    assert!(seen.wake());
    seen.wait(&mut terminal, "the session to look", |s| {
        s.gauge(Gauge::ConfigGeneration) == Some(3)
    });
    press(&mut terminal, "\r", "still there\n$");
}

#[test]
fn a_script_that_takes_the_descriptors_is_not_disturbed_and_disturbs_nothing() {
    let (home, mut terminal) = session("");
    let seen = Seen::of(&home);
    let taken = home.path().join("taken");
    press(
        &mut terminal,
        "for ((f = 3; f < 255; f++)); do eval \"exec $f>&-\"; done; echo closed\r",
        "\nclosed\n$",
    );
    assert!(seen.wake(), "there is another socket");
    seen.wait(&mut terminal, "the wake", |s| s.counter(Counter::Wakes) == 1);
    // Now it is a file of the user's, which stays open and theirs.
    press(
        &mut terminal,
        "exec 222>&-; exec 222>>~/taken; echo x >&222\r",
        "\n$",
    );
    assert!(seen.wake(), "there is a third");
    seen.wait(&mut terminal, "the wake", |s| s.counter(Counter::Wakes) == 2);
    seen.want(2, &[(1, seen.id(), "told at the prompt")], &[]);
    press(&mut terminal, "echo y >&222\r", "told at the prompt\n$");
    assert_eq!(fs::read_to_string(taken).unwrap(), "x\ny\n");
    assert_eq!(lle_metrics::liveness(&seen.flight), Liveness::Alive);
}

#[test]
fn a_clean_exit_leaves_no_socket_and_a_subshell_s_leaves_it_alone() {
    let (home, mut terminal) = session("");
    press(&mut terminal, "(exit 0); echo $(echo inner)\r", "\ninner\n$");
    assert_eq!(files(&home, "wake").len(), 1);
    terminal.type_bytes(b"exit\r").unwrap();
    terminal.wait_exit(deadline()).unwrap();
    assert_eq!(files(&home, "wake"), Vec::<PathBuf>::new());
    assert_eq!(files(&home, "flight"), Vec::<PathBuf>::new());
}

#[test]
fn someone_who_types_without_a_pause_keeps_no_wake_waiting() {
    let (home, mut terminal) = session("");
    let seen = Seen::of(&home);
    press(&mut terminal, "a", "$ a");
    seen.want(2, &[], &[]);
    let began = Instant::now();
    assert!(seen.wake());
    // Each key is typed as soon as the one before it is seen: the session never waits for a quarter of a second.
    while seen.gauge(Gauge::ConfigGeneration) != Some(2) {
        assert!(began.elapsed() < deadline(), "the wake is not heard");
        for key in ["b", "\x7f"] {
            terminal.type_bytes(key.as_bytes()).unwrap();
            let expect = if key == "b" { "$ ab" } else { "$ a" };
            terminal.wait_for(expect, |t| t.text().ends_with(expect)).unwrap();
        }
    }
    assert_eq!(seen.counter(Counter::Wakes), 1);
    // It listens to nothing but the terminal for a while after each key: a wake in that time is heard when it is over.
    seen.want(3, &[], &[]);
    terminal.type_bytes(b"c").unwrap();
    assert!(seen.wake());
    seen.wait(&mut terminal, "the session to look", |s| {
        s.gauge(Gauge::ConfigGeneration) == Some(3)
    });
}

#[test]
fn signals_that_come_again_and_again_keep_no_wake_waiting() {
    let (home, mut terminal) = session("");
    let seen = Seen::of(&home);
    press(&mut terminal, "a", "$ a");
    seen.want(2, &[], &[]);
    assert!(seen.wake());
    let began = Instant::now();
    // Each comes before the wait for the next key alone would be over.
    while seen.gauge(Gauge::ConfigGeneration) != Some(2) {
        assert!(began.elapsed() < deadline(), "the wake is not heard");
        terminal.signal(Signal::WINCH).unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    press(&mut terminal, "b", "$ ab");
}
