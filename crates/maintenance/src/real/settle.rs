//! From the files as they are to the configuration in force, on disk: one way for the worker, the launcher and
//! `lusush maint config`.
//!
//! ```text
//!  lock ▸ system's file, user's file, theme ▸ check ─┬ sound ▸ new states to the log of versions ▸ `in-force` replaced
//!                                                    └ not ──▸ `refused` replaced; `in-force` stays as it is
//! ```
//!
//! Invariants: what is in force is in the log of versions first, and sound; killed at any moment, `in-force` is one whole
//! version, the old or the new; whoever comes second finds nothing to do. What changes while it is read is read again. A
//! file that others could have written is refused, and nothing here follows a name twice: each is opened once, looked at
//! and read by its descriptor. Nothing here waits for the disk: what was acknowledged is durable once its
//! [`Unsynced`] is. A loss of power before that costs the newest version at most, which the next look at the files makes
//! again.

pub mod back;
mod refusal;
pub mod unsynced;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lle_core::config::{
    CATALOGUE, Config, FILE_NAME, Layered, Merged, Name, Origin, Problem, RawConfig, Refused, Weight,
    theme_file,
};
use lle_core::in_force::{self, InForce, Look};
use lle_core::theme;
use lle_log::versions::{self, Cause, Version, Versions};

use super::config::{ReadError, ReplaceError, Trust};
use super::versions::{Accepted, Held, VersionLog, VersionsError};
use super::{draft, layers};
use crate::world::ConfigFound;
use unsynced::Unsynced;

/// What says why the files as they are did not come into force, beside `in-force`.
pub const REFUSED_NAME: &str = "refused";
/// How often files are read that change while they are.
const READS_MAX: usize = 3;

/// Where the configuration is.
#[derive(Clone, Debug)]
pub struct ConfigFiles {
    /// The machine's file.
    pub system: PathBuf,
    /// The user's.
    pub user: PathBuf,
    /// The state folder, with the versions in it.
    pub state: PathBuf,
    /// This machine's folder in it, with what is in force here.
    pub maint: PathBuf,
}

/// Who settles, and when.
#[derive(Clone, Copy, Debug)]
pub struct Settler {
    /// Nanoseconds of Unix time.
    pub wall_ns: i64,
    /// The program.
    pub tool: &'static str,
    /// How long it waits for whoever else does.
    pub patience: Duration,
}

/// Why nothing was settled. What was in force still is.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// Somebody else is at it, or writes a file just now.
    #[error("somebody else is changing it")]
    Busy,
    /// It cannot be kept, so it is not in force.
    #[error("no version can be kept")]
    Versions(#[from] VersionsError),
    /// The file that is to say something else cannot be written.
    #[error("{path} cannot be replaced")]
    Replace {
        /// Which.
        path: PathBuf,
        /// Why.
        source: ReplaceError,
    },
    /// The file that is to say something else says what would be lost.
    #[error("{path} says something that is not among the versions")]
    Unkept {
        /// Which.
        path: PathBuf,
    },
    /// What was to be replaced is not the newest any more.
    #[error("version {number} has come since")]
    Newer {
        /// The newest.
        number: u64,
    },
    /// The file that is to say something else cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: ReadError,
    },
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What settling came to.
#[derive(Debug)]
pub struct Settled {
    /// What is in force now.
    pub found: ConfigFound,
    /// What was written for that, and is to be made durable when there is time.
    pub unsynced: Unsynced,
}

impl ConfigFiles {
    /// The folder of the user's themes.
    pub fn themes(&self) -> PathBuf {
        self.user.with_file_name("themes")
    }

    /// What is in force, for sessions that start.
    pub fn in_force(&self) -> PathBuf {
        self.maint.join(in_force::FILE_NAME)
    }

    /// Why the files as they are did not come into force, the last time that they did not.
    pub fn refused(&self) -> PathBuf {
        self.maint.join(REFUSED_NAME)
    }

    /// What the machine's file is called among the versions: homes are shared, and each machine has its own.
    fn system_name(&self) -> String {
        let machine = self.maint.file_name().unwrap_or_default();
        format!("system {}", machine.display())
    }

    /// The file that the log of versions calls so; none if it is another machine's.
    pub fn path(&self, file: &str) -> Option<PathBuf> {
        match file {
            FILE_NAME => Some(self.user.clone()),
            theme if theme.starts_with("themes/") => Some(self.user.with_file_name(theme)),
            system => (system == self.system_name()).then(|| self.system.clone()),
        }
    }

    fn theme(&self, name: &str) -> PathBuf {
        self.themes().join(format!("{name}.toml"))
    }

    fn user_trust() -> Trust {
        Trust::User(rustix::process::geteuid().as_raw())
    }

    /// What is in force by the file; none if there is none that is whole.
    pub fn read_in_force(&self) -> Option<InForce> {
        InForce::decode(&draft::read_small(&self.in_force())?)
    }

    /// What tells the files as they are now from others of their names, with the theme of that name.
    pub(crate) fn stamps(&self, theme_name: &str) -> Vec<String> {
        let mut stamps = vec![stamp("system", &self.system), stamp("user", &self.user)];
        if theme::find(theme_name).is_none() {
            stamps.push(stamp("theme", &self.theme(theme_name)));
        }
        stamps
    }

    /// What tells the same files from others now that `seen` told from others then.
    pub(crate) fn stamps_like<'s>(&self, seen: impl IntoIterator<Item = &'s str>) -> Vec<String> {
        let theme_of = |source: &'s str| source.strip_prefix("theme ")?.split(' ').next();
        let name = seen.into_iter().find_map(theme_of);
        self.stamps(name.unwrap_or(theme::THEMES[0].name))
    }

    /// Whether nothing has changed since it was settled. Costs a few looks at the disk.
    pub fn is_settled(&self) -> bool {
        self.is_settled_as(self.read_in_force().as_ref())
    }

    /// The same, by what [`ConfigFiles::read_in_force`] gave just now.
    pub fn is_settled_as(&self, in_force: Option<&InForce>) -> bool {
        let Some(found) = in_force else {
            let is_absent = |path: &Path| path.symlink_metadata().is_err();
            return is_absent(&self.system) && is_absent(&self.user);
        };
        if self.stamps_like(found.sources.iter().map(String::as_str)) == found.sources {
            return true;
        }
        // Refused as they are, the files need not be read again either.
        self.is_refused()
    }

    /// Whether the files were refused as they are now.
    pub fn is_refused(&self) -> bool {
        let refused = draft::read_small(&self.refused());
        let document: serde_json::Value = refused
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let sources: Vec<&str> = document["sources"]
            .as_array()
            .map(|sources| sources.iter().filter_map(|source| source.as_str()).collect())
            .unwrap_or_default();
        !sources.is_empty() && self.stamps_like(sources.iter().copied()) == sources
    }
}

/// One file as it is; what is not there has a stamp as well.
fn stamp(kind: &str, path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    match fs::metadata(path) {
        // A link to nothing is another state than no link: that one is refused.
        Err(_) if path.symlink_metadata().is_ok() => format!("{kind} {name} dangling"),
        Err(_) => format!("{kind} {name} none"),
        Ok(found) => format!(
            "{kind} {name} {} {} {} {}.{} {}.{}",
            found.dev(),
            found.ino(),
            found.len(),
            found.mtime(),
            found.mtime_nsec(),
            found.ctime(),
            found.ctime_nsec()
        ),
    }
}

/// Brings the files as they are into force, if they are sound and say anything new.
///
/// # Errors
/// Somebody else is at it, or it cannot be kept: what was in force stays.
pub fn settle(files: &ConfigFiles, by: &Settler) -> Result<Settled, SettleError> {
    let mut held = hold(files, by)?;
    settle_held(files, &mut held, by)
}

fn hold(files: &ConfigFiles, by: &Settler) -> Result<Held, SettleError> {
    VersionLog::below(&files.state).hold(by.patience).map_err(busy)
}

fn busy(error: VersionsError) -> SettleError {
    match error {
        VersionsError::Io(error) if error.kind() == io::ErrorKind::WouldBlock => SettleError::Busy,
        other => other.into(),
    }
}

/// What the files say, all read in one state.
struct Sources {
    stamps: Vec<String>,
    system: Option<String>,
    user: Option<String>,
    /// The name and the text of the theme's file.
    theme: Option<(String, Option<String>)>,
    sound: Result<Sound, Refused>,
}

/// What may come into force.
struct Sound {
    config: Config,
    look: Option<Look>,
    warnings: Vec<Problem>,
}

fn settle_held(files: &ConfigFiles, held: &mut Held, by: &Settler) -> Result<Settled, SettleError> {
    let before = files.read_in_force();
    let sources = read_all(files)?;
    let sound = match &sources.sound {
        Ok(sound) => sound,
        Err(refused) => {
            refusal::note(files, by, &sources.stamps, refused)?;
            let last_good = match before {
                Some(before) => before,
                None => last_good(files, &held.bytes()?)?,
            };
            return Ok(Settled {
                found: ConfigFound {
                    in_force: last_good,
                    refused: Some(refused.clone()),
                    warnings: Vec::new(),
                    sources: sources.stamps.clone(),
                },
                unsynced: Unsynced::default(),
            });
        }
    };
    let mut unsynced = Unsynced::default();
    let version = keep(files, held, by, &sources, &mut unsynced)?;
    let config = &sound.config;
    let in_force = config.in_force(version, sound.look.clone(), sources.stamps.clone());
    if before.as_ref() != Some(&in_force) {
        write_in_force(files, &in_force)?;
        unsynced.file(files.in_force());
    }
    Ok(Settled {
        found: ConfigFound {
            in_force,
            refused: None,
            warnings: sound.warnings.clone(),
            sources: sources.stamps.clone(),
        },
        unsynced,
    })
}

fn write_in_force(files: &ConfigFiles, in_force: &InForce) -> io::Result<()> {
    draft::create_folder(&files.maint)?;
    draft::put(&files.in_force(), in_force.encode().as_bytes())
}

/// Keeps what the files say as versions; gives the newest number of those that are in force.
fn keep(
    files: &ConfigFiles,
    held: &mut Held,
    by: &Settler,
    sources: &Sources,
    unsynced: &mut Unsynced,
) -> Result<u64, SettleError> {
    let system = files.system_name();
    let theme = sources
        .theme
        .as_ref()
        .map(|(name, text)| (theme_file_name(name), text));
    let mut texts = vec![(system.as_str(), &sources.system), (FILE_NAME, &sources.user)];
    texts.extend(theme.as_ref().map(|(name, text)| (name.as_str(), *text)));
    let mut number = 0;
    for (name, text) in texts {
        // A file that never was needs no version; one that has gone has an empty one.
        if text.is_some() || held.newest(name)?.is_some() {
            let content = text.as_deref().unwrap_or_default().as_bytes();
            if held.accept(&[state(by, name, content)])?.is_some() {
                unsynced.log(&VersionLog::below(&files.state));
            }
        }
        let newest = held.newest(name)?;
        number = number.max(newest.map_or(0, |(number, _)| number));
    }
    Ok(number)
}

fn state<'a>(by: &Settler, file: &'a str, content: &'a [u8]) -> Accepted<'a> {
    Accepted {
        time_ns: by.wall_ns,
        cause: Cause::Noticed,
        from: 0,
        file,
        tool: by.tool,
        content,
    }
}

fn theme_file_name(name: &str) -> String {
    format!("themes/{name}.toml")
}

fn read_all(files: &ConfigFiles) -> Result<Sources, SettleError> {
    for _ in 0..READS_MAX {
        let sources = read_once(files);
        let name = sources
            .theme
            .as_ref()
            .map_or(theme::THEMES[0].name, |(name, _)| name);
        if files.stamps(name) == sources.stamps {
            return Ok(sources);
        }
    }
    Err(SettleError::Busy)
}

fn read_once(files: &ConfigFiles) -> Sources {
    let mut stamps = files.stamps(theme::THEMES[0].name);
    let (system_layer, system) = layers::file(Origin::System, &files.system, Trust::Root);
    let (user_layer, user) = layers::file(Origin::User, &files.user, ConfigFiles::user_trust());
    let merged = CATALOGUE.merge(&[system_layer, user_layer]);
    let mut sources = Sources {
        stamps: Vec::new(),
        system,
        user,
        theme: None,
        sound: Err(Refused {
            problems: Vec::new(),
            more_problems: 0,
        }),
    };
    sources.sound = merged.and_then(|Merged { config, mut warnings }| {
        let name = config.word(Name::EditorTheme).to_owned();
        if theme::find(&name).is_some() {
            return Ok(Sound {
                config,
                look: None,
                warnings,
            });
        }
        let path = files.theme(&name);
        stamps.push(stamp("theme", &path));
        let read = layers::theme(&path, ConfigFiles::user_trust());
        let text = read
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .map(|found| found.text.clone());
        sources.theme = Some((name.clone(), text));
        let look = match read {
            Ok(Some(found)) => {
                warnings.extend(found.warnings);
                Some(look_of(&name, &found.theme))
            }
            Ok(None) => {
                warnings.push(no_theme(&path, &name));
                None
            }
            Err(problems) => {
                return Err(Refused {
                    problems,
                    more_problems: 0,
                });
            }
        };
        Ok(Sound {
            config,
            look,
            warnings,
        })
    });
    sources.stamps = stamps;
    sources
}

fn look_of(name: &str, theme: &theme_file::ThemeFile) -> Look {
    Look {
        name: name.to_owned(),
        sgr: theme.sgr.clone(),
    }
}

/// That the theme's file is not there.
pub fn no_theme(path: &Path, name: &str) -> Problem {
    let known: Vec<&str> = theme::THEMES.iter().map(|theme| theme.name).collect();
    Problem {
        weight: Weight::Warning,
        source: path.display().to_string(),
        at: None,
        message: format!("there is no theme `{name}`"),
        expected: known.join(", "),
        meant: None,
        remedy: "take one of these, or put one there".to_owned(),
    }
}

/// What was in force by the log of versions, when nothing else tells: what it says of each file last is sound.
fn last_good(files: &ConfigFiles, bytes: &[u8]) -> Result<InForce, SettleError> {
    let known = versions::read(bytes).map_err(VersionsError::from)?;
    let found = at_version(files, &known, u64::MAX);
    let Some(found) = found else {
        return Ok(CATALOGUE.built_in().in_force(0, None, Vec::new()));
    };
    write_in_force(files, &found)?;
    Ok(found)
}

/// The configuration as it was when version `number` was accepted; none if the log does not reach back so far.
pub fn at_version(files: &ConfigFiles, known: &Versions<'_>, number: u64) -> Option<InForce> {
    let system_name = files.system_name();
    let of = |name: &str| -> Option<Version<'_>> {
        known
            .versions
            .iter()
            .rfind(|version| version.file == name && version.number <= number)
            .copied()
    };
    let (system, user) = (of(&system_name), of(FILE_NAME));
    let checked = |origin: Origin, version: &Option<Version<'_>>| -> Layered {
        let text = version.map_or(String::new(), |version| {
            String::from_utf8_lossy(version.content).into_owned()
        });
        RawConfig::parse(origin, "", &text).check(&CATALOGUE)
    };
    let layers = [checked(Origin::System, &system), checked(Origin::User, &user)];
    let config = CATALOGUE.merge(&layers).ok()?.config;
    let name = config.word(Name::EditorTheme).to_owned();
    let theme = of(&theme_file_name(&name)).filter(|_| theme::find(&name).is_none());
    let look = theme.and_then(|version| {
        let text = String::from_utf8_lossy(version.content);
        let (found, _) = theme_file::read("", &text).ok()?;
        Some(look_of(&name, &found))
    });
    let numbers = [system, user, theme]
        .into_iter()
        .flatten()
        .map(|version| version.number);
    let newest = numbers.max()?;
    Some(config.in_force(newest, look, Vec::new()))
}

#[cfg(test)]
mod tests;
