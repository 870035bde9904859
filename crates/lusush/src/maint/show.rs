//! Answers of the engine, for people: pure functions of documents.

use std::fmt::Write;
use std::process::ExitCode;

use lle_core::error::Code;
use lle_core::quantity::{age, bytes, count, duration, several};
use lle_maintenance::api::{AuditDocument, Request, TaskDocument, TasksDocument, VerifyDocument};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ask::{self, Answer};
use crate::answer;
use crate::failure::Failure;
use crate::text::{COLUMNS, Ink, printable, wrapped};

/// Asks, and shows the answer.
pub(crate) fn answer(request: &Request, json: bool) -> Result<ExitCode, Failure> {
    let given = ask::ask(request)?;
    let code = exit_code(request, &given.value);
    if json {
        answer::json(&given.value)?;
    } else {
        answer::text(&text(request, &given, Ink::of_stdout())?)?;
    }
    Ok(code)
}

/// A log that is not whole is an answer and a failure.
fn exit_code(request: &Request, value: &Value) -> ExitCode {
    match request {
        Request::Verify if value["whole"] == Value::Bool(false) => {
            ExitCode::from(Code::IntegrityFailed.exit())
        }
        Request::Run { .. } if value["outcome"].as_str().is_some_and(failed) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn failed(outcome: &str) -> bool {
    ["failed", "timed out", "panicked"].contains(&outcome)
}

fn text(request: &Request, given: &Answer, ink: Ink) -> Result<String, Failure> {
    let value = &given.value;
    let mut out = match request {
        Request::Tasks => tasks(&read::<TasksDocument>(value)?, ink),
        Request::Audit { .. } => audit(&read::<AuditDocument>(value)?),
        Request::Verify => verify(&read::<VerifyDocument>(value)?, ink),
        Request::Health => health(value, ink),
        Request::Metrics { .. } => metrics(value, ink),
        Request::Alerts => alerts(value, ink),
        Request::Checklist => checklist(value, ink),
        Request::Validate => validation(value, ink),
        Request::Run { task } => ran(task, value),
        _ => done(request, value),
    };
    let is_asked_of_worker = matches!(
        request,
        Request::Tasks | Request::Health | Request::Metrics { .. } | Request::Validate | Request::Alerts
    );
    if !given.from_worker && is_asked_of_worker {
        out.push_str("\nThere is no worker: this is what is on disk, and a single look at the sessions.\n");
        out.push_str("`lusush maint start` starts one; so does every new session.\n");
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

fn done(request: &Request, value: &Value) -> String {
    match request {
        Request::Start => "The worker runs.\n".into(),
        Request::Stop => {
            "The worker ends, and no session starts another: `lusush maint start` does.\n".into()
        }
        Request::Pause { task: None } => "Nothing runs by itself until `lusush maint resume`.\n".into(),
        Request::Pause { task: Some(task) } => {
            format!("{task} does not run by itself until `lusush maint resume {task}`.\n")
        }
        Request::Resume { task: None } => "Tasks run by themselves again.\n".into(),
        Request::Resume { task: Some(task) } => format!("{task} runs by itself again.\n"),
        Request::Cancel { task } if value["removed"] == Value::Bool(true) => format!("{task} is removed.\n"),
        Request::Cancel { task } => format!("The run of {task} is cancelled.\n"),
        Request::Schedule(asked) => match value["next_wall_ns"].as_i64() {
            Some(next) => format!("{} runs next {}.\n", asked.name, in_words(next, now_wall_ns())),
            None => format!(
                "{} runs when asked: `lusush maint run {}`.\n",
                asked.name, asked.name
            ),
        },
        Request::SetMode { area, mode } => match value["mode"].as_str() {
            Some(in_force) if in_force != mode => {
                format!("{area}: {mode}, but the policy allows {in_force} at most, which is in force.\n")
            }
            _ => format!("{area}: {mode}.\n"),
        },
        Request::Acknowledge { id } => format!("Alert {id} is acknowledged.\n"),
        Request::SignOff { item, .. } => format!("{item} is signed off.\n"),
        _ => format!("{value}\n"),
    }
}

fn ran(task: &str, value: &Value) -> String {
    let note = value["note"].as_str().unwrap_or_default();
    let note = printable(note, COLUMNS * 3);
    match (value["running"].as_bool(), value["outcome"].as_str()) {
        (Some(true), _) => format!("{task} is running: `lusush maint tasks` shows how it ends.\n"),
        (_, Some(outcome)) if note.is_empty() => format!("{task}: {outcome}.\n"),
        (_, Some(outcome)) => format!("{}\n", wrapped(&format!("{task}: {outcome}: {note}"), COLUMNS, 2)),
        (_, None) => format!("{task} ran.\n"),
    }
}

fn now_wall_ns() -> i64 {
    lle_maintenance::real::now().wall_ns
}

/// A time as people say it: "in 3 h 5 min", "2 d ago".
fn in_words(at: i64, now: i64) -> String {
    let apart = |ns: i64| age(ns.unsigned_abs());
    match at.saturating_sub(now) {
        0..1_000_000_000 => "now".into(),
        ahead @ 1.. => format!("in {}", apart(ahead)),
        ago => format!("{} ago", apart(ago)),
    }
}

fn tasks(document: &TasksDocument, ink: Ink) -> String {
    let mut out = String::new();
    let head = format!(
        "{:<16}{:<17}{:<14}{:>6}{:>6}{:>10}  LAST",
        "TASK", "WHEN", "NEXT", "RUNS", "FAIL", "MEAN"
    );
    let _ = writeln!(out, "{}", ink.strong(&head));
    for task in &document.tasks {
        let _ = writeln!(out, "{}", task_line(task, document.now_wall_ns));
        if let Some(note) = &task.last_note {
            let _ = writeln!(out, "  {}", printable(note, COLUMNS - 2));
        }
    }
    out
}

fn task_line(task: &TaskDocument, now: i64) -> String {
    let next = match task.next_wall_ns {
        _ if task.running => "running".into(),
        _ if !task.enabled => "disabled".into(),
        _ if task.paused => "paused".into(),
        Some(next) if next <= now => "due".into(),
        Some(next) => in_words(next, now),
        None => "when asked".into(),
    };
    let mean = task.mean_ns.map_or("-".into(), |ns| duration(ns as f64));
    let last = match (&task.last_outcome, task.last_wall_ns) {
        (Some(outcome), Some(at)) => format!("{outcome} {}", in_words(at, now)),
        _ => "never".into(),
    };
    format!(
        "{:<16}{:<17}{:<14}{:>6}{:>6}{:>10}  {}",
        printable(&task.name, 15),
        printable(&task.schedule, 16),
        next,
        count(task.runs),
        count(task.failures),
        mean,
        last
    )
}

fn audit(document: &AuditDocument) -> String {
    if document.records.is_empty() {
        return "Nothing was recorded yet.\n".into();
    }
    let now = now_wall_ns();
    let mut out = String::new();
    for record in &document.records {
        let plan = match record.plan {
            0 => String::new(),
            plan => format!(" plan {plan}"),
        };
        let mut line = format!(
            "#{} {}, {}{plan}:",
            record.sequence,
            in_words(record.wall_ns, now),
            record.phase
        );
        for (label, text) in [
            ("", &record.operation),
            ("on ", &record.target),
            ("by ", &record.who),
            ("ended ", &record.outcome),
            ("why: ", &record.why),
        ] {
            if !text.is_empty() {
                let _ = write!(line, " {label}{text}");
            }
        }
        let _ = writeln!(out, "{}", wrapped(&printable(&line, 800), COLUMNS, 2));
    }
    out
}

fn verify(document: &VerifyDocument, ink: Ink) -> String {
    let mut out = String::new();
    let verdict = if document.whole {
        "The audit log is whole".to_owned()
    } else {
        ink.bad(&several(document.problems.len() as u64, "problem", "problems"))
    };
    let records = several(document.records, "record", "records");
    let _ = writeln!(
        out,
        "{verdict}: {records}, the last one is #{}.",
        document.last_sequence
    );
    for text in document.problems.iter().chain(&document.remarks) {
        let _ = writeln!(out, "  {}", wrapped(&printable(text, 400), COLUMNS - 2, 4));
    }
    out
}

fn severity(ink: Ink, name: &str) -> String {
    match name {
        "info" | "healthy" | "met" => name.to_owned(),
        "warning" | "minor" | "unknown" | "degraded" => ink.warn(name),
        _ => ink.bad(name),
    }
}

fn health(value: &Value, ink: Ink) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} {}",
        ink.strong("Health:"),
        severity(ink, text_of(&value["health"]))
    );
    let sessions = list(&value["sessions"]);
    for session in sessions {
        let _ = writeln!(
            out,
            "  session {} on {}, process {}: {}",
            text_of(&session["id"]),
            printable(text_of(&session["tty"]), 30),
            session["pid"],
            severity(ink, text_of(&session["health"]))
        );
    }
    if sessions.is_empty() {
        out.push_str("  no session is running\n");
    }
    out.push('\n');
    for component in list(&value["components"]) {
        let why = text_of(&component["why"]);
        let health = text_of(&component["health"]);
        let pad = " ".repeat(10usize.saturating_sub(health.len()));
        let line = format!(
            "{:<16}{}{pad}",
            text_of(&component["component"]),
            severity(ink, health)
        );
        let _ = writeln!(out, "{line} {}", printable(why, COLUMNS - 28));
    }
    for finding in list(&value["findings"]) {
        let _ = writeln!(out);
        let title = printable(text_of(&finding["title"]), 300);
        let name = text_of(&finding["severity"]);
        let _ = writeln!(
            out,
            "{}: {}",
            severity(ink, name),
            wrapped(&title, COLUMNS - name.len() - 2, 2)
        );
        for part in ["evidence", "remedy"] {
            let text = printable(text_of(&finding[part]), 400);
            if !text.is_empty() {
                let _ = writeln!(out, "  {}", wrapped(&text, COLUMNS - 2, 2));
            }
        }
    }
    out
}

fn metrics(value: &Value, ink: Ink) -> String {
    let mut out = String::new();
    let mut last = String::new();
    for metric in list(&value["metrics"]) {
        let of = match metric["session"].as_str() {
            Some(session) => format!("session {session}"),
            None => "all".into(),
        };
        if of != last {
            let _ = writeln!(
                out,
                "{}{}",
                if last.is_empty() { "" } else { "\n" },
                ink.strong(&of)
            );
            last = of;
        }
        let shown = match metric["shown"].as_str() {
            Some(shown) => shown.to_owned(),
            None => format!("unknown: {}", text_of(&metric["unknown"])),
        };
        let usual = metric["usual"]
            .as_str()
            .map(|usual| format!("  (usually {usual})"))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "  {:<32} {}{usual}",
            text_of(&metric["name"]),
            printable(&shown, 44)
        );
    }
    out
}

fn alerts(value: &Value, ink: Ink) -> String {
    let alerts = list(&value["alerts"]);
    if alerts.is_empty() {
        return "Nothing needs attention.\n".into();
    }
    let now = now_wall_ns();
    let mut out = String::new();
    for alert in alerts {
        let since = alert["raised_wall_ns"]
            .as_i64()
            .map(|at| in_words(at, now))
            .unwrap_or_default();
        let name = text_of(&alert["severity"]);
        let state = text_of(&alert["state"]);
        let _ = writeln!(out, "#{} {}, {since}, {state}", alert["id"], severity(ink, name));
        let _ = writeln!(
            out,
            "  {}",
            wrapped(&printable(text_of(&alert["text"]), 400), COLUMNS - 2, 2)
        );
    }
    out.push_str("\n`lusush maint alerts --ack ID` takes note of one.\n");
    out
}

fn checklist(value: &Value, ink: Ink) -> String {
    let mut out = String::new();
    let now = value["now_wall_ns"].as_i64().unwrap_or_default();
    for status in list(&value["items"]) {
        let item = &status["item"];
        let due = status["due_wall_ns"].as_i64().unwrap_or_default();
        let when = match status["overdue_by_ns"].as_u64() {
            Some(late) => ink.warn(&format!("overdue for {}", age(late))),
            None => format!("due {}", in_words(due, now)),
        };
        let title = format!(
            "{} ({}, {})",
            text_of(&item["title"]),
            text_of(&item["id"]),
            text_of(&item["cadence"])
        );
        let _ = writeln!(out, "{}, {when}", ink.strong(&title));
        for point in list(&item["points"]) {
            let _ = writeln!(out, "  - {}", wrapped(text_of(&point["text"]), COLUMNS - 4, 4));
            if let Some(evidence) = point["evidence"].as_str() {
                let _ = writeln!(out, "    {}", wrapped(&printable(evidence, 300), COLUMNS - 4, 4));
            }
        }
        if let Some(last) = status["last"].as_object() {
            let at = last["wall_ns"]
                .as_i64()
                .map(|at| in_words(at, now))
                .unwrap_or_default();
            let _ = writeln!(
                out,
                "  signed off {at} by {} {}",
                text_of(&last["who"]),
                printable(text_of(&last["note"]), 200)
            );
        }
    }
    out.push_str("\n`lusush maint checklist --sign-off ITEM --note TEXT` signs one off.\n");
    out
}

fn validation(value: &Value, ink: Ink) -> String {
    let mut out = String::new();
    for (part, title) in [
        ("systems", "Systems"),
        ("budgets", "Budgets"),
        ("success", "Success metrics"),
    ] {
        let _ = writeln!(
            out,
            "{}{}",
            if out.is_empty() { "" } else { "\n" },
            ink.strong(title)
        );
        for row in list(&value[part]) {
            let reading = row;
            let verdict = text_of(&reading["verdict"]);
            let pad = " ".repeat(8usize.saturating_sub(verdict.len()));
            let shown = text_of(&reading["shown"]);
            let target = text_of(&row["target"]);
            let head = match (shown.is_empty(), target.is_empty()) {
                (true, _) => text_of(&row["title"]).to_owned(),
                (false, true) => format!("{}: {shown}", text_of(&row["title"])),
                (false, false) => format!("{}: {shown} (target {target})", text_of(&row["title"])),
            };
            let _ = writeln!(
                out,
                "{}{pad} {}",
                severity(ink, verdict),
                wrapped(&printable(&head, 300), COLUMNS - 9, 11)
            );
            let why = text_of(&reading["why"]);
            if !why.is_empty() {
                let _ = writeln!(
                    out,
                    "           {}",
                    wrapped(&printable(why, 300), COLUMNS - 11, 11)
                );
            }
        }
    }
    let tally = &value["tally"];
    let _ = writeln!(
        out,
        "\n{} met, {} missed, {} unknown.",
        tally["met"], tally["missed"], tally["unknown"]
    );
    out
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Writes what the worker is and does, below the sessions.
pub(crate) fn worker(status: &lle_maintenance::api::StatusDocument, now: i64, ink: Ink) -> String {
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
