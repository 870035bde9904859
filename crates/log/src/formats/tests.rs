//! What is read of the files of each shell.

use super::*;
use proptest::prelude::*;

fn check(file: &[u8], format: Format, expect: &[(i64, &str)]) {
    assert_eq!(Format::of(file), format, "{:?}", String::from_utf8_lossy(file));
    let read: Vec<(i64, String)> = format
        .read(file, LineEnd::of(file).unwrap())
        .unwrap()
        .entries
        .into_iter()
        .map(|entry| {
            (
                entry.time_ns / SECOND_NS,
                String::from_utf8(entry.command).unwrap(),
            )
        })
        .collect();
    let expect: Vec<_> = expect
        .iter()
        .map(|(at, text)| (*at, (*text).to_owned()))
        .collect();
    assert_eq!(read, expect);
}

#[test]
fn each_shell_s_file() {
    check(
        b"#5\nls\n#6\nfor i\ndo\n",
        Format::Bash,
        &[(5, "ls"), (6, "for i\ndo")],
    );
    check(b"ls\ncd /\n", Format::Bash, &[(0, "ls"), (0, "cd /")]);
    check(
        b": 1700000000:0;git log\n: 1700000001:12;for i in 1\\\ndo echo\\\ndone\nplain\n",
        Format::Zsh,
        &[
            (1_700_000_000, "git log"),
            (1_700_000_001, "for i in 1\ndo echo\ndone"),
            (0, "plain"),
        ],
    );
    // ü is C3 BC; zsh writes what lies in 0x83 … 0x9F changed: ß is C3 9F.
    check(
        b": 1:0;echo \xc3\xbc \xc3\x83\xbf\n",
        Format::Zsh,
        &[(1, "echo ü ß")],
    );
    check(
        b": 1:0;a\\\\\nb\n: 2:0;echo back\\\\ \n: 3:0;c\\ \\\nd\n: 4:0;e\\  \n: 5:0;ls \n\\: x\n",
        Format::Zsh,
        &[
            (1, "a\\\nb"),
            (2, "echo back\\\\"),
            (3, "c\\ \nd"),
            (4, "e\\ "),
            (5, "ls "),
            (0, ": x"),
        ],
    );
    check(
        b"- cmd: git log\n  when: 1700000000\n  paths:\n    - README\n- cmd: a\\nb \\\\n\n  when: 7\n- cmd: last\n",
        Format::Fish,
        &[(1_700_000_000, "git log"), (7, "a\nb \\n"), (0, "last")],
    );
    check(b"", Format::Bash, &[]);
    // As DOS ends lines, if all of them do.
    check(
        b"#5\r\nls\r\n#6\r\nfor i\r\ndo\r\n",
        Format::Bash,
        &[(5, "ls"), (6, "for i\ndo")],
    );
    check(b"#5\nls\n#6\ncat \r\n", Format::Bash, &[(5, "ls"), (6, "cat \r")]);
    check(b": 7:0;a\\\r\nb\r\n", Format::Zsh, &[(7, "a\nb")]);
    check(b"- cmd: ls\r\n  when: 7\r\n", Format::Fish, &[(7, "ls")]);
}

#[test]
fn what_no_record_holds_is_left_out_counted_and_nothing_else() {
    let long = "x".repeat(PAYLOAD_BYTES_MAX + 1);
    let longer = "x".repeat(2 * LINE_BYTES_MAX);
    let half = "x".repeat(PAYLOAD_BYTES_MAX / 2 + 1);
    for text in [long, longer, format!("{half}\\\n{half}")] {
        let is_of_zsh_alone = text.contains('\n');
        let file = |format| match format {
            Format::Bash => format!("#1\na\n#2\n{text}\n#3\nb\n"),
            Format::Zsh => format!(": 1:0;a\n: 2:0;{text}\\\nmore\n: 3:0;b\n"),
            Format::Fish => format!("- cmd: a\n  when: 1\n- cmd: {text}\n  when: 2\n- cmd: b\n  when: 3\n"),
        };
        for (name, format) in Format::ALL {
            if is_of_zsh_alone && format == Format::Fish {
                continue;
            }
            let read = format.read(file(format).as_bytes(), LineEnd::Newline).unwrap();
            let there: Vec<_> = read
                .entries
                .iter()
                .map(|entry| entry.time_ns / SECOND_NS)
                .collect();
            assert_eq!(
                (there, read.too_long),
                (vec![1, 3], 1),
                "{name}, {} bytes",
                text.len()
            );
        }
    }
}

/// What zsh itself makes of a file, where there is one; entries divided by NULs.
fn zsh_reads(file: &[u8]) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("histfile");
    // The entry that was read last is the one that zsh takes for its own command line, and does not list.
    std::fs::write(&path, [file, b"not listed\n"].concat()).unwrap();
    let script = "HISTSIZE=1000; fc -R $1; for k in ${(kn)history}; do printf '%s\\0' $history[$k]; done";
    let output = std::process::Command::new("zsh")
        .args(["-f", "-c", script, "zsh"])
        .arg(&path)
        .env("LC_ALL", "C")
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: there is no zsh to compare with");
        return None;
    };
    assert!(output.status.success(), "{output:?}");
    Some(output.stdout)
}

#[test]
fn a_file_is_read_as_zsh_reads_it() {
    // Every line of four of these behind a first letter, plain and with times; an entry of its own closes each.
    let pieces: [&[u8]; 4] = [b"\\", b" ", b"x", b"\n"];
    let mut file = Vec::new();
    for n in 0..256usize {
        if n % 2 == 0 {
            file.extend_from_slice(b": 5:0;");
        }
        file.extend_from_slice(format!("e{n}").as_bytes());
        for place in 0..4 {
            file.extend_from_slice(pieces[n >> (2 * place) & 3]);
        }
        file.extend_from_slice(format!("\nend {n}\n").as_bytes());
    }
    let Some(expect) = zsh_reads(&file) else { return };
    let read: Vec<u8> = Format::Zsh
        .read(&file[..], LineEnd::Newline)
        .unwrap()
        .entries
        .into_iter()
        .flat_map(|entry| [entry.command, vec![0]].concat())
        .collect();
    let shown = |bytes: &[u8]| -> Vec<String> {
        // Of an entry without a text nothing is to be kept.
        let entries = bytes.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
        entries
            .map(|entry| String::from_utf8_lossy(entry).into_owned())
            .collect()
    };
    assert_eq!(shown(&read), shown(&expect));
}

#[test]
fn what_is_no_history_is_refused() {
    let check =
        |bytes: &[u8], expect| assert_eq!(refusal(bytes), expect, "{:?}", &bytes[..bytes.len().min(40)]);
    let log = crate::header::header(crate::header::LogKind::History, 1, 1);
    check(&log, Some(Refusal::Log));
    let mut random = 7u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 56) as u8
    })
    .take(64 * 1024)
    .collect();
    check(&noise, Some(Refusal::Binary));
    let program = std::fs::read("/proc/self/exe").unwrap();
    check(&program[..64 * 1024], Some(Refusal::Binary));
    // What a crash left, other encodings, a key binding, zsh's own bytes.
    check(&[&b"ls\ncd\n"[..], &[0; 4096]].concat(), None);
    check("ls\u{e4}\n".repeat(20).as_bytes(), None);
    check(&[0xe4, b'\n'].repeat(200), None);
    check(b"bind '\x18\x05'\n", None);
    check(b": 1:0;echo \xc3\x83\xbf\n", None);
    check(b"", None);
}

/// A command as a session logs it: without NULs, and not ended by a newline.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(&b"#"[..]),
        Just(&b"#1700000000"[..]),
        Just(&b" "[..]),
        Just(&b"\n"[..]),
        Just(&b"5"[..]),
        Just(&b"\xff\r"[..]),
        Just(&b" escaped"[..]),
    ];
    let pieces = proptest::collection::vec(piece, 1..8);
    pieces
        .prop_map(|pieces| pieces.concat())
        .prop_filter("it has a beginning and an end", |command| {
            command.first() != Some(&b'\n') && command.last() != Some(&b'\n')
        })
}

#[test]
fn bash_reads_as_many_commands_as_were_written() {
    let commands: [&[u8]; 4] = [b"ls", b"cat <<E\n#1700000000\nE", b"#5 x", b"pwd"];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("histfile");
    let mut file = Vec::new();
    for (n, command) in commands.into_iter().enumerate() {
        write_bash(&mut file, (1_600_000_000 + n as i64) * SECOND_NS, command).unwrap();
    }
    std::fs::write(&path, file).unwrap();
    let script = "set -o history; history -c; HISTTIMEFORMAT='at %s '; history -r \"$1\"; history";
    let output = std::process::Command::new("bash")
        .args(["--norc", "-c", script, "bash"])
        .arg(&path)
        .output()
        .unwrap();
    let read = String::from_utf8(output.stdout).unwrap();
    for n in 0..commands.len() {
        assert!(
            read.contains(&format!("{}  at {} ", n + 1, 1_600_000_000 + n)),
            "{read}"
        );
    }
    assert_eq!(read.matches(" at 1").count(), commands.len(), "{read}");
}

proptest! {
    #[test]
    fn what_was_written_for_bash_is_read_back(
        commands in proptest::collection::vec((0..5i64, command()), 1..5),
    ) {
        let mut file = Vec::new();
        for (seconds, command) in &commands {
            write_bash(&mut file, seconds * SECOND_NS, command).unwrap();
        }
        let read: Vec<_> = Format::Bash
            .read(&file[..], LineEnd::Newline)
            .unwrap()
            .entries
            .into_iter()
            .map(|entry| (entry.time_ns / SECOND_NS, entry.command))
            .collect();
        prop_assert_eq!(read, commands);
    }

    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for (_, format) in Format::ALL {
            prop_assert!(format.read(&bytes[..], LineEnd::of(&bytes[..]).unwrap()).is_ok());
        }
    }
}
