//! The configuration of a shell that starts: what its files say now, if nobody has brought that into force yet.
//!
//! LLE reads what is in force from a small file, which a worker keeps as it should be. Without one, or a moment before it,
//! the launcher does.
//!
//! Invariant: what was in force stays so, whatever fails; a start whose files nobody has changed costs some looks at them.

use std::path::Path;
use std::time::Duration;

use lle_core::config::{FILE_NAME, SYSTEM_FILE};
use lle_core::in_force::InForce;
use lle_maintenance::real::now;
use lle_maintenance::real::settle::{ConfigFiles, Settler, settle};

use crate::paths;
use crate::start_process::read_small;

/// How long a start waits for whoever brings a change into force just now: that takes a few milliseconds.
const PATIENCE: Duration = Duration::from_millis(20);

/// Where the configuration is, if there is a place for it.
pub(crate) fn files() -> Option<ConfigFiles> {
    let state = paths::state().ok()?;
    let machine = read_small(Path::new("/etc/machine-id")).unwrap_or_default();
    let machine = String::from_utf8(machine).unwrap_or_default();
    Some(ConfigFiles {
        system: SYSTEM_FILE.into(),
        user: paths::config().ok()?.join(FILE_NAME),
        maint: lle_core::paths::maint_folder(&state, &machine),
        state,
    })
}

/// A configuration, and what is in force of it.
pub(crate) struct Configured {
    pub(crate) files: ConfigFiles,
    pub(crate) in_force: InForce,
}

/// What is in force, if that is known.
pub(crate) fn in_force() -> Option<Configured> {
    let files = files()?;
    Some(Configured {
        in_force: files.read_in_force()?,
        files,
    })
}

/// Brings what changed into force, unless somebody has; gives what is in force then, if that is known.
pub(crate) fn catch_up() -> Option<Configured> {
    let files = files()?;
    let found = files.read_in_force();
    if files.is_settled_as(found.as_ref()) {
        return found.map(|in_force| Configured { files, in_force });
    }
    let by = Settler {
        wall_ns: now().wall_ns,
        tool: "lusush",
        patience: PATIENCE,
    };
    // What is wrong is told by the worker, and by `lusush maint config status`.
    if let Ok(settled) = settle(&files, &by) {
        // Nobody does it later: there may be no worker.
        let _made_anew = settled.unsynced.sync();
    }
    Some(Configured {
        in_force: files.read_in_force()?,
        files,
    })
}
