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
    /// What was set by a line that nobody may see.
    private: Private,
}

/// Whose names nobody may see, of what makes the prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Private {
    /// `PROMPT_COMMAND`.
    pub(crate) command: bool,
    /// `PS1`.
    pub(crate) ps1: bool,
}

impl Private {
    /// Neither may be named.
    pub(crate) const BOTH: Self = Self {
        command: true,
        ps1: true,
    };
}

/// The line that nobody may see and that ran before this prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// There was none.
    #[default]
    No,
    /// It does not speak of what makes the prompt.
    Silent,
    /// It does, or reads a file.
    Speaks,
}

impl Unseen {
    /// Keeps of a line that nobody may see only what is asked of it later.
    pub(crate) fn of(line: &[u8]) -> Self {
        if speaks_of(line, b"PROMPT_COMMAND") || may_set_ps1(line) {
            Self::Speaks
        } else {
            Self::Silent
        }
    }
}

impl PromptText {
    /// Says what of it nobody may see: what a line that nobody may see has set, until another line sets it anew. To be
    /// called before [`Self::see`].
    pub(crate) fn private(&mut self, command: &[u8], ps1: &[u8], by: Unseen) -> Private {
        let now = (fnv(command), fnv(ps1));
        let before = self.seen.unwrap_or(now);
        let unseen = by != Unseen::No;
        if before.0 != now.0 || by == Unseen::Speaks {
            self.private.command = unseen;
        }
        if before.1 != now.1 || by == Unseen::Speaks {
            self.private.ps1 = unseen;
        }
        self.private
    }

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

pub(crate) use lle_core::sum::of as fnv;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_unseen_stays_private() {
        let mut text = PromptText::default();
        let mut check = |command: &str, ps1: &str, by: Unseen, expect: (bool, bool)| {
            let private = text.private(command.as_bytes(), ps1.as_bytes(), by);
            text.see(command.as_bytes(), ps1.as_bytes(), b"");
            assert_eq!((private.command, private.ps1), expect, "{command} {ps1} {by:?}");
        };
        check("a", "1$ ", Unseen::No, (false, false));
        check("a", "1$ ", Unseen::Silent, (false, false));
        check("b", "1$ ", Unseen::Silent, (true, false));
        check("b", "1$ ", Unseen::No, (true, false));
        check("c", "1$ ", Unseen::No, (false, false));
        check("c", "2$ ", Unseen::Silent, (false, true));
        check("c", "3$ ", Unseen::No, (false, false));
        // Of an array only the first entry is looked at.
        let by = Unseen::of(b" PROMPT_COMMAND+=(b)");
        check("c", "3$ ", by, (true, true));
        check("c", "3$ ", Unseen::No, (true, true));
    }

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
