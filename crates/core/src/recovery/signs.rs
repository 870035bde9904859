//! What disasters are told by: plain numbers, gathered by whoever asks.

/// The worker may crash so often within [`WORKER_WINDOW_NS`] before that is a loop.
pub const WORKER_CRASHES_MIN: u32 = 3;
/// How far back crashes of the worker count, in nanoseconds: ten minutes.
pub const WORKER_WINDOW_NS: i64 = 600 * 1_000_000_000;

/// Everything that is looked at. The default is a home in which nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// The folders.
    pub home_exists: bool,
    /// The history of this machine.
    pub history: HistorySigns,
    /// The user's configuration.
    pub config: ConfigSigns,
    /// What the worker knows.
    pub state: StateSigns,
    /// The plugins.
    pub plugins: PluginSigns,
    /// The backup.
    pub archive: Archive,
    /// The disk.
    pub disk: DiskSigns,
    /// Crashes.
    pub crashes: Crashes,
}

/// The history log and its mirror.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistorySigns {
    /// Bytes of the log; none if there is none.
    pub log_bytes: Option<u64>,
    /// Bytes of the mirror; none if there is none.
    pub mirror_bytes: Option<u64>,
    /// Why the log cannot be opened.
    pub unreadable: Option<String>,
    /// The first byte at which the mirror is another than the log.
    pub differs_at: Option<u64>,
    /// Bytes of the log that are no record.
    pub damaged_bytes: u64,
    /// Bytes of the log that are no record from where they differ on, as far as both go; all of them if it cannot be opened.
    pub log_damage: u64,
    /// The same of the mirror.
    pub mirror_damage: u64,
    /// Bytes of the log in the newest snapshot; none if it has none, or there is none.
    pub saved_bytes: Option<u64>,
    /// Records of the newest snapshot's log that the log lacks; none if nobody compared them.
    pub saved_missing: Option<u64>,
    /// Why the log cannot be read, and what to do about that, though nothing says that it is damaged.
    pub refused: Option<String>,
}

impl HistorySigns {
    /// The bytes that a log without a record has.
    pub const EMPTY_BYTES: u64 = 64;

    /// Whether the mirror, and not the log, is the one that was damaged.
    pub fn mirror_is_worse(&self) -> bool {
        self.mirror_damage > self.log_damage
    }

    /// Bytes of the newest snapshot's log, if neither the log nor its mirror is as long: a log only grows.
    pub fn more_was_saved(&self) -> Option<u64> {
        let here = self.log_bytes.max(self.mirror_bytes).unwrap_or(0);
        self.saved_bytes
            .filter(|saved| *saved > here && *saved > Self::EMPTY_BYTES)
    }

    /// Records of the newest snapshot that the log lacks, whatever its length, if its mirror lacks them, too: one that was lost
    /// may have been typed on for longer than what was saved.
    pub fn records_lost(&self) -> Option<u64> {
        self.saved_missing
            .filter(|missing| *missing > 0 && self.differs_at.is_none())
    }

    /// Whether the mirror has something to give.
    pub fn has_mirror(&self) -> bool {
        self.mirror_bytes.is_some_and(|bytes| bytes > Self::EMPTY_BYTES)
    }
}

/// `config.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigSigns {
    /// It is there.
    pub exists: bool,
    /// What is wrong with it; none if it is sound.
    pub problem: Option<String>,
    /// It is not even text: nobody typed that.
    pub is_rubbish: bool,
    /// The newest version that was accepted and not taken back.
    pub last_good: Option<u64>,
}

/// The worker's state and audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateSigns {
    /// The state log is there.
    pub exists: bool,
    /// Why it cannot be read at all.
    pub unreadable: Option<String>,
    /// Stretches of it that are damaged.
    pub damaged: u64,
    /// Faults that the audit log's chain has; none if that could not be told.
    pub audit_faults: Option<u64>,
    /// A worker runs.
    pub worker_runs: bool,
}

/// The plugins, compared with the newest snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginSigns {
    /// Modules that are none: they do not begin as one.
    pub broken: Vec<String>,
    /// Those of them that the snapshot does not have.
    pub unsaved: Vec<String>,
    /// Files that the snapshot has and the folder lacks.
    pub missing: Vec<String>,
}

/// The backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Archive {
    /// There is none.
    #[default]
    None,
    /// It is there, and its key is not.
    NoKey,
    /// It opens.
    Open {
        /// Snapshots in it.
        snapshots: u64,
        /// How old the newest is, in nanoseconds.
        newest_age_ns: Option<u64>,
    },
    /// It does not open, or is not what was written.
    Damaged {
        /// What was found.
        what: String,
        /// What of it can no longer be restored; none if that is not known.
        lost: Option<LostSnapshots>,
    },
    /// It could not be looked at.
    Unknown(String),
}

/// How many snapshots of a damaged repository have lost something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostSnapshots {
    /// Of so many not every file can be restored any more.
    pub snapshots: u64,
    /// So many there are.
    pub of: u64,
}

impl Archive {
    /// Why nothing is known of what is in it, and what to do about that; none if it was looked at.
    pub fn unseen(&self) -> Option<String> {
        match self {
            Archive::NoKey => Some(NEEDS_KEY.into()),
            Archive::Unknown(why) => Some(why.clone()),
            Archive::None | Archive::Open { .. } | Archive::Damaged { .. } => None,
        }
    }
}

/// What is said of a backup without its key.
pub(super) const NEEDS_KEY: &str =
    "the backup needs its key: `lusush maint backup key import` takes the line in";

/// The disk with the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskSigns {
    /// Bytes that this user may still write; none if that is unknown.
    pub free_bytes: Option<u64>,
    /// Bytes that it has in all.
    pub total_bytes: Option<u64>,
    /// Bytes in files that can be made again.
    pub spare_bytes: u64,
}

/// Room below which writing will soon fail: some minutes of everything that Lusush writes …
const LOW_BYTES: u64 = 16 * 1024 * 1024;
/// … or this share of a disk that is small.
const LOW_SHARE: u64 = 10;

impl DiskSigns {
    /// Whether writing will soon fail.
    pub fn is_low(&self) -> bool {
        let low = self
            .total_bytes
            .map_or(LOW_BYTES, |total| LOW_BYTES.min(total / LOW_SHARE));
        self.free_bytes.is_some_and(|free| free < low)
    }
}

/// Crashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crashes {
    /// How far features are switched off, from 0, all on, to 3, no LLE at all.
    pub level: u8,
    /// Workers that died within the last ten minutes.
    pub worker: u32,
}
