//! Which commands may have changed what makes the prompt, so that a slower one can be blamed on its cause.
//!
//! A prompt that sets `PS1` anew each time is usual, and no change of anybody's: a `PS1` that differs counts only after a
//! command that speaks of it, or reads a file. `PROMPT_COMMAND` counts whenever it differs, and after a command that
//! speaks of it, since of an array only the first entry is looked at. What both run may change while they stay as they are:
//! so whatever sets a function, a variable or an option counts, too, or has the shell read a text ([`acts`]).
//!
//! Invariant: a candidate costs nothing if it changed nothing; one that is missed leaves a slower prompt to nobody, never to
//! another line for sure.

mod acts;

pub(crate) use acts::{Acts, acts};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unseen {
    /// There was none.
    #[default]
    No,
    /// It does not speak of what makes the prompt.
    Silent,
    /// Neither, but it changes what a prompt may go by.
    Acts,
    /// It speaks of what makes the prompt, or reads a file.
    Speaks,
}

/// The command that ran before this prompt.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct By<'a> {
    /// Its first line; empty if there was none, or nobody may see it.
    pub(crate) line: &'a [u8],
    /// What its further lines do, if it has any.
    pub(crate) more: Option<Acts>,
    /// What is known of one that nobody may see.
    pub(crate) unseen: Unseen,
}

/// What a command may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MayChange {
    /// `PROMPT_COMMAND` or `PS1` themselves, not only what they run.
    pub(crate) texts: bool,
    /// How prompts look, and nothing else: what `PROMPT_COMMAND` runs is as it was.
    pub(crate) looks_alone: bool,
}

impl Unseen {
    /// Keeps of a line that nobody may see only what is asked of it later.
    pub(crate) fn of(line: &[u8]) -> Self {
        if speaks_of(line, b"PROMPT_COMMAND") || may_set_ps1(line) {
            Self::Speaks
        } else if acts(line) != Acts::No {
            Self::Acts
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

    /// Takes in what makes the prompt now; says what `by`, the command that ran, may have changed, if anything.
    pub(crate) fn see(&mut self, command: &[u8], ps1: &[u8], by: By<'_>) -> Option<MayChange> {
        let now = (fnv(command), fnv(ps1));
        let before = self.seen.replace(now)?;
        let reads = by.more == Some(Acts::Reads) || by.unseen == Unseen::Speaks;
        let texts = before.0 != now.0
            || speaks_of(by.line, b"PROMPT_COMMAND")
            || before.1 != now.1 && (reads || may_set_ps1(by.line));
        let is_acted = acts(by.line) != Acts::No
            || by.more.is_some_and(|more| more != Acts::No)
            || by.unseen >= Unseen::Acts;
        (texts || is_acted).then(|| MayChange {
            texts,
            looks_alone: before.0 == now.0 && by.more.is_none() && acts::sets_looks_alone(by.line),
        })
    }
}

fn may_set_ps1(by: &[u8]) -> bool {
    speaks_of(by, b"PS1") || acts(by) == Acts::Reads
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
            text.see(command.as_bytes(), ps1.as_bytes(), By::default());
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
        let check = |from: (&str, &str), to: (&str, &str), line: &str, expect: Option<bool>| {
            let mut text = PromptText::default();
            let by = |line| By {
                line,
                ..By::default()
            };
            let first = text.see(from.0.as_bytes(), from.1.as_bytes(), by(b"PS1=x"));
            assert_eq!(first, None, "the first");
            let seen = text.see(to.0.as_bytes(), to.1.as_bytes(), by(line.as_bytes()));
            assert_eq!(seen.map(|seen| seen.texts), expect, "{from:?} {to:?} {line}");
        };
        let (same, other) = (Some(false), Some(true));
        check(("a", "$ "), ("a", "$ "), "echo", None);
        check(("a", "$ "), ("b", "$ "), "echo", other);
        check(("", "$ "), ("a", "$ "), "", other);
        check(("a", "1$ "), ("a", "2$ "), "echo", None);
        check(("a", "1$ "), ("a", "2$ "), "PS1='2$ '", other);
        check(("a", "1$ "), ("a", "2$ "), " . ~/.bashrc", other);
        check(("a", "1$ "), ("a", "2$ "), "source x", other);
        check(("a", "$ "), ("a", "$ "), "PROMPT_COMMAND+=(b)", other);
        // What both run may be another, while they are as they were.
        check(("a", "$ "), ("a", "$ "), "a() { sleep 1; }", same);
        check(("a", "$ "), ("a", "$ "), ". ~/slow.sh", same);
        check(("a", "$ "), ("a", "$ "), "export SHOWDIRTY=1", same);
        check(("a", "1$ "), ("a", "2$ "), "export SHOWDIRTY=1", same);
    }

    #[test]
    fn what_further_lines_do_and_lines_that_nobody_may_see_count_too() {
        let check = |more: Option<Acts>, unseen: Unseen, expect: Option<bool>| {
            let mut text = PromptText::default();
            let by = By {
                line: b"",
                more,
                unseen,
            };
            text.see(b"a", b"1$ ", by);
            let seen = text.see(b"a", b"2$ ", by);
            assert_eq!(seen.map(|seen| seen.texts), expect, "{more:?} {unseen:?}");
        };
        check(None, Unseen::No, None);
        check(Some(Acts::No), Unseen::No, None);
        check(Some(Acts::Sets), Unseen::No, Some(false));
        check(Some(Acts::Reads), Unseen::No, Some(true));
        check(None, Unseen::Silent, None);
        check(None, Unseen::of(b" q() { sleep 1; }"), Some(false));
        check(None, Unseen::of(b" . ~/slow.sh"), Some(true));
    }

    #[test]
    fn a_line_that_sets_ps1_alone_is_told_from_one_that_does_more() {
        let check = |to: &str, line: &str, more: Option<Acts>, expect: bool| {
            let mut text = PromptText::default();
            text.see(b"a", b"$ ", By::default());
            let by = By {
                line: line.as_bytes(),
                more,
                unseen: Unseen::No,
            };
            let seen = text.see(to.as_bytes(), b"% ", by);
            assert_eq!(seen.map(|seen| seen.looks_alone), Some(expect), "{line}");
        };
        check("a", "PS1='% '", None, true);
        check("a", "PS1='% '", Some(Acts::No), false);
        check("a", "PS1='% '; q() { sleep 1; }", None, false);
        check("b", "PS1='% '", None, false);
    }
}
