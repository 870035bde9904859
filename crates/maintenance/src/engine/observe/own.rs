//! What the engine finds about itself: its logs, its rules, its plans, its tasks, and reviews that are due.
//!
//! Invariants:
//! - A key stays as long as what it stands for lasts, so that it is told once; what is of one plan, task or review has
//!   that in its key.
//! - Each finding says what to do next.

use lle_core::checklist;
use lle_core::health::component::Component;
use lle_core::health::finding::Finding;
use lle_core::plan::Outcome;
use lle_core::quantity::age;
use lle_core::severity::Severity;
use lle_core::task::statistics::Outcome as Ended;

use crate::engine::Engine;
use crate::world::Now;

/// Runs that failed one after another, from which on it is said.
const FAILURES_MIN: u64 = 3;

impl Engine {
    /// All of it.
    pub(super) fn own_findings(&self, now: Now) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.unwritten());
        findings.extend(self.unread());
        findings.extend(self.left_out());
        findings.extend(self.unclear_policies());
        findings.extend(self.stuck_plans());
        findings.extend(self.failing_tasks());
        findings.extend(self.overruns());
        findings.extend(self.overdue_reviews(now));
        findings.extend(self.config_findings());
        findings.extend(self.trial_findings(now));
        findings
    }

    /// What cannot be written, or not made durable.
    fn unwritten(&self) -> impl Iterator<Item = Finding> {
        let make_room = "make room: `lusush doctor` says where the state is";
        let found = [
            (
                "storage.state",
                "the maintenance state is kept in memory only",
                self.log.failed(),
                make_room,
            ),
            (
                "storage.audit",
                "nothing is changed, since the audit log cannot be written",
                self.audit.failed.as_deref(),
                make_room,
            ),
            (
                "history.sync",
                "the history cannot be made durable",
                self.history_sync_failed.as_deref(),
                "`lusush maint history check`",
            ),
        ];
        let found = found.into_iter();
        found.filter_map(|(key, title, error, remedy)| {
            Some(own_finding(key, Severity::Major, title, error?, remedy))
        })
    }

    /// What of the state could not be read.
    fn unread(&self) -> impl Iterator<Item = Finding> {
        let damaged = (self.loaded.damaged > 0).then(|| {
            own_finding(
                "storage.damaged",
                Severity::Minor,
                "the maintenance state was damaged",
                &format!("{} stretches were passed over", self.loaded.damaged),
                "`lusush maint audit verify`",
            )
        });
        let newer = (self.loaded.unknown > 0).then(|| {
            let evidence = format!(
                "{} records say something that this version does not know; they are kept in state.log.newer",
                self.loaded.unknown
            );
            own_finding(
                "storage.newer",
                Severity::Info,
                "a newer version has written the maintenance state",
                &evidence,
                "start the newer lusush again, or remove that file",
            )
        });
        damaged.into_iter().chain(newer)
    }

    /// Tasks for which there was no time.
    fn left_out(&self) -> Option<Finding> {
        let shed = self.worker.shed();
        (!shed.is_empty()).then(|| {
            own_finding(
                "tasks.shed",
                Severity::Warning,
                "there is too much to do at once",
                &format!("left out: {}", shed.join(", ")),
                "`lusush maint tasks`",
            )
        })
    }

    fn unclear_policies(&self) -> impl Iterator<Item = Finding> {
        self.config.problems.iter().map(|problem| {
            own_finding(
                "policy.unreadable",
                Severity::Major,
                "a policy is not understood, so nothing may be changed",
                problem,
                "mend the file: it is read again within seconds",
            )
        })
    }

    fn stuck_plans(&self) -> impl Iterator<Item = Finding> {
        self.state.stuck.values().map(|stuck| {
            own_finding(
                &format!("plan.stuck/{}", stuck.id),
                Severity::Critical,
                &format!("a change of {} could not be taken back", stuck.plan.task),
                stuck.outcome.as_ref().map_or("", Outcome::why),
                "`lusush maint status` shows it",
            )
        })
    }

    fn failing_tasks(&self) -> impl Iterator<Item = Finding> {
        let tasks = self.state.tasks.values();
        let failing = tasks.filter(|known| known.statistics.consecutive_failures >= FAILURES_MIN);
        failing.map(|known| {
            let last = known.statistics.last.as_ref();
            own_finding(
                &format!("task.failing/{}", known.task.name),
                Severity::Minor,
                &format!("the task {} keeps failing", known.task.name),
                last.map_or("", |last| last.note.as_str()),
                "`lusush maint tasks` shows its runs",
            )
        })
    }

    /// Tasks whose last run was ended for taking too long, or panicked.
    fn overruns(&self) -> impl Iterator<Item = Finding> {
        self.state.tasks.values().filter_map(|known| {
            let (name, budget_ms) = (&known.task.name, known.task.budget_ms);
            let ran = known.statistics.last.as_ref()?;
            let title = match ran.outcome {
                Ended::Panicked => format!("the task {name} panicked"),
                Ended::TimedOut => format!("the task {name} ran longer than it may"),
                _ => return None,
            };
            let evidence = format!(
                "its budget is {budget_ms} ms, its last run took {}; {}",
                age(ran.ns),
                ran.note
            );
            Some(own_finding(
                &format!("task.overrun/{name}"),
                Severity::Minor,
                &title,
                &evidence,
                &format!("`lusush maint schedule {name} --budget SECONDS` gives it more time"),
            ))
        })
    }

    fn overdue_reviews(&self, now: Now) -> Vec<Finding> {
        if self.state.installed_wall_ns == 0 {
            return Vec::new();
        }
        let statuses = checklist::status(
            checklist::ITEMS,
            &self.state.sign_offs,
            self.state.installed_wall_ns,
            now.wall_ns,
        );
        let overdue = checklist::overdue(&statuses).map(|check| {
            own_finding(
                &format!("checklist.overdue/{}", check.subject),
                Severity::Info,
                check.subject,
                &check.evidence,
                &check.remedy,
            )
        });
        overdue.collect()
    }
}

/// Something that the engine finds about itself.
fn own_finding(key: &str, severity: Severity, title: &str, evidence: &str, remedy: &str) -> Finding {
    Finding {
        key: key.to_owned(),
        severity,
        component: if key.starts_with("history") {
            Component::History
        } else {
            Component::Storage
        },
        session: None,
        title: title.to_owned(),
        evidence: evidence.to_owned(),
        remedy: remedy.to_owned(),
        before: None,
        after: None,
        unit: String::new(),
    }
}
