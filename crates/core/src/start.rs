//! Which start-up files to trust: nobody is locked out by a broken `~/.bashrc`.
//!
//! Every start leaves a record; the next one reads them, and decides here.
//!
//! ```text
//!  began ─▸ LLE loads ─▸ start-up files ─▸ ready ─▸ first prompt: Shown ─▸ it lives: Ready ─▸ these become the good ones
//!                          │                                       └ the shell ends by itself: Failed, at the third time
//!                          │ interrupted ────────▸ first prompt: Partial; after seconds: Interrupted
//!                          │ exec ──▸ that program runs on: Became; it ends at once: Failed
//!                          └ no prompt: the process is gone or has hung: Failed
//! ```
//!
//! Invariants: a failure counts against the content that failed, so any edit is tried; there is always an
//! answer, at worst to read no start-up file at all. What the user did is no failure: a terminal that is closed, a typed
//! `exit`, a shell that is replaced by a program which lives.

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

/// Starts in a row that showed a prompt and ended by themselves, until files that never lived beyond one are to blame.
/// Somebody else may end a shell too, but hardly three, each before anything is typed.
const DIED_MAX: usize = 3;

/// How long a shell that ends by itself may have shown its first prompt to count as one that never lived, in nanoseconds:
/// longer, and there was time for a command. A time limit of minutes is somebody's wish.
pub const LIVED_NS: u64 = 10_000_000_000;

/// How long a program that the shell was replaced by has to run to be what somebody wanted, in nanoseconds. What cannot
/// run at all ends within milliseconds, and nobody leaves a program sooner.
pub const BECAME_NS: i64 = 500_000_000;

/// How long start-up files may have run when they are interrupted for that to be the user's haste, in nanoseconds.
pub const HASTE_NS: i64 = 3_000_000_000;

/// Records of starts kept, in all: more than terminals start at once.
pub const STARTS_MAX: usize = 32;

/// What the shell said of itself at its first prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The start-up files ran to their end, and the shell lived on.
    Ready,
    /// They ran to their end, and the first prompt was shown; whether anybody could use it is not known yet.
    Shown,
    /// They were interrupted.
    Partial,
    /// They were interrupted after [`HASTE_NS`].
    Interrupted,
    /// There was no prompt: another program took the shell's place, and ran on.
    Became,
}

/// What became of the process that started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It is gone.
    Gone,
    /// It is still bash, or cannot be looked at.
    Shell,
    /// It is still bash, and it or a child of its waits for what somebody types.
    Asks,
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
    /// It was about to become another program.
    pub replaced: bool,
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
    /// It became another program, which ended at once.
    Became,
    /// It showed a prompt, and ended by itself before anybody could use it.
    Died,
    /// Its start-up files were interrupted after they had run for long.
    Interrupted,
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

/// Judges one earlier start; none while it may still reach its prompt, or live on.
pub fn failure(start: &Start, now_ns: i64) -> Option<Failure> {
    match (start.reached, start.process) {
        (Some(Reached::Interrupted), _) => Some(Failure::Interrupted),
        (Some(Reached::Shown), Process::Gone) => Some(Failure::Died),
        (Some(_), _) => None,
        (None, Process::Gone) if start.replaced => Some(Failure::Became),
        (None, Process::Gone) => Some(Failure::Ended),
        // Whoever has a program take the shell's place wants it so, and whoever is asked may take his time.
        (None, Process::Other | Process::Asks) => None,
        // After a clock that jumped back the age is negative: wait and see.
        (None, Process::Shell) if now_ns.saturating_sub(start.began_ns) > HANGING_NS => Some(Failure::Hangs),
        (None, Process::Shell) => None,
    }
}

/// What the earlier starts say of one version.
struct Told {
    /// Starts without a prompt, since there last was one.
    without: Vec<usize>,
    /// Starts that ended by themselves at their prompt, since one lived.
    died: Vec<usize>,
    /// Starts that were interrupted, since the files last ran to their end.
    interrupted: Vec<usize>,
}

impl Told {
    fn of(starts: &[Start], failures: &[Option<Failure>], version: Version, now_ns: i64) -> Self {
        let of_version = |index: usize| starts[index].ran == Some(version);
        let since = |ends: &dyn Fn(&Start) -> bool, counts: &[Failure]| -> Vec<usize> {
            let last = (0..starts.len())
                .rev()
                .find(|&index| of_version(index) && ends(&starts[index]));
            let fails = |index: usize| failures[index].is_some_and(|failure| counts.contains(&failure));
            (last.map_or(0, |index| index + 1)..starts.len())
                .filter(|&index| of_version(index) && fails(index))
                .collect()
        };
        let became = |start: &Start| {
            start.reached == Some(Reached::Became)
                || start.process == Process::Other && now_ns.saturating_sub(start.began_ns) > BECAME_NS
        };
        let lived =
            |start: &Start| matches!(start.reached, Some(Reached::Ready | Reached::Partial)) || became(start);
        let ran_to_end =
            |start: &Start| matches!(start.reached, Some(Reached::Ready | Reached::Shown)) || became(start);
        Self {
            without: since(
                &|start| start.reached.is_some() || became(start),
                &[Failure::Ended, Failure::Hangs, Failure::Became],
            ),
            died: since(&lived, &[Failure::Died]),
            interrupted: since(&ran_to_end, &[Failure::Interrupted]),
        }
    }

    /// Whether the version is to be read. `good` says that it is the last good one, `back` that there is one to go back to.
    ///
    /// A version that once lived does not end shells: something else does. One that was interrupted has a prompt, if late.
    fn works(&self, good: bool, back: bool) -> bool {
        if good {
            return self.without.len() <= GOOD_FAILURES_MAX;
        }
        self.without.is_empty() && self.died.len() < DIED_MAX && (self.interrupted.is_empty() || !back)
    }

    /// All of them, oldest first.
    fn all(&self) -> Vec<usize> {
        let mut all = [&self.without[..], &self.died, &self.interrupted].concat();
        all.sort_unstable();
        all
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

    let told = |version: Version| Told::of(starts, &failures, version, now_ns);
    let works = |version: Version| told(version).works(good == Some(version), good.is_some());
    let use_ = match good {
        _ if works(current) => Use::Current,
        Some(good) if good != current && works(good) => Use::LastGood,
        _ => Use::Nothing,
    };
    let failed = told(current).all();
    let last_failed = failed.last().copied().filter(|_| use_ != Use::Current);
    let because = last_failed.and_then(|index| Some((failures[index]?, starts[index].began_ns)));

    // What still says something: starts under way, and failures of the versions in question.
    let mut telling = failed;
    telling.extend(good.map_or_else(Vec::new, |good| told(good).all()));
    let under_way = |index: usize| {
        let undecided = match starts[index].reached {
            None => true,
            // Files that once lived are under no suspicion.
            Some(Reached::Shown) => starts[index].ran != good,
            Some(_) => false,
        };
        undecided && failure(&starts[index], now_ns).is_none()
    };
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
        Failure::Hangs => {
            "        it still has no prompt. If it asks for something there, answer it,\n        \
             and from then on it is read again.\n"
        }
        Failure::Became => {
            "        the shell became another program before its first prompt,\n        and that ended at once.\n"
        }
        Failure::Died => {
            "        the shell ended by itself at its first prompt, three times in a row.\n"
        }
        Failure::Interrupted => "        it was interrupted after it had kept the prompt away for seconds.\n",
    });
    text.push_str(known);
    text.push_str(match decision.use_ {
        Use::Current => return None,
        Use::LastGood => "        This shell uses the last version that reached a prompt.\n",
        Use::Nothing => {
            "        No version is left that reaches a prompt; this shell read none.
"
        }
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
mod tests;
