//! The configuration that this session goes by: what the worker published, under what its own variables and its user say.
//!
//! ```text
//!  in-force (at the start) ─┐
//!  desired (in idle time) ──┴▸ one version, whole ▸ variables ▸ `lle set`, `lle theme` ▸ settings ▸ painted anew
//!                                       └ a locked key ends here
//! ```
//!
//! Invariants: all keys are of one version, always; a version is taken between two keys or at a prompt, never while a
//! command of readline's is under way; readline's text, cursor and undo list are not touched.

use crate::inbox;
use crate::lle::{Lle, Settings};
use crate::parts::WAIT_MS_MAX;
use crate::prompt_command;
use crate::symbols::Bash;
use crate::theme::{self, Look, THEMES};
use lle_core::in_force::{self, InForce};
use lle_core::texts;
use lle_metrics::Gauge;
use std::borrow::Cow;
use std::ffi::CStr;

/// A key that switches something on or off.
struct Switch {
    key: &'static str,
    /// What `lle set` calls it.
    word: &'static str,
    variable: &'static CStr,
    slot: fn(&mut Settings) -> &mut bool,
}

const SWITCHES: [Switch; 6] = [
    Switch {
        key: "editor.highlight",
        word: "highlight",
        variable: c"LUSUSH_CONFIG_EDITOR_HIGHLIGHT",
        slot: |settings| &mut settings.highlight,
    },
    Switch {
        key: "editor.suggest",
        word: "suggest",
        variable: c"LUSUSH_CONFIG_EDITOR_SUGGEST",
        slot: |settings| &mut settings.suggest,
    },
    Switch {
        key: "editor.multiline",
        word: "multiline",
        variable: c"LUSUSH_CONFIG_EDITOR_MULTILINE",
        slot: |settings| &mut settings.multiline,
    },
    Switch {
        key: "editor.complete",
        word: "complete",
        variable: c"LUSUSH_CONFIG_EDITOR_COMPLETE",
        slot: |settings| &mut settings.complete,
    },
    Switch {
        key: "editor.search",
        word: "search",
        variable: c"LUSUSH_CONFIG_EDITOR_SEARCH",
        slot: |settings| &mut settings.search,
    },
    Switch {
        key: "history.share",
        word: "share",
        variable: c"LUSUSH_CONFIG_HISTORY_SHARE",
        slot: |settings| &mut settings.share,
    },
];

const PROMPT_COMMAND: &str = "prompt.command";
const PROMPT_COMMAND_VARIABLE: &CStr = c"LUSUSH_CONFIG_PROMPT_COMMAND";
const THEME: &str = "editor.theme";
const THEME_VARIABLE: &CStr = c"LUSUSH_CONFIG_EDITOR_THEME";
const LIST_MAX: &str = "history.list_max";
const LIST_MAX_VARIABLE: &CStr = c"LUSUSH_CONFIG_HISTORY_LIST_MAX";
const CACHED: &str = "prompt.cached";
const CACHED_VARIABLE: &CStr = c"LUSUSH_CONFIG_PROMPT_CACHED";
const CACHED_WAIT: &str = "prompt.cached_wait_ms";
const CACHED_WAIT_VARIABLE: &CStr = c"LUSUSH_CONFIG_PROMPT_CACHED_WAIT_MS";
/// Entries of bash's own list if nobody says: one of a million costs bash 136 MB and 0.4 s.
pub(crate) const LIST_MAX_DEFAULT: u64 = 20_000;
/// What the key takes.
const LIST_MAX_RANGE: std::ops::RangeInclusive<u64> = 100..=1_000_000;

/// What is in force here, and what the user of this session chose besides.
#[derive(Default)]
pub(crate) struct Configured {
    in_force: InForce,
    /// By row of [`SWITCHES`].
    chosen: [Option<bool>; SWITCHES.len()],
    /// The version it began with: the worker may not have seen that one yet, and what it published before is older.
    /// 0 from the second prompt on.
    floor: u64,
    /// The bytes of a user's theme were made a look of.
    look: Option<Look>,
    /// Only what the machine has locked holds, and no variable: this is a safe start.
    safe: bool,
    /// The command that is not run before prompts: a session ended in it, or never came out of it.
    left_out: Option<String>,
}

impl Configured {
    /// Takes a version over, whole; false if that is what it goes by already, or is older than what it began with.
    pub(crate) fn take(&mut self, published: &InForce) -> bool {
        if self.safe {
            return self.take_whole(&locked(published));
        }
        self.take_whole(published)
    }

    fn take_whole(&mut self, published: &InForce) -> bool {
        if published.version < self.floor || *published == self.in_force {
            return false;
        }
        self.floor = 0;
        self.in_force.clone_from(published);
        self.look = published.look.as_ref().map(Look::of);
        true
    }

    /// A prompt was shown since the start: the worker has seen by now what there is.
    pub(crate) fn is_settled(&mut self) {
        self.floor = 0;
    }

    pub(crate) fn version(&self) -> u64 {
        self.in_force.version
    }

    /// The version as others are told it. A safe session goes by none, whatever is in force: that is a number that no
    /// version has, and says nothing.
    pub(crate) fn told_version(&self) -> u64 {
        if self.safe { u64::MAX } else { self.version() }
    }

    /// Whether the machine keeps the key for itself, by the word of `lle set`.
    pub(crate) fn is_locked(&self, word: &str) -> bool {
        let key = match SWITCHES.iter().find(|switch| switch.word == word) {
            Some(switch) => switch.key,
            None if word == "theme" => THEME,
            None if word == "cached" => CACHED,
            None => return false,
        };
        self.in_force.value(key).is_some_and(|(_, locked)| locked)
    }

    /// The user chose in this session; what is published does not change that.
    pub(crate) fn choose(&mut self, word: &str, on: bool) {
        if let Some(row) = SWITCHES.iter().position(|switch| switch.word == word) {
            self.chosen[row] = Some(on);
        }
    }

    /// What a key is, by the published value and that of its variable, as far as `read` understands them.
    fn value<T>(&self, key: &str, own: Option<&[u8]>, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let published = self.in_force.value(key);
        let by_file = || published.and_then(|(value, _)| read(value));
        if published.is_some_and(|(_, locked)| locked) {
            return by_file();
        }
        let own = own.filter(|_| !self.safe);
        let own = own.and_then(|text| std::str::from_utf8(text).ok());
        own.and_then(&read).or_else(by_file)
    }

    /// Entries that bash's own list begins with at most.
    pub(crate) fn list_max(&self, bash: &Bash) -> u64 {
        let read = |text: &str| text.parse().ok().filter(|n| LIST_MAX_RANGE.contains(n));
        self.value(LIST_MAX, bash.variable(LIST_MAX_VARIABLE), read)
            .unwrap_or(LIST_MAX_DEFAULT)
    }

    /// The theme of the user's that is in force, if one is.
    pub(crate) fn own_look(&self) -> Option<&Look> {
        self.look.as_ref()
    }

    /// Finds a theme by name.
    pub(crate) fn named(&self, name: &str) -> Option<Look> {
        let own = self.look.as_ref().filter(|look| look.name == name);
        own.cloned().or_else(|| theme::find(name).map(Look::from))
    }

    /// The theme, by what `NO_COLOR`, the key's variable and `LUSUSH_THEME` say, in this order, and what is published.
    fn theme(&self, no_color: bool, key: Option<&[u8]>, older: Option<&[u8]>) -> Look {
        if no_color {
            // A lock says which colours, not that there have to be some.
            return self.named(theme::MONO).unwrap_or_else(|| Look::from(&THEMES[0]));
        }
        let by_name = |name: &str| self.named(name);
        let published = self.value(THEME, None, by_name);
        let own = |text: Option<&[u8]>| {
            let text = text.filter(|_| !self.is_locked("theme") && !self.safe)?;
            by_name(std::str::from_utf8(text).ok()?)
        };
        own(key)
            .or_else(|| own(older))
            .or(published)
            .unwrap_or_else(|| Look::from(&THEMES[0]))
    }
}

/// What of it holds in a safe session.
fn locked(published: &InForce) -> InForce {
    let is_locked = |name: &str| published.value(name).is_some_and(|(_, locked)| locked);
    let mut locked = published.only(is_locked);
    locked.look = locked.look.filter(|_| is_locked(THEME));
    locked
}

impl Lle {
    /// Before the first prompt: the last good configuration, as the worker or the launcher left it.
    pub(crate) fn begin_configured(&mut self) {
        let file = self
            .session
            .places
            .maint()
            .map(|folder| folder.join(in_force::FILE_NAME));
        let found = file
            .ok()
            .and_then(|file| inbox::read_own(&file, in_force::BYTES_MAX))
            .and_then(|bytes| InForce::decode(&bytes));
        if let Some(found) = found {
            // What concerns sessions, as it will be published: the same is not taken for something else then.
            let found = found.only(is_for_sessions);
            self.configured.take(&found);
            self.configured.floor = found.version;
        }
        let version = self.configured.told_version().cast_signed();
        self.session.record(|w| w.set(Gauge::ConfigBeganVersion, version));
        self.configure();
        self.session
            .settings(&self.settings, self.configured.told_version());
    }

    /// A safe start: of the configuration only what the machine has locked holds.
    pub(crate) fn configure_safely(&mut self) {
        self.configured = Configured {
            safe: true,
            ..Configured::default()
        };
        self.begin_configured();
    }

    /// Leaves the command out that is configured to run before prompts, until another one is.
    pub(crate) fn leave_prompt_command_out(&mut self) {
        let command = self.configured.in_force.value(PROMPT_COMMAND);
        self.configured.left_out = command.map(|(command, _)| command.to_owned());
        self.configure();
    }

    /// Takes over what is published; true if what is shown changes with it.
    pub(crate) fn take_configuration(&mut self) -> bool {
        let Some(published) = self.idle.inbox.configuration() else {
            return false;
        };
        let taken = self.configured.take(published);
        let changed = taken && self.configure();
        // Also where nothing changes: whoever looks is to see that it was taken.
        self.session
            .settings(&self.settings, self.configured.told_version());
        changed
    }

    /// Puts in force what variables, choices and the published version come to now; true if what is shown changes.
    pub(crate) fn configure(&mut self) -> bool {
        let bash = self.bash;
        let before = self.settings;
        for (row, switch) in SWITCHES.iter().enumerate() {
            let locked = self.configured.is_locked(switch.word);
            let chosen = self.configured.chosen[row].filter(|_| !locked);
            let read = |text: &str| text.parse().ok();
            let own = bash.variable(switch.variable);
            let on = chosen.or_else(|| self.configured.value(switch.key, own, read));
            *(switch.slot)(&mut self.settings) = on.unwrap_or(true);
        }
        let read = |line: &str| Some(line.to_owned());
        let own = bash.variable(PROMPT_COMMAND_VARIABLE);
        let command = self
            .configured
            .value(PROMPT_COMMAND, own, read)
            .unwrap_or_default();
        let published = self.configured.in_force.value(PROMPT_COMMAND);
        let version = match published {
            Some((said, _)) if said == command => self.configured.version(),
            _ => 0,
        };
        let command = match &self.configured.left_out {
            Some(left_out) if version > 0 && *left_out == command => String::new(),
            _ => command,
        };
        prompt_command::set(command, version);
        self.configure_parts();
        let switched = before != self.settings;
        if switched {
            self.session
                .settings(&self.settings, self.configured.told_version());
        }
        let restyled = (!self.theme_chosen || self.configured.is_locked("theme")) && {
            let no_color = bash.variable(c"NO_COLOR").is_some_and(|value| !value.is_empty());
            let (key, older) = (bash.variable(THEME_VARIABLE), bash.variable(c"LUSUSH_THEME"));
            let look = self.configured.theme(no_color, key, older);
            self.painter.restyle(look)
        };
        switched || restyled
    }

    /// What of the prompt may be put off; seen at the next one.
    pub(crate) fn configure_parts(&mut self) {
        let bash = self.bash;
        let said = self
            .configured
            .value(CACHED, bash.variable(CACHED_VARIABLE), texts::read);
        let read = |text: &str| text.parse().ok().filter(|ms| *ms <= WAIT_MS_MAX);
        let wait_ms = self
            .configured
            .value(CACHED_WAIT, bash.variable(CACHED_WAIT_VARIABLE), read);
        let locked = self.configured.is_locked("cached");
        self.parts.go_by(said, locked, wait_ms);
    }

    /// Switches the look, as the user chose.
    pub(crate) fn set_theme(&mut self, look: Look) {
        self.theme_chosen = true;
        self.painter.restyle(look);
    }
}

/// Whether sessions go by a key.
fn is_for_sessions(name: &str) -> bool {
    [THEME, LIST_MAX, PROMPT_COMMAND, CACHED, CACHED_WAIT].contains(&name)
        || SWITCHES.iter().any(|switch| switch.key == name)
}

/// The names of the themes that can be chosen, the user's own first.
pub(crate) fn theme_names(configured: &Configured) -> impl Iterator<Item = Cow<'static, str>> {
    let own = configured.own_look().map(|look| look.name.clone());
    own.into_iter()
        .chain(THEMES.iter().map(|theme| theme.name.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lle_core::in_force::KeyValue;

    fn version(version: u64, theme: &str) -> InForce {
        InForce {
            version,
            keys: vec![KeyValue {
                name: THEME.into(),
                value: theme.into(),
                locked: version > 8,
            }],
            ..InForce::default()
        }
    }

    #[test]
    fn a_version_is_taken_once_and_never_an_older_one_at_the_start() {
        let mut configured = Configured::default();
        assert!(configured.take(&version(7, "light")));
        assert!(!configured.take(&version(7, "light")));
        configured.floor = 7;
        assert!(!configured.take(&version(6, "deep")), "it began with a newer one");
        assert!(configured.take(&version(8, "deep")));
        assert!(!configured.is_locked("theme"));
        configured.floor = 8;
        configured.is_settled();
        assert!(configured.take(&version(3, "night")), "the numbers began anew");
        assert!(configured.take(&version(9, "night")) && configured.is_locked("theme"));
    }

    #[test]
    fn a_variable_goes_before_what_is_published_unless_the_key_is_locked() {
        fn check(locked: bool, own: Option<&str>, expect: Option<bool>) {
            let mut configured = Configured::default();
            let key = SWITCHES[1].key;
            configured.in_force.keys.push(KeyValue {
                name: key.into(),
                value: "false".into(),
                locked,
            });
            let read = |text: &str| text.parse().ok();
            let found = configured.value(key, own.map(str::as_bytes), read);
            assert_eq!(found, expect, "{locked} {own:?}");
            assert_eq!(configured.value("editor.other", None, read), None);
            assert_eq!(configured.is_locked("suggest"), locked);
        }
        check(false, None, Some(false));
        check(false, Some("true"), Some(true));
        check(false, Some("perhaps"), Some(false));
        check(true, Some("true"), Some(false));
    }

    #[test]
    fn whose_theme_it_is() {
        fn check(number: u64, no_color: bool, key: Option<&str>, older: Option<&str>, expect: &str) {
            let mut configured = Configured::default();
            configured.take(&version(number, "night"));
            let found = configured.theme(no_color, key.map(str::as_bytes), older.map(str::as_bytes));
            assert_eq!(found.name, expect, "{number} {no_color} {key:?} {older:?}");
        }
        check(1, false, None, None, "night");
        check(1, false, None, Some("bold"), "bold");
        check(1, false, Some("deep"), Some("bold"), "deep");
        check(1, false, Some("no such"), Some("nor this"), "night");
        check(1, true, Some("deep"), None, theme::MONO);
        // Locked, from the ninth on.
        check(9, false, Some("deep"), Some("bold"), "night");
        check(9, true, None, None, theme::MONO);
    }

    #[test]
    fn a_theme_of_the_users_is_known_by_its_name() {
        let mut configured = Configured::default();
        let mut with = version(2, "mine");
        let mut sgr: [String; lle_core::theme::ROLE_COUNT] = Default::default();
        sgr[1] = "38;5;9".into();
        with.look = Some(in_force::Look {
            name: "mine".into(),
            sgr,
        });
        assert!(configured.take(&with));
        let look = configured.named("mine").expect("it is in force");
        assert_eq!(look.sgr(theme::Role::Command), "38;5;9");
        assert_eq!(theme_names(&configured).next().as_deref(), Some("mine"));
        assert!(configured.named("other").is_none() && configured.named("deep").is_some());
    }
}
