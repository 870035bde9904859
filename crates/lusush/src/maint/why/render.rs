//! `maint why` for people: a pure function of what is known.

use std::fmt::Write;

use lle_core::quantity::{count, duration, several};

use super::set_in::variable_of;
use super::{Share, Subject, Why, put_off};
use crate::maint::optimise::capital;
use crate::text::{COLUMNS, Ink, printable, width, wrapped};

/// Columns of a part's name, in which its own parts are indented.
const NAME: usize = 36;

/// A part that takes this much of the whole is what to look at.
const LARGE_PERCENT: f64 = 25.0;

/// A whole that takes less than this needs no advice: nobody notices it.
const FAST_NS: u64 = 20_000_000;

/// A part that did not run in so many prompts slows none any more: some are run in some folders only, or now and then.
const GONE_PROMPTS: u64 = 10;

/// Writes the table.
pub(crate) fn text(why: &Why, ink: Ink) -> String {
    let mut out = String::new();
    let Some(whole) = &why.whole else {
        let _ = writeln!(out, "Session {}: {}.", why.session, nothing(why.of));
        if let Some(unknown) = &why.unknown {
            let _ = writeln!(out, "{}", wrapped(unknown, COLUMNS, 0));
        }
        return out;
    };
    let show = |ns: Option<u64>| ns.map_or("-".to_owned(), |ns| duration(ns as f64));
    let told = match why.of {
        Subject::Startup => format!("took {}", show(whole.last_ns)),
        _ => format!(
            "{} took {} on average{}",
            several(whole.count, one(why.of), more(why.of)),
            show(whole.mean_ns),
            whole.last_ns.map_or(String::new(), |ns| format!(
                ", the last one {}",
                duration(ns as f64)
            ))
        ),
    };
    let title = format!("{} of session {}", heading(why.of), why.session);
    let _ = writeln!(out, "{}", ink.strong(&title));
    let _ = writeln!(out, "  {told}");
    let _ = writeln!(
        out,
        "  {:NAME$} {:>6} {:>8} {:>8} {:>8} {:>6}",
        "", "share", "last", "mean", "max", "n"
    );
    let (parts, besides): (Vec<_>, Vec<_>) = why
        .parts
        .iter()
        .partition(|part| !part.besides || part.within.is_some());
    parts.iter().for_each(|part| row(&mut out, part));
    if !besides.is_empty() {
        let _ = writeln!(
            out,
            "  {}",
            match why.of {
                Subject::Startup => "each file with all that it sources:",
                _ => "besides:",
            }
        );
        besides.iter().for_each(|part| row(&mut out, part));
    }
    if let Some(unknown) = &why.unknown {
        let _ = writeln!(out, "{}", wrapped(unknown, COLUMNS, 0));
    }
    for said in places(why) {
        let _ = writeln!(out, "{}", wrapped(&said, COLUMNS, 0));
    }
    if let Some(since) = &why.slower_since {
        let _ = writeln!(
            out,
            "{}",
            wrapped(&format!("{}.", capital(&printable(since, 240))), COLUMNS, 0)
        );
    }
    let said = [
        why.put_off.as_ref().map(put_off::PutOff::text),
        put_off::misfits(why),
        not_seen(why),
        put_off::advice(why).or_else(|| advice(why)),
    ];
    for said in said.into_iter().flatten() {
        let _ = writeln!(out, "{}", wrapped(&said, COLUMNS, 0));
    }
    out
}

fn row(out: &mut String, part: &Share) {
    let show = |ns: Option<u64>| ns.map_or("-".to_owned(), |ns| duration(ns as f64));
    let indent = if part.within.is_some() { 2 } else { 0 };
    let label = printable(&label(part), NAME - indent);
    let pad = " ".repeat(NAME - width(&label).min(NAME - indent) - indent);
    let share = part
        .share_percent
        .map_or("-".to_owned(), |share| format!("{share:.1}%"));
    let spent = &part.spent;
    let _ = writeln!(
        out,
        "  {}{label}{pad} {share:>6} {:>8} {:>8} {:>8} {:>6}",
        " ".repeat(indent),
        show(spent.last_ns),
        show(spent.mean_ns),
        show(spent.max_ns),
        count(spent.count)
    );
}

/// A part's name with where it is.
fn label(part: &Share) -> String {
    let name = &part.name;
    match part.kind {
        "substitution" => format!("$({name})"),
        "one_of" => format!("one of: {name}"),
        "lle" => format!("LLE: {name}"),
        "first_prompt" => format!("{name}, the first time"),
        "expanded" => format!("PS1: {name}"),
        _ => name.clone(),
    }
}

/// Where each variable is set, as far as that is known.
fn places(why: &Why) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for part in &why.parts {
        let (Some(variable), Some(place)) = (variable_of(part.kind), &part.set_in) else {
            continue;
        };
        let sentence = format!("{variable} is set in {}.", printable(place, 60));
        if !said.contains(&sentence) {
            said.push(sentence);
        }
    }
    said
}

/// What takes time, too, and is in none of the rows.
fn not_seen(why: &Why) -> Option<String> {
    if let Some(ns) = why.before_load_ns {
        return Some(format!(
            "The {} before LLE was loaded are not in here: of a start-up file only what stands below the lines of `lusush \
             init bash` is seen. Put them first in it to see all.",
            duration(ns as f64)
        ));
    }
    (!why.not_timed.is_empty()).then(|| {
        format!(
            "Not in here, since it runs before or within a command and is not timed: {}.",
            why.not_timed.join(", ")
        )
    })
}

fn heading(of: Subject) -> &'static str {
    match of {
        Subject::Prompt => "Prompt",
        Subject::Startup => "Start",
        Subject::Key => "Keys",
        Subject::Completion => "Completion",
    }
}

fn one(of: Subject) -> &'static str {
    match of {
        Subject::Prompt => "prompt",
        Subject::Startup => "start",
        Subject::Key => "key",
        Subject::Completion => "completion",
    }
}

fn more(of: Subject) -> &'static str {
    match of {
        Subject::Prompt => "prompts",
        Subject::Startup => "starts",
        Subject::Key => "keys",
        Subject::Completion => "completions",
    }
}

fn nothing(of: Subject) -> &'static str {
    match of {
        Subject::Prompt => "no prompt yet",
        Subject::Startup => "no first prompt yet",
        Subject::Key => "no key yet",
        Subject::Completion => "nothing was completed yet: press Tab behind a command, and ask again",
    }
}

/// Nobody notices it, even among others.
const fn is_quick(ns: u64) -> bool {
    ns < FAST_NS / 4
}

/// What to do about the largest part, if it is one that the user can change.
fn advice(why: &Why) -> Option<String> {
    let whole = why.whole.as_ref()?;
    let slow = whole.mean_ns? >= FAST_NS;
    let large = why
        .parts
        .iter()
        .filter(|part| !part.besides && part.share_percent.is_some_and(|share| share >= LARGE_PERCENT))
        .max_by(|a, b| a.spent.sum_ns.cmp(&b.spent.sum_ns))
        .filter(|_| slow)?;
    // What bash's completion took has been somebody's, where that is known.
    let within = why
        .parts
        .iter()
        .find(|part| part.within.as_ref() == Some(&large.name));
    let large = within.filter(|part| part.kind == "completer").unwrap_or(large);
    let name = printable(&large.name, 40);
    if let Some(since) = large.prompts_since.filter(|since| *since >= GONE_PROMPTS) {
        return Some(format!(
            "Most of it was `{name}`, which did not run in the last {}: it slows them no more.",
            several(since, "prompt", "prompts")
        ));
    }
    if let Some(ns) = large.spent.last_ns.filter(|_| large.prompts_since == Some(0))
        && is_quick(ns)
    {
        return Some(format!(
            "Most of it was `{name}`, which took {} of the last prompt.",
            duration(ns as f64)
        ));
    }
    let unknown = why
        .set_unknown
        .as_ref()
        .map_or(String::new(), |why| format!(" ({why})"));
    let see = |variable: &str| match &large.set_in {
        Some(place) => format!("see {}, which sets {variable}.", printable(place, 60)),
        None => format!("see where your start-up files set {variable}{unknown}."),
    };
    Some(match large.kind {
        "prompt_command" => format!(
            "Most of it is `{name}`, which PROMPT_COMMAND runs: {} What it sets is used by the shell itself, so it cannot \
             be put off; what it only prints could stand in a `$(...)` of PS1, which can.",
            see("PROMPT_COMMAND")
        ),
        "substitution" => format!(
            "Most of it is `$({name})` in PS1: {}{}",
            see("PS1"),
            put_off::reason(large)
        ),
        "one_of" => format!("Most of it is one of {name}, in PS1: {}", see("PS1")),
        "line" => format!("Most of it is the line {name}."),
        "completer" => format!(
            "Most of it is `{name}`, which completes: `complete -p` shows for which commands, and `complete -r COMMAND` takes \
             it off one."
        ),
        _ => return None,
    })
}
