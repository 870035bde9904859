//! How far something is: one line on a terminal, for what takes longer than a second.
//!
//! Invariant: nothing is drawn where nobody looks, and the line is gone before the answer is printed.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lle_archive::{Step, Watch};
use lle_core::quantity::{bytes, count};

/// What is over sooner needs no bar.
const SILENT: Duration = Duration::from_secs(1);
/// Between two drawings.
const EVERY: Duration = Duration::from_millis(100);
/// Cells of the bar.
const CELLS: usize = 24;

/// A line that shows how far something is.
pub(super) struct Bar {
    drawn: Arc<Mutex<Drawn>>,
}

struct Drawn {
    began: Instant,
    last: Option<Instant>,
}

impl Bar {
    /// A bar, which appears if there is a terminal and a reason.
    pub(super) fn new() -> Bar {
        Bar {
            drawn: Arc::new(Mutex::new(Drawn {
                began: Instant::now(),
                last: None,
            })),
        }
    }

    /// Whoever is told by the archive; none where nobody looks.
    pub(super) fn watch(&self) -> Option<Watch> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let drawn = self.drawn.clone();
        Some(Arc::new(move |step: &Step| {
            let mut drawn = drawn.lock().unwrap_or_else(PoisonError::into_inner);
            let due = drawn.last.is_none_or(|last| last.elapsed() >= EVERY);
            if drawn.began.elapsed() >= SILENT && due {
                drawn.last = Some(Instant::now());
                eprint!("\r{}\x1b[K", line(step));
                let _nobody_looks = std::io::stderr().flush();
            }
        }))
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        let drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.last.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

fn line(step: &Step) -> String {
    let amount = |n: u64| if step.bytes { bytes(n as f64) } else { count(n) };
    let Some(of) = step.of.filter(|of| *of > 0) else {
        return match step.done {
            0 => step.what.clone(),
            done => format!("{} {}", step.what, amount(done)),
        };
    };
    let done = step.done.min(of);
    let filled = usize::try_from(done.saturating_mul(CELLS as u64) / of).unwrap_or(CELLS);
    let bar = format!("{}{}", "#".repeat(filled), "-".repeat(CELLS - filled.min(CELLS)));
    format!("{} [{bar}] {} of {}", step.what, amount(done), amount(of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_it_is() {
        let check = |done, of, bytes, expect: &str| {
            let step = Step {
                what: "backing up".into(),
                done,
                of,
                bytes,
                ended: false,
            };
            assert_eq!(line(&step), expect);
        };
        check(0, None, true, "backing up");
        check(7, None, false, "backing up 7");
        check(
            1024,
            Some(2048),
            true,
            "backing up [############------------] 1 KiB of 2 KiB",
        );
        check(9, Some(3), false, "backing up [########################] 3 of 3");
    }
}
