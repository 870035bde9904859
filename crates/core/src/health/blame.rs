//! Which part of a slow prompt is slow.

use lle_metrics::{Gauge, Timer};

use super::sample::Window;
use crate::quantity::duration;
use crate::shown::harmless;

/// Characters shown of the names blamed: the command of a finding's title fits one row of 80 columns with them.
const NAMES_CHARS_MAX: usize = 40;

/// Names the part that took at least half of the last prompt: "of it 300 ms in PROMPT_COMMAND (sleep)"; none if there
/// is no such part or the session does not tell.
///
/// `mean_ns` is what the finding says of the last prompts. Where the last one took something else, that is said first:
/// a part that is larger than its whole would make nobody the wiser.
pub(super) fn part(window: &Window, mean_ns: f64) -> Option<String> {
    let last = |gauge: Gauge, timer: Timer| {
        let gauge = window.gauge(gauge).and_then(|ns| u64::try_from(ns).ok());
        gauge.or_else(|| window.recent(timer).map(|recent| recent.mean()))
    };
    let whole = last(Gauge::PromptLastNs, Timer::Prompt)?;
    let command = window.gauge(Gauge::PromptCommandLastNs);
    let expand = window.gauge(Gauge::PromptExpandLastNs);
    let known = |ns: Option<i64>| ns.and_then(|ns| u64::try_from(ns).ok()).unwrap_or(0);
    let (name, ns) = if known(command) >= known(expand) {
        ("PROMPT_COMMAND", known(command))
    } else {
        ("PS1", known(expand))
    };
    if ns == 0 || ns < whole / 2 {
        return None;
    }
    let apart = (whole as f64 - mean_ns).abs() > mean_ns / 10.0;
    let of = match apart {
        true => format!("of the last one's {}", duration(whole as f64)),
        false => "of it".to_owned(),
    };
    let took = duration(ns as f64);
    let names = harmless(first_words(window.blame()), NAMES_CHARS_MAX);
    Some(if names.is_empty() {
        format!("{of} {took} in {name}")
    } else {
        format!("{of} {took} in {name} ({names})")
    })
}

/// Names as a session gives them, of a variable's text only its first word.
fn first_words(names: &[u8]) -> &[u8] {
    let names = names.trim_ascii();
    let end = names.iter().position(|byte| b" \t\n;".contains(byte));
    end.and_then(|end| names.get(..end)).unwrap_or(names)
}
