//! What names a text defines, and whether it may: each once, and no table both by header and by dotted keys.
//!
//! Stricter than TOML 1.0 asks in one point: dotted keys add nothing to a table that the header of a table in it implied.
//!
//! Invariant: a name takes at most [`NAME_BYTES_MAX`] bytes, so that what is kept grows with the text and not with its
//! square.

use super::{Defined, Fault, Path, Reader, Scope};
use crate::config::key::quoted;

/// Bytes of a dotted name. Ours have a few dozen.
const NAME_BYTES_MAX: usize = 256;

impl<'t> Reader<'t, '_> {
    /// Defines the table of a header; gives its name unless it is to be passed over.
    pub(super) fn define_header(&mut self, path: &Path<'t>, list: bool) -> Option<String> {
        let mut name = String::new();
        for (at, part) in path.parts.iter().enumerate() {
            extend(&mut name, part);
            if name.len() > NAME_BYTES_MAX {
                self.too_long(path);
                return None;
            }
            let last = at + 1 == path.parts.len();
            match (self.defined.get(&name).copied(), last) {
                (None, false) => self.define(&name, Defined::Implied, path),
                (None, true) => {
                    let what = if list { Defined::List } else { Defined::Header };
                    self.define(&name, what, path);
                }
                (Some((Defined::Implied, _)), true) if !list => self.define(&name, Defined::Header, path),
                (Some((Defined::List, _)), _) if list || !last => return None,
                (Some((Defined::Value, before)), false) => {
                    self.again(path, format!("`{name}` is a value and no table"), before);
                    return None;
                }
                (Some(_), false) => {}
                (Some((_, before)), true) => {
                    self.again(path, format!("`{name}` is there twice"), before);
                    return None;
                }
            }
        }
        Some(name)
    }

    /// Defines a key; gives its whole name unless it is to be passed over.
    pub(super) fn define_key(&mut self, prefix: &str, path: &Path<'t>, scope: Scope) -> Option<String> {
        let mut name = prefix.to_owned();
        for (at, part) in path.parts.iter().enumerate() {
            extend(&mut name, part);
            if name.len() > NAME_BYTES_MAX {
                self.too_long(path);
                return None;
            }
            let last = at + 1 == path.parts.len();
            match (self.defined.get(&name).copied(), last) {
                (None, false) => self.define(&name, Defined::Dotted(scope), path),
                (None, true) => self.define(&name, Defined::Value, path),
                (Some((Defined::Dotted(of), _)), false) if of == scope => {}
                (Some((Defined::Value, before)), false) => {
                    self.again(path, format!("`{name}` is a value and no table"), before);
                    return None;
                }
                (Some((_, before)), _) => {
                    self.again(path, format!("`{name}` is there twice"), before);
                    return None;
                }
            }
        }
        Some(name)
    }

    fn define(&mut self, name: &str, what: Defined, path: &Path<'t>) {
        self.defined.insert(name.to_owned(), (what, path.span.start));
    }

    fn again(&mut self, path: &Path<'t>, message: String, before: usize) {
        self.faults.add(|| Fault {
            at: path.span.start,
            message,
            expected: "each name once".to_owned(),
            before: Some(before),
        });
    }

    fn too_long(&mut self, path: &Path<'t>) {
        self.faults.add(|| Fault {
            at: path.span.start,
            message: "this name is too long".to_owned(),
            expected: format!("at most {NAME_BYTES_MAX} bytes"),
            before: None,
        });
    }
}

/// Adds a part to a dotted name, in quotes where it would otherwise read as something else.
fn extend(name: &mut String, part: &str) {
    if !name.is_empty() {
        name.push('.');
    }
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !part.is_empty() && part.bytes().all(bare) {
        name.push_str(part);
    } else {
        // A part of the limit's length says enough.
        let end = part.floor_char_boundary(NAME_BYTES_MAX);
        name.push_str(&quoted(&part[..end]));
        if end < part.len() {
            name.push_str(&" ".repeat(NAME_BYTES_MAX));
        }
    }
}
