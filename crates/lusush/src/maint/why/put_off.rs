//! Parts of PS1 that are put off, and which might be: what it saved, and what it would.
//!
//! Invariant: a part is recommended only by a name that is a command's own plain words, so that it can be given to a shell
//! as it stands; nothing is put off by this.

use lle_core::quantity::{count, duration, several};
use lle_metrics::{Gauge, Snapshot};
use serde::Serialize;

use super::Why;

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

/// The text of `prompt.cached` that the slowest part of PS1 would be named by, if it is slow enough to be worth it.
pub(super) fn recommended(why: &Why) -> Option<String> {
    let slow = |share: &&super::Share| {
        share.kind == "substitution"
            && share.within.is_none()
            && share.spent.count >= PROMPTS_MIN
            && share.spent.mean_ns.is_some_and(|ns| ns >= WORTH_NS)
            && is_plain(&share.name)
    };
    let slowest = why
        .parts
        .iter()
        .filter(slow)
        .max_by_key(|share| share.spent.sum_ns)?;
    Some(slowest.name.clone())
}

/// The command of a shell that puts a part off.
pub(crate) fn command(text: &str) -> String {
    format!("lusush maint config set prompt.cached '[\"{text}\"]'")
}

/// What the part costs and what would put it off, in words; none if none is recommended.
pub(crate) fn advice(why: &Why) -> Option<String> {
    let text = why.may_be_cached.as_deref()?;
    let whole = why.whole?.mean_ns?;
    let part = why
        .parts
        .iter()
        .find(|share| share.kind == "substitution" && share.name == text)?;
    Some(format!(
        "The prompt part `{text}` costs {} of {}. If it may be shown older for that long, `{}` takes it off the prompt's path; \
         name what is put off already in the same list.",
        duration(part.spent.mean_ns? as f64),
        duration(whole as f64),
        command(text)
    ))
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
        assert_eq!(
            command("git status"),
            r#"lusush maint config set prompt.cached '["git status"]'"#
        );
    }
}
