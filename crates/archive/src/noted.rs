//! What there is of this home's backup besides the repository: by it a key or a repository that is gone is told from one
//! that never was.
//!
//! Invariants: nothing is written here. A note that cannot be read says nothing, and is in nobody's way.

use std::path::PathBuf;

use lle_core::repository::Address;
use serde_json::Value;

use crate::disk;
use crate::journal::has_journal;
use crate::sections::Places;
use crate::shelf::Shelf;

/// Bytes of the note, at most.
const NOTE_BYTES_MAX: u64 = 16 * 1024;

/// Where it is noted to which repository snapshots went; written by whoever takes them.
pub fn note_path(places: &Places) -> PathBuf {
    places.backup().join("last.json")
}

/// The repositories that snapshots went to, as they are shown: the present one first, then the one before it.
fn noted(places: &Places) -> Vec<String> {
    let bytes = disk::read_small(&note_path(places), NOTE_BYTES_MAX)
        .ok()
        .flatten();
    let note: Option<Value> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Some(note) = note else { return Vec::new() };
    [&note["repository"], &note["before"]["repository"]]
        .into_iter()
        .filter_map(|shown| shown.as_str().map(str::to_owned))
        .collect()
}

/// Whether snapshots of this home went to this place, so that an empty one is no new one. The folder that is built in lies
/// beside the note: nothing takes it away alone but a person who meant it.
pub(crate) fn has_vanished(places: &Places, address: &Address) -> bool {
    *address != Address::Folder(places.archive()) && noted(places).contains(&address.to_string())
}

/// Something that only a key opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What, as it is shown.
    pub what: String,
    /// What is moved away by whoever gives it up.
    pub away: PathBuf,
}

/// What only a key opens that was made before: the journal, a repository at hand, or one that was noted; none if a home
/// without a key may have its first one.
pub fn sealed(places: &Places) -> Option<Sealed> {
    if let Some(journal) = sealed_journal(places) {
        return Some(journal);
    }
    let there = |address: &Address| {
        let Address::Folder(path) = address else {
            return None;
        };
        let shelf = Shelf::Folder(path.clone());
        // What cannot be looked at may be one.
        let is_there = shelf.has_config().unwrap_or(true) || shelf.has_rest().unwrap_or(true);
        is_there.then(|| Sealed {
            what: address.to_string(),
            away: path.clone(),
        })
    };
    let built_in = Address::Folder(places.archive());
    let elsewhere = || {
        let shown = noted(places)
            .into_iter()
            .find(|shown| *shown != built_in.to_string())?;
        Some(Sealed {
            what: shown,
            away: note_path(places),
        })
    };
    there(&places.own())
        .or_else(|| there(&built_in))
        .or_else(elsewhere)
}

/// The journal, if there is one.
pub(crate) fn sealed_journal(places: &Places) -> Option<Sealed> {
    let away = places.backup().join("journal");
    has_journal(places).then(|| Sealed {
        what: away.display().to_string(),
        away,
    })
}
