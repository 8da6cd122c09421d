//! What a machine must have for a test: skipped where it is missing, required in CI.

use std::{env, os::unix::fs::MetadataExt as _, process::Command};

use anyhow::{Context as _, Result, ensure};

use super::{debian, keep};

/// Node's package manager, for tests against official JavaScript or binaries it carries.
pub fn npm() -> Result<()> {
    keep::run(Command::new("npm").arg("--version"))
        .context("npm is needed")
        .map(drop)
}

/// A container daemon that answers, local or through `DOCKER_HOST`.
pub fn docker() -> Result<()> {
    keep::run(Command::new("docker").arg("info"))
        .context("Docker is needed")
        .map(drop)
}

/// `strace`, and a kernel that lets it trace: it makes system calls of a program fail.
pub fn strace() -> Result<()> {
    debian::apt_install(&[("strace", "strace")])?;
    keep::run(Command::new("strace").args(["-o", "/dev/null", "true"]))
        .context("no process may trace another")
        .map(drop)
}

/// The rights of root, for namespaces and package installation.
pub fn root() -> Result<()> {
    let user = std::fs::metadata("/proc/self").context("no /proc")?.uid();
    ensure!(user == 0, "root is needed");
    Ok(())
}

/// What a test asked for, or `None` after saying on stderr that it is skipped and why.
///
/// Panics when the environment says `CI=true`: there, a skipped test would be a lie.
/// Tests call it through [`need!`](crate::need!).
pub fn need<T>(test: &str, found: Result<T>) -> Option<T> {
    decide(test, found, env::var("CI").is_ok_and(|ci| ci == "true"))
}

#[expect(
    clippy::print_stderr,
    reason = "the reader of the test's output is the audience"
)]
fn decide<T>(test: &str, found: Result<T>, required: bool) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(reason) if required => panic!("{test} cannot be skipped in CI: {reason:#}"),
        Err(reason) => {
            eprintln!("skipped: {test}: {reason:#}");
            None
        }
    }
}

/// The path of the function around a nested function's type name, as [`need!`](crate::need!)
/// makes one: `crate::module::test::here` or, in async code, with `{{closure}}` in between.
pub fn test_name(nested: &str) -> &str {
    let name = nested.rsplit_once("::").map_or(nested, |(name, _)| name);
    name.trim_end_matches("::{{closure}}")
}

/// Unwraps a `Result` that says whether the machine has what the test needs, or skips the test.
///
/// Use it in functions that return `()`. See [`need`](crate::need()) for CI.
#[macro_export]
macro_rules! need {
    ($found:expr) => {{
        fn here() {}
        let name = std::any::type_name_of_val(&here);
        match $crate::need($crate::test_name(name), $found) {
            Some(found) => found,
            None => return,
        }
    }};
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn present_is_used() {
        assert_eq!(decide("test", Ok(7), true), Some(7));
    }

    #[test]
    fn missing_is_skipped_at_home() {
        assert_eq!(decide::<()>("test", Err(anyhow!("no npm")), false), None);
    }

    #[test]
    #[should_panic(expected = "some::test cannot be skipped in CI: no npm")]
    fn missing_fails_in_ci() {
        decide::<()>("some::test", Err(anyhow!("no npm")), true);
    }

    #[test]
    fn test_is_named_after_its_function() {
        assert_eq!(test_name("tests::some::test::here"), "tests::some::test");
        assert_eq!(test_name("tests::test::{{closure}}::here"), "tests::test");
    }
}
