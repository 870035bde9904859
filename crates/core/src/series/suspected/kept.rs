//! What is watched, as the state keeps it: columns of small numbers, since it is written for each session every ten minutes.
//!
//! Invariant: what is read back is no more than there is room for, whatever was written.

use serde::{Deserialize, Serialize};

use super::{CHANGES_MAX, Suspect, VALUES_KEPT, Value, Watched};

/// See the module's head. An earlier version kept sums in place of values: of those nothing is known any more.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// When each was measured: milliseconds since the one before it; of the first, since 1970.
    since_ms: Vec<i64>,
    us: Vec<u32>,
    /// None if no folder is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    folders: Vec<u32>,
    /// None if of no value it is known what `PROMPT_COMMAND` took of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commands: Vec<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suspects: Vec<Suspect>,
}

impl From<Watched> for Kept {
    fn from(watched: Watched) -> Self {
        let mut before_ms = 0;
        let since_ms = watched.values.iter().map(|value| {
            let since_ms = value.at_ms.wrapping_sub(before_ms);
            before_ms = value.at_ms;
            since_ms
        });
        let since_ms = since_ms.collect();
        let is_told = watched.values.iter().any(|value| value.folder != 0);
        let folders = watched.values.iter().filter(|_| is_told);
        let is_divided = watched.values.iter().any(|value| value.command != 0);
        let commands = watched.values.iter().filter(|_| is_divided);
        Self {
            since_ms,
            us: watched.values.iter().map(|value| value.us).collect(),
            folders: folders.map(|value| value.folder).collect(),
            commands: commands.map(|value| value.command).collect(),
            suspects: watched.suspects,
        }
    }
}

impl From<Kept> for Watched {
    fn from(kept: Kept) -> Self {
        let mut at_ms = 0i64;
        let folders = kept.folders.into_iter().chain(std::iter::repeat(0));
        let commands = kept.commands.into_iter().chain(std::iter::repeat(0));
        let values = kept.since_ms.into_iter().zip(kept.us).zip(folders).zip(commands);
        let values = values
            .take(VALUES_KEPT)
            .map(|(((since_ms, us), folder), command)| {
                at_ms = at_ms.wrapping_add(since_ms);
                Value {
                    at_ms,
                    us,
                    folder,
                    command,
                }
            });
        let mut watched = Self {
            values: values.collect(),
            suspects: kept.suspects,
        };
        let (mut least, most) = (0, watched.values.len());
        watched.suspects.truncate(CHANGES_MAX);
        for suspect in &mut watched.suspects {
            suspect.before = suspect.before.clamp(least, most);
            suspect.until = suspect.until.clamp(suspect.before, most);
            least = suspect.until;
        }
        watched
    }
}
