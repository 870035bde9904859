//! The history view against a model: what sessions append, interleaved, is what comes back.
// A panic is the report.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use lle_log::history::{Command, History, UNSAVED_BYTES_MAX};
use lle_log::search::PrefixSearch;
use lle_log::{AppendError, Disturbance, PAYLOAD_BYTES_MAX};
use proptest::prelude::*;

fn open(path: &Path, session: u64) -> History {
    History::open(path, session, 0, None).unwrap().history
}

fn texts(commands: impl IntoIterator<Item = Command>) -> Vec<String> {
    commands
        .into_iter()
        .map(|command| String::from_utf8_lossy(&command.command).into_owned())
        .collect()
}

#[derive(Clone, Debug)]
enum Step {
    Start {
        session: usize,
        time_ns: i64,
        cwd: Vec<u8>,
        command: Vec<u8>,
    },
    Continue {
        pick: usize,
        more: Vec<u8>,
    },
    Finish {
        pick: usize,
        status: i32,
        duration_ns: u64,
    },
}

fn bytes(length: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..length)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3usize, any::<i64>(), bytes(6), bytes(20)).prop_map(|(session, time_ns, cwd, command)| {
            Step::Start {
                session,
                time_ns,
                cwd,
                command,
            }
        }),
        (any::<usize>(), bytes(20)).prop_map(|(pick, more)| Step::Continue { pick, more }),
        (any::<usize>(), any::<i32>(), any::<u64>()).prop_map(|(pick, status, duration_ns)| Step::Finish {
            pick,
            status,
            duration_ns
        }),
    ]
}

/// Appends `steps` with one handle a session, and to a model.
fn replay(steps: &[Step], sessions: &mut [History]) -> Vec<Command> {
    let mut model: Vec<Command> = Vec::new();
    for step in steps {
        match step {
            Step::Start {
                session,
                time_ns,
                cwd,
                command,
            } => {
                let seq = sessions[*session].started(*time_ns, cwd, command).unwrap();
                model.push(Command {
                    session: sessions[*session].session(),
                    seq,
                    time_ns: *time_ns,
                    cwd: cwd.clone(),
                    command: command.clone(),
                    status: None,
                    duration_ns: None,
                    imported: false,
                });
            }
            Step::Continue { pick, more } => {
                let Some(command) = pick_one(&mut model, *pick).filter(|command| command.status.is_none())
                else {
                    continue;
                };
                let session = sessions
                    .iter_mut()
                    .find(|session| session.session() == command.session)
                    .unwrap();
                session.continued(command.seq, 0, more).unwrap();
                command.command.push(b'\n');
                command.command.extend_from_slice(more);
            }
            Step::Finish {
                pick,
                status,
                duration_ns,
            } => {
                let Some(command) = pick_one(&mut model, *pick).filter(|command| command.status.is_none())
                else {
                    continue;
                };
                let session = sessions
                    .iter_mut()
                    .find(|session| session.session() == command.session)
                    .unwrap();
                session.finished(command.seq, 0, *status, *duration_ns).unwrap();
                command.status = Some(*status);
                command.duration_ns = Some(*duration_ns);
            }
        }
    }
    model
}

fn pick_one(model: &mut [Command], pick: usize) -> Option<&mut Command> {
    let count = model.len();
    model.get_mut(pick.checked_rem(count)?)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn history_of_the_replayed_log_is_the_history(
        steps in proptest::collection::vec(step(), 0..60), split in 0..60usize, n in 0..20usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut sessions: Vec<_> = (1..=3).map(|session| open(&path, session)).collect();
        let mut reader = open(&path, 9);
        let mut cursor = reader.cursor_at_end();
        let model = replay(&steps, &mut sessions);
        let fresh: Vec<_> = open(&path, 10).commands().collect();
        prop_assert_eq!(&fresh, &model);
        prop_assert_eq!(reader.refresh().unwrap(), !model.is_empty());
        prop_assert_eq!(reader.tail(n), model[model.len().saturating_sub(n)..].to_vec());

        let mut news = reader.since(&mut cursor, split);
        news.extend(reader.since(&mut cursor, usize::MAX));
        let ids = |commands: &[Command]| commands.iter().map(|one| (one.session, one.seq)).collect::<Vec<_>>();
        prop_assert_eq!(ids(&news), ids(&model));
        prop_assert!(reader.since(&mut cursor, usize::MAX).is_empty());
    }

    #[test]
    fn a_search_key_by_key_finds_what_a_fresh_one_finds(
        commands in proptest::collection::vec("[ab]{0,6}", 0..40), typed in proptest::collection::vec("[ab]{0,7}", 0..12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut history = open(&folder.path().join("log"), 1);
        let mut search = PrefixSearch::new();
        for (index, command) in commands.iter().enumerate() {
            history.started(0, b"/", command.as_bytes()).unwrap();
            if let Some(text) = typed.get(index) {
                // Typed and partly taken back, then the next line, while the log grows.
                for end in (0..=text.len()).chain([text.len() / 2, text.len()]) {
                    let known = &commands[..=index];
                    let fits = |command: &&String| command.len() > end && command.starts_with(&text[..end]);
                    let expect = known.iter().rev().find(fits).map(String::as_bytes).filter(|_| end > 0);
                    prop_assert_eq!(search.find(&history, &text.as_bytes()[..end]), expect);
                }
            }
        }
    }
}

#[test]
fn unsaved_are_the_commands_of_sessions_that_did_not_end_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let (path, import) = (folder.path().join("log"), folder.path().join("bash_history"));
    std::fs::write(&import, "imported\n").unwrap();
    let mut ended = History::open(&path, 1, 0, Some(&import)).unwrap().history;
    let (mut killed, mut live) = (open(&path, 2), open(&path, 3));
    ended.started(1, b"/", b"ended 1").unwrap();
    let one = killed.started(2, b"/", b"killed 1 \\").unwrap();
    live.started(3, b"/", b"live 1").unwrap();
    ended.started(4, b"/", b"ended 2").unwrap();
    killed.continued(one, 5, b"more").unwrap();
    killed.finished(one, 5, 0, 6).unwrap();
    let secret = killed.started(6, b"/", b"secret").unwrap();
    killed.redact(2, secret).unwrap();
    killed.started(6, b"/", b"killed 2").unwrap();
    let check = |n: usize, expect: &[&str]| assert_eq!(texts(open(&path, 9).unsaved(n)), expect, "{n}");
    check(
        9,
        &["ended 1", "killed 1 \\\nmore", "live 1", "ended 2", "killed 2"],
    );
    ended.ended(7).unwrap();
    check(9, &["killed 1 \\\nmore", "live 1", "killed 2"]);
    check(2, &["live 1", "killed 2"]);
    check(0, &[]);
    live.ended(8).unwrap();
    check(9, &["killed 1 \\\nmore", "killed 2"]);
    // Something kept it from ending after all.
    ended.started(9, b"/", b"ended 3").unwrap();
    check(9, &["killed 1 \\\nmore", "killed 2", "ended 3"]);

    let log = open(&path, 9);
    assert_eq!(
        log.tail(usize::MAX).len(),
        7,
        "a record of an end hides nothing elsewhere"
    );
    let report = log.check();
    assert_eq!((report.records, report.commands, report.ended), (12, 6, 2));
    assert_eq!((report.damaged_runs, report.torn_tail_bytes), (0, 0));
}

#[test]
fn unsaved_looks_no_further_back_than_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let quarter = vec![b'x'; UNSAVED_BYTES_MAX as usize / 4];
    let mut killed = open(&path, 1);
    killed.started(1, b"/", b"long ago").unwrap();
    killed.started(1, b"/", &quarter).unwrap();
    assert_eq!(killed.unsaved(9).len(), 2);
    let mut ended = open(&path, 2);
    for _ in 0..3 {
        ended.started(1, b"/", &quarter).unwrap();
    }
    ended.ended(2).unwrap();
    assert_eq!(
        open(&path, 3).unsaved(9).len(),
        1,
        "the one that reaches into the last bytes"
    );
}

#[test]
fn a_clock_that_jumps_back_reorders_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut history = open(&folder.path().join("log"), 1);
    for (time_ns, command) in [(50, "one"), (-7, "two"), (i64::MAX, "three"), (i64::MIN, "four")] {
        history.started(time_ns, b"/", command.as_bytes()).unwrap();
    }
    assert_eq!(texts(history.commands()), ["one", "two", "three", "four"]);
    assert_eq!(texts(history.tail(2)), ["three", "four"]);
}

#[test]
fn a_long_command_is_kept_and_an_overlong_one_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut history = open(&folder.path().join("log"), 1);
    for length in [100_000, PAYLOAD_BYTES_MAX - 4 - 1] {
        let long = vec![b'x'; length];
        history.started(1, b"/", &long).unwrap();
        assert!(history.tail(1)[0].command == long);
    }
    let error = history
        .started(1, b"/", &vec![b'x'; PAYLOAD_BYTES_MAX])
        .unwrap_err();
    assert!(matches!(error, AppendError::TooLong { .. }), "{error}");
    history.started(1, b"/", b"short").unwrap();
    assert_eq!(history.check().records, 3);
    // What is too long to be suggested is stepped over.
    assert_eq!(PrefixSearch::new().find(&history, b"sh"), Some(&b"short"[..]));
    assert_eq!(PrefixSearch::new().find(&history, b"x"), None);
}

#[test]
fn a_redacted_command_is_gone_from_every_view_and_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut history = open(&path, 1);
    history.started(1, b"/", b"before").unwrap();
    let secret = history.started(2, b"/", b"export TOKEN=hunter2 \\").unwrap();
    history.continued(secret, 3, b"hunter2").unwrap();
    history.finished(secret, 4, 0, 5).unwrap();
    history.started(6, b"/", b"after").unwrap();
    let length = std::fs::metadata(&path).unwrap().len();
    let mut search = PrefixSearch::new();
    assert!(search.find(&history, b"exp").is_some());

    assert_eq!(history.redact(1, secret).unwrap(), 2);

    assert_eq!(texts(history.commands()), ["before", "after"]);
    assert_eq!(texts(history.tail(9)), ["before", "after"]);
    assert_eq!(search.find(&history, b"exp"), None);
    let report = history.check();
    assert_eq!((report.redacted, report.damaged_bytes, report.records), (2, 0, 5));
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len() as u64, length);
    assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
}

#[test]
fn the_log_is_created_with_what_bash_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/history/log");
    let import = folder.path().join("bash_history");
    let content = b"#1700000000\nfor i in 1\ndo echo\ndone\n#1700000005\n\xff\xfe ls\n";
    std::fs::write(&import, content).unwrap();
    let first = History::open(&path, 1, 0, Some(&import)).unwrap();
    assert_eq!((first.created, first.imported), (true, 2));
    assert!(first.import_error.is_none());
    let second = History::open(&path, 2, 0, Some(&import)).unwrap();
    assert_eq!((second.created, second.imported), (false, 0));
    let commands = second.history.tail(9);
    assert_eq!(commands[0].command, b"for i in 1\ndo echo\ndone");
    assert_eq!(commands[1].command, b"\xff\xfe ls");
    assert_eq!(commands[1].time_ns, 1_700_000_005_000_000_000);
    assert!(
        commands
            .iter()
            .all(|command| command.imported && command.session == 0)
    );

    assert_eq!(
        std::fs::read(&import).unwrap(),
        content,
        "the history file is only read"
    );
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let names: Vec<_> = std::fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["log"], "no temporary file stays");
}

#[test]
fn a_history_file_that_cannot_be_read_is_no_reason_to_have_no_log() {
    let folder = tempfile::tempdir().unwrap();
    for (name, failed) in [("missing", false), ("folder", true)] {
        let import = folder.path().join(name);
        if failed {
            std::fs::create_dir(&import).unwrap();
        }
        let opened = History::open(&folder.path().join(format!("{name}.log")), 1, 0, Some(&import)).unwrap();
        assert_eq!(
            (opened.created, opened.imported, opened.import_error.is_some()),
            (true, 0, failed),
            "{name}"
        );
    }
}

#[test]
fn what_another_program_does_to_the_log_is_noticed_and_survived() {
    let check = |disturb: &dyn Fn(&Path), expect: Disturbance, left: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut history = open(&path, 1);
        history.started(1, b"/", b"one").unwrap();
        history.started(1, b"/", b"two").unwrap();
        let mut cursor = history.cursor_at_end();
        let mut search = PrefixSearch::new();
        assert!(search.find(&history, b"t").is_some());
        disturb(&path);
        history.refresh().unwrap();
        assert_eq!(history.take_disturbance(), Some(expect));
        history.refresh().unwrap();
        assert_eq!(history.take_disturbance(), None, "told once");
        assert_eq!(texts(history.tail(9)), left, "after {expect:?}");
        let _ = search.find(&history, b"tw");
        assert!(texts(history.since(&mut cursor, 9)).is_empty());
        let started = history.started(1, b"/", b"three");
        if expect == Disturbance::Lost {
            // Nobody would read it.
            assert!(matches!(started, Err(AppendError::Lost)), "{started:?}");
            return;
        }
        started.unwrap();
        assert_eq!(
            texts(history.since(&mut cursor, 9)),
            ["three"],
            "after {expect:?}"
        );
        assert_eq!(texts(open(&path, 2).tail(1)), ["three"], "after {expect:?}");
    };
    let truncate = |length: u64| {
        move |path: &Path| {
            std::fs::OpenOptions::new()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(length)
                .unwrap();
        }
    };
    let record = 48 + 4 + 1 + 3;
    check(
        &truncate(64 + record),
        Disturbance::Truncated { lost_bytes: record },
        &["one"],
    );
    check(
        &truncate(64 + record + 9),
        Disturbance::Truncated {
            lost_bytes: record - 9,
        },
        &["one"],
    );
    check(
        &truncate(0),
        Disturbance::Truncated {
            lost_bytes: 64 + 2 * record,
        },
        &[],
    );
    check(
        &|path| std::fs::remove_file(path).unwrap(),
        Disturbance::Removed,
        &[],
    );
    let replace = |path: &Path| {
        let other = path.with_file_name("other");
        open(&other, 3).started(1, b"/", b"theirs").unwrap();
        std::fs::rename(&other, path).unwrap();
    };
    check(&replace, Disturbance::Replaced, &["theirs"]);
    let foreign = |path: &Path| {
        let other = path.with_file_name("other");
        std::fs::write(
            &other,
            "not a log, and long enough to be sure of that: more than a header.......",
        )
        .unwrap();
        std::fs::rename(&other, path).unwrap();
    };
    check(&foreign, Disturbance::Lost, &["one", "two"]);
}
