//! A text of TOML taken apart: which key says what, and where.
//!
//! The lexer and the grammar are those of `toml_parser`, which goes on after a mistake. The `toml` crate that stands
//! on it copies the whole text with each mistake, and does not say where its headers are.
//!
//! ```text
//! text ▸ tokens ▸ events ▸ sections, entries, faults
//! ```
//!
//! Invariants: any text is taken apart. Entries stand in the order of the text. A text without faults is one that a
//! TOML parser accepts, without lists of tables. Faults, names and nesting are bounded.

mod names;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use toml_parser::decoder::ScalarKind;
use toml_parser::parser::{Event, EventKind, RecursionGuard, ValidateWhitespace, parse_document};
use toml_parser::{Expected, ParseError, Source, Span};

/// Faults that are kept; more are only counted.
pub(super) const FAULTS_MAX: usize = 100;
/// Lists and tables within one another.
const DEPTH_MAX: u32 = 16;

/// A text taken apart.
#[derive(Debug)]
pub(super) struct Document<'t> {
    pub(super) text: &'t str,
    /// What headers begin; the first is the part above all of them.
    pub(super) sections: Vec<Section>,
    pub(super) entries: Vec<Entry<'t>>,
    pub(super) faults: Vec<Fault>,
    /// Faults beyond [`FAULTS_MAX`].
    pub(super) more_faults: usize,
}

/// What a header begins.
#[derive(Debug)]
pub(super) struct Section {
    /// Its dotted name.
    pub(super) name: String,
    /// Where the header is; empty for the part above all headers.
    pub(super) header: Range<usize>,
    /// Whether it is one of a list of tables, `[[so]]`.
    pub(super) list: bool,
    /// Its entries are passed over: a list of tables, or a name that is too long or there twice.
    passed_over: bool,
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Entry<'t> {
    /// The whole dotted name.
    pub(super) name: String,
    /// In which section it stands.
    pub(super) section: usize,
    /// In which entry, if that is an inline table.
    pub(super) within: Option<usize>,
    pub(super) key: Range<usize>,
    pub(super) item: Item<'t>,
    pub(super) value: Range<usize>,
}

/// A value as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item<'t> {
    Bool(bool),
    /// None if it has more than 64 bits.
    Integer(Option<i64>),
    Float,
    Time,
    Text(Cow<'t, str>),
    List(Vec<(Item<'t>, Range<usize>)>),
    /// An inline table, whose entries follow.
    Table,
    /// Nothing that can be told; a fault says why.
    Broken,
}

/// A place where the text is no TOML, or says something twice.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) message: String,
    pub(super) expected: String,
    /// Where the name was used before, if that is what is wrong.
    pub(super) before: Option<usize>,
}

/// What a name stands for already, and since where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defined {
    Header,
    /// By the header of a table in it.
    Implied,
    /// By dotted keys in this section or inline table.
    Dotted(Scope),
    Value,
    List,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Section(usize),
    Inline(usize),
}

impl<'t> Document<'t> {
    /// Takes a text apart.
    pub(super) fn parse(text: &'t str) -> Document<'t> {
        let source = Source::new(text);
        let tokens = source.lex().into_vec();
        let mut events: Vec<Event> = Vec::with_capacity(tokens.len());
        let mut faults = Faults::default();
        let mut spaces = ValidateWhitespace::new(&mut events, source);
        let mut guard = RecursionGuard::new(&mut spaces, DEPTH_MAX);
        parse_document(&tokens, &mut guard, &mut |error| faults.syntax(error));
        let mut reader = Reader {
            source,
            events: &events,
            at: 0,
            sections: vec![Section {
                name: String::new(),
                header: 0..0,
                list: false,
                passed_over: false,
            }],
            entries: Vec::new(),
            defined: BTreeMap::new(),
            faults,
        };
        reader.document();
        let Reader {
            sections,
            entries,
            mut faults,
            ..
        } = reader;
        faults.kept.sort_by_key(|fault| fault.at);
        Document {
            text,
            sections,
            entries,
            faults: faults.kept,
            more_faults: faults.more,
        }
    }
}

impl Item<'_> {
    /// What it is, as the end of a sentence.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Item::Bool(_) => "a truth value",
            Item::Integer(_) => "a whole number",
            Item::Float => "a number with a fraction",
            Item::Time => "a time",
            Item::Text(_) => "text",
            Item::List(_) => "a list",
            Item::Table => "a table",
            Item::Broken => "nothing",
        }
    }
}

#[derive(Debug, Default)]
struct Faults {
    kept: Vec<Fault>,
    more: usize,
}

impl Faults {
    fn add(&mut self, fault: impl FnOnce() -> Fault) {
        if self.kept.len() < FAULTS_MAX {
            self.kept.push(fault());
        } else {
            self.more += 1;
        }
    }

    fn syntax(&mut self, error: ParseError) {
        self.add(|| {
            let words: Vec<String> = error.expected().unwrap_or_default().iter().map(literal).collect();
            Fault {
                at: error
                    .unexpected()
                    .or(error.context())
                    .map_or(0, |span| span.start()),
                message: error.description().to_owned(),
                expected: words.join(" or "),
                before: None,
            }
        });
    }
}

fn literal(expected: &Expected) -> String {
    match expected {
        Expected::Literal("\n") => "the end of the line".to_owned(),
        Expected::Literal(text) => format!("`{text}`"),
        Expected::Description(text) => (*text).to_owned(),
        _ => "something else".to_owned(),
    }
}

/// A dotted key as read.
struct Path<'t> {
    parts: Vec<Cow<'t, str>>,
    span: Range<usize>,
}

struct Reader<'t, 'e> {
    source: Source<'t>,
    events: &'e [Event],
    at: usize,
    sections: Vec<Section>,
    entries: Vec<Entry<'t>>,
    defined: BTreeMap<String, (Defined, usize)>,
    faults: Faults,
}

impl<'t> Reader<'t, '_> {
    fn peek(&self) -> Option<EventKind> {
        self.events.get(self.at).map(Event::kind)
    }

    fn document(&mut self) {
        while let Some(event) = self.events.get(self.at) {
            match event.kind() {
                EventKind::StdTableOpen | EventKind::ArrayTableOpen => self.header(*event),
                EventKind::SimpleKey => {
                    let section = self.sections.len() - 1;
                    let (prefix, passed_over) = (
                        self.sections[section].name.clone(),
                        self.sections[section].passed_over,
                    );
                    self.entry(&prefix, Scope::Section(section), passed_over, 0);
                }
                _ => self.at += 1,
            }
        }
    }

    fn header(&mut self, open: Event) {
        self.at += 1;
        let mut path = None;
        let mut end = open.span().end();
        while let Some(event) = self.events.get(self.at).copied() {
            match event.kind() {
                EventKind::SimpleKey => path = Some(self.path()),
                EventKind::StdTableClose | EventKind::ArrayTableClose => {
                    end = event.span().end();
                    self.at += 1;
                    break;
                }
                EventKind::Newline => break,
                _ => self.at += 1,
            }
        }
        let header = open.span().start()..end;
        let list = open.kind() == EventKind::ArrayTableOpen;
        let name = path.and_then(|path| self.define_header(&path, list));
        self.sections.push(Section {
            passed_over: list || name.is_none(),
            name: name.unwrap_or_default(),
            list,
            header,
        });
    }

    /// A key, its value, and what is in that; none of it if `passed_over`.
    fn entry(&mut self, prefix: &str, scope: Scope, passed_over: bool, depth: u32) {
        let path = self.path();
        self.skip(&[EventKind::Whitespace]);
        if self.peek() != Some(EventKind::KeyValSep) {
            return;
        }
        self.at += 1;
        self.skip(&[EventKind::Whitespace]);
        let name = (!passed_over)
            .then(|| self.define_key(prefix, &path, scope))
            .flatten();
        let Some(name) = name else {
            self.value(None, depth);
            return;
        };
        let at = self.entries.len();
        let within = match scope {
            Scope::Inline(entry) => Some(entry),
            Scope::Section(_) => None,
        };
        self.entries.push(Entry {
            name: name.clone(),
            section: self.sections.len() - 1,
            within,
            key: path.span,
            item: Item::Broken,
            value: 0..0,
        });
        let (item, value) = self.value(Some((&name, at)), depth);
        let entry = &mut self.entries[at];
        (entry.item, entry.value) = (item, value);
    }

    fn value(&mut self, of: Option<(&str, usize)>, depth: u32) -> (Item<'t>, Range<usize>) {
        let Some(event) = self.events.get(self.at).copied() else {
            return (Item::Broken, 0..0);
        };
        let range = event.span().start()..event.span().end();
        match event.kind() {
            EventKind::Scalar => {
                self.at += 1;
                (self.scalar(event), range)
            }
            EventKind::ArrayOpen if depth <= DEPTH_MAX => {
                self.at += 1;
                let (items, end) = self.list(depth + 1);
                (Item::List(items), range.start..end)
            }
            EventKind::InlineTableOpen if depth <= DEPTH_MAX => {
                self.at += 1;
                let end = self.table(of, depth + 1);
                (Item::Table, range.start..end)
            }
            _ => (Item::Broken, range.start..range.start),
        }
    }

    fn scalar(&mut self, event: Event) -> Item<'t> {
        let Some(raw) = self.source.get(event) else {
            return Item::Broken;
        };
        let mut decoded = Cow::Borrowed("");
        let faults = &mut self.faults;
        match raw.decode_scalar(&mut decoded, &mut |error| faults.syntax(error)) {
            ScalarKind::String => Item::Text(decoded),
            ScalarKind::Boolean(value) => Item::Bool(value),
            ScalarKind::DateTime => Item::Time,
            ScalarKind::Float => Item::Float,
            ScalarKind::Integer(radix) => Item::Integer(i64::from_str_radix(&decoded, radix.value()).ok()),
        }
    }

    fn list(&mut self, depth: u32) -> (Vec<(Item<'t>, Range<usize>)>, usize) {
        let mut items = Vec::new();
        while let Some(event) = self.events.get(self.at) {
            match event.kind() {
                EventKind::ArrayClose => {
                    let end = event.span().end();
                    self.at += 1;
                    return (items, end);
                }
                EventKind::Scalar | EventKind::ArrayOpen | EventKind::InlineTableOpen
                    if depth <= DEPTH_MAX =>
                {
                    items.push(self.value(None, depth));
                }
                _ => self.at += 1,
            }
        }
        (items, self.source.input().len())
    }

    fn table(&mut self, of: Option<(&str, usize)>, depth: u32) -> usize {
        // A table in a list has no name of ours, but its own keys have to differ.
        let outer = of.is_none().then(|| std::mem::take(&mut self.defined));
        let (prefix, scope) = of.map_or(("", Scope::Inline(usize::MAX)), |(name, at)| {
            (name, Scope::Inline(at))
        });
        let entries = self.entries.len();
        let mut end = self.source.input().len();
        while let Some(event) = self.events.get(self.at) {
            match event.kind() {
                EventKind::InlineTableClose => {
                    end = event.span().end();
                    self.at += 1;
                    break;
                }
                EventKind::SimpleKey => self.entry(prefix, scope, false, depth),
                _ => self.at += 1,
            }
        }
        if let Some(outer) = outer {
            self.defined = outer;
            self.entries.truncate(entries);
        }
        end
    }

    fn path(&mut self) -> Path<'t> {
        let mut parts = Vec::new();
        let mut span: Option<Span> = None;
        while let Some(event) = self.events.get(self.at).copied() {
            match event.kind() {
                EventKind::SimpleKey => {
                    // Two keys side by side are two keys.
                    if !parts.is_empty() && !self.follows_dot() {
                        break;
                    }
                    let mut decoded = Cow::Borrowed("");
                    let faults = &mut self.faults;
                    if let Some(raw) = self.source.get(event) {
                        raw.decode_key(&mut decoded, &mut |error| faults.syntax(error));
                    }
                    parts.push(decoded);
                    span = Some(span.map_or(event.span(), |span| span.append(event.span())));
                }
                EventKind::KeySep => {}
                EventKind::Whitespace if self.is_before_dot() || self.follows_dot() => {}
                _ => break,
            }
            self.at += 1;
        }
        let span = span.map_or(0..0, |span| span.start()..span.end());
        Path { parts, span }
    }

    fn follows_dot(&self) -> bool {
        let before = self.events[..self.at].iter().rev();
        let mut visible = before.filter(|event| event.kind() != EventKind::Whitespace);
        visible
            .next()
            .is_some_and(|event| event.kind() == EventKind::KeySep)
    }

    fn is_before_dot(&self) -> bool {
        let next = self.events.get(self.at + 1);
        next.is_some_and(|event| event.kind() == EventKind::KeySep)
    }

    fn skip(&mut self, kinds: &[EventKind]) {
        while self.peek().is_some_and(|kind| kinds.contains(&kind)) {
            self.at += 1;
        }
    }
}
