//! The service: its configuration, its parts, and a handle for the same process.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    Attestation, BackupSecret, Error, Imported, Ipfs, Ledger, Manifest, Mode, Phrase, Pipeline,
    Rotation, Slot, Value,
    attested::Attested,
    http,
    ipfs::Gateway,
    seal::{KeyFile, KeyProvider, Passphrase},
    vault::{AUDIT_FILE, KEY_FILE, Setup, Vault},
};

/// How often keys and sessions of tasks that are over are deleted, as upstream.
const PURGE_PERIOD_S: u64 = 3_600;

/// What an operator decides.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Directory of the key file, and of the database unless that is elsewhere; created when
    /// missing. Back up both, apart from each other.
    pub data_dir: PathBuf,
    /// `sqlite:` or `postgres:` URL; a file in `data_dir` when absent.
    #[serde(default)]
    pub database: Option<String>,
    /// Which enclaves this service provisions; none offers only the secret routes.
    #[serde(default)]
    pub framework: Option<Framework>,
    /// This service's own origin as enclaves reach it, e.g. `http://127.0.0.1:8545`.
    #[serde(default)]
    pub public_url: String,
    /// The containers that do the stages around the app, told to enclaves; none, by default, where
    /// these do them with code of their own.
    #[serde(default)]
    pub pipeline: Pipeline,
    /// Origin of the IPFS gateway that bulks of datasets are read from, e.g.
    /// `https://ipfs.example.org`; without it no task of a bulk gets a session.
    #[serde(default)]
    pub ipfs_gateway: Option<String>,
    /// How enclaves prove what they are; without it no session is released to anybody.
    #[serde(default)]
    pub attestation: Option<Attestation>,
    /// Where the key comes from that everything is sealed under.
    #[serde(default)]
    pub keys: Keys,
    /// Which enclaves the store is for: it can never be opened for the others. With
    /// `attestation`, that decides.
    #[serde(default)]
    pub mode: Mode,
}

/// Where the root key comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "provider", deny_unknown_fields)]
pub enum Keys {
    /// A file in the data directory, made on first use: not safe from who has the disk.
    #[default]
    File,
    /// A passphrase; without it the service starts sealed.
    Passphrase {
        /// A file that has it; else somebody gives it at each start.
        #[serde(default)]
        file: Option<PathBuf>,
    },
}

/// A TEE framework, with the official spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Framework {
    /// Intel SGX through Scone.
    Scone,
    /// Intel SGX through Gramine.
    Gramine,
    /// Intel TDX.
    Tdx,
}

impl Config {
    /// The defaults, with everything kept under `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            database: None,
            framework: None,
            public_url: String::new(),
            pipeline: Pipeline::default(),
            ipfs_gateway: None,
            attestation: None,
            keys: Keys::default(),
            mode: Mode::default(),
        }
    }

    pub(crate) fn setup(&self) -> Result<Setup, Error> {
        let provider: Arc<dyn KeyProvider> = match &self.keys {
            Keys::File => Arc::new(KeyFile::new(self.data_dir.join(KEY_FILE))),
            Keys::Passphrase { file } => Arc::new(Passphrase::new(file.clone())),
        };
        Ok(Setup {
            url: self.database_url()?,
            data_dir: self.data_dir.clone(),
            provider,
            mode: self
                .attestation
                .as_ref()
                .map_or(self.mode, Attestation::mode),
        })
    }

    /// Fills the empty store of this configuration with a backup.
    ///
    /// # Errors
    /// [`Error::Backup`] when it is not whole, for another key, or the store is not empty;
    /// [`Error::Sealed`] when a passphrase is needed. Nothing is written then.
    pub async fn restore(
        &self,
        secret: &BackupSecret,
        phrase: Option<&Phrase>,
        backup: &[u8],
    ) -> Result<Manifest, Error> {
        create(&self.data_dir).await?;
        crate::backup::restore(self.setup()?, secret, phrase, backup).await
    }

    /// Takes over the secrets of an official service, from its H2 dump and the base64 of its key.
    /// What is here already stays.
    ///
    /// # Errors
    /// [`Error::Import`] when a secret cannot be understood; none is taken then.
    pub async fn import(
        &self,
        phrase: Option<&Phrase>,
        dump: &str,
        key: &str,
    ) -> Result<Imported, Error> {
        create(&self.data_dir).await?;
        let vault = Vault::open_sealed(self.setup()?).await?;
        match vault.unseal(phrase).await? {
            true => vault.import(dump, key).await,
            false => Err(Error::Sealed),
        }
    }

    /// Where the audit log is.
    pub fn audit_log(&self) -> PathBuf {
        self.data_dir.join(AUDIT_FILE)
    }

    fn database_url(&self) -> Result<String, Error> {
        if let Some(url) = &self.database {
            return Ok(url.clone());
        }
        let file = std::path::absolute(self.data_dir.join("secrets.sqlite"));
        let file = file.map_err(Error::disk("locate", &self.data_dir))?;
        let path = file.to_string_lossy().replace('%', "%25");
        let path = path.replace('?', "%3f").replace('#', "%23");
        Ok(format!("sqlite://{path}?mode=rwc"))
    }
}

async fn create(data_dir: &Path) -> Result<(), Error> {
    let created = tokio::fs::create_dir_all(data_dir).await;
    created.map_err(Error::disk("create", data_dir))
}

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) vault: Vault,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) ipfs: Option<Arc<dyn Ipfs>>,
    pub(crate) framework: Option<Framework>,
    pub(crate) public_url: String,
    pub(crate) pipeline: Pipeline,
    pub(crate) attested: Option<Arc<Attested>>,
}

/// The secret management service. Its router does everything; [`Service::run`] only tidies up.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

impl Service {
    /// Opens the vault of `config`; on first use makes its key and tables.
    ///
    /// # Errors
    /// [`Error::WrongKey`] when the key file does not fit the database, [`Error::OtherMode`] for
    /// the store of other enclaves, [`Error::Gateway`], and what disk and database say.
    pub async fn open(config: Config, ledger: Arc<dyn Ledger>) -> Result<Self, Error> {
        let gateway = config.ipfs_gateway.as_deref().map(Gateway::new);
        let gateway = gateway.transpose()?;
        let ipfs = gateway.map(|gateway| Arc::new(gateway) as Arc<dyn Ipfs>);
        Self::open_with(config, ledger, ipfs).await
    }

    /// As [`Service::open`], but bulks are read from `ipfs`, whatever the configuration says.
    ///
    /// # Errors
    /// As [`Service::open`].
    pub async fn open_with(
        config: Config,
        ledger: Arc<dyn Ledger>,
        ipfs: Option<Arc<dyn Ipfs>>,
    ) -> Result<Self, Error> {
        config.pipeline.check()?;
        create(&config.data_dir).await?;
        let (chain_id, _) = ledger.place();
        let attested = config.attestation.clone();
        let attested = attested
            .map(|one| Attested::open(one, chain_id))
            .transpose()?;
        let shared = Shared {
            vault: Vault::open(config.setup()?).await?,
            ledger,
            ipfs,
            framework: config.framework,
            public_url: config.public_url.trim_end_matches('/').to_owned(),
            pipeline: config.pipeline,
            attested: attested.map(Arc::new),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The routes that SDK, pool and worker use. No other service has one of them, so that all
    /// can share an origin.
    pub fn router(&self) -> Router {
        http::router(Arc::clone(&self.shared))
    }

    /// The operator's routes, for a service with an origin of its own: `/version`, `/metrics` and
    /// `/actuator/health`.
    pub fn operator_router(&self) -> Router {
        http::operator_router(Arc::clone(&self.shared))
    }

    /// Whether nothing can be read or stored until [`Service::unseal`].
    pub fn is_sealed(&self) -> bool {
        self.shared.vault.seal.is_sealed()
    }

    /// Opens the store with a passphrase; that of a new store is the one to keep.
    ///
    /// # Errors
    /// [`Error::WrongRoot`] when it is another one, [`Error::ShortPassphrase`] for a new store.
    pub async fn unseal(&self, phrase: &Phrase) -> Result<(), Error> {
        match self.shared.vault.unseal(Some(phrase)).await? {
            true => Ok(()),
            false => Err(Error::Sealed),
        }
    }

    /// Puts everything under a new key, while the service goes on. A passphrase has to be given
    /// again unless the settings have it.
    ///
    /// # Errors
    /// [`Error::Sealed`], [`Error::WrongRoot`] for another passphrase, [`Error::Database`]. Called
    /// again, it goes on where it was.
    pub async fn rotate(&self, phrase: Option<&Phrase>) -> Result<Rotation, Error> {
        self.shared.vault.rotate(phrase).await
    }

    /// Deletes keys and sessions of tasks that are past their final deadline, until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let period = Duration::from_secs(PURGE_PERIOD_S);
        let tidy = async {
            loop {
                self.purge().await;
                self.shared.attested.iter().for_each(|one| one.warn());
                tokio::time::sleep(period).await;
            }
        };
        shutdown.run_until_cancelled(tidy).await;
    }

    /// The chain's clock counts: its deadlines are by it. Nonces are by our own.
    pub(crate) async fn purge(&self) {
        if let Some(attested) = &self.shared.attested {
            attested.tidy(&self.shared.vault).await;
        }
        let now = match self.shared.ledger.now().await {
            Ok(now) => now,
            Err(error) => return tracing::warn!(%error, "nothing is deleted"),
        };
        match self.shared.vault.purge(now).await {
            Ok(0) => {}
            Ok(count) => tracing::debug!(count, "enclave keys and sessions deleted"),
            Err(error) => tracing::warn!(%error, "old sessions cannot be deleted"),
        }
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.shared.vault
    }

    #[cfg(test)]
    pub(crate) fn attested(&self) -> &Attested {
        self.shared.attested.as_ref().unwrap()
    }

    /// For parts of the same process.
    pub fn handle(&self) -> Handle {
        Handle {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// Reads secrets without HTTP. Cheap to clone; whoever holds it can read everything.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn check(&self) -> Result<(), Error> {
        self.shared.vault.ping().await
    }

    /// Whether there is a value in `slot`.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn holds(&self, slot: &Slot) -> Result<bool, Error> {
        self.shared.vault.holds(slot).await
    }

    /// The value in `slot`.
    ///
    /// # Errors
    /// [`Error::Database`], or [`Error::Damaged`] when it is not what was sealed.
    pub async fn get(&self, slot: &Slot) -> Result<Option<Value>, Error> {
        self.shared.vault.get(slot).await
    }
}
