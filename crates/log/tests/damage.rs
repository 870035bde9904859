//! Any byte of a log may be wrong, any stretch missing: every undamaged record is still read, and the damage counted.
// A panic is the report.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};

use lle_log::history::{Command, History};
use lle_log::search::{PrefixSearch, SubstringSearch};
use proptest::prelude::*;

const HEADER_BYTES: usize = 64;

struct Sample {
    folder: tempfile::TempDir,
    bytes: Vec<u8>,
    /// Where each record ends, and the command it begins, if it does.
    records: Vec<(usize, Option<&'static str>)>,
}

impl Sample {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.log");
        let import = folder.path().join("bash_history");
        std::fs::write(&import, "imported one\nimported two\n").unwrap();
        let mut a = open(&path, 0xA, Some(&import));
        let first = 64 + 48 + 12;
        let mut records = vec![
            (first, Some("imported one")),
            (first + 48 + 12, Some("imported two")),
        ];
        let mut b = open(&path, 0xB, None);
        let length = || std::fs::metadata(&path).unwrap().len() as usize;
        let one = a.started(1, b"/home", b"for i in 1 2").unwrap();
        records.push((length(), Some("for i in 1 2")));
        let two = b.started(2, b"/", b"make -j8").unwrap();
        records.push((length(), Some("make -j8")));
        a.continued(one, 3, b"do echo; done").unwrap();
        records.push((length(), None));
        b.finished(two, 4, 130, 5).unwrap();
        records.push((length(), None));
        b.started(5, b"/", b"secret").unwrap();
        assert_eq!(b.redact(0xB, 3).unwrap(), 1);
        records.push((length(), None));
        a.started(6, b"", b"").unwrap();
        records.push((length(), Some("")));
        a.finished(one, 7, 0, 8).unwrap();
        records.push((length(), None));
        let bytes = std::fs::read(&path).unwrap();
        Self {
            folder,
            bytes,
            records,
        }
    }

    fn with(&self, bytes: &[u8]) -> History {
        let path = self.path();
        std::fs::write(&path, bytes).unwrap();
        open(&path, 0xC, None)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("damaged.log")
    }
}

fn open(path: &Path, session: u64, import: Option<&Path>) -> History {
    History::open(path, session, 0, import).unwrap().history
}

/// The first lines of all commands, read in both directions.
fn first_lines(history: &History) -> Vec<String> {
    let forward: Vec<Command> = history.commands().collect();
    assert_eq!(
        history.tail(usize::MAX),
        forward,
        "backward reads what forward reads"
    );
    let text = |command: Command| String::from_utf8_lossy(&command.command).into_owned();
    forward
        .into_iter()
        .map(|command| text(command).split('\n').next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn a_whole_log_has_no_damage() {
    let sample = Sample::new();
    let history = sample.with(&sample.bytes);
    let report = history.check();
    assert_eq!((report.records, report.commands, report.imported), (9, 3, 2));
    assert_eq!((report.finished, report.redacted), (2, 1));
    assert_eq!(
        (report.damaged_runs, report.damaged_bytes, report.torn_tail_bytes),
        (0, 0, 0)
    );
    assert_eq!(
        first_lines(&history),
        ["imported one", "imported two", "for i in 1 2", "make -j8", ""]
    );
}

#[test]
fn any_one_byte_flipped_costs_at_most_its_record() {
    let sample = Sample::new();
    for at in 0..sample.bytes.len() {
        for flip in [0x01, 0x80, 0xFF] {
            let mut bytes = sample.bytes.clone();
            bytes[at] ^= flip;
            let mut history = sample.with(&bytes);
            let report = history.check();
            let noticed = report.damaged_bytes + report.torn_tail_bytes;
            // A redacted payload is not looked at: there is nothing left in it to damage.
            let (secret_from, secret_to) = (sample.records[5].0, sample.records[6].0);
            let in_redacted_payload = (secret_from + 44..secret_to - 4).contains(&at);
            assert!(
                noticed > 0 || in_redacted_payload,
                "byte {at} ^ {flip:#x} goes unnoticed: {report:?}"
            );
            let hit = sample
                .records
                .iter()
                .position(|&(end, _)| at < end)
                .filter(|_| at >= HEADER_BYTES);
            assert!(
                report.records >= 9 - u64::from(hit.is_some()),
                "byte {at} ^ {flip:#x}: {report:?}"
            );

            let found = first_lines(&history);
            for (index, &(_, command)) in sample.records.iter().enumerate() {
                let Some(command) = command.filter(|_| Some(index) != hit) else {
                    continue;
                };
                assert!(
                    found.iter().any(|line| line == command),
                    "byte {at} ^ {flip:#x} costs {command:?}: {found:?}"
                );
            }
            assert!(!found.iter().any(|line| line.contains("secret")));
            history.started(9, b"/", b"afterwards").unwrap();
            assert_eq!(
                first_lines(&history).last().map(String::as_str),
                Some("afterwards")
            );
        }
    }
}

#[test]
fn cut_anywhere_it_keeps_what_is_whole() {
    let sample = Sample::new();
    for length in 0..=sample.bytes.len() {
        let mut history = sample.with(&sample.bytes[..length]);
        // The closing length is for reading backward: a record is whole without it.
        let whole = || sample.records.iter().filter(|&&(end, _)| end - 4 <= length);
        let report = history.check();
        assert_eq!(report.records, whole().count() as u64, "cut at {length}");
        let last_end = whole().next_back().map_or(
            HEADER_BYTES,
            |&(end, _)| if end <= length { end } else { end - 4 },
        );
        if length >= HEADER_BYTES {
            assert_eq!(
                report.torn_tail_bytes,
                (length - last_end) as u64,
                "cut at {length}"
            );
        }
        let mut expect: Vec<_> = whole().filter_map(|&(_, command)| command).collect();
        assert_eq!(first_lines(&history), expect, "cut at {length}");
        history.started(9, b"/", b"afterwards").unwrap();
        expect.push("afterwards");
        assert_eq!(first_lines(&history), expect, "cut at {length}, then appended to");
    }
}

#[test]
fn a_file_that_is_no_log_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "my notes\n".repeat(100)).unwrap();
    let error = History::open(&path, 1, 0, None).err().unwrap();
    assert!(matches!(error, lle_log::OpenError::Foreign { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "my notes\n".repeat(100));
}

#[test]
fn a_log_of_a_later_version_is_refused_by_its_number() {
    let sample = Sample::new();
    let mut bytes = sample.bytes.clone();
    bytes[8] = 9;
    let crc = crc32fast::hash(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(sample.path(), &bytes).unwrap();
    let error = History::open(&sample.path(), 1, 0, None).err().unwrap();
    assert!(
        matches!(error, lle_log::OpenError::Version { found: 9, .. }),
        "{error}"
    );
}

/// Garbage such as a failed disk or a cut-off write leaves: random bytes, zeros, sync marks, starts of records.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let sync = Just(vec![0xF5, 0x00, 0xFE, 0x9C]);
    let header = Just({
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        open(&path, 7, None).started(1, b"/", b"never finished").unwrap();
        let whole = std::fs::read(&path).unwrap();
        whole[HEADER_BYTES..whole.len() - 1].to_vec()
    });
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        (0..200_000usize).prop_map(|length| vec![0; length]),
        sync,
        (header, 1..60usize).prop_map(|(bytes, keep)| bytes[..keep].to_vec()),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_lies_between_the_records_all_are_read(
        parts in proptest::collection::vec((garbage(), "[a-z ]{0,30}"), 0..12), tail in garbage(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut history = open(&path, 1, None);
        let mut spill = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        let mut spilled = 0;
        for (garbage, command) in &parts {
            spill.write_all(garbage).unwrap();
            spilled += garbage.len();
            history.started(0, b"/", command.as_bytes()).unwrap();
        }
        spill.write_all(&tail).unwrap();
        history.refresh().unwrap();
        let expect: Vec<_> = parts.iter().map(|(_, command)| command.clone()).collect();
        prop_assert_eq!(&first_lines(&history), &expect);
        let report = history.check();
        prop_assert_eq!(report.records, parts.len() as u64);
        prop_assert_eq!(report.damaged_bytes, spilled as u64);
        prop_assert_eq!(report.torn_tail_bytes, tail.len() as u64);

        let (mut prefix, mut substring) = (PrefixSearch::new(), SubstringSearch::new());
        for typed in ["a", "th", " ", "zz"] {
            let newest = |fits: &dyn Fn(&str) -> bool| {
                expect.iter().rev().find(|command| command.len() > typed.len() && fits(command)).map(String::as_bytes)
            };
            prop_assert_eq!(prefix.find(&history, typed.as_bytes()), newest(&|command| command.starts_with(typed)));
            prop_assert_eq!(substring.find(&history, typed.as_bytes()), newest(&|command| command.contains(typed)));
        }
    }

    #[test]
    fn a_file_of_any_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400), as_log: bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut content = if as_log { b"\x89LLELOG\n".to_vec() } else { Vec::new() };
        content.extend_from_slice(&bytes);
        std::fs::write(&path, &content).unwrap();
        if let Ok(opened) = History::open(&path, 1, 0, None) {
            prop_assert_eq!(first_lines(&opened.history).len() as u64, opened.history.check().commands);
        }
    }
}
