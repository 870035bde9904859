//! When the command ended and the prompt began, and what the prompt spent its time on.
//!
//! Bash tells nobody when a command ends. But it looks `PROMPT_COMMAND` up right then, and `PS1` just before it
//! expands it, and a shell variable may carry a function that is called when it is looked up (that is how `$SECONDS`
//! works). LLE hangs such a function on both: it stamps the time and gives the variable back unchanged. Nothing
//! that the user can see changes; assigning, unsetting or redeclaring the variable merely ends the stamping until the
//! next prompt hangs it on again.
//!
//! Invariant: a variable that has a function of its own, or does not look like bash's structure, is left alone.

use crate::abi::ShellVar;
use crate::attribution::names::commands;
use crate::attribution::ps1::substitutions;
use crate::attribution::table::Name;
use crate::prompt_command;
use crate::prompt_text::Private;
use crate::symbols::Bash;
use crate::{attribution, clock};
use libc::c_int;
use lle_metrics::PartKind;
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

static COMMAND_LOOKED_UP: AtomicU64 = AtomicU64::new(0);
/// Bash looked up `PROMPT_COMMAND` since the last command: what LLE runs of the configuration's stamps the time as well.
static COMMAND_SEEN: AtomicBool = AtomicBool::new(false);
static PS1_LOOKED_UP: AtomicU64 = AtomicU64::new(0);

/// The stamps of one round from Enter to the next prompt, in ns of [`clock::now`]; 0 means not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PromptClock {
    /// When the last line was accepted.
    pub(crate) accepted: u64,
}

/// How the time from Enter to the prompt was spent, in ns; `None` where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// The command itself.
    pub(crate) command: Option<u64>,
    /// From the command's end to the prompt on the screen.
    pub(crate) prompt: Option<u64>,
    /// Of that, `PROMPT_COMMAND`.
    pub(crate) prompt_command: Option<u64>,
    /// Of that, the expansion of `PS1`.
    pub(crate) expand: Option<u64>,
}

/// `sh_var_value_func_t`.
type Dynamic = unsafe extern "C-unwind" fn(*mut ShellVar) -> *mut ShellVar;

unsafe extern "C-unwind" fn stamp_command(v: *mut ShellVar) -> *mut ShellVar {
    let now = clock::now();
    match by_bash_itself() {
        // The last one is the prompt's: a command such as `echo $PROMPT_COMMAND` looks it up, too.
        Some(true) => COMMAND_LOOKED_UP.store(now, Ordering::Relaxed),
        Some(false) => return v,
        None => drop(COMMAND_LOOKED_UP.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed)),
    }
    COMMAND_SEEN.store(true, Ordering::Relaxed);
    crate::doubt::prompt_is_made();
    attribution::command_looked_up(now);
    v
}

unsafe extern "C-unwind" fn stamp_ps1(v: *mut ShellVar) -> *mut ShellVar {
    if by_bash_itself() == Some(true) && !attribution::is_quiet() && prompt_command::is_due() {
        let began = clock::now();
        let _first = COMMAND_LOOKED_UP.compare_exchange(0, began, Ordering::Relaxed, Ordering::Relaxed);
        attribution::command_goes_on(began);
        // It may not come back, and may have set or unset the variable.
        prompt_command::run();
        return prompt_command::find_again(v);
    }
    // The last look-up before the prompt is the one that expands it: PROMPT_COMMAND may read PS1 as well.
    let now = clock::now();
    PS1_LOOKED_UP.store(now, Ordering::Relaxed);
    if by_bash_itself() == Some(false) {
        return v;
    }
    crate::doubt::prompt_is_made();
    let given = put_off(v);
    // What putting parts off takes is none of PS1's.
    attribution::ps1_looked_up(if given.is_some() { clock::now() } else { now });
    given.unwrap_or(v)
}

/// What bash is to expand instead of PS1, if parts of it are put off.
fn put_off(v: *mut ShellVar) -> Option<*mut ShellVar> {
    if attribution::is_quiet() || by_bash_itself() != Some(true) {
        return None;
    }
    // Bash runs, so nobody holds a borrow; and what is put off is never worth a panic.
    let put_off = || {
        attribution::quietly(|| {
            // SAFETY: bash looks its variable up.
            crate::lle::state().and_then(|lle| unsafe { lle.put_off(v) })
        })
    };
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(put_off));
    caught.unwrap_or_else(|_| {
        attribution::panicked();
        let tell = || {
            if let Some(lle) = crate::lle::state() {
                lle.session.panicked("putting parts of the prompt off");
                lle.session.notice(format!(
                    "lusush: an error in LLE while putting parts of the prompt off: {}. This prompt waited for them",
                    crate::panics::last()
                ));
            }
        };
        // Whatever comes of telling: bash gets its PS1.
        let _told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(tell));
        None
    })
}

/// Where bash counts the texts it is executing: `eval`, a sourced file, an entry of `PROMPT_COMMAND`.
static EXECUTE_LEVEL: AtomicPtr<c_int> = AtomicPtr::new(std::ptr::null_mut());

/// Whether no text is being executed, so that bash may be making a prompt; `None` if this bash does not tell.
fn by_bash_itself() -> Option<bool> {
    // SAFETY: null or a variable of bash's.
    unsafe { EXECUTE_LEVEL.load(Ordering::Relaxed).as_ref() }.map(|level| *level == 0)
}

/// Hangs the stamps on both variables, where they are not.
pub(crate) fn hang(bash: &Bash) {
    let level = bash.execute_level.unwrap_or(std::ptr::null_mut());
    EXECUTE_LEVEL.store(level, Ordering::Relaxed);
    change(bash, |_| None, Some);
}

/// Takes the stamps off.
pub(crate) fn take_off(bash: &Bash) {
    change(bash, Some, |_| None);
}

/// Gives each variable whose function is what `from` says the one that `to` says.
fn change(bash: &Bash, from: fn(Dynamic) -> Option<Dynamic>, to: fn(Dynamic) -> Option<Dynamic>) {
    let Some(find) = bash.find_variable else { return };
    let both = [
        (c"PROMPT_COMMAND", stamp_command as Dynamic),
        (c"PS1", stamp_ps1 as Dynamic),
    ];
    for (name, stamp) in both {
        let address = |function: Option<Dynamic>| function.map(|f| f as usize);
        // SAFETY: find_variable gives null or a variable of bash's; its first fields are checked against what else is
        // known of it before anything is written.
        attribution::quietly(|| unsafe {
            let v = find(name.as_ptr());
            if !v.is_null() && is_variable(v, name) && address((*v).dynamic_value) == address(from(stamp)) {
                (*v).dynamic_value = to(stamp);
            }
        });
    }
}

/// True if the memory looks like the variable of that name.
///
/// # Safety
/// `v` points to a `SHELL_VAR` of the running bash.
pub(crate) unsafe fn is_variable(v: *mut ShellVar, name: &CStr) -> bool {
    // SAFETY: the first field of a SHELL_VAR has been its name in every release LLE loads into.
    unsafe { !(*v).name.is_null() && CStr::from_ptr((*v).name) == name }
}

impl PromptClock {
    /// A line was accepted: what was stamped until now belongs to the past.
    pub(crate) fn accepted(&mut self, now: u64) {
        self.accepted = now;
        COMMAND_LOOKED_UP.store(0, Ordering::Relaxed);
        COMMAND_SEEN.store(false, Ordering::Relaxed);
        PS1_LOOKED_UP.store(0, Ordering::Relaxed);
    }

    /// Whether the prompt that is about to be shown was timed from the look-up of `PROMPT_COMMAND` on.
    pub(crate) fn has_command() -> bool {
        COMMAND_SEEN.load(Ordering::Relaxed)
    }

    /// The prompt is about to be shown.
    pub(crate) fn prompt(&mut self, now: u64) -> Spent {
        let stamps = (
            COMMAND_LOOKED_UP.load(Ordering::Relaxed),
            PS1_LOOKED_UP.load(Ordering::Relaxed),
        );
        spent(std::mem::take(&mut self.accepted), stamps.0, stamps.1, now)
    }
}

/// Divides the time between Enter and the prompt; a stamp of 0 is unknown.
fn spent(accepted: u64, command_looked_up: u64, ps1_looked_up: u64, now: u64) -> Spent {
    let after = |t: u64| (t != 0 && t >= accepted && t <= now).then_some(t);
    let (command_end, ps1) = (after(command_looked_up), after(ps1_looked_up));
    let end = command_end.or(ps1);
    Spent {
        command: end.filter(|_| accepted != 0).map(|t| t - accepted),
        prompt: end.map(|t| now - t),
        prompt_command: command_end.zip(ps1).and_then(|(c, p)| p.checked_sub(c)),
        expand: ps1.map(|p| now - p),
    }
}

/// What a prompt's time is likely spent in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Blame {
    /// The functions and programs of the slower part, separated by commas.
    pub(crate) names: Vec<u8>,
    /// What they took together, in ns: the slower part's time.
    pub(crate) ns: Option<u64>,
}

/// Names what took the most, as far as it was seen: a function, a command. Where nothing was, it names what the slower
/// of `PROMPT_COMMAND` and `PS1` runs by its text: all of it, since which of several took the time is not known.
///
/// What nobody may see is not named.
pub(crate) fn blame(bash: &Bash, spent: &Spent, divided: bool, private: Private) -> Blame {
    let in_ps1 = spent.expand.unwrap_or(0) >= spent.prompt_command.unwrap_or(0);
    if if in_ps1 { private.ps1 } else { private.command } {
        return Blame::default();
    }
    let ns = if in_ps1 {
        spent.expand
    } else {
        spent.prompt_command
    };
    let of_ps1 = |kind| {
        matches!(
            kind,
            PartKind::Substitution | PartKind::Joint | PartKind::Expanded
        )
    };
    let slowest = divided.then(|| {
        attribution::with_parts(|parts| {
            let row = parts.slowest(|kind| of_ps1(kind) == in_ps1);
            row.filter(|row| row.ns >= ns.unwrap_or(0) / 2).copied()
        })
    });
    if let Some(row) = slowest.flatten().flatten() {
        return Blame {
            names: row.name.bytes().to_vec(),
            ns: Some(row.ns),
        };
    }
    let name = if in_ps1 { c"PS1" } else { c"PROMPT_COMMAND" };
    let text = attribution::quietly(|| bash.variable(name)).unwrap_or_default();
    let names = if in_ps1 {
        names_in(text)
    } else {
        commands(text, BLAME_MAX)
    };
    Blame {
        ns: ns.filter(|_| !names.is_empty()),
        names,
    }
}

/// Bytes kept of the names blamed.
const BLAME_MAX: usize = 64;

/// The first words of the commands run by `$(…)` and `` `…` `` in a prompt, separated by commas.
fn names_in(prompt: &[u8]) -> Vec<u8> {
    let mut found = [Name::default(); NAMES_MAX];
    let n = substitutions(prompt, &mut found);
    let mut out = Vec::new();
    for name in found.iter().take(n) {
        let first = name.bytes().split(|b| *b == b' ').next().unwrap_or_default();
        if !first.is_empty() && out.len() + first.len() < BLAME_MAX {
            if !out.is_empty() {
                out.push(b',');
            }
            out.extend_from_slice(first);
        }
    }
    out
}

/// Commands of one prompt that are named.
const NAMES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divides_the_time() {
        let check = |stamps: (u64, u64, u64, u64), expect: [Option<u64>; 4]| {
            let s = spent(stamps.0, stamps.1, stamps.2, stamps.3);
            assert_eq!(
                [s.command, s.prompt, s.prompt_command, s.expand],
                expect,
                "{stamps:?}"
            );
        };
        check((100, 150, 180, 200), [Some(50), Some(50), Some(30), Some(20)]);
        check((100, 0, 180, 200), [Some(80), Some(20), None, Some(20)]);
        check((100, 0, 0, 200), [None; 4]);
        check((100, 90, 180, 200), [Some(80), Some(20), None, Some(20)]);
        check((0, 0, 180, 200), [None, Some(20), None, Some(20)]);
    }

    #[test]
    fn names_what_a_prompt_runs() {
        let check = |prompt: &str, expect: &str| {
            assert_eq!(
                String::from_utf8_lossy(&names_in(prompt.as_bytes())),
                expect,
                "{prompt}"
            );
        };
        check(r"\u@\h:\w$(__git_ps1 ' (%s)')\$ ", "__git_ps1");
        check("`date` $(kube-ps1)> ", "date,kube-ps1");
        check("$((1+2)) \\$(no) ", "");
        check("$ ", "");
        check("$( ", "");
    }
}
