//! What the end-to-end tests share: where the built programs are, and bash with LLE loaded.
//!
//! Invariant: a test never runs against another build than its own.

// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code)]

pub(crate) mod household;
pub(crate) mod machine;
pub(crate) mod small;

use std::path::{Path, PathBuf};

use lle_pty::{Home, Terminal};

/// Returns the lusush binary of this build.
pub(crate) fn lusush() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_lusush"))
}

/// Returns the shared object of this build.
pub(crate) fn shared_object() -> PathBuf {
    lle_pty::shared_object(lusush())
}

/// Returns the words of `maint backup prune` that keep the last `n` snapshots and no older one, whatever its day.
pub(crate) fn keep_last(n: &str) -> [&str; 10] {
    let none = "0";
    [
        "--keep-last",
        n,
        "--keep-daily",
        none,
        "--keep-weekly",
        none,
        "--keep-monthly",
        none,
        "--keep-yearly",
        none,
    ]
}

/// Returns the lines of an rc file that load LLE; the session then proves it by the file `lle-loaded`.
pub(crate) fn load_lle() -> String {
    format!(
        "enable -f '{}' lle && lle status >/dev/null && : >\"$HOME/lle-loaded\"\n",
        shared_object().display()
    )
}

/// Returns the history log of a home on this machine.
pub(crate) fn log_of(home: &Home) -> PathBuf {
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    lle_core::paths::history_log(&home.lusush().join("state"), &machine)
}

/// Starts `bash` with LLE loaded by its `~/.bashrc`, which then runs `rc`, and waits for its prompt.
///
/// # Panics
/// If LLE does not load: every test that uses this would otherwise test stock bash.
pub(crate) fn bash_with_lle(bash: &Path, rc: &str) -> (Home, Terminal) {
    let home = Home::new(&format!("{}{rc}", load_lle())).expect("a home can be made");
    let mut terminal = Terminal::spawn(&home.spawn(bash)).expect("bash starts");
    terminal
        .settle()
        .unwrap_or_else(|error| panic!("no prompt: {error}"));
    assert!(
        home.path().join("lle-loaded").exists(),
        "LLE does not load in {}:\n{}",
        bash.display(),
        terminal.text()
    );
    (home, terminal)
}

/// Types `keys`, waits until all is done about them, and demands that the screen shows `expected`.
///
/// # Panics
/// If it does not, with the screen.
pub(crate) fn press(terminal: &mut Terminal, keys: &str, expected: &str) {
    terminal
        .press(keys)
        .unwrap_or_else(|error| panic!("after {keys:?}: {error}"));
    let text = terminal.text();
    assert!(
        text.contains(expected),
        "{keys:?} does not lead to {expected:?}:\n{text}"
    );
}

/// Splitmix64 (Steele, Lea, Flood 2014): a test that fails prints its seed and can be run again.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// Returns the number in environment variable `name`, or `default`.
pub(crate) fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is no number"))
    })
}

/// Whether `program` has the terminal. Before it has become that program the child is a bash, which swallows the
/// signals of keys, in stock bash too.
pub(crate) fn runs(program: &str, terminal: &Terminal) -> bool {
    let leader = terminal.master().ok().and_then(lle_pty::foreground_pid);
    leader.is_some_and(|pid| {
        let name = format!("/proc/{}/comm", pid.as_raw_nonzero());
        std::fs::read_to_string(name).is_ok_and(|name| name.trim_end() == program)
    })
}
