//! What the launcher tells LLE at start, by verbs that are not for people.

use super::{FAILED, OK, USAGE, Verb};
use crate::configured;
use crate::lle::Lle;
use libc::c_int;
use lle_metrics::Gauge;

/// A HISTFILE smaller than this holds fewer commands than bash's list has room for out of the box.
const LARGE_FILE: u64 = 1 << 20;
/// What bash takes if nobody says, once the start-up files have run.
const HISTSIZE_DEFAULT: &[u8] = b"500";

/// Words the launcher and LLE itself use; not for people, so not in the help.
pub(super) const INTERNAL: &[Verb] = &[
    Verb {
        name: "reads",
        arguments: "ROWS",
        about: "the last start-up file is read so many rows below; 0 if there is none",
        run: reads,
    },
    Verb {
        name: "start",
        arguments: "DIR",
        about: "where to say that a prompt was reached",
        run: start,
    },
    Verb {
        name: "program",
        arguments: "FILE",
        about: "the launcher, which is the program of this session",
        run: program,
    },
    Verb {
        name: "instead",
        arguments: "FILE COPY",
        about: "what `source` reads, at a start with what last worked",
        run: instead,
    },
    Verb {
        name: "login",
        arguments: "",
        about: "this is a login shell",
        run: login,
    },
    Verb {
        name: "safe",
        arguments: "",
        about: "go by what is built in, and by what the machine has locked",
        run: safe,
    },
    Verb {
        name: "leave-out",
        arguments: "",
        about: "do not run the command that is configured for before prompts",
        run: leave_out,
    },
    Verb {
        name: "notice",
        arguments: "TEXT",
        about: "say this above the next prompt",
        run: notice,
    },
];

fn reads(_: &mut Lle, args: &[String], _: &mut String) -> c_int {
    let Some(Ok(rows)) = args.first().map(|rows| rows.parse()) else {
        return USAGE;
    };
    match rows {
        0 => crate::rounds::start_up_files_are_read(),
        rows => crate::attribution::last_file_is_read_below(rows),
    }
    OK
}

fn start(lle: &mut Lle, args: &[String], _: &mut String) -> c_int {
    lle.round.start_dir = args.first().map(std::path::PathBuf::from);
    if let Some(dir) = &lle.round.start_dir {
        crate::attribution::trace_start(dir);
        crate::replaced::watch(&lle.bash, dir);
    }
    // Without hooks LLE sees no prompt and cannot tell of one: then the launcher must not wait for it.
    if lle.hooks.hooked() { OK } else { FAILED }
}

fn program(lle: &mut Lle, args: &[String], _: &mut String) -> c_int {
    lle.round.program = args.first().map(std::path::PathBuf::from);
    OK
}

fn instead(lle: &mut Lle, args: &[String], _: &mut String) -> c_int {
    let [from, to] = args else { return USAGE };
    crate::instead::read(&lle.bash, from.as_ref(), to.as_ref());
    OK
}

fn login(lle: &mut Lle, _: &[String], _: &mut String) -> c_int {
    if let Some(login) = lle.bash.login_shell {
        // SAFETY: bash's own flag, which `shopt login_shell`, `logout` and ~/.bash_logout go by.
        unsafe { *login = 1 }
    }
    OK
}

fn safe(lle: &mut Lle, _: &[String], _: &mut String) -> c_int {
    lle.configure_safely();
    OK
}

fn leave_out(lle: &mut Lle, _: &[String], _: &mut String) -> c_int {
    lle.leave_prompt_command_out();
    OK
}

fn notice(lle: &mut Lle, args: &[String], _: &mut String) -> c_int {
    lle.session.notice(args.join(" "));
    OK
}

/// Holds bash's own list to `history.list_max` before bash loads a large HISTFILE. What the file keeps stays the user's
/// choice: `HISTFILESIZE` is set to what `HISTSIZE` would have made it.
pub(crate) fn cap_list(lle: &Lle) {
    let bash = &lle.bash;
    let Some(bind) = bash.bind_variable else {
        return;
    };
    let size = bash.variable(c"HISTSIZE").unwrap_or(HISTSIZE_DEFAULT);
    let most = lle.configured.list_max(bash);
    // A command takes two bytes at least.
    let large_file = if most < configured::LIST_MAX_DEFAULT {
        2 * most
    } else {
        LARGE_FILE
    };
    lle.session
        .record(|w| w.set(Gauge::HistoryListCap, most.cast_signed()));
    let large = bash.variable(c"HISTFILE").is_some_and(|f| {
        use std::os::unix::ffi::OsStrExt;
        std::fs::metadata(std::ffi::OsStr::from_bytes(f)).is_ok_and(|m| m.len() > large_file)
    });
    let asked = std::str::from_utf8(size).ok().and_then(|s| s.parse::<u64>().ok());
    if !large || asked.is_some_and(|n| n <= most) {
        return;
    }
    let Ok(original) = std::ffi::CString::new(size) else {
        return;
    };
    let cap = std::ffi::CString::new(most.to_string()).unwrap_or_default();
    // SAFETY: bash copies both strings; setting these runs bash's own checks for them.
    unsafe {
        if bash.variable(c"HISTFILESIZE").is_none() {
            bind(c"HISTFILESIZE".as_ptr(), original.as_ptr().cast_mut(), 0);
        }
        bind(c"HISTSIZE".as_ptr(), cap.as_ptr().cast_mut(), 0);
    }
}
