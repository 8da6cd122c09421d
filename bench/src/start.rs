//! How long `iexec up` takes to be ready, and what it weighs when nothing happens.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use crate::stats::{line, median, say};

/// Starts measured of each kind.
const STARTS: usize = 5;
/// After this, start-up memory has settled.
const IDLE: Duration = Duration::from_secs(5);

/// Prints the time to ready on new and on used data directories, and the idle memory.
pub(crate) fn measure() -> anyhow::Result<()> {
    let program = program()?;
    let folder = tempfile::tempdir()?;
    let (mut fresh, mut used, mut memory) = (Vec::new(), Vec::new(), 0);
    for number in 0..STARTS {
        let data = folder.path().join(number.to_string());
        let (mut network, ready) = start(&program, &data)?;
        fresh.push(ready);
        stop(&mut network);
        let (mut network, ready) = start(&program, &data)?;
        used.push(ready);
        if number + 1 == STARTS {
            std::thread::sleep(IDLE);
            memory = resident_kib(network.id())?;
        }
        stop(&mut network);
    }
    line(
        "iexec up, new data directory, to ready (median)",
        median(fresh),
        None,
    );
    line(
        "iexec up, used data directory, to ready (median)",
        median(used),
        None,
    );
    say(&format!(
        "{:<58} {:>8.1} MiB",
        "iexec up, resident when idle",
        memory as f64 / 1024.0
    ));
    Ok(())
}

/// The `iexec` built together with this program.
pub(crate) fn program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("iexec");
    let build = "cargo build --release --package iexec --package iexec-bench";
    ensure!(
        program.exists(),
        "there is no {}; build both: {build}",
        program.display()
    );
    Ok(program)
}

fn start(program: &Path, data: &Path) -> anyhow::Result<(Child, Duration)> {
    let start = Instant::now();
    let mut child = Command::new(program)
        .args(["up", "--port", "0", "--json", "--data"])
        .arg(data)
        .stdout(Stdio::piped())
        .spawn()?;
    let out = child.stdout.take().context("no output")?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    ensure!(line.starts_with('{'), "`iexec up` did not start");
    Ok((child, start.elapsed()))
}

fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn resident_kib(id: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status
        .lines()
        .find(|l| l.starts_with("VmRSS:"))
        .context("no VmRSS")?;
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    Ok(digits.parse()?)
}
