//! What a session does for the worker: it says what it is told, gives memory back, can be woken, and starts a worker
//! where there is none.
#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

#[path = "../support/mod.rs"]
mod support;

mod told;
mod woken;
mod worker;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use lle_core::desired::{Alert, Desired, FILE_NAME, Trim};
use lle_core::severity::Severity;
use lle_metrics::{Counter, Gauge, Liveness, Snapshot};
use lle_pty::{Home, Terminal};

use support::bash_with_lle;

/// The one session in a home, as the worker sees it.
struct Seen<'a> {
    home: &'a Home,
    flight: PathBuf,
}

impl<'a> Seen<'a> {
    fn of(home: &'a Home) -> Self {
        let flights = files(home, "flight");
        assert_eq!(flights.len(), 1, "{flights:?}");
        Self {
            home,
            flight: flights[0].clone(),
        }
    }

    fn id(&self) -> u64 {
        self.snapshot().identity().session_id
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::read(&self.flight).unwrap()
    }

    fn counter(&self, counter: Counter) -> u64 {
        self.snapshot().counter(counter)
    }

    fn gauge(&self, gauge: Gauge) -> Option<i64> {
        self.snapshot().gauge(gauge)
    }

    /// Puts down what is wanted, as the worker does: under another name first.
    fn want(&self, generation: u64, alerts: &[(u64, u64, &str)], trims: &[(u64, u64)]) {
        let alerts = alerts.iter().map(|&(id, session, text)| Alert {
            id,
            session,
            severity: Severity::Warning,
            text: text.into(),
        });
        let trims = trims.iter().map(|&(token, session)| Trim { token, session });
        let desired = Desired {
            generation,
            alerts: alerts.collect(),
            trims: trims.collect(),
            ..Desired::default()
        };
        let path = self.home.lusush().join("run").join(FILE_NAME);
        fs::write(path.with_extension("new"), desired.encode()).unwrap();
        fs::rename(path.with_extension("new"), path).unwrap();
    }

    /// Wakes the session; false if it does not listen.
    fn wake(&self) -> bool {
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        sender.send_to(b"", self.flight.with_extension("wake")).is_ok()
    }

    /// Waits until the flight file says what `true_of` asks for.
    fn wait(&self, terminal: &mut Terminal, what: &str, true_of: impl Fn(&Snapshot) -> bool) {
        terminal
            .wait_for(what, |_| true_of(&self.snapshot()))
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

/// The files of one kind in a home's folder of sessions.
fn files(home: &Home, extension: &str) -> Vec<PathBuf> {
    let folder = home.lusush().join("run/sessions");
    let entries = fs::read_dir(folder).map_or(vec![], |entries| entries.flatten().collect());
    let paths = entries.iter().map(fs::DirEntry::path);
    paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

fn session(rc: &str) -> (Home, Terminal) {
    bash_with_lle("bash".as_ref(), rc)
}
