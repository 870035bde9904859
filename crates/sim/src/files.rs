//! The configuration's file and the log of its versions, as far as the engine sees them.
//!
//! A line `# colours N` stands for a theme of the user's in force whose file says that: it changes no key.
//!
//! Invariant: what was accepted once is among the versions for ever; a text that is not among them is never written over.

use std::collections::BTreeMap;

use lle_core::config::{CATALOGUE, Merged, Origin, RawConfig};
use lle_core::in_force::Look;
use lle_core::theme::ROLE_COUNT;
use lle_maintenance::world::{ConfigFound, ConfigTrouble};

/// The user's file.
#[derive(Clone, Debug, Default)]
pub struct SimFiles {
    /// What it says.
    pub text: String,
    /// What it said, by number from 1.
    pub versions: Vec<String>,
    /// What became of versions.
    pub verdicts: BTreeMap<u64, bool>,
    /// Nothing can be written.
    pub unwritable: bool,
}

impl SimFiles {
    fn newest(&self) -> &str {
        self.versions.last().map_or("", String::as_str)
    }

    /// Brings what the file says into force.
    ///
    /// # Errors
    /// It cannot be kept.
    pub fn settle(&mut self) -> Result<ConfigFound, ConfigTrouble> {
        if self.text != self.newest() {
            if self.unwritable {
                return Err(ConfigTrouble::Failed("the disk is full".into()));
            }
            self.versions.push(self.text.clone());
        }
        let layered = RawConfig::parse(Origin::User, "config.toml", &self.text).check(&CATALOGUE);
        let merged = CATALOGUE.merge(&[layered]);
        let Merged { config, warnings } =
            merged.map_err(|refused| ConfigTrouble::Failed(refused.to_string()))?;
        Ok(ConfigFound {
            in_force: config.in_force(self.versions.len() as u64, look(&self.text), Vec::new()),
            refused: None,
            warnings,
            sources: Vec::new(),
        })
    }

    /// Makes the file say again what it said as that version.
    ///
    /// # Errors
    /// It cannot be written, or says what would be lost.
    pub fn restore(&mut self, version: u64) -> Result<ConfigFound, ConfigTrouble> {
        if self.unwritable {
            return Err(ConfigTrouble::Failed("the disk is full".into()));
        }
        if self.text != self.newest() {
            return Err(ConfigTrouble::Failed(
                "it says what is not among the versions".into(),
            ));
        }
        let then = usize::try_from(version)
            .ok()
            .and_then(|version| self.versions.get(version.checked_sub(1)?));
        self.text = then.cloned().unwrap_or_default();
        self.settle()
    }
}

fn look(text: &str) -> Option<Look> {
    let colours = text.lines().find_map(|line| line.strip_prefix("# colours "))?;
    let mut sgr: [String; ROLE_COUNT] = Default::default();
    colours.clone_into(&mut sgr[1]);
    Some(Look {
        name: "mine".into(),
        sgr,
    })
}
