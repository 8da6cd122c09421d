//! `iexec chain deploy` on a foreign node and on our own, interrupted and started again.

use std::{path::PathBuf, process::Stdio, time::Duration};

use alloy::{
    network::TransactionBuilder as _,
    providers::{DynProvider, Provider as _},
    rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
};
use anyhow::{Context as _, Result, ensure};
use contracts::{AppRegistry, Hub, Rlc};
use iexec_tests::{
    poco::{self, Anvil},
    tools::need,
};
use protocol::{Address, U256};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::person::{Said, program};

/// Transactions of a deployment with a token of its own.
const STEPS: u64 = 19;
/// The supply of test RLC, in nRLC.
const SUPPLY: u64 = 87_000_000_000_000_000;
/// Between two looks at the journal.
const LOOK: Duration = Duration::from_millis(5);
/// What the line of `--json` has, in this order.
const KEYS: [&str; 5] = [
    "hub",
    "token",
    "appRegistry",
    "datasetRegistry",
    "workerpoolRegistry",
];

/// Somebody who has a key and a folder.
struct Deployer {
    folder: TempDir,
    key: PrivateKeySigner,
    rpc: String,
}

impl Deployer {
    fn new(key: PrivateKeySigner, rpc: String) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        Ok(Self { folder, key, rpc })
    }

    fn secret(&self) -> String {
        self.key.to_bytes().to_string()
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = program(self.folder.path(), self.folder.path());
        command
            .current_dir(self.folder.path())
            .env("IEXEC_PRIVATE_KEY", self.secret())
            .args(["chain", "deploy", "--rpc", &self.rpc])
            .args(more);
        command
    }

    /// Runs it to its end; the key is nowhere in what it says and writes.
    async fn said(&self, more: &[&str]) -> Result<Said> {
        let said = Said::by(&mut self.command(more)).await?;
        let mut texts = vec![said.stdout.clone(), said.stderr.clone()];
        for file in std::fs::read_dir(self.folder.path())? {
            // a journal that is being replaced may be gone already
            texts.extend(std::fs::read_to_string(file?.path()));
        }
        let key = self.secret();
        ensure!(
            !texts
                .iter()
                .any(|text| text.contains(key.trim_start_matches("0x"))),
            "the key is shown"
        );
        Ok(said)
    }

    /// The addresses of a success with `--json`.
    async fn json(&self) -> Result<Value> {
        let said = self.said(&["--json"]).await?.success()?;
        addresses(&said)
    }

    fn journal(&self, chain_id: u64) -> PathBuf {
        self.folder
            .path()
            .join(format!("iexec-deploy-{chain_id}.json"))
    }

    /// How many steps the journal has.
    fn sent(&self, chain_id: u64) -> usize {
        let text = std::fs::read_to_string(self.journal(chain_id)).unwrap_or_default();
        let journal: Value = serde_json::from_str(&text).unwrap_or_default();
        journal["sent"].as_array().map_or(0, Vec::len)
    }

    /// Starts the program and kills it as soon as the journal has so many steps.
    async fn kill_at(&self, steps: usize, chain_id: u64) -> Result<()> {
        let mut command = self.command(&["--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        while self.sent(chain_id) < steps {
            ensure!(child.try_wait()?.is_none(), "it ended before step {steps}");
            tokio::time::sleep(LOOK).await;
        }
        child.kill().await?;
        ensure!(
            child.wait_with_output().await?.stdout.is_empty(),
            "it was too fast"
        );
        Ok(())
    }

    async fn nonce(&self, provider: &DynProvider) -> Result<u64> {
        Ok(provider.get_transaction_count(self.key.address()).await?)
    }

    /// Everything is there once, and the deployer's.
    async fn check(&self, provider: &DynProvider, at: &Value) -> Result<()> {
        let address =
            |key: &str| -> Result<Address> { Ok(at[key].as_str().context("no address")?.parse()?) };
        let owner = self.key.address();
        let hub = Hub::new(address("hub")?, provider);
        assert_eq!(hub.owner().call().await?, owner);
        assert_eq!(hub.token().call().await?, address("token")?);
        assert_eq!(hub.countCategory().call().await?, U256::from(5));
        let registries = [
            ("appRegistry", hub.appregistry().call().await?, "app"),
            (
                "datasetRegistry",
                hub.datasetregistry().call().await?,
                "dataset",
            ),
            (
                "workerpoolRegistry",
                hub.workerpoolregistry().call().await?,
                "workerpool",
            ),
        ];
        let chain_id = provider.get_chain_id().await?;
        for (key, registry, kind) in registries {
            assert_eq!(registry, address(key)?);
            let registry = AppRegistry::new(registry, provider);
            assert_eq!(registry.owner().call().await?, owner);
            let expected = format!("https://nfts-metadata.iex.ec/{kind}/{chain_id}/");
            assert_eq!(registry.baseURI().call().await?, expected);
        }
        let supply = Rlc::new(address("token")?, provider)
            .balanceOf(owner)
            .call()
            .await?;
        assert_eq!(supply, U256::from(SUPPLY));
        Ok(())
    }
}

/// Of one line with the five keys and nothing else.
fn addresses(said: &Said) -> Result<Value> {
    let line = said.stdout.strip_suffix('\n').context("no line")?;
    ensure!(!line.contains('\n'), "more than a line: {line}");
    let at: Value = serde_json::from_str(line)?;
    let keys: Vec<_> = at.as_object().context("no object")?.keys().collect();
    ensure!(keys == KEYS, "{line}");
    Ok(at)
}

#[tokio::test]
async fn contracts_on_a_foreign_node() {
    need!(poco::fetch());
    let anvil = Anvil::start(poco::Options::default()).unwrap();
    let provider = anvil.provider().unwrap();
    let deployer = Deployer::new(anvil.key(0).unwrap(), anvil.http_url()).unwrap();
    let said = deployer.said(&["--json"]).await.unwrap().success().unwrap();
    said.expect("[1/19] create the token: 0x").unwrap();
    said.expect("[19/19] create category 4: 0x").unwrap();
    said.expect("19 transactions, ").unwrap();
    let at = addresses(&said).unwrap();
    deployer.check(&provider, &at).await.unwrap();

    let again = deployer.said(&["--raw"]).await.unwrap().success().unwrap();
    assert_eq!((again.stdout, again.stderr.as_str()), (said.stdout, ""));
    let table = deployer.said(&[]).await.unwrap().success().unwrap();
    table
        .expect("[19/19] create category 4: done before")
        .unwrap();
    table.expect("nothing was sent").unwrap();
    let hub = at["hub"].as_str().unwrap();
    table.expect(&format!("hub:                {hub}")).unwrap();
    assert_eq!(deployer.nonce(&provider).await.unwrap(), STEPS);
    std::fs::remove_file(deployer.journal(31_337)).unwrap();
    assert_eq!(deployer.json().await.unwrap(), at, "the journal was lost");
    assert_eq!(deployer.nonce(&provider).await.unwrap(), STEPS);

    let token = at["token"].as_str().unwrap();
    let other = deployer.said(&["--raw", "--token", token]).await.unwrap();
    let other = other.raw_failure().unwrap();
    assert_eq!(other["error"]["name"], "JournalError", "{other}");
    let stranger = Deployer {
        key: anvil.key(1).unwrap(),
        ..deployer
    };
    let other = stranger
        .said(&["--raw"])
        .await
        .unwrap()
        .raw_failure()
        .unwrap();
    let words = other["error"]["message"].as_str().unwrap();
    assert!(
        words.contains(&format!(
            "this is for the deployer {}",
            stranger.key.address()
        )),
        "{words}"
    );
    let named = ["--json", "--journal", "mine.json", "--token", token];
    let mine = stranger.said(&named).await.unwrap().success().unwrap();
    assert_eq!(addresses(&mine).unwrap()["token"], at["token"]);
    assert_eq!(stranger.nonce(&provider).await.unwrap(), STEPS - 1);
}

#[tokio::test]
async fn contracts_need_gas_and_a_real_token() {
    need!(poco::fetch());
    let anvil = Anvil::start(poco::Options::default()).unwrap();
    let deployer = Deployer::new(PrivateKeySigner::random(), anvil.http_url()).unwrap();
    let poor = deployer
        .said(&["--raw"])
        .await
        .unwrap()
        .raw_failure()
        .unwrap();
    assert_eq!(poor["error"]["name"], "InsufficientFundsError", "{poor}");
    let address = deployer.key.address().to_string();
    let words = poor["error"]["message"].as_str().unwrap();
    assert!(
        words.starts_with(&format!(
            "{address} has 0.000000000000000000 coins and needs at least "
        )),
        "{words}"
    );
    assert!(
        poor["error"]["hint"].as_str().unwrap().contains(&address),
        "{poor}"
    );

    let nobody = Address::repeat_byte(7).to_string();
    let wrong = deployer.said(&["--raw", "--token", &nobody]).await.unwrap();
    let wrong = wrong.raw_failure().unwrap();
    assert_eq!(wrong["error"]["name"], "ValidationError", "{wrong}");
    assert_eq!(deployer.sent(31_337), 0);
}

#[tokio::test]
async fn contracts_for_the_coin_of_the_chain() {
    need!(poco::fetch());
    let anvil = Anvil::start(poco::Options::default()).unwrap();
    let provider = anvil.provider().unwrap();
    let deployer = Deployer::new(anvil.key(0).unwrap(), anvil.http_url()).unwrap();
    let native = ["--json", "--native"];
    let said = deployer.said(&native).await.unwrap().success().unwrap();
    let at = addresses(&said).unwrap();
    assert!(at["token"].is_null(), "{at}");
    let hub = Hub::new(at["hub"].as_str().unwrap().parse().unwrap(), &provider);
    assert_eq!(hub.token().call().await.unwrap(), Address::ZERO);
    assert_eq!(hub.owner().call().await.unwrap(), deployer.key.address());
    assert_eq!(hub.countCategory().call().await.unwrap(), U256::from(5));
    let coins = TransactionRequest::default()
        .with_from(deployer.key.address())
        .with_to(*hub.address())
        .with_value(U256::from(7_000_000_000_u64));
    let sent = provider.send_transaction(coins).await.unwrap();
    assert!(sent.get_receipt().await.unwrap().status());
    let account = hub
        .viewAccount(deployer.key.address())
        .call()
        .await
        .unwrap();
    assert_eq!(account.stake, U256::from(7));
    let again = deployer.said(&native).await.unwrap().success().unwrap();
    assert_eq!(addresses(&again).unwrap(), at);
}

/// Blocks come each second, so it is killed while its transactions wait.
#[tokio::test]
async fn contracts_are_deployed_once_whenever_it_is_killed() {
    need!(poco::fetch());
    let options = poco::Options {
        block_time_s: Some(1),
        ..poco::Options::default()
    };
    let anvil = Anvil::start(options).unwrap();
    let provider = anvil.provider().unwrap();
    let deployer = Deployer::new(anvil.key(3).unwrap(), anvil.http_url()).unwrap();
    for steps in [1, 1, 3, 4] {
        deployer.kill_at(steps, 31_337).await.unwrap();
    }
    // its last transaction waits, and nobody knows whose it is
    std::fs::remove_file(deployer.journal(31_337)).unwrap();
    for steps in [5, 7, 9, 12, 15, 19] {
        deployer.kill_at(steps, 31_337).await.unwrap();
    }
    let at = deployer.json().await.unwrap();
    deployer.check(&provider, &at).await.unwrap();
    assert_eq!(deployer.nonce(&provider).await.unwrap(), STEPS);
}

/// Two at once, as when somebody starts it again before the first has ended.
#[tokio::test]
async fn contracts_are_deployed_once_by_two_at_the_same_time() {
    need!(poco::fetch());
    let options = poco::Options {
        block_time_s: Some(1),
        ..poco::Options::default()
    };
    let anvil = Anvil::start(options).unwrap();
    let provider = anvil.provider().unwrap();
    let deployer = Deployer::new(anvil.key(4).unwrap(), anvil.http_url()).unwrap();
    let (one, two) = tokio::join!(deployer.json(), deployer.json());
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one, two);
    deployer.check(&provider, &one).await.unwrap();
    assert_eq!(deployer.nonce(&provider).await.unwrap(), STEPS);
}

/// Gas becomes ten times as dear while a transaction waits.
#[tokio::test]
async fn contracts_outbid_a_transaction_that_became_too_cheap() {
    need!(poco::fetch());
    let options = poco::Options {
        block_time_s: Some(3_600),
        ..poco::Options::default()
    };
    let anvil = Anvil::start(options).unwrap();
    let provider = anvil.provider().unwrap();
    let deployer = Deployer::new(anvil.key(5).unwrap(), anvil.http_url()).unwrap();
    deployer.kill_at(1, 31_337).await.unwrap();
    let call = |method: &'static str, params: Vec<U256>| {
        provider.raw_request::<_, Value>(method.into(), params)
    };
    let dear = U256::from(10_000_000_000_u64);
    call("anvil_setNextBlockBaseFeePerGas", vec![dear])
        .await
        .unwrap();
    call("evm_mine", vec![]).await.unwrap();
    assert_eq!(deployer.nonce(&provider).await.unwrap(), 0);
    anvil.mine_every(1).await.unwrap();
    let at = deployer.json().await.unwrap();
    deployer.check(&provider, &at).await.unwrap();
    assert_eq!(deployer.nonce(&provider).await.unwrap(), STEPS);
}

/// The embedded chain: no base fee, an account without coins, WebSocket.
#[tokio::test]
async fn contracts_on_our_own_chain() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let node = devchain::Node::open(devchain::Config::default()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, node.router()).await });
    let provider = chain::connect(&format!("http://{address}")).await.unwrap();
    let deployer = Deployer::new(PrivateKeySigner::random(), format!("ws://{address}")).unwrap();
    let at = deployer.json().await.unwrap();
    deployer.check(&provider, &at).await.unwrap();
    assert_eq!(deployer.json().await.unwrap(), at);
    assert_eq!(deployer.nonce(&provider).await.unwrap(), STEPS);
}
