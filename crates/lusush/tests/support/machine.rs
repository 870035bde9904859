//! A machine whose `/etc` is a test's own: a mount namespace with a layer over the real one.
//!
//! Invariant: nothing outside the namespace changes, and nothing that was started in it outlives it.

use std::process::Command;

/// Before each script: the layer, and `worker`, which starts one as a session does and waits until it can be asked.
const BEFORE: &str = r#"
set -u
mount -t tmpfs tmpfs "$T" && mkdir "$T/u" "$T/w" "$T/h" || exit 99
mount -t overlay overlay -o lowerdir=/etc,upperdir="$T/u",workdir="$T/w" /etc || exit 99
mkdir -p /etc/lusush
worker() {
    "$L" maint worker --spawned > /dev/null 2>&1 < /dev/null &
    for _ in $(seq 1000); do [ -S "$LUSUSH_HOME/run/control" ] && break; sleep 0.01; done
    [ -S "$LUSUSH_HOME/run/control" ] || exit 98
}
"#;
const AFTER: &str = "
kill $(jobs -p)
wait
";

/// Runs a script of bash there, with these variables, `$L` for lusush and `LUSUSH_HOME` for a home of its own; gives what it
/// printed, or none if this machine allows no such namespace.
pub(crate) fn in_own_etc(test: &str, script: &str, values: &[(&str, &str)]) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mount = folder.path().join("t");
    std::fs::create_dir(&mount).expect("a folder can be made");
    let output = Command::new("unshare")
        .args(["--mount", "bash", "-c", &[BEFORE, script, AFTER].concat()])
        .stdin(std::process::Stdio::null())
        .env("T", &mount)
        .env("LUSUSH_HOME", mount.join("h"))
        .env("L", super::lusush())
        .envs(values.iter().copied())
        .output();
    let output = output
        .ok()
        .filter(|output| !matches!(output.status.code(), Some(1 | 99)));
    if output.is_none() {
        assert!(
            std::env::var("LUSUSH_TEST_REQUIRE").as_deref() != Ok("1"),
            "{test} needs root and overlayfs"
        );
        eprintln!("skipped: {test} (needs root, unshare and overlayfs)");
    }
    let output = output?;
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).expect("what is said is UTF-8"))
}
