//! Two shells side by side: the same keys into both, and the screens compared after every one.
//!
//! Invariant: both sides are the same bash with the same files and size; all they differ in is what
//! [`Against`] says.

use std::fmt;
use std::path::PathBuf;

use lle_pty::{Home, Shell, Terminal, deadline};

use crate::exceptions;
use crate::keys::{Alphabet, COLS, ROWS, Step};
use crate::support::{Random, load_lle};

/// Who plays against stock bash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Against {
    /// Stock bash again: proves that the harness itself sees no differences.
    Stock,
    /// Bash with LLE, without what LLE adds to the screen.
    Lle,
}

/// What both shells are started with.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) bash: PathBuf,
    pub(crate) version: String,
    pub(crate) alphabet: Alphabet,
    pub(crate) rows: u16,
    pub(crate) cols: u16,
    pub(crate) prompt: String,
    /// Rows above the first prompt: at the bottom every new row scrolls.
    pub(crate) rows_above: u16,
    pub(crate) inputrc: Vec<&'static str>,
    /// Which sizes the window changes to.
    pub(crate) resizes: Resizes,
}

/// The sizes in which readline knows where its prompt ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resizes {
    None,
    All,
    /// All but those of this many columns: readline measures a prompt anew where it does not fit, and one that fills the
    /// row to the last column it takes for one that does. It goes on breaking it as it did in the window before, also
    /// when it starts over.
    NotTo(u16),
}

/// The history both begin with: short, long, wide, with a control character.
const HISTORY: &str = "echo one\n: a much longer line that wraps in narrow windows, and then goes on to wrap once more\n\
    echo 漢字と日本語のテキスト\necho two\t tab\n: e\u{301}a\u{308}\u{323} marks\necho three four five\n";
/// Options that change what is shown, each tried now and then.
const OPTIONS: &[&str] = &[
    "set show-mode-in-prompt on",
    "set mark-modified-lines on",
    "set enable-bracketed-paste off",
];

impl Setup {
    pub(crate) fn new(random: &mut Random, alphabet: Alphabet, bashes: &[Shell]) -> Self {
        let Shell { program, version } = &bashes[random.below(bashes.len())];
        let (rows, cols) = (ROWS[random.below(ROWS.len())], COLS[random.below(COLS.len())]);
        let wide = usize::from(cols);
        // Bash 5.1 measures a prompt that wraps once and for all, and is lost after a resize even when it starts
        // over; with an empty prompt it leaves that of a search standing.
        let lost = version.starts_with("5.1");
        let mut prompts = vec![
            "$ ".to_owned(),
            r"\[\e[1;32m\]user\[\e[0m\]:\[\e[34m\]dir\[\e[0m\]$ ".to_owned(),
            r"first row\n> ".to_owned(),
            r"\[\e[31m\]first\[\e[0m\] row\n\[\e[1m\]>\[\e[0m\] ".to_owned(),
            "漢字 ❯ ".to_owned(),
            String::new(),
            "x".repeat(wide),
            "y".repeat(wide - 1),
            format!("{}$ ", "z".repeat(wide + 3)),
        ];
        if lost && alphabet == Alphabet::Search {
            prompts.retain(|prompt| !prompt.is_empty());
        }
        let prompt = prompts[random.below(prompts.len())].clone();
        let inputrc: Vec<_> = OPTIONS.iter().copied().filter(|_| random.percent(10)).collect();
        let shows_mode = inputrc.contains(&OPTIONS[0]) && !prompt.is_empty();
        let mode = if alphabet == Alphabet::Vi { "(ins)" } else { "@" };
        let prompt_cols = prompt.len() + if shows_mode { mode.len() } else { 0 };
        let resizes = if lost && prompt.len() >= wide - 1 {
            Resizes::None
        } else if prompt_cols == wide {
            Resizes::NotTo(cols)
        } else {
            Resizes::All
        };
        let rows_above = if random.percent(50) {
            0
        } else {
            random.below(usize::from(rows)) as u16
        };
        Self {
            bash: program.clone(),
            version: version.clone(),
            alphabet,
            rows,
            cols,
            prompt,
            rows_above,
            inputrc,
            resizes,
        }
    }

    fn start(&self, lle: bool) -> (Home, Terminal) {
        let mode = if self.alphabet == Alphabet::Vi {
            "vi"
        } else {
            "emacs"
        };
        let load = if lle {
            format!(
                "{}lle set suggest off; lle set multiline off; lle set search off; lle set complete off\n",
                load_lle()
            )
        } else {
            String::new()
        };
        // C-s is a search only without flow control. At Ctrl-C the kernel throws away output that is on its way, in
        // either shell, now and then just the answer to it: not here. No program can be found, so no line typed by chance runs
        // one, and nothing is said of it: the two sides of a pipe would say it in either order. What LLE says
        // once at the first prompt is cleared away at the second.
        let rc = format!(
            "stty -ixon noflsh\n{load}set -o {mode}\nPS1='{}'\nIGNOREEOF=1000\nset +m\n\
             PATH=/nonexistent HOME=/nonexistent; cd /\n\
             command_not_found_handle() {{ return 127; }}\n\
             begin() {{ PROMPT_COMMAND=; printf '\\e[H\\e[2J'; for ((i = 0; i < {}; i++)); do echo above $i; done; }}\n\
             PROMPT_COMMAND='PROMPT_COMMAND=begin'\n",
            self.prompt, self.rows_above
        );
        let home = Home::new(&rc).expect("a home can be made");
        let inputrc = format!(
            "set bell-style none\nset keyseq-timeout 5\n{}\n\
             set keymap vi-insert\n\"\\C-l\": clear-screen\nset keymap emacs\n",
            self.inputrc.join("\n")
        );
        std::fs::write(home.path().join(".inputrc"), inputrc).expect("a file in our home can be written");
        std::fs::write(home.history(), HISTORY).expect("a file in our home can be written");
        let spawn = home
            .spawn(&self.bash)
            .args(["--noprofile"])
            .size(self.rows, self.cols);
        let mut terminal = Terminal::spawn(&spawn).expect("bash starts");
        terminal
            .settle()
            .unwrap_or_else(|error| panic!("no first prompt: {error}"));
        terminal
            .press("\r")
            .unwrap_or_else(|error| panic!("no second prompt: {error}"));
        // Removed, for a key sequence may complete a file's name.
        let loaded = std::fs::remove_file(home.path().join("lle-loaded")).is_ok();
        assert_eq!(
            loaded,
            lle,
            "LLE does not load in bash {}:\n{}",
            self.version,
            terminal.text()
        );
        (home, terminal)
    }
}

/// What can be seen of a shell.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) rows: Vec<String>,
    pub(crate) cursor: (u16, u16),
    /// What is shown from the cursor on.
    pub(crate) after_cursor: String,
    pub(crate) ended: bool,
    /// Columns of the screen.
    pub(crate) cols: usize,
    /// Something other than a blank stands in the last column of the last row.
    pub(crate) last_cell_filled: bool,
}

impl View {
    fn of(terminal: &mut Terminal) -> Self {
        let (row, col) = terminal.cursor();
        let (rows, cols) = terminal.screen().size();
        // A pending wrap is seen as a cursor on the last column.
        let cursor = (row, col.min(cols - 1));
        let cells = (0..rows)
            .flat_map(|row| (0..cols).map(move |col| (row, col)))
            .filter(|&at| at >= cursor);
        let cells = cells.filter_map(|(row, col)| terminal.screen().cell(row, col));
        let shown = cells
            .filter(|cell| !cell.is_wide_continuation())
            .map(|cell| match cell.contents() {
                "" => " ",
                contents => contents,
            });
        let after_cursor = shown.collect::<String>().trim_end().to_owned();
        let last_cell = terminal.screen().cell(rows - 1, cols - 1);
        let last_cell_filled =
            last_cell.is_some_and(|cell| !cell.contents().trim().is_empty() || cell.is_wide_continuation());
        Self {
            rows: terminal.rows(),
            cursor,
            after_cursor,
            ended: terminal.has_exited(),
            cols: usize::from(cols),
            last_cell_filled,
        }
    }

    fn of_lines(lines: &str) -> Self {
        Self {
            rows: lines.lines().map(String::from).collect(),
            cursor: (0, 0),
            after_cursor: String::new(),
            ended: true,
            cols: 0,
            last_cell_filled: false,
        }
    }

    /// Returns by how many rows this is lower than `fresh` and else alike, what is above not counted.
    pub(crate) fn rows_below(&self, fresh: &Self) -> Option<usize> {
        let down = usize::from(self.cursor.0.checked_sub(fresh.cursor.0)?);
        let alike = self.rows[down..]
            .iter()
            .eq(fresh.rows[..fresh.rows.len() - down].iter());
        (alike && self.cursor.1 == fresh.cursor.1).then_some(down)
    }

    /// Returns this as it is one row higher, if the cursor is not in the row that goes.
    pub(crate) fn without_first_row(&self) -> Option<Self> {
        let mut rows = self.rows[1..].to_vec();
        rows.push(String::new());
        let row = self.cursor.0.checked_sub(1)?;
        Some(Self {
            rows,
            cursor: (row, self.cursor.1),
            ..self.clone()
        })
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self
            .rows
            .iter()
            .rposition(|row| !row.is_empty())
            .map_or(0, |at| at + 1);
        for row in &self.rows[..used.max(usize::from(self.cursor.0) + 1)] {
            writeln!(f, "    |{row}|")?;
        }
        write!(
            f,
            "    cursor {:?}{}",
            self.cursor,
            if self.ended { ", ended" } else { "" }
        )
    }
}

/// Where two shells stopped being alike.
#[derive(Clone)]
pub(crate) struct Difference {
    /// How many steps were taken, the one that shows it included; one more than there are for the end.
    pub(crate) at: usize,
    pub(crate) what: String,
    /// Both, before the step.
    pub(crate) before: View,
    pub(crate) stock: View,
    pub(crate) other: View,
    /// What each draws when told to clear the screen and start over.
    pub(crate) fresh: Option<(View, View)>,
}

/// What a duel came to.
pub(crate) struct Outcome {
    /// How many times the screens were compared.
    pub(crate) compared: usize,
    /// The exceptions that were made, by name.
    pub(crate) excepted: Vec<&'static str>,
    pub(crate) difference: Option<Difference>,
}

/// Clears the screen and draws anew, in every mode; leaves a search.
const START_OVER: &[u8] = b"\x0c";

/// Types `steps` into both shells and ends at the first difference that is no exception; after the last step
/// compares what was submitted.
pub(crate) fn fight(setup: &Setup, steps: &[Step], against: Against) -> Outcome {
    let (mut stock, mut other) = (setup.start(false), setup.start(against == Against::Lle));
    let mut before = View::of(&mut stock.1);
    // The last keys submit the line, leave whatever mode the shell is in, and end it.
    let end = [b"\r".as_slice(), b"\x03"].map(|keys| Step::Keys(keys.to_vec()));
    let (mut compared, mut excepted) = (0, Vec::new());
    for (at, step) in std::iter::once(None)
        .chain(steps.iter().chain(&end).map(Some))
        .enumerate()
    {
        let ready = step.map_or(Ok(()), |step| take(step, &mut stock.1, &mut other.1));
        let (ours, theirs) = (View::of(&mut stock.1), View::of(&mut other.1));
        compared += 1;
        if ready.is_ok() && ours == theirs {
            if ours.ended {
                break;
            }
            before = ours;
            continue;
        }
        let redrawn = ready.clone().and_then(|()| {
            take(&Step::Keys(START_OVER.to_vec()), &mut stock.1, &mut other.1)?;
            Ok((View::of(&mut stock.1), View::of(&mut other.1)))
        });
        let fresh = redrawn.ok();
        let what = ready.err().unwrap_or_else(|| "the screens differ".into());
        let difference = Difference {
            at,
            what,
            before,
            stock: ours,
            other: theirs,
            fresh: fresh.clone(),
        };
        match (exceptions::name(step, &difference), fresh) {
            (Some(name), _) if exceptions::LOST.contains(&name) => {
                excepted.push(name);
                return Outcome {
                    compared,
                    excepted,
                    difference: None,
                };
            }
            // Both are alike again: go on from there.
            (Some(name), Some((fresh, _))) => {
                excepted.push(name);
                before = fresh;
            }
            _ => {
                return Outcome {
                    compared,
                    excepted,
                    difference: Some(difference),
                };
            }
        }
    }
    let (ours, theirs) = (submitted(&mut stock), submitted(&mut other));
    let difference = (ours != theirs).then(|| {
        let (stock, other) = (View::of_lines(&ours), View::of_lines(&theirs));
        let what = "other lines were submitted".to_owned();
        Difference {
            at: steps.len() + 2,
            what,
            before,
            stock,
            other,
            fresh: None,
        }
    });
    Outcome {
        compared,
        excepted,
        difference,
    }
}

/// Takes one step in both shells and waits until both have done all they do about it.
fn take(step: &Step, stock: &mut Terminal, other: &mut Terminal) -> Result<(), String> {
    for terminal in [&mut *stock, &mut *other] {
        let taken = match step {
            Step::Keys(bytes) => terminal.type_bytes(bytes),
            Step::Resize { rows, cols } => terminal.resize(*rows, *cols),
        };
        taken.map_err(|error| error.to_string())?;
    }
    if let Err(error) = stock.settle() {
        // A sequence that ends stock bash, by end of file at PS2, has to end the other as well.
        assert!(stock.has_exited(), "stock bash does not come to rest: {error}");
        return other
            .wait_exit(deadline())
            .map(|_| ())
            .map_err(|error| error.to_string());
    }
    other.settle().map_err(|error| error.to_string())
}

/// Ends the shell and returns the lines its history file then holds.
fn submitted((home, terminal): &mut (Home, Terminal)) -> String {
    if !terminal.has_exited() {
        terminal.type_bytes(b"exit\r").expect("bash takes keys");
    }
    terminal
        .wait_exit(deadline())
        .unwrap_or_else(|error| panic!("bash does not end: {error}"));
    String::from_utf8_lossy(&std::fs::read(home.history()).expect("bash writes its history")).into_owned()
}
