//! The versions of the user's files, and of the machine's: what they said, since when, by whom, and back to one of them.
//!
//! Invariant: a version that is taken up again is checked as a file is, and is a version of its own then.

use std::process::ExitCode;

use lle_core::config::{CATALOGUE, FILE_NAME, Origin, RawConfig};
use lle_core::error::Code;
use lle_core::quantity::age;
use lle_log::versions::{self, Cause, Version};
use lle_maintenance::real::config::FileText;
use lle_maintenance::real::now;
use lle_maintenance::real::versions::{Accepted, Held, PATIENCE, VersionLog};
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use super::{edit, layers, show};
use crate::failure::Failure;
use crate::{answer, paths};

/// Who writes versions here.
const TOOL: &str = "lusush maint";
/// Lines around a difference.
const CONTEXT: usize = 3;

/// A row of `log --json`.
#[derive(Debug, Serialize)]
struct Row<'v> {
    number: u64,
    /// Which file: yours, a theme's, or the machine's.
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
    verdict: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Log<'v> {
    versions: Vec<Row<'v>>,
    damaged_bytes: u64,
}

/// Lists the versions, the newest last.
pub(super) fn log(json: bool) -> Result<ExitCode, Failure> {
    let bytes = bytes()?;
    let read = versions::read(&bytes).map_err(|error| unreadable().because(error))?;
    let rows = read.versions.iter().map(|version| {
        let before = read.before(version.file, version.number);
        row(version, before.map_or(&[][..], |before| before.content))
    });
    let log = Log {
        versions: rows.collect(),
        damaged_bytes: read.damaged_bytes,
    };
    if json {
        return answer::json(&log);
    }
    let now_ns = now().wall_ns;
    let mut out = String::new();
    for row in &log.versions {
        let ago = age(now_ns.saturating_sub(row.wall_ns).max(0).unsigned_abs());
        let from = row.from.map_or(String::new(), |from| format!(" to #{from}"));
        let verdict = row
            .verdict
            .map_or(String::new(), |verdict| format!(", {verdict}"));
        let file = match row.file {
            FILE_NAME => String::new(),
            other => format!(" {}", show::safe(other)),
        };
        out.push_str(&format!(
            "#{}{file} {}{from} {ago} ago, +{} -{} lines{verdict}\n",
            row.number, row.cause, row.lines_added, row.lines_removed
        ));
        out.push_str(&format!(
            "    {}, process {}, user {}\n",
            show::safe(row.tool),
            row.pid,
            row.uid
        ));
    }
    if log.versions.is_empty() {
        out.push_str("There are no versions yet: a file makes the first one.\n");
    }
    if log.damaged_bytes > 0 {
        out.push_str(&format!(
            "{} bytes of the log are damaged and were passed over.\n",
            log.damaged_bytes
        ));
    }
    answer::text(&out)
}

/// Shows what version `b` says and `a` does not, and the other way round; the file as it is if `b` is not given.
pub(super) fn diff(a: u64, b: Option<u64>) -> Result<ExitCode, Failure> {
    let bytes = bytes()?;
    let read = versions::read(&bytes).map_err(|error| unreadable().because(error))?;
    let text = |number: u64| -> Result<String, Failure> {
        let version = read.numbered(number).ok_or_else(|| no_version(number))?;
        Ok(String::from_utf8_lossy(version.content).into_owned())
    };
    let (old, new, name) = match b {
        Some(b) => (text(a)?, text(b)?, format!("#{b}")),
        None => {
            let path = layers::user_file()?;
            let file = layers::user_text(&path)?;
            (
                text(a)?,
                file.map_or(String::new(), |file| file.text),
                path.display().to_string(),
            )
        }
    };
    let difference = TextDiff::from_lines(&old, &new);
    let shown = difference
        .unified_diff()
        .context_radius(CONTEXT)
        .header(&format!("#{a}"), &name)
        .to_string();
    let shown = show::safe(&shown);
    let end = if shown.is_empty() { "" } else { "\n" };
    answer::text(&format!("{shown}{end}"))
}

/// Makes the file say again what version `number` said.
pub(super) fn rollback(number: u64, json: bool) -> Result<ExitCode, Failure> {
    let bytes = bytes()?;
    let read = versions::read(&bytes).map_err(|error| unreadable().because(error))?;
    let version = read.numbered(number).filter(|version| version.file == FILE_NAME);
    let version = version.ok_or_else(|| no_version(number))?;
    let text = String::from_utf8_lossy(version.content);
    let source = format!("version #{number}");
    let layered = RawConfig::parse(Origin::User, &source, &text).check(&CATALOGUE);
    CATALOGUE.merge(&[layered]).map_err(show::mistakes)?;
    let path = layers::user_file()?;
    let keeper = Keeper::hold();
    let file = layers::user_text(&path)?;
    let changed = file.as_ref().map_or("", |file| file.text.as_str()) != text;
    if changed {
        edit::write(&path, file.as_ref(), &text)?;
        keeper.keep(file.as_ref(), &text, Cause::RolledBack, number);
    }
    if json {
        return answer::json(&serde_json::json!({ "version": number, "changed": changed }));
    }
    let what = if changed { "says again" } else { "says already" };
    answer::text(&format!(
        "{} {what} what version #{number} said.\n",
        path.display()
    ))
}

/// Whoever is about to change the file, and to keep what it says then.
pub(super) struct Keeper(Option<Held>);

impl Keeper {
    /// Keeps everybody else from it, so that no worker takes the change for one that was only noticed. What cannot be kept
    /// is told and holds nothing up: the file is written.
    pub(super) fn hold() -> Keeper {
        let held = match paths::folders().state {
            Ok(state) => VersionLog::below(&state)
                .hold(PATIENCE)
                .map_err(|error| error.to_string()),
            Err(refusal) => Err(refusal.to_string()),
        };
        Keeper(
            held.map_err(|why| eprintln!("lusush: no version is kept: {why}"))
                .ok(),
        )
    }

    /// Keeps what the file says now, and what it said before if nobody had noticed that.
    pub(super) fn keep(&self, before: Option<&FileText>, after: &str, cause: Cause, from: u64) {
        let Some(held) = &self.0 else { return };
        let sound = |text: &str| {
            RawConfig::parse(Origin::User, "", text)
                .check(&CATALOGUE)
                .is_sound()
        };
        let mut states = Vec::new();
        if let Some(before) = before.filter(|before| sound(&before.text)) {
            states.push(accepted(Cause::Noticed, 0, &before.text));
        }
        // What is not sound is in nobody's force, and no version.
        if sound(after) {
            states.push(accepted(cause, from, after));
        }
        let kept = held.accept(&states).and_then(|kept| {
            if kept.is_some() {
                held.sync()?;
            }
            Ok(kept)
        });
        if let Err(error) = kept {
            eprintln!("lusush: no version is kept: {error}");
        }
    }
}

fn accepted(cause: Cause, from: u64, text: &str) -> Accepted<'_> {
    Accepted {
        time_ns: now().wall_ns,
        cause,
        from,
        file: FILE_NAME,
        tool: TOOL,
        content: text.as_bytes(),
    }
}

fn row<'v>(version: &Version<'v>, before: &[u8]) -> Row<'v> {
    let (old, new) = (
        String::from_utf8_lossy(before),
        String::from_utf8_lossy(version.content),
    );
    let difference = TextDiff::from_lines(old.as_ref(), new.as_ref());
    let count = |tag: ChangeTag| {
        difference
            .iter_all_changes()
            .filter(|change| change.tag() == tag)
            .count()
    };
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
        verdict: version.verdict.map(versions::Verdict::name),
    }
}

fn bytes() -> Result<Vec<u8>, Failure> {
    let state = paths::folders()
        .state
        .map_err(|refusal| unreadable().because(refusal))?;
    VersionLog::below(&state)
        .bytes()
        .map_err(|error| unreadable().because(error))
}

fn unreadable() -> Failure {
    Failure::new("the versions of the configuration cannot be read")
        .hint("`lusush doctor` says more about folders")
}

fn no_version(number: u64) -> Failure {
    Failure::new(format!("there is no version #{number}"))
        .code(Code::NotFound.exit())
        .hint("`lusush maint config log` lists them")
}
