//! `lusush maint cache`: every cache of every session, from the flight files, and by what it keeps and lets go.
//!
//! Invariant: nothing is asked of a worker, so it is the same without one; what a session does not tell is `null`.

use std::fmt::Write;
use std::path::Path;

use lle_core::cache::{CACHES, Counted, Reading};
use lle_core::desired::{self, Desired};
use lle_core::health::sample::Window;
use lle_core::lever::{Lever, Levers};
use lle_core::quantity::{bytes, count, several};
use lle_core::task::cache_cleanup::NONE_CHECKED;
use lle_metrics::{Liveness, Snapshot};
use serde::Serialize;

use super::session::SCHEMA_VERSION;
use super::status;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::text::{COLUMNS, Ink, printable, wrapped};
use crate::{answer, paths};

/// The caches of all sessions.
#[derive(Debug, Serialize)]
struct CachesDocument {
    version: u32,
    /// Every session that lives.
    sessions: Vec<SessionDocument>,
    /// By what each cache keeps what it has.
    policies: Vec<PolicyDocument>,
}

/// The caches of one session.
#[derive(Debug, Serialize)]
struct SessionDocument {
    session: String,
    tty: String,
    pid: u32,
    caches: Vec<CacheDocument>,
    /// Entries that were worked out again while nobody typed, since the session began.
    checked: u64,
    /// Of these, entries that were wrong, and so forgotten.
    wrong: u64,
}

/// One cache.
#[derive(Debug, Serialize)]
struct CacheDocument {
    name: &'static str,
    entries: Option<u64>,
    /// None if it is not for levers to say.
    capacity: Option<u64>,
    bytes: Option<u64>,
    asked: Option<u64>,
    hit_percent: Option<f64>,
    evictions: Option<u64>,
    ghost_hits: Option<u64>,
    /// Of the questions, what so many more entries as there are ghosts would have answered besides.
    more_room_percent: Option<f64>,
}

/// By what a cache keeps what it has.
#[derive(Debug, Serialize)]
struct PolicyDocument {
    cache: &'static str,
    policy: &'static str,
    /// What sets its size.
    lever: Option<&'static str>,
}

/// Shows them.
pub(super) fn run(json: bool) -> Result<ExitCode, Failure> {
    let failed = || Failure::new("cannot look for sessions").hint("`lusush doctor` says more about folders");
    let runtime = paths::folders()
        .runtime
        .map_err(|refusal| failed().because(refusal))?;
    let (files, _) =
        status::flight_files(&runtime.join("sessions")).map_err(|error| failed().because(error))?;
    let levers = levers(&runtime);
    let sessions = files.iter().filter_map(|path| session(path, &levers)).collect();
    let document = CachesDocument {
        version: SCHEMA_VERSION,
        sessions,
        policies: policies(&levers),
    };
    match json {
        true => answer::json(&document),
        false => answer::text(&text(&document, Ink::of_stdout())),
    }
}

/// What sessions were told to use; what they do by themselves, if nobody told them anything.
fn levers(runtime: &Path) -> Levers {
    let mut levers = Levers::default();
    let told = std::fs::read(runtime.join(desired::FILE_NAME)).ok();
    for setting in told
        .iter()
        .filter_map(|told| Desired::decode(told).ok())
        .flat_map(|told| told.settings)
    {
        // What is no lever is another's setting.
        let _ours = levers.set(&setting.name, &setting.value);
    }
    levers
}

/// Reads the caches of one session; none if it has ended.
fn session(path: &Path, levers: &Levers) -> Option<SessionDocument> {
    let alive = lle_metrics::liveness::liveness(path);
    let snapshot = Snapshot::read(path).ok()?;
    (alive != Liveness::Dead).then(|| document(&snapshot, levers))
}

fn document(snapshot: &Snapshot, levers: &Levers) -> SessionDocument {
    let mut window = Box::new(Window::new());
    window.fold(0, snapshot);
    let counted = Counted::of(&window);
    let of_lever = CACHES.iter().zip(counted.caches).map(|(row, reading)| {
        let capacity = levers.value(row.capacity);
        cache(row.name, reading, Some(capacity))
    });
    let parts = counted
        .parts
        .map(|parts| cache("prompt parts", Some(parts.kept), None));
    let identity = snapshot.identity();
    SessionDocument {
        session: format!("{:016x}", identity.session_id),
        tty: identity.tty.clone(),
        pid: identity.pid,
        caches: of_lever.chain(parts).collect(),
        checked: counted.checked,
        wrong: counted.wrong,
    }
}

fn cache(name: &'static str, reading: Option<Reading>, capacity: Option<u64>) -> CacheDocument {
    CacheDocument {
        name,
        entries: reading.map(|of| of.entries),
        capacity,
        bytes: reading.map(|of| of.bytes),
        asked: reading.map(|of| of.asked()),
        hit_percent: reading.and_then(|of| of.hit_percent()),
        evictions: reading.map(|of| of.evictions),
        ghost_hits: reading.map(|of| of.ghost_hits),
        more_room_percent: reading.and_then(|of| of.more_room_percent()),
    }
}

fn policies(levers: &Levers) -> Vec<PolicyDocument> {
    let row = |at: usize| CACHES.get(at).map(|row| (row.name, row.capacity));
    let of = |(cache, lever): (&'static str, Lever)| PolicyDocument {
        cache,
        policy: match lever {
            Lever::NamesCacheEntries if levers.value(Lever::NamesKeep) == 0 => {
                "kept to the next prompt (names.keep = prompt)"
            }
            Lever::NamesCacheEntries => "kept until a folder of PATH changes (names.keep = path)",
            Lever::SuggestionCacheEntries => "kept until the history changes",
            _ => "kept for seconds at most, and no longer than the line",
        },
        lever: Some(lever.row().name),
    };
    let mut policies: Vec<PolicyDocument> = (0..CACHES.len()).filter_map(row).map(of).collect();
    policies.push(PolicyDocument {
        cache: "prompt parts",
        policy: "shown older while the new value is made; of a fixed size",
        lever: None,
    });
    policies
}

fn text(document: &CachesDocument, ink: Ink) -> String {
    let mut out = String::new();
    if document.sessions.is_empty() {
        out.push_str("No session runs, so there is no cache: `lusush` starts one.\n");
        return out;
    }
    for session in &document.sessions {
        let title = format!("{} ({})", printable(&session.tty, 30), session.session);
        let _ = writeln!(out, "{}", ink.strong(&title));
        let _ = writeln!(
            out,
            "  {:<12}{:>15}{:>9}{:>12}{:>7}{:>12}  MORE ROOM",
            "CACHE", "ENTRIES", "BYTES", "ASKED", "FOUND", "LET GO"
        );
        for cache in &session.caches {
            let _ = writeln!(out, "  {}", row(cache));
        }
        let checked = match session.checked {
            0 => NONE_CHECKED.to_owned(),
            n => format!(
                "{} worked out again while nobody typed, {} wrong",
                several(n, "entry", "entries"),
                count(session.wrong)
            ),
        };
        let _ = writeln!(out, "  {}\n", wrapped(&checked, COLUMNS - 2, 2));
    }
    for policy in &document.policies {
        let size = policy
            .lever
            .map_or(String::new(), |lever| format!("; {lever} sets its size"));
        let said = format!("{}: {}{size}", policy.cache, policy.policy);
        let _ = writeln!(out, "{}", wrapped(&said, COLUMNS, 2));
    }
    let said = "Counted since each session began. What was not asked for lately goes first; what it was is remembered, and \
                MORE ROOM is the part of the questions that 64 more entries would have answered. \
                `lusush maint run cache-cleanup` tries more room where that is worth it.";
    let _ = writeln!(out, "{}", wrapped(said, COLUMNS, 0));
    out
}

fn row(cache: &CacheDocument) -> String {
    let number = |n: Option<u64>| n.map_or("unknown".to_owned(), count);
    let percent = |of: Option<f64>| of.map_or("–".to_owned(), |of| format!("{of:.0} %"));
    let entries = match cache.capacity {
        Some(capacity) => format!("{} of {}", number(cache.entries), count(capacity)),
        None => number(cache.entries),
    };
    let held = cache.bytes.map_or("unknown".to_owned(), |n| bytes(n as f64));
    format!(
        "{:<12}{entries:>15}{held:>9}{:>12}{:>7}{:>12}  {}",
        cache.name,
        number(cache.asked),
        percent(cache.hit_percent),
        number(cache.evictions),
        percent(cache.more_room_percent),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use lle_metrics::{Flight, Gauge, Identity};

    fn snapshot() -> Snapshot {
        let flight = Flight::private(&Identity {
            session_id: 7,
            boot_id: [1; 16],
            pid: 1000,
            start_ticks: 1,
            created_wall_ns: 1,
            tty: "/dev/pts/3".into(),
            bash_version: "5.2".into(),
            lle_version: "0".into(),
        });
        flight.update(|recorder| {
            for (gauge, value) in [
                (Gauge::NamesCacheHits, 900),
                (Gauge::NamesCacheMisses, 100),
                (Gauge::NamesCacheEvictions, 0),
                (Gauge::NamesCacheGhostHits, 0),
                (Gauge::NamesCacheEntries, 7),
                (Gauge::NamesCacheBytes, 855),
                (Gauge::SuggestionCacheHits, 0),
                (Gauge::SuggestionCacheMisses, 1_234_567),
                (Gauge::SuggestionCacheEvictions, 0),
                (Gauge::SuggestionCacheGhostHits, 400_000),
                (Gauge::SuggestionCacheEntries, 0),
                (Gauge::SuggestionCacheBytes, 0),
            ] {
                recorder.set(gauge, value);
            }
        });
        flight.snapshot().unwrap()
    }

    #[test]
    fn caches_of_a_session() {
        let mut levers = Levers::default();
        let mut shown = CachesDocument {
            version: SCHEMA_VERSION,
            sessions: vec![document(&snapshot(), &levers)],
            policies: policies(&levers),
        };
        let of = text(&shown, Ink::Plain);
        assert!(of.lines().all(|line| line.chars().count() <= COLUMNS), "{of}");
        insta::assert_snapshot!(of);
        levers.turn(Lever::NamesKeep, 1);
        shown.policies = policies(&levers);
        (shown.sessions[0].checked, shown.sessions[0].wrong) = (40, 1);
        let of = text(&shown, Ink::Plain);
        assert!(
            of.contains("40 entries worked out again while nobody typed, 1 wrong"),
            "{of}"
        );
        assert!(of.contains("names: kept until a folder of PATH changes"), "{of}");
        shown.sessions.clear();
        assert_eq!(
            text(&shown, Ink::Plain),
            "No session runs, so there is no cache: `lusush` starts one.\n"
        );
    }
}
