//! Completion as bash's functions and readline's settings see it: the same as without LLE.

// Helpers of tests panic as tests do.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use lle_pty::{Home, Terminal, test_bashes};

#[path = "support/mod.rs"]
mod support;

use support::{bash_with_lle, press};

const RC: &str = r#"
none() { echo "K$COMP_KEY-T$COMP_TYPE" >>~/asked; }
complete -F none none
one() { none; COMPREPLY=(alpha); }
complete -F one one
two() { none; COMPREPLY=(alpha alpine); }
complete -F two two
hints() { none; COMPREPLY=(); ((COMP_TYPE == 63)) && COMPREPLY=(al-first al-second); }
complete -F hints hints
complete -o bashdefault -o default -F none files
bind '"\C-xc": complete'
"#;

/// Starts `bash` without LLE, in the same kind of home.
fn stock(bash: &Path) -> (Home, Terminal) {
    let home = Home::new(RC).unwrap();
    let mut terminal = Terminal::spawn(&home.spawn(bash)).unwrap();
    terminal.settle().unwrap();
    (home, terminal)
}

/// What the functions were told for these keys, pressed one after the other.
fn told((home, mut t): (Home, Terminal), keys: &[&str]) -> String {
    for key in keys {
        press(&mut t, key, "$");
    }
    std::fs::read_to_string(home.path().join("asked")).unwrap_or_default()
}

#[test]
fn functions_are_told_the_key_and_the_kind_of_completion() {
    let check = |keys: &[&str], expect: &str| {
        for bash in test_bashes() {
            let bare = told(stock(&bash.program), keys);
            assert_eq!(bare, expect, "{keys:?} without LLE in {}", bash.version);
            let found = told(bash_with_lle(&bash.program, RC), keys);
            assert_eq!(found, expect, "{keys:?} in {}", bash.version);
        }
    };
    check(&["one a", "\t"], "K9-T9\n");
    check(&["one a", "\x18c"], "K99-T9\n");
    check(&["two a", "\t"], "K9-T9\n");
    check(&["none a", "\t", "\t", "\t"], "K9-T9\nK9-T63\nK9-T63\n");
    check(&["none a", "\t", "b", "\t"], "K9-T9\nK9-T9\n");
    check(&["one a", "\t", "a", "\t"], "K9-T9\nK9-T9\n");
    let set = "bind 'set show-all-if-ambiguous on'\r";
    check(&[set, "two a", "\t"], "K9-T33\n");
    check(&[set, "none a", "\t", "\t"], "K9-T33\nK9-T63\n");
    let set = "bind 'set show-all-if-unmodified on'\r";
    check(&[set, "none a", "\x18c"], "K99-T64\n");
}

#[test]
fn what_a_function_gives_to_be_listed_is_listed_and_not_put_in() {
    let (_home, mut t) = bash_with_lle(Path::new("bash"), RC);
    press(&mut t, "hints a\t", "hints a");
    press(&mut t, "\t", "al-first   al-second");
    assert!(t.text().contains("hints a\n"), "{}", t.text());
    press(&mut t, "\t\t\r", "hints al-second");
}

#[test]
fn a_pattern_of_several_files_is_listed_at_one_tab() {
    let (home, mut t) = bash_with_lle(Path::new("bash"), RC);
    for name in ["twin-one", "twin-two"] {
        std::fs::write(home.path().join(name), "").unwrap();
    }
    press(&mut t, "ls tw*\t", "twin-one  twin-two");
    press(&mut t, "\x07\x15files tw*\t", "twin-one  twin-two");
    let asked = std::fs::read_to_string(home.path().join("asked")).unwrap();
    assert_eq!(asked, "K9-T9\n", "the function is asked once");
}

#[test]
fn where_completion_is_disabled_tab_inserts_a_tab() {
    let (home, mut t) = bash_with_lle(Path::new("bash"), "bind 'set disable-completion on'");
    press(&mut t, "printf '%s' 'a\tb' >tab\r", "$");
    assert_eq!(std::fs::read_to_string(home.path().join("tab")).unwrap(), "a\tb");
    press(&mut t, "bind 'set disable-completion off'\r", "$");
    press(&mut t, "cat ta\t\r", "a       b");
    std::fs::write(home.path().join(".inputrc"), "set disable-completion on\n").unwrap();
    press(&mut t, "bind -f ~/.inputrc\r", "$");
    press(&mut t, "printf '%s' 'c\td' >tab\r", "$");
    assert_eq!(std::fs::read_to_string(home.path().join("tab")).unwrap(), "c\td");
}
