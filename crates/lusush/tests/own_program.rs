//! Which program a session runs for `maint` and as its worker.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use lle_pty::{Home, Terminal};

mod support;

use support::{lusush, press, shared_object};

#[test]
fn what_stands_beside_a_named_library_is_not_run_in_place_of_the_launcher() {
    let home = Home::new("").unwrap();
    let folder = home.path().join("a/b");
    fs::create_dir_all(&folder).unwrap();
    let library = folder.join("named.so");
    fs::copy(shared_object(), &library).unwrap();
    for beside in ["a/lusush", "a/b/lusush"] {
        let stranger = home.path().join(beside);
        fs::write(&stranger, "#!/bin/sh\n: >\"$HOME/stranger\"\n").unwrap();
        fs::set_permissions(&stranger, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for arguments in [&[][..], &["--norc"]] {
        let spawn = home.spawn_with_worker(lusush()).args(arguments);
        let spawn = spawn.env("LUSUSH_LIB", &library).size(60, 80);
        let mut terminal = Terminal::spawn(&spawn).unwrap();
        terminal.settle().unwrap();
        press(&mut terminal, "maint status | head -3\r", "bash 5");
        press(&mut terminal, "maint stop\r", "maint stop");
        press(
            &mut terminal,
            "maint start >/dev/null && maint stop\r",
            "maint stop",
        );
        assert!(
            !home.path().join("stranger").exists(),
            "{arguments:?}:\n{}",
            terminal.text()
        );
    }
}
