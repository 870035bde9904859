//! The one table of keys. Schema, reference, checking and `maint config` are made from it.
//!
//! Invariant: a key's name and meaning never change; one that goes is deprecated first. Rows that share a table stand
//! together.

use std::borrow::Cow;

use super::key::{Key, Kind, Part, Value};

/// Who may go how far.
const MODES: Kind = Kind::Choice(&["observe", "advise", "automatic"]);

macro_rules! keys {
    ($($row:ident, $name:literal, $kind:expr, $default:expr, $part:ident, $new:expr, $since:literal, $about:literal;)*) => {
        /// A key, by what it is called here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Name { $(#[doc = $about] $row,)* }

        /// Every key, in the order of [`Name`].
        pub static KEYS: &[Key] = &[$(Key {
            name: $name,
            kind: $kind,
            default: $default,
            part: Part::$part,
            needs_new_shell: $new,
            since: $since,
            about: $about,
            deprecated: None,
        },)*];
    };
}

const fn whole(min: i64, max: i64) -> Kind {
    Kind::Integer { min, max }
}

const fn word(text: &'static str) -> Value {
    Value::Text(Cow::Borrowed(text))
}

/// A running session takes the value over.
const LIVE: bool = false;
/// A running session keeps the value it began with.
const NEW_SHELL: bool = true;
const YES: Value = Value::Bool(true);
const AUTOMATIC: Value = word("automatic");

keys! {
    EditorHighlight, "editor.highlight", Kind::Bool, YES, Editor, LIVE, "0.1.0", "Colours the command line while it is typed.";
    EditorSuggest, "editor.suggest", Kind::Bool, YES, Editor, LIVE, "0.1.0", "Suggests the rest of the line from history, in grey.";
    EditorMultiline, "editor.multiline", Kind::Bool, YES, Editor, LIVE, "0.1.0", "Goes on in the next row when Enter is pressed on an incomplete command.";
    EditorComplete, "editor.complete", Kind::Bool, YES, Editor, LIVE, "0.1.0", "Completes in a child process and shows a menu.";
    EditorSearch, "editor.search", Kind::Bool, YES, Editor, LIVE, "0.1.0", "Searches the whole history log with Ctrl-R, as you type; otherwise Ctrl-R is readline's own search of bash's list.";
    EditorTheme, "editor.theme", Kind::Name, word("default"), Display, LIVE, "0.1.0", "Names the theme: a built-in one, or NAME.toml in the folder `themes`.";
    PromptCommand, "prompt.command", Kind::Command, word(""), Prompt, LIVE, "0.1.0", "A command line that bash runs before each prompt but the first, behind `PROMPT_COMMAND`; none if it is empty.";
    PromptCached, "prompt.cached", Kind::Texts, Value::List(Vec::new()), Prompt, LIVE, "0.1.0", "Names parts of PS1, by the first words of their commands, that may be shown older until their new value is there.";
    PromptCachedWait, "prompt.cached_wait_ms", whole(0, 1_000), Value::Integer(20), Prompt, LIVE, "0.1.0", "How long a prompt waits for the new value of such a part before it shows the older one, in milliseconds.";
    HistoryShare, "history.share", Kind::Bool, YES, History, LIVE, "0.1.0", "Shares each command with the sessions that run: their Ctrl-R finds it at once, and their list (Up, `history`) has it from their next prompt on.";
    HistoryListMax, "history.list_max", whole(100, 1_000_000), Value::Integer(20_000), History, NEW_SHELL, "0.1.0", "How many commands bash's own list begins with at most; the log has all of them.";
    HistoryRestore, "history.restore", Kind::Choice(&["automatic", "ask"]), AUTOMATIC, History, LIVE, "0.1.0", "Whether history that another program cut is put back at once, or when somebody asks for it.";
    WorkerLinger, "worker.linger_s", whole(0, 86_400), Value::Integer(600), Worker, LIVE, "0.1.0", "How long the worker stays after the last session, in seconds.";
    ModeHealthCheck, "maintenance.mode.health-check", MODES, AUTOMATIC, Tasks, LIVE, "0.1.0", "How far the health check goes by itself.";
    ModePerformance, "maintenance.mode.performance", MODES, AUTOMATIC, Tasks, LIVE, "0.1.0", "How far the optimiser goes by itself.";
    ModeCacheCleanup, "maintenance.mode.cache-cleanup", MODES, AUTOMATIC, Tasks, LIVE, "0.1.0", "How far the cleaning of caches goes by itself.";
    ModeMemoryDefrag, "maintenance.mode.memory-defrag", MODES, AUTOMATIC, Tasks, LIVE, "0.1.0", "How far giving memory back goes by itself.";
    ModeConfigSync, "maintenance.mode.config-sync", MODES, AUTOMATIC, Tasks, LIVE, "0.1.0", "How far bringing configurations into force goes by itself.";
    ModeSecurityScan, "maintenance.mode.security-scan", MODES, AUTOMATIC, Tasks, LIVE, "0.1.0", "How far the security scan goes by itself.";
    ModeBackup, "maintenance.mode.backup", MODES, AUTOMATIC, Tasks, LIVE, "0.1.0", "How far the backup goes by itself.";
    ModeLogRotation, "maintenance.mode.log-rotation", MODES, AUTOMATIC, Tasks, LIVE, "0.1.0", "How far the cleaning of logs goes by itself.";
    ModePluginUpdate, "maintenance.mode.plugin-update", MODES, AUTOMATIC, Tasks, LIVE, "0.1.0", "How far bringing plugins up to date goes by itself.";
    ModeFeatureUpgrade, "maintenance.mode.feature-upgrade", MODES, AUTOMATIC, Tasks, LIVE, "0.1.0", "How far moving features along goes by itself.";
    TrialPromptTolerance, "trial.prompt_tolerance_percent", whole(1, 100), Value::Integer(10), Trials, LIVE, "0.1.0", "How much slower prompts and keys may become by a changed configuration before it is taken back, in percent.";
    TrialActive, "trial.active_minutes", whole(1, 1_440), Value::Integer(10), Trials, LIVE, "0.1.0", "How long a changed configuration is on trial, in minutes in which somebody types.";
    TrialInconclusive, "trial.inconclusive", Kind::Choice(&["keep", "revert"]), word("keep"), Trials, LIVE, "0.1.0", "What becomes of a changed configuration if there is too little evidence by then.";
    ReloadLive, "reload.live", Kind::Bool, YES, Reload, LIVE, "0.1.0", "Brings a changed configuration into force in the sessions that run; otherwise only in new ones.";
    AlertsPrompt, "alerts.prompt", Kind::Bool, YES, Alerts, LIVE, "0.1.0", "Tells alerts above the next prompt.";
    AlertsPromptSeverity, "alerts.prompt_severity", Kind::Choice(&["info", "warning", "minor", "major", "critical", "fatal"]), word("warning"), Alerts, LIVE, "0.1.0", "The least severity that is told above a prompt.";
    AlertsPerHour, "alerts.per_hour", whole(1, 60), Value::Integer(12), Alerts, LIVE, "0.1.0", "How many alerts are told at most, per hour.";
    BackupRepository, "backup.repository", Kind::Repository, word(""), Backup, LIVE, "0.1.0", "Where the backup is, as restic names it: a folder, `rest:https://host/path` or `s3:https://host/bucket/prefix`; if it is empty, the folder `backup/archive` of the data folder.";
    BackupCredentials, "backup.credentials", Kind::File, word(""), Backup, LIVE, "0.1.0", "The file, for nobody else to read, that has the user name and the password, or the keys, of a backup on another machine.";
}

impl Name {
    /// The row of the table.
    pub fn key(self) -> &'static Key {
        &KEYS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::PER_HOUR_MAX;
    use crate::mode::Mode;
    use crate::task::TaskKind;

    #[test]
    fn every_row_is_sound() {
        for (at, key) in KEYS.iter().enumerate() {
            assert!(key.kind.admits(&key.default), "{}", key.name);
            assert!(key.about.ends_with('.'), "{}", key.name);
            assert!(
                KEYS[..at]
                    .iter()
                    .all(|other| other.name != key.name && other.variable() != key.variable()),
                "{}",
                key.name
            );
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
            assert!(
                key.name.contains('.') && key.name.chars().all(plain),
                "{}",
                key.name
            );
            if let Some(deprecated) = key.deprecated {
                let replacement = deprecated
                    .replacement
                    .map(|name| KEYS.iter().find(|key| key.name == name));
                assert!(replacement.is_none_or(|found| found.is_some_and(|found| found.kind == key.kind)));
            }
        }
    }

    #[test]
    fn no_key_is_a_table_of_others() {
        for key in KEYS {
            let below = format!("{}.", key.name);
            assert!(
                KEYS.iter().all(|other| !other.name.starts_with(&below)),
                "{}",
                key.name
            );
        }
    }

    #[test]
    fn every_part_has_a_key_and_every_key_a_part_that_is_listed() {
        for part in Part::ALL {
            assert!(KEYS.iter().any(|key| key.part == *part), "{}", part.name());
            assert!(!part.followed_by().contains(part));
        }
        assert!(KEYS.iter().all(|key| Part::ALL.contains(&key.part)));
    }

    #[test]
    fn every_kind_of_task_has_its_mode_and_every_mode_its_word() {
        for kind in TaskKind::ALL {
            let name = format!("maintenance.mode.{}", kind.name());
            assert!(KEYS.iter().any(|key| key.name == name), "{name}");
        }
        let words: Vec<&str> = Mode::ALL.iter().map(|mode| mode.name()).collect();
        assert_eq!(MODES.words(), words);
    }

    #[test]
    fn defaults_are_what_holds_without_a_configuration() {
        assert_eq!(
            Name::AlertsPerHour.key().default,
            Value::Integer(PER_HOUR_MAX as i64)
        );
        let theme = crate::theme::THEMES[0].name;
        assert_eq!(Name::EditorTheme.key().default, word(theme));
    }
}
