//! Names of commands as they are kept: their first words, without arguments and without anything a terminal obeys.

use super::table::{NAME_MAX, Name};

/// Bytes kept of a command: its name and what it is asked to do, not what it is given.
const COMMAND_MAX: usize = 40;

/// The first words of a command, no further than a separator or a redirection. Of an assignment only what is assigned
/// to, unless a command gives the value.
pub(crate) fn command(text: &[u8]) -> Name {
    let mut name = Name::default();
    let words = text.trim_ascii().split(u8::is_ascii_whitespace);
    for (nth, word) in words.filter(|word| !word.is_empty()).enumerate() {
        let separator = matches!(word, b"|" | b"||" | b"&&" | b"&" | b";" | b"|&");
        let redirection = nth > 0 && word.iter().any(|b| b"<>".contains(b));
        if nth == WORDS_MAX || separator || redirection {
            break;
        }
        let (word, ends) = word.strip_suffix(b";").map_or((word, false), |word| (word, true));
        if nth > 0 {
            name.push(b' ', COMMAND_MAX);
        }
        let assigned = word
            .iter()
            .position(|b| *b == b'=')
            .map_or(word.len(), |at| at + 1);
        let (to, value) = word.split_at(assigned);
        let is_command = value.starts_with(b"$(") || value.starts_with(b"`");
        to.iter().for_each(|b| name.push(*b, COMMAND_MAX));
        if is_command {
            value.iter().for_each(|b| name.push(*b, COMMAND_MAX));
        } else if !value.is_empty() {
            b"...".iter().for_each(|b| name.push(*b, COMMAND_MAX));
        }
        if ends {
            break;
        }
    }
    name
}

/// A function's name.
pub(crate) fn function(text: &[u8]) -> Name {
    let mut name = Name::default();
    text.iter().for_each(|b| name.push(*b, COMMAND_MAX));
    name
}

/// Words kept: `git status`, `sleep 0.05`, `( sleep 1 )`.
const WORDS_MAX: usize = 3;

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
        check("git status --porcelain -b", "git status --porcelain");
        check("[[ -n $x ]]", "[[ -n $x");
        check("  git   status ", "git status");
        check("a | b", "a");
        check("history -a; history -n", "history -a");
        check("tput cols > /dev/null 2>&1", "tput cols");
        check("( sleep 1 )", "( sleep 1");
        check("x=$(git status)", "x=$(git status)");
        check(
            "TOKEN=secret make --password=secret all",
            "TOKEN=... make --password=...",
        );
        check("printf '\x1b]0;title\x07'", "printf '?]0;title?'");
        check("", "");
        check(&"a".repeat(90), &"a".repeat(40));
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
