//! Compiles the demo's app into one static program that `iexec demo` packs into an image.

use std::{env, fs, path::Path, process::Command};

const SOURCE: &str = "app/hello.rs";

fn main() {
    println!("cargo:rerun-if-changed={SOURCE}");
    let target = Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("hello");
    if compile(&target) {
        return;
    }
    println!(
        "cargo:warning=`iexec demo` will not work: its app needs a static C library \
         (Debian: libc6-dev, Fedora: glibc-static)"
    );
    fs::write(&target, []).unwrap_or_default();
}

fn compile(target: &Path) -> bool {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let options = [
        "opt-level=s",
        "panic=abort",
        "strip=symbols",
        "target-feature=+crt-static",
    ];
    let status = Command::new(rustc)
        .args(["--edition", "2024", "--crate-name", "hello", SOURCE, "-o"])
        .arg(target)
        .args(options.iter().flat_map(|option| ["-C", option]))
        .args(["--target", &env::var("TARGET").unwrap_or_default()])
        .status();
    status.is_ok_and(|status| status.success())
}
