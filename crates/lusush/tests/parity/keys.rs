//! Generated key sequences: what people type into readline, and what they type by mistake.
//!
//! Invariant: a sequence is a function of its seed; running what it types is harmless and prints nothing that
//! depends on the machine (no process ids, no paths, no time). The alphabets leave out the keys of completion,
//! where LLE shows its own menu by design (it is off, for the sake of a Tab whose `C-v` was taken by the key before), and those that start an editor.

use std::fmt;

use crate::duel::Resizes;
use crate::support::Random;

/// One thing a user does before looking at the screen.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Bytes that arrive together.
    Keys(Vec<u8>),
    /// A new window size.
    Resize { rows: u16, cols: u16 },
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(bytes) => write!(f, "{:?}", String::from_utf8_lossy(bytes)),
            Self::Resize { rows, cols } => write!(f, "resize {rows}x{cols}"),
        }
    }
}

/// Which keys a sequence is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// Emacs mode without searches.
    Emacs,
    /// Emacs mode with incremental and other searches.
    Search,
    /// Vi mode.
    Vi,
}

/// Sizes of terminals people have; the narrow ones wrap everything.
pub(crate) const COLS: [u16; 4] = [20, 40, 80, 132];
/// The small one scrolls.
pub(crate) const ROWS: [u16; 2] = [10, 24];

const WORDS: &[&str] = &[
    "echo",
    "echo alpha",
    "beta gamma",
    ": one two three",
    "true",
    "expr 1",
    "'single quoted'",
    "\"double quoted\"",
    "a-very-long-word-that-wraps-somewhere-in-a-narrow-window",
    "if true; then",
    "fi",
    "# comment",
    "--option=value",
    "x=1",
    "[[ a = b ]]",
    "{ :; }",
    "||",
    ";",
    "(",
    ")",
    "\\",
];
const WIDE: &[&str] = &[
    "漢字",
    "日本語テキスト",
    "한글",
    "ａｂｃ",
    "😀",
    "🚀🚀",
    "👩\u{200d}💻",
    "中",
];
const MARKS: &[&str] = &[
    "e\u{301}",
    "n\u{303}o",
    "a\u{308}\u{323}",
    "\u{301}",
    "ñé",
    "ß",
    "→",
    "❤\u{fe0f}",
];
const LETTERS: &[&str] = &[
    "a", "b", "c", "Z", "0", "7", " ", "  ", "_", "-", "/", ".", ",", "=", "'", "\"", "(", ")",
];
const EMACS: &[&str] = &[
    "\x01", "\x05", "\x02", "\x06", "\x1bb", "\x1bf", "\x04", "\x08", "\x7f", "\x17", "\x1bd", "\x0b",
    "\x15", "\x19", "\x1by", "\x14", "\x1bt", "\x1bu", "\x1bl", "\x1bc", "\x1f", "\x1b[D", "\x1b[C",
    "\x1b[H", "\x1b[F", "\x1b[3~", "\x1bOD", "\x1bOC", "\x18\x15", "\x1b\x7f", "\x1b\\", "\x1b ", "\x18\x18",
    "\x1br", "\x1d", "\x1b\x1d", "\x00",
];
const HISTORY: &[&str] = &[
    "\x10", "\x0e", "\x1b[A", "\x1b[B", "\x1b<", "\x1b>", "\x1b.", "\x1b_", "\x1b\x19",
];
const ARGUMENTS: &[&str] = &["\x1b3", "\x1b1\x1b2", "\x1b-", "\x1b-2", "\x1b0"];
const VI_MOTIONS: &[&str] = &[
    "h", "l", "w", "b", "e", "W", "B", "E", "0", "$", "^", "fa", "te", "Fo", "T ", ";", ",", "3l", "2w", "%",
    "|", "5|", "`x",
];
const VI_EDITS: &[&str] = &[
    "x", "X", "dd", "D", "cc", "C", "S", "s", "rz", "r字", "~", "p", "P", "u", "U", ".", "i", "a", "I", "A",
    "R", "yy", "Y", "3x", "2dw", "cw", "db", "d$", "d0", "ye", "yb", "mx", "c0", "5~", "2.", "_", "\x0c",
];
const VI_HISTORY: &[&str] = &["k", "j", "+", "-", "G", "1G", "n", "N", "/o\r", "?a\r", "/zzz\r"];

/// Makes a sequence.
pub(crate) fn sequence(random: &mut Random, alphabet: Alphabet, resizes: Resizes) -> Vec<Step> {
    let len = 10 + random.below(30);
    let mut steps = Vec::new();
    while steps.len() < len {
        match alphabet {
            Alphabet::Vi => vi(random, &mut steps),
            Alphabet::Search if random.percent(12) => search(random, &mut steps),
            Alphabet::Emacs | Alphabet::Search => emacs(random, &mut steps),
        }
    }
    steps.retain(|step| match (step, resizes) {
        (Step::Keys(_), _) | (_, Resizes::All) => true,
        (Step::Resize { .. }, Resizes::None) => false,
        (Step::Resize { cols, .. }, Resizes::NotTo(never)) => *cols != never,
    });
    steps
}

fn emacs(random: &mut Random, steps: &mut Vec<Step>) {
    match random.below(100) {
        0..36 => text(random, steps),
        36..72 => key(random.pick(EMACS), steps),
        72..80 => key(random.pick(HISTORY), steps),
        80..85 => {
            key(random.pick(ARGUMENTS), steps);
            let next = if random.percent(50) { EMACS } else { LETTERS };
            key(random.pick(next), steps);
        }
        85..88 => quoted(random, steps),
        88..91 => paste(random, steps),
        91..94 => resize(random, steps),
        94..95 => {
            // ASCII, since readline inserts what a macro holds byte by byte, and undoes half a character.
            key("\x18(", steps);
            key(random.pick(LETTERS), steps);
            key(random.pick(EMACS), steps);
            key("\x18)", steps);
            key("\x18e", steps);
        }
        95..96 => key("\x0c", steps),
        _ => submit(random, steps),
    }
}

fn vi(random: &mut Random, steps: &mut Vec<Step>) {
    match random.below(100) {
        0..30 => {
            key(random.pick(&["i", "a", "A", "I"]), steps);
            text(random, steps);
            key("\x1b", steps);
        }
        30..55 => command(random, VI_MOTIONS, steps),
        55..80 => command(random, VI_EDITS, steps),
        80..88 => command(random, VI_HISTORY, steps),
        88..90 => quoted(random, steps),
        90..92 => paste(random, steps),
        92..95 => resize(random, steps),
        95..96 => key("#", steps),
        _ => submit(random, steps),
    }
}

fn search(random: &mut Random, steps: &mut Vec<Step>) {
    if random.percent(15) {
        key(random.pick(&["\x1bp", "\x1bn"]), steps);
        key(random.pick(&["echo\r", "zz\r", "\x07", "\x7f\x7f"]), steps);
        return;
    }
    key(random.pick(&["\x12", "\x12", "\x13"]), steps);
    for _ in 0..1 + random.below(6) {
        // No quoted control characters: what is searched for becomes part of a prompt, in which they are marks.
        let next = [
            "e", "o", "a", "t", " ", "字", "\x12", "\x13", "\x7f", "\x17", "zq",
        ];
        key(random.pick(&next), steps);
    }
    key(
        random.pick(&["\x07", "\x1b", "\r", "\x01", "\x05", "\x06", "\x03", "\x0a"]),
        steps,
    );
}

fn text(random: &mut Random, steps: &mut Vec<Step>) {
    let text = match random.below(100) {
        0..50 => random.pick(WORDS),
        50..65 => random.pick(WIDE),
        65..75 => random.pick(MARKS),
        _ => random.pick(LETTERS),
    };
    if random.percent(25) {
        // Typed ahead: it all arrives at once.
        key(&format!("{text} "), steps);
    } else {
        for c in text.chars() {
            key(c.encode_utf8(&mut [0; 4]), steps);
        }
    }
}

fn quoted(random: &mut Random, steps: &mut Vec<Step>) {
    if random.percent(25) {
        // Together, since a Tab left alone by a shortened sequence would complete.
        return key("\x16\t", steps);
    }
    key(random.pick(&["\x16", "\x11"]), steps);
    key(
        random.pick(&["\x01", "\x1b", "\x7f", "\x1f", "\x0a", "\x0d", "x", "字"]),
        steps,
    );
}

fn paste(random: &mut Random, steps: &mut Vec<Step>) {
    let lines = [
        "echo pasted",
        "漢字 wide\nsecond line",
        ": tab\there",
        "a\nb\nc\n",
        "x \x01\x02 control",
        "\n",
        "",
    ];
    key(&format!("\x1b[200~{}\x1b[201~", random.pick(&lines)), steps);
}

fn submit(random: &mut Random, steps: &mut Vec<Step>) {
    key(random.pick(&["\r", "\r", "\x03", "\x0f", "\x0a", "\x1b#"]), steps);
}

fn resize(random: &mut Random, steps: &mut Vec<Step>) {
    steps.push(Step::Resize {
        rows: ROWS[random.below(2)],
        cols: COLS[random.below(4)],
    });
}

/// Types a command of `table` at once or one by one.
fn command(random: &mut Random, table: &[&str], steps: &mut Vec<Step>) {
    let command = random.pick(table);
    if random.percent(50) {
        return key(command, steps);
    }
    for c in command.chars() {
        key(c.encode_utf8(&mut [0; 4]), steps);
    }
}

fn key(bytes: &str, steps: &mut Vec<Step>) {
    steps.push(Step::Keys(bytes.as_bytes().to_vec()));
}
