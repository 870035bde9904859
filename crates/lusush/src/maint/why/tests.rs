//! What `maint why` says of recorded parts, as people read it.

use lle_metrics::{Flight, Identity, NewPart, Recorder};

use super::*;
use crate::text::Ink;

fn snapshot(fill: impl FnOnce(&mut Recorder<'_>)) -> Snapshot {
    let identity = Identity {
        session_id: 0x0123_4567_89ab_cdef,
        pid: 4711,
        ..Identity::default()
    };
    snapshot_of(&identity, fill)
}

fn snapshot_of(identity: &Identity, fill: impl FnOnce(&mut Recorder<'_>)) -> Snapshot {
    let flight = Flight::private(identity);
    flight.update(fill);
    flight.snapshot().expect("a private flight is readable")
}

fn part(kind: PartKind, name: &str, ns: u64, parent: Option<usize>) -> NewPart<'_> {
    NewPart {
        kind,
        name: name.as_bytes(),
        ns,
        may_wait: false,
        parent,
    }
}

fn prompt() -> Snapshot {
    snapshot(|w| {
        let parts = [
            part(PartKind::Command, "slow_fn", 50_000_000, None),
            part(PartKind::Inner, "sleep 0.05", 49_000_000, Some(0)),
            part(PartKind::Substitution, "git status\u{1b}[2J", 80_000_000, None),
            part(PartKind::Own, "paint", 30_000, None),
        ];
        w.parts(Parted::Prompt, 131_000_000, &parts);
        w.parts(Parted::Prompt, 52_000_000, &parts[..2]);
    })
}

#[test]
fn the_parts_of_a_prompt() {
    let text = render::text(&why(&prompt(), Subject::Prompt), Ink::Plain);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text, @r"
    Prompt of session 0123456789abcdef
      2 prompts took 91.5 ms on average, the last one 52 ms
                                            share     last     mean      max      n
      slow_fn                               54.6%    50 ms    50 ms    50 ms      2
        sleep 0.05                          53.6%    49 ms    49 ms    49 ms      2
      $(git status�[2J)                     43.7%        -    80 ms    80 ms      1
      LLE: paint                             0.0%        -    30 µs    30 µs      1
      bash itself, and what is not known     1.6%     2 ms   1.5 ms        -      2
    Most of it is `slow_fn`, which PROMPT_COMMAND runs: see where your start-up
    files set PROMPT_COMMAND. What it sets is used by the shell itself, so it cannot
    be put off; what it only prints could stand in a `$(...)` of PS1, which can.
    ");
}

/// A session whose last prompt took so long.
pub(super) fn taking(ns: u64) -> Why {
    let seen = snapshot(|w| w.parts(Parted::Prompt, ns, &[part(PartKind::Command, "slow", ns, None)]));
    why(&seen, Subject::Prompt)
}

#[test]
fn what_no_longer_runs_is_not_blamed_for_what_it_took() {
    let said = |quick: usize, command: &str, ns: u64| {
        let seen = snapshot(|w| {
            let slow = [part(PartKind::Command, "sleep 0.1", 100_000_000, None)];
            (0..40).for_each(|_| w.parts(Parted::Prompt, 101_000_000, &slow));
            let other = [part(PartKind::Command, command, ns, None)];
            (0..quick).for_each(|_| w.parts(Parted::Prompt, ns + 1_000_000, &other));
        });
        let text = render::text(&why(&seen, Subject::Prompt), Ink::Plain);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (text, expect) in [
        (
            said(0, ":", 20_000),
            "Most of it is `sleep 0.1`, which PROMPT_COMMAND runs",
        ),
        (
            said(9, ":", 20_000),
            "Most of it is `sleep 0.1`, which PROMPT_COMMAND runs",
        ),
        (
            said(40, ":", 20_000),
            "Most of it was `sleep 0.1`, which did not run in the last 40 prompts: it slows them no more.",
        ),
        // The same name, and it has become quick.
        (
            said(40, "sleep 0.1", 20_000),
            "Most of it was `sleep 0.1`, which took 20 µs of the last prompt.",
        ),
    ] {
        assert!(text.contains(expect), "{text}");
    }
}

fn changed_ns(file: &Path) -> i64 {
    std::fs::metadata(file).map_or(0, |found| {
        lle_maintenance::real::start_file::Stamp::of(&found).changed_ns()
    })
}

/// The prompt of a session whose home holds this file; `later` says that it was written since.
fn located(bashrc: &str, later: bool, typed: bool) -> Why {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".bashrc");
    if !later {
        std::fs::write(&file, bashrc).unwrap();
    }
    // It begins now.
    let identity = Identity::of_this_process(7, "", "", "");
    let seen = snapshot_of(&identity, |w| {
        let parts = [
            part(PartKind::Command, "slow_fn", 50_000_000, None),
            part(PartKind::Substitution, "git status", 80_000_000, None),
            part(PartKind::Own, "paint", 30_000, None),
        ];
        w.parts(Parted::Prompt, 131_000_000, &parts);
        w.add(lle_metrics::Counter::PromptChanges, u64::from(typed));
    });
    // The clock of the file system stands still for some milliseconds at a time.
    while later && changed_ns(&file) <= seen.created_wall_ns().cast_signed() {
        std::fs::write(&file, bashrc).unwrap();
    }
    let mut why = why(&seen, Subject::Prompt);
    set_in::locate(&mut why, &seen, Some(home.path()), None);
    why
}

#[test]
fn the_lines_that_set_the_prompt_are_named() {
    let rc = "slow_fn() { sleep 0.05; }\nPROMPT_COMMAND=slow_fn\n\nPS1='$(git status) $ '\n";
    let place = |why: &Why, name: &str| {
        let part = why.parts.iter().find(|part| part.name == name).unwrap();
        part.set_in.clone()
    };
    let why = located(rc, false, false);
    assert_eq!(place(&why, "slow_fn").as_deref(), Some("~/.bashrc:2"));
    assert_eq!(place(&why, "git status").as_deref(), Some("~/.bashrc:4"));
    assert_eq!(place(&why, "paint"), None);
    let text = render::text(&why, Ink::Plain);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("PROMPT_COMMAND is set in ~/.bashrc:2.\n"), "{text}");
    assert!(text.contains("PS1 is set in ~/.bashrc:4.\n"), "{text}");

    // Not where two lines could have, where one was typed, or where the file is another by now.
    let twice = located(&format!("{rc}PS1='$(git status)> '\n"), false, false);
    assert_eq!(place(&twice, "git status"), None);
    assert_eq!(place(&twice, "slow_fn").as_deref(), Some("~/.bashrc:2"));
    for (why, expect) in [
        (
            located(rc, true, false),
            "~/.bashrc has changed since this session began",
        ),
        (located(rc, false, true), "a command in this session"),
    ] {
        assert!(why.parts.iter().all(|part| part.set_in.is_none()), "{why:?}");
        let unknown = why.set_unknown.clone().unwrap();
        assert!(unknown.starts_with(expect), "{unknown}");
    }
}

#[test]
fn wide_names_stay_in_their_columns() {
    for n in [1, 15, 18, 40] {
        let name = "\u{8a9e}".repeat(n);
        let snapshot = snapshot(|w| {
            let parts = [part(PartKind::Command, &name, 50_000_000, None)];
            w.parts(Parted::Prompt, 50_000_000, &parts);
        });
        let text = render::text(&why(&snapshot, Subject::Prompt), Ink::Plain);
        let widths: Vec<_> = text.lines().map(crate::text::width).collect();
        assert!(widths.iter().all(|width| *width <= 80), "{text}");
        // A row is as wide as the heads of its columns.
        assert_eq!(widths[2], widths[3], "{text}");
    }
}

#[test]
fn nothing_yet() {
    let empty = snapshot(|_| {});
    let text = [
        Subject::Prompt,
        Subject::Startup,
        Subject::Key,
        Subject::Completion,
    ]
    .map(|of| render::text(&why(&empty, of), Ink::Plain))
    .concat();
    insta::assert_snapshot!(text, @r"
    Session 0123456789abcdef: no prompt yet.
    Session 0123456789abcdef: no first prompt yet.
    Session 0123456789abcdef: no key yet.
    Session 0123456789abcdef: nothing was completed yet: press Tab behind a command, and ask again.
    ");
}

#[test]
fn the_parts_of_the_start_of_a_key_and_of_a_completion() {
    let seen = snapshot(|w| {
        let parts = [
            part(PartKind::Line, "~/.bashrc:12", 300_000_000, None),
            part(PartKind::File, "~/.bashrc", 380_000_000, None),
            part(PartKind::FirstPrompt, "PROMPT_COMMAND", 9_000_000, None),
        ];
        w.parts(Parted::Start, 400_000_000, &parts);
        w.time(Timer::KeyToPaint, 40_000);
        w.stage(Stage::Readline, 10_000);
        w.stage(Stage::Paint, 30_000);
        w.time(Timer::Highlight, 5_000);
        w.time(Timer::Suggestion, 90_000);
        w.time(Timer::Completion, 6_000_000);
        w.stage(Stage::CompletionFork, 1_000_000);
        w.stage(Stage::CompletionWork, 4_000_000);
    });
    let text = [Subject::Startup, Subject::Key, Subject::Completion]
        .map(|of| render::text(&why(&seen, of), Ink::Plain))
        .concat();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text, @r"
    Start of session 0123456789abcdef
      took 400 ms
                                            share     last     mean      max      n
      ~/.bashrc:12                          75.0%   300 ms   300 ms   300 ms      1
      PROMPT_COMMAND, the first time         2.3%     9 ms     9 ms     9 ms      1
      bash itself, and what is not known    22.8%    91 ms    91 ms        -      1
      each file with all that it sources:
      ~/.bashrc                             95.0%   380 ms   380 ms   380 ms      1
    Most of it is the line ~/.bashrc:12.
    Keys of session 0123456789abcdef
      1 key took 40 µs on average
                                            share     last     mean      max      n
      readline                              25.0%    10 µs    10 µs    10 µs      1
      paint                                 75.0%    30 µs    30 µs    30 µs      1
      besides:
      colouring, in the paint and after it      -        -     5 µs     5 µs      1
      suggestion, after the echo                -        -    90 µs    90 µs      1
    Completion of session 0123456789abcdef
      1 completion took 6 ms on average
                                            share     last     mean      max      n
      start of the child                    16.7%     1 ms     1 ms     1 ms      1
      bash's completion                     66.7%     4 ms     4 ms     4 ms      1
      arrival, and what is not known        16.7%        -     1 ms        -      1
    ");
}

#[test]
fn the_shares_sum_to_the_whole() {
    for of in [
        Subject::Prompt,
        Subject::Startup,
        Subject::Key,
        Subject::Completion,
    ] {
        let why = why(&prompt(), of);
        let shares = why.parts.iter().filter(|part| !part.besides);
        let sum: f64 = shares.filter_map(|part| part.share_percent).sum();
        assert!(why.whole.is_none() || (sum - 100.0).abs() < 0.5, "{why:?}");
    }
}

#[test]
fn what_completes_is_named() {
    let seen = snapshot(|w| {
        for (name, ms) in [("_slow", 300), ("_git", 60)] {
            w.time(Timer::Completion, ms * 1_000_000 + 2_000_000);
            w.stage(Stage::CompletionFork, 1_000_000);
            w.stage(Stage::CompletionWork, ms * 1_000_000);
            let part = part(PartKind::Completer, name, ms * 1_000_000, None);
            w.parts(Parted::Completion, ms * 1_000_000, &[part]);
        }
    });
    let text = render::text(&why(&seen, Subject::Completion), Ink::Plain);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text, @r"
    Completion of session 0123456789abcdef
      2 completions took 182 ms on average
                                            share     last     mean      max      n
      start of the child                     0.5%     1 ms     1 ms     1 ms      2
      bash's completion                     98.9%    60 ms   180 ms   300 ms      2
        _slow                               82.4%        -   300 ms   300 ms      1
        _git                                16.5%    60 ms    60 ms    60 ms      1
      arrival, and what is not known         0.5%        -     1 ms        -      2
    Most of it is `_slow`, which completes: `complete -p` shows for which commands,
    and `complete -r COMMAND` takes it off one.
    ");
}

fn slow_part(name: &str, ms: u64, may_wait: bool) -> NewPart<'_> {
    NewPart {
        may_wait,
        ..part(PartKind::Substitution, name, ms * 1_000_000, None)
    }
}

/// What is said of a prompt in a session that recorded this, where the configuration puts `in_force` off.
fn advised(in_force: &[&str], fill: impl FnOnce(&mut Recorder<'_>)) -> (Why, String) {
    let seen = snapshot(fill);
    let mut why = why(&seen, Subject::Prompt);
    let in_force = in_force.iter().map(|text| (*text).to_owned()).collect();
    put_off::advise(&mut why, &seen, in_force);
    let text = render::text(&why, Ink::Plain);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (why, text)
}

#[test]
fn only_what_can_be_put_off_is_recommended_and_otherwise_it_is_said_why_not() {
    let rounds = |may_wait| {
        move |w: &mut Recorder<'_>| {
            for _ in 0..5 {
                w.parts(
                    Parted::Prompt,
                    45_000_000,
                    &[slow_part("sleep 0.04", 42, may_wait)],
                );
            }
        }
    };
    let (why, text) = advised(&[], rounds(true));
    assert_eq!(why.may_be_cached.as_deref(), Some("sleep 0.04"));
    assert!(
        text.contains("took 42 ms of the 45 ms of the last prompt"),
        "{text}"
    );
    let (why, text) = advised(&[], rounds(false));
    assert_eq!(why.may_be_cached, None);
    assert!(!text.contains("prompt.cached"), "{text}");
    assert!(text.contains("It cannot be put off where it stands"), "{text}");
}

#[test]
fn what_is_put_off_by_now_is_not_recommended_again() {
    let (why, text) = advised(&["sleep 0.2"], |w| {
        for _ in 0..3 {
            w.parts(Parted::Prompt, 206_000_000, &[slow_part("sleep 0.2", 204, true)]);
        }
        for _ in 0..4 {
            w.parts(
                Parted::Prompt,
                21_000_000,
                &[part(PartKind::Own, "paint", 30_000, None)],
            );
        }
    });
    assert_eq!(why.may_be_cached, None, "{text}");
    assert!(!text.contains("config set"), "{text}");
}

#[test]
fn the_command_that_is_advised_keeps_what_was_consented_to() {
    let (_, text) = advised(&["__git_ps1"], |w| {
        for _ in 0..3 {
            w.parts(Parted::Prompt, 40_000_000, &[slow_part("sleep 0.03", 33, true)]);
        }
    });
    assert!(
        text.contains(r#"config set prompt.cached '["__git_ps1","sleep 0.03"]'"#),
        "{text}"
    );
}

#[test]
fn what_runs_twice_in_a_prompt_costs_what_the_prompt_pays() {
    let (why, text) = advised(&[], |w| {
        for _ in 0..3 {
            let twice = [slow_part("git", 55, true), slow_part("git", 111, true)];
            w.parts(Parted::Prompt, 249_000_000, &twice);
        }
    });
    let git = &why.parts[0].spent;
    assert_eq!(
        (git.count, git.mean_ns, git.last_ns),
        (3, Some(166_000_000), git.max_ns)
    );
    assert!(
        text.contains("took 166 ms of the 249 ms of the last prompt"),
        "{text}"
    );
}

#[test]
fn a_text_that_fits_nothing_is_named() {
    let record = |bits: i64| {
        move |w: &mut Recorder<'_>| {
            w.parts(Parted::Prompt, 45_000_000, &[slow_part("git status", 42, true)]);
            w.set(Gauge::PartsUnfit, bits);
        }
    };
    let (why, text) = advised(&["__git_ps1", "git stats"], record(0b10));
    assert_eq!(why.fits_nothing, ["git stats"]);
    assert!(text.contains("at the last prompt: `git stats`."), "{text}");
    let (why, text) = advised(&["__git_ps1", "git stats"], record(0));
    assert_eq!(why.fits_nothing.len(), 0, "{text}");
    // What the session chose is not what the configuration says.
    let (why, _) = advised(&["__git_ps1", "git stats"], record(1 << 62 | 1));
    assert_eq!(why.fits_nothing, ["number 1 of lle cached"]);
}

#[test]
fn what_is_not_timed_is_named() {
    let (_, text) = advised(&[], |w| {
        w.parts(
            Parted::Prompt,
            195_000,
            &[part(PartKind::Own, "paint", 30_000, None)],
        );
        w.set(Gauge::PromptUnseen, 0b101);
    });
    assert!(
        text.contains("not timed: what PS0 runs before a command, the trap on DEBUG before each command."),
        "{text}"
    );
    let seen = snapshot(|w| {
        w.parts(Parted::Start, 1_300_000, &[]);
        w.set(Gauge::StartBeforeNs, 310_000_000);
    });
    let text = render::text(&why(&seen, Subject::Startup), Ink::Plain);
    assert!(
        text.contains("The 310 ms before LLE was loaded are not in here"),
        "{text}"
    );
}

#[test]
fn what_no_line_sets_is_named_and_what_one_sets_is_not_doubted() {
    let home = tempfile::tempdir().unwrap();
    let rc = "PROMPT_COMMAND='PS1=\"$(sleep 0.03; echo A)\"; if true; then sleep 0.02; fi'\n";
    std::fs::write(home.path().join(".bashrc"), rc).unwrap();
    let located = |parts: &[NewPart<'_>]| {
        let identity = Identity::of_this_process(7, "", "", "");
        let seen = snapshot_of(&identity, |w| w.parts(Parted::Prompt, 131_000_000, parts));
        let mut why = why(&seen, Subject::Prompt);
        set_in::locate(&mut why, &seen, Some(home.path()), None);
        why
    };
    let all = [
        part(PartKind::Command, "PS1=...", 80_000_000, None),
        part(PartKind::Command, "sleep 0.02", 20_000_000, None),
    ];
    assert_eq!(located(&all).set_unknown, None);
    let foreign = [all[0], part(PartKind::Command, "__other", 30_000_000, None)];
    let unknown = located(&foreign).set_unknown;
    assert_eq!(
        unknown.as_deref(),
        Some(
            "no single line of the start-up files that this session is known to have read assigns `__other` as it runs"
        )
    );
}

#[test]
fn a_line_of_a_file_that_the_start_has_read_is_named_however_quick_it_was() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".bashrc"), ". \"$lib\"\n").unwrap();
    let (lib, other) = (home.path().join("lib.sh"), home.path().join("other.sh"));
    std::fs::write(&lib, "a=1\nPROMPT_COMMAND='sleep 0.1'\n").unwrap();
    std::fs::write(&other, "PROMPT_COMMAND='sleep 0.1'\n").unwrap();
    let parts = [part(PartKind::Command, "sleep 0.1", 100_000_000, None)];
    let mut seen = None;
    // The clock of the file system stands still for some milliseconds at a time.
    while seen
        .as_ref()
        .is_none_or(|seen: &Snapshot| changed_ns(&other) > seen.created_wall_ns().cast_signed())
    {
        let identity = Identity::of_this_process(7, "", "", "");
        seen = Some(snapshot_of(&identity, |w| {
            w.parts(Parted::Prompt, 131_000_000, &parts);
        }));
    }
    let seen = seen.unwrap();
    let located = |files: &[&Path], is_whole: bool| {
        let read = crate::start_record::HasRead {
            files: files.iter().map(|file| file.to_path_buf()).collect(),
            is_whole,
        };
        let mut why = why(&seen, Subject::Prompt);
        set_in::locate(&mut why, &seen, Some(home.path()), Some(&read));
        (why.parts[0].set_in.clone(), why.set_unknown)
    };
    assert_eq!(located(&[&lib], true), (Some("~/lib.sh:2".to_owned()), None));
    assert_eq!(located(&[&lib, &other], true).0, None, "either may have done it");
    let (set_in, unknown) = located(&[&lib], false);
    assert_eq!(set_in, None, "one that is not known may have, too");
    assert!(unknown.unwrap().contains("more files"));
}
