//! Stories of the command line.

use std::fs;

use alloy::primitives::{Address, U256};
use anyhow::{Context as _, Result, ensure};
use chain::{Actor, Asset, Wallet};
use iexec_tests::archive::Archive;
use network::{Role, local_wallet};
use protocol::{DealId, OrderHash, TaskId, deal::TaskStatus};
use serde_json::{Value, json};

use crate::{
    library::{head, web2},
    official::{Official, address},
    shell::{Shell, parse, text},
};

pub(crate) async fn wallet_and_account(official: Official) -> Result<()> {
    let hub = &official.world.cast.hub;
    let shell = Shell::of(&official, Role::Requester).await?;
    let own = address(Role::Requester).to_checksum(None);
    let shown = shell.ok("wallet show").await?;
    assert_eq!(shown["wallet"]["address"], own);
    assert_eq!(shown["balance"]["nRLC"], "10000000000000");

    let other = Shell::new(&official).await?;
    let created = other.ok("wallet create --unencrypted").await?;
    let fresh = text(&created, "/address")?;
    let to = format!("--to {fresh} --force");
    let sent = shell
        .ok(&format!("wallet send-ether 3 finney {to}"))
        .await?;
    assert_eq!(sent["amount"], "3000000000000000");
    shell.ok(&format!("wallet send-RLC 2.5 RLC {to}")).await?;

    other.ok("account deposit 2000").await?;
    other.ok("account withdraw 1 nRLC").await?;
    let account = other.ok("account show").await?;
    assert_eq!(
        account["balance"],
        json!({ "stake": "1999", "locked": "0" })
    );
    other.ok(&format!("account approve 254 {own}")).await?;
    // Bare hexadecimal: theirs is printed so.
    let allowed = other.ok(&format!("account allowance {own}")).await?;
    assert_eq!(allowed["amount"], "fe");
    other.ok(&format!("account revoke {own}")).await?;
    let allowed = other.ok(&format!("account allowance {own}")).await?;
    assert_eq!(allowed["amount"], "00");
    let swept = other
        .ok(&format!("wallet sweep --to {own} --force"))
        .await?;
    assert!(swept["errors"].is_null(), "{swept}");
    let fresh: Address = fresh.parse()?;
    assert_eq!(hub.account(fresh).await?.stake, U256::from(1_999));
    assert_eq!(hub.rlc_balance(fresh).await?, U256::ZERO);
    let kept = U256::from(10_000_000_000_000_u64 - 1_999);
    assert_eq!(hub.rlc_balance(address(Role::Requester)).await?, kept);
    encrypted_wallet(&official).await?;
    official.world.stop().await
}

async fn encrypted_wallet(official: &Official) -> Result<()> {
    let shell = Shell::new(official).await?;
    let wallet = Wallet::random();
    let import = format!("wallet import {} --password s3cret", wallet.key());
    let imported = shell.ok(&import).await?;
    // version 8 writes it as the keystore does, in small letters
    let address = imported["address"].as_str().context("no address")?;
    assert_eq!(address.parse::<Address>()?, wallet.address());
    let shown = shell
        .ok("wallet show --show-private-key --password s3cret")
        .await?;
    assert_eq!(shown["wallet"]["privateKey"], wallet.key().to_string());
    let wrong = shell
        .refused("wallet show --show-private-key --password wrong")
        .await?;
    ensure!(wrong.contains("incorrect password"), "{wrong}");
    let info = shell.ok("info").await?;
    let hub = &official.world.cast.hub;
    assert_eq!(info["hubAddress"], hub.address().to_checksum(None));
    let apps = hub.registry(Asset::App).to_checksum(None);
    assert_eq!(info["appRegistryAddress"], apps);
    Ok(())
}

pub(crate) async fn assets_by_command(official: Official) -> Result<()> {
    let shell = Shell::of(&official, Role::Developer).await?;
    let hub = &official.world.cast.hub;
    let heir = Wallet::random().address();
    for (kind, asset) in [
        ("app", Asset::App),
        ("dataset", Asset::Dataset),
        ("workerpool", Asset::Workerpool),
    ] {
        shell.ok(&format!("{kind} init")).await?;
        let deployed = shell.ok(&format!("{kind} deploy")).await?;
        let entry: Address = parse(&deployed, "/address")?;
        assert_eq!(
            hub.owner_of(entry).await?,
            address(Role::Developer),
            "{kind}"
        );
        let again = shell.refused(&format!("{kind} deploy")).await?;
        ensure!(again.contains("already"), "{again}");
        let shown = shell.ok(&format!("{kind} show")).await?;
        assert_eq!(shown["address"], deployed["address"], "{kind}");
        let first = shell.ok(&format!("{kind} show 0")).await?;
        assert_eq!(first[kind], shown[kind], "{kind}");
        assert_eq!(shell.ok(&format!("{kind} count")).await?["count"], "1");
        let give = format!("{kind} transfer {entry} --to {heir} --force");
        shell.ok(&give).await?;
        assert_eq!(hub.owner_of(entry).await?, heir, "{kind}");
        assert_eq!(hub.asset_count(asset, heir).await?, 1, "{kind}");
    }
    let pool = official.world.network.info().workerpool;
    let shown = shell.ok(&format!("workerpool show {pool}")).await?;
    assert_eq!(shown["apiUrl"], official.world.network.info().pool);
    categories(&official).await?;
    if official.is_old() {
        let ens = shell.refused("ens resolve some.name.eth").await?;
        ensure!(ens.contains("ENS"), "{ens}");
        let voucher = shell.refused("voucher show").await?;
        ensure!(voucher.contains("voucher"), "{voucher}");
    }
    official.world.stop().await
}

async fn categories(official: &Official) -> Result<()> {
    let shell = Shell::of(official, Role::HubOwner).await?;
    let count = shell.ok("category count").await?;
    assert_eq!(count["count"], "6");
    shell.ok("category init").await?;
    let created = shell.ok("category create").await?;
    assert_eq!(created["catid"], "6");
    let shown = shell.ok("category show 6").await?;
    assert_eq!(shown["category"]["workClockTimeRef"], "100");
    let unknown = shell.refused("category show 7").await?;
    ensure!(!unknown.is_empty());
    let hub = &official.world.cast.hub;
    let category = hub.category(6).await?.context("no category")?;
    assert_eq!(category.name, "XXL");
    Ok(())
}

pub(crate) async fn secrets_by_command(official: Official) -> Result<()> {
    let shell = Shell::of(&official, Role::Developer).await?;
    let own = address(Role::Developer).to_checksum(None);
    shell.ok("dataset init --encrypted").await?;
    fs::write(shell.file("datasets/original/data.txt"), "a secret")?;
    let encrypted = shell.ok("dataset encrypt").await?;
    let checksum = text(&encrypted, "/encryptedFiles/0/checksum")?.to_owned();
    shell.edit(|config| config["dataset"]["checksum"] = json!(checksum))?;
    let deployed = shell.ok("dataset deploy").await?;
    let dataset = text(&deployed, "/address")?;
    let set = shell.ok("dataset check-secret").await?;
    assert_eq!(set["isSecretSet"], false);
    shell.ok("dataset push-secret").await?;
    let set = shell.ok("dataset check-secret").await?;
    assert_eq!(set["isSecretSet"], true);
    let again = shell.refused("dataset push-secret").await?;
    ensure!(again.contains("already exists"), "{again}");

    let app = official.idle_app().await?;
    shell
        .ok(&format!("app push-secret {app} --secret-value v"))
        .await?;
    let set = shell.ok(&format!("app check-secret {app}")).await?;
    assert_eq!(set["isSecretSet"], true);
    let pushed = shell
        .ok("requester push-secret name --secret-value v")
        .await?;
    assert_eq!(pushed["isPushed"], true);
    let set = shell.ok("requester check-secret name").await?;
    assert_eq!(set["isSet"], true);
    result_key(&shell).await?;
    storage(&official, &shell, &own).await?;
    for path in [
        format!("/secrets/web3?secretAddress={dataset}"),
        format!("/apps/{app}/secrets"),
        format!("/requesters/{own}/secrets/name"),
        web2(&own, "iexec-result-encryption-public-key"),
        web2(&own, "iexec-result-dropbox-token"),
    ] {
        assert_eq!(head(&official, &path).await?, 204, "{path}");
    }
    official.world.stop().await
}

async fn result_key(shell: &Shell) -> Result<()> {
    shell.ok("result generate-encryption-keypair").await?;
    let set = shell.ok("result check-encryption-key").await?;
    assert_eq!(set["isEncryptionKeySet"], false);
    let pushed = shell.ok("result push-encryption-key").await?;
    assert_eq!(pushed["isUpdated"], false);
    let pushed = shell
        .ok("result push-encryption-key --force-update")
        .await?;
    assert_eq!(pushed["isUpdated"], true);
    let set = shell.ok("result check-encryption-key").await?;
    assert_eq!(set["isEncryptionKeySet"], true);
    Ok(())
}

async fn storage(official: &Official, shell: &Shell, own: &str) -> Result<()> {
    let set = shell.ok("storage check dropbox").await?;
    assert_eq!(set["isInitialized"], false);
    shell.ok("storage init dropbox --token t").await?;
    let set = shell.ok("storage check dropbox").await?;
    assert_eq!(set["isInitialized"], true);
    if official.is_old() {
        // Logs in to the result proxy and keeps its token with the secret manager.
        let login = shell.ok("storage init").await?;
        assert_eq!(login["isInitialized"], true);
        let path = web2(own, "iexec-result-iexec-ipfs-token");
        assert_eq!(head(official, &path).await?, 204);
    }
    Ok(())
}

pub(crate) async fn orders_by_command(official: Official) -> Result<()> {
    let shell = Shell::of(&official, Role::Developer).await?;
    for kind in ["app", "dataset", "workerpool"] {
        shell.ok(&format!("{kind} init")).await?;
        shell.ok(&format!("{kind} deploy")).await?;
    }
    let key = shell.file("key");
    fs::write(&key, "a key")?;
    let push = format!("dataset push-secret --secret-path {}", key.display());
    shell.ok(&push).await?;
    shell.ok("order init").await?;
    let deployed = shell.read("deployed.json")?;
    let id = official.world.network.info().chain_id.to_string();
    shell.edit(|config| {
        for kind in ["app", "dataset", "workerpool"] {
            config["order"]["requestorder"][kind] = deployed[kind][&id].clone();
        }
    })?;
    let signed = shell.ok("order sign").await?;
    let kinds = "--app --dataset --workerpool --request";
    let published = shell.ok(&format!("order publish {kinds} --force")).await?;
    let shown = shell.ok(&format!("order show {kinds} --deals")).await?;
    for kind in ["app", "dataset", "workerpool", "request"] {
        let name = format!("{kind}order");
        assert_eq!(shown[&name]["status"], "open", "{kind}");
        assert_eq!(shown[&name]["deals"]["count"], 0, "{kind}");
        assert_eq!(shown[&name]["orderHash"], published[&name]["orderHash"]);
        assert_eq!(signed[&name]["tag"], official.tag(), "{kind}");
    }
    books(&shell, &deployed, &id).await?;

    let filled = shell.ok("order fill --force").await?;
    let deal: DealId = parse(&filled, "/dealid")?;
    let hub = &official.world.cast.hub;
    let on_chain = hub.deal(deal).await?.context("no deal")?;
    assert_eq!(on_chain.requester, address(Role::Developer));
    shell.ok("order unpublish --app --dataset --force").await?;
    let gone = shell.refused("order show --app").await?;
    ensure!(gone.contains("apporder not found"), "{gone}");
    shell.ok("order cancel --app --dataset --force").await?;
    let hash: OrderHash = parse(&published, "/apporder/orderHash")?;
    let volume: U256 = parse(&signed, "/apporder/volume")?;
    assert_eq!(hub.consumed(hash).await?, volume);
    let again = shell.refused("order cancel --app --force").await?;
    ensure!(again.contains("already canceled"), "{again}");
    publish_one_by_one(&shell).await?;
    official.world.stop().await
}

async fn books(shell: &Shell, deployed: &Value, chain: &str) -> Result<()> {
    for (kind, orders) in [
        ("app", "appOrders"),
        ("dataset", "datasetOrders"),
        ("workerpool", "workerpoolOrders"),
    ] {
        let asset = text(&deployed[kind], &format!("/{chain}"))?;
        let book = shell.ok(&format!("orderbook {kind} {asset}")).await?;
        assert_eq!(book["count"], 1, "{kind}");
        assert_eq!(book[orders][0][kind], asset, "{kind}");
    }
    // Requests for one workerpool are shown to whoever asks for it.
    let public = shell.ok("orderbook requester").await?;
    assert_eq!(public["count"], 0);
    let pool = text(&deployed["workerpool"], &format!("/{chain}"))?;
    let book = shell
        .ok(&format!("orderbook requester --workerpool {pool}"))
        .await?;
    assert_eq!(book["count"], 1);
    let own = address(Role::Developer).to_checksum(None);
    assert_eq!(book["requestOrders"][0]["requester"], own);
    let all = shell.ok("orderbook workerpool --category 4").await?;
    assert_eq!(all["workerpoolOrders"].as_array().map(Vec::len), Some(2));
    Ok(())
}

async fn publish_one_by_one(shell: &Shell) -> Result<()> {
    for kind in ["app", "dataset", "workerpool"] {
        let published = shell.ok(&format!("{kind} publish --force")).await?;
        let all = shell.ok(&format!("{kind} unpublish --all --force")).await?;
        let gone = all["unpublished"].as_array().context("nothing")?;
        ensure!(gone.contains(&published["orderHash"]), "{kind}: {all}");
    }
    Ok(())
}

const SCRIPT: &str = r#"
echo "hello $1"
echo result > "$IEXEC_OUT/result.txt"
declare_result "$IEXEC_OUT/result.txt"
"#;

pub(crate) async fn tasks_by_command(official: Official) -> Result<()> {
    let shell = Shell::of(&official, Role::Developer).await?;
    let app = official.app(SCRIPT).await?;
    let pool = official.world.network.info().workerpool;
    shell.ok("workerpool init").await?;
    shell.ok("workerpool deploy").await?;
    // Nobody works for this pool: its deal is claimed at the end.
    let tag = if official.is_old() {
        ""
    } else {
        "--tag tee,tdx"
    };
    let abandoned = format!("app run {app} --workerpool deployed --category 5 {tag} --force");
    let abandoned = shell.ok(&abandoned).await?;
    let abandoned: DealId = parse(&abandoned, "/deals/0/dealid")?;

    let run =
        format!("app run {app} --workerpool {pool} {tag} --force --skip-preflight-check --watch");
    let ran = shell.ok_with(&run, &["--args", "dear world"]).await?;
    let deal = text(&ran, "/deals/0/dealid")?;
    let shown = shell.ok(&format!("deal show {deal}")).await?;
    let id: TaskId = parse(&shown, "/deal/tasks/0")?;
    assert_eq!(shown["deal"]["tag"], official.tag());
    read(&official, &shell, id).await?;
    request_execution(&shell, app).await?;
    claim(&official, &shell, abandoned).await?;
    official.world.stop().await
}

async fn read(official: &Official, shell: &Shell, id: TaskId) -> Result<()> {
    let cast = &official.world.cast;
    let shown = shell.ok(&format!("task show {id} --download mine")).await?;
    assert_eq!(shown["task"]["statusName"], "COMPLETED");
    let archive = Archive::unzip(&fs::read(shell.file("mine.zip"))?)?;
    archive.verify(&cast.on_chain(id).await?)?;
    assert_eq!(archive.text("result.txt")?, "result\n");
    let debug = shell.ok(&format!("task debug {id} --logs")).await?;
    assert_eq!(debug["appLogs"][0]["stdout"], archive.text("stdout.txt")?);
    assert_eq!(debug["appLogs"][0]["stdout"], "hello dear\n");
    assert_eq!(debug["offchainData"]["task"]["status"], "COMPLETED");
    let early = shell.refused(&format!("task claim {id}")).await?;
    ensure!(early.contains("COMPLETED"), "{early}");
    Ok(())
}

async fn request_execution(shell: &Shell, app: Address) -> Result<()> {
    let published = shell.ok(&format!("app publish {app} --force")).await?;
    text(&published, "/orderHash")?;
    let asked = format!("app request-execution {app} --category 1 --force");
    let asked = shell.ok(&asked).await?;
    let hash = text(&asked, "/orderHash")?;
    let book = shell.ok("orderbook requester --category 1").await?;
    assert_eq!(book["requestOrders"][0]["orderHash"], hash);
    Ok(())
}

/// Ten seconds after the match, and a task that somebody initialised meanwhile.
async fn claim(official: &Official, shell: &Shell, deal: DealId) -> Result<()> {
    let cast = &official.world.cast;
    let on_chain = cast.hub.deal(deal).await?.context("no deal")?;
    let tasks: Vec<TaskId> = on_chain.tasks().map(|(_, task)| task).collect();
    let faucet = Actor::new(cast.hub.clone(), local_wallet(Role::Faucet, 0));
    faucet.initialize(deal, &[0]).await?;
    loop {
        let shown = shell.ok(&format!("deal show {deal}")).await?;
        if shown["deal"]["deadlineReached"] == true {
            break;
        }
    }
    let shown = shell.ok(&format!("task show {}", tasks[0])).await?;
    assert_eq!(shown["task"]["statusName"], "TIMEOUT");
    assert_eq!(shown["claimable"], true);
    shell.ok(&format!("task claim {}", tasks[0])).await?;
    let task = cast.on_chain(tasks[0]).await?;
    assert_eq!(task.status, TaskStatus::Failed);
    let nothing = shell.refused(&format!("deal claim {deal}")).await?;
    ensure!(nothing.contains("Nothing to claim"), "{nothing}");
    Ok(())
}
