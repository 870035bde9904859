//! What a server wants before it does something: from the environment, by the names that restic reads, or from a file.
//!
//! ```text
//! # a file for nobody else to read
//! AWS_ACCESS_KEY_ID=…
//! AWS_SECRET_ACCESS_KEY=…
//! ```
//!
//! Invariants: a file that others may read is refused. Nothing of it is ever shown, and all of it is wiped when it is
//! dropped. A pair is taken from one place.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::disk;

/// Bytes of the file, at most.
const FILE_BYTES_MAX: u64 = 16 * 1024;
/// The rights that nobody else has.
const OTHERS: u32 = 0o077;

/// Where a bucket is; no secret.
const REGION: &str = "AWS_DEFAULT_REGION";

/// The names in pairs and what goes with them: whoever gives the first one, gives all.
const GROUPS: &[&[&str]] = &[
    &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
    &[REGION],
    &["RESTIC_REST_USERNAME", "RESTIC_REST_PASSWORD"],
];

/// What a server wants.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    values: BTreeMap<&'static str, Zeroizing<String>>,
}

/// Never the values.
impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.values.keys()).finish()
    }
}

/// Why a file of credentials was not read.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Somebody else may read it, or wrote it.
    #[error("{} is not for its owner alone: its mode is {mode:04o}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// It is another user's.
    #[error("{} belongs to another user", .0.display())]
    NotOurs(PathBuf),
    /// It is no file.
    #[error("{} is no file", .0.display())]
    NoFile(PathBuf),
    /// A line of it says nothing that is known.
    #[error("line {line} of {} is not NAME=VALUE with a name that is known", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from one on.
        line: usize,
    },
}

impl Credentials {
    /// Takes what the environment has, and the rest from the file, if one is named.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn read(
        file: Option<&Path>,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Credentials, CredentialsError> {
        let mut credentials = match file {
            Some(path) => Credentials::of_file(path)?,
            None => Credentials::default(),
        };
        for group in GROUPS {
            let value = |name: &&&'static str| environment(name).filter(|value| !value.is_empty());
            if group.first().is_none_or(|first| value(&first).is_none()) {
                continue;
            }
            for name in *group {
                credentials.values.remove(name);
                if let Some(text) = value(&name).and_then(|value| value.into_string().ok()) {
                    credentials.values.insert(name, Zeroizing::new(text));
                }
            }
        }
        Ok(credentials)
    }

    fn of_file(path: &Path) -> Result<Credentials, CredentialsError> {
        let io = |source| CredentialsError::Io {
            path: path.to_owned(),
            source,
        };
        let file = disk::open(path).map_err(io)?;
        // Of the file that is read, whatever its name leads to a moment later.
        let found = file.metadata().map_err(io)?;
        if !found.is_file() {
            return Err(CredentialsError::NoFile(path.to_owned()));
        }
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(CredentialsError::NotOurs(path.to_owned()));
        }
        let mode = found.mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(CredentialsError::Open {
                path: path.to_owned(),
                mode,
            });
        }
        if found.len() > FILE_BYTES_MAX {
            return Err(io(io::ErrorKind::FileTooLarge.into()));
        }
        // Made as large as it gets: one that grows leaves copies behind that nobody wipes.
        let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize));
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(io)?;
        Credentials::of_text(&text).map_err(|line| CredentialsError::Line {
            path: path.to_owned(),
            line,
        })
    }

    /// Reads the lines; the number of the first that is none is the error.
    fn of_text(text: &str) -> Result<Credentials, usize> {
        let mut credentials = Credentials::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = line.split_once('=').ok_or(at + 1)?;
            let mut known = GROUPS.iter().flat_map(|group| group.iter());
            let name = known.find(|known| **known == name.trim_end()).ok_or(at + 1)?;
            let value = Zeroizing::new(value.trim_start().to_owned());
            if value.is_empty() || credentials.values.insert(name, value).is_some() {
                return Err(at + 1);
            }
        }
        Ok(credentials)
    }

    /// Whether there is anything to prove oneself with.
    pub fn prove_somebody(&self) -> bool {
        GROUPS
            .iter()
            .filter_map(|group| group.first())
            .any(|first| *first != REGION && self.values.contains_key(first))
    }

    /// One of them.
    #[cfg(any(feature = "rest", feature = "s3"))]
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    fn names(credentials: &Credentials) -> Vec<(&str, &str)> {
        let values = credentials.values.iter();
        values.map(|(name, value)| (*name, value.as_str())).collect()
    }

    #[test]
    fn lines_are_read_and_what_is_none_is_said_by_its_number() {
        fn check(text: &str, expect: Result<&[(&str, &str)], usize>) {
            let read = Credentials::of_text(text);
            let read = read.as_ref().map(names).map_err(|line| *line);
            assert_eq!(read.as_deref(), expect.as_ref().copied(), "{text:?}");
        }
        check("", Ok(&[]));
        check(
            "# mine\n\n RESTIC_REST_USERNAME = me\nRESTIC_REST_PASSWORD=a=b #c\n",
            Ok(&[("RESTIC_REST_PASSWORD", "a=b #c"), ("RESTIC_REST_USERNAME", "me")]),
        );
        check("AWS_ACCESS_KEY_ID\n", Err(1));
        check("\nPASSWORD=x\n", Err(2));
        check("AWS_DEFAULT_REGION=\n", Err(1));
        check("AWS_DEFAULT_REGION=a\nAWS_DEFAULT_REGION=b\n", Err(2));
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_and_the_environment_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        let read = |given: &[(&str, &str)]| {
            Credentials::read(Some(&path), |name| {
                let found = given.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value.into())
            })
        };
        assert!(matches!(read(&[]), Err(CredentialsError::Io { .. })));
        fs::write(
            &path,
            "AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\nAWS_SESSION_TOKEN=c\n",
        )
        .unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            read(&[]),
            Err(CredentialsError::Open { mode: 0o640, .. })
        ));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let of_file = read(&[("AWS_SECRET_ACCESS_KEY", "x")]).unwrap();
        let a = ("AWS_ACCESS_KEY_ID", "a");
        assert_eq!(
            names(&of_file),
            [a, ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_SESSION_TOKEN", "c")]
        );
        // A pair from one place: a token of the file does not go with keys of the environment.
        let given = read(&[("AWS_ACCESS_KEY_ID", "d"), ("AWS_SECRET_ACCESS_KEY", "e")]).unwrap();
        assert_eq!(
            names(&given),
            [("AWS_ACCESS_KEY_ID", "d"), ("AWS_SECRET_ACCESS_KEY", "e")]
        );
        assert!(given.prove_somebody() && !Credentials::default().prove_somebody());
        let region = Credentials::of_text("AWS_DEFAULT_REGION=a\n").unwrap();
        assert!(!region.prove_somebody());
        assert_eq!(
            format!("{given:?}"),
            r#"{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}"#
        );
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(Credentials::read(Some(&link), |_| None).is_err());
        assert!(matches!(
            Credentials::read(Some(folder.path()), |_| None),
            Err(CredentialsError::NoFile(_))
        ));
    }
}
