//! Assessment: which findings follow from which measurements.

use lle_metrics::{Counter, Flight, Gauge, Identity, Timer};
use proptest::prelude::*;

use super::assess::{Absolute, Assessment, Thresholds, assess, learn};
use super::baseline::Baselines;
use super::component::Component;
use super::finding::Finding;
use super::floor::Floor;
use super::metric::{METRICS, Value};
use super::sample::Window;
use super::view::{Presence, SessionView, WorkerView};
use crate::severity::{Health, Severity};

const S: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
const US: u64 = 1_000;

/// A session that only records.
struct Session {
    id: u64,
    flight: Flight,
    window: Box<Window>,
    floor: Floor,
    presence: Presence,
    tty: &'static str,
}

impl Session {
    fn new(id: u64) -> Session {
        Session {
            id,
            flight: Flight::private(&Identity::default()),
            window: Box::new(Window::new()),
            floor: Floor::default(),
            presence: Presence::Alive,
            tty: "/dev/pts/3",
        }
    }

    fn prompt(&self, whole: u64, command: u64, blame: &[u8]) {
        self.flight.update(|w| {
            w.time(Timer::Prompt, whole);
            w.time(Timer::PromptCommand, command);
            w.set(Gauge::PromptLastNs, whole as i64);
            w.set(Gauge::PromptCommandLastNs, command as i64);
            w.set(Gauge::PromptExpandLastNs, (whole - command) as i64);
            w.prompt_blame(blame);
        });
    }

    fn fold(&mut self, second: u64) {
        self.window.fold(second * S, &self.flight.snapshot().unwrap());
    }

    fn view(&self) -> SessionView<'_> {
        SessionView {
            id: self.id,
            tty: self.tty,
            pid: 4711,
            presence: self.presence,
            idle: true,
            window: &self.window,
            floor: &self.floor,
            cpu_percent: Some(0.1),
            rss_anon: Some(3 << 20),
            rss_peak: None,
            uptime_ns: Some(60 * S),
        }
    }
}

fn look(sessions: &[&Session], baselines: &Baselines) -> Assessment {
    let views: Vec<_> = sessions.iter().map(|session| session.view()).collect();
    assess(&views, &WorkerView::default(), baselines, &Thresholds::default())
}

/// Ten seconds pass in which each session shows four prompts, quick ones unless it is slow.
fn ten_seconds(
    sessions: &mut [Session],
    second: u64,
    slow: Option<u64>,
    baselines: &mut Baselines,
) -> Assessment {
    for session in sessions.iter_mut() {
        for n in 0..4 {
            if slow == Some(session.id) {
                session.prompt(305 * MS, 300 * MS, b"sleep");
            } else {
                session.prompt(2_000 * US + n * 50 * US + second * US, 20 * US, b"true");
            }
        }
        session.fold(second);
    }
    let views: Vec<_> = sessions.iter().map(Session::view).collect();
    let assessment = assess(&views, &WorkerView::default(), baselines, &Thresholds::default());
    learn(baselines, second * S, &views, &assessment);
    assessment
}

fn two_sessions(baselines: &mut Baselines, learned_s: u64, slow: Option<u64>) -> Assessment {
    let mut sessions = [Session::new(1), Session::new(2)];
    sessions.iter_mut().for_each(|session| session.fold(0));
    let mut assessment = None;
    for second in (10..=learned_s + 20).step_by(10) {
        let slow = slow.filter(|_| second > learned_s);
        assessment = Some(ten_seconds(&mut sessions, second, slow, baselines));
    }
    assessment.unwrap()
}

fn health_of(assessment: &Assessment, component: Component) -> Health {
    assessment
        .components
        .iter()
        .find(|each| each.component == component)
        .unwrap()
        .health
}

fn titles(assessment: &Assessment) -> Vec<&str> {
    assessment
        .findings
        .iter()
        .map(|finding| finding.title.as_str())
        .collect()
}

#[test]
fn a_prompt_that_sleeps_is_found_with_before_and_after() {
    let mut baselines = Baselines::default();
    let quiet = two_sessions(&mut baselines, 60, None);
    assert_eq!((quiet.overall, titles(&quiet)), (Health::Healthy, vec![]));
    let assessment = two_sessions(&mut baselines, 60, Some(2));
    insta::assert_debug_snapshot!(assessment.findings, @r#"
    [
        Finding {
            key: "prompt.slow/0000000000000002",
            severity: Warning,
            component: Prompt,
            session: Some(
                2,
            ),
            title: "prompt takes 305 ms, before usually 2.1 ms; of it 300 ms in PROMPT_COMMAND (sleep)",
            evidence: "/dev/pts/3, process 4711; the mean of the last 4, the longest 305 ms; usually 2.1 ms ± 29.7 µs",
            remedy: "`declare -p PROMPT_COMMAND PS1` shows what runs before each prompt; take the slow part out or let it run in the background, then `lusush maint health` shows the difference",
            before: Some(
                2115000.0,
            ),
            after: Some(
                305000000.0,
            ),
            unit: "ns",
        },
    ]
    "#);
    assert_eq!(assessment.overall, Health::Warning);
    assert_eq!(health_of(&assessment, Component::Prompt), Health::Warning);
    assert_eq!(health_of(&assessment, Component::Display), Health::Healthy);
}

#[test]
fn without_a_baseline_before_is_unknown() {
    let assessment = two_sessions(&mut Baselines::default(), 0, Some(1));
    assert_eq!(
        titles(&assessment),
        ["prompt takes 305 ms, before: unknown (too few samples); of it 300 ms in PROMPT_COMMAND (sleep)"]
    );
    assert_eq!(assessment.findings[0].before, None);
}

#[test]
fn a_regression_is_not_learned() {
    let mut baselines = Baselines::default();
    let mut sessions = [Session::new(1)];
    sessions[0].fold(0);
    for second in (10..=60).step_by(10) {
        ten_seconds(&mut sessions, second, None, &mut baselines);
    }
    for second in (70..=7_200).step_by(10) {
        let assessment = ten_seconds(&mut sessions, second, Some(1), &mut baselines);
        assert_eq!(assessment.findings.len(), 1, "after {second} s");
    }
    assert!(baselines.usual("prompt_ns_recent").unwrap().center < 3e6);
    // A session that nobody uses keeps its finding, and is rid of it with the next quick prompts.
    for second in (7_210..=7_400).step_by(10) {
        sessions[0].fold(second);
        assert_eq!(look(&[&sessions[0]], &baselines).findings.len(), 1);
    }
    let assessment = ten_seconds(&mut sessions, 7_410, None, &mut baselines);
    assert_eq!(assessment.findings, []);
}

#[test]
fn what_sessions_write_is_made_harmless() {
    let mut session = Session::new(7);
    session.tty = "/dev/\x1b]0;pts\x07";
    session.fold(0);
    for _ in 0..3 {
        session.prompt(
            900 * MS,
            800 * MS,
            b"\x1b[2J\xff__git_ps1_with_a_very_long_name_that_goes_on_and_on",
        );
    }
    session.fold(10);
    let assessment = look(&[&session], &Baselines::default());
    let Finding { title, evidence, .. } = &assessment.findings[0];
    assert!(
        !format!("{title}{evidence}").chars().any(char::is_control),
        "{title} {evidence}"
    );
    assert!(title.contains("\u{fffd}[2J\u{fffd}__git_ps1"), "{title}");
}

#[test]
fn components_without_a_known_metric_are_unknown_and_say_why() {
    let nothing = assess(
        &[],
        &WorkerView::default(),
        &Baselines::default(),
        &Thresholds::default(),
    );
    assert_eq!(nothing.overall, Health::Unknown);
    for component in &nothing.components {
        assert_eq!((component.health, component.known), (Health::Unknown, 0));
        assert!(component.reason.is_some_and(|reason| !reason.is_empty()));
    }
    let assessment = two_sessions(&mut Baselines::default(), 60, None);
    let unknown: Vec<_> = assessment
        .components
        .iter()
        .filter(|each| each.health == Health::Unknown)
        .collect();
    let names: Vec<_> = unknown.iter().map(|each| each.component.name()).collect();
    assert_eq!(names, ["buffer", "cache", "plugins", "config", "storage"]);
}

#[test]
fn events_gauges_and_processes() {
    fn check(key: &str, expect: Option<Severity>, act: impl FnOnce(&mut Session, &mut SessionChange)) {
        let mut session = Session::new(9);
        session.flight.update(|w| w.set(Gauge::On, 1));
        session.fold(0);
        let mut change = SessionChange::default();
        act(&mut session, &mut change);
        session.fold(10);
        let mut view = session.view();
        view.cpu_percent = change.cpu.or(view.cpu_percent);
        view.rss_anon = change.rss.or(view.rss_anon);
        let worker = change.worker.unwrap_or_default();
        let assessment = assess(&[view], &worker, &Baselines::default(), &Thresholds::default());
        let found: Vec<_> = assessment
            .findings
            .iter()
            .map(|f| (f.key.as_str(), Some(f.severity)))
            .collect();
        assert_eq!(
            found,
            expect.map_or(vec![], |severity| vec![(key, Some(severity))])
        );
    }
    check("", None, |_, _| {});
    check(
        "history.failed/0000000000000009",
        Some(Severity::Major),
        |s, _| {
            s.flight.update(|w| w.add(Counter::HistoryAppendFailures, 2));
        },
    );
    check(
        "display.panicked/0000000000000009",
        Some(Severity::Major),
        |s, _| {
            s.flight.update(|w| w.add(Counter::Panics, 1));
        },
    );
    check(
        "storage.memory_only/0000000000000009",
        Some(Severity::Major),
        |s, _| {
            s.flight.update(|w| w.set(Gauge::MemoryOnly, 1));
        },
    );
    check("host.off/0000000000000009", Some(Severity::Info), |s, _| {
        s.flight.update(|w| w.set(Gauge::On, 0));
    });
    check(
        "event.wakeups/0000000000000009",
        Some(Severity::Warning),
        |s, _| {
            s.flight.update(|w| {
                w.add(Counter::GetcPolls, 200);
                w.add(Counter::Keys, 100);
            });
        },
    );
    check("display.slow/0000000000000009", Some(Severity::Major), |s, _| {
        s.flight
            .update(|w| (0..20).for_each(|_| w.time(Timer::KeyToPaint, 120 * MS)));
    });
    check("event.busy/0000000000000009", Some(Severity::Major), |_, c| {
        c.cpu = Some(99.0);
    });
    check(
        "memory.large/0000000000000009",
        Some(Severity::Warning),
        |_, c| c.rss = Some(600 << 20),
    );
    check(
        "session.crashed/0000000000000009",
        Some(Severity::Minor),
        |s, _| s.presence = Presence::Crashed,
    );
    check("", None, |s, _| s.presence = Presence::Ended);
    check("security.strangers", Some(Severity::Warning), |_, c| {
        c.worker = Some(WorkerView {
            failed_authentications: Some(3),
            ..WorkerView::default()
        });
    });
    check("config.lag/0000000000000009", Some(Severity::Warning), |s, c| {
        s.flight.update(|w| w.set(Gauge::ConfigVersion, 4));
        c.worker = Some(WorkerView {
            config_version: Some(7),
            ..WorkerView::default()
        });
    });
    check("", None, |s, c| {
        // Trials, settings and alerts were published since it looked.
        s.flight.update(|w| {
            w.set(Gauge::ConfigVersion, 7);
            w.set(Gauge::ConfigGeneration, 4);
        });
        c.worker = Some(WorkerView {
            config_version: Some(7),
            ..WorkerView::default()
        });
    });
}

#[derive(Default)]
struct SessionChange {
    cpu: Option<f64>,
    rss: Option<u64>,
    worker: Option<WorkerView>,
}

#[test]
fn limits_of_the_user_come_before_those_of_the_table() {
    let mut session = Session::new(1);
    session.fold(0);
    (0..3).for_each(|_| session.prompt(305 * MS, 300 * MS, b"sleep"));
    session.fold(10);
    let check = |warn: Option<f64>, critical: Option<f64>, expect: Option<Severity>| {
        let mut config = Thresholds::default();
        config
            .limits
            .insert("prompt_ns_recent".to_owned(), Absolute { warn, critical });
        let assessment = assess(
            &[session.view()],
            &WorkerView::default(),
            &Baselines::default(),
            &config,
        );
        assert_eq!(
            assessment.findings.first().map(|finding| finding.severity),
            expect
        );
    };
    check(None, None, Some(Severity::Warning));
    check(Some(1e9), None, None);
    check(None, Some(3e8), Some(Severity::Major));
}

#[test]
fn every_metric_is_known_or_says_why_not() {
    let assessment = two_sessions(&mut Baselines::default(), 60, None);
    for measured in &assessment.metrics {
        if let Value::Unknown(why) = measured.value {
            assert!(!why.is_empty(), "{}", measured.metric.name);
            assert_eq!(measured.health(), Health::Unknown, "{}", measured.metric.name);
        }
    }
    let named = |name: &str| {
        let row = assessment
            .metrics
            .iter()
            .find(|row| row.metric.name == name && row.session.is_none());
        row.unwrap().value
    };
    // Six intervals of four prompts, in two sessions.
    assert!(matches!(named("prompt_ns_p50"), Value::Known(ns) if (2e6..2.5e6).contains(&ns)));
    assert_eq!(named("rss_anon_bytes"), Value::Known(6.0 * 1024.0 * 1024.0));
    assert_eq!(named("cache_hits"), Value::Unknown("the session does not tell"));
    assert!(METRICS.len() < 128, "the check is to stay within its budget");
}

proptest! {
    #[test]
    fn whatever_sessions_say_looking_changes_nothing_and_text_is_bounded(
        gauges in proptest::collection::vec(any::<i64>(), Gauge::ALL.len()),
        values in proptest::collection::vec(any::<u64>(), 1..30),
        blame in proptest::collection::vec(any::<u8>(), 0..80),
        cpu in any::<f64>(),
    ) {
        let mut session = Session::new(3);
        session.fold(0);
        session.flight.update(|w| {
            for (at, value) in values.iter().enumerate() {
                w.time(Timer::ALL[at % Timer::ALL.len()], *value);
                w.add(Counter::ALL[at % Counter::ALL.len()], *value);
            }
            for (gauge, value) in Gauge::ALL.iter().zip(&gauges) {
                w.set(*gauge, *value);
            }
            w.prompt_blame(&blame);
        });
        session.fold(10);
        let mut view = session.view();
        view.cpu_percent = Some(cpu);
        let baselines = Baselines::default();
        let look = || assess(&[view], &WorkerView::default(), &baselines, &Thresholds::default());
        let assessment = look();
        prop_assert_eq!(&look().findings, &assessment.findings);
        for finding in &assessment.findings {
            let text = format!("{}{}{}", finding.title, finding.evidence, finding.remedy);
            prop_assert!(text.len() < 1_024 && !text.chars().any(char::is_control));
        }
    }
}
