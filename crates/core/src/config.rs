//! Configuration: from texts and variables to values that are all valid, each with where it came from.
//!
//! ```text
//! built in ◂ system file ◂ user file ◂ environment ◂ command line      each goes before those to its left,
//!                │              │            │              │           except where the system file locks
//!                └─ RawConfig ──┴─ check ▸ Layered ─ merge ─┴▸ Config, or all problems at once
//! ```
//!
//! Invariant: a [`Config`] comes from nowhere but [`Catalogue::merge`], so every value in it is one that its key admits.
//! What reads files keeps to [`FILE_BYTES_MAX`] and hands the text in.

mod change;
mod document;
pub mod edit;
mod force;
mod found;
mod given;
mod key;
mod keys;
mod layer;
mod migrate;
mod nearest;
mod problem;
pub mod reference;
pub mod schema;
#[cfg(test)]
mod tests;
pub mod theme_file;

use std::fmt;

use serde::Serialize;

pub use change::{Changed, Effect, effect};
pub use given::{command_line, environment};
pub use key::{Deprecated, Key, Kind, NAME_CHARS_MAX, Part, Value};
pub use keys::{KEYS, Name};
pub use layer::{Layered, Origin, PROBLEMS_MAX, RawConfig};
pub use migrate::{Change, Migration};
pub use problem::{Position, Problem, Weight};

/// Bytes of a file of configuration; a longer one is refused before it is read.
pub const FILE_BYTES_MAX: u64 = 1 << 20;
/// The file's name, in the folder of each layer.
pub const FILE_NAME: &str = "config.toml";
/// The machine's file. A constant: a variable could name another file.
pub const SYSTEM_FILE: &str = "/etc/lusush/config.toml";
/// How the variables begin that give a key: `LUSUSH_CONFIG_EDITOR_THEME`.
pub const VARIABLE_PREFIX: &str = "LUSUSH_CONFIG_";
/// The format of the file that is written, and the newest that is read.
pub const FORMAT: u32 = 1;

/// What keys there are, and how older files come to have them.
#[derive(Clone, Copy, Debug)]
pub struct Catalogue {
    /// Every key.
    pub keys: &'static [Key],
    /// The format of the file.
    pub version: u32,
    /// How a file of each older format becomes one of the next; the last one leads to `version`.
    pub migrations: &'static [Migration],
}

/// The keys of this release.
pub const CATALOGUE: Catalogue = Catalogue {
    keys: KEYS,
    version: FORMAT,
    migrations: &[],
};

/// A value in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// Which layer gave it.
    pub origin: Origin,
    /// The file, the variable or the words that gave it; empty for what is built in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Where in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Position>,
    /// Whether the machine keeps it for itself.
    pub locked: bool,
}

/// A configuration: a valid value for every key.
#[derive(Clone, Debug)]
pub struct Config {
    catalogue: Catalogue,
    settings: Vec<Setting>,
}

/// A configuration that may come into force, and what is to be said about it.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The configuration.
    pub config: Config,
    /// What is not as it should be, and harms nothing.
    pub warnings: Vec<Problem>,
}

/// Why layers make no configuration: everything that is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// What is wrong, layer by layer.
    pub problems: Vec<Problem>,
    /// So many more.
    pub more_problems: usize,
}

impl Catalogue {
    /// The names of the keys.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.keys.iter().map(|key| key.name)
    }

    /// The key of that name, and its row.
    pub fn find(&self, name: &str) -> Option<(usize, &'static Key)> {
        self.keys.iter().enumerate().find(|(_, key)| key.name == name)
    }

    /// The known key that was probably meant.
    pub fn nearest(&self, name: &str) -> Option<&'static str> {
        nearest::nearest(name, self.names())
    }

    /// The oldest format that is read.
    pub fn oldest(&self) -> u32 {
        let older = u32::try_from(self.migrations.len()).unwrap_or(u32::MAX);
        self.version.saturating_sub(older)
    }

    /// Whether keys stand below that name.
    fn is_table(&self, name: &str) -> bool {
        self.below(name).next().is_some()
    }

    fn below<'n>(&self, name: &'n str) -> impl Iterator<Item = &'static str> + use<'n> {
        let keys = self.keys;
        keys.iter()
            .map(|key| key.name)
            .filter(move |key| found::is_below(key, name))
    }

    /// The tables that keys stand in, each once.
    fn tables(&self) -> Vec<String> {
        let mut tables: Vec<String> = Vec::new();
        for name in self.names() {
            for (at, _) in name.match_indices('.') {
                if !tables.iter().any(|table| *table == name[..at]) {
                    tables.push(name[..at].to_owned());
                }
            }
        }
        tables
    }

    /// What holds if nobody says anything.
    pub fn built_in(&self) -> Config {
        let setting = |key: &Key| Setting {
            value: key.default.clone(),
            origin: Origin::BuiltIn,
            source: String::new(),
            at: None,
            locked: false,
        };
        Config {
            catalogue: *self,
            settings: self.keys.iter().map(setting).collect(),
        }
    }

    /// Lays the layers over what is built in, whatever their order in the list.
    ///
    /// # Errors
    /// Every problem of every layer, if any of them is one that keeps a layer from coming into force.
    pub fn merge(&self, layers: &[Layered]) -> Result<Merged, Refused> {
        let mut layers: Vec<&Layered> = layers.iter().collect();
        layers.sort_by_key(|layer| layer.origin);
        let mut problems: Vec<Problem> = layers.iter().flat_map(|layer| layer.problems.clone()).collect();
        if !layers.iter().all(|layer| layer.is_sound()) {
            return Err(Refused {
                problems,
                more_problems: layers.iter().map(|layer| layer.more_problems).sum(),
            });
        }
        let mut config = self.built_in();
        for layer in layers {
            for given in &layer.values {
                let setting = &mut config.settings[given.row];
                if setting.locked && layer.origin > Origin::System {
                    problems.push(locked(self.keys[given.row].name, &setting.value, given));
                    continue;
                }
                *setting = Setting {
                    value: given.value.clone(),
                    origin: layer.origin,
                    source: given.source.clone(),
                    at: given.at,
                    locked: setting.locked,
                };
            }
            for (key, setting) in self.keys.iter().zip(&mut config.settings) {
                setting.locked |= layer.locks.iter().any(|lock| lock.covers(key.name));
            }
        }
        Ok(Merged {
            config,
            warnings: problems,
        })
    }
}

fn locked(name: &str, value: &Value, given: &layer::Given) -> Problem {
    Problem {
        weight: Weight::Warning,
        source: given.source.clone(),
        at: given.at,
        message: format!("`{name}` is locked at {value} by the machine's configuration, which holds"),
        expected: String::new(),
        meant: None,
        remedy: "take it away, or ask whoever looks after the machine".to_owned(),
    }
}

impl Config {
    /// The value of a key.
    ///
    /// # Panics
    /// If the configuration is of another catalogue than [`CATALOGUE`].
    pub fn value(&self, name: Name) -> &Value {
        &self.settings[name as usize].value
    }

    /// Whether the key is on; false for one that is no truth value.
    pub fn is_on(&self, name: Name) -> bool {
        *self.value(name) == Value::Bool(true)
    }

    /// The number of the key; 0 for one that is no number.
    pub fn number(&self, name: Name) -> u64 {
        match self.value(name) {
            Value::Integer(number) => u64::try_from(*number).unwrap_or(0),
            _ => 0,
        }
    }

    /// The word of the key; empty for one that is no text.
    pub fn word(&self, name: Name) -> &str {
        match self.value(name) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    /// Every key with its value, in the order of the table.
    pub fn settings(&self) -> impl Iterator<Item = (&'static Key, &Setting)> {
        self.catalogue.keys.iter().zip(&self.settings)
    }

    /// Whether it says the same as another, wherever it has that from.
    pub fn says_the_same(&self, other: &Config) -> bool {
        let values = |config: &Config| {
            config
                .settings
                .iter()
                .map(|setting| setting.value.clone())
                .collect::<Vec<_>>()
        };
        values(self) == values(other)
    }

    /// Writes all values as a file of the newest format, which says the same.
    pub fn print(&self) -> String {
        let mut out = format!("version = {}\n", self.catalogue.version);
        let mut table = "";
        for (key, setting) in self.settings() {
            let (of, name) = key.name.rsplit_once('.').unwrap_or(("", key.name));
            if of != table {
                out.push_str(&format!("\n[{of}]\n"));
                table = of;
            }
            out.push_str(&format!("{name} = {}\n", setting.value));
        }
        out
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            write!(out, "{problem}")?;
        }
        match self.more_problems {
            0 => Ok(()),
            more => write!(out, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Refused {}
