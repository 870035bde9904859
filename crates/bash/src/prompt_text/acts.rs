//! What a command line does to the shell itself, as far as its text tells: whether a prompt may run something else after it.
//!
//! ```text
//!  cd /src && FOO=1 make; . ~/env.sh      commands, by what stands between them; of each the first word behind assignments
//!     no         no         reads
//! ```
//!
//! Quotes are followed, and what they hold is not looked into; substitutions and compound commands are followed roughly.
//!
//! Invariants: any bytes are read without a panic, in one pass; where it is not certain, the line acts: a candidate that
//! changed nothing costs nothing.

/// What a line does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Acts {
    /// Nothing that a prompt could go by.
    #[default]
    No,
    /// It sets a variable, a function, an alias, a trap or an option.
    Sets,
    /// It has the shell read a text, which may do anything.
    Reads,
}

/// Commands that have the shell read a text.
const READ: [&[u8]; 3] = [b".", b"source", b"eval"];

/// Commands that set something if they are given something; without it they list what there is.
const SET: [&[u8]; 15] = [
    b"alias",
    b"declare",
    b"enable",
    b"export",
    b"hash",
    b"local",
    b"mapfile",
    b"read",
    b"readonly",
    b"set",
    b"shopt",
    b"trap",
    b"typeset",
    b"unalias",
    b"unset",
];

/// Words behind which a command begins.
const LEAD: [&[u8]; 13] = [
    b"!", b"builtin", b"command", b"do", b"elif", b"else", b"if", b"then", b"time", b"until", b"while", b"{",
    b"}",
];

/// Variables that say how prompts look, and no more.
const LOOKS: [&[u8]; 3] = [b"PS0", b"PS1", b"PS2"];

/// Says what a line does.
pub(crate) fn acts(line: &[u8]) -> Acts {
    let (mut does, mut at) = (Acts::No, 0);
    // Whether a command may begin here, whether it has assigned something so far, and whether its name is one of `SET`.
    let (mut begins, mut assigns, mut may_set) = (true, false, false);
    while let Some(&b) = line.get(at) {
        let rest = line.get(at..).unwrap_or_default();
        match b {
            b';' | b'&' | b'|' | b'\n' | b'(' | b')' => {
                if assigns {
                    does = does.max(Acts::Sets);
                }
                (begins, assigns, may_set) = (true, false, false);
                at += 1;
            }
            b'<' | b'>' => {
                // Where it goes is no word of the command.
                let to = rest.iter().take_while(|b| b"<>&| \t".contains(b)).count();
                at += to + word_bytes(rest.get(to..).unwrap_or_default());
            }
            b' ' | b'\t' | b'\r' => at += 1,
            b'#' => at += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
            _ => {
                let (word, after) = rest.split_at(word_bytes(rest));
                at += word.len();
                if may_set {
                    does = does.max(Acts::Sets);
                }
                if !begins {
                    continue;
                }
                let word = word.strip_prefix(b"\\").unwrap_or(word);
                if is_assignment(word) {
                    assigns = true;
                } else if READ.contains(&word) {
                    return Acts::Reads;
                } else if !LEAD.contains(&word) {
                    if word == b"function" || opens_a_function(after) {
                        does = does.max(Acts::Sets);
                    }
                    (begins, assigns, may_set) = (false, false, SET.contains(&word));
                }
            }
        }
    }
    if assigns { does.max(Acts::Sets) } else { does }
}

/// Whether a line does nothing but say how prompts look.
pub(super) fn sets_looks_alone(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let line = line.strip_prefix(b"export ").unwrap_or(line).trim_ascii_start();
    let Some(at) = line.iter().position(|b| *b == b'=') else {
        return false;
    };
    let (name, rest) = line.split_at(at);
    // What is behind the value, but for an end of the command, is another word.
    let behind = rest.get(word_bytes(rest)..).unwrap_or_default();
    LOOKS.contains(&name) && behind.iter().all(|b| b"; \t".contains(b))
}

/// Bytes of the word that a text begins with; at least one, if there is one.
fn word_bytes(text: &[u8]) -> usize {
    let (mut at, mut quote) = (0, 0u8);
    while let Some(&b) = text.get(at) {
        match (b, quote) {
            (b'\\', 0 | b'"') => at += 1,
            (b'\'' | b'"' | b'`', 0) => quote = b,
            (b, q) if q != 0 => quote = if b == q { 0 } else { q },
            (b, _) if at > 0 && b"; \t\r\n&|()<>".contains(&b) => return at,
            _ => {}
        }
        at += 1;
    }
    at.min(text.len())
}

/// Whether a word assigns to a variable, or to an element of one.
fn is_assignment(word: &[u8]) -> bool {
    let Some(at) = word.iter().position(|b| *b == b'=') else {
        return false;
    };
    let target = word.get(..at).unwrap_or_default();
    let target = target.strip_suffix(b"+").unwrap_or(target);
    let name = target.split(|b| *b == b'[').next().unwrap_or_default();
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    name.first().is_some_and(|b| !b.is_ascii_digit()) && name.iter().all(is_name)
}

/// Whether what follows a word makes it the name of a function.
fn opens_a_function(after: &[u8]) -> bool {
    let inner = after.trim_ascii_start().strip_prefix(b"(");
    inner.is_some_and(|inner| inner.trim_ascii_start().starts_with(b")"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_sets_something_or_reads_a_text_acts() {
        let check = |line: &str, expect: Acts| assert_eq!(acts(line.as_bytes()), expect, "{line}");
        for line in [
            "",
            "ls -l",
            "git commit -m 'x=1; export y'",
            "FOO=1 make",
            "echo a=b \"; . x\"",
            "set",
            "export",
            "trap",
            "cd /src && make 2>&1 | tee x=1",
            "echo # ; . x",
            "sort < .",
            "if true; then echo q; fi",
            "./configure",
            "grep -r export .",
        ] {
            check(line, Acts::No);
        }
        for line in [
            "q() { sleep 0.1; }",
            "q () ( sleep 0.1 )",
            "function q { sleep 0.1; }",
            "cd /src; q() { :; }",
            "export SHOWDIRTY=1",
            "SHOWDIRTY=1",
            "a[1]+=x",
            "a=(1 2)",
            "x=$(date)",
            "FOO=1; make",
            "true && shopt -s extglob",
            "set -o vi",
            "alias ll='ls -l'",
            "trap 'x' DEBUG",
            "unset -f q",
            "if true; then x=1; fi",
            ">out x=1",
            "read x",
        ] {
            check(line, Acts::Sets);
        }
        for line in [
            ". ~/slow.sh",
            "  source x",
            "cd /src && . ./env",
            "eval \"$(ssh-agent)\"",
            "x=1 . f",
            "command . f",
            "\\. f",
            "{ . f; }",
        ] {
            check(line, Acts::Reads);
        }
    }

    #[test]
    fn a_line_that_sets_how_prompts_look_and_nothing_else() {
        let check =
            |line: &str, expect: bool| assert_eq!(sets_looks_alone(line.as_bytes()), expect, "{line}");
        check("PS1='$(p)$ '", true);
        check("PS1=\"% \";", true);
        check("export PS1='\\u; \\w '", true);
        check("PS2=", true);
        check("PS1='$ ' PROMPT_COMMAND=x", false);
        check("PS1=a; q() { :; }", false);
        check("PS1=$(slow)", false);
        check("PROMPT_COMMAND=x", false);
        check("MYPS1=x", false);
        check("PS1", false);
        check("", false);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            acts(&line);
            sets_looks_alone(&line);
        }

        #[test]
        fn any_words_are_read(line in "[ a;|&(){}<>='\"`\\\\$#\n.]{0,40}") {
            acts(line.as_bytes());
            sets_looks_alone(line.as_bytes());
        }
    }
}
