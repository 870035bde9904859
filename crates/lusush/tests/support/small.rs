//! A file system so small that a test can fill it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes written at once to fill the disk: the last page, too.
const PIECES: [usize; 3] = [64 * 1024, 4 * 1024, 64];

/// A file system of 4 MiB, unmounted at the end of the test, however it ends.
pub(crate) struct Small(PathBuf);

impl Small {
    /// None where nothing can be mounted; where everything is demanded, that is a failure.
    pub(crate) fn mount(at: &Path) -> Option<Small> {
        fs::create_dir_all(at).expect("a folder can be made");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs"])
            .arg(at)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Small(at.to_owned()));
        }
        let demanded = std::env::var_os("LUSUSH_TEST_REQUIRE").is_some_and(|value| !value.is_empty());
        assert!(!demanded, "no file system can be mounted");
        eprintln!("skipped: a full disk (nothing can be mounted here)");
        None
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Leaves not a byte.
    pub(crate) fn fill(&self) {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.filler())
            .expect("an empty file has room");
        for bytes in PIECES {
            let piece = vec![1; bytes];
            while file.write(&piece).is_ok_and(|written| written > 0) {}
        }
    }

    pub(crate) fn make_room(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }

    /// Lets nobody write, or everybody again; false where that cannot be done: somebody has a file open to write.
    pub(crate) fn remount(&self, how: &str) -> bool {
        let remounted = Command::new("mount").args(["-o", how]).arg(&self.0).status();
        remounted.is_ok_and(|status| status.success())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _lazily = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
