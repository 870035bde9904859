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
//! command still reaches the log. Unloaded by a start-up file, LLE only sees the first line through, for the launcher.
//!
//! Invariant: a panic never leaves this module: readline gets its own functions back and keeps the text.

mod line_end;
mod wait;

use crate::abi::{GetcFn, PrepFn, VoidFn, state as bits};
use crate::lle::{Lle, state, write_all};
use libc::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What was hooked before, and what is waiting.
pub(crate) struct Hooks {
    /// Prep and deprep are in: lines are seen to begin and end.
    hooked: bool,
    /// LLE paints and reads.
    armed: bool,
    /// It was unloaded before the first prompt, and stays until that line is over.
    leaving: bool,
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
    /// When the last key came, until the wait for the next one alone is over, and when everything was last waited for.
    last_key_at: u64,
    listened_at: u64,
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
            leaving: false,
            line_open: false,
            prep: None,
            redisplay: None,
            getc: None,
            deprep: None,
            waiting: None,
            in_burst: false,
            last_key: 0,
            line_was_empty: false,
            last_key_at: 0,
            listened_at: 0,
            signal_work_done: false,
            interrupted: false,
            panic_next: false,
        }
    }

    pub(crate) fn armed(&self) -> bool {
        self.armed
    }

    /// True if LLE was unloaded, and only tells the launcher of the first prompt.
    pub(crate) fn leaving(&self) -> bool {
        self.leaving
    }

    /// True if LLE sees lines begin and end, whoever paints them.
    pub(crate) fn hooked(&self) -> bool {
        self.hooked
    }
}

/// Sees lines begin and end from now on; does nothing if LLE does.
pub(crate) fn hook() {
    let Some(lle) = state() else { return };
    lle.hooks.leaving = false;
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

/// Takes everything out; but while the launcher is to be told of the first prompt, only once that line is over: start-up
/// files that unload LLE are none that fail, nor is a shell that somebody used.
pub(crate) fn leave() {
    let Some(lle) = state() else { return };
    if lle.awaits_first_prompt() {
        lle.hooks.leaving = true;
        disarm();
    } else {
        unhook();
    }
}

/// Takes everything out.
pub(crate) fn unhook() {
    disarm();
    let Some(lle) = state() else { return };
    lle.hooks.leaving = false;
    lle.hooks.line_open = false;
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
        *bash.getc_function = Some(wait::getc);
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
        let searches = lle.recall.is_some() && !lle.painter.is_of_other_size(bash.size());
        if !fresh && bash.is(bits::SIGHANDLER) && (message && bash.has_prompt() || searches) {
            // A signal ends a search or an argument: its message stays on the screen, as readline leaves it. Without a
            // prompt there is nothing readline saved for the message's time, and it clears the message.
            return;
        }
        // What readline has of its own, the key that ended a run of letters or a macro, comes to a command without being read.
        let has_key = bash.is(bits::INPUTPENDING | bits::MACROINPUT);
        if !fresh && !has_key && lle.hooks.in_burst && lle.keys_wait() {
            lle.owed = true;
            lle.note_modified();
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
    if lle.hooks.leaving
        && lle.session.reached_prompt()
        && bash.reads_commands()
        && !bash.is(bits::SIGHANDLER)
    {
        unhook();
    }
}

impl Lle {
    /// Looks at the terminal and the locale as they are now; true if LLE paints the line that begins.
    fn paints_from_now(&mut self) -> bool {
        self.follow_environment();
        self.declined.is_none() && !self.switched_off && !self.hooks.leaving
    }

    /// Paints, unless more keys wait: then once they are read.
    pub(crate) fn paint_or_owe(&mut self) {
        if self.recall.is_none() {
            return;
        }
        if self.hooks.in_burst && self.keys_wait() {
            self.owed = true;
        } else {
            self.paint();
        }
    }

    /// The first thing that is done for a line, whoever paints it.
    fn open_line(&mut self) {
        if !self.bash.reads_commands() {
            return;
        }
        if !std::mem::replace(&mut self.hooks.line_open, true) {
            self.hooks.last_key = 0;
            self.hooks.last_key_at = 0;
            self.line_begins();
        }
    }
}
