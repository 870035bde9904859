//! A start-up file says again what one of its versions said.

use lle_core::error::Code;
use lle_core::policy::Operation;
use lle_maintenance::api::Request;
use lle_maintenance::real::rc_restore::{self, Restored};
use lle_maintenance::real::{now, rc_versions};
use serde_json::json;

use super::super::ask;
use super::known::{Known, TOOL, number, numbered};
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;

/// Restores a file.
pub(super) fn restore(of: Option<&str>, version: Option<u64>, json: bool) -> Result<ExitCode, Failure> {
    let known = Known::look()?;
    let restored = match chosen(&known, of, version)? {
        Some(number) => done(&known, number)?,
        None if json => return answer::json(&json!({ "version": 1, "changed": false })),
        None => {
            return answer::text("Every file says what it said when a prompt was last reached with it.\n");
        }
    };
    if json {
        return answer::json(&json!({
            "version": 1,
            "file": restored.file,
            "number": restored.version,
            "changed": restored.changed,
            "before": restored.before,
        }));
    }
    let Restored { file, version, .. } = &restored;
    let mut out = match restored.changed {
        true => format!("{file} says again what version #{version} said.\n"),
        false => format!("{file} says already what version #{version} said.\n"),
    };
    if let Some(before) = restored.before.filter(|_| restored.changed) {
        out.push_str(&format!(
            "    What it said is version #{before}: `lusush maint rc restore {before}`.\n"
        ));
    }
    answer::text(&out)
}

/// The version that is meant; none if nothing is to be done.
fn chosen(known: &Known, of: Option<&str>, version: Option<u64>) -> Result<Option<u64>, Failure> {
    let versions = known.versions()?;
    let Some(asked) = of else {
        let changed = known.changed(&versions);
        return match changed.as_slice() {
            [] => match known.hopeless(&versions).first() {
                Some(new) => Err(none_good(new.file)),
                None => Ok(None),
            },
            [one] => Ok(Some(one.number)),
            several => {
                let names: Vec<&str> = several.iter().map(|version| version.file).collect();
                Err(
                    Failure::new(format!("several files have changed: {}", names.join(", ")))
                        .code(Code::InvalidParameters.exit())
                        .hint("name the one to restore; `lusush maint rc diff` shows what changed"),
                )
            }
        };
    };
    if let Some(number) = number(asked).filter(|_| version.is_none()) {
        return Ok(Some(numbered(&versions, number)?.number));
    }
    let file = known.file(&versions, asked)?;
    match version {
        Some(number) => {
            let version = numbered(&versions, number)?;
            if version.file != file {
                return Err(
                    Failure::new(format!("version #{number} is one of {}", version.file))
                        .code(Code::InvalidParameters.exit())
                        .hint(format!("`lusush maint rc log {asked}` lists those of {file}")),
                );
            }
            Ok(Some(number))
        }
        None => match versions.last_good(&file) {
            Some(good) => Ok(Some(good.number)),
            None => Err(none_good(&file)),
        },
    }
}

fn none_good(file: &str) -> Failure {
    Failure::new(format!("no version of {file} is known to have reached a prompt"))
        .code(Code::NotFound.exit())
        .hint(format!(
            "move {file} away, or edit it; `lusush maint rc restore N` takes any version"
        ))
}

/// A worker does it, so that it is authorised and recorded; without one it is done here.
fn done(known: &Known, number: u64) -> Result<Restored, Failure> {
    let versions = known.versions()?;
    let file = numbered(&versions, number)?.file;
    let request = Request::RestoreRc {
        file: file.to_owned(),
        number,
    };
    if let Some(answered) = ask::ask_worker(&request) {
        let document = answered?;
        return Ok(Restored {
            file: file.to_owned(),
            version: number,
            changed: document["changed"].as_bool().unwrap_or_default(),
            before: document["before"].as_u64(),
        });
    }
    ask::allow(Operation::RestoreRc)?;
    rc_restore::restore(&known.log, &known.home, (file, number), now().wall_ns, TOOL).map_err(|error| {
        let path = rc_versions::path(file, &known.home);
        Failure::new(format!("{} is left as it is", path.display()))
            .hint(error.remedy())
            .because(error)
            .code(Code::Unavailable.exit())
    })
}
