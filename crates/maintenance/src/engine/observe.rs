//! Looking at the sessions, saying how they are doing, and what to tell about it.
//!
//! The seven steps of a health check: collect ([`Engine::look`]), evaluate, record, alert, components, trigger, publish.
//! They are taken with every look, since together they cost less than a tenth of a millisecond; the task `health-check`
//! takes them on its schedule and is counted.

use lle_core::alert::{self, Addressee};
use lle_core::cache::Counted;
use lle_core::checklist;
use lle_core::health::assess::{Assessment, assess, learn};
use lle_core::health::component::Component;
use lle_core::health::finding::Finding;
use lle_core::health::floor::Floor;
use lle_core::health::sample::Window;
use lle_core::health::view::{Presence, SessionView, WorkerView};
use lle_core::policy::sanitise;
use lle_core::quantity::age;
use lle_core::report;
use lle_core::series::noticed::Noticed;
use lle_core::severity::Severity;
use lle_core::task::memory_defrag::Heap;
use lle_core::task::statistics::{LastRun, Outcome as Ended};
use lle_core::trial::paired::Tally;
use lle_core::trial::usual::Usual;
use lle_metrics::{Counter, EventKind, Gauge, Liveness, Snapshot};

use super::suspects::Prompts;
use super::{Engine, SECOND_NS, predict};
use crate::state::{Change, Incident};
use crate::world::{Cost, Look, Now, World};

/// A session that nobody typed into for so long is idle, in nanoseconds.
pub(crate) const IDLE_NS: u64 = 30 * SECOND_NS;
/// Sessions known at once; more are not looked at.
const SESSIONS_MAX: usize = 2_000;
/// How often what was learned is written, in nanoseconds: it is learned again in minutes if it is lost.
const BASELINES_NS: u64 = 600 * SECOND_NS;
/// The signal of a terminal that is gone, as sessions record it.
const HANG_UP: i64 = 1;
/// Bytes of last words in an incident.
const LAST_WORDS_MAX: usize = 300;

/// What is known of a session.
pub(crate) struct SessionState {
    id: u64,
    /// Unused for so long it is idle.
    idle_ns: u64,
    tty: String,
    pid: u32,
    /// When its flight was created: who writes it is read once. None before that.
    pub(crate) created_wall_ns: Option<u64>,
    pub(crate) prompts: Prompts,
    /// What it usually takes for what a configuration can move.
    pub(crate) usual: Usual,
    /// The version of the configuration that it went by at the last look.
    pub(crate) goes_by: Option<u64>,
    /// Panics and fallbacks so far, and those that the last look found.
    faults: Option<u64>,
    new_faults: u64,
    liveness: Liveness,
    window: Box<Window>,
    pub(crate) floor: Floor,
    cost: Option<Cost>,
    cpu_percent: Option<f64>,
    /// Keys and commands so far, and when they last changed, on the monotonic clock.
    used: (u64, u64),
    used_at: u64,
    busy: bool,
    /// The last request to give memory back that it was sent, answered or not.
    trim_asked: Option<u64>,
    /// What its caches had counted when the size of one last changed.
    cache_mark: Counted,
    last_words: String,
    hung_up: bool,
    seen_at: u64,
    /// The look in which it was seen last.
    seen_in: u64,
}

/// What the worker knows of itself.
#[derive(Debug, Default)]
pub(crate) struct WorkerState {
    cpu_percent: Option<f64>,
    cost: Option<Cost>,
    /// What it had cost when it began, and when that was.
    began: Option<(u64, u64)>,
    looked_at: u64,
    pub(crate) panics: u64,
    pub(crate) recoveries: u64,
    pub(crate) refused: u64,
    shed: Vec<String>,
}

impl WorkerState {
    pub(crate) fn rss_anon_bytes(&self) -> Option<u64> {
        self.cost.map(|cost| cost.rss_anon_bytes)
    }

    fn take_cost(&mut self, now: Now, cost: Option<Cost>) {
        let elapsed = now.mono_ns.saturating_sub(self.looked_at);
        self.cpu_percent = percent(self.cost, cost, elapsed).or(self.cpu_percent);
        (self.cost, self.looked_at) = (cost, now.mono_ns);
        if self.began.is_none() {
            self.began = cost.map(|cost| (cost.cpu_ns, now.mono_ns));
        }
    }

    /// Processor time since the beginning, and how long that is.
    fn processor(&self) -> Option<(u64, u64)> {
        let (cpu_ns, at) = self.began?;
        Some((
            self.cost?.cpu_ns.saturating_sub(cpu_ns),
            self.looked_at.saturating_sub(at),
        ))
    }
}

impl SessionState {
    fn new(id: u64, idle_ns: u64, now: Now, known: &Noticed) -> Self {
        let remembered = |known: &Noticed| {
            let named = (!known.prompts.is_empty()).then(|| format!("{id:016x}"));
            Prompts::of(named.and_then(|name| known.prompts.get(&name)))
        };
        Self {
            id,
            idle_ns,
            tty: String::new(),
            pid: 0,
            created_wall_ns: None,
            prompts: remembered(known),
            usual: Usual::default(),
            goes_by: None,
            faults: None,
            new_faults: 0,
            liveness: Liveness::Unknown,
            window: Box::new(Window::new()),
            floor: Floor::default(),
            cost: None,
            cpu_percent: None,
            used: (0, 0),
            used_at: now.mono_ns,
            busy: false,
            trim_asked: None,
            cache_mark: Counted::default(),
            last_words: String::new(),
            hung_up: false,
            seen_at: now.mono_ns,
            seen_in: 0,
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.liveness == Liveness::Alive
    }

    /// Nobody types and nothing runs.
    pub(crate) fn is_idle(&self, now: Now) -> bool {
        !self.busy && now.mono_ns.saturating_sub(self.used_at) >= self.idle_ns
    }

    pub(crate) fn rss_anon_bytes(&self) -> Option<u64> {
        self.cost.map(|cost| cost.rss_anon_bytes)
    }

    /// The number of the last alert that it has shown.
    fn alerts_shown(&self) -> Option<u64> {
        let id = self.window.gauge(Gauge::AlertsShown)?;
        u64::try_from(id).ok()
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn window(&self) -> &Window {
        &self.window
    }

    /// What its pairs have come to, and of which trial.
    pub(crate) fn trial_tally(&self) -> Option<(u64, Tally)> {
        let gauge = |gauge| self.window.gauge(gauge);
        let count = |of| u64::try_from(gauge(of)?).ok();
        let tally = Tally {
            pairs: count(Gauge::TrialPairs)?,
            log_sum: gauge(Gauge::TrialLogSum)?,
            log_squares: gauge(Gauge::TrialLogSquares)?,
            current_ns: count(Gauge::TrialCurrentNs)?,
            candidate_ns: count(Gauge::TrialCandidateNs)?,
        };
        Some((count(Gauge::TrialId)?, tally))
    }

    /// The version of the configuration that it goes by.
    pub(crate) fn config_version(&self) -> Option<u64> {
        u64::try_from(self.window.gauge(Gauge::ConfigVersion)?).ok()
    }

    /// The version that it began with.
    pub(crate) fn began_with(&self) -> Option<u64> {
        u64::try_from(self.window.gauge(Gauge::ConfigBeganVersion)?).ok()
    }

    /// The generation of the published state that it has seen.
    pub(crate) fn seen_generation(&self) -> Option<u64> {
        u64::try_from(self.window.gauge(Gauge::ConfigGeneration)?).ok()
    }

    /// Panics and fallbacks that the last look found.
    pub(crate) fn new_faults(&self) -> u64 {
        self.new_faults
    }

    /// Whether that look saw it, and could read what it wrote.
    pub(crate) fn was_seen_in(&self, look: u64) -> bool {
        self.seen_in == look && self.created_wall_ns.is_some()
    }

    pub(crate) fn tty(&self) -> &str {
        &self.tty
    }

    /// What its caches have counted since the size of one last changed.
    pub(crate) fn counted(&self) -> Counted {
        Counted::of(&self.window).since(&self.cache_mark)
    }

    /// Counts what caches do from here on.
    pub(crate) fn mark_caches(&mut self) {
        self.cache_mark = Counted::of(&self.window);
    }

    /// The last request to give memory back that it answered.
    pub(crate) fn trim_token(&self) -> Option<u64> {
        let token = self.window.gauge(Gauge::TrimToken)?;
        u64::try_from(token).ok()
    }

    /// Notes that it was asked to give memory back.
    pub(crate) fn note_trim(&mut self, token: u64) {
        self.trim_asked = Some(token);
    }

    /// What it gave back: by the kernel's word if there is one, else by its own.
    pub(crate) fn trim_gain_bytes(&self, rss_before: Option<u64>) -> Option<i64> {
        let by_kernel = rss_before
            .zip(self.rss_anon_bytes())
            .map(|(before, after)| before.cast_signed().saturating_sub(after.cast_signed()));
        let own = || {
            Some(
                self.window
                    .gauge(Gauge::TrimBeforeBytes)?
                    .saturating_sub(self.window.gauge(Gauge::TrimAfterBytes)?),
            )
        };
        by_kernel.or_else(own)
    }

    /// Takes a look in; allocates nothing if the session was seen before.
    fn fold(&mut self, now: Now, look: &Look<'_>, snapshot: &Snapshot) {
        if self.created_wall_ns != Some(snapshot.created_wall_ns()) {
            let identity = snapshot.identity();
            (self.pid, self.created_wall_ns) = (identity.pid, Some(identity.created_wall_ns));
            self.tty = sanitise(&identity.tty, 64).into_owned();
        }
        self.window.fold(now.mono_ns, snapshot);
        self.prompts.fold(now, snapshot);
        self.usual.fold(snapshot);
        let faults = snapshot.counter(Counter::Panics) + snapshot.counter(Counter::Fallbacks);
        let before = self.faults.replace(faults).unwrap_or(faults);
        self.new_faults = faults.saturating_sub(before);
        let used = (
            snapshot.counter(Counter::Keys),
            snapshot.counter(Counter::Commands),
        );
        if used != self.used {
            (self.used, self.used_at) = (used, now.mono_ns);
        }
        self.busy = snapshot.gauge(Gauge::CommandRunning) == Some(1);
        let elapsed = now.mono_ns.saturating_sub(self.seen_at);
        self.cpu_percent =
            percent(self.cost, look.cost, elapsed).or(self.cpu_percent.filter(|_| elapsed == 0));
        self.cost = look.cost;
        self.seen_at = now.mono_ns;
        let idle = self.is_idle(now);
        if let Some(bytes) = self.rss_anon_bytes() {
            self.floor.observe(now.mono_ns, idle, bytes);
        }
    }

    fn view(&self, now: Now) -> SessionView<'_> {
        SessionView {
            id: self.id,
            tty: &self.tty,
            pid: self.pid,
            presence: match self.liveness {
                Liveness::Alive => Presence::Alive,
                Liveness::Dead => Presence::Crashed,
                Liveness::Unknown => Presence::Unknown,
            },
            idle: self.is_idle(now),
            window: &self.window,
            floor: &self.floor,
            cpu_percent: self.cpu_percent,
            rss_anon: self.rss_anon_bytes(),
            rss_peak: None,
            uptime_ns: self
                .created_wall_ns
                .map(|created| now.wall_ns.max(0).cast_unsigned().saturating_sub(created)),
        }
    }
}

fn percent(before: Option<Cost>, after: Option<Cost>, elapsed_ns: u64) -> Option<f64> {
    let (before, after) = before.zip(after)?;
    let spent = after.cpu_ns.checked_sub(before.cpu_ns)?;
    (elapsed_ns > 0).then(|| spent as f64 * 100.0 / elapsed_ns as f64)
}

impl Engine {
    /// Collects, evaluates, records, alerts: all of a health check but telling the sessions.
    pub fn look<W: World>(&mut self, world: &mut W, now: Now) {
        self.collect(world, now);
        self.check_health(world, now);
    }

    /// Looks at every session, and notes who has come and gone: the first step of a health check. Allocates nothing
    /// as long as nobody comes or goes.
    pub fn collect<W: World>(&mut self, world: &mut W, now: Now) {
        self.looked_at = Some(now);
        self.looks += 1;
        let this_look = self.looks;
        let mut died = Vec::new();
        let sessions = &mut self.sessions;
        let buried = &mut self.buried;
        let known = &self.state.noticed;
        let idle_ns = self.pace.idle_ns;
        let began_wall_ns = self.started_wall_ns.max(0).cast_unsigned();
        world.look(&mut |look| {
            if let Some(seen_in) = buried.get_mut(&look.session) {
                *seen_in = this_look;
            }
            if sessions.len() >= SESSIONS_MAX && !sessions.contains_key(&look.session) {
                return;
            }
            let dead = look.liveness == Liveness::Dead;
            if dead && buried.contains_key(&look.session) {
                return;
            }
            let state = sessions
                .entry(look.session)
                .or_insert_with(|| SessionState::new(look.session, idle_ns, now, known));
            state.seen_in = this_look;
            state.liveness = look.liveness;
            if let Some(snapshot) = look.snapshot {
                let is_new = state.created_wall_ns.is_none();
                state.fold(now, &look, snapshot);
                // An earlier worker may have changed the size of a cache since this session began.
                if is_new && snapshot.created_wall_ns() < began_wall_ns {
                    state.mark_caches();
                }
                if dead {
                    state.last_words = last_words(snapshot);
                    state.hung_up = hung_up(snapshot);
                }
            }
            if dead {
                died.push(look.session);
            }
        });
        self.hear_trials(now);
        self.hear_configuration();
        // Whose file is gone has ended by itself.
        self.sessions.retain(|_, session| session.seen_in == this_look);
        self.buried.retain(|_, seen_in| *seen_in == this_look);
        if self.acts {
            died.into_iter()
                .for_each(|session| self.report_death(world, now, session));
        }
        if self.acts {
            self.suspect(world, now);
            self.worker.take_cost(now, world.own_cost());
        }
    }

    /// A session is gone without a word: its last ones are an incident.
    fn report_death<W: World>(&mut self, world: &mut W, now: Now, session: u64) {
        let Some(state) = self.sessions.remove(&session) else {
            return;
        };
        self.buried.insert(session, self.looks);
        if state.hung_up {
            // A terminal that is closed is no incident, and nobody reads its last words.
            world.bury(session);
            return;
        }
        // An earlier worker may have told of it.
        if self
            .state
            .incidents
            .iter()
            .any(|incident| incident.session == Some(session))
        {
            return;
        }
        self.note_crash(state.config_version(), state.busy, &state.tty);
        let what = format!("the session on {} ended without a word", state.tty);
        let incident = Incident {
            wall_ns: now.wall_ns,
            session: Some(session),
            what: what.clone(),
            evidence: state.last_words.clone(),
        };
        self.record(
            world,
            now,
            &super::audit::Entry::noticed(&what, &state.last_words),
        );
        self.keep(world, now, Change::Incident { incident });
    }

    /// Evaluates, records and alerts, on what was collected.
    pub(crate) fn check_health<W: World>(&mut self, world: &mut W, now: Now) {
        let views: Vec<SessionView<'_>> = self.sessions.values().map(|session| session.view(now)).collect();
        let worker = self.worker_view(now);
        let wall_ns = now.wall_ns.max(0).cast_unsigned();
        let mut assessment = assess(&views, &worker, &self.state.baselines, &self.config.thresholds);
        learn(&mut self.state.baselines, wall_ns, &views, &assessment);
        drop(views);
        assessment.findings.extend(self.own_findings(now));
        assessment.findings.extend(self.history_findings());
        assessment.findings.extend(self.drilled.finding());
        assessment.findings.extend(self.changed_findings(now));
        if self.acts {
            self.worker.shed.clear();
            let told = predict::told_once(&assessment.findings, &self.state.alerts);
            self.alert(world, now, &told);
            let mut samples = samples(&assessment);
            samples.extend(self.starts_and_floors());
            let sizes = self.predict(world, now, &samples);
            samples.extend(sizes);
            world.keep_samples(now, &samples);
        }
        self.assessment = Some(assessment);
    }

    /// Writes what was learned of what is usual, now and then: no part of a look, which must be short.
    pub(crate) fn keep_learned<W: World>(&mut self, world: &mut W, now: Now) {
        if self.looked_at == Some(now) && now.mono_ns.saturating_sub(self.baselines_kept_at) >= BASELINES_NS {
            self.baselines_kept_at = now.mono_ns;
            // Somebody may have run a drill by hand.
            self.drilled.read(world);
            let baselines = Box::new(self.state.baselines.clone());
            self.keep(world, now, Change::Baselines { baselines });
        }
    }

    /// Processor time of the worker since it began, and how long that is; none without a worker.
    pub(crate) fn worker_processor(&self) -> Option<(u64, u64)> {
        self.worker.processor()
    }

    fn worker_view(&self, now: Now) -> WorkerView {
        WorkerView {
            cpu_percent: self.worker.cpu_percent,
            rss_anon: self.worker.cost.map(|cost| cost.rss_anon_bytes),
            uptime_ns: self.acts.then(|| {
                now.wall_ns
                    .saturating_sub(self.started_wall_ns)
                    .max(0)
                    .cast_unsigned()
            }),
            panics: Some(self.worker.panics),
            recoveries: Some(self.worker.recoveries),
            damaged_records: Some(self.loaded.damaged),
            failed_authentications: self.acts.then_some(self.refused_peers.count),
            blocked_operations: self.acts.then_some(self.worker.refused),
            security_events: None,
            config_generation: self.acts.then(|| self.published.generation().cast_signed()),
        }
    }

    /// What the engine finds about itself.
    fn own_findings(&self, now: Now) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut add = |key: &str, severity, title: &str, evidence: &str, remedy: &str| {
            findings.push(own_finding(key, severity, title, evidence, remedy));
        };
        if let Some(error) = self.log.failed() {
            let title = "the maintenance state is kept in memory only";
            add(
                "storage.state",
                Severity::Major,
                title,
                error,
                "make room: `lusush doctor` says where the state is",
            );
        }
        if let Some(error) = &self.audit.failed {
            let title = "nothing is changed, since the audit log cannot be written";
            add(
                "storage.audit",
                Severity::Major,
                title,
                error,
                "make room: `lusush doctor` says where the state is",
            );
        }
        if let Some(error) = &self.history_sync_failed {
            let title = "the history cannot be made durable";
            add(
                "history.sync",
                Severity::Major,
                title,
                error,
                "`lusush maint history check`",
            );
        }
        if self.loaded.damaged > 0 {
            let evidence = format!("{} stretches were passed over", self.loaded.damaged);
            let title = "the maintenance state was damaged";
            add(
                "storage.damaged",
                Severity::Minor,
                title,
                &evidence,
                "`lusush maint audit verify`",
            );
        }
        if self.loaded.unknown > 0 {
            let title = "a newer version has written the maintenance state";
            let evidence = format!(
                "{} records say something that this version does not know; they are kept in state.log.newer",
                self.loaded.unknown
            );
            add(
                "storage.newer",
                Severity::Info,
                title,
                &evidence,
                "start the newer lusush again, or remove that file",
            );
        }
        if !self.worker.shed.is_empty() {
            let evidence = format!("left out: {}", self.worker.shed.join(", "));
            add(
                "tasks.shed",
                Severity::Warning,
                "there is too much to do at once",
                &evidence,
                "`lusush maint tasks`",
            );
        }
        for problem in &self.config.problems {
            let title = "a policy is not understood, so nothing may be changed";
            add(
                "policy.unreadable",
                Severity::Major,
                title,
                problem,
                "mend the file: it is read again within seconds",
            );
        }
        for stuck in self.state.stuck.values() {
            let why = stuck.outcome.as_ref().map_or("", lle_core::plan::Outcome::why);
            let title = format!("a change of {} could not be taken back", stuck.plan.task);
            let key = format!("plan.stuck/{}", stuck.id);
            add(
                &key,
                Severity::Critical,
                &title,
                why,
                "`lusush maint status` shows it",
            );
        }
        for known in self
            .state
            .tasks
            .values()
            .filter(|known| known.statistics.consecutive_failures >= 3)
        {
            let note = known
                .statistics
                .last
                .as_ref()
                .map_or("", |last| last.note.as_str());
            let title = format!("the task {} keeps failing", known.task.name);
            let key = format!("task.failing/{}", known.task.name);
            add(
                &key,
                Severity::Minor,
                &title,
                note,
                "`lusush maint tasks` shows its runs",
            );
        }
        for (name, ran, budget_ms) in self.overruns() {
            let title = match ran.outcome {
                Ended::Panicked => format!("the task {name} panicked"),
                _ => format!("the task {name} ran longer than it may"),
            };
            let evidence = format!(
                "its budget is {budget_ms} ms, its last run took {}; {}",
                age(ran.ns),
                ran.note
            );
            let remedy = format!("`lusush maint schedule {name} --budget SECONDS` gives it more time");
            let key = format!("task.overrun/{name}");
            add(&key, Severity::Minor, &title, &evidence, &remedy);
        }
        for check in self.overdue_reviews(now) {
            let key = format!("checklist.overdue/{}", check.subject);
            add(
                &key,
                Severity::Info,
                check.subject,
                &check.evidence,
                &check.remedy,
            );
        }
        findings.extend(self.config_findings());
        findings.extend(self.trial_findings(now));
        findings
    }

    /// Tasks whose last run was ended for taking too long, or panicked.
    fn overruns(&self) -> impl Iterator<Item = (&str, &LastRun, u64)> {
        self.state.tasks.values().filter_map(|known| {
            let last = known.statistics.last.as_ref()?;
            let went_over = matches!(last.outcome, Ended::TimedOut | Ended::Panicked);
            went_over.then_some((known.task.name.as_str(), last, known.task.budget_ms))
        })
    }

    fn overdue_reviews(&self, now: Now) -> Vec<report::Check> {
        if self.state.installed_wall_ns == 0 {
            return Vec::new();
        }
        let statuses = checklist::status(
            checklist::ITEMS,
            &self.state.sign_offs,
            self.state.installed_wall_ns,
            now.wall_ns,
        );
        checklist::overdue(&statuses).collect()
    }

    fn alert<W: World>(&mut self, world: &mut W, now: Now, findings: &[Finding]) {
        let at = alert::Now {
            wall_ns: now.wall_ns.max(0).cast_unsigned(),
            mono_ns: now.mono_ns,
        };
        // First what was shown: what got worse since is told again.
        let mut changed = self.take_shown(now);
        changed |= !self.state.alerts.observe(at, findings).is_empty();
        // They are as they are in memory, and written when there is something to tell: that one was seen again is not.
        if changed {
            self.keep_alerts(world, now);
        }
    }

    /// Notes which alerts were shown by now.
    pub(crate) fn note_shown<W: World>(&mut self, world: &mut W, now: Now) {
        if self.take_shown(now) {
            self.keep_alerts(world, now);
        }
    }

    fn take_shown(&mut self, now: Now) -> bool {
        let wall_ns = now.wall_ns.max(0).cast_unsigned();
        let mut changed = false;
        for alert in self.published.alerts() {
            let session = self.sessions.get(&alert.session);
            let last = session.and_then(SessionState::alerts_shown);
            if last.is_some_and(|last| last >= alert.id) {
                changed |= self
                    .state
                    .alerts
                    .shown(alert.id, alert.session, wall_ns)
                    .is_some();
            }
        }
        changed
    }

    pub(crate) fn keep_alerts<W: World>(&mut self, world: &mut W, now: Now) {
        let alerts = Box::new(self.state.alerts.clone());
        self.keep(world, now, Change::Alerts { alerts });
    }

    /// The alerts to be shown, each above one session's prompt, and whether one has a new number.
    pub(crate) fn addressed_alerts(&mut self) -> (Vec<lle_core::desired::Alert>, bool) {
        if self.state.alerts.open().next().is_none() {
            return (Vec::new(), false);
        }
        let live: Vec<Addressee> = self
            .sessions
            .values()
            .filter(|session| session.is_alive())
            .map(|session| Addressee {
                session: session.id,
                active_ns: session.used_at,
            })
            .collect();
        let addressed = self.state.alerts.addressed(&live);
        let wanted: Vec<(u64, u64)> = addressed.map(|(session, alert)| (alert.id, session)).collect();
        let mut renumbered = false;
        let addressed = wanted
            .into_iter()
            .filter_map(|(id, session)| {
                // A session shows only what is newer than what it has shown.
                let seen = self.sessions.get(&session).and_then(SessionState::alerts_shown);
                let is_out = self
                    .published
                    .alerts()
                    .any(|alert| (alert.id, alert.session) == (id, session));
                let id = match seen {
                    Some(seen) if seen >= id && !is_out => {
                        renumbered = true;
                        self.state.alerts.renumber(id)?
                    }
                    _ => id,
                };
                let alert = self.state.alerts.of(id)?;
                if !self.is_told(&alert.key, alert.severity) {
                    return None;
                }
                Some(lle_core::desired::Alert {
                    id,
                    session,
                    severity: alert.severity,
                    text: told(alert),
                })
            })
            .collect();
        (addressed, renumbered)
    }

    pub(crate) fn note_shed(&mut self, dropped: &[String]) {
        // Until a look has told of it.
        for name in dropped {
            if !self.worker.shed.contains(name) {
                self.worker.shed.push(name.clone());
            }
        }
    }

    /// Idle sessions that go by another version of the configuration than the one that is published; none if no session
    /// says which.
    pub(crate) fn sessions_behind(&self, now: Now) -> Option<u32> {
        let published = self.published.config()?.version;
        let idle = self
            .sessions
            .values()
            .filter(|session| session.is_alive() && session.is_idle(now));
        let says = idle.filter_map(|session| session.window.gauge(Gauge::ConfigVersion));
        let versions: Vec<i64> = says.collect();
        let behind = versions
            .iter()
            .filter(|version| version.cast_unsigned() != published);
        let behind = u32::try_from(behind.count()).unwrap_or(u32::MAX);
        (!versions.is_empty()).then_some(behind)
    }

    /// The sessions that are there: number, terminal, process.
    pub(crate) fn session_names(&self) -> impl Iterator<Item = (u64, &str, u32)> {
        self.sessions
            .values()
            .filter(|session| session.is_alive())
            .map(|session| (session.id, session.tty.as_str(), session.pid))
    }

    pub(crate) fn somebody_is_active(&self, now: Now) -> bool {
        self.sessions
            .values()
            .any(|session| session.is_alive() && !session.is_idle(now))
    }

    /// What idle sessions hold and do not use.
    pub(crate) fn heaps(&self, now: Now) -> Vec<Heap> {
        self.sessions
            .values()
            .filter(|session| session.is_alive() && session.is_idle(now))
            .map(|session| Heap {
                session: session.id,
                free_bytes: session
                    .window
                    .gauge(Gauge::MallocFreeBytes)
                    .and_then(|bytes| u64::try_from(bytes).ok()),
                last_token: session.trim_token().max(session.trim_asked),
            })
            .collect()
    }
}

/// Whether the session ended because its terminal was closed.
fn hung_up(snapshot: &Snapshot) -> bool {
    // LLE is switched off on the way out.
    let told = |event: &lle_metrics::Event<'_>| event.kind != Some(EventKind::Off);
    let last = snapshot.events().filter(told).last();
    last.is_some_and(|event| event.kind == Some(EventKind::Signal) && event.code == HANG_UP)
}

/// The line being typed is in the drafts; here is what the session was doing.
fn last_words(snapshot: &Snapshot) -> String {
    let command = String::from_utf8_lossy(snapshot.last_command());
    let mut words = match (snapshot.gauge(Gauge::CommandRunning), command.is_empty()) {
        (_, true) => "nothing is known of what it ran".to_owned(),
        (Some(1), false) => format!("while running: {command}"),
        (_, false) => format!("after: {command}"),
    };
    let last = snapshot.events().last();
    if let Some((kind, code)) = last.and_then(|event| Some((event.kind?, event.code))) {
        let kind: EventKind = kind;
        words.push_str(&format!("; last event: {} ({code})", kind.name()));
    }
    sanitise(&words, LAST_WORDS_MAX).into_owned()
}

/// An alert above a prompt: what it is, and where there is more. The remedy would take three rows.
fn told(alert: &alert::Alert) -> String {
    let text = if alert.key.starts_with(super::config::TOLD_WHOLE) {
        alert.title.clone()
    } else {
        format!("{}. `maint health` says what to do", alert.title)
    };
    sanitise(&text, lle_core::desired::TEXT_BYTES_MAX).into_owned()
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

/// One number of each metric, for trends: all sessions together.
fn samples(assessment: &Assessment) -> Vec<(&'static str, f64)> {
    assessment
        .metrics
        .iter()
        .filter(|measured| measured.session.is_none())
        .filter_map(|measured| Some((measured.metric.name, measured.value.known()?)))
        .collect()
}
