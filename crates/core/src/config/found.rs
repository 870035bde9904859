//! What a layer's text says, entry by entry, apart from how it is put.
//!
//! Invariant: what is repeated of what somebody wrote is short, and nothing that a terminal obeys.

use std::ops::Range;

use super::document::{Entry, Item};
use super::key::{Kind, Value};

/// Characters of what somebody wrote that are repeated in a problem.
const QUOTED_CHARS_MAX: usize = 40;

/// An entry as migrations see it: they may rename it and change what it says, not where it stands.
#[derive(Clone, Debug)]
pub(super) struct Found<'t> {
    pub(super) name: String,
    pub(super) item: Item<'t>,
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
}

impl<'t> Found<'t> {
    pub(super) fn of(entry: &Entry<'t>) -> Found<'t> {
        Found {
            name: entry.name.clone(),
            item: entry.item.clone(),
            key: entry.key.clone(),
            value: entry.value.clone(),
        }
    }
}

impl Item<'_> {
    /// The value that it is, if one of our kinds.
    pub(super) fn value(&self) -> Option<Value> {
        match self {
            Item::Bool(value) => Some(Value::Bool(*value)),
            Item::Integer(number) => number.map(Value::Integer),
            Item::Text(text) => Some(Value::Text(text.clone().into_owned().into())),
            Item::List(items) => {
                let text = |(item, _): &(Item<'_>, Range<usize>)| match item {
                    Item::Text(text) => Some(text.clone().into_owned()),
                    _ => None,
                };
                Some(Value::List(items.iter().map(text).collect::<Option<_>>()?))
            }
            _ => None,
        }
    }

    /// What somebody wrote, as far as it fits into a sentence.
    pub(super) fn written(&self) -> String {
        match self {
            Item::Bool(value) => value.to_string(),
            Item::Integer(Some(number)) => number.to_string(),
            Item::Text(text) => format!("\"{}\"", shown(text)),
            other => other.describe().to_owned(),
        }
    }

    /// The same of a value that a key of that kind does not take.
    pub(super) fn written_for(&self, kind: Kind) -> String {
        match self {
            Item::Text(text) => format!("\"{}\"", shown(&kind.repeated(text))),
            other => other.written(),
        }
    }
}

pub(super) fn is_below(name: &str, table: &str) -> bool {
    name.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'))
}

/// What somebody wrote, shortened, and without what a terminal would obey.
pub(super) fn shown(text: &str) -> String {
    let mut short = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == QUOTED_CHARS_MAX {
            short.push('…');
            break;
        }
        if c.is_control() {
            short.extend(c.escape_default());
        } else {
            short.push(c);
        }
    }
    short
}
