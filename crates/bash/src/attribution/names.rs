//! Names of commands as they are kept: what is called, without arguments and without anything a terminal obeys.
//!
//! Invariant: what may be a value, a password among them, is no name.

use super::table::{NAME_MAX, Name};

/// Bytes kept of a command: its name and what it is asked to do, not what it is given.
const COMMAND_MAX: usize = 40;

/// What a text runs: of a pipeline each of its commands, as [`words`] names one, since any of them may be the slow one.
pub(crate) fn command(text: &[u8]) -> Name {
    let (mut name, mut rest) = (Name::default(), Some(text));
    while let Some(text) = rest {
        let (one, behind) = to_pipe(text);
        let next = words(one);
        name = if name.is_empty() {
            next
        } else {
            piped(&name, &next)
        };
        rest = behind;
    }
    name
}

/// The name of a pipeline, of which another command becomes known: shortened to the first words of its commands where there
/// is no room for more, and to its beginning where there is none for those.
pub(crate) fn piped(name: &Name, next: &Name) -> Name {
    let joined = |first: &[u8], next: &[u8]| {
        let mut joined = Name::default();
        let all = first.iter().chain(PIPE).chain(next);
        all.clone().for_each(|b| joined.push(*b, NAME_MAX));
        (joined, all.count() <= NAME_MAX)
    };
    if next.is_empty() || name.bytes().ends_with(CUT) {
        return *name;
    }
    let (whole, fits) = joined(name.bytes(), next.bytes());
    if fits {
        return whole;
    }
    let mut short = Name::default();
    for one in name.bytes().split(|b| *b == b'|').chain([next.bytes()]) {
        let first = one.trim_ascii().split(|b| *b == b' ').next().unwrap_or_default();
        let (longer, fits) = match short.is_empty() {
            true => (function(first), true),
            false => joined(short.bytes(), first),
        };
        if !fits {
            let mut cut = Name::default();
            let room = NAME_MAX - CUT.len();
            short
                .bytes()
                .iter()
                .take(room)
                .chain(CUT)
                .for_each(|b| cut.push(*b, NAME_MAX));
            return cut;
        }
        short = longer;
    }
    short
}

/// What stands between the commands of a pipeline, and at the end of a name that lacks some.
const PIPE: &[u8] = b" | ";
const CUT: &[u8] = b"...";

/// The text up to a pipe, and what is behind that; quotes and parentheses are followed, and no further than to where the
/// pipeline ends.
fn to_pipe(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let (mut at, mut quote, mut open) = (0, 0u8, 0usize);
    let first = text.trim_ascii_start();
    // A pipe in these is a part of a pattern or of a number.
    if [&b"case "[..], b"[[ ", b"(("]
        .iter()
        .any(|lead| first.starts_with(lead))
    {
        return (text, None);
    }
    while let Some(&b) = text.get(at) {
        let next = text.get(at + 1).copied().unwrap_or(0);
        match (b, quote) {
            (b'\\', 0 | b'"') => at += 1,
            (b'\'' | b'"' | b'`', 0) => quote = b,
            (b, q) if q != 0 => quote = if b == q { 0 } else { q },
            (b'(', _) => open += 1,
            (b')', _) => open = open.saturating_sub(1),
            _ if open > 0 => {}
            // What is written over a file that must not be is no pipe.
            (b'>', _) if next == b'|' => at += 1,
            (b'>', _) if next == b'&' => at += 1,
            (b'&', _) if next == b'>' => at += 1,
            (b'|', _) if next != b'|' => {
                let behind = at + 1 + usize::from(next == b'&');
                return (&text[..at], text.get(behind..));
            }
            (b'|' | b';' | b'&' | b'\n' | b'#', _) => break,
            _ => {}
        }
        at += 1;
    }
    (text, None)
}

/// The first word of a command, and the second if it is plain and so says what is done, not to what: `git status`, never
/// an option, an address or a value. No further than a separator or a redirection. Of an assignment only what is
/// assigned to, unless a command gives the value.
fn words(text: &[u8]) -> Name {
    let mut name = Name::default();
    let words = text.trim_ascii().split(u8::is_ascii_whitespace);
    for (nth, word) in words.filter(|word| !word.is_empty()).enumerate() {
        if nth > 0 && word.iter().any(|b| b"<>".contains(b)) {
            break;
        }
        let (word, ends) = to_separator(word);
        if nth == WORDS_MAX || word.is_empty() || word.starts_with(b"#") || nth > 0 && !is_plain(word) {
            break;
        }
        if nth > 0 {
            name.push(b' ', COMMAND_MAX);
        }
        let goes_on = push_without_value(&mut name, word);
        if ends || !goes_on {
            break;
        }
    }
    name
}

/// Words kept: `git status`, `sleep 0.05`, `( sleep`.
const WORDS_MAX: usize = 2;

/// A word up to a separator or a redirection, and whether there is one.
fn to_separator(word: &[u8]) -> (&[u8], bool) {
    let at = word.iter().position(|b| b"|&;<>".contains(b));
    (&word[..at.unwrap_or(word.len())], at.is_some())
}

/// A word that is what a command is asked to do. A parenthesis may end it: that of `x=$(git status)`.
fn is_plain(word: &[u8]) -> bool {
    let inner = word
        .strip_suffix(b")")
        .or(word.strip_suffix(b"`"))
        .unwrap_or(word);
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"._-".contains(b);
    inner.first().is_some_and(u8::is_ascii_alphanumeric) && inner.iter().all(plain)
}

/// Adds a word, of an assignment only what is assigned to, of a substitution what it calls. False if the next word may
/// still belong to a value.
fn push_without_value(name: &mut Name, word: &[u8]) -> bool {
    let assigned = word.iter().position(|b| *b == b'=').map_or(0, |at| at + 1);
    let (to, value) = word.split_at(assigned);
    let opened = [&b"$("[..], b"`"]
        .into_iter()
        .find(|lead| value.starts_with(lead));
    let (to, value) = match opened {
        Some(lead) if assigned > 0 => word.split_at(to.len() + lead.len()),
        _ => (to, value),
    };
    to.iter().for_each(|b| name.push(*b, COMMAND_MAX));
    if assigned == 0 || opened.is_some() && !value.contains(&b'=') {
        value.iter().for_each(|b| name.push(*b, COMMAND_MAX));
        return true;
    }
    b"...".iter().for_each(|b| name.push(*b, COMMAND_MAX));
    opened.is_none() && value.iter().all(|b| !b"'\"\\($`{".contains(b))
}

/// What a text runs, if nothing else is known: the name of each of its commands, separated by commas, as far as it is
/// sure where the next one begins.
pub(crate) fn commands(text: &[u8], max: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let is_end = |b: &u8| matches!(b, b';' | b'\n' | b'|' | b'&');
    for one in text.split(is_end).filter(|one| !one.trim_ascii().is_empty()) {
        let name = command(one);
        if !name.is_empty() && out.len() + name.bytes().len() < max {
            out.extend_from_slice(if out.is_empty() { b"" } else { b"," });
            out.extend_from_slice(name.bytes());
        }
        // What a quote or a parenthesis holds is no command of its own.
        if one.iter().any(|b| b"'\"\\(`{#<".contains(b)) {
            break;
        }
    }
    out
}

/// A function's name.
pub(crate) fn function(text: &[u8]) -> Name {
    let mut name = Name::default();
    text.iter().for_each(|b| name.push(*b, COMMAND_MAX));
    name
}

/// A line of a file: its path, of a long one the end, and the number.
pub(crate) fn line(path: &[u8], home: &[u8], number: i64) -> Name {
    let mut digits = [0u8; 24];
    let mut rest: &mut [u8] = &mut digits;
    let _fits = std::io::Write::write_fmt(&mut rest, format_args!(":{number}"));
    let used = 24 - rest.len();
    let mut name = file_within(path, home, NAME_MAX - used);
    for b in &digits[..used] {
        name.push(*b, NAME_MAX);
    }
    name
}

/// A file: its path, of a long one the end.
pub(crate) fn file(path: &[u8], home: &[u8]) -> Name {
    file_within(path, home, NAME_MAX)
}

fn file_within(path: &[u8], home: &[u8], max: usize) -> Name {
    let mut name = Name::default();
    let below_home = path
        .strip_prefix(home)
        .filter(|rest| home.len() > 1 && rest.first() == Some(&b'/'));
    let (lead, path) = match below_home {
        Some(rest) => (&b"~"[..], rest),
        None => (&b""[..], path),
    };
    let whole = lead.len() + path.len();
    let (lead, path) = if whole > max {
        (&b"..."[..], &path[path.len() - (max - 3).min(path.len())..])
    } else {
        (lead, path)
    };
    for b in lead.iter().chain(path) {
        name.push(*b, max);
    }
    name
}

/// Tells texts apart by their beginning: a longer one that begins alike has the same name, too.
///
/// By words, not bytes: each step is a bijection of the state, and that is all that is asked.
pub(crate) fn fingerprint(text: &[u8]) -> u64 {
    let text = text.get(..FINGERPRINT_MAX).unwrap_or(text);
    let (words, rest) = text.as_chunks::<8>();
    let step = |state: u64, word: u64| (state.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    let state = words
        .iter()
        .fold(text.len() as u64, |state, bytes| step(state, word(bytes)));
    rest.iter()
        .fold(state, |state, byte| step(state, u64::from(*byte)))
}

/// Bytes of a text that are compared: some 40 steps.
const FINGERPRINT_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_its_first_words() {
        let check = |text: &str, expect: &str| {
            assert_eq!(
                String::from_utf8_lossy(command(text.as_bytes()).bytes()),
                expect,
                "{text}"
            );
        };
        check("sleep 0.05", "sleep 0.05");
        check("git status --porcelain -b", "git status");
        check("[[ -n $x ]]", "[[");
        check("  git   status ", "git status");
        check("a | b", "a | b");
        check("echo hi | sleep 0.05", "echo hi | sleep 0.05");
        check("echo hunter2:x|slow", "echo | slow");
        check(
            "git status -s 2>&1 |& grep -v 'a | b' | wc -l",
            "git status | grep | wc",
        );
        check("a || b", "a");
        check("a; b | c", "a");
        check("a & b | c", "a");
        check("echo 'a | b'", "echo");
        check("echo a\\|b", "echo");
        check("[[ a == a|b ]]", "[[ a");
        check("case x in a|b) c ;; esac", "case x");
        check("a >| b", "a");
        check("a | # b", "a");
        check("a | TOKEN=hunter2 b", "a | TOKEN=... b");
        let (long, many) = ("l".repeat(30), "m".repeat(12));
        check(
            &format!("{long} one | two three"),
            &format!("{long} one | two three"),
        );
        check(
            &format!("{long} one | two three | four"),
            &format!("{long} | two | four"),
        );
        check(
            &format!("{long} | {many} one | four"),
            &format!("{long} | {many}..."),
        );
        check("history -a; history -n", "history");
        check("tput cols > /dev/null 2>&1", "tput cols");
        check("( sleep 1 )", "( sleep");
        check("x=$(git status)", "x=$(git status)");
        check("TOKEN=secret make --password=secret all", "TOKEN=... make");
        check("printf '\x1b]0;title\x07'", "printf");
        check("a\x07b", "a?b");
        check("true -u me:hunter2 x", "true");
        check("curl https://me:hunter2@host", "curl");
        check("cat<<<hunter2", "cat");
        check("tput 2>/dev/null", "tput");
        check("a;hunter2", "a");
        check("x=$(TOKEN=hunter2 make)", "x=$(...");
        check("x=`TOKEN=hunter2 make`", "x=`...");
        check("x=(one hunter2)", "x=...");
        check("x='one hunter2'", "x=...");
        check("x+=one\\ hunter2", "x+=...");
        check("psql postgres://u:hunter2@h", "psql");
        check("", "");
        check(&"a".repeat(90), &"a".repeat(40));
    }

    #[test]
    fn a_text_is_its_commands_without_what_they_are_given() {
        let check = |text: &str, expect: &str| {
            assert_eq!(
                String::from_utf8_lossy(&commands(text.as_bytes(), 32)),
                expect,
                "{text}"
            );
        };
        check("true -u me:hunter2 x", "true");
        check("history -a; git status\n precmd", "history,git status,precmd");
        check("a 'x; hunter2'; b", "a");
        check("echo \\; hunter2", "echo");
        check("[[ $x ]] && y", "[[,y");
        check("f() { a; }", "f()");
        check("# hunter2; b", "");
        check(&format!("{}; b", "a".repeat(33)), "b");
        check("", "");
    }

    #[test]
    fn a_long_path_keeps_its_end() {
        let check = |path: &str, number, expect: &str| {
            let name = line(path.as_bytes(), b"/home/u", number);
            assert_eq!(String::from_utf8_lossy(name.bytes()), expect);
        };
        check("/home/u/.bashrc", 12, "~/.bashrc:12");
        check("/home/user2/x", 1, "/home/user2/x:1");
        check("/etc/profile", 3, "/etc/profile:3");
        let long = format!("/{}/end.sh", "d".repeat(80));
        check(&long, 7, &format!("...{}/end.sh:7", "d".repeat(48 - 3 - 9)));
    }
}
