//! The hands of an engine: its calls of the disk and of the host, each of which may be its worker's last.
//!
//! Invariant: an engine that may not act changes nothing; if it tries to, that is a violation and written down.

use std::io;
use std::panic::resume_unwind;

use lle_core::desired::Desired;
use lle_maintenance::world::{ConfigFound, ConfigTrouble, Cost, Disk, File, Host, Job, Look, Now};
use lle_metrics::Liveness;

use super::{GIVEN_UP_NS, Killed, SimJob, World};
use crate::disk::Cut;
use crate::random::Random;
use crate::session::Nature;

/// What an engine holds of the world.
pub struct Hands<'a> {
    /// The world.
    pub world: &'a mut World,
    pub(super) acts: bool,
}

impl Hands<'_> {
    /// One call: it costs time, and may be the worker's last.
    fn call(&mut self, what: &dyn Fn() -> String) -> Option<Cut> {
        let world = &mut *self.world;
        world.calls += 1;
        if world.disk.faults.slow_ns > 0 {
            let slow = world.random.below(world.disk.faults.slow_ns);
            world.pass(slow, true);
        }
        if world.verbose {
            let text = what();
            world.tell(|| format!("    {text}"));
        }
        if !self.acts || world.dies_at.is_none_or(|at| world.calls < at) {
            return None;
        }
        let cut = *world.random.pick(&[Cut::Before, Cut::Within, Cut::After]);
        let text = what();
        world.tell(|| format!("the worker is killed ({cut:?}) at: {text}"));
        if cut == Cut::Before {
            resume_unwind(Box::new(Killed));
        }
        Some(cut)
    }

    fn after<T>(&self, cut: Option<Cut>, value: T) -> T {
        if cut.is_some() {
            resume_unwind(Box::new(Killed));
        }
        value
    }

    fn must_act(&mut self, what: &str) {
        if !self.acts {
            self.world
                .violate(format!("two actors: an engine that only answers did {what}"));
        }
    }

    /// Notes whose intent an append to the audit log holds.
    fn note_intent(&mut self, bytes: &[u8]) {
        let Some(at) = bytes.windows(7).position(|seven| seven == b"{\"who\":") else {
            return;
        };
        let mut values = serde_json::Deserializer::from_slice(&bytes[at..]).into_iter::<serde_json::Value>();
        let Some(Ok(said)) = values.next() else { return };
        let plan = said["plan"].as_u64().unwrap_or(0);
        self.world.tell(|| format!("  audit: {said}"));
        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        match said["phase"].as_str() {
            Some("intent") if plan > 0 => {
                // After power loss, a number that is lost with everything that had it begins anew.
                self.world.outcomes.remove(&plan);
                self.world.intents.insert(plan, (text("operation"), text("why")));
            }
            Some("outcome") if plan > 0 => drop(self.world.outcomes.insert(plan, text("outcome"))),
            _ => {}
        }
    }
}

impl Disk for Hands<'_> {
    fn read(&mut self, file: File) -> io::Result<Option<Vec<u8>>> {
        let cut = self.call(&|| format!("read {file:?}"));
        let read = self.world.disk.read(&mut self.world.random, file);
        self.after(cut, read)
    }

    fn append(&mut self, file: File, bytes: &[u8]) -> io::Result<()> {
        self.must_act("an append");
        let cut = self.call(&|| format!("append {} bytes to {file:?}", bytes.len()));
        let done = self.world.disk.append(&mut self.world.random, file, bytes, cut);
        if let Err(error) = &done {
            self.world.tell(|| format!("  append to {file:?} fails: {error}"));
        } else if matches!(file, File::Audit(_)) {
            self.note_intent(bytes);
        }
        self.after(cut, done)
    }

    fn replace(&mut self, file: File, bytes: &[u8]) -> io::Result<()> {
        self.must_act("a replace");
        let cut = self.call(&|| format!("replace {file:?} with {} bytes", bytes.len()));
        let done = self.world.disk.replace(file, bytes);
        self.after(cut, done)
    }

    fn create(&mut self, file: File, bytes: &[u8]) -> io::Result<()> {
        self.must_act("a creation");
        let cut = self.call(&|| format!("create {file:?} with {} bytes", bytes.len()));
        let done = self.world.disk.create(file, bytes);
        self.after(cut, done)
    }

    fn write_at(&mut self, file: File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.must_act("a write");
        let cut = self.call(&|| format!("write {} bytes of {file:?}", bytes.len()));
        let done = self
            .world
            .disk
            .write_at(&mut self.world.random, file, offset, bytes, cut);
        self.after(cut, done)
    }

    fn remove(&mut self, file: File) -> io::Result<()> {
        self.must_act("a removal");
        let cut = self.call(&|| format!("remove {file:?}"));
        let done = self.world.disk.remove(file);
        self.after(cut, done)
    }

    fn audit_segments(&mut self) -> io::Result<Vec<u32>> {
        let cut = self.call(&|| "list the segments".into());
        let found = self.world.disk.segments();
        self.after(cut, Ok(found))
    }

    fn sync(&mut self, file: File) -> io::Result<()> {
        self.must_act("a sync");
        let cut = self.call(&|| format!("sync {file:?}"));
        let done = self.world.disk.sync(file);
        self.after(cut, done)
    }
}

impl Host for Hands<'_> {
    fn look(&mut self, each: &mut dyn FnMut(Look<'_>)) {
        let cut = self.call(&|| "look".into());
        for session in &self.world.sessions {
            let alive = session.liveness == Liveness::Alive;
            each(Look {
                session: session.id,
                liveness: session.liveness,
                snapshot: session.snapshot(),
                problem: session
                    .snapshot()
                    .is_none()
                    .then(|| "is not a flight file".into()),
                cost: (alive && session.nature != Nature::Liar).then_some(Cost {
                    cpu_ns: session.cpu_ns,
                    rss_anon_bytes: 8 << 20,
                }),
            });
        }
        self.after(cut, ());
    }

    fn publish(&mut self, desired: &Desired) -> io::Result<()> {
        self.must_act("a publication");
        let cut = self.call(&|| format!("publish {desired:?}"));
        let world = &mut *self.world;
        if world.unpublishable {
            return self.after(cut, Err(io::Error::other("the runtime folder cannot be written")));
        }
        if desired.generation <= world.last_generation {
            let (new, old) = (desired.generation, world.last_generation);
            world.violate(format!("the published generation went from {old} to {new}"));
        }
        world.last_generation = desired.generation;
        for trim in &desired.trims {
            let what = format!("trim session {:016x}", trim.session);
            if !world
                .intents
                .values()
                .any(|(intent, _)| intent.contains(&what) || intent.len() > 250)
            {
                world.violate(format!("nothing in the audit log says: {what}"));
            }
        }
        // What sessions read is what the text says.
        world.desired = Desired::decode(desired.encode().as_bytes()).ok();
        self.after(cut, Ok(()))
    }

    fn published(&mut self) -> Option<Desired> {
        let cut = self.call(&|| "read what is published".into());
        let found = self.world.desired.clone();
        self.after(cut, found)
    }

    fn wake(&mut self, session: u64) {
        self.must_act("a wake");
        let cut = self.call(&|| format!("wake {session:x}"));
        self.world.woken.insert(session);
        self.after(cut, ());
    }

    fn bury(&mut self, session: u64) {
        self.must_act("a burial");
        let cut = self.call(&|| format!("bury {session:x}"));
        self.world
            .sessions
            .retain(|each| each.id != session || each.liveness == Liveness::Alive);
        self.after(cut, ());
    }

    fn start_job(&mut self, job: &Job) -> io::Result<()> {
        self.must_act("a job");
        let cut = self.call(&|| format!("start {job:?}"));
        let world = &mut *self.world;
        if world
            .jobs
            .iter()
            .any(|(plan, job_of)| *plan == job.plan && !job_of.killed)
        {
            world.violate(format!(
                "plan {} starts a job while one of its jobs runs",
                job.plan
            ));
        } else if world
            .jobs
            .iter()
            .any(|(plan, of)| *plan == job.plan && world.now.mono_ns < of.killed_ns + GIVEN_UP_NS)
        {
            world.violate(format!(
                "plan {} starts a job before the one it killed has ended",
                job.plan
            ));
        }
        if !world.intents.contains_key(&job.plan) {
            world.violate(format!(
                "the job of plan {} has no intent in the audit log",
                job.plan
            ));
        }
        if world.random.once_in(12) {
            return self.after(cut, Err(io::ErrorKind::NotFound.into()));
        }
        let started = fate(&mut world.random, world.now.mono_ns);
        world.tell(|| {
            format!(
                "  job of plan {} runs: {:?} {:?}",
                job.plan, started.ends_ns, started.status
            )
        });
        world.jobs.push((job.plan, started));
        *world.job_starts.entry(job.plan).or_default() += 1;
        self.after(cut, Ok(()))
    }

    fn kill_job(&mut self, plan: u64) {
        self.must_act("a kill");
        let cut = self.call(&|| format!("kill the job of plan {plan}"));
        for (_, job) in self.world.jobs.iter_mut().filter(|(of, _)| *of == plan) {
            job.killed = true;
            job.killed_ns = self.world.now.mono_ns;
        }
        self.after(cut, ());
    }

    fn settle_config(&mut self, _now: Now) -> Result<Option<ConfigFound>, ConfigTrouble> {
        self.must_act("a change of the configuration");
        if self.world.files.is_none() && self.world.config.is_none() {
            return Ok(None);
        }
        let cut = self.call(&|| "settle the configuration".into());
        let found = match &mut self.world.files {
            Some(files) => files.settle().map(Some),
            None => Ok(self.world.config.clone()),
        };
        self.after(cut, found)
    }

    fn restore_config(
        &mut self,
        _now: Now,
        version: u64,
        _instead_of: Option<u64>,
    ) -> Result<ConfigFound, ConfigTrouble> {
        self.must_act("a rollback");
        let cut = self.call(&|| format!("restore version {version} of the configuration"));
        let files = self.world.files.as_mut();
        let found = files.map_or(Err(ConfigTrouble::Busy), |files| files.restore(version));
        self.after(cut, found)
    }

    fn judge_version(&mut self, _now: Now, version: u64, confirmed: bool) -> Result<(), ConfigTrouble> {
        self.must_act("a verdict");
        let cut = self.call(&|| format!("version {version} of the configuration: {confirmed}"));
        if let Some(files) = &mut self.world.files {
            files.verdicts.insert(version, confirmed);
        }
        self.after(cut, Ok(()))
    }

    fn own_cost(&mut self) -> Option<Cost> {
        Some(Cost {
            cpu_ns: self.world.calls * 1_000,
            rss_anon_bytes: 4 << 20,
        })
    }

    fn sync_history(&mut self) -> io::Result<Option<u64>> {
        let cut = self.call(&|| "sync the history".into());
        let failed = self.world.disk.faults.unsyncable;
        let done = if failed {
            Err(io::Error::from_raw_os_error(5))
        } else {
            Ok(Some(1_000_000))
        };
        self.after(cut, done)
    }

    fn keep_samples(&mut self, _now: Now, _samples: &[(&'static str, f64)]) {
        self.must_act("samples");
    }

    fn now(&mut self) -> Now {
        self.world.now
    }

    fn random(&mut self) -> u64 {
        self.world.random.draw()
    }
}

/// What becomes of a job: it ends well, badly, by a signal, late, or never; some flood.
fn fate(random: &mut Random, mono_ns: u64) -> SimJob {
    const SECOND: u64 = 1_000_000_000;
    let quick = mono_ns + random.below(20 * SECOND);
    let (ends_ns, status) = match random.below(8) {
        0 => (None, None),
        1 => (Some(mono_ns + 3_600 * SECOND), Some(0)),
        2 => (Some(quick), None),
        3 | 4 => (Some(quick), Some(i32::try_from(random.below(256)).unwrap_or(1))),
        _ => (Some(quick), Some(0)),
    };
    let words = match random.below(4) {
        0 => "\x1b]0;owned\x07flood ".repeat(200),
        _ => String::new(),
    };
    SimJob {
        ends_ns,
        status,
        words,
        killed: false,
        killed_ns: 0,
    }
}
