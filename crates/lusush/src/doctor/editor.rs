//! What is in force: the sessions, and what the start guard would do.

use lle_core::quantity::several;
use lle_core::report::Check;
use lle_core::severity::Severity;
use lle_metrics::{Counter, Gauge};

use crate::maint::session::{End, Session, Status};
use crate::maint::status::status;
use crate::{paths, start};

/// Looks at the start-up files' guard and at the live sessions.
pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![guard()];
    if let Ok(runtime) = paths::folders().runtime {
        checks.push(match status(&runtime.join("sessions")) {
            Ok(status) => sessions(&status),
            Err(error) => Check::unknown("sessions", error.to_string()),
        });
    }
    checks
}

fn guard() -> Check {
    let subject = "start-up files";
    match start::told() {
        Err(error) => Check::unknown(subject, error.to_string()),
        Ok(None) => Check::fine(subject, "the next start reads ~/.bashrc as it is"),
        Ok(Some(message)) => {
            // It is laid out for a terminal; here it is one sentence after another.
            let message: Vec<_> = message.split_whitespace().collect();
            let evidence = format!("the next start will say: {}", message.join(" "));
            let remedy = "mend ~/.bashrc: any change to it is tried at the next start";
            Check::found(Severity::Warning, subject, evidence, remedy)
        }
    }
}

fn sessions(status: &Status) -> Check {
    let on = |session: &&Session| session.flag(Gauge::On) == Some(true);
    let (all, in_force) = (status.sessions.len(), status.sessions.iter().filter(on).count());
    let ended = |how: End| status.dead.iter().filter(|session| session.end() == how).count();
    let with_terminal = match ended(End::HungUp) {
        0 => String::new(),
        n => format!(", {n} with their terminal"),
    };
    let evidence = format!(
        "{in_force} with LLE in force, {} without; {} ended without a word{with_terminal}",
        all - in_force,
        ended(End::WithoutAWord)
    );
    let panics: u64 = status
        .sessions
        .iter()
        .map(|session| session.counter(Counter::Panics))
        .sum();
    if panics > 0 {
        let evidence = format!("{evidence}; {} in LLE", several(panics, "panic", "panics"));
        let remedy = "`lusush maint status` shows which; `lle on` there revives it; please report it";
        return Check::found(Severity::Minor, "sessions", evidence, remedy);
    }
    Check::fine("sessions", evidence)
}
