//! Sessions and workers that crash again and again.

use lle_core::recovery::{LEVEL_MAX, WORKER_CRASHES_MIN, WORKER_WINDOW_NS};
use lle_core::report::Check;
use lle_core::severity::Severity;

use crate::maint::ask;
use crate::maint::recover::gather::now_ns;
use crate::maint::recover::kept;
use crate::maint::recover::places::Places;
use crate::start_crashes;

/// Looks whether anything is off, or started more rarely, since it crashed.
pub(super) fn checks() -> Vec<Check> {
    let Ok(places) = Places::look(None) else {
        // The folders have been told of.
        return Vec::new();
    };
    let mut checks = vec![sessions(&places), worker(&places)];
    checks.extend(pending(&places));
    checks
}

fn sessions(places: &Places) -> Check {
    match start_crashes::level(&places.degraded()) {
        0 => Check::fine("crashes", "no session crashed again and again"),
        level => {
            let what = if level >= LEVEL_MAX {
                "LLE is off"
            } else {
                "features are off"
            };
            let evidence = format!("{what} since sessions crashed (level {level} of {LEVEL_MAX})");
            Check::found(
                Severity::Major,
                "crashes",
                evidence,
                "`lusush --retry` starts with everything again",
            )
        }
    }
}

/// A recovery that was killed is told until it is taken back.
fn pending(places: &Places) -> Option<Check> {
    let pending = kept::pending(places)?;
    Some(Check::found(
        Severity::Major,
        "recovery",
        format!("a recovery from {} was interrupted", pending.scenario),
        format!(
            "`lusush maint recover {}` puts back what it had replaced, and begins anew",
            pending.scenario
        ),
    ))
}

fn worker(places: &Places) -> Check {
    let since = now_ns().saturating_sub(WORKER_WINDOW_NS);
    let crashes = lle_maintenance::worker::crashes::found(&places.maint);
    let recent = crashes.iter().filter(|at| **at >= since).count();
    if recent >= WORKER_CRASHES_MIN as usize {
        return Check::found(
            Severity::Major,
            "worker",
            format!("it died {recent} times within ten minutes"),
            "`lusush maint recover worker-crashes` lets it begin anew",
        );
    }
    match lle_maintenance::worker::lock::holder(&places.maint) {
        Ok(Some(pid)) => match ask::elsewhere() {
            Some(elsewhere) => Check::found(Severity::Major, "worker", elsewhere.told(), elsewhere.remedy()),
            None => Check::fine("worker", format!("process {pid}")),
        },
        Ok(None) if places.is_stopped() => {
            Check::fine("worker", "stopped: `lusush maint start` lets workers run")
        }
        Ok(None) => Check::fine("worker", "none runs; the next prompt of a session starts one"),
        Err(error) => Check::unknown("worker", error.to_string()),
    }
}
