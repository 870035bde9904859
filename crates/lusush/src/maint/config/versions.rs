//! The versions of the user's files, and of the machine's: what they said, since when, by whom, and back to one of them.
//!
//! A number stands for the whole configuration as it was when that version was accepted: whichever files have changed since
//! are shown by the difference of two numbers.
//!
//! Invariant: a version that is taken up again is checked as a file is, and is a version of its own then.

use lle_core::config::{CATALOGUE, FILE_NAME, Origin, RawConfig, Refused, theme_file};
use lle_core::error::Code;
use lle_log::versions::{self, Cause, Verdict, Version, Versions};
use lle_maintenance::real::config::{FileText, Trust, read};
use lle_maintenance::real::now;
use lle_maintenance::real::settle::ConfigFiles;
use lle_maintenance::real::versions::{Accepted, Held, PATIENCE, VersionLog};

use super::{aside, edit, in_force, layers, show};
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::maint::versions::{self as shown, Difference, Differences, SCHEMA_VERSION, Words, unified};
use crate::{answer, launch_config, paths};

/// Who writes versions here.
const TOOL: &str = "lusush maint";
const WORDS: Words = Words {
    verdict: Verdict::name,
    came_to: |verdict| match verdict {
        Verdict::Confirmed => "confirmed",
        Verdict::TakenBack => "taken back",
    },
    none: "There are no versions yet: a file makes the first one.\n",
};

/// Lists the versions, the newest last.
pub(super) fn log(json: bool) -> Result<ExitCode, Failure> {
    let bytes = bytes()?;
    let read = versions::read(&bytes).map_err(|error| unreadable().because(error))?;
    let files = files()?;
    let log = shown::log(&read, &WORDS, |_| true, |file| text_now(&files, file).ok()?);
    if json {
        return answer::json(&log);
    }
    answer::text(&shown::text(&log, &WORDS, now().wall_ns))
}

/// Shows what the configuration said as of version `b` and not as of `a`, and the other way round; what the files say now
/// if `b` is not given. Before the first version there was no file.
pub(super) fn diff(a: u64, b: Option<u64>, json: bool) -> Result<ExitCode, Failure> {
    let bytes = bytes()?;
    let read = versions::read(&bytes).map_err(|error| unreadable().because(error))?;
    for number in [Some(a), b].into_iter().flatten().filter(|number| *number > 0) {
        read.numbered(number).ok_or_else(|| no_version(number))?;
    }
    let files = files()?;
    let mut differences = Vec::new();
    for file in named(&read) {
        let old = as_of(&read, file, a);
        let (new, name) = match b {
            Some(b) => (
                as_of(&read, file, b)
                    .map(|version| version.content)
                    .unwrap_or_default()
                    .to_vec(),
                format!("{file} #{b}"),
            ),
            None => {
                let Some(path) = files.path(file) else { continue };
                (
                    text_now(&files, file)?.unwrap_or_default(),
                    path.display().to_string(),
                )
            }
        };
        let content = old.map_or(&[][..], |version| version.content);
        let difference = unified(&format!("{file} #{a}"), content, &new, &name);
        if !difference.is_empty() {
            differences.push(Difference {
                file: file.to_owned(),
                from: old.map(|version| version.number),
                to: b,
                difference,
            });
        }
    }
    let differences = Differences {
        version: SCHEMA_VERSION,
        differences,
    };
    match json {
        true => answer::json(&differences),
        false if differences.differences.is_empty() => answer::text("Nothing differs.\n"),
        false => answer::text(&differences.text()),
    }
}

/// Makes the file say again what version `number` of it said.
pub(super) fn rollback(number: u64, json: bool) -> Result<ExitCode, Failure> {
    let bytes = bytes()?;
    let read = versions::read(&bytes).map_err(|error| unreadable().because(error))?;
    let version = read.numbered(number).ok_or_else(|| no_version(number))?;
    let file = version.file;
    if !is_of_user(file) {
        return Err(Failure::new(format!("version #{number} is the machine's file"))
            .code(Code::InvalidParameters.exit())
            .hint(format!(
                "whoever looks after the machine changes that; `lusush maint config diff {number}` shows what it said"
            )));
    }
    let text = String::from_utf8_lossy(version.content);
    check(file, &format!("version #{number}"), &text)?;
    let path = files()?.path(file).ok_or_else(|| no_version(number))?;
    let mut keeper = Keeper::hold();
    let before = aside::make_way(&path)?;
    let changed = before.as_ref().map(|before| before.text.as_str()) != Some(&*text);
    if changed {
        if let Some(before) = before.as_ref().filter(|before| !is_sound(file, &before.text)) {
            aside::keep_refused(&path, before)?;
        }
        edit::write(&path, before.as_ref(), &text)?;
        keeper.keep(file, before.as_ref(), &text, Cause::RolledBack, number);
    }
    drop(keeper);
    let follows = in_force::follow();
    if json {
        return answer::json(&serde_json::json!({ "version": number, "file": file, "changed": changed }));
    }
    let what = if changed { "says again" } else { "says already" };
    answer::text(&format!(
        "{} {what} what version #{number} said.\n{follows}",
        path.display()
    ))
}

/// The files in the log, each once, the configuration first.
fn named<'v>(read: &Versions<'v>) -> Vec<&'v str> {
    let mut names: Vec<&str> = read.versions.iter().map(|version| version.file).collect();
    names.sort_unstable_by_key(|name| (*name != FILE_NAME, *name));
    names.dedup();
    names
}

/// The version of a file that was the newest when version `number` was accepted.
fn as_of<'v, 'r>(read: &'r Versions<'v>, file: &str, number: u64) -> Option<&'r Version<'v>> {
    let mut versions = read.versions.iter();
    versions.rfind(|version| version.file == file && version.number <= number)
}

/// What a file in the log says now; none if it is not there, or another machine's.
fn text_now(files: &ConfigFiles, file: &str) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = files.path(file) else {
        return Ok(None);
    };
    let found = match is_of_user(file) {
        true => layers::user_text(&path)?,
        // It is only looked at.
        false => read(&path, Trust::Anyone).ok().flatten(),
    };
    Ok(found.map(|found| found.text.into_bytes()))
}

/// Whether a file in the log is the user's own.
fn is_of_user(file: &str) -> bool {
    file == FILE_NAME || file.starts_with("themes/")
}

/// Refuses a text that could not come into force as that file.
fn check(file: &str, source: &str, text: &str) -> Result<(), Failure> {
    if file != FILE_NAME {
        let refused = theme_file::read(source, text).err();
        return refused.map_or(Ok(()), |problems| {
            Err(show::mistakes(Refused {
                problems,
                more_problems: 0,
            }))
        });
    }
    let layered = RawConfig::parse(Origin::User, source, text).check(&CATALOGUE);
    CATALOGUE.merge(&[layered]).map(drop).map_err(show::mistakes)
}

/// Whether a text could come into force as that file.
pub(super) fn is_sound(file: &str, text: &str) -> bool {
    check(file, "", text).is_ok()
}

/// Whoever is about to change the file, and to keep what it says then.
pub(super) struct Keeper(Option<Held>);

impl Keeper {
    /// Keeps everybody else from it, so that no worker takes the change for one that was only noticed. What cannot be kept
    /// is told and holds nothing up: the file is written.
    pub(super) fn hold() -> Keeper {
        let held = match paths::state() {
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
    pub(super) fn keep(
        &mut self,
        file: &str,
        before: Option<&FileText>,
        after: &str,
        cause: Cause,
        from: u64,
    ) {
        let Some(held) = &mut self.0 else { return };
        let sound = |text: &str| is_sound(file, text);
        let mut states = Vec::new();
        if let Some(before) = before.filter(|before| sound(&before.text)) {
            states.push(accepted(file, Cause::Noticed, 0, &before.text));
        }
        // What is not sound is in nobody's force, and no version.
        if sound(after) {
            states.push(accepted(file, cause, from, after));
        }
        if let Err(error) = held.accept(&states).and_then(|_| held.sync()) {
            eprintln!("lusush: no version is kept: {error}");
        }
    }
}

fn accepted<'a>(file: &'a str, cause: Cause, from: u64, text: &'a str) -> Accepted<'a> {
    Accepted {
        time_ns: now().wall_ns,
        cause,
        from,
        file,
        tool: TOOL,
        content: text.as_bytes(),
    }
}

fn files() -> Result<ConfigFiles, Failure> {
    launch_config::files().ok_or_else(unreadable)
}

fn bytes() -> Result<Vec<u8>, Failure> {
    let state = paths::state().map_err(|refusal| unreadable().because(refusal))?;
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
