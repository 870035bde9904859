//! How it looks: the themes are those of `lle-core`, which the configuration knows as well.

pub(crate) use lle_core::theme::{MONO, Role, THEMES, Theme, find};

/// SGR parameters laid over a cell in the active region.
pub(crate) const REGION: &str = "7";
