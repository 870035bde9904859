//! What the running system knows of itself, for validation: measured here, or not there at all.

use std::collections::BTreeMap;

use lle_core::cache::{CACHES, Counted, Reading};
use lle_core::task::statistics::{Outcome, Statistics};
use lle_core::task::{self, TaskKind};
use lle_core::trial::Ended;
use lle_core::validate::evidence::{BenchResult, Evidence, LIVE, Live, LiveSource, Measured};
use lle_core::validate::gains;
use lle_core::validate::success::{Errors, Mean, Share, SuccessInputs};
use lle_core::validate::systems::{Audit, Facts};
use lle_metrics::{FILE_BYTES, Gauge, Histogram, Liveness, Snapshot, Timer};

use super::{Engine, audit};
use crate::world::{Now, World};

/// Thirty days, in nanoseconds.
const MONTH_NS: i64 = 30 * 24 * 3_600 * 1_000_000_000;

/// Everything that live sessions have measured since they started, of the timers that a budget asks for.
#[derive(Default)]
pub(crate) struct Totals {
    timers: BTreeMap<&'static str, Histogram>,
    sessions: u64,
}

impl Totals {
    /// Reads every live session's.
    fn gather<W: World>(world: &mut W) -> Self {
        let mut totals = Self::default();
        world.look(&mut |look| {
            if let (Some(snapshot), Liveness::Alive) = (look.snapshot, look.liveness) {
                totals.add(snapshot);
            }
        });
        totals
    }

    /// Adds a session.
    fn add(&mut self, snapshot: &Snapshot) {
        self.sessions += 1;
        for row in LIVE {
            let LiveSource::Timer(name) = row.source else {
                continue;
            };
            let Some(timer) = Timer::ALL.iter().find(|timer| timer.name() == name) else {
                continue;
            };
            let found = snapshot.histogram(*timer);
            match self.timers.get_mut(name) {
                Some(total) => total.merge(&found),
                None => drop(self.timers.insert(name, found)),
            }
        }
    }

    fn measured(&self, name: &'static str, quantile: f64) -> Option<Measured> {
        let histogram = self.timers.get(name)?;
        Some(Measured {
            value: histogram.quantile(quantile)? as f64,
            worst: Some(histogram.max as f64),
            samples: histogram.count,
            how: format!(
                "timer {name} of {} live sessions since they started",
                self.sessions
            ),
        })
    }
}

impl Engine {
    /// Puts together what is known.
    pub(crate) fn evidence<W: World>(&mut self, world: &mut W, now: Now) -> Evidence {
        self.totals = Totals::gather(world);
        Evidence {
            facts: self.facts(world, now),
            live: self.live_measurements(),
            bench: bench_results(&world.bench_results().unwrap_or_default()),
            success: self.success(now),
        }
    }

    fn facts<W: World>(&mut self, world: &mut W, now: Now) -> Facts {
        let kinds = TaskKind::ALL
            .iter()
            .filter(|kind| self.state.tasks.contains_key(kind.name()));
        let inconsistent = self
            .state
            .tasks
            .values()
            .filter(|known| !is_consistent(&known.statistics));
        let missing = task::table()
            .into_iter()
            .filter(|task| !self.state.tasks.contains_key(&task.name));
        let audit = audit::read::verify(world).ok();
        Facts {
            task_rows: count(kinds.count()),
            tasks_inconsistent: count(inconsistent.count()),
            // This very answer is given by the loop that runs the schedule.
            scheduler_age_ns: self.acts.then_some(0),
            health_sample_age_ns: self.looked_at.map(|at| now.mono_ns.saturating_sub(at.mono_ns)),
            socket_answers: self.socket_answers.then_some(true),
            audit: audit.map(|found| Audit {
                records: found.records,
                faults: found.problems.len() as u64,
            }),
            default_schedule_missing: count(missing.count()),
            sessions: count(
                self.sessions
                    .values()
                    .filter(|session| session.is_alive())
                    .count(),
            ),
            sessions_behind: self.sessions_behind(now),
            forecasts: Some(gains::Forecasts::of(self.state.scorecards.values())),
            models: self.models_made().map(|(made, fitted, of_use)| gains::Models {
                age_ns: now.wall_ns.saturating_sub(made).max(0).cast_unsigned(),
                fitted,
                of_use,
            }),
            trials: Some(self.trials_ended()),
            caches: self.caches_counted(),
        }
    }

    /// Trials of levers that are over. A value that was not kept is in force if sessions are told it all the same, and
    /// nothing else that may turn the lever has chosen it: another trial, or the upkeep of the caches.
    fn trials_ended(&self) -> gains::Trials {
        let ended = &self.state.trials_ended;
        let is_size = |lever: &str| CACHES.iter().any(|row| row.capacity.row().name == lever);
        let in_force = |trial: &&Ended| {
            let Some((lever, _, candidate)) = &trial.lever else {
                return false;
            };
            let is_set = self.state.settings.get(lever) == Some(candidate) && !is_size(lever);
            let is_proven = ended.iter().any(|other| other.kept && other.lever == trial.lever);
            trial.kept && trial.verdict.reverts() || !trial.kept && is_set && !is_proven
        };
        gains::Trials {
            ended: ended.len() as u64,
            kept: ended.iter().filter(|trial| trial.kept).count() as u64,
            in_force: ended.iter().filter(in_force).count() as u64,
        }
    }

    /// What the caches of live sessions have counted since these began; none without a session that tells.
    fn caches_counted(&self) -> Option<gains::Caches> {
        let mut counted = Counted::default();
        for session in self.sessions.values().filter(|session| session.is_alive()) {
            counted.add(&Counted::of(session.window()));
        }
        let readings = || counted.caches.iter().flatten();
        readings().next()?;
        Some(gains::Caches {
            asked: readings().map(Reading::asked).sum(),
            hits: readings().map(|reading| reading.hits).sum(),
            checked: counted.checked,
            wrong: counted.wrong,
        })
    }

    fn live_measurements(&self) -> Live {
        let mut values = BTreeMap::new();
        for row in LIVE {
            let measured = match row.source {
                LiveSource::Timer(name) => {
                    let budget = lle_core::budget::Budget::named(row.budget);
                    let quantile = budget.map_or(0.99, |budget| match budget.percentile {
                        lle_core::budget::Percentile::P50 => 0.5,
                        _ => 0.99,
                    });
                    self.totals.measured(name, quantile)
                }
                LiveSource::FlightFiles => self.flight_bytes(row.budget),
                // Measured by benches; the running worker keeps no histogram of itself.
                LiveSource::WorkerClock => None,
                LiveSource::Trims => self.trims(),
                LiveSource::WorkerProcessor => self.worker_processor().map(|(cpu_ns, elapsed_ns)| Measured {
                    value: cpu_ns as f64 * 100.0 / (elapsed_ns as f64).max(1.0),
                    worst: None,
                    samples: elapsed_ns / super::SECOND_NS,
                    how: "the worker's processor time since it started, work included".into(),
                }),
                LiveSource::WorkerMemory => self.worker.rss_anon_bytes().map(|bytes| Measured {
                    value: bytes as f64,
                    worst: None,
                    samples: 1,
                    how: "RssAnon of the worker in /proc".into(),
                }),
            };
            values.extend(measured.map(|measured| (row.budget, measured)));
        }
        Live { values }
    }

    /// The last trim of each live session that was asked for one: what it took, as the session timed it.
    fn trims(&self) -> Option<Measured> {
        let of = |session: &super::observe::session::SessionState| {
            let ns = session.window().gauge(Gauge::TrimNs)?;
            u64::try_from(ns).ok()
        };
        let took = self.sessions.values().filter_map(of);
        let (samples, longest) = took.fold((0, 0), |(n, longest), ns| (n + 1, u64::max(longest, ns)));
        (samples > 0).then(|| Measured {
            value: longest as f64,
            worst: Some(longest as f64),
            samples,
            how: format!("the last trim of each of {samples} live sessions, the longest of them"),
        })
    }

    fn flight_bytes(&self, budget: &str) -> Option<Measured> {
        let sessions = self.totals.sessions;
        (sessions > 0).then(|| Measured {
            value: match budget {
                "session_bytes" => FILE_BYTES as f64,
                _ => FILE_BYTES as f64 * sessions as f64,
            },
            worst: None,
            samples: sessions,
            how: format!("flight files of {sessions} live sessions, {FILE_BYTES} bytes each"),
        })
    }

    /// Only what is counted: who was authorised and recorded is proved by the code's types, and a share of what nobody
    /// counts would be invented.
    fn success(&self, now: Now) -> SuccessInputs {
        let ended: u64 = self.state.outcomes.values().sum();
        let of = |name: &str| self.state.outcomes.get(name).copied().unwrap_or(0);
        // What failed with nothing to take back may have been done halfway.
        let operations = (ended > 0).then(|| Share {
            part: of("applied") + of("undone"),
            of: ended,
        });
        let (interval_coverage, forecast_error) = self.forecasts_lately(now);
        SuccessInputs {
            operations,
            interval_coverage,
            forecast_error,
            optimisation: self.gain_of_trials(now),
            ..SuccessInputs::default()
        }
    }

    /// How the forecasts of the last month did: how many intervals held, and their squared errors by those of the last value.
    /// Series count by how many forecasts of them were scored, whatever they are measured in.
    fn forecasts_lately(&self, now: Now) -> (Option<Share>, Option<Errors>) {
        let cards = self.state.scorecards.values();
        let (mut share, mut errors) = (
            Share { part: 0, of: 0 },
            Errors {
                ours: 0.0,
                naive: 0.0,
                samples: 0,
            },
        );
        for lately in cards.map(|card| card.lately(now.wall_ns, MONTH_NS)) {
            share.part += lately.covered;
            share.of += lately.scored;
            if let Some(ratio) = lately.squares_ratio {
                errors.ours += ratio * lately.scored as f64;
                errors.naive += lately.scored as f64;
                errors.samples += lately.scored;
            }
        }
        (
            (share.of > 0).then_some(share),
            (errors.samples > 0).then_some(errors),
        )
    }

    /// By how much what trials of the last three months have kept is better than what it was tried against, in percent.
    fn gain_of_trials(&self, now: Now) -> Option<Mean> {
        let is_recent =
            |trial: &&Ended| (0..3 * MONTH_NS).contains(&now.wall_ns.saturating_sub(trial.wall_ns));
        let kept = self
            .state
            .trials_ended
            .iter()
            .filter(|trial| trial.kept)
            .filter(is_recent);
        let gains: Vec<f64> = kept
            .filter_map(|trial| trial.estimate.as_ref())
            .map(|estimate| 100.0 * (1.0 - estimate.ratio))
            .collect();
        (!gains.is_empty()).then(|| Mean {
            value: gains.iter().sum::<f64>() / gains.len() as f64,
            samples: gains.len() as u64,
        })
    }
}

/// Reads what benches left: the last result of each budget. A line that is none says nothing about anything, and its
/// budget stays unmeasured.
fn bench_results(bytes: &[u8]) -> BTreeMap<String, BenchResult> {
    let results = bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<BTreeMap<String, BenchResult>>(line).ok());
    let known = |(name, _): &(String, BenchResult)| lle_core::budget::Budget::named(name).is_some();
    results.flatten().filter(known).collect()
}

/// Whether the counters add up.
fn is_consistent(statistics: &Statistics) -> bool {
    let sum: u64 = Outcome::ALL
        .iter()
        .map(|outcome| statistics.counter(*outcome))
        .sum();
    sum == statistics.runs
}

fn count(n: usize) -> Option<u32> {
    u32::try_from(n).ok()
}

#[cfg(test)]
mod tests {
    use lle_core::budget::Budget;

    use super::*;
    use lle_core::series::forecast::Forecast;
    use lle_core::series::forecast::score::Scorecard;

    #[test]
    fn what_forecasts_and_trials_came_to_is_counted() {
        const HOUR: i64 = 3_600 * 1_000_000_000;
        let folder = tempfile::tempdir().unwrap();
        let (_world, mut engine, now) = crate::engine::tests::started(folder.path());
        let nothing = engine.success(now);
        assert_eq!((nothing.interval_coverage, nothing.forecast_error), (None, None));
        assert_eq!(nothing.optimisation, None);
        // Of two series in other units three forecasts of four held, with a quarter of the naive one's squared error.
        for unit in [1.0, 1e9] {
            let mut card = Scorecard::default();
            for at in 0..4 {
                let made_ns = now.wall_ns - 100 * HOUR + at * HOUR;
                card.keep(Forecast {
                    made_ns,
                    due_ns: made_ns + HOUR,
                    value: 1.0 * unit,
                    low: 0.0,
                    high: if at == 0 { 1.0 } else { 2.0 } * unit,
                    naive: 0.0,
                });
                card.observe(made_ns + HOUR, 2.0 * unit);
            }
            engine.state.scorecards.insert(format!("of {unit}"), card);
        }
        let known = engine.success(now);
        assert_eq!(known.interval_coverage, Some(Share { part: 6, of: 8 }));
        let errors = known.forecast_error.unwrap();
        assert_eq!((errors.ours / errors.naive, errors.samples), (0.25, 8));
        let later = Now {
            wall_ns: now.wall_ns + 3 * MONTH_NS,
            ..now
        };
        assert_eq!(
            engine.success(later).interval_coverage,
            None,
            "that was months ago"
        );
    }

    #[test]
    fn what_the_bench_of_the_engine_measures_names_it() {
        let text = include_str!("../../benches/engine/main.rs");
        for budget in lle_core::budget::all().filter(|budget| budget.probe().is_none()) {
            let name = format!("\"{}\"", budget.name);
            let measured = text.match_indices(&name).any(|(at, _)| {
                let before = text[..at].trim_end();
                before.ends_with("times(") || before.ends_with("sizes(")
            });
            assert!(!measured, "{} is measured and names no probe", budget.name);
        }
    }

    #[test]
    fn results_of_benches() {
        let budget = Budget::named("audit_append").unwrap();
        let line = |value, worst| {
            let line = budget.result_line(value, worst, 2_000, "2026-11-24", "a \"fast\"\tone");
            line.unwrap_or_default()
        };
        let text = format!(
            "{}rubbish\n{}{{\"no_such\":{{\"value\":1}}}}\n{}",
            line(1.0, None),
            line(4_200.5, Some(9e6)),
            line(f64::NAN, None)
        );
        let results = bench_results(text.as_bytes());
        assert_eq!(results.len(), 1);
        assert_eq!(
            results["audit_append"],
            BenchResult {
                value: 4_200.5,
                worst: Some(9e6),
                samples: 2_000,
                when: "2026-11-24".into(),
                machine: "a 'fast' one".into(),
            }
        );
        assert!(bench_results(b"\xff\n{}\n\n").is_empty());
    }
}
