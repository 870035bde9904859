//! One layer of the configuration: a file, the environment or the command line, checked on its own.
//!
//! ```text
//! text ─▸ RawConfig ─▸ migrations ─▸ check against the table of keys ─▸ Layered { values, locks, problems }
//! ```
//!
//! Invariants: a value in [`Layered`] is one that its key admits. All problems are told at once, up to
//! [`PROBLEMS_MAX`] of them, and what more there are is counted.

use super::Catalogue;
use super::document::{Document, Entry, FAULTS_MAX, Item};
use super::found::{Found, is_below, shown};
use super::key::{Key, Kind, Value};
use super::nearest::nearest;
use super::problem::{Lines, Position, Problem, Weight};

use serde::Serialize;

/// Problems of one layer that are told.
pub const PROBLEMS_MAX: usize = FAULTS_MAX;

/// Where a value comes from; later ones go before earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The program.
    BuiltIn,
    /// The machine's file.
    System,
    /// The user's file.
    User,
    /// A variable.
    Environment,
    /// The words of the command.
    CommandLine,
}

impl Origin {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Origin::BuiltIn => "built-in",
            Origin::System => "system",
            Origin::User => "user",
            Origin::Environment => "environment",
            Origin::CommandLine => "command-line",
        }
    }
}

/// A text that claims to be a configuration.
#[derive(Debug)]
pub struct RawConfig<'t> {
    origin: Origin,
    source: String,
    document: Document<'t>,
    lines: Lines<'t>,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    /// The key, by its row.
    pub(super) row: usize,
    pub(super) value: Value,
    pub(super) source: String,
    pub(super) at: Option<Position>,
}

/// Keys that the machine keeps for itself: a name, or all below one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) pattern: String,
    pub(super) at: Option<Position>,
}

/// What one layer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layered {
    pub(super) origin: Origin,
    pub(super) source: String,
    pub(super) values: Vec<Given>,
    pub(super) locks: Vec<Lock>,
    /// What is wrong with it, in the order of the text.
    pub problems: Vec<Problem>,
    /// Problems beyond [`PROBLEMS_MAX`].
    pub more_problems: usize,
}

impl Lock {
    pub(super) fn covers(&self, name: &str) -> bool {
        match self.pattern.strip_suffix(".*") {
            Some(table) => name.strip_prefix(table).is_some_and(|rest| rest.starts_with('.')),
            None => self.pattern == name,
        }
    }
}

impl<'t> RawConfig<'t> {
    /// Takes a text apart; `source` is what it is called in problems, such as its path.
    pub fn parse(origin: Origin, source: &str, text: &'t str) -> RawConfig<'t> {
        RawConfig {
            origin,
            source: source.to_owned(),
            document: Document::parse(text),
            lines: Lines::of(text),
        }
    }

    /// Checks it against the keys that there are.
    pub fn check(&self, catalogue: &Catalogue) -> Layered {
        let mut layered = Layered::new(self.origin, &self.source);
        let broken = self.faults(catalogue, &mut layered);
        // A mistake in a line makes the rest of the line read as what it is not.
        let whole = |entry: &&Entry<'_>| !broken.contains(&self.lines.position(entry.key.start).line);
        let mut found: Vec<Found<'_>> = self
            .document
            .entries
            .iter()
            .filter(whole)
            .map(Found::of)
            .collect();
        if let Some(version) = self.version(&found, catalogue, &mut layered) {
            catalogue.migrate(version, &mut found);
            for at in 0..found.len() {
                self.one(at, &found, catalogue, &mut layered);
            }
            self.headers(&broken, catalogue, &mut layered);
        }
        layered.problems.sort_by_key(|problem| problem.at);
        layered
    }

    /// Tells what is no TOML; gives the lines.
    fn faults(&self, catalogue: &Catalogue, layered: &mut Layered) -> Vec<usize> {
        let mut broken = Vec::new();
        for fault in &self.document.faults {
            let at = self.lines.position(fault.at);
            let remedy = match fault.before {
                Some(before) => format!(
                    "take one of the two away: the other is in line {}",
                    self.lines.position(before).line
                ),
                None => "mend the line; https://toml.io says how values are written".to_owned(),
            };
            // One mistake often has several consequences in its line.
            if broken.last() == Some(&at.line) {
                continue;
            }
            broken.push(at.line);
            // Where a key of ours begins a line that went wrong in its value, what it takes says more.
            let entries = &self.document.entries;
            let last = entries
                .partition_point(|entry| entry.key.start <= fault.at)
                .checked_sub(1);
            let of = last
                .map(|last| &entries[last])
                .filter(|entry| self.lines.position(entry.key.start).line == at.line);
            let of = of.filter(|entry| fault.before.is_none() && fault.at >= entry.key.end);
            let key = of.and_then(|entry| catalogue.find(&entry.name));
            let expected = key.map_or(fault.expected.clone(), |(_, key)| key.kind.to_string());
            layered.tell(|| Problem {
                weight: Weight::Error,
                source: self.source.clone(),
                at: Some(at),
                message: fault.message.clone(),
                expected,
                meant: None,
                remedy,
            });
        }
        layered.more_problems += self.document.more_faults;
        broken
    }

    /// The format's version; none if this program cannot read it.
    fn version(&self, found: &[Found<'_>], catalogue: &Catalogue, layered: &mut Layered) -> Option<u32> {
        let Some(given) = found.iter().find(|one| one.name == "version") else {
            return Some(catalogue.version);
        };
        let newest = catalogue.version;
        let problem = |message: String, remedy: &str| {
            self.problem(
                given.value.start,
                message,
                format!("a whole number from {} to {newest}", catalogue.oldest()),
                remedy,
            )
        };
        match given.item {
            Item::Integer(Some(version)) => match u32::try_from(version) {
                Ok(version) if (catalogue.oldest()..=newest).contains(&version) => Some(version),
                _ if version > i64::from(newest) => {
                    layered.tell(|| {
                        problem(
                            format!("format {version} is a later release's"),
                            "update Lusush, or write the file for this one",
                        )
                    });
                    None
                }
                _ => {
                    layered.tell(|| problem(format!("there is no format {version}"), "write `version = 1`"));
                    Some(newest)
                }
            },
            ref other => {
                layered.tell(|| {
                    problem(
                        format!("`version` is {}", other.describe()),
                        "write `version = 1`",
                    )
                });
                Some(newest)
            }
        }
    }

    fn one(&self, at: usize, all: &[Found<'_>], catalogue: &Catalogue, layered: &mut Layered) {
        let one = &all[at];
        if one.name == "version" {
            return;
        }
        if one.name == "locked" {
            return self.locks(one, catalogue, layered);
        }
        if let Some((row, key)) = catalogue.find(&one.name) {
            return self.known(one, row, key, all, catalogue, layered);
        }
        let table = catalogue.is_table(&one.name);
        // What is in a table follows it and is told on its own.
        let has_content = || {
            all.get(at + 1)
                .is_some_and(|next| is_below(&next.name, &one.name))
        };
        if one.item == Item::Table && (table || has_content()) {
            return;
        }
        layered.tell(|| {
            if table {
                let below = catalogue.below(&one.name).collect::<Vec<_>>().join(", ");
                let message = format!("`{}` is {}", shown(&one.name), one.item.describe());
                return self.problem(
                    one.value.start,
                    message,
                    format!("a table of {below}"),
                    "write its keys one by one",
                );
            }
            let meant = nearest(&one.name, catalogue.names());
            let message = format!("`{}` is no key", shown(&one.name));
            let remedy =
                "`lusush maint config show` lists the keys; take this one away if a later release knew it";
            Problem {
                meant: meant.map(str::to_owned),
                ..self.problem(one.key.start, message, String::new(), remedy)
            }
        });
    }

    fn known(
        &self,
        one: &Found<'_>,
        row: usize,
        key: &Key,
        all: &[Found<'_>],
        catalogue: &Catalogue,
        layered: &mut Layered,
    ) {
        let Some(value) = one.item.value().filter(|value| key.kind.admits(value)) else {
            layered.tell(|| {
                let message = format!("`{}` is {}", key.name, one.item.written_for(key.kind));
                let meant = match &one.item {
                    Item::Text(text) => nearest(text, key.kind.words().iter().copied()),
                    _ => None,
                };
                let meant = meant.map(|word| match key.kind {
                    Kind::Bool => word.to_owned(),
                    _ => format!("\"{word}\""),
                });
                let remedy = format!("mend the value, or take the line away for {}", key.default);
                Problem {
                    meant,
                    ..self.problem(one.value.start, message, key.kind.to_string(), &remedy)
                }
            });
            return;
        };
        if let Some((what, remedy)) = key.kind.doubt(&value) {
            layered.tell(|| Problem {
                weight: Weight::Warning,
                ..self.problem(
                    one.value.start,
                    format!("`{}`: {what}", key.name),
                    String::new(),
                    remedy,
                )
            });
        }
        let row = match key.deprecated {
            None => row,
            Some(_) => match self.going(one, row, key, all, catalogue, layered) {
                Some(row) => row,
                None => return,
            },
        };
        layered.values.push(Given {
            row,
            value,
            source: self.source.clone(),
            at: Some(self.lines.position(one.key.start)),
        });
    }

    /// Warns of a key on its way out, and gives the row that its value belongs to: its successor's, unless somebody wrote
    /// both and so means the new one. One that is gone without a successor says nothing any more.
    fn going(
        &self,
        one: &Found<'_>,
        row: usize,
        key: &Key,
        all: &[Found<'_>],
        catalogue: &Catalogue,
        layered: &mut Layered,
    ) -> Option<usize> {
        let deprecated = key.deprecated?;
        layered.tell(|| {
            let (message, remedy) = deprecated.said(key.name, catalogue.today);
            Problem {
                weight: Weight::Warning,
                ..self.problem(one.key.start, message, String::new(), &remedy)
            }
        });
        let both = deprecated
            .replacement
            .is_some_and(|by| all.iter().any(|other| other.name == by));
        catalogue.heir(row).filter(|_| !both)
    }

    fn locks(&self, one: &Found<'_>, catalogue: &Catalogue, layered: &mut Layered) {
        if self.origin != Origin::System {
            let remedy = "take the line away; whoever looks after the machine may lock keys";
            layered.tell(|| {
                self.problem(
                    one.key.start,
                    "only the machine's file locks keys".to_owned(),
                    String::new(),
                    remedy,
                )
            });
            return;
        }
        let Item::List(items) = &one.item else {
            let message = format!("`locked` is {}", one.item.describe());
            layered.tell(|| {
                self.problem(
                    one.value.start,
                    message,
                    "a list of keys".to_owned(),
                    "write it as [\"editor.theme\"]",
                )
            });
            return;
        };
        for (item, range) in items {
            let pattern = match item {
                Item::Text(pattern) => pattern.clone().into_owned(),
                _ => String::new(),
            };
            let lock = Lock {
                pattern,
                at: Some(self.lines.position(range.start)),
            };
            if catalogue.names().any(|name| lock.covers(name)) {
                layered.locks.push(lock);
                continue;
            }
            layered.tell(|| {
                let meant = nearest(&lock.pattern, catalogue.names());
                let message = format!("{} locks no key", item.written());
                let expected = "a key, or a table as \"alerts.*\"".to_owned();
                Problem {
                    meant: meant.map(str::to_owned),
                    ..self.problem(
                        range.start,
                        message,
                        expected,
                        "name a key of `lusush maint config show`",
                    )
                }
            });
        }
    }

    fn headers(&self, broken: &[usize], catalogue: &Catalogue, layered: &mut Layered) {
        let (sections, entries) = (&self.document.sections, &self.document.entries);
        for (at, section) in sections.iter().enumerate().skip(1) {
            let first = entries.partition_point(|entry| entry.section < at);
            let has_keys = entries.get(first).is_some_and(|entry| entry.section == at);
            let has_tables = sections
                .get(at + 1)
                .is_some_and(|next| is_below(&next.name, &section.name));
            let told = broken.contains(&self.lines.position(section.header.start).line);
            let header = &self.document.text[section.header.clone()];
            let known = catalogue.is_table(&section.name);
            if section.list && !told {
                let expected = if known {
                    format!("[{}]", section.name)
                } else {
                    String::new()
                };
                let message = format!("{} begins one of a list of tables; there are none", shown(header));
                layered.tell(|| {
                    self.problem(
                        section.header.start,
                        message,
                        expected,
                        "write it once, in single brackets",
                    )
                });
                continue;
            }
            // What is in it is told on its own.
            if told || known || has_keys || has_tables {
                continue;
            }
            layered.tell(|| {
                if let Some((_, key)) = catalogue.find(&section.name) {
                    let message = format!("`{}` is a key and no table", key.name);
                    let remedy = "write it in its table, as a line of its own";
                    return self.problem(section.header.start, message, key.kind.to_string(), remedy);
                }
                let message = format!("{} begins nothing that is known", shown(header));
                let meant = nearest(&section.name, catalogue.tables().iter().map(String::as_str))
                    .map(|table| format!("[{table}]"));
                Problem {
                    meant,
                    ..self.problem(section.header.start, message, String::new(), "take it away")
                }
            });
        }
    }

    fn problem(&self, at: usize, message: String, expected: String, remedy: &str) -> Problem {
        Problem {
            weight: Weight::Error,
            source: self.source.clone(),
            at: Some(self.lines.position(at)),
            message,
            expected,
            meant: None,
            remedy: remedy.to_owned(),
        }
    }
}

impl Layered {
    /// A layer that says nothing yet.
    pub(super) fn new(origin: Origin, source: &str) -> Layered {
        Layered {
            origin,
            source: source.to_owned(),
            values: Vec::new(),
            locks: Vec::new(),
            problems: Vec::new(),
            more_problems: 0,
        }
    }

    /// A layer that could not be read, for the reason in `problem`.
    pub fn unreadable(origin: Origin, source: &str, problem: Problem) -> Layered {
        let mut layered = Layered::new(origin, source);
        layered.problems.push(problem);
        layered
    }

    /// What it says about a key of the catalogue that it was checked against.
    pub fn value(&self, catalogue: &Catalogue, name: &str) -> Option<&Value> {
        let (row, _) = catalogue.find(name)?;
        let given = self.values.iter().find(|given| given.row == row);
        given.map(|given| &given.value)
    }

    /// Whether it can come into force.
    pub fn is_sound(&self) -> bool {
        self.more_problems == 0 && self.problems.iter().all(|problem| problem.weight < Weight::Error)
    }

    pub(super) fn tell(&mut self, problem: impl FnOnce() -> Problem) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem());
        } else {
            self.more_problems += 1;
        }
    }
}
