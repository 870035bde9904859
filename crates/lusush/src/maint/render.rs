//! `maint status` for people: a pure function of what is known.

use std::fmt::Write;

use lle_core::quantity::{age, bytes, count, duration, several};
use lle_metrics::{Counter, Gauge, Timer};

use super::session::{Distribution, End, Session, State, Status};
use crate::text::{COLUMNS, Ink, printable, wrapped};

/// Columns of the words in front of each line.
const LABEL: usize = 16;

/// Timers shown, with their names for people.
const TIMERS: &[(Timer, &str)] = &[
    (Timer::KeyToPaint, "key to paint"),
    (Timer::Highlight, "highlight"),
    (Timer::Suggestion, "suggestion"),
    (Timer::Completion, "completion"),
    (Timer::HistoryAppend, "history append"),
    (Timer::HistorySearch, "history search"),
    (Timer::Prompt, "prompt"),
    (Timer::PaintBytes, "bytes a paint"),
];

/// Events shown of a dead session.
const LAST_EVENTS: usize = 5;
/// Dead sessions of which everything is shown, the latest; of the others a line.
const DEAD_WHOLE: usize = 2;

/// Writes everything there is to say.
pub(crate) fn status(status: &Status, ink: Ink) -> String {
    let mut out = String::new();
    if let Some(own) = &status.memory_only {
        own.tell(&mut out, ink);
        out.push('\n');
    }
    match &status.sessions_unknown {
        Some(why) => {
            let why = format!("Whether others run is unknown: {}", printable(why, 300));
            let _ = writeln!(out, "{}", wrapped(&why, COLUMNS, 2));
        }
        None if !status.sessions.is_empty() => {}
        None if status.memory_only.is_some() => out.push_str("No other session of LLE can be seen.\n"),
        None => {
            out.push_str("No session of LLE can be seen.\n");
            out.push_str("Start one with `lusush`, or add the line of `lusush init bash` to ~/.bashrc.\n");
            out.push_str("One that is memory only is told of by `maint status` typed in it.\n");
        }
    }
    for (at, session) in status.sessions.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        live(&mut out, session, status.now_wall_ns, ink);
    }
    ended(&mut out, status, ink);
    if !status.unreadable.is_empty() {
        let title = format!("Not readable as a flight file: {}", status.unreadable.len());
        let _ = writeln!(out, "\n{}", ink.strong(&title));
        for file in &status.unreadable {
            let problem = printable(&file.problem, COLUMNS - 4);
            let _ = writeln!(out, "  {}\n    {problem}", printable(&file.file, COLUMNS - 2));
        }
    }
    if status.worker.is_some() || status.worker_unknown.is_some() {
        out.push('\n');
    }
    if let Some(elsewhere) = &status.worker_elsewhere {
        let text = format!("{}; {}.", elsewhere.what(), elsewhere.remedy());
        let text = wrapped(&printable(&text, 600), COLUMNS - "Worker: ".len(), 2);
        let _ = writeln!(out, "{} {text}", ink.strong("Worker:"));
    }
    match (&status.worker, &status.worker_unknown) {
        _ if status.worker_elsewhere.is_some() => {}
        (Some(worker), _) => out.push_str(&super::show::worker::worker(
            worker,
            status.now_wall_ns.cast_signed(),
            ink,
        )),
        (None, Some(why)) => {
            let why = wrapped(&printable(why, 300), COLUMNS - "Worker: unknown: ".len(), 2);
            let _ = writeln!(out, "{} unknown: {why}", ink.strong("Worker:"));
        }
        (None, None) => {}
    }
    if status.left_out > 0 {
        let _ = writeln!(
            out,
            "\n{} more files were not looked at.",
            count(status.left_out as u64)
        );
    }
    files_stay(&mut out, status);
    out
}

/// Sessions that are gone, by how they went.
fn ended(out: &mut String, status: &Status, ink: Ink) {
    let now = status.now_wall_ns;
    let of = |end: End| {
        let mut sessions: Vec<&Session> = status
            .dead
            .iter()
            .filter(|session| session.end() == end)
            .collect();
        sessions.sort_by_key(|session| std::cmp::Reverse(session.seen_wall_ns()));
        sessions
    };
    let title = |out: &mut String, what: &str, of: &[&Session]| {
        if !of.is_empty() {
            let _ = writeln!(out, "\n{}", ink.strong(&format!("{what}: {}", of.len())));
        }
    };
    let gone = of(End::WithoutAWord);
    title(out, "Ended without a word", &gone);
    for (at, session) in gone.iter().enumerate() {
        if at < DEAD_WHOLE {
            out.push('\n');
            dead(out, session, now, ink);
            continue;
        }
        if at == DEAD_WHOLE {
            out.push_str("\nAnd before them:\n");
        }
        one_line(out, session, now);
    }
    for (end, what) in [
        (End::HungUp, "Ended in order, with their terminal"),
        (End::Replaced, "Became another program (exec)"),
    ] {
        let sessions = of(end);
        title(out, what, &sessions);
        for session in sessions {
            one_line(out, session, now);
        }
    }
}

/// When the files of what is gone go away.
fn files_stay(out: &mut String, status: &Status) {
    let directory = printable(&status.directory, COLUMNS - 2);
    let hung_up = |session: &Session| session.end() == End::HungUp;
    let stays = !status.dead.iter().all(hung_up) || !status.unreadable.is_empty();
    if stays {
        let _ = writeln!(
            out,
            "\nTheir files stay until they are removed, in\n  {directory}"
        );
    }
    if status.dead.iter().any(hung_up) {
        let other = if stays {
            " of those that ended with their terminal"
        } else {
            ""
        };
        let text = format!(
            "The files{other} go within a minute, if the worker runs; without it, once there are more than 32."
        );
        let _ = writeln!(out, "\n{}", wrapped(&text, COLUMNS, 0));
    }
}

fn live(out: &mut String, session: &Session, now: u64, ink: Ink) {
    heading(out, session, now, ink);
    if session.state == State::Unknown {
        line(out, "state", "unknown: its lock cannot be asked for");
    }
    line(out, "line editor", &in_force(session));
    let keys = format!(
        "{}, of them {} before the prompt; {}",
        count(session.counter(Counter::Keys)),
        count(session.counter(Counter::TypeAheadKeys)),
        several(session.counter(Counter::Commands), "command", "commands"),
    );
    line(out, "keys", &keys);
    timers(out, session);
    line(out, "last prompt", &last_prompt(session));
    line(out, "added to a key", &instructions(session));
    let cost = match (&session.cost, &session.cost_unknown) {
        (Some(cost), _) => {
            let (memory, cpu) = (bytes(cost.private_bytes as f64), duration(cost.cpu_ns as f64));
            format!("{memory} private memory, {cpu} of processor time")
        }
        (None, reason) => format!("unknown: {}", reason.as_deref().unwrap_or("not asked for")),
    };
    line(out, "costs now", &cost);
    command(out, session, now);
    troubles(out, session, ink);
}

fn dead(out: &mut String, session: &Session, now: u64, ink: Ink) {
    heading(out, session, now, ink);
    let seen = session.seen_wall_ns();
    let why = match session.another_boot {
        Some(true) => "the machine was started anew",
        _ => "its process is gone",
    };
    line(out, "last seen", &format!("{} ago; {why}", since(seen, now)));
    if let Some(draft) = &session.draft {
        match (draft.hidden, draft.bytes) {
            (true, _) => line(out, "was typing", "something not to be kept"),
            (false, 0) => line(out, "was typing", "nothing"),
            (false, all) => {
                recorded(out, "was typing", &draft.text);
                if all > draft.text.len() {
                    line(out, "", &format!("{} bytes in all", count(all as u64)));
                }
            }
        }
    }
    match &session.last_command {
        Some(command) => recorded(out, "last command", command),
        None => line(out, "last command", "none kept"),
    }
    if session.flag(Gauge::CommandRunning) == Some(true)
        && let Some(started) = session.amount(Gauge::CommandStartedWallNs)
    {
        line(
            out,
            "",
            &format!("it was running, begun {} ago", since(started, now)),
        );
    }
    let last = session.events.len().saturating_sub(LAST_EVENTS);
    for (at, event) in session.events.iter().skip(last).enumerate() {
        let when = format!("{} ago", since(event.wall_ns, now));
        let kind = event.kind.unwrap_or("of an unknown kind");
        let text = printable(&event.text, 34);
        let told = format!("{when:15} {kind} {text}");
        line(out, if at == 0 { "last events" } else { "" }, told.trim_end());
    }
    if session.torn {
        line(out, "", "died while recording: sums may be one off");
    }
    troubles(out, session, ink);
}

/// A dead session, on one row.
fn one_line(out: &mut String, session: &Session, now: u64) {
    let seen = since(session.seen_wall_ns(), now);
    let start = format!("  {}  pid {}, {seen} ago", session.id, session.pid);
    let command = session.last_command.as_deref().unwrap_or_default();
    let room = COLUMNS.saturating_sub(start.chars().count() + 2);
    let _ = writeln!(out, "{start}  {}", printable(command, room));
}

fn heading(out: &mut String, session: &Session, now: u64, ink: Ink) {
    let tty = if session.tty.is_empty() {
        "no terminal"
    } else {
        &session.tty
    };
    let title = format!("{}  pid {} on {}", session.id, session.pid, printable(tty, 24));
    let versions = format!(
        "bash {}, LLE {}, started {} ago",
        printable(&session.bash_version, 24),
        printable(&session.lle_version, 12),
        since(session.created_wall_ns, now)
    );
    let _ = writeln!(out, "{}\n  {versions}", ink.strong(&title));
}

fn in_force(session: &Session) -> String {
    let on = match session.flag(Gauge::On) {
        Some(true) => "on",
        Some(false) => return "off: readline paints".to_owned(),
        None => return "unknown: no prompt was shown yet".to_owned(),
    };
    let switches = [
        (Gauge::HighlightOn, "highlighting"),
        (Gauge::SuggestOn, "suggestions"),
        (Gauge::MultilineOn, "several rows"),
    ];
    let mut said = on.to_owned();
    for (gauge, name) in switches {
        if session.flag(gauge) == Some(false) {
            let _ = write!(said, ", {name} off");
        }
    }
    if session.flag(Gauge::PrivateMode) == Some(true) {
        said.push_str(", private");
    }
    said
}

fn timers(out: &mut String, session: &Session) {
    let mut unsampled = Vec::new();
    let mut titled = false;
    for (timer, label) in TIMERS {
        let Some(row) = session.timers.get(timer.name()).filter(|row| row.count > 0) else {
            unsampled.push(*label);
            continue;
        };
        if !titled {
            let _ = writeln!(
                out,
                "  {:LABEL$} {:>10} {:>10} {:>10} {:>10}",
                "", "p50", "p99", "max", "samples"
            );
            titled = true;
        }
        let show = |value: Option<u64>| value.map_or("unknown".to_owned(), |value| in_unit(row, value));
        let (p50, p99, max) = (show(row.p50), show(row.p99), show(row.max));
        let _ = writeln!(
            out,
            "  {label:LABEL$} {p50:>10} {p99:>10} {max:>10} {:>10}",
            count(row.count)
        );
    }
    if !unsampled.is_empty() {
        line(out, "no samples yet", &unsampled.join(", "));
    }
}

fn in_unit(row: &Distribution, value: u64) -> String {
    match row.unit {
        "ns" => duration(value as f64),
        _ => bytes(value as f64),
    }
}

/// "212 ms, of it 190 ms in PS1 (`__git_ps1`)", as far as it is known.
fn last_prompt(session: &Session) -> String {
    let Some(whole) = session.amount(Gauge::PromptLastNs) else {
        return "unknown: none was timed yet".to_owned();
    };
    let whole = duration(whole as f64);
    let blame = session.prompt_blame.as_deref().map(|blame| printable(blame, 64));
    if let (Some(blame), Some(ns)) = (&blame, session.amount(Gauge::PromptBlameNs)) {
        return format!("{whole}, of it {} in `{blame}`", duration(ns as f64));
    }
    let command = session.amount(Gauge::PromptCommandLastNs);
    let expand = session.amount(Gauge::PromptExpandLastNs);
    let (part, name) = match (command, expand) {
        (None, None) => return format!("{whole}; its parts are unknown"),
        (Some(command), expand) if command > expand.unwrap_or(0) => (command, "PROMPT_COMMAND"),
        (_, expand) => (expand.unwrap_or(0), "PS1"),
    };
    let part = duration(part as f64);
    match blame {
        Some(blame) => format!("{whole}, of it {part} in {name} (`{blame}`)"),
        None => format!("{whole}, of it {part} in {name}"),
    }
}

fn instructions(session: &Session) -> String {
    match session.amount(Gauge::InstructionsPerKey) {
        Some(added) => format!("{} instructions", count(added)),
        None => "unknown: this session does not count instructions".to_owned(),
    }
}

fn command(out: &mut String, session: &Session, now: u64) {
    match (
        session.flag(Gauge::CommandRunning),
        session.gauge(Gauge::LastStatus),
    ) {
        (None, _) => line(out, "command", "unknown: none was accepted yet"),
        (Some(false), None) => line(out, "command", "none runs"),
        (Some(false), Some(status)) => {
            line(
                out,
                "command",
                &format!("none runs; the last one ended with {status}"),
            );
        }
        (Some(true), _) => {
            match &session.last_command {
                Some(command) => recorded(out, "command", command),
                None => line(out, "command", "one not to be named"),
            }
            let since_when = match session.amount(Gauge::CommandStartedWallNs) {
                Some(started) => format!("running for {}", since(started, now)),
                None => "running".to_owned(),
            };
            line(out, "", &since_when);
        }
    }
}

/// Lines that are there only if something went wrong.
fn troubles(out: &mut String, session: &Session, ink: Ink) {
    let mut tell = |told: &str, paint: fn(Ink, &str) -> String| {
        let _ = writeln!(out, "  {:LABEL$} {}", "trouble", paint(ink, told));
    };
    if let n @ 1.. = session.counter(Counter::Panics) {
        tell(&format!("{} in LLE", several(n, "panic", "panics")), Ink::bad);
    }
    if let n @ 1.. = session.counter(Counter::Fallbacks) {
        tell(
            &format!("{} handed back to readline", several(n, "time", "times")),
            Ink::bad,
        );
    }
    if session.flag(Gauge::MemoryOnly) == Some(true) {
        tell("memory only: something could not be kept on disk", Ink::bad);
    }
    let troubles = [
        (
            Counter::HistoryAppendFailures,
            "history record not written",
            "history records not written",
        ),
        (
            Counter::HistoryDamaged,
            "damaged history record skipped",
            "damaged history records skipped",
        ),
        (
            Counter::CompletionsLate,
            "completion too late",
            "completions too late",
        ),
        (
            Counter::CompletionsFailed,
            "completion failed",
            "completions failed",
        ),
        (
            Counter::PathLookupTooSlow,
            "search of PATH too slow",
            "searches of PATH too slow",
        ),
    ];
    for (counter, one, more) in troubles {
        if let n @ 1.. = session.counter(counter) {
            tell(&several(n, one, more), Ink::warn);
        }
    }
}

pub(super) fn line(out: &mut String, label: &str, text: &str) {
    let text = wrapped(text, COLUMNS - LABEL - 3, 0).replace('\n', &format!("\n{}", " ".repeat(LABEL + 3)));
    let _ = writeln!(out, "  {label:LABEL$} {text}");
}

/// A line of recorded text, whose spaces are kept.
fn recorded(out: &mut String, label: &str, text: &str) {
    let _ = writeln!(out, "  {label:LABEL$} {}", printable(text, COLUMNS - LABEL - 3));
}

fn since(then: u64, now: u64) -> String {
    age(now.saturating_sub(then))
}
