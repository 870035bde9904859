//! Link arguments of the shared object, and of the launcher, which depends on this crate.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    // `enable -d lle` must not unmap code that readline's hooks, an exit handler or a variable still point to.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CC");
    unwind_without_a_library();
}

/// Links GCC's unwinder in, instead of loading `libgcc_s.so.1` at every start, which takes 0.1 ms twice.
///
/// Rust asks the linker for `-lgcc_s`; a script of that name gives it the archives. No unwinding leaves the
/// shared object (each entry catches), so two unwinders in one process do not meet. Where the compiler has no such
/// archives, or is none of GCC's kin, all stays as it was.
fn unwind_without_a_library() {
    let cargo = |name: &str| std::env::var(name).unwrap_or_default();
    let gnu = cargo("CARGO_CFG_TARGET_OS") == "linux" && cargo("CARGO_CFG_TARGET_ENV") == "gnu";
    if !gnu || cargo("HOST") != cargo("TARGET") {
        return;
    }
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let archive = |name: &str| -> Option<PathBuf> {
        let output = Command::new(&compiler)
            .arg(format!("-print-file-name={name}"))
            .output()
            .ok()?;
        let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
        path.is_absolute().then_some(path)
    };
    let (Some(unwinder), Some(support)) = (archive("libgcc_eh.a"), archive("libgcc.a")) else {
        return;
    };
    let folder = cargo("OUT_DIR");
    let script = format!("GROUP ( {} {} )\n", unwinder.display(), support.display());
    if std::fs::write(Path::new(&folder).join("libgcc_s.a"), script).is_ok() {
        println!("cargo:rustc-link-search=native={folder}");
    }
}
