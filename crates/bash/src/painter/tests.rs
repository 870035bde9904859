//! What the painter writes, and that a key allocates nothing.

use super::*;
use crate::counted::allocations;
use crate::lexer::{Known, Lexer};
use crate::theme::{Role, THEMES};
use crate::view::{Octal, Picture, compose, lay_prompt};
use proptest::prelude::*;

/// A painter with the screen it paints for.
struct Bench {
    painter: Painter,
    lexer: Lexer,
    frame: Frame,
    prompt: Frame,
    roles: Vec<Role>,
    size: (usize, usize),
}

impl Bench {
    fn new(prompt: &[u8], size: (usize, usize)) -> Self {
        crate::width::utf8_locale();
        let mut bench = Self {
            painter: Painter::new(&THEMES[0]),
            lexer: Lexer::default(),
            frame: Frame::default(),
            prompt: Frame::default(),
            roles: Vec::new(),
            size,
        };
        bench.prompt.begin(size.0);
        let (sgr, marks) = (&mut bench.painter.prompt_sgr, &mut bench.painter.marks);
        lay_prompt(&mut bench.prompt, prompt, true, sgr, marks);
        bench.frame.begin_with(&bench.prompt);
        bench.painter.assume(&mut bench.frame, size);
        bench
    }

    /// Shows a line; the bytes are in `painter.out` until the next call.
    fn show(&mut self, line: &[u8], point: usize, suggestion: &[u8]) {
        self.painter.out.clear();
        self.lexer.lex(line, &mut self.roles, |_| Known::Yes);
        let picture = Picture {
            prompt: &self.prompt,
            line,
            roles: &self.roles,
            point,
            region: 0..0,
            suggestion,
            below: crate::view::Below::Nothing,
            size: self.size,
            utf8: true,
            octal: Octal::Nothing,
        };
        compose(&mut self.frame, &picture, &mut self.painter.marks);
        self.painter.paint(&mut self.frame);
    }

    fn bytes(&mut self, line: &str, suggestion: &str) -> String {
        self.show(line.as_bytes(), line.len(), suggestion.as_bytes());
        String::from_utf8_lossy(&self.painter.out).replace('\x1b', "ESC")
    }
}

#[test]
fn a_key_is_as_few_bytes_as_can_be() {
    let mut b = Bench::new(b"$ ", (40, 10));
    assert_eq!(b.bytes("l", ""), "ESC[32mlESC[0m");
    assert_eq!(b.bytes("ls", ""), "ESC[32msESC[0m");
    assert_eq!(b.bytes("ls ", ""), " ");
    assert_eq!(b.bytes("ls a", ""), "a");
    assert_eq!(b.bytes("ls a", ""), "");
    assert_eq!(b.bytes("ls ", ""), "\u{8}ESC[K");
    assert_eq!(b.bytes("ls ", "-la"), "ESC[90m-laESC[0m\u{8}\u{8}\u{8}");
}

#[test]
fn the_margin_is_reached_by_wrapping() {
    let mut b = Bench::new(b"$ ", (6, 10));
    assert_eq!(b.bytes(" abc", ""), " ESC[32mabcESC[0m \r");
    assert_eq!(b.bytes(" abcd", ""), "ESC[32mdESC[0m");
}

/// Tmux takes a row for as long as it ever was unless it is erased from its start, and forgets that it goes on from the one
/// before if it is.
#[test]
fn rows_below_the_first_are_erased_before_they_are_shorter() {
    let mut b = Bench::new(b"$ ", (40, 10));
    b.bytes(": '\nlonger", "");
    assert_eq!(b.bytes(": '\nxy", ""), "\rESC[KESC[33mxyESC[0m");
    let mut b = Bench::new(b"$ ", (6, 10));
    b.bytes(": '1longe", "");
    assert_eq!(b.bytes(": '1xy", ""), "\rESC[33mxyESC[0mESC[K");
}

/// A screen erased from its very first cell is copied to what has scrolled off.
#[test]
fn a_resize_erases_no_screen_from_its_first_cell() {
    let mut b = Bench::new(b"$ ", (40, 10));
    b.bytes("echo one", "");
    b.painter.out.clear();
    b.painter.wipe_resized(30, true);
    assert_eq!(b.painter.out, b"\r \x1b[J\r");
}

#[test]
fn a_key_allocates_nothing() {
    let mut b = Bench::new(b"\x01\x1b[1;32m\x02user\x01\x1b[0m\x02$ ", (80, 24));
    let text =
        "git commit -m \"a message\" && ls -la | grep foo > out # done; for i in 1 2; do echo $i; done";
    let keys = |b: &mut Bench| {
        for n in (1..=text.len()).chain((0..text.len()).rev()) {
            b.show(&text.as_bytes()[..n], n, b" suggested");
        }
    };
    keys(&mut b);
    assert_eq!(allocations(|| keys(&mut b)), 0);
}

/// Runs the painter's bytes through an emulated terminal and compares with the text laid out directly.
fn on_screen(cols: usize, lines: &[String]) -> Result<(), TestCaseError> {
    let rows = 30; // More than forty wide characters need in the narrowest.
    let mut b = Bench::new(b"$ ", (cols, rows));
    let mut screen = vt100::Parser::new(rows as u16, cols as u16, 0);
    screen.process(b"$ ");
    for line in lines {
        b.show(line.as_bytes(), line.len(), b"");
        screen.process(&b.painter.out);
        let mut expect = vt100::Parser::new(rows as u16, cols as u16, 0);
        expect.process(format!("$ {line}").as_bytes());
        // The blank that ends a pending wrap cannot be seen.
        let text = |p: &vt100::Parser| -> Vec<String> {
            p.screen()
                .rows(0, cols as u16)
                .map(|r| r.trim_end().to_owned())
                .collect()
        };
        prop_assert_eq!(text(&screen), text(&expect), "after {:?}", line);
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_painted_is_what_is_meant(
        cols in 4usize..30,
        lines in proptest::collection::vec("[a-c \u{4f60}\u{e9}|;\"]{0,40}", 1..8),
    ) {
        on_screen(cols, &lines)?;
    }
}
