//! A command as `export --format json` writes it, and reads it back.
//!
//! Invariant: what was written is read back with its time, folder, status and run time. The machine is written for whoever reads
//! it: records name none, so what is imported becomes this machine's.

use std::io::{BufRead, Write};

use lle_log::PAYLOAD_BYTES_MAX;
use lle_log::formats::{Entry, Ran};
use lle_log::history::Command;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
struct Exported {
    host: String,
    time_ns: Option<i64>,
    cwd: Option<String>,
    command: String,
    status: Option<i32>,
    duration_ns: Option<u64>,
    #[serde(default)]
    imported: bool,
}

/// Writes one line.
pub(super) fn write(out: &mut impl Write, host: &str, command: &Command) -> std::io::Result<()> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let exported = Exported {
        host: host.to_owned(),
        time_ns: (command.time_ns != 0).then_some(command.time_ns),
        cwd: (!command.cwd.is_empty()).then(|| text(&command.cwd)),
        command: text(&command.command),
        status: command.status,
        duration_ns: command.duration_ns,
        imported: command.imported,
    };
    serde_json::to_writer(&mut *out, &exported)?;
    out.write_all(b"\n")
}

/// Whether a file that begins so is of such lines.
pub(super) fn is_it(beginning: &[u8]) -> bool {
    let mut lines = beginning.split(|byte| *byte == b'\n');
    let first = lines.find(|line| !line.trim_ascii().is_empty());
    // The line may be longer than what was read of it.
    first.is_some_and(|line| {
        serde_json::from_slice::<Exported>(line).is_ok() || line.starts_with(b"{\"host\":")
    })
}

/// Reads every line; those without a command or too long for a record are left out.
///
/// # Errors
/// The file's, or a line is none of them: then nothing of it is taken.
pub(super) fn read(file: impl BufRead) -> std::io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (at, line) in file.split(b'\n').enumerate() {
        let line = line?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let exported: Exported = serde_json::from_slice(&line).map_err(|error| {
            std::io::Error::other(format!("line {} is no command of an export: {error}", at + 1))
        })?;
        entries.push(entry(exported));
    }
    entries.retain(|entry| {
        let cwd = entry.ran.as_ref().map_or(0, |ran| 4 + ran.cwd.len());
        !entry.command.is_empty() && cwd + entry.command.len() <= PAYLOAD_BYTES_MAX
    });
    Ok(entries)
}

fn entry(exported: Exported) -> Entry {
    let is_of_session = !exported.imported && (exported.cwd.is_some() || exported.status.is_some());
    let ran = is_of_session.then(|| Ran {
        cwd: exported.cwd.unwrap_or_default().into_bytes(),
        end: exported
            .status
            .map(|status| (status, exported.duration_ns.unwrap_or(0))),
    });
    let mut command = exported.command.into_bytes();
    // No command has one, and no shell runs it.
    command.retain(|byte| *byte != 0);
    Entry {
        time_ns: exported.time_ns.unwrap_or(0),
        command,
        ran,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let ran = Command {
            session: 1,
            seq: 2,
            time_ns: 5_000_000_007,
            cwd: b"/srv/a b".to_vec(),
            command: b"for i in 1\ndo echo \"$i\"\ndone".to_vec(),
            status: Some(3),
            duration_ns: Some(9),
            imported: false,
        };
        let brought = Command {
            cwd: Vec::new(),
            status: None,
            duration_ns: None,
            imported: true,
            command: b"ls".to_vec(),
            ..ran
        };
        let mut out = Vec::new();
        for command in [&ran, &brought] {
            write(&mut out, "m", command).unwrap();
        }
        assert!(is_it(&out) && is_it(&out[..40]));
        let expect = [
            Entry {
                time_ns: ran.time_ns,
                command: ran.command,
                ran: Some(Ran {
                    cwd: ran.cwd,
                    end: Some((3, 9)),
                }),
            },
            Entry {
                time_ns: ran.time_ns,
                command: brought.command,
                ran: None,
            },
        ];
        assert_eq!(read(&out[..]).unwrap(), expect);
        let error = read(&b"{\"host\":\"m\",\"command\":\"ls\"}\n{ echo a; }\n"[..]).unwrap_err();
        assert!(error.to_string().starts_with("line 2 "), "{error}");
        assert!(!is_it(b"{ echo a; }\n") && !is_it(b"ls\n") && !is_it(b""));
    }
}
