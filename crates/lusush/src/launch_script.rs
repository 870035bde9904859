//! What bash reads instead of `~/.bashrc`, and reads that in turn.
//!
//! LLE comes first, so that a start-up file that is interrupted, returns early or errors still leaves LLE. It is told at which
//! row the last of them is read, and sees bash come to its end: nothing runs behind them, for `set -x` and traps to see.
//! Nothing stays behind: no variable, no function, no descriptor; `$?` is what the user's file left.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A file to read, if it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// In the home folder, by the name bash itself would use.
    Home(&'static str),
    /// Anywhere.
    At(PathBuf),
}

/// What is loaded, and what it is told.
#[derive(Clone, Copy)]
pub(crate) struct Load<'a> {
    /// The shared object.
    pub(crate) library: &'a Path,
    /// The program that `maint` and the worker are, where the shared object does not find it by its own place.
    pub(crate) program: Option<&'a Path>,
    /// Go by no configuration of the user's.
    pub(crate) safe: bool,
    /// Do not run the command that is configured for before prompts.
    pub(crate) leave_out: bool,
}

/// What the script does.
pub(crate) struct Script<'a> {
    /// The descriptor bash reads it from.
    pub(crate) descriptor: i32,
    /// What is loaded; none for a bash without LLE.
    pub(crate) load: Option<Load<'a>>,
    /// How far features are off, since sessions crashed.
    pub(crate) level: u8,
    /// Behave as a login shell.
    pub(crate) login: bool,
    /// Where to say that a prompt was reached.
    pub(crate) start_dir: Option<&'a Path>,
    /// What readline reads in place of the user's own file, if anything.
    pub(crate) inputrc: Option<&'a Path>,
    /// Files that other start-up files read, and what is read instead.
    pub(crate) instead: &'a [(PathBuf, PathBuf)],
    /// Let bash cut nothing off the user's history file: what says how long it may get is not read.
    pub(crate) keeps_history_whole: bool,
    /// What to read, in order.
    pub(crate) sources: &'a [Source],
}

/// What a level switches off besides those below it. LLE reads these variables before what is configured; a key that the
/// machine has locked stays as it is.
const OFF: [&[&str]; 2] = [
    &[
        "LUSUSH_CONFIG_EDITOR_SUGGEST=false",
        "LUSUSH_CONFIG_EDITOR_COMPLETE=false",
        "LUSUSH_CONFIG_EDITOR_SEARCH=false",
        "LUSUSH_CONFIG_HISTORY_SHARE=false",
        "LUSUSH_CONFIG_PROMPT_CACHED=",
    ],
    &[
        "LUSUSH_CONFIG_EDITOR_HIGHLIGHT=false",
        "LUSUSH_CONFIG_EDITOR_MULTILINE=false",
        "LUSUSH_CONFIG_PROMPT_COMMAND=",
        "LUSUSH_WORKER=off",
    ],
];

impl Script<'_> {
    /// Writes it as shell text.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(format!("exec {}<&-\n", self.descriptor).as_bytes());
        if self.login {
            out.extend_from_slice(b"BASH_ARGV0=-bash\n");
        }
        let off = OFF.iter().take(usize::from(self.level)).copied().flatten();
        for variable in off {
            out.extend_from_slice(format!("{variable}\n").as_bytes());
        }
        let (rest, rows) = self.rest();
        if let Some(load) = &self.load {
            self.load(&mut out, load, rows);
        }
        out.extend_from_slice(&rest);
        out
    }

    /// What comes behind LLE, and how many rows of it come before the last file is read; none if none is.
    fn rest(&self) -> (Vec<u8>, Option<usize>) {
        let mut out = Vec::new();
        let mut rows = None;
        if let Some(inputrc) = self.inputrc {
            // Readline reads it when it is first used, which is here: no variable has to stay.
            out.extend_from_slice(b"INPUTRC=");
            quote(&mut out, inputrc.as_os_str());
            out.extend_from_slice(b" bind -l >/dev/null 2>&1\n");
        }
        if self.keeps_history_whole {
            out.extend_from_slice(KEEP_HISTORY);
        }
        for source in self.sources {
            let mut file = Vec::new();
            match source {
                Source::Home(name) => file.extend_from_slice(format!("~/{name}").as_bytes()),
                Source::At(path) => quote(&mut file, path.as_os_str()),
            }
            out.extend_from_slice(&[b"if [ -r ", &file[..], b" ]; then\n"].concat());
            rows = Some(self::rows(&out));
            // Bash comes to this row or the next one, whether there is a file or not.
            out.extend_from_slice(&[b". ", &file[..], b"\nelse :; fi\n"].concat());
        }
        (out, rows)
    }

    /// Loads LLE and tells it of this start, and that the last file is read at row `rows` of what follows.
    fn load(&self, out: &mut Vec<u8>, load: &Load<'_>, rows: Option<usize>) {
        out.extend_from_slice(b"if enable -f ");
        quote(out, load.library.as_os_str());
        out.extend_from_slice(b" lle maint; then :\n");
        if let Some(program) = load.program {
            out.extend_from_slice(b"lle program ");
            quote(out, program.as_os_str());
            // Somebody may have named one of a version that does not know the word.
            out.extend_from_slice(b" 2>/dev/null\n");
        }
        if let Some(dir) = self.start_dir {
            out.extend_from_slice(b"lle start ");
            quote(out, dir.as_os_str());
            // LLE will not see the prompt: then nothing is guarded, rather than everything taken for a failure.
            out.extend_from_slice(b" || ");
            unguard(out, dir);
        }
        for (from, to) in self.instead {
            out.extend_from_slice(b"lle instead ");
            quote(out, from.as_os_str());
            out.push(b' ');
            quote(out, to.as_os_str());
            out.push(b'\n');
        }
        for verb in load.verbs() {
            out.extend_from_slice(format!("lle {verb}\n").as_bytes());
        }
        if self.login {
            out.extend_from_slice(b"lle login && shopt -s login_shell\n");
        }
        let mut otherwise = b"else\nprintf '%s\\n' ".to_vec();
        quote(&mut otherwise, OsStr::new(NOT_LOADED));
        otherwise.extend_from_slice(b" >&2\n");
        if let Some(dir) = self.start_dir {
            unguard(&mut otherwise, dir);
        }
        otherwise.extend_from_slice(b"fi\n");
        let below = rows.map_or(0, |rows| 1 + self::rows(&otherwise) + rows);
        out.extend_from_slice(format!("lle reads {below}\n").as_bytes());
        out.extend_from_slice(&otherwise);
    }
}

/// Without these bash would cut the file down to 500 lines before it reads it, and write over it what is left.
const KEEP_HISTORY: &[u8] = b"HISTSIZE=-1 HISTFILESIZE=-1; shopt -s histappend\n";

impl Load<'_> {
    /// What LLE is told of the configuration.
    fn verbs(&self) -> impl Iterator<Item = &'static str> {
        let verbs = [("safe", self.safe), ("leave-out", self.leave_out)];
        let told = verbs.into_iter().filter(|(_, is_told)| *is_told);
        told.map(|(verb, _)| verb)
    }
}

const NOT_LOADED: &str = "lusush: LLE could not be loaded; this is plain bash. See `lusush doctor`.";

/// Writes the value of a `PROMPT_COMMAND` that loads LLE at the first prompt and leaves `former`.
///
/// For a bash that reads no `--rcfile`: `--norc`, `--posix`.
pub(crate) fn prompt_command(load: &Load<'_>, former: Option<&OsStr>) -> Vec<u8> {
    let mut out = Vec::new();
    match former {
        Some(former) => {
            out.extend_from_slice(b"PROMPT_COMMAND=");
            quote(&mut out, former);
        }
        None => out.extend_from_slice(b"unset PROMPT_COMMAND"),
    }
    out.extend_from_slice(b"; enable -f ");
    quote(&mut out, load.library.as_os_str());
    out.extend_from_slice(b" lle maint");
    if let Some(program) = load.program {
        out.extend_from_slice(b"; lle program ");
        quote(&mut out, program.as_os_str());
        out.extend_from_slice(b" 2>/dev/null");
    }
    for verb in load.verbs() {
        out.extend_from_slice(format!("; lle {verb}").as_bytes());
    }
    if former.is_some() {
        out.extend_from_slice(b"; eval \"$PROMPT_COMMAND\"");
    }
    out
}

/// Counts the rows that a text ends.
fn rows(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

fn unguard(out: &mut Vec<u8>, dir: &Path) {
    out.extend_from_slice(b"printf 'partial\\n' >");
    quote(out, dir.join("reached").as_os_str());
    out.push(b'\n');
}

/// Writes one shell word that means exactly `text`.
fn quote(out: &mut Vec<u8>, text: &OsStr) {
    out.push(b'\'');
    for &byte in text.as_bytes() {
        match byte {
            b'\'' => out.extend_from_slice(b"'\\''"),
            byte => out.push(byte),
        }
    }
    out.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(login: bool, start_dir: Option<&Path>, sources: &[Source]) -> String {
        let load = load("/opt/it's/liblle_bash.so", false, false).unwrap();
        let script = Script {
            descriptor: 3,
            load: Some(load),
            level: 0,
            login,
            start_dir,
            inputrc: None,
            instead: &[],
            keeps_history_whole: false,
            sources,
        };
        String::from_utf8(script.text()).unwrap()
    }

    fn load(library: &'static str, safe: bool, leave_out: bool) -> Option<Load<'static>> {
        Some(Load {
            library: Path::new(library),
            program: None,
            safe,
            leave_out,
        })
    }

    #[test]
    fn a_program_that_the_library_would_not_find_is_named() {
        let load = Load {
            program: Some(Path::new("/it's/lusush")),
            ..load("/l.so", false, false).unwrap()
        };
        let text = String::from_utf8(prompt_command(&load, None)).unwrap();
        let expect = "enable -f '/l.so' lle maint; lle program '/it'\\''s/lusush' 2>/dev/null";
        assert!(text.ends_with(expect), "{text}");
    }

    #[test]
    fn the_script_of_an_interactive_start() {
        insta::assert_snapshot!(text(false, Some(Path::new("/s/1")), &[Source::Home(".bashrc")]), @r#"
        exec 3<&-
        if enable -f '/opt/it'\''s/liblle_bash.so' lle maint; then :
        lle start '/s/1' || printf 'partial\n' >'/s/1/reached'
        lle reads 6
        else
        printf '%s\n' 'lusush: LLE could not be loaded; this is plain bash. See `lusush doctor`.' >&2
        printf 'partial\n' >'/s/1/reached'
        fi
        if [ -r ~/.bashrc ]; then
        . ~/.bashrc
        else :; fi
        "#);
    }

    #[test]
    fn the_script_of_a_safe_login() {
        insta::assert_snapshot!(text(true, None, &[Source::At("/etc/profile".into())]), @r#"
        exec 3<&-
        BASH_ARGV0=-bash
        if enable -f '/opt/it'\''s/liblle_bash.so' lle maint; then :
        lle login && shopt -s login_shell
        lle reads 5
        else
        printf '%s\n' 'lusush: LLE could not be loaded; this is plain bash. See `lusush doctor`.' >&2
        fi
        if [ -r '/etc/profile' ]; then
        . '/etc/profile'
        else :; fi
        "#);
    }

    #[test]
    fn the_script_of_a_start_with_what_last_worked() {
        let script = Script {
            descriptor: 3,
            load: load("/l.so", false, false),
            level: 0,
            login: false,
            start_dir: None,
            inputrc: Some(Path::new("/s/good/inputrc")),
            instead: &[("/h/it's".into(), "/s/good/sourced-1".into())],
            keeps_history_whole: false,
            sources: &[Source::At("/s/good/bashrc".into())],
        };
        insta::assert_snapshot!(String::from_utf8(script.text()).unwrap(), @r#"
        exec 3<&-
        if enable -f '/l.so' lle maint; then :
        lle instead '/h/it'\''s' '/s/good/sourced-1'
        lle reads 6
        else
        printf '%s\n' 'lusush: LLE could not be loaded; this is plain bash. See `lusush doctor`.' >&2
        fi
        INPUTRC='/s/good/inputrc' bind -l >/dev/null 2>&1
        if [ -r '/s/good/bashrc' ]; then
        . '/s/good/bashrc'
        else :; fi
        "#);
    }

    #[test]
    fn the_script_of_a_bash_without_lle() {
        let script = Script {
            descriptor: 3,
            load: None,
            level: 3,
            login: false,
            start_dir: None,
            inputrc: None,
            instead: &[],
            keeps_history_whole: false,
            sources: &[Source::At("/s/good/bashrc".into())],
        };
        let text = String::from_utf8(script.text()).unwrap();
        assert!(!text.contains("lle"), "{text}");
        assert!(
            text.ends_with("if [ -r '/s/good/bashrc' ]; then\n. '/s/good/bashrc'\nelse :; fi\n"),
            "{text}"
        );
    }

    #[test]
    fn a_safe_start_goes_by_no_configuration_of_the_user_s() {
        let script = Script {
            descriptor: 3,
            load: load("/l.so", true, true),
            level: 0,
            login: false,
            start_dir: None,
            inputrc: None,
            instead: &[],
            keeps_history_whole: true,
            sources: &[],
        };
        let text = String::from_utf8(script.text()).unwrap();
        assert!(
            text.contains("lle maint; then :\nlle safe\nlle leave-out\nlle reads 0\nelse\n"),
            "{text}"
        );
        let text = prompt_command(&load("/l.so", true, false).unwrap(), None);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(
            text,
            "unset PROMPT_COMMAND; enable -f '/l.so' lle maint; lle safe"
        );
    }

    #[test]
    fn every_script_parses() {
        for login in [false, true] {
            for start_dir in [None, Some(Path::new("/a b/'s"))] {
                for sources in [&[][..], &[Source::Home(".bashrc"), Source::At("/a 'b".into())]] {
                    let text = text(login, start_dir, sources);
                    let checked = std::process::Command::new("bash")
                        .args(["-n", "-c", &text])
                        .output()
                        .unwrap();
                    assert!(checked.status.success(), "{checked:?}\n{text}");
                }
            }
        }
    }

    #[test]
    fn a_prompt_command_gives_way_to_the_former_one() {
        let check = |former: Option<&str>, expect: &str| {
            let text = prompt_command(&load("/l.so", false, false).unwrap(), former.map(OsStr::new));
            assert_eq!(String::from_utf8(text).unwrap(), expect);
        };
        check(None, "unset PROMPT_COMMAND; enable -f '/l.so' lle maint");
        check(
            Some("echo 'x'"),
            "PROMPT_COMMAND='echo '\\''x'\\'''; enable -f '/l.so' lle maint; eval \"$PROMPT_COMMAND\"",
        );
    }

    #[test]
    fn after_crashes_less_is_on_and_more_crashes_switch_more_off() {
        let text = |level| {
            let script = Script {
                descriptor: 3,
                load: load("/l.so", false, false),
                level,
                login: false,
                start_dir: None,
                inputrc: None,
                instead: &[],
                keeps_history_whole: false,
                sources: &[],
            };
            String::from_utf8(script.text()).unwrap()
        };
        let off = |level| {
            text(level)
                .lines()
                .filter(|line| line.starts_with("LUSUSH_"))
                .count()
        };
        assert_eq!(
            [off(0), off(1), off(2)],
            [0, OFF[0].len(), OFF[0].len() + OFF[1].len()]
        );
        // Before LLE is loaded, which reads them then.
        let text = text(1);
        assert!(
            text.find("LUSUSH_CONFIG_EDITOR_SUGGEST=false") < text.find("enable -f"),
            "{text}"
        );
    }
}
