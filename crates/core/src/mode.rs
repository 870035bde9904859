//! How far the system may go by itself, for each area of its work.

use serde::{Deserialize, Serialize};

/// What may be done without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Measure.
    Observe,
    /// Say what would be done.
    Advise,
    /// Do it.
    Automatic,
}

impl Mode {
    /// Every mode, from the one that does least.
    pub const ALL: &[Mode] = &[Mode::Observe, Mode::Advise, Mode::Automatic];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Observe => "observe",
            Mode::Advise => "advise",
            Mode::Automatic => "automatic",
        }
    }

    /// Finds a mode by its name.
    pub fn named(name: &str) -> Option<Mode> {
        Self::ALL.iter().copied().find(|mode| mode.name() == name)
    }
}
