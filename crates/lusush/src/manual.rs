//! `lusush manual`: the manual pages, from the same tables as the help.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::failure::Failure;
use crate::maint::Maint;
use crate::{VERBS, answer};

/// Writes the manual pages: lusush(1) and lusush-maint(1) with a page for each of its verbs
#[derive(Debug, Parser)]
#[command(name = "lusush manual")]
struct Manual {
    /// Where to, such as ~/.local/share/man/man1
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs `lusush manual` with the arguments that follow it.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let folder = match answer::parse::<Manual>("lusush manual", arguments) {
        Ok(parsed) => parsed.folder,
        Err(code) => return Ok(code),
    };
    write(&folder).map_err(|error| {
        Failure::new(format!("cannot write the manual pages to {}", folder.display()))
            .because(error)
            .hint("name a folder you may write to: lusush manual ~/.local/share/man/man1")
    })?;
    answer::text(&format!("The manual pages are in {}.\n", folder.display()))
}

/// Writes every page into `folder`, made if it is not there.
pub(crate) fn write(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(program(), folder)?;
    clap_mangen::generate_to(Maint::command().name("lusush-maint"), folder)
}

/// The program itself, which takes bash's arguments and is therefore no clap command otherwise.
fn program() -> clap::Command {
    let verbs = VERBS.iter().map(|verb| {
        clap::Command::new(verb.name)
            .about(verb.about)
            .disable_help_flag(true)
    });
    clap::Command::new("lusush")
        .about("GNU bash with a line editor that maintains itself")
        .long_about(
            "Without a verb lusush becomes bash, with LLE where a person types; bash's own arguments are passed on. \
             See bash(1) for those, and lusush-maint(1) for what it keeps in order by itself.",
        )
        .version(env!("CARGO_PKG_VERSION"))
        .arg(
            clap::Arg::new("safe")
                .long("safe")
                .help("Reads no start-up file of yours")
                .action(clap::ArgAction::SetTrue),
        )
        .arg(
            clap::Arg::new("retry")
                .long("retry")
                .help("Reads ~/.bashrc again although it failed before")
                .action(clap::ArgAction::SetTrue),
        )
        .disable_help_subcommand(true)
        .subcommands(verbs)
}
