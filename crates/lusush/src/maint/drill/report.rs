//! The table of a drill.

use std::time::Duration;

use lle_core::quantity::{bytes, duration, several};
use lle_core::recovery::drilled::{Drill, Row};

use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::text::{COLUMNS, Ink, printable, wrapped};

/// Writes the table, or the document.
pub(super) fn tell(drill: &Drill, took: Duration, json: bool) -> Result<ExitCode, Failure> {
    if json {
        let mut value = serde_json::to_value(drill).unwrap_or_default();
        value["passed"] = drill.passed().into();
        value["took_ms"] = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).into();
        return answer::json(&value);
    }
    answer::text(&text(drill, took, Ink::of_stdout()))
}

fn text(drill: &Drill, took: Duration, ink: Ink) -> String {
    let heading = format!(
        "{:<19} {:<6} {:>8} {:>9}  {}",
        "scenario", "result", "back in", "objective", "would be lost now"
    );
    let mut out = ink.strong(&heading) + "\n";
    for row in &drill.rows {
        out += &row_text(row, ink);
    }
    let compared: u64 = drill.rows.iter().map(|row| row.compared_files).sum();
    let volume: u64 = drill.rows.iter().map(|row| row.compared_bytes).sum();
    let failed = drill.rows.iter().filter(|row| !row.passed()).count() as u64;
    let said = format!(
        "{}, {failed} failed, in {}; {} compared byte for byte, {}.",
        several(drill.rows.len() as u64, "scenario", "scenarios"),
        duration(took.as_nanos() as f64),
        several(compared, "file", "files"),
        bytes(volume as f64),
    );
    out += &format!("\n{}\n", wrapped(&said, COLUMNS, 0));
    out
}

fn row_text(row: &Row, ink: Ink) -> String {
    let (word, paint): (&str, fn(Ink, &str) -> String) = match (row.passed(), row.is_late()) {
        (false, _) => ("FAILED", Ink::bad),
        (true, true) => ("late", Ink::warn),
        (true, false) => ("passed", |_, text| text.to_owned()),
    };
    let back = match row.passed() {
        true => duration(row.recovery_ns as f64),
        false => "-".into(),
    };
    let beginning = format!(
        " {back:>8} {:>9}  {}",
        duration(row.objective_ns as f64),
        printable(&row.point, 33)
    );
    let mut out = format!(
        "{:<19} {}{beginning}\n",
        row.scenario,
        paint(ink, &format!("{word:<6}"))
    );
    if let Some(why) = &row.failed {
        for line in wrapped(&printable(why, usize::MAX), COLUMNS - 4, 0).lines() {
            out += &format!("    {line}\n");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_for_people() {
        let row = |scenario: &str, failed: Option<&str>, recovery_ns, point: &str| Row {
            scenario: scenario.into(),
            failed: failed.map(str::to_owned),
            recovery_ns,
            objective_ns: 10_000_000_000,
            compared_files: 7,
            compared_bytes: 7_000,
            lost_bytes: 0,
            point: point.into(),
            point_ns: None,
        };
        let drill = Drill {
            rows: vec![
                row("history-lost", None, 412_000_000, "nothing: the mirror has all"),
                row("repository-damaged", None, 61_000_000_000, "changes of 3 d 2 h"),
                row(
                    "home-gone",
                    Some("lusush/state/history/0123456789abcdef.log did not come back as it was"),
                    1,
                    "unknown: no snapshot yet",
                ),
            ],
            ..Drill::default()
        };
        let text = text(&drill, Duration::from_millis(2_345), Ink::Plain);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        insta::assert_snapshot!(text, @r"
        scenario            result  back in objective  would be lost now
        history-lost        passed   412 ms      10 s  nothing: the mirror has all
        repository-damaged  late       61 s      10 s  changes of 3 d 2 h
        home-gone           FAILED        -      10 s  unknown: no snapshot yet
            lusush/state/history/0123456789abcdef.log did not come back as it was

        3 scenarios, 1 failed, in 2.3 s; 21 files compared byte for byte, 20.5 KiB.
        ");
    }
}
