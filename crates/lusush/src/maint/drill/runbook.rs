//! The runbook: what to do on a new machine, and what each disaster costs and takes, as the last drill measured it.
//!
//! It is made anew by each drill, and lies in the data folder, so that it is in the backup, too.

use lle_core::quantity::duration;
use lle_core::recovery::drilled::{Drill, Row};
use lle_core::recovery::{Scenario, TABLE};

use super::super::recover::places::Places;

/// Writes it.
pub(super) fn text(places: &Places, drill: &Drill) -> String {
    let when = jiff::Timestamp::from_nanosecond(i128::from(drill.at_wall_ns))
        .map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string());
    let when = when.unwrap_or_else(|_| "an unknown time".into());
    let passed = if drill.passed() { "passed" } else { "FAILED" };
    let repository = places.own_repository();
    let mut out = format!(
        "# Recovery runbook\n\n\
         Made by `lusush maint drill` of {when}, which {passed}. Made anew by each drill: notes of yours go elsewhere.\n\n\
         `lusush maint recover --plan` says what is lost or damaged and what would be done; `lusush maint recover` does it.\n\
         Whatever it replaces is kept.\n\n\
         ## On a new machine\n\n\
         You need the repository, `{repository}`, or a copy of it, what its server wants if it is on one, and its key, the line that\n\
         `lusush maint backup key export` printed.\n\n\
         1. Install Lusush.\n\
         2. `lusush maint backup key import --repository WHERE` and type the line, then Enter.\n\
         3. `lusush maint recover home-gone --repository WHERE`\n\
         4. `lusush`: history, configuration and plugins are there.\n\n\
         Without Lusush: `RESTIC_PASSWORD=the-line restic -r WHERE restore latest --target out`.\n\n\
         ## Each disaster\n"
    );
    for scenario in TABLE {
        let row = drill.rows.iter().find(|row| row.scenario == scenario.name);
        out += &section(scenario, row);
    }
    out
}

fn section(scenario: &Scenario, row: Option<&Row>) -> String {
    let mut out = format!("\n### {}: {}\n\n", scenario.name, scenario.about);
    out += &format!("- By hand: `lusush maint recover {}`\n", scenario.name);
    if let Some(who) = scenario.by_itself {
        out += &format!("- By itself: {who}\n");
    }
    out += &format!(
        "- Objectives: lost at most {}; back within {}\n",
        scenario.point_objective,
        duration(scenario.time_objective_ns as f64)
    );
    out += &match row {
        None => "- Not drilled yet\n".to_owned(),
        Some(row) => match &row.failed {
            Some(why) => format!("- Last drill: FAILED: {why}\n"),
            None => format!(
                "- Last drill: back in {}; {} of {} bytes lost; lost if it happened then: {}\n",
                duration(row.recovery_ns as f64),
                row.lost_bytes,
                row.compared_bytes,
                row.point
            ),
        },
    };
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_and_the_new_machine_are_in_it() {
        let places = Places {
            config: "/c".into(),
            state: "/s".into(),
            data: "/d".into(),
            cache: "/k".into(),
            maint: "/s/maint/m".into(),
            log: "/s/history/m.log".into(),
            home: None,
            repository: None,
        };
        let text = text(&places, &Drill::default());
        for scenario in TABLE {
            assert!(
                text.contains(&format!("### {}: ", scenario.name)),
                "{}",
                scenario.name
            );
        }
        for expected in [
            "key import",
            "recover home-gone",
            "/d/backup/archive",
            "1970-01-01",
        ] {
            assert!(text.contains(expected), "{expected}");
        }
    }
}
