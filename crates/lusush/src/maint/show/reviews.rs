//! The reviews that people do, and what the system says of its own promises.

use std::fmt::Write;

use lle_core::quantity::age;
use serde_json::Value;

use super::{in_words, list, severity, text_of};
use crate::text::{COLUMNS, Ink, printable, wrapped};

pub(super) fn checklist(value: &Value, ink: Ink) -> String {
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

pub(super) fn validation(value: &Value, ink: Ink) -> String {
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
