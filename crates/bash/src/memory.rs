//! What the allocator holds, and how it gives back what is free.
//!
//! Invariant: only an allocator that is asked through its own object answers: a bash with an allocator of its own, or a
//! preloaded one, makes the numbers unknown rather than somebody else's.

use libc::{c_int, c_void};
use std::ffi::CStr;

/// `struct mallinfo2` of glibc 2.33 and later; see mallinfo(3).
#[repr(C)]
#[derive(Clone, Copy)]
struct MallInfo2 {
    arena: usize,
    ordblks: usize,
    smblks: usize,
    hblks: usize,
    hblkhd: usize,
    usmblks: usize,
    fsmblks: usize,
    uordblks: usize,
    fordblks: usize,
    keepcost: usize,
}

/// Memory by the allocator's own account, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    /// Taken from the system: the heap and what was mapped for large pieces.
    pub(crate) arena: i64,
    pub(crate) used: i64,
    pub(crate) free: i64,
}

/// The allocator's functions.
#[derive(Clone, Copy)]
pub(crate) struct Allocator {
    mallinfo2: unsafe extern "C" fn() -> MallInfo2,
    malloc_trim: unsafe extern "C" fn(usize) -> c_int,
}

impl Allocator {
    /// Finds them, if `malloc` is of the same object.
    pub(crate) fn find() -> Option<Self> {
        let (malloc, _) = symbol(c"malloc")?;
        let (of_info, info) = symbol(c"mallinfo2")?;
        let (of_trim, trim) = symbol(c"malloc_trim")?;
        // SAFETY: the C library declares both with these types since it has them.
        (malloc == of_info && malloc == of_trim).then(|| unsafe {
            Self {
                mallinfo2: std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> MallInfo2>(info),
                malloc_trim: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(usize) -> c_int>(trim),
            }
        })
    }

    /// Asks for the account. It walks the free pieces: microseconds in a shell.
    pub(crate) fn account(&self) -> Account {
        // SAFETY: takes nothing, changes nothing; one thread.
        let info = unsafe { (self.mallinfo2)() };
        let bytes = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        Account {
            arena: bytes(info.arena.saturating_add(info.hblkhd)),
            used: bytes(info.uordblks.saturating_add(info.hblkhd)),
            free: bytes(info.fordblks),
        }
    }

    /// Gives free pages back to the system.
    pub(crate) fn trim(&self) {
        // SAFETY: changes nothing that is allocated; one thread.
        unsafe { (self.malloc_trim)(0) };
    }
}

/// Where a symbol is and which object has it.
fn symbol(name: &CStr) -> Option<(*mut c_void, *mut c_void)> {
    // SAFETY: the name is nul-terminated; dladdr fills the zeroed record or fails.
    unsafe {
        let address = libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr());
        let mut info: libc::Dl_info = std::mem::zeroed();
        (!address.is_null() && libc::dladdr(address, &raw mut info) != 0).then_some((info.dli_fbase, address))
    }
}

/// This process's anonymous memory in bytes, by the kernel's account: what a trim makes smaller. The allocator's own
/// account does not tell, since it still counts pages given back from the middle of the heap.
pub(crate) fn anonymous_bytes() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let row = text.lines().find_map(|line| line.strip_prefix("Anonymous:"))?;
    let kib: i64 = row.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_env = "gnu")]
    fn what_is_allocated_is_accounted_for() {
        let allocator = Allocator::find().expect("the tests run on the C library's allocator");
        // Below the size from which pieces are mapped by themselves, and above that of the quick lists.
        let kept = vec![1u8; 64 * 1024];
        let account = allocator.account();
        assert!(
            account.used > 0 && account.used + account.free <= account.arena,
            "{account:?}"
        );
        allocator.trim();
        assert!(kept.iter().all(|byte| *byte == 1));
        assert!(anonymous_bytes().expect("the kernel says") > 0);
    }
}
