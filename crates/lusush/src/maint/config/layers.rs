//! What the configuration is made of: the machine's file, the user's, variables, and words of the command.

use std::path::{Path, PathBuf};

use lle_core::config::{
    CATALOGUE, Config, FILE_NAME, Layered, Name, Origin, Problem, SYSTEM_FILE, VARIABLE_PREFIX, command_line,
    environment,
};
use lle_core::theme;
use lle_maintenance::real::config::{FileText, Trust, read};
use lle_maintenance::real::layers;
use lle_maintenance::real::settle::no_theme;

use crate::failure::Failure;
use crate::paths;

/// Where the user's file is.
pub(super) fn user_file() -> Result<PathBuf, Failure> {
    let folder = paths::config().map_err(|refusal| {
        Failure::new("there is no place for a configuration")
            .because(refusal)
            .hint("`lusush doctor` says more about folders")
    })?;
    Ok(folder.join(FILE_NAME))
}

/// What the user's file has to be like.
pub(super) fn user_trust() -> Trust {
    Trust::User(rustix::process::geteuid().as_raw())
}

/// Reads the user's file, to change it.
pub(super) fn user_text(path: &Path) -> Result<Option<FileText>, Failure> {
    read(path, user_trust()).map_err(|error| {
        let remedy = layers::remedy(&error, path);
        Failure::new(format!("cannot read {}", path.display()))
            .because(error)
            .hint(remedy)
    })
}

/// All layers, with `words` of the command as the last one.
pub(crate) fn all(words: &[String]) -> Vec<Layered> {
    let mut layers = vec![file(Origin::System, Path::new(SYSTEM_FILE), Trust::Root)];
    if let Ok(path) = user_file() {
        layers.push(file(Origin::User, &path, user_trust()));
    }
    layers.push(variables());
    layers.push(command_line(&CATALOGUE, words.iter().map(String::as_str)));
    layers
}

/// What the environment says.
pub(super) fn variables() -> Layered {
    let ours = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        // What is no text is no value of ours, and is told as such.
        name.starts_with(VARIABLE_PREFIX)
            .then(|| (name, value.to_string_lossy().into_owned()))
    });
    let ours: Vec<(String, String)> = ours.collect();
    environment(
        &CATALOGUE,
        ours.iter().map(|(name, value)| (name.as_str(), value.as_str())),
    )
}

/// One file, checked; an empty layer if there is none.
pub(super) fn file(origin: Origin, path: &Path, trust: Trust) -> Layered {
    layers::file(origin, path, trust).0
}

/// What is wrong with the theme in force, if it is not a built-in one: that in `themes` in the folder `beside` if there is
/// one, else the user's.
pub(super) fn theme_problems(config: &Config, beside: Option<&Path>) -> Vec<Problem> {
    let name = config.word(Name::EditorTheme);
    if theme::find(name).is_some() {
        return Vec::new();
    }
    let in_folder = |folder: &Path| folder.join("themes").join(format!("{name}.toml"));
    if let Some(found) = beside.and_then(|beside| theme_file(&in_folder(beside), Trust::Anyone)) {
        return found;
    }
    let Ok(user) = user_file() else { return Vec::new() };
    let path = in_folder(user.parent().unwrap_or(Path::new(".")));
    theme_file(&path, user_trust()).unwrap_or_else(|| vec![no_theme(&path, name)])
}

/// What is wrong with a theme of the user's; none if there is no such file.
pub(super) fn theme_file(path: &Path, trust: Trust) -> Option<Vec<Problem>> {
    match layers::theme(path, trust) {
        Ok(None) => None,
        Ok(Some(found)) => Some(found.warnings),
        Err(problems) => Some(problems),
    }
}
