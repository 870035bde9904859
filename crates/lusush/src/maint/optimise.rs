//! `lusush maint optimize`: levers, what may be worth turning, what is tried and what was, for people.

use std::fmt::Write;

use lle_core::quantity::{age, duration};
use lle_maintenance::api::trials::{EstimateDocument, TrialDocument, TrialsDocument};
use serde_json::Value;

use crate::text::{COLUMNS, Ink, printable, wrapped};

/// What may be worth turning.
pub(crate) fn opportunities(document: &TrialsDocument, ink: Ink) -> String {
    let mut out = String::new();
    if document.opportunities.is_empty() {
        let why = document.no_opportunity.as_deref();
        let why = printable(
            why.unwrap_or("nothing that was measured is slow enough for a lever"),
            300,
        );
        let _ = writeln!(out, "{}.", wrapped(&capital(&why), COLUMNS - 1, 0));
    }
    for found in &document.opportunities {
        let change = format!("{} = {}", found.lever, found.candidate);
        let _ = writeln!(
            out,
            "{}, now {}: may save {:.0} % of {}",
            ink.strong(&printable(&change, 60)),
            printable(&found.current, 20),
            found.gain_percent,
            found.cost
        );
        let _ = writeln!(
            out,
            "  {}",
            wrapped(&printable(&found.evidence, 300), COLUMNS - 2, 2)
        );
    }
    let next = match document.mode.as_str() {
        "automatic" => "The optimiser tries the first of them by itself.",
        _ => "`lusush maint optimize --force LEVER=VALUE` tries one.",
    };
    if !document.opportunities.is_empty() {
        let _ = writeln!(out, "{next}");
    }
    out
}

/// The levers, and every trial that is remembered.
pub(crate) fn history(document: &TrialsDocument, ink: Ink) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}",
        ink.strong(&format!(
            "{:<28}{:<14}{:<14}{}",
            "LEVER", "VALUE", "DEFAULT", "TAKES"
        ))
    );
    for lever in &document.levers {
        let _ = writeln!(
            out,
            "{:<28}{:<14}{:<14}{}",
            printable(&lever.name, 27),
            printable(&lever.value, 13),
            printable(&lever.default, 13),
            printable(&lever.range, 30)
        );
        let _ = writeln!(
            out,
            "  {}",
            wrapped(&printable(&lever.about, 200), COLUMNS - 2, 2)
        );
    }
    out.push('\n');
    for target in document.baseline.iter().flat_map(|baseline| &baseline.costs) {
        let said = format!(
            "{}: {} at the median when it was taken as usual; to become {}",
            printable(&target.cost, 30),
            duration(target.usual_ns as f64),
            duration(target.target_ns as f64)
        );
        let _ = writeln!(out, "{}", wrapped(&said, COLUMNS, 2));
    }
    for trial in document.ended.iter().chain(&document.open) {
        let _ = writeln!(out, "{}", wrapped(&of_trial(trial, document), COLUMNS, 2));
    }
    if document.ended.is_empty() && document.open.is_empty() {
        out.push_str("Nothing was tried yet.\n");
    }
    out
}

fn of_trial(trial: &TrialDocument, document: &TrialsDocument) -> String {
    let mut line = format!("trial {} of {}", trial.id, printable(&trial.change, 80));
    if let Some(current) = &trial.current {
        let _ = write!(line, " instead of {}", printable(current, 20));
    }
    match (&trial.verdict, trial.ended_wall_ns) {
        (Some(verdict), Some(at)) => {
            let ago = age(document.now_wall_ns.saturating_sub(at).max(0).cast_unsigned());
            let kept = if trial.kept { ", kept" } else { ", not kept" };
            let _ = write!(line, ", {ago} ago: {verdict}{kept}");
        }
        _ => {
            let open = match &document.waits {
                Some(why) => format!(
                    "waits, and no line is typed with it, since {}",
                    printable(why, 100)
                ),
                None => "open".to_owned(),
            };
            let _ = write!(line, ": {open}, {} pairs of lines", trial.pairs);
            if let Some(next) = trial.pairs_next {
                let _ = write!(line, ", looked at when there are {next}");
            }
            if let Some(max) = trial.active_ns_max {
                let _ = write!(line, ", {} of {} of typing", age(trial.active_ns), age(max));
            }
        }
    }
    match (&trial.why, &trial.estimate) {
        (Some(why), estimate) => {
            let _ = write!(line, "; {}", printable(why, 300));
            if let Some(estimate) = estimate {
                let _ = write!(line, "; {}", means(estimate, &trial.metric));
            }
        }
        (None, Some(estimate)) => {
            let _ = write!(
                line,
                "; {:+.1} % ({:+.1} to {:+.1}) at the last look",
                estimate.percent, estimate.percent_low, estimate.percent_high
            );
        }
        (None, None) => {}
    }
    line
}

/// What becomes of the lever on trial when something is paused or goes on; nothing where none is.
pub(super) fn held(document: &TrialsDocument) -> String {
    let Some(trial) = document.open.iter().find(|trial| trial.lever.is_some()) else {
        return String::new();
    };
    let becomes = match document.waits {
        Some(_) => "waits: no line is typed with it meanwhile",
        None => "goes on",
    };
    let said = format!("The trial of {} {becomes}.", printable(&trial.change, COLUMNS));
    format!("{}\n", wrapped(&said, COLUMNS, 0))
}

fn means(estimate: &EstimateDocument, metric: &str) -> String {
    format!(
        "{} of {} on average, and {}",
        printable(metric, 30),
        duration(estimate.current_ns as f64),
        duration(estimate.candidate_ns as f64)
    )
}

/// A sentence begins.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    first + chars.as_str()
}

/// What a run has turned and what it has put on trial; nothing if it has done neither.
pub(crate) fn turned(value: &Value) -> String {
    let mut out = String::new();
    for turned in value["turned"].as_array().into_iter().flatten() {
        let said = printable(turned.as_str().unwrap_or_default(), 120);
        let _ = writeln!(out, "{}", wrapped(&format!("{said}."), COLUMNS, 2));
    }
    if let Some(id) = value["trial"].as_u64() {
        let tries = value["tries"]
            .as_str()
            .map(|tries| format!(": {}", printable(tries, 120)));
        let said = format!(
            "Trial {id} is open{}. Sessions compare the two values from their next lines on.",
            tries.unwrap_or_default()
        );
        let _ = writeln!(out, "{}", wrapped(&said, COLUMNS, 0));
        out.push_str("`lusush maint optimize --history` shows what comes of it, `--withdraw` ends it.\n");
    }
    out
}

/// What became of what was asked for.
pub(crate) fn done(value: &Value) -> Option<String> {
    let is_run = !value["outcome"].is_null() || value["running"].as_bool().is_some();
    if !is_run && value["trial"].is_u64() {
        return Some(turned(value));
    }
    if let Some(id) = value["withdrawn"].as_u64() {
        return Some(format!("Trial {id} is withdrawn.\n"));
    }
    let lever = value["reset"].as_str()?;
    Some(format!("{} is at its default again.\n", printable(lever, 60)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document() -> TrialsDocument {
        let trial = |more: Value| {
            let mut trial = json!({
                "id": 3, "change": "names.keep = path", "lever": "names.keep", "current": "prompt",
                "candidate": "path", "metric": "highlight", "pairs": 0, "pairs_next": null, "estimate": null,
                "active_ns": 90_000_000_000_u64, "active_ns_max": null, "verdict": null, "why": null, "kept": false,
                "ended_wall_ns": null,
            });
            for (name, value) in more.as_object().into_iter().flatten() {
                trial[name] = value.clone();
            }
            trial
        };
        let estimate = json!({
            "percent": -41.2, "percent_low": -48.0, "percent_high": -33.5, "current_ns": 31_000, "candidate_ns": 18_400,
        });
        let document = json!({
            "version": 1, "now_wall_ns": 7_200_000_000_000_i64, "mode": "advise",
            "levers": [{
                "name": "names.keep", "value": "path", "default": "prompt", "range": "prompt or path",
                "component": "syntax", "cost": "highlight", "about": "How long a name stays known.",
            }],
            "opportunities": [{
                "lever": "suggestion.scan_bytes", "current": "8388608", "candidate": "4194304", "cost": "suggestion",
                "gain_percent": 50.0, "evidence": "looking for a suggestion takes 9 ms at the 99th percentile",
            }],
            "baseline": { "taken_wall_ns": 0, "levers": {}, "costs": [
                { "cost": "highlight", "usual_ns": 20_000, "target_ns": 17_000 },
            ] },
            "open": [trial(json!({ "id": 5, "pairs": 40, "pairs_next": 64, "active_ns_max": 14_400_000_000_000_u64 }))],
            "ended": [
                trial(json!({ "verdict": "better", "kept": true, "ended_wall_ns": 0, "pairs": 32, "estimate": estimate,
                    "why": "faster: -41.2 % (-48.0 to -33.5) over 32 pairs of lines" })),
                trial(json!({ "id": 4, "verdict": "inconclusive", "ended_wall_ns": 3_600_000_000_000_i64,
                    "why": "too little was typed: 3 of 32 pairs of lines" })),
            ],
        });
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn what_may_be_worth_it() {
        let mut document = document();
        insta::assert_snapshot!(opportunities(&document, Ink::Plain));
        document.opportunities.clear();
        let none = opportunities(&document, Ink::Plain);
        assert_eq!(none, "Nothing that was measured is slow enough for a lever.\n");
        document.no_opportunity = Some("too little was measured: 4 paints, and 200 are the least".into());
        let none = opportunities(&document, Ink::Plain);
        assert_eq!(
            none,
            "Too little was measured: 4 paints, and 200 are the least.\n"
        );
    }

    #[test]
    fn what_a_run_turned_is_said() {
        let value = json!({
            "running": false, "outcome": "succeeded", "trial": 7, "tries": "suggestion.cache_entries = 576 instead of 512",
            "turned": ["names.cache_entries was 512 and is 448"],
        });
        assert!(done(&value).is_none());
        insta::assert_snapshot!(turned(&value), @r"
        names.cache_entries was 512 and is 448.
        Trial 7 is open: suggestion.cache_entries = 576 instead of 512. Sessions compare
        the two values from their next lines on.
        `lusush maint optimize --history` shows what comes of it, `--withdraw` ends it.
        ");
        assert_eq!(
            turned(&json!({ "running": false, "outcome": "succeeded", "turned": [] })),
            ""
        );
    }

    #[test]
    fn every_line_of_the_history_has_eighty_columns() {
        let mut document = document();
        let of = |cost: &str| {
            let target = json!({ "cost": cost, "usual_ns": 53_200, "target_ns": 45_200 });
            serde_json::from_value(target).unwrap()
        };
        let baseline = document.baseline.as_mut().unwrap();
        baseline.costs = vec![of("key_to_paint"), of("completion")];
        for line in history(&document, Ink::Plain).lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
        }
    }

    #[test]
    fn what_was_tried() {
        insta::assert_snapshot!(history(&document(), Ink::Plain));
    }
}
