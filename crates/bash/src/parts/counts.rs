//! What came of putting parts of the prompt off.
//!
//! Invariant: a time is saved only where it is known: the child has answered, and what it took is what the prompt would
//! have taken without it.

/// Counted since the session began; times in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Prompts of which a part was put off.
    pub(crate) prompts: u64,
    /// Parts that were there in time.
    pub(crate) fresh: u64,
    /// Values that came when the prompt was there already.
    pub(crate) late: u64,
    /// Those of them that were other than what was shown.
    pub(crate) differed: u64,
    /// Children that were ended before they had answered: the line was quicker, or they were overdue.
    pub(crate) given_up: u64,
    /// What the parts took, of the prompts for which it is known.
    pub(crate) work_ns: u64,
    /// What those prompts waited for them.
    pub(crate) waited_ns: u64,
    /// How old the last value was that was shown older.
    pub(crate) age_ns: Option<u64>,
    /// What starting the child took, and what was waited for it, of the prompt under way.
    spent: (u64, u64),
    /// The prompt under way is shown.
    is_shown: bool,
}

impl Counts {
    /// A child was started, which took so long.
    pub(super) fn began(&mut self, fork_ns: u64) {
        self.prompts += 1;
        (self.spent, self.is_shown) = ((fork_ns, 0), false);
    }

    pub(super) fn waited(&mut self, ns: u64) {
        self.spent.1 = self.spent.1.saturating_add(ns);
    }

    /// Of the prompt that is shown: what starting the child took, and what was waited for it.
    pub(super) fn spent_ns(&self) -> (u64, u64) {
        self.spent
    }

    pub(super) fn older(&mut self, age_ns: u64) {
        self.age_ns = Some(age_ns);
    }

    pub(super) fn shown(&mut self) {
        self.is_shown = true;
    }

    /// A value came.
    pub(super) fn came(&mut self, differs: bool) {
        if self.is_shown {
            self.late += 1;
            self.differed += u64::from(differs);
        }
    }

    /// The child is done; with what all its parts took, if they all came.
    pub(super) fn over(&mut self, work_ns: Option<u64>) {
        let Some(work_ns) = work_ns else {
            self.given_up += 1;
            return;
        };
        self.work_ns = self.work_ns.saturating_add(work_ns);
        // Of one that comes while the prompt waits, the wait is what it took.
        let spent = if self.is_shown {
            self.spent.0.saturating_add(self.spent.1)
        } else {
            work_ns
        };
        self.waited_ns = self.waited_ns.saturating_add(spent);
    }
}
