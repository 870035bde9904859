//! How the parts are doing: health, what is measured, and what needs attention.

use std::fmt::Write;

use serde_json::Value;

use super::{in_words, list, now_wall_ns, severity, text_of};
use crate::text::{COLUMNS, Ink, printable, wrapped};

pub(super) fn health(value: &Value, ink: Ink) -> String {
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

pub(super) fn metrics(value: &Value, ink: Ink) -> String {
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

pub(super) fn alerts(value: &Value, ink: Ink) -> String {
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
