//! A configuration on trial: shown, kept at somebody's word, or applied for a while only.
//!
//! Invariant: what is applied for a while is written down as such before the file is touched, so that it goes again
//! whatever dies in between.

use std::fmt::Write;
use std::path::Path;

use lle_core::config::{CATALOGUE, FILE_NAME, Layered, Origin, RawConfig, SYSTEM_FILE};
use lle_core::error::Code;
use lle_core::quantity::{age, duration, several};
use lle_core::task::TaskKind;
use lle_log::versions::Cause;
use lle_maintenance::api::Request;
use lle_maintenance::api::config_trials::{ConfigTrialDocument, ConfigTrialsDocument, DifferenceDocument};
use lle_maintenance::real::config::{Trust, read};

use super::{aside, edit, in_force, layers, show, versions};
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::maint::ask;
use crate::text::{COLUMNS, printable, wrapped};

/// Keeps the configuration that is on trial.
pub(super) fn confirm(version: Option<u64>, json: bool) -> Result<ExitCode, Failure> {
    let given = ask::ask(&Request::ConfigConfirm { version })?.value;
    match json {
        true => answer::json(&given),
        false => answer::text(&format!("Version {} stays.\n", given["confirmed"])),
    }
}

/// Shows what is on trial, and what was.
pub(super) fn trials(json: bool) -> Result<ExitCode, Failure> {
    let given = ask::ask(&Request::ConfigTrials)?.value;
    if json {
        return answer::json(&given);
    }
    let document = serde_json::from_value(given).map_err(|error| {
        Failure::new("the answer of the worker is of another version")
            .because(error)
            .hint("`lusush maint stop` and `lusush maint start` make one of this version; --json shows the answer")
    })?;
    answer::text(&text(&document))
}

/// Makes the user's file say what another file says; for `active_ms` of use only, if that is given, unless it is
/// confirmed by then.
pub(super) fn apply(file: &Path, active_ms: Option<u64>, json: bool) -> Result<ExitCode, Failure> {
    let failed = || Failure::new(format!("cannot apply {}", file.display()));
    let found = read(file, Trust::Anyone).map_err(|error| {
        let remedy = lle_maintenance::real::layers::remedy(&error, file);
        failed().because(error).hint(remedy)
    })?;
    let text = found
        .ok_or_else(|| failed().hint("there is no such file").code(Code::NotFound.exit()))?
        .text;
    let after = merged(&file.display().to_string(), &text)?;
    let path = layers::user_file()?;
    let mut keeper = versions::Keeper::hold();
    let before = layers::user_text(&path)?;
    let said = before.as_ref().map_or("", |before| before.text.as_str());
    let changed = said != text;
    if let Some(within_ms) = active_ms.filter(|_| changed) {
        // What holds as it is proves nothing by holding on.
        if merged("", said).is_ok_and(|now| now.says_the_same(&after)) {
            return Err(failed().hint("it says what is in force: there is nothing that could go again"));
        }
        let says = after.mark();
        ask::ask(&Request::ConfigArm { says, within_ms })?;
    }
    if changed {
        if let Some(before) = before
            .as_ref()
            .filter(|before| !versions::is_sound(FILE_NAME, &before.text))
        {
            aside::keep_refused(&path, before)?;
        }
        edit::write(&path, before.as_ref(), &text)?;
        keeper.keep(FILE_NAME, before.as_ref(), &text, Cause::Edited, 0);
    }
    // The worker waits for the lock that this holds.
    drop(keeper);
    let task = TaskKind::ConfigSync.name().to_owned();
    // With a worker it is in force within a moment anyway.
    let _sooner = ask::ask_worker(&Request::Run { task });
    let follows = in_force::follow();
    if json {
        return answer::json(
            &serde_json::json!({ "changed": changed, "active_ms": active_ms.filter(|_| changed) }),
        );
    }
    let path = printable(&path.display().to_string(), COLUMNS);
    answer::text(&match (changed, active_ms) {
        (false, _) => format!("{path} says that already.\n"),
        (true, None) => format!("{path} says what {} says.\n{follows}", file.display()),
        (true, Some(ms)) => format!(
            "{path} says what {} says, for {} of use: `lusush maint config confirm` keeps it.\n",
            file.display(),
            age(ms.saturating_mul(1_000_000))
        ),
    })
}

/// What would be in force for every session if the user's file said this.
fn merged(source: &str, text: &str) -> Result<lle_core::config::Config, Failure> {
    let user: Layered = RawConfig::parse(Origin::User, source, text).check(&CATALOGUE);
    let system = layers::file(Origin::System, Path::new(SYSTEM_FILE), Trust::Root);
    let merged = CATALOGUE.merge(&[system, user]).map_err(show::mistakes)?;
    Ok(merged.config)
}

/// Reads how long: `90s`, `10m`, `2h`, `1d`; in milliseconds.
///
/// # Errors
/// It is something else.
pub(super) fn how_long(text: &str) -> Result<u64, String> {
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    let read = |(unit, seconds): (&str, u64)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(seconds * 1_000).filter(|ms| *ms > 0)
    };
    let read = units.into_iter().find_map(read);
    read.ok_or_else(|| "a number with s, m, h or d behind it, such as 10m".to_owned())
}

fn text(document: &ConfigTrialsDocument) -> String {
    let mut out = String::new();
    for trial in document.ended.iter().chain(&document.open) {
        let _ = writeln!(out, "{}", wrapped(&one(trial, document.now_wall_ns), COLUMNS, 4));
        for measure in &trial.measures {
            let said = match &measure.difference {
                Some(seen) => of_measure(seen),
                None => "not looked at yet".to_owned(),
            };
            let _ = writeln!(out, "    {}: {said}", printable(&measure.name, 20));
        }
    }
    if out.is_empty() {
        out.push_str("No configuration is on trial, and none was.\n");
    }
    out
}

fn one(trial: &ConfigTrialDocument, now_wall_ns: i64) -> String {
    let name = format!("version {}", trial.config_version);
    let keys: Vec<String> = trial.keys.iter().map(|key| printable(key, 40)).collect();
    let keys = keys.join(", ");
    if let (Some(outcome), Some(at)) = (&trial.outcome, trial.ended_wall_ns) {
        let ago = age(now_wall_ns.saturating_sub(at).max(0).cast_unsigned());
        let why = printable(trial.why.as_deref().unwrap_or_default(), 300);
        return format!("{name} ({keys}), {ago} ago: {}; {why}", printable(outcome, 40));
    }
    let max = trial.active_ns_max.unwrap_or(trial.active_ns);
    let mut line = format!(
        "{name} ({keys}) on trial against version {}: {} of {} of use",
        trial.earlier,
        age(trial.active_ns),
        age(max)
    );
    if trial.needs_word {
        line.push_str("; it goes then unless `lusush maint config confirm` keeps it");
    }
    if let Some(next) = trial.observations_next {
        let _ = write!(
            line,
            "; {}, looked at when there are {next}",
            several(trial.observations, "observation", "observations")
        );
    }
    line
}

fn of_measure(seen: &DifferenceDocument) -> String {
    let signed = |ns: f64| format!("{}{}", if ns < 0.0 { "-" } else { "+" }, duration(ns.abs()));
    format!(
        "{} before, {} since ({} to {})",
        duration(seen.before_ns),
        signed(seen.by_ns),
        signed(seen.low_ns),
        signed(seen.high_ns)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn how_long_is_a_number_and_a_unit() {
        let check = |text: &str, expect: Option<u64>| assert_eq!(how_long(text).ok(), expect, "{text}");
        check("10m", Some(600_000));
        check("90s", Some(90_000));
        check("2h", Some(7_200_000));
        check("1d", Some(86_400_000));
        check("0s", None);
        check("10", None);
        check("-1m", None);
        check("18446744073709551615d", None);
        check("m", None);
    }

    #[test]
    fn trials_as_people_read_them() {
        let difference = json!({
            "before_ns": 4e6, "by_ns": 203e6, "low_ns": 190e6, "high_ns": 216e6, "samples": 41,
        });
        let trial = |more: serde_json::Value| {
            let mut trial = json!({
                "id": 3, "config_version": 7, "earlier": 6, "keys": ["prompt.command"], "needs_word": false,
                "measures": [{ "name": "prompts", "floor_ns": 20_000_000, "difference": null }],
                "observations": 3, "observations_next": 5, "active_ns": 90_000_000_000_u64,
                "active_ns_max": 600_000_000_000_u64, "outcome": null, "why": null, "kept": true,
                "ended_wall_ns": null,
            });
            for (name, value) in more.as_object().into_iter().flatten() {
                trial[name] = value.clone();
            }
            trial
        };
        let document = json!({
            "version": 1, "now_wall_ns": 7_200_000_000_000_i64, "in_force": 8,
            "open": [trial(json!({ "config_version": 9, "needs_word": true }))],
            "ended": [trial(json!({
                "outcome": "taken back", "why": "prompts were 203 ms slower (190 to 216, 41 prompts)",
                "ended_wall_ns": 3_600_000_000_000_i64, "kept": false, "observations_next": null,
                "measures": [{ "name": "prompts", "floor_ns": 20_000_000, "difference": difference }],
            }))],
        });
        let document: ConfigTrialsDocument = serde_json::from_value(document).unwrap();
        insta::assert_snapshot!(text(&document));
    }
}
