//! How the program begins and ends: by the C library's own entry, without what the standard library does before `main`.
//!
//! A start of a shell is a fraction of a millisecond, and a tenth of that went into a stack for the handler of a stack
//! overflow, into reading `/proc/self/maps` for it, and into the signals it wants: for a program that becomes bash at once.
//! What matters of it is done here: the standard descriptors are open, a broken pipe is no signal to the verb that writes, a
//! panic is exit status 101, and what standard output has buffered is written. What is not done: the first thread has no
//! name, and a stack that overflows ends the program without a sentence.

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::fd::{BorrowedFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rustix::io::FdFlags;
use signal_hook::consts::SIGPIPE;

/// Exit status after a panic, as the standard library has it.
const PANICKED: c_int = 101;

/// The status a verb ends with.
///
/// [`std::process::ExitCode`] tells nobody its number, which whoever ends the program by itself needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExitCode(u8);

impl ExitCode {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const FAILURE: Self = Self(1);
}

impl From<u8> for ExitCode {
    fn from(status: u8) -> Self {
        Self(status)
    }
}

/// Runs `program` with the words of the command line and ends with what it gives.
///
/// # Safety
/// `count` and `words` are what the C library calls `main` with.
#[expect(unsafe_code, reason = "the words come as the C library gives them")]
pub(crate) unsafe fn run(
    count: c_int,
    words: *const *const c_char,
    program: impl FnOnce(Vec<OsString>) -> ExitCode,
) -> ! {
    open_standard_descriptors();
    let words: Vec<OsString> = (0..usize::try_from(count).unwrap_or(0))
        .map(|n| {
            // SAFETY: there are `count` words, each nul-terminated, and they stay.
            let word = unsafe { CStr::from_ptr(*words.add(n)) };
            OsStr::from_bytes(word.to_bytes()).to_owned()
        })
        .collect();
    let status = match catch_unwind(AssertUnwindSafe(|| program(words))) {
        Ok(code) => code.0.into(),
        Err(panic)
            if panic
                .downcast_ref::<String>()
                .is_some_and(|text| is_of_broken_pipe(text)) =>
        {
            0
        }
        Err(_) => PANICKED,
    };
    std::process::exit(status)
}

/// Whether a panic only says that nobody reads what is printed, for which `print!` has no other way: that is no error of ours.
fn is_of_broken_pipe(text: &str) -> bool {
    text.starts_with("failed printing to") && text.contains("Broken pipe")
}

/// Opens `/dev/null` for each standard descriptor that whoever started the program has closed: a file that is opened later
/// would take its number, and what is said there would be written into it. Bash, if this becomes it, finds them closed.
fn open_standard_descriptors() {
    for descriptor in standard() {
        if rustix::io::fcntl_getfd(descriptor).is_err() {
            // The lowest number that is free is this one.
            let null = std::fs::File::options().read(true).write(true).open("/dev/null");
            let _stays_open = null.map(IntoRawFd::into_raw_fd);
        }
    }
}

fn standard() -> [BorrowedFd<'static>; 3] {
    [
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    ]
}

/// Makes ready for a verb: what it runs finds the standard descriptors open, too, and a write into a broken pipe fails, where
/// it would end the program in the middle of its work. What is run gets the signal's own effect back: a handler does not
/// outlive `exec`.
pub(crate) fn prepare_for_verb() {
    for descriptor in standard() {
        // Where it cannot be, there are none: nothing is run by whoever may open no file.
        let _stays_open = rustix::io::fcntl_setfd(descriptor, FdFlags::empty());
    }
    // Where it cannot be, the verb ends by the signal, as most programs do.
    let _ended_by_it = signal_hook::flag::register(SIGPIPE, Arc::default());
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.payload_as_str().is_some_and(is_of_broken_pipe) {
            tell(panic);
        }
    }));
}
