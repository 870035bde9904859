//! Completion: bash's own, run in a forked child, so that a slow or broken one never holds a key up.
//!
//! ```text
//!  Tab ▸ fork ▸ child: readline completes its copy of the line ▸ pipe ▸ parent: the line, or a menu
//!                  │ programmable completion, functions, files     │ arrives while one types on
//!                  └ deadline: killed                              └ stale: dropped
//! ```
//!
//! The child does not imitate: it lets readline's own function edit the child's copy of the line, quoting, case
//! folding, slashes and all, and reports what became of it and what else there was to choose.
//!
//! Invariants: the child's process group is killed at the deadline, when the line ends and when another Tab comes;
//! what it reports is treated as input: lengths are checked, sizes bounded. The parent never waits longer than
//! [`GRACE`], except at Enter for a completion that was asked for.

mod answer;
pub(crate) mod asked;

use crate::complete_child;
use crate::lle::Lle;
use crate::menu::{Item, Menu};
use crate::symbols::Bash;
use libc::c_int;
use lle_core::lever::{Cost, Lever};
use std::time::Duration;

use answer::Answer;
pub(crate) use answer::MAGIC;
use asked::Asked;

/// After Tab the parent waits this long before it goes on reading keys: most completions take 3 to 5 ms, and what was
/// typed right behind Tab then meets the completed line, as in bash.
const GRACE: Duration = Duration::from_millis(40);
/// Bytes read from the child at most.
const ANSWER_MAX: usize = 4 << 20;

/// How long an answer may be given again: who asks twice in that time asks for the same.
const LIFETIME: Duration = Duration::from_secs(3);

/// What a completion answered, and when.
pub(crate) struct Completed {
    at: u64,
    pub(crate) answer: Vec<u8>,
}

/// A child that completes.
pub(crate) struct Job {
    pid: libc::pid_t,
    fd: c_int,
    began: u64,
    /// One that takes longer is stuck, on a network most likely.
    deadline: Duration,
    /// What starting the child took.
    fork: Duration,
    answer: Vec<u8>,
    state: Progress,
    /// The line and the cursor it was asked for.
    line: Vec<u8>,
    point: usize,
    asked: Asked,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Running,
    Answered,
    TimedOut,
}

impl Job {
    /// Forks the child; `None` if that fails (the process limit, no memory).
    fn start(lle: &Lle, asked: Asked) -> Option<Self> {
        let began = crate::clock::now();
        let mut fds = [0; 2];
        // SAFETY: two ints for two descriptors.
        if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
            return None;
        }
        // SAFETY: there is one thread. The child never returns into the parent's work: it ends by _exit.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            complete_child::run(&lle.bash, fds[1], asked);
        }
        // SAFETY: plain system calls on descriptors this function owns.
        unsafe {
            libc::close(fds[1]);
            if pid < 0 {
                libc::close(fds[0]);
                return None;
            }
            libc::setpgid(pid, pid);
            libc::fcntl(fds[0], libc::F_SETFL, libc::O_NONBLOCK);
        }
        let line = lle.bash.line().to_vec();
        let point = lle.bash.point();
        Some(Self {
            pid,
            fd: fds[0],
            began,
            deadline: Duration::from_millis(lle.session.levers.value(Lever::CompletionDeadlineMs)),
            fork: crate::clock::since(began),
            answer: Vec::new(),
            state: Progress::Running,
            line,
            point,
            asked,
        })
    }

    pub(crate) fn fd(&self) -> c_int {
        if self.state == Progress::Running {
            self.fd
        } else {
            -1
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state != Progress::Running
    }

    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.saturating_sub(crate::clock::since(self.began))
    }

    /// Takes what the child has written; ends it at the deadline.
    pub(crate) fn pump(&mut self) {
        let mut buffer = [0u8; 16 * 1024];
        while self.state == Progress::Running {
            // SAFETY: the buffer is as long as said.
            let n = unsafe { libc::read(self.fd, buffer.as_mut_ptr().cast(), buffer.len()) };
            match usize::try_from(n) {
                Ok(0) => self.state = Progress::Answered,
                Ok(n) if self.answer.len() + n <= ANSWER_MAX => self.answer.extend_from_slice(&buffer[..n]),
                Ok(_) => self.state = Progress::Answered,
                Err(_) => match std::io::Error::last_os_error().raw_os_error() {
                    Some(libc::EAGAIN | libc::EINTR) => break,
                    _ => self.state = Progress::Answered,
                },
            }
        }
        // The end of the answer is the end, even if something the completion started keeps the pipe open.
        if self.state == Progress::Running
            && self.answer.ends_with(&MAGIC.to_le_bytes())
            && self.answer().is_some()
        {
            self.state = Progress::Answered;
        }
        if self.state == Progress::Running && self.time_left().is_zero() {
            self.state = Progress::TimedOut;
        }
    }

    /// Waits for the child, at most `limit`; keys wait in the terminal's queue meanwhile.
    ///
    /// A signal that readline has caught ends the wait: true then, and the caller lets it be handled.
    fn wait(&mut self, bash: &Bash, limit: Duration) -> bool {
        let began = crate::clock::now();
        while self.state == Progress::Running {
            let left = limit.saturating_sub(crate::clock::since(began));
            if left.is_zero() || self.is_stopped() {
                break;
            }
            let mut poll = libc::pollfd {
                fd: self.fd,
                events: libc::POLLIN,
                revents: 0,
            };
            let ms = c_int::try_from(left.as_millis())
                .unwrap_or(c_int::MAX)
                .saturating_add(1);
            // SAFETY: one valid pollfd; then only a look at which signal was caught.
            unsafe {
                libc::poll(&raw mut poll, 1, ms);
                if (bash.pending_signal)() != 0 {
                    return true;
                }
            }
            self.pump();
        }
        false
    }

    /// True if the child wants the terminal, which it cannot have: its group is stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)) else {
            return false;
        };
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('T'))
    }

    fn answer(&self) -> Option<Answer> {
        Answer::parse(&self.answer)
    }

    /// What was typed at the cursor since it was asked for, if nothing else changed.
    fn typed_since<'a>(&self, bash: &Bash) -> Option<&'a [u8]> {
        let (line, point) = (bash.line(), bash.point());
        let (before, after) = self.line.split_at(self.point);
        let typed = line.get(before.len()..point)?;
        (line.starts_with(before) && line[point..] == *after).then_some(typed)
    }

    /// Ends the child, whatever it is doing, and what it started.
    pub(crate) fn cancel(self) {}
}

impl Drop for Job {
    fn drop(&mut self) {
        // SAFETY: the group is the child's own; bash may have reaped the child, then both calls find nothing.
        unsafe {
            libc::kill(-self.pid, libc::SIGKILL);
            libc::close(self.fd);
            libc::waitpid(self.pid, std::ptr::null_mut(), libc::WNOHANG);
        }
    }
}

impl Lle {
    /// Starts a completion of the line. False if there can be none, so that readline does it itself.
    pub(crate) fn start_completion(&mut self, asked: Asked) -> bool {
        self.drop_line_state();
        self.completion_changed = true;
        if self.owed {
            self.paint();
        }
        if self.answer_again(asked) {
            return true;
        }
        let Some(mut job) = Job::start(self, asked) else {
            self.session.fell_back("completion: cannot fork");
            return false;
        };
        job.wait(&self.bash, GRACE);
        if job.is_stopped() {
            // It wants the terminal, as fzf does: then readline completes in the shell itself.
            return false;
        }
        let done = job.is_done();
        self.job = Some(job);
        if done {
            self.apply_completion();
        }
        true
    }

    /// Gives an answer again that is seconds old: same line, same cursor, same folder, and no command ran meanwhile. A
    /// completion that had to be given up, or that failed, is asked anew.
    fn answer_again(&mut self, asked: Asked) -> bool {
        let began = crate::clock::now();
        let key = question(&self.bash, asked, self.bash.line(), self.bash.point());
        let kept = self.completed.peek(&key);
        let fresh = kept.filter(|kept| crate::clock::since(kept.at) < LIFETIME);
        let Some(answer) = fresh.and_then(|kept| Answer::parse(&kept.answer)) else {
            self.completed.miss(&key);
            return false;
        };
        self.completed.hit(&key);
        self.session.completed(began, false, false);
        self.apply(answer);
        true
    }

    /// Enter on a line whose completion was asked for and is not there yet: it comes first, as in bash. False if it did
    /// not come, by a signal or the deadline; then the line is not what the user meant and must not run.
    pub(crate) fn await_completion(&mut self) -> bool {
        let bash = self.bash;
        let Some(job) = self.job.as_mut().filter(|job| job.typed_since(&bash).is_some()) else {
            return true;
        };
        let left = job.time_left();
        if job.wait(&bash, left) || !job.is_done() || job.state == Progress::TimedOut {
            if job.state == Progress::TimedOut {
                self.session.arms.gave_up(Cost::Completion);
            }
            self.job = None;
            bash.bell();
            return false;
        }
        self.apply_completion();
        // Readline does not show a line again that it accepts.
        self.owed = true;
        true
    }

    /// Puts a finished completion into the line, or opens the menu.
    pub(crate) fn apply_completion(&mut self) {
        let Some(job) = self.job.take_if(|job| job.is_done()) else {
            return;
        };
        let typed = job.typed_since(&self.bash).map(<[u8]>::to_vec);
        let late = typed.as_ref().is_none_or(|typed| !typed.is_empty());
        let timed_out = job.state == Progress::TimedOut;
        self.session.completed(job.began, late, timed_out);
        if timed_out {
            self.bash.bell();
            return;
        }
        let Some(answer) = job.answer() else {
            self.session.completion_failed();
            self.bash.bell();
            return;
        };
        let key = question(&self.bash, job.asked, &job.line, job.point);
        let at = crate::clock::now();
        let raw = &job.answer;
        self.completed.keep(&key, || Completed {
            at,
            answer: raw.clone(),
        });
        // A line that may be kept by nobody leaves no trace of its command here either.
        let is_unseen = self.settings.private || job.line.first().is_some_and(u8::is_ascii_whitespace);
        let completer = if is_unseen { &[] } else { &answer.completer[..] };
        self.session.completion_stages(job.fork, answer.worked, completer);
        match typed {
            Some(typed) if typed.is_empty() => self.apply(answer),
            Some(typed) => self.apply_late(answer, &job, &typed),
            None => {}
        }
    }

    /// Something was typed behind the word meanwhile. What the completion would have put in comes before it, as if the
    /// keys had waited; unless the user has typed just that.
    fn apply_late(&mut self, answer: Answer, job: &Job, typed: &[u8]) {
        let added = answer
            .line
            .get(job.point..answer.point)
            .filter(|_| answer.line.starts_with(&job.line[..job.point]) && answer.total == 0)
            .unwrap_or_default()
            .to_vec();
        if added.is_empty() || typed.starts_with(added.trim_ascii_end()) || added.starts_with(typed) {
            self.offer_late(answer, job);
            return;
        }
        self.bash.replace(job.point..job.point, &added);
        self.bash.set_point(job.point + added.len() + typed.len());
    }

    fn apply(&mut self, answer: Answer) {
        let old = self.bash.line().to_vec();
        let (range, with) = difference(&old, &answer.line);
        let changed = old != answer.line;
        self.completion_changed = changed;
        if changed {
            self.bash.replace(range, &with);
        }
        self.bash.set_point(answer.point.min(self.bash.line().len()));
        match answer.items.len() {
            0 if !changed && answer.total == 0 => self.bash.bell(),
            0 | 1 => {}
            _ => self.open_menu(answer.items, answer.total),
        }
    }

    /// The line went on meanwhile: what still fits what was typed is offered, nothing is put in.
    fn offer_late(&mut self, answer: Answer, job: &Job) {
        let (line, point) = (self.bash.line(), self.bash.point());
        if point < job.point
            || !line.starts_with(&job.line[..job.point])
            || line[point..] != job.line[job.point..]
        {
            return;
        }
        let items: Vec<Item> = answer
            .items
            .into_iter()
            .filter(|item| {
                line.get(item.start..point)
                    .is_some_and(|typed| item.replacement.starts_with(typed))
            })
            .collect();
        if !items.is_empty() {
            let n = items.len();
            self.open_menu(items, n);
        }
    }

    fn open_menu(&mut self, items: Vec<Item>, total: usize) {
        self.session.menu_opened();
        self.menu = Some(Menu::new(
            items,
            total,
            self.bash.line().to_vec(),
            self.bash.point(),
        ));
    }

    /// Puts the chosen item into the line.
    pub(crate) fn take_item(&mut self, item: &Item) {
        self.bash
            .replace(item.start..self.bash.point(), &item.replacement);
    }
}

/// What a completion goes by: how it was asked for, the line, the cursor and the folder.
fn question(bash: &Bash, asked: Asked, line: &[u8], point: usize) -> Vec<u8> {
    let folder = bash.variable(c"PWD").unwrap_or_default();
    let point = point.to_le_bytes();
    [&asked.bytes(), &point[..], folder, b"\0", line].concat()
}

/// Gives the one stretch in which two lines differ, in the first, and what stands there in the second.
fn difference(old: &[u8], new: &[u8]) -> (std::ops::Range<usize>, Vec<u8>) {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - head;
    let tail = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(most)
        .take_while(|(a, b)| a == b)
        .count();
    (head..old.len() - tail, new[head..new.len() - tail].to_vec())
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences() {
        let check = |old: &str, new: &str, range, with: &str| {
            assert_eq!(
                difference(old.as_bytes(), new.as_bytes()),
                (range, with.as_bytes().to_vec())
            );
        };
        check("git che", "git checkout ", 7..7, "ckout ");
        check("ls my", "ls \"my file\" ", 3..5, "\"my file\" ");
        check("a che b", "a checkout b", 5..5, "ckout");
        check("same", "same", 4..4, "");
    }
}
