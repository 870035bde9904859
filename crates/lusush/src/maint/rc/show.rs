//! The versions, and what is different between two of them.

use std::io::IsTerminal;

use lle_log::versions::{Verdict, Version};
use lle_maintenance::real::now;
use serde::Serialize;

use super::known::{Known, number, numbered};
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::maint::versions::{
    self, Difference, Differences, SCHEMA_VERSION, Words, harmless, lossy, unified,
};

const WORDS: Words = Words {
    // "good": a start with it reached a prompt. "bad": one did not.
    verdict: |verdict| match verdict {
        Verdict::Confirmed => "good",
        Verdict::TakenBack => "bad",
    },
    came_to: |verdict| match verdict {
        Verdict::Confirmed => "reached a prompt",
        Verdict::TakenBack => "reached no prompt",
    },
    none: "There are no versions yet: the first start with `lusush` makes them.\n",
};

/// Lists the versions, the newest last.
pub(super) fn log(file: Option<&str>, json: bool) -> Result<ExitCode, Failure> {
    let known = Known::look()?;
    let all = known.versions()?;
    let file = file.map(|asked| known.file(&all, asked)).transpose()?;
    let wanted = |version: &Version<'_>| file.as_ref().is_none_or(|file| file == version.file);
    let log = versions::log(&all, &WORDS, wanted, |file| known.now(file));
    if json {
        answer::json(&log)
    } else {
        answer::text(&versions::text(&log, &WORDS, now().wall_ns))
    }
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
    let differences = Differences {
        version: SCHEMA_VERSION,
        differences,
    };
    if json {
        return answer::json(&differences);
    }
    let shown = differences.text();
    if shown.is_empty() {
        return answer::text("Nothing differs.\n");
    }
    answer::text(&shown)
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
