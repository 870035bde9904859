//! Going where the worker is: it serves one runtime folder, and this session may have begun in another.
//!
//! The worker's folder has a link to the runtime folder that the worker serves ([`LINK`]). A session that finds the
//! worker alive and itself elsewhere moves there with its flight file and its wake socket: then it is seen, asked and told like
//! any other. It starts in its own, since a start waits for no further look.
//!
//! Invariant: a folder that [`lle_core::paths`] does not allow is not used, and the session stays where it is.

use crate::lle::Lle;
use lle_core::paths::served::LINK;
use std::path::Path;

impl Lle {
    /// The worker lives: goes where it is; true if this session was elsewhere.
    pub(crate) fn follow_worker(&mut self, folder: &Path) -> bool {
        let Ok(served) = std::fs::read_link(folder.join(LINK)) else {
            // It serves the one folder of `LUSUSH_HOME`, or is of a version before.
            return false;
        };
        let is_there = |lle: &Self| {
            let flight = lle.session.flight_path();
            flight.and_then(|flight| flight.parent()?.parent()) == Some(&*served)
        };
        if is_there(self) || !self.session.places.go_by(&served) {
            return false;
        }
        self.session.go_where_served();
        is_there(self)
    }
}
