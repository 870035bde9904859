//! The JSON Schema (draft 2020-12) of the file, for editors and for checks elsewhere, made from the table of keys.
//!
//! Invariant: what the schema lets through, the check lets through, and the other way round, as far as types, ranges and
//! words go.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Catalogue;
use super::key::{COMMAND_BYTES_MAX, Key, Kind, NAME_CHARS_MAX, PATH_BYTES_MAX, Value};
use crate::texts;

/// A node of the schema.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Node {
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    draft: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(rename = "type")]
    of_type: &'static str,
    #[serde(rename = "enum", skip_serializing_if = "Option::is_none")]
    words: Option<&'static [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(rename = "maxLength", skip_serializing_if = "Option::is_none")]
    length: Option<usize>,
    #[serde(rename = "default", skip_serializing_if = "Option::is_none")]
    default_value: Option<Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deprecated: bool,
    #[serde(rename = "additionalProperties", skip_serializing_if = "Option::is_none")]
    additional: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Box<Node>>,
    #[serde(rename = "maxItems", skip_serializing_if = "Option::is_none")]
    items_max: Option<usize>,
    #[serde(rename = "uniqueItems", skip_serializing_if = "std::ops::Not::not")]
    unique: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    properties: BTreeMap<&'static str, Node>,
}

/// Makes the schema.
pub fn schema(catalogue: &Catalogue) -> Node {
    let mut root = table();
    root.draft = Some("https://json-schema.org/draft/2020-12/schema");
    root.title = Some("Lusush configuration");
    root.properties.insert("version", version(catalogue));
    root.properties.insert("locked", locked());
    for key in catalogue.keys {
        let mut at = &mut root;
        let mut parts = key.name.split('.').peekable();
        while let Some(part) = parts.next() {
            let make = || if parts.peek().is_some() { table() } else { of(key) };
            at = at.properties.entry(part).or_insert_with(make);
        }
    }
    root
}

fn table() -> Node {
    Node {
        of_type: "object",
        additional: Some(false),
        ..Node::default()
    }
}

fn of(key: &Key) -> Node {
    let node = Node {
        description: Some(key.about.to_owned()),
        default_value: Some(key.default.clone()),
        deprecated: key.deprecated.is_some(),
        ..Node::default()
    };
    match key.kind {
        Kind::Bool => Node {
            of_type: "boolean",
            ..node
        },
        Kind::Integer { min, max } => Node {
            of_type: "integer",
            minimum: Some(min),
            maximum: Some(max),
            ..node
        },
        Kind::Choice(words) => Node {
            of_type: "string",
            words: Some(words),
            ..node
        },
        Kind::Name => Node {
            of_type: "string",
            pattern: Some(format!("^[a-z0-9-]{{1,{NAME_CHARS_MAX}}}$")),
            ..node
        },
        Kind::Command => Node {
            of_type: "string",
            length: Some(COMMAND_BYTES_MAX),
            ..node
        },
        Kind::Repository => Node {
            of_type: "string",
            // A user name and a password would stand before an at sign.
            pattern: Some("^$|^(local:)?(/|~/).|^rest:https?://[^@]+$|^s3:[^@]+/[^@]+$".to_owned()),
            length: Some(PATH_BYTES_MAX),
            ..node
        },
        Kind::File => Node {
            of_type: "string",
            pattern: Some("^$|^(/|~/).".to_owned()),
            length: Some(PATH_BYTES_MAX),
            ..node
        },
        Kind::Texts => Node {
            of_type: "array",
            items: Some(Box::new(Node {
                of_type: "string",
                pattern: Some(format!(
                    "^[^\\u0000-\\u001f\\u007f]{{1,{}}}$",
                    texts::TEXT_BYTES_MAX
                )),
                ..Node::default()
            })),
            items_max: Some(texts::TEXTS_MAX),
            unique: true,
            ..node
        },
    }
}

fn version(catalogue: &Catalogue) -> Node {
    Node {
        description: Some("The format of this file; the newest if it is not said.".to_owned()),
        of_type: "integer",
        minimum: Some(i64::from(catalogue.oldest())),
        maximum: Some(i64::from(catalogue.version)),
        default_value: Some(Value::Integer(i64::from(catalogue.version))),
        ..Node::default()
    }
}

fn locked() -> Node {
    let pattern = Node {
        of_type: "string",
        ..Node::default()
    };
    Node {
        description: Some(
            "Keys that no user can change, as \"editor.theme\" or \"alerts.*\"; only in the machine's file."
                .to_owned(),
        ),
        of_type: "array",
        items: Some(Box::new(pattern)),
        ..Node::default()
    }
}
