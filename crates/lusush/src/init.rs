//! `lusush init bash`: the lines that load LLE from `~/.bashrc`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use clap::{Parser, ValueEnum};

use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::{answer, install, launch};

/// Prints the lines that load LLE in every interactive shell: put them first in ~/.bashrc, to see all of its start timed
#[derive(Debug, Parser)]
#[command(name = "lusush init")]
struct Init {
    /// The shell to print them for
    shell: Shell,
}

/// The shells LLE lives in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
}

/// Runs `lusush init` with the arguments that follow it.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let Shell::Bash = match answer::parse::<Init>("lusush init", arguments) {
        Ok(parsed) => parsed.shell,
        Err(code) => return Ok(code),
    };
    let library = launch::library().map_err(|places| install::not_found(&places))?;
    let library = install::lasting_name(&library);
    answer::bytes(&lines(&library))
}

/// Writes the lines. They load LLE once, only where someone types, and say nothing where it is gone.
fn lines(library: &Path) -> Vec<u8> {
    let library = word(library.as_os_str());
    [
        b"# LLE, the line editor of Lusush: for shells someone types into, quiet where it is gone.\n"
            .as_slice(),
        b"# First in this file, it also times the rest of it: `lusush maint why startup`.\n",
        b"if [[ $- == *i* && ${LLE_LOADED-} != $$ && -r ",
        &library,
        b" ]]; then\n    enable -f ",
        &library,
        b" lle maint\nfi\n",
    ]
    .concat()
}

/// Writes one shell word that means exactly `text`.
fn word(text: &OsStr) -> Vec<u8> {
    let quoted = text
        .as_bytes()
        .split(|byte| *byte == b'\'')
        .collect::<Vec<_>>()
        .join(&b"'\\''"[..]);
    [b"'", &quoted[..], b"'"].concat()
}

/// Shows the word for `text`, for people to copy.
pub(crate) fn shown_word(text: &OsStr) -> String {
    OsString::from_vec(word(text)).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_name_the_library_exactly() {
        fn check(library: &str, expect: &str) {
            let lines = String::from_utf8(lines(Path::new(library))).unwrap();
            assert!(lines.contains("First in this file"), "{lines}");
            assert!(lines.contains(&format!("-r {expect} ]]")), "{lines}");
            assert!(
                lines.contains(&format!("enable -f {expect} lle maint\n")),
                "{lines}"
            );
        }
        check(
            "/usr/lib/lusush/liblle_bash.so",
            "'/usr/lib/lusush/liblle_bash.so'",
        );
        check("/home/o'neil/$x", r"'/home/o'\''neil/$x'");
    }
}
