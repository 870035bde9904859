//! What a session that is memory only tells `maint`, which has no file to read it from.
//!
//! Form: a line for each thing known, its name and a blank before it; a name that is not known is passed over.
//!
//! ```text
//!  session 00000000000011fe
//!  pid 4242
//!  flight /run/user/0/lusush: No space left on device        why nobody else sees the session
//!  history cannot create the log: No space left on device     why its commands are not in the log
//!  waiting 3                                                   how many wait; without it bash alone has them
//! ```

use super::Session;
use std::fmt::Write;

/// The variable that `maint` finds it in.
pub(crate) const VARIABLE: &str = "LUSUSH_MEMORY_ONLY";

impl Session {
    /// Returns what is kept in this process only, and why; none if that is nothing. `pid` is the shell's.
    pub(crate) fn memory_only_told(&self, pid: u32) -> Option<String> {
        let problems = [("flight", &self.flight_problem), ("history", &self.log_problem)];
        if problems.iter().all(|(_, problem)| problem.is_none()) {
            return None;
        }
        let mut told = format!("session {:016x}\npid {pid}\n", self.id);
        for (name, problem) in problems {
            if let Some(problem) = problem {
                let problem = problem.replace(char::is_control, " ");
                let _ = writeln!(told, "{name} {problem}");
            }
        }
        if let Some(waiting) = self.commands_waiting().filter(|_| self.log_problem.is_some()) {
            let _ = writeln!(told, "waiting {waiting}");
        }
        Some(told)
    }
}
