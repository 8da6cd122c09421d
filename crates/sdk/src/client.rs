//! A connection to one chain and its services.

use std::time::{SystemTime, UNIX_EPOCH};

use chain::{Actor, Hub, Policy, Wallet};

use crate::{Error, chains::Chain, http::Http};

/// Everything a program needs that only reads. Cheap clone; see [`Client::actor`] for the rest.
#[derive(Clone, Debug)]
pub struct Client {
    chain: Chain,
    hub: Hub,
    http: Http,
    policy: Policy,
}

impl Client {
    /// Connects to the chain's node and reads what the hub says of itself.
    ///
    /// # Errors
    /// [`Error::Chain`] when the node or hub does not answer; [`Error::Configuration`] when the
    /// node is on another chain than the configuration says.
    pub async fn connect(chain: Chain) -> Result<Self, Error> {
        let hub = Hub::connect(&chain.host, chain.hub)
            .await
            .map_err(Error::chain("connect to the chain"))?;
        if let Some(id) = chain.id.filter(|id| *id != hub.chain_id()) {
            return Err(Error::Configuration {
                reason: format!(
                    "chain \"{}\" has the id {id}, but {} is on chain {}",
                    chain.name,
                    chain.host,
                    hub.chain_id()
                ),
                hint: Some("correct `id` or `host` in chain.json".to_owned()),
            });
        }
        Ok(Self {
            chain,
            hub,
            http: Http::new()?,
            policy: Policy::default(),
        })
    }

    /// The chain's configuration.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The hub, for reads.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The same connection, whose actors price and confirm transactions so.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// `wallet` acting on the hub.
    pub fn actor(&self, wallet: Wallet) -> Actor {
        Actor::with_policy(self.hub.clone(), wallet, self.policy)
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// Seconds since 1970, the later of the newest block's and the machine's: a chain that mines
    /// on demand stands still between blocks, and one under test may run ahead.
    ///
    /// # Errors
    /// [`Error::Chain`].
    pub async fn now(&self) -> Result<u64, Error> {
        let chain = self
            .hub
            .now()
            .await
            .map_err(Error::chain("read the newest block"))?;
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(chain.max(wall.map(|age| age.as_secs()).unwrap_or_default()))
    }

    pub(crate) fn not_found(&self, kind: &'static str, id: impl ToString) -> Error {
        Error::NotFound {
            kind,
            id: id.to_string(),
            chain_id: self.hub.chain_id(),
        }
    }
}
