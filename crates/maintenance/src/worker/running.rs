//! The loop: sleeps until something is to do, and has the engine do it.
//!
//! Invariant: without its lock's file in place nothing is done any more: another worker may have taken a lock of that
//! name.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::lock::Lock;
use super::{Linger, Options, WorkerError, served, unusable};
use crate::control::{Dispatch, Fault, Peer, Server};
use crate::engine::{Engine, Event};
use crate::real::bell::Bell;
use crate::real::sources::Sources;
use crate::real::watch::ConfigWatch;
use crate::real::{Places, RealWorld, now};
use crate::world::Now;
use lle_core::policy::Who;

/// How often the folders are looked after, in nanoseconds: a logout may have removed them, and rules may have been
/// changed. It is the longest sleep, too: six looks at the disk every five seconds are some millionths of a processor.
const LOOK_AFTER_NS: u64 = 5_000_000_000;

/// Where the loop is told things besides the control socket: signals tell the worker, a channel an embedded engine.
pub(crate) trait Summons {
    /// Becomes readable when there is something to take.
    fn wakes(&self) -> BorrowedFd<'_>;

    /// Takes what there is; false if the loop is to end.
    fn take(&mut self, engine: &mut Engine, world: &mut RealWorld) -> bool;
}

/// Binds the control socket; without one, sessions are looked after all the same, and it is tried again.
fn bind(places: &Places) -> Option<Server> {
    crate::real::disk::create_folder(&places.runtime).ok()?;
    Server::bind(&places.socket()).ok()
}

/// An engine that runs, on the thread that began it.
pub(crate) struct Running<'a, S> {
    options: &'a Options,
    summons: S,
    engine: Engine,
    world: RealWorld,
    /// Whether there is to be a control socket.
    listens: bool,
    server: Option<Server>,
    /// The runtime folder is gone and cannot be made again.
    lost: bool,
    last_needed: u64,
    looked_after: u64,
    sources: Sources,
    /// None where no configuration is followed.
    config: Option<ConfigWatch>,
    /// None where it cannot be hung: then sessions are looked at when it is time to.
    bell: Option<Bell>,
    /// Dropped last: until the jobs are dead and the socket is gone, no other engine may begin.
    lock: Lock,
}

impl<'a, S: Summons> Running<'a, S> {
    /// Reads the state back, binds the control socket if there is to be one, and lets the engine act.
    ///
    /// # Errors
    /// The state cannot be read; nothing is left behind.
    pub(crate) fn begin(
        options: &'a Options,
        lock: Lock,
        summons: S,
        mut world: RealWorld,
        listens: bool,
    ) -> Result<Self, WorkerError> {
        let stopped = options.places.maint.join("stopped");
        let sources = Sources::new(options.user_policy.clone(), stopped, options.spawned);
        world.guard(lock.guard().clone());
        let mut engine = Engine::load(&mut world, options.config.clone(), now())
            .map_err(|source| unusable(&options.places, source))?;
        engine.set_pace(options.pace);
        let server = listens.then(|| bind(&options.places)).flatten();
        if listens {
            served::tell(&options.places);
        }
        // Watched before it is read: what changes in between is told.
        let mut config = options.places.config.clone().map(ConfigWatch::new);
        engine.start(&mut world, now());
        if let Some(config) = &mut config {
            config.was_read(engine.config_sources());
        }
        lock.tell_ready();
        Ok(Self {
            options,
            summons,
            engine,
            world,
            listens,
            server,
            lost: false,
            last_needed: now().mono_ns,
            looked_after: 0,
            sources,
            config,
            bell: Bell::hang(&options.places.runtime).ok(),
            lock,
        })
    }

    /// Serves until it is told to end or nobody needs it, and ends in good order.
    pub(crate) fn serve(mut self) {
        self.turn();
        // Without its lock it is no longer this engine's to write anything; jobs are killed all the same.
        if self.lock.is_in_place() {
            self.engine.end(&mut self.world, now());
        }
    }

    fn turn(&mut self) {
        loop {
            self.sleep();
            // Looked at before anything is done: another worker may have taken a lock of that name meanwhile.
            if !self.summons.take(&mut self.engine, &mut self.world) || !self.lock.is_in_place() {
                return;
            }
            let at = now();
            for end in self.world.ended_jobs() {
                self.engine.handle(&mut self.world, at, Event::JobDone(end));
            }
            for end in self.world.ended_calls() {
                self.engine.handle(&mut self.world, at, Event::CallDone(end));
            }
            if self.bell.as_mut().is_some_and(|bell| bell.has_rung(at.mono_ns)) {
                self.engine.is_called(&mut self.world, at);
            }
            if self.world.histories().was_touched(at.mono_ns) {
                self.engine.touch_history();
            }
            self.answer(at);
            self.follow_config(at);
            self.engine.handle(&mut self.world, now(), Event::Tick);
            self.look_after(at);
            if self.engine.is_stopping() || !self.is_needed(at) {
                // What was answered goes out before the socket does. Who asks for a start just now gets one.
                self.answer(now());
                if self.engine.is_stopping() || !self.is_needed(at) {
                    return;
                }
            }
        }
    }

    /// Waits for a client, a job, a signal, a session that rings, or the time to do something.
    fn sleep(&mut self) {
        let at = now();
        // The folders are looked after also when nothing else is to do: a session asks nobody to.
        let mut until = self
            .engine
            .wake_at(at)
            .min(self.looked_after.saturating_add(LOOK_AFTER_NS))
            .max(at.mono_ns);
        let deaf_until = self.world.histories().deaf_until();
        if at.mono_ns < deaf_until {
            // What is changed meanwhile is heard then.
            until = until.min(deaf_until);
        }
        if let Some(server) = &self.server {
            until = until.min(server.next_deadline().unwrap_or(u64::MAX));
        }
        if let Some(config) = &self.config {
            until = until.min(config.deadline().unwrap_or(u64::MAX)).max(at.mono_ns);
        }
        let left = Duration::from_nanos(until.saturating_sub(at.mono_ns));
        let timeout = rustix::event::Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(60),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut fds = vec![PollFd::from_borrowed_fd(self.summons.wakes(), PollFlags::IN)];
        if let Some(server) = &self.server {
            server.interests(&mut fds);
        }
        let bell = self.bell.as_ref().and_then(|bell| bell.wakes(at.mono_ns));
        fds.extend(bell.map(|bell| PollFd::from_borrowed_fd(bell, PollFlags::IN)));
        let config = self.config.as_ref().and_then(ConfigWatch::wakes);
        fds.extend(config.map(|config| PollFd::from_borrowed_fd(config, PollFlags::IN)));
        fds.extend(
            self.world
                .wakes(at.mono_ns)
                .map(|output| PollFd::from_borrowed_fd(output, PollFlags::IN)),
        );
        // Interrupted or not, everything is looked at.
        let _woken = poll(&mut fds, Some(&timeout));
    }

    fn answer(&mut self, at: Now) {
        if let Some(server) = &mut self.server {
            let mut desk = Desk {
                engine: &mut self.engine,
                world: &mut self.world,
                owner: self.options.config.uid,
            };
            server.serve(at.mono_ns, &mut desk);
        }
    }

    /// Whether anybody needs a worker, or did a while ago.
    fn is_needed(&mut self, at: Now) -> bool {
        if self.lost {
            return false;
        }
        if self.engine.has_sessions() || self.world.jobs().any() {
            self.last_needed = at.mono_ns;
        }
        let alone = Duration::from_nanos(at.mono_ns.saturating_sub(self.last_needed));
        match self.options.linger {
            Linger::Configured => alone < self.engine.linger(),
            Linger::For(linger) => alone < linger,
            Linger::Forever => true,
        }
    }

    /// Puts back what a logout or a cleaner removed, and sees what was changed.
    fn look_after(&mut self, at: Now) {
        if at.mono_ns.saturating_sub(self.looked_after) < LOOK_AFTER_NS {
            return;
        }
        self.looked_after = at.mono_ns;
        if self.listens && !self.server.as_ref().is_some_and(Server::still_bound) {
            let was_bound = self.server.take().is_some();
            self.server = bind(&self.options.places);
            // Its folder went with a logout, say: sessions elsewhere need a worker that serves one which is there.
            let is_lost = was_bound && self.server.is_none() && !self.options.places.runtime.is_dir();
            self.lost |= is_lost && !matches!(self.options.linger, Linger::Forever);
            if was_bound {
                // What was published went with the socket.
                self.engine.publish_again();
            }
        }
        if self.listens {
            served::tell(&self.options.places);
        }
        if !self.bell.as_ref().is_some_and(Bell::hangs) {
            self.bell = None;
            self.bell = Bell::hang(&self.options.places.runtime).ok();
        }
        if let Some(config) = &mut self.config {
            config.look(at.mono_ns);
        }
        self.follow(at);
    }

    /// Brings the configuration into force, once its files have changed and are left alone.
    fn follow_config(&mut self, at: Now) {
        let Some(config) = &mut self.config else { return };
        if !config.is_due(at.mono_ns) {
            return;
        }
        match self.engine.sync_configuration(&mut self.world, at) {
            true => config.again(at.mono_ns),
            false => config.was_read(self.engine.config_sources()),
        }
    }

    /// Goes by what the files say that were changed meanwhile.
    fn follow(&mut self, at: Now) {
        let mut changed = false;
        if let Some(rules) = self.sources.changed_rules() {
            let user = self.sources.follows_user().then_some(rules.user);
            let policy = self.engine.policy().reread(rules.system, user);
            changed |= self
                .engine
                .set_policy(&mut self.world, at, policy, rules.problems);
        }
        if let Some(zone) = self.sources.changed_zone() {
            changed |= self.engine.set_zone(&mut self.world, at, zone);
        }
        if changed {
            self.engine.handle(&mut self.world, now(), Event::Changed);
        }
        if self.sources.is_stopped() {
            // Refused or not, it is answered once.
            self.sources.stop_heard();
            self.engine.is_unwanted(&mut self.world, at);
        }
    }
}

/// Where calls of the control socket meet the engine.
struct Desk<'a> {
    engine: &'a mut Engine,
    world: &'a mut RealWorld,
    owner: u32,
}

impl Dispatch for Desk<'_> {
    fn call(
        &mut self,
        peer: &Peer,
        method: &str,
        parameters: serde_json::Value,
    ) -> Result<serde_json::Value, Fault> {
        let who = Who::peer(peer.uid, Some(peer.pid), self.owner);
        self.engine.answers_on_socket();
        let request = crate::api::Request::read(method, parameters)?;
        let answer = self.engine.request(self.world, now(), &who, &request)?;
        Ok(request.wrap(answer))
    }

    fn refused(&mut self, peer: &Peer) {
        let who = Who::peer(peer.uid, Some(peer.pid), self.owner);
        self.engine.refused(self.world, now(), &who);
    }
}
