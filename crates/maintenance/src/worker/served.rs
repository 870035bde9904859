//! Which runtime folder the worker serves, for sessions and verbs that have another.
//!
//! File: `<maint>/runtime`, a link, replaced by rename; it stays when the worker ends, and what sessions left is found by it.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use lle_core::paths::served::LINK;

use crate::real::Places;

/// Says which runtime folder is served, unless that is said.
pub(crate) fn tell(places: &Places) {
    let state = places.maint.ancestors().nth(2);
    // Below `LUSUSH_HOME` both lie side by side: whoever finds one finds the other.
    if places.runtime.parent() == state.and_then(Path::parent) || read(places) == Some(places.runtime.clone())
    {
        return;
    }
    let link = places.maint.join(LINK);
    let draft = link.with_extension("new");
    let made = match symlink(&places.runtime, &draft) {
        // One that was killed left it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(&draft).and_then(|()| symlink(&places.runtime, &draft))
        }
        made => made,
    };
    // What cannot be said now is said at the next look; until then others stay where they are.
    let _untold = made.and_then(|()| fs::rename(&draft, &link));
}

/// The runtime folder that the worker serves, or the last one did; none if nobody said so.
pub fn read(places: &Places) -> Option<PathBuf> {
    fs::read_link(places.maint.join(LINK)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_where_it_cannot_be_known_otherwise() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let below = |runtime: &str| {
            let at = |name: &str| folder.path().join(name);
            let places = Places::below(&at("state"), &at("data"), &at("cache"), &at(runtime), "m");
            fs::create_dir_all(&places.maint).expect("a folder can be made");
            tell(&places);
            read(&places)
        };
        assert_eq!(below("run"), None);
        assert_eq!(below("a/one"), Some(folder.path().join("a/one")));
        // A draft of one that was killed is in nobody's way.
        let draft = folder.path().join("state/maint/m/runtime.new");
        symlink("/nowhere", &draft).expect("a link can be made");
        assert_eq!(below("a/two"), Some(folder.path().join("a/two")));
        assert!(draft.symlink_metadata().is_err());
    }
}
