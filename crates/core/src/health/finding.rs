//! A finding: one thing wrong or worth knowing, in words.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::baseline::{TOO_FEW, Usual};
use super::blame;
use super::component::Component;
use super::metric::{Limits, Metric, Source, Unit, Wording};
use super::view::SessionView;
use crate::quantity::count;
use crate::severity::Severity;
use crate::shown::{TEXT_CHARS_MAX, harmless};

/// One thing wrong or worth knowing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable while it lasts: `prompt.slow/<session>`, without a session where it concerns all.
    pub key: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub component: Component,
    /// The session it is about.
    pub session: Option<u64>,
    /// What it is, in a line.
    pub title: String,
    /// What was seen.
    pub evidence: String,
    /// What to do about it; names a command.
    pub remedy: String,
    /// What was usual, in `unit`; none if that is unknown or not learned.
    pub before: Option<f64>,
    /// What it is now, in `unit`; none if it is no number.
    pub after: Option<f64>,
    /// What the numbers count: the name of [`Unit`].
    pub unit: String,
}

/// Names a finding of a session, or of all.
pub fn key(stem: &str, session: Option<u64>) -> String {
    match session {
        Some(session) => format!("{stem}/{session:016x}"),
        None => stem.to_owned(),
    }
}

/// What a finding is made of.
pub(super) struct Seen<'a> {
    pub(super) metric: &'static Metric,
    pub(super) limits: &'a Limits,
    pub(super) severity: Severity,
    pub(super) value: f64,
    pub(super) usual: Option<Usual>,
    pub(super) view: Option<&'a SessionView<'a>>,
}

impl Seen<'_> {
    pub(super) fn finding(&self) -> Finding {
        let session = self.view.map(|view| view.id);
        Finding {
            key: key(self.limits.key, session),
            severity: self.severity,
            component: self.metric.component,
            session,
            title: self.title(),
            evidence: self.evidence(),
            remedy: self.limits.remedy.to_owned(),
            before: self.usual.map(|usual| usual.center),
            after: Some(self.value),
            unit: unit_name(self.metric.unit).to_owned(),
        }
    }

    fn title(&self) -> String {
        let after = self.metric.unit.show(self.value);
        let mut title = match self.limits.wording {
            Wording::Last(what) => format!("{what} {after}"),
            Wording::First(what) => format!("{after} {what}"),
            Wording::Alone(what) => what.to_owned(),
        };
        match self.usual {
            Some(usual) => add(
                &mut title,
                format_args!(", before usually {}", self.metric.unit.show(usual.center)),
            ),
            None if self.metric.is_learned() => {
                add(&mut title, format_args!(", before: unknown ({TOO_FEW})"));
            }
            None => {}
        }
        let prompt = matches!(self.metric.source, Source::Recent(lle_metrics::Timer::Prompt));
        if let Some(part) = self
            .view
            .filter(|_| prompt)
            .and_then(|view| blame::part(view.window, self.value))
        {
            add(&mut title, format_args!("; {part}"));
        }
        title
    }

    fn evidence(&self) -> String {
        let mut evidence = String::new();
        if let Some(view) = self.view {
            let tty = harmless(view.tty.as_bytes(), TEXT_CHARS_MAX);
            add(&mut evidence, format_args!("{tty}, process {}; ", view.pid));
            if let Source::Recent(timer) = self.metric.source
                && let Some(recent) = view.window.recent(timer)
            {
                let longest = self.metric.unit.show(recent.max as f64);
                let samples = count(recent.count);
                add(
                    &mut evidence,
                    format_args!("the mean of the last {samples}, the longest {longest}; "),
                );
            }
        }
        match self.usual {
            Some(usual) => {
                let unit = self.metric.unit;
                add(&mut evidence, format_args!("usually {}", unit.show(usual.center)));
                if usual.spread > 0.0 {
                    add(&mut evidence, format_args!(" ± {}", unit.show(usual.spread)));
                }
            }
            None => {
                let name = self.metric.name;
                add(&mut evidence, format_args!("{name} is over its limit"));
            }
        }
        evidence
    }
}

/// A session that went without a word.
pub(super) fn crashed(view: &SessionView<'_>) -> Finding {
    let tty = harmless(view.tty.as_bytes(), TEXT_CHARS_MAX);
    Finding {
        key: key("session.crashed", Some(view.id)),
        severity: Severity::Minor,
        component: Component::Host,
        // It has no prompt any more above which to say it.
        session: None,
        title: format!("the session on {tty} ended without a word"),
        evidence: format!(
            "session {:016x}, process {}: its lock is gone and it recorded no end",
            view.id, view.pid
        ),
        remedy: "`lusush maint status` shows its last words".to_owned(),
        before: None,
        after: None,
        unit: unit_name(Unit::Flag).to_owned(),
    }
}

/// The stable name of a unit.
pub const fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Nanoseconds => "ns",
        Unit::Bytes => "bytes",
        Unit::BytesPerHour => "bytes/h",
        Unit::PerSecond => "1/s",
        Unit::Percent => "%",
        Unit::Count => "1",
        Unit::Flag => "bool",
    }
}

fn add(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = text.write_fmt(more);
}
