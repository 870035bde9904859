//! The real world: the user's folders, the sessions' flight files, child processes.

pub(crate) mod bell;
pub(crate) mod calls;
pub mod config;
pub mod disk;
mod draft;
pub(crate) mod guard;
pub mod history;
pub mod host;
pub(crate) mod jobs;
pub mod layers;
pub mod policy;
pub mod process;
mod rc;
pub mod rc_restore;
pub mod rc_versions;
pub mod settle;
mod sizes;
pub(crate) mod sources;
pub mod start_file;
pub mod versions;
pub(crate) mod watch;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lle_core::desired::Desired;

use crate::world::{CallEnd, ConfigFound, ConfigTrouble, Cost, Disk, File, Host, Job, JobEnd, Look, Now};
use calls::{Callback, Calls, Wake};
use disk::RealDisk;
use host::Sessions;
use jobs::Jobs;
use settle::unsynced::Unsynced;
use settle::{ConfigFiles, SettleError, Settled, Settler};

/// The file beside the state in which benches leave their results, if `LUSUSH_BENCH_RESULTS` names it.
pub const BENCH_RESULTS: &str = "bench.jsonl";

/// Where the engine's files are.
#[derive(Clone, Debug)]
pub struct Places {
    /// This machine's folder below the state folder: state, audit, lock.
    pub maint: PathBuf,
    /// The file that holds the head of the audit chain.
    pub anchor: PathBuf,
    /// The file that holds its key.
    pub key: PathBuf,
    /// The runtime folder: sessions, desired state, control socket.
    pub runtime: PathBuf,
    /// The history log.
    pub history: PathBuf,
    /// The index of the history log; none makes none.
    pub history_index: Option<PathBuf>,
    /// The file for samples; none keeps none.
    pub metrics: Option<PathBuf>,
    /// The home folder whose start-up files are watched; none watches none.
    pub home: Option<PathBuf>,
    /// The files of the configuration that is followed; none follows none.
    pub config: Option<ConfigFiles>,
    /// What the last recovery drill came to.
    pub drill: PathBuf,
    /// Where the last snapshot went.
    pub backed_up: PathBuf,
    /// The program that supervises jobs as `PROGRAM job command -- …`; none runs them unsupervised.
    pub program: Option<PathBuf>,
}

impl Places {
    /// Finds the places below the folders of this user.
    pub fn below(
        state: &std::path::Path,
        data: &std::path::Path,
        cache: &std::path::Path,
        runtime: &std::path::Path,
        machine_id: &str,
    ) -> Self {
        let maint = lle_core::paths::maint_folder(state, machine_id);
        let mut anchor = maint.file_name().unwrap_or_default().to_owned();
        anchor.push(".anchor");
        Self {
            anchor: data.join("audit").join(anchor),
            drill: data.join("recovery").join("drill.json"),
            backed_up: data.join("backup").join("last.json"),
            key: state.join("keys").join("audit.key"),
            runtime: runtime.to_owned(),
            history: lle_core::paths::history_log(state, machine_id),
            history_index: Some(lle_core::paths::history_index(cache, machine_id)),
            metrics: Some(cache.join("metrics.db")),
            home: None,
            config: None,
            program: None,
            maint,
        }
    }

    /// Follows the user's configuration, and the machine's, from now on.
    pub fn follow(&mut self, user: PathBuf) {
        self.config = Some(ConfigFiles {
            system: lle_core::config::SYSTEM_FILE.into(),
            user,
            state: self.maint.ancestors().nth(2).unwrap_or(&self.maint).to_owned(),
            maint: self.maint.clone(),
        });
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.runtime.join("control")
    }
}

/// Tells both clocks.
pub fn now() -> Now {
    let wall_ns = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
    let mono = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let mono_ns = mono.tv_sec.cast_unsigned() * 1_000_000_000 + mono.tv_nsec.cast_unsigned();
    Now { wall_ns, mono_ns }
}

/// The time zone of this machine, or UTC where none can be found.
pub fn zone() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::try_system().unwrap_or(jiff::tz::TimeZone::UTC)
}

/// The real world.
pub struct RealWorld {
    disk: RealDisk,
    sessions: Sessions,
    histories: history::Histories,
    jobs: Jobs,
    /// None if the kernel tells nothing of it.
    own: Option<process::Process>,
    calls: Calls,
    samples: Option<crate::rollup::Rollup>,
    sizes: sizes::Sizes,
    rc: rc::RcFiles,
    /// What was written of the configuration and is not durable yet.
    unsynced: Unsynced,
    places: Places,
}

impl RealWorld {
    /// Opens the world; `write` makes folders that are missing.
    ///
    /// # Errors
    /// A folder cannot be made.
    pub fn open(places: Places, write: bool) -> io::Result<Self> {
        let disk = RealDisk::open(&places, write)?;
        if write {
            disk::clear_strays(&places.runtime);
        }
        let samples = places
            .metrics
            .as_deref()
            .filter(|_| write)
            .and_then(|path| crate::rollup::Rollup::open(path).ok());
        Ok(Self {
            disk,
            sessions: Sessions::new(places.runtime.clone(), places.history.clone()),
            histories: history::Histories::new(
                &places.history,
                places.home.as_deref(),
                places.history_index.clone(),
            ),
            jobs: Jobs::new(places.program.clone()),
            own: process::Process::of(std::process::id()).ok(),
            calls: Calls::new(std::sync::Arc::new(|| ())),
            samples,
            sizes: sizes::Sizes::default(),
            rc: rc::RcFiles::new(places.home.clone(), places.maint.ancestors().nth(2)),
            unsynced: Unsynced::default(),
            places,
        })
    }

    /// Where everything is.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Writes from now on only while that lock is in place.
    pub(crate) fn guard(&mut self, guard: guard::Guard) {
        self.disk.guard(guard);
    }

    /// The jobs, for whoever waits for them.
    pub(crate) fn jobs(&mut self) -> &mut Jobs {
        &mut self.jobs
    }

    /// Lets a call of a host's own code wake whoever waits for its end.
    pub(crate) fn wake_by(&mut self, wake: Wake) {
        self.calls = Calls::new(wake);
    }

    /// What is called when the task is due.
    pub(crate) fn register(&mut self, task: &str, callback: Callback) {
        self.calls.register(task, callback);
    }

    /// Shows a session that this process itself is.
    pub(crate) fn watch(&mut self, watch: lle_metrics::Watch) {
        self.sessions.watch(watch);
    }

    /// What becomes readable when a job says something or a history is changed.
    pub(crate) fn wakes(&mut self, now_ns: u64) -> impl Iterator<Item = BorrowedFd<'_>> {
        let outputs = self.jobs.outputs();
        outputs.chain(self.histories.wakes(now_ns))
    }

    /// The histories, for whoever waits for a change of them.
    pub(crate) fn histories(&mut self) -> &mut history::Histories {
        &mut self.histories
    }

    /// Takes over what settling came to: it is acknowledged, and durable once the round is over.
    fn settled(&mut self, settled: Settled) -> ConfigFound {
        self.unsynced.add(settled.unsynced);
        settled.found
    }

    /// Makes durable what was written of the configuration. Best effort: it can be made anew of the files.
    fn sync_config(&mut self) {
        if !self.unsynced.is_empty() {
            let _made_anew = std::mem::take(&mut self.unsynced).sync();
        }
    }

    /// Calls that have returned since the last call.
    pub(crate) fn ended_calls(&mut self) -> Vec<CallEnd> {
        self.calls.ended()
    }

    /// Jobs that have ended since the last call.
    pub fn ended_jobs(&mut self) -> Vec<JobEnd> {
        self.jobs.ended()
    }
}

impl Disk for RealWorld {
    fn read(&mut self, file: File) -> io::Result<Option<Vec<u8>>> {
        self.disk.read(file)
    }
    fn append(&mut self, file: File, bytes: &[u8]) -> io::Result<()> {
        self.disk.append(file, bytes)
    }
    fn replace(&mut self, file: File, bytes: &[u8]) -> io::Result<()> {
        self.disk.replace(file, bytes)
    }
    fn create(&mut self, file: File, bytes: &[u8]) -> io::Result<()> {
        self.disk.create(file, bytes)
    }
    fn write_at(&mut self, file: File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.write_at(file, offset, bytes)
    }
    fn remove(&mut self, file: File) -> io::Result<()> {
        self.disk.remove(file)
    }
    fn audit_segments(&mut self) -> io::Result<Vec<u32>> {
        self.disk.audit_segments()
    }
    fn sync(&mut self, file: File) -> io::Result<()> {
        self.disk.sync(file)
    }
}

impl Host for RealWorld {
    fn look(&mut self, each: &mut dyn FnMut(Look<'_>)) {
        self.sessions.look(each);
    }
    fn publish(&mut self, desired: &Desired) -> io::Result<()> {
        // Another worker may publish by now.
        self.disk.refuse_unless_writable()?;
        self.sessions.publish(desired)
    }
    fn published(&mut self) -> Option<Desired> {
        self.sessions.published()
    }
    fn wake(&mut self, session: u64) {
        self.sessions.wake(session);
    }
    fn wake_everyone(&mut self, _known: &[u64]) {
        self.sessions.wake_everyone();
    }
    fn bury(&mut self, session: u64) {
        self.sessions.bury(session);
    }
    fn start_job(&mut self, job: &Job) -> io::Result<()> {
        self.jobs.start(job)
    }
    fn start_own_job(&mut self, job: &Job) -> io::Result<()> {
        self.jobs.start_own(job)
    }
    fn has_own_jobs(&self) -> bool {
        self.jobs.has_own()
    }
    fn kill_job(&mut self, plan: u64) {
        self.jobs.kill(plan);
    }
    fn call_host(&mut self, plan: u64, task: &str) -> io::Result<()> {
        self.calls.call(plan, task)
    }
    fn own_cost(&mut self) -> Option<Cost> {
        self.own.as_ref()?.cost().ok()
    }
    fn sync_history(&mut self) -> io::Result<Option<u64>> {
        self.sessions.sync_history()
    }
    fn history_news(&mut self, now: Now) -> Vec<crate::world::HistoryNews> {
        match self.disk.refuse_unless_writable() {
            Ok(()) => self.histories.look(now),
            // Another worker looks by now.
            Err(_) => Vec::new(),
        }
    }
    fn history_waits(&mut self, which: &str) -> Option<bool> {
        self.histories.waits(which)
    }
    fn restore_history(&mut self, which: &str) -> Result<String, String> {
        self.disk
            .refuse_unless_writable()
            .map_err(|error| error.to_string())?;
        self.histories.restore(which)
    }
    fn accept_history(&mut self) -> io::Result<()> {
        self.disk.refuse_unless_writable()?;
        self.histories.accept()
    }
    fn keep_samples(&mut self, now: Now, samples: &[(&'static str, f64)]) {
        if let Some(rollup) = &mut self.samples {
            rollup.keep(now, samples);
        }
    }
    fn resources(&mut self) -> Vec<(&'static str, f64)> {
        self.sizes.measure(now(), &self.places)
    }
    fn rc_changes(&mut self) -> Vec<crate::world::RcChange> {
        self.rc.changes(now().wall_ns)
    }
    fn restore_rc(
        &mut self,
        now: Now,
        file: &str,
        number: u64,
    ) -> Result<rc_restore::Restored, rc_restore::RestoreError> {
        let state = self.places.maint.ancestors().nth(2);
        let (Some(home), Some(state)) = (self.places.home.as_deref(), state) else {
            return Err(rc_restore::RestoreError::NoVersion(number));
        };
        let log = rc_versions::log(state);
        rc_restore::restore(&log, home, (file, number), now.wall_ns, "lusush worker")
    }
    fn recall(&mut self, metric: &str, since_wall_ns: i64, each: &mut dyn FnMut(i64, f64)) {
        if let Some(rollup) = &mut self.samples {
            // A database that cannot be read has no past.
            let _unread = rollup.recall(metric, since_wall_ns, each);
        }
    }
    fn after_all(&mut self, now: Now) {
        self.sync_config();
        if let Some(rollup) = &mut self.samples {
            rollup.write(now);
        }
    }
    fn models_job(&mut self) -> Option<Vec<String>> {
        let metrics = self.places.metrics.as_deref()?;
        let out = metrics.with_file_name(crate::models::NAME);
        let word = |path: &std::path::Path| path.to_str().map(ToOwned::to_owned);
        let job = ["job".to_owned(), "models".to_owned()];
        let program = word(self.places.program.as_deref()?)?;
        Some([&[program][..], &job, &[word(metrics)?, word(&out)?]].concat())
    }
    fn models(&mut self) -> Option<Vec<u8>> {
        let metrics = self.places.metrics.as_deref()?;
        disk::read_small(&metrics.with_file_name(crate::models::NAME))
    }
    fn drill(&mut self) -> Option<Vec<u8>> {
        disk::read_small(&self.places.drill)
    }
    fn backed_up(&mut self) -> Option<Vec<u8>> {
        disk::read_small(&self.places.backed_up)
    }
    fn bench_results(&mut self) -> Option<Vec<u8>> {
        disk::read_small(&self.places.maint.join(BENCH_RESULTS))
    }
    fn settle_config(&mut self, now: Now) -> Result<Option<ConfigFound>, ConfigTrouble> {
        let Some(files) = &self.places.config else {
            return Ok(None);
        };
        // Another worker may follow it by now.
        self.disk.refuse_unless_writable().map_err(failed)?;
        let settled = settle::settle(files, &settler(now)).map_err(trouble)?;
        Ok(Some(self.settled(settled)))
    }
    fn restore_config(
        &mut self,
        now: Now,
        version: u64,
        instead_of: Option<u64>,
    ) -> Result<ConfigFound, ConfigTrouble> {
        // What a file says now has to be among the versions, come what may, before it says something else.
        self.sync_config();
        let Some(files) = &self.places.config else {
            return Err(ConfigTrouble::Failed("no configuration is followed here".into()));
        };
        self.disk.refuse_unless_writable().map_err(failed)?;
        let settled = settle::back::restore(files, &settler(now), version, instead_of).map_err(trouble)?;
        Ok(self.settled(settled))
    }
    fn judge_version(&mut self, now: Now, version: u64, confirmed: bool) -> Result<(), ConfigTrouble> {
        let Some(files) = &self.places.config else {
            return Ok(());
        };
        self.disk.refuse_unless_writable().map_err(failed)?;
        settle::back::judge(files, &settler(now), version, confirmed).map_err(trouble)
    }

    fn now(&mut self) -> Now {
        now()
    }
    fn random(&mut self) -> u64 {
        let mut bytes = [0; 8];
        // Before the kernel has entropy, time and process are what tells workers apart.
        match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK) {
            Ok(8) => u64::from_ne_bytes(bytes) | 1,
            _ => now().mono_ns ^ u64::from(std::process::id()) << 40 | 1,
        }
    }
}

/// The worker, which waits for nobody.
fn settler(now: Now) -> Settler {
    Settler {
        wall_ns: now.wall_ns,
        tool: "lusush worker",
        patience: Duration::ZERO,
    }
}

fn trouble(error: SettleError) -> ConfigTrouble {
    match error {
        SettleError::Busy => ConfigTrouble::Busy,
        other => ConfigTrouble::Failed(with_causes(&other)),
    }
}

fn failed(error: io::Error) -> ConfigTrouble {
    ConfigTrouble::Failed(error.to_string())
}

/// An error and what caused it, on one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(because) = cause {
        text = format!("{text}: {because}");
        cause = because.source();
    }
    text
}
