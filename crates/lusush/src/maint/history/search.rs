//! `lusush maint history search`: commands by text, folder, exit status, machine and time, the likeliest first.

use std::fmt::Write;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use lle_core::quantity::several;
use lle_core::recall::{Recalled, Use, Why, rank, reasons};
use lle_log::find;
use lle_log::history::Command;
use serde::Serialize;

use super::super::Json;
use super::logs;
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::text::printable;

/// Matches looked at, newest first: enough to tell what is used often.
const MATCHES_MAX: usize = 10_000;
const SCHEMA_VERSION: u32 = 1;
const SECOND_NS: i64 = 1_000_000_000;

/// Finds commands
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// What they contain; all of them without
    text: Option<String>,
    /// Only those that ran in this folder or below
    #[arg(long, value_name = "DIR")]
    dir: Option<String>,
    /// Only those that ended so
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    status: Option<i32>,
    /// Only those of this machine: the beginning of its id, or the name it was merged under
    #[arg(long)]
    host: Option<String>,
    /// Only those since then: 2h, 3d, 2026-11-25, "2026-11-25 14:00"
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only those until then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// So many, one at least
    #[arg(long, default_value_t = 20, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    limit: usize,
    /// Says why each stands where it stands
    #[arg(long)]
    why: bool,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Serialize)]
struct Answer {
    version: u32,
    /// Uses that matched, and whether there may be more.
    matches: usize,
    more: bool,
    commands: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    command: String,
    host: String,
    time_ns: Option<i64>,
    cwd: Option<String>,
    status: Option<i32>,
    uses: u64,
    worked: u64,
    ended: u64,
    why: Why,
}

/// Runs it.
pub(super) fn run(asked: &Search) -> Result<ExitCode, Failure> {
    let own = logs::own()?;
    let now_ns = logs::now_ns();
    let wanted = Wanted::new(asked, now_ns)?;
    let opened = own.open_all(|log| {
        let host = asked.host.as_ref();
        host.is_none_or(|host| log.host.starts_with(host.as_str()))
    })?;
    opened.tell();
    let chosen = &opened.logs;
    if chosen.is_empty() {
        return Err(logs::none_of(asked.host.as_deref()));
    }
    let text = asked.text.as_deref().unwrap_or_default();
    let mut uses = Vec::new();
    for (log, history) in chosen {
        let index = own.index.as_deref().filter(|_| log.is_own);
        find::containing(history, index, text.as_bytes(), |command| {
            if wanted.admits(&command) {
                uses.push(used(command, &log.host));
            }
            uses.len() < MATCHES_MAX
        });
    }
    // Of several machines the newest first; those of one keep their order, whatever its clock did.
    if chosen.len() > 1 {
        uses.sort_by_key(|used| std::cmp::Reverse(used.time_ns));
    }
    let matches = uses.len();
    let here = std::env::var_os("PWD").unwrap_or_default();
    let ranked = rank(uses, here.as_encoded_bytes(), now_ns);
    let shown: Vec<Recalled> = ranked.into_iter().take(asked.limit).collect();
    if asked.json.json {
        return answer::json(&Answer {
            version: SCHEMA_VERSION,
            matches,
            more: matches >= MATCHES_MAX,
            commands: shown.iter().map(row).collect(),
        });
    }
    answer::text(&text_of(&shown, matches, asked.why, now_ns))
}

fn used(command: Command, host: &str) -> Use {
    Use {
        command: command.command,
        time_ns: command.time_ns,
        cwd: command.cwd,
        status: command.status,
        host: host.to_owned(),
    }
}

fn row(one: &Recalled) -> Row {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Row {
        command: text(&one.newest.command),
        host: one.newest.host.clone(),
        time_ns: (one.newest.time_ns != 0).then_some(one.newest.time_ns),
        cwd: (!one.newest.cwd.is_empty()).then(|| text(&one.newest.cwd)),
        status: one.newest.status,
        uses: one.uses,
        worked: one.worked.0,
        ended: one.worked.1,
        why: one.why,
    }
}

fn text_of(shown: &[Recalled], matches: usize, why: bool, now_ns: i64) -> String {
    let mut out = String::new();
    for one in shown {
        let command = String::from_utf8_lossy(&one.newest.command);
        let mut lines = command.lines();
        let _ = writeln!(out, "{}", printable(lines.next().unwrap_or_default(), usize::MAX));
        lines.for_each(|line| {
            let _ = writeln!(out, "{}", printable(line, usize::MAX));
        });
        if why {
            let _ = writeln!(out, "    {}", reasons(one, now_ns));
        }
    }
    match (shown.len(), matches) {
        (0, _) => out.push_str("nothing matches\n"),
        (shown, matches) if why => {
            let _ = writeln!(
                out,
                "{} of {}",
                several(shown as u64, "command", "commands"),
                several(matches as u64, "use", "uses")
            );
        }
        _ => {}
    }
    out
}

/// What is asked for besides the text.
struct Wanted {
    dir: Option<Vec<u8>>,
    status: Option<i32>,
    since_ns: Option<i64>,
    until_ns: Option<i64>,
}

impl Wanted {
    fn new(asked: &Search, now_ns: i64) -> Result<Self, Failure> {
        let time = |text: &Option<String>| text.as_deref().map(|text| moment(text, now_ns)).transpose();
        Ok(Self {
            dir: asked.dir.as_deref().map(|dir| {
                let whole = std::path::absolute(dir).unwrap_or_else(|_| dir.into());
                let text = whole.into_os_string().into_encoded_bytes();
                match text.strip_suffix(b"/") {
                    Some(short) if !short.is_empty() => short.to_vec(),
                    _ => text,
                }
            }),
            status: asked.status,
            since_ns: time(&asked.since)?,
            until_ns: time(&asked.until)?,
        })
    }

    fn admits(&self, command: &Command) -> bool {
        let is_in = |dir: &Vec<u8>| {
            let rest = command.cwd.strip_prefix(dir.as_slice());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/") || dir == b"/")
        };
        self.dir.as_ref().is_none_or(is_in)
            && self.status.is_none_or(|status| command.status == Some(status))
            // What has no time is in no stretch of time.
            && self.since_ns.is_none_or(|since| command.time_ns != 0 && command.time_ns >= since)
            && self.until_ns.is_none_or(|until| command.time_ns != 0 && command.time_ns <= until)
    }
}

/// A moment in local time, or so long ago.
fn moment(text: &str, now_ns: i64) -> Result<i64, Failure> {
    let unit_s = |unit: char| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3_600),
        'd' => Some(86_400),
        'w' => Some(604_800),
        _ => None,
    };
    if let Some(unit) = text.chars().last()
        && let Some(seconds) = unit_s(unit)
        && let Ok(number) = text[..text.len() - unit.len_utf8()].parse::<i64>()
    {
        return Ok(now_ns.saturating_sub(number.saturating_mul(seconds).saturating_mul(SECOND_NS)));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.as_nanosecond().try_into().unwrap_or(i64::MAX));
    }
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    let local = text
        .parse::<DateTime>()
        .ok()
        .and_then(|at| at.to_zoned(zone).ok());
    let at = local.and_then(|at| i64::try_from(at.timestamp().as_nanosecond()).ok());
    at.ok_or_else(|| {
        Failure::new(format!("{text} is no time"))
            .hint("2h, 3d, 2026-11-25, \"2026-11-25 14:00\", or a time with its zone as in RFC 3339")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let now = 1_700_000_000 * SECOND_NS;
        let check = |text: &str, expect: Option<i64>| {
            assert_eq!(
                moment(text, now).ok().map(|at| (at - now) / SECOND_NS),
                expect,
                "{text}"
            );
        };
        check("2h", Some(-7_200));
        check("0s", Some(0));
        check("1w", Some(-604_800));
        check("2023-11-14T22:13:20Z", Some(0));
        check("yesterday", None);
        check("h", None);
        check("", None);
        assert!(moment("2023-11-14", now).is_ok() && moment("2023-11-14 22:13", now).is_ok());
    }

    #[test]
    fn ranks_say_why() {
        let now = 1_700_000_000 * SECOND_NS;
        let used = |command: &str, seconds: i64, status| Use {
            command: command.into(),
            time_ns: if seconds == 0 {
                0
            } else {
                now - seconds * SECOND_NS
            },
            cwd: b"/project".to_vec(),
            status,
            host: "m".into(),
        };
        let uses = vec![
            used("git push", 60, Some(1)),
            used("git log\n--oneline", 86_400, Some(0)),
            used("git push", 90_000, Some(0)),
            used("git \x1b[31mred", 0, None),
        ];
        let ranked = rank(uses, b"/project", now);
        insta::assert_snapshot!("ranked_with_reasons", text_of(&ranked, 4, true, now));
        insta::assert_snapshot!("nothing_found", text_of(&[], 0, false, now));
    }
}
