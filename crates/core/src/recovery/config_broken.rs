//! `config.toml` says what cannot be gone by. The last good version is in force meanwhile; here the file says it again.

use super::{Check, Detected, Kept, Point, SECOND_NS, Scenario, Signs, Step, Undo, phase, plan, snapshot};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "config-broken",
    about: "config.toml cannot be gone by",
    by_itself: Some("the last good version stays in force; the file is yours and stays as it is"),
    point_objective: "nothing: every accepted version is kept",
    time_objective_ns: 5 * SECOND_NS,
    detect,
    plan: the_way_back,
};

fn detect(signs: &Signs) -> Option<Detected> {
    let problem = signs.config.problem.as_ref().filter(|_| signs.config.exists)?;
    let evidence = format!("config.toml is not sound: {problem}");
    match signs.config.is_rubbish {
        true => Detected::sure(evidence),
        // Somebody may be editing it.
        false => Detected::perhaps(evidence),
    }
}

pub(super) fn the_way_back(signs: &Signs) -> Result<super::Plan, String> {
    let undo = Undo::PutBack(Kept::Configuration);
    let (point, step) = match signs.config.last_good {
        Some(number) => (Point::Nothing, Step::ConfigVersion(number)),
        None => (snapshot(signs)?, Step::ConfigFile),
    };
    plan(SCENARIO.name, point, &[phase(step, Check::ConfigSound, undo)])
}
