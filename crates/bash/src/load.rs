//! Loading and unloading: what bash calls after `dlopen`, and whether LLE takes part at all.
//!
//! Invariant: declining is quiet where readline alone is right (no terminal, a dumb one, an editor's shell buffer) and
//! one sentence where something is missing; loading succeeds either way, so that no start-up file fails of it.

use crate::lle::{self, Lle};
use crate::places::Places;
use crate::session::Session;
use crate::symbols::Bash;
use crate::theme::THEMES;
use crate::view::Octal;
use crate::{attribution, hooks, panics, rounds};
use libc::{c_char, c_int};
use std::ffi::{CStr, CString};

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

/// Said once, where the locale's characters are neither UTF-8 nor ASCII.
pub(crate) const OTHER_LOCALE: &str = "LLE paints UTF-8 and ASCII locales only";

/// Holds the process id of the shell in which a copy of LLE is loaded.
const LOADED: &CStr = c"LLE_LOADED";

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
    let _ = std::panic::catch_unwind(hooks::leave);
}

fn load() {
    if lle::state().is_some() {
        hooks::hook();
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
    let pid = std::process::id().to_string();
    if bash.variable(LOADED) == Some(pid.as_bytes()) {
        return;
    }
    panics::keep();
    let version = text_of(bash.variable(c"BASH_VERSION"));
    let reflows = REFLOWING
        .iter()
        .any(|name| bash.variable(name).is_some_and(|v| !v.is_empty()));
    let session = Session::begin(Places::of(&bash), &tty_name(), &version, reflows);
    lle::install(Lle::new(bash, session, &THEMES[0], codeset() == "UTF-8"));
    if let (Some(bind), Ok(pid)) = (bash.bind_variable, CString::new(pid)) {
        // SAFETY: bash copies both strings.
        unsafe { bind(LOADED.as_ptr(), pid.as_ptr().cast_mut(), 0) };
    }
    // SAFETY: registers a function that lives as long as the process.
    unsafe { libc::atexit(rounds::at_exit) };
    crate::keys::name_search(&bash);
    attribution::begin_start(bash);
    if let Some(lle) = lle::state() {
        if let Some(ns) = since_shell_began(&bash).filter(|_| attribution::is_loaded_by_file()) {
            lle.session.loaded_after(ns);
        }
        lle.begin_configured();
        lle.follow_environment();
        if !has_terminal() {
            return;
        }
        // Whether LLE paints is decided when a line begins: the start-up files have not spoken yet.
        hooks::hook();
        if lle.declined.is_none() {
            hooks::arm();
        }
    }
}

/// How long the shell has been there, by its own note; none if it keeps none, or the clock was set back.
fn since_shell_began(bash: &Bash) -> Option<u64> {
    // SAFETY: a plain read of a time that bash wrote when it began.
    let began = bash.shell_start.map(|began| unsafe { *began })?;
    let began_ns = began
        .tv_sec
        .checked_mul(1_000_000_000)?
        .checked_add(began.tv_usec.checked_mul(1_000)?)?;
    u64::try_from(crate::clock::wall().checked_sub(began_ns)?).ok()
}

fn has_terminal() -> bool {
    // SAFETY: isatty only asks.
    unsafe { libc::isatty(0) == 1 && libc::isatty(2) == 1 }
}

/// What the terminal, the locale and the user's `inputrc` say when a line begins.
pub(crate) struct Environment {
    /// Why LLE leaves the line to readline, if it does.
    pub(crate) declined: Option<&'static str>,
    /// The locale's characters are UTF-8.
    pub(crate) utf8: bool,
    pub(crate) octal: Octal,
}

pub(crate) fn environment(bash: &Bash) -> Environment {
    let codeset = codeset();
    Environment {
        declined: decline(bash, &codeset),
        utf8: codeset == "UTF-8",
        octal: match bash.number(bash.readline_version) {
            _ if bash.output_meta.is_none() || bash.flag(bash.output_meta) => Octal::Nothing,
            0x803.. => Octal::Broken,
            _ => Octal::Beyond,
        },
    }
}

fn decline(bash: &Bash, codeset: &str) -> Option<&'static str> {
    let term = bash.variable(c"TERM").unwrap_or_default();
    let emacs = bash
        .variable(c"INSIDE_EMACS")
        .is_some_and(|v| !v.ends_with(b"vterm"));
    if !has_terminal() {
        Some("this is no terminal")
    } else if term.is_empty() || term == b"dumb" || emacs {
        Some("this terminal cannot move its cursor")
    } else if bash.flag(bash.horizontal_scroll) {
        Some("horizontal-scroll-mode is on: readline shows each line in one row")
    } else if !bash.wraps() {
        Some(if bash.goes_up() {
            "this terminal does not go on in the next row by itself as LLE needs it to"
        } else {
            "this terminal cannot move its cursor up, or its TERM is not known on this machine"
        })
    } else if !matches!(codeset, "UTF-8" | "ANSI_X3.4-1968") {
        Some(OTHER_LOCALE)
    } else {
        None
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
