//! Forks of the shell, seen by the C library's own hook: each `$(…)` of `PS1` is one.
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
        if is_in(Phase::Start) && self.executes_text() != Some(false) {
            self.note_line();
        } else if is_in(Phase::Start) || is_in(Phase::Expand) {
            // At the start, too, what bash forks for while it executes no text is for its first prompt.
            if let Some(at) = self.forks.get_mut(self.forks_seen) {
                *at = clock::now();
            }
            self.forks_seen = self.forks_seen.saturating_add(1);
        } else if self.forked.is_none()
            && self.has_printed()
            && let Some(text) = self.bash.printed
        {
            // The first of a pipeline's forks names it.
            // SAFETY: null or a nul-terminated buffer of bash's, copied at once.
            self.forked =
                Some(names::command(unsafe { crate::readline::text(*text) })).filter(|n| !n.is_empty());
        }
    }
}
