//! Programs that tests need and a fresh machine lacks.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use crate::network;

/// One installation or daemon start at a time in this process.
pub(super) static BUSY: Mutex<()> = Mutex::new(());

/// Says that a test did not run and why; fails it where `CI` is set, so that no gap stays
/// unnoticed there.
///
/// # Panics
/// Where `CI` is set.
pub fn skip(test: &str, reason: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "{test} cannot be skipped here: {reason}"
    );
    #[expect(
        clippy::print_stderr,
        reason = "the person who runs the tests must see it"
    )]
    {
        eprintln!("skipped {test}: {reason}");
    }
}

/// The program at this path, installed from the distribution's package if need be.
pub(super) fn ensure(path: &str, package: &str) -> Result<PathBuf, String> {
    let _one = BUSY
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let path = Path::new(path);
    if !path.exists() {
        apt(&["update"]).and_then(|()| apt(&["install", "-y", package]))?;
    }
    match path.exists() {
        true => Ok(path.to_owned()),
        false => Err(format!(
            "{} is missing, install `{package}`",
            path.display()
        )),
    }
}

/// What the built-in engine makes networks with; only root can.
pub(super) fn ensure_network() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() || network::missing_program().is_none() {
        return Ok(());
    }
    ensure("/sbin/ip", "iproute2")?;
    ensure("/sbin/iptables", "iptables")?;
    match network::missing_program() {
        None => Ok(()),
        Some(program) => Err(format!("`{program}` is not in PATH")),
    }
}

fn apt(args: &[&str]) -> Result<(), String> {
    let done = Command::new("apt-get")
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("apt-get: {error}"))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!(
            "apt-get {args:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        )),
    }
}

/// A Docker daemon on the usual socket, started if need be; it outlives the tests.
///
/// # Errors
/// A sentence saying what to do.
pub fn ensure_dockerd() -> Result<(), String> {
    if answers() {
        return Ok(());
    }
    let program = ensure("/usr/sbin/dockerd", "docker.io")?;
    let _one = BUSY
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    match answers() {
        true => Ok(()),
        false => start(&program),
    }
}

fn answers() -> bool {
    std::os::unix::net::UnixStream::connect("/var/run/docker.sock").is_ok()
}

fn start(program: &Path) -> Result<(), String> {
    let log = std::env::temp_dir().join("dockerd.log");
    launch(Command::new(program), &log, "API listen on")
}

/// Starts a daemon and reads its log until it says that it listens.
pub(super) fn launch(mut daemon: Command, log: &Path, listening: &str) -> Result<(), String> {
    let name = daemon.get_program().to_string_lossy().into_owned();
    let file = std::fs::File::create(log).map_err(|error| error.to_string())?;
    let clone = file.try_clone().map_err(|error| error.to_string())?;
    let mut daemon = daemon
        .stdin(Stdio::null())
        .stdout(clone)
        .stderr(file)
        .process_group(0)
        .spawn()
        .map_err(|error| format!("{name}: {error}"))?;
    // Ends with the daemon, so a daemon that fails to start does not leave us reading.
    let mut follow = Command::new("tail")
        .args(["-n", "+1", "-f", "--pid", &daemon.id().to_string()])
        .arg(log)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("tail: {error}"))?;
    // Reaped when it fails, or it would seem to live for ever.
    std::thread::spawn(move || daemon.wait());
    let lines = follow
        .stdout
        .take()
        .map(BufReader::new)
        .into_iter()
        .flat_map(BufRead::lines);
    let listens = lines
        .map_while(Result::ok)
        .any(|line| line.contains(listening));
    let _ = follow.kill();
    let _ = follow.wait();
    match listens {
        true => Ok(()),
        false => Err(format!("{name} does not start, see {}", log.display())),
    }
}
