//! Reads bash's own history file, once, into a new log.
//!
//! The file is only ever read. Format: one entry a line, each optionally after a line `#<unix seconds>`. When
//! the very first line is such a line, bash wrote them all, and an entry reaches to the next one, over several
//! lines. Where every line ends by a carriage return and a newline, DOS wrote it, and no command has that. Bytes need not be
//! UTF-8. NUL bytes, which a crash leaves and no command can hold, are dropped.
//!
//! Bash takes any line that begins with `#` and a digit for a time, and has no way to write a command with such a line. What we
//! write has a blank before each of them, and after its time the word [`ESCAPED`], which bash passes over and keeps: so it
//! is one command for bash, and for us the one that it was.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::Path;

use crate::event::Event;
use crate::frame::{self, PAYLOAD_BYTES_MAX};
use crate::history::squeezed;
use crate::lines::{LineEnd, Lines};

/// Session id of imported commands.
const NO_SESSION: u64 = 0;
/// Bytes read from the history file at a time.
const READ_BYTES: usize = 64 * 1024;

/// Stands behind a time if blanks were put before lines of the command.
const ESCAPED: &str = " escaped";

/// What an import brought.
#[derive(Debug, Default)]
pub(crate) struct Import {
    /// Commands imported.
    pub(crate) count: u64,
    /// Entries that were left out, since no record holds that much.
    pub(crate) too_long: u64,
    /// How the lines of the file end.
    pub(crate) line_end: LineEnd,
    /// Why it ended early, if it did.
    pub(crate) failed: Option<io::Error>,
}

/// Who is told how far an import is: of how many bytes of the history file how many have been read.
pub(crate) type Told<'a> = &'a mut dyn FnMut(u64, u64);

/// A history file that tells how much of it has been read.
struct Counted<'a> {
    file: File,
    read: u64,
    of: u64,
    told: Told<'a>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read += count as u64;
        // It may have grown meanwhile.
        (self.told)(self.read.min(self.of), self.of);
        Ok(count)
    }
}

/// What a session that makes its log late has typed since the history file was as long as that: bash may have appended it
/// there (`history -a`), and the session writes it itself, with all that is known of it.
pub(crate) struct Since {
    /// How long the file was before anything was typed.
    pub(crate) file_bytes: u64,
    /// What was typed, [`squeezed`], and how often.
    pub(crate) typed: HashMap<Vec<u8>, usize>,
}

impl Since {
    /// Whether the session writes this one itself; each is said once.
    fn takes(&mut self, command: &[u8]) -> bool {
        let left = self.typed.get_mut(&squeezed(command)).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    }
}

/// Writes the entries of the history file at `path` to `out` as records, but for those that `since` takes, and tells `told`
/// as it goes on. No file: no entries.
///
/// # Errors
/// Those of `out`. Failing to read the history file is reported in the result: it is no reason to have no log.
pub(crate) fn copy(
    path: &Path,
    out: &mut dyn Write,
    told: Told<'_>,
    since: Option<Since>,
) -> io::Result<Import> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Import::default()),
        Err(error) => {
            return Ok(Import {
                failed: Some(error),
                ..Import::default()
            });
        }
    };
    // What it has is not read for that: the first line says of nearly every file that it is none of DOS's.
    let line_end = LineEnd::of(BufReader::with_capacity(READ_BYTES, &file)).and_then(|found| {
        (&file).rewind()?;
        Ok(found)
    });
    let line_end = match line_end {
        Ok(line_end) => line_end,
        Err(error) => {
            return Ok(Import {
                failed: Some(error),
                ..Import::default()
            });
        }
    };
    let counted = Counted {
        read: 0,
        of: file.metadata().map_or(0, |found| found.len()),
        file,
        told,
    };
    let mut record = Vec::new();
    let mut sequence = 0;
    let mut write = |time_ns, command: &[u8]| {
        let event = Event::Imported { command };
        sequence += 1;
        record.clear();
        frame::encode(&mut record, event.kind(), sequence, NO_SESSION, time_ns, |out| {
            event.write(out);
        });
        out.write_all(&record)
    };
    let mut file = BufReader::with_capacity(READ_BYTES, counted);
    let before = since.as_ref().map_or(u64::MAX, |since| since.file_bytes);
    let mut import = entries((&mut file).take(before), line_end, PAYLOAD_BYTES_MAX, &mut write)?;
    if let Some(mut since) = since
        && import.failed.is_none()
    {
        // Bash appends whole entries.
        let mut taken = 0;
        let rest = entries(
            file,
            line_end,
            PAYLOAD_BYTES_MAX,
            |time_ns, command| match since.takes(command) {
                true => {
                    taken += 1;
                    Ok(())
                }
                false => write(time_ns, command),
            },
        )?;
        import.count += rest.count - taken;
        import.too_long += rest.too_long;
        import.failed = rest.failed;
    }
    Ok(import)
}

fn open(path: &Path) -> io::Result<File> {
    // Opening a fifo would wait for a writer, for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    File::open(path)
}

/// Reads the entries of `history`, oldest first, and calls `each` with the time in nanoseconds since the
/// epoch (0 if the file does not say) and the command.
///
/// Entries longer than `entry_bytes_max` are left out and counted; memory stays within twice that.
///
/// # Errors
/// Those of `each`.
pub(crate) fn entries(
    history: impl BufRead,
    line_end: LineEnd,
    entry_bytes_max: usize,
    mut each: impl FnMut(i64, &[u8]) -> io::Result<()>,
) -> io::Result<Import> {
    let mut entry = Entry {
        stamp: Stamp::default(),
        text: Vec::new(),
        overlong: false,
        empty: true,
    };
    let mut lines = Lines::new(history, line_end, entry_bytes_max);
    let mut spans_lines = None;
    let mut import = Import {
        line_end,
        ..Import::default()
    };
    import.failed = loop {
        let line = match lines.next() {
            Ok(Some(line)) => line,
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        let stamp = match line.is_overlong {
            true => None,
            false => Stamp::of(line.bytes),
        };
        let spans_lines = *spans_lines.get_or_insert(stamp.is_some());
        if stamp.is_some() || !spans_lines {
            entry.hand_over(&mut import, &mut each)?;
        }
        match stamp {
            Some(stamp) => entry.stamp = stamp,
            None => entry.push(line.bytes, line.is_overlong, entry_bytes_max),
        }
    };
    entry.hand_over(&mut import, &mut each)?;
    Ok(import)
}

/// The entry being collected.
struct Entry {
    stamp: Stamp,
    text: Vec<u8>,
    overlong: bool,
    /// No line of it has been seen: its time, if any, still waits for it.
    empty: bool,
}

impl Entry {
    fn push(&mut self, line: &[u8], line_overlong: bool, bytes_max: usize) {
        if !self.text.is_empty() {
            self.text.push(b'\n');
        }
        self.empty = false;
        let line = match self.stamp.is_escaped && is_marked(line) {
            true => line.strip_prefix(b" ").unwrap_or(line),
            false => line,
        };
        self.overlong |= line_overlong || self.text.len() + line.len() > bytes_max;
        if self.overlong {
            self.text.clear();
        } else {
            self.text.extend(line.iter().filter(|&&byte| byte != 0));
        }
    }

    /// Passes on what was collected, if anything, and begins anew.
    fn hand_over(
        &mut self,
        import: &mut Import,
        each: &mut impl FnMut(i64, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.empty {
            return Ok(());
        }
        let length = self
            .text
            .iter()
            .rposition(|&byte| byte != b'\n')
            .map_or(0, |last| last + 1);
        if self.overlong {
            import.too_long += 1;
        } else if length > 0 {
            each(self.stamp.time_ns, &self.text[..length])?;
            import.count += 1;
        }
        (self.stamp, self.overlong, self.empty) = (Stamp::default(), false, true);
        self.text.clear();
        Ok(())
    }
}

/// What stands before an entry.
#[derive(Clone, Copy, Default)]
struct Stamp {
    time_ns: i64,
    is_escaped: bool,
}

impl Stamp {
    /// Reads `#<digits>`. A comment that merely starts with a digit is a command, unlike in bash, which drops it.
    fn of(line: &[u8]) -> Option<Stamp> {
        let stamp = line.strip_prefix(b"#")?;
        let escaped = stamp.strip_suffix(ESCAPED.as_bytes());
        let digits = escaped.unwrap_or(stamp);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let seconds: Option<i64> = std::str::from_utf8(digits).ok()?.parse().ok();
        Some(Stamp {
            time_ns: seconds
                .and_then(|seconds| seconds.checked_mul(1_000_000_000))
                .unwrap_or(0),
            is_escaped: escaped.is_some(),
        })
    }
}

/// Whether bash would take the line for a time, but for blanks before it.
fn is_marked(line: &[u8]) -> bool {
    let blanks = line.iter().take_while(|byte| **byte == b' ').count();
    matches!(line[blanks..], [b'#', digit, ..] if digit.is_ascii_digit())
}

/// Writes an entry as it is read.
pub(crate) fn write(out: &mut impl Write, seconds: i64, command: &[u8]) -> io::Result<()> {
    let lines = || command.split(|byte| *byte == b'\n');
    // Bash would divide it there.
    let is_escaped = lines().any(|line| is_marked(line) && line.starts_with(b"#"));
    writeln!(out, "#{seconds}{}", if is_escaped { ESCAPED } else { "" })?;
    for line in lines() {
        if is_escaped && is_marked(line) {
            out.write_all(b" ")?;
        }
        out.write_all(line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &[u8], expect: &[(i64, &[u8])]) {
        check_long(file, expect, 0);
    }

    fn check_long(file: &[u8], expect: &[(i64, &[u8])], too_long: u64) {
        for buffer_bytes in [1, 7, 4096] {
            let mut found = Vec::new();
            let reader = BufReader::with_capacity(buffer_bytes, file);
            let count = entries(reader, LineEnd::Newline, 40, |time_ns, text| {
                found.push((time_ns, text.to_vec()));
                Ok(())
            });
            let expect: Vec<_> = expect
                .iter()
                .map(|&(seconds, text)| (seconds * 1_000_000_000, text.to_vec()))
                .collect();
            assert_eq!(
                found,
                expect,
                "{:?} by {buffer_bytes}",
                file.escape_ascii().to_string()
            );
            let import = count.unwrap();
            assert_eq!((import.count, import.too_long), (expect.len() as u64, too_long));
        }
    }

    #[test]
    fn every_shape_of_history_file() {
        check(b"", &[]);
        check(b"\n\n", &[]);
        check(b"ls", &[(0, b"ls")]);
        check(b"ls\ncd /\n", &[(0, b"ls"), (0, b"cd /")]);
        check(b"ls\n\n\ncd /\n", &[(0, b"ls"), (0, b"cd /")]);
        check(b"ls\n#7\ncd /\npwd\n", &[(0, b"ls"), (7, b"cd /"), (0, b"pwd")]);
        check(b"#5\nls\n#6\ncd /\n", &[(5, b"ls"), (6, b"cd /")]);
        check(
            b"#5\nfor i in 1\ndo\n\necho\ndone\n#6\ncd\n",
            &[(5, b"for i in 1\ndo\n\necho\ndone"), (6, b"cd")],
        );
        check(b"#5\n\nls\n\n#6\n", &[(5, b"ls")]);
        check(b"#5\n#6\nls", &[(6, b"ls")]);
        check(
            b"#5 escaped\n #6\n  #7 x\n #x\n# 8\n#9\n #1\n",
            &[(5, b"#6\n #7 x\n #x\n# 8"), (9, b" #1")],
        );
        check(b"#\n#5x\n# 5\n", &[(0, b"#"), (0, b"#5x"), (0, b"# 5")]);
        check(b"#99999999999999999999\nls\n", &[(0, b"ls")]);
        check(b"#9999999999999\nls\n", &[(0, b"ls")]);
        check(b"\xff\xfe\n\xc3\x28\n", &[(0, b"\xff\xfe"), (0, b"\xc3\x28")]);
        check(b"\0\0\0l\0s\n\0\n", &[(0, b"ls")]);
        check(b"cat <<E\r\n", &[(0, b"cat <<E\r")]);
    }

    #[test]
    fn an_overlong_entry_is_left_out_and_nothing_else() {
        let long = [b'x'; 41];
        check_long(
            &[b"a\n", &long[..], b"\nb\n"].concat(),
            &[(0, b"a"), (0, b"b")],
            1,
        );
        check(
            &[b"a\n", &long[..40], b"\nb\n"].concat(),
            &[(0, b"a"), (0, &long[..40]), (0, b"b")],
        );
        check_long(
            &[b"#1\n", &long[..30], b"\n", &long[..30], b"\n#2\nb\n"].concat(),
            &[(2, b"b")],
            1,
        );
        check_long(&[b"#1\na\n", &long[..], b"\nc\n#2\nb"].concat(), &[(2, b"b")], 1);
    }
}
