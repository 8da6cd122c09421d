//! Which chain a role works on: by name, or by node and hub.

use std::time::Duration;

use chain::Hub;
use protocol::Address;
use sdk::chains;
use serde::Deserialize;
use tokio::time::Instant;

use super::Common;
use crate::{context::Context, env_vars, outcome::Failure};

/// How long a chain may take to answer at the start: machines start everything at once.
const CONNECT_WAIT_S: u64 = 30;
/// Between two attempts.
const CONNECT_RETRY_MS: u64 = 500;

/// `[chain]` of the settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ChainConfig {
    name: Option<String>,
    rpc_url: Option<String>,
    hub: Option<Address>,
}

/// Where a chain is.
#[derive(Debug)]
pub(crate) struct Place {
    url: String,
    hub: Address,
    /// What a chain that is known by name says of itself and its services.
    pub(crate) known: Option<chains::Chain>,
}

impl Place {
    /// What options, environment and settings mean.
    pub(crate) fn find(
        context: &Context,
        options: &Common,
        config: &ChainConfig,
    ) -> Result<Self, Failure> {
        let url = options.chain_url.clone();
        let url =
            url.or_else(|| env_vars::get(env_vars::CHAIN_URL).filter(|_| options.chain.is_none()));
        let hub = options.hub.clone().or_else(|| env_vars::get(env_vars::HUB));
        let hub = hub
            .map(|text| sdk::parse::address("--hub", &text))
            .transpose()?;
        let name = match url {
            // A node that was typed is not the one of a chain named in the file.
            Some(_) => None,
            None => options.chain.clone().or_else(|| config.name.clone()),
        };
        let known = name.map(|name| context.chain(Some(&name))).transpose()?;
        let told = |chain: &chains::Chain| (chain.host.clone(), chain.hub);
        let (known_url, known_hub) = known.as_ref().map(told).unzip();
        let by_name = options.chain.is_some();
        let url = url
            .or_else(|| config.rpc_url.clone().filter(|_| !by_name))
            .or(known_url);
        let hub = hub.or(config.hub.filter(|_| !by_name)).or(known_hub);
        match (url, hub) {
            (Some(url), Some(hub)) => Ok(Self { url, hub, known }),
            (None, _) => Err(missing("no chain is given")),
            (_, None) => Err(missing("the hub of the chain is not given")),
        }
    }

    /// Connects, as soon as the chain answers.
    pub(crate) async fn connect(&self) -> Result<Hub, Failure> {
        let end = Instant::now() + Duration::from_secs(CONNECT_WAIT_S);
        loop {
            match Hub::connect(&self.url, self.hub).await {
                Ok(hub) => return self.check(hub),
                Err(error) if error.is_retryable() && Instant::now() < end => {
                    tracing::warn!(%error, url = self.url, "the chain does not answer yet");
                }
                Err(error) => return Err(self.unreachable(&error)),
            }
            tokio::time::sleep(Duration::from_millis(CONNECT_RETRY_MS)).await;
        }
    }

    fn check(&self, hub: Hub) -> Result<Hub, Failure> {
        let wanted = self.known.as_ref().and_then(|known| known.id);
        match wanted.filter(|id| *id != hub.chain_id()) {
            None => Ok(hub),
            Some(id) => Err(Failure::new(format!(
                "{} is a node of chain {}, not of {id}",
                self.url,
                hub.chain_id()
            ))
            .named("ValidationError")
            .hint("name the chain that the node belongs to")),
        }
    }

    fn unreachable(&self, error: &chain::Error) -> Failure {
        let failure = Failure::with_sources(error).named("NetworkError");
        match error {
            chain::Error::Unreachable { .. } => failure.hint(format!("does {} run?", self.url)),
            chain::Error::Url(_) => {
                failure.hint("give a URL as http://…, https://…, ws://… or wss://…")
            }
            _ => failure.hint(format!("is {} the hub of this chain?", self.hub)),
        }
    }
}

fn missing(message: &str) -> Failure {
    Failure::new(message).named("ValidationError").hint(
        "name a known chain with --chain, or give --chain-url and --hub, or set them below \
        [chain] in the settings",
    )
}
