//! Whether a log is the one that was recorded, and has only grown since.
//!
//! A file that was replaced may get the number of the one before it, and one that was written over keeps it. So it has to be
//! the same file since it was made, where the file system says when that was; and what was recorded has to be in it still:
//! its first and its last piece, or all of them where nobody says when it was made.
//!
//! Invariant: pieces of two files are never put together.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use super::listing::{Kept, Piece, Stamp};
use super::sealing::name_of;

/// Whether the file goes on where what was recorded of it ends. Where it is read from next is anywhere.
///
/// # Errors
/// It cannot be read.
pub(super) fn goes_on(file: &mut File, found: &Metadata, known: &Kept) -> io::Result<bool> {
    let now = Stamp::of(found);
    if known.stamp.inode != now.inode || known.bytes() > found.len() {
        return Ok(false);
    }
    let pieces = match (known.stamp.born, now.born) {
        (Some(before), Some(after)) if before != after => return Ok(false),
        (Some(_), Some(_)) => first_and_last(&known.pieces),
        _ => all(&known.pieces),
    };
    for (at, piece) in pieces {
        if !is_there(file, at, piece)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The pieces, each with where it begins in the file.
fn all(pieces: &[Piece]) -> Vec<(u64, &Piece)> {
    let mut end = 0;
    let begin = |piece: &Piece| {
        let at = end;
        end += u64::from(piece.raw);
        at
    };
    let begins: Vec<u64> = pieces.iter().map(begin).collect();
    begins.into_iter().zip(pieces).collect()
}

fn first_and_last(pieces: &[Piece]) -> Vec<(u64, &Piece)> {
    let mut ends = all(pieces);
    if ends.len() > 2 {
        ends.drain(1..ends.len() - 1);
    }
    ends
}

fn is_there(file: &mut File, at: u64, piece: &Piece) -> io::Result<bool> {
    let mut text = vec![0; piece.raw as usize];
    file.seek(SeekFrom::Start(at))?;
    match file.read_exact(&mut text) {
        Ok(()) => Ok(name_of(&text) == piece.name),
        // It was cut meanwhile.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What would be recorded of a file with these pieces, if it were the one that `found` is of.
    fn recorded(found: &Metadata, pieces: &[&[u8]], is_born: bool) -> Kept {
        let piece = |text: &&[u8]| Piece {
            at: 0,
            record: 0,
            sequence: 0,
            raw: text.len() as u32,
            name: name_of(text),
        };
        let mut kept = Kept::new(Path::new("/x.log"), found, pieces.iter().map(piece).collect());
        if !is_born {
            kept.stamp.born = None;
        }
        kept
    }

    #[test]
    fn another_file_of_the_same_number_is_no_log_that_grew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        fs::write(&path, "one two three four").unwrap();
        let found = fs::metadata(&path).unwrap();
        let mut file = File::open(&path).unwrap();
        let mut check = |pieces: &[&[u8]], is_born: bool, expect: bool| {
            let known = recorded(&found, pieces, is_born);
            assert_eq!(goes_on(&mut file, &found, &known).unwrap(), expect, "{pieces:?}");
        };
        for is_born in [true, false] {
            check(&[b"one ", b"two ", b"three "], is_born, true);
            check(&[], is_born, true);
            check(&[b"ONE ", b"two ", b"three "], is_born, false);
            check(&[b"one ", b"two ", b"THREE "], is_born, false);
            check(&[b"one two three four and five"], is_born, false);
        }
        // Without a time of birth all of it is looked at.
        check(&[b"one ", b"TWO ", b"three "], false, false);
        let mut other = recorded(&found, &[b"one "], true);
        if let Some((seconds, _)) = &mut other.stamp.born {
            *seconds -= 1;
            assert!(!goes_on(&mut file, &found, &other).unwrap());
        }
    }
}
