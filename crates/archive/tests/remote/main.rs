//! A home is backed up to a server and comes back: a restic REST server, and one with the interface of S3, each on loopback.
//!
//! `cargo test -p lle-archive --features rest,s3,test-server --test remote`
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod gate;
mod rest_server;
mod s3_server;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use gate::Gate;
use lle_archive::{
    Credentials, Keep, Line, OpenError, RemoteError, RepositoryError, Section, Store, Verification, between,
    contents, create, import, journal, prune, record, restore, rotate, since, snapshots, verify,
};
use lle_core::repository::Address;
use support::{AtWork, House, files, restic_is_here};

/// What the servers want.
const USER: &str = "me-or-a-key-id";
const PASSWORD: &str = "Sesame/and+a=key";

/// A server behind a gate, and where it keeps what it is sent.
struct Server {
    gate: Gate,
    /// The files of the repository, on this machine's disk.
    folder: PathBuf,
    address: Address,
    names: (&'static str, &'static str),
    /// The repository as restic takes it.
    for_restic: String,
}

fn rest(root: &Path) -> Server {
    let gate = Gate::before(rest_server::start(root, USER, PASSWORD));
    let port = gate.port();
    Server {
        folder: root.join("me"),
        address: Address::parse(&format!("rest:http://127.0.0.1:{port}/me/")).unwrap(),
        names: ("RESTIC_REST_USERNAME", "RESTIC_REST_PASSWORD"),
        // restic 0.14 knows no variables for these, and takes what stands for a slash.
        for_restic: format!("rest:http://{USER}:Sesame%2Fand%2Ba%3Dkey@127.0.0.1:{port}/me/"),
        gate,
    }
}

fn s3(root: &Path) -> Server {
    fs::create_dir(root.join("bucket")).unwrap();
    let gate = Gate::before(s3_server::start(root, USER, PASSWORD));
    let port = gate.port();
    let text = format!("s3:http://127.0.0.1:{port}/bucket/a/home");
    Server {
        folder: root.join("bucket/a/home"),
        address: Address::parse(&text).unwrap(),
        names: ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        // The objects, as the files that they are here: s3s-fs takes the empty delimiter that restic's client sends for
        // one, and lists nothing then.
        for_restic: root.join("bucket/a/home").display().to_string(),
        gate,
    }
}

impl Server {
    /// By a file, as a home has it.
    fn credentials(&self, house: &House, password: &str) -> Credentials {
        let (user, secret) = self.names;
        house.put(
            "credentials",
            format!("{user}={USER}\n{secret}={password}\n").as_bytes(),
        );
        let path = house.path("credentials");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Credentials::read(Some(&path), |_| None).unwrap()
    }

    /// How requests begin that write the config, and that read it.
    fn config_for_gate(&self) -> [String; 2] {
        let path = match self.names.0 {
            "RESTIC_REST_USERNAME" => "POST /me/config",
            _ => "PUT /bucket/a/home/config",
        };
        let read = path.replace("POST", "GET").replace("PUT", "GET");
        [path.to_owned(), read]
    }

    /// Has a home saved here.
    fn take_in(&self, house: &mut House) {
        house.places.repository = Some(self.address.clone());
        house.places.credentials = self.credentials(house, PASSWORD);
    }

    /// Runs restic on the repository, if there is one here, and demands success.
    fn restic(&self, line: &str, words: &[&str]) {
        if !restic_is_here() {
            return;
        }
        let output = Command::new("restic")
            .args(["--no-cache", "--repo", &self.for_restic])
            .args(words)
            .env("RESTIC_PASSWORD", line)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "restic {words:?}: {said}");
    }
}

/// Runs a test on each kind of server.
fn on_each(test: impl Fn(&Server)) {
    for start in [rest as fn(&Path) -> Server, s3] {
        let root = tempfile::tempdir().unwrap();
        let server = start(root.path());
        eprintln!("{}", server.address);
        test(&server);
    }
}

const LAST: Keep = Keep {
    last: 1,
    daily: 0,
    weekly: 0,
    monthly: 0,
    yearly: 0,
};

#[test]
fn a_home_goes_to_a_server_and_comes_back() {
    on_each(|server| {
        let mut house = House::furnished();
        server.take_in(&mut house);
        assert!(matches!(
            Store::open(&house.places, None, None),
            Err(OpenError::None(_))
        ));
        let mut store = house.store();
        assert_eq!(store.address(), &server.address);
        assert_eq!(create(&store, "by hand").unwrap().left_out, []);
        house.put("lusush/config/config.toml", b"version = 2\n");
        assert_eq!(create(&store, "by hand").unwrap().changed_files, 1);
        assert_eq!(snapshots(&store).unwrap().len(), 2);
        assert_eq!(
            contents(&store, "latest")
                .unwrap()
                .1
                .iter()
                .filter(|one| !one.folder)
                .count(),
            11
        );
        assert_eq!(between(&store, "latest~1", "latest").unwrap().2.len(), 1);
        for depth in [Verification::Metadata, Verification::Data] {
            let verdict = verify(&store, depth).unwrap();
            assert_eq!((verdict.findings, verdict.snapshots), (vec![], 2));
        }
        server.restic(store.line().as_str(), &["check", "--read-data"]);

        fs::remove_file(house.path("home/.bashrc")).unwrap();
        assert_eq!(since(&store, "latest").unwrap().1.len(), 1);
        assert_eq!(restore(&store, "latest", Section::ALL).unwrap().moved, 1);
        assert_eq!(fs::read(house.path("home/.bashrc")).unwrap(), b"PS1='$ '\n");

        let pruned = prune(&store, LAST, false).unwrap();
        assert_eq!((pruned.forgotten.len(), pruned.kept, pruned.later), (1, 1, true));
        assert!(verify(&store, Verification::Data).unwrap().is_good());
        let former = store.line().clone();
        let line = rotate(&mut store).unwrap().line;
        assert_eq!(files(&server.folder.join("keys")).len(), 1);
        server.restic(line.as_str(), &["check"]);

        // A new machine has the address, what the server wants, and the line.
        let mut new = House::empty();
        server.take_in(&mut new);
        let wrong = import(&new.places, None, former).unwrap_err();
        assert!(wrong.to_string().contains("not the one of the backup"), "{wrong}");
        import(&new.places, None, line).unwrap();
        let restored = restore(&new.store(), "latest", Section::ALL).unwrap();
        assert_eq!(restored.moved, 11);
        assert_eq!(
            fs::read(new.path("lusush/config/config.toml")).unwrap(),
            b"version = 2\n"
        );
    });
}

#[test]
fn a_byte_that_changed_on_the_server_is_found() {
    on_each(|server| {
        let mut house = House::furnished();
        server.take_in(&mut house);
        let store = house.store();
        create(&store, "by hand").unwrap();
        let all = files(&server.folder);
        assert!(all.len() >= 5, "{:?}", all.keys());
        for (name, content) in all {
            let mut bad = content.clone();
            bad[content.len() / 2] ^= 0x10;
            fs::write(server.folder.join(&name), &bad).unwrap();
            let found = verify(&store, Verification::Data).unwrap();
            assert!(!found.is_good(), "{name:?}");
            fs::remove_file(server.folder.join(&name)).unwrap();
            let found = verify(&store, Verification::Metadata).unwrap();
            // Without its key file the master key opens the repository, and the next command makes another; one without
            // its snapshot is whole, and has none.
            let is_told = !name.starts_with("keys") && !name.starts_with("snapshots");
            assert!(!found.is_good() || !is_told, "{name:?} is gone");
            fs::write(server.folder.join(&name), &content).unwrap();
        }
        assert!(verify(&store, Verification::Data).unwrap().is_good());
    });
}

fn refused(error: &OpenError) -> &RemoteError {
    error.server().unwrap_or_else(|| panic!("{error:?}"))
}

#[test]
fn who_has_the_wrong_password_is_told_so_and_nothing_is_made() {
    on_each(|server| {
        let mut house = House::furnished();
        house.places.repository = Some(server.address.clone());
        house.places.credentials = server.credentials(&house, "wrong-and-secret");
        let error = Store::open_or_make(&house.places, None, None).unwrap_err();
        assert!(
            matches!(refused(&error), RemoteError::Refused { .. }),
            "{error:?}"
        );
        let said = format!("{error} {error:?} {}", refused(&error));
        assert!(!said.contains("wrong-and-secret"), "{said}");
        // The first that is asked is HEAD, whose answer has no words.
        let meaning = match server.names.0 {
            "RESTIC_REST_USERNAME" => "it answers 401, as a rule for a wrong user name or password",
            _ => "it answers 403, as a rule for a key that is not known there",
        };
        assert!(said.contains(meaning), "{said}");
        assert!(files(&server.folder).is_empty());
    });
}

#[test]
fn a_bucket_that_is_not_there_is_said_and_not_made() {
    let root = tempfile::tempdir().unwrap();
    let server = s3(root.path());
    let mut house = House::furnished();
    server.take_in(&mut house);
    let elsewhere = server.address.to_string().replace("/bucket/", "/other/");
    house.places.repository = Some(Address::parse(&elsewhere).unwrap());
    let error = Store::open_or_make(&house.places, None, None).unwrap_err();
    assert!(
        refused(&error).to_string().contains("no bucket other"),
        "{error:?}"
    );
    assert!(!root.path().join("other").exists());
}

#[test]
fn a_server_that_goes_away_is_named_and_all_goes_on_when_it_is_back() {
    on_each(|server| {
        let mut house = House::furnished();
        server.take_in(&mut house);
        let store = house.store();
        create(&store, "by hand").unwrap();
        drop(store);

        server.gate.shut();
        let error = Store::open(&house.places, None, None).unwrap_err();
        assert!(
            matches!(refused(&error), RemoteError::Unreachable { .. }),
            "{error:?}"
        );
        assert!(refused(&error).may_pass());
        // The journal is here, and asks nobody.
        let key = lle_archive::Key::read(&house.places.state).unwrap().unwrap();
        house.put("lusush/config/config.toml", b"version = 3\n");
        record(&house.places, &key.line).unwrap();
        assert!(!journal(&house.places, &key.line).unwrap().1.is_empty());
        server.gate.open();

        // It goes away while packs are being sent: what is random does not get smaller.
        let store = house.store();
        let mut seed = 1u64;
        let random: Vec<u8> = (0..4 << 20)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 33) as u8
            })
            .collect();
        house.put("lusush/state/history/n.log", &random);
        server.gate.shut_after(1 << 20);
        let error = create(&store, "cut").unwrap_err();
        let cause = match &error {
            lle_archive::CreateError::Repository(error) => error.remote(),
            other => panic!("{other:?}"),
        };
        assert!(
            matches!(cause, Some(RemoteError::Unreachable { .. })),
            "{error:?}"
        );
        assert!(verify(&store, Verification::Data).is_err());
        server.gate.open();
        assert_eq!(snapshots(&store).unwrap().len(), 1);
        assert!(verify(&store, Verification::Data).unwrap().is_good());
        create(&store, "again").unwrap();
        let verdict = verify(&store, Verification::Data).unwrap();
        assert!(verdict.is_good(), "{verdict:?}");
        prune(&store, LAST, false).unwrap();
        assert!(verify(&store, Verification::Data).unwrap().is_good());
        server.restic(store.line().as_str(), &["check", "--read-data"]);
    });
}

#[test]
fn a_restic_that_works_is_respected_on_a_server_and_one_that_was_killed_is_not() {
    if !restic_is_here() {
        return;
    }
    on_each(|server| {
        let mut house = House::furnished();
        server.take_in(&mut house);
        let line = house.store().line().clone();
        let locks = server.folder.join("locks");
        let restic = AtWork::on(&server.for_restic, line.as_str(), &locks);
        let error = Store::open(&house.places, None, None).unwrap_err();
        let expect = format!(
            "restic is at work on the repository, as process {} of ",
            restic.pid()
        );
        assert!(error.to_string().starts_with(&expect), "{error}");
        drop(restic);
        // Its lock is there still.
        assert!(!files(&locks).is_empty());
        create(&house.store(), "after it").unwrap();
    });
}

#[test]
fn a_lock_that_cannot_be_read_is_respected_unless_the_server_says_that_it_is_old() {
    on_each(|server| {
        let mut house = House::furnished();
        server.take_in(&mut house);
        drop(house.store());
        let lock = server.folder.join("locks").join("a".repeat(64));
        fs::create_dir_all(lock.parent().unwrap()).unwrap();
        fs::write(&lock, "").unwrap();
        drop(house.store());
        fs::write(&lock, "sealed").unwrap();
        let error = Store::open(&house.places, None, None).unwrap_err();
        assert!(error.to_string().contains("cannot be read"), "{error}");
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 60 * 60);
        let file = fs::File::options().write(true).open(&lock).unwrap();
        file.set_modified(old).unwrap();
        let opened = Store::open(&house.places, None, None);
        // S3 says it, restic's server does not.
        assert_eq!(opened.is_ok(), server.address.to_string().starts_with("s3:"));
    });
}

/// Two machines make their first backup at the same moment, as if neither had seen the other's config; whether each has the
/// same line, and whether the server lets the second one write over the first.
fn two_at_once(server: &Server, is_one_line: bool, is_blind: bool) {
    let mut houses = [House::furnished(), House::furnished()];
    for house in &mut houses {
        server.take_in(house);
    }
    if is_one_line {
        let line = Line::random().unwrap();
        for house in &houses {
            let imported = import(&house.places, None, line.clone()).unwrap();
            assert_eq!(imported, lle_archive::Imported::Kept);
        }
    }
    let config = server.config_for_gate();
    for begins in config {
        server.gate.pair(&begins);
    }
    if is_blind {
        server.gate.blind();
    }
    let made: Vec<_> = std::thread::scope(|scope| {
        let open = |house| scope.spawn(move || Store::open_or_make(house, None, None));
        let both = houses.each_ref().map(|house| open(&house.places));
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let count = |is: fn(&Result<Store, OpenError>) -> bool| made.iter().filter(|one| is(one)).count();
    let expect = if is_one_line { (2, 0) } else { (1, 1) };
    assert_eq!(
        (
            count(Result::is_ok),
            count(|one| matches!(one, Err(OpenError::Beaten(_))))
        ),
        expect,
        "{made:?}"
    );
    // What is there is of whoever was told so, and whole.
    for store in made.iter().flatten() {
        create(store, "after both").unwrap();
    }
    for store in made.iter().flatten() {
        assert_eq!(snapshots(store).unwrap().len(), expect.0);
        assert!(verify(store, Verification::Data).unwrap().is_good());
        server.restic(store.line().as_str(), &["check", "--read-data"]);
    }
    assert_eq!(files(&server.folder.join("keys")).len(), 1);
    // A next command finds what this one found.
    drop(made);
    let again = houses
        .each_ref()
        .map(|house| Store::open(&house.places, None, None));
    assert_eq!(again.iter().filter(|one| one.is_ok()).count(), expect.0);
    let others = again.iter().flat_map(|one| one.as_ref().err());
    assert!(
        others
            .into_iter()
            .all(|error| matches!(error, OpenError::WrongKey(_)))
    );
}

#[test]
fn of_two_first_backups_at_once_one_is_told_that_it_came_second() {
    on_each(|server| two_at_once(server, false, false));
}

#[test]
fn two_first_backups_at_once_with_one_key_come_to_one_repository() {
    on_each(|server| two_at_once(server, true, false));
}

#[test]
fn a_server_that_lets_the_second_write_over_the_first_is_read_back() {
    let root = tempfile::tempdir().unwrap();
    two_at_once(&s3(root.path()), false, true);
}

#[test]
fn a_list_that_is_not_there_says_nothing_of_what_would_be_in_it() {
    // In a bucket there are no folders, and so none that is missing.
    let root = tempfile::tempdir().unwrap();
    let server = rest(root.path());
    let mut house = House::furnished();
    server.take_in(&mut house);
    create(&house.store(), "by hand").unwrap();
    let (locks, aside) = (server.folder.join("locks"), root.path().join("aside"));
    fs::rename(&locks, &aside).unwrap();
    let error = Store::open(&house.places, None, None).unwrap_err();
    let said = refused(&error).to_string();
    assert!(
        said.contains("does not list locks: it answers 404, as if there were no repository"),
        "{said}"
    );
    fs::rename(&aside, &locks).unwrap();
    house.store();
    // Where there is nothing at all, there is no backup.
    fs::rename(&server.folder, &aside).unwrap();
    let error = Store::open(&house.places, None, None).unwrap_err();
    assert!(matches!(error, OpenError::None(_)), "{error:?}");
}

#[test]
fn the_key_stays_while_a_former_repository_needs_it() {
    let root = tempfile::tempdir().unwrap();
    let server = rest(root.path());
    let mut house = House::furnished();
    drop(house.store());
    server.take_in(&mut house);
    let mut store = house.store();
    assert!(matches!(rotate(&mut store), Err(OpenError::LeftBehind(_))));
    // The same line opens both.
    let line: Line = store.line().clone();
    drop(store);
    house.places.repository = None;
    assert_eq!(house.store().line(), &line);
}

/// An error is one sentence that names the server.
#[test]
fn an_address_where_nobody_listens_is_named() {
    let mut house = House::furnished();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    house.places.repository = Some(Address::parse(&format!("rest:http://{address}/x")).unwrap());
    let error = Store::open(&house.places, None, None).unwrap_err();
    let said = RepositoryError::from(refused(&error).clone()).to_string();
    assert!(
        said.starts_with(&format!("{address} cannot be reached: ")),
        "{said}"
    );
}
