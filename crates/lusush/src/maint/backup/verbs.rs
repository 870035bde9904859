//! The verbs of `lusush maint backup` and their words, read by `lusush maint`, for help and mistakes, and by its job, which
//! does what they say.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Saves the home, and brings it back
#[derive(Debug, Parser)]
#[command(name = "lusush maint backup", disable_help_subcommand = true)]
pub(crate) struct Backup {
    #[command(subcommand)]
    pub(crate) verb: BackupVerb,
}

/// How to answer.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Json {
    /// Writes JSON instead
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is done.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupVerb {
    /// Takes a snapshot of configuration, start-up files, history, state and plugins
    Create {
        /// Why, for the list
        #[arg(long, value_name = "TEXT", default_value = "asked for")]
        why: String,
        /// Into the journal: in milliseconds, and only the last state; it lies beside the home, in no repository
        #[arg(long, conflicts_with = "repository")]
        journal: bool,
        /// The journal begins anew: nothing that files held earlier stays in it
        #[arg(long, requires = "journal")]
        anew: bool,
        #[command(flatten)]
        at: At,
    },
    /// Lists the snapshots, the newest last
    List(At),
    /// Shows what is in a snapshot
    Show {
        /// The snapshot: the beginning of its name, latest, or latest~2
        #[arg(default_value = "latest")]
        snapshot: String,
        /// Names every file
        #[arg(long)]
        files: bool,
        #[command(flatten)]
        at: At,
    },
    /// Shows what differs between two snapshots, or between one and what is there now
    Diff {
        /// The earlier snapshot
        #[arg(default_value = "latest")]
        a: String,
        /// The later one; what is there now without it
        b: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Says whether the backup is what was written; exit status 10 if not
    Verify {
        /// Reads every byte: only this finds one that has changed
        #[arg(long)]
        data: bool,
        /// Reads no pack: finds in milliseconds what is gone or cut, and what has changed in any other file
        #[arg(long, conflicts_with = "data")]
        metadata: bool,
        #[command(flatten)]
        at: At,
    },
    /// Brings files back, proven; what is in their places is kept aside
    Restore {
        /// The snapshot: the beginning of its name, latest, or latest~2; journal is the journal's last state
        #[arg(default_value = "latest")]
        snapshot: String,
        /// Only this section; may be given again
        #[arg(long, value_enum)]
        section: Vec<Part>,
        /// To this new folder instead of their places
        #[arg(long, value_name = "FOLDER")]
        to: Option<PathBuf>,
        #[command(flatten)]
        at: At,
    },
    /// Forgets old snapshots, and gives their room back
    Prune {
        #[command(flatten)]
        keep: Keep,
        /// Only says what would go
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        at: At,
    },
    /// The key, without which nobody reads a backup
    Key {
        #[command(subcommand)]
        verb: KeyVerb,
    },
    /// Says when the next snapshot is taken by itself, or changes it
    Schedule {
        /// When: "0 2 * * SUN" in local time, "every 1d", "manual"
        when: Option<String>,
        #[command(flatten)]
        json: Json,
    },
}

/// Which repository, and how to answer.
#[derive(Clone, Debug, Args)]
pub(crate) struct At {
    /// The repository, if it is not this home's own: a folder, rest:https://… or s3:https://…
    #[arg(long, value_name = "WHERE")]
    pub(crate) repository: Option<OsString>,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// How many snapshots are kept.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Keep {
    /// The newest; 7 unless said otherwise
    #[arg(long, value_name = "N")]
    pub(crate) keep_last: Option<u16>,
    /// The last of each day; 7 unless said otherwise
    #[arg(long, value_name = "N")]
    pub(crate) keep_daily: Option<u16>,
    /// Of each week; 8 unless said otherwise
    #[arg(long, value_name = "N")]
    pub(crate) keep_weekly: Option<u16>,
    /// Of each month; 12 unless said otherwise
    #[arg(long, value_name = "N")]
    pub(crate) keep_monthly: Option<u16>,
    /// Of each year; 10 unless said otherwise
    #[arg(long, value_name = "N")]
    pub(crate) keep_yearly: Option<u16>,
}

/// A section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    Configuration,
    Data,
    State,
    Plugins,
}

/// What is done with the key.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Prints the one line to write down; restic takes it as the password
    Export(Json),
    /// Takes in a line that was written down: on a new machine, before a restore
    Import {
        /// The line; read from standard input without it, where no other user sees it
        line: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Replaces the line; the former one opens nothing any more
    Rotate(At),
}
