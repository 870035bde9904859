//! A start-up file that has another program take the shell's place: `exec tmux`, `exec startx`, `exec zsh`.
//!
//! ```text
//!  exec ─▸ bash looks SHLVL up ─▸ a watcher is started ─▸ the other program
//!                                    └ half a second later: it runs ─▸ `reached` says `became` ─▸ no failure of these files
//! ```
//!
//! Who wants that has no prompt to show for it, and is not locked out; `exec false` keeps everybody out. Which of them it is,
//! is known a moment later, when there is no LLE in that process any more: so for that moment there is a process more.
//!
//! Bash knows `exec` by the address of its function, where redirections are concerned, so nothing stands before it. It takes
//! one off `SHLVL` before it becomes the program, and that look-up is what is seen. `exec -c`, which leaves the environment
//! alone, is not.
//!
//! Invariants: a child of the shell's starts no watcher; the watcher writes one file, of this start's record, and only if none
//! is there; it ends with the program, and after [`LOOKS_MAX`] looks.

use crate::abi::ShellVar;
use crate::attribution;
use crate::detached;
use crate::prompt_clock::is_variable;
use crate::symbols::Bash;
use lle_core::start::BECAME_NS;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Mutex;

/// How often the watcher looks, [`BECAME_NS`] apart: a program that begins as another bash may still become what it will be.
const LOOKS_MAX: usize = 20;
/// Longest path of a program that is told from another.
const PATH_BYTES_MAX: usize = 4096;
/// What the record says then.
const SAYS: &[u8] = b"became\n";
const LEVEL: &CStr = c"SHLVL";

/// What the watcher needs, made before there is one: it may allocate nothing.
struct Watch {
    pid: libc::pid_t,
    /// Where it says that the program runs.
    reached: CString,
    /// `/proc/PID/exe`.
    program: CString,
}

static WATCH: Mutex<Option<Watch>> = Mutex::new(None);

type Dynamic = unsafe extern "C-unwind" fn(*mut ShellVar) -> *mut ShellVar;

/// Sees what a start-up file does to the shell whose record is in `dir`, until [`end`].
pub(crate) fn watch(bash: &Bash, dir: &Path) {
    let pid = std::process::id();
    let reached = CString::new(dir.join("reached").as_os_str().as_bytes());
    let (Ok(reached), Ok(program)) = (reached, CString::new(format!("/proc/{pid}/exe"))) else {
        return;
    };
    if let Ok(mut watch) = WATCH.lock() {
        *watch = Some(Watch {
            pid: pid.cast_signed(),
            reached,
            program,
        });
    }
    hang(bash, None, Some(stamp));
}

/// There is a prompt: what becomes of the shell now is the user's business.
pub(crate) fn end(bash: &Bash) {
    hang(bash, Some(stamp), None);
}

fn hang(bash: &Bash, from: Option<Dynamic>, to: Option<Dynamic>) {
    let Some(find) = bash.find_variable else { return };
    let address = |function: Option<Dynamic>| function.map(|function| function as usize);
    // SAFETY: find_variable gives null or a variable of bash's, which is looked at before anything is written.
    attribution::quietly(|| unsafe {
        let v = find(LEVEL.as_ptr());
        if !v.is_null() && is_variable(v, LEVEL) && address((*v).dynamic_value) == address(from) {
            (*v).dynamic_value = to;
        }
    });
}

/// Bash looks `SHLVL` up.
unsafe extern "C-unwind" fn stamp(v: *mut ShellVar) -> *mut ShellVar {
    let _whatever_comes_of_it = std::panic::catch_unwind(|| {
        let Some(bash) = crate::lle::state().map(|lle| lle.bash) else {
            return;
        };
        if is_exec(&bash) {
            attribution::start_is_replaced();
            start_watcher();
        }
    });
    v
}

/// Whether `exec` is what bash is at. Right after one that only redirected it may look so, too: then a watcher sees a bash.
fn is_exec(bash: &Bash) -> bool {
    let (Some(now), Some(exec)) = (bash.this_builtin, bash.exec_builtin) else {
        return false;
    };
    // SAFETY: plain reads of bash's variables.
    let (now, running) = unsafe { (*now, *bash.executing_builtin) };
    running > 0 && now.is_some_and(|now| now as usize == exec as usize)
}

fn start_watcher() {
    let Ok(watch) = WATCH.lock() else { return };
    let Some(watch) = watch.as_ref() else { return };
    if watch.pid != std::process::id().cast_signed() {
        return;
    }
    let mut before = [0; PATH_BYTES_MAX];
    let length = read_link(&watch.program, &mut before);
    // Without a further process the record stays as it is, and the next start judges by that.
    let _unwatched = detached::run(|| {
        // SAFETY: this is a child that does nothing else and ends behind it.
        unsafe { look_on(watch, &before[..length]) }
    });
}

fn read_link(path: &CStr, into: &mut [u8]) -> usize {
    // SAFETY: a nul-terminated path, and memory of that length.
    let length = unsafe { libc::readlink(path.as_ptr(), into.as_mut_ptr().cast(), into.len()) };
    usize::try_from(length).unwrap_or(0)
}

/// Waits until the shell is another program, and says so.
///
/// # Safety
/// Called in a child of its own, where only async-signal-safe calls may be made.
unsafe fn look_on(watch: &Watch, before: &[u8]) {
    // SAFETY: plain system calls on plain memory. Where the kernel has no such descriptors, before 5.3, the number is negative.
    unsafe {
        let process = libc::syscall(libc::SYS_pidfd_open, watch.pid, 0) as libc::c_int;
        for _ in 0..LOOKS_MAX {
            if has_ended(process, watch.pid) {
                return;
            }
            let mut now = [0; PATH_BYTES_MAX];
            let length = read_link(&watch.program, &mut now);
            if length > 0 && now[..length] != *before {
                let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
                let file = libc::open(watch.reached.as_ptr(), flags, 0o600);
                libc::write(file, SAYS.as_ptr().cast(), SAYS.len());
                return;
            }
        }
    }
}

/// Waits [`BECAME_NS`]; true if the process ended meanwhile.
///
/// # Safety
/// As for [`look_on`].
unsafe fn has_ended(process: libc::c_int, pid: libc::pid_t) -> bool {
    let mut fd = libc::pollfd {
        // A negative one is passed over.
        fd: process,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one descriptor in plain memory; signal 0 only asks.
    unsafe {
        libc::poll(&raw mut fd, 1, (BECAME_NS / 1_000_000) as libc::c_int) > 0
            || process < 0 && libc::kill(pid, 0) != 0
    }
}
