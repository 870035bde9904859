//! What may go wrong with the file of a log, and what others may do to it.

use std::io;
use std::path::PathBuf;

use crate::header::FILE_VERSION;

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder of the log could not be made.
    #[error("cannot create the folder {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no log, and none could be made.
    #[error("cannot create the log {path}")]
    Create {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is a log, but it cannot be read and written.
    #[error("cannot open the log {path}")]
    Open {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is something else.
    #[error("{path} is not a log of this kind")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The log was written by a later version.
    #[error("{path} has format {found}; this version reads formats up to {FILE_VERSION}")]
    Version {
        /// The log.
        path: PathBuf,
        /// Its format version.
        found: u32,
    },
}

/// Why a record was not written. The log stays usable: the next append is a whole record again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The payload is longer than [`PAYLOAD_BYTES_MAX`](crate::PAYLOAD_BYTES_MAX).
    #[error("{bytes} bytes are too long for one record")]
    TooLong {
        /// Length of the payload, in bytes.
        bytes: usize,
    },
    /// Only the start of the record reached the file.
    #[error("only {written} of {bytes} bytes were written: the disk is full, or a quota is used up")]
    Short {
        /// Bytes that reached the file.
        written: usize,
        /// Bytes of the record.
        bytes: usize,
    },
    /// The file lost its name, and there is none in its place that could be written.
    #[error("the log is gone, and none can be made in its place")]
    Lost,
    /// The log could not be opened yet, see [`Unopened`](crate::history::Unopened).
    #[error("the log could not be opened")]
    Unopened,
    /// The system refused.
    #[error("the log could not be written")]
    Write(#[from] io::Error),
}

/// Something that another program did to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// The file lost its end.
    Truncated {
        /// Bytes that are gone.
        lost_bytes: u64,
    },
    /// The name now belongs to another log, which is used from now on.
    Replaced,
    /// The name belongs to a log that begins as this one did when it was opened and is no shorter: somebody put back
    /// what was lost, or wrote it anew with more in it. It is used from now on.
    Restored,
    /// The name was gone. A new, empty log has it now: whoever deletes a history means it.
    Removed,
    /// The name belongs to something that is no log, or cannot be made again. Nothing is appended until that is over.
    Lost,
}
