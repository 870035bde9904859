//! Sessions crash one after the other before anybody can type a command: features go off step by step, so that there is a
//! shell; here they come back.
//!
//! | level | what is off |
//! | --- | --- |
//! | 0 | nothing |
//! | 1 | suggestions, the completion child and menu, sharing between sessions, cached parts of the prompt |
//! | 2 | colours, rows of incomplete commands, `prompt.command`, the worker: LLE shows the line and keeps history |
//! | 3 | LLE: readline alone |
//!
//! Invariant: a session that a command was typed in, or that lives on, ends the suspicion against all.

use super::{Check, Detected, Point, SECOND_NS, Scenario, Signs, Step, Undo, phase, plan};

/// Sessions that die in a row before features go off. Two may be two closed terminals.
pub const CRASHES_MIN: usize = 3;
/// How far back sessions count, in nanoseconds: whoever is locked out tries again at once.
pub const WINDOW_NS: i64 = 600 * 1_000_000_000;
/// How long a session may have lived to have crashed at its start, in nanoseconds.
pub const LIVED_NS_MAX: i64 = 60 * 1_000_000_000;
/// The last level: readline alone.
pub const LEVEL_MAX: u8 = 3;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "session-crashes",
    about: "sessions crash before a command can be typed",
    by_itself: Some("the launcher switches features off at the third crash, then more, then LLE"),
    point_objective: "nothing",
    time_objective_ns: SECOND_NS,
    detect,
    plan: the_way_back,
};

/// A session that began within the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Early {
    /// When, in nanoseconds since 1970.
    pub created_ns: i64,
    /// It is gone, without a word, within [`LIVED_NS_MAX`], and nobody typed a command in it.
    pub crashed: bool,
}

/// Whether features go off by one more level: `sessions` are those that began since `since_ns`, when that was decided last.
pub fn escalates(sessions: &[Early], since_ns: i64, now_ns: i64) -> bool {
    let from = since_ns.max(now_ns.saturating_sub(WINDOW_NS));
    let counts = |session: &&Early| (from..=now_ns).contains(&session.created_ns);
    let crashed = sessions
        .iter()
        .filter(counts)
        .filter(|session| session.crashed)
        .count();
    let lives = sessions.iter().filter(counts).any(|session| !session.crashed);
    crashed >= CRASHES_MIN && !lives
}

fn detect(signs: &Signs) -> Option<Detected> {
    let level = signs.crashes.level;
    match level {
        0 => None,
        LEVEL_MAX.. => Detected::perhaps("LLE is off, since sessions crashed"),
        _ => Detected::perhaps(format!(
            "features are off, since sessions crashed (level {level} of {LEVEL_MAX})"
        )),
    }
}

fn the_way_back(_: &Signs) -> Result<super::Plan, String> {
    plan(
        SCENARIO.name,
        Point::Nothing,
        &[phase(Step::FeaturesOn, Check::Said, Undo::Nothing)],
    )
}
