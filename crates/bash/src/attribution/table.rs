//! The parts of one round, until they are recorded: bounded, without allocation.
//!
//! Invariant: parts stand behind what they are a part of. What finds no row is counted under one name.

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
    pub(crate) count: u64,
    pub(crate) parent: Option<usize>,
    /// The name is a function's, not a command's text.
    pub(crate) is_function: bool,
}

/// The parts of one round.
#[derive(Default)]
pub(crate) struct Table {
    rows: [Option<Row>; PARTS_MAX],
    used: usize,
}

/// The name of what found no row.
const REST: &str = "(others)";
/// Rows kept free for what LLE itself does: the log, the paint, parts of PS1 and the rest.
const OWN_ROWS: usize = 4;

/// Rows that parts of a kind may fill: one more is for those without one, and the last are LLE's own.
fn rows_for(kind: PartKind) -> usize {
    if kind == PartKind::Own {
        PARTS_MAX
    } else {
        PARTS_MAX - OWN_ROWS - 1
    }
}

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
            None if self.used < rows_for(kind) => self.begin(kind, name, parent, is_function),
            None if kind.is_besides() => return None,
            None => {
                let rest = self.rows().position(|row| row.name == Name::of(REST));
                rest.unwrap_or_else(|| self.begin(kind, Name::of(REST), None, false))
            }
        };
        if let Some(Some(row)) = self.rows.get_mut(at) {
            row.ns = row.ns.saturating_add(ns);
        }
        Some(at)
    }

    /// Adds a time and a run; where there is no row left, the quickest gives way if it is quicker.
    ///
    /// For a table of the slowest: what gives way is in none.
    pub(crate) fn add_slow(&mut self, kind: PartKind, name: Name, ns: u64) {
        let at = match self.position(kind, &name, None) {
            None if self.used < rows_for(kind) => self.begin(kind, name, None, false),
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
            // A file is sourced once, however many of its lines are timed.
            row.count += u64::from(!kind.is_besides());
        }
    }

    /// Takes the names away that nobody may see; the times stay.
    pub(crate) fn hide(&mut self, private: Private) {
        let mut shown = Self::default();
        let mut places = [None; PARTS_MAX];
        for (at, row) in self.rows().enumerate() {
            let (hidden, kind, name) = match row.kind {
                PartKind::Command | PartKind::FirstPrompt => (private.command, row.kind, PROMPT_COMMAND),
                PartKind::Substitution | PartKind::Joint | PartKind::Expanded => {
                    (private.ps1, PartKind::Joint, PS1)
                }
                _ => (false, row.kind, ""),
            };
            // Where the part it belongs to has no name, a part of it has no place.
            let parent = row.parent.map(|parent| places.get(parent).copied().flatten());
            let place = match parent {
                Some(None) => continue,
                parent if hidden => shown.add(kind, Name::of(name), row.ns, parent.flatten(), false),
                parent => shown.add(row.kind, row.name, row.ns, parent.flatten(), row.is_function),
            };
            if let Some(Some(shown)) = place.and_then(|place| shown.rows.get_mut(place)) {
                // What has no name is one thing, and ran once.
                shown.count = if hidden { 1 } else { shown.count + row.count };
            }
            places[at] = place.filter(|_| !hidden);
        }
        *self = shown;
    }

    /// Counts one more run of a row.
    pub(crate) fn ran(&mut self, at: Option<usize>) {
        if let Some(Some(row)) = at.and_then(|at| self.rows.get_mut(at)) {
            row.count += 1;
        }
    }

    fn position(&self, kind: PartKind, name: &Name, parent: Option<usize>) -> Option<usize> {
        self.rows()
            .position(|row| row.kind == kind && row.parent == parent && row.name == *name)
    }

    fn begin(&mut self, kind: PartKind, name: Name, parent: Option<usize>, is_function: bool) -> usize {
        let at = self.used.min(PARTS_MAX - 1);
        self.rows[at] = Some(Row {
            kind,
            name,
            ns: 0,
            count: 0,
            parent,
            is_function,
        });
        self.used = at + 1;
        at
    }

    /// Gives the parts worth recording to `f`: a part of a part only if it took at least `1 / INNER_MIN` of it.
    pub(crate) fn with_parts<T>(&self, f: impl FnOnce(&[NewPart<'_>]) -> T) -> T {
        const NONE: NewPart<'static> = NewPart {
            kind: PartKind::Own,
            name: b"",
            ns: 0,
            count: 0,
            parent: None,
        };
        let mut parts = [NONE; PARTS_MAX];
        let mut places = [None; PARTS_MAX];
        let mut n = 0;
        for (at, row) in self.rows().enumerate() {
            let whole = row
                .parent
                .and_then(|parent| self.rows.get(parent).copied().flatten());
            if whole.is_some_and(|whole| row.ns < whole.ns / INNER_MIN) {
                continue;
            }
            parts[n] = NewPart {
                kind: row.kind,
                name: row.name.bytes(),
                ns: row.ns,
                count: row.count.max(1),
                parent: row
                    .parent
                    .and_then(|parent| places.get(parent).copied().flatten()),
            };
            places[at] = Some(n);
            n += 1;
        }
        f(parts.get(..n).unwrap_or_default())
    }

    /// The slowest part of these kinds, or the function within it where most of it went.
    pub(crate) fn slowest(&self, of: impl Fn(PartKind) -> bool) -> Option<&Row> {
        let users = self
            .rows()
            .enumerate()
            .filter(|(_, row)| !row.kind.is_besides() && row.kind != PartKind::Own && of(row.kind));
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
mod tests {
    use super::*;

    fn names(table: &Table) -> Vec<(String, u64, Option<usize>)> {
        table.with_parts(|parts| {
            let text = |part: &NewPart<'_>| String::from_utf8_lossy(part.name).into_owned();
            parts
                .iter()
                .map(|part| (text(part), part.ns, part.parent))
                .collect()
        })
    }

    #[test]
    fn small_parts_of_parts_are_left_out() {
        let mut table = Table::default();
        let f = table.add(PartKind::Command, Name::of("f"), 100, None, true);
        table.add(PartKind::Inner, Name::of("tiny"), 2, f, false);
        table.add(PartKind::Inner, Name::of("sleep 1"), 90, f, false);
        table.add(PartKind::Command, Name::of("f"), 20, None, true);
        assert_eq!(
            names(&table),
            [("f".into(), 120, None), ("sleep 1".into(), 90, Some(0))]
        );
        assert_eq!(
            table.slowest(|_| true).map(|row| row.name.bytes()),
            Some(&b"f"[..])
        );
    }

    #[test]
    fn the_function_that_took_it_is_the_slowest() {
        let mut table = Table::default();
        let f = table.add(
            PartKind::Command,
            Name::of("__bp_precmd_invoke_cmd"),
            100,
            None,
            true,
        );
        table.add(PartKind::Inner, Name::of("precmd"), 60, f, true);
        table.add(PartKind::Own, Name::of("paint"), 500, None, false);
        assert_eq!(
            table.slowest(|_| true).map(|row| row.name.bytes()),
            Some(&b"precmd"[..])
        );
    }

    #[test]
    fn what_nobody_may_see_has_no_name() {
        let fill = || {
            let mut table = Table::default();
            let f = table.add(PartKind::Command, Name::of("f"), 100, None, true);
            table.add(PartKind::Inner, Name::of("sleep 1"), 90, f, false);
            table.add(PartKind::Command, Name::of("g"), 20, None, true);
            table.add(PartKind::Substitution, Name::of("a"), 30, None, false);
            table.add(PartKind::Expanded, Name::of("b"), 5, None, false);
            table.add(PartKind::Own, Name::of("paint"), 1, None, false);
            table
        };
        let check = |command, ps1, expect: &[(&str, u64, Option<usize>)]| {
            let mut table = fill();
            table.hide(Private { command, ps1 });
            let expect: Vec<_> = expect
                .iter()
                .map(|row| (row.0.to_owned(), row.1, row.2))
                .collect();
            assert_eq!(names(&table), expect, "{command} {ps1}");
        };
        check(
            false,
            false,
            &names(&fill())
                .iter()
                .map(|row| (row.0.as_str(), row.1, row.2))
                .collect::<Vec<_>>(),
        );
        check(
            true,
            true,
            &[
                ("PROMPT_COMMAND", 120, None),
                ("$(...)", 35, None),
                ("paint", 1, None),
            ],
        );
        check(
            true,
            false,
            &[
                ("PROMPT_COMMAND", 120, None),
                ("a", 30, None),
                ("b", 5, None),
                ("paint", 1, None),
            ],
        );
    }

    #[test]
    fn what_finds_no_row_is_counted() {
        let mut table = Table::default();
        for n in 0..100 {
            table.add(PartKind::Command, Name::of(&format!("c{n}")), 1, None, false);
        }
        let sum: u64 = names(&table).iter().map(|part| part.1).sum();
        assert_eq!(sum, 100);
        assert_eq!(table.rows().count(), PARTS_MAX - OWN_ROWS);
        assert_eq!(
            names(&table).last().map(|part| part.0.clone()),
            Some(REST.to_owned())
        );
    }

    #[test]
    fn what_lle_does_always_finds_a_row() {
        let own = ["history log", "the rest of LLE", "paint"];
        for slow in [false, true] {
            let mut table = Table::default();
            for n in 0..100 {
                let name = Name::of(&format!("c{n}"));
                if slow {
                    table.add_slow(PartKind::Line, name, n);
                } else {
                    table.add(PartKind::Command, name, n, None, false);
                }
            }
            for name in own {
                table.add(PartKind::Own, Name::of(name), 1, None, false);
            }
            let names = names(&table);
            let last: Vec<_> = names
                .iter()
                .rev()
                .take(3)
                .rev()
                .map(|row| row.0.as_str())
                .collect();
            assert_eq!(last, own, "{names:?}");
        }
    }
}
