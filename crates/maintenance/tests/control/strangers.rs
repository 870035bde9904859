//! Another user, before whom the socket was deliberately laid open.

use crate::support::{Running, error_of, folder, reply};
use lle_maintenance::control::{CallError, Client};
use serde_json::json;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const NOBODY: u32 = 65534;
const SOCKET: &str = "LLE_CONTROL_TEST_SOCKET";

fn lay_open(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn another_user_is_refused_and_reported() {
    let test = "another_user_is_refused_and_reported";
    if !rustix::process::geteuid().is_root() {
        assert!(
            std::env::var("LUSUSH_TEST_REQUIRE").as_deref() != Ok("1"),
            "{test} needs root"
        );
        eprintln!("skipped: {test} (only root can become another user)");
        return;
    }
    let folder = folder();
    // Where another user can run it; the target folder may be in a place that is closed to it.
    let program = folder.path().join("test");
    // By another process: what one of this one's threads starts meanwhile would hold it open for writing.
    let copied = Command::new("cp")
        .arg(std::env::current_exe().unwrap())
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    lay_open(&program, 0o755);
    let outside = folder.path().to_owned();
    let running = Running::in_folder(folder);
    lay_open(&outside, 0o755);
    lay_open(&running.path, 0o666);
    let output = Command::new(&program)
        .args(["--exact", "strangers::what_another_user_does", "--nocapture"])
        .env(SOCKET, &running.path)
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("refused as user 65534"), "{said}");
    // Its own user is answered as ever.
    assert!(running.call("Version", json!({})).is_ok());
    let recorder = running.stop();
    assert_eq!(recorder.methods(), ["Version"]);
    assert_eq!(recorder.refused.len(), 3);
    for peer in recorder.refused {
        assert_eq!((peer.uid, peer.gid), (NOBODY, NOBODY));
        assert_ne!(peer.pid, std::process::id());
    }
}

/// Not a test of its own: what [`another_user_is_refused_and_reported`] runs as another user.
#[test]
fn what_another_user_does() {
    let Some(path) = std::env::var_os(SOCKET) else {
        return;
    };
    let connect = || {
        let stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    };
    // One that asks nothing, and one that asks before it is let in.
    for ask in [false, true] {
        let mut stream = connect();
        if ask {
            let _ = stream.write_all(b"{\"method\":\"io.lusush.Maintenance.Stop\"}\0");
        }
        let answer = reply(&mut stream).unwrap();
        assert_eq!(error_of(&answer), "io.lusush.Maintenance.Unauthorized");
        assert!(
            answer["parameters"]["message"]
                .as_str()
                .unwrap()
                .contains("user 0's")
        );
        assert_eq!(reply(&mut stream), None);
    }
    // And our client does not trust another user's server, whatever it would say.
    let stranger = Client::connect(Path::new(&path), Duration::from_secs(60));
    assert!(
        matches!(stranger, Err(CallError::Stranger { uid: 0 })),
        "{stranger:?}"
    );
    println!("refused as user {}", rustix::process::geteuid().as_raw());
}
