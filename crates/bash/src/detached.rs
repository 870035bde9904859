//! Starting a program that is nobody's child: the worker outlives the session that happened to start it.
//!
//! ```text
//!  bash ── fork ─▸ intermediate ── fork ─▸ the program: own session, no terminal, no descriptor, `/`
//!    └ waits ◂──── exits at once                        └ its parent is init
//! ```
//!
//! Or a few calls of our own, in place of the program.
//!
//! Invariants: bash never has the program as a child, and its own children, `$!`, `jobs`, `wait` and a CHLD trap never
//! hear of the intermediate: signals are blocked until it is reaped. Between fork and exec only async-signal-safe calls
//! are made, and everything they need was made before.

use libc::{c_char, c_int};
use std::ffi::CString;
use std::io;

/// How the intermediate says that it could not fork.
const NO_FORK: c_int = 3;
/// The highest descriptor closed one by one, where the kernel cannot close a range (before 5.9).
const DESCRIPTORS_MAX: libc::rlim_t = 65536;
/// Signals there are.
const SIGNALS_MAX: c_int = 64;

/// Starts `program` with exactly these arguments, the program's own name among them, and this environment.
///
/// # Errors
/// There can be no further process. What becomes of the program itself is not known here.
pub(crate) fn start(program: &CString, arguments: &[CString], environment: &[CString]) -> io::Result<()> {
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: in the child that is nobody's, on strings and arrays that outlive it here.
    run(|| unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) })
}

/// Runs `what` in a process of its own, which ends behind it: only async-signal-safe calls may be made there.
///
/// # Errors
/// There can be no further process.
pub(crate) fn run<T>(what: impl Fn() -> T) -> io::Result<()> {
    // SAFETY: there is one thread; the child never returns into the parent's work. The masks are plain memory, and the
    // old one is put back.
    let (pid, status) = unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const all, &raw mut before);
        let pid = libc::fork();
        if pid == 0 {
            intermediate(&what);
        }
        let error = io::Error::last_os_error();
        let status = if pid < 0 { Err(error) } else { reap(pid) };
        libc::sigprocmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        (pid, status)
    };
    match status? {
        status if pid > 0 && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == NO_FORK => {
            Err(io::Error::from_raw_os_error(libc::EAGAIN))
        }
        _ => Ok(()),
    }
}

/// The strings as exec wants them, a null after the last.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    let mut pointers: Vec<_> = strings.iter().map(|string| string.as_ptr()).collect();
    pointers.push(std::ptr::null());
    pointers
}

/// Waits for the intermediate, which does nothing but fork; gives how it ended.
fn reap(pid: libc::pid_t) -> io::Result<c_int> {
    loop {
        let mut status = 0;
        // SAFETY: one int for the status.
        if unsafe { libc::waitpid(pid, &raw mut status, 0) } == pid {
            return Ok(status);
        }
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::EINTR) => {}
            // Somebody ignores SIGCHLD, so that the kernel reaps.
            _ => return Ok(0),
        }
    }
}

/// # Safety
/// Called in a fresh child with signals blocked.
unsafe fn intermediate<T>(what: &impl Fn() -> T) -> ! {
    // SAFETY: async-signal-safe calls only.
    unsafe {
        match libc::fork() {
            0 => alone(what),
            -1 => libc::_exit(NO_FORK),
            _ => libc::_exit(0),
        }
    }
}

/// # Safety
/// As for [`intermediate`].
unsafe fn alone<T>(what: &impl Fn() -> T) -> ! {
    // SAFETY: async-signal-safe calls only, on plain memory.
    unsafe {
        libc::setsid();
        let mut default: libc::sigaction = std::mem::zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        for signal in 1..=SIGNALS_MAX {
            libc::sigaction(signal, &raw const default, std::ptr::null_mut());
        }
        libc::chdir(c"/".as_ptr());
        libc::umask(0o077);
        close_all();
        for _ in 0..3 {
            libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        }
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        what();
        libc::_exit(127)
    }
}

/// # Safety
/// The process needs none of its descriptors any more.
unsafe fn close_all() {
    // SAFETY: plain numbers and plain memory.
    unsafe {
        if libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) == 0 {
            return;
        }
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        let end = limit.rlim_cur.clamp(256, DESCRIPTORS_MAX) as c_int;
        for fd in 0..end {
            libc::close(fd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(of: &[&str]) -> Vec<CString> {
        of.iter()
            .map(|text| CString::new(*text).expect("no nul"))
            .collect()
    }

    #[test]
    fn the_program_runs_alone_and_without_descriptors() {
        let answer = std::env::temp_dir().join(format!("lusush-detached-{}", std::process::id()));
        let whole = answer.with_extension("whole");
        let _ = std::fs::remove_file(&whole);
        // Looking at the folder of its descriptors takes the shell one more.
        let script = format!(
            "echo \"$(pwd -P) $# $A $HOME $PPID\" /proc/$$/fd/* >{0}; mv {0} {1}",
            answer.display(),
            whole.display()
        );
        // SAFETY: a copy of standard error that exec would pass on.
        let inherited = unsafe { libc::dup(2) };
        start(
            &strings(&["/bin/sh"])[0],
            &strings(&["sh", "-c", &script, "zero", "one", "two"]),
            &strings(&["A=b"]),
        )
        .expect("it can be started");
        // SAFETY: made above.
        unsafe { libc::close(inherited) };
        let began = std::time::Instant::now();
        let text = loop {
            if let Ok(text) = std::fs::read_to_string(&whole) {
                break text;
            }
            assert!(began.elapsed().as_secs() < 20, "it never ran");
            std::thread::sleep(std::time::Duration::from_millis(1));
        };
        let _ = std::fs::remove_file(&whole);
        let words: Vec<_> = text.split_whitespace().collect();
        assert_eq!(words[..3], ["/", "2", "b"], "{text}");
        assert_ne!(words[3], std::process::id().to_string(), "it is no child");
        let descriptors: Vec<_> = words[4..]
            .iter()
            .filter_map(|path| path.rsplit('/').next())
            .collect();
        assert_eq!(descriptors, ["0", "1", "2", "3"], "{text}");
    }
}
