//! What is in force, where it comes from, and what is wrong.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use lle_core::config::{
    CATALOGUE, Config, FILE_BYTES_MAX, FORMAT, Layered, Merged, Origin, Problem, RawConfig, Refused, Setting,
    Weight,
};
use lle_core::error::Code;
use lle_maintenance::real::config::{Trust, read};
use serde::Serialize;

use super::layers;
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::text::{COLUMNS, printable};

/// What stands for standard input.
const STANDARD_INPUT: &str = "-";

/// The document of `show --json`.
#[derive(Debug, Serialize)]
struct Shown<'c> {
    version: u32,
    settings: BTreeMap<&'static str, &'c Setting>,
    warnings: &'c [Problem],
}

/// The document of `check --json`.
#[derive(Debug, Serialize)]
struct Checked {
    version: u32,
    sound: bool,
    problems: Vec<Problem>,
    more_problems: usize,
}

/// Shows the keys at or below `only`, or all.
pub(super) fn show(
    only: Option<&str>,
    origin: bool,
    words: &[String],
    json: bool,
) -> Result<ExitCode, Failure> {
    let merged = CATALOGUE.merge(&layers::all(words)).map_err(mistakes)?;
    let Merged { config, mut warnings } = merged;
    warnings.extend(layers::theme_problems(&config, None));
    let chosen: Vec<(&str, &Setting)> = config
        .settings()
        .map(|(key, setting)| (key.name, setting))
        .filter(|(name, _)| only.is_none_or(|only| is_at_or_below(name, only)))
        .collect();
    if let (Some(only), true) = (only, chosen.is_empty()) {
        return Err(no_key(only));
    }
    if json {
        return answer::json(&Shown {
            version: FORMAT,
            settings: config
                .settings()
                .map(|(key, setting)| (key.name, setting))
                .filter(|(name, _)| only.is_none_or(|only| is_at_or_below(name, only)))
                .collect(),
            warnings: &warnings,
        });
    }
    for warning in &warnings {
        eprintln!("{}", safe(&warning.to_string()));
    }
    answer::text(&render(&chosen, origin))
}

/// Says what is wrong with each of `files`, or with everything.
pub(super) fn check(files: &[PathBuf], json: bool) -> Result<ExitCode, Failure> {
    let name = match files {
        [] => "the configuration".to_owned(),
        [one] => shown(one),
        many => format!("these {} files", many.len()),
    };
    let (mut problems, mut more_problems) = (Vec::new(), 0);
    if files.is_empty() {
        (problems, more_problems) = told(&layers::all(&[]), None);
    }
    for path in files {
        let (found, more) = match path {
            path if is_theme(path) => (
                layers::theme_file(path, Trust::Anyone).ok_or_else(|| no_file(path))?,
                0,
            ),
            path => told(&[one(path)?], path.parent()),
        };
        problems.extend(found);
        more_problems += more;
    }
    let sound = more_problems == 0 && problems.iter().all(|problem| problem.weight < Weight::Error);
    let code = if sound {
        Code::Success
    } else {
        Code::InvalidParameters
    };
    if json {
        answer::json(&Checked {
            version: FORMAT,
            sound,
            problems,
            more_problems,
        })?;
    } else if sound && problems.is_empty() {
        answer::text(&format!("There is nothing wrong with {name}.\n"))?;
    } else {
        let told = Refused {
            problems,
            more_problems,
        };
        answer::text(&format!("{}\n", safe(&told.to_string())))?;
    }
    Ok(ExitCode::from(code.exit()))
}

/// What is wrong with these layers, and with the theme that they ask for, in `themes` in that folder or in the user's.
fn told(layers: &[Layered], beside: Option<&Path>) -> (Vec<Problem>, usize) {
    match CATALOGUE.merge(layers) {
        Ok(Merged { config, mut warnings }) => {
            warnings.extend(layers::theme_problems(&config, beside));
            (warnings, 0)
        }
        Err(refused) => (refused.problems, refused.more_problems),
    }
}

/// What a file is called.
fn shown(path: &Path) -> String {
    match path == Path::new(STANDARD_INPUT) {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}

/// Themes are told by where they lie.
fn is_theme(path: &Path) -> bool {
    // The name alone says where it lies when one stands in that folder.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.parent().is_some_and(|folder| folder.ends_with("themes"))
}

fn no_file(path: &Path) -> Failure {
    Failure::new(format!("there is no {}", path.display()))
        .code(Code::NotFound.exit())
        .hint("`lusush maint config path` says where yours would be")
}

/// A file that somebody asks about, whosever it is; one that is not there is a mistake.
fn one(path: &Path) -> Result<Layered, Failure> {
    if path == Path::new(STANDARD_INPUT) {
        return piped(std::io::stdin().lock());
    }
    if matches!(read(path, Trust::Anyone), Ok(None)) {
        return Err(no_file(path));
    }
    let origin = if path == Path::new(lle_core::config::SYSTEM_FILE) {
        Origin::System
    } else {
        Origin::User
    };
    Ok(layers::file(origin, path, Trust::Anyone))
}

/// What comes from a pipe, as a file of the user's that is to be.
fn piped(from: impl Read) -> Result<Layered, Failure> {
    let failed = || Failure::new("cannot read standard input");
    let mut bytes = Vec::new();
    from.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed().because(error))?;
    let invalid = |why: String| failed().because(why).code(Code::InvalidParameters.exit());
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(invalid(format!(
            "it is too large: a configuration has at most {FILE_BYTES_MAX} bytes"
        )));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| invalid(format!("byte {} is no UTF-8", error.utf8_error().valid_up_to())))?;
    Ok(RawConfig::parse(Origin::User, "standard input", &text).check(&CATALOGUE))
}

/// That the configuration has mistakes, all of them told.
pub(super) fn mistakes(refused: Refused) -> Failure {
    let told = safe(&refused.to_string());
    Failure::new(format!("the configuration has mistakes\n{told}"))
        .code(Code::InvalidParameters.exit())
        .hint("`lusush maint config check` looks again")
}

/// That there is no such key, and which was probably meant.
pub(super) fn no_key(name: &str) -> Failure {
    let failure = Failure::new(format!("there is no key `{}`", printable(name, COLUMNS / 2)))
        .code(Code::NotFound.exit());
    match CATALOGUE.nearest(name) {
        Some(nearest) => failure.hint(format!("did you mean `{nearest}`?")),
        None => failure.hint("`lusush maint config show` lists the keys"),
    }
}

/// Lines that may repeat what somebody wrote into a file, so that they cannot act on the terminal.
pub(super) fn safe(lines: &str) -> String {
    let lines: Vec<String> = lines.lines().map(|line| printable(line, usize::MAX)).collect();
    lines.join("\n")
}

fn is_at_or_below(name: &str, table: &str) -> bool {
    let rest = name.strip_prefix(table);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn render(chosen: &[(&str, &Setting)], origin: bool) -> String {
    let mut out = String::new();
    for (name, setting) in chosen {
        out.push_str(&format!("{name} = {}\n", setting.value));
        if origin {
            out.push_str(&format!("    {}\n", where_from(setting)));
        }
    }
    out
}

/// Where a value comes from, as a phrase.
pub(super) fn where_from(setting: &Setting) -> String {
    let lock = if setting.locked {
        ", locked by the machine"
    } else {
        ""
    };
    let source = match setting.origin {
        Origin::BuiltIn => "built in".to_owned(),
        Origin::System | Origin::User => {
            let at = setting.at.map_or(String::new(), |at| format!(":{at}"));
            format!("{}{at}", setting.source)
        }
        Origin::Environment => format!("variable {}", setting.source),
        Origin::CommandLine => format!("-c {}", setting.source),
    };
    format!("{source}{lock}")
}

/// The setting of that name.
pub(super) fn setting<'c>(config: &'c Config, name: &str) -> Option<&'c Setting> {
    config
        .settings()
        .find(|(key, _)| key.name == name)
        .map(|(_, setting)| setting)
}
