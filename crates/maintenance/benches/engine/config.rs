//! The configuration: a version kept, an earlier one back in force, a thousand sessions that follow.

use std::fs;
use std::time::Duration;

use lle_core::config::{CATALOGUE, FILE_NAME};
use lle_log::versions::Cause;
use lle_maintenance::engine::Event;
use lle_maintenance::real::now;
use lle_maintenance::real::settle::back::restore;
use lle_maintenance::real::settle::{ConfigFiles, Settled, Settler, settle};
use lle_maintenance::real::versions::{Accepted, VersionLog};
use lle_maintenance::real::{Places, RealWorld};

use super::measure::{singles, timed, times};
use super::{child, engine};
use child::Site;

/// Measurements of what waits for the disk.
const ROUNDS: usize = 200;
const LINES: usize = 200;
const SESSIONS: u64 = 1_000;

/// A file of that many lines, which differs from that of another number.
fn text(n: usize) -> String {
    let theme = ["light", "night", "deep"][n % 3];
    let mut text = CATALOGUE
        .built_in()
        .print()
        .replace("\"default\"", &format!("\"{theme}\""));
    let lines = text.lines().count();
    (lines..LINES).for_each(|at| text.push_str(&format!("# {n}: what I was told about line {at}\n")));
    text
}

fn followed(site: &Site) -> (Places, ConfigFiles) {
    let mut places = site.places();
    places.metrics = None;
    let folder = places.maint.join("config");
    fs::create_dir_all(&folder).expect("a folder can be made");
    places.follow(folder.join(FILE_NAME));
    let files = places.config.clone().expect("it was just said");
    (places, files)
}

pub(crate) fn versions() {
    for (backup, rollback, place, site) in [
        ("config_backup", "rollback", "disk", Site::new()),
        ("", "", "memory", Site::in_memory()),
    ] {
        let (_, files) = followed(&site);
        let log = VersionLog::below(&files.state);
        let (mut n, mut durable) = (0, Vec::new());
        let kept = singles(ROUNDS, || {
            n += 1;
            let content = text(n);
            let state = Accepted {
                time_ns: now().wall_ns,
                cause: Cause::Edited,
                from: 0,
                file: FILE_NAME,
                tool: "bench",
                content: content.as_bytes(),
            };
            let mut held = log.hold(Duration::ZERO).expect("nobody else is there");
            let mut kept = 0.0;
            durable.push(timed(|| {
                kept = timed(|| held.accept(&[state]).expect("there is room"));
                held.sync().expect("there is room");
            }));
            kept
        });
        times(
            backup,
            &format!("a version of 200 lines kept, acknowledged, on {place}"),
            kept,
        );
        times("", "  and durable", durable);
        let by = || Settler {
            wall_ns: now().wall_ns,
            tool: "bench",
            patience: Duration::ZERO,
        };
        let mut durable = Vec::new();
        let mut settled = singles(ROUNDS, || {
            n += 1;
            fs::write(&files.user, text(n)).expect("there is room");
            acknowledged(&mut durable, || settle(&files, &by()).expect("it is sound"))
        });
        times(
            "",
            &format!("a saved file in force for new sessions, on {place}"),
            settled.split_off(1),
        );
        times("", "  and durable", durable);
        let newest = files.read_in_force().map_or(0, |in_force| in_force.version);
        let (mut at, mut durable) = (newest, Vec::new());
        let back = singles(ROUNDS, || {
            // The two last ones by turns: each is another text than what is in force.
            at = if at == newest { newest - 1 } else { newest };
            acknowledged(&mut durable, || {
                restore(&files, &by(), at, None).expect("it is kept")
            })
        });
        times(
            rollback,
            &format!("an earlier version back and in force, on {place}"),
            back,
        );
        times("", "  and durable", durable);
    }
}

/// How long something takes until it is acknowledged; adds to `durable` how long it takes until it is that.
fn acknowledged(durable: &mut Vec<f64>, run: impl FnOnce() -> Settled) -> f64 {
    let mut took = 0.0;
    durable.push(timed(|| {
        let mut settled = None;
        took = timed(|| settled = Some(run()));
        let settled = settled.expect("it was just run");
        settled.unsynced.sync().expect("there is room");
    }));
    took
}

pub(crate) fn many_sessions() {
    let site = Site::new();
    let _sessions = child::sessions(&site, SESSIONS);
    let (places, files) = followed(&site);
    let mut world = RealWorld::open(places, true).expect("the folders can be made");
    let mut engine = engine(&mut world);
    let mut n = 0;
    let reload = singles(50, || {
        n += 1;
        fs::write(&files.user, text(n)).expect("there is room");
        let at = now();
        timed(|| {
            engine.sync_configuration(&mut world, at);
            engine.handle(&mut world, at, Event::Tick);
        })
    });
    times("", "a saved file published, 1,000 sessions woken", reload);
}
