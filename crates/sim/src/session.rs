//! Sessions, as their flight files show them: made by the real recorder, by an older version, or by a liar.

use std::path::Path;

use lle_core::arms::Tally;
use lle_core::arms::in_all::InAll;
use lle_core::desired::Desired;
use lle_metrics::{Counter, EventKind, Flight, Gauge, Identity, Liveness, Recorder, Snapshot, Stage, Timer};

use crate::random::Random;

/// Pairs of lines of one use.
const PAIRS: u64 = 20;

/// What a session is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// It does what it is told.
    Good,
    /// It never answers.
    Hung,
    /// Its numbers are rubbish.
    Liar,
    /// It cannot be read.
    Unreadable,
    /// It runs the version before, without the gauges of this one.
    Older,
}

/// One session.
pub struct SimSession {
    /// Its number.
    pub id: u64,
    /// What it is like.
    pub nature: Nature,
    /// Whether its process is there.
    pub liveness: Liveness,
    /// Alerts that it has shown, by number, until somebody asks.
    pub just_shown: Vec<u64>,
    /// The generation it has seen.
    pub seen_generation: u64,
    flight: Option<Flight>,
    snapshot: Option<Snapshot>,
    shown: u64,
    trimmed: u64,
    /// The trial that it compares lines for, and the pairs so far.
    compares: (u64, u64),
    /// The version of the configuration that it goes by, and what that adds to a prompt, in nanoseconds.
    goes_by: (u64, u64),
    /// What its process costs.
    pub cpu_ns: u64,
}

impl SimSession {
    /// Starts a session.
    pub fn new(id: u64, nature: Nature, wall_ns: i64) -> Self {
        let identity = Identity {
            session_id: id,
            boot_id: [1; 16],
            pid: 1000,
            start_ticks: 1,
            created_wall_ns: wall_ns.max(0).cast_unsigned(),
            tty: format!("/dev/pts/{}", id % 100),
            bash_version: "5.2".into(),
            lle_version: "0".into(),
        };
        let (flight, snapshot) = match nature {
            Nature::Older => (None, older()),
            Nature::Unreadable => (None, None),
            _ => (Some(Flight::private(&identity)), None),
        };
        let mut session = Self {
            id,
            nature,
            liveness: Liveness::Alive,
            just_shown: Vec::new(),
            seen_generation: 0,
            flight,
            snapshot,
            shown: 0,
            trimmed: 0,
            compares: (0, 0),
            goes_by: (0, 0),
            cpu_ns: 0,
        };
        session.record(|_| {});
        session
    }

    /// Records something as a session does, and makes it what the next look finds.
    pub fn record(&mut self, batch: impl FnOnce(&mut Recorder<'_>)) {
        if let Some(flight) = &self.flight {
            flight.update(batch);
            self.snapshot = flight.snapshot().ok();
        }
    }

    /// What a look finds.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// Somebody types a line and runs it.
    pub fn use_it(&mut self, random: &mut Random, slow: bool) {
        let keys = 1 + random.below(30);
        let prompt_ns = if slow {
            400_000_000
        } else {
            2_000_000 + random.below(1_000_000)
        };
        let liar = self.nature == Nature::Liar;
        let rubbish = [random.draw(), random.draw(), random.draw()];
        let free = i64::try_from(random.below(4 << 20)).unwrap_or(0);
        let running = i64::from(random.once_in(4));
        self.cpu_ns += random.below(50_000_000);
        let own_ns = self.goes_by.1 + 700_000 + (keys * 10_000);
        let (trial, pairs) = (self.compares.0, self.compares.1 + PAIRS);
        self.compares.1 = pairs;
        self.record(|recorder| {
            for _ in 0..3 {
                recorder.time(Timer::KeyToPaint, 100_000);
                recorder.time(Timer::Prompt, prompt_ns);
                recorder.time(Timer::PromptCommand, prompt_ns / 2);
                recorder.stage(Stage::PromptOwn, own_ns);
            }
            // As slow now and then as one whose names are looked for on PATH.
            for sample in 0..60 {
                recorder.time(Timer::Highlight, if sample < 6 { 40_000 } else { 5_000 });
            }
            recorder.add(Counter::HighlightPathLookups, 6);
            if trial > 0 {
                compare(recorder, trial, pairs);
            }
            recorder.add(Counter::Keys, if liar { rubbish[0] } else { keys });
            recorder.add(Counter::Commands, 1);
            recorder.set(Gauge::MallocFreeBytes, free);
            recorder.set(Gauge::CommandRunning, running);
            recorder.last_command(b"make \x1b[31m && ./run");
            recorder.event(EventKind::ALL[0], 1, 2, b"x");
            if liar {
                recorder.set(Gauge::TrimToken, rubbish[1].cast_signed());
                recorder.set(Gauge::AlertsShown, i64::MAX);
                recorder.set(Gauge::MallocFreeBytes, i64::MAX);
                recorder.set(
                    Gauge::ALL[rubbish[2] as usize % Gauge::ALL.len()],
                    rubbish[2].cast_signed(),
                );
                recorder.time(Timer::Prompt, rubbish[0]);
            }
        });
    }

    /// A command begins to run.
    pub fn run_something(&mut self) {
        self.record(|recorder| recorder.set(Gauge::CommandRunning, 1));
    }

    /// The command that the configuration has run before prompts begins, and does not end.
    pub fn enter_command(&mut self, wall_ns: i64) {
        let (version, _) = self.goes_by;
        self.record(|recorder| {
            recorder.set(Gauge::CommandRunning, 1);
            recorder.set(Gauge::PromptCommandVersion, version.cast_signed());
            recorder.set(Gauge::PromptCommandSinceWallNs, wall_ns);
        });
    }

    /// The command it ran has ended; nobody types.
    pub fn rest(&mut self) {
        self.record(|recorder| recorder.set(Gauge::CommandRunning, 0));
    }

    /// Brings itself into the state that is published, as a session does at a prompt or when it is woken.
    pub fn read(&mut self, desired: &Desired) {
        if !matches!(self.nature, Nature::Good) || self.liveness != Liveness::Alive {
            return;
        }
        self.seen_generation = desired.generation;
        let trial = desired.trials.first().map_or(0, |trial| trial.id);
        if trial != self.compares.0 {
            self.compares = (trial, 0);
        }
        if let Some(config) = &desired.config {
            let command = config.value("prompt.command").map_or("", |(line, _)| line);
            let adds_ns = command
                .strip_prefix("sleep 0.")
                .and_then(|tenths| tenths.parse::<u64>().ok());
            let version = config.version;
            self.goes_by = (version, adds_ns.unwrap_or(0) * 100_000_000);
            self.record(|recorder| recorder.set(Gauge::ConfigVersion, version.cast_signed()));
        }
        let last = self.shown;
        for alert in desired
            .alerts
            .iter()
            .filter(|alert| alert.session == self.id && alert.id > last)
        {
            self.shown = self.shown.max(alert.id);
            self.just_shown.push(alert.id);
        }
        let trim = desired.trims.iter().find(|trim| trim.session == self.id);
        let answers = trim.filter(|trim| trim.token > self.trimmed);
        if let Some(trim) = answers {
            self.trimmed = trim.token;
        }
        if self.shown == last && answers.is_none() {
            return;
        }
        let (shown, trimmed) = (self.shown.cast_signed(), self.trimmed.cast_signed());
        self.record(|recorder| {
            recorder.set(Gauge::AlertsShown, shown);
            recorder.set(Gauge::TrimToken, trimmed);
            recorder.set(Gauge::MallocFreeBytes, 0);
        });
    }
}

/// Says what so many pairs came to: better, worse or neither, by the number of the trial.
fn compare(recorder: &mut Recorder<'_>, trial: u64, pairs: u64) {
    // ln 0.5, ln 2 and ln 1 in millionths; every other pair a tenth more, every other less.
    let (log, candidate) = [(-693_147, 500), (693_147, 2_000), (0, 1_000)][trial as usize % 3];
    let tally = Tally {
        id: trial,
        pairs,
        log_sum: log * pairs.cast_signed(),
        log_squares: (log * log / 1_000_000 + 10_000) * pairs.cast_signed(),
        current_ns: 10_000 * pairs,
        candidate_ns: 10_000 * pairs,
        in_all: InAll {
            current: 1_000 * pairs,
            candidate: candidate * pairs,
            current_most: 1_000,
            candidate_most: candidate,
            ..InAll::default()
        },
    };
    record_trial(recorder, &tally);
}

/// Says what the pairs of a trial came to, where the worker reads it.
pub fn record_trial(recorder: &mut Recorder<'_>, tally: &Tally) {
    let in_all = &tally.in_all;
    let counts = [
        (Gauge::TrialId, tally.id),
        (Gauge::TrialPairs, tally.pairs),
        (Gauge::TrialCurrentNs, tally.current_ns),
        (Gauge::TrialCandidateNs, tally.candidate_ns),
        (Gauge::TrialCurrentUsual, in_all.current),
        (Gauge::TrialCandidateUsual, in_all.candidate),
        (Gauge::TrialCurrentMost, in_all.current_most),
        (Gauge::TrialCandidateMost, in_all.candidate_most),
        (Gauge::TrialCurrentStalls, in_all.current_stalls),
        (Gauge::TrialCandidateStalls, in_all.candidate_stalls),
    ];
    for (gauge, value) in counts {
        recorder.set(gauge, value.cast_signed());
    }
    recorder.set(Gauge::TrialLogSum, tally.log_sum);
    recorder.set(Gauge::TrialLogSquares, tally.log_squares);
}

/// A flight file that the version before wrote.
fn older() -> Option<Snapshot> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../metrics/tests/fixtures/flight-1-2026-11.bin");
    Snapshot::read(&path).ok()
}
