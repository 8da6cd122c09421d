//! The tutorial on the official contracts on a foreign node: our command line, market, pool, worker
//! and store speak the protocol, not only our own dialect.

use std::fs;

use alloy::primitives::U256;
use anyhow::{Context as _, Result, ensure};
use chain::Wallet;
use iexec_tests::{
    bench::Bench,
    poco::{self, Anvil, Official, Options},
    tools,
};
use network::{External, Info, Network};
use serde_json::{Value, json};

use crate::{
    image::{self, Pushed},
    person::Person,
};

const GAS_WEI: u64 = 1_000_000_000_000_000_000;
const RLC_NRLC: u64 = 10_000;

/// Deploys, runs, downloads, debugs and publishes with the compiled program on `--chain official`.
pub(crate) async fn tell(bench: Bench) -> Result<()> {
    let Some(figlet) = tools::need(bench.test, image::figlet()) else {
        return Ok(());
    };
    if tools::need(bench.test, poco::fetch()).is_none() {
        return Ok(());
    }
    let image = image::push(bench.choice, &figlet).await?;
    let anvil = Anvil::start(Options::default())?;
    let official = poco::deploy_official(&anvil).await?;
    let network = network(&bench, &anvil, &official).await?;
    let developer = developer(&bench, &anvil, &official, network.info()).await?;
    deploy(&developer, &image).await?;
    let task = run(&developer).await?;
    let expected = image::drawn(&figlet, "Hello, Ada!")?;
    check(&developer, &task, &expected).await?;
    developer
        .raw("app publish --force --chain official")
        .await?;
    network.stop().await;
    Ok(())
}

async fn funded(official: &Official) -> Result<Wallet> {
    let wallet = Wallet::random();
    let (gas, rlc) = (U256::from(GAS_WEI), U256::from(RLC_NRLC));
    official.fund(wallet.address(), gas, rlc).await?;
    Ok(wallet)
}

async fn network(bench: &Bench, anvil: &Anvil, official: &Official) -> Result<Network> {
    let external = External {
        rpc_url: anvil.ws_url(),
        http_url: anvil.http_url(),
        hub: official.hub,
        pool_owner: funded(official).await?,
        workers: vec![funded(official).await?],
    };
    Ok(bench.builder().external(external).start().await?)
}

/// A project whose chain.json names the foreign chain and our services.
async fn developer(
    bench: &Bench,
    anvil: &Anvil,
    official: &Official,
    info: &Info,
) -> Result<Person> {
    let developer = Person::new(&bench.data_dir())?;
    developer
        .import(&funded(official).await?.key().to_string())
        .await?;
    developer.raw("init --skip-wallet --force").await?;
    let chain = json!({
        "id": info.chain_id.to_string(), "host": anvil.http_url(), "hub": official.hub.to_string(),
        "sms": info.sms, "iexecGateway": info.market, "ipfsGateway": info.ipfs_gateway,
        "compass": info.compass,
    });
    let file = json!({ "default": "official", "chains": { "official": chain } });
    fs::write(developer.project().join("chain.json"), file.to_string())?;
    Ok(developer)
}

async fn deploy(developer: &Person, image: &Pushed) -> Result<()> {
    developer.raw("app init").await?;
    let app = [
        ("name", json!("my-hello-world")),
        ("multiaddr", json!(image.name)),
        ("checksum", json!(image.checksum)),
    ];
    developer.edit_app(&app)?;
    developer.raw("app deploy --chain official").await?;
    let shown = developer.raw("app show --chain official").await?;
    ensure!(
        shown["app"]["appChecksum"] == json!(image.checksum),
        "{shown}"
    );
    developer
        .raw("account deposit 1000 --chain official")
        .await?;
    let account = developer.raw("account show --chain official").await?;
    ensure!(account["balance"]["stake"] == "1000", "{account}");
    Ok(())
}

async fn run(developer: &Person) -> Result<String> {
    let line = "app run --args Ada --watch --force --chain official";
    let raw = developer.raw(line).await?;
    let task = &raw["tasks"][0];
    ensure!(task["statusName"] == "COMPLETED", "{raw}");
    Ok(task["taskid"].as_str().context("no task id")?.to_owned())
}

async fn check(developer: &Person, task: &str, expected: &str) -> Result<()> {
    let show = format!("task show {task} --download my-app-result --chain official");
    let shown = developer.raw(&show).await?;
    ensure!(shown["task"]["status"] == 3, "{shown}");
    ensure!(
        developer.project().join("my-app-result.zip").is_file(),
        "no archive"
    );
    let debug = format!("task debug {task} --logs --chain official");
    let debugged = developer.raw(&debug).await?;
    let stdout = debugged["appLogs"][0]["stdout"]
        .as_str()
        .unwrap_or_default();
    ensure!(stdout.trim_end() == expected.trim_end(), "{debugged}");
    let status: &Value = &debugged["offchainData"]["task"]["status"];
    ensure!(status == "COMPLETED", "{debugged}");
    Ok(())
}
