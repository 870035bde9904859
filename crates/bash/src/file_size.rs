//! Writing under `ulimit -f`: the kernel's signal would end the shell; here it is an error like a full disk.

/// Runs `write` with SIGXFSZ ignored, so that a file at its size limit gives `EFBIG`.
pub(crate) fn as_error<T>(write: impl FnOnce() -> T) -> T {
    // SAFETY: a zeroed sigaction with SIG_IGN is valid; what stood there before is put back below.
    let before = unsafe {
        let mut ignore: libc::sigaction = std::mem::zeroed();
        ignore.sa_sigaction = libc::SIG_IGN;
        let mut before = std::mem::zeroed();
        libc::sigaction(libc::SIGXFSZ, &raw const ignore, &raw mut before);
        before
    };
    let result = write();
    // SAFETY: as above.
    unsafe { libc::sigaction(libc::SIGXFSZ, &raw const before, std::ptr::null_mut()) };
    result
}
