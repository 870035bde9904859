//! Versions of small files, such as the configuration: each state that was accepted, by whom and why, and which of them
//! proved themselves.
//!
//! ```text
//!  payload of a version (kind 1)   │ cause │ uid │ pid │ from │ file's name │ tool's name │ content to the end │
//!                                    1       4     4     8      1 + n         1 + n
//!  payload of a verdict (kind 2)   │ version │ verdict │
//!                                    8         1
//! ```
//!
//! A version's number is the sequence number of its record; numbers grow and are never used again. What a version
//! changed is not stored: it is the difference from the one before.
//!
//! Invariants: any bytes are read without a panic. Records of a kind that this release does not know are kept and passed
//! over. Pruning never drops the newest version of a file, nor the newest good one.
//!
//! Nothing here touches a file.

use crate::frame::{u32_at, u64_at};
use crate::header::{LogKind, header};
use crate::records::{self, Entry, ReadError, TooLong};

/// Versions that are kept.
pub const VERSIONS_MAX: usize = 200;
/// Bytes of the log beyond which the oldest versions go.
pub const LOG_BYTES_MAX: usize = 4 << 20;
/// Bytes of a file's or a tool's name; what is longer is cut. One byte says how many there are.
pub const NAME_BYTES_MAX: usize = 255;

const VERSION: u8 = 1;
const VERDICT: u8 = 2;
const NAMES_AT: usize = 1 + 4 + 4 + 8;

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$row_doc:meta])* $row:ident = $code:literal, $word:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$row_doc])* $row = $code,)* }

        impl $name {
            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $($name::$row => $word,)* }
            }

            fn of(code: u8) -> Option<Self> {
                match code { $($code => Some($name::$row),)* _ => None }
            }
        }
    };
}

codes! {
    /// Why there is a version.
    Cause {
        /// A key was set or unset through us.
        Edited = 1, "edited";
        /// Somebody changed the file, and that was noticed.
        Noticed = 2, "noticed";
        /// An older version was taken up again.
        RolledBack = 3, "rolled-back";
    }
}

codes! {
    /// What became of a version.
    Verdict {
        /// It proved itself.
        Confirmed = 1, "confirmed";
        /// It was taken back.
        TakenBack = 2, "taken-back";
    }
}

/// A state of a file that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// When it was accepted, in nanoseconds of Unix time.
    pub time_ns: i64,
    /// Why.
    pub cause: Cause,
    /// The user who did it.
    pub uid: u32,
    /// The process that did it.
    pub pid: u32,
    /// The version whose content was taken up again; 0 if none was.
    pub from: u64,
    /// Which file.
    pub file: &'a str,
    /// The program that did it.
    pub tool: &'a str,
    /// The whole file.
    pub content: &'a [u8],
    /// What became of it, as far as that is known.
    pub verdict: Option<Verdict>,
}

/// All versions that a log holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions<'a> {
    /// Every version that can be read, the oldest first.
    pub versions: Vec<Version<'a>>,
    /// Bytes that are no record.
    pub damaged_bytes: u64,
    last_number: u64,
}

/// Reads a log. No bytes at all are a log without versions.
///
/// # Errors
/// If the bytes are something else, or a later release's.
pub fn read(bytes: &[u8]) -> Result<Versions<'_>, ReadError> {
    let read = records::read(bytes, LogKind::Versions)?;
    let torn = read.torn_tail.end - read.torn_tail.start;
    let damaged: u64 = read.damage.iter().map(|range| range.end - range.start).sum();
    Ok(Versions {
        damaged_bytes: damaged + torn,
        ..Versions::of(&read.entries)
    })
}

/// Reads the end of a log, from anywhere in it: the newest versions, as far as they stand there without a gap, and the next
/// number. `beginning` is the first [`records::BEGINNING_BYTES`] of the same log.
///
/// None if only the whole log tells: nothing stands there whole, or the log is something else.
pub fn read_end<'a>(beginning: &[u8], end: &'a [u8]) -> Option<Versions<'a>> {
    records::read_end(beginning, end, LogKind::Versions).map(|entries| Versions::of(&entries))
}

/// Appends a version to `out`, with a header before it if `out` is empty. Its verdict is left out.
///
/// # Errors
/// The content is too long for one record; nothing is appended then.
pub fn encode(out: &mut Vec<u8>, version: &Version<'_>) -> Result<(), TooLong> {
    let mut payload = Vec::with_capacity(NAMES_AT + 2 + 2 * NAME_BYTES_MAX + version.content.len());
    payload.push(version.cause as u8);
    payload.extend_from_slice(&version.uid.to_le_bytes());
    payload.extend_from_slice(&version.pid.to_le_bytes());
    payload.extend_from_slice(&version.from.to_le_bytes());
    for name in [version.file, version.tool] {
        let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX)];
        payload.push(name.len() as u8);
        payload.extend_from_slice(name.as_bytes());
    }
    payload.extend_from_slice(version.content);
    append(
        out,
        VERSION,
        version.number,
        version.pid,
        version.time_ns,
        &payload,
    )
}

/// Appends what became of version `number`, as record `sequence`.
///
/// # Errors
/// None in practice: the record is short.
pub fn encode_verdict(
    out: &mut Vec<u8>,
    sequence: u64,
    time_ns: i64,
    number: u64,
    verdict: Verdict,
) -> Result<(), TooLong> {
    let mut payload = number.to_le_bytes().to_vec();
    payload.push(verdict as u8);
    append(out, VERDICT, sequence, 0, time_ns, &payload)
}

fn append(
    out: &mut Vec<u8>,
    kind: u8,
    sequence: u64,
    pid: u32,
    time_ns: i64,
    payload: &[u8],
) -> Result<(), TooLong> {
    let writer = u64::from(pid) + 1;
    let mut record = Vec::new();
    let entry = Entry {
        at: 0,
        kind,
        sequence,
        writer,
        time_ns,
        payload,
    };
    records::encode(&mut record, &entry)?;
    if out.is_empty() {
        out.extend_from_slice(&header(LogKind::Versions, writer, time_ns));
    }
    out.extend_from_slice(&record);
    Ok(())
}

fn decode<'a>(entry: &Entry<'a>) -> Option<Version<'a>> {
    let payload = entry.payload;
    let (file, rest) = name(payload.get(NAMES_AT..)?)?;
    let (tool, content) = name(rest)?;
    Some(Version {
        number: entry.sequence,
        time_ns: entry.time_ns,
        cause: Cause::of(*payload.first()?)?,
        uid: u32_at(payload, 1)?,
        pid: u32_at(payload, 5)?,
        from: u64_at(payload, 9)?,
        file,
        tool,
        content,
        verdict: None,
    })
}

fn name(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (len, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*len))?;
    Some((std::str::from_utf8(name).ok()?, rest))
}

impl<'a> Versions<'a> {
    fn of(entries: &[Entry<'a>]) -> Self {
        let mut versions = Versions::default();
        for entry in entries {
            versions.last_number = versions.last_number.max(entry.sequence);
            match entry.kind {
                VERSION => versions.versions.extend(decode(entry)),
                VERDICT => versions.judge(entry.payload),
                _ => {}
            }
        }
        versions
    }

    fn judge(&mut self, payload: &[u8]) {
        let verdict = payload.get(8).copied().and_then(Verdict::of);
        let number = u64_at(payload, 0);
        let judged = self
            .versions
            .iter_mut()
            .find(|version| Some(version.number) == number);
        if let Some(version) = judged {
            version.verdict = verdict;
        }
    }

    /// The number of the next record.
    pub fn next_number(&self) -> u64 {
        self.last_number.saturating_add(1)
    }

    /// The version of that number.
    pub fn numbered(&self, number: u64) -> Option<&Version<'a>> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// The newest version of a file.
    pub fn newest(&self, file: &str) -> Option<&Version<'a>> {
        self.versions.iter().rfind(|version| version.file == file)
    }

    /// The version of a file before the one of that number.
    pub fn before(&self, file: &str, number: u64) -> Option<&Version<'a>> {
        self.versions
            .iter()
            .rfind(|version| version.file == file && version.number < number)
    }

    /// The newest version of a file that proved itself, else the newest that was not taken back.
    pub fn last_good(&self, file: &str) -> Option<&Version<'a>> {
        let of = || self.versions.iter().filter(|version| version.file == file);
        let confirmed = of().rfind(|version| version.verdict == Some(Verdict::Confirmed));
        confirmed.or_else(|| of().rfind(|version| version.verdict != Some(Verdict::TakenBack)))
    }

    /// The log without its oldest versions, if it has more than `versions_max` or takes more than `bytes_max`; the newest
    /// of each file and its last good one stay, whatever they take.
    pub fn pruned(&self, versions_max: usize, bytes_max: usize) -> Option<Vec<u8>> {
        let bytes = |version: &Version<'_>| version.content.len() + 2 * NAME_BYTES_MAX;
        let total: usize = self.versions.iter().map(bytes).sum();
        if self.versions.len() <= versions_max && total <= bytes_max {
            return None;
        }
        // Half of the room, so that not every version prunes anew.
        let (mut left, mut room) = (versions_max.div_ceil(2), bytes_max / 2);
        let mut kept: Vec<&Version<'a>> = Vec::new();
        for version in self.versions.iter().rev() {
            let needed = [self.newest(version.file), self.last_good(version.file)];
            let needed = needed.iter().flatten().any(|of| of.number == version.number);
            let fits = left > 0 && bytes(version) <= room;
            if fits {
                (left, room) = (left - 1, room - bytes(version));
            } else if !needed {
                // Older ones go as well, so that what is left has no gaps but before the good ones.
                (left, room) = (0, 0);
                continue;
            }
            kept.push(version);
        }
        kept.reverse();
        self.written(&kept)
    }

    /// The log without the files that have been let be longest, if it is of more than `files_max`.
    pub fn of_fewer_files(&self, files_max: usize) -> Option<Vec<u8>> {
        let mut newest: Vec<&Version<'a>> = Vec::new();
        for version in &self.versions {
            newest.retain(|other| other.file != version.file);
            newest.push(version);
        }
        let gone = newest.len().checked_sub(files_max).filter(|gone| *gone > 0)?;
        let gone: Vec<&str> = newest[..gone].iter().map(|version| version.file).collect();
        let kept = self
            .versions
            .iter()
            .filter(|version| !gone.contains(&version.file));
        self.written(&kept.collect::<Vec<_>>())
    }

    /// A log of these versions, the oldest first. Verdicts stand behind all of them, so that the highest number is at the
    /// end, where [`read_end`] finds it.
    fn written(&self, kept: &[&Version<'a>]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for version in kept {
            encode(&mut out, version).ok()?;
        }
        let judged = kept
            .iter()
            .filter_map(|version| Some((version, version.verdict?)));
        for (number, (version, verdict)) in (self.next_number()..).zip(judged) {
            encode_verdict(&mut out, number, version.time_ns, version.number, verdict).ok()?;
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn version(number: u64, content: &[u8]) -> Version<'_> {
        Version {
            number,
            time_ns: 1_700_000_000_000_000_000,
            cause: Cause::Edited,
            uid: 1000,
            pid: 4711,
            from: 0,
            file: "config.toml",
            tool: "lusush maint",
            content,
            verdict: None,
        }
    }

    fn log(contents: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, content) in (1..).zip(contents) {
            encode(&mut out, &version(number, content)).unwrap();
        }
        out
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(contents in vec(vec(any::<u8>(), 0..300), 0..10)) {
            let bytes = log(&contents);
            let read = read(&bytes).unwrap();
            prop_assert_eq!(read.damaged_bytes, 0);
            prop_assert_eq!(read.next_number(), contents.len() as u64 + 1);
            let expect: Vec<Version<'_>> = (1..).zip(&contents).map(|(n, content)| version(n, content)).collect();
            prop_assert_eq!(read.versions, expect);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200), cut: prop::sample::Index) {
            let _ = read(&bytes);
            let mut log = log(&[b"a".to_vec(), b"b".to_vec()]);
            let cut = cut.index(log.len());
            log.splice(cut..cut, bytes);
            let _ = read(&log);
        }

        #[test]
        fn the_end_tells_the_newest_and_the_next_number(
            contents in vec(vec(any::<u8>(), 0..300), 1..10), from: prop::sample::Index,
        ) {
            let mut bytes = log(&contents);
            encode_verdict(&mut bytes, contents.len() as u64 + 1, 1, 1, Verdict::TakenBack).unwrap();
            let pruned = read(&bytes).unwrap().pruned(contents.len() / 2, usize::MAX);
            for bytes in [Some(bytes), pruned].into_iter().flatten() {
                let whole = read(&bytes).unwrap();
                let from = from.index(bytes.len());
                let Some(end) = read_end(&bytes[..records::BEGINNING_BYTES], &bytes[from..]) else {
                    continue;
                };
                prop_assert_eq!(end.next_number(), whole.next_number());
                if let Some(newest) = end.newest("config.toml") {
                    let expect = whole.newest("config.toml").unwrap();
                    prop_assert_eq!((newest.number, newest.content), (expect.number, expect.content));
                }
            }
        }

        #[test]
        fn pruning_keeps_the_newest_and_the_last_good(
            contents in vec(vec(any::<u8>(), 0..2000), 1..20), confirmed: prop::sample::Index, versions_max in 0..8usize,
        ) {
            let mut bytes = log(&contents);
            let (newest, good) = (contents.len() as u64, confirmed.index(contents.len()) as u64 + 1);
            encode_verdict(&mut bytes, newest + 1, 1, good, Verdict::Confirmed).unwrap();
            let before = read(&bytes).unwrap();
            let Some(pruned) = before.pruned(versions_max, 8_000) else {
                return Ok(());
            };
            let after = read(&pruned).unwrap();
            prop_assert_eq!(after.newest("config.toml"), before.newest("config.toml"));
            prop_assert_eq!(after.last_good("config.toml"), before.last_good("config.toml"));
            prop_assert!(after.next_number() >= before.next_number());
            prop_assert!(after.versions.len() <= versions_max.div_ceil(2) + 2);
            prop_assert!(after.versions.iter().all(|version| before.versions.contains(version)));
        }
    }

    #[test]
    fn files_that_were_let_be_longest_go() {
        let mut bytes = Vec::new();
        for (number, file) in (1..).zip(["a", "b", "a", "c"]) {
            encode(
                &mut bytes,
                &Version {
                    file,
                    ..version(number, b"x")
                },
            )
            .unwrap();
        }
        let files = |bytes: &[u8]| -> Vec<String> {
            read(bytes)
                .unwrap()
                .versions
                .iter()
                .map(|version| version.file.to_owned())
                .collect()
        };
        assert_eq!(read(&bytes).unwrap().of_fewer_files(3), None);
        assert_eq!(
            files(&read(&bytes).unwrap().of_fewer_files(2).unwrap()),
            ["a", "a", "c"]
        );
        assert_eq!(files(&read(&bytes).unwrap().of_fewer_files(1).unwrap()), ["c"]);
    }

    #[test]
    fn the_last_good_one_is_not_one_that_was_taken_back() {
        let mut bytes = log(&[b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]);
        let good = |bytes: &[u8]| {
            read(bytes)
                .unwrap()
                .last_good("config.toml")
                .map(|version| version.number)
        };
        assert_eq!(good(&bytes), Some(3));
        encode_verdict(&mut bytes, 4, 1, 3, Verdict::TakenBack).unwrap();
        assert_eq!(good(&bytes), Some(2));
        encode_verdict(&mut bytes, 5, 1, 1, Verdict::Confirmed).unwrap();
        assert_eq!(good(&bytes), Some(1));
        assert_eq!(read(&bytes).unwrap().last_good("other"), None);
    }
}
