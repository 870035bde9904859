//! Lines of a file of any length, read within a bounded memory.
//!
//! Invariant: of a line that is too long no more is held than [`KEPT_BYTES`] of its beginning and its last byte, by which it is
//! told what it would have been.

use std::io::{self, BufRead};

/// Bytes kept of the beginning of a line that is too long.
const KEPT_BYTES: usize = 32;

/// How the lines of a file end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineEnd {
    /// By a newline.
    #[default]
    Newline,
    /// All of them by a carriage return and a newline, as DOS and Windows have it.
    Dos,
}

impl LineEnd {
    /// Says how they end in a file: in one that is not DOS's after its first line.
    ///
    /// # Errors
    /// Those of the input.
    pub fn of(mut input: impl BufRead) -> io::Result<LineEnd> {
        let (mut before, mut found) = (0, LineEnd::Newline);
        loop {
            let available = match input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                return Ok(found);
            }
            for &byte in available {
                match (before, byte) {
                    (b'\r', b'\n') => found = LineEnd::Dos,
                    (_, b'\n') => return Ok(LineEnd::Newline),
                    _ => {}
                }
                before = byte;
            }
            let used = available.len();
            input.consume(used);
        }
    }
}

/// Reads lines.
pub struct Lines<R> {
    input: R,
    line_end: LineEnd,
    bytes_max: usize,
    line: Vec<u8>,
}

/// A line without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its bytes; of one that is too long its beginning and its last byte.
    pub bytes: &'a [u8],
    /// It is longer than was asked for.
    pub is_overlong: bool,
}

impl<R: BufRead> Lines<R> {
    /// Reads lines of so many bytes at most that end so.
    pub fn new(input: R, line_end: LineEnd, bytes_max: usize) -> Self {
        Self {
            input,
            line_end,
            bytes_max: bytes_max.max(KEPT_BYTES),
            line: Vec::new(),
        }
    }

    /// The next line; none at the end.
    ///
    /// # Errors
    /// Those of the input.
    #[allow(clippy::should_implement_trait, reason = "a line borrows from what reads it")]
    pub fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let line = &mut self.line;
        line.clear();
        let (mut any, mut is_overlong, mut last) = (false, false, None);
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                break;
            }
            any = true;
            let newline = available.iter().position(|&byte| byte == b'\n');
            let part = &available[..newline.unwrap_or(available.len())];
            is_overlong |= line.len() + part.len() > self.bytes_max;
            if is_overlong {
                let room = KEPT_BYTES.saturating_sub(line.len()).min(part.len());
                line.extend_from_slice(&part[..room]);
                line.truncate(KEPT_BYTES);
                last = part.last().copied().or(last);
            } else {
                line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(newline.is_some());
            self.input.consume(used);
            if newline.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        line.extend(last);
        if self.line_end == LineEnd::Dos && line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(Line {
            bytes: line,
            is_overlong,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_dos_has_it_only_if_all_do() {
        let check = |file: &[u8], expect| {
            for buffer_bytes in [1, 2, 4096] {
                let input = io::BufReader::with_capacity(buffer_bytes, file);
                assert_eq!(LineEnd::of(input).unwrap(), expect, "{file:?} by {buffer_bytes}");
            }
        };
        check(b"a\r\nb\r\n", LineEnd::Dos);
        check(b"a\r\n\r\nb", LineEnd::Dos);
        check(b"a\r\nb\n", LineEnd::Newline);
        check(b"a\nb\r\n", LineEnd::Newline);
        check(b"a\r\n\n", LineEnd::Newline);
        for none in [&b""[..], b"a", b"a\r", b"\n"] {
            check(none, LineEnd::Newline);
        }
        let mut lines = Lines::new(&b"a\r\n\r\nb\r\r\nc"[..], LineEnd::Dos, 40);
        for expect in [&b"a"[..], b"", b"b\r", b"c"] {
            assert_eq!(lines.next().unwrap().map(|line| line.bytes), Some(expect));
        }
    }

    #[test]
    fn lines_are_read_whole_or_by_their_ends() {
        let long = [&b"- cmd: "[..], &[b'x'; 100], b"\\"].concat();
        let file = [&b"a\n\n"[..], &[b'y'; 40], b"\n", &long, b"\nb"].concat();
        let kept = [&long[..KEPT_BYTES], b"\\"].concat();
        for buffer_bytes in [1, 7, 33, 4096] {
            let input = io::BufReader::with_capacity(buffer_bytes, &file[..]);
            let mut lines = Lines::new(input, LineEnd::Newline, 40);
            let mut read = Vec::new();
            while let Some(line) = lines.next().unwrap() {
                read.push((line.bytes.to_vec(), line.is_overlong));
            }
            let expect = [
                (b"a".to_vec(), false),
                (Vec::new(), false),
                (vec![b'y'; 40], false),
                (kept.clone(), true),
                (b"b".to_vec(), false),
            ];
            assert_eq!(read, expect, "by {buffer_bytes}");
        }
    }
}
