//! Themes: one table from what a cell is to how it looks. No colour stands anywhere else in the code.
//!
//! Invariants: every theme gives every [`Role`] an SGR parameter string, empty for the terminal's own colours. A theme
//! that names its background names fixed colours only, and each of them is readable on it.

#[cfg(feature = "engine")]
pub mod contrast;

macro_rules! roles {
    ($($role:ident, $name:literal, $dim:literal;)*) => {
        /// What a stretch of the screen is.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Role { $(#[doc = concat!("`", $name, "`.")] $role,)* }

        /// Every role, in the order in which themes list them.
        pub const ROLES: &[Role] = &[$(Role::$role,)*];

        impl Role {
            /// The stable name, as files of themes have it.
            pub const fn name(self) -> &'static str {
                match self { $(Role::$role => $name,)* }
            }

            /// Whether it is meant to stand back: a hint, and not what was typed.
            pub const fn is_dim(self) -> bool {
                match self { $(Role::$role => $dim,)* }
            }
        }
    };
}

roles! {
    Plain, "plain", false;
    Command, "command", false;
    Unknown, "unknown", false;
    Keyword, "keyword", false;
    Option, "option", false;
    String, "string", false;
    Variable, "variable", false;
    Operator, "operator", false;
    Comment, "comment", true;
    Error, "error", false;
    Suggestion, "suggestion", true;
    MenuItem, "menu-item", false;
    MenuSelected, "menu-selected", false;
    MenuDescription, "menu-description", true;
    MenuFooter, "menu-footer", true;
    Notice, "notice", false;
}

/// How many roles there are.
pub const ROLE_COUNT: usize = ROLES.len();

/// A colour, as red, green and blue.
pub type Colour = [u8; 3];

/// A named look.
#[derive(Debug)]
pub struct Theme {
    /// The name given to `lle theme`, `LUSUSH_THEME` and `editor.theme`.
    pub name: &'static str,
    /// The background and the terminal's own text colour that it is made for; none if it is made of the terminal's own
    /// colours, whatever they are.
    pub made_for: Option<(Colour, Colour)>,
    /// SGR parameters (ECMA-48 8.3.117) per role, in the order of [`ROLES`].
    pub sgr: [&'static str; ROLE_COUNT],
}

impl Theme {
    /// Gives the SGR parameters of a role; empty for no change.
    pub fn sgr(&self, role: Role) -> &'static str {
        self.sgr[role as usize]
    }

    /// As [`Theme::sgr`], by the role's number; that of plain text past the last role.
    pub fn sgr_of(&self, role: usize) -> &'static str {
        self.sgr.get(role).copied().unwrap_or(self.sgr(Role::Plain))
    }
}

/// The theme used when `NO_COLOR` is set and not empty.
pub const MONO: &str = "mono";

/// All themes; the first is the default.
pub static THEMES: &[Theme] = &[
    Theme {
        name: "default",
        made_for: None,
        //     plain cmd  unknown keyword option str  var   operator comment error suggestion
        sgr: [
            "", "32", "31", "35", "36", "33", "34", "1", "90", "4;31", "90", //
            "", "7", "90", "90", "36",
        ],
    },
    Theme {
        name: "bold",
        made_for: None,
        sgr: [
            "", "1;32", "1;31", "1;35", "36", "33", "1;34", "1", "2;3", "1;4;31", "2", //
            "", "1;7", "2", "2", "1;36",
        ],
    },
    Theme {
        // For black on white.
        name: "light",
        made_for: Some(([255, 255, 255], [0, 0, 0])),
        sgr: [
            "",
            "38;5;28",
            "38;5;160",
            "38;5;90",
            "38;5;23",
            "38;5;94",
            "38;5;25",
            "1",
            "38;5;244",
            "4;38;5;160",
            "38;5;245", //
            "",
            "7",
            "38;5;244",
            "38;5;244",
            "38;5;23",
        ],
    },
    Theme {
        // For ink on warm paper.
        name: "paper",
        made_for: Some(([253, 246, 227], [48, 48, 48])),
        sgr: [
            "",
            "38;5;22",
            "38;5;124",
            "38;5;54",
            "38;5;24",
            "38;5;88",
            "38;5;18",
            "1",
            "38;5;243",
            "4;38;5;124",
            "38;5;244", //
            "",
            "7",
            "38;5;243",
            "38;5;243",
            "38;5;24",
        ],
    },
    Theme {
        // For light grey on nearly black.
        name: "night",
        made_for: Some(([28, 28, 28], [208, 208, 208])),
        sgr: [
            "",
            "38;5;114",
            "38;5;210",
            "38;5;176",
            "38;5;80",
            "38;5;180",
            "38;5;111",
            "1",
            "38;5;244",
            "4;38;5;210",
            "38;5;243", //
            "",
            "7",
            "38;5;244",
            "38;5;244",
            "38;5;80",
        ],
    },
    Theme {
        // For pale text on a deep blue.
        name: "deep",
        made_for: Some(([0, 43, 54], [188, 198, 200])),
        sgr: [
            "",
            "38;5;150",
            "38;5;216",
            "38;5;183",
            "38;5;116",
            "38;5;222",
            "38;5;117",
            "1",
            "38;5;247",
            "4;38;5;216",
            "38;5;246", //
            "",
            "7",
            "38;5;247",
            "38;5;247",
            "38;5;116",
        ],
    },
    Theme {
        // What NO_COLOR (no-color.org) leaves: faint, underline and reverse are not colours.
        name: MONO,
        made_for: None,
        sgr: [
            "", "", "", "", "", "", "", "", "", "4", "2", "", "7", "2", "2", "",
        ],
    },
];

/// Finds a theme by name.
pub fn find(name: &str) -> Option<&'static Theme> {
    THEMES.iter().find(|theme| theme.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sgr_holds_only_parameters() {
        for theme in THEMES {
            let plain = |sgr: &&str| sgr.bytes().all(|b| b.is_ascii_digit() || b == b';');
            assert!(theme.sgr.iter().all(plain), "{}", theme.name);
        }
    }

    #[test]
    fn names_are_distinct() {
        for (at, theme) in THEMES.iter().enumerate() {
            assert!(
                THEMES[..at].iter().all(|other| other.name != theme.name),
                "{}",
                theme.name
            );
        }
    }

    #[test]
    fn mono_has_no_colour() {
        let mono = find(MONO).expect("in the table");
        for sgr in mono.sgr {
            assert!(
                sgr.split(';')
                    .all(|p| p.is_empty() || p.parse::<u8>().is_ok_and(|n| n < 10)),
                "{sgr}"
            );
        }
    }
}
