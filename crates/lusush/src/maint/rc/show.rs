//! The versions, and what is different between two of them.

use std::io::IsTerminal;
use std::process::ExitCode;

use lle_core::quantity::age;
use lle_log::versions::{Verdict, Version, Versions};
use lle_maintenance::real::now;
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use super::known::{Known, number, numbered};
use crate::answer;
use crate::failure::Failure;
use crate::text::{COLUMNS, printable};

/// The version of the documents.
const SCHEMA_VERSION: u32 = 1;
/// Lines around a difference.
const CONTEXT: usize = 3;

/// A row of `log --json`.
#[derive(Debug, Serialize)]
struct Row<'v> {
    number: u64,
    file: &'v str,
    wall_ns: i64,
    cause: &'static str,
    from: Option<u64>,
    uid: u32,
    pid: u32,
    tool: &'v str,
    bytes: usize,
    lines_added: usize,
    lines_removed: usize,
    /// "good": a start with it reached a prompt. "bad": one did not. None: not known.
    verdict: Option<&'static str>,
    /// The file says this now.
    is_now: bool,
}

#[derive(Debug, Serialize)]
struct Log<'v> {
    version: u32,
    versions: Vec<Row<'v>>,
    damaged_bytes: u64,
}

/// Lists the versions, the newest last.
pub(super) fn log(file: Option<&str>, json: bool) -> Result<ExitCode, Failure> {
    let known = Known::look()?;
    let versions = known.versions()?;
    let file = file.map(|asked| known.file(&versions, asked)).transpose()?;
    let chosen = versions
        .versions
        .iter()
        .filter(|version| file.as_ref().is_none_or(|file| file == version.file));
    let log = Log {
        version: SCHEMA_VERSION,
        versions: chosen.map(|version| row(&known, &versions, version)).collect(),
        damaged_bytes: versions.damaged_bytes,
    };
    if json {
        answer::json(&log)
    } else {
        answer::text(&text(&log, now().wall_ns))
    }
}

fn row<'v>(known: &Known, versions: &Versions<'v>, version: &Version<'v>) -> Row<'v> {
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
        verdict: version.verdict.map(|verdict| match verdict {
            Verdict::Confirmed => "good",
            Verdict::TakenBack => "bad",
        }),
        is_now: newest == Some(version.number) && known.now(version.file).as_deref() == Some(version.content),
    }
}

fn text(log: &Log<'_>, now_ns: i64) -> String {
    let mut out = String::new();
    for row in &log.versions {
        let ago = age(now_ns.saturating_sub(row.wall_ns).max(0).unsigned_abs());
        let cause = match row.from {
            Some(from) => format!(", #{from} again"),
            None => String::new(),
        };
        let verdict = match row.verdict {
            Some("good") => ", reached a prompt",
            Some(_) => ", reached no prompt",
            None => "",
        };
        let is_now = if row.is_now { ", now" } else { "" };
        let file = printable(row.file, COLUMNS - 8);
        out.push_str(&format!("#{} {file}\n", row.number));
        out.push_str(&format!(
            "    {ago} ago, +{} -{} lines{cause}{verdict}{is_now}\n",
            row.lines_added, row.lines_removed
        ));
    }
    if log.versions.is_empty() {
        out.push_str("There are no versions yet: the first start with `lusush` makes them.\n");
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
struct Difference {
    file: String,
    /// None is nothing: the file was new.
    from: Option<u64>,
    /// None is the file as it is.
    to: Option<u64>,
    difference: String,
}

#[derive(Debug, Serialize)]
struct Differences {
    version: u32,
    differences: Vec<Difference>,
}

/// Shows what changed.
pub(super) fn diff(of: Option<&str>, to: Option<u64>, json: bool) -> Result<ExitCode, Failure> {
    let known = Known::look()?;
    let versions = known.versions()?;
    let older: Vec<&Version<'_>> = match of {
        None => known.changed(&versions),
        Some(asked) => match number(asked) {
            Some(number) => vec![numbered(&versions, number)?],
            None => versions
                .last_good(&known.file(&versions, asked)?)
                .into_iter()
                .collect(),
        },
    };
    let newer = to.map(|to| numbered(&versions, to)).transpose()?;
    let mut differences: Vec<Difference> = older
        .iter()
        .map(|older| {
            let now = || known.now(older.file).unwrap_or_default();
            let new = newer.map_or_else(now, |newer| newer.content.to_vec());
            let name = newer.map_or(older.file.to_owned(), |newer| {
                format!("{} #{}", newer.file, newer.number)
            });
            Difference {
                file: older.file.to_owned(),
                from: Some(older.number),
                to,
                difference: unified(
                    &format!("{} #{}", older.file, older.number),
                    older.content,
                    &new,
                    &name,
                ),
            }
        })
        .collect();
    if of.is_none() {
        let new = known.hopeless(&versions).into_iter().map(|new| Difference {
            file: new.file.to_owned(),
            from: None,
            to: None,
            difference: unified("nothing", &[], new.content, new.file),
        });
        differences.extend(new);
    }
    if json {
        return answer::json(&Differences {
            version: SCHEMA_VERSION,
            differences,
        });
    }
    let shown: Vec<&str> = differences.iter().map(|one| one.difference.as_str()).collect();
    let shown = shown.concat();
    if shown.is_empty() {
        return answer::text("Nothing differs.\n");
    }
    answer::text(&harmless(&shown))
}

fn unified(old_name: &str, old: &[u8], new: &[u8], new_name: &str) -> String {
    let (old, new) = (lossy(old), lossy(new));
    let difference = TextDiff::from_lines(&old, &new);
    let mut unified = difference.unified_diff();
    unified
        .context_radius(CONTEXT)
        .header(old_name, new_name)
        .to_string()
}

/// A version, with its content.
#[derive(Debug, Serialize)]
struct Shown<'v> {
    version: u32,
    number: u64,
    file: &'v str,
    wall_ns: i64,
    /// The content, if it is UTF-8.
    text: Option<&'v str>,
    /// The content in hexadecimal digits, if it is not.
    hex: Option<String>,
}

/// Prints a version.
pub(super) fn show(of: &str, json: bool) -> Result<ExitCode, Failure> {
    let known = Known::look()?;
    let versions = known.versions()?;
    let version = match number(of) {
        Some(number) => numbered(&versions, number)?,
        None => {
            let file = known.file(&versions, of)?;
            let good = versions.last_good(&file);
            good.ok_or_else(|| Failure::new(format!("no version of {file} is good")))?
        }
    };
    if json {
        let text = std::str::from_utf8(version.content).ok();
        let digits = || version.content.iter().map(|byte| format!("{byte:02x}")).collect();
        return answer::json(&Shown {
            version: SCHEMA_VERSION,
            number: version.number,
            file: version.file,
            wall_ns: version.time_ns,
            text,
            hex: if text.is_some() { None } else { Some(digits()) },
        });
    }
    // Into a file every byte as it was, on a terminal nothing that it would obey.
    if std::io::stdout().is_terminal() {
        answer::text(&harmless(&lossy(version.content)))
    } else {
        answer::bytes(version.content)
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Lines that a terminal shows and does not obey. Tabs stay.
fn harmless(text: &str) -> String {
    let line = |line: &str| {
        let parts: Vec<String> = line.split('\t').map(|part| printable(part, usize::MAX)).collect();
        parts.join("\t") + "\n"
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_for_people() {
        let row = |number, verdict, from, is_now| Row {
            number,
            file: "~/.bashrc",
            wall_ns: 0,
            cause: "noticed",
            from,
            uid: 1000,
            pid: 1,
            tool: "lusush",
            bytes: 10,
            lines_added: 2,
            lines_removed: 1,
            verdict,
            is_now,
        };
        let log = Log {
            version: 1,
            versions: vec![
                row(1, Some("good"), None, false),
                row(2, Some("bad"), None, false),
                row(3, None, Some(1), true),
            ],
            damaged_bytes: 7,
        };
        insta::assert_snapshot!(text(&log, 60_000_000_000), @"
        #1 ~/.bashrc
            1 min ago, +2 -1 lines, reached a prompt
        #2 ~/.bashrc
            1 min ago, +2 -1 lines, reached no prompt
        #3 ~/.bashrc
            1 min ago, +2 -1 lines, #1 again, now
        7 bytes of the log are damaged and were passed over.
        ");
        let none = Log {
            versions: Vec::new(),
            damaged_bytes: 0,
            ..log
        };
        insta::assert_snapshot!(text(&none, 0), @"There are no versions yet: the first start with `lusush` makes them.");
    }

    #[test]
    fn what_is_shown_cannot_act_on_the_terminal() {
        assert_eq!(harmless("a\tb\n\x1b[2J\n"), "a\tb\n\\u{1b}[2J\n");
    }
}
