//! The layers that are no files: variables, and words on the command line.
//!
//! Invariant: an unknown variable with our prefix is told, since a mistyped one would otherwise do nothing.

use super::Catalogue;
use super::VARIABLE_PREFIX;
use super::found::shown;
use super::layer::{Given, Layered, Origin};
use super::nearest::nearest;
use super::problem::{Problem, Weight};

/// Reads the variables that begin with [`VARIABLE_PREFIX`]; others are passed over.
pub fn environment<'v>(
    catalogue: &Catalogue,
    variables: impl IntoIterator<Item = (&'v str, &'v str)>,
) -> Layered {
    let mut layered = Layered::new(Origin::Environment, "environment");
    let known: Vec<String> = catalogue.keys.iter().map(|key| key.variable()).collect();
    let ours = variables
        .into_iter()
        .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX));
    for (name, text) in ours {
        match known.iter().position(|known| known == name) {
            Some(row) => take(catalogue, row, name, text, &mut layered),
            None => layered.tell(|| Problem {
                // A variable of a later release must not keep this one from starting.
                weight: Weight::Warning,
                meant: nearest(name, known.iter().map(String::as_str)).map(str::to_owned),
                ..problem(
                    shown(name),
                    "no key has this variable",
                    String::new(),
                    "unset it".to_owned(),
                )
            }),
        }
    }
    layered
}

/// Reads words such as `editor.theme=light`.
pub fn command_line<'w>(catalogue: &Catalogue, words: impl IntoIterator<Item = &'w str>) -> Layered {
    let mut layered = Layered::new(Origin::CommandLine, "command line");
    for word in words {
        let (name, text) = word.split_once('=').unwrap_or((word, ""));
        match catalogue.find(name.trim()) {
            Some((row, _)) => take(catalogue, row, word, text.trim(), &mut layered),
            None => layered.tell(|| Problem {
                meant: catalogue.nearest(name.trim()).map(str::to_owned),
                ..problem(
                    shown(word),
                    "there is no such key",
                    "KEY=VALUE".to_owned(),
                    "`lusush maint config show` lists the keys".to_owned(),
                )
            }),
        }
    }
    layered
}

fn take(catalogue: &Catalogue, row: usize, source: &str, text: &str, layered: &mut Layered) {
    let key = &catalogue.keys[row];
    if let Some(deprecated) = key.deprecated {
        layered.tell(|| {
            let (message, remedy) = deprecated.said(key.name, catalogue.today);
            Problem {
                weight: Weight::Warning,
                ..problem(shown(source), &message, String::new(), remedy)
            }
        });
    }
    let value = key.kind.read(text);
    if let Some((what, remedy)) = value.as_ref().and_then(|value| key.kind.doubt(value)) {
        layered.tell(|| Problem {
            weight: Weight::Warning,
            ..problem(
                shown(source),
                &format!("`{}`: {what}", key.name),
                String::new(),
                remedy.to_owned(),
            )
        });
    }
    match value {
        Some(value) => layered.values.extend(catalogue.heir(row).map(|row| Given {
            row,
            value,
            source: source.to_owned(),
            at: None,
        })),
        None => layered.tell(|| Problem {
            meant: nearest(text, key.kind.words().iter().copied()).map(str::to_owned),
            ..problem(
                shown(source),
                &format!("`{}` is \"{}\"", key.name, shown(&key.kind.repeated(text))),
                key.kind.to_string(),
                format!("give it one of these; without it, it is {}", key.default),
            )
        }),
    }
}

fn problem(source: String, message: &str, expected: String, remedy: String) -> Problem {
    Problem {
        weight: Weight::Error,
        source,
        at: None,
        message: message.to_owned(),
        expected,
        meant: None,
        remedy,
    }
}
