//! What is told about mistakes: all of them, where they are, and how to mend them.

use super::*;

fn told(text: &str) -> String {
    user(text).map_or_else(
        |refused| refused.to_string(),
        |merged| format!("in force: {:?}", merged.warnings),
    )
}

#[test]
fn all_mistakes_are_told_at_once() {
    insta::assert_snapshot!(told(
        "\
version = 1
[editor]
higlight = false
theme = \"Dark Blue\"
suggest = yes
complete = \"true\"
[worker]
linger_s = 90000
[trial]
inconclusive = \"kepe\"
active_minutes = 1.5
[histroy]
[reload.live]
now = true
"
    ));
}

#[test]
fn syntax_is_told_with_what_was_expected() {
    insta::assert_snapshot!(told(
        "[editor\ntheme = \"x\nsuggest false\n= 3\n[worker]\nlinger_s = 5 6\n"
    ));
}

#[test]
fn names_twice_are_told_with_the_other_place() {
    insta::assert_snapshot!(told(
        "[editor]\ntheme = \"a\"\ntheme = \"b\"\n[editor]\nsuggest = true\n"
    ));
    insta::assert_snapshot!(told("editor.theme = \"a\"\n[editor]\nsuggest = true\n"));
    insta::assert_snapshot!(told("editor = 3\n[editor.theme]\n[[alerts]]\n"));
}

#[test]
fn only_the_machine_locks() {
    insta::assert_snapshot!(told("locked = [\"editor.theme\"]\n"));
    let system = file(
        Origin::System,
        "locked = [\"editor.them\", 3, \"alerts\", \"alerts.*\"]\n",
    );
    let told: Vec<String> = system
        .problems
        .iter()
        .map(|problem| problem.to_string())
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn variables_and_words_are_checked_as_files_are() {
    let layers = [
        environment(
            &CATALOGUE,
            [
                ("LUSUSH_CONFIG_EDITOR_THEM", "x"),
                ("LUSUSH_CONFIG_WORKER_LINGER_S", "long"),
            ],
        ),
        command_line(&CATALOGUE, ["editor.thme=x", "editor.suggest=yes", "nothing"]),
    ];
    insta::assert_snapshot!(CATALOGUE.merge(&layers).unwrap_err());
}

#[test]
fn problems_are_bounded() {
    let text: String = (0..10_000).map(|n| format!("a{n} = {{}}\n[b{n}]\n")).collect();
    let refused = user(&text).unwrap_err();
    assert_eq!(refused.problems.len(), PROBLEMS_MAX);
    assert!(refused.more_problems > 9_000, "{}", refused.more_problems);
    let syntax = "= = =\n".repeat(10_000);
    let refused = user(&syntax).unwrap_err();
    assert!(refused.problems.len() <= PROBLEMS_MAX && refused.more_problems > 9_000);
}

#[test]
fn deep_and_long_names_cost_no_more_than_others() {
    let check = |text: String| assert!(user(&text).is_err());
    check("a.".repeat(100_000) + "b = 1");
    check("a = ".to_owned() + &"[".repeat(100_000));
    check("a = ".to_owned() + &"{a=".repeat(100_000));
    check(format!("[{}]\n{}", "x".repeat(500_000), "a = 1\n".repeat(50_000)));
    check(format!("{} = 1", "\u{1}".repeat(1000)));
}
