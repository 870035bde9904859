//! Parts of PS1 that are put off, and which might be: what it saved, and what it would.
//!
//! Invariant: a part is recommended only by a name that is a command's own plain words, so that it can be given to a shell
//! as it stands; nothing is put off by this.

use lle_core::config::{CATALOGUE, Name, Value};
use lle_core::quantity::{count, duration, several};
use lle_metrics::{Gauge, Snapshot};
use serde::Serialize;

use super::{Share, Why};
use crate::init::shown_word;
use crate::maint::config::layers;
use crate::text::printable;

/// A part of a prompt that takes less than this is noticed by nobody, in nanoseconds.
const WORTH_NS: u64 = 20_000_000;
/// Prompts below which nothing is concluded.
const PROMPTS_MIN: u64 = 3;

/// What came of putting parts off, since the session began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PutOff {
    /// Prompts of which a part was put off.
    pub(crate) prompts: u64,
    /// Parts that came within the wait.
    pub(crate) fresh: u64,
    /// Parts that were shown older.
    pub(crate) older: u64,
    /// Parts of which nothing was known yet.
    pub(crate) empty: u64,
    /// Parts that came when the prompt was shown.
    pub(crate) late: u64,
    /// Of these, those that were other than what was shown.
    pub(crate) differed: u64,
    /// Prompts whose parts never came.
    pub(crate) given_up: u64,
    /// What the parts that came took.
    pub(crate) work_ns: u64,
    /// What their prompts spent on them.
    pub(crate) waited_ns: u64,
    /// Age of the last value that was shown older.
    pub(crate) age_ns: Option<u64>,
}

/// Reads it; none if nothing was put off.
pub(super) fn of(snapshot: &Snapshot) -> Option<PutOff> {
    let read = |gauge| snapshot.gauge(gauge).and_then(|n| u64::try_from(n).ok());
    let number = |gauge| read(gauge).unwrap_or(0);
    let prompts = read(Gauge::PartsPrompts).filter(|n| *n > 0)?;
    Some(PutOff {
        prompts,
        fresh: number(Gauge::PartsFresh),
        older: number(Gauge::PartsCacheHits),
        empty: number(Gauge::PartsCacheMisses),
        late: number(Gauge::PartsLate),
        differed: number(Gauge::PartsDiffered),
        given_up: number(Gauge::PartsGivenUp),
        work_ns: number(Gauge::PartsWorkNs),
        waited_ns: number(Gauge::PartsWaitedNs),
        age_ns: read(Gauge::PartsAgeNs),
    })
}

impl PutOff {
    /// What came of it, in words.
    pub(crate) fn text(&self) -> String {
        let saved = self.work_ns.saturating_sub(self.waited_ns);
        let age = self.age_ns.map_or(String::new(), |ns| {
            format!(" (the last one {} old)", duration(ns as f64))
        });
        format!(
            "Parts of PS1 were put off in {}: they took {}, the prompts spent {} on them, {} saved. {} were there in time, {} \
             shown older{age}, {} empty; {} came later, of which {} were other than what was shown; {} never came.",
            several(self.prompts, "prompt", "prompts"),
            duration(self.work_ns as f64),
            duration(self.waited_ns as f64),
            duration(saved as f64),
            count(self.fresh),
            count(self.older),
            count(self.empty),
            count(self.late),
            count(self.differed),
            count(self.given_up)
        )
    }
}

/// Says what may be put off besides what is put off already, `in_force`, and what of that fits nothing.
pub(crate) fn advise(why: &mut Why, snapshot: &Snapshot, in_force: Vec<String>) {
    why.fits_nothing = unfit(snapshot, &in_force);
    why.in_force = in_force;
    why.may_be_cached = recommended(why);
}

/// What is put off by the configuration, as it is now.
pub(crate) fn in_force() -> Vec<String> {
    let merged = CATALOGUE.merge(&layers::all(&[]));
    let list = merged.map(|merged| match merged.config.value(Name::PromptCached) {
        Value::List(texts) => texts.clone(),
        _ => Vec::new(),
    });
    list.unwrap_or_default()
}

/// The texts of the configuration of which the session says that they speak of nothing in PS1 that can be put off.
fn unfit(snapshot: &Snapshot, in_force: &[String]) -> Vec<String> {
    let bits = snapshot.gauge(Gauge::PartsUnfit).unwrap_or(0);
    let is_unfit = |at: usize| at < UNFIT_MAX && bits >> at & 1 == 1;
    if is_unfit(CHOSEN_BIT) {
        let places = (0..CHOSEN_BIT).filter(|at| is_unfit(*at));
        return places
            .map(|at| format!("number {} of lle cached", at + 1))
            .collect();
    }
    let texts = in_force.iter().enumerate().filter(|(at, _)| is_unfit(*at));
    texts.map(|(_, text)| text.clone()).collect()
}

/// The bit that says that they are those of `lle cached` in the session, which nobody else knows.
const CHOSEN_BIT: usize = 62;
/// Bits that a session tells by.
const UNFIT_MAX: usize = 63;

/// The text of `prompt.cached` that the slowest part of PS1 would be named by, if it is slow enough to be worth it and
/// stands where it can be put off.
fn recommended(why: &Why) -> Option<String> {
    let slow = |share: &&Share| {
        share.may_wait == Some(true)
            && share.spent.count >= PROMPTS_MIN
            && share.spent.mean_ns.is_some_and(|ns| ns >= WORTH_NS)
            && is_slow_now(share)
            && is_plain(first_words(&share.name))
            && !why.in_force.iter().any(|text| text == first_words(&share.name))
    };
    let slowest = why.parts.iter().filter(slow);
    let slowest = slowest.max_by_key(|share| share.spent.last_ns)?;
    Some(first_words(&slowest.name).to_owned())
}

/// What a text of `prompt.cached` names a part by: of a pipeline the words of its first command.
fn first_words(name: &str) -> &str {
    name.split(" | ").next().unwrap_or_default()
}

/// It made the last prompt slow: what is put off by now, or no longer in PS1, did not.
fn is_slow_now(share: &Share) -> bool {
    share.spent.last_ns.is_some_and(|ns| ns >= WORTH_NS)
}

/// The command of a shell that puts a part off besides those that are.
pub(crate) fn command(in_force: &[String], text: &str) -> String {
    let texts: Vec<&str> = in_force.iter().map(String::as_str).chain([text]).collect();
    let list = serde_json::Value::from(texts).to_string();
    format!(
        "lusush maint config set prompt.cached {}",
        shown_word(list.as_ref())
    )
}

/// What the part costs and what would put it off, in words; none if none is recommended.
pub(crate) fn advice(why: &Why) -> Option<String> {
    let text = why.may_be_cached.as_deref()?;
    let part = why
        .parts
        .iter()
        .find(|share| share.kind == "substitution" && first_words(&share.name) == text)?;
    Some(format!(
        "The prompt part `{}` took {} of the {} of the last prompt. If it may be shown older for that long, `{}` takes it \
         off the prompt's path.",
        part.name,
        duration(part.spent.last_ns? as f64),
        duration(why.whole?.last_ns? as f64),
        command(&why.in_force, text)
    ))
}

/// Why a part that made the last prompt slow cannot be put off, in words; empty if it can, or nobody knows.
pub(super) fn reason(share: &Share) -> &'static str {
    if share.may_wait == Some(false) && is_slow_now(share) {
        " It cannot be put off where it stands: that takes a `$(...)` by itself, not within `${...}`, `$((...))` or between \
         `\\[` and `\\]`, without a backslash, and no `set -x` (docs/configuration.md)."
    } else {
        ""
    }
}

/// What of `prompt.cached` does nothing, in words.
pub(super) fn misfits(why: &Why) -> Option<String> {
    let texts: Vec<String> = why
        .fits_nothing
        .iter()
        .map(|text| format!("`{}`", printable(text, 40)))
        .collect();
    (!texts.is_empty()).then(|| {
        format!(
            "Of prompt.cached, this fits nothing in PS1 that can be put off, as it was at the last prompt: {}. A text is the \
             first words of the command in a `$(...)`, as `git status`.",
            texts.join(", ")
        )
    })
}

fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/ ".contains(c);
    !name.is_empty() && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_it() {
        let put_off = PutOff {
            prompts: 12,
            fresh: 1,
            older: 10,
            empty: 1,
            late: 9,
            differed: 4,
            given_up: 2,
            work_ns: 1_900_000_000,
            waited_ns: 210_000_000,
            age_ns: Some(3_000_000_000),
        };
        insta::assert_snapshot!(put_off.text());
    }

    #[test]
    fn a_name_is_given_to_a_shell_only_if_it_is_plain() {
        for (name, expect) in [
            ("git status", true),
            ("__git_ps1", true),
            ("/usr/bin/x-y.z", true),
            ("( sleep", false),
            ("a'b", false),
            ("x=...", false),
            ("", false),
        ] {
            assert_eq!(is_plain(name), expect, "{name}");
        }
    }

    #[test]
    fn the_command_keeps_what_is_put_off_already() {
        for (in_force, expect) in [
            (&[][..], r#"'["git status"]'"#),
            (
                &["__git_ps1", "a 'b' \"c\""],
                r#"'["__git_ps1","a '\''b'\'' \"c\"","git status"]'"#,
            ),
        ] {
            let in_force: Vec<String> = in_force.iter().map(|text: &&str| (*text).to_owned()).collect();
            let expect = format!("lusush maint config set prompt.cached {expect}");
            assert_eq!(command(&in_force, "git status"), expect);
        }
    }
}
