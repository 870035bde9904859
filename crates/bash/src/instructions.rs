//! How many instructions LLE adds to a key, where the kernel counts them for us.
//!
//! `perf_event_open(2)`, user instructions of this thread only. Virtual machines and hardened kernels often refuse:
//! then the number is unknown, and stays so.

use libc::{c_int, c_long, c_ulong};

/// `PERF_TYPE_HARDWARE`, `PERF_COUNT_HW_INSTRUCTIONS`.
const HARDWARE: u32 = 0;
const INSTRUCTIONS: u64 = 1;
/// `exclude_kernel` and `exclude_hv` in the attribute's flags.
const USER_ONLY: u64 = 1 << 5 | 1 << 6;
/// `PERF_FLAG_FD_CLOEXEC`.
const CLOEXEC: c_ulong = 8;

/// The attribute's first published size: all that is needed here.
#[repr(C)]
#[derive(Default)]
struct Attribute {
    kind: u32,
    size: u32,
    config: u64,
    period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup: u32,
    breakpoint_type: u32,
    breakpoint_address: u64,
}

/// An open counter.
pub(crate) struct Instructions(c_int);

impl Instructions {
    /// Opens the counter; `None` if the kernel does not tell.
    pub(crate) fn open() -> Option<Self> {
        let attribute = Attribute {
            kind: HARDWARE,
            size: size_of::<Attribute>() as u32,
            config: INSTRUCTIONS,
            flags: USER_ONLY,
            ..Attribute::default()
        };
        // SAFETY: the attribute outlives the call; the arguments are pid self, any processor, no group.
        let fd: c_long = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attribute,
                0,
                -1,
                -1,
                CLOEXEC,
            )
        };
        let fd = c_int::try_from(fd).ok().filter(|fd| *fd >= 0)?;
        // SAFETY: out of the way of scripts, which use low descriptors.
        let high = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 200) };
        // SAFETY: the first descriptor is this function's own.
        unsafe { libc::close(fd) };
        (high >= 0).then_some(Self(high))
    }

    /// Reads the count so far.
    pub(crate) fn count(&self) -> Option<u64> {
        let mut n = 0u64;
        // SAFETY: eight bytes into eight bytes.
        let got = unsafe { libc::read(self.0, (&raw mut n).cast(), 8) };
        (got == 8).then_some(n)
    }
}
