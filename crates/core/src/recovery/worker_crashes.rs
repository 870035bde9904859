//! The worker crashes each time it starts: sessions start it ever more rarely; here it begins anew without the state that
//! may be what kills it.

use super::{
    Check, Detected, Kept, Point, SECOND_NS, Scenario, Signs, Step, Undo, WORKER_CRASHES_MIN, phase, plan,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "worker-crashes",
    about: "the worker crashes again and again",
    by_itself: Some("sessions start it ever more rarely, at last once in five minutes"),
    point_objective: "what the worker has learned; nothing of yours",
    time_objective_ns: 15 * SECOND_NS,
    detect,
    plan: the_way_back,
};

fn detect(signs: &Signs) -> Option<Detected> {
    let crashes = signs.crashes.worker;
    (crashes >= WORKER_CRASHES_MIN).then(|| Detected {
        evidence: format!("the worker died {crashes} times within ten minutes"),
        // Somebody may have killed it.
        is_sure: false,
    })
}

fn the_way_back(signs: &Signs) -> Result<super::Plan, String> {
    if signs.state.worker_runs {
        // It lives: what it was may be over, and its state is not touched under it.
        return plan(
            SCENARIO.name,
            Point::Nothing,
            &[phase(Step::ForgetCrashes, Check::Said, Undo::Nothing)],
        );
    }
    plan(
        SCENARIO.name,
        Point::Learned,
        &[
            phase(Step::StateAway, Check::StateWhole, Undo::PutBack(Kept::State)),
            phase(Step::ForgetCrashes, Check::Said, Undo::Nothing),
            phase(Step::Worker, Check::WorkerAnswers, Undo::Nothing),
        ],
    )
}
