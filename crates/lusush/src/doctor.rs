//! `lusush doctor`: looks at everything LLE stands on, and says what to do about what is wrong.
//!
//! Invariant: changes nothing. The shell it starts to look for symbols keeps its files in a folder of its own
//! that is removed again.

mod crashes;
mod editor;
mod places;
mod shell;
mod terminal;

use std::ffi::OsString;
use std::fmt::Write;

use clap::Parser;
use lle_core::report::{Check, Outcome, Report};
use serde::Serialize;

use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::text::{COLUMNS, Ink, printable, wrapped};

/// The version of the schema of `--json`.
const SCHEMA_VERSION: u32 = 1;

/// Looks at everything LLE needs; exit status 1 if something does not work
#[derive(Debug, Parser)]
#[command(name = "lusush doctor")]
struct Doctor {
    /// Writes JSON instead, schema version 1
    #[arg(long)]
    json: bool,
}

/// The answer as JSON. Fields are added, never renamed or removed, while the version stays.
#[derive(Serialize)]
struct Diagnosis<'a> {
    version: u32,
    /// healthy, warning, degraded, critical or failed.
    health: &'static str,
    checks: Vec<Line<'a>>,
}

/// One check.
#[derive(Serialize)]
struct Line<'a> {
    subject: &'a str,
    /// ok, warning, problem or unknown.
    outcome: &'static str,
    /// Null unless something was found.
    severity: Option<&'static str>,
    evidence: &'a str,
    /// Empty if there is nothing to do.
    remedy: &'a str,
}

/// Runs `lusush doctor` with the arguments that follow it.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let json = match answer::parse::<Doctor>("lusush doctor", arguments) {
        Ok(parsed) => parsed.json,
        Err(code) => return Ok(code),
    };
    let report = examine();
    let answered = if json {
        answer::json(&diagnosis(&report))
    } else {
        answer::text(&text(&report, Ink::of_stdout()))
    }?;
    Ok(if report.has_problem() {
        ExitCode::FAILURE
    } else {
        answered
    })
}

fn examine() -> Report {
    let mut checks = shell::checks();
    checks.extend(places::checks());
    checks.extend(crashes::checks());
    checks.extend(terminal::checks());
    checks.extend(editor::checks());
    Report { checks }
}

fn diagnosis(report: &Report) -> Diagnosis<'_> {
    Diagnosis {
        version: SCHEMA_VERSION,
        health: report.health().name(),
        checks: report.checks.iter().map(line).collect(),
    }
}

fn line(check: &Check) -> Line<'_> {
    let severity = match check.outcome {
        Outcome::Found(severity) => Some(severity.name()),
        Outcome::Fine | Outcome::Unknown => None,
    };
    Line {
        subject: check.subject,
        outcome: check.outcome.word(),
        severity,
        evidence: &check.evidence,
        remedy: &check.remedy,
    }
}

/// Columns of the outcome and of the subject.
const OUTCOME: usize = 8;
const SUBJECT: usize = 16;

/// Writes the report for people.
fn text(report: &Report, ink: Ink) -> String {
    let margin = OUTCOME + SUBJECT + 2;
    let mut out = String::new();
    let mut counted = [("problem", 0), ("warning", 0), ("unknown", 0)];
    for check in &report.checks {
        let word = check.outcome.word();
        if let Some((_, n)) = counted.iter_mut().find(|(name, _)| *name == word) {
            *n += 1;
        }
        let outcome = format!("{word:OUTCOME$}");
        let outcome = match word {
            "problem" => ink.bad(&outcome),
            "warning" => ink.warn(&outcome),
            _ => outcome,
        };
        let mut said = vec![check.evidence.as_str()];
        said.extend(Some(check.remedy.as_str()).filter(|remedy| !remedy.is_empty()));
        for (at, sentence) in said.into_iter().enumerate() {
            let sentence = wrapped(&printable(sentence, usize::MAX), COLUMNS - margin, 0);
            for (row, line) in sentence.lines().enumerate() {
                let _ = match (at, row) {
                    (0, 0) => writeln!(out, "{outcome} {:SUBJECT$} {line}", check.subject),
                    (1, 0) => writeln!(out, "{:>margin$}{line}", "-> "),
                    _ => writeln!(out, "{:margin$}{line}", ""),
                };
            }
        }
    }
    let counted: Vec<_> = counted
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(name, n)| {
            format!(
                "{n} {name}{}",
                if *n > 1 && *name != "unknown" { "s" } else { "" }
            )
        })
        .collect();
    let summary = if counted.is_empty() {
        "Everything is as it should be.".to_owned()
    } else {
        counted.join(", ")
    };
    let _ = writeln!(out, "\n{}", ink.strong(&summary));
    out
}

#[cfg(test)]
mod tests {
    use lle_core::severity::Severity;

    use super::*;

    fn report() -> Report {
        Report {
            checks: vec![
                Check::fine("bash", "/bin/bash, 5.2.15(1)-release"),
                Check::found(
                    Severity::Warning,
                    "locale",
                    "LANG is C: what is not ASCII is shown as bytes, and the cursor may stand elsewhere",
                    "export LANG=C.UTF-8",
                ),
                Check::found(
                    Severity::Major,
                    "state folder",
                    "/home/joe/\x1b[2J belongs to user 0",
                    "sudo chown joe /home/joe",
                ),
                Check::unknown("history log", "none was made yet"),
            ],
        }
    }

    #[test]
    fn for_people() {
        let text = text(&report(), Ink::Plain);
        for line in text.lines() {
            assert!(
                line.chars().count() <= COLUMNS && line.trim_end() == line,
                "{line:?}"
            );
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn for_programs() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&diagnosis(&report())).unwrap());
    }
}
