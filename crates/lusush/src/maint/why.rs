//! `lusush maint why`: what a session's prompts, start, keys and completions spend their time on, from its flight file.
//!
//! Invariant: the shares of the parts that are not told besides others sum to the whole; what is not known is a part of
//! its own. Schema, version 1: fields are added, never renamed or removed. Times are nanoseconds.

pub(crate) mod put_off;
pub(crate) mod render;
pub(crate) mod set_in;
pub(crate) mod since;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use lle_core::shown::harmless;
use lle_metrics::parts::Times;
use lle_metrics::{EXTENSION, Gauge, Liveness, PartKind, Parted, Snapshot, Stage, Timer, liveness};
use put_off::PutOff;
use serde::Serialize;

/// The version of this schema.
const SCHEMA_VERSION: u32 = 1;

/// Generations of processes looked at for the session that this one runs in.
const ANCESTORS_MAX: usize = 32;

/// Characters of a part's name.
const NAME_CHARS_MAX: usize = 48;

/// What [`Gauge::PromptUnseen`] has a bit for.
const NOT_TIMED: [&str; 3] = [
    "what PS0 runs before a command",
    "what PS2 runs in a command of several lines",
    "the trap on DEBUG before each command",
];

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Subject {
    /// From the end of a command to the next prompt
    Prompt,
    /// From the load of LLE to the first prompt
    Startup,
    /// From a key to its echo
    Key,
    /// From Tab to what it gives
    Completion,
}

/// The answer of `maint why`.
#[derive(Debug, Serialize)]
pub(crate) struct Why {
    /// The version of the schema.
    pub(crate) version: u32,
    /// Sixteen hex digits.
    pub(crate) session: String,
    pub(crate) pid: u32,
    /// What it is about.
    pub(crate) of: Subject,
    /// The whole; null before there is one.
    pub(crate) whole: Option<Spent>,
    /// Parts, the largest first, each followed by its own parts.
    pub(crate) parts: Vec<Share>,
    /// Why something is not known; null if nothing is missing.
    pub(crate) unknown: Option<String>,
    /// Why it is not known of some part where it was set; absent where nothing is missing, or nothing was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) set_unknown: Option<String>,
    /// What was found to have made the prompts of this session slower, with the line that did it, and when; absent where
    /// nothing was, or prompts are quick again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) slower_since: Option<String>,
    /// What came of parts of PS1 that are put off; absent where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) put_off: Option<PutOff>,
    /// What the user has bash run that no prompt is timed with; absent where there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) not_timed: Vec<&'static str>,
    /// What the shell took before a start-up file of the user's loaded LLE; absent where none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before_load_ns: Option<u64>,
    /// Texts of `prompt.cached` that speak of nothing in PS1 that can be put off; absent where all do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fits_nothing: Vec<String>,
    /// What is put off by the configuration.
    #[serde(skip)]
    pub(crate) in_force: Vec<String>,
    /// The setting that would take the slowest part of PS1 off the path, if one would: a text of `prompt.cached`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) may_be_cached: Option<String>,
}

/// In how many prompts, keys or completions something happened and what it took in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Spent {
    pub(crate) count: u64,
    pub(crate) sum_ns: u64,
    /// Null if it was not met the last time.
    pub(crate) last_ns: Option<u64>,
    pub(crate) mean_ns: Option<u64>,
    /// Null if it is not kept.
    pub(crate) max_ns: Option<u64>,
}

/// One part of a whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Share {
    pub(crate) name: String,
    /// The kind's stable name; "rest" for what is not known, "others" for what had no row.
    pub(crate) kind: &'static str,
    /// Told besides the others, whose time it shares: it does not count towards 100 %.
    pub(crate) besides: bool,
    /// The name of what it is a part of.
    pub(crate) within: Option<String>,
    /// The line of a start-up file that sets what this is a part of, where only one can have: "~/.bashrc:12".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) set_in: Option<String>,
    /// Whether the prompt could be made without it and is not; absent for all but the `$(…)` of PS1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) may_wait: Option<bool>,
    /// Prompts since it ran last; absent where it is no part of a prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prompts_since: Option<u64>,
    /// Of all the time that the whole took.
    pub(crate) share_percent: Option<f64>,
    #[serde(flatten)]
    pub(crate) spent: Spent,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WhyError {
    /// No flight file is there, or none can be read.
    #[error("no session is running")]
    NoSession,
    /// The session asked for is not there.
    #[error("there is no session {0}")]
    Unknown(String),
}

/// Finds the session: the one asked for, or the one this process runs in, or the one last used.
pub(crate) fn session(directory: &Path, asked: Option<&str>) -> Result<Snapshot, WhyError> {
    if let Some(id) = asked {
        let path = directory.join(format!("{id}.{EXTENSION}"));
        let is_id = id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit());
        let found = is_id.then(|| Snapshot::read(&path).ok()).flatten();
        return found.ok_or_else(|| WhyError::Unknown(harmless(id.as_bytes(), NAME_CHARS_MAX)));
    }
    let ancestors = ancestors();
    let mut found: Vec<_> = living(directory)
        .into_iter()
        .filter_map(|path| Snapshot::read(&path).ok())
        .collect();
    let generation = |snapshot: &Snapshot| ancestors.iter().position(|pid| *pid == snapshot.process().0);
    let near = found
        .iter()
        .enumerate()
        .filter_map(|(at, one)| Some((generation(one)?, at)));
    let last = || {
        let used = found.iter().enumerate();
        used.max_by_key(|(_, one)| one.gauge(Gauge::SeenWallNs))
            .map(|(at, _)| at)
    };
    let at = near
        .min()
        .map(|(_, at)| at)
        .or_else(last)
        .ok_or(WhyError::NoSession)?;
    Ok(found.swap_remove(at))
}

fn living(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
        .filter(|path| liveness(path) != Liveness::Dead)
        .take(super::status::FILES_MAX)
        .collect()
}

/// The processes this one comes from, the nearest first.
fn ancestors() -> Vec<u32> {
    let mut found = Vec::new();
    let mut pid = std::os::unix::process::parent_id();
    while pid > 1 && found.len() < ANCESTORS_MAX {
        found.push(pid);
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
            break;
        };
        // The name may hold blanks and parentheses; what follows the last one is the state and the parent.
        let parent = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        pid = parent.unwrap_or(0);
    }
    found
}

/// Divides what is asked about.
pub(crate) fn why(snapshot: &Snapshot, of: Subject) -> Why {
    let mut why = Why {
        version: SCHEMA_VERSION,
        session: format!("{:016x}", snapshot.identity().session_id),
        pid: snapshot.identity().pid,
        of,
        whole: None,
        parts: Vec::new(),
        unknown: None,
        set_unknown: None,
        slower_since: None,
        put_off: None,
        not_timed: Vec::new(),
        before_load_ns: None,
        fits_nothing: Vec::new(),
        in_force: Vec::new(),
        may_be_cached: None,
    };
    match of {
        Subject::Prompt => table(&mut why, snapshot, Parted::Prompt),
        Subject::Startup => table(&mut why, snapshot, Parted::Start),
        Subject::Key => key(&mut why, snapshot),
        Subject::Completion => completion(&mut why, snapshot),
    }
    let number = |gauge| snapshot.gauge(gauge).and_then(|n| u64::try_from(n).ok());
    if of == Subject::Prompt {
        why.put_off = put_off::of(snapshot);
        let bits = number(Gauge::PromptUnseen).unwrap_or(0);
        let named = NOT_TIMED.iter().enumerate();
        why.not_timed = named
            .filter(|(at, _)| bits >> at & 1 == 1)
            .map(|(_, name)| *name)
            .collect();
    }
    if of == Subject::Startup {
        why.before_load_ns = number(Gauge::StartBeforeNs);
    }
    if matches!(of, Subject::Prompt | Subject::Startup) && snapshot.gauge(Gauge::AttributeOn) == Some(0) {
        why.unknown = Some("attribution is switched off: `lle set attribute on`".to_owned());
    }
    why
}

fn spent(times: Times) -> Spent {
    Spent {
        count: times.count,
        sum_ns: times.sum_ns,
        last_ns: (times.count > 0).then_some(times.last_ns),
        mean_ns: times.mean_ns(),
        max_ns: (times.count > 0).then_some(times.max_ns),
    }
}

/// Divides by a table of parts.
fn table(why: &mut Why, snapshot: &Snapshot, of: Parted) {
    let parts = snapshot.parts(of);
    let whole = parts.whole();
    if whole.count == 0 {
        return;
    }
    why.whole = Some(spent(whole));
    let mut rows: Vec<_> = parts.rows().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.times.sum_ns));
    let name = |name: &[u8]| harmless(name, NAME_CHARS_MAX);
    let share = |row: &lle_metrics::Part<'_>, within: Option<String>| {
        let mut one = spent(row.times);
        one.last_ns = one.last_ns.filter(|_| row.last_round == whole.count);
        Share {
            name: name(row.name),
            kind: row.kind.map_or("unknown", PartKind::name),
            besides: row.kind.is_none_or(PartKind::is_besides),
            within,
            set_in: None,
            may_wait: (of == Parted::Prompt && row.kind == Some(PartKind::Substitution))
                .then_some(row.may_wait),
            prompts_since: (of == Parted::Prompt).then(|| whole.count.saturating_sub(row.last_round)),
            share_percent: percent(row.times.sum_ns, whole.sum_ns),
            spent: one,
        }
    };
    let additive = |row: &&lle_metrics::Part<'_>| row.kind.is_some_and(|kind| !kind.is_besides());
    for row in rows.iter().filter(additive) {
        why.parts.push(share(row, None));
        for inner in rows.iter().filter(|inner| inner.parent == Some(row.row)) {
            why.parts.push(share(inner, Some(name(row.name))));
        }
    }
    let known = rows.iter().filter(additive);
    let (sum, last) = known.fold((0u64, 0u64), |(sum, last), row| {
        let now = if row.last_round == whole.count {
            row.times.last_ns
        } else {
            0
        };
        (sum.saturating_add(row.times.sum_ns), last.saturating_add(now))
    });
    let other = parts.other();
    if other.sum_ns > 0 {
        let mut one = spent(other);
        one.max_ns = None;
        why.parts
            .push(rest("others, of which there were too many", "others", one, whole));
    }
    let rest_sum = whole.sum_ns.saturating_sub(sum.saturating_add(other.sum_ns));
    let rest_last = whole.last_ns.saturating_sub(last.saturating_add(other.last_ns));
    let one = Spent {
        count: whole.count,
        sum_ns: rest_sum,
        last_ns: Some(rest_last),
        mean_ns: rest_sum.checked_div(whole.count),
        max_ns: None,
    };
    why.parts
        .push(rest("bash itself, and what is not known", "rest", one, whole));
    let files = rows.iter().filter(|row| row.kind == Some(PartKind::File));
    why.parts.extend(files.map(|row| share(row, None)));
}

fn rest(name: &str, kind: &'static str, spent: Spent, whole: Times) -> Share {
    Share {
        name: name.to_owned(),
        kind,
        besides: false,
        within: None,
        set_in: None,
        may_wait: None,
        prompts_since: None,
        share_percent: percent(spent.sum_ns, whole.sum_ns),
        spent,
    }
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 1000.0).round() / 10.0)
}

/// A timer as a whole or a part; its last sample is not kept.
fn timed(snapshot: &Snapshot, timer: Timer) -> Spent {
    let histogram = snapshot.histogram(timer);
    Spent {
        count: histogram.count,
        sum_ns: histogram.sum,
        last_ns: None,
        mean_ns: histogram.mean(),
        max_ns: (histogram.count > 0).then_some(histogram.max),
    }
}

fn key(why: &mut Why, snapshot: &Snapshot) {
    let whole = timed(snapshot, Timer::KeyToPaint);
    if whole.count == 0 {
        return;
    }
    why.whole = Some(whole);
    let (readline, paint) = (snapshot.stage(Stage::Readline), snapshot.stage(Stage::Paint));
    let part = |name: &str, kind, besides, spent: Spent| Share {
        name: name.to_owned(),
        kind,
        besides,
        within: None,
        set_in: None,
        may_wait: None,
        prompts_since: None,
        // What is told besides is not all within the whole.
        share_percent: percent(spent.sum_ns, whole.sum_ns).filter(|_| !besides),
        spent,
    };
    if readline.count == 0 {
        why.unknown = Some("this session's version of LLE does not tell readline and paint apart".to_owned());
    } else {
        why.parts
            .push(part("readline", Stage::Readline.name(), false, spent(readline)));
        why.parts
            .push(part("paint", Stage::Paint.name(), false, spent(paint)));
    }
    let besides = [
        ("colouring, in the paint and after it", Timer::Highlight),
        ("suggestion, after the echo", Timer::Suggestion),
    ];
    for (name, timer) in besides {
        why.parts
            .push(part(name, timer.name(), true, timed(snapshot, timer)));
    }
}

fn completion(why: &mut Why, snapshot: &Snapshot) {
    let whole = timed(snapshot, Timer::Completion);
    if whole.count == 0 {
        return;
    }
    why.whole = Some(whole);
    let (fork, work) = (
        snapshot.stage(Stage::CompletionFork),
        snapshot.stage(Stage::CompletionWork),
    );
    let known = fork.sum_ns.saturating_add(work.sum_ns);
    let arrival = Spent {
        count: whole.count,
        sum_ns: whole.sum_ns.saturating_sub(known),
        last_ns: None,
        mean_ns: whole.sum_ns.saturating_sub(known).checked_div(whole.count),
        max_ns: None,
    };
    for (name, kind, one) in [
        ("start of the child", Stage::CompletionFork.name(), spent(fork)),
        ("bash's completion", Stage::CompletionWork.name(), spent(work)),
        ("arrival, and what is not known", "rest", arrival),
    ] {
        why.parts.push(Share {
            name: name.to_owned(),
            kind,
            besides: false,
            within: None,
            set_in: None,
            may_wait: None,
            prompts_since: None,
            share_percent: percent(one.sum_ns, whole.sum_ns),
            spent: one,
        });
        if kind == Stage::CompletionWork.name() {
            completers(why, snapshot, name, whole.sum_ns);
        }
    }
}

/// What completed, the slowest first: within what bash's completion took.
fn completers(why: &mut Why, snapshot: &Snapshot, within: &str, whole_ns: u64) {
    let parts = snapshot.parts(Parted::Completion);
    let mut rows: Vec<_> = parts.rows().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.times.sum_ns));
    for row in rows {
        let mut one = spent(row.times);
        one.last_ns = one.last_ns.filter(|_| row.last_round == parts.whole().count);
        why.parts.push(Share {
            name: harmless(row.name, NAME_CHARS_MAX),
            kind: row.kind.map_or("unknown", PartKind::name),
            besides: true,
            within: Some(within.to_owned()),
            set_in: None,
            may_wait: None,
            prompts_since: None,
            share_percent: percent(row.times.sum_ns, whole_ns),
            spent: one,
        });
    }
}
