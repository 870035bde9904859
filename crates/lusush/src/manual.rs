//! `lusush manual`: the manual pages, and the completion of our own verbs, from the same tables as the help.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};

use crate::exit::ExitCode;
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
    clap_mangen::generate_to(program(), folder)
}

/// The completion of `lusush <Tab>` and `lusush maint <Tab>`, for bash.
pub(crate) fn completion() -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(clap_complete::Shell::Bash, &mut program(), "lusush", &mut out);
    out
}

/// The program itself, which takes bash's arguments and is therefore no clap command otherwise.
fn program() -> clap::Command {
    let verbs = VERBS.iter().map(|verb| match verb.name {
        "maint" => Maint::command().name("maint"),
        name => clap::Command::new(name).about(verb.about).disable_help_flag(true),
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
                .help("Reads no start-up file of yours, and goes by no configuration but what is built in and what the machine has locked")
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Every verb with the words before it, as its page and its usage have it.
    fn verbs(command: &clap::Command, before: &str, found: &mut Vec<String>) {
        let name = format!("{before}{}", command.get_name());
        for verb in command.get_subcommands() {
            verbs(verb, &format!("{name}-"), found);
        }
        found.push(name);
    }

    #[test]
    fn every_verb_has_its_page() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let mut expected = Vec::new();
        verbs(&program(), "", &mut expected);
        assert!(
            expected.contains(&"lusush-maint-audit-verify".to_owned()),
            "{expected:?}"
        );
        assert!(expected.contains(&"lusush-install".to_owned()), "{expected:?}");
        for name in &expected {
            let page = std::fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap();
            assert!(
                page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"),
                "{name}: {page}"
            );
        }
        let pages = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(pages, expected.len(), "and no other");
        // A page is readable text about what the verb does.
        let page = std::fs::read_to_string(folder.path().join("lusush-maint-run.1")).unwrap();
        assert!(
            page.contains("Runs a task now") && page.contains("TASK"),
            "{page}"
        );
    }

    #[test]
    fn the_verbs_of_maint_are_completed() {
        let script = String::from_utf8(completion()).unwrap();
        let mut bash = std::process::Command::new("bash");
        let complete = r#"COMP_WORDS=(lusush maint che); COMP_CWORD=2; COMPREPLY=()
            _lusush lusush che maint; printf '%s\n' "${COMPREPLY[@]}""#;
        bash.args(["--norc", "-c", &format!("{script}\n{complete}")]);
        let output = bash.output().unwrap();
        let said = (output.stdout, output.stderr);
        let said = (String::from_utf8_lossy(&said.0), String::from_utf8_lossy(&said.1));
        assert_eq!(said, ("checklist\n".into(), "".into()));
    }
}
