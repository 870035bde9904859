//! Reading a flight file that somebody writes meanwhile: again, until its sequence stood still.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{Ordering, fence};

use super::sections::Sections;
use super::{BYTES_MAX, READ_ATTEMPTS, ReadError};

/// Opens a file that may be anything, and says what it is: follows no link, waits for no FIFO.
pub(crate) fn open(path: &Path) -> Result<(File, Metadata), ReadError> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ReadError::Foreign);
    }
    Ok((file, metadata))
}

/// How long a file is, in bytes.
pub(crate) fn length(metadata: &Metadata) -> usize {
    usize::try_from(metadata.len()).unwrap_or(usize::MAX)
}

pub(super) fn load(file: &File, length: usize, bytes: &mut Vec<u8>) -> Result<(Sections, bool), ReadError> {
    bytes.resize(length.min(BYTES_MAX), 0);
    let mut torn = true;
    for _ in 0..READ_ATTEMPTS {
        let before = sequence(file)?;
        // What follows is read after the sequence was, and the sequence again after that.
        fence(Ordering::SeqCst);
        read_whole(file, bytes)?;
        fence(Ordering::SeqCst);
        if before.is_multiple_of(2) && sequence(file)? == before {
            torn = false;
            break;
        }
    }
    Ok((Sections::parse(bytes)?, torn))
}

/// The sequence; 0 for a file too short to have one, which the head's check will name.
fn sequence(file: &File) -> io::Result<u64> {
    let mut word = [0; 8];
    match file.read_exact_at(&mut word, 16) {
        Ok(()) => Ok(u64::from_ne_bytes(word)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        Err(error) => Err(error),
    }
}

/// One read; what a file that shrank meanwhile no longer has is cut off.
fn read_whole(file: &File, bytes: &mut Vec<u8>) -> io::Result<()> {
    let found = loop {
        match file.read_at(bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => break outcome?,
        }
    };
    bytes.truncate(found);
    Ok(())
}
