//! The history files of other shells, read as entries: a time and a command each.
//!
//! | shell | an entry |
//! | --- | --- |
//! | bash | a line, or all lines up to the next `#<seconds>`: see [`crate::history`] |
//! | zsh | `: <seconds>:<duration>;<command>`, or the command alone; a line that ends in `\` goes on; bytes that zsh uses itself are written as 0x83 and the byte with bit 5 turned (zsh, `Src/utils.c`, `metafy`) |
//! | fish | `- cmd: <command>`, `when: <seconds>`; `\n` and `\\` are escaped (fish, `history/yaml_backend`) |
//!
//! Invariant: any bytes are read; what is no entry is passed over and counted.

use std::io::{self, BufRead};

use crate::frame::PAYLOAD_BYTES_MAX;
use crate::import;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Bash's.
    Bash,
    /// Zsh's, with or without times.
    Zsh,
    /// Fish's.
    Fish,
}

/// Zsh's mark before a byte that it has changed.
const META: u8 = 0x83;
const META_FLIP: u8 = 0x20;
const SECOND_NS: i64 = 1_000_000_000;

/// An entry of a history file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Nanoseconds since 1970; 0 if the file does not say.
    pub time_ns: i64,
    /// The command, lines joined by newlines.
    pub command: Vec<u8>,
}

impl Format {
    /// Every format, with the name by which one asks for it.
    pub const ALL: [(&'static str, Format); 3] = [
        ("bash", Format::Bash),
        ("zsh", Format::Zsh),
        ("fish", Format::Fish),
    ];

    /// Guesses by the first line that is not empty. A zsh file without times looks like bash's, and is read alike.
    pub fn of(beginning: &[u8]) -> Format {
        let line = beginning
            .split(|byte| *byte == b'\n')
            .find(|line| !line.trim_ascii().is_empty())
            .unwrap_or_default();
        if line.starts_with(b"- cmd: ") {
            Format::Fish
        } else if zsh_head(line).is_some() {
            Format::Zsh
        } else {
            Format::Bash
        }
    }

    /// Reads every entry, oldest first; entries without a command or too long for a record are left out.
    ///
    /// # Errors
    /// The file's.
    pub fn read(self, file: impl BufRead) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        match self {
            Format::Bash => {
                let read = import::entries(file, PAYLOAD_BYTES_MAX, |time_ns, command| {
                    let command = command.to_vec();
                    entries.push(Entry { time_ns, command });
                    Ok(())
                })?;
                if let Some(error) = read.failed {
                    return Err(error);
                }
            }
            Format::Zsh => zsh(file, &mut entries)?,
            Format::Fish => fish(file, &mut entries)?,
        }
        entries.retain(|entry| !entry.command.is_empty() && entry.command.len() <= PAYLOAD_BYTES_MAX);
        Ok(entries)
    }
}

/// The time of `: <seconds>:<duration>;`, and where the command begins.
fn zsh_head(line: &[u8]) -> Option<(i64, usize)> {
    let rest = line.strip_prefix(b": ")?;
    let colon = rest.iter().position(|byte| *byte == b':')?;
    let semicolon = colon + rest[colon..].iter().position(|byte| *byte == b';')?;
    let seconds: i64 = number(rest[..colon].trim_ascii())?;
    rest[colon + 1..semicolon]
        .iter()
        .all(u8::is_ascii_digit)
        .then_some((seconds.saturating_mul(SECOND_NS), 2 + semicolon + 1))
}

fn zsh(file: impl BufRead, entries: &mut Vec<Entry>) -> io::Result<()> {
    let mut open: Option<Entry> = None;
    for line in file.split(b'\n') {
        let line = unmetafied(&line?);
        let (goes_on, text) = match line.strip_suffix(b"\\") {
            // An even number of them is text.
            Some(text) if backslashes_at_end(&line) % 2 == 1 => (true, text.to_vec()),
            _ => (false, line),
        };
        let mut entry = match open.take() {
            Some(mut entry) => {
                entry.command.push(b'\n');
                entry.command.extend_from_slice(&text);
                entry
            }
            None => {
                let (time_ns, from) = zsh_head(&text).unwrap_or((0, 0));
                let command = text[from..].to_vec();
                Entry { time_ns, command }
            }
        };
        if goes_on && entry.command.len() <= PAYLOAD_BYTES_MAX {
            open = Some(entry);
        } else {
            entry.command.retain(|byte| *byte != 0);
            entries.push(entry);
        }
    }
    entries.extend(open);
    Ok(())
}

fn backslashes_at_end(line: &[u8]) -> usize {
    line.iter().rev().take_while(|byte| **byte == b'\\').count()
}

fn unmetafied(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut bytes = line.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            &META => out.extend(bytes.next().map(|byte| byte ^ META_FLIP)),
            byte => out.push(*byte),
        }
    }
    out
}

fn fish(file: impl BufRead, entries: &mut Vec<Entry>) -> io::Result<()> {
    for line in file.split(b'\n') {
        let line = line?;
        if let Some(command) = line.strip_prefix(b"- cmd: ") {
            entries.push(Entry {
                time_ns: 0,
                command: unescaped(command),
            });
        } else if let Some(when) = line.strip_prefix(b"  when: ")
            && let (Some(entry), Some(seconds)) = (entries.last_mut(), number(when.trim_ascii()))
        {
            entry.time_ns = seconds.saturating_mul(SECOND_NS);
        }
    }
    Ok(())
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, byte == b'\\') {
            (_, true) => match bytes.next() {
                Some(b'n') => out.push(b'\n'),
                Some(b'\\') | None => out.push(b'\\'),
                Some(other) => out.extend([b'\\', other]),
            },
            (0, _) => {}
            (byte, _) => out.push(byte),
        }
    }
    out
}

fn number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|n| *n >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(file: &[u8], format: Format, expect: &[(i64, &str)]) {
        assert_eq!(Format::of(file), format, "{:?}", String::from_utf8_lossy(file));
        let read: Vec<(i64, String)> = format
            .read(file)
            .unwrap()
            .into_iter()
            .map(|entry| {
                (
                    entry.time_ns / SECOND_NS,
                    String::from_utf8(entry.command).unwrap(),
                )
            })
            .collect();
        let expect: Vec<_> = expect
            .iter()
            .map(|(at, text)| (*at, (*text).to_owned()))
            .collect();
        assert_eq!(read, expect);
    }

    #[test]
    fn each_shell_s_file() {
        check(
            b"#5\nls\n#6\nfor i\ndo\n",
            Format::Bash,
            &[(5, "ls"), (6, "for i\ndo")],
        );
        check(b"ls\ncd /\n", Format::Bash, &[(0, "ls"), (0, "cd /")]);
        check(
            b": 1700000000:0;git log\n: 1700000001:12;for i in 1\\\ndo echo\\\ndone\nplain\n",
            Format::Zsh,
            &[
                (1_700_000_000, "git log"),
                (1_700_000_001, "for i in 1\ndo echo\ndone"),
                (0, "plain"),
            ],
        );
        // ü is C3 BC; zsh writes what lies in 0x83 … 0x9F changed: ß is C3 9F.
        check(
            b": 1:0;echo \xc3\xbc \xc3\x83\xbf\n",
            Format::Zsh,
            &[(1, "echo ü ß")],
        );
        check(
            b": 1:0;echo \\\\\n: 2:0;ls\n",
            Format::Zsh,
            &[(1, "echo \\\\"), (2, "ls")],
        );
        check(
            b"- cmd: git log\n  when: 1700000000\n  paths:\n    - README\n- cmd: a\\nb \\\\n\n  when: 7\n- cmd: last\n",
            Format::Fish,
            &[(1_700_000_000, "git log"), (7, "a\nb \\n"), (0, "last")],
        );
        check(b"", Format::Bash, &[]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for (_, format) in Format::ALL {
                prop_assert!(format.read(&bytes[..]).is_ok());
            }
        }
    }
}
