//! The emulated screen: `vt100`, corrected where it differs from xterm at the right margin.
//!
//! After a character in the last column xterm keeps the cursor *on* that column with a wrap pending; `vt100`
//! counts one column further. A backspace or an erase then acts one column too far right. Both painters that
//! are compared on this screen use that corner, so it must be xterm's.
//!
//! Invariant: the screen depends on the bytes alone, never on how they were cut into reads.

/// Ends a control sequence that never ends, so that a torn one cannot hold back the screen.
const SEQUENCE_BYTES_MAX: usize = 256;

/// An xterm-like screen fed with the bytes a child writes.
pub struct Emulator {
    parser: vt100::Parser,
    /// The head of a control sequence whose end has not been read yet.
    held: Vec<u8>,
    /// What the terminal answers, not yet taken.
    answers: Vec<u8>,
}

/// What is shown for a byte that is no character.
const UNREADABLE: &str = "\u{25a1}";

impl Emulator {
    /// Makes an empty screen of `rows` by `cols` cells.
    #[must_use]
    pub fn new(rows: u16, cols: u16) -> Self {
        Self {
            parser: vt100::Parser::new(rows, cols, 0),
            held: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// Shows `bytes`.
    pub fn process(&mut self, bytes: &[u8]) {
        let joined;
        let mut rest = if self.held.is_empty() {
            bytes
        } else {
            joined = [std::mem::take(&mut self.held).as_slice(), bytes].concat();
            joined.as_slice()
        };
        while let Some(at) = rest.iter().position(|&b| b == 0x08 || b == 0x1b) {
            self.show(&rest[..at]);
            rest = &rest[at..];
            let len = if rest[0] == 0x08 {
                Some(1)
            } else {
                sequence_len(rest)
            };
            let Some(len) = len else {
                self.held = rest.to_vec();
                return;
            };
            let (sequence, tail) = rest.split_at(len);
            if leaves_the_margin(sequence) {
                self.end_pending_wrap();
            }
            self.parser.process(sequence);
            self.answer(sequence);
            rest = tail;
        }
        let whole = match std::str::from_utf8(rest) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => rest.len(),
        };
        self.show(&rest[..whole]);
        // The beginning of a character waits for its end.
        self.held = rest[whole..].to_vec();
    }

    /// Shows text. `vt100` drops bytes that are no character, and U+FFFD with them; a terminal shows something for each,
    /// in a column, and so does this.
    fn show(&mut self, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            if chunk.valid().contains('\u{fffd}') {
                self.parser
                    .process(chunk.valid().replace('\u{fffd}', UNREADABLE).as_bytes());
            } else {
                self.parser.process(chunk.valid().as_bytes());
            }
            for _ in chunk.invalid() {
                self.parser.process(UNREADABLE.as_bytes());
            }
        }
    }

    /// Takes what the terminal answers to questions in what was shown; it is to be typed to the child.
    #[must_use]
    pub fn take_answers(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.answers)
    }

    /// Changes the size; rows are cut or padded, never reflowed.
    pub fn resize(&mut self, rows: u16, cols: u16) {
        self.blank_cut_characters(cols);
        self.parser.screen_mut().set_size(rows, cols);
    }

    /// Returns the screen.
    #[must_use]
    pub fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// Returns every row, without trailing blanks.
    #[must_use]
    pub fn rows(&self) -> Vec<String> {
        let screen = self.screen();
        let (_, cols) = screen.size();
        screen
            .rows(0, cols)
            .map(|row| row.trim_end().to_owned())
            .collect()
    }

    /// Returns the cursor as (row, column) from 0; a pending wrap shows as the column past the last.
    #[must_use]
    pub fn cursor(&self) -> (u16, u16) {
        self.screen().cursor_position()
    }

    /// Blanks the wide characters of which a narrower screen would keep half; `vt100` trips over halves.
    fn blank_cut_characters(&mut self, cols: u16) {
        let (rows, _) = self.screen().size();
        for row in 0..rows {
            let cut = self
                .screen()
                .cell(row, cols - 1)
                .is_some_and(vt100::Cell::is_wide);
            if cut {
                let blank = format!("\x1b7\x1b[{};{cols}H \x1b8", row + 1);
                self.parser.process(blank.as_bytes());
            }
        }
    }

    /// Answers the questions programs ask before they draw (ECMA-48 DSR, DA).
    fn answer(&mut self, sequence: &[u8]) {
        match sequence {
            b"\x1b[6n" => {
                let ((row, col), (_, cols)) = (self.cursor(), self.screen().size());
                let answer = format!("\x1b[{};{}R", row + 1, col.min(cols - 1) + 1);
                self.answers.extend_from_slice(answer.as_bytes());
            }
            b"\x1b[5n" => self.answers.extend_from_slice(b"\x1b[0n"),
            b"\x1b[c" | b"\x1b[0c" => self.answers.extend_from_slice(b"\x1b[?62;22c"),
            _ => {}
        }
    }

    fn end_pending_wrap(&mut self) {
        let (_, cols) = self.screen().size();
        if self.cursor().1 >= cols {
            self.parser.process(format!("\x1b[{cols}G").as_bytes());
        }
    }
}

/// Returns the length of the escape sequence that `bytes` begins with, or nothing if its end is missing.
fn sequence_len(bytes: &[u8]) -> Option<usize> {
    let end = match bytes.get(1)? {
        b'[' => bytes[2..]
            .iter()
            .position(|b| (0x40..=0x7e).contains(b))
            .map(|at| at + 3),
        b']' | b'P' | b'_' | b'^' => string_len(bytes),
        b'(' | b')' | b'*' | b'+' | b'#' | b' ' | b'%' => (bytes.len() > 2).then_some(3),
        _ => Some(2),
    };
    end.or((bytes.len() > SEQUENCE_BYTES_MAX).then_some(bytes.len()))
}

/// Returns the length of a string sequence (a window title), which BEL or `ESC \` ends.
fn string_len(bytes: &[u8]) -> Option<usize> {
    let bell = bytes.iter().position(|&b| b == 0x07).map(|at| at + 1);
    let terminator = bytes
        .windows(2)
        .position(|pair| pair == b"\x1b\\")
        .map(|at| at + 2);
    match (bell, terminator) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Whether xterm forgets a pending wrap before it obeys `sequence`: cursor movement and erasing do, colour
/// and modes do not.
fn leaves_the_margin(sequence: &[u8]) -> bool {
    match sequence {
        [0x08] => true,
        [0x1b, b'[', .., end] => b"ABCDEFHJKPX@LMTSd`fG".contains(end),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows `bytes` on 2 rows of 4 columns and compares the rows and the cursor.
    fn check(bytes: &[u8], rows: [&str; 2], cursor: (u16, u16)) {
        let mut whole = Emulator::new(2, 4);
        whole.process(bytes);
        assert_eq!(
            (whole.rows(), whole.cursor()),
            (rows.map(String::from).to_vec(), cursor),
            "{bytes:?}"
        );
        let mut cut = Emulator::new(2, 4);
        for byte in bytes {
            cut.process(&[*byte]);
        }
        assert_eq!(
            (cut.rows(), cut.cursor()),
            (whole.rows(), whole.cursor()),
            "cut: {bytes:?}"
        );
    }

    #[test]
    fn right_margin_is_that_of_xterm() {
        check(b"abcd", ["abcd", ""], (0, 4));
        check(b"abcde", ["abcd", "e"], (1, 1));
        check(b"abcd\x08X", ["abXd", ""], (0, 3));
        check(b"abcd\x1b[DX", ["abXd", ""], (0, 3));
        check(b"abcd\x1b[K", ["abc", ""], (0, 3));
        check(b"abcd\x1b[31mX", ["abcd", "X"], (1, 1));
        check(b"abcd\rX", ["Xbcd", ""], (0, 1));
        check(b"\x1b]0;abcd\x07X", ["X", ""], (0, 1));
        check(b"\x1b]0;abcd\x1b\\X", ["X", ""], (0, 1));
    }

    #[test]
    fn questions_are_answered() {
        let mut emulator = Emulator::new(2, 4);
        emulator.process(b"ab\x1b[6n\ncd\x1b[6n\x1b[c");
        assert_eq!(emulator.take_answers(), b"\x1b[1;3R\x1b[2;4R\x1b[?62;22c");
        assert!(emulator.take_answers().is_empty());
    }

    #[test]
    fn a_wide_character_cut_by_a_resize_is_blank() {
        let mut emulator = Emulator::new(2, 6);
        emulator.process("abc漢d\x1b[1;2H".as_bytes());
        emulator.resize(2, 4);
        assert_eq!(
            (emulator.rows(), emulator.cursor()),
            (vec!["abc".into(), String::new()], (0, 1))
        );
        emulator.process("\x1b[1;4Hx漢字\x08\x1b[K".as_bytes());
        assert_eq!(emulator.rows(), ["abcx", "漢"]);
    }
}
