//! A flight seen from another process: registration, liveness, forks, crashes, a vanished directory.
#![allow(unsafe_code, reason = "fork, setrlimit and dup2 are what is tested")]
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use lle_metrics::flight::CreateStep;
use lle_metrics::{
    Counter, Draft, EventKind, Flight, Gauge, Liveness, OpenFlight, Snapshot, Timer, Window, file_name,
    liveness,
};
use support::*;

/// A session that records one of everything and then waits.
#[test]
fn role_session() {
    let Some(dir) = playing("role_session") else {
        return;
    };
    let mut flight = Flight::create(&dir, &identity()).unwrap();
    flight.update(|w| {
        w.add(Counter::Keys, 3);
        w.set(Gauge::Columns, 80);
        w.time(Timer::KeyToPaint, 180_000);
        w.event(
            EventKind::Notice,
            7,
            -1,
            b"a notice too long for one slot of the ring",
        );
        w.draft(b"git push --force", Draft::Kept);
        w.last_command(b"make");
        w.prompt_blame(b"__git_ps1");
    });
    say("recorded");
    wait_for_release();
    flight.remove();
}

#[test]
fn another_process_sees_what_was_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(file_name(SESSION));
    let mut session = Actor::start("role_session", dir.path());
    session.wait_for("recorded");

    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(metadata.len(), lle_metrics::FILE_BYTES as u64);
    assert!(
        metadata.blocks() * 512 >= metadata.len(),
        "blocks are allocated ahead"
    );

    let snapshot = Snapshot::read(&path).unwrap();
    assert!(!snapshot.torn());
    let seen = snapshot.identity();
    assert_eq!((seen.session_id, seen.pid), (SESSION, session.child.id()));
    assert_eq!(
        Some(seen.start_ticks),
        lle_metrics::identity::start_ticks(seen.pid)
    );
    assert_eq!(
        (seen.tty.as_str(), seen.lle_version.as_str()),
        ("/dev/pts/7", "0.1.0")
    );
    assert_eq!(liveness::from_another_boot(&snapshot), Some(false));
    assert_eq!(
        (snapshot.counter(Counter::Keys), snapshot.counter(Counter::Paints)),
        (3, 0)
    );
    assert_eq!(
        (snapshot.gauge(Gauge::Columns), snapshot.gauge(Gauge::Rows)),
        (Some(80), None)
    );
    assert!(snapshot.gauge(Gauge::SeenWallNs).unwrap() > 0);
    let paint = snapshot.histogram(Timer::KeyToPaint);
    assert_eq!(
        (paint.count, paint.sum, paint.max, paint.mean()),
        (1, 180_000, 180_000, Some(180_000))
    );
    assert_eq!(
        paint.quantile(0.5),
        Some(180_000),
        "no quantile exceeds the largest sample"
    );
    assert_eq!(snapshot.histogram(Timer::Command).quantile(0.5), None);
    assert_eq!(
        (snapshot.draft().text, snapshot.draft().bytes),
        (&b"git push --force"[..], 16)
    );
    assert_eq!(
        (snapshot.last_command(), snapshot.prompt_blame()),
        (&b"make"[..], &b"__git_ps1"[..])
    );
    let events: Vec<_> = snapshot.events().collect();
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].kind, events[0].code, events[0].value),
        (Some(EventKind::Notice), 7, -1)
    );
    assert_eq!(events[0].text, b"a notice too long for one slot o");

    let window = Window::open(&path).unwrap();
    assert_eq!(
        (window.counter(Counter::Keys), window.gauge(Gauge::Rows)),
        (3, None)
    );

    assert_eq!(
        liveness(&path),
        Liveness::Alive,
        "reading must not have dropped the writer's lock"
    );
    session.release();
    assert!(!path.exists(), "a clean exit removes the file");
    assert_eq!(liveness(&path), Liveness::Unknown);
}

#[test]
fn the_lock_dies_with_kill_9_and_the_draft_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(file_name(SESSION));
    let mut session = Actor::start("role_session", dir.path());
    session.wait_for("recorded");
    assert_eq!(liveness(&path), Liveness::Alive);
    session.kill();
    assert_eq!(liveness(&path), Liveness::Dead);
    assert_eq!(Snapshot::read(&path).unwrap().draft().text, b"git push --force");
}

#[test]
fn a_file_that_stays_open_shows_what_becomes_of_its_session() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(file_name(SESSION));
    let mut session = Actor::start("role_session", dir.path());
    session.wait_for("recorded");
    let (flight, mut snapshot) = (OpenFlight::open(&path).unwrap(), Snapshot::default());
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(flight.number(), (metadata.dev(), metadata.ino()));
    for _ in 0..2 {
        let seen = flight.look(&mut snapshot);
        assert_eq!(
            (seen.liveness, seen.holder, seen.read.is_ok()),
            (Liveness::Alive, Some(session.child.id()), true)
        );
        assert_eq!(snapshot.counter(Counter::Keys), 3);
    }
    drop(flight);
    assert_eq!(liveness(&path), Liveness::Alive, "the lock is the session's");
    let flight = OpenFlight::open(&path).unwrap();
    session.kill();
    fs::remove_file(&path).unwrap();
    let seen = flight.look(&mut snapshot);
    assert_eq!((seen.liveness, seen.holder), (Liveness::Dead, None));
    assert_eq!(snapshot.draft().text, b"git push --force", "its last words");
    fs::write(&path, "").unwrap();
    let flight = OpenFlight::open(&path).unwrap();
    fs::write(&path, vec![1; lle_metrics::FILE_BYTES]).unwrap();
    assert!(
        flight.look(&mut snapshot).read.is_err(),
        "it is read no further than it was"
    );
    assert_eq!(snapshot.counter(Counter::Keys), 0);
    assert!(OpenFlight::open(dir.path()).is_err());
}

/// A session that forks a child which tries everything a writer may do.
#[test]
fn role_parent() {
    let Some(dir) = playing("role_parent") else { return };
    let mut flight = Flight::create(&dir, &identity()).unwrap();
    flight.update(|w| w.add(Counter::Keys, 1));
    // SAFETY: the child records, and leaves by _exit.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let mut called = false;
        flight.update(|w| {
            called = true;
            w.add(Counter::Keys, 1000);
        });
        let rehomed = flight.rehome(&dir).is_ok();
        let mended = flight.still_registered();
        flight.remove();
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(i32::from(called || !rehomed || !mended)) };
    }
    let mut status = -1;
    // SAFETY: waits for our own child.
    unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(status, 0, "the child's batch must not run");
    assert!(flight.still_registered());
    flight.update(|w| w.add(Counter::Keys, 1));
    say("forked");
    wait_for_release();
}

#[test]
fn a_forked_child_writes_nothing_and_unlocks_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(file_name(SESSION));
    let mut parent = Actor::start("role_parent", dir.path());
    parent.wait_for("forked");
    assert_eq!(Snapshot::read(&path).unwrap().counter(Counter::Keys), 2);
    assert_eq!(liveness(&path), Liveness::Alive);
    parent.release();
}

/// A session whose directory vanishes, and later its descriptor, and later both.
#[test]
fn role_homeless() {
    let Some(dir) = playing("role_homeless") else {
        return;
    };
    let (first, second) = (dir.join("first"), dir.join("second"));
    fs::create_dir(&first).unwrap();
    fs::create_dir(&second).unwrap();
    let mut flight = Flight::create(&first, &identity()).unwrap();
    flight.update(|w| w.add(Counter::Keys, 5));
    assert!(flight.still_registered());

    fs::remove_dir_all(&first).unwrap();
    assert!(!flight.still_registered());
    flight.update(|w| w.add(Counter::Keys, 1));
    assert!(flight.rehome(&first).is_err(), "the directory is still gone");
    flight.update(|w| w.add(Counter::Keys, 1));
    flight.rehome(&second).unwrap();
    assert!(flight.still_registered());

    // A script takes the descriptor away: `exec 219>&-`, or over it with its own file.
    let path = flight.path().unwrap().to_owned();
    let own = descriptor_of(&path);
    let other = fs::File::create(dir.join("other")).unwrap();
    // SAFETY: makes `own` a copy of `other`, as a redirection would.
    assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), own) }, own);
    assert!(!flight.still_registered());
    flight.rehome(&second).unwrap();
    assert!(flight.still_registered());
    // SAFETY: only asks.
    let flags = unsafe { libc::fcntl(own, libc::F_GETFD) };
    assert!(flags >= 0, "the script's descriptor was left open");

    // Reading the file inside the session drops the lock; the next look takes it again.
    Snapshot::read(&path).unwrap();
    assert!(flight.still_registered());
    flight.update(|w| w.add(Counter::Keys, 1));
    say("rehomed");
    wait_for_release();
}

fn descriptor_of(path: &std::path::Path) -> i32 {
    let found = fs::read_dir("/proc/self/fd")
        .unwrap()
        .flatten()
        .find(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == path));
    let number: i32 = found.unwrap().file_name().to_str().unwrap().parse().unwrap();
    assert!(number >= 200, "{number} may be a script's");
    number
}

#[test]
fn a_session_is_registered_again_with_all_it_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let mut session = Actor::start("role_homeless", dir.path());
    session.wait_for("rehomed");
    let path = dir.path().join("second").join(file_name(SESSION));
    assert_eq!(Snapshot::read(&path).unwrap().counter(Counter::Keys), 8);
    assert_eq!(liveness(&path), Liveness::Alive);
    session.release();
}

/// A session under `ulimit -f 1`, which would be ended by SIGXFSZ if the file were just allocated.
#[test]
fn role_limited() {
    let Some(dir) = playing("role_limited") else {
        return;
    };
    let limit = libc::rlimit {
        rlim_cur: 1024,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `limit` outlives the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
    let error = Flight::create(&dir, &identity()).err().unwrap();
    assert_eq!(error.step, CreateStep::Allocate);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "nothing is left behind");

    let mut flight = Flight::private(&identity());
    flight.update(|w| w.add(Counter::Keys, 4));
    assert!(!flight.is_shared() && !flight.still_registered() && flight.path().is_none());
    assert_eq!(flight.snapshot().unwrap().counter(Counter::Keys), 4);
    assert!(flight.rehome(&dir).is_err());

    let limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `limit` outlives the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
    flight.rehome(&dir).unwrap();
    assert!(flight.still_registered());
    say("shared");
    wait_for_release();
}

#[test]
fn without_room_a_session_keeps_its_numbers_to_itself_until_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut session = Actor::start("role_limited", dir.path());
    session.wait_for("shared");
    let snapshot = Snapshot::read(&dir.path().join(file_name(SESSION))).unwrap();
    assert_eq!(snapshot.counter(Counter::Keys), 4);
    session.release();
}

#[test]
fn what_stands_in_the_way_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(file_name(SESSION));
    let elsewhere = dir.path().join("elsewhere");
    fs::write(&path, "mine").unwrap();
    assert_eq!(
        Flight::create(dir.path(), &identity()).err().unwrap().step,
        CreateStep::Open
    );
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(Flight::create(dir.path(), &identity()).is_err());
    assert!(!elsewhere.exists(), "no link is followed");
    assert!(Flight::create(&dir.path().join("missing"), &identity()).is_err());
}

/// A session that always moves two counters together, in bursts with pauses as a typist has them.
#[test]
fn role_pair() {
    let Some(dir) = playing("role_pair") else { return };
    let flight = Flight::create(&dir, &identity()).unwrap();
    say("running");
    loop {
        for _ in 0..100 {
            flight.update(|w| {
                w.add(Counter::Keys, 1);
                w.draft(&[b'p'; 4000], Draft::Kept);
                w.add(Counter::PathLookupTooSlow, 1);
            });
        }
        std::thread::sleep(std::time::Duration::from_micros(20));
    }
}

#[test]
fn a_snapshot_never_shows_half_a_batch() {
    /// Untorn snapshots to compare; each is a chance to see a batch half done.
    const COMPARED: u32 = 2_000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(file_name(SESSION));
    let mut session = Actor::start("role_pair", dir.path());
    session.wait_for("running");
    let (mut compared, mut last) = (0, 0);
    for _ in 0..COMPARED * 200 {
        let snapshot = Snapshot::read(&path).unwrap();
        if snapshot.torn() {
            continue;
        }
        let keys = snapshot.counter(Counter::Keys);
        assert_eq!(keys, snapshot.counter(Counter::PathLookupTooSlow));
        assert!(keys >= last);
        (last, compared) = (keys, compared + 1);
        if compared == COMPARED {
            break;
        }
    }
    assert!(compared >= COMPARED / 10, "only {compared} snapshots were whole");
    assert!(last > 0);
    session.kill();
}

/// A session that dies with a batch open.
#[test]
fn role_torn() {
    let Some(dir) = playing("role_torn") else { return };
    let flight = Flight::create(&dir, &identity()).unwrap();
    flight.update(|w| {
        w.add(Counter::Keys, 42);
        // SAFETY: ends the process as kill -9 would.
        unsafe { libc::raise(libc::SIGKILL) };
    });
}

#[test]
fn a_writer_that_died_inside_a_batch_leaves_its_data_marked_as_torn() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(file_name(SESSION));
    let mut session = Actor::start("role_torn", dir.path());
    assert!(!session.child.wait().unwrap().success());
    let snapshot = Snapshot::read(&path).unwrap();
    assert!(snapshot.torn());
    assert_eq!(snapshot.counter(Counter::Keys), 42);
    assert_eq!(liveness(&path), Liveness::Dead);
}
