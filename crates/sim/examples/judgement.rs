//! Writes `docs/judgement.md`; see `lle_sim::judgement`.
//!
//! With `--seeds FIRST` in place of a file the page for development, of other seeds, goes to the standard output.

use std::process::ExitCode;

use lle_sim::judgement::report::page;
use lle_sim::judgement::{COMMAND, FULL, Size};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["--seeds", first] => match first.parse() {
            Ok(first) => {
                print!("{}", page(Size { first, ..FULL }));
                ExitCode::SUCCESS
            }
            Err(error) => failed(&format!("{first} is no seed: {error}")),
        },
        [file] => match std::fs::write(file, page(FULL)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&format!("cannot write {file}: {error}")),
        },
        _ => failed(&format!("usage: {COMMAND}")),
    }
}

fn failed(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}
