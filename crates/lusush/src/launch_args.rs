//! Reads the arguments as bash would, as far as it takes to know what it is going to do.
//!
//! Invariant: what is not understood is bash's to complain about; it goes there unchanged.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What bash is asked to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A command, a script, standard input: bash as it is, with these arguments.
    Plain(Vec<OsString>),
    /// A shell that someone types into.
    Interactive(Interactive),
}

/// An interactive shell.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Interactive {
    /// A login shell.
    pub(crate) login: bool,
    /// `--norc`, `--noprofile`, `--posix`, `--noediting`.
    pub(crate) norc: bool,
    pub(crate) noprofile: bool,
    pub(crate) posix: bool,
    pub(crate) noediting: bool,
    /// `--rcfile FILE`, `--init-file FILE`.
    pub(crate) rcfile: Option<OsString>,
    /// `--safe`: no start-up file and no configuration of the user's.
    pub(crate) safe: bool,
    /// `--retry`: forget what failed.
    pub(crate) retry: bool,
    /// Every argument but our own, for a bash that reads its start-up files itself.
    pub(crate) all: Vec<OsString>,
    /// The options and operands without those above, for a bash that is told what to read.
    pub(crate) rest: Vec<OsString>,
}

/// Reads `arguments`. `login` says that `argv[0]` began with a dash; `terminal` that a person sits there.
pub(crate) fn read(arguments: Vec<OsString>, login: bool, terminal: bool) -> Request {
    match interactive(&arguments, login, terminal) {
        Some(interactive) => Request::Interactive(interactive),
        None => Request::Plain(arguments.into_iter().skip_while(is_ours).collect()),
    }
}

fn is_ours(word: &OsString) -> bool {
    word == "--safe" || word == "--retry"
}

fn interactive(arguments: &[OsString], login: bool, terminal: bool) -> Option<Interactive> {
    let mut asked = Interactive {
        login,
        ..Interactive::default()
    };
    let (mut long, mut short) = (Vec::new(), Vec::new());
    let (mut forced, mut from_input) = (false, false);
    let mut words = arguments.iter();
    while let Some(word) = words.clone().next() {
        let bytes = word.as_bytes();
        if bytes == b"-" || bytes == b"--" {
            words.next();
            break;
        }
        let Some((&sign @ (b'-' | b'+'), letters)) = bytes.split_first() else {
            break;
        };
        words.next();
        // Bash takes its long options with one dash as well.
        match letters.strip_prefix(b"-").unwrap_or(letters) {
            _ if word == "--safe" => asked.safe = true,
            _ if word == "--retry" => asked.retry = true,
            b"login" => asked.login = true,
            b"norc" => asked.norc = true,
            b"noprofile" => asked.noprofile = true,
            b"posix" => asked.posix = true,
            b"noediting" => asked.noediting = true,
            b"rcfile" | b"init-file" => asked.rcfile = Some(words.next()?.clone()),
            b"restricted" | b"verbose" | b"debugger" => long.push(word.clone()),
            _ if letters.starts_with(b"-") => return None,
            _ => {
                let mut kept = vec![sign];
                let mut values = Vec::new();
                for &letter in letters {
                    match letter {
                        b'c' | b'D' => return None,
                        b'l' if sign == b'-' => asked.login = true,
                        b'o' | b'O' => {
                            kept.push(letter);
                            // Without a value bash lists its options.
                            values.push(words.next()?.clone());
                        }
                        _ => {
                            forced |= letter == b'i' && sign == b'-';
                            from_input |= letter == b's' && sign == b'-';
                            kept.push(letter);
                        }
                    }
                }
                if kept.len() > 1 {
                    short.push(OsString::from_vec(kept));
                    short.append(&mut values);
                }
            }
        }
    }
    let operands = words.as_slice();
    if !(operands.is_empty() || from_input) || !(terminal || forced) {
        return None;
    }
    let options = &arguments[..arguments.len() - operands.len()];
    asked.all = options
        .iter()
        .filter(|word| !is_ours(word))
        .chain(operands)
        .cloned()
        .collect();
    asked.rest = long;
    asked.rest.append(&mut short);
    if !operands.is_empty() {
        asked.rest.push(OsStr::new("--").to_owned());
        asked.rest.extend_from_slice(operands);
    }
    Some(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn what_bash_runs_without_a_person_is_plain() {
        let check = |line: &str, terminal: bool| {
            let request = read(words(line), false, terminal);
            assert_eq!(request, Request::Plain(words(line)), "{line}");
        };
        for line in [
            "-c true",
            "-ic true",
            "-lc true",
            "-x -c true",
            "script",
            "-x script arg",
            "-- script",
            "- script",
        ] {
            check(line, true);
        }
        for line in [
            "-O extglob script",
            "+O extglob -c x",
            "-D",
            "--dump-strings",
            "--unknown",
            "-o",
            "--rcfile",
        ] {
            check(line, true);
        }
        for line in ["", "-s", "-l", "-x", "script --safe"] {
            check(line, false);
        }
        assert_eq!(
            read(words("--safe -c x"), false, true),
            Request::Plain(words("-c x"))
        );
        // A script's own options are the script's.
        check("script --safe --retry", true);
    }

    #[test]
    fn what_a_person_types_into_is_interactive() {
        let check = |line: &str, rest: &str, ask: fn(&mut Interactive)| {
            let mut expect = Interactive {
                rest: words(rest),
                ..Interactive::default()
            };
            ask(&mut expect);
            let all: Vec<_> = words(line)
                .into_iter()
                .filter(|word| word != "--safe" && word != "--retry")
                .collect();
            expect.all = all;
            assert_eq!(
                read(words(line), false, true),
                Request::Interactive(expect),
                "{line}"
            );
        };
        check("", "", |_| ());
        check("-i", "-i", |_| ());
        check("-l", "", |asked| asked.login = true);
        check("-login", "", |asked| asked.login = true);
        check("--login --noprofile -x", "-x", |asked| {
            (asked.login, asked.noprofile) = (true, true);
        });
        check("-il", "-i", |asked| asked.login = true);
        check("-x -O extglob +o history", "-x -O extglob +o history", |_| ());
        check("--norc", "", |asked| asked.norc = true);
        check("--rcfile F --verbose -e", "--verbose -e", |asked| {
            asked.rcfile = Some("F".into());
        });
        check("--init-file F", "", |asked| asked.rcfile = Some("F".into()));
        check("--posix --noediting", "", |asked| {
            (asked.posix, asked.noediting) = (true, true);
        });
        check("-s a b", "-s -- a b", |_| ());
        check("--safe", "", |asked| asked.safe = true);
        check("--retry -l", "", |asked| {
            (asked.retry, asked.login) = (true, true);
        });
        check("-l --retry", "", |asked| {
            (asked.retry, asked.login) = (true, true);
        });
        let forced = read(words("-i"), false, false);
        assert!(matches!(forced, Request::Interactive(_)), "-i needs no terminal");
        let login = read(words(""), true, true);
        assert!(matches!(
            login,
            Request::Interactive(Interactive { login: true, .. })
        ));
    }
}
