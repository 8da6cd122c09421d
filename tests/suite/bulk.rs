//! Bulks of confidential datasets: each task gets the datasets of its slice, in an enclave of a
//! simulated platform, when the chain says that every one of them may be used.

use std::fs;

use alloy::primitives::{Address, B256, U256};
use anyhow::{Result, ensure};
use chain::Wallet;
use iexec_tests::{
    bench::{Bench, World},
    cast::{Ask, Cast, Deal},
    confidential::SHOWS_SLICE,
};
use protocol::{
    Tag,
    order::{BULK_VOLUME_MIN, DatasetOrder, Signed},
    params::DealParams,
};
use sdk::{
    dataset::Key,
    order::bulk::{self, Bulk},
};

use crate::{
    live,
    tee::{app_of, confidential, deploy_dataset, push_dataset_key},
};

/// The audit log of the network's secret manager, in the network's data directory.
const AUDIT_LOG: &str = "secrets/secrets.audit.jsonl";

/// A dataset whose key is with the secret manager, and `signer`'s word that `app` may use it.
async fn dataset(
    cast: &Cast,
    content: &str,
    app: Address,
    signer: &Wallet,
) -> Result<Signed<DatasetOrder>> {
    let key = Key::random();
    let dataset = deploy_dataset(cast, &key, content).await?;
    push_dataset_key(cast, dataset, &key.to_text()).await?;
    let order = DatasetOrder {
        dataset,
        datasetprice: U256::ZERO,
        volume: U256::from(BULK_VOLUME_MIN),
        tag: Tag::TEE_TDX,
        apprestrict: app,
        workerpoolrestrict: Address::ZERO,
        requesterrestrict: Address::ZERO,
        salt: B256::ZERO,
    };
    Ok(signer.sign_order(order, cast.hub.domain())?)
}

/// What the requester's program does with the orders: two datasets a task.
async fn prepare(world: &World, orders: &[Signed<DatasetOrder>]) -> Result<Bulk> {
    let client = live::client(world, &world.cast.origin).await?;
    Ok(bulk::prepare(&client, orders, 2).await?)
}

async fn deal(cast: &Cast, app: Address, bulk: Bulk) -> Result<Deal> {
    let ask = Ask {
        volume: bulk.volume,
        ..confidential()
    };
    let mut request = cast.request_order(app, &ask)?.order;
    let params = DealParams {
        bulk_cid: Some(bulk.cid),
        ..DealParams::default()
    };
    request.params = params.to_text();
    let wallet = cast.requester.wallet();
    let request = wallet.sign_order(request, cast.hub.domain())?;
    let app_order = cast.app_order(app, &ask)?;
    cast.match_orders(&app_order, &request, &ask).await
}

pub(crate) async fn a_task_for_each_two_datasets(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let cast = &world.cast;
    let app = app_of(&bench, cast, SHOWS_SLICE).await?;
    let mut orders = Vec::new();
    for content in ["open ", "sesame", "forty ", "thieves"] {
        let owner = cast.developer.wallet();
        orders.push(dataset(cast, content, app, owner).await?);
    }
    let bulk = prepare(&world, &orders).await?;
    assert_eq!(bulk.volume, 2);
    let deal = deal(cast, app, bulk).await?;
    for task in cast.ended(&deal).await? {
        Cast::expect_end(&task, "COMPLETED", "")?;
    }
    for (task, expected) in deal.tasks.iter().zip(["open sesame", "forty thieves"]) {
        let result = cast.result(*task).await?;
        assert_eq!(result.text("result.txt")?, expected);
    }
    world.stop().await
}

/// An order for another app, or not signed by the owner: the task has no session, so not even the
/// dataset that it may use.
pub(crate) async fn one_order_that_does_not_allow_the_app(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let cast = &world.cast;
    let app = app_of(&bench, cast, SHOWS_SLICE).await?;
    let (owner, stranger) = (cast.developer.wallet(), cast.requester.wallet());
    let good = dataset(cast, "good", app, owner).await?;
    let other_app = Address::repeat_byte(0x0a);
    let elsewhere = dataset(cast, "of another app", other_app, owner).await?;
    let stolen = dataset(cast, "of another owner", app, stranger).await?;
    for (bad, reason) in [
        (elsewhere, "App restriction not satisfied"),
        (stolen, "Invalid dataset order signature"),
    ] {
        let bulk = prepare(&world, &[good.clone(), bad]).await?;
        let deal = deal(cast, app, bulk).await?;
        let task = cast.ended_one(&deal).await?;
        let cause = "TEE_SESSION_GENERATION_GET_TASK_DESCRIPTION_FAILED";
        Cast::expect_end(&task, "FAILED", cause)?;
        ensure!(task.message().contains(reason), "{}", task.message());
        let log = fs::read_to_string(bench.data_dir().join(AUDIT_LOG))?;
        let id = deal.tasks[0].to_string();
        ensure!(log.contains("secret.push") && !log.contains(&id), "{log}");
    }
    world.stop().await
}
