//! `config.toml` is gone: from its versions, or from the backup.

use super::{Detected, Point, SECOND_NS, Scenario, Signs, config_broken};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "config-gone",
    about: "config.toml is gone",
    // Without a file the defaults hold, and whoever removes it may want them.
    by_itself: None,
    point_objective: "nothing: every accepted version is kept",
    time_objective_ns: 5 * SECOND_NS,
    detect,
    plan: |signs| {
        let mut plan = config_broken::the_way_back(signs)?;
        plan.scenario = SCENARIO.name;
        debug_assert!(plan.point != Point::Window);
        Ok(plan)
    },
};

fn detect(signs: &Signs) -> Option<Detected> {
    let number = signs.config.last_good.filter(|_| !signs.config.exists)?;
    Detected::perhaps(format!(
        "there is no config.toml, and version #{number} was in force"
    ))
}
