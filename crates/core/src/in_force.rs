//! The configuration in force as sessions read it: one version, whole, without a parser of TOML.
//!
//! ```text
//! lusush-config 1 <version>            the file `in-force` in the worker's folder: read at each start
//! key <name> <free|locked> <value>
//! theme <name> <sgr>|<sgr>|…           a theme of the user's, with the parameters of each role
//! source <what tells it from another>  the files that it was made of, as they were
//! sum <of all lines before it>         absent in what earlier versions wrote
//! end <lines>
//! ```
//!
//! The same lines stand in [`desired`](crate::desired) behind `config <version>`, for the sessions that run: there without
//! sources, sum and end, since that file has a sum of its own and is never half written.
//!
//! Invariants: what is decoded is whole, of one version, and holds SGR parameters only; encoding stays below
//! [`BYTES_MAX`]; lines of a kind that this version does not know are passed over.

use std::fmt::Write;

use crate::sum;
use crate::theme::ROLE_COUNT;

/// The file's name in the worker's folder.
pub const FILE_NAME: &str = "in-force";
/// Bytes of the whole file.
pub const BYTES_MAX: usize = 48 * 1024;
/// Keys in it; what is beyond is left out.
pub const KEYS_MAX: usize = 64;
/// Of these, those for sessions, which stand in `desired` as well.
pub const SESSION_KEYS_MAX: usize = 16;
/// Bytes of a name.
pub const WORD_BYTES_MAX: usize = 64;
/// Bytes of a key's value: a command line is the longest, a list of texts shorter.
pub const VALUE_BYTES_MAX: usize = 400;
/// Bytes of a role's parameters: one colour and every attribute take 27.
pub const SGR_BYTES_MAX: usize = 48;
/// Files that a configuration is made of.
pub const SOURCES_MAX: usize = 4;
/// Bytes of what tells a file from another.
const SOURCE_BYTES_MAX: usize = 256;

/// The longest line of a key, and that of a theme.
pub const KEY_LINE_BYTES_MAX: usize = "key  locked \n".len() + WORD_BYTES_MAX + VALUE_BYTES_MAX;
/// See [`KEY_LINE_BYTES_MAX`].
pub const THEME_LINE_BYTES_MAX: usize = "theme  \n".len() + WORD_BYTES_MAX + ROLE_COUNT * (SGR_BYTES_MAX + 1);
const HEAD_BYTES_MAX: usize = MAGIC.len() + 3 + 20 + 1;
const _: () = assert!(
    HEAD_BYTES_MAX
        + KEYS_MAX * KEY_LINE_BYTES_MAX
        + THEME_LINE_BYTES_MAX
        + SOURCES_MAX * (SOURCE_BYTES_MAX + 8)
        + sum::LINE_BYTES
        + 16
        <= BYTES_MAX
);

const MAGIC: &str = "lusush-config";
const FORMAT: u32 = 1;

/// A value in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key's dotted name.
    pub name: String,
    /// The value, as it stands in a variable: without quotes.
    pub value: String,
    /// Nothing in a session goes before it.
    pub locked: bool,
}

/// The looks of a theme that is not built in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The theme's name.
    pub name: String,
    /// SGR parameters per role.
    pub sgr: [String; ROLE_COUNT],
}

/// A configuration, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// The number of the newest version of a file that it is made of; 0 if it is made of none.
    pub version: u64,
    /// The keys.
    pub keys: Vec<KeyValue>,
    /// The theme in force, unless it is built in.
    pub look: Option<Look>,
    /// What tells the files that it was made of from others of their names; empty in `desired`.
    pub sources: Vec<String>,
}

impl InForce {
    /// The value of a key, and whether it is locked; none if it is not said.
    pub fn value(&self, name: &str) -> Option<(&str, bool)> {
        let found = self.keys.iter().find(|key| key.name == name);
        found.map(|key| (key.value.as_str(), key.locked))
    }

    /// The same for those whose keys are `wanted` only, without sources.
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> InForce {
        let keys = self.keys.iter().filter(|key| wanted(&key.name));
        InForce {
            version: self.version,
            keys: keys.take(SESSION_KEYS_MAX).cloned().collect(),
            look: self.look.clone(),
            sources: Vec::new(),
        }
    }

    /// Whether it says the same, whatever it was made of.
    pub fn says_the_same(&self, other: &InForce) -> bool {
        self.keys == other.keys && self.look == other.look
    }

    /// Writes the file's text.
    pub fn encode(&self) -> String {
        let mut out = format!("{MAGIC} {FORMAT} {}\n", self.version);
        self.write_lines(&mut out, KEYS_MAX);
        let fits = |source: &&String| source.len() <= SOURCE_BYTES_MAX && is_line(source);
        for source in self.sources.iter().filter(fits).take(SOURCES_MAX) {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "source {source}");
        }
        sum::add(&mut out);
        let lines = out.lines().count();
        let _ = writeln!(out, "end {lines}");
        out
    }

    /// Reads the file's text; none if it is another's, a later format's, not whole, or not as it was written.
    pub fn decode(bytes: &[u8]) -> Option<InForce> {
        let text = std::str::from_utf8(bytes)
            .ok()
            .filter(|text| text.len() <= BYTES_MAX)?;
        let body = text.strip_suffix('\n')?;
        let (body, end) = body.rsplit_once('\n')?;
        let said: usize = end.strip_prefix("end ")?.parse().ok()?;
        let mut lines = body.split('\n');
        if body.split('\n').count() != said || !sum::holds(body.as_bytes()) {
            return None;
        }
        let mut head = lines.next()?.split(' ');
        let known = head.next() == Some(MAGIC) && head.next()?.parse() == Ok(FORMAT);
        let mut found = InForce {
            version: head.next().filter(|_| known)?.parse().ok()?,
            ..InForce::default()
        };
        for line in lines {
            match line.split_once(' ') {
                Some(("source", rest)) if found.sources.len() < SOURCES_MAX => {
                    found.sources.push(rest.to_owned());
                }
                Some((kind, rest)) => found.read_line(kind, rest),
                None => {}
            }
        }
        Some(found)
    }

    /// Writes its keys and its theme.
    pub(crate) fn write_lines(&self, out: &mut String, keys_max: usize) {
        let fits =
            |key: &&KeyValue| is_word(&key.name) && key.value.len() <= VALUE_BYTES_MAX && is_line(&key.value);
        for key in self.keys.iter().filter(fits).take(keys_max) {
            let lock = if key.locked { "locked" } else { "free" };
            let _ = writeln!(out, "key {} {lock} {}", key.name, key.value);
        }
        if let Some(look) = self.look.as_ref().filter(|look| is_word(&look.name)) {
            // A role that says too much looks like plain text.
            let fit = |sgr: &String| if is_sgr(sgr) { sgr.clone() } else { String::new() };
            let roles: Vec<String> = look.sgr.iter().map(fit).collect();
            let _ = writeln!(out, "theme {} {}", look.name, roles.join("|"));
        }
    }

    /// Takes a line over that is of one of the kinds that `desired` has as well.
    pub(crate) fn read_line(&mut self, kind: &str, rest: &str) {
        match kind {
            "key" if self.keys.len() < KEYS_MAX => self.keys.extend(key(rest)),
            "theme" if self.look.is_none() => self.look = look(rest),
            _ => {}
        }
    }
}

fn key(line: &str) -> Option<KeyValue> {
    let mut words = line.splitn(3, ' ');
    let (name, lock, value) = (words.next()?, words.next()?, words.next()?);
    let fits = is_word(name) && value.len() <= VALUE_BYTES_MAX && is_line(value);
    fits.then(|| KeyValue {
        name: name.to_owned(),
        value: value.to_owned(),
        locked: lock == "locked",
    })
}

fn look(line: &str) -> Option<Look> {
    let (name, roles) = line.split_once(' ')?;
    let mut sgr: [String; ROLE_COUNT] = Default::default();
    // A later version's roles are passed over, and an older one's leave the last ones plain.
    for (slot, role) in sgr.iter_mut().zip(roles.split('|')) {
        if !is_sgr(role) {
            return None;
        }
        role.clone_into(slot);
    }
    is_word(name).then(|| Look {
        name: name.to_owned(),
        sgr,
    })
}

/// SGR parameters and nothing that a terminal would take for anything else.
fn is_sgr(text: &str) -> bool {
    text.len() <= SGR_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b';')
}

fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

fn is_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> InForce {
        let key = |name: &str, value: &str, locked| KeyValue {
            name: name.into(),
            value: value.into(),
            locked,
        };
        let mut sgr: [String; ROLE_COUNT] = Default::default();
        sgr[1] = "38;2;1;2;3;4".into();
        InForce {
            version: 7,
            keys: vec![
                key("editor.suggest", "false", false),
                key("editor.theme", "mine", true),
            ],
            look: Some(Look {
                name: "mine".into(),
                sgr,
            }),
            sources: vec!["user 1 2 3".into()],
        }
    }

    #[test]
    fn the_text() {
        insta::assert_snapshot!(sample().encode(), @"
        lusush-config 1 7
        key editor.suggest free false
        key editor.theme locked mine
        theme mine |38;2;1;2;3;4||||||||||||||
        source user 1 2 3
        sum 667b51c9e9bb95dd
        end 6
        ");
    }

    #[test]
    fn half_a_file_is_none() {
        let text = sample().encode();
        for cut in 0..text.len() {
            assert_eq!(InForce::decode(&text.as_bytes()[..cut]), None, "{cut}");
        }
        // A stretch that was lost in the middle.
        let lost = text.replace("key editor.theme locked mine\n", "");
        assert_eq!(InForce::decode(lost.as_bytes()), None);
        assert_eq!(InForce::decode(b"lusush-config 2 7\nend 1\n"), None);
        assert_eq!(InForce::decode(b"lusush-config 1 7\nend 1\n").unwrap().version, 7);
    }

    #[test]
    fn a_flipped_byte_is_seen_or_harmless() {
        let text = sample().encode().into_bytes();
        for at in 0..text.len() {
            let mut bad = text.clone();
            bad[at] ^= 0x01;
            let found = InForce::decode(&bad);
            assert!(found.is_none_or(|found| found == sample()), "{at}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_no_theme() {
        let text = "lusush-config 1 7\ntheme x 1|2;\u{1b}[31m\nend 2\n";
        assert_eq!(InForce::decode(text.as_bytes()).unwrap().look, None);
        let mut long = sample();
        let look = long.look.as_mut().unwrap();
        look.sgr[2] = "1;".repeat(SGR_BYTES_MAX);
        let read = InForce::decode(long.encode().as_bytes()).unwrap().look.unwrap();
        assert_eq!((read.sgr[1].as_str(), read.sgr[2].as_str()), ("38;2;1;2;3;4", ""));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(version: u64, value in "[a-z0-9-]{0,64}", locked: bool, sgr in "[0-9;]{0,48}") {
            let mut written = sample();
            written.version = version;
            written.keys[0].value = value;
            written.keys[0].locked = locked;
            written.look.as_mut().unwrap().sgr[3] = sgr;
            prop_assert_eq!(InForce::decode(written.encode().as_bytes()), Some(written));
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = InForce::decode(&bytes);
            let _ = InForce::decode(&[b"lusush-config 1 1\nkey ", bytes.as_slice(), b"\nend 2\n"].concat());
        }
    }
}
