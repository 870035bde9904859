//! The few system calls the standard library does not offer.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};

/// The descriptor looked for first. Above 200, which scripts lock by flock(1)'s manual page, and below
/// 255, which bash takes for itself.
const DESCRIPTOR_FIRST: RawFd = 219;

/// Moves a file to a descriptor that scripts do not use; leaves it where it is if none is free.
pub(crate) fn move_high(file: File) -> File {
    // SAFETY: F_DUPFD_CLOEXEC takes a number and makes a new descriptor.
    let high = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, DESCRIPTOR_FIRST) };
    if high < 0 {
        return file;
    }
    // SAFETY: just made, and owned by nobody else.
    unsafe { File::from_raw_fd(high) }
}

/// Gives a file blocks for `bytes` bytes, so that writing to its mapping cannot fail.
pub(crate) fn allocate(file: &File, bytes: usize) -> io::Result<()> {
    let bytes = libc::off_t::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?;
    // Beyond `ulimit -f` the kernel would not only refuse but send SIGXFSZ, which ends a shell.
    if file_size_limit() < bytes as libc::rlim_t {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    // SAFETY: a descriptor of ours and plain numbers.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, bytes) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

fn file_size_limit() -> libc::rlim_t {
    // SAFETY: zero is a valid rlimit.
    let mut limit: libc::rlimit = unsafe { zeroed() };
    // SAFETY: `limit` outlives the call.
    match unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) } {
        0 => limit.rlim_cur,
        _ => libc::RLIM_INFINITY,
    }
}

fn whole_file_lock() -> libc::flock {
    // SAFETY: zero is a valid flock: from the start, to the end of the file.
    let mut lock: libc::flock = unsafe { zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock
}

/// Takes the record lock, or takes it again: it stays held until any descriptor of the file is closed.
pub(crate) fn lock(file: &File) -> io::Result<()> {
    let wanted = whole_file_lock();
    // SAFETY: `wanted` outlives the call, which does not wait.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &wanted) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The other process that holds the record lock, as far as it is visible here: else 0 or less. None if none does.
pub(crate) fn lock_holder(file: &File) -> io::Result<Option<i32>> {
    let mut found = whole_file_lock();
    // SAFETY: `found` outlives the call.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &mut found) } {
        0 => Ok((i32::from(found.l_type) != libc::F_UNLCK).then_some(found.l_pid)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Wall clock nanoseconds at the kernel's last tick: 4 ms coarse, and never a system call.
#[inline]
pub(crate) fn coarse_wall_ns() -> u64 {
    // SAFETY: zero is a valid timespec.
    let mut now: libc::timespec = unsafe { zeroed() };
    // SAFETY: `now` outlives the call; the clock exists since Linux 2.6.32, else `now` stays zero.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &mut now) };
    (now.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(now.tv_nsec as u64)
}
