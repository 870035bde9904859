//! The hooks: a line begins, a key is read, the text is shown, the line ends.
//!
//! ```text
//!  terminal ▸ getc ▸ readline's command ▸ redisplay ▸ painter ▸ terminal
//!               │ clock                        │ clock
//!               └ waits for the terminal, the completion child
//!  prep: a line begins                       deprep: it is over, by whatever road
//! ```
//!
//! `rl_redisplay_function` is LLE's only from prep to deprep. Readline takes a foreign one as a sign that it need not
//! look at the terminal's capabilities, and it looks when it starts and whenever TERM is assigned.
//!
//! Prep and deprep stay when LLE is off, by the user or after a panic: readline then paints and reads by itself, and every
//! command still reaches the log.
//!
//! Invariants: a panic never leaves this module: readline gets its own functions back and keeps the text. Bash may
//! `longjmp` out of [`stock_wait`], so nothing there owns anything.

use crate::abi::{GetcFn, PrepFn, VoidFn, state as bits};
use crate::frame::Place;
use crate::lle::{Lle, state, write_all};
use libc::{FILE, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How long what has to be looked up waits behind an echo: long enough for that to pass on a busy machine, and nobody sees
/// colours come half a millisecond later.
const LOOKUPS_AFTER: libc::timespec = libc::timespec {
    tv_sec: 0,
    tv_nsec: 500_000,
};

/// What was hooked before, and what is waiting.
pub(crate) struct Hooks {
    /// Prep and deprep are in: lines are seen to begin and end.
    hooked: bool,
    /// LLE paints and reads.
    armed: bool,
    /// A line has begun and has not ended.
    line_open: bool,
    prep: Option<PrepFn>,
    redisplay: Option<VoidFn>,
    getc: Option<GetcFn>,
    deprep: Option<VoidFn>,
    /// Bytes that wait in the terminal's queue, if that was asked since the last key: a command may have read some.
    waiting: Option<usize>,
    /// The last key was there before it was waited for, pasted or typed ahead: then it is worth asking whether more wait
    /// before painting.
    in_burst: bool,
    /// The last key, and whether the line was empty then: how 5.1 ends a line at end of file.
    last_key: c_int,
    line_was_empty: bool,
    /// Bash was called for the signal work it had; one call a wait, since after SIGTERM it leaves its hook in.
    signal_work_done: bool,
    /// The last wait ended by a signal: perhaps a child's.
    interrupted: bool,
    /// `lle panic`: the next key panics, to try the way back.
    pub(crate) panic_next: bool,
}

impl Hooks {
    pub(crate) fn new() -> Self {
        Self {
            hooked: false,
            armed: false,
            line_open: false,
            prep: None,
            redisplay: None,
            getc: None,
            deprep: None,
            waiting: None,
            in_burst: false,
            last_key: 0,
            line_was_empty: false,
            signal_work_done: false,
            interrupted: false,
            panic_next: false,
        }
    }

    pub(crate) fn armed(&self) -> bool {
        self.armed
    }

    /// True if LLE sees lines begin and end, whoever paints them.
    pub(crate) fn hooked(&self) -> bool {
        self.hooked
    }
}

/// Sees lines begin and end from now on; does nothing if LLE does.
pub(crate) fn hook() {
    let Some(lle) = state() else { return };
    if lle.hooks.hooked {
        return;
    }
    let bash = lle.bash;
    // SAFETY: plain writes to readline's hook variables, of functions of the declared types.
    unsafe {
        lle.hooks.prep = *bash.prep_term_function;
        lle.hooks.deprep = *bash.deprep_term_function;
        *bash.prep_term_function = Some(prep);
        *bash.deprep_term_function = Some(deprep);
    }
    lle.hooks.hooked = true;
}

/// Takes everything out.
pub(crate) fn unhook() {
    disarm();
    let Some(lle) = state() else { return };
    if std::mem::take(&mut lle.hooks.hooked) {
        let bash = lle.bash;
        // SAFETY: as in hook(); what stood there before.
        unsafe {
            *bash.prep_term_function = lle.hooks.prep;
            *bash.deprep_term_function = lle.hooks.deprep;
        }
        // Nobody sees a line begin any more: what hangs on variables has no end either.
        crate::attribution::leave();
        crate::prompt_clock::take_off(&bash);
    }
}

/// Lets LLE paint and read; does nothing if it does.
pub(crate) fn arm() {
    hook();
    let Some(lle) = state() else { return };
    if lle.hooks.armed {
        return;
    }
    let bash = lle.bash;
    // SAFETY: plain writes to readline's hook variables, of functions of the declared types.
    unsafe {
        lle.hooks.redisplay = *bash.redisplay_function;
        lle.hooks.getc = *bash.getc_function;
        *bash.getc_function = Some(getc);
    }
    lle.hooks.armed = true;
    lle.hooks.waiting = None;
    lle.painter.forget();
    lle.session.switched(true);
}

/// Gives readline its painting and reading back; the text stays.
pub(crate) fn disarm() {
    let Some(lle) = state() else { return };
    if !lle.hooks.armed {
        return;
    }
    let bash = lle.bash;
    // SAFETY: as in arm(); what stood there before, or readline's own.
    unsafe {
        *bash.redisplay_function = lle.hooks.redisplay.or(Some(bash.stock_redisplay));
        *bash.getc_function = lle.hooks.getc.or(Some(bash.stock_getc));
    }
    lle.hooks.armed = false;
    lle.commands.unwrap(&bash);
    lle.drop_line_state();
    lle.session.switched(false);
}

/// Runs `f`; if it panics, hands back to readline and gives `None`.
pub(crate) fn guarded<T>(what: &str, f: impl FnOnce(&mut Lle) -> T) -> Option<T> {
    let lle = state()?;
    match catch_unwind(AssertUnwindSafe(|| f(lle))) {
        Ok(value) => Some(value),
        Err(_) => {
            hand_back(what);
            None
        }
    }
}

/// After a panic: readline paints from here on, on a fresh row, the text untouched.
fn hand_back(what: &str) {
    let Some(bash) = state().map(|lle| lle.bash) else {
        return;
    };
    crate::attribution::panicked();
    let recorded = catch_unwind(AssertUnwindSafe(|| {
        let mut message = String::new();
        if let Some(lle) = state() {
            message = lle.session.panicked(what);
            lle.switched_off = true;
            lle.painter.out.clear();
            lle.painter.forget();
        }
        if state().is_some_and(|lle| lle.hooks.armed) {
            disarm();
        } else {
            // It was the little that is left when LLE is off.
            unhook();
        }
        write_all(
            bash.out_fd(),
            format!("\x1b[0m\r\n\x1b[J{message}\r\n").as_bytes(),
        );
    }));
    if recorded.is_err() {
        // Even recording failed: the hooks are what matters.
        // SAFETY: as in arm().
        unsafe {
            *bash.redisplay_function = Some(bash.stock_redisplay);
            *bash.getc_function = Some(bash.stock_getc);
        }
    }
    // SAFETY: readline's display is idle here: every hook is called between its commands.
    unsafe {
        (bash.on_new_line)();
        (bash.forced_update)();
    }
}

/// `rl_prep_term_function`: a line begins, and readline knows the terminal.
unsafe extern "C-unwind" fn prep(meta: c_int) {
    let Some(lle) = state() else { return };
    let (bash, old) = (lle.bash, lle.hooks.prep);
    // SAFETY: what stood in the hook before.
    unsafe {
        if let Some(old) = old {
            old(meta);
        }
    }
    if guarded("beginning a line", Lle::paints_from_now).unwrap_or(false) {
        arm();
        // SAFETY: a plain write as in arm().
        unsafe { *bash.redisplay_function = Some(redisplay) }
    } else {
        disarm();
        guarded("beginning a line", |lle| {
            // After a signal it is the same line that goes on.
            if !lle.bash.is(bits::SIGHANDLER) {
                if !lle.hooks.line_open && lle.bash.reads_commands() {
                    lle.put_parts_in();
                }
                lle.open_line();
                lle.flush();
                lle.keep_parts(None);
            }
        });
    }
}

/// `rl_redisplay_function`.
unsafe extern "C-unwind" fn redisplay() {
    guarded("painting", |lle| {
        let bash = lle.bash;
        if !lle.hooks.line_open && bash.reads_commands() {
            lle.put_parts_in();
        }
        lle.open_line();
        // SAFETY: plain reads and writes of readline's display variables.
        unsafe {
            if *bash.echoing == 0 {
                lle.flush();
                // A silent read: readline leaves even the prompt to whoever paints.
                if *bash.last_c_pos == 0 {
                    let prompt: Vec<u8> = bash.shown_prompt().iter().copied().filter(|b| *b > 2).collect();
                    write_all(bash.out_fd(), &prompt);
                    *bash.last_c_pos = 1;
                }
                return;
            }
        }
        let fresh = !lle.painter.is_valid() || lle.starts_fresh_row();
        let message = bash.is(bits::SEARCHING | bits::NUMERICARG);
        if !fresh && bash.is(bits::SIGHANDLER) && message && bash.has_prompt() {
            // A signal ends a search or an argument: its message stays on the screen, as readline leaves it. Without a
            // prompt there is nothing readline saved for the message's time, and it clears the message.
            return;
        }
        if !fresh && lle.hooks.in_burst && lle.keys_wait() {
            lle.owed = true;
            return;
        }
        lle.paint();
    });
}

/// `rl_deprep_term_function`: the line is over.
unsafe extern "C-unwind" fn deprep() {
    guarded("ending a line", |lle| {
        let accepted = lle.is_accepted();
        if lle.bash.reads_commands() {
            lle.parts.line_ends();
        }
        // `read -e` in the middle of a line, from `bind -x`, does not end it.
        lle.hooks.line_open &= !lle.bash.reads_commands();
        if lle.hooks.armed {
            lle.finish(accepted);
        }
        if accepted && lle.bash.is(bits::SIGHANDLER) {
            // Readline handles a signal on the way out of an accepted line. It comes here once more for the line itself,
            // if the shell lives on and runs it: only that is logged.
        } else if accepted && lle.bash.is(bits::DISPATCHING) {
            // A command of readline's runs what it makes of the line, an editor's text: bash's list tells afterwards.
            lle.round.edited = true;
        } else if accepted && lle.bash.reads_commands() {
            lle.accepted(lle.bash.accepted_line());
        } else {
            lle.session.line_dropped();
        }
    });
    let Some(lle) = state() else { return };
    let (bash, redisplay, old) = (lle.bash, lle.hooks.redisplay, lle.hooks.deprep);
    // SAFETY: a plain write as in arm(); what stood in the hook before.
    unsafe {
        *bash.redisplay_function = redisplay.or(Some(bash.stock_redisplay));
        if let Some(old) = old {
            old();
        }
    }
}

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
unsafe extern "C-unwind" fn getc(stream: *mut FILE) -> c_int {
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
        self.settle_in();
        if self.owes_lookups() && !self.owed {
            match self.let_output_pass() {
                0 => self.hooks.waiting = Some(0),
                1.. => {
                    self.hooks.in_burst = true;
                    return self.read_key();
                }
                _ => return self.interrupted(),
            }
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
        self.use_idle_time();
        if self.has_time_limit() {
            return Wait::Stock;
        }
        self.poll()
    }

    /// Sleeps for a moment, so that the echo just written reaches whoever reads it before anything is looked up. Gives 1 if
    /// a key came instead, -1 if a signal did.
    ///
    /// A kernel thread hands the output of a pseudo-terminal on, nearly always queued on the writer's own processor: what is
    /// still done for a key would delay its echo by just as long.
    fn let_output_pass(&mut self) -> c_int {
        let mut terminal = libc::pollfd {
            fd: self.bash.in_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let time = LOOKUPS_AFTER;
        // SAFETY: both pointers outlive the call; the signal mask stays as it is.
        unsafe { libc::ppoll(&raw mut terminal, 1, &raw const time, std::ptr::null()) }
    }

    fn poll(&mut self) -> Wait {
        let bash = self.bash;
        let fd = bash.in_fd();
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
        let time = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // Blocked from the last look at what was caught until the wait itself: no signal is lost between the two.
        // SAFETY: all pointers outlive the calls; the mask is put back before anything else can happen.
        let n = unsafe {
            let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&raw mut all);
            libc::sigprocmask(libc::SIG_BLOCK, &raw const all, &raw mut before);
            let n = if (bash.pending_signal)() == 0 && !self.bash_has_signal_work() {
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
        };
        self.hooks.signal_work_done = false;
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
    fn keys_wait(&mut self) -> bool {
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
        let key = c_int::from(byte);
        self.took_key(key);
        self.session.key();
        Wait::Key(key)
    }

    fn took_key(&mut self, key: c_int) {
        if key < 0 {
            self.terminal_lost();
        }
        self.key_at = crate::clock::now();
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

    /// The end of a `readline()` call, by any road: suggestion and menu off, the cursor below the text, the line told.
    fn finish(&mut self, accepted: bool) {
        let bash = self.bash;
        let owed = std::mem::take(&mut self.owed) || self.names_open;
        let grey = !self.suggestion.is_empty() || self.menu.is_some();
        self.drop_line_state();
        // SAFETY: a plain read.
        if !self.painter.is_valid() || unsafe { *bash.echoing } == 0 {
            return;
        }
        // SAFETY: plain reads.
        let (by_readline, version) = unsafe {
            (
                *bash.display_fixed > 0,
                bash.readline_version.map_or(0x802, |p| *p),
            )
        };
        let line = bash.accepted_line();
        if by_readline {
            self.painter.ended_below(self.extent.text_rows - 1);
        }
        if owed && !by_readline {
            self.paint_last(if accepted { line } else { bash.line() });
        } else if grey {
            let end = self.extent.text_end;
            self.painter.erase_from(end);
            if by_readline {
                self.painter.out.extend(b"\r\n");
            }
        }
        if !by_readline {
            self.end_row(accepted, version);
        } else if self.extent.text_end.col == 0 && self.extent.text_end.row > 0 {
            // The text filled its last row: readline went one row too far.
            self.painter.out.extend(b"\x1b[A");
        }
        self.flush();
        self.painter.forget();
    }

    /// Looks at the terminal and the locale as they are now; true if LLE paints the line that begins.
    fn paints_from_now(&mut self) -> bool {
        self.follow_environment();
        self.declined.is_none() && !self.switched_off
    }

    /// True if the line was accepted, not given up and not ended by end of file.
    fn is_accepted(&self) -> bool {
        // Release 5.1 has no state for end of file.
        let at_eof = self.hooks.line_was_empty && matches!(self.hooks.last_key, 4 | -1);
        self.bash.is_done() && !self.bash.is(bits::EOF) && !at_eof
    }

    /// The first thing that is done for a line, whoever paints it.
    fn open_line(&mut self) {
        if !self.bash.reads_commands() {
            return;
        }
        if !std::mem::replace(&mut self.hooks.line_open, true) {
            self.hooks.last_key = 0;
            self.line_begins();
        }
    }

    fn end_row(&mut self, accepted: bool, version: c_int) {
        let end = self.extent.text_end;
        if !accepted {
            // SAFETY: a plain read. Cleaning up for a signal, readline went to the last row and took note of it so.
            if unsafe { *self.bash.vis_botlin } == 0 && self.extent.text_rows > 1 {
                self.painter.moved_to(end.row);
            }
            if self.painter.pos().row != end.row {
                self.painter.go(end);
            }
            return;
        }
        self.painter.go(end);
        let on_empty_row = end.col == 0 && end.row > 0;
        // Until 5.3 readline adds no row below an empty line without a prompt.
        let nothing_shown =
            end == Place::default() && self.painter.shown().row(0).is_empty() && version < 0x803;
        if !on_empty_row && !nothing_shown {
            self.painter.out.extend(b"\r\n");
        }
    }
}
