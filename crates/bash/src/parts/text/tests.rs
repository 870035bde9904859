//! Which parts are taken out of a PS1, and which PS1 is left alone.

use super::*;
use proptest::prelude::*;

fn consent(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn check(ps1: &str, texts: &[&str], expect: Option<(&str, &[&str])>) {
    let found = split(ps1.as_bytes(), &consent(texts)).map(|split| {
        let rest = String::from_utf8_lossy(&split.rest).replace(r"\[\]\[\]\[\]\[\]\[\]", "@");
        let parts: Vec<_> = split
            .parts
            .iter()
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect();
        (rest, parts)
    });
    let expect = expect.map(|(rest, parts)| (rest.to_owned(), consent(parts)));
    assert_eq!(found, expect, "{ps1}");
}

#[test]
fn what_can_be_put_off_is_what_is_taken_out_whole() {
    let check = |ps1: &str, name: &str, expect: bool| {
        assert_eq!(can_be_without(ps1.as_bytes(), name), expect, "{ps1} {name}");
    };
    check(r"\u $(sleep 0.2; date +%s) \$ ", "sleep 0.2", true);
    check("$(git -C / status)$(git -C / log)> ", "git", true);
    check(r"\w \[$(sleep 0.04)\] \$ ", "sleep 0.04", false);
    check(r"\w $(( $(sleep 0.05; echo 1)+1 )) \$ ", "sleep 0.05", false);
    check("${x:-$(sleep 0.03)}> ", "sleep 0.03", false);
    check("$(a)${x:-$(a)}> ", "a", false);
    check("$(a)${x:-$(b)}> ", "a", true);
    check("$(a)> ", "b", false);
}

#[test]
fn texts_that_speak_of_nothing_are_known_by_their_place() {
    let check = |ps1: &str, texts: &[&str], expect: u64| {
        assert_eq!(unfit(ps1.as_bytes(), &consent(texts)), expect, "{ps1} {texts:?}");
    };
    check("$(git status) $(a)", &["git stats", "a", "b"], 0b101);
    check("$(git status -b)", &["git status"], 0);
    check(r"\[$(a)\]", &["a"], 1);
    check(r"$(a '\')", &["a"], 1);
    check("$(a)", &[], 0);
}

#[test]
fn parts_that_stand_by_themselves_are_taken_out() {
    check(
        r"\u@\h:\w$(__git_ps1 ' (%s)')\$ ",
        &["__git_ps1"],
        Some((r"\u@\h:\w@\$ ", &["$(__git_ps1 ' (%s)')"])),
    );
    check(
        "`date`$(git  status -b)> ",
        &["git status"],
        Some(("`date`@> ", &["$(git  status -b)"])),
    );
    check("`date`> ", &["date"], Some(("@> ", &["`date`"])));
    check(
        "$(a)$(b)$(a)",
        &["a", "b"],
        Some(("@@@", &["$(a)", "$(b)", "$(a)"])),
    );
    check(
        "$((1+2))$(a) ${x:-$(b)}",
        &["a"],
        Some(("$((1+2))@ ${x:-$(b)}", &["$(a)"])),
    );
    check(
        r"\[\e[32m\]$(a)\[\e[0m\]",
        &["a"],
        Some((r"\[\e[32m\]@\[\e[0m\]", &["$(a)"])),
    );
    check(
        r"\033[1m\D{%H}$(a;b)",
        &["a"],
        Some((r"\033[1m\D{%H}@", &["$(a;b)"])),
    );
    check("\"$(a)\" '$(a)'", &["a"], Some(("\"@\" '@'", &["$(a)", "$(a)"])));
    check("$(a ${x%/*})", &["a"], Some(("@", &["$(a ${x%/*})"])));
    check(r"\$(no) $(a)", &["a", "no"], Some((r"\$(no) @", &["$(a)"])));
}

/// What is taken out leaves what stood beside it as it was: a shape each.
#[test]
fn what_stands_beside_a_part_stays_what_it_was() {
    for (ps1, rest, part) in [
        ("$x$(a)y", "$x@y", "$(a)"),
        ("${x}$(a)y", "${x}@y", "$(a)"),
        ("$(a)${x}", "@${x}", "$(a)"),
        ("$1$(a)2", "$1@2", "$(a)"),
        ("$?$(a)", "$?@", "$(a)"),
        ("$#$(a)", "$#@", "$(a)"),
        ("$-$(a)", "$-@", "$(a)"),
        ("$_$(a)_", "$_@_", "$(a)"),
        // The process number, and a part; twice the number, and a text in parentheses.
        ("$$$(a)", "$$@", "$(a)"),
        ("$$$$(x)$(a)", "$$$$(x)@", "$(a)"),
        ("5$`a`", "5$@", "`a`"),
        (r"\$$(a)", r"\$@", "$(a)"),
        ("($(a))", "(@)", "$(a)"),
        ("{$(a)}", "{@}", "$(a)"),
        ("$(a)(b)", "@(b)", "$(a)"),
        ("$(a)[b]", "@[b]", "$(a)"),
        ("$(b)$(a)`c`", "$(b)@`c`", "$(a)"),
        ("$((1))$(a)$((2))", "$((1))@$((2))", "$(a)"),
        (r"\n$(a)\n", r"\n@\n", "$(a)"),
        // Parentheses within that close nothing of it.
        ("$(a \"$(b c)\")", "@", "$(a \"$(b c)\")"),
        ("$(a \"$(b \")\")\")!", "@!", "$(a \"$(b \")\")\")"),
        ("$(a ')' \")\")!", "@!", "$(a ')' \")\")"),
        ("$(a ${x:-)})!", "@!", "$(a ${x:-)})"),
        ("$(a ${x//)/y})!", "@!", "$(a ${x//)/y})"),
        ("$(a \"${x:-)}\")!", "@!", "$(a \"${x:-)}\")"),
        ("$(a $((1+(2))))!", "@!", "$(a $((1+(2))))"),
        ("$(a $$)!", "@!", "$(a $$)"),
        ("$(a (b) )!", "@!", "$(a (b) )"),
    ] {
        check(ps1, &["a"], Some((rest, &[part])));
    }
}

#[test]
fn what_nobody_named_stays() {
    check("$(git status)", &["git stat"], None);
    check("$(git status)", &["status"], None);
    check("$(git status)", &["git status -b"], None);
    check("$(gitx)", &["git"], None);
    check("$(git status)", &["git"], Some(("@", &["$(git status)"])));
    check("$(git status)", &[], None);
    check("$(git status)", &["", " "], None);
    check("$ ", &["a"], None);
}

#[test]
fn what_is_not_certain_is_left_alone() {
    for ps1 in [
        "$(a ${x#(})",
        // What stands between brackets that take no room.
        r"\[$(a)\]",
        // Backslashes that are left after the first of bash's two rounds.
        r"\\$(a)",
        r"\\\$(a)",
        r"$(a \n)",
        r"\134$(a)",
        r"\044(a)$(a)",
        r"\777$(a)",
        // Ends that are not where they seem to be.
        "$(case x in x) a;; esac)",
        "$(a # )\n)",
        "$(a <<x)",
        "$(a",
        "`a",
        "$(a)$(b",
        "$(a) ${x",
        "${ b; }$(a)",
        "$(a)${ b; }",
        "$(a) ${ b; }",
        "$(a)${\tb; }",
        "$(a)${\nb; }",
        "$(a)${| b; }",
        "$(a)${(b; }",
        "$(a ${ b; })",
        "$(a \"${ b; }\")",
        "$(a `b)`)",
        "$(a \"`b`\")",
        "$(a ${x:-'}'})",
        "$(a \"${x:-\"y\"}\")",
        "$(a \"b)",
        "$(a 'b)",
        // The process number, and a text in parentheses.
        "$$(a)",
        "$$$$(a)",
        "\"$$(a)\"",
        "${x:-'}'}$(a)",
        "$[1]$(a)",
        r"\D{$(a)}",
        r"\D{x$(a)",
        // In another expansion.
        "${x:-$(a)}",
        "$(($(a)))",
    ] {
        check(ps1, &["a"], None);
    }
}

#[test]
fn values_stand_where_the_parts_stood() {
    let made = [b"<", GAP, b"|", GAP, b">"].concat();
    assert_eq!(fill(&made, &[b"a", b"b"]).as_deref(), Some(&b"<a|b>"[..]));
    assert_eq!(
        fill(&made, &[b"", b"\x01x\x02"]).as_deref(),
        Some(&b"<|\x01x\x02>"[..])
    );
    assert_eq!(fill(&made, &[b"a"]), None, "one gap is left");
    assert_eq!(fill(&made, &[b"a", b"b", b"c"]), None, "one gap is missing");
    assert_eq!(fill(b"$ ", &[]).as_deref(), Some(&b"$ "[..]));
}

proptest! {
    #[test]
    fn what_is_taken_out_can_be_put_back(ps1 in r"[a$()`\\\[\]{}'# n0-7]{0,40}") {
        let texts = consent(&["a"]);
        if let Some(split) = split(ps1.as_bytes(), &texts) {
            let mut back = split.rest.clone();
            for part in &split.parts {
                let at = back.windows(GAP_IN_PS1.len()).position(|w| w == GAP_IN_PS1).expect("a gap a part");
                back.splice(at..at + GAP_IN_PS1.len(), part.iter().copied());
            }
            prop_assert_eq!(back, ps1.as_bytes());
        }
    }
}
