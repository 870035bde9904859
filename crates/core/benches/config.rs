//! What checking and editing a configuration costs, beside its budget.
//!
//! A file of 200 lines has every key there is and comments between them, as there are no more keys than that; a second
//! one has a mistake in every line.
#![allow(
    clippy::disallowed_methods,
    reason = "a bench reads the clock and names the machine"
)]

use std::hint::black_box;
use std::time::Instant;

use lle_bench::{columns, head, row};
use lle_core::config::{CATALOGUE, KEYS, Origin, RawConfig, edit};

/// Measurements of each row.
const ROUNDS: usize = 5_000;
const LINES: usize = 200;

fn main() {
    head();
    columns();
    let sound = sound();
    let check = |text: &str| RawConfig::parse(Origin::User, "config.toml", text).check(&CATALOGUE);
    assert!(check(&sound).is_sound() && sound.lines().count() == LINES);
    row("config_validation", "check 200 lines", times(|| check(&sound)));
    row(
        "",
        "check 200 lines and merge",
        times(|| CATALOGUE.merge(&[check(&sound)])),
    );
    let mistaken: String = (0..LINES)
        .map(|n| format!("editor.higlight{n} = {n}\n"))
        .collect();
    row(
        "",
        "check 200 lines with a mistake each",
        times(|| check(&mistaken)),
    );
    let theme = KEYS
        .iter()
        .find(|key| key.name == "editor.theme")
        .expect("it is in the table");
    row(
        "",
        "set a key in 200 lines",
        times(|| edit::set(&sound, theme.name, &theme.default)),
    );
}

/// A file as people write them.
fn sound() -> String {
    let mut lines: Vec<String> = CATALOGUE.built_in().print().lines().map(str::to_owned).collect();
    let mut at = 0;
    while lines.len() < LINES {
        lines.insert(
            at % lines.len(),
            "# Why this is so, and what else was tried before.".to_owned(),
        );
        at += 2;
    }
    lines.join("\n") + "\n"
}

/// Nanoseconds of each round, in order.
fn times<T>(mut run: impl FnMut() -> T) -> Vec<f64> {
    let time = |_| {
        let start = Instant::now();
        black_box(run());
        start.elapsed().as_nanos() as f64
    };
    let mut times: Vec<f64> = (0..ROUNDS).map(time).collect();
    times.sort_by(f64::total_cmp);
    times
}
