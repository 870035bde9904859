//! The terminal without its screen, for benches: what is timed is the child and the kernel, not the emulator.
//!
//! Invariant: what is read here is not shown on the emulated screen.

use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::terminal::Terminal;

/// Bytes read at once: all that a pty of Linux holds.
const READ_BYTES: usize = 65536;

impl Terminal {
    /// Types `bytes` and reads until the child has written the text `needle`; returns how long that took.
    ///
    /// Only text counts: a `K` in an erasing sequence is not the letter.
    ///
    /// # Errors
    /// `TimedOut` after `limit`, and the system's.
    pub fn exchange(&mut self, mut bytes: &[u8], needle: &[u8], limit: Duration) -> io::Result<Duration> {
        let started = Instant::now();
        let mut buffer = vec![0; READ_BYTES];
        // The end of what came before, in which the needle may begin.
        let mut tail: Vec<u8> = Vec::new();
        let mut text = Text::default();
        loop {
            let left = limit
                .checked_sub(started.elapsed())
                .ok_or(io::ErrorKind::TimedOut)?;
            let wanted = if bytes.is_empty() {
                PollFlags::IN
            } else {
                PollFlags::IN | PollFlags::OUT
            };
            let master = self.master()?;
            let mut fds = [PollFd::new(&master, wanted)];
            poll(&mut fds, Some(&timespec(left)))?;
            let ready = fds[0].revents();
            if ready.contains(PollFlags::IN) {
                let read = rustix::io::read(master, &mut buffer[..])?;
                let now = started.elapsed();
                tail.extend(buffer[..read].iter().filter(|&&byte| text.contains(byte)));
                if bytes.is_empty() && tail.windows(needle.len()).any(|window| window == needle) {
                    return Ok(now);
                }
                tail.drain(..tail.len().saturating_sub(needle.len()));
            }
            if !bytes.is_empty() && ready.contains(PollFlags::OUT) {
                match rustix::io::write(master, bytes) {
                    Ok(written) => bytes = &bytes[written..],
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if ready.contains(PollFlags::HUP) && !ready.contains(PollFlags::IN) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads until the child has written nothing for `quiet`.
    ///
    /// # Errors
    /// The system's.
    pub fn drain(&mut self, quiet: Duration) -> io::Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let master = self.master()?;
            let mut fds = [PollFd::new(&master, PollFlags::IN)];
            if poll(&mut fds, Some(&timespec(quiet)))? == 0 {
                return Ok(());
            }
            rustix::io::read(master, &mut buffer[..])?;
        }
    }
}

/// Tells text from control sequences, byte by byte.
#[derive(Default)]
enum Text {
    #[default]
    Plain,
    /// After an escape.
    Escape,
    /// In a control sequence, which a letter or one of ``@[\]^_`{|}~`` ends.
    Control,
    /// In a string such as a title, which BEL or the escape of `ESC \` ends.
    String,
}

impl Text {
    /// Whether the next byte of the stream is text.
    fn contains(&mut self, byte: u8) -> bool {
        let was_plain = matches!(self, Self::Plain);
        *self = match (&self, byte) {
            (_, 0x1b) => Self::Escape,
            (Self::Escape, b'[') => Self::Control,
            (Self::Escape, b']' | b'P') => Self::String,
            (Self::Control, 0x40..=0x7e) | (Self::String, 0x07) | (Self::Escape | Self::Plain, _) => {
                Self::Plain
            }
            (Self::Control, _) => Self::Control,
            (Self::String, _) => Self::String,
        };
        was_plain && byte >= b' '
    }
}

/// Converts a duration for the kernel.
pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs().cast_signed(),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_counts() {
        let mut text = Text::default();
        let bytes = b"a\x1b[Kb\x1b[1;31mc\x1b]0;title\x07d\x1b]0;t\x1b\\e\r\nf";
        let found: Vec<u8> = bytes
            .iter()
            .copied()
            .filter(|&byte| text.contains(byte))
            .collect();
        assert_eq!(found, b"abcdef");
    }
}
