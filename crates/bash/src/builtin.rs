//! `lle`, the builtin: switch, ask, and what `lusush` tells LLE at start.
//!
//! Invariant: only prints and switches; the verbs for people stand in one table, so that `lle help` cannot be wrong.

pub(crate) mod internal;

use crate::abi::{BUILTIN_ENABLED, Builtin, WordList};
use crate::hooks::{arm, disarm};
use crate::lle::{Lle, state};
use crate::readline::text;
use crate::{complete_child, configured, drafts, parts, symbols};
use internal::INTERNAL;
use libc::{c_char, c_int};
use std::fmt::Write;

/// `EXECUTION_SUCCESS`, `EXECUTION_FAILURE`, `EX_USAGE`.
const OK: c_int = 0;
const FAILED: c_int = 1;
const USAGE: c_int = 258;

struct Verb {
    name: &'static str,
    arguments: &'static str,
    about: &'static str,
    run: fn(&mut Lle, &[String], &mut String) -> c_int,
}

const VERBS: &[Verb] = &[
    Verb {
        name: "status",
        arguments: "",
        about: "what is in force",
        run: status,
    },
    Verb {
        name: "on",
        arguments: "",
        about: "let LLE paint again",
        run: |_, _, _| OK,
    },
    Verb {
        name: "off",
        arguments: "",
        about: "let readline paint; the text stays",
        run: |_, _, _| OK,
    },
    Verb {
        name: "set",
        arguments: "NAME on|off",
        about: "suggest, multiline, highlight, complete, search, share, attribute",
        run: set,
    },
    Verb {
        name: "theme",
        arguments: "[NAME]",
        about: "choose how it looks",
        run: theme_verb,
    },
    Verb {
        name: "private",
        arguments: "[on|off]",
        about: "keep what is typed out of history and drafts",
        run: private,
    },
    Verb {
        name: "draft",
        arguments: "[clear]",
        about: "lines that were being typed when a terminal closed",
        run: draft,
    },
    Verb {
        name: "cached",
        arguments: "[TEXT ...|off]",
        about: "parts of PS1 that may be shown older",
        run: cached,
    },
    Verb {
        name: "symbols",
        arguments: "",
        about: "what LLE found in this bash",
        run: symbols_verb,
    },
    Verb {
        name: "panic",
        arguments: "",
        about: "fail at the next key, to try the way back",
        run: panic_verb,
    },
    Verb {
        name: "help",
        arguments: "",
        about: "this",
        run: help,
    },
];

/// The builtin's function.
pub(crate) unsafe extern "C-unwind" fn run(mut words: *mut WordList) -> c_int {
    // SAFETY: bash passes a list of words, each nul-terminated.
    let first = unsafe {
        if words.is_null() {
            b""
        } else {
            text((*(*words).word).word)
        }
    };
    if first == b"__complete" {
        // Completion functions may leave by `longjmp`: nothing is owned here.
        if let Some(bash) = state().map(|lle| lle.bash) {
            complete_child::complete(&bash);
        }
        return OK;
    }
    if first == b"__part" {
        // The expansion may leave by `longjmp`: nothing is owned here.
        if let Some(bash) = state().map(|lle| lle.bash) {
            parts::expand(&bash);
        }
        return OK;
    }
    let mut args = Vec::new();
    while !words.is_null() {
        // SAFETY: bash passes a list of words, each nul-terminated.
        unsafe {
            args.push(String::from_utf8_lossy(text((*(*words).word).word)).into_owned());
            words = (*words).next;
        }
    }
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| dispatch(&args)));
    let (status, out) = result.unwrap_or((FAILED, String::new()));
    drop(args);
    print(status, &out);
    status
}

fn print(status: c_int, out: &str) {
    if !out.is_empty() {
        crate::lle::write_all(if status == OK { 1 } else { 2 }, out.as_bytes());
    }
}

fn dispatch(args: &[String]) -> (c_int, String) {
    let mut out = String::new();
    let Some(lle) = state() else {
        return (FAILED, "lle: not loaded\n".into());
    };
    let verb = args.first().map_or("status", String::as_str);
    let Some(found) = VERBS.iter().chain(INTERNAL).find(|v| v.name == verb) else {
        let _ = writeln!(out, "lle: no verb `{verb}`; `lle help` lists them");
        return (USAGE, out);
    };
    let rest = args.get(1..).unwrap_or_default();
    let status = (found.run)(lle, rest, &mut out);
    match (verb, &lle.declined) {
        ("on", Some(why)) => {
            let _ = writeln!(out, "lle: {why}");
            return (FAILED, out);
        }
        ("on", None) => {
            lle.switched_off = false;
            arm();
        }
        ("off", _) => {
            lle.switched_off = true;
            disarm();
        }
        _ => {}
    }
    if let Some(lle) = state() {
        lle.session.settings(&lle.settings, lle.configured.told_version());
    }
    (status, out)
}

fn help(_: &mut Lle, _: &[String], out: &mut String) -> c_int {
    for v in VERBS {
        let _ = writeln!(
            out,
            "  {:<24} {}",
            format!("lle {} {}", v.name, v.arguments),
            v.about
        );
    }
    OK
}

fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn status(lle: &mut Lle, _: &[String], out: &mut String) -> c_int {
    let s = lle.settings;
    let _ = writeln!(
        out,
        "LLE {} {} in session {:016x}",
        env!("CARGO_PKG_VERSION"),
        word(lle.hooks.armed()),
        lle.session.id()
    );
    if let Some(why) = lle.declined {
        let _ = writeln!(out, "  {:<10} readline: {why}", "paints");
    }
    for (name, on) in [
        ("suggest", s.suggest),
        ("multiline", s.multiline),
        ("highlight", s.highlight),
        ("complete", s.complete),
        ("search", s.search),
        ("share", s.share),
        ("private", s.private),
        ("attribute", s.attribute),
    ] {
        let _ = writeln!(out, "  {name:<10} {}", word(on));
    }
    let _ = writeln!(out, "  {:<10} {}", "theme", lle.painter.theme.name);
    let path = lle
        .session
        .flight_path()
        .map_or("memory only".into(), |p| p.display().to_string());
    let _ = writeln!(out, "  {:<10} {path}", "flight");
    OK
}

fn on_or_off(value: Option<&String>) -> Option<bool> {
    match value.map(String::as_str) {
        Some("on") => Some(true),
        Some("off") => Some(false),
        _ => None,
    }
}

fn set(lle: &mut Lle, args: &[String], out: &mut String) -> c_int {
    let word = args.first().map_or("", String::as_str);
    if lle.configured.is_locked(word) {
        let _ = writeln!(out, "lle: `{word}` is locked by the machine's configuration");
        return FAILED;
    }
    let s = &mut lle.settings;
    let slot = match args.first().map(String::as_str) {
        Some("suggest") => &mut s.suggest,
        Some("multiline") => &mut s.multiline,
        Some("highlight") => &mut s.highlight,
        Some("complete") => &mut s.complete,
        Some("search") => &mut s.search,
        Some("share") => &mut s.share,
        Some("attribute") => &mut s.attribute,
        _ => {
            out.push_str(
                "lle: set what? suggest, multiline, highlight, complete, search, share or attribute, then on or off\n",
            );
            return USAGE;
        }
    };
    match on_or_off(args.get(1)) {
        Some(on) => {
            *slot = on;
            lle.configured.choose(word, on);
        }
        None => {
            out.push_str("lle: `on` or `off`?\n");
            return USAGE;
        }
    }
    crate::attribution::set_enabled(lle.settings.attribute);
    OK
}

fn theme_verb(lle: &mut Lle, args: &[String], out: &mut String) -> c_int {
    match args.first() {
        None => {
            for name in configured::theme_names(&lle.configured) {
                let mark = if name == lle.painter.theme.name { '*' } else { ' ' };
                let _ = writeln!(out, "{mark} {name}");
            }
            OK
        }
        Some(_) if lle.configured.is_locked("theme") => {
            out.push_str("lle: the theme is locked by the machine's configuration\n");
            FAILED
        }
        Some(name) => match lle.configured.named(name) {
            Some(t) => {
                lle.set_theme(t);
                OK
            }
            None => {
                let _ = writeln!(out, "lle: no theme `{name}`; `lle theme` lists them");
                FAILED
            }
        },
    }
}

fn private(lle: &mut Lle, args: &[String], out: &mut String) -> c_int {
    let wanted = match (args.first(), on_or_off(args.first())) {
        (None, _) => !lle.settings.private,
        (_, Some(on)) => on,
        _ => {
            out.push_str("lle: `on` or `off`?\n");
            return USAGE;
        }
    };
    if wanted != lle.settings.private {
        lle.set_private(wanted);
    }
    let _ = writeln!(out, "private mode is {}", word(wanted));
    OK
}

fn draft(lle: &mut Lle, args: &[String], out: &mut String) -> c_int {
    let Ok(dir) = lle.session.places.drafts() else {
        out.push_str("lle: there is no folder for drafts\n");
        return FAILED;
    };
    // What died since this session began, too; and what is cleared is not offered by the next start.
    lle.session.take_drafts_over();
    let found = drafts::list(&dir);
    if args.first().is_some_and(|a| a == "clear") {
        let failed = found
            .iter()
            .filter(|(_, path)| std::fs::remove_file(path).is_err())
            .count();
        return if failed == 0 { OK } else { FAILED };
    }
    if found.is_empty() {
        out.push_str("no unfinished lines are kept\n");
    }
    for (_, path) in found {
        if let Ok(bytes) = std::fs::read(&path) {
            // What was typed may hold anything; what is printed may not reach into the terminal.
            let shown: String = String::from_utf8_lossy(&bytes)
                .chars()
                .map(|c| {
                    if c.is_control() && c != '\n' {
                        '\u{fffd}'
                    } else {
                        c
                    }
                })
                .collect();
            let _ = writeln!(out, "{shown}");
        }
    }
    OK
}

fn cached(lle: &mut Lle, args: &[String], out: &mut String) -> c_int {
    let wanted = match args {
        [] => {
            for text in lle.parts.consented() {
                let _ = writeln!(out, "{text}");
            }
            return OK;
        }
        [off] if off == "off" => Vec::new(),
        texts => texts.to_vec(),
    };
    if lle.configured.is_locked("cached") {
        out.push_str("lle: it is locked by the machine's configuration\n");
        return FAILED;
    }
    if !lle_core::texts::admits(&wanted) {
        let _ = writeln!(
            out,
            "lle: at most {} texts of at most {} bytes, each once, and not too many of them long",
            lle_core::texts::TEXTS_MAX,
            lle_core::texts::TEXT_BYTES_MAX
        );
        return USAGE;
    }
    lle.parts.choose(wanted);
    lle.configure_parts();
    OK
}

fn symbols_verb(_: &mut Lle, _: &[String], out: &mut String) -> c_int {
    // One row a symbol: name, whether it was found, whether it is required, what for.
    for (name, about, required, found) in symbols::listing() {
        let found = if found { "found" } else { "missing" };
        let required = if required { "required" } else { "optional" };
        let _ = writeln!(out, "{name}\t{found}\t{required}\t{about}");
    }
    OK
}

fn panic_verb(lle: &mut Lle, _: &[String], _: &mut String) -> c_int {
    lle.hooks.panic_next = true;
    OK
}

struct Doc([*const c_char; 3]);
// SAFETY: constant strings, never written.
unsafe impl Sync for Doc {}

static DOC: Doc = Doc([
    c"Switch and ask LLE, the line editor that maintains itself.".as_ptr(),
    c"`lle help` lists the verbs; `lusush maint status` tells how fast it is.".as_ptr(),
    std::ptr::null(),
]);

/// What `enable -f` looks for. Bash writes into it.
#[unsafe(no_mangle)]
pub(crate) static mut lle_struct: Builtin = Builtin {
    name: c"lle".as_ptr(),
    function: run,
    flags: BUILTIN_ENABLED,
    long_doc: DOC.0.as_ptr(),
    short_doc: c"lle [verb]".as_ptr(),
    handle: std::ptr::null(),
};
