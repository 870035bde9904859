//! Link arguments of the shared object.

fn main() {
    // `enable -d lle` must not unmap code that readline's hooks, an exit handler or a variable still point to.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rerun-if-changed=build.rs");
}
