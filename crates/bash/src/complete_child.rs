//! The child's side of a completion: from fork to `_exit`, nothing returns from here.
//!
//! Invariants: the child's first three descriptors are /dev/null, it is its own process group, in the background, so that
//! reading the terminal stops it; `EXIT` traps are reset, nothing it does reaches bash's history, and it ends by
//! `_exit`. A completion function that opens /dev/tty and writes can still do so, as it can in bash.

use crate::complete::MAGIC;
use crate::complete::asked::{self, Asked, INSERT_AND_LIST};
use crate::menu::ITEMS_MAX;
use crate::readline::text;
use crate::symbols::Bash;
use libc::{c_char, c_int};
use std::ffi::CStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};

/// `SEVAL_NOHIST | SEVAL_NOINT`: what the child evaluates is no command of the user's.
const EVAL_FLAGS: c_int = 0x4 | 0x1;
/// `SUBSHELL_COMSUB`: to bash the child is a command substitution.
const SUBSHELL_COMSUB: c_int = 0x4;
/// Descriptors from here on are out of the way of most scripts; flock(1) shows 200, bash itself has 255.
const HIGH_FD: c_int = 220;
/// `SINGLE_MATCH`, the quoting function's second argument.
const SINGLE_MATCH: c_int = 1;

static ANSWER_FD: AtomicI32 = AtomicI32::new(-1);
static WORD_START: AtomicUsize = AtomicUsize::new(0);
/// When bash's completion began, in ns of [`crate::clock::now`].
static WORK_BEGAN: AtomicU64 = AtomicU64::new(0);
/// The line and the cursor that it was asked for.
static AS_ASKED: OnceLock<(Vec<u8>, usize)> = OnceLock::new();
static IN_CHILD: AtomicBool = AtomicBool::new(false);

/// Becomes the child: completes the line it inherited, as it was asked for, reports, ends.
pub(crate) fn run(bash: &Bash, pipe: c_int, asked: Asked) -> ! {
    IN_CHILD.store(true, Ordering::Relaxed);
    // SAFETY: this process has one thread and belongs to this function from here on.
    unsafe {
        ANSWER_FD.store(become_subshell(bash, pipe), Ordering::Relaxed);
        *bash.redisplay_function = Some(show_nothing);
        asked::tell(bash, asked);
        if let Some(evaluate) = bash.parse_and_execute {
            // Inside an evaluation of bash's, so that an error or `exit` in a completion function ends here.
            evaluate(copied(bash, b"lle __complete"), c"lle".as_ptr(), EVAL_FLAGS);
        }
        libc::_exit(0)
    }
}

/// Makes a child of the shell a subshell in a process group of its own, without the terminal; gives the descriptor that
/// the pipe has from now on.
///
/// # Safety
/// The process is a fresh child with one thread, and never returns into the parent's work.
pub(crate) unsafe fn become_subshell(bash: &Bash, pipe: c_int) -> c_int {
    // SAFETY: the caller's promise; the calls are bash's own for becoming a subshell, in the order bash makes them.
    unsafe {
        libc::setpgid(0, 0);
        let high = libc::fcntl(pipe, libc::F_DUPFD_CLOEXEC, HIGH_FD);
        // Under a low limit of descriptors any one above the first three will do.
        let fd = if high < 0 {
            libc::fcntl(pipe, libc::F_DUPFD_CLOEXEC, 3)
        } else {
            high
        };
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for fd in 0..3 {
            libc::dup2(null, fd);
        }
        set(bash.interactive, 0);
        set(bash.remember_on_history, 0);
        // `exit` lets go of the terminal by these, and what is LLE's in them belongs to the shell and to its children.
        *bash.prep_term_function = Some(leave_terminal);
        *bash.deprep_term_function = Some(show_nothing);
        if let Some(p) = bash.subshell_environment {
            *p |= SUBSHELL_COMSUB;
        }
        for f in [
            bash.reset_terminating_signals,
            bash.restore_signals,
            bash.without_job_control,
        ]
        .into_iter()
        .flatten()
        {
            f();
        }
        set(bash.job_control, 0);
        fd
    }
}

unsafe fn set(variable: Option<*mut c_int>, value: c_int) {
    if let Some(p) = variable {
        // SAFETY: a variable of bash's.
        unsafe { *p = value }
    }
}

unsafe extern "C-unwind" fn show_nothing() {}

unsafe extern "C-unwind" fn leave_terminal(_meta: c_int) {}

/// A copy in bash's own memory, which bash will free.
pub(crate) fn copied(bash: &Bash, bytes: &[u8]) -> *mut c_char {
    // SAFETY: xmalloc gives that many bytes or ends the process.
    unsafe {
        let p = (bash.xmalloc)(bytes.len() + 1).cast::<u8>();
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), p, bytes.len());
        *p.add(bytes.len()) = 0;
        p.cast()
    }
}

/// `lle __complete`: only ever does something in the child.
pub(crate) fn complete(bash: &Bash) {
    if !IN_CHILD.load(Ordering::Relaxed) {
        return;
    }
    let (Some(complete), Some(find_word)) = (bash.complete_internal, bash.find_completion_word) else {
        return;
    };
    WORK_BEGAN.store(crate::clock::now(), Ordering::Relaxed);
    let _ = AS_ASKED.set((bash.line().to_vec(), bash.point()));
    // SAFETY: readline is in the state it was in at Tab; all of it is this process's copy.
    unsafe {
        let point = *bash.point;
        let (mut found, mut delimiter) = (0, 0);
        find_word(&raw mut found, &raw mut delimiter);
        WORD_START.store(bash.point(), Ordering::Relaxed);
        *bash.point = point;
        if let Some(hook) = bash.display_matches_hook {
            *hook = Some(list);
        }
        complete(INSERT_AND_LIST);
    }
    let mut w = Writer::default();
    w.head(bash.point(), bash.line(), 0);
    w.items(&[]);
    let worked_us = worked_us();
    send(&w.finish(&completer(bash), worked_us));
}

/// `rl_completion_display_matches_hook`: readline would show these.
unsafe extern "C-unwind" fn list(matches: *mut *mut c_char, n: c_int, _longest: c_int) {
    if let Some(bash) = crate::lle::state().map(|lle| lle.bash) {
        let total = usize::try_from(n).unwrap_or(0);
        let mut w = Writer::default();
        // Readline has inserted what is common by now, which is more than a list.
        match AS_ASKED.get().filter(|_| asked::is_list()) {
            Some((line, point)) => w.head(*point, line, total),
            None => w.head(bash.point(), bash.line(), total),
        }
        let listed: Vec<Choice> = (1..=total.min(ITEMS_MAX))
            // SAFETY: readline passes n matches after the common prefix, each nul-terminated.
            .map(|i| unsafe { Choice::new(&bash, *matches.add(i)) })
            .collect();
        let fields: Vec<_> = listed
            .iter()
            .map(|c| (c.start, c.replacement.as_slice(), c.shown.as_slice()))
            .collect();
        w.items(&fields);
        let worked_us = worked_us();
        send(&w.finish(&completer(&bash), worked_us));
    }
    // SAFETY: the child is done.
    unsafe { libc::_exit(0) }
}

/// What completed the word, by name.
fn completer(bash: &Bash) -> Vec<u8> {
    crate::completer::name(bash, bash.line(), WORD_START.load(Ordering::Relaxed))
}

/// What bash's completion took until now, in µs.
fn worked_us() -> usize {
    let took = crate::clock::since(WORK_BEGAN.load(Ordering::Relaxed));
    usize::try_from(took.as_micros()).unwrap_or(usize::MAX)
}

fn send(bytes: &[u8]) {
    crate::lle::write_all(ANSWER_FD.load(Ordering::Relaxed), bytes);
    // SAFETY: the child is done.
    unsafe { libc::_exit(0) }
}

struct Choice {
    start: usize,
    replacement: Vec<u8>,
    shown: Vec<u8>,
}

impl Choice {
    /// # Safety
    /// `item` is null or nul-terminated.
    unsafe fn new(bash: &Bash, item: *mut c_char) -> Self {
        // SAFETY: the caller's promise.
        let word = unsafe { text(item) };
        let files = bash.filename_desired.is_some_and(|p| {
            // SAFETY: a variable of readline's.
            unsafe { *p != 0 }
        });
        let start = WORD_START.load(Ordering::Relaxed);
        let directory = files && is_directory(bash, word);
        // SAFETY: the caller's promise.
        let as_file = || unsafe { quoted(bash, item) };
        let mut replacement = if files { as_file() } else { word.to_vec() };
        // A word that begins with a quote replaces the quote that stands before it.
        let line = bash.line();
        let quote = start
            .checked_sub(1)
            .and_then(|i| line.get(i))
            .filter(|b| matches!(b, b'"' | b'\''));
        let start = start - usize::from(quote.is_some_and(|q| replacement.first() == Some(q)));
        if directory && bash.setting(c"mark-directories") != b"off" {
            replacement.push(b'/');
        } else if !directory {
            close(bash, &mut replacement, quote.copied());
        }
        let mut shown = if files { base(word).to_vec() } else { word.to_vec() };
        if directory {
            shown.push(b'/');
        }
        Self {
            start,
            replacement,
            shown,
        }
    }
}

/// What stands after a word that is complete: its quote and a blank, unless the completion says no.
fn close(bash: &Bash, replacement: &mut Vec<u8>, quote: Option<u8>) {
    // SAFETY: variables of readline's.
    let (suppressed, append) = unsafe {
        (
            bash.suppress_append.is_some_and(|p| *p != 0),
            bash.append_character.map_or(c_int::from(b' '), |p| *p),
        )
    };
    if suppressed {
        return;
    }
    if let Some(q) = quote.filter(|q| replacement.last() != Some(q) && replacement.first() != Some(q)) {
        replacement.push(q);
    }
    if let Ok(c @ 1..) = u8::try_from(append) {
        replacement.push(c);
    }
}

fn base(path: &[u8]) -> &[u8] {
    let trimmed = path.strip_suffix(b"/").unwrap_or(path);
    trimmed
        .iter()
        .rposition(|b| *b == b'/')
        .map_or(path, |i| &path[i + 1..])
}

fn is_directory(bash: &Bash, word: &[u8]) -> bool {
    let home = bash.variable(c"HOME").unwrap_or_default();
    let path = match word.strip_prefix(b"~/") {
        Some(rest) => [home, b"/", rest].concat(),
        None => word.to_vec(),
    };
    use std::os::unix::ffi::OsStrExt;
    std::fs::metadata(std::ffi::OsStr::from_bytes(&path)).is_ok_and(|m| m.is_dir())
}

/// The word as readline would put it into the line.
///
/// # Safety
/// `item` is nul-terminated.
unsafe fn quoted(bash: &Bash, item: *mut c_char) -> Vec<u8> {
    // SAFETY: variables of readline's, and its quoting function called as readline calls it; the result is a string of
    // its own.
    unsafe {
        let plain = text(item).to_vec();
        let desired = bash.filename_quoting_desired.is_none_or(|p| *p != 0);
        let (Some(quote), Some(special)) = (bash.filename_quoting, bash.filename_quote_chars) else {
            return plain;
        };
        let needs = !(*special).is_null()
            && plain
                .iter()
                .any(|b| CStr::from_ptr(*special).to_bytes().contains(b));
        let Some(quote) = (*quote).filter(|_| desired && needs) else {
            return plain;
        };
        let mut open = bash.quote_character.map_or(0, |p| *p) as c_char;
        let q = quote(item, SINGLE_MATCH, &raw mut open);
        if q.is_null() { plain } else { text(q).to_vec() }
    }
}

/// Writes an answer; [`crate::complete::Answer`] reads it.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn head(&mut self, point: usize, line: &[u8], total: usize) {
        self.number(MAGIC as usize);
        self.number(point);
        self.bytes(line);
        self.number(total);
    }

    /// The items: where the word starts, what replaces it, what the menu shows.
    pub(crate) fn items(&mut self, items: &[(usize, &[u8], &[u8])]) {
        self.number(items.len());
        for (start, replacement, shown) in items {
            self.number(*start);
            self.bytes(replacement);
            self.bytes(shown);
        }
    }

    /// Ends it, with what completed and what bash's completion took.
    pub(crate) fn finish(mut self, completer: &[u8], worked_us: usize) -> Vec<u8> {
        self.bytes(completer);
        self.number(worked_us);
        self.number(MAGIC as usize);
        self.0
    }

    fn number(&mut self, n: usize) {
        self.0.extend(u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes());
    }

    fn bytes(&mut self, b: &[u8]) {
        self.number(b.len());
        self.0.extend_from_slice(b);
    }
}
