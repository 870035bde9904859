//! The parts of one round, until they are recorded: bounded, without allocation.
//!
//! Invariant: what finds no row is counted under one name, and it is never the slowest: where all rows are taken, the
//! quickest gives way to what alone took longer. So the sum stays what was measured, and a slow command has its name
//! however many quick ones ran before it.

use super::GRAIN_NS;
use crate::prompt_text::Private;
use lle_metrics::parts::PARTS_MAX;
use lle_metrics::{NewPart, PartKind};

/// Bytes of a name.
pub(crate) const NAME_MAX: usize = 48;

/// A name as it is kept: no byte of it is a control.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    bytes: [u8; NAME_MAX],
    length: u8,
}

impl Default for Name {
    fn default() -> Self {
        Self {
            bytes: [0; NAME_MAX],
            length: 0,
        }
    }
}

impl Name {
    /// The name of something that is not the user's.
    pub(crate) fn of(text: &str) -> Self {
        let mut name = Self::default();
        text.bytes().for_each(|b| name.push(b, NAME_MAX));
        name
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds a byte, if there are fewer than `max`.
    pub(crate) fn push(&mut self, byte: u8, max: usize) {
        if usize::from(self.length) < max.min(NAME_MAX) {
            self.bytes[usize::from(self.length)] = if byte.is_ascii_control() { b'?' } else { byte };
            self.length += 1;
        }
    }
}

/// One part.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) kind: PartKind,
    pub(crate) name: Name,
    pub(crate) ns: u64,
    pub(crate) parent: Option<usize>,
    /// The name is a function's, not a command's text.
    pub(crate) is_function: bool,
    /// The prompt could be made without it.
    pub(crate) may_wait: bool,
}

impl Row {
    /// What is recorded of it; `parent` is which of the parts it is a part of.
    fn part(&self, parent: Option<usize>) -> NewPart<'_> {
        NewPart {
            kind: self.kind,
            name: self.name.bytes(),
            ns: self.ns,
            may_wait: self.may_wait,
            parent,
        }
    }
}

/// The parts of one round, but for what LLE itself does.
#[derive(Default)]
pub(crate) struct Table {
    rows: [Option<Row>; ROWS_MAX],
    used: usize,
}

/// The name of what found no row.
const REST: &str = "(others)";
/// Parts recorded beside the table's: what LLE itself does, the log, the paint, parts of PS1 and the rest.
pub(crate) const OWN_MAX: usize = 4;
const ROWS_MAX: usize = PARTS_MAX - OWN_MAX;
/// Rows that parts may fill: one more is for those without one.
const NAMED_MAX: usize = ROWS_MAX - 1;

/// The names of what nobody may see: where it stands, and that is all.
const PROMPT_COMMAND: &str = "PROMPT_COMMAND";
const PS1: &str = "$(...)";

impl Table {
    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().take(self.used).flatten()
    }

    /// Adds a time; gives the row it is in. A part of a part that finds no row is left out.
    pub(crate) fn add(
        &mut self,
        kind: PartKind,
        name: Name,
        ns: u64,
        parent: Option<usize>,
        is_function: bool,
    ) -> Option<usize> {
        let at = match self.position(kind, &name, parent) {
            Some(at) => at,
            // The last row is for those without one.
            None if self.used < NAMED_MAX => self.begin(kind, name, parent, is_function),
            None => match self.quickest(ns, parent) {
                Some(at) => self.replace(at, kind, name, parent, is_function),
                None if kind.is_besides() => return None,
                None => self.rest(kind),
            },
        };
        if let Some(Some(row)) = self.rows.get_mut(at) {
            row.ns = row.ns.saturating_add(ns);
        }
        Some(at)
    }

    /// The row that gives way to what took this long, if one took less: never what has parts of its own.
    ///
    /// What is quick needs no name and looks for none: commands in the thousands cost what they did.
    fn quickest(&self, ns: u64, parent: Option<usize>) -> Option<usize> {
        if ns < GRAIN_NS {
            return None;
        }
        let mut has_parts = [false; ROWS_MAX];
        for at in self.rows().filter_map(|row| row.parent).chain(parent) {
            if let Some(has_parts) = has_parts.get_mut(at) {
                *has_parts = true;
            }
        }
        let rest = Name::of(REST);
        let may_go = self.rows().enumerate().filter(|(at, row)| {
            row.ns < ns && !has_parts.get(*at).is_some_and(|has| *has) && row.name != rest
        });
        may_go.min_by_key(|(_, row)| row.ns).map(|(at, _)| at)
    }

    /// Gives a row to another part; the time of what had it is no longer named, unless it is within another's anyway.
    fn replace(
        &mut self,
        at: usize,
        kind: PartKind,
        name: Name,
        parent: Option<usize>,
        is_function: bool,
    ) -> usize {
        if let Some(gone) = self.rows[at].filter(|gone| !gone.kind.is_besides()) {
            let rest = self.rest(gone.kind);
            if let Some(Some(rest)) = self.rows.get_mut(rest) {
                rest.ns = rest.ns.saturating_add(gone.ns);
            }
        }
        self.rows[at] = Some(Row {
            kind,
            name,
            ns: 0,
            parent,
            is_function,
            may_wait: false,
        });
        at
    }

    /// The row of what has none; it is made where there is not one yet.
    fn rest(&mut self, kind: PartKind) -> usize {
        let rest = Name::of(REST);
        let known = self.rows().position(|row| row.name == rest);
        known.unwrap_or_else(|| self.begin(kind, rest, None, false))
    }

    /// Adds a time; where there is no row left, the quickest gives way if it is quicker.
    ///
    /// For a table of the slowest: what gives way is in none.
    pub(crate) fn add_slow(&mut self, kind: PartKind, name: Name, ns: u64) {
        let at = match self.position(kind, &name, None) {
            None if self.used < NAMED_MAX => self.begin(kind, name, None, false),
            None => {
                let quickest = self.rows().enumerate().min_by_key(|(_, row)| row.ns);
                let Some((at, _)) = quickest.filter(|(_, row)| row.ns < ns) else {
                    return;
                };
                self.used -= 1;
                self.rows.swap(at, self.used);
                self.begin(kind, name, None, false)
            }
            Some(at) => at,
        };
        if let Some(Some(row)) = self.rows.get_mut(at) {
            row.ns = row.ns.saturating_add(ns);
        }
    }

    /// Takes the names away that nobody may see; the times stay.
    pub(crate) fn hide(&mut self, private: Private) {
        if private.command || private.ps1 {
            self.hide_some(private);
        }
    }

    #[cold]
    fn hide_some(&mut self, private: Private) {
        let mut shown = Self::default();
        let mut places = [None; ROWS_MAX];
        for (at, row) in self.in_order() {
            let (hidden, kind, name) = match row.kind {
                PartKind::Command | PartKind::FirstPrompt => (private.command, row.kind, PROMPT_COMMAND),
                PartKind::Substitution | PartKind::Joint | PartKind::Expanded => {
                    (private.ps1, PartKind::Joint, PS1)
                }
                _ => (false, row.kind, ""),
            };
            // Where the part it belongs to has no name, a part of it has no place.
            let parent = row.parent.map(|parent| places.get(parent).copied().flatten());
            let (kind, name, is_function) = match parent {
                Some(None) => continue,
                _ if hidden => (kind, Name::of(name), false),
                _ => (row.kind, row.name, row.is_function),
            };
            let parent = parent.flatten();
            // As many rows as there were, or fewer: none has to give way.
            let known = shown.position(kind, &name, parent);
            let place = known.unwrap_or_else(|| shown.begin(kind, name, parent, is_function));
            if let Some(Some(shown)) = shown.rows.get_mut(place) {
                shown.ns = shown.ns.saturating_add(row.ns);
                shown.may_wait = row.may_wait && !hidden;
            }
            places[at] = (!hidden).then_some(place);
        }
        *self = shown;
    }

    /// Says of each `$(…)` that took so long whether the prompt could be made without it.
    pub(crate) fn mark(&mut self, least_ns: u64, may_wait: impl Fn(&[u8]) -> bool) {
        let slow = |row: &&mut Row| row.kind == PartKind::Substitution && row.ns >= least_ns;
        for row in self.rows.iter_mut().take(self.used).flatten().filter(slow) {
            row.may_wait = may_wait(row.name.bytes());
        }
    }

    /// Whether a `$(…)` took so long.
    pub(crate) fn has_slow_substitution(&self, least_ns: u64) -> bool {
        self.rows()
            .any(|row| row.kind == PartKind::Substitution && row.ns >= least_ns)
    }

    /// Rows by their number, each part of a part behind what it is a part of.
    fn in_order(&self) -> impl Iterator<Item = (usize, &Row)> {
        let (wholes, parts) = (self.rows().enumerate(), self.rows().enumerate());
        wholes
            .filter(|(_, row)| row.parent.is_none())
            .chain(parts.filter(|(_, row)| row.parent.is_some()))
    }

    fn position(&self, kind: PartKind, name: &Name, parent: Option<usize>) -> Option<usize> {
        self.rows()
            .position(|row| row.kind == kind && row.parent == parent && row.name == *name)
    }

    fn begin(&mut self, kind: PartKind, name: Name, parent: Option<usize>, is_function: bool) -> usize {
        let at = self.used.min(ROWS_MAX - 1);
        self.rows[at] = Some(Row {
            kind,
            name,
            ns: 0,
            parent,
            is_function,
            may_wait: false,
        });
        self.used = at + 1;
        at
    }

    /// The parts worth recording, and with them what LLE itself did: a part of a part only if it took at least
    /// `1 / INNER_MIN` of it. What is whole stands first.
    pub(crate) fn parts<'a>(&'a self, own: &'a [(&'static str, u64)]) -> impl Iterator<Item = NewPart<'a>> {
        let own = own.iter().map(|(name, ns)| NewPart {
            kind: PartKind::Own,
            name: name.as_bytes(),
            ns: *ns,
            may_wait: false,
            parent: None,
        });
        let wholes = self.rows().filter(|row| row.parent.is_none());
        let inner = self.rows().filter_map(|row| {
            let whole = self.rows.get(row.parent?)?.as_ref()?;
            (row.ns >= whole.ns / INNER_MIN).then(|| row.part(self.wholes_before(row.parent)))
        });
        wholes.map(|row| row.part(None)).chain(own).chain(inner)
    }

    /// Which of the wholes a row is.
    fn wholes_before(&self, at: Option<usize>) -> Option<usize> {
        let before = self.rows.iter().take(at?).flatten();
        Some(before.filter(|row| row.parent.is_none()).count())
    }

    /// The slowest part of these kinds, or the function within it where most of it went.
    pub(crate) fn slowest(&self, of: impl Fn(PartKind) -> bool) -> Option<&Row> {
        let users = self
            .rows()
            .enumerate()
            .filter(|(_, row)| !row.kind.is_besides() && of(row.kind));
        let (at, slowest) = users.max_by_key(|(_, row)| row.ns)?;
        let within = self
            .rows()
            .filter(|row| row.parent == Some(at) && row.is_function);
        let most = within
            .max_by_key(|row| row.ns)
            .filter(|row| row.ns >= slowest.ns / 2);
        Some(most.unwrap_or(slowest))
    }
}

/// A part of a part that took less than an eighth of it explains nothing.
const INNER_MIN: u64 = 8;

#[cfg(test)]
mod tests;
