//! Where the parts of a prompt come from: the line of a start-up file that gave PS1 or PROMPT_COMMAND what a part runs.
//!
//! ```text
//!  a part's name, "git status" ─▸ assignments of PS1 in the files this session has read ─▸ the only one that runs it: ~/.bashrc:12
//! ```
//!
//! A session keeps no copy of its prompt where others can read it, so this is looked for in the files as they are now.
//!
//! Invariant: a place is told only if one line alone can have done it: every file that the start says it has read was looked
//! into, the files are as they were when the session began, nothing that was typed may have changed PS1 or PROMPT_COMMAND
//! since, and no other line assigns the same. Otherwise it says why not.

use std::path::{Path, PathBuf};

use lle_log::start_up;
use lle_maintenance::real::rc_versions::{self, shown};
use lle_maintenance::real::start_file::{self, StartFile};
use lle_metrics::{Counter, Gauge, PartKind, Parted, Snapshot};

use super::{Share, Why};
use crate::start_record::HasRead;

/// Bytes of a file that is looked into.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Files that are looked into: those that bash reads by itself, and all that a start says it has read.
const FILES_MAX: usize = 64;
/// Bytes of one assignment that are looked at: longer than any prompt.
const VALUE_BYTES_MAX: usize = 8 * 1024;
/// Files that bash reads for all users, where it is built to.
const OF_ALL_USERS: [&str; 2] = ["/etc/bash.bashrc", "/etc/profile"];

/// The variables that make a prompt, and the kinds of parts that each brings.
const VARIABLES: [(&str, &[PartKind]); 3] = [
    ("PROMPT_COMMAND", &[PartKind::Command]),
    (
        "PS1",
        &[PartKind::Substitution, PartKind::Joint, PartKind::Expanded],
    ),
    // Of bash-preexec, whose one function runs these.
    ("precmd_functions", &[PartKind::Inner]),
];

/// An assignment in a start-up file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Assignment {
    variable: &'static str,
    /// The file and the line, as people name them.
    place: String,
    /// The words of the value.
    words: Vec<String>,
    /// It is one; otherwise a line that looks like one, in quotes perhaps.
    is_sure: bool,
}

/// Says of each part of the prompt where it was set, as far as that is certain; of the whole, why something is not. `read` is
/// what the start of the session has read, if its record is there.
pub(crate) fn locate(why: &mut Why, snapshot: &Snapshot, home: Option<&Path>, read: Option<&HasRead>) {
    if !why.parts.iter().any(|part| variable_of(part.kind).is_some()) {
        return;
    }
    match assignments(snapshot, home, read) {
        Ok(found) => name(why, &found),
        Err(unknown) => why.set_unknown = Some(unknown),
    }
}

/// Gives each part the only place that can have set it.
fn name(why: &mut Why, found: &[Assignment]) {
    for part in &mut why.parts {
        let Some(variable) = variable_of(part.kind) else {
            continue;
        };
        // Of a value that is not told the name has three dots.
        let names = part.name.split(", ").flat_map(|name| name.split(" | "));
        let names: Vec<Vec<String>> = names.map(|name| words(&name.replace("...", " "))).collect();
        if names.iter().any(Vec::is_empty) {
            continue;
        }
        let runs_all = |value: &[String]| {
            names
                .iter()
                .all(|name| value.windows(name.len()).any(|w| w == name))
        };
        let fitting = || {
            found
                .iter()
                .filter(|one| one.variable == variable && runs_all(&one.words))
        };
        let sure = fitting().find(|one| one.is_sure);
        part.set_in = sure
            .filter(|sure| fitting().all(|one| one.place == sure.place))
            .map(|sure| sure.place.clone());
    }
    let is_unnamed =
        |part: &&Share| part.set_in.is_none() && part.within.is_none() && variable_of(part.kind).is_some();
    // The slowest of them is what is asked about.
    let unnamed = why.parts.iter().filter(is_unnamed);
    if let Some(part) = unnamed.max_by_key(|part| part.spent.sum_ns) {
        why.set_unknown = Some(format!(
            "no single line of the start-up files that this session is known to have read assigns `{}` as it runs",
            part.name
        ));
    }
}

/// The variable that brings a kind of part, by the kind's name.
pub(crate) fn variable_of(kind: &str) -> Option<&'static str> {
    VARIABLES
        .iter()
        .find(|(_, kinds)| kinds.iter().any(|known| known.name() == kind))
        .map(|(variable, _)| *variable)
}

/// All assignments in the files that the session has read; why they tell nothing, if they do not.
fn assignments(
    snapshot: &Snapshot,
    home: Option<&Path>,
    read: Option<&HasRead>,
) -> Result<Vec<Assignment>, String> {
    if may_be_typed(snapshot) {
        return Err(
            "a command in this session may have changed the prompt: see `lusush maint anomalies`".to_owned(),
        );
    }
    let home = home.ok_or("there is no home folder to look in")?;
    let began_ns = snapshot.created_wall_ns().cast_signed();
    let is_whole = read.is_none_or(|read| read.is_whole);
    let mut paths = paths(snapshot, home, read);
    let (mut found, mut looked) = (Vec::new(), 0);
    while let Some(path) = paths.get(looked).cloned() {
        looked += 1;
        if !is_whole || looked > FILES_MAX {
            return Err("its start has read more files than are looked into".to_owned());
        }
        let name = shown(&path, home);
        let file: Option<StartFile> =
            start_file::read(&path, FILE_BYTES_MAX).map_err(|_| format!("{name} cannot be looked into"))?;
        let Some(file) = file else { continue };
        if file.stamp.changed_ns() > began_ns {
            return Err(format!("{name} has changed since this session began"));
        }
        let text = String::from_utf8_lossy(&file.bytes);
        self::read(&text, &name, &mut found);
        if read.is_none() {
            // No record says what was read: what the text itself names may have been.
            let named = text.lines().flat_map(|line| sourced(line, home));
            let new: Vec<_> = named.filter(|path| !paths.contains(path)).collect();
            paths.extend(new);
        }
    }
    Ok(found)
}

/// Whether something that was typed may have changed what makes the prompt. A session of a version before this one does not
/// tell what else a line may have changed.
fn may_be_typed(snapshot: &Snapshot) -> bool {
    match snapshot.gauge(Gauge::PromptTextChanges) {
        Some(changes) => changes > 0,
        None => snapshot.counter(Counter::PromptChanges) > 0,
    }
}

/// What bash reads by itself, and what this session is known to have read.
fn paths(snapshot: &Snapshot, home: &Path, read: Option<&HasRead>) -> Vec<PathBuf> {
    let own = start_up::AT_START
        .iter()
        .filter(|name| **name != ".inputrc")
        .map(|name| home.join(name));
    let parts = snapshot.parts(Parted::Start);
    let told: Vec<PathBuf> = parts
        .rows()
        .filter(|row| row.kind == Some(PartKind::File))
        .filter_map(|row| std::str::from_utf8(row.name).ok())
        .filter(|name| name.starts_with("~/") || name.starts_with('/'))
        .map(|name| rc_versions::path(name, home))
        .collect();
    let read = read.map(|read| read.files.clone()).unwrap_or_default();
    let mut paths: Vec<PathBuf> = own
        .chain(OF_ALL_USERS.iter().map(PathBuf::from))
        .chain(told)
        .chain(read)
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// The files that a line has the shell read, as far as it names them by words that nothing is to be put in for but the home.
fn sourced(line: &str, home: &Path) -> Vec<PathBuf> {
    let of_commands = line.split([';', '&', '|', '{', '(']).map(str::trim_start);
    let named = of_commands.filter_map(|command| {
        let command = ["then ", "do ", "else "]
            .iter()
            .find_map(|lead| command.strip_prefix(lead))
            .unwrap_or(command)
            .trim_start();
        let word = command.strip_prefix(". ").or(command.strip_prefix("source "))?;
        let word = word.split_whitespace().next()?.replace(['"', '\''], "");
        let below = ["~/", "$HOME/", "${HOME}/"]
            .iter()
            .find_map(|lead| word.strip_prefix(lead))
            .map(|rest| home.join(rest));
        let path = below.unwrap_or_else(|| PathBuf::from(&word));
        let is_plain = path.is_absolute() && !path.to_string_lossy().contains(['$', '`', '*', '?', '\\']);
        is_plain.then_some(path)
    });
    named.collect()
}

/// Finds the assignments in a text, and the lines that look as if they had one: what a here-document or a quote holds is
/// not always told from the rest.
fn read(text: &str, file: &str, found: &mut Vec<Assignment>) {
    for (nth, line) in text.lines().enumerate() {
        let is_comment = line.trim_start().starts_with('#');
        let begins = line.char_indices().filter(|(at, _)| {
            let before = line.get(..*at).and_then(|before| before.chars().next_back());
            !is_comment && before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
        });
        let seen = begins.filter_map(|(at, _)| assigned(line.get(at..)?));
        found.extend(seen.map(|(variable, value)| Assignment {
            variable,
            place: format!("{file}:{}", nth + 1),
            words: words(value),
            is_sure: false,
        }));
    }
    follow(text, file, found);
}

/// Follows a text as a shell would, as far as quotes and comments go.
fn follow(text: &str, file: &str, found: &mut Vec<Assignment>) {
    let (mut at, mut line) = (0, 1);
    let bytes = text.as_bytes();
    // Where a word may begin; within quotes none does.
    let (mut begins, mut quote) = (true, 0u8);
    while let Some(&b) = bytes.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        if begins && quote == 0 {
            // A comment.
            if b == b'#' {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            if let Some((variable, value)) = assigned(rest) {
                let whole = rest.len() - value.len() + value_length(value);
                found.push(Assignment {
                    variable,
                    place: format!("{file}:{line}"),
                    words: words(value.get(..value_length(value)).unwrap_or_default()),
                    is_sure: true,
                });
                line += rest.as_bytes()[..whole].iter().filter(|b| **b == b'\n').count();
                (at, begins) = (at + whole, false);
                continue;
            }
        }
        match (b, quote) {
            (b'\n', _) => line += 1,
            (b'\\', 0 | b'"') if bytes.get(at + 1) == Some(&b'\n') => {
                // The line goes on: what may begin here may begin there.
                line += 1;
                at += 2;
                continue;
            }
            (b'\\', 0 | b'"') => at += 1,
            (b'\'' | b'"', 0) => quote = b,
            (b, q) if b == q => quote = 0,
            _ => {}
        }
        // Not behind a parenthesis: what is assigned in a subshell sets nothing here.
        begins = b.is_ascii_whitespace() || b";&|".contains(&b);
        at += 1;
    }
}

/// The variable that is assigned to here, and what follows the equals sign.
fn assigned(text: &str) -> Option<(&'static str, &str)> {
    VARIABLES.iter().find_map(|(variable, _)| {
        let rest = text.strip_prefix(variable)?;
        let rest = match rest.strip_prefix('[') {
            Some(indexed) => indexed.split_once(']')?.1,
            None => rest,
        };
        let value = rest.strip_prefix("+=").or_else(|| rest.strip_prefix('='))?;
        Some((*variable, value))
    })
}

/// Bytes of a value, to where a shell would end it.
fn value_length(value: &str) -> usize {
    let (mut quote, mut open, mut at) = (0u8, 0usize, 0);
    let bytes = value.as_bytes();
    let mut end = bytes.len().min(VALUE_BYTES_MAX);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    while at < end {
        match (bytes[at], quote) {
            (b'\\', 0 | b'"') => at += 1,
            (b @ (b'\'' | b'"' | b'`'), 0) => quote = b,
            (b, q) if q != 0 => quote = if b == q { 0 } else { q },
            (b'(', _) => open += 1,
            (b')', _) if open == 0 => return at,
            (b')', _) => open -= 1,
            (b, _) if open == 0 && (b.is_ascii_whitespace() || b";&|".contains(&b)) => return at,
            _ => {}
        }
        at += 1;
    }
    end
}

/// The words of a text that can be names or what is asked for, without what a shell makes of the rest.
fn words(text: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || "_./~+-@%:".contains(c);
    text.split(|c| !is_word(c))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&'static str, String, String)> {
        let mut found = Vec::new();
        read(text, "~/.bashrc", &mut found);
        found
            .into_iter()
            .filter(|one| one.is_sure)
            .map(|one| (one.variable, one.place, one.words.join(" ")))
            .collect()
    }

    #[test]
    fn finds_what_is_assigned_and_where() {
        let check = |text: &str, expect: &[(&str, &str, &str)]| {
            let expect: Vec<_> = expect
                .iter()
                .map(|(variable, place, words)| (*variable, (*place).to_owned(), (*words).to_owned()))
                .collect();
            assert_eq!(found(text), expect, "{text:?}");
        };
        check(
            "a=1\nPS1='$(git status) $ '\n",
            &[("PS1", "~/.bashrc:2", "git status")],
        );
        check("export PS1=\"\\u`date`\"", &[("PS1", "~/.bashrc:1", "u date")]);
        check(
            "PROMPT_COMMAND=(one 'two x')\nPROMPT_COMMAND+=(three); PROMPT_COMMAND[7]=four\n",
            &[
                ("PROMPT_COMMAND", "~/.bashrc:1", "one two x"),
                ("PROMPT_COMMAND", "~/.bashrc:2", "three"),
                ("PROMPT_COMMAND", "~/.bashrc:2", "four"),
            ],
        );
        check(
            "if x; then\n  PS1='\n$(a)\n$ '; fi\nPS1=b\n",
            &[("PS1", "~/.bashrc:2", "a"), ("PS1", "~/.bashrc:5", "b")],
        );
        check(
            "f() {\nPS1=\"$(a \"$(b c)\")\"\n}",
            &[("PS1", "~/.bashrc:2", "a b c")],
        );
        check("# PS1=a\nx PS1x=1 MYPS1=2 'PS1=3' \"x PS1=4\" $PS1\n", &[]);
        check("echo \\\nPS1=a", &[("PS1", "~/.bashrc:2", "a")]);
        check("PS1=", &[("PS1", "~/.bashrc:1", "")]);
        // A length is no comment, and a subshell sets nothing here.
        check("x=${#y} PS1=a\n", &[("PS1", "~/.bashrc:1", "a")]);
        check("(PS1=a); y=$(PS1=b)\n", &[]);
        check("it's PS1=a\n", &[]);
        check("", &[]);
    }

    #[test]
    fn what_a_line_has_the_shell_read_is_found_where_it_is_named() {
        let check = |line: &str, expect: &[&str]| {
            let found = sourced(line, Path::new("/home/u"));
            let expect: Vec<PathBuf> = expect.iter().map(PathBuf::from).collect();
            assert_eq!(found, expect, "{line}");
        };
        check(". ~/lib.sh", &["/home/u/lib.sh"]);
        check("[ -r ~/a ] && . \"$HOME/a\" x; source /b", &["/home/u/a", "/b"]);
        check("if [ -f ~/c ]; then . ~/c; fi", &["/home/u/c"]);
        check(". \"$x\"; . relative; echo . ~/d; source ~/*.sh", &[]);
    }

    #[test]
    fn every_kind_of_part_of_a_prompt_has_its_variable() {
        for (kind, expect) in [
            (PartKind::Command, Some("PROMPT_COMMAND")),
            (PartKind::Substitution, Some("PS1")),
            (PartKind::Joint, Some("PS1")),
            (PartKind::Expanded, Some("PS1")),
            (PartKind::Inner, Some("precmd_functions")),
            (PartKind::Own, None),
            (PartKind::Line, None),
        ] {
            assert_eq!(variable_of(kind.name()), expect, "{kind:?}");
        }
        assert_eq!(variable_of("rest"), None);
    }
}
