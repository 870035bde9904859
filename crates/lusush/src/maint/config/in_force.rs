//! What the files say comes into force, whether a worker runs or not.
//!
//! Invariant: whoever changed the files is told if sessions that run do not follow.

use lle_maintenance::api::Request;

use crate::launch_config;
use crate::maint::ask;

/// Brings what the files say into force; gives what is to be said about that.
pub(super) fn follow() -> String {
    // With a worker as well: it finds that done.
    let _what_it_says = launch_config::catch_up();
    let files = launch_config::files();
    let holds = files.is_some_and(|files| files.is_settled() && !files.is_refused());
    match ask::ask_worker(&Request::Status) {
        Some(_) => String::new(),
        None if !holds => "    Not in force yet: `lusush maint config status` says why\n".to_owned(),
        None => "    In force for new sessions. Those that run follow a worker, and none runs:\n    \
                 `lusush maint start`\n"
            .to_owned(),
    }
}
