//! Callbacks of the program that embeds the engine, each call on a thread of its own.
//!
//! ```text
//!  engine ─▸ call(plan, task) ─▸ thread: callback() ─▸ channel, and a byte that wakes the engine ─▸ CallEnd
//! ```
//!
//! Invariants:
//! - The engine never waits for a callback, and a panic in one ends its call and nothing else.
//! - One callback is never called twice at once. A call that overran is left behind, since a thread cannot be
//!   killed, and until it returns the next one fails.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::time::{ClockId, clock_gettime};

use crate::world::{CallEnd, Returned};

/// What a host does when its task is due: a note for people, or why it failed.
pub(crate) type Callback = Box<dyn FnMut() -> Result<String, String> + Send>;
/// Wakes the thread that [`Calls::ended`] is called on.
pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;

/// The callbacks, and their calls.
pub(crate) struct Calls {
    known: BTreeMap<String, Arc<Mutex<Callback>>>,
    /// Calls that have not returned, by their task.
    under_way: BTreeMap<String, u64>,
    ends: (Sender<CallEnd>, Receiver<CallEnd>),
    wake: Wake,
}

impl Calls {
    /// None is known; without anything to wake, an end is found when the engine looks.
    pub(crate) fn new(wake: Wake) -> Self {
        Self {
            known: BTreeMap::new(),
            under_way: BTreeMap::new(),
            ends: channel(),
            wake,
        }
    }

    pub(crate) fn register(&mut self, task: &str, callback: Callback) {
        self.known.insert(task.to_owned(), Arc::new(Mutex::new(callback)));
    }

    /// Begins a call.
    ///
    /// # Errors
    /// Nothing is registered for the task, its last call has not returned, or there is no thread to be had.
    pub(crate) fn call(&mut self, plan: u64, task: &str) -> io::Result<()> {
        let callback = self.known.get(task).ok_or(io::ErrorKind::NotFound)?;
        if self.under_way.contains_key(task) {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "its last call has not returned yet",
            ));
        }
        let (callback, wake, ends) = (Arc::clone(callback), Arc::clone(&self.wake), self.ends.0.clone());
        thread::Builder::new().name("lusush-call".into()).spawn(move || {
            // A panic leaves what the callback owns as it is: whether it can go on is the callback's to know.
            let mut callback = callback.lock().unwrap_or_else(PoisonError::into_inner);
            let returned = match catch_unwind(AssertUnwindSafe(&mut *callback)) {
                Ok(Ok(note)) => Returned::Done(note),
                Ok(Err(why)) => Returned::Failed(why),
                Err(panic) => Returned::Panicked(words_of(&*panic)),
            };
            drop(callback);
            let end = CallEnd {
                plan,
                returned,
                cpu_ns: thread_cpu_ns(),
            };
            // An engine that has ended waits for nothing.
            let _ended = ends.send(end);
            wake();
        })?;
        self.under_way.insert(task.to_owned(), plan);
        Ok(())
    }

    /// Takes the calls that have returned.
    pub(crate) fn ended(&mut self) -> Vec<CallEnd> {
        let ended: Vec<CallEnd> = self.ends.1.try_iter().collect();
        for end in &ended {
            self.under_way.retain(|_, plan| *plan != end.plan);
        }
        ended
    }
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

fn thread_cpu_ns() -> u64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    spent.tv_sec.cast_unsigned() * 1_000_000_000 + spent.tv_nsec.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls() -> (Calls, Receiver<()>) {
        let (woken, wakes) = channel();
        let wake = move || woken.send(()).unwrap();
        (Calls::new(Arc::new(wake)), wakes)
    }

    fn end_of(calls: &mut Calls, wakes: &Receiver<()>) -> Returned {
        wakes.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
        let mut ended = calls.ended();
        assert_eq!(ended.len(), 1);
        ended.remove(0).returned
    }

    #[test]
    fn what_a_callback_returns_is_its_end() {
        fn check(callback: impl FnMut() -> Result<String, String> + Send + 'static, expect: Returned) {
            let (mut calls, wakes) = calls();
            calls.register("t", Box::new(callback));
            for plan in 0..2 {
                calls.call(plan, "t").unwrap();
                assert_eq!(end_of(&mut calls, &wakes), expect);
            }
        }
        check(|| Ok("3 files".into()), Returned::Done("3 files".into()));
        check(|| Err("no disk".into()), Returned::Failed("no disk".into()));
        check(|| panic!("oh {}", "no"), Returned::Panicked("oh no".into()));
    }

    #[test]
    fn one_callback_is_never_called_twice_at_once() {
        let (mut calls, wakes) = calls();
        let (go, wait) = channel::<()>();
        calls.register(
            "t",
            Box::new(move || wait.recv().map_err(|_| "gone".into()).map(|()| String::new())),
        );
        assert_eq!(
            calls.call(1, "other").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        calls.call(1, "t").unwrap();
        assert_eq!(
            calls.call(2, "t").unwrap_err().kind(),
            io::ErrorKind::ResourceBusy
        );
        go.send(()).unwrap();
        assert_eq!(end_of(&mut calls, &wakes), Returned::Done(String::new()));
        calls.call(3, "t").unwrap();
        drop(go);
        assert_eq!(end_of(&mut calls, &wakes), Returned::Failed("gone".into()));
    }
}
