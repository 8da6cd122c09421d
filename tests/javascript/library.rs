//! Stories of the library that need no worker.

use alloy::primitives::{Address, B256, U256};
use anyhow::{Context as _, Result, ensure};
use chain::Asset;
use network::Role;
use protocol::{DealId, OrderHash};
use serde_json::{Value, json};

use crate::{
    official::{Official, address},
    shell::{parse, text},
};

pub(crate) async fn money(official: Official) -> Result<()> {
    let told: Value = official.script("money", json!({})).await?;
    assert_eq!(told["address"], told["expected"]);
    assert_eq!(told["funded"]["wei"], "2000000000000000000");
    assert_eq!(told["funded"]["nRLC"], "5000000000");
    assert_eq!(told["deposited"]["amount"], "3000");
    assert_eq!(told["withdrawn"]["amount"], "1000");
    assert_eq!(told["stake"], json!({ "stake": "2000", "locked": "0" }));
    assert_eq!(told["allowed"], "255");
    assert_eq!(told["revoked"], "0");
    assert_eq!(told["broke"], json!({ "wei": "0", "nRLC": "0" }));
    assert_eq!(told["network"]["chainId"], "65535");

    let hub = &official.world.cast.hub;
    let (user, heir): (Address, Address) = (parse(&told, "/expected")?, parse(&told, "/heir")?);
    assert_eq!(hub.account(user).await?.stake, U256::from(2_000));
    assert_eq!(hub.rlc_balance(user).await?, U256::ZERO);
    // All of its five RLC but the deposit that stayed.
    assert_eq!(
        hub.rlc_balance(heir).await?,
        U256::from(5_000_000_000_u64 - 2_000)
    );
    assert!(hub.gas_balance(heir).await? > U256::ZERO);
    official.world.stop().await
}

pub(crate) async fn assets(official: Official) -> Result<()> {
    let told: Value = official.script("assets", json!({})).await?;
    let (owner, heir): (Address, Address) = (parse(&told, "/owner")?, parse(&told, "/heir")?);
    assert_eq!(owner, address(Role::Developer));
    let hub = &official.world.cast.hub;
    for kind in ["app", "dataset", "workerpool"] {
        let asset = &told[kind];
        assert_eq!(asset["address"], asset["predicted"], "{kind}");
        assert_eq!(asset["address"], asset["byIndex"], "{kind}");
        assert_eq!(asset["wasThere"], false, "{kind}");
        assert_eq!(asset["isThere"], true, "{kind}");
        assert_eq!(asset["grown"], 1, "{kind}");
        assert_eq!(asset["shown"]["owner"], told["owner"], "{kind}");
        let entry = parse(asset, "/address")?;
        assert_eq!(hub.owner_of(entry).await?, heir, "{kind}");
    }
    let name = text(&told, "/name")?;
    let app = hub.app(parse(&told, "/app/address")?).await?;
    let app = app.context("no app")?;
    assert_eq!((app.name.as_str(), app.kind.as_str()), (name, "DOCKER"));
    assert_eq!(app.multiaddr.as_ref(), b"docker.io/hello:1.0.0");
    assert_eq!(app.checksum, B256::repeat_byte(0x12));
    let dataset = hub.dataset(parse(&told, "/dataset/address")?).await?;
    let dataset = dataset.context("no dataset")?;
    assert_eq!(dataset.name, name);
    // The old name of the protocol, as the SDK shows it.
    let shown = text(&told, "/dataset/shown/datasetMultiaddr")?;
    assert_eq!(shown, "/p2p/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ");
    let pool = hub.workerpool(parse(&told, "/workerpool/address")?).await?;
    assert_eq!(pool.context("no pool")?.description, name);
    assert_eq!(told["apiUrl"], official.world.network.info().pool);

    assert_eq!(told["ratio"], "10");
    assert_eq!(told["created"]["catid"], told["count"]);
    let category = hub.category(parse(&told, "/created/catid")?).await?;
    let category = category.context("no category")?;
    assert_eq!(told["category"]["name"], category.name);
    assert_eq!(told["category"]["workClockTimeRef"], "77");
    official.world.stop().await
}

/// What the secret manager says to a `HEAD`.
pub(crate) async fn head(official: &Official, path: &str) -> Result<u16> {
    let cast = &official.world.cast;
    let url = format!("{}{path}", official.world.network.info().sms);
    Ok(cast.http.head(url).send().await?.status().as_u16())
}

pub(crate) async fn secrets(official: Official) -> Result<()> {
    let app = official.idle_app().await?;
    let told: Value = official.script("secrets", json!({ "app": app })).await?;
    for before in ["datasetBefore", "appBefore", "before", "keyBefore"] {
        assert_eq!(told[before], false, "{before}");
    }
    let is_true = ["datasetPushed", "appPushed", "after", "tokenAfter"];
    for pointer in is_true {
        assert_eq!(told[pointer], true, "{pointer}");
    }
    assert_eq!(told["pushed"]["isPushed"], true);
    assert_eq!(
        told["keyPushed"],
        json!({ "isPushed": true, "isUpdated": false })
    );
    assert_eq!(
        told["keyUpdated"],
        json!({ "isPushed": true, "isUpdated": true })
    );
    for (pointer, sentence) in [
        ("/notOwner", "not allowed"),
        ("/datasetAgain", "already exists"),
        ("/appAgain", "already exists"),
        ("/again", "already exists"),
        ("/keyAgain", "already exists"),
    ] {
        let said = text(&told, pointer)?;
        ensure!(said.contains(sentence), "{pointer}: {said}");
    }
    let (user, dataset) = (text(&told, "/address")?, text(&told, "/dataset")?);
    for path in [
        format!("/secrets/web3?secretAddress={dataset}"),
        format!("/apps/{app}/secrets"),
        format!("/requesters/{user}/secrets/One-1"),
        web2(user, "iexec-result-encryption-public-key"),
        web2(user, "iexec-result-dropbox-token"),
    ] {
        assert_eq!(head(&official, &path).await?, 204, "{path}");
    }
    let login = web2(user, "iexec-result-iexec-ipfs-token");
    let expected = if official.is_old() { 204 } else { 404 };
    assert_eq!(head(&official, &login).await?, expected);
    if official.is_old() {
        assert_eq!(text(&told, "/login/token")?.split('.').count(), 3);
        assert_eq!(told["login"]["isThere"], true);
    }
    official.world.stop().await
}

/// Where a named secret of a wallet is.
pub(crate) fn web2(owner: &str, name: &str) -> String {
    format!("/secrets/web2?ownerAddress={owner}&secretName={name}")
}

pub(crate) async fn orders(official: Official) -> Result<()> {
    let told: Value = official.script("orders", json!({})).await?;
    let hub = &official.world.cast.hub;
    for (kind, volume) in [
        ("app", 10),
        ("dataset", 10),
        ("workerpool", 4),
        ("request", 7),
    ] {
        let order = &told[kind];
        assert_eq!(order["signed"]["tag"], official.tag(), "{kind}");
        assert_eq!(order["published"], order["hash"], "{kind}");
        assert_eq!(order["found"]["status"], "open", "{kind}");
        assert_eq!(order["found"]["remaining"], volume, "{kind}");
        ensure!(text(order, "/again")?.contains("already published"));
    }
    ensure!(text(&told, "/theft")?.contains("only order signer"));
    assert_eq!(told["estimate"]["volume"], "4");
    assert_eq!(told["estimate"]["total"], "60");

    let deal: DealId = parse(&told, "/match/dealid")?;
    let deal = hub.deal(deal).await?.context("no deal")?;
    assert_eq!((deal.bot_first, deal.bot_size), (0, 4));
    assert_eq!(told["deal"]["params"], deal.params.as_str());
    ensure!(deal.params.contains("né €"), "{}", deal.params);
    assert_eq!(told["deal"]["tasks"].as_array().map(Vec::len), Some(4));
    ensure!(text(&told, "/full")?.contains("fully consumed"));

    assert_eq!(told["unpublished"]["app"], told["app"]["hash"]);
    assert_eq!(told["unpublished"]["dataset"], told["dataset"]["hash"]);
    assert_eq!(
        told["unpublished"]["request"],
        json!([told["request"]["hash"]])
    );
    ensure!(text(&told, "/unpublishedTwice")?.contains("is not published"));
    for kind in ["app", "dataset", "request"] {
        let hash: OrderHash = parse(&told[kind], "/hash")?;
        let volume: U256 = parse(&told[kind], "/signed/volume")?;
        assert_eq!(hub.consumed(hash).await?, volume, "{kind} is canceled");
    }
    ensure!(text(&told, "/canceledTwice")?.contains("already canceled"));
    if official.is_old() {
        ensure!(text(&told, "/ens")?.contains("Unable to resolve ENS"));
        text(&told, "/voucher")?;
    }
    assert_eq!(
        hub.asset_count(Asset::Workerpool, address(Role::Developer))
            .await?,
        1
    );
    official.world.stop().await
}

pub(crate) async fn bulk(official: Official) -> Result<()> {
    let app = official.idle_app().await?;
    let told: Value = official
        .script("bulk", json!({ "app": app.to_checksum(None) }))
        .await?;
    assert_eq!(told["bulk"]["volume"], 2);
    assert_eq!(told["listed"][0]["bulk"], true);
    let root = content(&official, text(&told, "/bulk/cid")?).await?;
    let mut orders = Vec::new();
    for slice in root.as_array().context("no slices")? {
        let slice = content(&official, slice.as_str().context("no CID")?).await?;
        let slice = slice.as_array().context("no orders")?.clone();
        ensure!(slice.len() <= 2, "a slice has {} orders", slice.len());
        orders.extend(slice);
    }
    assert_eq!(Value::Array(orders), told["signed"]);
    let params: Value = serde_json::from_str(text(&told, "/request/params")?)?;
    assert_eq!(params["bulk_cid"], told["bulk"]["cid"]);
    official.world.stop().await
}

/// JSON behind our gateway.
async fn content(official: &Official, cid: &str) -> Result<Value> {
    let cast = &official.world.cast;
    let url = format!("{}/ipfs/{cid}", cast.origin);
    let answer = cast.http.get(url).send().await?.error_for_status()?;
    Ok(serde_json::from_slice(&answer.bytes().await?)?)
}
