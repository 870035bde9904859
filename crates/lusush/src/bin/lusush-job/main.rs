//! `lusush-job`: what takes long or needs much, beside `lusush`, which runs it.
//!
//! Only this program links the archive.

// Shared with `lusush`, which uses all of them; this program uses a part.
#[allow(dead_code, reason = "the other program uses the rest")]
#[path = "../../answer.rs"]
mod answer;
mod backup;
#[allow(dead_code, reason = "the other program uses the rest")]
#[path = "../../failure.rs"]
mod failure;
#[allow(dead_code, reason = "the other program uses the rest")]
#[path = "../../paths.rs"]
mod paths;
#[allow(dead_code, reason = "the other program uses the rest")]
#[path = "../../text.rs"]
mod text;

use std::ffi::OsString;
use std::process::ExitCode;

use failure::Failure;

/// Keeps the threads of the library quiet: when whoever takes their results has ended with an error, which is told, they
/// panic one by one for want of somebody to give them to.
fn quieten_threads() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() == Some("main") {
            tell(panic);
        }
    }));
}

fn main() -> ExitCode {
    quieten_threads();
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let result = match words.split_first() {
        Some((word, rest)) if word == "backup" => backup::run(rest),
        _ => Err(Failure::new("lusush-job is run by lusush")
            .code(2)
            .hint("`lusush maint backup --help`")),
    };
    result.unwrap_or_else(|failure| failure.report())
}
