//! From a configuration to what sessions read of it, and back, for a worker that begins anew.
//!
//! Invariant: what is read back says the same; a key that is not known, or has a value that its key does not take any
//! more, is as it is built in.

use super::key::{Key, Value};
use super::{Catalogue, Config, Origin, Setting};
use crate::in_force::{InForce, KeyValue, Look};

/// Where a value that was read back comes from.
const SOURCE: &str = "the configuration in force";

impl Config {
    /// What sessions read: every key, with the look of the theme if that is not built in.
    pub fn in_force(&self, version: u64, look: Option<Look>, sources: Vec<String>) -> InForce {
        let row = |(key, setting): (&Key, &Setting)| KeyValue {
            name: key.name.to_owned(),
            value: match &setting.value {
                Value::Text(text) => text.clone().into_owned(),
                other => other.to_string(),
            },
            locked: setting.locked,
        };
        InForce {
            version,
            keys: self.settings().map(row).collect(),
            look,
            sources,
        }
    }
}

impl Catalogue {
    /// Reads back what is in force.
    pub fn read_back(&self, in_force: &InForce) -> Config {
        let mut config = self.built_in();
        for (key, setting) in self.keys.iter().zip(&mut config.settings) {
            let Some((text, locked)) = in_force.value(key.name) else {
                continue;
            };
            let Some(value) = key.kind.read(text).filter(|value| *value != setting.value) else {
                setting.locked = locked;
                continue;
            };
            *setting = Setting {
                value,
                origin: Origin::User,
                source: SOURCE.to_owned(),
                at: None,
                locked,
            };
        }
        config
    }

    /// Whether sessions go by the key of that name.
    pub fn is_for_sessions(&self, name: &str) -> bool {
        self.find(name).is_some_and(|(_, key)| key.part.is_of_sessions())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CATALOGUE, Layered, Origin, RawConfig};
    use super::*;
    use crate::in_force::{KEYS_MAX, SESSION_KEYS_MAX};

    fn user(text: &str) -> Layered {
        RawConfig::parse(Origin::User, "t", text).check(&CATALOGUE)
    }

    #[test]
    fn what_is_in_force_is_read_back() {
        let text = "editor.theme = \"mine\"\neditor.suggest = false\nworker.linger_s = 9\n";
        let system = RawConfig::parse(
            Origin::System,
            "s",
            "locked = [\"alerts.*\"]\nalerts.per_hour = 3",
        )
        .check(&CATALOGUE);
        let merged = CATALOGUE.merge(&[system, user(text)]).unwrap().config;
        let printed = merged.in_force(4, None, Vec::new()).encode();
        let read = InForce::decode(printed.as_bytes()).unwrap();
        let again = CATALOGUE.read_back(&read);
        assert!(again.says_the_same(&merged));
        assert_eq!(again.in_force(4, None, Vec::new()), read);
        assert!(read.value("alerts.prompt").unwrap().1 && !read.value("editor.theme").unwrap().1);
    }

    #[test]
    fn what_is_not_known_is_as_it_is_built_in() {
        let text = "lusush-config 1 4\nkey editor.later free x\nkey worker.linger_s free -4\nend 3\n";
        let read = CATALOGUE.read_back(&InForce::decode(text.as_bytes()).unwrap());
        assert!(read.says_the_same(&CATALOGUE.built_in()));
    }

    #[test]
    fn there_is_room_for_every_key() {
        assert!(CATALOGUE.keys.len() <= KEYS_MAX);
        let of_sessions = CATALOGUE.names().filter(|name| CATALOGUE.is_for_sessions(name));
        assert!(of_sessions.count() <= SESSION_KEYS_MAX);
    }
}
