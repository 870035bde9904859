//! How a file of an older format is read as one of the newest.
//!
//! Invariants: a migration changes what was read and never the file. Each leads from one format to the next, so that
//! any format that was ever written can be read.

use super::Catalogue;
use super::document::Item;
use super::found::{Found, is_below};

/// What became of a format in the next one.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// What changed, for people.
    pub about: &'static str,
    /// The changes, in this order.
    pub changes: &'static [Change],
}

/// One change from a format to the next.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// A key or a table has another name.
    Renamed {
        /// The name in the older format.
        from: &'static str,
        /// The name in the newer one.
        to: &'static str,
    },
    /// A word of a key is another one.
    Reworded {
        /// The key.
        key: &'static str,
        /// The word in the older format.
        from: &'static str,
        /// The word in the newer one.
        to: &'static str,
    },
    /// A key says nothing any more.
    Dropped {
        /// Its name.
        key: &'static str,
    },
}

impl Catalogue {
    /// Reads what was found in a file of format `version` as the newest. A version that is out of range changes nothing.
    pub(super) fn migrate(&self, version: u32, found: &mut Vec<Found<'_>>) {
        let skip = version.saturating_sub(self.oldest()) as usize;
        let changes = self
            .migrations
            .iter()
            .skip(skip)
            .flat_map(|migration| migration.changes);
        for change in changes {
            change.apply(found);
        }
    }
}

impl Change {
    fn apply(&self, found: &mut Vec<Found<'_>>) {
        match *self {
            Change::Renamed { from, to } => {
                for one in found {
                    if one.name == from || is_below(&one.name, from) {
                        one.name.replace_range(..from.len(), to);
                    }
                }
            }
            Change::Reworded { key, from, to } => {
                let said = |one: &&mut Found<'_>| {
                    one.name == key && matches!(&one.item, Item::Text(text) if text == from)
                };
                for one in found.iter_mut().filter(said) {
                    one.item = Item::Text(to.into());
                }
            }
            Change::Dropped { key } => found.retain(|one| one.name != key),
        }
    }
}
