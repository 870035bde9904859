//! Whether anybody could use the shell: a start-up file may let the first prompt come and end the shell right there.
//!
//! ```text
//!  first prompt: in doubt ─▸ a key: lived ─▸ a command is accepted: lived ─▸ its prompt is made: in doubt ─▸ second prompt
//!       └ the shell ends, and nobody typed that: in doubt                                                   lived, for good
//! ```
//!
//! `TMOUT`, a `PROMPT_COMMAND` that exits, an `exec </dev/null`: at each start they end the shell with a prompt on the screen. What
//! stands in the page of the start when it ends is what the next start reads ([`lle_core::start`] judges).
//!
//! Invariants: only the session's own process writes, and only while the page is its own: a record that says nothing more becomes
//! another start's. Behind the second prompt there is nothing to write any more.

use crate::abi::state as bits;
use crate::attribution;
use crate::clock;
use crate::lle::Lle;
use crate::symbols::Bash;
use lle_core::start::LIVED_NS;
use lle_core::start::trace::Stage;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64};

/// Where it is written; null if nobody asked, or all is said.
static STAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(std::ptr::null_mut());
/// In the page, when the start began that it belongs to; never null while the other is not.
static BEGAN: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());
/// When this one began, as it stands there.
static OWN: AtomicU64 = AtomicU64::new(0);
/// Which process this one is.
static OWNER: AtomicU32 = AtomicU32::new(0);
/// When the first prompt came.
static SHOWN_AT: AtomicU64 = AtomicU64::new(0);
/// The first command was accepted.
static ACCEPTED: AtomicBool = AtomicBool::new(false);
/// A first key would say something.
static AWAITS_KEY: AtomicBool = AtomicBool::new(false);
/// The major number of `/dev/null` and its like.
const MEMORY_DEVICES: libc::c_uint = 1;

/// The first prompt is about to be shown. Both are in a page that stays mapped: when its start began, and what is said of it.
pub(crate) fn first_prompt(began: &'static AtomicU64, stage: &'static AtomicU32) {
    OWNER.store(std::process::id(), Relaxed);
    OWN.store(began.load(Relaxed), Relaxed);
    BEGAN.store(std::ptr::from_ref(began).cast_mut(), Relaxed);
    SHOWN_AT.store(clock::now(), Relaxed);
    STAGE.store(std::ptr::from_ref(stage).cast_mut(), Relaxed);
    AWAITS_KEY.store(true, Relaxed);
    say(Stage::InDoubt);
}

fn say(stage: Stage) {
    // SAFETY: null, or what was given to `first_prompt`: shared and mapped for good.
    let (began, place) = unsafe { (BEGAN.load(Relaxed).as_ref(), STAGE.load(Relaxed).as_ref()) };
    let (Some(began), Some(place)) = (began, place) else {
        return;
    };
    if OWNER.load(Relaxed) == std::process::id() && began.load(Relaxed) == OWN.load(Relaxed) {
        place.store((stage as u32).to_le(), Relaxed);
    }
}

/// Somebody typed a key. One that the shell does not survive is nobody's start-up file.
pub(crate) fn key() {
    if AWAITS_KEY.load(Relaxed) {
        AWAITS_KEY.store(false, Relaxed);
        say(Stage::Lived);
    }
}

/// A line was accepted: what ends the shell now is what was typed, unless something is run before it.
pub(crate) fn accepted(bash: &Bash) {
    if STAGE.load(Relaxed).is_null() {
        return;
    }
    ACCEPTED.store(true, Relaxed);
    AWAITS_KEY.store(false, Relaxed);
    let before = attribution::quietly(|| bash.variable(c"PS0")).unwrap_or_default();
    let runs_something = before.contains(&b'`') || before.windows(2).any(|two| two == b"$(");
    say(if runs_something {
        Stage::InDoubt
    } else {
        Stage::Lived
    });
}

/// The command has ended, and what makes the prompt is about to run.
pub(crate) fn prompt_is_made() {
    if ACCEPTED.load(Relaxed) && !attribution::is_quiet() {
        say(Stage::InDoubt);
    }
}

/// There is a second prompt, or somebody else ends the shell: nothing is in doubt any more.
pub(crate) fn is_over() {
    say(Stage::Lived);
    STAGE.store(std::ptr::null_mut(), Relaxed);
}

impl Lle {
    /// There is nothing to read any more. The terminal was closed, unless it is none.
    pub(crate) fn nothing_to_read(&self) {
        // SAFETY: readline's stream, and plain memory for the answer.
        let is_terminal = unsafe {
            let mut found: libc::stat = std::mem::zeroed();
            libc::fstat(libc::fileno(*self.bash.instream), &raw mut found) == 0
                && found.st_mode & libc::S_IFMT == libc::S_IFCHR
                && libc::major(found.st_rdev) != MEMORY_DEVICES
        };
        if is_terminal {
            is_over();
        }
    }

    /// The shell ends by `exit`, by end of file or by a time limit.
    pub(crate) fn doubt_ends(&self) {
        if STAGE.load(Relaxed).is_null() {
            return;
        }
        // SAFETY: a plain read.
        let by_command = self
            .bash
            .executing
            .is_some_and(|executing| unsafe { *executing != 0 });
        let by_key = self.bash.is(bits::EOF) && self.typed_end_of_file();
        let had_time = clock::now().saturating_sub(SHOWN_AT.load(Relaxed)) >= LIVED_NS;
        say(match by_command || by_key || had_time {
            true => Stage::Lived,
            false => Stage::InDoubt,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_of_its_own_page_and_nothing_is_said_behind_the_second_prompt() {
        let began: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(7)));
        let stage: &'static AtomicU32 = Box::leak(Box::new(AtomicU32::new(0)));
        let said = || stage.load(Relaxed);
        first_prompt(began, stage);
        assert_eq!(said(), Stage::InDoubt as u32);
        key();
        assert_eq!(said(), Stage::Lived as u32);
        // Another start took the page over.
        began.store(8, Relaxed);
        say(Stage::InDoubt);
        assert_eq!(said(), Stage::Lived as u32);
        began.store(7, Relaxed);
        ACCEPTED.store(true, Relaxed);
        prompt_is_made();
        assert_eq!(said(), Stage::InDoubt as u32);
        is_over();
        assert_eq!(said(), Stage::Lived as u32);
        prompt_is_made();
        assert_eq!(said(), Stage::Lived as u32);
    }
}
