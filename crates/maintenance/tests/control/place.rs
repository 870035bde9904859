//! Where the socket lies: what is replaced, what is not, and what is left behind.

use crate::support::{Recorder, Stepped, folder, raw, reply, request};
use lle_maintenance::control::{PATH_BYTES_MAX, Server};
use serde_json::json;
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

#[test]
fn private_and_gone_at_the_end() {
    let stepped = Stepped::new();
    let path = stepped.path.clone();
    assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert!(stepped.server.still_bound());
    // The folder goes last, with what is in it: look before.
    let Stepped { server, .. } = &stepped;
    assert!(server.still_bound());
    drop(stepped);
    assert!(!path.exists());
}

#[test]
fn dropping_removes_the_socket() {
    let folder = folder();
    let path = folder.path().join("control");
    drop(Server::bind(&path).unwrap());
    assert!(fs::symlink_metadata(&path).is_err());
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let folder = folder();
    let path = folder.path().join("control");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let server = Server::bind(&path).unwrap();
    assert!(server.still_bound());
    let error = Server::bind(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains("somebody is listening there"));
    assert!(server.still_bound());
}

fn check_refused(path: &Path, kind: ErrorKind, message: &str) {
    let error = Server::bind(path).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(message), "{error}");
}

#[test]
fn nothing_but_a_socket_is_replaced() {
    let folder = folder();
    let path = folder.path().join("control");
    fs::write(&path, "mine").unwrap();
    check_refused(&path, ErrorKind::AlreadyExists, "is no socket");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    check_refused(&path, ErrorKind::AlreadyExists, "is no socket");
    fs::remove_dir(&path).unwrap();
    // A link is not followed: to nowhere, to a stale socket, to one that is listened on.
    let target = folder.path().join("target");
    symlink(&target, &path).unwrap();
    check_refused(&path, ErrorKind::AlreadyExists, "is no socket");
    assert!(!target.exists());
    let listener = UnixListener::bind(&target).unwrap();
    check_refused(&path, ErrorKind::AlreadyExists, "is no socket");
    drop(listener);
    check_refused(&path, ErrorKind::AlreadyExists, "is no socket");
    assert!(target.exists());
}

#[test]
fn the_folder_must_be_private() {
    let folder = folder();
    let path = folder.path().join("control");
    for mode in [0o755, 0o770, 0o701, 0o1777] {
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
        check_refused(&path, ErrorKind::PermissionDenied, "must be 0700");
    }
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    let link = folder.path().join("link");
    symlink(folder.path(), &link).unwrap();
    assert!(Server::bind(&link.join("control")).is_err());
    check_refused(&folder.path().join("none/control"), ErrorKind::NotFound, "none");
    check_refused(Path::new("control"), ErrorKind::PermissionDenied, "in no folder");
}

#[test]
fn the_longest_path() {
    let folder = folder();
    let room = PATH_BYTES_MAX - folder.path().as_os_str().len() - 1;
    let longest = folder.path().join("x".repeat(room));
    let mut server = Server::bind(&longest).unwrap();
    let mut client = raw(&longest);
    client.write_all(&request("Version", json!({}))).unwrap();
    server.serve(0, &mut Recorder::default());
    assert!(reply(&mut client).is_some());
    let longer = folder.path().join("x".repeat(room + 1));
    check_refused(
        &longer,
        ErrorKind::InvalidInput,
        "108 bytes, and the path of a socket is at most 107",
    );
}

#[test]
fn a_folder_that_vanishes_is_noticed_and_bound_again() {
    let outer = folder();
    let folder = outer.path().join("lusush");
    let path = folder.join("control");
    let make = || {
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    };
    make();
    let first = Server::bind(&path).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert!(!first.still_bound());
    make();
    let second = Server::bind(&path).unwrap();
    assert!(!first.still_bound());
    drop(first);
    assert!(second.still_bound());
}

#[test]
fn what_took_the_sockets_place_is_left_alone() {
    let folder = folder();
    let path = folder.path().join("control");
    let check = |replace: &dyn Fn()| {
        let server = Server::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        replace();
        assert!(!server.still_bound());
        drop(server);
        assert!(fs::symlink_metadata(&path).is_ok());
        fs::remove_file(&path).unwrap();
    };
    check(&|| fs::write(&path, "mine").unwrap());
    check(&|| symlink("/nowhere", &path).unwrap());
    check(&|| drop(UnixListener::bind(&path).unwrap()));
}
