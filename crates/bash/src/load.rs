//! Loading and unloading: what bash calls after `dlopen`, and whether LLE takes part at all.
//!
//! Invariant: declining is quiet where readline alone is right (no terminal, a dumb one, an editor's shell buffer) and
//! one sentence where something is missing; loading succeeds either way, so that no start-up file fails of it.

use crate::lle::{self, Lle};
use crate::places::Places;
use crate::session::Session;
use crate::symbols::Bash;
use crate::{hooks, panics, rounds};
use libc::{c_char, c_int};
use std::ffi::CStr;

/// Terminals that rewrap what they show when their width changes, by the variable they set. The others keep rows as
/// they are, and wiping by the wrong rule would take the user's output.
const REFLOWING: &[&CStr] = &[
    c"TMUX",
    c"VTE_VERSION",
    c"KITTY_WINDOW_ID",
    c"WEZTERM_PANE",
    c"ALACRITTY_WINDOW_ID",
    c"ALACRITTY_SOCKET",
    c"ITERM_SESSION_ID",
    c"KONSOLE_VERSION",
    c"WT_SESSION",
    c"GHOSTTY_RESOURCES_DIR",
];

/// Set in the shell, not in its children: another copy of LLE is loaded already.
const LOADED: &CStr = c"LLE_VERSION";

/// Why LLE leaves the terminal to readline.
#[derive(Debug, PartialEq, Eq)]
enum Decline {
    /// Readline alone is right here.
    Quietly(&'static str),
    /// Something is not as it should be.
    Saying(&'static str),
}

/// Bash calls this after `enable -f`; 1 means success.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn lle_builtin_load(_: *const c_char) -> c_int {
    let loaded = std::panic::catch_unwind(load);
    if loaded.is_err() {
        lle::write_all(2, b"lusush: LLE could not start; readline paints\n");
    }
    1
}

/// Bash calls this at `enable -d lle`; the code stays mapped (`-z nodelete`).
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn lle_builtin_unload(_: *const c_char) {
    let _ = std::panic::catch_unwind(hooks::unhook);
}

fn load() {
    if lle::state().is_some() {
        hooks::arm();
        return;
    }
    let bash = match Bash::find() {
        Ok(bash) => bash,
        Err(missing) => {
            let text = format!(
                "lusush: this bash does not export {}; readline paints. `lusush doctor` tells more\n",
                missing.join(", ")
            );
            lle::write_all(2, text.as_bytes());
            return;
        }
    };
    if bash.variable(LOADED).is_some() {
        return;
    }
    panics::keep();
    let codeset = codeset();
    let decline = decline(&bash, &codeset);
    let version = text_of(bash.variable(c"BASH_VERSION"));
    let reflows = REFLOWING
        .iter()
        .any(|name| bash.variable(name).is_some_and(|v| !v.is_empty()));
    let session = Session::begin(Places::of(&bash), &tty_name(), &version, reflows);
    let theme = lle::theme_from_environment(&bash);
    lle::install(Lle::new(bash, session, theme, codeset == "UTF-8"));
    if let Some(bind) = bash.bind_variable {
        // SAFETY: bash copies both strings.
        unsafe { bind(LOADED.as_ptr(), VERSION.as_ptr().cast_mut(), 0) };
    }
    // SAFETY: registers a function that lives as long as the process.
    unsafe { libc::atexit(rounds::at_exit) };
    if let Some(lle) = lle::state() {
        lle.session.settings(&lle.settings);
        lle.declined = decline.as_ref().map(|d| match d {
            Decline::Quietly(why) | Decline::Saying(why) => *why,
        });
    }
    match decline {
        None => hooks::arm(),
        Some(Decline::Quietly(_)) => {}
        Some(Decline::Saying(why)) => {
            lle::write_all(2, format!("lusush: {why}; readline paints\n").as_bytes());
            hooks::hook();
        }
    }
}

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(v) => v,
    Err(_) => c"unknown",
};

fn decline(bash: &Bash, codeset: &str) -> Option<Decline> {
    // SAFETY: isatty only asks.
    let terminal = unsafe { libc::isatty(0) == 1 && libc::isatty(2) == 1 };
    // TERM is read from bash: the start-up files may just have set it.
    let term = text_of(bash.variable(c"TERM"));
    let emacs = bash
        .variable(c"INSIDE_EMACS")
        .is_some_and(|v| !v.ends_with(b"vterm") && v != b"vterm");
    if !terminal {
        return Some(Decline::Quietly("this is no terminal"));
    }
    if term.is_empty() || term == "dumb" || emacs {
        return Some(Decline::Quietly("this terminal cannot move its cursor"));
    }
    match codeset {
        "UTF-8" | "ANSI_X3.4-1968" => None,
        _ => Some(Decline::Saying("LLE paints UTF-8 and ASCII locales only")),
    }
}

fn text_of(value: Option<&[u8]>) -> String {
    String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
}

/// The locale's character set.
fn codeset() -> String {
    // SAFETY: nl_langinfo gives a nul-terminated string of the C library's.
    let p = unsafe { libc::nl_langinfo(libc::CODESET) };
    // SAFETY: as above.
    String::from_utf8_lossy(unsafe { crate::readline::text(p) }).into_owned()
}

fn tty_name() -> String {
    let mut name = [0 as c_char; 128];
    // SAFETY: the buffer is as long as said; the result is nul-terminated if the call succeeds.
    unsafe {
        if libc::ttyname_r(0, name.as_mut_ptr(), name.len()) == 0 {
            text_of(Some(crate::readline::text(name.as_ptr())))
        } else {
            String::new()
        }
    }
}
