//! The parts whose health is told apart.

use serde::{Deserialize, Serialize};

macro_rules! components {
    ($($row:ident, $name:literal, $unmeasured:literal;)*) => {
        /// A part of the shell, or what hosts it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Component { $(#[doc = concat!("`", $name, "`.")] $row,)* }

        impl Component {
            /// Every component, in the order in which they are listed.
            pub const ALL: &[Component] = &[$(Component::$row,)*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Component::$row => $name,)* }
            }

            /// Why nothing is known of it when none of its metrics is.
            pub const fn unmeasured(self) -> &'static str {
                match self { $(Component::$row => $unmeasured,)* }
            }
        }
    };
}

components! {
    Terminal,       "terminal",       "nothing was painted in the last minute";
    Buffer,         "buffer",         "the line belongs to readline, which counts nothing";
    Event,          "event",          "no session has been sampled twice yet";
    Display,        "display",        "no session has been sampled twice yet";
    History,        "history",        "no session has been sampled twice yet";
    Completion,     "completion",     "no session has been sampled twice yet";
    Syntax,         "syntax",         "no session has been sampled twice yet";
    Autosuggestion, "autosuggestion", "no suggestion was looked for yet";
    Cache,          "cache",          "no session has said what its caches did";
    Memory,         "memory",         "neither /proc nor the allocator told anything";
    Plugins,        "plugins",        "plugins are not built yet";
    Prompt,         "prompt",         "too few prompts were seen";
    Config,         "config",         "no session has said which configuration it applied";
    Storage,        "storage",        "no session has said whether it can write";
    Host,           "host",           "no session has said whether LLE is in force";
}

impl Component {
    /// Finds a component by its name.
    pub fn named(name: &str) -> Option<Component> {
        Self::ALL
            .iter()
            .copied()
            .find(|component| component.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_serde_writes() {
        for component in Component::ALL {
            let json = serde_json::to_string(component).unwrap();
            assert_eq!(json, format!("{:?}", component.name()));
            assert_eq!(Component::named(component.name()), Some(*component));
        }
        assert_eq!(Component::ALL.len(), 15);
    }
}
