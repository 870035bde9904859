//! How often a configuration is taken back that changed nothing, and how soon one that costs something: seeded worlds whose
//! truth is known, through the production code.
//!
//! ```text
//!  seed ─▸ sessions { observations before │ since } ─▸ lle_core::trial::configured ─▸ tally by kind ─▸ docs/confirm.md
//! ```
//!
//! Seeds from [`HELD_OUT`] on are what is reported; nothing was set by them.
//!
//! Invariant: the same seeds give the same table, byte by byte.

use lle_core::trial::configured::Configured;
use lle_core::trial::measure::{MEASURES, Measure};
use lle_core::trial::usual::Observation;
use lle_core::trial::{Evidence, Otherwise, Verdict};

use crate::random::Random;

/// The first seed that nothing was set by.
pub const HELD_OUT: u64 = 60_001;
/// Trials of each kind that the page is made of.
pub const TRIALS: u64 = 2_000;
/// Looks in the active time that a trial has out of the box: ten minutes, one every ten seconds.
const LOOKS: u64 = 60;
/// What is allowed out of the box, as a fraction.
const TOLERANCE: f64 = 0.1;
const MS: f64 = 1e6;

/// What a world is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Durations scatter by a third.
    Quiet,
    /// Now and then the machine is busy for some minutes, and everything takes up to eight times as long.
    Bursts,
    /// One look in twenty meets a stall of up to half a second.
    Stalls,
    /// As quiet, but the shell was used for a minute only before.
    JustBegun,
    /// The machine is busy from the change on, by chance: everything takes four times as long.
    BusySince,
    /// Prompts take 200 ms more since.
    Prompts200,
    /// Prompts take 200 ms more since, and stalls.
    Prompts200Stalls,
    /// Prompts take 40 ms more since.
    Prompts40,
    /// Keys take 15 ms more since.
    Keys15,
    /// As quiet, but the shell was used for seconds only before.
    HardlyBegun,
    /// As stalls, but the shell was used for seconds only before.
    HardlyBegunStalls,
    /// As busy since, but the shell was used for seconds only before.
    HardlyBegunBusy,
    /// Prompts take 200 ms more since, and the shell was used for seconds only before.
    HardlyBegunPrompts200,
}

impl Kind {
    /// Every kind, those in which nothing was changed first.
    pub const ALL: &[Kind] = &[
        Kind::Quiet,
        Kind::Bursts,
        Kind::Stalls,
        Kind::JustBegun,
        Kind::BusySince,
        Kind::HardlyBegun,
        Kind::HardlyBegunStalls,
        Kind::HardlyBegunBusy,
        Kind::Prompts200,
        Kind::Prompts200Stalls,
        Kind::Prompts40,
        Kind::Keys15,
        Kind::HardlyBegunPrompts200,
    ];

    /// What it is, for the table.
    pub const fn about(self) -> &'static str {
        match self {
            Kind::Quiet => "nothing changed, durations scatter by a third",
            Kind::Bursts => "nothing changed, busy for minutes now and then",
            Kind::Stalls => "nothing changed, a stall in one look of twenty",
            Kind::JustBegun => "nothing changed, a minute of use before",
            Kind::BusySince => "nothing changed, the machine is busy since, by chance",
            Kind::Prompts200 => "prompts 200 ms slower",
            Kind::Prompts200Stalls => "prompts 200 ms slower, and stalls",
            Kind::Prompts40 => "prompts 40 ms slower",
            Kind::Keys15 => "keys 15 ms slower",
            Kind::HardlyBegun => "nothing changed, ten seconds of use before",
            Kind::HardlyBegunStalls => "nothing changed, ten seconds of use before, and stalls",
            Kind::HardlyBegunBusy => "nothing changed, ten seconds of use before, busy since",
            Kind::HardlyBegunPrompts200 => "prompts 200 ms slower, ten seconds of use before",
        }
    }

    /// Whether something was changed.
    pub const fn is_slower(self) -> bool {
        matches!(
            self,
            Kind::Prompts200
                | Kind::Prompts200Stalls
                | Kind::Prompts40
                | Kind::Keys15
                | Kind::HardlyBegunPrompts200
        )
    }

    fn adds_ms(self, measure: Measure) -> f64 {
        match (self, measure) {
            (Kind::Prompts200 | Kind::Prompts200Stalls | Kind::HardlyBegunPrompts200, Measure::Prompts) => {
                200.0
            }
            (Kind::Prompts40, Measure::Prompts) => 40.0,
            (Kind::Keys15, Measure::Keys) => 15.0,
            _ => 0.0,
        }
    }
}

/// What came of all trials of a kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Trials.
    pub trials: u64,
    /// That were taken back as worse.
    pub worse: u64,
    /// That were confirmed.
    pub confirmed: u64,
    /// That nobody could tell.
    pub inconclusive: u64,
    /// Looks until those that were worse were taken back.
    pub took: Vec<u64>,
}

/// Runs trials of a kind.
pub fn run(kind: Kind, seeds: impl Iterator<Item = u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let (verdict, looks) = one(kind, seed);
        tally.trials += 1;
        match verdict {
            Verdict::Revert => {
                tally.worse += 1;
                tally.took.push(looks);
            }
            Verdict::Confirm => tally.confirmed += 1,
            _ => tally.inconclusive += 1,
        }
    }
    tally.took.sort_unstable();
    tally
}

/// One trial: all measures, one to four sessions.
fn one(kind: Kind, seed: u64) -> (Verdict, u64) {
    let mut world = Noise {
        kind,
        random: Random::new(seed.wrapping_mul(31).wrapping_add(kind as u64)),
        busy: 1.0,
    };
    let measures: Vec<Measure> = MEASURES.iter().map(|row| row.measure).collect();
    let mut trial = Configured::new(2, 1, Vec::new(), &measures, false);
    let sessions = 1 + world.random.below(4);
    let before = match kind {
        Kind::JustBegun => 6,
        Kind::HardlyBegun | Kind::HardlyBegunStalls | Kind::HardlyBegunBusy | Kind::HardlyBegunPrompts200 => {
            1
        }
        _ => 20 + world.random.below(160),
    };
    let mut usual = vec![Evidence::default(); measures.len() * sessions as usize];
    for _ in 0..before {
        world.pass();
        for session in 0..sessions {
            for (row, measure) in measures.iter().enumerate() {
                let of = &mut usual[row + session as usize * measures.len()];
                of.add(world.observe(*measure, session, false));
            }
        }
    }
    for session in 0..sessions {
        for (row, measure) in measures.iter().enumerate() {
            trial.before(session, *measure, usual[row + session as usize * measures.len()]);
        }
    }
    for look in 1..=LOOKS {
        world.pass();
        // People type into one session at a time.
        let session = world.random.below(sessions);
        for measure in &measures {
            let mean_ns = world.observe(*measure, session, true);
            trial.hear(session, *measure, Observation { samples: 3, mean_ns });
        }
        if let Some(judged) = trial.look(TOLERANCE, look == LOOKS, Otherwise::Keep) {
            return (judged.verdict, look);
        }
    }
    (Verdict::InconclusiveKept, LOOKS)
}

/// Durations of a world.
struct Noise {
    kind: Kind,
    random: Random,
    /// So many times as long as on an idle machine.
    busy: f64,
}

impl Noise {
    /// Ten seconds go by.
    fn pass(&mut self) {
        if self.kind != Kind::Bursts {
            return;
        }
        if self.random.once_in(if self.busy > 1.0 { 9 } else { 30 }) {
            self.busy = if self.busy > 1.0 {
                1.0
            } else {
                2.0 + 6.0 * self.unit()
            };
        }
    }

    fn unit(&mut self) -> f64 {
        (self.random.draw() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// The mean of what a look finds, in nanoseconds.
    fn observe(&mut self, measure: Measure, session: u64, since: bool) -> f64 {
        // What each usually takes here, in milliseconds; no two sessions are alike.
        let usual_ms = match measure {
            Measure::Keys => 0.3,
            Measure::Colours => 0.05,
            Measure::Suggestions => 0.5,
            Measure::Completions => 12.0,
            Measure::Appends => 0.1,
            Measure::Searches => 3.0,
            Measure::Prompts => 0.8,
            Measure::Starts => 30.0,
        } * (1.0 + 0.3 * session as f64);
        // The product of two draws is skewed to the right, as durations are.
        let scatter = (0.6 + 0.8 * self.unit()) * (0.7 + 0.6 * self.unit());
        let busy = match self.kind {
            Kind::BusySince | Kind::HardlyBegunBusy if since => 4.0,
            _ => self.busy,
        };
        let stalls = matches!(
            self.kind,
            Kind::Stalls | Kind::Prompts200Stalls | Kind::HardlyBegunStalls
        );
        let stall = match stalls && self.random.once_in(20) {
            true => 500.0 * self.unit(),
            false => 0.0,
        };
        let adds = if since { self.kind.adds_ms(measure) } else { 0.0 };
        MS * (usual_ms * scatter * busy + stall + adds * (0.95 + 0.1 * self.unit()))
    }
}

/// The table of the page, for so many trials of each kind.
pub fn table(trials: u64) -> String {
    let mut out = String::from(
        "| world | taken back | confirmed | undecided | looks until taken back, median and most |\n| --- | --- | --- | --- | --- |\n",
    );
    for kind in Kind::ALL {
        let tally = run(*kind, HELD_OUT..HELD_OUT + trials);
        let share = |n: u64| format!("{:.2} %", n as f64 * 100.0 / tally.trials.max(1) as f64);
        let took = match (tally.took.get(tally.took.len() / 2), tally.took.last()) {
            (Some(median), Some(most)) => format!("{median}, {most}"),
            _ => "–".to_owned(),
        };
        out.push_str(&format!(
            "| {} | {} | {} | {} | {took} |\n",
            kind.about(),
            share(tally.worse),
            share(tally.confirmed),
            share(tally.inconclusive)
        ));
    }
    out
}
