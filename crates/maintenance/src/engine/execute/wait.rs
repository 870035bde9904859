//! What a step waits for: a session's answer, the end of a job, the return of a call; and what its coming does.
//!
//! Invariant: nothing here blocks. What is waited for either is an event of the engine, or is looked at again at every
//! event until its deadline.

use lle_core::plan::Action;

use super::action::Stepped;
use super::live::{Live, fit};
use crate::engine::{Engine, SECOND_NS};
use crate::state::Phase;
use crate::world::{JobEnd, Now, World};

/// What a step waits for.
#[derive(Clone, Debug)]
pub(super) enum Wait {
    /// A session's answer, until then.
    Session {
        session: u64,
        token: u64,
        until_ns: u64,
        before: Option<u64>,
    },
    /// A job's end.
    Job,
    /// The end of a job that was killed: what comes next must not meet it.
    KilledJob,
    /// The return of the host's own code.
    Call,
}

impl Engine {
    /// Sees whether what a step waits for has come.
    pub(super) fn settled(&mut self, now: Now, wait: &Wait, id: u64) -> Stepped {
        let Wait::Session {
            session,
            token,
            until_ns,
            before,
        } = wait
        else {
            return Stepped::Waits(wait.clone());
        };
        let Some(state) = self.sessions.get(session).filter(|session| session.is_alive()) else {
            return Stepped::Failed(format!("session {session:016x} has ended"));
        };
        if state.trim_token() == Some(*token) {
            let gained = state.trim_gain_bytes(*before);
            if let Some(live) = self.live.get_mut(&id) {
                live.gained(gained);
            }
            return Stepped::Held;
        }
        match now.mono_ns >= *until_ns {
            true => Stepped::Failed(format!("session {session:016x} did not answer")),
            false => Stepped::Waits(wait.clone()),
        }
    }

    pub(super) fn wait_of(&self, id: u64) -> Option<&Wait> {
        self.live.get(&id).and_then(Live::wait)
    }

    pub(super) fn set_wait(&mut self, id: u64, wait: Option<Wait>) {
        if let Some(live) = self.live.get_mut(&id) {
            live.set_wait(wait);
        }
    }

    /// Kills the job that a step waits for, if there is one; its end is waited for.
    pub(super) fn stop_job<W: World>(&mut self, world: &mut W, id: u64) {
        let runs = matches!(self.wait_of(id), Some(Wait::Job | Wait::KilledJob));
        if runs {
            world.kill_job(id);
        }
        self.set_wait(id, runs.then_some(Wait::KilledJob));
    }

    /// Takes note of what a call cost; whether a step waited for it.
    pub(crate) fn took_call(&mut self, id: u64, cpu_ns: u64) -> bool {
        let Some(live) = self.live.get_mut(&id) else {
            return false;
        };
        live.spent(cpu_ns);
        let waited = matches!(live.wait(), Some(Wait::Call));
        if waited {
            live.set_wait(None);
        }
        waited
    }

    /// A job has ended: the step or the cleanup that waited for it goes on.
    pub(crate) fn job_done<W: World>(&mut self, world: &mut W, now: Now, end: &JobEnd) {
        let id = end.plan;
        let wait = self.wait_of(id).cloned();
        if let Some(live) = self.live.get_mut(&id) {
            live.spent(end.cpu_ns);
        }
        match wait {
            Some(Wait::KilledJob) => {
                self.set_wait(id, None);
                self.advance(world, now, id);
            }
            Some(Wait::Job) => {
                self.set_wait(id, None);
                self.take_end(world, now, end);
                self.advance(world, now, id);
                self.make_durable(world, now);
            }
            _ => {}
        }
    }

    /// Goes by how a job ended that was waited for.
    fn take_end<W: World>(&mut self, world: &mut W, now: Now, end: &JobEnd) {
        let id = end.plan;
        let phase = self.state.running.get(&id).map(|running| running.phase);
        let cleans = phase == Some(Phase::CleaningUp);
        self.drilled.read(world);
        self.backed_up.read(world);
        match (told_by(end), cleans) {
            (Ok(words), _) => {
                if self.fits_models(id) {
                    self.read_models(world);
                }
                // What the run itself said last is worth more than what its cleanup said.
                if !cleans {
                    self.note(id, &words);
                }
            }
            (Err(why), true) => self.note(id, &format!("the cleanup {why}")),
            (Err(why), false) => self.fail(world, now, id, &why),
        }
    }

    fn fits_models(&self, id: u64) -> bool {
        let steps = self.state.running.get(&id).map(|running| &running.plan.steps);
        steps.is_some_and(|steps| {
            steps
                .iter()
                .any(|step| matches!(step.action, Action::FitModels { .. }))
        })
    }

    /// When a plan has to be looked at again, on the monotonic clock.
    pub(crate) fn next_deadline_ns(&self, now: Now) -> u64 {
        let of = |live: &Live| match live.wait() {
            // A session answers in its flight file, which nobody tells of.
            Some(Wait::Session { .. }) => live.deadline_ns().min(now.mono_ns + SECOND_NS),
            // There is more to do than was done at once.
            None => now.mono_ns,
            _ => live.deadline_ns(),
        };
        self.live.values().map(of).min().unwrap_or(u64::MAX)
    }

    /// Whether a step waits for a session's answer.
    pub(crate) fn waits_for_sessions(&self) -> bool {
        self.live
            .values()
            .any(|live| matches!(live.wait(), Some(Wait::Session { .. })))
    }
}

/// What a job said last, or how it failed.
fn told_by(end: &JobEnd) -> Result<String, String> {
    let words = fit(end.last_words.trim());
    let how = match end.status {
        Some(0) => return Ok(words),
        Some(status) => format!("ended with status {status}"),
        None => "was killed".to_owned(),
    };
    Err(match words.is_empty() {
        true => how,
        false => format!("{how}: {words}"),
    })
}
