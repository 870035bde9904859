//! Answers the calls that the kernel stops: goes on, fails, does half, or kills.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use libc::{seccomp_data, seccomp_notif, seccomp_notif_resp};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal, kill_process, pidfd_getfd, pidfd_open};

use crate::call::{self, Kind};
use crate::{Fault, Wanted};

/// What the caller is told.
enum Answer {
    GoesOn,
    Fails(i32),
    Wrote(usize),
    /// Nobody waits for it any more.
    Unwanted,
}

/// Answers until nobody is under the filter any more.
pub(crate) fn serve(listener: &OwnedFd, wanted: &Mutex<Wanted>) {
    loop {
        let mut ready = [PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)];
        match poll(&mut ready, None) {
            Err(rustix::io::Errno::INTR) => continue,
            Ok(_) if ready[0].revents().contains(PollFlags::IN) => {}
            // The last one has ended.
            _ => return,
        }
        let Ok(stopped) = receive(listener) else {
            // It was killed while it waited.
            continue;
        };
        let answer = judge(stopped.pid, &stopped.data, wanted);
        // Whoever was killed meanwhile needs no answer.
        let _gone = send(listener, stopped.id, &answer);
    }
}

fn judge(thread: u32, data: &seccomp_data, wanted: &Mutex<Wanted>) -> Answer {
    let Some((kind, path)) = call::read(thread, data) else {
        return Answer::GoesOn;
    };
    let mut wanted = wanted.lock().unwrap_or_else(PoisonError::into_inner);
    let is_counted =
        path.starts_with(&wanted.folder) && (wanted.kinds.is_empty() || wanted.kinds.contains(&kind));
    if !is_counted {
        return Answer::GoesOn;
    }
    wanted.calls += 1;
    if wanted.full && kind.takes_room() {
        return Answer::Fails(libc::ENOSPC);
    }
    let Some(chosen) = wanted.chosen.filter(|chosen| chosen.at == wanted.calls) else {
        return Answer::GoesOn;
    };
    wanted.hit = Some(format!("{kind:?} {}", path.display()));
    let half = || half(thread, data, kind);
    match chosen.fault {
        Fault::Broken => Answer::Fails(libc::EIO),
        Fault::Full => {
            wanted.full = true;
            match kind.takes_room() {
                true => half().map_or(Answer::Fails(libc::ENOSPC), Answer::Wrote),
                false => Answer::GoesOn,
            }
        }
        Fault::Short => half().map_or(Answer::GoesOn, Answer::Wrote),
        Fault::Killed => send_signal(thread, Signal::KILL),
        // The wait for an answer ends with the signal, and the call is made anew behind SIGCONT.
        Fault::Stopped => send_signal(thread, Signal::STOP),
        Fault::Torn => {
            // Where there is no half, this is `Killed`.
            let _written = half();
            send_signal(thread, Signal::KILL)
        }
    }
}

/// Does the first half of a write in the caller's place; none if there is no half.
fn half(thread: u32, data: &seccomp_data, kind: Kind) -> Option<usize> {
    let bytes = usize::try_from(data.args[2]).ok()? / 2;
    if !kind.is_plain_write() || bytes == 0 {
        return None;
    }
    let bytes = call::memory(thread, data.args[1], bytes)?;
    let process = pidfd_open(process_of(thread)?, PidfdFlags::empty()).ok()?;
    let descriptor = i32::try_from(data.args[0]).ok()?;
    let file = pidfd_getfd(process, descriptor, PidfdGetfdFlags::empty()).ok()?;
    match kind {
        Kind::WriteAt => rustix::io::pwrite(&file, &bytes, data.args[3]).ok(),
        _ => rustix::io::write(&file, &bytes).ok(),
    }
}

fn send_signal(thread: u32, signal: Signal) -> Answer {
    if let Some(process) = process_of(thread) {
        // One that has ended by itself is as gone.
        let _gone = kill_process(process, signal);
    }
    Answer::Unwanted
}

/// The process that a thread is of.
fn process_of(thread: u32) -> Option<Pid> {
    let status = std::fs::read_to_string(Path::new("/proc").join(thread.to_string()).join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    Pid::from_raw(line.trim().parse().ok()?)
}

fn receive(listener: &OwnedFd) -> io::Result<seccomp_notif> {
    let mut stopped = MaybeUninit::<seccomp_notif>::zeroed();
    // SAFETY: the kernel wants it zeroed and fills it; it outlives the call.
    let received = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_RECV,
            stopped.as_mut_ptr(),
        )
    };
    match received {
        // SAFETY: numbers only: zeroed is a value, and so is what the kernel wrote.
        0 => Ok(unsafe { stopped.assume_init() }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn send(listener: &OwnedFd, id: u64, answer: &Answer) -> io::Result<()> {
    let mut response = seccomp_notif_resp {
        id,
        val: 0,
        error: 0,
        flags: 0,
    };
    match answer {
        Answer::GoesOn => response.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
        Answer::Fails(error) => response.error = -error,
        Answer::Wrote(bytes) => response.val = i64::try_from(*bytes).map_err(io::Error::other)?,
        Answer::Unwanted => return Ok(()),
    }
    // SAFETY: the kernel reads the response, which outlives the call.
    let sent = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SEND,
            &raw mut response,
        )
    };
    match sent {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
