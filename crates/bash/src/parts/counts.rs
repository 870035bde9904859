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
    /// What its parts took, if they came before it was shown: what was waited for them is not known before then.
    untold_ns: Option<u64>,
    /// Which of the texts that speak of parts speak of none in PS1, as bits.
    pub(crate) unfit: u64,
}

impl Counts {
    /// A child was started, which took so long.
    pub(super) fn began(&mut self, fork_ns: u64) {
        self.prompts += 1;
        (self.spent, self.is_shown, self.untold_ns) = ((fork_ns, 0), false, None);
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
        if let Some(work_ns) = self.untold_ns.take() {
            self.book(work_ns);
        }
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
        match work_ns {
            None => self.given_up += 1,
            Some(work_ns) if self.is_shown => self.book(work_ns),
            // It came while the prompt waited, or while the rest of it was expanded, which is no wait.
            work_ns => self.untold_ns = work_ns,
        }
    }

    fn book(&mut self, work_ns: u64) {
        self.work_ns = self.work_ns.saturating_add(work_ns);
        let spent = self.spent.0.saturating_add(self.spent.1);
        self.waited_ns = self.waited_ns.saturating_add(spent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_real_wait_is_one() {
        // What the parts took, what was waited before the prompt was shown, whether they came before, and what of the
        // time is booked as spent by the prompt; starting the child takes 1.
        let check = |work: u64, wait: u64, before: bool, expect: (u64, u64)| {
            let mut counts = Counts::default();
            counts.began(1);
            if before {
                counts.over(Some(work));
            }
            counts.waited(wait);
            counts.shown();
            if !before {
                counts.over(Some(work));
            }
            assert_eq!(
                (counts.work_ns, counts.waited_ns),
                expect,
                "{work} {wait} {before}"
            );
        };
        // While the rest was expanded.
        check(40, 0, true, (40, 1));
        check(40, 15, true, (40, 16));
        check(200, 20, false, (200, 21));
        // One that was never shown says nothing, nor does one that never came.
        let mut counts = Counts::default();
        counts.began(1);
        counts.over(Some(40));
        counts.began(1);
        counts.shown();
        counts.over(None);
        assert_eq!((counts.work_ns, counts.waited_ns, counts.given_up), (0, 0, 1));
    }
}
