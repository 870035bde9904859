//! The disk is full: sessions go on in memory, and what can be made again makes room.

use super::{Check, Detected, Point, SECOND_NS, Scenario, Signs, Step, Undo, phase, plan};
use crate::quantity::bytes;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "disk-full",
    about: "nothing can be written any more",
    by_itself: Some("sessions and worker go on in memory and write again as soon as there is room"),
    point_objective: "nothing that was acknowledged",
    time_objective_ns: 5 * SECOND_NS,
    detect,
    plan: the_way_back,
};

fn detect(signs: &Signs) -> Option<Detected> {
    let free = signs.disk.free_bytes?;
    // Without anything to remove there is nothing that this could do.
    if !signs.disk.is_low() || signs.disk.spare_bytes == 0 {
        return None;
    }
    Detected::sure(format!(
        "{} are left on the disk, and {} can be made again",
        bytes(free as f64),
        bytes(signs.disk.spare_bytes as f64)
    ))
}

fn the_way_back(_: &Signs) -> Result<super::Plan, String> {
    plan(
        SCENARIO.name,
        Point::Learned,
        &[phase(Step::MakeRoom, Check::RoomMade, Undo::Nothing)],
    )
}
