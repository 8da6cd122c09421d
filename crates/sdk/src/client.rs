//! A connection to one chain and its services.

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
        let policy = Policy {
            gas_price: (!chain.use_gas).then_some(0),
            ..Policy::default()
        };
        Ok(Self {
            chain,
            hub,
            http: Http::new()?,
            policy,
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

    /// The same connection, whose actors price and confirm transactions so; without a price the
    /// chain's own, which is 0 where gas is not paid for.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        let gas_price = policy.gas_price.or(self.policy.gas_price);
        let policy = Policy {
            gas_price,
            ..policy
        };
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
        let now = self.hub.now().await;
        now.map_err(Error::chain("read the newest block"))
    }

    pub(crate) fn not_found(&self, kind: &'static str, id: impl ToString) -> Error {
        Error::NotFound {
            kind,
            id: id.to_string(),
            chain_id: self.hub.chain_id(),
        }
    }
}
