//! The key of the backup: one line that a person can write down, and the repository's own key.
//!
//! ```text
//!  lbk1-k4m9xq-…-7ht2ce        the line: 160 random bits and a checksum; restic's password, as it stands
//!     └─ scrypt ─▸ keys/<id>   a file of the repository, which holds
//!                    └─▸       the master key, by which everything is encrypted
//! ```
//!
//! scrypt takes a third of a second, so the master key is kept beside the line in `state/keys/backup.key`.
//!
//! Invariants: the file is made before the first byte is written to the repository, so nothing is ever encrypted by a
//! key that nobody has. What is kept is wiped from memory when it is dropped. Who can read the file can read the
//! backup, as they can read what was backed up.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustic_core::repofile::MasterKey;
use zeroize::Zeroizing;

use crate::disk;

/// How a line begins: what it is, and the version of its form.
const PREFIX: &str = "lbk1";
/// Random bytes in a line.
const SECRET_BYTES: usize = 20;
/// Characters that say them, five bits each.
const SECRET_CHARACTERS: usize = SECRET_BYTES * 8 / 5;
/// Characters of the checksum: a line that was copied badly is taken for a good one once in a million times.
const CHECK_CHARACTERS: usize = 4;
/// Characters after the prefix.
const CHARACTERS: usize = SECRET_CHARACTERS + CHECK_CHARACTERS;
/// Characters between two hyphens.
const GROUP: usize = 6;
/// Digits and letters without those that look alike, as Crockford chose them.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// First line of the file.
const MAGIC: &str = "lusush backup key 1";
/// Bytes of the file, at most.
const FILE_BYTES_MAX: u64 = 4 * 1024;

/// The line that opens a backup anywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Line(Zeroizing<String>);

/// A key as it is kept here.
#[derive(Clone)]
pub struct Key {
    /// The line.
    pub line: Line,
    /// The key of the repository; none as long as it was not opened with this line.
    pub master: Option<MasterKey>,
    /// The name of the key file that the line opens.
    pub(crate) file: Option<String>,
    /// The name of the key file that a former line opens, which is to be removed.
    pub(crate) retired: Option<String>,
}

/// Why a line is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It does not begin as one.
    #[error("a key begins with {PREFIX}-")]
    Form,
    /// It has more or fewer characters.
    #[error("a key has {CHARACTERS} characters after {PREFIX}, without hyphens; this has {0}")]
    Length(usize),
    /// It has a character that no key has.
    #[error("no key has the character {0:?}")]
    Character(char),
    /// It was copied badly.
    #[error("the key's checksum is wrong: a character was copied badly")]
    Checksum,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl Line {
    /// Makes a line of the system's randomness.
    ///
    /// # Errors
    /// The system has none.
    pub fn random() -> io::Result<Line> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        let mut filled = 0;
        while filled < SECRET_BYTES {
            filled += rustix::rand::getrandom(&mut secret[filled..], rustix::rand::GetRandomFlags::empty())?;
        }
        Ok(Line::of(&secret))
    }

    fn of(secret: &[u8; SECRET_BYTES]) -> Line {
        let mut characters = Zeroizing::new(Vec::with_capacity(CHARACTERS));
        let (mut held, mut bits) = (0u32, 0);
        for byte in secret {
            held = (held << 8) | u32::from(*byte);
            bits += 8;
            while bits >= 5 {
                bits -= 5;
                characters.push(ALPHABET[(held >> bits) as usize & 31]);
            }
        }
        let check = check(&characters);
        characters.extend_from_slice(&check);
        let mut line = String::from(PREFIX);
        for group in characters.chunks(GROUP) {
            line.push('-');
            line.extend(group.iter().map(|byte| char::from(*byte)));
        }
        Line(Zeroizing::new(line))
    }

    /// The line as it is written down; restic takes it as its password.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The checksum of the characters that say the secret.
fn check(characters: &[u8]) -> [u8; CHECK_CHARACTERS] {
    let sum = crc32fast::hash(characters);
    std::array::from_fn(|at| ALPHABET[(sum >> (5 * at)) as usize & 31])
}

impl FromStr for Line {
    type Err = LineError;

    /// Reads a line as people write it: in either case, with or without hyphens and spaces, o for 0 and l for 1.
    fn from_str(text: &str) -> Result<Line, LineError> {
        let plain: Zeroizing<String> = Zeroizing::new(
            text.chars()
                .filter(|c| !c.is_whitespace() && *c != '-')
                .flat_map(char::to_lowercase)
                .collect(),
        );
        // The prefix is read as it was written before letters are read as digits: it has an l.
        let rest = plain
            .strip_prefix(PREFIX)
            .or_else(|| plain.strip_prefix("1bk1"))
            .or_else(|| plain.strip_prefix("lbkl"))
            .ok_or(LineError::Form)?;
        let mut characters = Zeroizing::new(Vec::new());
        for c in rest.chars() {
            let c = match c {
                'o' => '0',
                'i' | 'l' => '1',
                other => other,
            };
            let byte = u8::try_from(c).ok().filter(|byte| ALPHABET.contains(byte));
            characters.push(byte.ok_or(LineError::Character(c))?);
        }
        if characters.len() != CHARACTERS {
            return Err(LineError::Length(characters.len()));
        }
        let (secret, sum) = characters.split_at(SECRET_CHARACTERS);
        if sum != check(secret) {
            return Err(LineError::Checksum);
        }
        let (mut bytes, mut at) = (Zeroizing::new([0; SECRET_BYTES]), 0);
        let (mut held, mut bits) = (0u32, 0);
        for character in secret {
            let value = ALPHABET.iter().position(|known| known == character).unwrap_or(0);
            held = (held << 5) | value as u32;
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                bytes[at] = (held >> bits) as u8;
                at += 1;
            }
        }
        Ok(Line::of(&bytes))
    }
}

/// A line is shown by [`Line::as_str`] and never by accident.
impl fmt::Debug for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{PREFIX}-…")
    }
}

/// As with [`Line`].
impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = if self.master.is_some() { "known" } else { "unknown" };
        write!(out, "Key({:?}, master {known})", self.line)
    }
}

impl Key {
    /// Where the key is kept below the state folder.
    pub fn path(state: &Path) -> PathBuf {
        state.join("keys").join("backup.key")
    }

    /// Makes a key that nobody had before.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn random() -> io::Result<Key> {
        Ok(Key {
            line: Line::random()?,
            master: Some(MasterKey::new()),
            file: None,
            retired: None,
        })
    }

    /// A line that came from elsewhere.
    pub(crate) fn of_line(line: Line) -> Key {
        Key {
            line,
            master: None,
            file: None,
            retired: None,
        }
    }

    /// Reads the key that is kept; none if there is none.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn read(state: &Path) -> Result<Option<Key>, KeyError> {
        let path = Key::path(state);
        match disk::read_small(&path, FILE_BYTES_MAX) {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => {
                let bytes = Zeroizing::new(bytes);
                let key = decode(&bytes).map_err(|what| KeyError::Damaged { path, what })?;
                Ok(Some(key))
            }
            Err(source) => Err(KeyError::Io { path, source }),
        }
    }

    /// Keeps the key if none is kept; gives the one that is.
    ///
    /// # Errors
    /// It was not kept.
    pub fn keep_first(self, state: &Path) -> Result<Key, KeyError> {
        let path = Key::path(state);
        let made =
            disk::create_folder(disk::folder_of(&path)).and_then(|()| disk::create(&path, &encode(&self)));
        match made {
            Ok(()) => Ok(self),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(Key::read(state)?.unwrap_or(self))
            }
            Err(source) => Err(KeyError::Io { path, source }),
        }
    }

    /// Keeps the key in the place of the one that is kept.
    ///
    /// # Errors
    /// The former one is still kept.
    pub fn keep(&self, state: &Path) -> Result<(), KeyError> {
        let path = Key::path(state);
        disk::create_folder(disk::folder_of(&path))
            .and_then(|()| disk::replace(&path, &encode(self)))
            .map_err(|source| KeyError::Io { path, source })
    }
}

fn encode(key: &Key) -> Zeroizing<Vec<u8>> {
    let master = key
        .master
        .as_ref()
        .and_then(|master| serde_json::to_string(master).ok())
        .map(Zeroizing::new);
    let mut text = Zeroizing::new(format!("{MAGIC}\nline {}\n", key.line.as_str()));
    if let Some(master) = master {
        text.push_str("master ");
        text.push_str(&master);
        text.push('\n');
    }
    for (word, name) in [("file", &key.file), ("retired", &key.retired)] {
        if let Some(name) = name {
            text.push_str(&format!("{word} {name}\n"));
        }
    }
    let sum = crc32fast::hash(text.as_bytes());
    text.push_str(&format!("check {sum:08x}\n"));
    Zeroizing::new(text.as_bytes().to_vec())
}

fn decode(bytes: &[u8]) -> Result<Key, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
    let at = text.rfind("check ").ok_or("its checksum is missing")?;
    let (kept, check) = text.split_at(at);
    let sum = crc32fast::hash(kept.as_bytes());
    if check != format!("check {sum:08x}\n") {
        return Err("its checksum is wrong".into());
    }
    let mut lines = kept.lines();
    if lines.next() != Some(MAGIC) {
        return Err("it is of another version".into());
    }
    let (mut line, mut master, mut file, mut retired) = (None, None, None, None);
    for text in lines {
        match text.split_once(' ') {
            Some(("line", value)) => {
                line = Some(value.parse().map_err(|error: LineError| error.to_string())?);
            }
            Some(("master", value)) => {
                master = Some(serde_json::from_str(value).map_err(|_| "its master key is unreadable")?);
            }
            Some(("file", name)) => file = Some(name.to_owned()),
            Some(("retired", name)) => retired = Some(name.to_owned()),
            // A later release may say more.
            _ => {}
        }
    }
    Ok(Key {
        line: line.ok_or("it has no line")?,
        master,
        file,
        retired,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_read_as_people_write_it() {
        let line = Line::of(&[0xa5; SECRET_BYTES]);
        insta::assert_snapshot!(line.as_str(), @"lbk1-mpjtb9-d5mpjt-b9d5mp-jtb9d5-mpjtb9-d5v3z3");
        let plain = line.as_str().to_uppercase().replace('-', " ").replace('0', "O");
        assert_eq!(plain.parse::<Line>(), Ok(line.clone()));
        fn check(text: &str, expect: LineError) {
            assert_eq!(text.parse::<Line>().map(|_| ()), Err(expect), "{text}");
        }
        check("", LineError::Form);
        check("secret", LineError::Form);
        check("lbk1-abc", LineError::Length(3));
        check("lbk1-ab!c", LineError::Character('!'));
        let mut wrong = line.as_str().to_owned();
        wrong.replace_range(6..7, "z");
        check(&wrong, LineError::Checksum);
        assert_eq!(format!("{line:?}"), "lbk1-…");
    }

    proptest! {
        #[test]
        fn what_was_written_down_is_read(secret: [u8; SECRET_BYTES]) {
            let line = Line::of(&secret);
            prop_assert_eq!(line.as_str().parse::<Line>(), Ok(line));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "lbk1[-a-z0-9 ]{0,60}|.{0,60}") {
            let _ = text.parse::<Line>();
        }

        #[test]
        fn one_flipped_bit_in_the_file_is_seen(at: prop::sample::Index, bit in 0..8u8) {
            let key = Key { master: Some(MasterKey::new()), ..Key::of_line(Line::of(&[7; SECRET_BYTES])) };
            let mut bytes = encode(&key).to_vec();
            prop_assert!(decode(&bytes).is_ok());
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(decode(&bytes).is_err());
        }
    }

    #[test]
    fn the_first_key_stays() {
        let state = tempfile::tempdir().unwrap();
        assert!(Key::read(state.path()).unwrap().is_none());
        let first = Key::random().unwrap().keep_first(state.path()).unwrap();
        let second = Key::random().unwrap().keep_first(state.path()).unwrap();
        assert_eq!(first.line, second.line);
        assert!(second.master.is_some());
        std::fs::write(Key::path(state.path()), "lusush").unwrap();
        assert!(matches!(Key::read(state.path()), Err(KeyError::Damaged { .. })));
    }
}
