//! The lexer against tables, against rubbish, and against `bash -n`.

use super::*;
use proptest::prelude::*;
use std::process::{Command, Stdio};

mod prefixes;

fn lex(line: &str) -> (End, Vec<Role>) {
    let (mut lexer, mut roles) = (Lexer::default(), Vec::new());
    let end = lexer.lex(line.as_bytes(), &mut roles, |w| match w {
        b"no-such" => Known::No,
        _ => Known::Yes,
    });
    (end, roles)
}

/// One letter a byte, for tables.
fn letters(line: &str) -> String {
    lex(line)
        .1
        .iter()
        .map(|r| match r {
            Role::Plain => '.',
            Role::Command => 'c',
            Role::Unknown => 'u',
            Role::Keyword => 'k',
            Role::Option => 'o',
            Role::String => 's',
            Role::Variable => 'v',
            Role::Operator => '|',
            Role::Comment => '#',
            Role::Error => 'E',
            _ => '?',
        })
        .collect()
}

#[test]
fn colours() {
    for (line, expect) in [
        ("ls -la /tmp", "cc.ooo....."),
        ("no-such x", "uuuuuuu.."),
        ("echo \"a $b c\" 'd'", "cccc.sssvvsss.sss"),
        ("echo $HOME", "cccc.vvvvv"),
        ("echo ${a:-b}", "cccc.vvvvvvv"),
        ("a=1 b+=2 ls", "vv..vvv..cc"),
        ("# note", "######"),
        ("ls # note", "cc.######"),
        ("ls a#b", "cc...."),
        ("if true; then ls; fi", "kk.cccc|.kkkk.cc|.kk"),
        ("for i in 1 2; do ls; done", "kkk.v.kk....|.kk.cc|.kkkk"),
        ("fi", "EE"),
        ("ls | no-such && ls", "cc.|.uuuuuuu.||.cc"),
        ("ls 2>&1 >out", "cc.|||..|..."),
        ("echo $(ls -a)", "cccc.||cc.oo|"),
        ("f() { ls; }", "c||.k.cc|.k"),
        ("! true", "k.cccc"),
        ("[[ -n $a ]]", "kk.||.vv.kk"),
        ("((a+1))", "||v..||"),
        ("ls )", "cc.E"),
        ("echo `ls`", "cccc.|cc|"),
        ("case $x in a) ls;; esac", "kkkk.vv.kk..|.cc||.kkkk"),
        ("arr=(a b)", "vvvv....|"),
    ] {
        assert_eq!(letters(line), expect, "{line}");
    }
}

#[test]
fn ends() {
    let check = |line: &str, expect| assert_eq!(lex(line).0, expect, "{line:?}");
    for line in [
        "",
        "ls",
        "for i in 1; do ls; done",
        "for ((i=0;i<3;i++)); do :; done",
        "f() { ls; }",
        "function f { ls; }",
        "a=(1 2 3)",
        "echo $((1+2)) ${x[@]} \"$(ls \"a b\")\"",
        "case a in a|b) ls;; *) :;; esac",
        "case a in (a) ls; esac",
        "cat <<EOF\nhi $x\nEOF",
        "cat <<-'E'\n\thi\n\tE\nls",
        "[[ $a == b && ( -f c || $d =~ ^(x|y)$ ) ]]",
        "ls &",
        "(cd /; ls)",
        "{ ls; }",
        "while read -r l; do echo \"$l\"; done < f",
        "diff <(ls a) <(ls b)",
        "echo a\\ b",
        "time ls",
        "! ls",
        "echo fi done then",
        "if a; then b; elif c; then d; else e; fi",
        "until a; do b; done &",
        "select x in a b; do :; done",
        "echo 'it'\\''s'",
        "echo \"${a:-\"b\"}\"",
        "x=$(case a in a) echo b;; esac)",
        "shopt -s extglob; ls !(a|b)",
        "echo {a,b}{1..3}",
        "echo # comment \\",
    ] {
        check(line, End::Complete);
    }
    for line in [
        "for i in 1 2",
        "for i",
        "for i in 1; do",
        "if true",
        "if true; then",
        "if true; then ls; else",
        "while :",
        "case a in",
        "case a in a)",
        "case a in a) ls;;",
        "f()",
        "f() {",
        "{",
        "(",
        "(ls",
        "ls |",
        "ls &&",
        "ls ||",
        "echo 'a",
        "echo \"a",
        "echo \"$(ls",
        "echo $(",
        "echo ${a",
        "echo `ls",
        "[[ -n a",
        "((1+2",
        "a=(1",
        "cat <<EOF",
        "cat <<EOF\nhi",
        "echo a \\",
        "function f",
        "for i in 1; do ls",
    ] {
        check(line, End::Incomplete);
    }
    for line in [
        "fi",
        "ls )",
        "done",
        "if fi",
        "a | | b",
        "; ls",
        "ls ;; ls",
        "for i in 1; ls",
        "{ ls; } ls",
    ] {
        check(line, End::Invalid);
    }
}

/// What bash itself says of a line.
fn bash_says(line: &str) -> Option<End> {
    let out = Command::new("bash")
        .args(["--norc", "-O", "extglob", "-n", "-c", line])
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    let wants_more = [
        "unexpected end of file",
        "unexpected EOF",
        "delimited by end-of-file",
    ];
    Some(if wants_more.iter().any(|w| errors.contains(w)) {
        End::Incomplete
    } else if out.status.success() {
        End::Complete
    } else {
        End::Invalid
    })
}

/// Pieces that make interesting lines when strung together.
const PIECES: &[&str] = &[
    "ls",
    "echo a",
    "if",
    "then",
    "else",
    "fi",
    "for i in a b",
    "while",
    "do",
    "done",
    "case a in",
    "a)",
    ";;",
    "esac",
    "{",
    "}",
    "(",
    ")",
    "$(",
    "\"",
    "'x'",
    "\"y\"",
    "$x",
    "${x}",
    "`",
    "|",
    "&&",
    "||",
    ";",
    "&",
    "> f",
    "2>&1",
    "#c",
    "[[ a == b ]]",
    "((1+1))",
    "a=1",
    "f()",
    "!",
    "time",
    "\n",
    "\n",
    "cat <<E",
    "\nE\n",
    "x",
    "b c",
];

/// Bash decides; the lexer may be wrong in one way only: to call a line complete that is not. Then Enter submits it and
/// bash asks for more at its own second prompt. The other way would keep a finished line from running.
#[test]
fn never_holds_back_a_line_that_bash_would_run() {
    let Some(_) = bash_says("ls") else {
        eprintln!("skipped: no bash on PATH to compare with");
        assert!(
            std::env::var_os("LUSUSH_TEST_REQUIRE").is_none(),
            "bash is required here"
        );
        return;
    };
    let (mut same, mut asked) = (0, 0);
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..1200 {
        let mut line = String::new();
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        for k in 0..1 + (seed >> 60) % 8 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407 + k);
            line.push_str(PIECES[(seed >> 33) as usize % PIECES.len()]);
            line.push(' ');
        }
        let (found, _) = lex(&line);
        let expect = bash_says(&line).expect("asked before");
        asked += 1;
        same += usize::from(found == expect);
        assert!(
            !(found == End::Incomplete && expect == End::Complete),
            "held back although bash would run it: {line:?}"
        );
    }
    eprintln!("bash and the lexer agree on {same} of {asked} lines");
    assert!(
        same * 100 >= asked * 90,
        "bash and the lexer agree on {same} of {asked} only"
    );
}

proptest! {
    #[test]
    fn any_bytes_have_a_role_each(line in proptest::collection::vec(any::<u8>(), 0..120)) {
        let (mut lexer, mut roles) = (Lexer::default(), Vec::new());
        lexer.lex(&line, &mut roles, |_| Known::Unasked);
        prop_assert_eq!(roles.len(), line.len());
    }

    #[test]
    fn shell_soup_has_a_role_each(line in "[a-c \"'`$(){}\\[\\];|&<>\\\\\n#=!*-]{0,80}") {
        let (mut lexer, mut roles) = (Lexer::default(), Vec::new());
        lexer.lex(line.as_bytes(), &mut roles, |_| Known::No);
        prop_assert_eq!(roles.len(), line.len());
    }
}
