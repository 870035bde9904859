//! The backup's journal after something was taken out of the history.

use std::process::Stdio;

use super::{Answer, files_of};
use crate::maint::backup;
use crate::maint::history::logs::Own;

/// Has the backup's journal begin anew, if there is one: what it has of a log is what that once was, and it is sealed, so
/// that nobody can look into it for a text. Done with every scrub, whether anything was found or not: an earlier one may
/// have been killed before it came to this.
pub(super) fn begin_anew(own: &Own, answer: &mut Answer) -> Result<(), Box<dyn std::error::Error>> {
    let journal = own.data.as_deref().map(|data| data.join("backup/journal"));
    let Some(journal) = journal.filter(|journal| !files_of(journal, "log").is_empty()) else {
        return Ok(());
    };
    let written = backup::program()?
        .args(["create", "--journal", "--anew", "--json"])
        .stdin(Stdio::null())
        .output()?;
    if !written.status.success() {
        let said = String::from_utf8_lossy(&written.stderr);
        return Err(format!("{}: {}", journal.display(), said.trim()).into());
    }
    answer.reached.push(format!("{}: begun anew", journal.display()));
    let said: serde_json::Value = serde_json::from_slice(&written.stdout).unwrap_or_default();
    let foreign = said["foreign"].as_array().into_iter().flatten();
    let foreign = foreign.filter_map(serde_json::Value::as_str);
    answer.sealed.extend(foreign.map(|path| {
        format!(
            "{path}: sealed by a key that is not here; it may be removed, and only that key brings it back"
        )
    }));
    Ok(())
}
