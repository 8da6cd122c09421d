//! Every environment variable that the program reads.

/// Constants with the variables' names, and a list of them with their documentation.
macro_rules! variables {
    ($($(#[doc = $meaning:literal])+ $constant:ident $name:literal;)*) => {
        $($(#[doc = $meaning])+ pub(crate) const $constant: &str = $name;)*

        /// Names and meanings, for the reference.
        pub(crate) const ALL: &[(&str, &[&str])] = &[$(($name, &[$($meaning),+]),)*];
    };
}

variables! {
    /// Password of the wallet, for machines: nobody types it, and it is in no process list.
    WALLET_PASSWORD "IEXEC_WALLET_PASSWORD";
    /// Key of whoever deploys contracts, likewise.
    PRIVATE_KEY "IEXEC_PRIVATE_KEY";
    /// Keystore file of a role that runs alone.
    WALLET_FILE "IEXEC_WALLET_FILE";
    /// Node of the chain that a role works on.
    CHAIN_URL "IEXEC_CHAIN_URL";
    /// Hub of that chain.
    HUB "IEXEC_HUB";
    /// Workerpool of a pool, or that a worker works for.
    WORKERPOOL "IEXEC_WORKERPOOL";
    /// API of the pool that a worker works for.
    POOL_URL "IEXEC_POOL_URL";
    /// Passphrase of a secret manager's store, for machines.
    SMS_PASSPHRASE "IEXEC_SMS_PASSPHRASE";
    /// Data directory of the local network.
    DATA "IEXEC_DATA";
    /// Where users' data goes by convention.
    XDG_DATA_HOME "XDG_DATA_HOME";
    /// Where the Docker daemon listens.
    DOCKER_HOST "DOCKER_HOST";
    /// Where a user's own Podman listens.
    XDG_RUNTIME_DIR "XDG_RUNTIME_DIR";
    /// Which of its own words the program tells, e.g. `pool=debug`.
    LOG "RUST_LOG";
    /// Where a pool or worker built with the feature `otlp` sends traces of tasks.
    OTLP_ENDPOINT "OTEL_EXPORTER_OTLP_ENDPOINT";
    /// The user's home directory.
    HOME "HOME";
}

/// A variable that is set and not empty.
pub(crate) fn get(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    /// A constant of its own would be missing from the reference.
    #[test]
    fn all_variables_are_in_the_list() {
        let source = include_str!("env_vars.rs");
        let alone = concat!("const ", "WALLET_PASSWORD: &str =");
        assert!(!source.contains(alone));
        let constants = source.matches(concat!("pub(crate) ", "const ")).count();
        assert_eq!(constants, 2, "declare it in the macro");
    }
}
