//! The systemd user unit that keeps a worker, also while no session is there.
//!
//! Nobody needs it: a session starts a worker where there is none. It is installed and not enabled.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The unit's name.
pub(crate) const NAME: &str = "lusush-worker.service";

/// The unit that runs `binary`.
pub(crate) fn unit(binary: &Path) -> Vec<u8> {
    let mut unit = BEFORE.to_vec();
    unit.extend(b"ExecStart=");
    unit.extend(word(binary.as_os_str().as_bytes()));
    unit.extend(b" maint worker --stay\n");
    unit.extend(AFTER);
    unit
}

const BEFORE: &[u8] = b"[Unit]
Description=Maintenance of the shells of this user
Documentation=man:lusush-maint(1)

[Service]
Type=exec
";

/// Tasks that the user registered run in it: what would keep those from the user's own files is left out.
const AFTER: &[u8] =
    b"# There may be a worker already, started by a session, and this one waits for its turn.
Restart=on-failure
RestartSec=60
# The worker ends its jobs itself.
KillMode=mixed
TimeoutStopSec=10
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native

[Install]
WantedBy=default.target
";

/// A path as one word of a unit.
fn word(path: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for &byte in path {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'%' => out.extend(b"%%"),
            b'\n' => out.extend(b"\\n"),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_the_unit() {
        let check = |path: &str, expect: &str| {
            let text = String::from_utf8(unit(Path::new(path))).unwrap();
            let line = text.lines().find(|line| line.starts_with("ExecStart=")).unwrap();
            assert_eq!(line, format!("ExecStart={expect} maint worker --stay"));
        };
        check("/usr/bin/lusush", r#""/usr/bin/lusush""#);
        check("/p q/100%/lusush", r#""/p q/100%%/lusush""#);
        check(r#"/a"b\c"#, r#""/a\"b\\c""#);
    }

    #[test]
    fn systemd_understands_the_unit() {
        let Some(analyze) = lle_pty::installed("systemd-analyze") else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        std::fs::write(&path, unit(Path::new("/bin/true"))).unwrap();
        let mut verify = std::process::Command::new(analyze);
        // It wants a runtime folder, and no manual page of an installed Lusush.
        verify
            .args(["verify", "--user", "--man=no"])
            .arg(&path)
            .env("XDG_RUNTIME_DIR", folder.path());
        let output = verify.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let ours: Vec<&str> = said.lines().filter(|line| line.contains(NAME)).collect();
        assert!(ours.is_empty(), "{said}");
    }
}
