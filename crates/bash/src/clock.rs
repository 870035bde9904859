//! The two clocks. The shell side is the only place that reads them; what is decided from them is decided elsewhere.

use std::time::Duration;

/// Gives monotonic time in ns, from an arbitrary start.
pub(crate) fn now() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Gives the time since `began`, a value of [`now`].
pub(crate) fn since(began: u64) -> Duration {
    Duration::from_nanos(now().saturating_sub(began))
}

/// Gives wall-clock time in ns since 1970; it may jump.
pub(crate) fn wall() -> i64 {
    read(libc::CLOCK_REALTIME).cast_signed()
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the out-pointer is valid; both clocks exist on Linux, and the call is served without entering the kernel.
    unsafe { libc::clock_gettime(clock, &raw mut t) };
    t.tv_sec.cast_unsigned() * 1_000_000_000 + t.tv_nsec.cast_unsigned()
}
