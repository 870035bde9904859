//! How each shell is started so that all of them show the same prompt and read no user's configuration.
//!
//! Invariant: a shell that is not installed is left out and said so; lusush and bash never are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use lle_pty::{Home, Spawn};

/// What every prompt ends with, and nothing else shows.
pub(crate) const PROMPT: &str = "READY>";

/// One shell to be measured.
pub(crate) struct Shell {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    program: PathBuf,
    /// Arguments of an interactive start.
    args: &'static [&'static str],
    /// Arguments before `-c`.
    batch_args: &'static [&'static str],
    home: Home,
}

impl Shell {
    /// Makes an interactive start in this shell's own home.
    pub(crate) fn spawn(&self) -> Spawn {
        // zsh takes its prompt from the environment, bash and lusush from the rc file.
        self.home
            .spawn(&self.program)
            .args(self.args)
            .env("PS1", format!("{PROMPT} "))
    }

    /// Makes a start that runs `true` and ends.
    pub(crate) fn command_string(&self) -> Command {
        let mut command = Command::new(&self.program);
        let env = self.home.spawn(&self.program).env;
        command
            .env_clear()
            .envs(env)
            .args(self.batch_args)
            .args(["-c", "true"]);
        command
    }
}

/// Returns the shells there are, bash first.
pub(crate) fn installed() -> Vec<Shell> {
    let lusush = Path::new(env!("CARGO_BIN_EXE_lusush"));
    let fish = &[
        "--no-config",
        "-C",
        "function fish_prompt; echo 'READY> '; end; function fish_greeting; end",
    ];
    let known: [(_, Option<PathBuf>, &[&str], &[&str]); 4] = [
        ("bash", lle_pty::installed("bash"), &[], &[]),
        ("lusush", Some(lusush.to_owned()), &[], &[]),
        ("zsh", lle_pty::installed("zsh"), &["-f"], &["-f"]),
        ("fish", lle_pty::installed("fish"), fish, &["--no-config"]),
    ];
    let mut shells = Vec::new();
    for (name, program, args, batch_args) in known {
        let Some(program) = program else {
            println!("{name} is not installed: not measured");
            continue;
        };
        let home = Home::new(&format!("PS1='{PROMPT} '")).expect("a home can be made");
        let version = version(&program);
        shells.push(Shell {
            name,
            version,
            program,
            args,
            batch_args,
            home,
        });
    }
    shells
}

fn version(program: &Path) -> String {
    let output = Command::new(program).args([OsString::from("--version")]).output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    text.lines().next().unwrap_or("unknown version").to_owned()
}
