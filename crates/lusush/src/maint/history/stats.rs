//! `lusush maint history stats`: what is in the history, how far its mirror and its index are, and what may be a secret.

use std::collections::HashMap;
use std::fmt::Write;

use lle_core::quantity::{bytes, count, percent, several};
use lle_core::secret;
use serde::Serialize;

use super::logs;
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::text::printable;

/// Different programs and folders counted apart; more count as others.
const APART_MAX: usize = 64 * 1024;
/// Rows shown of each.
const SHOWN: usize = 10;
/// Secrets named.
const SECRETS_MAX: usize = 100;
const SCHEMA_VERSION: u32 = 1;

#[derive(Debug, Serialize)]
struct Stats {
    version: u32,
    machines: Vec<Machine>,
    commands: u64,
    imported: u64,
    /// Of those whose end is known.
    worked: u64,
    ended: u64,
    programs: Vec<(String, u64)>,
    folders: Vec<(String, u64)>,
    secrets: Vec<Secret>,
    more_secrets: u64,
    mirror: Option<Behind>,
    index: Option<Covered>,
}

#[derive(Debug, Serialize)]
struct Machine {
    host: String,
    is_own: bool,
    bytes: u64,
    commands: u64,
}

/// A command that seems to hold a secret; never the secret.
#[derive(Debug, Serialize)]
struct Secret {
    kind: &'static str,
    /// What `scrub --id` takes.
    id: String,
    host: String,
}

#[derive(Debug, Serialize)]
struct Behind {
    bytes: u64,
    behind_bytes: u64,
    /// The worker copies once a second: what is lost at most.
    window_s: u32,
}

#[derive(Debug, Serialize)]
struct Covered {
    log_bytes: u64,
    index_bytes: u64,
}

/// Runs it.
pub(super) fn run(json: bool) -> Result<ExitCode, Failure> {
    let own = logs::own()?;
    let mut stats = Stats {
        version: SCHEMA_VERSION,
        machines: Vec::new(),
        commands: 0,
        imported: 0,
        worked: 0,
        ended: 0,
        programs: Vec::new(),
        folders: Vec::new(),
        secrets: Vec::new(),
        more_secrets: 0,
        mirror: lle_maintenance::real::history::mirrored(&own.log).map(|(log, mirror)| Behind {
            bytes: mirror,
            behind_bytes: log.saturating_sub(mirror),
            window_s: 1,
        }),
        index: own
            .index
            .as_deref()
            .and_then(|index| lle_log::index::coverage(&own.log, index))
            .map(|(log_bytes, index_bytes)| Covered {
                log_bytes,
                index_bytes,
            }),
    };
    let (mut programs, mut folders) = (HashMap::new(), HashMap::new());
    let opened = own.open_all(|_| true)?;
    opened.tell();
    for (log, history) in opened.logs {
        let mut machine = Machine {
            bytes: std::fs::metadata(&log.path).map_or(0, |found| found.len()),
            host: log.host,
            is_own: log.is_own,
            commands: 0,
        };
        for command in history.commands() {
            machine.commands += 1;
            stats.imported += u64::from(command.imported);
            stats.worked += u64::from(command.status == Some(0));
            stats.ended += u64::from(command.status.is_some());
            if let Some(program) = secret::program(&command.command) {
                tally(&mut programs, &program);
            }
            if !command.cwd.is_empty() {
                tally(&mut folders, &command.cwd);
            }
            match secret::find(&command.command) {
                Some(kind) if stats.secrets.len() < SECRETS_MAX => stats.secrets.push(Secret {
                    kind,
                    id: id(command.session, command.seq),
                    host: machine.host.clone(),
                }),
                Some(_) => stats.more_secrets += 1,
                None => {}
            }
        }
        stats.commands += machine.commands;
        stats.machines.push(machine);
    }
    stats.programs = most(programs);
    stats.folders = most(folders);
    if json {
        return answer::json(&stats);
    }
    answer::text(&text(&stats))
}

/// How a command is named.
pub(super) fn id(session: u64, seq: u64) -> String {
    format!("{session:016x}:{seq}")
}

fn tally(counts: &mut HashMap<Vec<u8>, u64>, what: &[u8]) {
    let has_room = counts.len() < APART_MAX;
    if let Some(count) = counts.get_mut(what) {
        *count += 1;
    } else if has_room {
        counts.insert(what.to_vec(), 1);
    }
}

fn most(counts: HashMap<Vec<u8>, u64>) -> Vec<(String, u64)> {
    let mut rows: Vec<_> = counts
        .into_iter()
        .map(|(what, count)| (printable(&String::from_utf8_lossy(&what), 48), count))
        .collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    rows.truncate(SHOWN);
    rows
}

fn text(stats: &Stats) -> String {
    let mut out = format!(
        "{}, {} of them imported\n",
        several(stats.commands, "command", "commands"),
        count(stats.imported)
    );
    match stats.ended {
        0 => out.push_str("how they ended is unknown\n"),
        ended => {
            let share = percent(stats.worked as f64 * 100.0 / ended as f64);
            let _ = writeln!(out, "{share} of {} worked", count(ended));
        }
    }
    for machine in &stats.machines {
        let own = if machine.is_own { ", this one" } else { "" };
        let _ = writeln!(
            out,
            "  {}{own}: {}, {}",
            printable(&machine.host, 40),
            several(machine.commands, "command", "commands"),
            bytes(machine.bytes as f64)
        );
    }
    match &stats.mirror {
        Some(behind) => {
            let _ = writeln!(
                out,
                "mirror: {}, {} behind; at most {} s of typing is lost while the worker runs",
                bytes(behind.bytes as f64),
                bytes(behind.behind_bytes as f64),
                behind.window_s
            );
        }
        None => out.push_str("mirror: none, there is no log of this machine\n"),
    }
    match &stats.index {
        Some(covered) => {
            let _ = writeln!(
                out,
                "index: {} for {} of the log",
                bytes(covered.index_bytes as f64),
                bytes(covered.log_bytes as f64)
            );
        }
        None => out.push_str("index: none yet; the worker makes one from 8 MiB of log on\n"),
    }
    for (title, rows) in [("programs", &stats.programs), ("folders", &stats.folders)] {
        if !rows.is_empty() {
            let _ = writeln!(out, "{title}");
        }
        for (what, times) in rows {
            let _ = writeln!(out, "  {:>9}  {what}", count(*times));
        }
    }
    if !stats.secrets.is_empty() {
        let all = stats.secrets.len() as u64 + stats.more_secrets;
        let _ = writeln!(
            out,
            "{} to hold a secret",
            several(all, "command seems", "commands seem")
        );
        for secret in &stats.secrets {
            // Two logs may have a command of that name.
            let host = match stats.machines.len() {
                0 | 1 => String::new(),
                _ => format!(" --host {}", printable(&secret.host, 64)),
            };
            let _ = writeln!(
                out,
                "  {}: `lusush maint history scrub --id {}{host}`",
                secret.kind, secret.id
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is() {
        let mut stats = Stats {
            version: SCHEMA_VERSION,
            machines: vec![Machine {
                host: "0123abcd".into(),
                is_own: true,
                bytes: 5_000_000,
                commands: 12_345,
            }],
            commands: 12_345,
            imported: 300,
            worked: 11_000,
            ended: 12_000,
            programs: vec![("git".into(), 4_000), ("cargo".into(), 900)],
            folders: vec![("/home/me/project".into(), 7_000)],
            secrets: vec![Secret {
                kind: "GitHub token",
                id: id(7, 9),
                host: "0123abcd".into(),
            }],
            more_secrets: 0,
            mirror: Some(Behind {
                bytes: 5_000_000,
                behind_bytes: 0,
                window_s: 1,
            }),
            index: None,
        };
        insta::assert_snapshot!("stats", text(&stats));
        stats.machines.push(Machine {
            host: "laptop".into(),
            is_own: false,
            bytes: 5_000,
            commands: 12,
        });
        let of_two = text(&stats);
        assert!(
            of_two.contains("scrub --id 0000000000000007:9 --host 0123abcd`"),
            "{of_two}"
        );
    }
}
