//! The machine's configuration below the user's: what it sets, what it keeps for itself, and what happens when it changes.
#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod support;

use support::machine::in_own_etc;

const DAY: &str = r#"
machine() { printf '%s\n' "$@" > /etc/lusush/config.toml; }
config() { printf '> %s\n' "$*"; "$L" maint config "$@" 2>&1; printf '= %s\n' "$?"; }
# Waits until the first file that there is says so.
until_says() { for _ in $(seq 2000); do grep -qs -- "$1" "$LUSUSH_HOME"/state/maint/*/$2 && return; sleep 0.01; done; exit 97; }
machine 'locked = ["editor.theme"]' 'editor.theme = "deep"' 'alerts.per_hour = 5'
worker
config show editor.theme --origin
LUSUSH_CONFIG_EDITOR_THEME=bold config show editor.theme --origin
config set editor.theme light
config show alerts.per_hour --origin
config set alerts.per_hour 7
config show alerts.per_hour --origin
until_says '^key alerts.per_hour free 7$' in-force
until_says '^key editor.theme locked deep$' in-force
echo 'both are in force'
machine 'locked = ["editor.theme"]' 'editor.theme = "night"'
until_says '^key editor.theme locked night$' in-force
echo 'the change is in force'
config log
config rollback 1
machine 'editor.theme = ['
until_says 'system' refused
config check
until_says '^key editor.theme locked night$' in-force
echo 'the last good one stays'
"#;

#[test]
fn the_machine_s_file_lies_below_the_user_s_but_for_what_it_locks() {
    let Some(said) = in_own_etc("the machine's configuration", DAY, &[]) else {
        return;
    };
    let answers: Vec<&str> = said.split("> ").collect();
    let answer = |words: &str, n: usize| -> &str {
        let mut those = answers.iter().filter(|answer| answer.starts_with(words));
        those.nth(n).unwrap_or_else(|| panic!("{words} {n}:\n{said}"))
    };
    let origin = "editor.theme = \"deep\"\n    /etc/lusush/config.toml:2:1, locked by the machine\n= 0\n";
    let show = "show editor.theme";
    assert!(answer(show, 0).ends_with(origin), "{said}");
    let with_variable = answer(show, 1);
    assert!(with_variable.ends_with(origin), "{said}");
    assert!(
        with_variable.contains("`editor.theme` is locked at \"deep\" by the machine's configuration"),
        "{said}"
    );
    let set = answer("set editor.theme", 0);
    assert!(
        set.contains("Your file does not decide that: /etc/lusush/config.toml:2:1, locked by the machine"),
        "{said}"
    );
    let show = "show alerts.per_hour";
    assert!(
        answer(show, 0).contains("alerts.per_hour = 5\n    /etc/lusush/config.toml:3:1\n"),
        "{said}"
    );
    assert!(answer(show, 1).contains("alerts.per_hour = 7\n"), "{said}");
    assert!(answer(show, 1).contains("config/config.toml:"), "{said}");
    // The machine's file is among the versions, under its machine's name, and nobody rolls it back but its owner.
    let log = answer("log", 0);
    assert!(
        log.contains("#1 system ") && log.contains("config.toml\n"),
        "{said}"
    );
    let rollback = answer("rollback 1", 0);
    assert!(rollback.contains("version #1 is the machine's file"), "{said}");
    assert!(!rollback.contains("= 0\n"), "{said}");
    let check = answer("check", 0);
    assert!(
        check.contains("/etc/lusush/config.toml:") && check.contains("= 2\n"),
        "{said}"
    );
    assert!(said.ends_with("the last good one stays\n"), "{said}");
}
