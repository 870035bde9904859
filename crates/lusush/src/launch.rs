//! Becomes bash: plain for commands and scripts, with LLE where a person types.
//!
//! ```text
//!  arguments ─▸ launch_args ─┬─▸ plain ──────────────────────────────────▸ exec bash
//!                            └─▸ interactive ─▸ start (which rc files?) ─▸ script in a memfd ─▸ exec bash --rcfile
//! ```
//!
//! Invariant: the only error is that there is no bash. Everything else that fails costs a sentence on standard
//! error and a part of what LLE adds.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::{IsTerminal, Write};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use lle_core::recovery::LEVEL_MAX;

use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::launch_args::{self, Interactive, Request};
use crate::launch_script::{self, Load, Script, Source};
use crate::start_crashes::{self, Level};
use crate::{install, launch_config, paths, start, start_command, start_file};

/// Exit status of a shell that could not be run, as shells have it.
const NOT_FOUND: u8 = 127;

/// Becomes bash. `name` is `argv[0]`.
pub(crate) fn run(name: &OsStr, arguments: Vec<OsString>) -> Result<ExitCode, Failure> {
    let login = name.as_bytes().starts_with(b"-");
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let bash = Bash::find()?;
    let ended = match launch_args::read(arguments, login, terminal) {
        Request::Plain(arguments) => bash.exec(login, &arguments, Vec::new()),
        Request::Interactive(asked) => bash.interactive(&asked, login, terminal),
    };
    ended.map(|never| match never {})
}

/// What a session loads.
struct Loaded {
    library: PathBuf,
    /// This program, where the shared object does not find it by its own place.
    program: Option<PathBuf>,
}

/// Returns the shared object, or every place where it was looked for.
pub(crate) fn library() -> Result<PathBuf, Vec<PathBuf>> {
    loaded().map(|loaded| loaded.library)
}

fn loaded() -> Result<Loaded, Vec<PathBuf>> {
    // The kernel names it without links.
    let program = || std::env::current_exe().ok();
    if let Some(named) = std::env::var_os("LUSUSH_LIB").filter(|named| !named.is_empty()) {
        let library = PathBuf::from(named);
        return match library.is_file() {
            // What stands beside that may be of another version, or another's.
            true => Ok(Loaded {
                library,
                program: program(),
            }),
            false => Err(vec![library]),
        };
    }
    let program = program();
    let folder = program
        .as_deref()
        .and_then(Path::parent)
        .map(Path::to_owned)
        .unwrap_or_default();
    // Cargo leaves it in `deps` when it builds `lusush`, and beside it when it builds the library: the newer is
    // the one this program was built with.
    let built = [folder.join("liblle_bash.so"), folder.join("deps/liblle_bash.so")];
    let newest = built
        .iter()
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .max();
    let library = match newest {
        Some((_, path)) => path.clone(),
        None => {
            let installed = folder.with_file_name("lib").join("lusush");
            install::installed_library(&installed, env!("CARGO_PKG_VERSION"))
                .ok_or_else(|| built.into_iter().chain([installed]).collect::<Vec<_>>())?
        }
    };
    Ok(Loaded {
        program: program.filter(|program| !is_found_by(&library, program)),
        library,
    })
}

/// Whether the shared object finds the program by its own place: as cargo builds them, or as they are installed.
fn is_found_by(library: &Path, program: &Path) -> bool {
    let above = |n: usize| library.ancestors().nth(n).unwrap_or(library);
    let folders = [above(1).to_owned(), above(2).to_owned(), above(3).join("bin")];
    folders.iter().any(|folder| folder.join("lusush") == program)
}

/// The bash to become.
pub(crate) struct Bash {
    program: PathBuf,
    /// What it takes for its name: it finds `$BASH` by it.
    name: OsString,
}

impl Bash {
    /// Finds `$LUSUSH_BASH`, or else `bash` in `PATH`.
    pub(crate) fn find() -> Result<Self, Failure> {
        if let Some(named) = std::env::var_os("LUSUSH_BASH").filter(|named| !named.is_empty()) {
            return Ok(Self {
                program: PathBuf::from(&named),
                name: named,
            });
        }
        // Someone may have linked lusush as bash: that one would start itself for ever.
        let own = Path::new("/proc/self/exe").metadata().ok();
        let is_own = |found: &Metadata| {
            own.as_ref()
                .is_some_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()))
        };
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let mut programs = std::env::split_paths(&path).map(|folder| folder.join("bash"));
        let is_another = |found: Metadata| found.is_file() && !is_own(&found);
        let found = programs.find(|program| program.metadata().is_ok_and(is_another));
        found
            .map(|program| Self {
                program,
                name: "bash".into(),
            })
            .ok_or_else(|| {
                Failure::new("there is no bash to start")
                    .because(format!("none of the folders in PATH has one: {}", path.display()))
                    .hint("install bash, or name it: LUSUSH_BASH=/path/to/bash lusush")
                    .code(NOT_FOUND)
            })
    }

    /// Returns the program.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    fn interactive(&self, asked: &Interactive, login: bool, terminal: bool) -> Result<Infallible, Failure> {
        let Loaded { library, program } = match loaded() {
            Ok(loaded) => loaded,
            Err(places) => {
                let place = places
                    .first()
                    .map(|place| place.display().to_string())
                    .unwrap_or_default();
                eprintln!("lusush: LLE is not installed ({place} is missing); this is plain bash.");
                return self.exec(login, &plain(asked), unshortened(asked));
            }
        };
        if asked.noediting {
            return self.exec(login, &plain(asked), unshortened(asked));
        }
        let mut crashed = if terminal {
            start_crashes::begin(asked.retry)
        } else {
            Level::default()
        };
        if crashed.is_new && crashed.level >= LEVEL_MAX {
            eprint!("{}", start_crashes::message(crashed.level));
        }
        if crashed.level >= LEVEL_MAX {
            return self.without_lle(asked, login);
        }
        let posix = asked.posix || std::env::var_os("POSIXLY_CORRECT").is_some();
        if posix || (asked.norc && !asked.login && !asked.safe) {
            // Such a bash reads no --rcfile.
            if crashed.is_new {
                eprint!("{}", start_crashes::message(crashed.level));
            }
            let former = std::env::var_os("PROMPT_COMMAND");
            let leave_out = start_command::begin(launch_config::in_force().as_ref(), asked.retry);
            if let Some(message) = &leave_out {
                eprint!("{message}");
            }
            let load = Load {
                library: &library,
                program: program.as_deref(),
                safe: asked.safe,
                leave_out: leave_out.is_some(),
            };
            let command = launch_script::prompt_command(&load, former.as_deref());
            let environment = vec![("PROMPT_COMMAND", OsString::from_vec(command))];
            return self.exec(login, &asked.all, environment);
        }
        let configured = launch_config::catch_up();
        let leave_out = start_command::begin(configured.as_ref(), asked.retry).filter(|_| !asked.safe);
        let files = files(asked, terminal, self);
        if files.blamed && crashed.is_new {
            // It is not LLE that ends them.
            crashed = start_crashes::take_back(crashed);
        }
        if crashed.is_new {
            eprint!("{}", start_crashes::message(crashed.level));
        }
        let script = |descriptor| {
            Script {
                descriptor,
                load: Some(Load {
                    library: &library,
                    program: program.as_deref(),
                    safe: asked.safe,
                    leave_out: leave_out.is_some(),
                }),
                level: crashed.level,
                login: asked.login,
                start_dir: files.start_dir.as_deref(),
                inputrc: files.inputrc.as_deref(),
                instead: &files.instead,
                keeps_history_whole: files.keeps_history_whole,
                sources: &files.sources,
            }
            .text()
        };
        let Some(descriptor) = in_memory(script) else {
            eprintln!("lusush: this system has no memfd or no /proc; this is plain bash.");
            return self.exec(login, &asked.all, unshortened(asked));
        };
        let mut arguments = vec!["--rcfile".into(), format!("/proc/self/fd/{descriptor}").into()];
        arguments.extend_from_slice(&asked.rest);
        for message in files.message.iter().chain(&leave_out) {
            eprint!("{message}");
        }
        self.exec(false, &arguments, Vec::new())
    }

    /// After crashes that nothing else ended: readline alone, and files that are known to work.
    fn without_lle(&self, asked: &Interactive, login: bool) -> Result<Infallible, Failure> {
        let reads = !(asked.safe || asked.noprofile || asked.norc || asked.rcfile.is_some());
        let files = match reads {
            true => start::last_resort(asked.login, paths::home()),
            false => None,
        };
        let script = |files: &start::Files| {
            in_memory(|descriptor| {
                Script {
                    descriptor,
                    load: None,
                    level: LEVEL_MAX,
                    login: asked.login,
                    start_dir: None,
                    inputrc: files.inputrc.as_deref(),
                    instead: &[],
                    keeps_history_whole: files.keeps_history_whole,
                    sources: &files.sources,
                }
                .text()
            })
        };
        let Some((descriptor, files)) = files.and_then(|files| Some((script(&files)?, files))) else {
            return self.exec(login, &plain(asked), unshortened(asked));
        };
        eprint!("{}", files.message.unwrap_or_default());
        let mut arguments = vec!["--rcfile".into(), format!("/proc/self/fd/{descriptor}").into()];
        arguments.extend_from_slice(&asked.rest);
        self.exec(false, &arguments, Vec::new())
    }

    fn exec(
        &self,
        login: bool,
        arguments: &[OsString],
        environment: Vec<(&str, OsString)>,
    ) -> Result<Infallible, Failure> {
        let mut command = Command::new(&self.program);
        command
            .arg0(if login { OsStr::new("-bash") } else { &self.name })
            .args(arguments);
        command.envs(environment);
        let error = command.exec();
        Err(Failure::new(format!("cannot start {}", self.program.display()))
            .because(error)
            .hint("LUSUSH_BASH names the bash to start; without it, it is the first in PATH")
            .code(NOT_FOUND))
    }
}

/// The arguments of a bash without LLE; whoever asks for a safe one gets no start-up file there either.
fn plain(asked: &Interactive) -> Vec<OsString> {
    let nothing: &[&str] = if asked.safe {
        &["--norc", "--noprofile"]
    } else {
        &[]
    };
    nothing
        .iter()
        .map(OsString::from)
        .chain(asked.all.iter().cloned())
        .collect()
}

/// What keeps a bash without LLE and without the user's files from cutting their history down to 500 lines.
fn unshortened(asked: &Interactive) -> Vec<(&'static str, OsString)> {
    let names = if asked.safe {
        &["HISTSIZE", "HISTFILESIZE"][..]
    } else {
        &[]
    };
    names.iter().map(|name| (*name, "-1".into())).collect()
}

/// Decides which start-up files are read.
fn files(asked: &Interactive, terminal: bool, bash: &Bash) -> start::Files {
    let profile = || Source::At("/etc/profile".into());
    let unguarded = |sources| start::Files {
        sources,
        inputrc: asked.safe.then(|| start_file::NOTHING.into()),
        keeps_history_whole: asked.safe,
        ..start::Files::default()
    };
    match (asked.login, &asked.rcfile) {
        (true, _) if asked.noprofile => unguarded(Vec::new()),
        (true, _) if asked.safe => unguarded(vec![profile()]),
        (false, _) if asked.safe => unguarded(Vec::new()),
        (false, Some(file)) => unguarded(vec![Source::At(PathBuf::from(file))]),
        _ => start::begin(
            asked.login,
            asked.retry,
            terminal && edits(),
            bash.program(),
            paths::home(),
        ),
    }
}

/// Whether LLE takes part on this terminal. Where it leaves the prompt to readline it sees none, and every start
/// would look like a failure.
fn edits() -> bool {
    let value = |name| std::env::var_os(name).unwrap_or_default();
    let (term, emacs) = (value("TERM"), value("INSIDE_EMACS"));
    !term.is_empty() && term != "dumb" && (emacs.is_empty() || emacs.as_bytes().ends_with(b"vterm"))
}

/// Puts a text where bash can read it although the disk is full, and returns the descriptor it must close.
fn in_memory(text: impl FnOnce(i32) -> Vec<u8>) -> Option<i32> {
    let file = rustix::fs::memfd_create("lusush-rc", rustix::fs::MemfdFlags::empty()).ok()?;
    let mut file = std::fs::File::from(file);
    let descriptor = file.as_raw_fd();
    file.write_all(&text(descriptor)).ok()?;
    // Bash opens it by this name.
    std::fs::metadata(format!("/proc/self/fd/{descriptor}")).ok()?;
    Some(file.into_raw_fd())
}
