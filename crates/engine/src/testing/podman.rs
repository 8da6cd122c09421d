//! A real Podman service of the tests' own.

use std::path::Path;
use std::process::Command;

use super::install::{BUSY, ensure, launch};

/// Nobody has to end it: without requests it ends by itself.
const IDLE_S: u32 = 60;

const REGISTRIES_FILE: &str = "registries.conf";
/// Docker speaks plain HTTP to this machine unasked.
const REGISTRIES: &str = "[[registry]]\nlocation = \"127.0.0.1\"\ninsecure = true\n";

/// The socket of a Podman service, started if need be, as `DOCKER_HOST` names it.
///
/// # Errors
/// A sentence saying what to do.
pub fn ensure_podman() -> Result<String, String> {
    let program = ensure("/usr/bin/podman", "podman")?;
    let _one = BUSY
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let dir = std::env::temp_dir().join("iexec-podman");
    let socket = dir.join("podman.sock");
    if std::os::unix::net::UnixStream::connect(&socket).is_err() {
        std::fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
        let registries = dir.join(REGISTRIES_FILE);
        std::fs::write(registries, REGISTRIES).map_err(|error| error.to_string())?;
        let service = service(&program, &dir, &socket);
        launch(service, &dir.join("log"), "API service listening on")?;
    }
    Ok(format!("unix://{}", socket.display()))
}

/// With its own storage, and without systemd, which test machines lack.
fn service(program: &Path, dir: &Path, socket: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(dir)
        .env("CONTAINERS_REGISTRIES_CONF", dir.join(REGISTRIES_FILE))
        .arg("--root")
        .arg(dir.join("root"))
        .arg("--runroot")
        .arg(dir.join("run"))
        .arg("--network-config-dir")
        .arg(dir.join("networks"))
        .args(["--cgroup-manager", "cgroupfs", "--events-backend", "file"])
        .args(["--log-level", "info", "system", "service"])
        .arg(format!("--time={IDLE_S}"))
        .arg(format!("unix://{}", socket.display()));
    command
}
