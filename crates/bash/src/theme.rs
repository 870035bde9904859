//! How it looks: the themes are those of `lle-core`, which the configuration knows as well, and the user's own, which the
//! worker has read and checked.

use lle_core::in_force;
pub(crate) use lle_core::theme::{MONO, Role, THEMES, Theme, find};
use lle_core::theme::{ROLE_COUNT, ROLES};
use std::borrow::Cow;

/// SGR parameters laid over a cell in the active region.
pub(crate) const REGION: &str = "7";

/// A theme in use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Look {
    /// The theme's name.
    pub(crate) name: Cow<'static, str>,
    sgr: [Cow<'static, str>; ROLE_COUNT],
}

impl Look {
    /// The looks of a theme of the user's.
    pub(crate) fn of(published: &in_force::Look) -> Self {
        Self {
            name: published.name.clone().into(),
            sgr: published.sgr.clone().map(Cow::Owned),
        }
    }

    /// Gives the SGR parameters of a role; empty for no change.
    pub(crate) fn sgr(&self, role: Role) -> &str {
        self.sgr_of(role as usize)
    }

    /// As [`Look::sgr`], by the role's number; that of plain text past the last role.
    pub(crate) fn sgr_of(&self, role: usize) -> &str {
        self.sgr.get(role).unwrap_or(&self.sgr[Role::Plain as usize])
    }

    /// Whether a role, by its number, looks otherwise under another theme.
    pub(crate) fn differs(&self, other: &Self, role: usize) -> bool {
        role < ROLES.len() && self.sgr_of(role) != other.sgr_of(role)
    }
}

impl From<&'static Theme> for Look {
    fn from(theme: &'static Theme) -> Self {
        Self {
            name: theme.name.into(),
            sgr: theme.sgr.map(Cow::Borrowed),
        }
    }
}
