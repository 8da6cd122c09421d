//! What can go wrong between us and our disk. No variant carries a value.

use std::{io, path::PathBuf};

use crate::audit::Broken;

/// Why the vault cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory of ours cannot be used.
    #[error("failed to {what} `{path}`")]
    Disk {
        /// What was being done, an infinitive.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// The key file is there but holds no key.
    #[error("`{path}` is not a key of 32 bytes")]
    BadKey {
        /// The key file.
        path: PathBuf,
    },
    /// The secrets were sealed with another key: a new one would make them unreadable for ever.
    #[error("the secrets were not sealed with the key in `{path}`; restore that file")]
    WrongKey {
        /// The key file.
        path: PathBuf,
    },
    /// The database failed.
    #[error("failed to {what}")]
    Database {
        /// What was being done, an infinitive.
        what: &'static str,
        /// The database's word.
        #[source]
        source: Box<sqlx::Error>,
    },
    /// The tables could not be brought up to date.
    #[error("failed to prepare the tables")]
    Tables(#[source] Box<sqlx::migrate::MigrateError>),
    /// A stored value is not what was sealed under that name.
    #[error("a stored secret is damaged")]
    Damaged,
    /// The keyring was sealed under another root: the passphrase or the key file is not its own.
    #[error("the passphrase or key does not open this store")]
    WrongRoot,
    /// No key is there: nothing can be read or stored until somebody gives it.
    #[error("the store is sealed: give its passphrase with `iexec sms unseal`")]
    Sealed,
    /// A new passphrase is one that can be guessed.
    #[error(
        "a passphrase has at least {} characters",
        crate::seal::PASSPHRASE_CHARS_MIN
    )]
    ShortPassphrase,
    /// The file of the passphrase is not one to trust.
    #[error("the passphrase file `{path}` {why}")]
    PassphraseFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: &'static str,
    },
    /// A container that would get a stage's secrets could be any.
    #[error("`{image}` of the pipeline needs the fingerprint of its manifest: 0x and 64 digits")]
    Unpinned {
        /// Its name.
        image: String,
    },
    /// What was kept for enclaves of one kind is not for those of the other.
    #[error("this store is for {stored} attestation, and cannot be opened for {wanted}")]
    OtherMode {
        /// The store's.
        stored: String,
        /// That of the settings.
        wanted: &'static str,
    },
    /// The settings name another source of the root key.
    #[error("the keys of this store come from `{stored}`, not from `{wanted}`")]
    OtherProvider {
        /// The store's.
        stored: String,
        /// That of the settings.
        wanted: &'static str,
    },
    /// A backup cannot be made or used.
    #[error("the backup cannot be used: {0}")]
    Backup(&'static str),
    /// A dump of the official service is not understood; nothing of it was taken.
    #[error("the dump cannot be taken over: {0}")]
    Import(String),
    /// The audit log is not as it was written.
    #[error("the audit log `{path}` cannot be trusted")]
    Audit {
        /// The log.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Broken,
    },
    /// A value could not be sealed.
    #[error("failed to seal a secret")]
    Seal,
    /// The IPFS gateway of the configuration cannot be used.
    #[error("`{url}` cannot be the IPFS gateway: {reason}")]
    Gateway {
        /// As configured.
        url: String,
        /// Why not.
        reason: String,
    },
    /// Simulated attestation without the word that it protects nothing.
    #[error("simulated attestation protects no secret: it must be allowed in so many words")]
    Insecure,
    /// Simulated attestation where real secrets are.
    #[error("attestation is never simulated on chain {chain_id}")]
    ProductionChain {
        /// The chain.
        chain_id: u64,
    },
    /// The service that publishes collateral has no address that can be asked.
    #[error("`{url}` is no address of a service that publishes collateral")]
    Pccs {
        /// What was given.
        url: String,
    },
    /// The simulated platform cannot be used.
    #[error("failed to open the simulated platform")]
    Simulator(#[from] simulator::Error),
}

impl Error {
    pub(crate) fn disk(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk { what, path, source }
    }

    pub(crate) fn database(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database {
            what,
            source: Box::new(source),
        }
    }
}
