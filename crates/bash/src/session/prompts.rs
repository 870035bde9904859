//! Prompts and commands: how the last one went, what it was spent on, and what is being typed.

use super::Session;
use crate::attribution;
use crate::clock;
use crate::file_size::as_error;
use crate::prompt_clock::{Blame, Spent};
use crate::prompt_text::MayChange;
use lle_core::shown::command_line;
use lle_metrics::prompts::LOOKS_BITS;
use lle_metrics::{Counter, Draft, EventKind, Gauge, Parted, Stage, Timer};

/// A prompt slower than this is an event: a person notices 100 ms.
const SLOW_PROMPT_NS: u64 = 100_000_000;

impl Session {
    /// A prompt is about to be shown: tells how the last command and the prompt went. True at the first.
    pub(crate) fn prompt(&mut self, spent: Spent, status: i32, blame: &Blame) -> bool {
        self.keep_registered();
        let first = !std::mem::replace(&mut self.reached_prompt, true);
        let since_load = clock::now().saturating_sub(self.loaded_at);
        let known = |ns: Option<u64>| ns.map_or(i64::MIN, u64::cast_signed);
        self.flight.update(|w| {
            if first {
                w.time(Timer::Start, since_load);
                w.event(EventKind::Started, 0, since_load.cast_signed(), b"");
            }
            for (timer, ns) in [
                (Timer::Command, spent.command),
                (Timer::Prompt, spent.prompt.filter(|_| !first)),
                (Timer::PromptCommand, spent.prompt_command.filter(|_| !first)),
                (Timer::PromptExpand, spent.expand.filter(|_| !first)),
            ] {
                if let Some(ns) = ns {
                    w.time(timer, ns);
                }
            }
            w.set(Gauge::PromptLastNs, known(spent.prompt));
            w.set(Gauge::PromptCommandLastNs, known(spent.prompt_command));
            w.set(Gauge::PromptExpandLastNs, known(spent.expand));
            w.set(Gauge::LastStatus, i64::from(status));
            w.set(Gauge::CommandRunning, 0);
            w.prompt_blame(&blame.names);
            w.set(Gauge::PromptBlameNs, known(blame.ns));
            if let Some(ns) = spent.prompt.filter(|ns| *ns > SLOW_PROMPT_NS && !first) {
                w.event(EventKind::SlowPrompt, 0, ns.cast_signed(), &blame.names);
            }
        });
        first
    }

    /// A prompt was timed from its beginning: it is one to compare others with. `folder` is the number of the one it is
    /// shown in.
    pub(crate) fn prompt_timed(&self, spent: Spent, folder: u64) {
        if let Some(ns) = spent.prompt {
            self.flight
                .update(|w| w.prompt_divided(folder, ns, spent.prompt_command));
        }
    }

    /// What runs beside the prompt and is not timed: hardly ever another than at the prompt before.
    pub(crate) fn runs_unseen(&mut self, what: i64) {
        if self.unseen.replace(what) != Some(what) {
            self.flight.update(|w| w.set(Gauge::PromptUnseen, what));
        }
    }

    /// The shell had been there for so long when LLE was loaded.
    pub(crate) fn loaded_after(&self, ns: u64) {
        self.flight
            .update(|w| w.set(Gauge::StartBeforeNs, ns.cast_signed()));
    }

    /// What LLE and the configuration's own command took of a prompt, if it is not the first; and what a prompt, or the
    /// start, took in all and was spent on, if that was divided: on the parts, and on what LLE itself did.
    pub(crate) fn prompt_took(
        &self,
        own_ns: Option<u64>,
        divided: Option<(Parted, u64)>,
        own: &[(&'static str, u64)],
    ) {
        self.flight.update(|w| {
            if let Some(own_ns) = own_ns {
                w.stage(Stage::PromptOwn, own_ns);
            }
            if let Some((of, whole_ns)) = divided {
                attribution::with_parts(|parts| w.parts(of, whole_ns, parts.parts(own)));
            }
        });
    }

    /// The flight file can vanish with its folder, or be closed by a script: then another is made.
    fn keep_registered(&mut self) {
        if !(self.flight.is_shared() && self.flight.still_registered()) {
            self.register_again();
        }
    }

    /// The worker serves another runtime folder: the flight file goes there, and lines that were being typed in sessions that
    /// were killed there are kept.
    pub(crate) fn go_where_served(&mut self) {
        self.register_again();
        if self.flight.is_shared() && self.flight.still_registered() {
            // Where it cannot go it stays, and is seen there.
            self.flight_problem = None;
        }
        self.has_others = true;
        self.take_drafts_over();
    }

    fn register_again(&mut self) {
        let made = self.places.sessions().and_then(|dir| {
            let made = as_error(|| self.flight.rehome(&dir));
            made.map_err(|e| super::with_causes(&e))
        });
        match made {
            Err(problem) => self.flight_problem = Some(problem),
            // Without memory to record in there is nothing to register.
            Ok(()) if !self.flight.is_shared() => {}
            Ok(()) => {
                self.flight_problem = None;
                let memory_only = i64::from(self.log_problem.is_some());
                self.flight.update(|w| {
                    w.set(Gauge::MemoryOnly, memory_only);
                    w.event(EventKind::Rehomed, 0, 0, b"");
                });
            }
        }
    }

    /// A command was accepted and is about to run. `kept`: it may be seen by others.
    pub(crate) fn command_begins(&mut self, line: &[u8], kept: bool) {
        self.flight.update(|w| {
            w.add(Counter::Commands, 1);
            w.set(Gauge::CommandRunning, 1);
            w.set(Gauge::CommandStartedWallNs, clock::wall());
            w.last_command(if kept { line } else { b"" });
            w.draft(b"", Draft::Kept);
        });
    }

    /// A command may have changed what makes the prompt. `by` is what ran, empty if nobody may see it.
    ///
    /// What is told of it stays as long as the session lives, where no scrub of the history reaches it: so no more than
    /// may be shown anywhere, without options and values.
    pub(crate) fn prompt_changed(&mut self, by: &[u8], changed: MayChange) {
        let by = command_line(&String::from_utf8_lossy(by));
        self.text_changes += i64::from(changed.texts);
        self.looks_alone = self.looks_alone << 1 & ((1 << LOOKS_BITS) - 1) | i64::from(changed.looks_alone);
        let (text_changes, looks_alone) = (self.text_changes, self.looks_alone);
        self.flight.update(|w| {
            w.set(Gauge::PromptTextChanges, text_changes);
            w.set(Gauge::PromptLooksAlone, looks_alone);
            w.add(Counter::PromptChanges, 1);
            w.prompt_change(by.as_bytes());
            w.event(EventKind::PromptChanged, 0, 0, by.as_bytes());
        });
    }

    /// The line was given up: Ctrl-C, end of file.
    pub(crate) fn line_dropped(&mut self) {
        self.flight.update(|w| w.draft(b"", Draft::Kept));
    }
}
