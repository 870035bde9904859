//! A home to back up, and restic to look at what came of it.

// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code, clippy::unwrap_used, reason = "a panic here is the report")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use lle_archive::{Credentials, Places, Store};
use tempfile::TempDir;

/// A home with something of every section in it.
pub(crate) struct House {
    pub(crate) root: TempDir,
    pub(crate) places: Places,
}

impl House {
    /// An empty one.
    pub(crate) fn empty() -> House {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let places = Places {
            config: at("lusush/config"),
            state: at("lusush/state"),
            data: at("lusush/data"),
            home: Some(at("home")),
            repository: None,
            credentials: Credentials::default(),
        };
        fs::create_dir_all(at("home")).unwrap();
        House { root, places }
    }

    /// One with files.
    pub(crate) fn furnished() -> House {
        let house = House::empty();
        for (name, content) in FILES {
            house.put(name, content.as_bytes());
        }
        house.put("lusush/state/history/m.log", &log(3_000, 1));
        house
    }

    /// Writes a file.
    pub(crate) fn put(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Where a file is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The repository, made if there is none.
    pub(crate) fn store(&self) -> Store {
        Store::open_or_make(&self.places, None, None).unwrap()
    }

    /// Everything but the backup and its key, by name.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = files(self.root.path());
        files.retain(|name, _| {
            !name.starts_with("lusush/data/backup") && name != Path::new("lusush/state/keys/backup.key")
        });
        files
    }
}

/// Small files of every section, and some that no backup has.
const FILES: &[(&str, &str)] = &[
    ("home/.bashrc", "PS1='$ '\n"),
    ("home/.inputrc", "set editing-mode vi\n"),
    ("home/notes", "not ours\n"),
    ("lusush/config/config.toml", "version = 1\n"),
    ("lusush/config/themes/a.toml", "accent = \"red\"\n"),
    ("lusush/config/plugins/clock/clock.wasm", "\0asm"),
    ("lusush/config/empty", ""),
    ("lusush/state/versions/config.log", "versions"),
    ("lusush/state/versions/config.lock", ""),
    ("lusush/state/maint/m/state.log", "state"),
    ("lusush/state/maint/m/worker.lock", "1\n"),
    ("lusush/state/keys/audit.key", "01234567890123456789012345678901"),
    ("lusush/data/audit/m.anchor", "anchor"),
];

/// Something like a history: lines that compress.
pub(crate) fn log(lines: u32, seed: u32) -> Vec<u8> {
    let line = |n: u32| {
        format!(
            "{n:08} cd /srv/{} && make -j{}\n",
            n.wrapping_mul(seed) % 97,
            n % 13
        )
    };
    (0..lines).flat_map(|n| line(n).into_bytes()).collect()
}

/// The files below a folder, by name.
pub(crate) fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut out = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else {
                out.insert(
                    path.strip_prefix(root).unwrap().to_owned(),
                    fs::read(&path).unwrap(),
                );
            }
        }
    }
    out
}

/// Waits for something that has a minute to happen.
pub(crate) fn wait(what: &str, mut happened: impl FnMut() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < Duration::from_secs(60), "waited for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether there is restic here; where everything is demanded, its absence is a failure.
pub(crate) fn restic_is_here() -> bool {
    let here = Command::new("restic").arg("version").output().is_ok();
    let demanded = std::env::var_os("LUSUSH_TEST_REQUIRE").is_some_and(|value| !value.is_empty());
    assert!(here || !demanded, "there is no restic");
    if !here {
        eprintln!("skipped: there is no restic");
    }
    here
}

/// restic at work on a repository, until it is killed.
pub(crate) struct AtWork(Child);

impl AtWork {
    /// Starts it and waits until its lock is in the folder.
    pub(crate) fn on(repository: &str, line: &str, locks: &Path) -> AtWork {
        let child = Command::new("restic")
            .args(["--no-cache", "--repo", repository, "backup", "--stdin"])
            .env("RESTIC_PASSWORD", line)
            // It reads what never comes.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let restic = AtWork(child);
        wait("restic's lock", || {
            // By name: what it writes under another one first may be gone when it is read.
            let mut locks = fs::read_dir(locks).into_iter().flatten().flatten();
            locks.any(|lock| lock.file_name().len() == 64)
        });
        restic
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        self.0.wait().unwrap();
    }
}

/// Runs restic on a repository, with the line as its password.
pub(crate) fn restic(repository: &Path, line: &str, words: &[&str]) -> Output {
    Command::new("restic")
        .args(["--no-cache", "--repo"])
        .arg(repository)
        .args(words)
        .env("RESTIC_PASSWORD", line)
        .output()
        .unwrap()
}

/// The same, and demands success.
pub(crate) fn restic_said(repository: &Path, line: &str, words: &[&str]) -> String {
    let output = restic(repository, line, words);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "restic {words:?}: {text}");
    text
}
