//! A script may take any descriptor: the log goes on, and the script's file is as if there were no log.
// A panic is the report; taking a descriptor by its number is what a script does, and no safe call can.
#![allow(clippy::unwrap_used, unsafe_code)]

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use lle_log::Disturbance;
use lle_log::history::{Command, History};

const CHILD_LOG: &str = "LLE_LOG_TEST_CHILD";

fn open(path: &Path, session: u64) -> History {
    History::open(path, session, 0, None).unwrap().history
}

fn texts(commands: impl IntoIterator<Item = Command>) -> Vec<String> {
    let text = |command: Command| String::from_utf8(command.command).unwrap();
    commands.into_iter().map(text).collect()
}

/// The one descriptor of this process that is open on `path`.
fn descriptor_of(path: &Path) -> RawFd {
    let on_path = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        let target = std::fs::read_link(entry.path()).ok()?;
        (target == path).then(|| entry.file_name().to_str().unwrap().parse().unwrap())
    };
    let found: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(on_path)
        .collect();
    assert_eq!(found.len(), 1, "{} is open once: {found:?}", path.display());
    found[0]
}

/// As `exec N>file` does.
fn take(descriptor: RawFd, by: &File) {
    // SAFETY: dup2 takes two numbers; that the first is then not what its owner believes is what is tested.
    assert!(unsafe { libc::dup2(by.as_raw_fd(), descriptor) } >= 0);
}

/// As `exec N>&-` does.
fn close(descriptor: RawFd) {
    // SAFETY: close takes a number; that its owner does not know of it is what is tested.
    assert_eq!(unsafe { libc::close(descriptor) }, 0);
}

struct Scene {
    _folder: tempfile::TempDir,
    path: PathBuf,
    precious: PathBuf,
    history: History,
}

const PRECIOUS: &str = "the user's own";

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("log");
        let precious = path.with_file_name("precious");
        std::fs::write(&precious, PRECIOUS).unwrap();
        let mut history = open(&path, 1);
        history.started(1, b"/", b"before").unwrap();
        Self {
            _folder: folder,
            path,
            precious,
            history,
        }
    }

    /// Takes the log's descriptor for the user's file, for good: the number is never closed by the test.
    fn take(&self) -> RawFd {
        let precious = File::options()
            .read(true)
            .append(true)
            .open(&self.precious)
            .unwrap();
        let descriptor = descriptor_of(&self.path);
        take(descriptor, &precious);
        descriptor
    }

    fn precious_is_untouched(&self, descriptor: RawFd) {
        assert_eq!(std::fs::read_to_string(&self.precious).unwrap(), PRECIOUS);
        let open_on = std::fs::read_link(format!("/proc/self/fd/{descriptor}"));
        assert_eq!(
            open_on.unwrap(),
            self.precious,
            "the user's descriptor stays open"
        );
    }
}

#[test]
fn the_log_stays_out_of_the_way_of_scripts_and_of_other_programs() {
    let scene = Scene::new();
    let descriptor = descriptor_of(&scene.path);
    assert!(descriptor > 200, "{descriptor}");
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    let flags = i32::from_str_radix(flags.trim(), 8).unwrap();
    assert_ne!(flags & libc::O_CLOEXEC, 0, "{info}");
}

#[test]
fn whatever_happens_next_a_taken_descriptor_is_neither_used_nor_closed() {
    let check = |name: &str, taken: bool, next: &dyn Fn(&mut History)| {
        let mut scene = Scene::new();
        let descriptor = if taken {
            scene.take()
        } else {
            let descriptor = descriptor_of(&scene.path);
            close(descriptor);
            descriptor
        };
        next(&mut scene.history);
        scene.history.started(2, b"/", b"after").unwrap();
        assert_eq!(texts(scene.history.tail(9)), ["before", "after"], "{name}");
        assert_eq!(scene.history.take_disturbance(), None, "{name}");
        assert_eq!(
            texts(open(&scene.path, 2).commands()),
            ["before", "after"],
            "{name}"
        );
        assert_eq!(scene.history.check().damaged_bytes, 0, "{name}");
        if taken {
            scene.precious_is_untouched(descriptor);
        }
    };
    for taken in [true, false] {
        check("append", taken, &|_| ());
        check("refresh", taken, &|history| {
            assert!(!history.refresh().unwrap());
        });
        check("tail", taken, &|history| {
            assert_eq!(texts(history.tail(9)), ["before"]);
        });
        check("commands", taken, &|history| {
            assert_eq!(texts(history.commands()), ["before"]);
        });
        check("search", taken, &|history| {
            let mut search = lle_log::search::PrefixSearch::new();
            assert_eq!(search.find(history, b"bef"), Some(&b"before"[..]));
        });
    }
}

#[test]
fn a_log_that_is_closed_leaves_the_descriptor_to_who_took_it() {
    let mut scene = Scene::new();
    let descriptor = scene.take();
    // The old one is dropped.
    scene.history = open(&scene.path, 3);
    scene.precious_is_untouched(descriptor);
}

#[test]
fn a_descriptor_taken_and_a_log_replaced_or_removed_at_once() {
    let check = |disturb: &dyn Fn(&Path), expect: Disturbance, left: &[&str]| {
        let mut scene = Scene::new();
        let descriptor = scene.take();
        disturb(&scene.path);
        scene.history.started(2, b"/", b"after").unwrap();
        assert_eq!(scene.history.take_disturbance(), Some(expect));
        assert_eq!(texts(scene.history.tail(9)), left, "{expect:?}");
        assert_eq!(texts(open(&scene.path, 2).commands()), left, "{expect:?}");
        scene.precious_is_untouched(descriptor);
    };
    check(
        &|path| std::fs::remove_file(path).unwrap(),
        Disturbance::Removed,
        &["after"],
    );
    let replace = |path: &Path| {
        let other = path.with_file_name("other");
        open(&other, 3).started(1, b"/", b"theirs").unwrap();
        std::fs::rename(&other, path).unwrap();
    };
    check(&replace, Disturbance::Replaced, &["theirs", "after"]);

    // With something there that is no log, nothing can be logged: that is an error, and the file stays as it is.
    let mut scene = Scene::new();
    let descriptor = scene.take();
    let text = "not a log, and long enough to be sure of that: more than a header.......";
    std::fs::write(scene.path.with_file_name("other"), text).unwrap();
    std::fs::rename(scene.path.with_file_name("other"), &scene.path).unwrap();
    assert!(scene.history.started(2, b"/", b"after").is_err());
    assert_eq!(scene.history.take_disturbance(), Some(Disturbance::Lost));
    assert_eq!(std::fs::read_to_string(&scene.path).unwrap(), text);
    scene.precious_is_untouched(descriptor);
    // And once there is a log again, so it goes on, with what had to wait.
    std::fs::remove_file(&scene.path).unwrap();
    scene.history.started(3, b"/", b"at last").unwrap();
    assert_eq!(texts(scene.history.tail(9)), ["after", "at last"]);
}

/// Not a test of its own: what [`a_low_limit_of_descriptors_costs_no_log`] runs under one.
#[test]
fn child_opens_under_a_limit() {
    let Ok(path) = std::env::var(CHILD_LOG) else {
        return;
    };
    let path = Path::new(&path);
    let mut history = open(path, 1);
    history.started(1, b"/", b"logged").unwrap();
    println!("\ndescriptor {}", descriptor_of(path));
}

#[test]
fn a_low_limit_of_descriptors_costs_no_log() {
    for (limit, at_least) in [(256, 221), (128, 61), (32, 21), (12, 3)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("log");
        let output = std::process::Command::new("sh")
            .args(["-c", &format!("ulimit -n {limit}; exec \"$@\""), "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "child_opens_under_a_limit", "--nocapture"])
            .env(CHILD_LOG, &path)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let descriptor = text.lines().find_map(|line| line.strip_prefix("descriptor "));
        let descriptor: RawFd = descriptor
            .unwrap_or_else(|| panic!("{limit}: {output:?}"))
            .parse()
            .unwrap();
        assert!(descriptor >= at_least, "{limit}: {descriptor}");
        assert_eq!(texts(open(&path, 2).commands()), ["logged"], "{limit}");
    }
}
