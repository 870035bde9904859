//! A home for the tests inside this crate: folders that are made as they are asked for, and what fills them.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::remote::Credentials;
use crate::sections::Places;

/// Folders of a user who has nothing yet.
pub(crate) struct House {
    folder: TempDir,
    pub(crate) places: Places,
}

impl House {
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let at = |name: &str| folder.path().join(name);
        let places = Places {
            config: at("config"),
            state: at("state"),
            data: at("data"),
            home: None,
            repository: None,
            credentials: Credentials::default(),
        };
        Self { folder, places }
    }

    /// Where a file is.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Bytes that do not get smaller, none of them the same as others, and the same ones each time.
pub(crate) fn random() -> impl FnMut() -> u8 {
    let mut seed = 1u64;
    move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as u8
    }
}
