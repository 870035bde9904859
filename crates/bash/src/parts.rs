//! Parts of the user's own prompt that may be shown older: with consent, they are off the prompt's path.
//!
//! ```text
//!  PS1 is looked up ─▸ PS1 without the part ─▸ bash expands the rest ─▸ the prompt, the part's value in its place
//!         └▸ child: bash expands the part ──▸ within the wait: that value      │  otherwise the one of last time here
//!                       └────────────────────▸ later: the prompt anew, where it stands, the typed line untouched
//! ```
//!
//! Bash looks PS1 up just before it expands it, and a variable may carry a function that is called then
//! ([`crate::prompt_clock`]). For this one look-up the function gives another text; whoever else reads `$PS1` has
//! the user's own.
//!
//! The value of last time holds for the folder it was made in: in another it would lie, and the part stays empty until
//! its value comes. Nothing marks an older value; it is replaced as soon as the new one is there, and it never outlives
//! the next prompt of the same folder unseen.
//!
//! Invariants: without consent nothing is put off, and where anything is not certain PS1 stays as it is: no prompt
//! variables, tracing, readline not in use or not painted by LLE, a text of which [`text::split`] is not sure. A child
//! works for the prompt that is shown and ends with its line. The key path is not touched but for one descriptor to wait
//! on while a child works.

mod child;
mod counts;
mod fit;
mod job;
mod repaint;
mod text;

pub(crate) use child::expand;

use crate::abi::ShellVar;
use crate::cache::{Account, Cache};
use crate::clock;
use crate::lle::Lle;
use crate::symbols::Bash;
pub(crate) use counts::Counts;
use job::{Job, Leaving, VALUE_MAX};
use libc::c_int;
use std::ffi::CString;
use std::time::Duration;

/// Values kept: of a few parts, in the folders one works in.
const VALUES_MAX: usize = 64;
/// How long a prompt waits for a new value before it shows the older one, in milliseconds, unless it is set.
const WAIT_MS: u64 = 20;
/// The longest wait that can be set.
pub(crate) const WAIT_MS_MAX: u64 = 1_000;
/// Parts that are left alone for good, since they came to be too long.
const REFUSED_MAX: usize = 16;
/// Attributes of a variable that is no plain text: an array, an associative one, a reference.
const NO_TEXT: c_int = 0x4 | 0x40 | 0x800;

/// What a part came to, and when.
struct Value {
    text: Box<[u8]>,
    at: u64,
}

/// A part of the prompt that is shown.
struct Part {
    text: Vec<u8>,
    /// What its value is kept under: its text and the folder.
    key: Vec<u8>,
    /// What is shown of it.
    shown: Box<[u8]>,
    /// That is of now.
    is_new: bool,
}

/// What is put off, and what became of it.
pub(crate) struct Parts {
    consented: Vec<String>,
    /// What the user of this session chose, whatever else is said.
    chosen: Option<Vec<String>>,
    wait: Duration,
    values: Cache<Value>,
    /// The PS1 that was last looked at for what it has of what is put off, shortened to a number.
    fitted: Option<u64>,
    /// Texts of parts that were too long.
    refused: Vec<Vec<u8>>,
    /// The parts of the prompt that is shown or about to be.
    current: Vec<Part>,
    /// The prompt as bash has made it, with gaps.
    made: Vec<u8>,
    job: Option<Job>,
    leaving: Leaving,
    /// A prompt's look-up may come: a line has ended and none has begun.
    expected: bool,
    /// The prompt is there, and a value that came later is not in it.
    stale: bool,
    /// What the look-up was given, this time and the last: bash keeps the address.
    given: [CString; 2],
    stand_in: Box<ShellVar>,
    counts: Counts,
}

impl Parts {
    pub(crate) fn new() -> Self {
        Self {
            consented: Vec::new(),
            chosen: None,
            wait: Duration::from_millis(WAIT_MS),
            values: Cache::new(VALUES_MAX),
            fitted: None,
            refused: Vec::new(),
            current: Vec::new(),
            made: Vec::new(),
            job: None,
            leaving: Leaving::default(),
            expected: false,
            stale: false,
            given: Default::default(),
            stand_in: Box::new(ShellVar {
                name: std::ptr::null_mut(),
                value: std::ptr::null_mut(),
                exportstr: std::ptr::null_mut(),
                dynamic_value: None,
                assign: std::ptr::null_mut(),
                attributes: 0,
            }),
            counts: Counts::default(),
        }
    }

    /// The user of this session chose what may be put off.
    pub(crate) fn choose(&mut self, list: Vec<String>) {
        self.chosen = Some(list);
    }

    /// Goes by what the configuration says, under what was chosen here unless it is `locked`.
    pub(crate) fn go_by(&mut self, said: Option<Vec<String>>, locked: bool, wait_ms: Option<u64>) {
        let chosen = self.chosen.as_ref().filter(|_| !locked).cloned();
        self.consent(chosen.or(said).unwrap_or_default());
        self.wait = Duration::from_millis(wait_ms.unwrap_or(WAIT_MS));
    }

    /// These parts are put off, and no others.
    fn consent(&mut self, list: Vec<String>) {
        if list != self.consented {
            self.consented = list;
            self.fitted = None;
            self.values.forget();
            self.refused.clear();
        }
    }

    /// What may be put off.
    pub(crate) fn consented(&self) -> &[String] {
        &self.consented
    }

    /// The descriptor that a late value comes from; −1 for none.
    pub(crate) fn fd(&self) -> c_int {
        self.job.as_ref().map_or(-1, Job::fd)
    }

    /// The line is over, by whatever road: nobody waits for its prompt any more, and the next one may come.
    pub(crate) fn line_ends(&mut self) {
        self.stop();
        self.expected = true;
    }

    /// A line begins.
    pub(crate) fn line_begins(&mut self) {
        self.expected = false;
    }

    /// Ends the child.
    pub(crate) fn stop(&mut self) {
        if let Some(job) = self.job.take() {
            self.counts.given_up += 1;
            self.leaving.add(job);
        }
        self.leaving.reap();
        self.stale = false;
    }

    /// What the prompt that is shown spent on what is put off: starting the child, and waiting for it, in ns.
    pub(crate) fn spent_ns(&self) -> (u64, u64) {
        self.counts.spent_ns()
    }

    pub(crate) fn account(&self) -> Account {
        Account::of(&self.values, |value| value.text.len())
    }

    /// Takes what the child has answered; true if it has.
    fn pump(&mut self) -> bool {
        let Some(job) = self.job.as_mut() else {
            return false;
        };
        let values = job.pump();
        if !job.is_over() {
            return false;
        }
        let now = clock::now();
        let took = job.took_ns(now);
        self.counts.over(values.is_some().then_some(took));
        if let Some(job) = self.job.take() {
            self.leaving.add(job);
        }
        let Some(values) = values else { return false };
        for (part, text) in self.current.iter_mut().zip(values) {
            self.counts.came(part.shown != text);
            if text.len() > VALUE_MAX {
                refuse(&mut self.refused, &part.text);
            } else {
                self.values.keep(&part.key, || Value {
                    text: text.clone(),
                    at: now,
                });
            }
            (part.shown, part.is_new) = (text, true);
        }
        true
    }

    /// The prompt with the values as they are now.
    fn filled(&self) -> Option<Vec<u8>> {
        let values: Vec<&[u8]> = self.current.iter().map(|part| &*part.shown).collect();
        text::fill(&self.made, &values)
    }
}

impl Lle {
    /// PS1 is looked up outside of any command: gives what bash is to expand instead, if anything is put off.
    ///
    /// # Safety
    /// `ps1` is the variable of the running bash.
    pub(crate) unsafe fn put_off(&mut self, ps1: *mut ShellVar) -> Option<*mut ShellVar> {
        let bash = self.bash;
        if self.parts.consented.is_empty() {
            self.fit_nothing();
            return None;
        }
        if !self.may_put_off() || !std::mem::take(&mut self.parts.expected) {
            return None;
        }
        // SAFETY: the caller's promise; a variable that is a plain text has a nul-terminated value or null.
        let raw = unsafe {
            if (*ps1).attributes & NO_TEXT != 0 {
                return None;
            }
            crate::readline::text((*ps1).value)
        };
        self.fit(raw);
        let split = text::split(raw, &self.parts.consented)?;
        let parts = &mut self.parts;
        if split.parts.iter().any(|part| parts.refused.contains(part)) {
            return None;
        }
        parts.stop();
        if parts.leaving.is_full() {
            return None;
        }
        let text = CString::new(split.rest).ok()?;
        let job = Job::start(&bash, &split.parts)?;
        parts.counts.began(job.fork_ns);
        let folder = folder(&bash);
        parts.current = split
            .parts
            .into_iter()
            .map(|text| Part::new(text, &folder))
            .collect();
        parts.made.clear();
        parts.job = Some(job);
        parts.given.swap(0, 1);
        parts.given[0] = text;
        parts.stand_in.name = c"PS1".as_ptr().cast_mut();
        parts.stand_in.value = parts.given[0].as_ptr().cast_mut();
        Some(&raw mut *parts.stand_in)
    }

    /// Whether this is the look-up of a prompt that LLE will paint, expanded as bash's own defaults have it.
    fn may_put_off(&self) -> bool {
        let bash = &self.bash;
        let reads_first = bash.command_line_count.is_some() && bash.number(bash.command_line_count) == 0;
        self.hooks.armed()
            && self.owner == std::process::id()
            && reads_first
            && bash.decode_prompt.is_some()
            && bash.set_prompt.is_some()
            && bash.parse_and_execute.is_some()
            && bash.number(bash.variable_context) == 0
            && bash.flag(bash.promptvars)
            && bash.no_line_editing.is_some()
            && !bash.flag(bash.no_line_editing)
            && bash.traces.is_some()
            && !bash.flag(bash.traces)
    }

    /// The text that bash has expanded: PS1, or what is left of it.
    pub(crate) fn expanded_ps1<'a>(&'a self, ps1: &'a [u8]) -> &'a [u8] {
        if self.parts.made.is_empty() {
            ps1
        } else {
            self.parts.given[0].as_bytes()
        }
    }

    /// The prompt is about to be painted for the first time: its parts are put in, the new values if they come within
    /// the wait. Signals are readline's by now: one ends the wait.
    pub(crate) fn put_parts_in(&mut self) {
        let bash = self.bash;
        self.parts.line_begins();
        if self.parts.current.is_empty() || !bash.at_first_prompt() || !bash.prompt_is_own() {
            return;
        }
        let made = bash.shown_prompt();
        if text::gap(made).is_none() {
            self.parts.stop();
            self.parts.current.clear();
            self.parts.made.clear();
            return;
        }
        self.parts.made.clear();
        self.parts.made.extend_from_slice(made);
        self.wait_for_parts();
        let parts = &mut self.parts;
        let now = clock::now();
        for part in &mut parts.current {
            if part.is_new {
                parts.counts.fresh += 1;
                continue;
            }
            match parts.values.peek(&part.key) {
                Some(value) => {
                    part.shown.clone_from(&value.text);
                    parts.counts.older(now.saturating_sub(value.at));
                    parts.values.hit(&part.key);
                }
                None => parts.values.miss(&part.key),
            }
        }
        self.set_filled_prompt();
        self.parts.counts.shown();
        self.record_parts();
    }

    fn wait_for_parts(&mut self) {
        let (bash, parts) = (self.bash, &mut self.parts);
        let waited_from = clock::now();
        loop {
            parts.pump();
            let Some(job) = parts.job.as_ref() else { break };
            let left = parts.wait.saturating_sub(clock::since(job.began));
            // Where readline paints, signals are not its own yet: nothing is waited for.
            if left.is_zero() || !self.hooks.armed() || !job.wait(&bash, left) {
                break;
            }
        }
        parts.counts.waited(clock::now().saturating_sub(waited_from));
    }

    /// Gives readline the prompt with its parts; false if that is not possible.
    pub(super) fn set_filled_prompt(&mut self) -> bool {
        let filled = self.parts.filled().and_then(|text| CString::new(text).ok());
        let (Some(text), Some(set)) = (filled, self.bash.set_prompt) else {
            return false;
        };
        // SAFETY: readline copies the text; nothing is shown by this, and the prompt is its own.
        unsafe { set(text.as_ptr()) };
        true
    }

    /// The child has answered, or ended without.
    pub(crate) fn parts_came(&mut self) {
        if self.parts.pump() {
            self.parts.stale = true;
        }
        if self.parts.job.is_none() {
            self.record_parts();
        }
    }

    fn record_parts(&self) {
        let account = self.parts.account();
        self.session.record_parts(account, &self.parts.counts);
    }
}

impl Part {
    fn new(text: Vec<u8>, folder: &[u8]) -> Self {
        Self {
            key: [&text, &b"\0"[..], folder].concat(),
            text,
            shown: Box::default(),
            is_new: false,
        }
    }
}

/// Notes that a part is to be left alone; of too many the oldest is tried again.
fn refuse(refused: &mut Vec<Vec<u8>>, text: &[u8]) {
    if refused.len() == REFUSED_MAX {
        refused.remove(0);
    }
    refused.push(text.to_vec());
}

/// The folder that the shell is in: by its name, and by what the name stands for now.
fn folder(bash: &Bash) -> Vec<u8> {
    use std::os::unix::fs::MetadataExt;
    let name = bash.variable(c"PWD").unwrap_or_default();
    let id = std::fs::metadata(".").map_or((0, 0), |m| (m.dev(), m.ino()));
    [name, b"\0", &id.0.to_le_bytes(), &id.1.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_goes_before_what_is_said() {
        let list = |text: &str| vec![text.to_owned()];
        let mut parts = Parts::new();
        parts.go_by(Some(list("a")), false, Some(0));
        assert_eq!((parts.consented(), parts.wait), (&list("a")[..], Duration::ZERO));
        parts.choose(list("b"));
        parts.go_by(Some(list("a")), false, None);
        assert_eq!(parts.consented(), list("b"));
        assert_eq!(parts.wait, Duration::from_millis(WAIT_MS));
        parts.go_by(Some(list("a")), true, None);
        assert_eq!(parts.consented(), list("a"), "it is locked");
        parts.go_by(None, true, None);
        assert!(parts.consented().is_empty());
    }

    #[test]
    fn a_value_holds_in_its_folder_only() {
        let (here, there) = (
            Part::new(b"$(a)".to_vec(), b"/x"),
            Part::new(b"$(a)".to_vec(), b"/y"),
        );
        assert_ne!(here.key, there.key);
        assert_eq!(here.key, Part::new(b"$(a)".to_vec(), b"/x").key);
    }
}
