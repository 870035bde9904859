//! What was found to have made this session's prompts slower, as long as it does.
//!
//! Invariant: nothing is told that did not reach this session, that was made up for since, or that the last prompt does not
//! show.

use serde_json::Value;

use super::Why;
use crate::maint::show::in_words;

/// The metric of what prompts take.
const METRIC: &str = "prompt_ns_recent";

/// What was found last to have made the prompts of this session slower, in words, with when; of all changes, `anomalies`.
pub(crate) fn slower(anomalies: &Value, why: &Why, began_ns: i64, now_ns: i64) -> Option<String> {
    let last_ns = why.whole?.last_ns?;
    let changes = anomalies["changes"].as_array()?;
    let mut reached: Vec<&Value> = changes
        .iter()
        .filter(|change| change["metric"] == METRIC && has_reached(change, &why.session, began_ns))
        .collect();
    reached.sort_by_key(|change| change["noticed_wall_ns"].as_i64());
    let found = reached.iter().enumerate().rev().find(|(at, change)| {
        let later = reached.get(at + 1..).unwrap_or_default();
        change["worse"] == true && is_still_so(change, later, last_ns)
    });
    let (_, change) = found?;
    let when = change["noticed_wall_ns"].as_i64()?;
    Some(format!(
        "{}, found {}",
        change["title"].as_str()?,
        in_words(when, now_ns)
    ))
}

/// Whether it can be seen in this session; a worker of an earlier version did not say whom it reached.
fn has_reached(change: &Value, session: &str, began_ns: i64) -> bool {
    let reached = &change["reached"];
    match (reached["session"].as_str(), reached["begun-since"].as_i64()) {
        (Some(typed_in), _) => typed_in == session,
        (_, Some(since_ns)) => began_ns >= since_ns,
        _ => true,
    }
}

/// Whether prompts are still nearer to what they became by it than to what they were, by what was found later and by the
/// last one.
fn is_still_so(change: &Value, later: &[&Value], last_ns: u64) -> bool {
    let level = |of: &Value, side: &str| of["changepoint"][side].as_f64();
    let Some((before, after)) = level(change, "before").zip(level(change, "after")) else {
        return false;
    };
    let middle = f64::midpoint(before, after);
    let mut levels = later.iter().filter_map(|later| level(later, "after"));
    last_ns as f64 >= middle && levels.all(|after| after >= middle)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OWN: &str = "0123456789abcdef";

    fn change(title: &str, reached: Value, at: i64, ms: (f64, f64)) -> Value {
        json!({
            "metric": METRIC, "title": title, "worse": ms.1 > ms.0, "noticed_wall_ns": at, "reached": reached,
            "changepoint": { "at_ns": at, "before": ms.0 * 1e6, "after": ms.1 * 1e6 },
        })
    }

    #[test]
    fn only_what_reached_this_session_and_still_holds_is_told() {
        let check = |changes: &[Value], last_ms: u64, expect: Option<&str>| {
            let why = super::super::tests::taking(last_ms * 1_000_000);
            let anomalies = json!({ "changes": changes });
            let told = slower(&anomalies, &why, 100, 3_600_000_000_000);
            let told = told.map(|told| told.split(',').next().unwrap_or_default().to_owned());
            assert_eq!(told.as_deref(), expect, "{changes:?}");
        };
        let own = || json!({ "session": OWN });
        let slow = |reached| change("slow", reached, 200, (0.05, 102.0));
        check(&[], 100, None);
        check(&[slow(own())], 100, Some("slow"));
        check(&[slow(json!({ "session": "00000000000000ff" }))], 100, None);
        check(&[slow(json!({ "begun-since": 100 }))], 100, Some("slow"));
        check(&[slow(json!({ "begun-since": 101 }))], 100, None);
        check(&[slow(json!("all"))], 100, Some("slow"));
        check(&[slow(Value::Null)], 100, Some("slow"));
        // Mended: whether that was noticed by now, or only the prompt shows it.
        let mended = |reached| change("mended", reached, 300, (102.0, 0.05));
        check(&[mended(own()), slow(own())], 100, None);
        check(&[slow(own())], 1, None);
        check(
            &[mended(json!({ "session": "00000000000000ff" })), slow(own())],
            100,
            Some("slow"),
        );
        // A little better is not mended, and what got slow again is told.
        check(
            &[change("less", own(), 300, (102.0, 90.0)), slow(own())],
            90,
            Some("slow"),
        );
        let again = change("again", own(), 400, (0.05, 70.0));
        check(&[again, mended(own()), slow(own())], 70, Some("again"));
    }

    #[test]
    fn it_is_dated() {
        let why = super::super::tests::taking(100_000_000);
        let anomalies =
            json!({ "changes": [change("slow since `x` was typed", json!("all"), 0, (1.0, 90.0))] });
        let told = slower(&anomalies, &why, 0, 7_200_000_000_000);
        assert_eq!(told.as_deref(), Some("slow since `x` was typed, found 2 h ago"));
    }
}
