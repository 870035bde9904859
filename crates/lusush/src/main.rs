//! `lusush`: bash with LLE, and the verbs around it.
//!
//! Without a verb it becomes bash. Whatever happens, there is a prompt: see [`launch`] and [`start`].
#![cfg_attr(not(test), no_main)]

mod answer;
mod backup;
mod doctor;
mod exit;
mod failure;
mod init;
mod install;
mod install_unit;
mod job;
mod launch;
mod launch_args;
mod launch_config;
mod launch_script;
mod maint;
mod manual;
mod paths;
mod replace;
mod start;
mod start_command;
mod start_crashes;
mod start_file;
mod start_process;
mod start_record;
mod start_story;
mod start_versions;
mod text;

use std::ffi::{OsString, c_char, c_int};

use exit::ExitCode;
use failure::Failure;

/// What `lusush NAME …` can be besides bash.
struct Verb {
    name: &'static str,
    about: &'static str,
    run: fn(&[OsString]) -> Result<ExitCode, Failure>,
}

const fn verb(
    name: &'static str,
    about: &'static str,
    run: fn(&[OsString]) -> Result<ExitCode, Failure>,
) -> Verb {
    Verb { name, about, run }
}

/// All verbs, in the order in which `help` lists them. A new one is its file and its line here.
const VERBS: &[Verb] = &[
    verb("maint", "what the sessions do and cost, their upkeep", maint::run),
    verb("init", "the lines that load LLE from ~/.bashrc", init::run),
    verb("doctor", "what is wrong, and what to do about it", doctor::run),
    verb("install", "put Lusush where it lasts", install::run),
    verb("manual", "writes the manual pages", manual::run),
    verb("help", "this list", help),
    verb("version", "the version of Lusush", version),
];

/// What the C library calls.
#[expect(unsafe_code, reason = "the name and the arguments are the C library's")]
// SAFETY: nothing else in this program has the name.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    // SAFETY: they are what it was called with.
    unsafe { exit::run(count, words, program) }
}

fn program(words: Vec<OsString>) -> ExitCode {
    let mut words = words.into_iter();
    let name = words.next().unwrap_or_default();
    let arguments: Vec<OsString> = words.collect();
    let result = match arguments.first().and_then(find) {
        Some(verb) => {
            exit::prepare_for_verb();
            (verb.run)(&arguments[1..])
        }
        None => launch::run(&name, arguments),
    };
    result.unwrap_or_else(|failure| failure.report())
}

/// What the worker runs; nobody else needs to know.
const JOB: Verb = verb("job", "", job::run);

/// The C library's `log`, of which the archive's library has one call, to write a size: found here, no start loads the
/// library of mathematics for it, which takes a tenth of a millisecond.
#[expect(
    unsafe_code,
    reason = "the name is the C library's, and so are arguments and result"
)]
// SAFETY: it is that function: any double in, its natural logarithm out, and nothing else touched.
#[unsafe(no_mangle)]
extern "C" fn log(x: f64) -> f64 {
    libm::log(x)
}

fn find(word: &OsString) -> Option<&'static Verb> {
    let word = word.to_str()?;
    if word == JOB.name {
        return Some(&JOB);
    }
    // The options that every program has; bash's own are asked of bash.
    let name = match word {
        "--help" => "help",
        "--version" => "version",
        word => word,
    };
    VERBS.iter().find(|verb| verb.name == name)
}

fn help(_: &[OsString]) -> Result<ExitCode, Failure> {
    println!("lusush starts bash with LLE, a line editor that maintains itself.\n");
    println!("Usage: lusush [--safe | --retry] [bash's own arguments]");
    println!("       lusush VERB …\n");
    println!("  --safe     read no start-up file and no configuration of yours");
    println!("  --retry    read ~/.bashrc again although it failed before\n");
    for verb in VERBS {
        println!("  {:<10} {}", verb.name, verb.about);
    }
    Ok(ExitCode::SUCCESS)
}

fn version(_: &[OsString]) -> Result<ExitCode, Failure> {
    println!("lusush {}", env!("CARGO_PKG_VERSION"));
    Ok(ExitCode::SUCCESS)
}
