//! Files in memory that tear, fill up, go away and are lost.
//!
//! ```text
//!  append ─▸ what programs see ──sync──▸ what power loss leaves
//!              └ kill -9 leaves this        └ and any beginning of what was appended since
//! ```
//!
//! Invariant: it misbehaves as disks do and never lies: what it acknowledged survives every death of the program, what
//! it made durable survives the loss of power, and an error says that nothing, or only a beginning, was written.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};

use lle_maintenance::world::File;

use crate::random::Random;

/// What is wrong with the disk at the moment.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Nothing can be written any more.
    pub full: bool,
    /// Nothing can be changed.
    pub read_only: bool,
    /// One append in so many is torn; 0 for none.
    pub tears: u64,
    /// One read in so many fails; 0 for none.
    pub unreadable: u64,
    /// Nothing becomes durable.
    pub unsyncable: bool,
    /// What every operation takes, in nanoseconds.
    pub slow_ns: u64,
}

impl Faults {
    /// Whether there are none, but for slowness.
    pub fn is_none(&self) -> bool {
        !(self.full || self.read_only || self.unsyncable || self.tears > 0 || self.unreadable > 0)
    }
}

#[derive(Clone, Debug, Default)]
struct Content {
    seen: Option<Vec<u8>>,
    durable: Option<Vec<u8>>,
    /// Only appended to since it was made durable.
    grown: bool,
    /// Something was acknowledged that is not durable.
    dirty: bool,
}

/// How far an operation that the program does not survive came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nothing happened.
    Before,
    /// A beginning, where there is such a thing.
    Within,
    /// All of it.
    After,
}

/// The disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    files: BTreeMap<File, Content>,
    /// What is wrong with it.
    pub faults: Faults,
    /// Appends to the audit log that left a beginning.
    pub torn: u64,
    /// Power was lost while records of the audit log were not durable.
    pub lost: u64,
}

impl SimDisk {
    /// Reads a file.
    ///
    /// # Errors
    /// The fault.
    pub fn read(&mut self, random: &mut Random, file: File) -> io::Result<Option<Vec<u8>>> {
        if self.faults.unreadable > 0 && random.once_in(self.faults.unreadable) {
            return Err(io::Error::from_raw_os_error(5));
        }
        Ok(self.files.get(&file).and_then(|content| content.seen.clone()))
    }

    /// The file as it is, faults or not.
    pub fn peek(&self, file: File) -> Option<&[u8]> {
        self.files.get(&file)?.seen.as_deref()
    }

    fn refuse(&self) -> io::Result<()> {
        if self.faults.read_only {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        Ok(())
    }

    /// Appends, or leaves a beginning.
    ///
    /// # Errors
    /// The fault.
    pub fn append(
        &mut self,
        random: &mut Random,
        file: File,
        bytes: &[u8],
        cut: Option<Cut>,
    ) -> io::Result<()> {
        self.refuse()?;
        let torn = self.faults.tears > 0 && random.once_in(self.faults.tears);
        let whole = !(torn || self.faults.full || cut == Some(Cut::Within));
        let kept = match whole {
            true => bytes.len(),
            // A full disk often takes nothing; and the last bytes of a record are where a tear hides best.
            false if random.once_in(3) => bytes.len().saturating_sub(1 + random.index(5)),
            false if random.once_in(2) => 0,
            false => random.index(bytes.len()),
        };
        if kept > 0 || whole {
            let content = self.files.entry(file).or_default();
            content
                .seen
                .get_or_insert_default()
                .extend_from_slice(&bytes[..kept]);
        }
        if whole {
            self.files.entry(file).or_default().dirty = true;
            return Ok(());
        }
        if kept > 0 && matches!(file, File::Audit(_)) {
            self.torn += 1;
        }
        Err(ErrorKind::StorageFull.into())
    }

    /// Replaces a file at once.
    ///
    /// # Errors
    /// The fault.
    pub fn replace(&mut self, file: File, bytes: &[u8]) -> io::Result<()> {
        self.refuse()?;
        if self.faults.full {
            return Err(ErrorKind::StorageFull.into());
        }
        let content = self.files.entry(file).or_default();
        (content.seen, content.grown, content.dirty) = (Some(bytes.to_vec()), false, true);
        Ok(())
    }

    /// Makes a file that is not there, whole and durable.
    ///
    /// # Errors
    /// The fault, or that it is there.
    pub fn create(&mut self, file: File, bytes: &[u8]) -> io::Result<()> {
        self.refuse()?;
        if self.faults.full {
            return Err(ErrorKind::StorageFull.into());
        }
        if self.faults.unsyncable {
            return Err(io::Error::from_raw_os_error(5));
        }
        if self.peek(file).is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.replace(file, bytes)?;
        self.sync(file)
    }

    /// Overwrites in place.
    ///
    /// # Errors
    /// The fault.
    pub fn write_at(
        &mut self,
        random: &mut Random,
        file: File,
        offset: u64,
        bytes: &[u8],
        cut: Option<Cut>,
    ) -> io::Result<()> {
        self.refuse()?;
        if self.faults.full {
            return Err(ErrorKind::StorageFull.into());
        }
        let torn = cut == Some(Cut::Within) || self.faults.tears > 0 && random.once_in(self.faults.tears);
        let kept = if torn {
            random.index(bytes.len())
        } else {
            bytes.len()
        };
        let content = self.files.entry(file).or_default();
        content.grown = false;
        let seen = content.seen.get_or_insert_default();
        let from = usize::try_from(offset).unwrap_or(0);
        if seen.len() < from + kept {
            seen.resize(from + kept, 0);
        }
        seen[from..from + kept].copy_from_slice(&bytes[..kept]);
        if torn {
            Err(io::Error::from_raw_os_error(5))
        } else {
            Ok(())
        }
    }

    /// Removes a file.
    ///
    /// # Errors
    /// The fault.
    pub fn remove(&mut self, file: File) -> io::Result<()> {
        self.refuse()?;
        if let Some(content) = self.files.get_mut(&file) {
            (content.seen, content.grown) = (None, false);
        }
        Ok(())
    }

    /// The segments that exist.
    pub fn segments(&self) -> Vec<u32> {
        let exists = |(file, content): (&File, &Content)| match file {
            File::Audit(segment) if content.seen.is_some() => Some(*segment),
            _ => None,
        };
        self.files.iter().filter_map(exists).collect()
    }

    /// Makes a file durable.
    ///
    /// # Errors
    /// The fault.
    pub fn sync(&mut self, file: File) -> io::Result<()> {
        if self.faults.unsyncable {
            return Err(io::Error::from_raw_os_error(5));
        }
        if self.peek(file).is_none() {
            return Err(ErrorKind::NotFound.into());
        }
        let content = self.files.entry(file).or_default();
        match (&content.seen, &mut content.durable) {
            (Some(seen), Some(durable)) if content.grown && durable.len() <= seen.len() => {
                durable.extend_from_slice(&seen[durable.len()..]);
            }
            (seen, durable) => durable.clone_from(seen),
        }
        (content.grown, content.dirty) = (true, false);
        Ok(())
    }

    /// Whether something was acknowledged that is not durable.
    pub fn is_dirty(&self, file: File) -> bool {
        self.files.get(&file).is_some_and(|content| content.dirty)
    }

    /// Power is lost: what was not made durable may be there, or a part of it, or nothing.
    pub fn lose_power(&mut self, random: &mut Random) {
        for (file, content) in &mut self.files {
            let audit = matches!(file, File::Audit(_));
            match (&mut content.seen, &content.durable) {
                (Some(seen), Some(durable)) if content.grown && durable.len() < seen.len() => {
                    let lost = random.index(seen.len() - durable.len() + 1);
                    seen.truncate(seen.len() - lost);
                    self.lost += u64::from(audit && lost > 0);
                }
                (seen, durable) if !content.grown && random.once_in(2) => {
                    self.lost += u64::from(audit && seen != durable);
                    seen.clone_from(durable);
                }
                _ => {}
            }
            content.durable.clone_from(&content.seen);
            (content.grown, content.dirty) = (true, false);
        }
    }
}
