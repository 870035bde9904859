//! The journal: what is between two snapshots, acknowledged in milliseconds.
//!
//! ```text
//!  journal/<number>.log   │ header │ piece │ piece │ … │ listing │ piece │ listing │
//!                                                         ▲ names every file and its pieces     ▲ the last one counts
//! ```
//!
//! A piece is up to 960 KiB of a file, a listing says of which pieces every file consists; both are compressed, sealed and
//! framed. A file that did not change keeps its pieces, a log that grew adds one. The last whole listing is the state.
//!
//! Invariants: what is acknowledged survives `kill -9`; it is durable once [`Recorded::durable`] has passed, which is
//! measured apart. A torn or damaged record costs what only it said: an earlier listing then counts. A segment begins anew,
//! under another name, when it has grown to four times what it holds or a log is in too many pieces, and the former ones go after
//! it is durable: those of which the key opens something, or nobody could. One that is sealed by another key is the last
//! that some other line brings back: it stays, the newest [`FOREIGN_KEPT`] of them.

mod grown;
mod listing;
mod seal;
mod sealing;
mod segment;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::listing::{Kept, Listing, PIECE_BYTES, Piece, Stamp};
use self::seal::Seal;
use self::sealing::{Sealing, Tools};
use self::segment::{LISTING, Segment};
use crate::disk;
use crate::key::Line;
use crate::sections::{Places, Section};
use crate::shelf::names;
use crate::source::{LeftOut, Source, grows};
use crate::stage;

/// A segment begins anew at so many times what its last listing holds, packed; at less than a few MiB it never does.
const SURPLUS: u64 = 4;
const SEGMENT_BYTES_MIN: u64 = 8 * 1024 * 1024;
/// Segments of other keys that are kept: a key that was lost and another that was made instead leave one each, and
/// each is as long as a segment may be.
const FOREIGN_KEPT: usize = 2;
/// How often a file that changes is read.
const READS_MAX: usize = 3;

/// Why nothing was recorded or restored.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is no whole listing that the key opens.
    #[error("the journal has nothing that this key opens")]
    None,
    /// A piece of a file is damaged.
    #[error("the journal's copy of {} is damaged", .0.display())]
    Damaged(PathBuf),
    /// The folder to restore to has something in it.
    #[error("{} is there, and not empty", .0.display())]
    Occupied(PathBuf),
    /// A file or its listing is too long.
    #[error("there are more files than the journal takes")]
    TooMuch,
    /// The system refused.
    #[error("cannot use {}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Files in the state that is recorded.
    pub files: u64,
    /// Files of which something was written.
    pub changed: u64,
    /// Bytes that were written.
    pub written_bytes: u64,
    /// Files that could not be read.
    pub left_out: Vec<LeftOut>,
    /// Former segments that another key seals: they are kept.
    pub foreign: Vec<PathBuf>,
    /// Until it survives `kill -9`.
    pub acknowledged: Duration,
    /// Until it survives a loss of power, from the beginning.
    pub durable: Duration,
}

/// A file in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalFile {
    /// Its name in the archive.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
}

fn folder(places: &Places) -> PathBuf {
    places.backup().join("journal")
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { path, source }
}

/// The segments that are there, oldest first.
fn segments(places: &Places) -> Vec<(u64, PathBuf)> {
    let folder = folder(places);
    let number = |name: &String| Some((name.strip_suffix(".log")?.parse().ok()?, folder.join(name)));
    let mut all: Vec<(u64, PathBuf)> = names(&folder).iter().filter_map(number).collect();
    all.sort_unstable();
    all
}

/// The newest listing that the key opens, with the segment that it is in.
fn newest(places: &Places, seal: &Seal) -> Option<(Segment, Listing)> {
    segments(places).into_iter().rev().find_map(|(number, path)| {
        let mut segment = Segment::open(number, &path).ok()?;
        let listing = segment.last_listing(seal)?;
        Some((segment, listing))
    })
}

/// Records what changed since the last time. The caller holds the lock.
///
/// # Errors
/// Nothing more than before is recorded.
pub fn record(places: &Places, line: &Line) -> Result<Recorded, JournalError> {
    write(places, line, false, &[])
}

/// Records everything in a journal that begins anew under the line that took the place of another: what that one sealed
/// goes, since all of it is in the new one. The caller holds the lock.
///
/// # Errors
/// Some of the former journal may still be there, kept as another key's.
pub fn record_under(places: &Places, line: &Line, former: &Line) -> Result<Recorded, JournalError> {
    write(places, line, true, &[Seal::of(former)])
}

/// Records everything as it is now in a journal that begins anew, and removes what there was: nothing that a file held
/// earlier stays in it, but in what [`Recorded::foreign`] names. The caller holds the lock.
///
/// # Errors
/// Some of the former journal may still be there; whoever calls again goes on.
pub fn record_anew(places: &Places, line: &Line) -> Result<Recorded, JournalError> {
    write(places, line, true, &[])
}

/// Writes the journal, and removes former segments that this key or one of the `formers` opens if it begins anew.
fn write(places: &Places, line: &Line, anew: bool, formers: &[Seal]) -> Result<Recorded, JournalError> {
    let began = Instant::now();
    let seal = Seal::of(line);
    let folder = folder(places);
    disk::create_folder(&folder).map_err(failed(&folder))?;
    let former = newest(places, &seal);
    let anew = anew
        || former.as_ref().is_none_or(|(segment, listing)| {
            let most = SEGMENT_BYTES_MIN.max(SURPLUS * listing.packed_bytes());
            segment.length() > most || listing.is_scattered()
        });
    let last = segments(places).last().map_or(0, |(number, _)| *number);
    let (segment, mut known) = match former {
        Some((segment, listing)) if !anew => (segment, listing.by_name()),
        _ => {
            let path = folder.join(format!("{:08}.log", last + 1));
            let segment = Segment::create(last + 1, &path).map_err(failed(&path))?;
            (segment, BTreeMap::new())
        }
    };
    let before = segment.length();
    let source = Source::look(places);
    let tools = Tools::of(&seal);
    let (mut segment, files, changed) = rayon::in_place_scope_fifo(|scope| {
        let mut sealing = Sealing::into(segment, scope, &tools);
        let mut files = Vec::new();
        for (name, path, follow) in source.files() {
            let known = known.remove(name);
            let kept = keep(&source, &mut sealing, known, name, path, follow).map_err(failed(path))?;
            files.extend(kept);
        }
        let (segment, pieces) = sealing.finish().map_err(failed(&folder))?;
        let changed = files.iter().filter(|(_, new)| new.is_some()).count() as u64;
        let files = files.into_iter().map(|(mut kept, new)| {
            kept.pieces.extend_from_slice(&pieces[new.unwrap_or_default()]);
            kept
        });
        Ok::<_, JournalError>((segment, files.collect::<Vec<_>>(), changed))
    })?;
    let (count, listing) = (files.len() as u64, Listing { files });
    if anew || changed > 0 || !known.is_empty() {
        let text = listing.encode().ok_or(JournalError::TooMuch)?;
        segment.append(&seal, LISTING, &text).map_err(failed(&folder))?;
    }
    segment.flush().map_err(failed(&folder))?;
    let acknowledged = began.elapsed();
    segment.sync().map_err(failed(&folder))?;
    disk::sync_folder(&folder).map_err(failed(&folder))?;
    let foreign = match anew {
        true => remove_former(places, last, formers, &seal)?,
        false => Vec::new(),
    };
    Ok(Recorded {
        files: count,
        changed,
        written_bytes: segment.length().saturating_sub(before),
        left_out: source.missing(),
        foreign,
        acknowledged,
        durable: began.elapsed(),
    })
}

/// Removes the segments up to number `last` that a key at hand opens, and those in which there is no record that any
/// could; gives the others, of which the newest few stay.
fn remove_former(
    places: &Places,
    last: u64,
    formers: &[Seal],
    seal: &Seal,
) -> Result<Vec<PathBuf>, JournalError> {
    let mut foreign = Vec::new();
    for (number, path) in segments(places) {
        if number > last {
            continue;
        }
        let seals = || formers.iter().chain([seal]);
        // What cannot be read now may be read later.
        let is_ours = Segment::open(number, &path).is_ok_and(|segment| !segment.is_of_others(seals()));
        match is_ours {
            true => fs::remove_file(&path).map_err(failed(&path))?,
            false => foreign.push(path),
        }
    }
    let surplus = foreign.len().saturating_sub(FOREIGN_KEPT);
    for path in foreign.drain(..surplus) {
        fs::remove_file(&path).map_err(failed(&path))?;
    }
    Ok(foreign)
}

/// A file, and which of the pieces that were added are its end; none if nothing of it was written.
type Gathered = (Kept, Option<Range<usize>>);

/// Keeps one file: by what is known of it if it did not change, its new end if it is a log that grew, else all of it.
/// One that cannot be read stays what it was; one that is gone goes.
fn keep(
    source: &Source,
    sealing: &mut Sealing<'_, '_>,
    known: Option<Kept>,
    name: &Path,
    path: &Path,
    follow: bool,
) -> io::Result<Option<Gathered>> {
    let Ok(found) = fs::metadata(path) else {
        return Ok(None);
    };
    if let Some(known) = &known
        && known.stamp == Stamp::of(&found)
    {
        return Ok(Some((known.clone(), None)));
    }
    for _ in 0..READS_MAX {
        let new = match stretch(known.as_ref(), name, path, follow) {
            Ok(new) => new,
            Err(error) => {
                source.unread(path, &error);
                return Ok(known.map(|known| (known, None)));
            }
        };
        let first = sealing.count();
        // Written again if it changed meanwhile; the pieces of the first time are named by no listing.
        if new.read_into(sealing, grows(name))? {
            let kept = Kept::new(name, &new.found, new.pieces);
            return Ok(Some((kept, Some(first..sealing.count()))));
        }
    }
    source.unread(path, &io::Error::other("it changed each time it was read"));
    Ok(known.map(|known| (known, None)))
}

/// What of a file is new.
struct Stretch {
    file: fs::File,
    found: fs::Metadata,
    /// Pieces that stay, and then those of the rest.
    pieces: Vec<Piece>,
    /// Bytes that are still to be read.
    left: u64,
}

/// Opens a file where it is new.
fn stretch(known: Option<&Kept>, name: &Path, path: &Path, follow: bool) -> io::Result<Stretch> {
    let mut file = match follow {
        true => fs::File::open(path)?,
        false => disk::open(path)?,
    };
    let found = file.metadata()?;
    let pieces = match known.filter(|_| grows(name)) {
        Some(known) if grown::goes_on(&mut file, &found, known)? => known.pieces.clone(),
        _ => Vec::new(),
    };
    let left = found.len() - pieces.iter().map(|piece| u64::from(piece.raw)).sum::<u64>();
    file.seek(SeekFrom::Start(found.len() - left))?;
    Ok(Stretch {
        file,
        found,
        pieces,
        left,
    })
}

impl Stretch {
    /// Reads the rest, piece by piece; tells whether it is a file that was there at some moment. One that cannot be read
    /// now is read the next time.
    fn read_into(&self, sealing: &mut Sealing<'_, '_>, grows: bool) -> io::Result<bool> {
        let mut left = self.left;
        while left > 0 {
            let length = left.min(PIECE_BYTES as u64);
            let mut text = sealing.spare();
            // One byte more than it holds, lest it grow before it knows the end.
            text.reserve_exact(length as usize + 1);
            let read = (&self.file).take(length).read_to_end(&mut text);
            if read.is_err() || text.is_empty() {
                return Ok(false);
            }
            left -= text.len() as u64;
            sealing.add(text)?;
        }
        let after = self.file.metadata().map(|after| Stamp::of(&after));
        Ok(grows || after.is_ok_and(|after| after == Stamp::of(&self.found)))
    }
}

/// Whether there is a journal.
pub fn has_journal(places: &Places) -> bool {
    !segments(places).is_empty()
}

/// The files that the journal holds, with when they were recorded in nanoseconds since 1970; none if it holds nothing.
pub fn journal(places: &Places, line: &Line) -> Option<(i64, Vec<JournalFile>)> {
    let (segment, listing) = newest(places, &Seal::of(line))?;
    let files = listing.files.iter().filter_map(|kept| {
        Some(JournalFile {
            path: kept.path()?,
            bytes: kept.bytes(),
        })
    });
    Some((segment.listed_ns(), files.collect()))
}

/// Writes the journal's files below a folder that is not there yet or is empty, under their names in the archive; gives
/// how many.
///
/// # Errors
/// The folder is as it was.
pub fn restore_journal_to(
    places: &Places,
    line: &Line,
    sections: &[Section],
    to: &Path,
) -> Result<u64, JournalError> {
    if stage::is_occupied(to) {
        return Err(JournalError::Occupied(to.to_owned()));
    }
    let seal = Seal::of(line);
    let (mut segment, listing) = newest(places, &seal).ok_or(JournalError::None)?;
    let mut count = 0;
    let failed_at = |path: &Path, source| failed(path)(source);
    stage::whole_folder(to, failed_at, |draft| {
        for kept in &listing.files {
            let Some(name) = kept.path() else { continue };
            // A listing is sealed, and its names are still held to what a backup has.
            let asked = Section::of(&name).is_some_and(|section| sections.contains(&section));
            if !asked || places.target(&name).is_none() {
                continue;
            }
            let path = draft.join(name.strip_prefix("/").unwrap_or(&name));
            disk::create_folder(disk::folder_of(&path)).map_err(failed(&path))?;
            let mut file = fs::File::create_new(&path).map_err(failed(&path))?;
            for piece in &kept.pieces {
                let text = segment
                    .piece(&seal, piece)
                    .ok_or_else(|| JournalError::Damaged(name.clone()))?;
                file.write_all(&text).map_err(failed(&path))?;
            }
            if let Some(changed) = kept.stamp.changed() {
                // A file without its time is still the file.
                let _unset = file.set_modified(changed);
            }
            file.set_permissions(fs::Permissions::from_mode(kept.mode))
                .and_then(|()| file.sync_all())
                .map_err(failed(&path))?;
            count += 1;
        }
        Ok(())
    })?;
    Ok(count)
}

/// Forgets the journal: after its key was replaced, or when something must not stay in it.
///
/// # Errors
/// Some of it is still there.
pub fn forget_journal(places: &Places) -> Result<(), JournalError> {
    for (_, path) in segments(places) {
        fs::remove_file(&path).map_err(failed(&path))?;
    }
    Ok(())
}
