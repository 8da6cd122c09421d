//! Compiles the launcher of containers with secret variables into one static program, which the
//! engine carries in itself.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

const SOURCE: &str = "launcher/main.rs";

fn main() {
    println!("cargo:rerun-if-changed=launcher");
    let target = Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("launcher");
    // Containers are Linux, whatever this is compiled for.
    let is_linux = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if is_linux && compile(&target) {
        return;
    }
    if is_linux {
        println!(
            "cargo:warning=Docker will run no container with secrets: its launcher needs a \
             static C library (Debian: libc6-dev, Fedora: glibc-static)"
        );
    }
    // Empty: the engine says so when it is asked for one.
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
        .args(["--edition", "2024", "--crate-name", "launcher"])
        .args([SOURCE, "-o"])
        .arg(target)
        .args(options.iter().flat_map(|option| ["-C", option]))
        .args(["--target", &env::var("TARGET").unwrap_or_default()])
        .status();
    status.is_ok_and(|status| status.success())
}
