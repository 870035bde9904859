//! The history files of other shells, read as entries: a time and a command each.
//!
//! | shell | an entry |
//! | --- | --- |
//! | bash | a line, or all lines up to the next `#<seconds>`: see [`crate::history`] |
//! | zsh | `: <seconds>:<duration>;<command>`, or the command alone; a line that ends in `\` goes on, whatever stands before that; of blanks behind a `\` one is zsh's own (zsh, `Src/hist.c`, `readhistline`); bytes that zsh uses itself are written as 0x83 and the byte with bit 5 turned (zsh, `Src/utils.c`, `metafy`) |
//! | fish | `- cmd: <command>`, `when: <seconds>`; `\n` and `\\` are escaped (fish, `history/yaml_backend`) |
//!
//! Invariant: any bytes are read, a line within a bounded memory; what is no entry is passed over, and what no record holds is
//! counted. Whether a file is a history at all is asked before
//! ([`refusal`]): any bytes read as something, and nobody takes a thousand lines of noise out again.

use std::io::{self, BufRead, Write};

use crate::frame::PAYLOAD_BYTES_MAX;
use crate::header::MAGIC;
use crate::import;
use crate::lines::{LineEnd, Lines};

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
/// Bytes of a line: as many as become the longest entry, where each byte is written as two.
const LINE_BYTES_MAX: usize = 2 * PAYLOAD_BYTES_MAX + 1024;

/// Of so many bytes one that no text has makes a file binary: a program has one of three, what is compressed one of nine.
const BINARY_ONE_OF: usize = 50;
/// So many are none too many in any file.
const BINARY_LEAST: usize = 4;
/// NULs in a row that a crash may have left count as one.
const NULS_OF_CRASH: usize = 16;

/// Why a file is no history of another shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is one of our own logs.
    Log,
    /// It is no text.
    Binary,
}

/// Says by its beginning, some kilobytes of it, why a file is no history of another shell; none if it may be one.
pub fn refusal(beginning: &[u8]) -> Option<Refusal> {
    if beginning.starts_with(&MAGIC) {
        return Some(Refusal::Log);
    }
    let mut odd = 0;
    for stretch in beginning.chunk_by(|a, b| (*a == 0) == (*b == 0)) {
        odd += match stretch {
            [0, ..] if stretch.len() >= NULS_OF_CRASH => 1,
            stretch => stretch.iter().filter(|byte| is_odd(**byte)).count(),
        };
    }
    (odd >= BINARY_LEAST && odd * BINARY_ONE_OF > beginning.len()).then_some(Refusal::Binary)
}

/// A byte that a line of a shell has only by accident.
fn is_odd(byte: u8) -> bool {
    byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x1b)
}

/// An entry of a history file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Nanoseconds since 1970; 0 if the file does not say.
    pub time_ns: i64,
    /// The command, lines joined by newlines.
    pub command: Vec<u8>,
    /// Where it ran and how it ended, if the file says so: none of another shell does.
    pub ran: Option<Ran>,
}

/// Where a command ran, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// The folder.
    pub cwd: Vec<u8>,
    /// Exit status and run time in nanoseconds, if that is known.
    pub end: Option<(i32, u64)>,
}

/// What was read of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Oldest first.
    pub entries: Vec<Entry>,
    /// Entries that were left out, since no record holds more than [`PAYLOAD_BYTES_MAX`].
    pub too_long: u64,
}

impl Read {
    /// Takes an entry, unless it is nothing or, known to be or not, too long.
    pub fn take(&mut self, entry: Entry, is_overlong: bool) {
        let folder = entry.ran.as_ref().map_or(0, |ran| 4 + ran.cwd.len());
        if is_overlong || folder + entry.command.len() > PAYLOAD_BYTES_MAX {
            self.too_long += 1;
        } else if !entry.command.is_empty() {
            self.entries.push(entry);
        }
    }
}

impl Entry {
    fn new(time_ns: i64, command: Vec<u8>) -> Self {
        Self {
            time_ns,
            command,
            ran: None,
        }
    }
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

    /// Reads every entry of a file whose lines end so.
    ///
    /// # Errors
    /// The file's.
    pub fn read(self, file: impl BufRead, line_end: LineEnd) -> io::Result<Read> {
        let mut read = Read::default();
        match self {
            Format::Bash => {
                let import = import::entries(file, line_end, PAYLOAD_BYTES_MAX, |time_ns, command| {
                    read.take(Entry::new(time_ns, command.to_vec()), false);
                    Ok(())
                })?;
                if let Some(error) = import.failed {
                    return Err(error);
                }
                read.too_long += import.too_long;
            }
            Format::Zsh => zsh(Lines::new(file, line_end, LINE_BYTES_MAX), &mut read)?,
            Format::Fish => fish(Lines::new(file, line_end, LINE_BYTES_MAX), &mut read)?,
        }
        Ok(read)
    }
}

/// Writes an entry as bash writes its file when HISTTIMEFORMAT is set. Read back, it is the same to the second, and one of
/// several lines is one again.
///
/// # Errors
/// Those of `out`.
pub fn write_bash(out: &mut impl Write, time_ns: i64, command: &[u8]) -> io::Result<()> {
    import::write(out, time_ns.div_euclid(SECOND_NS).max(0), command)
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

fn zsh(mut lines: Lines<impl BufRead>, read: &mut Read) -> io::Result<()> {
    // With whether it is too long by now: then only its end is looked for.
    let mut open: Option<(Entry, bool)> = None;
    while let Some(found) = lines.next()? {
        let line = unmetafied(found.bytes);
        // Zsh looks at the last one alone: an entry that ends in one is padded.
        let (goes_on, text) = match line.strip_suffix(b"\\") {
            Some(text) => (true, text.to_vec()),
            None => (false, without_padding(line)),
        };
        let (mut entry, was_overlong) = match open.take() {
            Some((mut entry, is_overlong)) => {
                entry.command.push(b'\n');
                entry.command.extend_from_slice(&text);
                (entry, is_overlong)
            }
            None => {
                // Where no head stands, a colon that looks like one is escaped.
                let plain = (0, usize::from(text.starts_with(b"\\:")));
                let (time_ns, from) = zsh_head(&text).unwrap_or(plain);
                (Entry::new(time_ns, text[from..].to_vec()), false)
            }
        };
        entry.command.retain(|byte| *byte != 0);
        let is_overlong = was_overlong || found.is_overlong || entry.command.len() > PAYLOAD_BYTES_MAX;
        if is_overlong {
            entry.command.clear();
        }
        match goes_on {
            true => open = Some((entry, is_overlong)),
            false => read.take(entry, is_overlong),
        }
    }
    if let Some((entry, is_overlong)) = open {
        read.take(entry, is_overlong);
    }
    Ok(())
}

/// Without the blank that zsh puts behind a `\` at the end of an entry, and any blanks after it.
fn without_padding(mut line: Vec<u8>) -> Vec<u8> {
    let text = line.trim_ascii_end();
    let is_padded =
        text.ends_with(b"\\") && line.ends_with(b" ") && line[text.len()..].iter().all(|byte| *byte == b' ');
    if is_padded {
        line.pop();
    }
    line
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

fn fish(mut lines: Lines<impl BufRead>, read: &mut Read) -> io::Result<()> {
    // What a time belongs to that comes behind it.
    let mut open: Option<(Entry, bool)> = None;
    while let Some(line) = lines.next()? {
        if let Some(command) = line.bytes.strip_prefix(b"- cmd: ") {
            if let Some((entry, is_overlong)) = open.take() {
                read.take(entry, is_overlong);
            }
            open = Some((Entry::new(0, unescaped(command)), line.is_overlong));
        } else if let Some(when) = line.bytes.strip_prefix(b"  when: ")
            && let (Some((entry, _)), Some(seconds)) = (&mut open, number(when.trim_ascii()))
        {
            entry.time_ns = seconds.saturating_mul(SECOND_NS);
        }
    }
    if let Some((entry, is_overlong)) = open {
        read.take(entry, is_overlong);
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
mod tests;
