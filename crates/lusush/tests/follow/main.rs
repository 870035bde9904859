//! From a saved file to every session: what running sessions and new ones go by, on real files and terminals.
#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

#[path = "../support/mod.rs"]
mod support;

mod files;
mod keys;
mod killed;
mod live;

use std::fs;
use std::path::PathBuf;

use lle_pty::Terminal;
use serde_json::Value;
use support::household::{Household, wait};

/// The user's file.
fn file(house: &Household) -> PathBuf {
    house.home.lusush().join("config/config.toml")
}

/// Saves the user's file in place.
fn save(house: &Household, text: impl AsRef<[u8]>) {
    fs::create_dir_all(file(house).parent().unwrap()).unwrap();
    fs::write(file(house), text).unwrap();
}

fn theme_file(house: &Household, name: &str) -> PathBuf {
    let folder = file(house).with_file_name("themes");
    fs::create_dir_all(&folder).unwrap();
    folder.join(format!("{name}.toml"))
}

fn status(house: &Household) -> Value {
    house.json(&["config", "status"])
}

fn in_force(house: &Household) -> u64 {
    status(house)["in_force"]["number"].as_u64().unwrap()
}

/// Waits until that version, or a later one, is in force, and every session goes by it.
fn followed(house: &Household, version: u64) {
    wait("every session to follow", || {
        let status = status(house);
        let number = status["in_force"]["number"].as_u64().unwrap();
        let sessions = status["sessions"].as_array().unwrap().clone();
        number >= version && sessions.iter().all(|session| session["pending"].is_null())
    });
}

/// A shell by the launcher, without a worker.
fn launched(house: &Household) -> Terminal {
    launched_with(house, &[])
}

fn launched_with(house: &Household, variables: &[(&str, &str)]) -> Terminal {
    let mut spawn = house.home.spawn(support::lusush()).size(60, 80);
    for (name, value) in variables {
        spawn = spawn.env(name, value);
    }
    let mut terminal = Terminal::spawn(&spawn).unwrap();
    terminal
        .settle()
        .unwrap_or_else(|error| panic!("no prompt: {error}"));
    terminal
}

/// What `lle status` says of a word.
fn says(terminal: &mut Terminal, word: &str) -> String {
    terminal
        .press(&format!("\x15clear; lle status | grep '^  {word} '\r"))
        .unwrap();
    let text = terminal.text();
    let line = text.lines().find(|line| line.starts_with(&format!("  {word} ")));
    let line = line.unwrap_or_else(|| panic!("{word} is not told:\n{text}"));
    line.split_whitespace().nth(1).unwrap_or_default().to_owned()
}

/// The colour of the character at a place of the screen.
fn colour(terminal: &Terminal, row: u16, col: u16) -> vt100::Color {
    terminal.screen().cell(row, col).unwrap().fgcolor()
}
