//! Jobs: programs that run beside the engine, each in a process group of its own, supervised.
//!
//! ```text
//!  worker ═ pipe ═▸ lusush job command -- PROGRAM …   supervisor: leads the group
//!                     │ the pipe closes: the worker is gone, the group is killed
//!                     └─▸ PROGRAM                      its output: the last words
//! ```
//!
//! Invariants: a job never outlives its worker, however that ends; the engine never waits for one.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::process;
use crate::world::{AUDITED_PLAN, Job, JobEnd};

/// Bytes of a job's output kept: its end says most.
const OUTPUT_BYTES_MAX: usize = 4 * 1024;
/// Bytes taken from a job's output at one time: a flood waits in the pipe and slows its writer, not the engine.
const READ_BYTES_MAX: usize = 64 * 1024;

struct Running {
    child: Child,
    /// Held open: its closing tells the supervisor that the worker is gone.
    _alive: Option<ChildStdin>,
    output: Vec<u8>,
}

/// The jobs that run.
pub(crate) struct Jobs {
    supervisor: Option<PathBuf>,
    running: BTreeMap<u64, Running>,
    /// Killed to make room for their plan's next job: nobody waits for them but the kernel.
    killed: Vec<Running>,
}

impl Jobs {
    pub(crate) fn new(supervisor: Option<PathBuf>) -> Self {
        Self {
            supervisor,
            running: BTreeMap::new(),
            killed: Vec::new(),
        }
    }

    /// Whether this program can be started as a job.
    pub(crate) fn has_own(&self) -> bool {
        self.supervisor.is_some()
    }

    pub(crate) fn start(&mut self, job: &Job) -> io::Result<()> {
        let (program, arguments) = job
            .command
            .split_first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "there is no program to run"))?;
        let mut command = match &self.supervisor {
            Some(supervisor) => {
                let mut command = Command::new(supervisor);
                command.args(["job", "command", "--", program]).args(arguments);
                command
            }
            None => {
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
        };
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .env(AUDITED_PLAN, job.plan.to_string())
            .process_group(0);
        let mut child = command.spawn()?;
        let alive = child.stdin.take();
        if let Some(output) = &child.stdout {
            rustix::io::ioctl_fionbio(output, true)?;
        }
        let running = Running {
            child,
            _alive: alive,
            output: Vec::new(),
        };
        if let Some(before) = self.running.insert(job.plan, running) {
            // A cleanup follows a run that was killed a moment ago.
            before.kill();
            self.killed.push(before);
        }
        Ok(())
    }

    /// Starts this program itself as a job; the first word of its command is only a name.
    pub(crate) fn start_own(&mut self, job: &Job) -> io::Result<()> {
        let own = self.supervisor.as_ref().and_then(|own| own.to_str());
        let own = own.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no lusush is known here"))?;
        let mut command = job.command.clone();
        if let Some(first) = command.first_mut() {
            own.clone_into(first);
        }
        self.start(&Job {
            plan: job.plan,
            command,
        })
    }

    pub(crate) fn kill(&mut self, plan: u64) {
        if let Some(running) = self.running.get(&plan) {
            running.kill();
        }
    }

    /// The pipes that become readable when a job writes or ends.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.running
            .values()
            .chain(&self.killed)
            .filter_map(|running| running.child.stdout.as_ref().map(AsFd::as_fd))
    }

    /// Whether any runs.
    pub(crate) fn any(&self) -> bool {
        !self.running.is_empty()
    }

    /// Takes the jobs that have ended.
    pub(crate) fn ended(&mut self) -> Vec<JobEnd> {
        let mut ended = Vec::new();
        self.killed
            .retain_mut(|killed| !matches!(killed.child.try_wait(), Ok(Some(_))));
        for (&plan, running) in &mut self.running {
            running.listen();
            if !running.has_ended() {
                continue;
            }
            // Whatever the program left behind in its group goes with it: now, while its number is still its own.
            running.kill();
            let before = process::children_cpu_ns();
            let status = running.child.wait().ok();
            running.listen();
            ended.push(JobEnd {
                plan,
                status: status
                    .filter(|status| status.signal().is_none())
                    .and_then(|status| status.code()),
                cpu_ns: process::children_cpu_ns().saturating_sub(before),
                last_words: String::from_utf8_lossy(&running.output).into_owned(),
            });
        }
        for end in &ended {
            self.running.remove(&end.plan);
        }
        ended
    }
}

impl Running {
    fn leader(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    fn kill(&self) {
        // A group that is gone already has nothing left to kill.
        let _gone = self
            .leader()
            .map(|leader| kill_process_group(leader, Signal::KILL));
    }

    /// Whether the leader has ended; it is not waited for yet, so that its number stays its own.
    fn has_ended(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.leader()
            .is_some_and(|leader| !matches!(waitid(WaitId::Pid(leader), look), Ok(None)))
    }

    /// Reads what the job wrote, as far as it is there.
    fn listen(&mut self) {
        let mut buffer = [0; 4096];
        let mut taken = 0;
        while taken < READ_BYTES_MAX {
            let Some(output) = &mut self.child.stdout else {
                return;
            };
            match output.read(&mut buffer) {
                Ok(0) => {
                    self.child.stdout = None;
                    return;
                }
                Ok(n) => {
                    taken += n;
                    self.output.extend_from_slice(&buffer[..n]);
                    let surplus = self.output.len().saturating_sub(OUTPUT_BYTES_MAX);
                    self.output.drain(..surplus);
                }
                Err(_) => return,
            }
        }
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        let plans: Vec<u64> = self.running.keys().copied().collect();
        plans.into_iter().for_each(|plan| self.kill(plan));
        for running in self.running.values_mut().chain(&mut self.killed) {
            // Just killed: this waits for the kernel only.
            let _reaped = running.child.wait();
        }
    }
}
