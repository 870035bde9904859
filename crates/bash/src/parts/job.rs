//! The parent's side of the child that expands parts of a prompt.
//!
//! ```text
//!  at work ── the answer read ─▸ leaving ── reaped          not wanted any more: asked to end, then leaving
//! ```
//!
//! Invariants: what is read is input: its length is checked and bounded. The parent keeps no time: the child ends itself
//! at its deadline, and what it started when it is asked to ([`child`]). No more than [`LEAVING_MAX`] children have still
//! to end; while there are so many no other is started. A child is reaped by its number, which is its own until then.

use super::child;
use super::text::{GAP, GAP_IN_PS1, PARTS_MAX, gap};
use crate::symbols::Bash;
use libc::c_int;
use std::ffi::CString;
use std::time::Duration;

/// A child that was asked and is still there has not heard it, or cannot do it.
const GRACE: Duration = Duration::from_secs(5);
/// Children that may be leaving at once: a key that is held down makes thirty prompts in a second.
const LEAVING_MAX: usize = 64;
/// Bytes of one value: prompts are short.
pub(super) const VALUE_MAX: usize = 1024;
/// Bytes of an answer.
const ANSWER_MAX: usize = PARTS_MAX * (VALUE_MAX + GAP.len());
/// What the child writes before it: its length, and when it was done, of which the clock is the parent's, too.
const HEAD: usize = LENGTH + 8;
const LENGTH: usize = 4;

/// A child at work.
pub(super) struct Job {
    pid: libc::pid_t,
    fd: c_int,
    pub(super) began: u64,
    /// What starting it took, in ns.
    pub(super) fork_ns: u64,
    /// How many parts it expands.
    parts: usize,
    read: Vec<u8>,
    is_over: bool,
    /// When the child says that it was done.
    done_at: u64,
    /// Every part has its value.
    has_answered: bool,
}

impl Job {
    /// Starts a child that expands the texts, which are PS1's `$(…)`; none if there can be none.
    pub(super) fn start(bash: &Bash, parts: &[Vec<u8>]) -> Option<Self> {
        let began = crate::clock::now();
        let text = CString::new(parts.join(GAP_IN_PS1)).ok()?;
        let mut fds = [0; 2];
        // SAFETY: two ints for two descriptors.
        if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
            return None;
        }
        let pid = child::start(bash, &text, fds[1]);
        // SAFETY: plain system calls on descriptors this function owns.
        unsafe {
            libc::close(fds[1]);
            if pid.is_none() {
                libc::close(fds[0]);
            } else {
                libc::fcntl(fds[0], libc::F_SETFL, libc::O_NONBLOCK);
            }
        }
        Some(Self {
            pid: pid?,
            fd: fds[0],
            began,
            fork_ns: crate::clock::now().saturating_sub(began),
            parts: parts.len(),
            read: Vec::new(),
            is_over: false,
            done_at: 0,
            has_answered: false,
        })
    }

    /// The pipe to wait on.
    pub(super) fn fd(&self) -> c_int {
        self.fd
    }

    /// Nothing more will come.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What its parts took, of one that has answered: until it was done, whenever that was read.
    pub(super) fn took_ns(&self, now: u64) -> u64 {
        let done_at = self.done_at.max(self.began).min(now.max(self.began));
        done_at - self.began
    }

    /// Reads what has come; gives the value of each part once it is complete.
    pub(super) fn pump(&mut self) -> Option<Vec<Box<[u8]>>> {
        let mut buffer = [0u8; 4096];
        while !self.is_over {
            // SAFETY: the buffer is as long as said.
            let n = unsafe { libc::read(self.fd, buffer.as_mut_ptr().cast(), buffer.len()) };
            match usize::try_from(n) {
                Ok(0) => self.is_over = true,
                Ok(n) => {
                    self.read.extend_from_slice(&buffer[..n]);
                    match answer(&self.read) {
                        Read::Part => {}
                        Read::None => self.is_over = true,
                        Read::Whole { text, at } => {
                            (self.is_over, self.has_answered, self.done_at) = (true, true, at);
                            return values(text, self.parts);
                        }
                    }
                }
                Err(_) => match std::io::Error::last_os_error().raw_os_error() {
                    Some(libc::EINTR) => {}
                    Some(libc::EAGAIN) => break,
                    _ => self.is_over = true,
                },
            }
        }
        None
    }

    /// Waits until something can be read, at most `limit`; false if nothing can, or a signal came.
    pub(super) fn wait(&self, bash: &Bash, limit: Duration) -> bool {
        let mut poll = libc::pollfd {
            fd: self.fd,
            events: libc::POLLIN,
            revents: 0,
        };
        let limit = libc::timespec {
            tv_sec: limit.as_secs().cast_signed(),
            tv_nsec: i64::from(limit.subsec_nanos()),
        };
        // SAFETY: one valid pollfd and a time; then only a look at which signal was caught.
        unsafe {
            libc::ppoll(&raw mut poll, 1, &raw const limit, std::ptr::null()) > 0
                && (bash.pending_signal)() == 0
        }
    }
}

/// What was read of an answer.
#[derive(Debug, PartialEq, Eq)]
enum Read<'a> {
    /// Its beginning.
    Part,
    /// All of it.
    Whole { text: &'a [u8], at: u64 },
    /// It is none, or too long.
    None,
}

fn answer(read: &[u8]) -> Read<'_> {
    let Some((head, rest)) = read.split_first_chunk::<HEAD>() else {
        return Read::Part;
    };
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    let (length, at) = head.split_at(LENGTH);
    match usize::try_from(number(length)) {
        Ok(length) if length <= ANSWER_MAX => match rest.get(..length) {
            Some(text) => Read::Whole { text, at: number(at) },
            None => Read::Part,
        },
        _ => Read::None,
    }
}

/// The values of so many parts; none if there are not as many.
fn values(text: &[u8], parts: usize) -> Option<Vec<Box<[u8]>>> {
    let (mut values, mut rest) = (Vec::with_capacity(parts), text);
    while let Some(at) = gap(rest).filter(|_| values.len() < parts) {
        values.push(rest[..at].into());
        rest = &rest[at + GAP.len()..];
    }
    values.push(rest.into());
    (values.len() == parts).then_some(values)
}

/// A child that has still to end.
struct One {
    pid: libc::pid_t,
    since: u64,
    /// It was asked to; otherwise it has answered and ends by itself.
    asked: bool,
}

/// The children that have still to end.
#[derive(Default)]
pub(super) struct Leaving(Vec<One>);

impl Leaving {
    /// Lets a child go: one that has not answered is asked to end, with what it started.
    pub(super) fn add(&mut self, job: Job) {
        let asked = !job.has_answered;
        // SAFETY: plain system calls; the number is the child's own until it is reaped.
        unsafe {
            libc::close(job.fd);
            if asked {
                libc::kill(job.pid, libc::SIGTERM);
            }
        }
        self.0.push(One {
            pid: job.pid,
            since: crate::clock::now(),
            asked,
        });
        self.reap();
    }

    /// Reaps those that have ended. Never waits.
    pub(super) fn reap(&mut self) {
        self.0.retain(|one| {
            // SAFETY: as in `add`.
            unsafe {
                if one.asked && crate::clock::since(one.since) >= GRACE {
                    libc::kill(-one.pid, libc::SIGKILL);
                }
                libc::waitpid(one.pid, std::ptr::null_mut(), libc::WNOHANG | libc::__WCLONE) == 0
            }
        });
    }

    /// There may be no further child.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= LEAVING_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_comes_in_pieces() {
        let text = [b"main", GAP, GAP, b"x"].concat();
        let length = u32::try_from(text.len()).expect("short").to_le_bytes();
        let whole = [&length[..], &7u64.to_le_bytes(), &text].concat();
        for cut in 0..whole.len() {
            assert_eq!(answer(&whole[..cut]), Read::Part, "cut at {cut}");
        }
        assert_eq!(answer(&whole), Read::Whole { text: &text, at: 7 });
        let three: [Box<[u8]>; 3] = [(*b"main").into(), (*b"").into(), (*b"x").into()];
        assert_eq!(values(&text, 3).as_deref(), Some(&three[..]));
        assert_eq!(values(&text, 2), None);
        assert_eq!(values(&text, 4), None);
        assert_eq!(answer(&[0xff; HEAD]), Read::None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Read::Whole { text, .. } = answer(&bytes) {
                prop_assert!(values(text, 1).is_none_or(|values| *values[0] == *text));
            }
        }
    }
}
