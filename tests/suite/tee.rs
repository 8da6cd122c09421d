//! Confidential tasks as the published SDK makes them (tag tee,tdx), in enclaves of a simulated
//! platform: from their secrets to a result that only the beneficiary opens.

use std::{fs, path::Path, time::Duration};

use alloy::primitives::{Address, B256, U256};
use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chain::{NewAsset, Wallet};
use iexec_tests::{
    app::Image,
    archive::Archive,
    bench::{Bench, World},
    boss::Boss,
    cast::{Ask, Cast, Deal},
    files::FileServer,
    task::{self, PoolTask},
};
use protocol::{
    Cause, Tag, TaskId, digest,
    message::{Flow, Order},
    multiaddr,
    order::{DatasetOrder, RequestOrder, Signed},
    params::DealParams,
    sms,
    status::ReplicateStatus,
};
use sdk::dataset::{
    Key,
    cipher::{encrypt, random_iv},
};
use serde_json::Value;

use crate::crash::{self, Victim};

/// The category whose tasks can be claimed after ten seconds, and run for one.
const QUICK: u64 = 5;
/// An app that would show that it ran.
const SCRIPT: &str = "echo it ran; echo it ran > $IEXEC_OUT/x; declare_result $IEXEC_OUT/x";
/// Between two looks for the enclave's key.
const LOOK_MS: u64 = 10;
/// The folder of the official `tee-worker-pre-compute` and `tee-worker-post-compute`.
const OFFICIAL: &str = "IEXEC_TEST_STAGES";
/// Bits of the beneficiary's key: the least that is taken, as making one takes time.
const KEY_BITS: usize = 2_048;
const CONTENT: &str = "forty thieves";
const OF_DEVELOPER: &str = "the cave of the developer";
const OF_REQUESTER: &str = "sesame of the requester";
const FILES: &[(&str, &str)] = &[("lamp.txt", "an old lamp")];
/// Shows everything that it was given.
const SHOWS_ALL: &str = r#"
result="$IEXEC_OUT/result.txt"
requester="$IEXEC_REQUESTER_SECRET_1|$IEXEC_REQUESTER_SECRET_2"
echo "$@|$IEXEC_APP_DEVELOPER_SECRET|$requester" > "$result"
cat "$IEXEC_IN/$IEXEC_DATASET_FILENAME" "$IEXEC_IN/$IEXEC_INPUT_FILE_NAME_1" >> "$result"
echo shown
declare_result "$result"
"#;

pub(crate) fn confidential() -> Ask {
    Ask {
        tag: Tag::TEE_TDX,
        ..Ask::default()
    }
}

pub(crate) async fn app_of(bench: &Bench, cast: &Cast, script: &str) -> Result<Address> {
    let image = Image::of_script(&cast.engine, bench.test, script).await?;
    image.deploy(&cast.developer).await
}

async fn app(bench: &Bench, cast: &Cast) -> Result<Address> {
    app_of(bench, cast, SCRIPT).await
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

/// Gives the secret manager a secret of `owner`'s.
async fn push(cast: &Cast, owner: &Wallet, path: &str, hash: B256, value: &str) -> Result<()> {
    let sign = owner.sign_message_hash(hash)?;
    let url = format!("{}/{path}", cast.origin);
    let push = cast
        .http
        .post(url)
        .header("authorization", sign.to_string());
    push.body(value.to_owned())
        .send()
        .await?
        .error_for_status()?;
    Ok(())
}

pub(crate) async fn push_dataset_key(cast: &Cast, dataset: Address, value: &str) -> Result<()> {
    let path = format!("secrets/web3?secretAddress={dataset}");
    let hash = sms::dataset(dataset, value);
    push(cast, cast.developer.wallet(), &path, hash, value).await
}

async fn push_secrets(cast: &Cast, app: Address) -> Result<()> {
    let (developer, requester) = (cast.developer.wallet(), cast.requester.wallet());
    let hash = sms::app(app, OF_DEVELOPER);
    push(
        cast,
        developer,
        &format!("apps/{app}/secrets"),
        hash,
        OF_DEVELOPER,
    )
    .await?;
    let owner = requester.address();
    let hash = sms::named(owner, "magic", OF_REQUESTER);
    let path = format!("requesters/{owner}/secrets/magic");
    push(cast, requester, &path, hash, OF_REQUESTER).await
}

/// A new key of the requester's, who is the beneficiary: the private half.
async fn push_result_key(cast: &Cast) -> Result<String> {
    let pair = sdk::result::keypair::generate(&mut rand::rngs::OsRng, KEY_BITS)?;
    let requester = cast.requester.wallet();
    let (owner, value) = (requester.address(), STANDARD.encode(&pair.public));
    let name = sms::RESULT_KEY;
    let path = format!("secrets/web2?ownerAddress={owner}&secretName={name}");
    let hash = sms::named(owner, name, &value);
    push(cast, requester, &path, hash, &value).await?;
    Ok(pair.private)
}

/// Puts bytes on the network's IPFS node; returns their path.
async fn add(cast: &Cast, bytes: Vec<u8>) -> Result<String> {
    let part = reqwest::multipart::Part::bytes(bytes).file_name("data");
    let form = reqwest::multipart::Form::new().part("file", part);
    let url = format!("{}/api/v0/add?cid-version=0", cast.origin);
    let answer = cast.http.post(url).multipart(form).send().await?;
    let answer: Value = answer.error_for_status()?.json().await?;
    let cid = answer["Hash"].as_str().context("no CID")?;
    Ok(format!("/ipfs/{cid}"))
}

/// A dataset of the developer's with this content, encrypted with `key`.
pub(crate) async fn deploy_dataset(cast: &Cast, key: &Key, content: &str) -> Result<Address> {
    let mut encrypted = Vec::new();
    let checksum = encrypt(
        key,
        random_iv(),
        &mut content.as_bytes(),
        &mut encrypted,
        |_| {},
    )?;
    let asset = NewAsset::Dataset {
        owner: cast.developer.address(),
        name: "suite".to_owned(),
        multiaddr: multiaddr::encode(&add(cast, encrypted).await?).into(),
        checksum,
    };
    Ok(cast.developer.create(&asset).await?.0)
}

/// A dataset of [`CONTENT`], and an order that sells it twice.
async fn dataset(cast: &Cast, key: &Key) -> Result<(Address, Signed<DatasetOrder>)> {
    let dataset = deploy_dataset(cast, key, CONTENT).await?;
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
    order: &Signed<DatasetOrder>,
    ask: &Ask,
    change: impl FnOnce(&mut RequestOrder),
) -> Result<Deal> {
    let mut request = cast.request_order(app, ask)?.order;
    request.dataset = order.order.dataset;
    change(&mut request);
    let wallet = cast.requester.wallet();
    let request = wallet.sign_order(request, cast.hub.domain())?;
    let app_order = cast.app_order(app, ask)?;
    cast.match_with(&app_order, order, &request, ask).await
}

/// The archive of a completed task as it was uploaded.
async fn stored(cast: &Cast, id: TaskId) -> Result<Vec<u8>> {
    let task = cast.on_chain(id).await?;
    let link: Value = serde_json::from_slice(&task.results)?;
    let path = link["location"].as_str().context("no link")?;
    let answer = cast.http.get(format!("{}{path}", cast.origin)).send();
    Ok(answer.await?.error_for_status()?.bytes().await?.to_vec())
}

/// Fails when a file below `dir` has one of these texts in it.
fn check_disk(dir: &Path, secrets: &[&str]) -> Result<()> {
    for entry in fs::read_dir(dir)?.flatten() {
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            check_disk(&path, secrets)?;
        } else if kind.is_file() {
            let bytes = fs::read(&path)?;
            for secret in secrets {
                let mut windows = bytes.windows(secret.len());
                let found = windows.any(|window| window == secret.as_bytes());
                ensure!(!found, "`{secret}` is in {}", path.display());
            }
        }
    }
    Ok(())
}

/// Everything that a task may have, and nothing of it is anywhere but in the beneficiary's result.
pub(crate) async fn from_its_secrets_to_an_encrypted_result(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    from_secrets_to_result(&bench, world).await
}

/// The same with the official programs as containers before and after the app. They are on no
/// registry that every machine reaches: who has built them names their folder.
#[expect(
    clippy::print_stderr,
    reason = "the person who runs the tests must see it"
)]
pub(crate) async fn stages_of_the_official_programs(bench: Bench) -> Result<()> {
    let Some(folder) = std::env::var_os(OFFICIAL) else {
        eprintln!("skipped {}: {OFFICIAL} names no folder", bench.test);
        return Ok(());
    };
    let engine = crash::engine(&bench).await?;
    let stage = async |name: &str| {
        let program = Path::new(&folder).join(format!("tee-worker-{name}"));
        let image = Image::of_program(&engine, bench.test, &program).await?;
        Ok::<_, anyhow::Error>(secrets::Image {
            image: image.name,
            fingerprint: format!("{:#x}", image.checksum),
        })
    };
    let pipeline = secrets::Pipeline {
        pre_compute: stage("pre-compute").await?,
        post_compute: stage("post-compute").await?,
    };
    let builder = bench.builder().workers(1).pipeline(pipeline);
    let world = bench.world(builder, 1).await?;
    from_secrets_to_result(&bench, world).await
}

async fn from_secrets_to_result(bench: &Bench, world: World) -> Result<()> {
    let cast = &world.cast;
    let app = app_of(bench, cast, SHOWS_ALL).await?;
    let key = Key::random();
    let (address, order) = dataset(cast, &key).await?;
    push_dataset_key(cast, address, &key.to_text()).await?;
    push_secrets(cast, app).await?;
    let private = push_result_key(cast).await?;
    let files = FileServer::start(FILES).await?;
    let secrets = [("1", "magic"), ("2", "nobody's")];
    let own = |(number, name): (&str, &str)| (number.to_owned(), name.to_owned());
    let params = DealParams {
        iexec_args: Some("open".into()),
        iexec_input_files: Some(vec![files.url("lamp.txt")]),
        iexec_result_encryption: Some(true),
        iexec_secrets: Some(secrets.map(own).into()),
        ..DealParams::default()
    };
    let change = |request: &mut RequestOrder| request.params = params.to_text();
    let deal = deal_with(cast, app, &order, &confidential(), change).await?;
    let id = deal.tasks[0];
    let task = cast.ended_one(&deal).await?;
    Cast::expect_end(&task, "COMPLETED", "")?;
    check_steps(&task);
    check_logs(cast, id).await?;

    let encrypted = stored(cast, id).await?;
    let outer = Archive::unzip(&encrypted)?;
    assert_eq!(outer.names(), ["aes-key.rsa", "iexec_out.zip.aes"]);
    let opened = Archive::unzip(&sdk::result::decrypt(&encrypted, &private)?)?;
    opened.verify(&cast.on_chain(id).await?)?;
    let expected = format!("open|{OF_DEVELOPER}|{OF_REQUESTER}|\n{CONTENT}an old lamp");
    assert_eq!(opened.text("result.txt")?, expected);
    let canaries = [CONTENT, OF_DEVELOPER, OF_REQUESTER, &key.to_text()];
    check_disk(&bench.data_dir(), &canaries)?;
    check_memory(bench)?;
    world.stop().await
}

fn check_steps(task: &PoolTask) {
    let steps = task.steps(0);
    let mut said = steps.iter();
    for step in [
        "STARTED",
        "APP_DOWNLOADED",
        "DATA_DOWNLOADED",
        "COMPUTING",
        "COMPUTED",
        "RESULT_UPLOADED",
        "CONTRIBUTE_AND_FINALIZE_DONE",
        "COMPLETED",
    ] {
        assert!(said.any(|said| said == step), "{step} in {steps:?}");
    }
}

/// What the app printed, after the warning.
async fn check_logs(cast: &Cast, id: TaskId) -> Result<()> {
    let wallet = cast.requester.wallet();
    let (status, logs) = task::logs(&cast.http, &cast.origin, wallet, id).await?;
    let text = logs.to_string();
    ensure!(
        status == 200 && text.contains("shown") && text.contains("SIMULATED TEE"),
        "{status} {text}"
    );
    Ok(())
}

/// Nothing of this network's workers is left in the machine's memory.
fn check_memory(bench: &Bench) -> Result<()> {
    let Ok(entries) = fs::read_dir("/dev/shm") else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_ours = |prefix: &String| name.starts_with(prefix);
        ensure!(!bench.prefixes(1).iter().any(is_ours), "{name} is left");
    }
    Ok(())
}

/// Secrets are there, but the deal has no tag.
pub(crate) async fn a_task_without_the_tag_has_no_secret(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let cast = &world.cast;
    let script = "env > $IEXEC_OUT/env.txt; declare_result $IEXEC_OUT/env.txt";
    let app = app_of(&bench, cast, script).await?;
    push_secrets(cast, app).await?;
    let deal = cast.deal(app, &Ask::default()).await?;
    Cast::expect_end(&cast.ended_one(&deal).await?, "COMPLETED", "")?;
    let env = cast.result(deal.tasks[0]).await?;
    let env = env.text("env.txt")?;
    ensure!(
        env.contains("IEXEC_TASK_ID") && !env.contains("SECRET") && !env.contains(OF_DEVELOPER),
        "{env}"
    );
    world.stop().await
}

/// Its data go to a contract, and nothing is stored.
pub(crate) async fn callback_by_an_enclave(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let cast = &world.cast;
    let data = format!("0x{}2a", "0".repeat(62));
    let script = format!(r#"echo '{{"callback-data":"{data}"}}' > $IEXEC_OUT/computed.json"#);
    let app = app_of(&bench, cast, &script).await?;
    let ask = Ask {
        callback: Address::repeat_byte(0xca),
        ..confidential()
    };
    let deal = cast.deal(app, &ask).await?;
    Cast::expect_end(&cast.ended_one(&deal).await?, "COMPLETED", "")?;
    let task = cast.on_chain(deal.tasks[0]).await?;
    let expected = digest::callback(U256::from(42).to_be_bytes::<32>().as_slice());
    assert_eq!(task.result_digest, expected);
    world.stop().await
}

/// The secret manager's reason is the task's; once a wrong key is pushed, the enclave's is.
pub(crate) async fn dataset_without_its_key(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let cast = &world.cast;
    let app = app(&bench, cast).await?;
    let (address, order) = dataset(cast, &Key::random()).await?;
    let deal = deal_with(cast, app, &order, &confidential(), |_| {}).await?;
    let task = cast.ended_one(&deal).await?;
    let cause = "TEE_SESSION_GENERATION_PRE_COMPUTE_GET_DATASET_SECRET_FAILED";
    Cast::expect_end(&task, "FAILED", cause)?;
    let attempts = task.0["replicates"].as_array().map(Vec::len);
    assert_eq!(attempts, Some(1), "no worker would get further");

    push_dataset_key(cast, address, &Key::random().to_text()).await?;
    let deal = deal_with(cast, app, &order, &confidential(), |_| {}).await?;
    let cause = "PRE_COMPUTE_DATASET_DECRYPTION_FAILED";
    Cast::expect_end(&cast.ended_one(&deal).await?, "FAILED", cause)?;
    world.stop().await
}

/// An app's own mistakes have the causes of a standard task.
pub(crate) async fn apps_that_fail_in_an_enclave(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let cast = &world.cast;
    for (script, category, cause) in [
        ("exit 3", 0, "APP_COMPUTE_FAILED"),
        ("sleep 60", QUICK, "APP_COMPUTE_TIMEOUT"),
        ("true", 0, "POST_COMPUTE_COMPUTED_FILE_NOT_FOUND"),
    ] {
        let ask = Ask {
            category,
            ..confidential()
        };
        let deal = cast.deal(app_of(&bench, cast, script).await?, &ask).await?;
        let task = cast.ended_one(&deal).await?;
        Cast::expect_end(&task, "FAILED", cause)?;
    }
    check_memory(&bench)?;
    world.stop().await
}

/// At once, without asking anybody for anything.
pub(crate) async fn a_worker_without_an_enclave_refuses(bench: Bench) -> Result<()> {
    let world = bench.network(0).await?;
    let cast = &world.cast;
    let deal = cast.deal(app(&bench, cast).await?, &confidential()).await?;
    let info = world.network.info();
    let mut boss = Boss::of(info, 0, cast.engine.clone(), "http://127.0.0.1:1").await?;
    let enclave = Address::repeat_byte(0xec);
    let authorization = chain::authorize(&cast.pool_owner, deal.id, 0, boss.worker(), enclave)?;
    let flow = Flow::ContributeAndFinalize;
    boss.order(Order::Run {
        authorization,
        flow,
    })
    .await?;
    let failure = boss.failure(deal.tasks[0]).await?;
    let expected = (ReplicateStatus::StartFailed, Cause::TeeNotSupported);
    assert_eq!(failure, expected);
    boss.stop().await?;
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
    assert_eq!(enclave_key(&cast, deal.tasks[0]).await?, key);
    drop((victim, cast));

    let victim = Victim::start(&bench, 1)?;
    let cast = crash::cast(&bench, &engine).await?;
    let task = cast.ended_one(&deal).await?;
    Cast::expect_end(&task, "COMPLETED", "")?;
    assert_eq!(recorded_key(&task)?, key);
    drop(victim);
    Ok(())
}

/// Its agent dies with the worker; the task is computed again.
pub(crate) async fn killed_with_its_enclave(bench: Bench) -> Result<()> {
    let engine = crash::engine(&bench).await?;
    let victim = Victim::start(&bench, 1)?;
    let cast = crash::cast(&bench, &engine).await?;
    let script = "sleep 2; echo ok > $IEXEC_OUT/x; declare_result $IEXEC_OUT/x";
    let app = app_of(&bench, &cast, script).await?;
    let deal = cast.deal(app, &confidential()).await?;
    task::reached(&cast.http, &cast.origin, deal.tasks[0], "COMPUTING").await?;
    drop((victim, cast));

    let victim = Victim::start(&bench, 1)?;
    let cast = crash::cast(&bench, &engine).await?;
    let task = cast.ended_one(&deal).await?;
    Cast::expect_end(&task, "COMPLETED", "")?;
    assert_eq!(cast.result(deal.tasks[0]).await?.text("x")?, "ok\n");
    check_memory(&bench)?;
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
