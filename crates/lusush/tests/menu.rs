//! Completion: bash's own, in a child that can harm nobody, and the menu it fills.

// Helpers of tests panic as tests do.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use lle_pty::{Home, Terminal};

#[path = "support/mod.rs"]
mod support;

use support::{bash_with_lle, press};

const RC: &str = r#"
slow() { while [[ ! -e ~/gate ]]; do sleep 0.02; done; COMPREPLY=($(compgen -W "alpha alpine beta" -- "$2")); }
complete -F slow slow
stuck() { sleep 1000; }
complete -F stuck stuck
described() {
    COMPREPLY=("delete  (Delete resources)" "describe  (Show details)" "get     (Display one or many)")
    [[ $2 == get ]] && COMPREPLY=(get)
}
complete -F described described
leaves() { exit 3; }
complete -F leaves leaves
dies() { kill -9 $BASHPID; }
complete -F dies dies
talks() { echo noise; echo noise >&2; echo noise >/dev/tty; history -c; cd /; COMPREPLY=(one two); }
complete -F talks talks
many() { COMPREPLY=($(printf 'item-%03d ' {1..300})); }
complete -F many many
later() { sleep 0.3; COMPREPLY=(foobarbaz); }
complete -F later later
leaving() { (while :; do sleep 1; done) & COMPREPLY=(foobarbaz); }
complete -F leaving leaving
escapes() { COMPREPLY=($'a\e[31mred' $'a\e]0;title\a'); }
complete -F escapes escapes
"#;

fn bash() -> (Home, Terminal) {
    bash_with_lle(Path::new("bash"), RC)
}

#[test]
fn a_slow_completion_holds_no_key_up() {
    let (home, mut t) = bash();
    t.type_bytes(b"slow al\tp").unwrap();
    // The answer is not there before the key is.
    t.wait_for_text("slow alp").unwrap();
    std::fs::write(home.path().join("gate"), "").unwrap();
    // The answer comes while one has typed on, and offers what still fits.
    t.wait_for("the menu", |t| t.text().contains("alpha   alpine"))
        .unwrap();
    press(&mut t, "i", "slow alpi");
}

#[test]
fn enter_waits_for_the_completion_it_follows() {
    let (home, mut t) = bash();
    t.type_bytes(b"slow be\t\r").unwrap();
    std::fs::write(home.path().join("gate"), "").unwrap();
    t.wait_for_text("slow beta").unwrap();
    t.wait_for("the next prompt", |t| t.text().contains("slow beta\n$"))
        .unwrap();
}

#[test]
fn what_a_completion_does_stays_in_its_child() {
    let (_home, mut t) = bash();
    press(&mut t, "echo before\r", "\nbefore\n");
    for line in ["leaves ", "dies ", "talks "] {
        press(&mut t, &format!("{line}\t"), line.trim());
        press(&mut t, "\x07\x15", "$");
    }
    press(&mut t, "clear\r", "$");
    press(
        &mut t,
        "pwd; history | grep -c before\r",
        &format!("\n{}\n", std::fs::canonicalize(_home.path()).unwrap().display()),
    );
    assert!(!t.text().contains("noise"), "{}", t.text());
}

#[test]
fn a_stuck_completion_is_given_up_with_its_line() {
    let (_home, mut t) = bash();
    press(&mut t, "stuck \t", "stuck");
    press(&mut t, "\x07\x15echo free\r", "\nfree\n");
    press(&mut t, "pgrep -cf 'sleep 1000' -s 0\r", "\n0\n");
}

#[test]
fn descriptions_are_shown_and_not_inserted() {
    let (_home, mut t) = bash();
    press(
        &mut t,
        "described \t",
        "delete    Delete resources\ndescribe  Show details\nget       Display one or many",
    );
    press(&mut t, "\t\t\r", "$ described describe");
    press(&mut t, "x", "described describe x");
}

#[test]
fn names_with_blanks_and_quotes_are_quoted_as_bash_does() {
    let (home, mut t) = bash();
    for name in ["my file", "my other", "it's"] {
        std::fs::write(home.path().join(name), "").unwrap();
    }
    std::fs::create_dir(home.path().join("a folder")).unwrap();
    press(&mut t, "ls my\t", "my file   my other");
    press(&mut t, "\t\r", "$ ls my\\ file");
    // What is typed behind a Tab meets the completed line only if that took no longer than 40 ms.
    press(&mut t, "\x15ls \"my\t", "my file   my other");
    press(&mut t, "\t\r", "$ ls \"my file\"");
    press(&mut t, "\x15ls it\t", "$ ls it\\'s");
    press(&mut t, "\x15ls a\\ f\t", "$ ls a\\ folder/");
}

#[test]
fn a_long_menu_has_pages_also_on_the_last_row() {
    let (_home, mut t) = bash();
    press(&mut t, "for i in {1..40}; do echo; done\r", "$");
    assert_eq!(
        usize::from(t.cursor().0),
        t.rows().len() - 1,
        "the prompt is on the last row"
    );
    press(&mut t, "many \t", "300 · page 1 of");
    assert!(
        t.text().contains("$ many"),
        "the line stays in sight:\n{}",
        t.text()
    );
    press(&mut t, "\t\x1b[A", "item-300");
    press(&mut t, "\r", "$ many item-");
    assert!(!t.text().contains("page"), "the menu is gone:\n{}", t.text());
}

#[test]
fn no_escape_sequence_gets_out_of_a_menu() {
    let (_home, mut t) = bash();
    press(&mut t, "escapes \t", "[31mred");
    let row = t.rows().into_iter().find(|r| r.contains("[31mred")).unwrap();
    assert!(
        row.contains("a]0;title"),
        "what is left of the other one can be read: {row}"
    );
}

#[test]
fn a_menu_survives_a_resize_and_goes_with_the_next_key() {
    let (_home, mut t) = bash();
    press(&mut t, "many \t", "page 1 of 4");
    t.resize(24, 40).unwrap();
    t.wait_for("the menu at the new width", |t| t.text().contains("page 1 of 7"))
        .unwrap();
    press(&mut t, "x", "$ many ");
    assert!(!t.text().contains("page"), "{}", t.text());
}

#[test]
fn control_c_at_a_completion_runs_nothing() {
    let (home, mut t) = bash();
    // The cursor stands inside the line: what is behind it must not run by itself.
    press(&mut t, "slow al; touch ran", "touch ran");
    t.type_bytes(b"\x01\x1bf\x1bf\t\r").unwrap();
    t.pump(std::time::Duration::from_millis(200));
    // Whether it comes while Tab or while Enter waits: the line is gone. Its `^C` may be, too: the kernel throws away
    // output that is on its way.
    t.type_bytes(b"\x03").unwrap();
    t.settle().unwrap();
    press(&mut t, "echo after\r", "\nafter\n");
    assert!(!home.path().join("ran").exists());
}

#[test]
fn other_signals_do_not_end_the_wait_for_a_completion() {
    let (_home, mut t) = bash();
    press(
        &mut t,
        "sleep 0.2 & later() { sleep 0.6; COMPREPLY=(foobarbaz); }\r",
        "$",
    );
    t.type_bytes(b"later fo\t\r").unwrap();
    t.wait_for_text("later foobarbaz").unwrap();
}

#[test]
fn keys_typed_behind_tab_stay_behind_what_it_completes() {
    let (_home, mut t) = bash();
    press(
        &mut t,
        "later() { sleep 0.2; COMPREPLY=(foobarbaz); }; run() { echo \"<$*>\"; }; complete -F later run\r",
        "$",
    );
    t.type_bytes(b"run fo\t--flag\r").unwrap();
    t.wait_for_text("<foobarbaz --flag>").unwrap();
    // Who types the word out meanwhile gets it once.
    t.type_bytes(b"run fo\tobarbaz x\r").unwrap();
    t.wait_for_text("<foobarbaz x>").unwrap();
}

#[test]
fn what_a_completion_leaves_running_does_not_hold_its_answer() {
    let (_home, mut t) = bash();
    press(&mut t, "leaving fo\t", "leaving foobarbaz");
}

#[test]
fn a_low_limit_of_descriptors_completes_as_well() {
    let (_home, mut t) = bash();
    press(&mut t, "ulimit -Sn 128\r", "$");
    press(&mut t, "later() { COMPREPLY=(foobarbaz); }\r", "$");
    press(&mut t, "later fo\t", "later foobarbaz");
}

#[test]
fn where_readline_completes_a_second_tab_lists() {
    let (home, mut t) = bash();
    for name in ["twin-one", "twin-two"] {
        std::fs::write(home.path().join(name), "").unwrap();
    }
    press(&mut t, "read -e x\r", "read -e x");
    press(&mut t, "tw\t\t\t", "twin-one  twin-two");
}

#[test]
fn arrows_belong_to_the_line_until_something_is_chosen() {
    let (home, mut t) = bash();
    for name in ["twin-one", "twin-two"] {
        std::fs::write(home.path().join(name), "").unwrap();
    }
    press(&mut t, "ls tw\t", "twin-one  twin-two");
    press(&mut t, "\x1b[DZ", "ls twinZ-");
    press(&mut t, "\x15ls tw\t", "twin-one  twin-two");
    press(&mut t, "\x1b[B\x1b[C\r", "ls twin-two");
}
