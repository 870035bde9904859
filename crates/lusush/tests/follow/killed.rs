//! Worker, session or our own verb killed at any moment of a reload: each session runs one complete version afterwards.
//!
//! The switches of a version are the bits of a number, so that half of one version and half of another are told by their
//! look. `LUSUSH_DURABILITY=n` sets the number of rounds, `LUSUSH_DURABILITY_SEED` the choices.

use std::time::Duration;

use lle_metrics::{Gauge, Liveness, Snapshot};
use lle_pty::Terminal;
use rustix::process::Signal;
use support::household::{Household, wait};
use support::{Random, number};

use super::*;

/// Rounds by default: some seconds.
const ROUNDS: usize = 6;
/// The last moment after a save at which something is killed: the worker waits a tenth of a second and is through then.
const MOMENT_MAX_MS: usize = 180;

/// Version `n` of the file.
fn text(n: usize) -> String {
    let bit = |at: usize| n >> at & 1 == 1;
    let theme = ["light", "night", "deep"][n % 3];
    format!(
        "# {n}\neditor.highlight = {}\neditor.suggest = {}\neditor.multiline = {}\neditor.theme = \"{theme}\"\n",
        bit(0),
        bit(1),
        bit(2)
    )
}

/// What a living session goes by: its version, and its switches as a number.
fn sessions(house: &Household) -> Vec<(u64, usize)> {
    let entries = fs::read_dir(house.runtime().join("sessions")).unwrap().flatten();
    let of = |entry: fs::DirEntry| {
        let path = entry.path();
        if path.extension()? != lle_metrics::EXTENSION || lle_metrics::liveness(&path) != Liveness::Alive {
            return None;
        }
        let snapshot = Snapshot::read(&path).ok()?;
        let gauge = |gauge| snapshot.gauge(gauge).unwrap_or(0);
        let bits = [Gauge::HighlightOn, Gauge::SuggestOn, Gauge::MultilineOn];
        let number = bits
            .iter()
            .enumerate()
            .map(|(at, bit)| usize::from(gauge(*bit) == 1) << at)
            .sum();
        Some((gauge(Gauge::ConfigVersion).cast_unsigned(), number))
    };
    entries.filter_map(of).collect()
}

/// What a version says, by the log of versions, as a number.
fn said(house: &Household) -> std::collections::BTreeMap<u64, usize> {
    let bytes = fs::read(house.state().join("versions/config.log")).unwrap_or_default();
    let known = lle_log::versions::read(&bytes).unwrap();
    let number = |content: &[u8]| {
        let content = String::from_utf8_lossy(content).into_owned();
        let first = content
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# ")?.parse::<usize>().ok());
        first.map_or(7, |number| number & 7)
    };
    let mut said: std::collections::BTreeMap<u64, usize> = known
        .versions
        .iter()
        .map(|version| (version.number, number(version.content)))
        .collect();
    // Built in: all is on.
    said.insert(0, 7);
    said
}

#[test]
fn whatever_is_killed_every_session_runs_one_complete_version() {
    let rounds = number("LUSUSH_DURABILITY", ROUNDS);
    let seed = number("LUSUSH_DURABILITY_SEED", 1);
    let mut random = Random::new(seed as u64);
    let mut house = Household::with_worker("", &[]);
    let mut terminals: Vec<Terminal> = (0..3).map(|_| house.session()).collect();
    for round in 1..=rounds {
        let new = text(round);
        // By an editor, or by our own verb, which may be killed.
        let by_verb = random.percent(40);
        let mut verb = by_verb.then(|| {
            let theme = ["bold", "mono", "paper"][round % 3];
            house
                .command(&["maint", "config", "set", "editor.theme", theme])
                .spawn()
                .unwrap()
        });
        if !by_verb {
            save(&house, &new);
        }
        std::thread::sleep(Duration::from_millis(random.below(MOMENT_MAX_MS) as u64));
        match random.below(4) {
            0 => {
                let at = random.below(terminals.len());
                terminals[at].signal(Signal::KILL).unwrap();
                terminals[at] = house.session();
            }
            1 if verb.is_some() => drop(verb.as_mut().map(|verb| verb.kill())),
            _ => {
                house.kill_worker();
                // A session may have started another by now.
                if house.worker().is_none() {
                    house.start_worker(&[]);
                }
            }
        }
        if let Some(mut verb) = verb {
            let _ended = verb.wait();
        }
        // At any moment each is whole; in the end all are the same, and what the file says.
        wait(
            &format!("every session to follow in round {round}, seed {seed}"),
            || {
                if house.worker().is_none() {
                    // Another worker left by itself while ours began.
                    return false;
                }
                // The versions last: one that a session has by then is written down.
                let found = sessions(&house);
                let said = said(&house);
                for (version, switches) in &found {
                    let expect = said.get(version);
                    assert_eq!(
                        expect,
                        Some(switches),
                        "round {round}, version {version}, seed {seed}"
                    );
                }
                let file = fs::read_to_string(file(&house)).unwrap_or_default();
                let newest = *said.keys().next_back().unwrap();
                let text = fs::read_to_string(house.folder().join("in-force")).unwrap_or_default();
                let in_force = lle_core::in_force::InForce::decode(text.as_bytes());
                let in_force = in_force.unwrap_or_else(|| panic!("half a version in force:\n{text}"));
                let in_file = file
                    .lines()
                    .next()
                    .and_then(|line| line.strip_prefix("# ")?.parse::<usize>().ok());
                in_force.version == newest
                    && in_file.map_or(7, |number| number & 7) == said[&newest]
                    && found.len() == terminals.len()
                    && found.iter().all(|(version, _)| *version == newest)
            },
        );
    }
    let versions = said(&house).len();
    assert!(versions > 1, "something came into force: {versions}");
}
