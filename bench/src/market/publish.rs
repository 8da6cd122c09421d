//! Publications: challenge, signature, and every check against the embedded chain.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use chain::{Actor, Hub, NewAsset, Wallet};
use network::{Info, Role, local_wallet};
use protocol::{
    Address, B256, Bytes, Tag, U256,
    challenge::Audience,
    order::{AppOrder, Signed},
};
use serde_json::{Value, json};

use super::{Market, PUBLISH_TARGET};
use crate::stats::say;

/// How long each rate is measured.
const SPAN: Duration = Duration::from_secs(5);

/// Somebody who sells an app.
struct Seller<'a> {
    market: &'a Market,
    wallet: &'a Wallet,
    chain_id: u64,
    orders: Vec<Signed<AppOrder>>,
}

/// Prints publications a second of one and of 16 at once.
pub(super) async fn measure(name: &str, market: &Market, info: &Info) -> anyhow::Result<()> {
    let hub = Hub::connect(&info.ws_url, info.hub).await?;
    let wallet = local_wallet(Role::Developer, 0);
    let app = deploy(&hub, &wallet, name).await?;
    let salts = AtomicU64::new(0);
    for sellers in [1usize, 16] {
        let mut all = Vec::new();
        for _ in 0..sellers {
            all.push(Seller {
                market,
                wallet: &wallet,
                chain_id: info.chain_id,
                orders: orders(&hub, &wallet, app, &salts, 6000 / sellers)?,
            });
        }
        let start = Instant::now();
        let sold =
            futures_util::future::try_join_all(all.into_iter().map(|seller| seller.sell(start)));
        let sold: u64 = sold.await?.into_iter().sum();
        let rate = sold as f64 / start.elapsed().as_secs_f64();
        let verdict = if rate >= PUBLISH_TARGET {
            "met"
        } else {
            "missed"
        };
        say(&format!(
            "{name}: {sellers:>2} publishing at once: {rate:>7.0} orders/s \
             (target {PUBLISH_TARGET:.0}: {verdict})"
        ));
    }
    Ok(())
}

/// An app of its own for each database, as their books are separate.
async fn deploy(hub: &Hub, wallet: &Wallet, name: &str) -> anyhow::Result<Address> {
    let app = NewAsset::App {
        owner: wallet.address(),
        name: format!("market bench {name}"),
        kind: "DOCKER".into(),
        multiaddr: Bytes::from("bench"),
        checksum: B256::repeat_byte(1),
        mrenclave: Bytes::new(),
    };
    let actor = Actor::new(hub.clone(), wallet.clone());
    Ok(actor.create(&app).await?.0)
}

/// Signed beforehand: what a seller's machine does is not measured.
fn orders(
    hub: &Hub,
    wallet: &Wallet,
    app: Address,
    salts: &AtomicU64,
    count: usize,
) -> anyhow::Result<Vec<Signed<AppOrder>>> {
    let sign = |_| {
        let salt = salts.fetch_add(1, Ordering::Relaxed);
        let order = AppOrder {
            app,
            appprice: U256::ZERO,
            volume: U256::from(1),
            tag: Tag::NONE,
            datasetrestrict: Address::ZERO,
            workerpoolrestrict: Address::ZERO,
            requesterrestrict: Address::ZERO,
            salt: B256::left_padding_from(&salt.to_be_bytes()),
        };
        Ok(wallet.sign_order(order, hub.domain())?)
    };
    (0..count).map(sign).collect()
}

impl Seller<'_> {
    /// Publishes until the time is over, and returns how many orders.
    async fn sell(self, start: Instant) -> anyhow::Result<u64> {
        let mut sold = 0;
        for order in &self.orders {
            if start.elapsed() > SPAN {
                break;
            }
            self.publish(order).await?;
            sold += 1;
        }
        Ok(sold)
    }

    async fn publish(&self, order: &Signed<AppOrder>) -> anyhow::Result<()> {
        let address = self.wallet.address();
        let path = format!("/challenge?chainId={}&address={address}", self.chain_id);
        let answer = self.market.get(&path).await?;
        let words = answer["data"]["message"]["challenge"].as_str();
        let hash = Audience::Market.hash(self.chain_id, words.context("no challenge")?);
        let sign = Bytes::from(self.wallet.sign_hash(hash)?.as_bytes());
        let url = format!("{}/apporders?chainId={}", self.market.url, self.chain_id);
        let request = self.market.http.post(url);
        let request = request.header("authorization", format!("{hash}_{sign}_{address}"));
        let answer = request.json(&json!({ "order": order })).send().await?;
        let answer: Value = serde_json::from_str(&answer.text().await?)?;
        ensure!(answer["ok"] == true, "{answer}");
        Ok(())
    }
}
