//! Text of unknown origin, made fit to be shown, and command lines of which nothing but what may be shown is kept.

/// Characters kept of a text of a session: a name and a path.
pub const TEXT_CHARS_MAX: usize = 80;

/// Gives text of unknown origin without anything that could act on a terminal or reorder what stands beside it, and at
/// most `chars_max` characters long.
pub fn harmless(text: &[u8], chars_max: usize) -> String {
    // A character takes at most four bytes, so no more of a long text needs to be looked at.
    let head = text.get(..chars_max.saturating_mul(4)).unwrap_or(text);
    let shown = String::from_utf8_lossy(head);
    let mut out: String = shown.chars().take(chars_max).map(visible).collect();
    if shown.chars().count() > chars_max || head.len() < text.len() {
        out.pop();
        out.push('…');
    }
    out
}

/// Variables that make the prompt: what is assigned to them is what is to be told.
const PROMPT_VARIABLES: [&str; 6] = ["PROMPT_COMMAND", "PS0", "PS1", "PS2", "PS4", "RPROMPT"];
/// Characters kept of a command line.
const LINE_CHARS_MAX: usize = 40;

/// Gives so much of a command line that whoever wrote it knows it again, and nobody else learns a secret: the command and
/// what it is about, no options, no values. Of an assignment only what is assigned to, unless that makes the prompt; then
/// the same of its value. Doing it twice changes nothing more: a session does it, and who reads what a session wrote.
pub fn command_line(line: &str) -> String {
    let line = line.trim();
    let word = |text: &str| text.split_whitespace().next().unwrap_or_default().to_owned();
    let (before, assigned) = match line.split_once(' ') {
        Some((first @ ("export" | "declare" | "local" | "typeset" | "readonly"), rest)) => {
            (format!("{first} "), rest.trim())
        }
        _ => (String::new(), line),
    };
    let name_of = |target: &str| target.trim_end_matches('+').to_owned();
    let shown = match assigned.split_once('=') {
        Some((target, value)) if name_of(target).chars().all(|c| c.is_alphanumeric() || c == '_') => {
            if PROMPT_VARIABLES.contains(&name_of(target).as_str()) {
                format!("{before}{target}={}", plain_words(value))
            } else {
                format!("{before}{target}=…")
            }
        }
        _ if before.is_empty() => plain_words(line),
        _ => format!("{before}{}", word(assigned)),
    };
    harmless(shown.as_bytes(), LINE_CHARS_MAX)
}

/// The first word, and the second if it is neither an option nor carries a value or a name for somebody.
fn plain_words(text: &str) -> String {
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or_default();
    let mut out = first.to_owned();
    let second = words.next();
    let is_plain = |word: &&str| !word.starts_with('-') && !word.contains([':', '=', '@', '$', '`']);
    if first.contains(['=', '@']) || first.contains("://") {
        return "…".into();
    }
    if let Some(second) = second.filter(is_plain) {
        out.push(' ');
        out.push_str(second);
        if words.next().is_some() {
            out.push_str(" …");
        }
    } else if second.is_some() {
        out.push_str(" …");
    }
    out
}

fn visible(c: char) -> char {
    let invisible = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    if c.is_control() || invisible {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn of_a_command_line_no_secret_is_shown() {
        let check = |line: &str, expect: &str| assert_eq!(command_line(line), expect, "{line}");
        check("PROMPT_COMMAND='sleep 0.06'", "PROMPT_COMMAND='sleep 0.06'");
        check("PROMPT_COMMAND+=(slow_fn)", "PROMPT_COMMAND+=(slow_fn)");
        check("PROMPT_COMMAND='curl -u me:pw x'", "PROMPT_COMMAND='curl …");
        check("export GITHUB_TOKEN=ghp_0123456789", "export GITHUB_TOKEN=…");
        check("TOKEN=ghp_0123456789 PS1=x", "TOKEN=…");
        check("mysql -psecret", "mysql …");
        check("source ~/.git-prompt.sh", "source ~/.git-prompt.sh");
        check(". ./env me:pw", ". ./env …");
        check("eval \"$(starship init bash)\"", "eval …");
        check("https://me:pw@host/x", "…");
        check("alias decoy=true", "alias …");
        check("", "");
    }

    #[test]
    fn only_what_can_be_shown_is_left() {
        fn check(text: &[u8], expect: &str) {
            assert_eq!(harmless(text, 8), expect);
        }
        check(b"sleep", "sleep");
        check(b"", "");
        check(b"\x1b[2Jx", "\u{fffd}[2Jx");
        check("a\u{202e}b\u{9b}c".as_bytes(), "a\u{fffd}b\u{fffd}c");
        check(b"\xff\xfe", "\u{fffd}\u{fffd}");
        check(b"12345678", "12345678");
        check(b"123456789", "1234567…");
        check("ääääääää".as_bytes(), "ääääääää");
    }

    proptest! {
        #[test]
        fn of_what_is_left_of_a_line_the_same_is_left(
            before in "(export |declare |local )?",
            target in "(PS1|PROMPT_COMMAND|TOKEN|)[+]?=?",
            rest in "[-a-z =@:/$'\"\u{e4}\u{8a9e}\u{2028}\\t…]{0,60}",
        ) {
            let once = command_line(&format!("{before}{target}{rest}"));
            prop_assert_eq!(command_line(&once), once);
        }

        #[test]
        fn nothing_acts_and_nothing_grows(text in proptest::collection::vec(any::<u8>(), 0..200), most in 1usize..90) {
            let shown = harmless(&text, most);
            prop_assert!(shown.chars().count() <= most);
            prop_assert!(!shown.chars().any(char::is_control));
        }
    }
}
