//! Other sessions' commands in bash's own history list, so that Up, Ctrl-R, `history` and `fc` find them.
//!
//! They are put before this session's own commands: `!!` and the first Up stay one's own, and the count of own
//! lines, from which bash decides what to append to HISTFILE at exit, stays right: bash never writes what another
//! session ran.
//!
//! Invariant: the last `history_lines_this_session` entries of the list are this session's, before and after.

use crate::abi::HistEntry;
use crate::symbols::Bash;
use lle_log::history::{Command, squeezed};
use std::collections::HashSet;
use std::ffi::CString;

/// Entries looked through for duplicates at start: beyond, a command is far enough away to be listed twice.
const LOOKED_AT_MAX: usize = 10_000;

/// Puts commands, oldest first, into the list before the session's own.
pub(crate) fn add(bash: &Bash, commands: &[Command]) {
    // A place that readline keeps from one line to the next, for `C-o`, stays where it is.
    if commands.is_empty() {
        return;
    }
    for command in commands {
        add_one(bash, command);
    }
    if let Some(using_history) = bash.using_history {
        // SAFETY: sets the list's place to its end, as bash does after every change.
        unsafe { using_history() }
    }
}

/// Puts in what the log knows and the list does not: what a killed session never wrote to HISTFILE.
pub(crate) fn add_missing(bash: &Bash, commands: &[Command]) {
    if commands.is_empty() {
        return;
    }
    let known: HashSet<Vec<u8>> = entries(bash)
        .iter()
        .rev()
        .take(LOOKED_AT_MAX)
        // SAFETY: the list's entries are valid while nothing is added to it.
                .map(|e| squeezed(unsafe { crate::readline::text((**e).line) }))
        .collect();
    let missing: Vec<Command> = commands
        .iter()
        .filter(|c| !known.contains(&squeezed(&c.command)))
        .cloned()
        .collect();
    add(bash, &missing);
}

/// The newest entry.
pub(crate) fn newest(bash: &Bash) -> Option<Vec<u8>> {
    // SAFETY: as in add_missing(); the text is copied.
    entries(bash)
        .last()
        .map(|e| unsafe { crate::readline::text((**e).line) }.to_vec())
}

/// Bash's list, oldest first; valid while nothing is added to it.
pub(crate) fn entries(bash: &Bash) -> &'static [*mut HistEntry] {
    let (Some(list), Some(length)) = (bash.history_list, bash.history_length) else {
        return &[];
    };
    // SAFETY: history_list gives null or an array of history_length entries.
    unsafe {
        let list = list();
        let n = usize::try_from(*length).unwrap_or(0);
        if list.is_null() {
            &[]
        } else {
            std::slice::from_raw_parts(list, n)
        }
    }
}

fn add_one(bash: &Bash, command: &Command) {
    let (Some(add_history), Some(list), Some(length)) =
        (bash.add_history, bash.history_list, bash.history_length)
    else {
        return;
    };
    let Ok(line) = CString::new(command.command.as_slice()) else {
        return;
    };
    // SAFETY: readline's own functions on its own list; the array is read again after each, since adding may move it.
    unsafe {
        let (stifled, most) = (
            bash.history_stifled.is_some_and(|f| f() != 0),
            bash.history_max.map_or(i32::MAX, |p| *p),
        );
        if stifled && most == 0 {
            return;
        }
        add_history(line.as_ptr());
        if let Some(add_time) = bash.add_history_time {
            let seconds = command.time_ns.div_euclid(1_000_000_000).max(0);
            if let Ok(stamp) = CString::new(format!("#{seconds}")) {
                add_time(stamp.as_ptr());
            }
        }
        let array = list();
        let n = usize::try_from(*length).unwrap_or(0);
        let own = bash
            .history_lines
            .map_or(0, |p| usize::try_from(*p).unwrap_or(0))
            .min(n.saturating_sub(1));
        if !array.is_null() && n > 0 && own > 0 {
            std::slice::from_raw_parts_mut(array, n)[n - 1 - own..].rotate_right(1);
        }
    }
}
