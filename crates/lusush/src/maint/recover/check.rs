//! Looks whether a step came to what it should.

use lle_core::quantity::bytes;
use lle_core::recovery::{Archive, Check};
use lle_maintenance::api::Request;
use serde_json::Value;

use super::gather::{self, Depth};
use super::own::{self, words};
use super::places::Places;
use crate::maint::ask;

/// Sections of which every file has to be as it was saved. A worker that runs goes on writing to its state.
const AT_REST: &[&str] = &["configuration", "data", "plugins"];

/// Where histories stand in a snapshot.
const HISTORIES: &str = "/data/history/";

/// Looks; says what is not as it should be.
pub(super) fn check(places: &Places, check: Check) -> Result<(), String> {
    match check {
        Check::Said => Ok(()),
        Check::HistoryWhole => history_whole(places),
        Check::MirrorThere => {
            let signs = gather::history_signs(places);
            expect(signs.has_mirror(), "there is no mirror")
        }
        Check::ConfigSound => {
            let signs = gather::config(places);
            expect(signs.exists, "there is no config.toml")?;
            signs.problem.map_or(Ok(()), Err)
        }
        Check::StateWhole => {
            let signs = gather::state(places);
            match (signs.unreadable, signs.damaged, signs.audit_faults) {
                (Some(why), ..) => Err(format!("the state cannot be read: {why}")),
                (None, 1.., _) => Err("the state is damaged".into()),
                (None, 0, Some(1..)) => Err("the audit log has faults".into()),
                (None, 0, _) => Ok(()),
            }
        }
        Check::SectionThere(section) => all_there(places, &[section]),
        Check::EverythingThere => all_there(places, AT_REST),
        Check::RepositoryWhole => match gather::archive(places, Depth::Data) {
            Archive::Open { snapshots: 1.., .. } => Ok(()),
            other => Err(format!("the backup is not whole: {other:?}")),
        },
        Check::RoomMade => {
            let disk = gather::disk(places);
            let free = bytes(disk.free_bytes.unwrap_or(0) as f64);
            match disk.is_low() {
                true => Err(format!(
                    "only {free} are free: what takes the room is not Lusush's"
                )),
                false => Ok(()),
            }
        }
        Check::WorkerAnswers => {
            let answers = || matches!(ask::ask_worker(&Request::Version), Some(Ok(_)));
            expect(places.is_stopped() || answers(), "no worker answers")
        }
    }
}

fn expect(holds: bool, why: &str) -> Result<(), String> {
    match holds {
        true => Ok(()),
        false => Err(why.into()),
    }
}

fn history_whole(places: &Places) -> Result<(), String> {
    let signs = gather::history_signs(places);
    if let Some(why) = signs.refused {
        return Err(format!("the history log cannot be read: {why}"));
    }
    if let Some(why) = signs.unreadable {
        return Err(format!("the history log cannot be opened: {why}"));
    }
    expect(signs.log_bytes.is_some(), "there is no history log")?;
    expect(
        signs.log_bytes >= signs.mirror_bytes && signs.differs_at.is_none(),
        "the history log is another than its mirror",
    )
}

/// Whether every file of the sections of the newest snapshot is here, as it was saved or longer.
fn all_there(places: &Places, sections: &[&str]) -> Result<(), String> {
    let asked = own::at(words(&["backup", "diff", "latest"]), places.repository.as_deref());
    let value = own::run(&asked)?.succeeded()?;
    let rows = value["differences"].as_array().cloned().unwrap_or_default();
    let is_wrong = |row: &&Value| {
        let path = row["path"].as_str().unwrap_or_default();
        let lacks = match row["change"].as_str() {
            Some("removed") => true,
            // One that was begun anew is filled with what it lacks, which the restore has proven record by record.
            Some("changed") => !path.starts_with(HISTORIES),
            _ => false,
        };
        let section = path.split('/').nth(1);
        lacks && section.is_some_and(|section| sections.contains(&section))
    };
    match rows.iter().find(is_wrong) {
        None if sections.contains(&"data") && places.log.exists() => history_whole(places),
        None => Ok(()),
        Some(row) => Err(format!(
            "{} is not as it was saved",
            row["path"].as_str().unwrap_or("a file")
        )),
    }
}
