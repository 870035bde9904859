//! LLE loads and works in every bash there is: the system's and those of `LUSUSH_TEST_BASHES`.
#![allow(clippy::unwrap_used)]

mod support;

use lle_pty::{Home, Shell, Terminal, deadline};

use support::{bash_with_lle, lusush, press};

/// What Lusush promises to work in; which of them ran is printed.
const PROMISED: [&str; 3] = ["5.1", "5.2", "5.3"];

#[test]
fn loads_and_works_in_every_bash() {
    let bashes = lle_pty::test_bashes();
    for version in PROMISED {
        if !bashes.iter().any(|bash| bash.version.starts_with(version)) {
            println!("smoke: NOT RUN in bash {version}: LUSUSH_TEST_BASHES names none");
        }
    }
    for Shell { program, version } in bashes {
        let (home, mut terminal) = bash_with_lle(&program, "");
        works(&mut terminal, &version);
        drop(home);

        let home = Home::new("").unwrap();
        let mut terminal = Terminal::spawn(&home.spawn(lusush()).env("LUSUSH_BASH", &program)).unwrap();
        terminal
            .settle()
            .unwrap_or_else(|error| panic!("lusush in bash {version}: {error}"));
        works(&mut terminal, &version);
        println!("smoke: passed in bash {version} ({})", program.display());
    }
}

/// Types, edits, recalls, interrupts, resizes and asks.
fn works(terminal: &mut Terminal, version: &str) {
    press(terminal, "echo one wto", "$ echo one wto");
    press(terminal, "\x1b[D\x14", "$ echo one wot");
    press(terminal, "\x7f\x7f\x7ftwo\r", "\none two\n$");
    press(terminal, "\x10", "\n$ echo one two");
    press(terminal, "\x03", "^C\n$");
    press(terminal, "echo $BASH_VERSION\r", &format!("\n{version}\n$"));
    press(terminal, "for n in 1 2; do\r", "$ for n in 1 2; do");
    press(terminal, "echo n=$n; done\r", "done\nn=1\nn=2\n$");
    press(terminal, "lle status\r", " on in session ");
    terminal.resize(10, 40).unwrap();
    press(terminal, "stty size\r", "\n10 40\n$");
    press(terminal, "history | tail -n 2 | head -n 1\r", "stty size\n$");
    terminal.type_bytes(b"\x04").unwrap();
    assert!(terminal.wait_exit(deadline()).unwrap().success());
}
