//! Answers of the engine, for people: pure functions of documents.

use std::fmt::Write;
use std::process::ExitCode;

use lle_core::error::Code;
use lle_core::quantity::{age, bytes, count, duration, several};
use lle_maintenance::api::Request;
use lle_maintenance::api::audit::{AuditDocument, VerifyDocument};
use lle_maintenance::api::status::StatusDocument;
use lle_maintenance::api::tasks::{TaskDocument, TasksDocument};
use lle_maintenance::api::trials::TrialsDocument;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ask::{self, Answer};
use super::{optimise, why};
use crate::answer;
use crate::failure::Failure;
use crate::paths;
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

/// Says what the optimiser would do.
pub(crate) fn advice(json: bool) -> Result<ExitCode, Failure> {
    let mut given = ask::ask(&Request::Trials)?;
    // What makes prompts slow stands in the sessions' own files, and what may be done about it is for their user alone.
    let prompt = paths::folders().runtime.ok().and_then(|runtime| {
        let snapshot = why::session(&runtime.join("sessions"), None).ok()?;
        Some(why::why(&snapshot, why::Subject::Prompt))
    });
    if json {
        let text = prompt.as_ref().and_then(|why| why.may_be_cached.as_deref());
        if let (Some(text), Some(document)) = (text, given.value.as_object_mut()) {
            document.insert("prompt_may_be_cached".to_owned(), Value::from(text));
            document.insert(
                "prompt_command".to_owned(),
                Value::from(why::put_off::command(text)),
            );
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

/// What was found last to have made prompts slower, in words; none if nothing was, or nobody can say.
pub(crate) fn slower_since() -> Option<String> {
    let given = ask::ask(&Request::Anomalies).ok()?;
    let changes = given.value["changes"].as_array()?;
    let slower = changes
        .iter()
        .filter(|change| change["metric"] == "prompt_ns_recent" && change["worse"] == true);
    let last = slower.max_by_key(|change| change["noticed_wall_ns"].as_i64())?;
    Some(last["title"].as_str()?.to_owned())
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
        Request::Tasks => tasks(&read::<TasksDocument>(value)?, ink),
        Request::Audit { .. } => audit(&read::<AuditDocument>(value)?),
        Request::Verify => verify(&read::<VerifyDocument>(value)?, ink),
        Request::Health => health(value, ink),
        Request::Metrics { .. } => metrics(value, ink),
        Request::Alerts => alerts(value, ink),
        Request::Checklist => checklist(value, ink),
        Request::Validate => validation(value, ink),
        Request::Trials => optimise::history(&read::<TrialsDocument>(value)?, ink),
        Request::Forecast => super::predict::forecast(value, now_wall_ns()),
        Request::Anomalies => super::predict::anomalies(value, now_wall_ns(), ink),
        Request::Run { task } => ran(task, value),
        Request::Optimize { .. } => optimise::done(value).unwrap_or_else(|| ran("performance", value)),
        _ => done(request, value),
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
        (_, Some(outcome)) if note.is_empty() => format!("{task}: {}.\n", in_words_of(outcome)),
        (_, Some(outcome)) => {
            let said = format!("{task}: {}: {note}", in_words_of(outcome));
            format!("{}\n", wrapped(&said, COLUMNS, 2))
        }
        (_, None) => format!("{task} ran.\n"),
    }
}

fn now_wall_ns() -> i64 {
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

fn tasks(document: &TasksDocument, ink: Ink) -> String {
    let mut out = String::new();
    let head = format!(
        "{:<17}{:<20}{:<16}{:>6}{:>6}{:>10}",
        "TASK", "WHEN", "NEXT", "RUNS", "FAIL", "MEAN"
    );
    let _ = writeln!(out, "{}", ink.strong(&head));
    for task in &document.tasks {
        let _ = writeln!(out, "{}", task_line(task, document.now_wall_ns));
        if let (Some(outcome), Some(at)) = (&task.last_outcome, task.last_wall_ns) {
            let note = task.last_note.iter().map(|note| format!(": {note}"));
            let last = format!(
                "{} {}{}",
                in_words_of(outcome),
                in_words(at, document.now_wall_ns),
                note.collect::<String>()
            );
            let _ = writeln!(out, "  {}", printable(&last, COLUMNS - 2));
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
    format!(
        "{:<17}{:<20}{:<16}{:>6}{:>6}{:>10}",
        printable(&task.name, 16),
        printable(&task.schedule, 19),
        next,
        count(task.runs),
        count(task.failures),
        mean
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
            let by = format!("signed off {at} by {}", text_of(&last["who"]));
            let said = match text_of(&last["note"]) {
                "" => by,
                note => format!("{by}: {note}"),
            };
            let _ = writeln!(out, "  {}", wrapped(&printable(&said, 300), COLUMNS - 2, 4));
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    const SECOND: i64 = 1_000_000_000;

    /// What an answer looks like; everything fits, and nothing acts on the terminal.
    fn shown(request: &Request, value: Value) -> String {
        let given = Answer {
            value,
            from_worker: true,
        };
        let text = text(request, &given, Ink::Plain).unwrap();
        for line in text.lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
        }
        assert!(text.chars().all(|c| !c.is_control() || c == '\n'), "{text:?}");
        text
    }

    fn task(name: &str, about: &Value) -> Value {
        let mut task = json!({
            "name": name, "kind": name, "description": "Does it.", "priority": "low", "schedule": "every 30m",
            "enabled": true, "paused": false, "mode": "automatic", "built": true, "running": false,
            "next_wall_ns": 1_800 * SECOND, "last_wall_ns": null, "last_outcome": null, "last_note": null,
            "runs": 0, "successes": 0, "failures": 0, "nothing_to_do": 0, "not_built": 0, "mean_ns": null,
            "longest_ns": null, "budget_ms": 1000, "cost_cpu_ns": 0, "gained_bytes": 0,
        });
        for (field, value) in about.as_object().unwrap() {
            task[field] = value.clone();
        }
        task
    }

    #[test]
    fn the_tasks() {
        let tasks = [
            task(
                "health-check",
                &json!({ "runs": 12, "successes": 12, "mean_ns": 471_000,
                "last_wall_ns": -90 * SECOND, "last_outcome": "succeeded" }),
            ),
            task(
                "security-scan",
                &json!({ "built": false, "not_built": 3, "last_wall_ns": 0,
                "last_outcome": "not-built", "last_note": "nothing to do: not yet built" }),
            ),
            task("backup", &json!({ "enabled": false, "schedule": "0 2 * * SUN" })),
            task(
                "feature-upgrade",
                &json!({ "paused": true, "schedule": "0 3 * * SUN#1" }),
            ),
            task(
                "a-name-as-long-as-names-may-be-and-then",
                &json!({ "kind": null, "running": true,
                "schedule": "1-59/7 1-23/3 * 1-11/2 MON", "runs": 123_456, "failures": 9, "mean_ns": 59_000_000_000_u64,
                "last_wall_ns": -1, "last_outcome": "timed-out",
                "last_note": "was killed: \u{1b}]0;gotcha\u{7} and much more that nobody will ever read to its end" }),
            ),
            task(
                "manual",
                &json!({ "kind": null, "schedule": "manual", "next_wall_ns": null }),
            ),
        ];
        let document = json!({ "version": 1, "now_wall_ns": 0, "tasks": tasks });
        insta::assert_snapshot!(shown(&Request::Tasks, document));
    }

    #[test]
    fn the_health() {
        let document = json!({
            "version": 1,
            "health": "degraded",
            "sessions": [
                { "id": "a4a860ceebafca89", "tty": "/dev/pts/2", "pid": 14100, "health": "degraded" },
                { "id": "00000000000000aa", "tty": "/dev/\u{1b}[31mpts", "pid": 7, "health": "healthy" },
            ],
            "components": [
                { "component": "prompt", "health": "degraded", "why": "8 of 15 metrics known" },
                { "component": "buffer", "health": "unknown",
                  "why": "the line belongs to readline, which counts nothing" },
            ],
            "findings": [{
                "key": "prompt.slow/a4a860ceebafca89", "severity": "warning", "component": "prompt",
                "title": "prompt takes 312 ms in the session on /dev/pts/2",
                "evidence": "usually 4.1 ms ± 0.5 ms, and now 312 ms: 76 times as long; most of it in PROMPT_COMMAND",
                "remedy": "`declare -p PROMPT_COMMAND PS1` shows what runs before each prompt; take the slow part out",
            }],
        });
        insta::assert_snapshot!(shown(&Request::Health, document));
        let nobody =
            json!({ "version": 1, "health": "unknown", "sessions": [], "components": [], "findings": [] });
        insta::assert_snapshot!("no_health", shown(&Request::Health, nobody));
    }

    #[test]
    fn the_alerts() {
        let document = json!({
            "version": 1,
            "alerts": [{
                "id": 3, "severity": "major", "component": "storage", "session": null, "state": "not shown yet",
                "text": "the maintenance state is kept in memory only. No space left on device. make room: `lusush \
                         doctor` says where the state is",
            }],
            "resolved": [],
        });
        insta::assert_snapshot!(shown(&Request::Alerts, document));
        let none = json!({ "version": 1, "alerts": [], "resolved": [] });
        insta::assert_snapshot!("no_alerts", shown(&Request::Alerts, none));
    }

    #[test]
    fn the_checklist() {
        let document = json!({
            "version": 1,
            "now_wall_ns": 0,
            "items": [
                {
                    "item": { "id": "health-review", "title": "System health", "cadence": "daily",
                        "points": [{ "text": "Is every part well, and is each open finding understood?",
                            "evidence": "degraded; 2 open findings, by part: prompt 1, storage 1" }] },
                    "due_wall_ns": 3_600 * SECOND, "overdue_by_ns": null,
                    "last": { "wall_ns": -3_600 * SECOND, "who": "user 1000 (process 7)",
                              "note": "all \u{1b}[31mwell" },
                },
                {
                    "item": { "id": "report-review", "title": "Maintenance report", "cadence": "weekly",
                        "points": [{ "text": "Which trends of the week go on?" }] },
                    "due_wall_ns": -1, "overdue_by_ns": 90_000_000_000_000_u64,
                    "last": null,
                },
            ],
        });
        insta::assert_snapshot!(shown(&Request::Checklist, document));
    }

    #[test]
    fn the_validation() {
        let document = json!({
            "version": 1,
            "tally": { "met": 1, "missed": 1, "unknown": 1 },
            "systems": [{ "title": "S1 scheduled tasks", "verdict": "met", "why": "ten rows, all consistent" }],
            "budgets": [{ "title": "append to the history log, acknowledged", "verdict": "missed", "shown": "25.4 µs",
                          "target": "p50 at most 20 µs", "why": "timer history_append of 2 live sessions" }],
            "success": [{ "title": "operations without a stuck change", "verdict": "unknown",
                          "why": "nothing has run yet" }],
        });
        insta::assert_snapshot!(shown(&Request::Validate, document));
    }

    #[test]
    fn the_audit() {
        // Three days, five and a half hours ago, whenever that is: the age is part of what is wrapped.
        let age = Duration::from_secs(3 * 86_400 + 5 * 3_600 + 1_800);
        let then = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - age;
        let wall_ns = u64::try_from(then.as_nanos()).unwrap();
        let record = |sequence: u64, phase: &str, about: &Value| {
            let mut record = json!({ "sequence": sequence, "wall_ns": wall_ns, "who": "", "operation": "", "target": "",
                "why": "", "phase": phase, "outcome": "", "plan": 0 });
            for (field, value) in about.as_object().unwrap() {
                record[field] = value.clone();
            }
            record
        };
        let hostile = "\u{1b}]0;gotcha\u{7}";
        let records = [
            record(
                1,
                "intent",
                &json!({ "who": "user 1000 (process 7)", "operation": "run", "target": "backup" }),
            ),
            record(
                2,
                "intent",
                &json!({ "who": "engine", "operation": "begin segment 2 of the audit log; remove those \
                before 1", "target": "log-rotation", "why": "its schedule", "plan": 12 }),
            ),
            record(
                3,
                "outcome",
                &json!({ "outcome": "failed", "why": format!("ended with status 1: {hostile}"),
                "plan": 12 }),
            ),
            record(
                4,
                "refused",
                &json!({ "who": "user 65534 (process 9)", "operation": "connect",
                "target": "control socket", "outcome": "refused", "why": "another user; 1 since the last record" }),
            ),
        ];
        let document = json!({ "version": 1, "records": records });
        let request = Request::Audit {
            from: None,
            limit: None,
        };
        insta::assert_snapshot!(shown(&request, document));
        let empty = json!({ "version": 1, "records": [] });
        insta::assert_snapshot!("no_audit", shown(&request, empty));
        let whole = json!({ "version": 1, "whole": true, "records": 12, "last_sequence": 12, "problems": [],
            "remarks": [] });
        insta::assert_snapshot!("whole_audit", shown(&Request::Verify, whole));
        let damaged = json!({ "version": 1, "whole": false, "records": 11, "last_sequence": 12, "remarks": [],
            "problems": ["audit-00000000.log, byte 1234: record 7 is missing"] });
        insta::assert_snapshot!("damaged_audit", shown(&Request::Verify, damaged));
    }
}
