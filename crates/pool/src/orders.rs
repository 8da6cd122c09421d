//! Keeps one workerpool order per configured offer open on the market.

mod withdraw;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alloy::sol_types::Eip712Domain;
use chain::Wallet;
use protocol::{
    Address, B256, U256,
    challenge::{Audience, Token},
    order::{Order, Signed, WorkerpoolOrder},
};
use rand::RngCore;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{Config, Error, Offer};

/// First pause after the market did not answer; doubles up to the longest.
const RETRY_MS: u64 = 200;
/// Longest pause after the market did not answer.
const RETRY_MS_MAX: u64 = 30_000;
/// How often the offers are looked at although no deal came: an order can be closed on chain or
/// expire on the market.
const LOOK_PERIOD_S: u64 = 300;
/// Time the market has for one answer.
const ANSWER_WAIT_S: u64 = 15;
/// Orders read of each kind; the market's page size.
const PAGE_ORDERS: u32 = 100;

/// Tasks that deals have asked for: what may have used an order up.
#[derive(Debug, Default)]
pub(crate) struct Demand {
    tasks: AtomicU64,
    more: Notify,
}

impl Demand {
    /// A deal of so many tasks was made.
    pub(crate) fn add(&self, tasks: u64) {
        self.tasks.fetch_add(tasks, Ordering::Relaxed);
        self.more.notify_one();
    }

    fn take(&self) {
        self.tasks.store(0, Ordering::Relaxed);
    }

    /// Waits until `tasks` were asked for since the last [`Self::take`].
    async fn reaches(&self, tasks: u64) {
        while self.tasks.load(Ordering::Relaxed) < tasks {
            self.more.notified().await;
        }
    }
}

/// Publishes the offers of one pool. Cheap clone.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    owner: Wallet,
    domain: Eip712Domain,
    chain_id: u64,
    workerpool: Address,
    market: String,
    offers: Vec<Offer>,
    http: reqwest::Client,
}

#[derive(Debug, Deserialize)]
struct Listed {
    order: Signed<WorkerpoolOrder>,
    #[serde(default)]
    remaining: u64,
}

#[derive(Debug, Deserialize)]
struct Page {
    orders: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
struct ChallengeAnswer {
    data: Value,
}

impl Publisher {
    /// None when there is nothing to publish or nowhere to publish it.
    pub(crate) fn new(
        config: &Config,
        owner: Wallet,
        domain: Eip712Domain,
        chain_id: u64,
    ) -> Option<Self> {
        let market = config
            .market_url
            .as_ref()
            .filter(|_| !config.offers.is_empty())?;
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(ANSWER_WAIT_S))
            .build()
            .inspect_err(|error| warn!(%error, "no HTTP client: nothing is published"))
            .ok()?;
        Some(Self {
            owner,
            domain,
            chain_id,
            workerpool: config.workerpool,
            market: market.trim_end_matches('/').to_owned(),
            offers: config.offers.clone(),
            http,
        })
    }

    /// Keeps the offers on the market until the pool is to `drain`, and takes them off it then.
    pub(crate) async fn until(self, drain: CancellationToken, demand: Arc<Demand>) {
        let (publisher, mut pause) = (self.clone(), RETRY_MS);
        drain.run_until_cancelled(self.run(demand)).await;
        while let Err(error) = publisher.withdraw().await {
            warn!(%error, "the offers are not withdrawn yet");
            tokio::time::sleep(Duration::from_millis(pause)).await;
            pause = (pause * 2).min(RETRY_MS_MAX);
        }
        info!("the offers are withdrawn");
    }

    /// Publishes what is missing at once, and again whenever deals may have used an order up.
    pub(crate) async fn run(self, demand: Arc<Demand>) {
        let mut pause = RETRY_MS;
        loop {
            demand.take();
            match self.publish_missing().await {
                Ok(least) => {
                    pause = RETRY_MS;
                    tokio::select! {
                        () = demand.reaches(least.max(1)) => {}
                        () = tokio::time::sleep(Duration::from_secs(LOOK_PERIOD_S)) => {}
                    }
                }
                Err(error) => {
                    warn!(%error, "the offers are not published yet");
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    pause = (pause * 2).min(RETRY_MS_MAX);
                }
            }
        }
    }

    /// Returns how many tasks the order with the least volume is still good for.
    async fn publish_missing(&self) -> Result<u64, Error> {
        let mut least = u64::MAX;
        for offer in &self.offers {
            let mut open = self.open_volume(offer).await?;
            if open == 0 {
                let hash = self.publish(offer).await?;
                info!(category = offer.category, tag = %offer.tag, hash, "order published");
                open = offer.volume;
            }
            least = least.min(open);
        }
        Ok(least)
    }

    async fn open_volume(&self, offer: &Offer) -> Result<u64, Error> {
        let query = format!(
            "/workerpoolorders?chainId={}&workerpool={:#x}&category={}&minTag={}&maxTag={}\
             &minVolume=1&pageSize={PAGE_ORDERS}",
            self.chain_id, self.workerpool, offer.category, offer.tag, offer.tag,
        );
        let page: Page = self.ask(self.http.get(self.url(&query))).await?;
        let ours = page
            .orders
            .iter()
            .filter(|listed| covers(&listed.order.order, offer));
        Ok(ours
            .map(|listed| listed.remaining)
            .max()
            .unwrap_or_default())
    }

    async fn publish(&self, offer: &Offer) -> Result<String, Error> {
        let mut salt = B256::ZERO;
        rand::thread_rng().fill_bytes(salt.as_mut_slice());
        let order = order(self.workerpool, offer, salt);
        let signed = self.owner.sign_order(order, &self.domain)?;
        let url = self.url(&format!("/workerpoolorders?chainId={}", self.chain_id));
        let request = self.http.post(url).json(&json!({ "order": signed }));
        let request = request.header("authorization", self.log_in().await?);
        self.ask::<Value>(request).await?;
        Ok(signed.order.hash(&self.domain).to_string())
    }

    async fn log_in(&self) -> Result<String, Error> {
        let address = self.owner.address();
        let chain_id = self.chain_id;
        let query = format!("/challenge?chainId={chain_id}&address={address:#x}");
        let answer: ChallengeAnswer = self.ask(self.http.get(self.url(&query))).await?;
        let text = answer
            .data
            .pointer("/message/challenge")
            .and_then(Value::as_str);
        let text = text.ok_or_else(|| Error::MarketRefused("a challenge without text".into()))?;
        let hash = Audience::Market.hash(chain_id, text);
        let token = Token {
            hash,
            signature: self.owner.sign_hash(hash)?,
            address,
        };
        Ok(token.to_string())
    }

    async fn ask<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, Error> {
        let unreachable = |source| Error::MarketUnreachable {
            url: self.market.clone(),
            source,
        };
        let answer = request.send().await.map_err(unreachable)?;
        let value: Value = answer.json().await.map_err(unreachable)?;
        if value["ok"] != json!(true) {
            return Err(Error::MarketRefused(value["error"].to_string()));
        }
        serde_json::from_value(value).map_err(|e| Error::MarketRefused(e.to_string()))
    }

    fn url(&self, rest: &str) -> String {
        format!("{}{rest}", self.market)
    }
}

fn order(workerpool: Address, offer: &Offer, salt: B256) -> WorkerpoolOrder {
    WorkerpoolOrder {
        workerpool,
        workerpoolprice: offer.price(),
        volume: U256::from(offer.volume),
        tag: offer.tag,
        category: U256::from(offer.category),
        trust: U256::from(offer.trust),
        apprestrict: Address::ZERO,
        datasetrestrict: Address::ZERO,
        requesterrestrict: Address::ZERO,
        salt,
    }
}

/// An open order that sells the same for the same price to anybody.
fn covers(order: &WorkerpoolOrder, offer: &Offer) -> bool {
    let probe = self::order(order.workerpool, offer, order.salt);
    let probe = WorkerpoolOrder {
        volume: order.volume,
        ..probe
    };
    *order == probe
}

#[cfg(test)]
mod tests;
