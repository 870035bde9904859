//! One key of the user's file, set or unset.
//!
//! Invariant: the value that is written is one that the key takes, and nothing but the key's own place has changed. A file
//! that is no TOML is left alone.

use std::path::Path;
use std::process::{Command, Stdio};

use lle_core::config::edit::{self as text, EditError};
use lle_core::config::{CATALOGUE, FILE_NAME, Key, Merged, Name, Origin, RawConfig, Value};
use lle_core::error::Code;
use lle_log::versions::Cause;
use lle_maintenance::real::config::{FileText, ReplaceError, remove, replace};
use serde::Serialize;

use super::{in_force, layers, schema_file, show, versions};
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::launch::Bash;
use crate::text::{COLUMNS, printable};

/// The document of `set --json` and `unset --json`.
#[derive(Debug, Serialize)]
struct Edited<'e> {
    key: &'e str,
    /// What the file said before; none if it did not say it.
    before: Option<Value>,
    /// What holds now.
    value: Option<Value>,
    /// What goes before the file, if something does.
    overridden_by: Option<String>,
    needs_new_shell: bool,
}

/// Gives a key a value.
pub(super) fn set(name: &str, value: &str, json: bool) -> Result<ExitCode, Failure> {
    let key = known(name)?;
    let value = key.kind.read(value).ok_or_else(|| {
        let shown = printable(&key.kind.repeated(value), COLUMNS / 2);
        Failure::new(format!("`{name}` takes {}, not \"{shown}\"", key.kind))
            .code(Code::InvalidParameters.exit())
            .hint(format!("without one it is {}", key.default))
    })?;
    if let Value::Text(line) = &value
        && key.name == Name::PromptCommand.key().name
    {
        parsed(line)?;
    }
    edit(key, json, |before| text::set(before, key.name, &value))
}

/// Refuses a command line that bash cannot parse: it would say so above each prompt.
fn parsed(line: &str) -> Result<(), Failure> {
    // Without a bash nobody can tell.
    let Ok(bash) = Bash::find() else { return Ok(()) };
    let asked = Command::new(bash.program())
        .args(["--norc", "--noprofile", "-n", "-c", line])
        .env_remove("BASH_ENV")
        .stdin(Stdio::null())
        .output();
    match asked {
        Ok(output) if !output.status.success() => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let first = said.lines().next().unwrap_or_default();
            Err(Failure::new("bash cannot parse that command")
                .because(printable(first, COLUMNS))
                .code(Code::InvalidParameters.exit())
                .hint("nothing was written; `bash -n -c` says what is wrong with a command"))
        }
        _ => Ok(()),
    }
}

/// Takes a key away.
pub(super) fn unset(name: &str, json: bool) -> Result<ExitCode, Failure> {
    let key = known(name)?;
    edit(key, json, |before| text::unset(before, key.name))
}

fn known(name: &str) -> Result<&'static Key, Failure> {
    CATALOGUE
        .find(name)
        .map(|(_, key)| key)
        .ok_or_else(|| show::no_key(name))
}

fn edit(
    key: &'static Key,
    json: bool,
    change: impl Fn(&str) -> Result<String, EditError>,
) -> Result<ExitCode, Failure> {
    let path = layers::user_file()?;
    let mut keeper = versions::Keeper::hold();
    let file = layers::user_text(&path)?;
    let before = file.as_ref().map_or("", |file| file.text.as_str());
    let mut after = change(before).map_err(|error| not_edited(error, before, &path))?;
    if file.is_none() {
        after.insert_str(0, &schema_file::first_line(&path));
    }
    match &file {
        Some(found) if is_as_made(&after) && took_away(&path, found)? => after.clear(),
        _ => write(&path, file.as_ref(), &after)?,
    }
    keeper.keep(FILE_NAME, file.as_ref(), &after, Cause::Edited, 0);
    let said = said(before, key);
    let merged = CATALOGUE.merge(&layers::all(&[])).map_err(|refused| {
        let told = show::safe(&refused.to_string());
        Failure::new(format!(
            "`{}` is written, and does not hold: the configuration has mistakes\n{told}",
            key.name
        ))
        .code(Code::InvalidParameters.exit())
        .hint("`lusush maint config check` looks again")
    })?;
    // Whoever brings it into force waits for the lock that this holds.
    drop(keeper);
    report(key, said, &merged, json, &in_force::follow())
}

/// Whether nothing but the line is left that a file begins with which is made anew.
fn is_as_made(text: &str) -> bool {
    text == schema_file::line()
}

/// Takes the file away, and the schema beside it; false if it is a link, which stays.
fn took_away(path: &Path, file: &FileText) -> Result<bool, Failure> {
    if path.is_symlink() {
        return Ok(false);
    }
    remove(path, file).map_err(|error| not_written(path, error))?;
    schema_file::take_away(path);
    Ok(true)
}

fn report(
    key: &'static Key,
    before: Option<Value>,
    merged: &Merged,
    json: bool,
    follows: &str,
) -> Result<ExitCode, Failure> {
    let setting = show::setting(&merged.config, key.name);
    let overriding = setting.filter(|setting| setting.locked || setting.origin > Origin::User);
    let edited = Edited {
        key: key.name,
        before,
        value: setting.map(|setting| setting.value.clone()),
        overridden_by: overriding.map(show::where_from),
        needs_new_shell: key.needs_new_shell,
    };
    if json {
        return answer::json(&edited);
    }
    let about = format!("`{}`", key.name);
    for warning in merged.warnings.iter().filter(|one| one.message.contains(&about)) {
        eprintln!("{}", show::safe(&warning.to_string()));
    }
    let mut out = String::new();
    if let Some(setting) = setting {
        out.push_str(&format!("{} = {}\n", key.name, setting.value));
    }
    if let Some(by) = &edited.overridden_by {
        out.push_str(&format!("    Your file does not decide that: {by}\n"));
    }
    if edited.needs_new_shell {
        out.push_str("    Sessions that run keep what they began with; new ones go by it.\n");
    }
    out.push_str(follows);
    answer::text(&out)
}

/// Replaces the user's file.
pub(super) fn write(path: &Path, before: Option<&FileText>, after: &str) -> Result<(), Failure> {
    replace(path, before, after).map_err(|error| not_written(path, error))
}

pub(super) fn not_written(path: &Path, error: ReplaceError) -> Failure {
    let hint = match error {
        ReplaceError::Changed => "nothing was written; try again",
        ReplaceError::Dangling => "take the link away, or make what it leads to",
        ReplaceError::Io(_) => "nothing was written; `lusush doctor` says more about folders",
    };
    Failure::new(format!("cannot write {}", path.display()))
        .because(error)
        .hint(hint)
        .code(Code::Unavailable.exit())
}

/// What a text says about a key.
fn said(text: &str, key: &'static Key) -> Option<Value> {
    let layered = RawConfig::parse(Origin::User, "", text).check(&CATALOGUE);
    layered.value(&CATALOGUE, key.name).cloned()
}

fn not_edited(error: EditError, text: &str, path: &Path) -> Failure {
    let failed = Failure::new(format!("{} is left as it is", path.display()));
    match error {
        EditError::Faulty { .. } => {
            let source = path.display().to_string();
            let layered = RawConfig::parse(Origin::User, &source, text).check(&CATALOGUE);
            match CATALOGUE.merge(&[layered]) {
                Err(refused) => show::mistakes(refused),
                Ok(_) => failed.because(error).hint("mend it first"),
            }
        }
        EditError::Absent { .. } => failed
            .because(error)
            .hint("`lusush maint config show --origin` says where a value comes from")
            .code(Code::NotFound.exit()),
        EditError::NoPlace { .. } => failed
            .because(error)
            .hint("write it yourself: `lusush maint config path` says where")
            .code(Code::InvalidState.exit()),
    }
}
