//! Packages of the npm registry.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use super::keep;

/// How long npm waits for one answer of its registry before it tries again.
const FETCH_TIMEOUT_MS: u32 = 60_000;
/// A second try helps against a dropped connection; more only delays the skip of the test.
const FETCH_RETRIES: u32 = 1;

/// The folder `node_modules/<name>` of `name@version` installed with all its dependencies.
///
/// Fetched once per machine; safe to call from many processes. Install scripts are not run: none
/// of the packages we use needs one, and they would download from elsewhere.
/// Programs of the package are in `node_modules/.bin` beside it.
pub fn npm_package(name: &str, version: &str) -> Result<PathBuf> {
    let kept = keep::filled(&key("npm", name, version), |folder| {
        let mut command = npm("install");
        command
            .args(["--ignore-scripts", "--no-audit", "--no-fund", "--prefix"])
            .arg(folder);
        keep::run(command.arg(format!("{name}@{version}"))).map(drop)
    })?;
    Ok(kept.join("node_modules").join(name))
}

/// The unpacked archive of `name@version` without its dependencies.
///
/// For packages of which we only read files, and those whose git dependencies cannot be had.
pub fn npm_archive(name: &str, version: &str) -> Result<PathBuf> {
    let kept = keep::filled(&key("npm-archive", name, version), |folder| {
        let mut command = npm("pack");
        keep::run(
            command
                .arg(format!("{name}@{version}"))
                .arg("--pack-destination")
                .arg(folder),
        )?;
        let archive = fs::read_dir(folder)?
            .next()
            .context("npm pack wrote no archive")??
            .path();
        keep::run(
            Command::new("tar")
                .arg("-xzf")
                .arg(&archive)
                .arg("-C")
                .arg(folder),
        )?;
        Ok(fs::remove_file(archive)?)
    })?;
    Ok(kept.join("package"))
}

fn npm(verb: &str) -> Command {
    let mut command = Command::new("npm");
    command.arg(verb).arg("--silent");
    command.arg(format!("--fetch-timeout={FETCH_TIMEOUT_MS}"));
    command.arg(format!("--fetch-retries={FETCH_RETRIES}"));
    command
}

/// One path component for a package: scoped names contain a slash.
fn key(kind: &str, name: &str, version: &str) -> String {
    format!("{kind}-{}@{version}", name.replace('/', "+"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scoped_names_stay_in_one_folder() {
        assert_eq!(key("npm", "@iexec/poco", "6.1.0"), "npm-@iexec+poco@6.1.0");
    }

    #[test]
    fn package_is_installed_once_for_all() {
        crate::need!(crate::npm());
        let first = crate::need!(npm_package("figlet", "1"));
        assert!(first.join("package.json").is_file());
        let others: Vec<_> = std::thread::scope(|scope| {
            let ask = || npm_package("figlet", "1").unwrap();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert!(others.iter().all(|path| *path == first));
    }
}
