//! Versions of files for people and for programs: the log of them, and how two of them differ.
//!
//! One for all logs of versions: what a verdict means is all that tells the configuration's from that of start-up files.

use lle_core::quantity::age;
use lle_log::versions::{Verdict, Version, Versions};
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use crate::text::{COLUMNS, printable, wrapped};

/// The version of the documents.
pub(super) const SCHEMA_VERSION: u32 = 1;
/// Lines around a difference.
const CONTEXT: usize = 3;

/// What is said of the versions of one log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    /// A verdict, for programs.
    pub(super) verdict: fn(Verdict) -> &'static str,
    /// A verdict, for people.
    pub(super) came_to: fn(Verdict) -> &'static str,
    /// That there are none yet.
    pub(super) none: &'static str,
}

/// A row of a log.
#[derive(Debug, Serialize)]
pub(super) struct Row<'v> {
    pub(super) number: u64,
    /// Which file.
    pub(super) file: &'v str,
    pub(super) wall_ns: i64,
    pub(super) cause: &'static str,
    pub(super) from: Option<u64>,
    pub(super) uid: u32,
    pub(super) pid: u32,
    pub(super) tool: &'v str,
    pub(super) bytes: usize,
    pub(super) lines_added: usize,
    pub(super) lines_removed: usize,
    /// None: not known.
    pub(super) verdict: Option<&'static str>,
    /// The file says this now.
    pub(super) is_now: bool,
    #[serde(skip)]
    pub(super) came_to: Option<&'static str>,
}

/// A log.
#[derive(Debug, Serialize)]
pub(super) struct Log<'v> {
    pub(super) version: u32,
    pub(super) versions: Vec<Row<'v>>,
    pub(super) damaged_bytes: u64,
}

/// The log of those that are `wanted`, the newest last. `now` gives what a file says, if there is one.
pub(super) fn log<'v>(
    versions: &Versions<'v>,
    words: &Words,
    wanted: impl Fn(&Version<'_>) -> bool,
    now: impl Fn(&str) -> Option<Vec<u8>>,
) -> Log<'v> {
    let chosen = versions.versions.iter().filter(|version| wanted(version));
    Log {
        version: SCHEMA_VERSION,
        versions: chosen
            .map(|version| row(versions, words, version, &now))
            .collect(),
        damaged_bytes: versions.damaged_bytes,
    }
}

fn row<'v>(
    versions: &Versions<'v>,
    words: &Words,
    version: &Version<'v>,
    now: &impl Fn(&str) -> Option<Vec<u8>>,
) -> Row<'v> {
    let before = versions.before(version.file, version.number);
    let (old, new) = (
        lossy(before.map_or(&[][..], |before| before.content)),
        lossy(version.content),
    );
    let difference = TextDiff::from_lines(&old, &new);
    let count = |tag: ChangeTag| {
        difference
            .iter_all_changes()
            .filter(|change| change.tag() == tag)
            .count()
    };
    let newest = versions.newest(version.file).map(|newest| newest.number);
    Row {
        number: version.number,
        file: version.file,
        wall_ns: version.time_ns,
        cause: version.cause.name(),
        from: (version.from > 0).then_some(version.from),
        uid: version.uid,
        pid: version.pid,
        tool: version.tool,
        bytes: version.content.len(),
        lines_added: count(ChangeTag::Insert),
        lines_removed: count(ChangeTag::Delete),
        verdict: version.verdict.map(words.verdict),
        is_now: newest == Some(version.number) && now(version.file).as_deref() == Some(version.content),
        came_to: version.verdict.map(words.came_to),
    }
}

/// A log for people.
pub(super) fn text(log: &Log<'_>, words: &Words, now_ns: i64) -> String {
    let mut out = String::new();
    for row in &log.versions {
        let ago = age(now_ns.saturating_sub(row.wall_ns).max(0).unsigned_abs());
        let from = row.from.map_or(String::new(), |from| format!(" to #{from}"));
        let came_to = row.came_to.map_or(String::new(), |word| format!(", {word}"));
        let is_now = if row.is_now { ", now" } else { "" };
        out.push_str(&format!("#{} {}\n", row.number, printable(row.file, COLUMNS - 8)));
        let said = format!(
            "{}{from} {ago} ago, +{} -{} lines{came_to}{is_now}",
            row.cause, row.lines_added, row.lines_removed
        );
        out.push_str(&format!("    {}\n", wrapped(&said, COLUMNS - 4, 4)));
        out.push_str(&format!(
            "    {}, process {}, user {}\n",
            printable(row.tool, COLUMNS - 48),
            row.pid,
            row.uid
        ));
    }
    if log.versions.is_empty() {
        out.push_str(words.none);
    }
    if log.damaged_bytes > 0 {
        out.push_str(&format!(
            "{} bytes of the log are damaged and were passed over.\n",
            log.damaged_bytes
        ));
    }
    out
}

/// One difference.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    pub(super) file: String,
    /// None is nothing: the file was new.
    pub(super) from: Option<u64>,
    /// None is the file as it is.
    pub(super) to: Option<u64>,
    pub(super) difference: String,
}

/// Several.
#[derive(Debug, Serialize)]
pub(super) struct Differences {
    pub(super) version: u32,
    pub(super) differences: Vec<Difference>,
}

impl Differences {
    /// What differs, so that it cannot act on the terminal.
    pub(super) fn text(&self) -> String {
        let shown: Vec<&str> = self
            .differences
            .iter()
            .map(|one| one.difference.as_str())
            .collect();
        harmless(&shown.concat())
    }
}

/// How two texts differ; nothing if they do not.
pub(super) fn unified(old_name: &str, old: &[u8], new: &[u8], new_name: &str) -> String {
    let (old, new) = (lossy(old), lossy(new));
    let difference = TextDiff::from_lines(&old, &new);
    let mut unified = difference.unified_diff();
    unified
        .context_radius(CONTEXT)
        .header(old_name, new_name)
        .to_string()
}

pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Lines that a terminal shows and does not obey. Tabs stay.
pub(super) fn harmless(text: &str) -> String {
    let line = |line: &str| {
        let parts: Vec<String> = line.split('\t').map(|part| printable(part, usize::MAX)).collect();
        parts.join("\t") + "\n"
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Words = Words {
        verdict: Verdict::name,
        came_to: |verdict| match verdict {
            Verdict::Confirmed => "reached a prompt",
            Verdict::TakenBack => "reached no prompt",
        },
        none: "There are no versions yet.\n",
    };

    #[test]
    fn the_log_for_people() {
        let row = |number, came_to, from: Option<u64>, is_now| Row {
            number,
            file: "~/.bashrc",
            wall_ns: 0,
            cause: from.map_or("noticed", |_| "rolled-back"),
            from,
            uid: 1000,
            pid: 1,
            tool: "lusush",
            bytes: 10,
            lines_added: 2,
            lines_removed: 1,
            verdict: None,
            is_now,
            came_to,
        };
        let log = Log {
            version: SCHEMA_VERSION,
            versions: vec![
                row(1, Some("reached a prompt"), None, false),
                row(2, Some("reached no prompt"), None, false),
                row(3, None, Some(1), true),
            ],
            damaged_bytes: 7,
        };
        insta::assert_snapshot!(text(&log, &WORDS, 60_000_000_000), @"
        #1 ~/.bashrc
            noticed 1 min ago, +2 -1 lines, reached a prompt
            lusush, process 1, user 1000
        #2 ~/.bashrc
            noticed 1 min ago, +2 -1 lines, reached no prompt
            lusush, process 1, user 1000
        #3 ~/.bashrc
            rolled-back to #1 1 min ago, +2 -1 lines, now
            lusush, process 1, user 1000
        7 bytes of the log are damaged and were passed over.
        ");
        let none = Log {
            versions: Vec::new(),
            damaged_bytes: 0,
            ..log
        };
        insta::assert_snapshot!(text(&none, &WORDS, 0), @"There are no versions yet.");
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let long = "x".repeat(300);
        let log = Log {
            version: SCHEMA_VERSION,
            versions: vec![Row {
                number: 99_999,
                file: &long,
                wall_ns: 0,
                cause: "rolled-back",
                from: Some(99_998),
                uid: u32::MAX,
                pid: u32::MAX,
                tool: &long,
                bytes: 10,
                lines_added: 99_999,
                lines_removed: 99_999,
                verdict: None,
                is_now: true,
                came_to: Some("reached no prompt"),
            }],
            damaged_bytes: 0,
        };
        let shown = text(&log, &WORDS, i64::MAX);
        assert!(
            shown.lines().all(|line| line.chars().count() <= COLUMNS),
            "{shown}"
        );
    }

    #[test]
    fn what_is_shown_cannot_act_on_the_terminal() {
        assert_eq!(harmless("a\tb\n\x1b[2J\n"), "a\tb\n\\u{1b}[2J\n");
    }
}
