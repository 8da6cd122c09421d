//! The demo's app and its image, built by the same cargo build: one layer with one static program,
//! packed as `docker save` would, so that a first run needs no image download.

use std::io;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Its name in the local engine.
pub const TAG: &str = "iexec-demo:1.0.0";
/// Compiled by the build script; empty when that was impossible.
const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hello"));

/// The image as a tar that every engine can import. It greets its first argument.
///
/// # Errors
/// `Unsupported` when this build has no app: the build script found no static C library.
pub fn archive() -> io::Result<Vec<u8>> {
    if PROGRAM.is_empty() {
        let reason = "this build has no demo app: it needs a static C library (Debian: libc6-dev)";
        return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
    }
    pack()
}

fn pack() -> io::Result<Vec<u8>> {
    let layer = tar(&[("app/hello", PROGRAM, 0o755)])?;
    let config = serde_json::to_vec(&config(&layer))?;
    let name = format!("{:x}.json", Sha256::digest(&config));
    let manifest: Value = json!([{ "Config": name, "RepoTags": [TAG], "Layers": ["layer.tar"] }]);
    let manifest = serde_json::to_vec(&manifest)?;
    tar(&[
        (&name, &config, 0o644),
        ("layer.tar", &layer, 0o644),
        ("manifest.json", &manifest, 0o644),
    ])
}

fn config(layer: &[u8]) -> Value {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "architecture": architecture,
        "os": "linux",
        "config": { "Entrypoint": ["/app/hello"], "WorkingDir": "/" },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{:x}", Sha256::digest(layer))] },
    })
}

fn tar(files: &[(&str, &[u8], u32)]) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(*mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        tar.append_data(&mut header, name, *content)?;
    }
    tar.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_program_gives_the_same_image() {
        assert_eq!(pack().unwrap(), pack().unwrap());
    }
}
