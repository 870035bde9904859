//! Resizes in tmux, which rewraps its rows and keeps those that scroll off.

use std::process::Command;
use std::time::{Duration, Instant};

use lle_pty::{Home, deadline, required, waits_for_input};

use crate::support::load_lle;

/// A tmux with bash in its one window, detached.
struct Tmux {
    home: Home,
}

impl Tmux {
    fn start(rc: &str, cols: u16) -> Self {
        // The first prompt stands on an empty screen, and nothing has scrolled off.
        let rc = format!("{rc}clear\n");
        let home = Home::new(&rc).unwrap();
        std::fs::write(
            home.history(),
            "for i in 1 2 3\necho some\necho more of it\nls -l everything else\ndone | cat\n",
        )
        .unwrap();
        let tmux = Self { home };
        tmux.run(&[
            "new-session",
            "-d",
            "-x",
            &cols.to_string(),
            "-y",
            "24",
            "bash --noprofile",
        ]);
        tmux.settle();
        tmux
    }

    fn run(&self, args: &[&str]) -> String {
        let spawn = self.home.spawn("tmux");
        let output = Command::new("tmux")
            .args(["-u", "-f", "/dev/null", "-S"])
            .arg(self.home.path().join("tmux"))
            .args(args)
            .env_clear()
            .envs(spawn.env)
            .current_dir(self.home.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn ask(&self, what: &str) -> String {
        self.run(&["display-message", "-p", what])
    }

    /// Waits until the shell has done all there is to do and waits for a key, and tmux shows what it wrote.
    fn settle(&self) {
        let pid = self.ask("#{pane_pid}").parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        self.wait("a shell that waits for a key", || waits_for_input(pid));
        // Once more, since what it wrote may have been on its way.
        let mut before = self.shown();
        self.wait("a screen that stays as it is", || {
            let now = self.shown();
            let stays = now == before && waits_for_input(pid);
            before = now;
            stays
        });
    }

    fn wait(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(
                started.elapsed() < deadline(),
                "waited for {what}:\n{}",
                self.shown()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn keys(&self, keys: &[&str]) {
        for key in keys {
            let literal = key.len() > 3;
            let mut args = vec!["send-keys"];
            args.extend(literal.then_some("-l"));
            args.push(key);
            self.run(&args);
            self.settle();
        }
    }

    /// Changes the width and waits until bash has seen it.
    fn resize(&self, cols: u16) {
        self.run(&["resize-window", "-x", &cols.to_string(), "-y", "24"]);
        let tty = self.ask("#{pane_tty}");
        // Tmux rewraps at once and tells the terminal's programs a little later.
        self.wait("the new width", || {
            let size = Command::new("stty").args(["-F", &tty, "size"]).output().unwrap();
            String::from_utf8_lossy(&size.stdout)
                .trim_end()
                .ends_with(&format!(" {cols}"))
        });
        self.settle();
    }

    /// The rows that have scrolled off and those on the screen, how many have, and the cursor.
    fn shown(&self) -> String {
        let rows = self.run(&["capture-pane", "-p", "-S", "-"]);
        let facts = self.ask("#{history_size} scrolled off, cursor #{cursor_x},#{cursor_y}");
        format!("{rows}\n{facts}")
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

/// Types and resizes in plain bash and in bash with LLE, and demands that both show the same each time.
fn compare(rc: &str, cols: u16, keys: &[&str], widths: &[u16]) {
    if required("tmux", "resizing in tmux").is_none() {
        return;
    }
    let stock = Tmux::start(rc, cols);
    let lle = Tmux::start(&format!("{}lle set suggest off\n{rc}", load_lle()), cols);
    for shell in [&stock, &lle] {
        // What LLE says above its first prompt goes.
        shell.keys(&["C-l"]);
        shell.run(&["clear-history"]);
        shell.keys(keys);
    }
    assert!(lle.home.path().join("lle-loaded").exists());
    assert_eq!(stock.shown(), lle.shown());
    for cols in widths {
        stock.resize(*cols);
        lle.resize(*cols);
        assert_eq!(stock.shown(), lle.shown(), "at {cols} columns");
    }
}

#[test]
fn nothing_is_left_of_a_prompt_at_the_top_of_the_screen() {
    let line = "echo a line that is 46 letters long, all told.";
    compare("", 80, &[line], &[70, 60, 50, 60, 70, 80]);
}

#[test]
fn nothing_is_left_of_a_command_of_several_rows() {
    let line = [
        "for i in 1 2 3 4 5 6 7 8 9; do",
        "C-v",
        "C-j",
        "echo x",
        "C-v",
        "C-j",
        "done | cat",
        "C-a",
    ];
    compare("PS1='\\w\\n> '\n", 40, &line, &[20, 60]);
}

#[test]
fn nothing_is_left_of_a_search() {
    if required("tmux", "resizing in tmux").is_none() {
        return;
    }
    let tmux = Tmux::start(&load_lle(), 40);
    tmux.keys(&["C-l"]);
    tmux.run(&["clear-history"]);
    tmux.keys(&["C-r", "e"]);
    tmux.wait("the list", || tmux.shown().contains("echo some"));
    tmux.resize(24);
    tmux.resize(80);
    let shown = tmux.shown();
    assert_eq!(shown.matches("(reverse-i-search)").count(), 1, "{shown}");
    assert_eq!(shown.matches("done | cat").count(), 2, "{shown}");
    assert!(shown.contains("\n0 scrolled off"), "{shown}");
}
