//! What is backed up: four sections, and under which names they stand in the archive.
//!
//! | section | from | in the archive |
//! | --- | --- | --- |
//! | configuration | the config folder but for `plugins`; the start-up files in the home | `/configuration/lusush`, `/configuration/home` |
//! | data | `state/history`, `state/versions` | `/data` |
//! | state | the rest of the state folder, the data folder | `/state/state`, `/state/data` |
//! | plugins | `config/plugins` | `/plugins` |
//!
//! The names say what something is and not where it lay, so that a backup can be restored on another machine, under
//! another home, and read with restic alone.
//!
//! Invariants: what is named here in [`ROWS`] is backed up and nothing else. The backup's own key is in no backup.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use lle_core::paths::served::LINK;
use lle_core::repository::Address;

use crate::remote::Credentials;

/// A part of a home that is restored by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// `config.toml`, themes, and the start-up files.
    Configuration,
    /// History, and the versions of the configuration.
    Data,
    /// What the worker knows, the audit log, its key.
    State,
    /// Plugins.
    Plugins,
}

impl Section {
    /// Every section, in the order in which they are listed.
    pub const ALL: &[Section] = &[
        Section::Configuration,
        Section::Data,
        Section::State,
        Section::Plugins,
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Section::Configuration => "configuration",
            Section::Data => "data",
            Section::State => "state",
            Section::Plugins => "plugins",
        }
    }

    /// Finds a section by its name.
    pub fn named(name: &str) -> Option<Section> {
        Self::ALL.iter().copied().find(|section| section.name() == name)
    }

    /// The section that a path in the archive belongs to.
    pub fn of(path: &Path) -> Option<Section> {
        let first = path.components().find_map(|component| match component {
            Component::Normal(name) => Some(name),
            _ => None,
        });
        Section::named(first?.to_str()?)
    }
}

/// Where a home lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// `config.toml`, themes, plugins.
    pub config: PathBuf,
    /// History, versions, keys, what the worker knows.
    pub state: PathBuf,
    /// Backups, and the head of the audit log.
    pub data: PathBuf,
    /// The folder with the start-up files; none if nobody knows it.
    pub home: Option<PathBuf>,
    /// Where the repository is, if it is not [`Places::archive`].
    pub repository: Option<Address>,
    /// What a server wants.
    pub credentials: Credentials,
}

impl Places {
    /// The folder of everything that this crate keeps.
    pub fn backup(&self) -> PathBuf {
        self.data.join("backup")
    }

    /// This home's own repository.
    pub fn own(&self) -> Address {
        let own = self.repository.clone();
        own.unwrap_or_else(|| Address::Folder(self.archive()))
    }

    /// Where the repository is unless somebody says otherwise.
    pub fn archive(&self) -> PathBuf {
        self.backup().join("archive")
    }

    fn root(&self, root: Root) -> Option<&Path> {
        match root {
            Root::Config => Some(&self.config),
            Root::State => Some(&self.state),
            Root::Data => Some(&self.data),
            Root::Home => self.home.as_deref(),
        }
    }

    /// The folder on disk that a row is taken from.
    pub(crate) fn folder(&self, row: &Row) -> Option<PathBuf> {
        let root = self.root(row.root)?;
        Some(if row.below.is_empty() {
            root.to_owned()
        } else {
            root.join(row.below)
        })
    }

    /// Where a path of the archive lies on this machine; none for what no row speaks of, which a hostile or later
    /// archive may hold.
    pub(crate) fn target(&self, path: &Path) -> Option<PathBuf> {
        let row = ROWS.iter().find(|row| path.starts_with(row.name))?;
        let rest = path.strip_prefix(row.name).ok()?;
        let plain = rest
            .components()
            .all(|component| matches!(component, Component::Normal(_)));
        let first = rest.components().next().map(Component::as_os_str);
        if !plain || first.is_none_or(|first| !row.takes(first)) || left_out(rest, row) {
            return None;
        }
        Some(self.folder(row)?.join(rest))
    }
}

/// A folder that something is below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    Config,
    State,
    Data,
    Home,
}

/// One row: a folder, and its name in the archive.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its name in the archive.
    pub(crate) name: &'static str,
    root: Root,
    below: &'static str,
    /// Only these names in it; all if empty.
    only: &'static [&'static str],
    /// Not these paths below it.
    but: &'static [&'static str],
    /// Whether links to files are read through: people keep their configuration in a folder of their own.
    pub(crate) follows_links: bool,
}

impl Row {
    /// Whether a name directly in the folder is of this row.
    pub(crate) fn takes(&self, name: &OsStr) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| *only == name)
    }
}

const fn row(name: &'static str, root: Root, below: &'static str, but: &'static [&'static str]) -> Row {
    Row {
        name,
        root,
        below,
        only: &[],
        but,
        follows_links: matches!(root, Root::Config | Root::Home),
    }
}

/// All that is backed up, in the order of the names.
pub(crate) const ROWS: &[Row] = &[
    Row {
        only: lle_log::start_up::ALL,
        ..row("/configuration/home", Root::Home, "", &[])
    },
    row("/configuration/lusush", Root::Config, "", &["plugins"]),
    row("/data/history", Root::State, "history", &[]),
    row("/data/versions", Root::State, "versions", &[]),
    row("/plugins", Root::Config, "plugins", &[]),
    row("/state/data", Root::Data, "", &["backup"]),
    row(
        "/state/state",
        Root::State,
        "",
        // Records of starts say nothing on another day; who stopped a worker did not mean the next machine,
        // nor does the link to a runtime folder.
        &["history", "versions", "start", "keys/backup.key"],
    ),
];

/// Ends of names in our own folders that are nobody's data: locks, and files that are not whole yet. In the user's
/// folders such names may be anything.
const PASSING: &[&str] = &[".lock", ".new", ".tmp"];
/// How the name of a file ends that a restore has staged.
const STAGED: &[u8] = b".lusush-restore";

/// Whether a path below a row's folder is passed over.
pub(crate) fn left_out(rest: &Path, row: &Row) -> bool {
    let name = rest.file_name().unwrap_or_default().as_encoded_bytes();
    row.but.iter().any(|but| rest.starts_with(but))
        || name.ends_with(STAGED)
        || (!row.follows_links && PASSING.iter().any(|end| name.ends_with(end.as_bytes())))
        || (row.root == Root::State && (name == b"stopped" || name == LINK.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_archive_has_one_place_here() {
        let places = Places {
            config: "/c".into(),
            state: "/s".into(),
            data: "/d".into(),
            home: Some("/h".into()),
            repository: None,
            credentials: Credentials::default(),
        };
        let check = |name: &str, expect: Option<&str>| {
            assert_eq!(
                places.target(Path::new(name)).as_deref(),
                expect.map(Path::new),
                "{name}"
            );
        };
        check("/configuration/lusush/config.toml", Some("/c/config.toml"));
        check("/configuration/lusush/plugins/a", None);
        check("/configuration/home/.bashrc", Some("/h/.bashrc"));
        check("/configuration/home/.ssh/id", None);
        check("/plugins/a/b.wasm", Some("/c/plugins/a/b.wasm"));
        check("/data/history/m.log", Some("/s/history/m.log"));
        check("/plugins/a/package.lock", Some("/c/plugins/a/package.lock"));
        check("/data/other", None);
        check("/state/state/maint/m/state.log", Some("/s/maint/m/state.log"));
        check("/state/state/maint/m/worker.lock", None);
        check("/state/state/maint/m/stopped", None);
        check("/state/state/maint/m/runtime", None);
        check("/state/state/keys/audit.key", Some("/s/keys/audit.key"));
        check("/state/state/keys/backup.key", None);
        check("/state/state/history/m.log", None);
        check("/state/data/audit/m.anchor", Some("/d/audit/m.anchor"));
        check("/state/data/backup/archive/config", None);
        check("/state/state/../../etc/passwd", None);
        check("/state/state", None);
        check("/etc/passwd", None);
    }

    #[test]
    fn the_rows_are_in_order_and_each_is_of_a_section() {
        assert!(ROWS.is_sorted_by_key(|row| row.name));
        for row in ROWS {
            assert!(Section::of(Path::new(row.name)).is_some(), "{}", row.name);
        }
    }
}
