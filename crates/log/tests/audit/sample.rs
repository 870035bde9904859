//! A log of thirty-two records in three files, and what is said of one that was changed.

use std::ops::Range;

use lle_log::audit::ProblemKind::Changed;
use lle_log::audit::{Chain, Head, Key, Problem, Segment, Verified, verify};
use lle_log::records::{self, Entry, LogKind};

pub(crate) const NAMES: [&str; 3] = ["audit.0", "audit.1", "audit.2"];
pub(crate) const FILE_HEADER_BYTES: usize = 64;
pub(crate) const WRITER: u64 = 0x57;

pub(crate) fn key() -> Key {
    Key::from_bytes([7; 32])
}

/// One record of the sample.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) file: usize,
    pub(crate) range: Range<usize>,
    pub(crate) sequence: u64,
}

/// Thirty-two records in three files; record 12 and record 23 open a file.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) files: Vec<Vec<u8>>,
    pub(crate) places: Vec<Place>,
    pub(crate) heads: Vec<Head>,
}

impl Sample {
    pub(crate) fn new() -> Self {
        Self::with_bodies(|index| vec![b'a' + (index % 26) as u8; index * 7 % 61])
    }

    pub(crate) fn with_bodies(body: impl Fn(usize) -> Vec<u8>) -> Self {
        let mut chain = Chain::begin(&key());
        let mut sample = Self {
            files: vec![records::header(LogKind::Audit, WRITER, 1).to_vec()],
            places: Vec::new(),
            heads: vec![chain.head()],
        };
        for index in 0..32 {
            let time_ns = 1_000 + index as i64;
            let opens = [11, 22].contains(&index);
            if opens {
                sample.files.push(Vec::new());
            }
            let file = sample.files.len() - 1;
            let out = sample.files.last_mut().unwrap();
            let start = if opens { FILE_HEADER_BYTES } else { out.len() };
            let head = if opens {
                chain.next_segment(out, WRITER, time_ns)
            } else {
                chain.append(out, 1 + (index % 3) as u8, WRITER, time_ns, &body(index))
            };
            sample.heads.push(head.unwrap());
            sample.places.push(Place {
                file,
                range: start..sample.files[file].len(),
                sequence: index as u64 + 1,
            });
        }
        sample
    }

    pub(crate) fn head(&self) -> Head {
        *self.heads.last().unwrap()
    }

    pub(crate) fn verify(&self) -> Verified {
        verify(&self.segments(), &key(), Some(self.head()))
    }

    pub(crate) fn segments(&self) -> Vec<Segment<'_>> {
        let files = NAMES.iter().zip(&self.files);
        files.map(|(name, bytes)| Segment { name, bytes }).collect()
    }

    pub(crate) fn bytes(&self, place: &Place) -> Vec<u8> {
        self.files[place.file][place.range.clone()].to_vec()
    }

    /// The sample with the records of each file laid out anew: what `records` says, in that order.
    pub(crate) fn laid_out(&self, records: &[(usize, Vec<u8>)]) -> Self {
        let mut changed = self.clone();
        for file in &mut changed.files {
            file.truncate(FILE_HEADER_BYTES);
        }
        for (file, bytes) in records {
            changed.files[*file].extend_from_slice(bytes);
        }
        changed
    }

    pub(crate) fn records(&self) -> Vec<(usize, Vec<u8>)> {
        self.places
            .iter()
            .map(|place| (place.file, self.bytes(place)))
            .collect()
    }

    /// Changes a record and makes its checksums right again, as anyone can.
    pub(crate) fn forged(&self, index: usize, change: impl FnOnce(&mut Entry<'_>, &mut Vec<u8>)) -> Self {
        let mut all = self.records();
        let file = [&records::header(LogKind::Audit, 1, 1)[..], &all[index].1].concat();
        let read = records::read(&file, LogKind::Audit).unwrap();
        let mut entry = read.entries[0];
        let mut payload = entry.payload.to_vec();
        change(&mut entry, &mut payload);
        all[index].1.clear();
        let entry = Entry {
            payload: &payload,
            ..entry
        };
        records::encode(&mut all[index].1, &entry).unwrap();
        self.laid_out(&all)
    }
}

pub(crate) fn problem(
    file: usize,
    at: Range<usize>,
    sequence: Option<u64>,
    kind: lle_log::audit::ProblemKind,
) -> Problem {
    Problem {
        segment: NAMES[file].to_owned(),
        at: at.start as u64..at.end as u64,
        sequence,
        kind,
    }
}

pub(crate) fn changed(place: &Place) -> Problem {
    problem(place.file, place.range.clone(), Some(place.sequence), Changed)
}
