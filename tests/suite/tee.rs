//! Confidential tasks as the published SDK makes them (tag tee,tdx), up to the step that is not
//! there yet: the release of secrets to an attested enclave.

use std::time::Duration;

use alloy::primitives::{Address, B256, U256};
use anyhow::{Context as _, Result, ensure};
use chain::NewAsset;
use iexec_tests::{
    app::Image,
    bench::Bench,
    cast::{Ask, Cast, Deal},
    task::{self, PoolTask},
};
use protocol::{
    Tag, TaskId,
    deal::TaskStatus,
    multiaddr,
    order::{DatasetOrder, Signed},
    sms,
};

use crate::crash::{self, Victim};

/// The category whose tasks can be claimed after ten seconds.
const QUICK: u64 = 5;
const PRICE: u64 = 1_000;
/// Where a confidential task ends as long as no enclave can be attested.
const END: &str = "TEE_PREPARATION_FAILED";
/// An app that would show that it ran.
const SCRIPT: &str = "echo it ran; echo it ran > $IEXEC_OUT/x; declare_result $IEXEC_OUT/x";
/// Between two looks for the enclave's key.
const LOOK_MS: u64 = 10;

fn confidential() -> Ask {
    Ask {
        tag: Tag::TEE_TDX,
        ..Ask::default()
    }
}

async fn app(bench: &Bench, cast: &Cast) -> Result<Address> {
    let image = Image::of_script(&cast.engine, bench.test, SCRIPT).await?;
    image.deploy(&cast.developer).await
}

/// What the secret manager says to the pool's owner.
async fn enclave_key(cast: &Cast, task: TaskId) -> Result<Address> {
    let sign = cast
        .pool_owner
        .sign_message_hash(sms::enclave_challenge(task))?;
    let url = format!("{}/tee/challenges/{task}", cast.origin);
    let request = cast
        .http
        .post(url)
        .header("authorization", sign.to_string());
    let answer = request.send().await?.error_for_status()?;
    Ok(answer.text().await?.parse()?)
}

fn recorded_key(task: &PoolTask) -> Result<Address> {
    let key = task.0["enclaveChallenge"].as_str();
    Ok(key.context("no enclave challenge")?.parse()?)
}

fn steps(task: &PoolTask) -> Vec<&str> {
    let list = task.0["replicates"][0]["statusUpdateList"].as_array();
    let steps = list.into_iter().flatten();
    steps.filter_map(|step| step["status"].as_str()).collect()
}

/// It gets its enclave's key and its session, no secret leaves, nothing runs, and the payer gets
/// the money back.
pub(crate) async fn up_to_the_release_of_secrets(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let cast = &world.cast;
    let payer = cast.requester.address();
    let before = cast.hub.account(payer).await?;
    let ask = Ask {
        category: QUICK,
        pool_price: PRICE,
        ..confidential()
    };
    let deal = cast.deal(app(&bench, cast).await?, &ask).await?;
    let task = cast.ended_one(&deal).await?;
    Cast::expect_end(&task, "FAILED", END)?;
    // The worker says so only after the secret manager has answered with a session.
    let said = task.message();
    ensure!(said.contains("has made the task's session"), "`{said}`");
    assert_eq!(
        recorded_key(&task)?,
        enclave_key(cast, deal.tasks[0]).await?
    );
    let expected = ["APP_DOWNLOADED", "COMPUTING", "COMPUTE_FAILED"];
    assert!(steps(&task).ends_with(&expected), "{:?}", steps(&task));
    let replicate = &task.0["replicates"][0];
    ensure!(replicate["appExitCode"].is_null(), "it ran: {replicate:#}");
    assert_eq!(
        cast.on_chain(deal.tasks[0]).await?.status,
        TaskStatus::Active
    );
    cast.advance(10).await?;
    cast.requester.claim(deal.tasks[0]).await?;
    assert_eq!(cast.hub.account(payer).await?, before);
    world.stop().await
}

async fn dataset(cast: &Cast) -> Result<(Address, Signed<DatasetOrder>)> {
    let asset = NewAsset::Dataset {
        owner: cast.developer.address(),
        name: "suite".to_owned(),
        multiaddr: multiaddr::encode("https://example.com/data.enc").into(),
        checksum: B256::repeat_byte(0xdd),
    };
    let dataset = cast.developer.create(&asset).await?.0;
    let order = DatasetOrder {
        dataset,
        datasetprice: U256::ZERO,
        volume: U256::from(2),
        tag: Tag::TEE_TDX,
        apprestrict: Address::ZERO,
        workerpoolrestrict: Address::ZERO,
        requesterrestrict: Address::ZERO,
        salt: B256::ZERO,
    };
    let domain = cast.hub.domain();
    Ok((dataset, cast.developer.wallet().sign_order(order, domain)?))
}

async fn deal_with(
    cast: &Cast,
    app: Address,
    dataset: Address,
    order: &Signed<DatasetOrder>,
) -> Result<Deal> {
    let ask = confidential();
    let mut request = cast.request_order(app, &ask)?.order;
    request.dataset = dataset;
    let wallet = cast.requester.wallet();
    let request = wallet.sign_order(request, cast.hub.domain())?;
    let app_order = cast.app_order(app, &ask)?;
    cast.match_with(&app_order, order, &request, &ask).await
}

/// The secret manager's reason is the task's; once the key is pushed, the next task gets further.
pub(crate) async fn dataset_without_its_key(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let cast = &world.cast;
    let app = app(&bench, cast).await?;
    let (dataset, order) = dataset(cast).await?;
    let deal = deal_with(cast, app, dataset, &order).await?;
    let task = cast.ended_one(&deal).await?;
    let cause = "TEE_SESSION_GENERATION_PRE_COMPUTE_GET_DATASET_SECRET_FAILED";
    Cast::expect_end(&task, "FAILED", cause)?;
    let attempts = task.0["replicates"].as_array().map(Vec::len);
    assert_eq!(attempts, Some(1), "no worker would get further");

    let value = "N3IkzqY2a56Yux2sy2JRM4sBhmHGtK9ddOTQHFP8Gr8=";
    let hash = sms::dataset(dataset, value);
    let sign = cast.developer.wallet().sign_message_hash(hash)?;
    let url = format!("{}/secrets/web3?secretAddress={dataset}", cast.origin);
    let push = cast
        .http
        .post(url)
        .header("authorization", sign.to_string());
    push.body(value).send().await?.error_for_status()?;
    let deal = deal_with(cast, app, dataset, &order).await?;
    Cast::expect_end(&cast.ended_one(&deal).await?, "FAILED", END)?;
    world.stop().await
}

/// A network without workers is killed when the task has its key; the next one knows the key and
/// brings the task to its end.
pub(crate) async fn killed_between_key_and_worker(bench: Bench) -> Result<()> {
    let engine = crash::engine(&bench).await?;
    let victim = Victim::start(&bench, 0)?;
    let cast = crash::cast(&bench, &engine).await?;
    let deal = cast
        .deal(app(&bench, &cast).await?, &confidential())
        .await?;
    let key = wait_for_key(&cast, deal.tasks[0]).await?;
    drop((victim, cast));

    let victim = Victim::start(&bench, 1)?;
    let cast = crash::cast(&bench, &engine).await?;
    let task = cast.ended_one(&deal).await?;
    Cast::expect_end(&task, "FAILED", END)?;
    assert_eq!(recorded_key(&task)?, key);
    assert_eq!(enclave_key(&cast, deal.tasks[0]).await?, key);
    drop(victim);
    Ok(())
}

async fn wait_for_key(cast: &Cast, id: TaskId) -> Result<Address> {
    loop {
        if let Some(task) = task::show(&cast.http, &cast.origin, id).await?
            && let Ok(key) = recorded_key(&task)
        {
            return Ok(key);
        }
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
    }
}
