//! Reading a key: one wait for the terminal, the completion child, the parts of the prompt, a wake and signals.
//!
//! ```text
//!  key ─▸ echo ─▸ half a millisecond for it to pass ─▸ lookups ─▸ a quarter of a second for the next key, and nothing else
//!                                                                  └▸ everything there is to wait for, without an end
//! ```
//!
//! Each further descriptor, and each change of the signal mask, is work between a key and its echo: while someone types, a
//! key is waited for with neither.
//!
//! Invariants: bash may `longjmp` out of [`stock_wait`] and [`handle_signals`], so nothing there owns anything. No signal is
//! lost between the last look at what was caught and the wait: at worst it is seen when [`NEXT_KEY_WITHIN`] is over. Whoever
//! wakes the session is heard within [`LISTENED_WITHIN_NS`] and [`NEXT_KEY_WITHIN`], however much is typed.

use super::guarded;
use crate::abi::{ISFUNC, state as bits};
use crate::lle::{Lle, state};
use libc::{FILE, c_int};

/// How long what has to be looked up waits behind an echo: long enough for that to pass on a busy machine, and nobody sees
/// colours come half a millisecond later.
const LOOKUPS_AFTER: libc::timespec = libc::timespec {
    tv_sec: 0,
    tv_nsec: 500_000,
};

/// How long after a key only the next one is waited for: someone who types is rarely slower.
const NEXT_KEY_WITHIN: libc::timespec = libc::timespec {
    tv_sec: 0,
    tv_nsec: 250_000_000,
};
/// Someone who types without a pause keeps nobody waiting longer.
const LISTENED_WITHIN_NS: u64 = 1_000_000_000;

/// What the wait for a key came to.
enum Wait {
    Key(c_int),
    /// Something else happened; look again.
    Again,
    /// A signal: readline and bash look at it first.
    Signal,
    /// Hang-up, end of file, an error, a time limit: readline's own function knows best.
    Stock,
}

/// `rl_getc_function`.
pub(super) unsafe extern "C-unwind" fn getc(stream: *mut FILE) -> c_int {
    loop {
        let Some(wait) = guarded("reading a key", Lle::wait) else {
            return stock_wait(stream);
        };
        match wait {
            Wait::Key(key) => return key,
            Wait::Again => {}
            Wait::Signal => handle_signals(),
            Wait::Stock => {
                let key = stock_wait(stream);
                guarded("reading a key", |lle| lle.took_key(key));
                return key;
            }
        }
    }
}

/// Reads by readline's own function, which may `longjmp`.
fn stock_wait(stream: *mut FILE) -> c_int {
    let Some(bash) = state().map(|lle| lle.bash) else {
        return -1;
    };
    // SAFETY: readline's own function with readline's own stream; nothing here owns anything.
    unsafe { (bash.stock_getc)(stream) }
}

/// Lets readline and bash handle what was caught; both may `longjmp`.
fn handle_signals() {
    let Some(bash) = state().map(|lle| lle.bash) else {
        return;
    };
    // SAFETY: what readline's own reader calls after an interrupted wait; nothing here owns anything.
    unsafe {
        (bash.check_signals)();
        if let Some(hook) = *bash.signal_event_hook {
            hook();
        }
    }
}

impl Lle {
    /// Waits for a key, the completion child, a wake or a signal.
    fn wait(&mut self) -> Wait {
        if std::mem::take(&mut self.hooks.panic_next) {
            panic!("lle panic: asked for");
        }
        let bash = self.bash;
        if bash.is(bits::READCMD)
            && let Some(job) = &self.job
        {
            if job.is_done() {
                self.apply_completion();
                self.paint();
            } else if self.hooks.interrupted && job.is_stopped() {
                self.job = None;
                self.complete_in_shell = true;
                return Wait::Key(c_int::from(b'\t'));
            }
        }
        self.hooks.interrupted = false;
        self.note_message();
        self.show_late_parts();
        // SAFETY: only reads which signal was caught.
        let signal = unsafe { (bash.pending_signal)() };
        if signal == 0 && self.bash_has_signal_work() {
            self.hooks.signal_work_done = true;
            return Wait::Signal;
        }
        if signal != 0 {
            self.before_signal(signal);
            return Wait::Signal;
        }
        let owes = self.owes_lookups() || self.owes_rows() || self.round.starting;
        let came = if owes && !self.owed {
            self.let_output_pass()
        } else {
            0
        };
        if came < 0 {
            return self.interrupted();
        }
        self.settle_in(came > 0);
        if came > 0 {
            self.hooks.in_burst = true;
            return self.read_key();
        }
        if owes && !self.owed {
            self.hooks.waiting = Some(0);
        }
        self.hooks.in_burst = self.keys_wait();
        if self.hooks.in_burst {
            return self.read_key();
        }
        if self.owed {
            self.paint();
        }
        self.session.tell_keys();
        self.enrich();
        self.find_rows();
        self.use_idle_time();
        if self.has_time_limit() {
            return Wait::Stock;
        }
        self.poll()
    }

    /// Waits for the next key alone, shortly, if one has just come. Nothing if that is over, or more is to be waited for.
    fn poll_terminal(&mut self) -> Option<Wait> {
        let hooks = &self.hooks;
        let types_on = hooks.last_key_at.saturating_sub(hooks.listened_at) < LISTENED_WITHIN_NS;
        if !types_on || hooks.last_key_at == 0 || self.job.is_some() || self.parts.fd() >= 0 {
            return None;
        }
        // SAFETY: only reads which signal was caught.
        if unsafe { (self.bash.pending_signal)() } != 0 || self.bash_has_signal_work() {
            // What was done for the last key took its time, and the wait for everything looks at signals first.
            return None;
        }
        let n = self.terminal_has(&NEXT_KEY_WITHIN);
        self.hooks.signal_work_done = false;
        if n <= 0 {
            // Signals that come again and again are no typing.
            self.hooks.last_key_at = 0;
        }
        if n == 0 {
            return None;
        }
        self.session.polled();
        Some(if n > 0 {
            self.read_key()
        } else {
            self.interrupted()
        })
    }

    /// Sleeps for a moment, so that the echo just written reaches whoever reads it before anything is looked up. Gives 1 if
    /// a key came instead, -1 if a signal did.
    ///
    /// A kernel thread hands the output of a pseudo-terminal on, nearly always queued on the writer's own processor: what is
    /// still done for a key would delay its echo by just as long.
    fn let_output_pass(&mut self) -> c_int {
        self.terminal_has(&LOOKUPS_AFTER)
    }

    /// Waits for the terminal alone: 1 if it has something, 0 if the time is over, -1 after a signal.
    fn terminal_has(&self, within: &libc::timespec) -> c_int {
        let mut terminal = libc::pollfd {
            fd: self.bash.in_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: both pointers outlive the call; the signal mask stays as it is.
        unsafe { libc::ppoll(&raw mut terminal, 1, within, std::ptr::null()) }
    }

    /// Waits for whatever comes first, and sees to it.
    fn poll(&mut self) -> Wait {
        if let Some(wait) = self.poll_terminal() {
            return wait;
        }
        let fd = self.bash.in_fd();
        let job_fd = self.job.as_ref().map_or(-1, |job| job.fd());
        let rest_ns = self.idle.wake.rests_for(crate::clock::now);
        let wake_fd = rest_ns.map_or_else(|| self.idle.wake.fd(), |_| -1);
        let mut fds = [fd, job_fd, wake_fd, self.parts.fd()].map(|fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        });
        let of_job = self.job.as_ref().map(|job| job.time_left());
        let limit = of_job
            .into_iter()
            .chain(rest_ns.map(std::time::Duration::from_nanos))
            .min();
        let limit = limit.map(|t| libc::timespec {
            tv_sec: t.as_secs().cast_signed(),
            tv_nsec: i64::from(t.subsec_nanos()),
        });
        let n = self.sleep(&mut fds, limit.as_ref());
        self.hooks.signal_work_done = false;
        if n <= 0 || fds[2].revents == 0 {
            // Otherwise a key may go first, and the next wait is for everything once more.
            self.hooks.listened_at = crate::clock::now();
        }
        self.session.polled();
        if n < 0 {
            return self.interrupted();
        }
        if fds[3].revents != 0 {
            self.parts_came();
        }
        if n == 0 || fds[1].revents != 0 {
            if let Some(job) = self.job.as_mut() {
                job.pump();
            }
            if fds[0].revents == 0 {
                return Wait::Again;
            }
        }
        if fds[0].revents == 0 {
            if fds[2].revents != 0 {
                self.woken();
            }
            return Wait::Again;
        }
        self.read_key()
    }

    /// Sleeps until one of `fds` has something, `limit` is over, or a signal comes or was caught before: -1 then.
    ///
    /// Signals are blocked from the last look at what was caught until the wait itself: none is lost between the two.
    fn sleep(&self, fds: &mut [libc::pollfd], limit: Option<&libc::timespec>) -> c_int {
        let time = limit.map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: all pointers outlive the calls; the mask is put back before anything else can happen.
        unsafe {
            let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&raw mut all);
            libc::sigprocmask(libc::SIG_BLOCK, &raw const all, &raw mut before);
            let n = if (self.bash.pending_signal)() == 0 && !self.bash_has_signal_work() {
                libc::ppoll(
                    fds.as_mut_ptr(),
                    fds.len() as libc::nfds_t,
                    time,
                    &raw const before,
                )
            } else {
                -1
            };
            libc::sigprocmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
            n
        }
    }

    /// A signal ended the wait.
    fn interrupted(&mut self) -> Wait {
        self.hooks.interrupted = true;
        // SAFETY: only reads which signal was caught.
        self.before_signal(unsafe { (self.bash.pending_signal)() });
        Wait::Signal
    }

    /// Asks the terminal anew whether a key has come.
    pub(crate) fn key_came(&mut self) -> bool {
        self.hooks.waiting = None;
        self.keys_wait()
    }

    /// True if the terminal has bytes for us right now.
    pub(super) fn keys_wait(&mut self) -> bool {
        self.keys_waiting() > 0
    }

    /// How many bytes the terminal has for us right now.
    pub(crate) fn keys_waiting(&mut self) -> usize {
        let fd = self.bash.in_fd();
        *self.hooks.waiting.get_or_insert_with(|| {
            let mut n: c_int = 0;
            // SAFETY: FIONREAD stores an int.
            let ok = unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut n) } == 0;
            if ok { usize::try_from(n).unwrap_or(0) } else { 0 }
        })
    }

    /// Takes one byte that is known to wait. One at a time: what follows the line belongs to the next program.
    fn read_key(&mut self) -> Wait {
        let mut byte = 0u8;
        self.hooks.waiting = None;
        // SAFETY: one byte into one byte.
        let n = unsafe { libc::read(self.bash.in_fd(), (&raw mut byte).cast(), 1) };
        if n != 1 {
            return Wait::Stock;
        }
        if self.owed && !self.inserts_itself(byte) {
            // What it runs may print by itself, below what is shown or as readline thinks it is.
            self.paint();
        }
        let key = c_int::from(byte);
        self.took_key(key);
        self.session.key();
        Wait::Key(key)
    }

    /// True if all that the key does is to join the text.
    fn inserts_itself(&self, key: u8) -> bool {
        let bash = &self.bash;
        if !key.is_ascii() || bash.is(bits::MOREINPUT) {
            return false;
        }
        // SAFETY: get_keymap only reads, and a keymap of readline's has an entry for every byte.
        let entry = unsafe { &*(bash.get_keymap)().add(usize::from(key)) };
        let is_insert = |f| {
            bash.self_insert
                .is_some_and(|insert| std::ptr::fn_addr_eq(insert, f))
        };
        entry.kind == ISFUNC && entry.function.is_some_and(is_insert)
    }

    fn took_key(&mut self, key: c_int) {
        if key < 0 {
            self.nothing_to_read();
            self.terminal_lost();
        } else {
            crate::doubt::key();
        }
        self.key_at = crate::clock::now();
        self.hooks.last_key_at = self.key_at;
        self.key_forks = crate::attribution::forks();
        self.idle.wake.rested();
        self.hooks.last_key = key;
        self.hooks.line_was_empty = self.bash.line().is_empty() && self.bash.is(bits::READCMD);
    }

    /// True if bash waits to be called for a signal that readline has handled outside a wait: Ctrl-C while a command of
    /// readline's ran, a trap. Left alone, it would break into the next line, after Enter.
    fn bash_has_signal_work(&self) -> bool {
        // SAFETY: a plain read.
        !self.hooks.signal_work_done && unsafe { *self.bash.signal_event_hook }.is_some()
    }

    /// `read -e -t` and the like: readline's own reader keeps the time.
    fn has_time_limit(&self) -> bool {
        // SAFETY: with null pointers the function only tells whether a limit is set: -1 means none.
        self.bash
            .timeout_remaining
            .is_some_and(|f| unsafe { f(std::ptr::null_mut(), std::ptr::null_mut()) } >= 0)
    }

    fn before_signal(&mut self, signal: c_int) {
        if matches!(signal, libc::SIGHUP | libc::SIGTERM) {
            crate::doubt::is_over();
        }
        if signal == libc::SIGHUP {
            self.terminal_lost();
        }
        self.hooks.waiting = None;
    }

    /// What was being typed is kept, unless it is nobody's business.
    fn terminal_lost(&mut self) {
        let line = self.bash.line();
        self.session.hung_up(line, self.draft_is_hidden(line));
    }
}
