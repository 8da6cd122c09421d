//! Programs of the distribution.

use std::{env, path::Path, process::Command};

use anyhow::{Result, ensure};

use super::{keep, requirement};

/// Makes programs of Debian packages available: pairs of package and one program it brings.
///
/// A program is a name looked up in `PATH` or an absolute path. Nothing happens when all are
/// there; otherwise the packages are installed, which needs root and a reachable Debian mirror.
pub fn apt_install(packages: &[(&str, &str)]) -> Result<()> {
    if missing(packages).is_empty() {
        return Ok(());
    }
    requirement::root()?;
    let _lock = keep::lock("apt")?;
    let names = missing(packages);
    if !names.is_empty() && install(&names).is_err() {
        keep::run(apt_get().arg("update"))?;
        install(&names)?;
    }
    let names = missing(packages);
    ensure!(
        names.is_empty(),
        "packages without the expected program: {names:?}"
    );
    Ok(())
}

/// Installs one Debian package unless what it brings is `found` already.
pub(super) fn apt_install_unless(package: &str, found: impl Fn() -> bool) -> Result<()> {
    if found() {
        return Ok(());
    }
    requirement::root()?;
    let _lock = keep::lock("apt")?;
    if !found() && install(&[package]).is_err() {
        keep::run(apt_get().arg("update"))?;
        install(&[package])?;
    }
    ensure!(found(), "`{package}` does not bring what is expected of it");
    Ok(())
}

fn install(names: &[&str]) -> Result<()> {
    keep::run(
        apt_get()
            .args(["install", "-y", "--no-install-recommends"])
            .args(names),
    )
    .map(drop)
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("-qq").env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn missing<'a>(packages: &[(&'a str, &str)]) -> Vec<&'a str> {
    packages
        .iter()
        .filter(|(_, program)| !exists(program))
        .map(|(package, _)| *package)
        .collect()
}

fn exists(program: &str) -> bool {
    if program.starts_with('/') {
        return Path::new(program).is_file();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_installed_when_the_programs_exist() {
        apt_install(&[("no-such-package", "sh"), ("nor-this-one", "/bin/sh")]).unwrap();
    }

    #[test]
    fn only_packages_without_program_are_missing() {
        let packages = [("dash", "sh"), ("some-package", "no-such-program")];
        assert_eq!(missing(&packages), ["some-package"]);
    }
}
