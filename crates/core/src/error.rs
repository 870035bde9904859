//! The stable error table: one row an error, whoever reports it — the exit status of the command line, the error of
//! the control socket, the C result code.
//!
//! Invariant: a row's name and number never change and are never used again; rows are added at the end. The names
//! that the source document has for its result codes stand beside them.

macro_rules! errors {
    ($($row:ident = $code:literal, $name:literal, $exit:literal, $seed:literal, $about:literal;)*) => {
        /// What an operation failed with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Code { $(#[doc = $about] $row = $code,)* }

        impl Code {
            /// Every row, by number.
            pub const ALL: &[Code] = &[$(Code::$row,)*];

            /// The stable name: the error of the control socket is `io.lusush.Maintenance.` and this.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$row => $name,)* }
            }

            /// The exit status of the command line.
            pub const fn exit(self) -> u8 {
                match self { $(Code::$row => $exit,)* }
            }

            /// The result code of the source document without its prefix `LLE_MAINT_`; empty where it has none.
            pub const fn seed(self) -> &'static str {
                match self { $(Code::$row => $seed,)* }
            }

            /// One sentence on what it means.
            pub const fn about(self) -> &'static str {
                match self { $(Code::$row => $about,)* }
            }
        }
    };
}

errors! {
    Success = 0, "Success", 0, "SUCCESS", "It was done.";
    Failed = 1, "Failed", 1, "", "It failed for a reason that has no row of its own.";
    InvalidParameters = 2, "InvalidParameters", 2, "ERROR_INVALID_PARAMETERS", "A parameter is missing, unknown or out of range.";
    InvalidState = 3, "InvalidState", 3, "ERROR_INVALID_STATE", "It cannot be done in the state that the system is in.";
    OutOfMemory = 4, "OutOfMemory", 4, "ERROR_MEMORY_ALLOCATION_FAILED", "Memory was refused.";
    StartFailed = 5, "StartFailed", 5, "ERROR_THREAD_INIT_FAILED", "A part could not be started; nothing of it was left behind.";
    Unauthorized = 6, "Unauthorized", 6, "ERROR_UNAUTHORIZED_OPERATION", "Whoever asked may not do that.";
    PolicyViolation = 7, "PolicyViolation", 7, "ERROR_POLICY_VIOLATION", "A policy forbids it.";
    IntegrityFailed = 8, "IntegrityFailed", 8, "ERROR_INTEGRITY_CHECK_FAILED", "What was read is not what was written.";
    BackupUnhealthy = 9, "BackupUnhealthy", 9, "ERROR_BACKUP_SYSTEM_UNHEALTHY", "The backups cannot be relied on.";
    BackupInvalid = 10, "BackupInvalid", 10, "ERROR_BACKUP_VALIDATION_FAILED", "A backup is not what it should be.";
    HotReloadDisabled = 11, "HotReloadDisabled", 11, "ERROR_HOT_RELOAD_DISABLED", "Live reload is switched off.";
    PerformanceDegraded = 12, "PerformanceDegraded", 12, "ERROR_PERFORMANCE_DEGRADATION", "It made things slower and was undone.";
    RecoveryPhaseInvalid = 13, "RecoveryPhaseInvalid", 13, "ERROR_RECOVERY_PHASE_VALIDATION_FAILED", "A phase of a recovery did not hold.";
    TestingFailed = 14, "TestingFailed", 14, "ERROR_TESTING_FAILED", "A self-test failed.";
    TestingInactive = 15, "TestingInactive", 15, "ERROR_TESTING_INACTIVE", "Self-tests are switched off.";
    AnalyticsInactive = 16, "AnalyticsInactive", 16, "ERROR_ANALYTICS_INACTIVE", "Analytics are switched off.";
    NotFound = 17, "NotFound", 17, "", "There is nothing of that name.";
    Busy = 18, "Busy", 18, "", "It is already being done, or too much is.";
    TimedOut = 19, "TimedOut", 19, "", "It took longer than it may.";
    NotBuilt = 20, "NotBuilt", 20, "", "This version cannot do that yet.";
    NoWorker = 21, "NoWorker", 21, "", "There is no worker to do it.";
    Unavailable = 22, "Unavailable", 22, "", "Something it needs cannot be reached or written.";
    Undone = 23, "Undone", 23, "", "It was applied, did not hold, and was undone.";
    Stuck = 24, "Stuck", 24, "", "It was applied, did not hold, and could not be undone.";
    Cancelled = 25, "Cancelled", 25, "", "It was cancelled.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_up_and_names_are_distinct() {
        for (at, code) in Code::ALL.iter().enumerate() {
            assert_eq!(*code as usize, at);
            let twins = Code::ALL.iter().filter(|other| other.name() == code.name());
            assert_eq!(twins.count(), 1, "{}", code.name());
            assert!(code.about().ends_with('.'));
        }
    }

    #[test]
    fn only_success_exits_with_zero() {
        assert!(
            Code::ALL
                .iter()
                .all(|code| (code.exit() == 0) == (*code == Code::Success))
        );
    }
}
