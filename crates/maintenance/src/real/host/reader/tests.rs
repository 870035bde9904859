//! What looks show of sessions whose files stay open between them. The sessions live in another process: one that opens
//! its own flight file loses its lock on it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use lle_metrics::{Counter, Flight, Identity, file_name};
use rustix::fs::{Mode, OFlags};

use super::*;

/// Says where the process of the sessions has them, and which it shall say it is.
const ROLE: &str = "LUSUSH_TEST_READER";
const SESSION: u64 = 7;

/// No test: the process in which a session lives.
#[test]
fn a_session_of_the_other_tests() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let (folder, said) = role.split_once('\t').unwrap();
    let mut identity = Identity::of_this_process(SESSION, "/dev/pts/3", "", "");
    match said {
        "another process" => identity.pid = u32::MAX,
        "another beginning" => {
            // The kernel says that somebody else holds the lock, as in a container: what is written has to do.
            let parent = rustix::process::getppid().unwrap();
            identity.pid = parent.as_raw_nonzero().get().cast_unsigned();
            identity.start_ticks = 1;
        }
        _ => {}
    }
    let mut flight = Flight::create(Path::new(folder), &identity).unwrap();
    println!("\nready");
    for _ in std::io::stdin().lines() {
        flight.update(|w| w.add(Counter::Keys, 1));
        println!("\nready");
    }
    flight.remove();
}

struct Session {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Session {
    fn start(folder: &Path, said: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "real::host::reader::tests::a_session_of_the_other_tests",
                "--nocapture",
            ])
            .env(ROLE, format!("{}\t{said}", folder.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut session = Self { child, stdout };
        session.hear();
        session
    }

    fn press_a_key(&mut self) {
        self.child.stdin.as_ref().unwrap().write_all(b"\n").unwrap();
        self.hear();
    }

    fn hear(&mut self) {
        let mut line = String::new();
        while line != "ready\n" {
            line.clear();
            assert_ne!(
                self.stdout.read_line(&mut line).unwrap(),
                0,
                "the session is gone"
            );
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn end(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// What a look shows: who lives, how many keys were pressed, and whether the cost is known.
type Shown = Vec<(Liveness, Option<u64>, bool)>;

fn look(reader: &mut Reader) -> Shown {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(reader.folder(), flags, Mode::empty()).unwrap();
    reader.begin(&folder);
    let mut shown = Shown::new();
    let mut entries: Vec<_> = fs::read_dir(reader.folder())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = PathBuf::from(entry.file_name());
        let inode = std::os::unix::fs::DirEntryExt::ino(&entry);
        reader.look_at(SESSION, &name, inode, &mut |look| shown.push(told(&look)));
    }
    reader.end();
    shown
}

fn told(look: &Look<'_>) -> (Liveness, Option<u64>, bool) {
    let keys = look.snapshot.map(|snapshot| snapshot.counter(Counter::Keys));
    (look.liveness, keys, look.cost.is_some())
}

fn place() -> (tempfile::TempDir, PathBuf, Reader) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file_name(SESSION));
    let reader = Reader::of(folder.path().to_owned());
    (folder, path, reader)
}

/// The files that this process has open of a session, and of its process.
fn open_files(reader: &Reader) -> (usize, usize) {
    let kept = reader.kept.values();
    (kept.len(), kept.filter(|kept| kept.process.is_some()).count())
}

#[test]
fn files_stay_open_and_are_read_anew() {
    let (folder, path, mut reader) = place();
    let mut session = Session::start(folder.path(), "itself");
    for keys in 0..4 {
        assert_eq!(look(&mut reader), [(Liveness::Alive, Some(keys), true)]);
        assert_eq!(open_files(&reader), (1, 1));
        session.press_a_key();
    }
    session.end();
    assert!(!path.exists());
    assert_eq!(look(&mut reader), []);
    assert_eq!(open_files(&reader), (0, 0), "nothing is kept of who is gone");
}

#[test]
fn where_descriptors_are_few_files_are_opened_in_each_look() {
    let (folder, _, mut reader) = place();
    assert!((1..=KEPT_MAX).contains(&reader.kept_max));
    reader.kept_max = 0;
    let mut session = Session::start(folder.path(), "itself");
    for keys in 0..3 {
        assert_eq!(look(&mut reader), [(Liveness::Alive, Some(keys), true)]);
        assert_eq!(open_files(&reader), (0, 0));
        session.press_a_key();
    }
}

#[test]
fn a_session_that_was_killed_is_shown_dead_until_its_file_is_gone() {
    let (folder, path, mut reader) = place();
    let mut session = Session::start(folder.path(), "itself");
    session.press_a_key();
    assert_eq!(look(&mut reader), [(Liveness::Alive, Some(1), true)]);
    session.kill();
    for _ in 0..2 {
        assert_eq!(look(&mut reader), [(Liveness::Dead, Some(1), false)]);
        assert_eq!(open_files(&reader), (1, 0), "its process is asked no more");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(look(&mut reader), []);
}

/// Between the look into the folder and the look at the file.
#[test]
fn a_session_that_has_just_ended_by_itself_has_not_died() {
    let (folder, path, mut reader) = place();
    let mut session = Session::start(folder.path(), "itself");
    assert_eq!(look(&mut reader), [(Liveness::Alive, Some(0), true)]);
    let inode = path.metadata().unwrap().ino();
    session.end();
    let mut shown = Shown::new();
    let name = PathBuf::from(file_name(SESSION));
    reader.look_at(SESSION, &name, inode, &mut |look| shown.push(told(&look)));
    assert_eq!(shown, []);
}

#[test]
fn another_file_of_the_same_name_is_read_instead() {
    let (folder, path, mut reader) = place();
    let mut first = Session::start(folder.path(), "itself");
    first.press_a_key();
    assert_eq!(look(&mut reader), [(Liveness::Alive, Some(1), true)]);
    fs::remove_file(&path).unwrap();
    let second = Session::start(folder.path(), "itself");
    assert_eq!(look(&mut reader), [(Liveness::Alive, Some(0), true)]);
    assert_eq!(open_files(&reader), (1, 1));
    // What is no flight is opened anew each time, and told of.
    fs::write(&path, "no flight").unwrap();
    assert_eq!(look(&mut reader).len(), 1);
    assert_eq!(look(&mut reader)[0].1, None);
    assert_eq!(open_files(&reader), (0, 0));
    drop(second);
}

/// A container's session, and a kernel that hides other processes.
#[test]
fn a_process_that_is_not_visible_or_is_another_costs_nothing_that_is_known() {
    for said in ["another process", "another beginning"] {
        let (folder, _, mut reader) = place();
        let mut session = Session::start(folder.path(), said);
        for keys in 0..2 {
            assert_eq!(
                look(&mut reader),
                [(Liveness::Alive, Some(keys), false)],
                "{said}"
            );
            assert_eq!(open_files(&reader), (1, 0), "{said}");
            session.press_a_key();
        }
    }
}
