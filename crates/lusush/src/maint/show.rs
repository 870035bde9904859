//! Answers of the engine, for people: pure functions of documents.

mod audit;
mod done;
mod health;
mod reviews;
mod tasks;
#[cfg(test)]
mod tests;
pub(crate) mod worker;

use std::fmt::Write as _;

use lle_core::error::Code;
use lle_core::quantity::age;
use lle_maintenance::api::audit::{AuditDocument, VerifyDocument};
use lle_maintenance::api::tasks::TasksDocument;
use lle_maintenance::api::trials::TrialsDocument;
use lle_maintenance::api::{Request, how_to_get_a_worker};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ask::{self, Answer};
use super::{optimise, why};
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::paths;
use crate::text::{COLUMNS, Ink, wrapped};

/// Asks, and shows the answer.
pub(crate) fn answer(request: &Request, json: bool) -> Result<ExitCode, Failure> {
    told(request, &ask::ask(request)?, json)
}

/// Shows one task.
pub(crate) fn task(name: &str, json: bool) -> Result<ExitCode, Failure> {
    let mut given = ask::ask(&Request::Tasks)?;
    if let Some(rows) = given.value.get_mut("tasks").and_then(Value::as_array_mut) {
        rows.retain(|row| row["name"] == name);
    }
    told(&Request::Tasks, &given, json)
}

fn told(request: &Request, given: &Answer, json: bool) -> Result<ExitCode, Failure> {
    let code = exit_code(request, &given.value);
    if json {
        answer::json(&given.value)?;
    } else {
        let mut out = text(request, given, Ink::of_stdout())?;
        if matches!(request, Request::Pause { .. } | Request::Resume { .. })
            && let Some(Ok(trials)) = ask::ask_worker(&Request::Trials)
        {
            out.push_str(&optimise::held(&read::<TrialsDocument>(&trials)?));
        }
        answer::text(&out)?;
    }
    Ok(code)
}

/// Says what the optimiser would do.
pub(crate) fn advice(json: bool) -> Result<ExitCode, Failure> {
    let mut given = ask::ask(&Request::Trials)?;
    // What makes prompts slow stands in the sessions' own files, and what may be done about it is for their user alone.
    let prompt = paths::folders().runtime.ok().and_then(|runtime| {
        let snapshot = why::session(&runtime.join("sessions"), None).ok()?;
        let mut prompt = why::why(&snapshot, why::Subject::Prompt);
        why::put_off::advise(&mut prompt, &snapshot, why::put_off::in_force());
        Some(prompt)
    });
    if json {
        let advised = prompt.as_ref().and_then(|why| {
            let text = why.may_be_cached.as_deref()?;
            Some((text, why::put_off::command(&why.in_force, text)))
        });
        if let (Some((text, command)), Some(document)) = (advised, given.value.as_object_mut()) {
            document.insert("prompt_may_be_cached".to_owned(), Value::from(text));
            document.insert("prompt_command".to_owned(), Value::from(command));
        }
        return answer::json(&given.value);
    }
    let document = read::<TrialsDocument>(&given.value)?;
    let mut out = optimise::opportunities(&document, Ink::of_stdout());
    if let Some(advice) = prompt.as_ref().and_then(why::put_off::advice) {
        out.push_str(&wrapped(&advice, COLUMNS, 0));
        out.push('\n');
    }
    answer::text(&out)
}

/// What is unusual, and what changed; none if nobody can say.
pub(crate) fn anomalies() -> Option<Value> {
    Some(ask::ask(&Request::Anomalies).ok()?.value)
}

/// A log that is not whole is an answer and a failure.
fn exit_code(request: &Request, value: &Value) -> ExitCode {
    match request {
        Request::Verify if value["whole"] == Value::Bool(false) => {
            ExitCode::from(Code::IntegrityFailed.exit())
        }
        Request::Run { .. } | Request::Optimize { .. } if value["outcome"].as_str().is_some_and(failed) => {
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn failed(outcome: &str) -> bool {
    let mut all = lle_core::task::statistics::Outcome::ALL.iter();
    all.any(|known| known.name() == outcome && known.went_wrong())
}

/// An outcome's stable name, as people say it.
fn in_words_of(outcome: &str) -> String {
    outcome.replace('-', " ")
}

fn text(request: &Request, given: &Answer, ink: Ink) -> Result<String, Failure> {
    let value = &given.value;
    let mut out = match request {
        Request::Tasks => tasks::tasks(&read::<TasksDocument>(value)?, ink),
        Request::Audit { .. } => audit::audit(&read::<AuditDocument>(value)?),
        Request::Verify => audit::verify(&read::<VerifyDocument>(value)?, ink),
        Request::Health => health::health(value, ink),
        Request::Metrics { .. } => health::metrics(value, ink),
        Request::Alerts => health::alerts(value, ink),
        Request::Checklist => reviews::checklist(value, ink),
        Request::Validate => reviews::validation(value, ink),
        Request::Trials => optimise::history(&read::<TrialsDocument>(value)?, ink),
        Request::Forecast => super::predict::forecast(value, now_wall_ns()),
        Request::Anomalies => super::predict::anomalies(value, now_wall_ns(), ink),
        Request::Run { task } => done::ran(task, value),
        Request::Optimize { .. } => optimise::done(value).unwrap_or_else(|| done::ran("performance", value)),
        _ => done::done(request, value),
    };
    let is_asked_of_worker = matches!(
        request,
        Request::Tasks
            | Request::Health
            | Request::Metrics { .. }
            | Request::Validate
            | Request::Forecast
            | Request::Anomalies
            | Request::Alerts
    );
    if !given.from_worker && is_asked_of_worker {
        let (who, how) = match ask::elsewhere() {
            Some(elsewhere) => (format!("The worker, {}", elsewhere.what()), elsewhere.remedy()),
            None => (
                "There is no worker".to_owned(),
                how_to_get_a_worker(ask::is_stopped()).to_owned(),
            ),
        };
        let what = format!("{who}: this is what is on disk, and a single look at the sessions.");
        let _ = writeln!(out, "\n{}", wrapped(&what, COLUMNS, 0));
        let _ = writeln!(
            out,
            "{}",
            wrapped(&optimise::capital(&format!("{how}.")), COLUMNS, 0)
        );
    }
    Ok(out)
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Failure> {
    serde_json::from_value(value.clone()).map_err(|error| {
        Failure::new("the answer of the worker is of another version")
            .because(error)
            .hint("`lusush maint stop` and `lusush maint start` make one of this version; --json shows the answer")
    })
}

pub(super) fn now_wall_ns() -> i64 {
    lle_maintenance::real::now().wall_ns
}

/// A time as people say it: "in 3 h 5 min", "2 d ago".
pub(super) fn in_words(at: i64, now: i64) -> String {
    let apart = |ns: i64| age(ns.unsigned_abs());
    match at.saturating_sub(now) {
        0..1_000_000_000 => "now".into(),
        ahead @ 1.. => format!("in {}", apart(ahead)),
        ago => format!("{} ago", apart(ago)),
    }
}

fn severity(ink: Ink, name: &str) -> String {
    match name {
        "info" | "healthy" | "met" => name.to_owned(),
        "warning" | "minor" | "unknown" | "degraded" => ink.warn(name),
        _ => ink.bad(name),
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
