//! Themes: one table from what a cell is to how it looks. No colour stands anywhere else in the code.
//!
//! Invariant: every theme gives every [`Role`] an SGR parameter string, empty for the terminal's own colours.

/// What a stretch of the screen is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Role {
    Plain,
    Command,
    Unknown,
    Keyword,
    Option,
    String,
    Variable,
    Operator,
    Comment,
    Error,
    Suggestion,
    MenuItem,
    MenuSelected,
    MenuDescription,
    MenuFooter,
    Notice,
}

/// How many roles there are.
pub(crate) const ROLES: usize = Role::Notice as usize + 1;

/// A named look.
pub(crate) struct Theme {
    /// The name given to `lle theme` and `LUSUSH_THEME`.
    pub(crate) name: &'static str,
    /// SGR parameters (ECMA-48 8.3.117) per role, in the order of [`Role`].
    sgr: [&'static str; ROLES],
}

impl Theme {
    /// Gives the SGR parameters of a role; empty for no change.
    pub(crate) fn sgr(&self, role: Role) -> &'static str {
        self.sgr[role as usize]
    }

    /// As [`Theme::sgr`], by the role's number; `None` past the last role.
    pub(crate) fn by_index(&self, role: usize) -> Option<&'static str> {
        self.sgr.get(role).copied()
    }
}

/// SGR parameters laid over a cell in the active region.
pub(crate) const REGION: &str = "7";

/// All themes; the first is the default. The columns are the roles in order.
pub(crate) const THEMES: &[Theme] = &[
    Theme {
        name: "default",
        //     plain cmd  unknown keyword option str  var   operator comment error suggestion
        sgr: [
            "", "32", "31", "35", "36", "33", "34", "1", "90", "4;31", "90", //
            "", "7", "90", "90", "36",
        ],
    },
    Theme {
        name: "bold",
        sgr: [
            "", "1;32", "1;31", "1;35", "36", "33", "1;34", "1", "2;3", "1;4;31", "2", //
            "", "1;7", "2", "2", "1;36",
        ],
    },
    Theme {
        name: "light",
        sgr: [
            "",
            "38;5;28",
            "38;5;160",
            "38;5;90",
            "38;5;30",
            "38;5;94",
            "38;5;25",
            "1",
            "38;5;246",
            "4;38;5;160",
            "38;5;248", //
            "",
            "7",
            "38;5;244",
            "38;5;246",
            "38;5;30",
        ],
    },
    Theme {
        // What NO_COLOR (no-color.org) leaves: faint, underline and reverse are not colours.
        name: "mono",
        sgr: [
            "", "", "", "", "", "", "", "", "", "4", "2", "", "7", "2", "2", "",
        ],
    },
];

/// The theme used when `NO_COLOR` is set and not empty.
pub(crate) const MONO: &str = "mono";

/// Finds a theme by name.
pub(crate) fn find(name: &str) -> Option<&'static Theme> {
    THEMES.iter().find(|t| t.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sgr_holds_only_parameters() {
        for theme in THEMES {
            assert!(
                theme
                    .sgr
                    .iter()
                    .all(|s| s.bytes().all(|b| b.is_ascii_digit() || b == b';')),
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
