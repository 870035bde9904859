//! How far a start has come: what the shell writes while it reads its start-up files, and the next start reads.
//!
//! ```text
//!  magic │ when the start began │ place: file, line │ files │ bytes of names │ state │ stage │ names, each length and bytes
//!  8       8                      4     4             4       4                4       4       to the end of the page
//! ```
//!
//! The shell has the page mapped, so what it wrote last is there however it ended, `kill -9` included. The place is the
//! last command outside functions that has *ended*: bash tells nobody that one begins. What comes next in that file is
//! what the start did not survive, or is still at.
//!
//! Invariant: any bytes are read without a panic; a page that another start wrote is none.

use std::path::Path;

/// The page's name in the record of a start.
pub const NAME: &str = "at";
/// Bytes of the page.
pub const BYTES: usize = 4096;
/// Files that are named: far more than people's start-up files source.
pub const FILES_MAX: usize = 32;
/// Bytes of one name: the longest path that Linux opens would take the whole page.
pub const NAME_BYTES_MAX: usize = 512;

/// Where what stands.
pub mod offset {
    /// The magic bytes.
    pub const MAGIC: usize = 0;
    /// When the start began, as its record says.
    pub const BEGAN: usize = 8;
    /// The place: the file's number from 1 in the upper half, the line in the lower.
    pub const PLACE: usize = 16;
    /// How many files are named.
    pub const FILES: usize = 24;
    /// Bytes that the names take.
    pub const USED: usize = 28;
    /// 1 once the start-up files ran to their end.
    pub const READY: usize = 32;
    /// What has become of the shell since, a [`Stage`](super::Stage).
    pub const STAGE: usize = 36;
    /// The names.
    pub const NAMES: usize = 40;
}

/// What has become of a shell after its start-up files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Stage {
    /// Nothing was said: it has not come that far, or is of a version that does not tell.
    #[default]
    Untold = 0,
    /// The first prompt was shown, and nobody could use it yet; were the shell to end now, it would be by itself.
    InDoubt = 1,
    /// Somebody could use it, or ended it.
    Lived = 2,
    /// It was about to become another program, before its first prompt.
    Replaced = 3,
}

impl Stage {
    fn of(number: u32) -> Self {
        [Self::InDoubt, Self::Lived, Self::Replaced]
            .into_iter()
            .find(|stage| *stage as u32 == number)
            .unwrap_or_default()
    }
}

/// What the page opens with; its last byte is the format's version.
pub const MAGIC: [u8; 8] = *b"LLEat\0\0\x01";

/// How far a start has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The file and the line of the last command that ended; none if none has. Line 0 is not known.
    pub place: Option<(usize, u32)>,
    /// The files that were read, by their paths, in the order in which a command of theirs ended first.
    pub files: Vec<Vec<u8>>,
    /// They ran to their end: what came later kept the prompt away.
    pub ready: bool,
    /// What has become of the shell since.
    pub stage: Stage,
}

/// Folders of which the system's packages are the owner. Who breaks a file there breaks it for every shell.
const SYSTEM: [&str; 12] = [
    "/usr", "/etc", "/lib", "/lib64", "/bin", "/sbin", "/nix", "/gnu", "/snap", "/proc", "/sys", "/dev",
];

/// Whether a file that start-up files read is guarded: the user's own, or one that somebody placed outside the system.
pub fn is_guarded(path: &Path, home: &Path) -> bool {
    let is_below = |folder: &Path| !folder.as_os_str().is_empty() && path.starts_with(folder);
    is_below(home) || path.is_absolute() && !SYSTEM.iter().any(|folder| is_below(Path::new(folder)))
}

/// The beginning of a page, without a place and without names.
pub fn header(began_ns: i64) -> [u8; offset::NAMES] {
    let mut out = [0; offset::NAMES];
    out[..offset::BEGAN].copy_from_slice(&MAGIC);
    out[offset::BEGAN..offset::PLACE].copy_from_slice(&began_ns.to_le_bytes());
    out
}

/// Reads the page of the start that began then; none if it is another's, or none at all.
pub fn read(bytes: &[u8], began_ns: i64) -> Option<Trace> {
    let eight = |at: usize| -> Option<[u8; 8]> { bytes.get(at..at + 8)?.try_into().ok() };
    let four =
        |at: usize| -> Option<u32> { Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)) };
    (eight(offset::MAGIC)? == MAGIC && i64::from_le_bytes(eight(offset::BEGAN)?) == began_ns).then_some(())?;
    let mut trace = Trace {
        ready: four(offset::READY)? == 1,
        stage: Stage::of(four(offset::STAGE)?),
        ..Trace::default()
    };
    let mut rest = bytes.get(offset::NAMES..)?;
    for _ in 0..(four(offset::FILES)? as usize).min(FILES_MAX) {
        let Some((length, names)) = rest.split_first_chunk::<2>() else {
            break;
        };
        let Some((name, after)) = names.split_at_checked(usize::from(u16::from_le_bytes(*length))) else {
            break;
        };
        trace.files.push(name.to_owned());
        rest = after;
    }
    let place = u64::from_le_bytes(eight(offset::PLACE)?);
    let (file, line) = ((place >> 32) as usize, place as u32);
    trace.place = file
        .checked_sub(1)
        .filter(|file| *file < trace.files.len())
        .map(|file| (file, line));
    Some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(names: &[&str], place: u64) -> Vec<u8> {
        let mut page = header(7).to_vec();
        page[offset::PLACE..offset::FILES].copy_from_slice(&place.to_le_bytes());
        page[offset::FILES] = names.len() as u8;
        for name in names {
            page.extend_from_slice(&(name.len() as u16).to_le_bytes());
            page.extend_from_slice(name.as_bytes());
        }
        page.resize(BYTES, 0);
        page
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = page(&["/h/.bashrc", "/h/aliases"], 2 << 32 | 14);
        let trace = read(&bytes, 7).unwrap();
        assert_eq!(trace.place, Some((1, 14)));
        assert_eq!(trace.files, [b"/h/.bashrc".to_vec(), b"/h/aliases".to_vec()]);
        assert!(!trace.ready);
        assert_eq!(read(&bytes, 8), None, "another start's");
        for stage in [Stage::Untold, Stage::InDoubt, Stage::Lived, Stage::Replaced] {
            let mut bytes = bytes.clone();
            bytes[offset::STAGE] = stage as u8;
            assert_eq!(read(&bytes, 7).unwrap().stage, stage);
        }
        assert_eq!(read(&page(&[], 0), 7), Some(Trace::default()));
        assert_eq!(
            read(&page(&["/a"], 2 << 32), 7).unwrap().place,
            None,
            "no such file"
        );
    }

    #[test]
    fn what_the_system_placed_is_not_guarded() {
        let check = |path: &str, home: &str, expect: bool| {
            assert_eq!(is_guarded(Path::new(path), Path::new(home)), expect, "{path}");
        };
        check("/home/u/.bashrc", "/home/u", true);
        check("/tmp/team/rc", "/home/u", true);
        check("/usr/share/bash-completion/bash_completion", "/home/u", false);
        check("/usr/home/u/aliases", "/usr/home/u", true);
        check("/etc/profile", "", false);
        check("/dev/fd/63", "/home/u", false);
        check("aliases", "/home/u", false);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(tail: Vec<u8>, cut in 0..BYTES) {
            let mut bytes = header(7).to_vec();
            bytes[offset::FILES..].fill(0xff);
            bytes.extend_from_slice(&tail);
            bytes.truncate(cut);
            let _ = read(&bytes, 7);
        }
    }
}
