//! Which version of the configuration is in force, which each session goes by, and why not that one.
//!
//! Everything is read from files: what is in force, the sessions' flight files, the log of versions, and the last refusal. Only
//! what is on trial is the worker's to say, if there is one.
//!
//! Invariant: a session is said to go by what it says itself; what it does not say is unknown.

use lle_core::config::{CATALOGUE, Name, effect};
use lle_core::in_force::InForce;
use lle_core::quantity::age;
use lle_log::versions::{self, Versions};
use lle_maintenance::api::Request;
use lle_maintenance::api::config_trials::ConfigTrialsDocument;
use lle_maintenance::real::settle::{ConfigFiles, at_version};
use lle_maintenance::real::versions::VersionLog;
use lle_maintenance::real::{RealWorld, now};
use lle_maintenance::world::Host;
use lle_metrics::{Gauge, Liveness, Snapshot};
use serde::Serialize;
use serde_json::Value;

use super::show::safe;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::maint::ask::{self, Elsewhere};
use crate::text::{COLUMNS, wrapped};
use crate::{answer, launch_config};

/// Bytes of a refusal that is read.
const REFUSED_BYTES_MAX: u64 = 256 * 1024;

/// The document of `status --json`.
#[derive(Debug, Serialize)]
struct Status {
    version: u32,
    in_force: Version,
    /// Whether sessions that run take a new version over.
    live: bool,
    /// What is on trial; null if nothing is, or no worker runs.
    on_trial: Option<OnTrial>,
    sessions: Vec<Session>,
    last_refusal: Option<Refusal>,
    /// The worker, which would tell sessions, cannot be asked from here; null if it can, or none lives.
    worker_elsewhere: Option<Elsewhere>,
    /// There is a file, of the user's or of the machine's.
    #[serde(skip)]
    has_file: bool,
}

#[derive(Debug, Serialize)]
struct OnTrial {
    number: u64,
    /// Use that was judged, and use after which it is decided, in nanoseconds.
    active_ns: u64,
    active_ns_max: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Version {
    number: u64,
    /// Since when; null if it is built in, or the log does not reach back so far.
    since_wall_ns: Option<i64>,
    cause: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Session {
    id: String,
    tty: String,
    pid: u32,
    /// The version it goes by; null if it does not say.
    version: Option<u64>,
    /// Why that is not the one in force; null if it is.
    pending: Option<String>,
    /// Keys of which it keeps the value that it began with.
    needs_new_shell: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Refusal {
    wall_ns: i64,
    /// Whether the files say something else by now.
    mended: bool,
    problems: Value,
}

/// Shows it.
pub(super) fn status(json: bool) -> Result<ExitCode, Failure> {
    let files = launch_config::files().ok_or_else(|| {
        Failure::new("there is no place for a configuration").hint("`lusush doctor` says more about folders")
    })?;
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::new("the versions of the configuration cannot be read")
            .because(error.to_string())
            .hint("`lusush doctor` says more about folders")
    };
    let bytes = VersionLog::below(&files.state)
        .bytes()
        .map_err(|error| unreadable(&error))?;
    let known = versions::read(&bytes).map_err(|error| unreadable(&error))?;
    let in_force = files
        .read_in_force()
        .unwrap_or_else(|| CATALOGUE.built_in().in_force(0, None, Vec::new()));
    let found = known.numbered(in_force.version);
    let elsewhere = ask::elsewhere();
    let mut sessions = sessions(&files, &known, &in_force)?;
    if elsewhere.is_some() {
        let pending = sessions.iter_mut().filter_map(|session| session.pending.as_mut());
        pending.for_each(|pending| *pending = "the worker that would tell it is elsewhere".to_owned());
    }
    let status = Status {
        version: 1,
        live: in_force
            .value(Name::ReloadLive.key().name)
            .is_none_or(|(value, _)| value == "true"),
        on_trial: on_trial(),
        sessions,
        worker_elsewhere: elsewhere,
        last_refusal: last_refusal(&files),
        has_file: [&files.user, &files.system]
            .iter()
            .any(|path| path.symlink_metadata().is_ok()),
        in_force: Version {
            number: in_force.version,
            since_wall_ns: found.map(|version| version.time_ns),
            cause: found.map(|version| version.cause.name()),
        },
    };
    if json {
        return answer::json(&status);
    }
    answer::text(&render(&status, now().wall_ns))
}

fn on_trial() -> Option<OnTrial> {
    let document = ask::ask_worker(&Request::ConfigTrials)?.ok()?;
    let mut document: ConfigTrialsDocument = serde_json::from_value(document).ok()?;
    let open = document.open.pop()?;
    Some(OnTrial {
        number: open.config_version,
        active_ns: open.active_ns,
        active_ns_max: open.active_ns_max,
    })
}

fn sessions(files: &ConfigFiles, known: &Versions<'_>, in_force: &InForce) -> Result<Vec<Session>, Failure> {
    let failed = |error: std::io::Error| Failure::new("the sessions cannot be read").because(error);
    let mut world = RealWorld::open(ask::places()?, false).map_err(failed)?;
    let now_ns = now().wall_ns;
    let mut sessions = Vec::new();
    world.look(&mut |look| {
        if let Some(snapshot) = look.snapshot.filter(|_| look.liveness == Liveness::Alive) {
            sessions.push(session(look.session, snapshot, files, known, in_force, now_ns));
        }
    });
    sessions.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(sessions)
}

fn session(
    id: u64,
    snapshot: &Snapshot,
    files: &ConfigFiles,
    known: &Versions<'_>,
    in_force: &InForce,
    now_ns: i64,
) -> Session {
    let identity = snapshot.identity();
    let number = |gauge| {
        snapshot
            .gauge(gauge)
            .and_then(|version| u64::try_from(version).ok())
    };
    let version = number(Gauge::ConfigVersion);
    let flag = |gauge| snapshot.gauge(gauge).is_some_and(|value| value == 1);
    let live = in_force
        .value(Name::ReloadLive.key().name)
        .is_none_or(|(value, _)| value == "true");
    let pending = match version {
        Some(version) if version == in_force.version => None,
        None if snapshot.gauge(Gauge::ConfigVersion).is_some() => {
            Some("started with --safe: it goes by nothing of yours".to_owned())
        }
        None => Some("unknown: it does not say which version it goes by".to_owned()),
        Some(_) if !live => Some("reload.live is off: only new sessions go by it".to_owned()),
        Some(_) if flag(Gauge::CommandRunning) => {
            let since = snapshot.gauge(Gauge::CommandStartedWallNs);
            let since = since.map(|at| age(now_ns.saturating_sub(at).max(0).unsigned_abs()));
            let since = since.map_or(String::new(), |since| format!(" since {since}"));
            Some(format!("busy with a command{since}: at its next prompt"))
        }
        Some(_) if !flag(Gauge::On) => Some("LLE is off there: at its next prompt".to_owned()),
        Some(_) => Some("it has not looked yet".to_owned()),
    };
    Session {
        id: format!("{id:016x}"),
        tty: identity.tty,
        pid: identity.pid,
        version,
        pending,
        needs_new_shell: number(Gauge::ConfigBeganVersion)
            .map_or_else(Vec::new, |began| kept_keys(files, known, in_force, began)),
    }
}

/// The keys that a session keeps as they were when it began.
fn kept_keys(files: &ConfigFiles, known: &Versions<'_>, in_force: &InForce, began: u64) -> Vec<&'static str> {
    let before = match began {
        0 => Some(CATALOGUE.built_in().in_force(0, None, Vec::new())),
        // Pruned, it is not known any more what it said.
        began if known.numbered(began).is_none() => None,
        began => at_version(files, known, began),
    };
    let Some(before) = before else { return Vec::new() };
    let changed = effect(&CATALOGUE.read_back(&before), &CATALOGUE.read_back(in_force)).changed;
    let kept = changed.iter().filter(|changed| changed.needs_new_shell);
    kept.map(|changed| changed.name).collect()
}

fn last_refusal(files: &ConfigFiles) -> Option<Refusal> {
    let path = files.refused();
    let found = std::fs::symlink_metadata(&path).ok()?;
    if !found.is_file() || found.len() > REFUSED_BYTES_MAX {
        return None;
    }
    let mut document: Value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
    Some(Refusal {
        wall_ns: document["wall_ns"].as_i64()?,
        mended: !files.is_refused(),
        problems: document["problems"].take(),
    })
}

fn render(status: &Status, now_ns: i64) -> String {
    let ago = |at: i64| age(now_ns.saturating_sub(at).max(0).unsigned_abs());
    let number = status.in_force.number;
    let is_refused = status
        .last_refusal
        .as_ref()
        .is_some_and(|refusal| !refusal.mended);
    let mut out = match (status.in_force.since_wall_ns, status.in_force.cause) {
        (Some(since), Some(cause)) => {
            format!("Version #{number} is in force ({cause} {} ago).\n", ago(since))
        }
        _ if number == 0 && !status.has_file => {
            "What is built in is in force: there is no file.\n".to_owned()
        }
        _ if number == 0 && is_refused => {
            "What is built in is in force: the file is refused, and none was in force before.\n".to_owned()
        }
        _ if number == 0 => {
            "What is built in is in force: the file comes into force at the next start.\n".to_owned()
        }
        _ => format!("Version #{number} is in force.\n"),
    };
    if let Some(trial) = &status.on_trial {
        let of = trial
            .active_ns_max
            .map_or_else(String::new, |most| format!(" of {}", age(most)));
        out.push_str(&format!(
            "Version #{} is on trial, {}{of} of use so far;\n  `lusush maint config trials` shows how it stands.\n",
            trial.number,
            age(trial.active_ns)
        ));
    }
    if !status.live {
        out.push_str("Sessions that run keep theirs: reload.live is off.\n");
    }
    for session in &status.sessions {
        let version = session
            .version
            .map_or("unknown".to_owned(), |version| format!("#{version}"));
        let tty = session.tty.trim_start_matches("/dev/");
        out.push_str(&format!("  {tty:<10} process {:<8} {version}\n", session.pid));
        if let Some(pending) = &session.pending {
            out.push_str(&format!("    pending: {pending}\n"));
        }
        if !session.needs_new_shell.is_empty() {
            let keys = session.needs_new_shell.join(", ");
            out.push_str(&format!("    needs a new shell: {keys}\n"));
        }
    }
    if let Some(elsewhere) = &status.worker_elsewhere {
        let text = format!("The worker, {}; {}.", elsewhere.what(), elsewhere.remedy());
        out.push_str(&format!("{}\n", wrapped(&safe(&text), COLUMNS, 2)));
    }
    if status.sessions.is_empty() {
        out.push_str("There are no sessions.\n");
    }
    if let Some(refusal) = &status.last_refusal {
        let now = if refusal.mended { ", mended since" } else { "" };
        out.push_str(&format!("Last refused {} ago{now}:\n", ago(refusal.wall_ns)));
        for problem in refusal.problems.as_array().into_iter().flatten() {
            out.push_str(&format!("  {}\n", safe(&told(problem))));
        }
    }
    out
}

/// A problem as it was written down, on one line.
fn told(problem: &Value) -> String {
    let text = |name: &str| problem[name].as_str().unwrap_or_default();
    let at = match (&problem["at"]["line"], &problem["at"]["column"]) {
        (Value::Number(line), Value::Number(column)) => format!(":{line}:{column}"),
        _ => String::new(),
    };
    let mut out = format!("{}{at}: {}", text("source"), text("message"));
    if !text("expected").is_empty() {
        out.push_str(&format!("; expected {}", text("expected")));
    }
    if !text("meant").is_empty() {
        out.push_str(&format!("; did you mean `{}`?", text("meant")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown() {
        let session = |pid: u32, version: Option<u64>, pending: Option<&str>| Session {
            id: format!("{pid:016x}"),
            tty: format!("/dev/pts/{pid}"),
            pid,
            version,
            pending: pending.map(str::to_owned),
            needs_new_shell: Vec::new(),
        };
        let mut status = Status {
            version: 1,
            in_force: Version {
                number: 12,
                since_wall_ns: Some(0),
                cause: Some("noticed"),
            },
            live: true,
            on_trial: Some(OnTrial {
                number: 12,
                active_ns: 90_000_000_000,
                active_ns_max: Some(600_000_000_000),
            }),
            sessions: vec![
                session(7, Some(12), None),
                session(
                    8,
                    Some(11),
                    Some("busy with a command since 2 min: at its next prompt"),
                ),
                session(9, None, Some("unknown: it does not say which version it goes by")),
            ],
            last_refusal: Some(Refusal {
                wall_ns: 0,
                mended: true,
                problems: serde_json::json!([{
                    "source": "/h/config.toml", "at": { "line": 3, "column": 7 }, "message": "`x` is no key",
                    "expected": "", "meant": "editor.\u{1b}theme",
                }]),
            }),
            worker_elsewhere: None,
            has_file: true,
        };
        status.sessions[0].needs_new_shell.push("history.list_max");
        insta::assert_snapshot!(render(&status, 60_000_000_000), @"
        Version #12 is in force (noticed 1 min ago).
        Version #12 is on trial, 1 min 30 s of 10 min of use so far;
          `lusush maint config trials` shows how it stands.
          pts/7      process 7        #12
            needs a new shell: history.list_max
          pts/8      process 8        #11
            pending: busy with a command since 2 min: at its next prompt
          pts/9      process 9        unknown
            pending: unknown: it does not say which version it goes by
        Last refused 1 min ago, mended since:
          /h/config.toml:3:7: `x` is no key; did you mean `editor.\\u{1b}theme`?
        ");
        status.in_force = Version {
            number: 0,
            since_wall_ns: None,
            cause: None,
        };
        (status.sessions, status.live, status.on_trial) = (Vec::new(), false, None);
        let first = |status: &Status| render(status, 0).lines().next().unwrap().to_owned();
        status.last_refusal.as_mut().unwrap().mended = false;
        assert!(first(&status).ends_with("the file is refused, and none was in force before."));
        status.last_refusal = None;
        assert!(first(&status).ends_with("the file comes into force at the next start."));
        status.has_file = false;
        insta::assert_snapshot!(render(&status, 0), @"
        What is built in is in force: there is no file.
        Sessions that run keep theirs: reload.live is off.
        There are no sessions.
        ");
    }
}
