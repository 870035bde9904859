//! A start-up file that bash gave up for a syntax error: what is said of it at the first prompt.
//!
//! Bash says what it could not parse, and goes on without the rest of that file. Such a state is not kept as one that works,
//! so what worked stays what the next start can fall back on.
//!
//! Invariants: what comes from a file reaches the terminal harmless, in at most 80 columns and a few rows; nothing is
//! read that could keep the prompt waiting.

use lle_core::shown::harmless;
use lle_core::start::copy;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Columns that every terminal has, and where the rows below the first begin.
const COLUMNS: usize = 80;
const INDENT: &str = "        ";
/// Rows of what changed; more are counted.
const ROWS_MAX: usize = 6;
/// Bytes of a file that are compared: more than people's start-up files have.
const FILE_BYTES_MAX: u64 = 192 * 1024;

/// What to say of `file`, which bash gave up at `line`; `record` is the folder of the record of this start.
pub(crate) fn told(file: &Path, line: u32, record: &Path, home: &Path) -> String {
    let below = file
        .strip_prefix(home)
        .ok()
        .filter(|_| !home.as_os_str().is_empty());
    let shown = match below {
        Some(below) => format!("~/{}", below.display()),
        None => file.display().to_string(),
    };
    // Bash and readline read files of the home folder itself; others are known by their paths.
    let of_bash = below
        .and_then(Path::to_str)
        .filter(|name| name.starts_with('.') && !name.contains('/'));
    let text = |path: &Path| String::from_utf8_lossy(&read(path).unwrap_or_default()).into_owned();
    let good = record
        .parent()
        .map(|starts| starts.join("good"))
        .unwrap_or_default();
    let names = of_bash.into_iter().chain(file.to_str());
    let before = names
        .map(|name| good.join(copy::name(name)))
        .find(|copy| copy.is_file());
    let rows = before
        .map(|before| difference(&text(&before), &text(file)))
        .unwrap_or_default();
    let mut out = format!(
        "lusush: {}\n",
        harmless(
            format!("{shown} was read up to line {line}, where bash").as_bytes(),
            COLUMNS - 8
        )
    );
    let mut row = |text: &str| {
        out.push_str(INDENT);
        out.push_str(&harmless(text.as_bytes(), COLUMNS - INDENT.len()));
        out.push('\n');
    };
    row("met a syntax error. This state is not kept as one that works.");
    if rows.is_empty() {
        row("Mend it: the rest of the file is not read.");
        return out;
    }
    row("What changed since it last worked:");
    let more = rows.len().saturating_sub(ROWS_MAX);
    for text in rows.iter().take(if more > 1 { ROWS_MAX } else { rows.len() }) {
        row(text);
    }
    if more > 1 {
        row(&format!("  and {more} more rows"));
    }
    row("Look: `lusush maint rc diff`. Undo it:");
    row(&format!("`lusush maint rc restore {shown}`."));
    out
}

/// What is between the lines that both begin with and the lines that both end with: first what is gone, then what is new,
/// each with its number.
fn difference(before: &str, now: &str) -> Vec<String> {
    let (before, now): (Vec<&str>, Vec<&str>) = (before.lines().collect(), now.lines().collect());
    let head = before.iter().zip(&now).take_while(|(a, b)| a == b).count();
    let (before, now) = (&before[head..], &now[head..]);
    let tail = before
        .iter()
        .rev()
        .zip(now.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let rows = |sign: char, lines: &[&str]| -> Vec<String> {
        let rows = (head + 1..).zip(&lines[..lines.len() - tail]);
        rows.map(|(number, line)| format!("{number:>7} {sign}{line}"))
            .collect()
    };
    [rows('-', before), rows('+', now)].concat()
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let regular = path.metadata().ok()?.is_file();
    let mut bytes = Vec::new();
    File::open(path)
        .ok()
        .filter(|_| regular)?
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_what_both_do_not_share_at_either_end() {
        let check = |before: &str, now: &str, expect: &[&str]| {
            let rows: Vec<String> = difference(before, now)
                .iter()
                .map(|row| row.trim_start().to_owned())
                .collect();
            assert_eq!(rows, expect, "{before:?} {now:?}");
        };
        check("a\nb\n", "a\nif true\nb\n", &["2 +if true"]);
        check("a\nb\nc\n", "a\nd\nc\n", &["2 -b", "2 +d"]);
        check("a\na\n", "a\n", &["2 -a"]);
        check("a\n", "a\n", &[]);
        check("", "a\n", &["1 +a"]);
    }

    #[test]
    fn what_is_told_names_file_line_difference_and_the_way_back_in_eighty_columns() {
        let home = tempfile::tempdir().unwrap();
        let (file, starts) = (home.path().join(".bashrc"), home.path().join("starts"));
        std::fs::create_dir_all(starts.join("good")).unwrap();
        let long = "x\x1b]0;".repeat(40);
        std::fs::write(&file, format!("a\nif true\n{long}\n")).unwrap();
        let told = || told(&file, 4, &starts.join("1-1"), home.path());
        assert!(told().contains("~/.bashrc was read up to line 4") && !told().contains("restore"));
        std::fs::write(starts.join("good/bashrc"), "a\n").unwrap();
        let text = told();
        for expect in ["2 +if true", "rc restore ~/.bashrc`", "rc diff"] {
            assert!(text.contains(expect), "{text}");
        }
        assert!(text.lines().all(|row| row.chars().count() <= COLUMNS), "{text}");
        assert!(!text.contains('\x1b'), "{text:?}");
    }
}
