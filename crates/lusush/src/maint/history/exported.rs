//! A command as `export --format json` writes it, and reads it back.
//!
//! Invariant: what was written is read back with its time, folder, status and run time, and byte for byte: what is no UTF-8 stands
//! in Base64 beside the text that stands for it. The machine is written for whoever reads it: records name none, so what is
//! imported becomes this machine's.

use std::io::{BufRead, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lle_log::PAYLOAD_BYTES_MAX;
use lle_log::formats::{Entry, Ran, Read};
use lle_log::history::Command;
use lle_log::lines::{LineEnd, Lines};
use serde::{Deserialize, Serialize};

/// Bytes of a line: the longest command, each byte written as `\u0001` or both as text and in Base64, and some.
const LINE_BYTES_MAX: usize = 8 * PAYLOAD_BYTES_MAX;

#[derive(Deserialize, Serialize)]
struct Exported {
    host: String,
    time_ns: Option<i64>,
    cwd: Option<String>,
    /// In Base64, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cwd_bytes: Option<String>,
    command: String,
    /// In Base64, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command_bytes: Option<String>,
    status: Option<i32>,
    duration_ns: Option<u64>,
    #[serde(default)]
    imported: bool,
}

/// Writes one line.
pub(super) fn write(out: &mut impl Write, host: &str, command: &Command) -> std::io::Result<()> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let exact = |bytes: &[u8]| {
        std::str::from_utf8(bytes)
            .is_err()
            .then(|| STANDARD.encode(bytes))
    };
    let exported = Exported {
        host: host.to_owned(),
        time_ns: (command.time_ns != 0).then_some(command.time_ns),
        cwd: (!command.cwd.is_empty()).then(|| text(&command.cwd)),
        cwd_bytes: exact(&command.cwd),
        command: text(&command.command),
        command_bytes: exact(&command.command),
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

/// Reads every line.
///
/// # Errors
/// The file's, or a line is none of them: then nothing of it is taken.
pub(super) fn read(file: impl BufRead) -> std::io::Result<Read> {
    let (mut lines, mut at, mut read) = (
        Lines::new(file, LineEnd::Newline, LINE_BYTES_MAX),
        0,
        Read::default(),
    );
    while let Some(line) = lines.next()? {
        at += 1;
        if line.is_overlong {
            read.too_long += 1;
            continue;
        }
        if line.bytes.trim_ascii().is_empty() {
            continue;
        }
        let refused =
            |error: String| std::io::Error::other(format!("line {at} is no command of an export: {error}"));
        let exported = serde_json::from_slice(line.bytes).map_err(|error| refused(error.to_string()))?;
        let entry = entry(exported).map_err(|error| refused(format!("no Base64: {error}")))?;
        read.take(entry, false);
    }
    Ok(read)
}

fn entry(exported: Exported) -> Result<Entry, base64::DecodeError> {
    let is_of_session = !exported.imported && (exported.cwd.is_some() || exported.status.is_some());
    let bytes = |exact: Option<String>, text: String| match exact {
        Some(exact) => STANDARD.decode(exact),
        None => Ok(text.into_bytes()),
    };
    let cwd = bytes(exported.cwd_bytes, exported.cwd.unwrap_or_default())?;
    let mut command = bytes(exported.command_bytes, exported.command)?;
    // No command has one, and no shell runs it.
    command.retain(|byte| *byte != 0);
    let ran = is_of_session.then(|| Ran {
        cwd,
        end: exported
            .status
            .map(|status| (status, exported.duration_ns.unwrap_or(0))),
    });
    Ok(Entry {
        time_ns: exported.time_ns.unwrap_or(0),
        command,
        ran,
    })
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
        let odd = Command {
            cwd: b"/srv/\xff".to_vec(),
            command: b"echo \xc3\x28 \xef\xbf\xbd".to_vec(),
            imported: false,
            ..brought
        };
        let mut out = Vec::new();
        for command in [&ran, &brought, &odd] {
            write(&mut out, "m", command).unwrap();
        }
        assert!(is_it(&out) && is_it(&out[..40]));
        assert_eq!(out.windows(6).filter(|window| window == b"_bytes").count(), 2);
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
            Entry {
                time_ns: odd.time_ns,
                command: odd.command,
                ran: Some(Ran {
                    cwd: odd.cwd,
                    end: None,
                }),
            },
        ];
        let long = "x".repeat(2 * LINE_BYTES_MAX);
        out.extend(format!("{{\"host\":\"m\",\"command\":\"{long}\"}}\n").bytes());
        let read_back = read(&out[..]).unwrap();
        assert_eq!((&read_back.entries[..], read_back.too_long), (&expect[..], 1));
        let error = read(&b"{\"host\":\"m\",\"command\":\"ls\"}\n{ echo a; }\n"[..]).unwrap_err();
        assert!(error.to_string().starts_with("line 2 "), "{error}");
        let no_base64 = &b"{\"host\":\"m\",\"command\":\"ls\",\"command_bytes\":\"?\"}"[..];
        let error = read(no_base64).unwrap_err();
        assert!(error.to_string().contains("no Base64"), "{error}");
        assert!(!is_it(b"{ echo a; }\n") && !is_it(b"ls\n") && !is_it(b""));
    }
}
