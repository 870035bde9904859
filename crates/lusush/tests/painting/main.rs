//! What LLE shows where a terminal, an `inputrc` or a burst of keys is unusual: each time what plain bash shows.
#![allow(clippy::unwrap_used)]

mod resizing;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use lle_pty::{Home, Terminal, test_bashes};

use support::{load_lle, press};

/// Plain bash and bash with LLE, in terminals of one kind.
struct Pair {
    shells: [(Home, Terminal); 2],
}

/// What both are started with.
#[derive(Clone, Copy)]
struct Setup<'a> {
    term: &'a str,
    cols: u16,
    inputrc: &'a str,
}

/// A usual terminal and nothing set.
const USUAL: Setup = Setup {
    term: "xterm-256color",
    cols: 80,
    inputrc: "",
};

impl Pair {
    fn start(bash: &Path, setup: Setup) -> Self {
        let start = |lle: &str| {
            let home = Home::new(&format!("{lle}cd /\n")).unwrap();
            let inputrc = format!("set bell-style none\n{}\n", setup.inputrc);
            std::fs::write(home.path().join(".inputrc"), inputrc).unwrap();
            let spawn = home.spawn(bash).env("TERM", setup.term).size(24, setup.cols);
            let mut terminal = Terminal::spawn(&spawn).unwrap();
            terminal.settle().unwrap();
            assert_eq!(
                home.path().join("lle-loaded").exists(),
                !lle.is_empty(),
                "{}",
                terminal.text()
            );
            (home, terminal)
        };
        Self {
            shells: [start(""), start(&format!("{}lle set suggest off\n", load_lle()))],
        }
    }

    /// Types `keys` into both at once, and demands that both show the same.
    fn press(&mut self, keys: &str) {
        for (_, terminal) in &mut self.shells {
            terminal
                .press(keys)
                .unwrap_or_else(|error| panic!("after {keys:?}: {error}"));
        }
        let [(_, stock), (_, lle)] = &self.shells;
        let (expect, got) = (stock.text(), lle.text());
        assert!(
            (&expect, stock.cursor()) == (&got, lle.cursor()),
            "after {keys:?} bash shows\n{expect}\n{:?}\nand with LLE\n{got}\n{:?}",
            stock.cursor(),
            lle.cursor()
        );
    }

    fn lle(&mut self) -> &mut Terminal {
        &mut self.shells[1].1
    }
}

/// Some commands of readline's print by themselves, below the text as readline thinks it is shown: then it has to be.
#[test]
fn text_is_shown_before_a_command_that_prints() {
    let bursts = [
        "echo quick\x18\x16",
        "echo /et\x1b?",
        "echo $HISTFIL\x18$",
        "ls ~roo\x18~",
        "shop\x18!",
        "\x01x\x05 \x01y\x05 /et\x1b?",
    ];
    for shell in test_bashes() {
        let mut pair = Pair::start(&shell.program, USUAL);
        for burst in bursts {
            pair.press(burst);
            pair.press("a");
            pair.press("\x01");
            pair.press("\x0b");
            pair.press("\r");
        }
        pair.press("read -e\r");
        pair.press("/et\t\t");
        pair.press("x");
        pair.press("\r");
    }
}

#[test]
fn text_is_shown_before_a_key_of_ones_own_prints() {
    let binds = "bind '\"\\C-o\": display-shell-version'; bind '\"\\C-t\": \"echo mac\\C-x\\C-vro\"'; bind -x '\"\\C-g\": echo printed'\r";
    for shell in test_bashes() {
        let mut pair = Pair::start(&shell.program, USUAL);
        pair.press(binds);
        for burst in [
            "echo quick\x0f",
            "\x05echo\x01\x0fa",
            "a\x14 b",
            "echo quick\x07",
            "a\x07b\x07",
        ] {
            pair.press(burst);
            pair.press("a");
            pair.press("\x01");
            pair.press("\x0b");
        }
    }
}

const LONG: &str =
    "echo This is a line of a hundred letters, which is more than two rows of a terminal of forty columns.";

/// Types, moves and edits in a line that is longer than a row.
fn edit_a_long_line(pair: &mut Pair) {
    pair.press(LONG);
    for key in [
        "\x01",
        "XY",
        "\x0b",
        "\x19",
        " more",
        "\x1bb",
        "z",
        "\r",
        "echo next",
        "\r",
    ] {
        pair.press(key);
    }
}

/// Readline keeps the last column of such a terminal free, and LLE would wait for it to wrap there.
#[test]
fn a_terminal_that_does_not_wrap_is_readlines() {
    for shell in test_bashes() {
        for term in ["ansi", "no-such-terminal"] {
            let mut pair = Pair::start(
                &shell.program,
                Setup {
                    term,
                    cols: 40,
                    ..USUAL
                },
            );
            edit_a_long_line(&mut pair);
            press(
                pair.lle(),
                "lle status | grep paints\r",
                "readline: this terminal",
            );
        }
    }
}

#[test]
fn horizontal_scroll_mode_is_obeyed() {
    let inputrc = "set horizontal-scroll-mode on";
    for shell in test_bashes() {
        let scrolls = Setup {
            cols: 40,
            inputrc,
            ..USUAL
        };
        let mut pair = Pair::start(&shell.program, scrolls);
        edit_a_long_line(&mut pair);
        press(
            pair.lle(),
            "lle status | grep paints\r",
            "readline: horizontal-scroll",
        );
    }
}

#[test]
fn horizontal_scroll_mode_is_obeyed_from_the_next_line_on() {
    let mut pair = Pair::start(Path::new("bash"), Setup { cols: 60, ..USUAL });
    pair.press("bind 'set horizontal-scroll-mode on'\r");
    edit_a_long_line(&mut pair);
    pair.press("bind 'set horizontal-scroll-mode off'\r");
    edit_a_long_line(&mut pair);
    press(pair.lle(), "\x0clle status | grep LLE\r", " on in session");
}

/// To readline a combining mark behind a full row, or behind a newline, stands in the row below, which is therefore not
/// empty: that is where the line ends.
#[test]
fn a_mark_alone_in_the_last_row_ends_the_line_below_it() {
    for shell in test_bashes() {
        let mut pair = Pair::start(&shell.program, Setup { cols: 20, ..USUAL });
        pair.press("PS1='> '\r");
        for keys in [
            "\x1b[200~: a\nb\n\x1b[201~\u{301}",
            ": 456789012345678",
            ": 456789012345678\u{301}",
            ": 45678901234567\u{5b57}\u{301}\u{323}",
        ] {
            pair.press(keys);
            pair.press("\r");
        }
    }
}

/// When it is accepted, a line is shown a last time, unless it has been, and readline no longer knows then.
#[test]
fn a_modified_line_keeps_its_mark_when_it_is_accepted_in_a_burst() {
    let inputrc = "set mark-modified-lines on";
    for shell in test_bashes() {
        let mut pair = Pair::start(&shell.program, Setup { inputrc, ..USUAL });
        pair.press(": one\r");
        pair.press(": two\r");
        for burst in ["\x10x\x0f", "\x10x\r", "\x10 nothing; noth\r", "\x10\r", "x\r"] {
            pair.press(burst);
            pair.press("\x15\r");
        }
    }
}

#[test]
fn without_output_meta_what_is_not_ascii_is_shown_by_numbers() {
    let inputrc = "set output-meta off";
    for shell in test_bashes() {
        let mut pair = Pair::start(
            &shell.program,
            Setup {
                inputrc,
                cols: 40,
                ..USUAL
            },
        );
        for key in [
            "echo caf\u{e9} ",
            "\u{4f60}\u{597d}",
            "\x02",
            "x",
            "\x01",
            "\x1b4\x06",
            "\x05",
            "\x7f",
            "\r",
        ] {
            pair.press(key);
        }
        // Over the margin.
        for key in [
            "echo 'Ein Satz, der an den Rand reicht: ",
            "\u{e4}",
            "\u{f6}",
            "'",
            "\x01",
            "\r",
        ] {
            pair.press(key);
        }
        pair.press("bind 'set output-meta on'\r");
        pair.press("echo caf\u{e9}");
    }
}
