//! What is known of a start that failed: where it stood, what changed since the last good one, what to do about it.
//!
//! Invariants: what comes from a file reaches the terminal harmless, in at most 80 columns; there are so few rows that the
//! message and a prompt fit a terminal of 24.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use lle_core::start::trace::Stage;
use lle_maintenance::real::rc_versions;
use similar::{ChangeTag, TextDiff};

use crate::start_file::{File, path_of};
use crate::start_record::Record;
use crate::text::{COLUMNS, printable};

/// Where the rows of such a message begin.
const INDENT: &str = "        ";
/// Rows of a difference; more are counted.
const ROWS_MAX: usize = 6;
/// Lines around a difference.
const CONTEXT: usize = 1;
/// Lines of the file that are shown where it stood: what ran last, and what comes next.
const EXCERPT_MAX: usize = 2;

/// A file that is not as it was at the last good start.
pub(crate) struct Changed {
    /// What people call it.
    pub(crate) file: String,
    /// What it was; none if it was not there, or not known of.
    pub(crate) before: Option<Vec<u8>>,
    /// What it is; none if it is gone or too long.
    pub(crate) now: Option<Vec<u8>>,
}

/// The rows of the message, each with its end.
pub(crate) fn known(home: &Path, files: &[File], good: Option<&Record>, failed: Option<&Record>) -> String {
    let place = failed.and_then(|failed| place(home, files, failed));
    let changed = good.map(|good| changed(home, files, good)).unwrap_or_default();
    let mut out = String::new();
    let circles = failed.is_some_and(Record::circles);
    if circles {
        row(
            &mut out,
            "It started lusush again, which read the same files again, without end.",
        );
    }
    out.push_str(&place.unwrap_or_default());
    if circles {
        row(&mut out, "Let that line ask whether it is in lusush already:");
        row(&mut out, "`[ -z \"$LLE_LOADED\" ] && exec lusush`.");
    }
    if good.is_some() && changed.is_empty() {
        match failed.and_then(|failed| unguarded(files, failed)) {
            Some(file) => {
                row(
                    &mut out,
                    &format!("Of {} no copy is kept. What is", rc_versions::shown(&file, home)),
                );
                row(&mut out, "guarded is as it was when a prompt was last reached.");
            }
            None => row(
                &mut out,
                "The files are as they were when a prompt was last reached with them.",
            ),
        }
    }
    if !changed.is_empty() {
        row(&mut out, "What changed since a prompt was last reached:");
        out.push_str(&differences(&changed));
        match changed.iter().find(|changed| changed.before.is_some()) {
            Some(Changed { file, .. }) => {
                row(&mut out, "Look: `lusush maint rc diff`. Undo it:");
                row(&mut out, &format!("`lusush maint rc restore {file}`."));
            }
            None => row(&mut out, "Look: `lusush maint rc diff`. Undo it: move it away."),
        }
    }
    out
}

/// The file that a start stood in, if it is none of `files`.
fn unguarded(files: &[File], failed: &Record) -> Option<PathBuf> {
    let trace = failed.trace().filter(|trace| !trace.ready)?;
    let (file, _) = trace.place?;
    let path = PathBuf::from(OsStr::from_bytes(trace.files.get(file)?));
    files.iter().all(|file| file.path != path).then_some(path)
}

fn row(out: &mut String, text: &str) {
    out.push_str(INDENT);
    out.push_str(&printable(text, COLUMNS - INDENT.len()));
    out.push('\n');
}

/// What of the files is not as it was.
pub(crate) fn changed(home: &Path, files: &[File], good: &Record) -> Vec<Changed> {
    let copies: Vec<(String, Vec<u8>)> = good
        .copies()
        .filter_map(|(name, copy)| Some((name.to_owned(), std::fs::read(copy).ok()?)))
        .collect();
    let now = files.iter().filter_map(|file| {
        let before = copies
            .iter()
            .find(|(name, _)| *name == file.name)
            .map(|(_, bytes)| bytes);
        let same = before.is_some_and(|before| Some(before.as_slice()) == file.bytes());
        (!same).then(|| Changed {
            file: file.shown(home),
            before: before.cloned(),
            now: file.bytes().map(<[u8]>::to_vec),
        })
    });
    let gone = copies
        .iter()
        .filter(|(name, _)| files.iter().all(|file| file.name != *name));
    let gone = gone.map(|(name, before)| Changed {
        file: rc_versions::shown(&path_of(name, home), home),
        before: Some(before.clone()),
        now: None,
    });
    now.chain(gone).collect()
}

fn differences(changed: &[Changed]) -> String {
    let mut rows = Vec::new();
    for changed in changed {
        let text = |bytes: &Option<Vec<u8>>| {
            String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
        };
        let (before, now) = (text(&changed.before), text(&changed.now));
        rows.push(match (&changed.before, &changed.now) {
            (None, _) => format!("{} is new", changed.file),
            (_, None) => format!("{} is gone, or too long to be kept", changed.file),
            _ => changed.file.clone(),
        });
        if changed.before.is_none() || changed.now.is_none() {
            continue;
        }
        let difference = TextDiff::from_lines(&before, &now);
        for group in difference.grouped_ops(CONTEXT) {
            for change in group.iter().flat_map(|op| difference.iter_changes(op)) {
                let at = change
                    .new_index()
                    .or(change.old_index())
                    .map_or(0, |index| index + 1);
                let sign = match change.tag() {
                    ChangeTag::Insert => '+',
                    ChangeTag::Delete => '-',
                    ChangeTag::Equal => ' ',
                };
                rows.push(format!(
                    "{at:>5} {sign}{}",
                    change.value().trim_end_matches(['\n', '\r'])
                ));
            }
        }
    }
    let more = rows.len().saturating_sub(ROWS_MAX);
    let mut out = String::new();
    for text in rows.iter().take(if more > 1 { ROWS_MAX } else { rows.len() }) {
        row(&mut out, &format!("  {text}"));
    }
    if more > 1 {
        row(&mut out, &format!("  and {more} more rows"));
    }
    out
}

/// Where the start stood when it ended, as far as the shell could say.
fn place(home: &Path, files: &[File], failed: &Record) -> Option<String> {
    let trace = failed.trace()?;
    let mut out = String::new();
    if trace.stage == Stage::InDoubt {
        row(
            &mut out,
            "The start-up files had run to their end: what they left ended the shell,",
        );
        row(&mut out, "an `exec <FILE`, TMOUT, PROMPT_COMMAND or PS0.");
        return Some(out);
    }
    if trace.ready {
        row(
            &mut out,
            "The start-up files had run to their end: what came then kept the prompt",
        );
        row(&mut out, "away, ~/.inputrc or PROMPT_COMMAND.");
        return Some(out);
    }
    let (file, line) = match trace.place {
        Some((file, line)) => (
            PathBuf::from(OsStr::from_bytes(&trace.files[file])),
            line as usize,
        ),
        // Nothing of it had ended: it stood at the beginning.
        None => (files.first()?.path.clone(), 0),
    };
    let shown = rc_versions::shown(&file, home);
    row(
        &mut out,
        &match line {
            0 => format!("It stood at the beginning of {shown}:"),
            line => format!("It came as far as line {line} of {shown}:"),
        },
    );
    let known = files
        .iter()
        .find(|known| known.path == file)
        .and_then(File::bytes);
    let read;
    let bytes = match known {
        Some(bytes) => bytes,
        None => {
            let found = lle_maintenance::real::start_file::read(&file, rc_versions::FILE_BYTES_MAX);
            read = found.ok().flatten().map(|file| file.bytes).unwrap_or_default();
            &read
        }
    };
    let text = String::from_utf8_lossy(bytes);
    for (number, line) in excerpt(&text, line) {
        row(&mut out, &format!("{number:>7} {}", line.trim_end()));
    }
    Some(out)
}

/// The line that ended last, and the next that does something.
pub(crate) fn excerpt(text: &str, line: usize) -> Vec<(usize, &str)> {
    let lines = (1..).zip(text.lines());
    let telling = |(number, text): &(usize, &str)| {
        let text = text.trim_start();
        *number == line || *number > line && !text.is_empty() && !text.starts_with('#')
    };
    let count = if line == 0 { 1 } else { EXCERPT_MAX };
    lines.filter(telling).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_last_and_what_comes_next_is_shown() {
        let text = "a\n\n# why\n  exit 1\nb\n";
        assert_eq!(excerpt(text, 0), [(1, "a")]);
        assert_eq!(excerpt(text, 1), [(1, "a"), (4, "  exit 1")]);
        assert_eq!(excerpt(text, 5), [(5, "b")]);
        assert_eq!(excerpt(text, 9), []);
        assert_eq!(excerpt("", 0), []);
    }

    fn shown(before: Option<&str>, now: Option<&str>) -> String {
        differences(&[Changed {
            file: "~/.bashrc".into(),
            before: before.map(Into::into),
            now: now.map(Into::into),
        }])
    }

    #[test]
    fn a_difference_is_few_rows_of_eighty_columns() {
        insta::assert_snapshot!(shown(Some("a\nb\nc\n"), Some("a\nb\nexit 1\nc\n")), @"
        ~/.bashrc
            2  b
            3 +exit 1
            4  c
        ");
        let long = format!("\x1b]0;x\x07{}\n", "y".repeat(200)).repeat(20);
        let text = shown(Some("a\n"), Some(&long));
        insta::assert_snapshot!(text, @r"
        ~/.bashrc
            1 -a
            1 +\u{1b}]0;x\u{7}yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…
            2 +\u{1b}]0;x\u{7}yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…
            3 +\u{1b}]0;x\u{7}yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…
            4 +\u{1b}]0;x\u{7}yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…
        and 16 more rows
        ");
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        insta::assert_snapshot!(shown(None, Some("a\n")), @"          ~/.bashrc is new");
        insta::assert_snapshot!(shown(Some("a\n"), None), @"          ~/.bashrc is gone, or too long to be kept");
    }
}
