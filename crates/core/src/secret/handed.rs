//! Secrets by what they are handed over as: the value of a variable, of an option, or of a header that is named as one.
//!
//! Invariant: a name is a fact, its value may be none: what a shell expands, a placeholder and a path are no secrets.

use super::words::{Value, Word, commands};

const IN_VARIABLE: &str = "secret in a variable";
const IN_OPTION: &str = "password on a command line";
const IN_HEADER: &str = "token in a header";

/// Ends of names of variables that hold secrets, as programs document theirs.
const NAME_ENDS: [&str; 11] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "TOKEN",
    "SECRET",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
    "SECRET_KEY",
    "PRIVATE_KEY",
    "_PASS",
];
/// Whole names.
const NAMES: [&str; 3] = ["MYSQL_PWD", "PASS", "SSHPASS"];
/// Ends of names that as options name a file or a secret kept elsewhere.
const NO_OPTIONS: [&str; 3] = ["SECRET", "PRIVATE_KEY", "_PASS"];

/// How programs are handed a password: their names, the option, and what it is followed by.
const OPTIONS: &[(&[&str], &str, Follows)] = &[
    (
        &[
            "mysql",
            "mysqladmin",
            "mysqlcheck",
            "mysqldump",
            "mysqlimport",
            "mysqlshow",
            "mariadb",
            "mariadb-admin",
            "mariadb-dump",
        ],
        "-p",
        Follows::AtOnce,
    ),
    (&["7z", "7za"], "-p", Follows::AtOnce),
    (&["sshpass"], "-p", Follows::Either),
    (&["redis-cli"], "-a", Follows::Either),
    (&["zip", "unzip"], "-P", Follows::Either),
    (&["curl"], "-u", Follows::UserAndPassword),
    (&["curl"], "-U", Follows::UserAndPassword),
    (&["curl"], "--user", Follows::UserAndPassword),
    (&["curl"], "--proxy-user", Follows::UserAndPassword),
];
/// What runs the program that is named behind it.
const BEFORE_PROGRAMS: [&[u8]; 9] = [
    b"sudo", b"doas", b"env", b"command", b"exec", b"nohup", b"time", b"builtin", b"nice",
];

/// What comes behind an option.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follows {
    /// The password, in the same word.
    AtOnce,
    /// The password, in the same word or in the next.
    Either,
    /// A user, a colon and the password, likewise.
    UserAndPassword,
}

/// Names the first secret that is handed over by a command line.
pub(super) fn find(line: &[u8]) -> Option<&'static str> {
    // Most lines have neither, and a history has millions.
    if !line.contains(&b'=') && !line.contains(&b'-') {
        return None;
    }
    commands(line).iter().find_map(|words| in_command(words))
}

/// The first word of a line that is no assignment.
pub(super) fn program(line: &[u8]) -> Option<Vec<u8>> {
    let mut words = commands(line).into_iter().flatten();
    words
        .find(|word| word.assignment().is_none())
        .map(|word| word.text)
}

fn in_command(words: &[Word]) -> Option<&'static str> {
    let program = words.iter().find(|word| {
        let is_before = BEFORE_PROGRAMS.contains(&&word.text[..]) || word.text.starts_with(b"-");
        !is_before && word.assignment().is_none()
    });
    let program = program.map(|word| word.text.rsplit(|byte| *byte == b'/').next().unwrap_or_default());
    words.iter().enumerate().find_map(|(at, word)| {
        let next = words.get(at + 1);
        if let Some((name, value)) = word.assignment() {
            return (is_secret_name(name) && is_secret(value)).then_some(IN_VARIABLE);
        }
        if in_header(word) {
            return Some(IN_HEADER);
        }
        let is_handed =
            in_long_option(word, next) || program.is_some_and(|program| in_option(program, word, next));
        is_handed.then_some(IN_OPTION)
    })
}

fn upper(name: &[u8]) -> String {
    String::from_utf8_lossy(name)
        .to_ascii_uppercase()
        .replace('-', "_")
}

fn is_secret_name(name: &[u8]) -> bool {
    let name = upper(name);
    NAMES.contains(&&*name) || NAME_ENDS.iter().any(|end| name.ends_with(end))
}

/// `--password=x`, `--api-key x`.
fn in_long_option(word: &Word, next: Option<&Word>) -> bool {
    let Some(option) = word.text.strip_prefix(b"--") else {
        return false;
    };
    let length = option.iter().position(|byte| *byte == b'=');
    let name = &option[..length.unwrap_or(option.len())];
    let is_elsewhere = NO_OPTIONS.iter().any(|end| upper(name).ends_with(end));
    if is_elsewhere || !is_secret_name(name) {
        return false;
    }
    match (length, next) {
        (Some(length), _) => is_secret(word.value(2 + length + 1)),
        (None, Some(next)) => !next.text.starts_with(b"-") && is_secret(next.value(0)),
        (None, None) => false,
    }
}

fn in_option(program: &[u8], word: &Word, next: Option<&Word>) -> bool {
    OPTIONS
        .iter()
        .filter(|(programs, ..)| programs.iter().any(|known| known.as_bytes() == program))
        .any(|(_, option, follows)| {
            let option = option.as_bytes();
            let in_word = || word.text.starts_with(option).then(|| word.value(option.len()));
            let is_alone = word.text == option
                // `-sSu`: the last of several in one word.
                || (option.len() == 2
                    && word.text.len() > 2
                    && word.text.starts_with(b"-")
                    && word.text[1..].iter().all(u8::is_ascii_alphabetic)
                    && word.text.last() == option.last()
                    && *follows == Follows::UserAndPassword);
            let value = match (follows, is_alone) {
                (Follows::AtOnce, true) => None,
                (_, true) => next.map(|next| next.value(0)),
                (_, false) if option.len() > 2 => None,
                (_, false) => in_word(),
            };
            let Some(value) = value else { return false };
            match follows {
                Follows::AtOnce | Follows::Either => is_secret(value),
                Follows::UserAndPassword => {
                    let colon = value.text.iter().position(|byte| *byte == b':');
                    colon.is_some_and(|at| {
                        is_secret(Value {
                            text: &value.text[at + 1..],
                            ..value
                        })
                    })
                }
            }
        })
}

/// `Authorization: Bearer x`.
fn in_header(word: &Word) -> bool {
    let text = word.text.to_ascii_lowercase();
    [
        "authorization: bearer ",
        "authorization: basic ",
        "authorization: token ",
    ]
    .iter()
    .any(|header| text.starts_with(header.as_bytes()) && is_secret(word.value(header.len())))
}

/// Whether a value may be one: nothing that stands for another, and no number that counts something.
pub(super) fn is_secret(value: Value<'_>) -> bool {
    let text = value.text.trim_ascii();
    let is_path = text.starts_with(b"~/")
        || text.starts_with(b"./")
        || text.starts_with(b"@")
        || (text.starts_with(b"/") && text[1..].contains(&b'/'));
    let is_switch = matches!(
        &*text.to_ascii_lowercase(),
        b"true" | b"false" | b"yes" | b"no" | b"none" | b"null"
    );
    let is_count = text.len() <= 5 && text.iter().all(u8::is_ascii_digit);
    !(text.is_empty()
        || value.expands
        || text[0] == b'='
        || is_path
        || is_switch
        || is_count
        || is_placeholder(text))
}

fn is_placeholder(text: &[u8]) -> bool {
    let lower = String::from_utf8_lossy(text).to_ascii_lowercase();
    let fills = |c: char| matches!(c, 'x' | '*' | '.' | '-' | '_' | '?' | '#');
    let is_filled = lower.chars().count() > 1 && lower.chars().all(fills);
    is_filled
        || ["*", "?", "…"].contains(&&*lower)
        || lower.starts_with(['<', '[', '{', '%'])
        || lower.starts_with("your")
        || lower.starts_with("example")
        || ["...", "…", "changeme", "redacted", "placeholder"]
            .iter()
            .any(|word| lower.contains(word))
}
