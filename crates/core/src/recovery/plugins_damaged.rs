//! Files of the plugins are gone or are no modules any more.

use super::{Check, Detected, Kept, SECOND_NS, Scenario, Signs, Step, Undo, phase, plan, snapshot};
use crate::quantity::several;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "plugins-damaged",
    about: "files of plugins are gone or damaged",
    by_itself: None,
    point_objective: "what has changed since the last snapshot",
    time_objective_ns: 10 * SECOND_NS,
    detect,
    plan: the_way_back,
};

fn detect(signs: &Signs) -> Option<Detected> {
    let (broken, missing) = (&signs.plugins.broken, &signs.plugins.missing);
    match (broken.first(), missing.first()) {
        // The whole section goes back, and the others with it.
        (Some(first), _) => Detected::perhaps(format!(
            "{} no WebAssembly module any more: {first}",
            several(broken.len() as u64, "plugin is", "plugins are")
        )),
        // Taken out, perhaps.
        (None, Some(first)) => Detected::perhaps(format!(
            "{} of the last snapshot gone: {first}",
            several(missing.len() as u64, "plugin file is", "plugin files are")
        )),
        (None, None) => None,
    }
}

fn the_way_back(signs: &Signs) -> Result<super::Plan, String> {
    let point = snapshot(signs)?;
    if let Some(first) = signs.plugins.unsaved.first() {
        return Err(format!(
            "the newest snapshot does not have {first}: install it anew"
        ));
    }
    plan(
        SCENARIO.name,
        point,
        &[phase(
            Step::Section("plugins"),
            Check::SectionThere("plugins"),
            Undo::PutBack(Kept::Plugins),
        )],
    )
}
