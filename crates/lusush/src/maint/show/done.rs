//! What was done at somebody's word, in a sentence.

use lle_maintenance::api::Request;
use serde_json::Value;

use super::{in_words, in_words_of, now_wall_ns};
use crate::maint::optimise;
use crate::text::{COLUMNS, printable, wrapped};

pub(super) fn done(request: &Request, value: &Value) -> String {
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

pub(super) fn ran(task: &str, value: &Value) -> String {
    let note = value["note"].as_str().unwrap_or_default();
    let note = printable(note, COLUMNS * 3);
    let mut out = match (value["running"].as_bool(), value["outcome"].as_str()) {
        (Some(true), _) => format!("{task} is running: `lusush maint tasks` shows how it ends.\n"),
        (_, Some(outcome)) if note.is_empty() => format!("{task}: {}.\n", in_words_of(outcome)),
        (_, Some(outcome)) => {
            let said = format!("{task}: {}: {note}", in_words_of(outcome));
            format!("{}\n", wrapped(&said, COLUMNS, 2))
        }
        (_, None) => format!("{task} ran.\n"),
    };
    out.push_str(&optimise::turned(value));
    out
}
