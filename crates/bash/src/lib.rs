//! LLE: the line editor, loaded into bash with `enable -f liblle_bash.so lle`.
//!
//! Readline stays the editor. LLE hangs on its hooks: it paints what readline edits, measures every key, completes in
//! a child, suggests from history and keeps history where `kill -9` cannot reach it.
//!
//! ```text
//!  key ─▸ hooks::getc ─▸ readline ─▸ hooks::redisplay ─▸ lle::paint
//!                          │  ▴                           ├ lexer      what is each byte
//!                keys (Tab, │  │ text                      ├ session    suggestion, history log, flight file
//!                Enter, ▸)  ▾  │                           ├ view       prompt, text, suggestion, menu ▸ frame
//!                        complete ▸ child                  └ painter    frame ▸ bytes ▸ terminal
//!  line ends ─▸ hooks::deprep ─▸ rounds::accepted ─▸ log, then bash runs it
//!  no key    ─▸ idle ─▸ what the worker wants, memory, is there a worker ─▸ sleep
//! ```
//!
//! Invariants:
//! - No thread, ever: a bash with its own allocator dies of one.
//! - A panic hands back to readline with the text kept.
//! - No borrow of LLE's state is held while bash may `longjmp`.
//! - Nothing here is needed to type: every failure leaves a plain bash.
#![allow(
    unsafe_code,
    reason = "the foreign interface of bash and readline; each block has its proof"
)]
#![allow(
    static_mut_refs,
    reason = "none is taken: bash reads `lle_struct` by its symbol"
)]

mod abi;
mod attribution;
mod builtin;
mod cache;
mod clock;
mod complete;
mod complete_child;
mod completer;
mod configured;
#[cfg(test)]
mod counted;
mod detached;
mod doubt;
mod drafts;
mod file_size;
mod folders;
mod frame;
mod histfile;
mod hooks;
mod idle;
mod import_progress;
mod inbox;
mod instead;
mod instructions;
mod keys;
mod lexer;
mod lle;
mod load;
mod maint;
mod memory;
mod menu;
mod names;
mod painter;
mod panics;
mod parts;
mod places;
mod prompt_clock;
mod prompt_command;
mod prompt_text;
mod readline;
mod recall;
mod replaced;
mod rounds;
mod rules;
mod served;
mod session;
mod shared_list;
mod symbols;
mod theme;
mod unparsed;
mod unseen;
mod view;
mod wake;
mod width;
mod worker;
