//! The two kinds of memory a flight needs: the pages of the file, and a token that dies on `fork`.
//!
//! All `unsafe` around raw memory is here. A mapping is only ever seen as atomics, for which every bit
//! pattern is valid and which other processes may change at any time.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::FILE_BYTES;
use super::layout::Layout;

/// Pages of this process, unmapped when dropped.
struct Pages {
    start: NonNull<u8>,
    bytes: usize,
}

impl Pages {
    fn map(bytes: usize, protection: c_int, flags: c_int, file: Option<BorrowedFd<'_>>) -> io::Result<Pages> {
        let fd = file.map_or(-1, |file| file.as_raw_fd());
        // SAFETY: a fresh mapping at an address of the kernel's choice aliases nothing of ours.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Pages { start, bytes })
    }

    fn anonymous(bytes: usize) -> io::Result<Pages> {
        Pages::map(
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            None,
        )
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: `map` got this range, and every reference into it borrows `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

/// A writable flight.
pub(crate) struct Mapping(Pages);

impl Mapping {
    /// Maps a file that the caller has made [`FILE_BYTES`] long, with its blocks allocated.
    pub(crate) fn of_file(file: BorrowedFd<'_>) -> io::Result<Mapping> {
        Pages::map(
            FILE_BYTES,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            Some(file),
        )
        .map(Mapping)
    }

    /// Takes zeroed memory no other process sees.
    pub(crate) fn anonymous() -> io::Result<Mapping> {
        Pages::anonymous(FILE_BYTES).map(Mapping)
    }
}

impl Deref for Mapping {
    type Target = Layout;

    fn deref(&self) -> &Layout {
        // SAFETY: the pages are readable, writable and as long as the file, which the layout fits in;
        // pages are aligned beyond 8; a layout is nothing but atomics, so any bytes are a valid one and
        // changes by others are no data race. The borrow keeps them mapped.
        unsafe { self.0.start.cast().as_ref() }
    }
}

/// Shows a layout as the words it consists of.
pub(crate) fn as_words(layout: &Layout) -> &[AtomicU64] {
    // SAFETY: a layout is aligned to 8, a multiple of 8 long, without padding that matters (fresh pages
    // are initialised memory), and only of atomics. `AtomicU64` beside the `AtomicU32` pairs it covers
    // is used only while nobody else writes: when a flight moves and when it reads itself.
    unsafe { std::slice::from_raw_parts(ptr::from_ref(layout).cast(), size_of::<Layout>() / 8) }
}

/// A flight of another process, or of another thread, for looking only.
pub(crate) struct LookMapping(Pages);

// SAFETY: the pages belong to the value alone and are read through atomics only; unmapping them is any thread's.
unsafe impl Send for LookMapping {}

impl LookMapping {
    /// Maps the first `bytes` of a file at least that long.
    pub(crate) fn of_file(file: BorrowedFd<'_>, bytes: usize) -> io::Result<LookMapping> {
        Pages::map(bytes, libc::PROT_READ, libc::MAP_SHARED, Some(file)).map(LookMapping)
    }

    /// Reads the word at a byte offset; none if it is not aligned or not inside.
    #[inline]
    pub(crate) fn word(&self, offset: usize) -> Option<u64> {
        if !offset.is_multiple_of(8) || offset.checked_add(8)? > self.0.bytes {
            return None;
        }
        // SAFETY: inside the mapping and aligned, as just checked; an atomic may change under us.
        let word = unsafe { &*self.0.start.as_ptr().add(offset).cast::<AtomicU64>() };
        Some(word.load(Relaxed))
    }
}

/// Tells the creating process from its forked children without a system call.
///
/// A page the kernel hands to children zeroed. Where it will not (before Linux 4.14), the process id
/// is asked for instead, which is a system call a batch.
pub(crate) struct OwnerToken {
    page: Pages,
    /// The creator, when the page cannot tell.
    pid: Option<u32>,
}

impl OwnerToken {
    pub(crate) fn new() -> io::Result<OwnerToken> {
        // The kernel rounds up to its page.
        let page = Pages::anonymous(8)?;
        // SAFETY: the range is ours alone; the advice changes only what children see.
        let wiped = unsafe { libc::madvise(page.start.as_ptr().cast(), page.bytes, libc::MADV_WIPEONFORK) };
        let token = OwnerToken {
            page,
            pid: (wiped != 0).then(std::process::id),
        };
        token.cell().store(1, Relaxed);
        Ok(token)
    }

    /// Whether this process is the one that created the token.
    #[inline]
    pub(crate) fn is_owner(&self) -> bool {
        self.cell().load(Relaxed) == 1 && self.pid.is_none_or(|pid| pid == std::process::id())
    }

    #[inline]
    fn cell(&self) -> &AtomicU64 {
        // SAFETY: the page is mapped as long as `self`, aligned, and seen as this atomic only.
        unsafe { self.page.start.cast().as_ref() }
    }
}
