//! Forks of the shell, seen by the C library's own hook: each `$(…)` of `PS1` is one.
//!
//! The commands of a pipeline are forked for one after another, and waited for together: what they take has the names of all.
//! Which of two forks was for a command in the background shows in the `$!` that it has left.
//!
//! Invariants: until bash prints a command of this round, the text it keeps is the user's own last line, maybe one that
//! nobody may see: it names nothing. The handlers allocate nothing and lock nothing; in the child only the phase is left, so that it
//! stamps nothing.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::{Attribution, Phase, enter, is_in, names, state};
use crate::clock;

/// Forks of this process since it watches them.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// How often this process has forked since it watches that: a key after which it is another number has run programs.
pub(crate) fn count() -> u64 {
    FORKS.load(Relaxed)
}

/// Sees every fork from now on.
pub(super) fn watch() {
    // SAFETY: the functions live as long as the process, since the object is never unmapped. Failing means no memory:
    // then substitutions are not told apart.
    unsafe { libc::pthread_atfork(Some(before), None, Some(in_child)) };
}

unsafe extern "C" fn before() {
    FORKS.fetch_add(1, Relaxed);
    if is_in(Phase::Off) {
        return;
    }
    if let Some(a) = state() {
        a.forks_now();
    }
}

unsafe extern "C" fn in_child() {
    enter(Phase::Off);
}

impl Attribution {
    fn forks_now(&mut self) {
        if self.bash.flag(self.bash.running_trap) {
            // What a trap forks for is neither the command that was running nor a part of PS1.
            if is_in(Phase::Command) {
                self.trap_began.get_or_insert_with(clock::now);
            }
            return;
        }
        if is_in(Phase::Start) && self.executes_text() != Some(false) {
            self.note_line();
        } else if is_in(Phase::Start) || is_in(Phase::Expand) {
            // At the start, too, what bash forks for while it executes no text is for its first prompt.
            if let Some(at) = self.forks.get_mut(self.forks_seen) {
                *at = clock::now();
            }
            self.forks_seen = self.forks_seen.saturating_add(1);
        } else if self.has_printed() {
            self.note_forked();
        }
    }

    /// Takes the name of what the shell forks for; where no command has ended since the last time, it is a further one of a
    /// pipeline, and both are in the name.
    fn note_forked(&mut self) {
        let background = self.bash.number(self.bash.last_background);
        // A trap on DEBUG, which runs before the command, has printed its own over it.
        let text = if self.trapped {
            self.kept_text()
        } else {
            // SAFETY: null or a nul-terminated buffer of bash's, copied at once.
            self.bash
                .printed
                .map(|text| unsafe { crate::readline::text(*text) })
        };
        let Some(text) = text else { return };
        let (name, sum) = (names::command(text), names::fingerprint(text));
        let first = self.forked.filter(|_| background == self.forked_background);
        self.forked = match first {
            // A command with several `$(…)` forks for each.
            Some(_) if sum == self.forked_sum => return,
            Some(first) => Some(names::piped(&first, &name)),
            None => Some(name).filter(|name| !name.is_empty()),
        };
        (self.forked_sum, self.forked_background) = (sum, background);
    }
}
