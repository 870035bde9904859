//! Why the files as they are did not come into force: the file `refused`, for whoever asks.

use std::io;

use lle_core::config::Refused;
use serde::Serialize;

use super::super::draft;
use super::{ConfigFiles, SettleError, Settler};

/// The document of `refused`.
#[derive(Debug, Serialize)]
struct RefusedDocument<'r> {
    version: u32,
    wall_ns: i64,
    sources: &'r [String],
    #[serde(flatten)]
    refused: &'r Refused,
}

/// Says so beside what is in force, unless that was said of the same files.
pub(super) fn note(
    files: &ConfigFiles,
    by: &Settler,
    stamps: &[String],
    refused: &Refused,
) -> Result<(), SettleError> {
    let before = draft::read_small(&files.refused());
    let told: Option<serde_json::Value> = before.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if told.is_some_and(|told| told["sources"] == serde_json::json!(stamps)) {
        return Ok(());
    }
    let document = RefusedDocument {
        version: 1,
        wall_ns: by.wall_ns,
        sources: stamps,
        refused,
    };
    let bytes = serde_json::to_vec(&document).map_err(io::Error::from)?;
    draft::create_folder(&files.maint)?;
    // Full disk or not, what was in force stays so, and the refusal is told all the same.
    let _untold = draft::put(&files.refused(), &bytes);
    Ok(())
}
