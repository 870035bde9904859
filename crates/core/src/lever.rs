//! Levers: what the optimiser may turn in a session, each in one row of one table.
//!
//! A row says which values a lever takes, what sessions use out of the box, and whose cost it can move: that cost is
//! what a trial of the lever compares. The defaults are what a session did before there were levers.
//!
//! Invariants: a value is a number that its row admits, whoever sent it: what is not is no value, and whoever reads
//! it counts that and goes on. Parsing is strict, so that one value has one spelling.

/// Fingerprints that a cache keeps of what it let go; a hit among them says what so many more entries would win.
pub const GHOSTS: usize = 64;

/// The values of [`Lever::SuggestionSource`] and [`Lever::HistorySearch`] that are not the default.
pub const SUGGEST_FROM_MEMORY: u64 = 1;
/// See there.
pub const HISTORY_SCAN: u64 = 1;

/// What a lever's trial compares, per line: the cost of one paint, or of one completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// From a key to its last byte on the terminal.
    KeyToPaint,
    /// Colouring, looking for names included.
    Highlight,
    /// Looking for a suggestion.
    Suggestion,
    /// From Tab to the candidates.
    Completion,
}

impl Cost {
    /// Every cost.
    pub const ALL: &[Cost] = &[
        Cost::KeyToPaint,
        Cost::Highlight,
        Cost::Suggestion,
        Cost::Completion,
    ];

    /// The stable name: that of the timer in the flight file.
    pub const fn name(self) -> &'static str {
        match self {
            Cost::KeyToPaint => "key_to_paint",
            Cost::Highlight => "highlight",
            Cost::Suggestion => "suggestion",
            Cost::Completion => "completion",
        }
    }
}

/// What values a lever takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// A whole number.
    Number {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// One of these words; its value is its place among them.
    Words(&'static [&'static str]),
}

/// One lever.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// The lever.
    pub lever: Lever,
    /// The stable name; its unit stands at its end.
    pub name: &'static str,
    /// What values it takes.
    pub values: Values,
    /// What a session uses as long as nobody says otherwise.
    pub default: u64,
    /// The component it belongs to, by its name.
    pub component: &'static str,
    /// What it can move.
    pub cost: Cost,
    /// One sentence on what it does.
    pub about: &'static str,
}

macro_rules! levers {
    ($($lever:ident, $name:literal, $values:expr, $default:expr, $component:literal, $cost:ident, $about:literal;)*) => {
        /// What can be turned.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Lever { $(#[doc = $about] $lever,)* }

        /// Every lever, in the order of [`Lever`].
        pub const LEVERS: &[Row] = &[$(Row {
            lever: Lever::$lever,
            name: $name,
            values: $values,
            default: $default,
            component: $component,
            cost: Cost::$cost,
            about: $about,
        },)*];

        const COUNT: usize = [$(Lever::$lever),*].len();
    };
}

const fn from_to(least: u64, most: u64) -> Values {
    Values::Number { least, most }
}

levers! {
    NamesKeep, "names.keep", Values::Words(&["prompt", "path"]), 0, "syntax", Highlight,
        "How long a name looked for on PATH stays known: to the next prompt, or until a directory of PATH changes.";
    NamesCacheEntries, "names.cache_entries", from_to(0, 4_096), 512, "syntax", Highlight,
        "How many names looked for on PATH are kept.";
    HighlightFullBelowBytes, "highlight.full_below_bytes", from_to(16, 1 << 30), 1 << 30, "syntax", KeyToPaint,
        "Lines of so many bytes and more are coloured behind the echo instead of before it.";
    SuggestionScanBytes, "suggestion.scan_bytes", from_to(64 << 10, 64 << 20), 8 << 20, "autosuggestion", Suggestion,
        "How much of the history log one key may look through for a suggestion; tried only when somebody asks for it.";
    SuggestionCacheEntries, "suggestion.cache_entries", from_to(0, 1_024), 0, "autosuggestion", Suggestion,
        "How many searches for a suggestion are kept until the history changes.";
    SuggestionSource, "suggestion.source", Values::Words(&["log", "memory"]), 0, "autosuggestion", Suggestion,
        "Where a suggestion is looked for first: in the history log, or among the newest commands, kept in memory.";
    HistorySearch, "history.search", Values::Words(&["index", "scan"]), 0, "autosuggestion", Suggestion,
        "How the history log is searched as one types: by its index, or by walking all of it.";
    CompletionCacheEntries, "completion.cache_entries", from_to(0, 128), 0, "completion", Completion,
        "How many completions are kept, for seconds at most and no longer than the line.";
    CompletionDeadlineMs, "completion.deadline_ms", from_to(100, 30_000), 5_000, "completion", Completion,
        "How long a completion may take before it is given up; tried only when somebody asks for it.";
}

impl Lever {
    /// Its row.
    pub const fn row(self) -> &'static Row {
        &LEVERS[self as usize]
    }

    /// Whether it decides how much is done before it is given up.
    ///
    /// Who does less is faster by construction, and nothing measures yet what the user misses by it. So the optimiser
    /// leaves such a lever alone, and in a trial that somebody asks for, what was given up is no gain.
    pub const fn bounds_work(self) -> bool {
        matches!(self, Lever::SuggestionScanBytes | Lever::CompletionDeadlineMs)
    }

    /// Whether with this value less may be done before it is given up than with others: then what was given up is no gain.
    ///
    /// A walk through all of the log gives up where the index has long gone on.
    pub const fn leaves_work(self, value: u64) -> bool {
        self.bounds_work() || matches!(self, Lever::HistorySearch) && value == HISTORY_SCAN
    }

    /// Finds a lever by its name.
    pub fn named(name: &str) -> Option<Lever> {
        LEVERS.iter().find(|row| row.name == name).map(|row| row.lever)
    }
}

impl Row {
    /// Reads a value; none if it is not one of this lever's, spelled as [`Row::show`] spells it.
    pub fn parse(&self, text: &str) -> Option<u64> {
        let value = match self.values {
            Values::Number { .. } => text.parse().ok()?,
            Values::Words(words) => words.iter().position(|word| *word == text)? as u64,
        };
        (self.admits(value) && self.show(value) == text).then_some(value)
    }

    /// Writes a value.
    pub fn show(&self, value: u64) -> String {
        match self.values {
            Values::Number { .. } => value.to_string(),
            Values::Words(words) => words
                .get(usize::try_from(value).unwrap_or(usize::MAX))
                .copied()
                .unwrap_or_default()
                .to_owned(),
        }
    }

    /// Whether it takes the value.
    pub const fn admits(&self, value: u64) -> bool {
        match self.values {
            Values::Number { least, most } => least <= value && value <= most,
            Values::Words(words) => value < words.len() as u64,
        }
    }

    /// The values it takes, for people.
    pub fn range(&self) -> String {
        match self.values {
            Values::Number { least, most } => format!("{least} to {most}"),
            Values::Words(words) => words.join(" or "),
        }
    }
}

/// A value for every lever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levers([u64; COUNT]);

impl Default for Levers {
    fn default() -> Self {
        let mut levers = Self([0; COUNT]);
        for (value, row) in levers.0.iter_mut().zip(LEVERS) {
            *value = row.default;
        }
        levers
    }
}

impl Levers {
    /// The value of a lever.
    pub fn value(&self, lever: Lever) -> u64 {
        self.0.get(lever as usize).copied().unwrap_or(lever.row().default)
    }

    /// The value of a lever that is a size of something in memory.
    pub fn size(&self, lever: Lever) -> usize {
        usize::try_from(self.value(lever)).unwrap_or(usize::MAX)
    }

    /// Turns a lever, if the value is one of its own.
    pub fn turn(&mut self, lever: Lever, value: u64) {
        if let Some(slot) = self.0.get_mut(lever as usize)
            && lever.row().admits(value)
        {
            *slot = value;
        }
    }

    /// Takes a setting over; false if there is no such lever or value, and then nothing is.
    pub fn set(&mut self, name: &str, value: &str) -> bool {
        let found = Lever::named(name).and_then(|lever| Some((lever, lever.row().parse(value)?)));
        if let Some((lever, value)) = found {
            self.turn(lever, value);
        }
        found.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write;

    #[test]
    fn the_table() {
        let mut shown = String::new();
        for (at, row) in LEVERS.iter().enumerate() {
            assert_eq!(row.lever as usize, at);
            assert!(row.admits(row.default), "{}", row.name);
            assert!(row.about.ends_with('.'), "{}", row.name);
            assert_eq!(Lever::named(row.name), Some(row.lever));
            let default = row.show(row.default);
            writeln!(
                shown,
                "{:27} {default:>10} of {:20} {:14} {}",
                row.name,
                row.range(),
                row.component,
                row.cost.name()
            )
            .unwrap();
        }
        insta::assert_snapshot!(shown, @r"
        names.keep                      prompt of prompt or path       syntax         highlight
        names.cache_entries                512 of 0 to 4096            syntax         highlight
        highlight.full_below_bytes  1073741824 of 16 to 1073741824     syntax         key_to_paint
        suggestion.scan_bytes          8388608 of 65536 to 67108864    autosuggestion suggestion
        suggestion.cache_entries             0 of 0 to 1024            autosuggestion suggestion
        suggestion.source                  log of log or memory        autosuggestion suggestion
        history.search                   index of index or scan        autosuggestion suggestion
        completion.cache_entries             0 of 0 to 128             completion     completion
        completion.deadline_ms            5000 of 100 to 30000         completion     completion
        ");
    }

    #[test]
    fn what_is_no_value_turns_nothing() {
        fn check(name: &str, value: &str, expect: Option<u64>) {
            let mut levers = Levers::default();
            assert_eq!(levers.set(name, value), expect.is_some(), "{name} {value:?}");
            let lever = Lever::named(name);
            let expect = expect.or(lever.map(|lever| lever.row().default));
            assert_eq!(lever.map(|lever| levers.value(lever)), expect, "{name} {value:?}");
        }
        check("names.keep", "path", Some(1));
        check("names.keep", "prompt", Some(0));
        check("names.keep", "Path", None);
        check("names.keep", "1", None);
        check("names.cache_entries", "0", Some(0));
        check("names.cache_entries", "007", None);
        check("names.cache_entries", "+7", None);
        check("names.cache_entries", " 7", None);
        check("names.cache_entries", "4097", None);
        check("names.cache_entries", "99999999999999999999999", None);
        check("suggestion.scan_bytes", "1", None);
        check("suggestion.source", "memory", Some(SUGGEST_FROM_MEMORY));
        check("history.search", "scan", Some(HISTORY_SCAN));
        check("no.such", "1", None);
        check("", "", None);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(at in 0..LEVERS.len(), value in any::<u64>()) {
            let row = &LEVERS[at];
            let value = match row.values {
                Values::Number { least, most } => least + value % (most - least + 1),
                Values::Words(words) => value % words.len() as u64,
            };
            prop_assert_eq!(row.parse(&row.show(value)), Some(value));
        }
    }
}
