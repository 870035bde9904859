//! Which commands may have changed what makes the prompt, so that a slower one can be blamed on its cause.
//!
//! A prompt that sets `PS1` anew each time is usual, and no change of anybody's: a `PS1` that differs counts only after a
//! command that speaks of it, or reads a file. `PROMPT_COMMAND` counts whenever it differs, and after a command that
//! speaks of it, since of an array only the first entry is looked at.
//!
//! Invariant: a candidate costs nothing if it changed nothing; one that is missed is still found by its effect alone.

/// What makes the prompt, shortened to numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PromptText {
    /// Of `PROMPT_COMMAND` and `PS1`; none before the first prompt.
    seen: Option<(u64, u64)>,
}

impl PromptText {
    /// Takes in what makes the prompt now; true if `by`, the command that ran, may have changed it.
    pub(crate) fn see(&mut self, command: &[u8], ps1: &[u8], by: &[u8]) -> bool {
        let now = (fnv(command), fnv(ps1));
        let Some(before) = self.seen.replace(now) else {
            return false;
        };
        before.0 != now.0 || speaks_of(by, b"PROMPT_COMMAND") || before.1 != now.1 && may_set_ps1(by)
    }
}

fn may_set_ps1(by: &[u8]) -> bool {
    let by = by.trim_ascii_start();
    speaks_of(by, b"PS1") || by.starts_with(b". ") || by.starts_with(b"source ")
}

fn speaks_of(by: &[u8], name: &[u8]) -> bool {
    by.windows(name.len()).any(|part| part == name)
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo).
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_sets_the_prompt_is_a_candidate() {
        let check = |from: (&str, &str), to: (&str, &str), by: &str, expect: bool| {
            let mut text = PromptText::default();
            assert!(
                !text.see(from.0.as_bytes(), from.1.as_bytes(), b"PS1=x"),
                "the first"
            );
            let seen = text.see(to.0.as_bytes(), to.1.as_bytes(), by.as_bytes());
            assert_eq!(seen, expect, "{from:?} {to:?} {by}");
        };
        check(("a", "$ "), ("a", "$ "), "echo", false);
        check(("a", "$ "), ("b", "$ "), "echo", true);
        check(("", "$ "), ("a", "$ "), "", true);
        check(("a", "1$ "), ("a", "2$ "), "echo", false);
        check(("a", "1$ "), ("a", "2$ "), "PS1='2$ '", true);
        check(("a", "1$ "), ("a", "2$ "), " . ~/.bashrc", true);
        check(("a", "1$ "), ("a", "2$ "), "source x", true);
        check(("a", "$ "), ("a", "$ "), "PROMPT_COMMAND+=(b)", true);
    }
}
