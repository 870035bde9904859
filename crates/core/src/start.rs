//! Which start-up files to trust: nobody is locked out by a broken `~/.bashrc`.
//!
//! Every start leaves a record; the next one reads them, and decides here.
//!
//! ```text
//!  began ─▸ LLE loads ─▸ start-up files ─▸ ready ─▸ first prompt: Reached(Ready)  ─▸ these files become the good ones
//!                          │ interrupted ────────▸ first prompt: Reached(Partial)
//!                          └ no prompt: the process is gone, became another program, or has hung: Failed
//! ```
//!
//! Invariants: a failure counts against the content that failed, so any edit is tried; there is always an
//! answer, at worst to read no start-up file at all.

pub mod copy;
pub mod trace;

/// Names the content of a set of start-up files.
pub type Version = u64;

/// How long a start may take before the next one no longer waits to see, in nanoseconds: three times the
/// slowest start-up files people put up with, and a human has opened another terminal by then.
pub const HANGING_NS: i64 = 10_000_000_000;

/// Failures that files which once reached a prompt may have before they are dropped too. A terminal closed
/// during start, or a reboot, looks like a failure; files that never worked get no such doubt.
const GOOD_FAILURES_MAX: usize = 1;

/// Records of starts kept, in all: more than terminals start at once.
pub const STARTS_MAX: usize = 32;

/// What the shell said of itself at its first prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The start-up files ran to their end.
    Ready,
    /// They were interrupted.
    Partial,
}

/// What became of the process that started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It is gone.
    Gone,
    /// It is still bash, or cannot be looked at.
    Shell,
    /// It runs, but as another program.
    Other,
}

/// One earlier start, as recorded and as found now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// When it began, in nanoseconds since the epoch.
    pub began_ns: i64,
    /// The files it ran; none if it ran none.
    pub ran: Option<Version>,
    /// Whether a prompt was reached.
    pub reached: Option<Reached>,
    /// What its process is now.
    pub process: Process,
}

/// Why a start counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The shell ended.
    Ended,
    /// It runs, and has not reached a prompt for too long.
    Hangs,
    /// It became another program.
    Became,
}

/// Which start-up files to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Those on disk.
    Current,
    /// The copy of those that last reached a prompt.
    LastGood,
    /// None.
    Nothing,
}

/// What to do at a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Which files to read.
    pub use_: Use,
    /// Why not those on disk: what happened to them, and when it began.
    pub because: Option<(Failure, i64)>,
    /// The earlier start whose files become the good ones, by index.
    pub promote: Option<usize>,
    /// The earlier starts whose records say nothing more, by index.
    pub discard: Vec<usize>,
}

/// Judges one earlier start; none while it may still reach its prompt.
pub fn failure(start: &Start, now_ns: i64) -> Option<Failure> {
    match (start.reached, start.process) {
        (Some(_), _) => None,
        (None, Process::Gone) => Some(Failure::Ended),
        (None, Process::Other) => Some(Failure::Became),
        // After a clock that jumped back the age is negative: wait and see.
        (None, Process::Shell) if now_ns.saturating_sub(start.began_ns) > HANGING_NS => Some(Failure::Hangs),
        (None, Process::Shell) => None,
    }
}

/// Decides from the earlier starts, oldest first, whether to read the files on disk, `current`.
///
/// `good` is the version of the last good copy, if there is one. `retry` forgets every failure.
pub fn decide(
    starts: &[Start],
    current: Version,
    good: Option<Version>,
    retry: bool,
    now_ns: i64,
) -> Decision {
    let promote = starts
        .iter()
        .rposition(|start| start.reached == Some(Reached::Ready) && start.ran.is_some() && start.ran != good);
    let good = promote.and_then(|index| starts[index].ran).or(good);
    let failures: Vec<_> = starts
        .iter()
        .map(|start| failure(start, now_ns).filter(|_| !retry))
        .collect();

    // Failures of a version since it last reached a prompt.
    let failed = |version: Version| -> Vec<usize> {
        let since = starts
            .iter()
            .rposition(|start| start.ran == Some(version) && start.reached.is_some());
        let first = since.map_or(0, |index| index + 1);
        (first..starts.len())
            .filter(|&index| starts[index].ran == Some(version) && failures[index].is_some())
            .collect()
    };
    let tolerated = |version: Version| {
        if good == Some(version) {
            GOOD_FAILURES_MAX
        } else {
            0
        }
    };
    let works = |version: Version| failed(version).len() <= tolerated(version);

    let use_ = match good {
        _ if works(current) => Use::Current,
        Some(good) if good != current && works(good) => Use::LastGood,
        _ => Use::Nothing,
    };
    let last_failed = failed(current).last().copied().filter(|_| use_ != Use::Current);
    let because = last_failed.and_then(|index| Some((failures[index]?, starts[index].began_ns)));

    // What still says something: starts under way, and failures of the versions in question.
    let mut telling = failed(current);
    telling.extend(good.map_or_else(Vec::new, failed));
    let under_way =
        |index: usize| starts[index].reached.is_none() && failure(&starts[index], now_ns).is_none();
    let kept: Vec<usize> = (0..starts.len())
        .filter(|&index| under_way(index) || telling.contains(&index))
        .collect();
    let surplus = kept.len().saturating_sub(STARTS_MAX);
    let discard =
        (0..starts.len()).filter(|index| !kept[surplus..].contains(index) && promote != Some(*index));
    Decision {
        use_,
        because,
        promote,
        discard: discard.collect(),
    }
}

/// Says what was decided, if there is anything to say: what happened to `files` (such as `~/.bashrc`), when, what is
/// known of it (`known`: lines, each with its end), and what to do. Lines fit 80 columns if those of `known` do.
pub fn message(decision: &Decision, files: &str, known: &str, now_ns: i64) -> Option<String> {
    let (failure, began_ns) = decision.because?;
    let ago = ago(now_ns.saturating_sub(began_ns));
    let mut text = format!("lusush: the start with {files}, {ago} ago, failed:\n");
    text.push_str(match failure {
        Failure::Ended => "        the shell ended before its first prompt.\n",
        Failure::Hangs => "        it still has no prompt.\n",
        Failure::Became => "        the shell became another program before its first prompt.\n",
    });
    text.push_str(known);
    text.push_str(match decision.use_ {
        Use::Current => return None,
        Use::LastGood => "        This shell uses the last version that reached a prompt.\n",
        Use::Nothing => "        No version is left that reaches a prompt; this shell read none.\n",
    });
    text.push_str("        Edit it and it is tried again; so it is with `lusush --retry`.\n");
    Some(text)
}

fn ago(ns: i64) -> String {
    let seconds = ns.max(0) / 1_000_000_000;
    let (count, unit) = match seconds {
        ..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Version = 1;
    const NEW: Version = 2;
    const SECOND: i64 = 1_000_000_000;
    const NOW: i64 = 1_000 * SECOND;

    /// Starts, oldest first, a hundred seconds apart: version, then how it went. `r` ready, `p` partial, `x` gone,
    /// `e` became another program, `h` alive and old, `?` alive and young, `b` alive and from the future.
    fn starts(story: &[(Option<Version>, char)]) -> Vec<Start> {
        let count = story.len() as i64;
        let start = |(index, &(ran, went)): (usize, &(Option<Version>, char))| Start {
            began_ns: match went {
                '?' => NOW - 2 * SECOND,
                'b' => NOW + 500 * SECOND,
                _ => NOW - (count - index as i64) * 100 * SECOND,
            },
            ran,
            reached: match went {
                'r' => Some(Reached::Ready),
                'p' => Some(Reached::Partial),
                _ => None,
            },
            process: match went {
                'x' | 'r' => Process::Gone,
                'e' => Process::Other,
                _ => Process::Shell,
            },
        };
        story.iter().enumerate().map(start).collect()
    }

    fn check(story: &[(Option<Version>, char)], good: Option<Version>, expect: Use) {
        let decision = decide(&starts(story), NEW, good, false, NOW);
        assert_eq!(decision.use_, expect, "{story:?}, good {good:?}");
        assert_eq!(
            decision.because.is_some(),
            expect != Use::Current,
            "{story:?} says why"
        );
        let retried = decide(&starts(story), NEW, good, true, NOW);
        assert_eq!(
            (retried.use_, retried.because),
            (Use::Current, None),
            "{story:?}, retried"
        );
    }

    #[test]
    fn what_is_used_follows_from_what_happened() {
        let (old, new) = (Some(OLD), Some(NEW));
        check(&[], None, Use::Current);
        check(&[(new, 'r')], None, Use::Current);
        for failed in ['x', 'e', 'h'] {
            check(&[(new, failed)], None, Use::Nothing);
            check(&[(new, failed)], old, Use::LastGood);
            // Promoted just now: the start before the edit.
            check(&[(old, 'r'), (new, failed)], None, Use::LastGood);
            // And again the start after, and after a prompt was reached with the good copy, or with none.
            check(&[(new, failed), (old, 'r')], old, Use::LastGood);
            check(&[(new, failed), (None, 'r')], None, Use::Nothing);
            // The good copy failed too: once may be chance.
            check(&[(new, failed), (old, failed)], old, Use::LastGood);
            check(&[(new, failed), (old, failed), (old, failed)], old, Use::Nothing);
            check(
                &[(new, failed), (old, failed), (old, 'r'), (old, failed)],
                old,
                Use::LastGood,
            );
            // The files on disk are the good ones.
            check(&[(new, failed)], new, Use::Current);
            check(&[(new, failed), (new, failed)], new, Use::Nothing);
            check(&[(new, failed), (new, 'r'), (new, failed)], new, Use::Current);
            // Another version's failure is none of ours.
            check(&[(old, failed)], None, Use::Current);
        }
        // Several terminals at once; a clock that jumped back.
        check(&[(new, '?'), (new, '?')], None, Use::Current);
        check(&[(new, 'b')], None, Use::Current);
        // An interrupted start reached its prompt: neither a failure nor good.
        check(&[(new, 'p')], old, Use::Current);
        check(&[(new, 'x'), (new, 'p')], old, Use::Current);
    }

    #[test]
    fn only_files_that_ran_to_their_end_become_the_good_ones() {
        let check = |story: &[(Option<Version>, char)], good, expect| {
            assert_eq!(
                decide(&starts(story), NEW, good, false, NOW).promote,
                expect,
                "{story:?}"
            );
        };
        check(&[(Some(OLD), 'r')], None, Some(0));
        check(&[(Some(OLD), 'r'), (Some(NEW), 'r')], None, Some(1));
        check(&[(Some(NEW), 'r')], Some(NEW), None);
        check(
            &[(Some(NEW), 'p'), (Some(NEW), 'x'), (None, 'r')],
            Some(OLD),
            None,
        );
    }

    #[test]
    fn records_that_say_nothing_more_are_discarded_and_the_rest_is_bounded() {
        let check = |story: &[(Option<Version>, char)], expect: &[usize]| {
            assert_eq!(
                decide(&starts(story), NEW, Some(OLD), false, NOW).discard,
                expect,
                "{story:?}"
            );
        };
        check(
            &[
                (Some(9), 'x'),
                (None, 'x'),
                (Some(OLD), 'r'),
                (Some(NEW), 'x'),
                (Some(9), '?'),
            ],
            &[0, 1, 2],
        );
        check(&[(Some(NEW), 'x'), (Some(OLD), 'x'), (Some(NEW), 'r')], &[0, 1]);
        let many = vec![(Some(NEW), '?'); STARTS_MAX + 5];
        check(&many, &[0, 1, 2, 3, 4]);
        // However many starts with the good copy follow, the failure is remembered.
        let mut story = vec![(Some(OLD), 'r'); 3 * STARTS_MAX];
        story.insert(0, (Some(NEW), 'x'));
        let decision = decide(&starts(&story), NEW, Some(OLD), false, NOW);
        assert!(!decision.discard.contains(&0));
    }

    #[test]
    fn the_message_says_what_when_and_what_to_do_in_eighty_columns() {
        let check = |failed: char, good, expect: &str| {
            let decision = decide(&starts(&[(Some(NEW), failed)]), NEW, good, false, NOW);
            let text = message(&decision, "~/.bash_profile and ~/.bashrc", "", NOW)
                .expect("there is something to say");
            assert!(text.lines().all(|line| line.len() <= 80), "{text}");
            assert!(text.contains(expect), "{text}");
            assert!(
                text.contains("--retry") && text.contains("1 minute ago"),
                "{text}"
            );
        };
        check('x', None, "the shell ended before");
        check('x', None, "read none");
        check('h', Some(OLD), "still has no prompt");
        check('e', Some(OLD), "became another program");
        check('e', Some(OLD), "the last version that reached a prompt");
        assert_eq!(
            message(&decide(&[], NEW, None, false, NOW), "~/.bashrc", "", NOW),
            None
        );
    }
}
