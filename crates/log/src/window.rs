//! A stretch of the file in memory: what every reader looks through.
//!
//! Reads are `pread`, never a mapping. A range that cannot be read (the file was truncated meanwhile, the
//! disk fails) is `None`, which a reader treats as the end of what can be known.

use crate::descriptor::Descriptor;

/// Bytes a window holds: a system call for some 400 commands, and 3 % of what the shell may grow by.
pub(crate) const WINDOW_BYTES: usize = 64 * 1024;

/// Which neighbours to read along with a range.
#[derive(Clone, Copy)]
pub(crate) enum Toward {
    /// The bytes after it.
    End,
    /// The bytes before it.
    Start,
}

/// A stretch of one file. Grows past [`WINDOW_BYTES`] only for a single range that is longer.
pub(crate) struct Window {
    bytes: Vec<u8>,
    at: u64,
    filled: usize,
}

impl Window {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            at: 0,
            filled: 0,
        }
    }

    /// Forgets what was read, because the file is another one now.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }

    /// Returns the bytes `from..to` of the log, reading them if they are not here yet.
    pub(crate) fn range(
        &mut self,
        log: &Descriptor,
        from: u64,
        to: u64,
        toward: Toward,
        end: u64,
    ) -> Option<&[u8]> {
        debug_assert!(from <= to);
        if from < self.at || to > self.at + self.filled as u64 {
            let wanted = (to - from).max(WINDOW_BYTES as u64);
            match toward {
                Toward::End => self.load(log, from, end.max(to).min(from.saturating_add(wanted))),
                Toward::Start => self.load(log, to.saturating_sub(wanted), to),
            }
        }
        let first = usize::try_from(from.checked_sub(self.at)?).ok()?;
        let last = usize::try_from(to.checked_sub(self.at)?).ok()?;
        self.bytes.get(..self.filled)?.get(first..last)
    }

    fn load(&mut self, log: &Descriptor, from: u64, to: u64) {
        let wanted = usize::try_from(to - from).unwrap_or(WINDOW_BYTES);
        if self.bytes.len() < wanted.max(WINDOW_BYTES) {
            self.bytes.resize(wanted.max(WINDOW_BYTES), 0);
        }
        self.at = from;
        self.filled = 0;
        while self.filled < wanted {
            match log.read_at(&mut self.bytes[self.filled..wanted], from + self.filled as u64) {
                Ok(0) => return,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}
