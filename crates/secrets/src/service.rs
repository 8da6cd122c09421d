//! The service: its configuration, its parts, and a handle for the same process.

use std::{path::PathBuf, sync::Arc};

use axum::Router;
use serde::{Deserialize, Serialize};

use crate::{Error, Owners, Slot, Value, http, vault::Vault};

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
        }
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

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) vault: Vault,
    pub(crate) owners: Arc<dyn Owners>,
    pub(crate) framework: Option<Framework>,
}

/// The secret management service. It has no loop of its own: its router does everything.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

impl Service {
    /// Opens the vault of `config`; on first use makes its key and tables.
    ///
    /// # Errors
    /// [`Error::WrongKey`] when the key file does not fit the database, and what disk and
    /// database say.
    pub async fn open(config: Config, owners: Arc<dyn Owners>) -> Result<Self, Error> {
        tokio::fs::create_dir_all(&config.data_dir)
            .await
            .map_err(Error::disk("create", &config.data_dir))?;
        let key = config.data_dir.join("secrets.key");
        let shared = Shared {
            vault: Vault::open(&config.database_url()?, key).await?,
            owners,
            framework: config.framework,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The routes that the SDK uses.
    pub fn router(&self) -> Router {
        http::router(Arc::clone(&self.shared))
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
