//! What the user has bash run beside the prompt, in time that belongs to no prompt: it is named, since it is not timed.
//!
//! Invariant: bits as [`lle_metrics::Gauge::PromptUnseen`] has them; nothing is run to find out.

use crate::attribution;
use crate::symbols::Bash;
use libc::c_int;

/// `DEBUG_TRAP`: bash counts its own traps from `NSIG` on, which is 65 on Linux.
const DEBUG_TRAP: c_int = 65;

/// Which of it there is: a `PS0` and a `PS2` that run something, a trap on DEBUG.
pub(crate) fn of(bash: &Bash) -> i64 {
    let runs = |name| attribution::quietly(|| bash.variable(name)).is_some_and(may_run);
    // SAFETY: bash's function only looks at its own table, in which the number is.
    let is_trapped = bash
        .signal_is_trapped
        .is_some_and(|asked| unsafe { asked(DEBUG_TRAP) } != 0);
    i64::from(runs(c"PS0")) | i64::from(runs(c"PS2")) << 1 | i64::from(is_trapped) << 2
}

/// A text that runs something when it is expanded.
fn may_run(text: &[u8]) -> bool {
    text.contains(&b'`') || text.windows(2).any(|two| two == b"$(")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_a_substitution_runs_nothing() {
        for (text, expect) in [
            ("> ", false),
            ("$x> ", false),
            ("$(sleep 1)> ", true),
            ("`a`", true),
            ("$", false),
        ] {
            assert_eq!(may_run(text.as_bytes()), expect, "{text}");
        }
    }
}
