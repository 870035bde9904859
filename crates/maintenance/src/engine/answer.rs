//! Answers to what only asks.

use lle_core::alert::Alert;
use lle_core::checklist::{self, evidence::TaskFacts};
use lle_core::error::Code;
use lle_core::health::assess::Measured;
use lle_core::health::finding::Finding;
use lle_core::health::metric;
use lle_core::policy::sanitise;
use lle_core::severity::Health;
use lle_core::task;
use lle_core::validate::validate;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Engine, audit};
use crate::api::audit::AuditDocument;
use crate::api::status::{CostDocument, IncidentDocument, RunningDocument, StatusDocument};
use crate::api::tasks::{TaskDocument, TasksDocument};
use crate::api::{Fault, Request, VERSION};
use crate::state::{Running, TaskState};
use crate::world::{Now, World};

/// Audit records in one answer unless more or fewer are asked for.
const AUDIT_RECORDS: u64 = 50;
/// The most.
const AUDIT_RECORDS_MAX: u64 = 1_000;
/// Bytes of what is shown beside a point of a review.
const EVIDENCE_BYTES_MAX: usize = 300;

impl Engine {
    pub(crate) fn answer<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        request: &Request,
    ) -> Result<Value, Fault> {
        match request {
            Request::Status => {
                self.look_if_offline(world, now);
                document(&self.status(world))
            }
            Request::Health => {
                self.collect(world, now);
                self.check_health(world, now);
                document(&self.health())
            }
            Request::Metrics { session } => {
                self.collect(world, now);
                self.check_health(world, now);
                document(&self.metrics(session.as_deref())?)
            }
            Request::Tasks => document(&self.tasks(now)),
            Request::Alerts => document(&self.alerts()),
            Request::Audit { from, limit } => {
                let limit = limit.unwrap_or(AUDIT_RECORDS).min(AUDIT_RECORDS_MAX);
                let records =
                    audit::read::records(world, *from, usize::try_from(limit).unwrap_or(usize::MAX))
                        .map_err(|error| unread("audit log", &error))?;
                document(&AuditDocument {
                    version: VERSION,
                    records,
                })
            }
            Request::Verify => {
                document(&audit::read::verify(world).map_err(|error| unread("audit log", &error))?)
            }
            Request::Checklist => {
                self.collect(world, now);
                self.check_health(world, now);
                document(&self.checklist(world, now)?)
            }
            Request::Trials => {
                self.look_if_offline(world, now);
                document(&self.trials(now))
            }
            Request::ConfigTrials => document(&self.config_trials(now)),
            Request::Validate => {
                self.collect(world, now);
                self.check_health(world, now);
                let evidence = self.evidence(world, now);
                let validation = validate(&evidence);
                document(&json!({
                    "version": VERSION,
                    "tally": validation.tally(),
                    "systems": validation.systems,
                    "budgets": validation.budgets,
                    "success": validation.success,
                }))
            }
            Request::Forecast => document(&self.forecasts(now)),
            Request::Anomalies => {
                // Whoever has just typed the line asks for it.
                self.collect(world, now);
                document(&self.anomalies(now))
            }
            Request::Version => Ok(json!({ "version": env!("CARGO_PKG_VERSION"), "interface": VERSION })),
            _ => Err(Fault::new(Code::InvalidState, "that changes something")),
        }
    }

    fn look_if_offline<W: World>(&mut self, world: &mut W, now: Now) {
        if !self.acts {
            self.collect(world, now);
        }
    }

    fn status<W: World>(&mut self, world: &mut W) -> StatusDocument {
        StatusDocument {
            version: VERSION,
            engine: env!("CARGO_PKG_VERSION").into(),
            worker: self.acts,
            pid: self.acts.then(std::process::id),
            started_wall_ns: self.acts.then_some(self.started_wall_ns),
            paused: self.state.paused,
            stopped: matches!(world.read(crate::world::File::Stopped), Ok(Some(_))),
            cost: world.own_cost().filter(|_| self.acts).map(|cost| CostDocument {
                cpu_ns: cost.cpu_ns,
                rss_anon_bytes: cost.rss_anon_bytes,
            }),
            sessions: self
                .sessions
                .values()
                .filter(|session| session.is_alive())
                .count(),
            running: self.state.running.values().map(running).collect(),
            stuck: self.state.stuck.values().map(running).collect(),
            trials: self.state.trials.len(),
            lever_on_trial: self.lever_trial().map(|(_, change)| change),
            trial_waits: self
                .trials_wait()
                .filter(|_| self.lever_on_trial().is_some())
                .map(str::to_owned),
            outcomes: self.state.outcomes.clone(),
            incidents: self
                .state
                .incidents
                .iter()
                .map(|incident| IncidentDocument {
                    wall_ns: incident.wall_ns,
                    session: incident.session.map(|session| format!("{session:016x}")),
                    what: incident.what.clone(),
                    evidence: incident.evidence.clone(),
                })
                .collect(),
            memory_only: self.memory_only(),
            generation: self.acts.then(|| self.published.generation()),
            history_sync_ns: self.history_sync_ns,
        }
    }

    /// Why something is kept in memory only, if it is.
    fn memory_only(&self) -> Option<String> {
        let state = self.log.failed().map(|error| format!("the state: {error}"));
        let audit = self
            .audit
            .failed
            .iter()
            .map(|error| format!("the audit log: {error}"));
        let reasons: Vec<String> = state.into_iter().chain(audit).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    fn tasks(&self, now: Now) -> TasksDocument {
        let known = task::table();
        // Those that come with the system in their order, then those of the user by name.
        let of_system = known.iter().filter_map(|task| self.state.tasks.get(&task.name));
        let of_user = self
            .state
            .tasks
            .values()
            .filter(|known| known.task.kind.is_none());
        TasksDocument {
            version: VERSION,
            now_wall_ns: now.wall_ns,
            tasks: of_system.chain(of_user).map(|known| self.task(known)).collect(),
        }
    }

    fn task(&self, known: &TaskState) -> TaskDocument {
        let (task, statistics) = (&known.task, &known.statistics);
        let last = statistics.last.as_ref();
        TaskDocument {
            name: task.name.clone(),
            kind: task.kind.map(|kind| kind.name().to_owned()),
            description: task.description.clone(),
            priority: task.priority.name().to_owned(),
            schedule: task.schedule.to_string(),
            enabled: task.enabled,
            paused: known.paused || self.state.paused,
            mode: self.mode_of(&task.name).name().to_owned(),
            built: task.kind.is_none_or(task::built),
            running: self.is_running(&task.name),
            next_wall_ns: [known.timing.next_wall_ns, known.retry_wall_ns]
                .into_iter()
                .flatten()
                .min(),
            last_wall_ns: last.map(|last| last.wall_ns),
            last_outcome: last.map(|last| last.outcome.name().to_owned()),
            last_note: last.map(|last| last.note.clone()).filter(|note| !note.is_empty()),
            runs: statistics.worked(),
            successes: statistics.successes,
            failures: statistics.failures + statistics.timeouts + statistics.panics,
            nothing_to_do: statistics.nothing_to_do,
            not_built: statistics.not_built,
            mean_ns: statistics.mean(),
            longest_ns: (statistics.worked() > 0).then_some(statistics.longest_ns),
            budget_ms: task.budget_ms,
            cost_cpu_ns: known.ledger.cost_cpu_ns,
            gained_bytes: known.ledger.gained_bytes,
        }
    }

    fn health(&self) -> Value {
        let Some(assessment) = &self.assessment else {
            return Value::Null;
        };
        let worst = |session: u64| {
            let of = assessment
                .findings
                .iter()
                .filter(|finding| finding.session == Some(session));
            Health::of(of.map(|finding| finding.severity))
        };
        let sessions: Vec<Value> = self
            .session_names()
            .map(|(id, tty, pid)| {
                json!({ "id": format!("{id:016x}"), "tty": tty, "pid": pid, "health": worst(id).name() })
            })
            .collect();
        let components: Vec<Value> = assessment
            .components
            .iter()
            .map(|part| {
                let why = part.reason.map_or_else(
                    || format!("{} of {} metrics known", part.known, part.metrics),
                    str::to_owned,
                );
                json!({
                    "component": part.component.name(), "health": part.health.name(), "why": why,
                    "metrics": part.metrics, "known": part.known, "findings": part.findings,
                })
            })
            .collect();
        let overall = Health::of(assessment.findings.iter().map(|finding| finding.severity));
        let overall = if assessment.findings.is_empty() {
            assessment.overall
        } else {
            overall
        };
        json!({
            "version": VERSION,
            "health": overall.name(),
            "sessions": sessions,
            "components": components,
            "findings": assessment.findings.iter().map(finding).collect::<Vec<_>>(),
        })
    }

    fn metrics(&self, session: Option<&str>) -> Result<Value, Fault> {
        let wanted = match session {
            None => None,
            Some(text) => Some(u64::from_str_radix(text, 16).map_err(|_| {
                Fault::new(
                    Code::InvalidParameters,
                    format!("{} is no session's number", sanitise(text, 40)),
                )
                .with_hint("sixteen hex digits, as `lusush maint health` shows them")
            })?),
        };
        let Some(assessment) = &self.assessment else {
            return Ok(Value::Null);
        };
        if let Some(wanted) = wanted
            && !assessment
                .metrics
                .iter()
                .any(|measured| measured.session == Some(wanted))
        {
            return Err(
                Fault::new(Code::NotFound, format!("there is no session {wanted:016x}"))
                    .with_hint("`lusush maint health` lists them"),
            );
        }
        let metrics: Vec<Value> = assessment
            .metrics
            .iter()
            .filter(|measured| wanted.is_none_or(|wanted| measured.session == Some(wanted)))
            .map(measured)
            .collect();
        Ok(json!({ "version": VERSION, "metrics": metrics }))
    }

    fn alerts(&self) -> Value {
        let of = |alert: &Alert| {
            let state = match (&alert.resolved_wall_ns, &alert.acknowledged, &alert.shown) {
                (Some(_), ..) => "resolved",
                (_, Some(_), _) => "acknowledged",
                (.., Some(_)) => "shown",
                _ => "not shown yet",
            };
            json!({
                "id": alert.id, "key": alert.key, "severity": alert.severity.name(),
                "component": alert.component.name(), "session": alert.session.map(|id| format!("{id:016x}")),
                "text": format!("{}. {}. {}", alert.title, alert.evidence, alert.remedy),
                "raised_wall_ns": alert.raised_wall_ns, "seen_wall_ns": alert.seen_wall_ns, "times": alert.times,
                "state": state,
            })
        };
        json!({
            "version": VERSION,
            "alerts": self.state.alerts.open().map(of).collect::<Vec<_>>(),
            "resolved": self.state.alerts.history().map(of).collect::<Vec<_>>(),
        })
    }

    /// Every review, each of its points with what the running system shows beside it.
    fn checklist<W: World>(&mut self, world: &mut W, now: Now) -> Result<Value, Fault> {
        // Before the first start nothing is due.
        let installed = match self.state.installed_wall_ns {
            0 => now.wall_ns,
            at => at,
        };
        let known = self.evidence(world, now);
        let validation = validate(&known);
        let tasks: Vec<TaskFacts<'_>> = self.state.tasks.values().map(task_facts).collect();
        let facts = checklist::evidence::Facts {
            now_wall_ns: now.wall_ns,
            health: self.assessment.as_ref(),
            alerts: &self.state.alerts,
            tasks: &tasks,
            validation: &validation,
            audit: known.facts.audit.as_ref(),
            policy_problems: self.config.problems.len() as u64,
            refused: self
                .acts
                .then_some((self.worker.refused, self.refused_peers.count)),
        };
        let statuses = checklist::status(checklist::ITEMS, &self.state.sign_offs, installed, now.wall_ns);
        let mut items = document(&statuses)?;
        for (item, status) in items.as_array_mut().into_iter().flatten().zip(&statuses) {
            let points = item["item"]["points"].as_array_mut();
            for (shown, point) in points.into_iter().flatten().zip(status.item.points) {
                let line = checklist::evidence::evidence(point.shows, &facts);
                shown["evidence"] = sanitise(&line, EVIDENCE_BYTES_MAX).into();
            }
        }
        Ok(json!({ "version": VERSION, "now_wall_ns": now.wall_ns, "items": items }))
    }
}

fn task_facts(known: &TaskState) -> TaskFacts<'_> {
    let next = [known.timing.next_wall_ns, known.retry_wall_ns];
    TaskFacts {
        name: &known.task.name,
        last: known.statistics.last.as_ref(),
        next_wall_ns: next.into_iter().flatten().min(),
        ledger: known.ledger,
    }
}

fn finding(finding: &Finding) -> Value {
    json!({
        "key": finding.key, "severity": finding.severity.name(), "component": finding.component.name(),
        "session": finding.session.map(|session| format!("{session:016x}")),
        "title": finding.title, "evidence": finding.evidence, "remedy": finding.remedy,
        "before": finding.before, "after": finding.after, "unit": finding.unit,
    })
}

fn measured(measured: &Measured) -> Value {
    let (value, unknown) = match measured.value {
        metric::Value::Known(value) => (Some(value), None),
        metric::Value::Unknown(why) => (None, Some(why)),
    };
    let unit = measured.metric.unit;
    json!({
        "name": measured.metric.name,
        "component": measured.metric.component.name(),
        "session": measured.session.map(|session| format!("{session:016x}")),
        "unit": unit,
        "value": value,
        "shown": value.map(|value| unit.show(value)),
        "unknown": unknown,
        "usual": measured.usual.map(|usual| format!("{} ± {}", unit.show(usual.center), unit.show(usual.spread))),
        "health": measured.health().name(),
    })
}

fn running(running: &Running) -> RunningDocument {
    let steps = &running.plan.steps;
    let at = running
        .begun
        .checked_sub(1)
        .and_then(|at| steps.get(at))
        .or(steps.first());
    RunningDocument {
        id: running.id,
        task: running.plan.task.clone(),
        why: running.plan.why.clone(),
        who: running.who.clone(),
        began_wall_ns: running.began_wall_ns,
        step: at.map(|step| step.action.about()).unwrap_or_default(),
        outcome: running.outcome.as_ref().map(|outcome| match outcome.why() {
            "" => outcome.name().to_owned(),
            why => format!("{}: {why}", outcome.name()),
        }),
    }
}

fn document(document: &impl Serialize) -> Result<Value, Fault> {
    serde_json::to_value(document)
        .map_err(|error| Fault::new(Code::Failed, format!("cannot be written: {error}")))
}

pub(crate) fn unread(what: &str, error: &std::io::Error) -> Fault {
    Fault::new(Code::Unavailable, format!("the {what} cannot be read: {error}"))
}
