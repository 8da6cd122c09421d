//! Every environment variable that the program reads.

/// Password of the wallet, for machines: nobody types it, and it is in no process list.
pub(crate) const WALLET_PASSWORD: &str = "IEXEC_WALLET_PASSWORD";
/// Key of whoever deploys contracts, likewise.
pub(crate) const PRIVATE_KEY: &str = "IEXEC_PRIVATE_KEY";
/// Data directory of the local network.
pub(crate) const DATA: &str = "IEXEC_DATA";
/// Where users' data goes by convention.
pub(crate) const XDG_DATA_HOME: &str = "XDG_DATA_HOME";
/// Where the Docker daemon listens.
pub(crate) const DOCKER_HOST: &str = "DOCKER_HOST";
/// Which of its own words the program tells, e.g. `pool=debug`.
pub(crate) const LOG: &str = "RUST_LOG";
/// The user's home directory.
pub(crate) const HOME: &str = "HOME";

/// A variable that is set and not empty.
pub(crate) fn get(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
