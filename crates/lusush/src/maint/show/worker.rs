//! What the worker is and does, below the sessions.

use std::fmt::Write;

use lle_core::quantity::{bytes, duration, several};
use lle_maintenance::api::status::StatusDocument;

use super::in_words;
use crate::text::{COLUMNS, Ink, printable, wrapped};

/// Writes what the worker is and does, below the sessions.
pub(crate) fn worker(status: &StatusDocument, now: i64, ink: Ink) -> String {
    let mut out = String::new();
    let state = match (status.worker, status.stopped, status.paused) {
        (true, _, true) => "paused: `lusush maint resume`".to_owned(),
        (true, _, false) => "runs".to_owned(),
        (false, true, _) => "stopped: `lusush maint start`".to_owned(),
        (false, false, _) => "none: the next prompt of a session starts one".to_owned(),
    };
    let since = status
        .started_wall_ns
        .map(|at| format!(", started {}", in_words(at, now)))
        .unwrap_or_default();
    let pid = status
        .pid
        .map(|pid| format!(", process {pid}"))
        .unwrap_or_default();
    let _ = writeln!(out, "{} {state}{pid}{since}", ink.strong("Worker:"));
    if let Some(cost) = &status.cost {
        let (memory, cpu) = (bytes(cost.rss_anon_bytes as f64), duration(cost.cpu_ns as f64));
        let _ = writeln!(out, "  {memory} private memory, {cpu} of processor time");
    }
    if let Some(reason) = &status.memory_only {
        let _ = writeln!(
            out,
            "  {}",
            ink.bad(&format!("memory only: {}", printable(reason, 200)))
        );
    }
    if let Some(change) = &status.lever_on_trial {
        let becomes = match &status.trial_waits {
            Some(why) => format!(", which waits: {}", printable(why, COLUMNS)),
            None => ": `lusush maint optimize --history`".to_owned(),
        };
        let line = format!("on trial {}{becomes}", printable(change, COLUMNS));
        let _ = writeln!(out, "  {}", wrapped(&line, COLUMNS - 2, 4));
    }
    for plan in &status.running {
        let _ = writeln!(
            out,
            "  running {}: {}",
            printable(&plan.task, 40),
            printable(&plan.step, 60)
        );
    }
    for plan in &status.stuck {
        let why = plan.outcome.as_deref().unwrap_or_default();
        let line = format!("stuck: {}: {}", plan.task, why);
        let _ = writeln!(out, "  {}", ink.bad(&printable(&line, 300)));
    }
    let total: u64 = status.outcomes.values().sum();
    let ended: Vec<String> = status
        .outcomes
        .iter()
        .map(|(name, n)| format!("{n} {name}"))
        .collect();
    if total > 0 {
        let _ = writeln!(out, "  {}: {}", several(total, "plan", "plans"), ended.join(", "));
    }
    for incident in status.incidents.iter().rev().take(3) {
        let line = format!(
            "{}: {}: {}",
            in_words(incident.wall_ns, now),
            incident.what,
            incident.evidence
        );
        let _ = writeln!(out, "  {}", wrapped(&printable(&line, 300), COLUMNS - 2, 4));
    }
    out
}
