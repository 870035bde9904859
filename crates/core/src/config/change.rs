//! What a new configuration changes: which keys, whom that concerns, and what has to wait for a new shell.
//!
//! Invariant: whoever goes by a changed key is among those concerned, and so is whoever follows them.

use super::Config;
use super::key::{Key, Part, Value};

/// A key whose value is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The key's name.
    pub name: &'static str,
    /// The value before.
    pub before: Value,
    /// The value now.
    pub after: Value,
    /// Whether running sessions keep the value before.
    pub needs_new_shell: bool,
}

/// What changes, and whom it concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// The keys, in the order of the table.
    pub changed: Vec<Changed>,
    /// Who has to look again, each once, in the order of [`Part::ALL`].
    pub parts: Vec<Part>,
}

/// Compares two configurations of one catalogue.
pub fn effect(before: &Config, after: &Config) -> Effect {
    let pairs = before.settings().zip(after.settings());
    let differ = |((key, old), (_, new)): ((&'static Key, &super::Setting), (_, &super::Setting))| {
        (old.value != new.value).then(|| (key, old.value.clone(), new.value.clone()))
    };
    let mut effect = Effect::default();
    let mut concerned: Vec<Part> = Vec::new();
    for (key, before, after) in pairs.filter_map(differ) {
        concerned.push(key.part);
        effect.changed.push(Changed {
            name: key.name,
            before,
            after,
            needs_new_shell: key.needs_new_shell,
        });
    }
    // Whoever follows may be followed in turn; each is added once, so this ends.
    let mut at = 0;
    while let Some(part) = concerned.get(at).copied() {
        for next in part.followed_by() {
            if !concerned.contains(next) {
                concerned.push(*next);
            }
        }
        at += 1;
    }
    effect.parts = Part::ALL
        .iter()
        .copied()
        .filter(|part| concerned.contains(part))
        .collect();
    effect
}
