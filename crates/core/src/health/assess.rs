//! The judgement: every metric of every session, what is usual, and the limits, to findings and health.
//!
//! Invariant: a function of its arguments. What is learned from an assessment is learned by [`learn`], apart, so that
//! looking changes nothing.

use std::collections::BTreeMap;

use lle_metrics::{Counter, Gauge, Histogram, Timer};
use serde::{Deserialize, Serialize};

use super::baseline::{Baselines, Judged, Usual, judge};
use super::component::Component;
use super::finding::{self, Finding, Seen};
use super::metric::{CachePart, Limits, METRICS, Metric, Source, Statistic, Unit, Value, WorkerFact};
use super::sample::{Summary, Window};
use super::view::{Presence, SessionView, WorkerView};
use crate::cache::{CACHES, Reading};
use crate::severity::{Health, Severity};

/// Limits as the user set them, over those of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// Absolute limits, by the metric's name and in its unit.
    pub limits: BTreeMap<String, Absolute>,
    /// What every "times the usual" is multiplied with: 2 finds half as much, roughly.
    pub patience: f64,
}

/// Absolute limits of one metric; what is none stays as in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Absolute {
    /// A finding from here on.
    pub warn: Option<f64>,
    /// A worse one from here on.
    pub critical: Option<f64>,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            limits: BTreeMap::new(),
            patience: 1.0,
        }
    }
}

/// One metric, of one session or of all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Which.
    pub metric: &'static Metric,
    /// The session; none for all of them, and for what is the worker's.
    pub session: Option<u64>,
    /// The number, or why there is none.
    pub value: Value,
    /// What is usual; none if that is not learned, or not yet.
    pub usual: Option<Usual>,
    /// The finding it is; of all sessions, the worst.
    pub finding: Option<Severity>,
}

impl Measured {
    /// How the metric is doing.
    pub fn health(&self) -> Health {
        match (self.value, self.finding) {
            (Value::Unknown(_), None) => Health::Unknown,
            (_, finding) => Health::of(finding),
        }
    }
}

/// How a component is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ComponentHealth {
    /// Which.
    pub component: Component,
    /// How.
    pub health: Health,
    /// Why that is not known.
    pub reason: Option<&'static str>,
    /// Metrics that tell of it, and how many of them are known.
    pub metrics: usize,
    /// See `metrics`.
    pub known: usize,
    /// Findings about it.
    pub findings: usize,
}

/// What an assessment says.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// The whole: its worst finding; unknown if nothing is known.
    pub overall: Health,
    /// Every component, in the order of [`Component::ALL`].
    pub components: Vec<ComponentHealth>,
    /// Every metric: first of each session, then of all and of the worker.
    pub metrics: Vec<Measured>,
    /// Everything found, the worst first.
    pub findings: Vec<Finding>,
}

/// Judges how everything is doing.
pub fn assess(
    sessions: &[SessionView<'_>],
    worker: &WorkerView,
    baselines: &Baselines,
    config: &Thresholds,
) -> Assessment {
    let mut metrics = Vec::with_capacity((sessions.len() + 1) * METRICS.len());
    let mut findings = Vec::new();
    for view in sessions.iter().filter(|view| view.presence == Presence::Crashed) {
        findings.push(finding::crashed(view));
    }
    let mut rows: Vec<Row> = METRICS.iter().map(|metric| Row::of(metric, baselines)).collect();
    for view in sessions.iter().filter(|view| is_measured(view)) {
        let mut summaries = Summaries::default();
        for row in rows.iter_mut().filter(|row| !row.metric.source.is_of_worker()) {
            let value = measure(row.metric, view, worker, &mut summaries);
            metrics.push(row.judge(value, Some(view), config, &mut findings));
        }
    }
    let mut summaries = Summaries::default();
    for row in &mut rows {
        let Some(value) = altogether(row.metric, sessions, worker, &mut summaries) else {
            continue;
        };
        metrics.push(if row.metric.source.is_of_worker() {
            row.judge(value, None, config, &mut findings)
        } else {
            row.of_all(value)
        });
    }
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.key.cmp(&b.key)));
    let nothing = findings.is_empty() && !rows.iter().any(|row| row.known);
    Assessment {
        overall: if nothing {
            Health::Unknown
        } else {
            Health::of(findings.iter().map(|finding| finding.severity))
        },
        components: components(&rows, &findings),
        metrics,
        findings,
    }
}

/// Learns what is usual from an assessment of sessions into which a sample has just been folded: once after each fold.
pub fn learn(
    baselines: &mut Baselines,
    now_wall_ns: u64,
    sessions: &[SessionView<'_>],
    assessment: &Assessment,
) {
    for measured in assessment
        .metrics
        .iter()
        .filter(|measured| measured.metric.is_learned())
    {
        let view = sessions.iter().find(|view| Some(view.id) == measured.session);
        let (Some(view), Some(value)) = (view, measured.value.known()) else {
            continue;
        };
        let samples = match measured.metric.source {
            Source::Recent(timer) if view.window.fresh(timer) => {
                view.window.recent(timer).map_or(0, |r| r.count)
            }
            Source::Recent(_) => 0,
            _ => u64::from(view.window.slot_complete()),
        };
        if samples > 0 {
            let finding = measured.finding.is_some();
            baselines.learn(measured.metric.name, now_wall_ns, value, samples, finding);
        }
    }
}

fn is_measured(view: &SessionView<'_>) -> bool {
    matches!(view.presence, Presence::Alive | Presence::Unknown)
}

/// A row of the table while it is gone through.
struct Row {
    metric: &'static Metric,
    usual: Option<Usual>,
    /// A number was known for any session, or the worker.
    known: bool,
    /// The worst of all sessions.
    worst: Option<Severity>,
}

impl Row {
    fn of(metric: &'static Metric, baselines: &Baselines) -> Row {
        Row {
            metric,
            usual: baselines.usual(metric.name).filter(|_| metric.is_learned()),
            known: false,
            worst: None,
        }
    }

    fn judge(
        &mut self,
        value: Value,
        view: Option<&SessionView<'_>>,
        config: &Thresholds,
        findings: &mut Vec<Finding>,
    ) -> Measured {
        let mut measured = Measured {
            session: view.map(|view| view.id),
            finding: None,
            ..self.of_all(value)
        };
        if let (Some(value), Some(limits)) = (value.known(), self.metric.limits.as_ref())
            && let Some(severity) = self.severity(value, limits, config)
        {
            let seen = Seen {
                metric: self.metric,
                limits,
                severity,
                value,
                usual: self.usual,
                view,
            };
            findings.push(seen.finding());
            measured.finding = Some(severity);
            self.worst = self.worst.max(measured.finding);
        }
        measured
    }

    fn of_all(&mut self, value: Value) -> Measured {
        self.known |= value.known().is_some();
        Measured {
            metric: self.metric,
            session: None,
            value,
            usual: self.usual,
            finding: self.worst,
        }
    }

    fn severity(&self, value: f64, limits: &Limits, config: &Thresholds) -> Option<Severity> {
        let own = config.limits.get(self.metric.name).copied().unwrap_or_default();
        let (warn, critical) = (own.warn.or(limits.warn), own.critical.or(limits.critical));
        let over = |limit: Option<f64>| limit.is_some_and(|limit| value >= limit);
        let times = match limits.times_warn.map(|_| judge(value, self.usual, limits.least)) {
            Some(Judged::Above { times }) => times / config.patience.max(f64::MIN_POSITIVE),
            _ => 0.0,
        };
        let reached = |limit: Option<f64>| limit.is_some_and(|limit| times >= limit);
        if over(critical) || reached(limits.times_critical) && over(warn) {
            Some(limits.worse)
        } else if over(warn) || reached(limits.times_warn) {
            Some(limits.severity)
        } else {
            None
        }
    }
}

const NO_SAMPLES: &str = "no samples in the last minute";
const NOT_YET: &str = "sampled only once";
const NO_PROC: &str = "/proc does not tell";
const NO_GAUGE: &str = "the session does not tell";
const NOT_COUNTED: &str = "nothing counts it";

/// The four statistics of a timer stand in four rows after another; they are worked out once.
#[derive(Default)]
struct Summaries {
    last: Option<(Timer, Option<Summary>)>,
}

impl Summaries {
    fn of(&mut self, timer: Timer, sum_up: impl FnOnce() -> Option<Summary>) -> Option<Summary> {
        match self.last {
            Some((last, summary)) if last == timer => summary,
            _ => {
                let summary = sum_up();
                self.last = Some((timer, summary));
                summary
            }
        }
    }
}

fn measure(metric: &Metric, view: &SessionView<'_>, worker: &WorkerView, summaries: &mut Summaries) -> Value {
    let window = view.window;
    let gauge = |gauge: Gauge| window.gauge(gauge).map(|value| value as f64);
    match metric.source {
        Source::Timer(timer, statistic) => Value::or(
            summaries
                .of(timer, || window.summary(timer))
                .map(|s| pick(&s, statistic)),
            NO_SAMPLES,
        ),
        Source::Recent(timer) => Value::or(
            window.recent(timer).map(|recent| recent.mean() as f64),
            super::baseline::TOO_FEW,
        ),
        Source::Rate(counter) => Value::or(window.rate(counter), NOT_YET),
        Source::Grown(counter) => {
            let grown = (window.span_ns() > 0).then(|| window.grown(counter) as f64);
            Value::or(grown, NOT_YET)
        }
        Source::Gauge(of) => Value::or(gauge(of), NO_GAUGE),
        Source::Caches(part) => Value::or(caches(window, part), NO_GAUGE),
        Source::CacheHits(at) => {
            let reading = CACHES.get(at).and_then(|row| Reading::of(row, window));
            match reading {
                None => Value::Unknown(NO_GAUGE),
                Some(reading) => Value::or(reading.hit_percent(), "it was not asked for anything"),
            }
        }
        Source::FreeShare => {
            let arena = gauge(Gauge::MallocArenaBytes).filter(|arena| *arena > 0.0);
            let share = gauge(Gauge::MallocFreeBytes)
                .zip(arena)
                .map(|(free, arena)| 100.0 * free / arena);
            Value::or(share, NO_GAUGE)
        }
        Source::IdleWakeups => Value::or(idle_wakeups(window), NOT_YET),
        Source::Off => Value::or(window.gauge(Gauge::On).map(|on| f64::from(on == 0)), NO_GAUGE),
        Source::ConfigLag => config_lag(view, worker),
        Source::Cpu => Value::or(view.cpu_percent, NO_PROC),
        Source::IdleCpu if view.idle => Value::or(view.cpu_percent, NO_PROC),
        Source::IdleCpu => Value::Unknown("the session is not idle"),
        Source::RssAnon => Value::or(view.rss_anon.map(|bytes| bytes as f64), NO_PROC),
        Source::RssPeak => Value::or(view.rss_peak.map(|bytes| bytes as f64), NO_PROC),
        Source::FloorGrowth => Value::or(view.floor.growth(), "not idle for an hour yet"),
        Source::Uptime => Value::or(view.uptime_ns.map(|ns| ns as f64), NO_PROC),
        Source::Worker(fact) => of_worker(fact, worker),
        Source::Nothing(why) => Value::Unknown(why),
    }
}

fn pick(summary: &Summary, statistic: Statistic) -> f64 {
    (match statistic {
        Statistic::Mean => summary.mean,
        Statistic::Max => summary.max,
        Statistic::P50 => summary.p50,
        Statistic::P99 => summary.p99,
    }) as f64
}

fn caches(window: &Window, part: CachePart) -> Option<f64> {
    let readings = CACHES.iter().filter_map(|row| Reading::of(row, window));
    let of = readings.map(|reading| match part {
        CachePart::Hits => reading.hits,
        CachePart::Misses => reading.misses,
        CachePart::Bytes => reading.bytes,
    });
    of.map(|n| n as f64).reduce(|a, b| a + b)
}

fn idle_wakeups(window: &Window) -> Option<f64> {
    let polls = window.rate(Counter::GetcPolls)?;
    let answered = window.rate(Counter::Keys)? + window.rate(Counter::Resizes)?;
    Some((polls - answered).max(0.0))
}

fn config_lag(view: &SessionView<'_>, worker: &WorkerView) -> Value {
    let Some(published) = worker.config_version else {
        return Value::Unknown("nothing is published");
    };
    // Not what is published besides: alerts, trials and settings come and go without any version.
    match view.window.gauge(Gauge::ConfigVersion) {
        None => Value::Unknown(NO_GAUGE),
        Some(_) if !view.idle => Value::Unknown("it is applied when the command ends"),
        Some(applied) => Value::Known(published.saturating_sub(applied).max(0) as f64),
    }
}

fn of_worker(fact: WorkerFact, worker: &WorkerView) -> Value {
    let count = |n: Option<u64>| Value::or(n.map(|n| n as f64), NOT_COUNTED);
    match fact {
        WorkerFact::Cpu => Value::or(worker.cpu_percent, NO_PROC),
        WorkerFact::RssAnon => Value::or(worker.rss_anon.map(|bytes| bytes as f64), NO_PROC),
        WorkerFact::Uptime => Value::or(worker.uptime_ns.map(|ns| ns as f64), "there is no worker"),
        WorkerFact::Panics => count(worker.panics),
        WorkerFact::Recoveries => count(worker.recoveries),
        WorkerFact::DamagedRecords => count(worker.damaged_records),
        WorkerFact::FailedAuthentications => count(worker.failed_authentications),
        WorkerFact::BlockedOperations => count(worker.blocked_operations),
        WorkerFact::SecurityEvents => count(worker.security_events),
    }
}

/// A metric of all sessions together, or of the worker; none where adding up says nothing.
fn altogether(
    metric: &'static Metric,
    sessions: &[SessionView<'_>],
    worker: &WorkerView,
    summaries: &mut Summaries,
) -> Option<Value> {
    let alive = || sessions.iter().filter(|view| is_measured(view));
    let sum = |of: &dyn Fn(&SessionView<'_>) -> Option<f64>, why: &'static str| {
        let known = alive().filter_map(of);
        Some(Value::or(known.reduce(|a, b| a + b), why))
    };
    match metric.source {
        Source::Timer(timer, statistic) => {
            let summary = summaries.of(timer, || {
                let mut histogram = Histogram::empty(timer.unit());
                alive().for_each(|view| view.window.add_to(timer, &mut histogram));
                Summary::of(&histogram)
            });
            Some(Value::or(summary.map(|s| pick(&s, statistic)), NO_SAMPLES))
        }
        Source::Rate(counter) => sum(&|view| view.window.rate(counter), NOT_YET),
        Source::Grown(counter) => {
            let grown = |view: &SessionView<'_>| {
                (view.window.span_ns() > 0).then(|| view.window.grown(counter) as f64)
            };
            sum(&grown, NOT_YET)
        }
        Source::Caches(part) => sum(&|view| caches(view.window, part), NO_GAUGE),
        Source::Gauge(gauge) if metric.unit == Unit::Bytes => sum(
            &|view| view.window.gauge(gauge).map(|value| value as f64),
            NO_GAUGE,
        ),
        Source::Cpu => sum(&|view| view.cpu_percent, NO_PROC),
        Source::RssAnon => sum(&|view| view.rss_anon.map(|bytes| bytes as f64), NO_PROC),
        Source::Worker(fact) => Some(of_worker(fact, worker)),
        Source::Nothing(why) => Some(Value::Unknown(why)),
        _ => None,
    }
}

fn components(rows: &[Row], findings: &[Finding]) -> Vec<ComponentHealth> {
    let of = |component: &Component| {
        let own = || rows.iter().filter(|row| row.metric.component == *component);
        let about = || findings.iter().filter(|finding| finding.component == *component);
        let known = own().filter(|row| row.known).count();
        let unknown = known == 0 && about().next().is_none();
        ComponentHealth {
            component: *component,
            health: if unknown {
                Health::Unknown
            } else {
                Health::of(about().map(|finding| finding.severity))
            },
            reason: unknown.then(|| component.unmeasured()),
            metrics: own().count(),
            known,
            findings: about().count(),
        }
    };
    Component::ALL.iter().map(of).collect()
}
