//! What waited for a log is in it once, in order and with all that was known, whoever makes the log and whatever bash wrote
//! meanwhile.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;
use crate::history::Command;

/// A folder in which no log can be made until there is room.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // No folder can be made where a link leads nowhere.
        symlink("nowhere/at/all", folder.path().join("state")).unwrap();
        Self { folder }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("state/history/m.log")
    }

    fn bash_file(&self) -> PathBuf {
        self.folder.path().join("bash_history")
    }

    fn make_room(&self) {
        std::fs::remove_file(self.folder.path().join("state")).unwrap();
    }

    fn open(&self, unopened: &mut Unopened) -> Result<Opened, OpenError> {
        unopened.open(&self.log(), 1, Some(&self.bash_file()), &mut |_, _| ())
    }

    /// A session that could not open its log.
    fn session(&self, id: u64) -> Unopened {
        let mut unopened = Unopened::new(id);
        assert!(self.open(&mut unopened).is_err());
        unopened
    }

    fn commands(&self) -> Vec<Command> {
        History::read(&self.log()).unwrap().commands().collect()
    }

    fn texts(&self) -> Vec<String> {
        let text = |command: Command| String::from_utf8(command.command).unwrap();
        self.commands().into_iter().map(text).collect()
    }
}

fn run(unopened: &mut Unopened, time_ns: i64, command: &str) {
    let refused = unopened.started(time_ns, b"/there", command.as_bytes());
    assert!(matches!(refused, AppendError::Unopened), "{refused}");
    let seq = unopened.newest_waits().unwrap();
    unopened.finished(seq, time_ns + 1, 3, 1);
}

fn write(mut opened: Opened) -> History {
    opened.history.write_waiting().unwrap();
    opened.history
}

#[test]
fn what_waited_is_in_the_log_with_all_that_is_known_of_it() {
    let place = Place::new();
    let mut unopened = place.session(7);
    run(&mut unopened, 5, "one");
    unopened.started(8, b"/", b"two \\");
    let two = unopened.newest_waits().unwrap();
    unopened.continued(two, 9, b"more");
    assert!(place.open(&mut unopened).is_err());
    assert_eq!(unopened.commands_waiting(), 2);
    place.make_room();
    let opened = place.open(&mut unopened).unwrap();
    assert!(opened.created);
    let mut history = write(opened);
    let late = history.take_late();
    assert_eq!((late.written, late.dropped, late.still_waits), (2, 0, false));
    // It goes on as if the log had been there all the time.
    history.finished(two, 10, 0, 2).unwrap();
    history.started(11, b"/", b"three").unwrap();
    let commands = place.commands();
    let known: Vec<_> = commands
        .iter()
        .map(|c| (c.session, c.time_ns, &c.cwd[..], &c.command[..], c.status))
        .collect();
    assert_eq!(
        known,
        [
            (7, 5, &b"/there"[..], &b"one"[..], Some(3)),
            (7, 8, b"/", b"two \\\nmore", Some(0)),
            (7, 11, b"/", b"three", None),
        ]
    );
    assert!(commands.windows(2).all(|two| two[0].seq < two[1].seq));
    assert_eq!(history.check().damaged_runs, 0);
}

#[test]
fn what_waits_is_bounded_and_counted() {
    let place = Place::new();
    let mut unopened = place.session(7);
    let long = "x".repeat(100 * 1024);
    run(&mut unopened, 1, &long);
    run(&mut unopened, 2, &long);
    unopened.started(3, b"/", long.as_bytes());
    assert_eq!(unopened.newest_waits(), None);
    let refused = unopened.started(4, b"/", &vec![b'x'; 2 << 20]);
    assert!(matches!(refused, AppendError::TooLong { .. }), "{refused}");
    assert_eq!(unopened.newest_waits(), None);
    assert_eq!(
        (unopened.commands_waiting(), unopened.take_late().dropped),
        (2, 1)
    );
    place.make_room();
    write(place.open(&mut unopened).unwrap());
    assert_eq!(place.commands().len(), 2);
}

#[test]
fn of_several_that_waited_one_imports_and_all_write_theirs() {
    let place = Place::new();
    std::fs::write(place.bash_file(), "old\nolder\n").unwrap();
    let mut sessions: Vec<_> = (1..=3).map(|id| place.session(id)).collect();
    for (n, session) in sessions.iter_mut().enumerate() {
        run(session, 5, &format!("typed in {n}"));
    }
    place.make_room();
    let imported: Vec<_> = sessions
        .iter_mut()
        .map(|session| {
            let opened = place.open(session).unwrap();
            let imported = (opened.created, opened.imported);
            write(opened);
            imported
        })
        .collect();
    assert_eq!(imported, [(true, 2), (false, 0), (false, 0)]);
    assert_eq!(
        place.texts(),
        ["old", "older", "typed in 0", "typed in 1", "typed in 2"]
    );
}

#[test]
fn what_bash_appended_of_this_session_meanwhile_is_not_imported_too() {
    fn check(before: &str, since: &str, typed: &[&str], expect: &[&str]) {
        let place = Place::new();
        std::fs::write(place.bash_file(), before).unwrap();
        let mut unopened = place.session(7);
        for command in typed {
            run(&mut unopened, 5, command);
        }
        std::fs::write(place.bash_file(), [before, since].concat()).unwrap();
        place.make_room();
        let opened = place.open(&mut unopened).unwrap();
        assert_eq!(opened.imported as usize, expect.len() - typed.len());
        write(opened);
        assert_eq!(place.texts(), expect, "{before:?} {since:?}");
    }
    // Nothing of it was appended: what is old stays, though it was typed again.
    check("ls\nmake\n", "", &["ls"], &["ls", "make", "ls"]);
    check("ls\n", "ls\nmake\n", &["ls", "make"], &["ls", "ls", "make"]);
    check("", "ls\nmake\n", &["ls", "make"], &["ls", "make"]);
    // Another shell wrote, too.
    check(
        "old\n",
        "ls\nelsewhere\nls\n",
        &["ls"],
        &["old", "elsewhere", "ls", "ls"],
    );
    check(
        "#1\nold\n",
        "#2\nls\n#3\nelsewhere\n",
        &["ls"],
        &["old", "elsewhere", "ls"],
    );
    // Bash joins rows in its own way.
    check(
        "",
        "for i in 1; do ls; done\n",
        &["for i in 1\ndo ls\ndone"],
        &["for i in 1\ndo ls\ndone"],
    );
    // Another program has cut the file meanwhile.
    let place = Place::new();
    std::fs::write(place.bash_file(), "a long line\nold\n").unwrap();
    let mut unopened = place.session(7);
    run(&mut unopened, 5, "ls");
    std::fs::write(place.bash_file(), "old\n").unwrap();
    place.make_room();
    write(place.open(&mut unopened).unwrap());
    assert_eq!(place.texts(), ["old", "ls"]);
}

#[test]
fn a_draft_that_could_not_be_taken_away_is_in_nobody_s_way() {
    let place = Place::new();
    let mut unopened = place.session(7);
    place.make_room();
    std::fs::create_dir_all(place.log().parent().unwrap()).unwrap();
    let draft = place.log().with_file_name("m.log.0000000000000007.new");
    std::fs::write(&draft, "half a log").unwrap();
    run(&mut unopened, 5, "ls");
    write(place.open(&mut unopened).unwrap());
    assert_eq!(place.texts(), ["ls"]);
    assert!(!draft.exists());
}
