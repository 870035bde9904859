//! Which of the changes that were made can have moved a series at all, and which of these did.
//!
//! A line that is typed reaches the session that it was typed in, and whether it came before a prompt is told by numbers,
//! which the session gives to both: no clock is asked, so a clock that was set back puts no line before what it came after.
//! Clocks are compared only where there are no numbers: a start-up file with the sessions that read it, and a key or a
//! plugin with prompts.
//!
//! Invariant: what cannot have reached the series is no suspect, however well its moment fits.

use serde::{Deserialize, Serialize};

use super::Changepoint;
use super::blame::{Change, ChangeKind, Measured, Suspect, weigh};
use super::suspected::Lines;
use super::watch::MEAN_NS;

/// How far apart prompts are taken to be: the next one shows what a change has done.
const PROMPT_NS: i64 = 1_000_000_000;
/// How much of what can be changed, and is no line of a start-up file, is for new shells alone.
const NEW_SHELL_SHARE: f64 = 0.1;

/// How much of what says how prompts look slows what `PROMPT_COMMAND` runs: it would have to read it.
const LOOKS_SHARE: f64 = 1e-4;

/// What can have moved a series.
#[derive(Clone, Copy, Debug)]
pub enum Reach<'a> {
    /// Whatever was changed: of a series of all sessions, found by a detector that sees means of five minutes.
    Any,
    /// What was typed in that session between two of its prompts, or a change at that moment that is no line.
    Session {
        /// Its sixteen hex digits.
        id: &'a str,
        /// The lines between the two prompts; none if a version before this one began to suspect them.
        lines: Lines,
        /// How probable it is that it was none of them, by where the values turned.
        none: f64,
        /// What `PROMPT_COMMAND` takes has changed, and nothing else.
        in_command: bool,
    },
    /// A line of a start-up file at that moment, or a change that is no line.
    StartFiles {
        /// By when a change would have shown in sessions that began before the line was added, which go on as they were; none
        /// if there is no such session.
        unmoved_ns: Option<i64>,
    },
}

/// Which sessions something reached that moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reached {
    /// All of them, as far as is known.
    #[default]
    All,
    /// The one in which it was typed, by its sixteen hex digits.
    Session(String),
    /// Those that read the start-up files as they are since then: that began no earlier, in nanoseconds since 1970.
    BegunSince(i64),
}

impl Reach<'_> {
    /// How far apart the values of the series are.
    fn interval_ns(self) -> i64 {
        match self {
            Self::Any => MEAN_NS,
            Self::Session { .. } | Self::StartFiles { .. } => PROMPT_NS,
        }
    }

    /// Whether it can have been that change. Nothing that is typed reaches another session, and no start-up file one that
    /// has read it; and where prompts lie between a line and the changepoint, it was another.
    fn includes(self, change: &Change, at: &Changepoint) -> bool {
        let is_line = matches!(change.kind, ChangeKind::Rc | ChangeKind::Looks);
        let is_then = (at.earliest_ns..=at.latest_ns).contains(&change.at_ns);
        // The last prompt before is the one that came with the line before.
        let is_later = change.at_ns > at.earliest_ns || change.at_ns == at.at_ns;
        match (self, &change.session) {
            (Self::Any, _) => true,
            (Self::Session { id, lines, .. }, Some(typed_in)) => {
                let number = change.number.filter(|_| !lines.is_empty());
                typed_in == id && number.map_or(is_then && is_later, |number| lines.has(number))
            }
            (Self::Session { .. }, None) => !is_line,
            (Self::StartFiles { .. }, Some(_)) => false,
            (Self::StartFiles { .. }, None) => !is_line || is_then,
        }
    }

    /// How much less likely a change did it for what else is known: what is no line of a start-up file reaches all sessions that
    /// run, but for the little that waits for a new shell; and what grew is not always what the line says anything of.
    fn share(self, change: &Change) -> f64 {
        match self {
            Self::StartFiles {
                unmoved_ns: Some(unmoved_ns),
            } if change.kind != ChangeKind::Rc && change.at_ns <= unmoved_ns => NEW_SHELL_SHARE,
            Self::Session { in_command: true, .. } if change.kind == ChangeKind::Looks => LOOKS_SHARE,
            _ => 1.0,
        }
    }

    /// How probable it is that it was none of those that it can have been, if values have told.
    fn none(self) -> Option<f64> {
        match self {
            Self::Session { none, .. } => Some(none),
            Self::Any | Self::StartFiles { .. } => None,
        }
    }
}

/// Says who may have moved the series, the most probable first, as [`blame`] does.
pub fn suspects<'a>(
    changepoint: &Changepoint,
    reach: Reach<'_>,
    measured: Measured,
    changes: impl IntoIterator<Item = &'a Change>,
) -> Vec<Suspect> {
    let changes: Vec<&Change> = changes
        .into_iter()
        .filter(|change| reach.includes(change, changepoint))
        .collect();
    // Lines between the same two prompts are equally near, whenever each was typed.
    let weighed: Vec<Change> = changes
        .iter()
        .map(|change| Change {
            at_ns: match (reach, &change.session) {
                (Reach::Session { .. }, Some(_)) => changepoint.at_ns,
                _ => change.at_ns,
            },
            ..(*change).clone()
        })
        .collect();
    let share = |at: usize| changes.get(at).map_or(1.0, |change| reach.share(change));
    let interval_ns = reach.interval_ns();
    let mut suspects = weigh(changepoint, interval_ns, measured, &weighed, share, reach.none());
    for suspect in &mut suspects {
        let change = changes
            .iter()
            .rfind(|change| suspect.what.as_ref() == Some(&change.what));
        suspect.at_ns = change.map(|change| change.at_ns);
    }
    suspects
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;
    const OWN: &str = "000000000000000a";
    const OTHER: &str = "000000000000000b";

    fn at() -> Changepoint {
        Changepoint {
            at_ns: 100 * S,
            earliest_ns: 98 * S,
            latest_ns: 100 * S,
            before: 20e6,
            after: 58e6,
            confidence: 0.999,
        }
    }

    fn within(lines: Lines) -> Reach<'static> {
        Reach::Session {
            id: OWN,
            lines,
            none: 0.01,
            in_command: false,
        }
    }

    fn change(at_s: i64, kind: ChangeKind, typed_in: Option<&str>, number: Option<u64>) -> Change {
        Change {
            at_ns: at_s * S,
            what: format!("{kind:?} at {at_s}"),
            kind,
            session: typed_in.map(str::to_owned),
            number,
        }
    }

    #[test]
    fn only_what_can_have_reached_it_is_suspected() {
        let lines = Lines { from: 3, until: 5 };
        let check = |change: Change, expect: [bool; 3]| {
            let told = [
                within(lines).includes(&change, &at()),
                Reach::StartFiles { unmoved_ns: None }.includes(&change, &at()),
                Reach::Any.includes(&change, &at()),
            ];
            assert_eq!(told, expect, "{change:?}");
        };
        // A line reaches the session that it was typed in, and is one of those between the two prompts: by its number,
        // whatever a clock says.
        for at_s in [0, 97, 99, 500] {
            check(
                change(at_s, ChangeKind::Rc, Some(OWN), Some(2)),
                [false, false, true],
            );
            check(
                change(at_s, ChangeKind::Rc, Some(OWN), Some(3)),
                [true, false, true],
            );
            check(
                change(at_s, ChangeKind::Rc, Some(OWN), Some(4)),
                [true, false, true],
            );
            check(
                change(at_s, ChangeKind::Rc, Some(OWN), Some(5)),
                [false, false, true],
            );
            check(
                change(at_s, ChangeKind::Rc, Some(OTHER), Some(3)),
                [false, false, true],
            );
        }
        // One that a version before this one noted has no number: its time tells.
        check(change(99, ChangeKind::Rc, Some(OWN), None), [true, false, true]);
        check(change(98, ChangeKind::Rc, Some(OWN), None), [false, false, true]);
        check(change(101, ChangeKind::Rc, Some(OWN), None), [false, false, true]);
        // A start-up file reaches those that start; anything else may reach all, and takes its time.
        check(change(99, ChangeKind::Rc, None, None), [false, true, true]);
        check(change(97, ChangeKind::Rc, None, None), [false, false, true]);
        check(change(90, ChangeKind::Config, None, None), [true, true, true]);
    }

    #[test]
    fn a_suspicion_of_an_earlier_version_goes_by_time() {
        let reach = within(Lines::default());
        assert!(reach.includes(&change(99, ChangeKind::Rc, Some(OWN), Some(7)), &at()));
        assert!(!reach.includes(&change(97, ChangeKind::Rc, Some(OWN), Some(7)), &at()));
    }

    #[test]
    fn what_would_show_in_earlier_sessions_and_does_not_is_suspected_less() {
        let changes = [
            change(99, ChangeKind::Rc, None, None),
            change(99, ChangeKind::Config, None, None),
        ];
        let check = |unmoved_s: Option<i64>, least: f64, most: f64| {
            let unmoved_ns = unmoved_s.map(|s| s * S);
            let told = suspects(
                &at(),
                Reach::StartFiles { unmoved_ns },
                Measured::Session,
                &changes,
            );
            assert_eq!(told[0].what.as_deref(), Some("Rc at 99"), "{told:?}");
            assert!(
                (least..most).contains(&told[0].confidence),
                "{unmoved_s:?}: {told:?}"
            );
        };
        check(None, 0.5, 0.6);
        // They may have been measured before it.
        check(Some(98), 0.5, 0.6);
        check(Some(99), 0.9, 0.95);
    }

    #[test]
    fn lines_between_the_same_prompts_weigh_the_same_and_keep_their_times() {
        let lines = Lines { from: 3, until: 5 };
        let changes = [
            change(600, ChangeKind::Rc, Some(OWN), Some(3)),
            change(95, ChangeKind::Rc, Some(OWN), Some(4)),
        ];
        let told = suspects(&at(), within(lines), Measured::Session, &changes);
        assert_eq!(told.len(), 3, "two and none: {told:?}");
        assert!((told[0].confidence - told[1].confidence).abs() < 1e-9, "{told:?}");
        let mut times: Vec<_> = told.iter().filter_map(|suspect| suspect.at_ns).collect();
        times.sort_unstable();
        assert_eq!(times, [95 * S, 600 * S]);
    }

    #[test]
    fn a_line_that_cannot_have_changed_what_grew_is_not_blamed() {
        let lines = Lines { from: 3, until: 5 };
        let changes = [
            change(99, ChangeKind::Looks, Some(OWN), Some(3)),
            change(98, ChangeKind::Rc, Some(OWN), Some(4)),
        ];
        let check = |changes: &[Change], in_command: bool, expect: Option<&str>| {
            let reach = Reach::Session {
                id: OWN,
                lines,
                none: 0.01,
                in_command,
            };
            let told = suspects(&at(), reach, Measured::Session, changes);
            assert_eq!(told[0].what.as_deref(), expect, "{told:?}");
            told[0].confidence
        };
        // PROMPT_COMMAND grew: a new PS1 is nobody's cause, alone or beside another line.
        assert!(check(&changes[..1], true, None) > 0.9);
        assert!(check(&changes, true, Some("Rc at 98")) > 0.9);
        // PS1 may have grown.
        assert!(check(&changes[..1], false, Some("Looks at 99")) > 0.9);
    }

    #[test]
    fn how_probable_it_is_that_it_was_none_is_told() {
        let changes = [change(99, ChangeKind::Rc, Some(OWN), Some(3))];
        for none in [0.005, 0.1, 0.4] {
            let reach = Reach::Session {
                id: OWN,
                lines: Lines { from: 3, until: 4 },
                none,
                in_command: false,
            };
            let told = suspects(&at(), reach, Measured::Session, &changes);
            assert!((told[1].confidence - none).abs() < 1e-3, "{none}: {told:?}");
            assert_eq!(told[1].what, None);
        }
    }
}
