//! The child's side of parts of a prompt: from the fork to `_exit`, nothing returns from here.
//!
//! ```text
//!  bash, about to expand PS1 ── clone ─▸ child: bash expands `$(a)`, a gap, `$(b)` … ─▸ pipe: length, time, text
//! ```
//!
//! The child is made by `clone` without a signal for its end: bash, which waits for any child, never gets to see this
//! one, so that neither `wait`, `jobs`, `$!` nor a trap on CHLD hear of it. Nobody but [`super::job`] reaps it, and until
//! then its number is nobody else's.
//!
//! It ends when it is asked to, when the shell has died, and after [`DEADLINE_S`], and takes what it started with it: that is
//! asked first, since it may have to put something away, as git its lock file, and killed if it has not heard.
//!
//! Invariants: it is in a process group of its own, in the background, without the terminal; what its commands start in
//! that group ends with it, unless it has answered: then what is left was meant to stay.

use crate::complete_child::{become_subshell, copied};
use crate::symbols::Bash;
use libc::{c_char, c_int};
use std::ffi::CStr;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering::Relaxed};

/// `SEVAL_NOHIST | SEVAL_NONINT | SEVAL_NOLONGJMP`: no command of the user's, and it comes back here.
const EVAL_FLAGS: c_int = 0x4 | 0x1 | 0x40;
/// Git's own word for whoever looks at a repository in the background: it takes no lock that a command of the user's
/// could stumble over.
const ENVIRONMENT: &[u8] = b"[[ ${GIT_OPTIONAL_LOCKS+x} ]] || export GIT_OPTIONAL_LOCKS=0";

/// What takes longer is stuck, on a network most likely.
const DEADLINE_S: libc::c_uint = 10;
/// How long what was started may take to end, and how often that is looked at, in ms.
const GRACE_MS: i64 = 1_000;
const LOOK_MS: i64 = 5;
/// How much longer, once nobody is left who would have to be waited for, in ms.
const LAST_MS: i64 = 100;

/// The text to expand, nul-terminated.
static TEXT: AtomicPtr<c_char> = AtomicPtr::new(std::ptr::null_mut());
static ANSWER_FD: AtomicI32 = AtomicI32::new(-1);
/// `$?` as the prompt has it.
static STATUS: AtomicI32 = AtomicI32::new(0);
/// `$_` as the prompt has it, nul-terminated; null if there is none.
static LAST_WORD: AtomicPtr<c_char> = AtomicPtr::new(std::ptr::null_mut());

/// Starts the child that expands this text as a prompt and writes what it comes to into `pipe`; gives its number.
///
/// None if there can be no further process.
pub(super) fn start(bash: &Bash, text: &CStr, pipe: c_int) -> Option<libc::pid_t> {
    let parent = std::process::id();
    // SAFETY: one thread; the masks are plain memory and the old one is put back in either process. The clone shares
    // nothing, so it is a fork but for the signal at its end; the child never returns into the parent's work.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const all, &raw mut before);
        let pid = libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0);
        if pid == 0 {
            STATUS.store(*bash.last_status, Relaxed);
            TEXT.store(text.as_ptr().cast_mut(), Relaxed);
            run(bash, pipe, parent, &before);
        }
        if let Ok(pid @ 1..) = libc::pid_t::try_from(pid) {
            libc::setpgid(pid, pid);
        }
        libc::sigprocmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        libc::pid_t::try_from(pid).ok().filter(|pid| *pid > 0)
    }
}

/// Becomes the child.
fn run(bash: &Bash, pipe: c_int, parent: u32, mask: &libc::sigset_t) -> ! {
    crate::attribution::forget_in_child();
    // SAFETY: this process has one thread and belongs to this function from here on; the calls are bash's own.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
        if u32::try_from(libc::getppid()) != Ok(parent) {
            libc::_exit(0);
        }
        ANSWER_FD.store(become_subshell(bash, pipe), Relaxed);
        for signal in [libc::SIGTERM, libc::SIGALRM] {
            libc::signal(signal, end_group as *const () as libc::sighandler_t);
        }
        libc::alarm(DEADLINE_S);
        libc::sigprocmask(libc::SIG_SETMASK, mask, std::ptr::null_mut());
        if let Some(last) = bash.variable(c"_") {
            LAST_WORD.store(copied(bash, last), Relaxed);
        }
        if let Some(evaluate) = bash.parse_and_execute {
            evaluate(copied(bash, ENVIRONMENT), c"lle".as_ptr(), EVAL_FLAGS);
            // Inside an evaluation of bash's, so that an error in an expansion ends there.
            evaluate(copied(bash, b"builtin lle __part"), c"lle".as_ptr(), EVAL_FLAGS);
        }
        libc::_exit(0)
    }
}

/// The shell is gone, or does not want the answer, or it took too long: everything that was started for it goes, too.
extern "C" fn end_group(_: c_int) {
    // SAFETY: async-signal-safe calls; the group is this process's own, which it asks, waits for, and ends with.
    unsafe {
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
        libc::kill(0, libc::SIGTERM);
        // Who wanted the terminal is stopped, and hears nothing before it goes on.
        libc::kill(0, libc::SIGCONT);
        let mut waited = 0;
        while waited < GRACE_MS && libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) >= 0 {
            nap(LOOK_MS);
            waited += LOOK_MS;
        }
        nap(LAST_MS);
        libc::kill(0, libc::SIGKILL);
        libc::_exit(0);
    }
}

fn nap(ms: i64) {
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: ms * 1_000_000,
    };
    // SAFETY: one time to read.
    unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) };
}

/// `lle __part`: only ever does something in the child. Bash may `longjmp` out of it: nothing is owned here.
pub(crate) fn expand(bash: &Bash) {
    let (fd, text) = (ANSWER_FD.load(Relaxed), TEXT.load(Relaxed));
    let Some(decode) = bash.decode_prompt.filter(|_| fd >= 0 && !text.is_null()) else {
        return;
    };
    // SAFETY: bash's own variables and its function with a nul-terminated text, which it only reads; the result is
    // nul-terminated and left to the end of the process.
    unsafe {
        *bash.last_status = STATUS.load(Relaxed);
        let last = LAST_WORD.load(Relaxed);
        if let Some(bind) = bash.bind_variable.filter(|_| !last.is_null()) {
            bind(c"_".as_ptr(), last, 0);
        }
        // What the numbers in a prompt go by.
        *bash.ps1_prompt = text;
        let value = crate::readline::text(decode(text, 1));
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes();
        crate::lle::write_all(fd, &length);
        crate::lle::write_all(fd, &crate::clock::now().to_le_bytes());
        crate::lle::write_all(fd, value);
    }
}
