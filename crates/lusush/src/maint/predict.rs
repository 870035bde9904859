//! What `lusush maint forecast` and `lusush maint anomalies` show.
//!
//! Invariant: where something is unknown, that is what it says, and how much is missing.

use std::fmt::Write as _;

use lle_core::quantity::several;
use lle_core::series::watch::MEAN_NS;
use serde_json::Value;

use super::show::in_words;
use crate::text::{COLUMNS, Ink, printable, wrapped};

/// Columns of a series' name.
const NAME: usize = 22;

/// A mean of five minutes that is over for no longer than this is what is now: the next is not over yet, and idle sessions are
/// looked at once a minute.
const FRESH_NS: i64 = 2 * MEAN_NS;

/// When a value was measured, if that is a while ago: "3 h ago".
fn stale(row: &Value, now: i64) -> Option<String> {
    let until = row["at_wall_ns"].as_i64()?.saturating_add(MEAN_NS);
    (now.saturating_sub(until) > FRESH_NS).then(|| in_words(until, now))
}

/// Writes of all that have nothing yet one sentence: each has the same to say.
fn without_anything(out: &mut String, rows: &[Value]) {
    let nothing = rows.iter().filter(|row| has_nothing(row));
    let names: Vec<&str> = nothing.clone().map(|row| text_of(&row["what"])).collect();
    let Some(why) = nothing.map(|row| text_of(&row["unknown"])).next() else {
        return;
    };
    let why = why.trim_start_matches("unknown: ");
    let said = format!("Nothing yet of {}: {why}.", names.join(", "));
    let _ = writeln!(out, "{}", wrapped(&said, COLUMNS, 2));
}

fn has_nothing(row: &Value) -> bool {
    row["samples"] == 0 && row["unknown"].is_string()
}

/// Renders the forecasts.
pub(super) fn forecast(value: &Value, now: i64) -> String {
    let mut out = String::from("In a day, with the interval that should hold four times in five:\n\n");
    let rows = list(&value["resources"]);
    for row in rows.iter().filter(|row| !has_nothing(row)) {
        let known = text_of(&row["now"]);
        let text = match (row["shown"].as_str(), stale(row, now)) {
            (Some(shown), None) => format!("{shown}; now {known}"),
            (Some(shown), Some(ago)) => {
                let due = row["due_wall_ns"].as_i64().unwrap_or(now);
                format!("{shown}, {}; it was {known} {ago}", in_words(due, now))
            }
            (None, Some(ago)) if !known.is_empty() => {
                format!("{}; it was {known} {ago}", text_of(&row["unknown"]))
            }
            (None, _) => text_of(&row["unknown"]).to_owned(),
        };
        line(&mut out, text_of(&row["what"]), &text);
        if let Some(text) = limit(row, now) {
            line(&mut out, "", &text);
        }
        if row["shown"].is_string() {
            line(&mut out, "", &score(row));
        }
        if let Some(text) = pattern(&row["pattern"]) {
            line(&mut out, "", &text);
        }
        if let Some(text) = row["coming"].as_str() {
            line(&mut out, "", &format!("told: {text}"));
        }
        if is_worth_doing_something(row) {
            line(&mut out, "", &format!("what helps: {}", text_of(&row["remedy"])));
        }
    }
    without_anything(&mut out, rows);
    out
}

/// Whether something is coming, or its limit is reached, or may be.
fn is_worth_doing_something(row: &Value) -> bool {
    let near = matches!(row["limit_when"]["when"].as_str(), Some("at" | "now"));
    row["remedy"].is_string() && (near || row["coming"].is_string())
}

/// What its day or week is like: "a weekly pattern, highest on Tuesdays at 14:00 UTC, 38 ms above its lowest".
fn pattern(pattern: &Value) -> Option<String> {
    const DAYS: [&str; 7] = [
        "Mondays",
        "Tuesdays",
        "Wednesdays",
        "Thursdays",
        "Fridays",
        "Saturdays",
        "Sundays",
    ];
    let period = pattern["period"].as_str()?;
    let hour = usize::try_from(pattern["peak_hour_utc"].as_u64()?).ok()?;
    let day = DAYS.get(hour / 24).filter(|_| period == "weekly");
    let on = day.map_or(String::new(), |day| format!("on {day} "));
    let worth = match (pattern["of_use"].as_bool(), pattern["skill"].as_f64()) {
        (Some(true), Some(skill)) => format!("a day ahead {:.0} % nearer than the last value", skill * 100.0),
        _ => "not nearer than the last value, so it is not used".to_owned(),
    };
    Some(format!(
        "{period} pattern: highest {on}at {:02}:00 UTC, {} above its lowest; {worth}, in {} tries",
        hour % 24,
        text_of(&pattern["swing_shown"]),
        pattern["tried"]
    ))
}

/// When the limit is reached: "1 GiB in 12 d, 9 d to 17 d".
fn limit(row: &Value, now: i64) -> Option<String> {
    let limit = row["limit_shown"].as_str()?;
    let when = &row["limit_when"]["when"];
    // What the last sample foresaw for a moment that is behind us has come by now, or will at any time.
    let at = |name: &str| row[name].as_i64().map(|at| in_words(at.max(now), now));
    Some(match (when.as_str()?, at("limit_earliest_wall_ns")) {
        ("now", _) => format!("{limit} is reached"),
        ("not-in-sight", _) => format!("{limit} is not in sight"),
        (_, Some(earliest)) => {
            let latest = at("limit_latest_wall_ns").unwrap_or_else(|| "never".to_owned());
            match at("limit_expected_wall_ns") {
                Some(expected) => {
                    format!("{limit} {expected}: {earliest} at the earliest, {latest} at the latest")
                }
                None => format!("{limit} {earliest} at the earliest, and more probably never"),
            }
        }
        _ => return None,
    })
}

fn score(row: &Value) -> String {
    let (coverage, skill) = (row["coverage"].as_f64(), row["skill"].as_f64());
    let (scored, least) = (&row["scored"], &row["scored_min"]);
    match coverage {
        None => format!("its own score is unknown: {scored} of {least} forecasts scored so far"),
        Some(coverage) => {
            let skill = match skill {
                Some(skill) if skill >= 0.0 => format!("{:.0} % nearer than the last value", skill * 100.0),
                Some(skill) => format!("{:.0} % farther off than the last value", -skill * 100.0),
                None => "the last value was never wrong".to_owned(),
            };
            format!(
                "of {scored} such forecasts {:.0} % held; {skill}",
                coverage * 100.0
            )
        }
    }
}

/// Renders what is unusual.
pub(super) fn anomalies(value: &Value, now: i64, ink: Ink) -> String {
    let alarm = value["alarm_score"].as_f64().unwrap_or(0.5);
    let mut out = String::from("How unusual the last five minutes were, from 0 to 1:\n\n");
    let rows = list(&value["series"]);
    for row in rows.iter().filter(|row| !has_nothing(row)) {
        let text = match row["score"].as_f64() {
            None => text_of(&row["unknown"]).to_owned(),
            Some(score) => {
                let kind = row["kind"]
                    .as_str()
                    .map_or(String::new(), |kind| format!(", {kind}"));
                let expected = row["expected_shown"].as_str().unwrap_or("unknown");
                // Of what nobody uses the last five minutes of use may be long ago.
                let ago = stale(row, now).map_or(String::new(), |ago| format!("; that was {ago}"));
                let text = format!(
                    "{score:.3}{kind}: {}, expected {expected}{ago}",
                    text_of(&row["shown"])
                );
                if score >= alarm { ink.warn(&text) } else { text }
            }
        };
        line(&mut out, text_of(&row["what"]), &text);
    }
    without_anything(&mut out, rows);
    for open in list(&value["suspicions"]) {
        out.push('\n');
        out.push_str(&wrapped(&suspicion(open, now), COLUMNS, 0));
        out.push('\n');
    }
    let changes = list(&value["changes"]);
    if changes.is_empty() {
        out.push_str("\nNo level has changed that is remembered.\n");
        return out;
    }
    out.push_str("\nLevels that changed, the last first:\n");
    for change in changes {
        let when = change["changepoint"]["at_ns"]
            .as_i64()
            .map(|at| in_words(at, now));
        let _ = writeln!(
            out,
            "\n{}",
            wrapped(
                &format!(
                    "{}, {}",
                    printable(text_of(&change["title"]), COLUMNS),
                    when.unwrap_or_default()
                ),
                COLUMNS,
                2
            )
        );
        let _ = writeln!(
            out,
            "  {}",
            wrapped(&printable(text_of(&change["evidence"]), 400), COLUMNS - 2, 2)
        );
        for suspect in list(&change["suspects"]) {
            let what = suspect["what"].as_str().unwrap_or("none of these");
            let confidence = suspect["confidence"].as_f64().unwrap_or(0.0) * 100.0;
            let _ = writeln!(out, "  {confidence:>5.1} %  {}", printable(what, COLUMNS - 12));
        }
    }
    out
}

/// What is looked for, and what it takes.
fn suspicion(open: &Value, now: i64) -> String {
    let whose = open["session"]
        .as_str()
        .map_or("the start-up files".to_owned(), |id| format!("session {id}"));
    let when = open["at_ns"]
        .as_i64()
        .map(|at| in_words(at, now))
        .unwrap_or_default();
    let prompts = |side: &str| several(open[side].as_u64().unwrap_or(0), "prompt", "prompts");
    let missed = match open["missed"].as_u64().unwrap_or(0) {
        0 => String::new(),
        missed => format!(
            " {} of that session came too quickly to be seen.",
            several(missed, "prompt", "prompts")
        ),
    };
    format!(
        "Under suspicion: what was changed in {whose} {when}. Known so far: {} before it, {} \
         since. {} on either side tell.{missed}",
        prompts("before"),
        prompts("since"),
        open["need"]
    )
}

fn line(out: &mut String, label: &str, text: &str) {
    let text = wrapped(text, COLUMNS - NAME - 2, 0).replace('\n', &format!("\n{}", " ".repeat(NAME + 2)));
    let _ = writeln!(out, "{label:NAME$}  {text}");
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DAY: i64 = 24 * 3_600_000_000_000;

    #[test]
    fn forecasts_with_and_without_a_past() {
        let document = json!({ "resources": [
            { "what": "prompt", "unknown": "unknown: 3 of 30 samples so far" },
            { "what": "history", "now": "0.9 GiB", "shown": "0.91 GiB, 0.9 GiB to 0.93 GiB", "limit_shown": "1 GiB",
              "limit_when": { "when": "at" }, "limit_earliest_wall_ns": 9 * DAY, "limit_expected_wall_ns": 12 * DAY,
              "limit_latest_wall_ns": 17 * DAY, "scored": 3, "scored_min": 20,
              "coming": "history reaches 1 GiB in 12 d, 9 d to 17 d",
              "remedy": "`lusush maint history stats` says what it consists of" },
            { "what": "free space on disk", "now": "9 GiB", "shown": "9 GiB, 8 GiB to 10 GiB",
              "limit_shown": "256 MiB", "limit_when": { "when": "not-in-sight" }, "remedy": "`lusush doctor`", "scored": 40, "scored_min": 20,
              "coverage": 0.82, "skill": -0.1 },
            { "what": "echo", "now": "1 ms", "shown": "1 ms, 1 ms to 2 ms", "scored": 3, "scored_min": 20,
              "pattern": { "period": "weekly", "peak_hour_utc": 38, "swing_shown": "3 ms", "skill": 0.42, "tried": 88,
                "of_use": true } },
            { "what": "completion", "now": "1 ms", "shown": "1 ms, 1 ms to 2 ms", "scored": 3, "scored_min": 20,
              "pattern": { "period": "daily", "peak_hour_utc": 9, "swing_shown": "3 ms", "skill": 0.02, "tried": 88,
                "of_use": false } },
        ]});
        insta::assert_snapshot!(forecast(&document, 0));
    }

    #[test]
    fn anomalies_and_what_changed() {
        let document = json!({
            "alarm_score": 0.5,
            "series": [
                { "what": "prompt", "score": 0.99912, "kind": "spike", "shown": "58 ms", "expected_shown": "20 ms" },
                { "what": "echo", "score": 0.001, "shown": "1 ms", "expected_shown": "1 ms" },
                { "what": "history", "unknown": "unknown: 3 of 41 samples so far" },
            ],
            "changes": [{
                "title": "prompt 38 ms slower since plugin git-status was enabled",
                "evidence": "20 ms before, 58 ms after; 99.9 % sure that it changed, 97 % of what did it",
                "changepoint": { "at_ns": 0 },
                "suspects": [
                    { "what": "plugin git-status was enabled", "confidence": 0.97 },
                    { "what": "hostile \u{1b}[31m", "confidence": 0.02 },
                    { "what": null, "confidence": 0.01 },
                ],
            }],
        });
        insta::assert_snapshot!(anomalies(&document, DAY, Ink::Plain));
        let nothing = json!({ "series": [], "changes": [] });
        insta::assert_snapshot!("nothing_changed", anomalies(&nothing, DAY, Ink::Plain));
        let mut open = nothing;
        open["suspicions"] = json!([
            { "session": "487b38f5ed0bcb2c", "at_ns": DAY - 90_000_000_000_i64, "before": 1, "since": 7, "need": 11,
              "missed": 3 },
            { "session": null, "at_ns": DAY - 90_000_000_000_i64, "before": 40, "since": 0, "need": 11 },
        ]);
        insta::assert_snapshot!("under_suspicion", anomalies(&open, DAY, Ink::Plain));
    }

    #[test]
    fn what_is_old_is_dated() {
        let resources = json!({ "resources": [
            { "what": "prompt", "samples": 40, "at_wall_ns": DAY / 2, "due_wall_ns": 3 * DAY / 2, "now": "20 ms",
              "shown": "21 ms, 20 ms to 30 ms", "limit_shown": "1 s", "limit_when": { "when": "at" },
              "limit_earliest_wall_ns": 3 * DAY / 4, "limit_latest_wall_ns": 2 * DAY, "scored": 3, "scored_min": 20 },
            { "what": "start", "samples": 40, "at_wall_ns": 0, "now": "20 ms",
              "unknown": "unknown: the last sample is 1 d old, and a forecast reaches a day" },
            { "what": "echo", "samples": 40, "at_wall_ns": DAY - 600_000_000_000_i64, "due_wall_ns": 2 * DAY, "now": "1 ms",
              "shown": "1 ms, 1 ms to 2 ms", "scored": 3, "scored_min": 20 },
        ]});
        insta::assert_snapshot!(forecast(&resources, DAY), @r"
        In a day, with the interval that should hold four times in five:

        prompt                  21 ms, 20 ms to 30 ms, in 12 h; it was 20 ms 11 h 55 min
                                ago
                                1 s now at the earliest, and more probably never
                                its own score is unknown: 3 of 20 forecasts scored so
                                far
        start                   unknown: the last sample is 1 d old, and a forecast
                                reaches a day; it was 20 ms 23 h 55 min ago
        echo                    1 ms, 1 ms to 2 ms; now 1 ms
                                its own score is unknown: 3 of 20 forecasts scored so
                                far
        ");
        let series = json!({ "changes": [], "series": [
            { "what": "prompt", "samples": 50, "score": 0.001, "shown": "20 ms", "expected_shown": "21 ms", "at_wall_ns": 0 },
            { "what": "echo", "samples": 50, "score": 0.001, "shown": "1 ms", "expected_shown": "1 ms",
              "at_wall_ns": DAY - 600_000_000_000_i64 },
        ]});
        insta::assert_snapshot!(anomalies(&series, DAY, Ink::Plain), @r"
        How unusual the last five minutes were, from 0 to 1:

        prompt                  0.001: 20 ms, expected 21 ms; that was 23 h 55 min ago
        echo                    0.001: 1 ms, expected 1 ms

        No level has changed that is remembered.
        ");
    }

    #[test]
    fn what_has_nothing_yet_is_one_sentence() {
        let unknown = "unknown: 0 of 30 samples so far; one is a mean of five minutes of use, so the others take 2 h 30 min at \
                       least";
        let row = |what: &str| json!({ "what": what, "samples": 0, "unknown": unknown });
        let rows = ["prompt", "start", "echo", "completion", "writing the history"].map(row);
        insta::assert_snapshot!(forecast(&json!({ "resources": rows }), DAY), @r"
        In a day, with the interval that should hold four times in five:

        Nothing yet of prompt, start, echo, completion, writing the history: 0 of 30
          samples so far; one is a mean of five minutes of use, so the others take 2 h
          30 min at least.
        ");
        let shown = anomalies(&json!({ "series": rows, "changes": [] }), DAY, Ink::Plain);
        assert_eq!(shown.matches("0 of 30").count(), 1, "{shown}");
    }

    #[test]
    fn a_long_title_is_wrapped() {
        for title in ["word ".repeat(30), "\u{8a9e}".repeat(60)] {
            let document = json!({ "series": [], "changes": [
                { "title": title, "evidence": "", "changepoint": { "at_ns": 0 }, "suspects": [] },
            ]});
            for line in anomalies(&document, DAY, Ink::Plain).lines() {
                assert!(crate::text::width(line) <= COLUMNS, "{line}");
            }
        }
    }
}
