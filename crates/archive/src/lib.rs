//! The backup of a Lusush home.
//!
//! ```text
//!  config, start-up files, history, state, plugins          data/backup/
//!    │ sections: what belongs to what, under which name       ├─ archive/   a restic repository: restic alone reads it;
//!    │                                                       │             or on a server (features `rest`, `s3`)
//!    │                                                       ├─ journal/   what changed since, sealed
//!    ▼                                                        ├─ aside/     what a restore found in its places
//!  source ─▸ create ─────────────────────────────────────▸    ├─ lock       one at a time
//!  places ◂─ restore { stage ▸ verify ▸ note ▸ move } ◂────    └─ restore.plan   only while a restore moves files
//!                                                           state/keys/backup.key
//! ```
//!
//! Invariants: one at a time, by a lock that dies with its process. Whatever instant a process is killed at, the
//! repository is whole, the last snapshot that was told is in it, and a restore has happened for all of its files or for
//! none once the next command has looked. Nothing is printed. Only jobs link this crate, and `maint backup`.

mod create;
mod diff;
mod disk;
mod durable;
mod failure;
mod failures;
mod hex;
mod history;
#[cfg(test)]
mod house;
mod journal;
mod key;
mod list;
mod lock;
mod lost;
mod metadata;
mod noted;
mod opening;
mod progress;
mod prune;
mod remote;
mod reserve;
mod restic;
mod restore;
mod rotate;
mod sections;
mod shelf;
mod small;
mod source;
mod stage;
mod standing;
mod store;
mod unseal;
mod verify;

pub use create::{CreateError, Created, create};
pub use diff::{Change, DiffError, Difference, between, since};
pub use failure::RepositoryError;
pub use journal::{
    JournalError, JournalFile, Recorded, forget_journal, has_journal, journal, record, record_anew,
    record_under, restore_journal_to,
};
pub use key::{Key, KeyError, Line, LineError};
pub use list::{Entry, Part, Snapshot, contents, parts, snapshots};
pub use lock::{Lock, LockError};
pub use lost::Lost;
pub use noted::{Sealed, note_path, sealed};
pub use progress::{Step, Watch};
pub use prune::{KEEP, Keep, PruneError, Pruned, prune};
pub use remote::{Credentials, CredentialsError, RemoteError};
pub use restore::{Finished, RestoreError, Restored, finish, restore, restore_to};
pub use rotate::{ImportError, Imported, Rotated, import, rotate};
pub use sections::{Places, Section};
pub use source::LeftOut;
pub use stage::StageError;
pub use store::{OpenError, PATIENCE, Store, key_or_first};
pub use verify::{Finding, Verdict, Verification, verify};
