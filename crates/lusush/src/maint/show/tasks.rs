//! The tasks, two lines each: when and how often, and how the last run ended.

use std::fmt::Write;

use lle_core::quantity::{count, duration};
use lle_maintenance::api::tasks::{TaskDocument, TasksDocument};

use super::{in_words, in_words_of};
use crate::text::{COLUMNS, Ink, printable};

pub(super) fn tasks(document: &TasksDocument, ink: Ink) -> String {
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
