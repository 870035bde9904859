//! The reader's side: a consistent copy of a flight file, taken with plain reads.
//!
//! The sequence is read before and after; if it moved or is odd, the copy is taken again. A writer that
//! died inside a batch leaves it odd for ever: then the copy is handed out marked as torn. Nothing in
//! the bytes is trusted: every offset and length is checked against the copy's end.

pub(crate) mod load;
pub(crate) mod sections;

use std::fs::File;
use std::io;
use std::path::Path;

use super::FILE_BYTES;
use super::bucket::BUCKETS;
use super::histogram::Histogram;
use super::identity::Identity;
use super::layout::{self, HIDDEN, SectionName, UNKNOWN, VERSION, VERSION_OLDEST};
use super::parts::{Parted, Parts, Times};
use super::table::{Counter, EventKind, Gauge, Stage, Timer};
use load::{length, load, open};
use sections::{Sections, half, word_at};

/// Copies taken before a moving sequence counts as torn. A batch takes well under a microsecond and a
/// copy a few, so failing twice means an extraordinarily busy writer, and 64 times a dead one.
pub(crate) const READ_ATTEMPTS: u32 = 64;

/// The largest file read: twice today's, so that the next version may grow.
const BYTES_MAX: usize = 2 * FILE_BYTES;

/// Why a file yields no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read.
    #[error("cannot be read")]
    Io(#[from] io::Error),
    /// Created a moment ago, or by a session that died right then.
    #[error("was never finished")]
    Unfinished,
    /// Some other file.
    #[error("is not a flight file")]
    Foreign,
    /// Written by a version too far away.
    #[error("has format {found}; this version reads {VERSION_OLDEST} to {VERSION}")]
    Version {
        /// The file's format.
        found: u32,
    },
    /// Cut off.
    #[error("is cut off: {found} of {expected} bytes")]
    Short {
        /// Bytes there are.
        found: usize,
        /// Bytes there should be.
        expected: usize,
    },
    /// The head points outside the file.
    #[error("is damaged: its {section} section lies outside")]
    Damaged {
        /// The section.
        section: &'static str,
    },
}

/// A consistent copy of a flight. The default is empty.
#[derive(Clone, Default)]
pub struct Snapshot {
    bytes: Vec<u8>,
    sections: Sections,
    torn: bool,
}

/// The line being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DraftLine<'a> {
    /// Its beginning, up to 4 KiB.
    pub text: &'a [u8],
    /// Bytes it has in truth.
    pub bytes: usize,
    /// There is a line, but it is not to be kept.
    pub hidden: bool,
}

/// One entry of the event ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Counts from 0 over the session's life.
    pub number: u64,
    /// Nanoseconds since 1970, 4 ms coarse.
    pub wall_ns: u64,
    /// What happened; none if a newer version knows more kinds.
    pub kind: Option<EventKind>,
    /// Meaning depends on the kind.
    pub code: i64,
    /// Meaning depends on the kind.
    pub value: i64,
    /// At most 32 bytes.
    pub text: &'a [u8],
}

impl Snapshot {
    /// Reads the flight file at `path`, which this process itself must not be writing.
    pub fn read(path: &Path) -> Result<Snapshot, ReadError> {
        let (file, metadata) = open(path)?;
        Snapshot::read_file(&file, length(&metadata))
    }

    pub(crate) fn read_file(file: &File, length: usize) -> Result<Snapshot, ReadError> {
        let mut bytes = Vec::new();
        let (sections, torn) = load(file, length, &mut bytes)?;
        Ok(Snapshot {
            bytes,
            sections,
            torn,
        })
    }

    /// Reads a flight file over this snapshot; allocates nothing. On error the snapshot stays as it is
    /// or becomes empty.
    pub fn read_again(&mut self, path: &Path) -> Result<(), ReadError> {
        let opened = open(path).inspect_err(|_| self.sections = Sections::default());
        let (file, metadata) = opened?;
        self.read_file_again(&file, length(&metadata))
    }

    pub(crate) fn read_file_again(&mut self, file: &File, length: usize) -> Result<(), ReadError> {
        match load(file, length, &mut self.bytes) {
            Ok((sections, torn)) => {
                (self.sections, self.torn) = (sections, torn);
                Ok(())
            }
            Err(error) => {
                self.sections = Sections::default();
                Err(error)
            }
        }
    }

    pub(crate) fn parse(bytes: Vec<u8>, torn: bool) -> Result<Snapshot, ReadError> {
        let sections = Sections::parse(&bytes)?;
        Ok(Snapshot {
            bytes,
            sections,
            torn,
        })
    }

    pub(crate) fn sections(&self) -> Sections {
        self.sections
    }

    /// Whether the writer died inside a batch: single values are true, their sums may not add up.
    pub fn torn(&self) -> bool {
        self.torn
    }

    /// Who writes the flight.
    pub fn identity(&self) -> Identity {
        let section = self.sections.of(SectionName::Identity);
        let text = |nth: usize| {
            let at = section.offset + 6 * 8 + nth * (1 + layout::NAME_WORDS) * 8;
            String::from_utf8_lossy(self.text(at, layout::NAME_WORDS).text).into_owned()
        };
        let (pid, start_ticks) = self.process();
        Identity {
            session_id: self.identity_word(0),
            boot_id: self.boot_id(),
            pid,
            start_ticks,
            created_wall_ns: self.created_wall_ns(),
            tty: text(0),
            bash_version: text(1),
            lle_version: text(2),
        }
    }

    /// The boot in which the flight is written; all zero when unknown. Allocates nothing, unlike the whole identity.
    pub fn boot_id(&self) -> [u8; 16] {
        let mut boot_id = [0; 16];
        boot_id[..8].copy_from_slice(&self.identity_word(1).to_ne_bytes());
        boot_id[8..].copy_from_slice(&self.identity_word(2).to_ne_bytes());
        boot_id
    }

    /// The writer's process number, and when that process started, in clock ticks since boot; 0 when unknown.
    /// Allocates nothing, unlike the whole identity.
    pub fn process(&self) -> (u32, u64) {
        (self.identity_word(3) as u32, self.identity_word(4))
    }

    /// A counter; 0 if the writer does not know it.
    pub fn counter(&self, counter: Counter) -> u64 {
        self.row(SectionName::Counters, counter as usize).unwrap_or(0)
    }

    /// A gauge; none if it was never set or the writer does not know it.
    pub fn gauge(&self, gauge: Gauge) -> Option<i64> {
        let value = self.row(SectionName::Gauges, gauge as usize)? as i64;
        (value != UNKNOWN).then_some(value)
    }

    /// A distribution; without samples if the writer does not know it.
    pub fn histogram(&self, timer: Timer) -> Histogram {
        let mut histogram = Histogram::empty(timer.unit());
        self.read_histogram(timer, &mut histogram);
        histogram
    }

    /// Samples of a distribution; 0 if the writer does not know it.
    pub fn samples(&self, timer: Timer) -> u64 {
        let start = self.timer_start(timer);
        start.and_then(|start| self.word(start)).unwrap_or(0)
    }

    /// Samples of a distribution and their sum, without the distribution; 0 if the writer does not know it.
    pub fn total(&self, timer: Timer) -> (u64, u64) {
        let start = self.timer_start(timer);
        let word = |at: usize| start.and_then(|start| self.word(start + at)).unwrap_or(0);
        (word(0), word(8))
    }

    /// The largest sample of a distribution; 0 without samples, and if the writer does not know it.
    pub fn largest(&self, timer: Timer) -> u64 {
        let start = self.timer_start(timer);
        start.and_then(|start| self.word(start + 16)).unwrap_or(0)
    }

    /// When the flight was created: nanoseconds since 1970, 0 if unknown.
    pub fn created_wall_ns(&self) -> u64 {
        self.identity_word(5)
    }

    fn identity_word(&self, at: usize) -> u64 {
        let section = self.sections.of(SectionName::Identity);
        let known = (section.rows > 0).then(|| self.word(section.offset + at * 8));
        known.flatten().unwrap_or(0)
    }

    /// Reads a distribution over another one.
    pub fn read_histogram(&self, timer: Timer, histogram: &mut Histogram) {
        let Some(start) = self.timer_start(timer) else {
            *histogram = Histogram::empty(timer.unit());
            return;
        };
        histogram.shift = timer.unit().shift();
        histogram.count = self.word(start).unwrap_or(0);
        histogram.sum = self.word(start + 8).unwrap_or(0);
        histogram.max = self.word(start + 16).unwrap_or(0);
        let buckets = self
            .bytes
            .get(start + 24..start + 24 + 4 * BUCKETS)
            .unwrap_or(&[]);
        for (to, from) in histogram.buckets.iter_mut().zip(buckets.as_chunks::<4>().0) {
            *to = u32::from_ne_bytes(*from);
        }
    }

    /// Tells of each bucket of a distribution that is another than in `last`, in their order: which, what it was, and what it
    /// is. `last` is then the same as the distribution. Of a distribution that the writer does not know it tells nothing.
    pub fn update_buckets(
        &self,
        timer: Timer,
        last: &mut [u32; BUCKETS],
        mut each: impl FnMut(usize, u32, u32),
    ) {
        const TOGETHER: usize = 8;
        let start = self.timer_start(timer).map_or(usize::MAX, |start| start + 24);
        let end = start.saturating_add(4 * BUCKETS);
        let words = self.bytes.get(start..end).unwrap_or(&[]).as_chunks::<4>().0;
        let mut update = |first: usize, words: &[[u8; 4]], last: &mut [u32]| {
            for (at, (word, last)) in words.iter().zip(last).enumerate() {
                let now = u32::from_ne_bytes(*word);
                let before = std::mem::replace(last, now);
                if now != before {
                    each(first + at, before, now);
                }
            }
        };
        // Few are another: those that are not are passed over by the handful.
        let (blocks, rest) = words.as_chunks::<TOGETHER>();
        let (last_blocks, last_rest) = last.as_chunks_mut::<TOGETHER>();
        for (at, (words, last)) in blocks.iter().zip(last_blocks).enumerate() {
            if words.map(u32::from_ne_bytes) != *last {
                update(at * TOGETHER, words, last);
            }
        }
        update(blocks.len() * TOGETHER, rest, last_rest);
    }

    fn timer_start(&self, timer: Timer) -> Option<usize> {
        let section = self.sections.of(SectionName::Timers);
        let row = timer as usize;
        (row < section.rows).then(|| section.offset + row * size_of::<layout::HistogramCells>())
    }

    /// The line being typed.
    pub fn draft(&self) -> DraftLine<'_> {
        self.text_of(SectionName::Draft)
    }

    /// The beginning of the last command.
    pub fn last_command(&self) -> &[u8] {
        self.text_of(SectionName::LastCommand).text
    }

    /// What most of the last prompt's time is blamed on; empty if unknown.
    pub fn prompt_blame(&self) -> &[u8] {
        self.text_of(SectionName::PromptBlame).text
    }

    /// What the prompts, the start, or completions spent their time on; empty if the writer does not tell.
    pub fn parts(&self, of: Parted) -> Parts<'_> {
        let section = self.sections.of(match of {
            Parted::Prompt => SectionName::PromptParts,
            Parted::Start => SectionName::StartParts,
            Parted::Completion => SectionName::CompletionParts,
        });
        Parts::new(self, section)
    }

    /// What a stage took; never, if the writer does not know it.
    pub fn stage(&self, stage: Stage) -> Times {
        let section = self.sections.of(SectionName::Stages);
        let row = section.offset + stage as usize * size_of::<layout::StageCells>();
        let known = (stage as usize) < section.rows;
        let word = |at: usize| known.then(|| self.word(row + at * 8)).flatten().unwrap_or(0);
        Times {
            count: word(0),
            sum_ns: word(1),
            last_ns: word(2),
            max_ns: word(3),
        }
    }

    /// The last events, oldest first, at most 128: a version before this one kept so many.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        let section = self.sections.of(SectionName::Events);
        let written = self
            .word(section.offset)
            .filter(|_| section.rows > 0)
            .unwrap_or(0);
        let first = written.saturating_sub(section.rows as u64);
        (first..written).filter_map(move |number| {
            let slot = section.offset + 8 + (number % section.rows as u64) as usize * 64;
            self.event(slot, number)
        })
    }

    fn event(&self, slot: usize, number: u64) -> Option<Event<'_>> {
        let head = self.word(slot)?.to_ne_bytes();
        let (own_number, kind) = (half(&head, 0), half(&head, 4));
        if own_number != (number as u32).wrapping_add(1) {
            return None;
        }
        let kept = ((kind >> 16) as usize).min(layout::EVENT_TEXT_WORDS * 8);
        Some(Event {
            number,
            wall_ns: self.word(slot + 8)?,
            kind: EventKind::ALL.get(kind as u16 as usize).copied(),
            code: self.word(slot + 16)? as i64,
            value: self.word(slot + 24)? as i64,
            text: self.bytes.get(slot + 32..slot + 32 + kept)?,
        })
    }

    fn row(&self, name: SectionName, row: usize) -> Option<u64> {
        let section = self.sections.of(name);
        (row < section.rows)
            .then(|| self.word(section.offset + row * 8))
            .flatten()
    }

    fn text_of(&self, name: SectionName) -> DraftLine<'_> {
        let section = self.sections.of(name);
        self.text(section.offset, section.rows)
    }

    pub(crate) fn text(&self, offset: usize, words: usize) -> DraftLine<'_> {
        let length = self.word(offset).unwrap_or(0);
        if length == HIDDEN {
            return DraftLine {
                text: b"",
                bytes: 0,
                hidden: true,
            };
        }
        let kept = (length as u32 as usize).min(words * 8);
        let text = self.bytes.get(offset + 8..offset + 8 + kept).unwrap_or(b"");
        DraftLine {
            text,
            bytes: (length >> 32) as usize,
            hidden: false,
        }
    }

    pub(crate) fn word(&self, offset: usize) -> Option<u64> {
        word_at(&self.bytes, offset)
    }
}
