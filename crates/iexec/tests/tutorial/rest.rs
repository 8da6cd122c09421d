//! What the tutorial does not play: wallets, allowances, secrets, result keys, categories, the
//! doctor; and money on a native hub.

use std::{fs, os::unix::fs::PermissionsExt as _};

use anyhow::{Context as _, Result, ensure};
use iexec_tests::bench::Bench;
use network::Role;
use serde_json::{Value, json};

use crate::{keys, net::Net, person::Person, person::Said, person::program};

/// One RLC in nRLC.
const ONE_RLC: &str = "1000000000";

/// Plays all of it on one network.
pub(crate) async fn tell(bench: Bench) -> Result<()> {
    let net = Net::up(&bench.data_dir(), bench.choice).await?;
    let rich = Person::new(&bench.data_dir())?;
    rich.raw("init --skip-wallet").await?;
    rich.import(&net.key(Role::Faucet)?).await?;
    send(&rich, &bench).await?;
    allow(&rich, &net).await?;
    keep_secrets(&rich, &net).await?;
    make_result_keys(&rich).await?;
    categories(&rich, &net, &bench).await?;
    look_after(&rich).await?;
    native(&rich, &net).await?;
    net.down().await
}

fn address(net: &Net, role: Role) -> Result<String> {
    let mut accounts = net.info.accounts.iter();
    let account = accounts.find(|account| account.role == role);
    Ok(account.context("no such role")?.address.to_checksum(None))
}

async fn balance(person: &Person) -> Result<[String; 2]> {
    let raw = person.raw("wallet show").await?;
    let text = |key: &str| raw["balance"][key].as_str().unwrap_or_default().to_owned();
    Ok([text("wei"), text("nRLC")])
}

/// The message of a failure.
fn message(failure: &Value) -> &str {
    failure["error"]["message"].as_str().unwrap_or_default()
}

/// Ether and RLC go to a new wallet, which sends all of it back.
async fn send(rich: &Person, bench: &Bench) -> Result<()> {
    let poor = Person::new(&bench.data_dir())?;
    poor.raw("init --unencrypted").await?;
    let me = poor.raw("wallet show").await?["wallet"]["address"].clone();
    let me = me.as_str().context("no address")?;
    let raw = rich
        .raw(&format!("wallet send-ether 2 gwei --to {me} --force"))
        .await?;
    keys::check(&raw, "ok amount from to txHash")?;
    ensure!(raw["amount"] == "2000000000" && raw["to"] == me, "{raw}");
    let raw = rich
        .raw(&format!("wallet send-RLC 1 --to {me} --force"))
        .await?;
    keys::check(&raw, "ok amount from to txHash")?;
    ensure!(raw["amount"] == ONE_RLC, "{raw}");
    let raw = rich
        .raw(&format!("wallet sendRLC 5 --to {me} --force"))
        .await?;
    ensure!(raw["amount"] == "5", "{raw}");
    ensure!(
        balance(&poor).await? == ["2000000000", "1000000005"],
        "not received"
    );
    let asked = poor
        .raw_fails("wallet send-RLC 1 nRLC --to 0x0000000000000000000000000000000000000001")
        .await?;
    ensure!(asked["error"]["name"] == "ExitPromptError", "{asked}");
    for too_much in ["send-RLC 2 RLC", "send-ether 1"] {
        let line = format!("wallet {too_much} --to {me} --force");
        let failure = poor.raw_fails(&line).await?;
        ensure!(
            failure["error"]
                .to_string()
                .contains("available in the wallet"),
            "{failure}"
        );
    }
    let home = rich.raw("wallet show").await?["wallet"]["address"].clone();
    let home = home.as_str().context("no address")?;
    let raw = poor
        .raw(&format!("wallet sweep --to {home} --force"))
        .await?;
    keys::check(&raw, "ok from to sendNativeTxHash sendERC20TxHash")?;
    ensure!(
        balance(&poor).await? == ["0", "0"],
        "something stayed behind"
    );
    let raw = poor
        .raw(&format!("wallet sweep --to {home} --force"))
        .await?;
    keys::check(&raw, "ok from to")
}

/// An allowance is given, shown in decimal, and taken back. Nothing is swept to a contract.
async fn allow(rich: &Person, net: &Net) -> Result<()> {
    let worker = address(net, Role::Worker)?;
    let allowed = async || {
        let raw = rich.raw(&format!("account allowance {worker}")).await?;
        keys::check(&raw, "ok amount")?;
        anyhow::Ok(raw["amount"].as_str().unwrap_or_default().to_owned())
    };
    ensure!(allowed().await? == "0", "allowed without asking");
    let raw = rich.raw(&format!("account approve 255 {worker}")).await?;
    keys::check(&raw, "ok txHash")?;
    ensure!(allowed().await? == "255", "not approved");
    rich.raw(&format!("account approve 1 {worker} RLC")).await?;
    ensure!(allowed().await? == ONE_RLC, "not replaced");
    let other = address(net, Role::Developer)?;
    let raw = rich
        .raw(&format!("account allowance {worker} --user {other}"))
        .await?;
    ensure!(raw["amount"] == "0", "{raw}");
    let raw = rich.raw(&format!("account revoke {worker}")).await?;
    keys::check(&raw, "ok txHash")?;
    ensure!(allowed().await? == "0", "not revoked");
    let hub = net.info.hub.to_checksum(None);
    let refused = rich
        .raw_fails(&format!("wallet sweep --to {hub} --force"))
        .await?;
    ensure!(message(&refused).contains("is a contract"), "{refused}");
    let named = rich.raw_fails("ens resolve app.eth").await?;
    ensure!(message(&named).contains("has no ENS"), "{named}");
    Ok(())
}

/// A requester's secret and a storage token.
async fn keep_secrets(rich: &Person, net: &Net) -> Result<()> {
    let is_set = async |more: &str| {
        let raw = rich
            .raw(&format!("requester check-secret my-key {more}"))
            .await?;
        keys::check(&raw, "ok isSet name")?;
        anyhow::Ok(raw["isSet"] == true)
    };
    ensure!(!is_set("").await?, "a secret that nobody set");
    let raw = rich
        .raw("requester push-secret my-key --secret-value 42")
        .await?;
    ensure!(
        raw == json!({ "ok": true, "isPushed": true, "name": "my-key" }),
        "{raw}"
    );
    ensure!(is_set("").await?, "not set");
    ensure!(
        !is_set(&address(net, Role::Developer)?).await?,
        "everybody's"
    );
    let twice = rich
        .raw_fails("requester push-secret my-key --secret-value 43")
        .await?;
    ensure!(
        message(&twice).starts_with("Secret \"my-key\" already exists"),
        "{twice}"
    );
    let unasked = rich.raw_fails("requester push-secret other").await?;
    ensure!(unasked["error"]["name"] == "ExitPromptError", "{unasked}");
    let raw = rich.raw("storage check dropbox").await?;
    ensure!(
        raw == json!({ "ok": true, "isInitialized": false }),
        "{raw}"
    );
    let raw = rich.raw("storage init dropbox --token abc").await?;
    ensure!(
        raw == json!({ "ok": true, "isInitialized": true, "isUpdated": false }),
        "{raw}"
    );
    let twice = rich.raw_fails("storage init dropbox --token def").await?;
    ensure!(message(&twice).contains("--force-update"), "{twice}");
    // Also one from before: its push is not taken for a replay.
    for token in ["def", "abc"] {
        let update = format!("storage init dropbox --token {token} --force-update");
        let raw = rich.raw(&update).await?;
        ensure!(raw["isUpdated"] == true, "{raw}");
    }
    let raw = rich.raw("storage check").await?;
    ensure!(raw["isInitialized"] == true, "{raw}");
    Ok(())
}

/// A key pair is made and its public half given to the SMS.
async fn make_result_keys(rich: &Person) -> Result<()> {
    let early = rich.raw_fails("result push-encryption-key").await?;
    ensure!(
        early["error"]["hint"]
            .to_string()
            .contains("generate-encryption-keypair"),
        "{early}"
    );
    let raw = rich.raw("result generate-encryption-keypair").await?;
    keys::check(&raw, "ok secretPath privateKeyFile publicKeyFile")?;
    let file = |key: &str| -> Result<_> {
        let folder = raw["secretPath"].as_str().context("no folder")?;
        Ok(std::path::Path::new(folder).join(raw[key].as_str().context("no file")?))
    };
    let private = file("privateKeyFile")?;
    let mode = fs::metadata(&private)?.permissions().mode();
    ensure!(mode & 0o777 == 0o600, "others may read the key");
    ensure!(fs::read_to_string(&private)?.starts_with("-----BEGIN PRIVATE KEY-----"));
    ensure!(fs::read_to_string(file("publicKeyFile")?)?.starts_with("-----BEGIN PUBLIC KEY-----"));
    let again = rich.raw_fails("result generate-keys").await?;
    ensure!(again["error"]["name"] == "ExitPromptError", "{again}");
    let raw = rich.raw("result check-encryption-key").await?;
    ensure!(
        raw == json!({ "ok": true, "isEncryptionKeySet": false }),
        "{raw}"
    );
    let raw = rich.raw("result push-encryption-key").await?;
    ensure!(
        raw == json!({ "ok": true, "isPushed": true, "isUpdated": false }),
        "{raw}"
    );
    let twice = rich.raw_fails("result push-secret").await?;
    ensure!(message(&twice).contains("already exists"), "{twice}");
    let raw = rich.raw("result push-secret --force-update").await?;
    ensure!(raw["isUpdated"] == true, "{raw}");
    let raw = rich.raw("result check-secret").await?;
    ensure!(raw["isEncryptionKeySet"] == true, "{raw}");
    let wrong = format!(
        "result push-encryption-key --force-update --secret-path {}",
        private.display()
    );
    let refused = rich.raw_fails(&wrong).await?;
    ensure!(
        !refused.to_string().contains("PRIVATE KEY"),
        "the key is shown"
    );
    Ok(())
}

/// Everybody reads categories, the hub's owner adds one.
async fn categories(rich: &Person, net: &Net, bench: &Bench) -> Result<()> {
    let count = rich.raw("category count").await?;
    keys::check(&count, "ok count")?;
    let raw = rich.raw("category show 0").await?;
    keys::check(&raw, "ok index category")?;
    keys::check(&raw["category"], "name description workClockTimeRef")?;
    ensure!(
        raw["category"]["name"] == "XS" && raw["index"] == "0",
        "{raw}"
    );
    let none = rich.raw_fails("category show 99").await?;
    ensure!(none["error"]["name"] == "ObjectNotFoundError", "{none}");
    rich.raw("category init").await?;
    let owner_address = address(net, Role::HubOwner)?;
    let refused = rich.raw_fails("category create").await?;
    ensure!(message(&refused).contains(&owner_address), "{refused}");
    let owner = Person::new(&bench.data_dir())?;
    owner.raw("init --skip-wallet").await?;
    owner.import(&net.key(Role::HubOwner)?).await?;
    let early = owner.raw_fails("category create").await?;
    ensure!(
        early["error"]["hint"].to_string().contains("category init"),
        "{early}"
    );
    owner.raw("category init").await?;
    let made = owner.raw("category create").await?;
    keys::check(&made, "ok catid txHash")?;
    ensure!(made["catid"] == count["count"], "{made} after {count}");
    let id = made["catid"].as_str().context("no id")?;
    let raw = rich.raw(&format!("category show {id}")).await?;
    ensure!(raw["category"]["name"] == "XXL", "{raw}");
    Ok(())
}

/// All is well with a network that runs.
async fn look_after(rich: &Person) -> Result<()> {
    let raw = rich.raw("doctor").await?;
    let checks = raw["checks"].as_array().context("no checks")?;
    for name in [
        "chain", "hub", "clock", "port", "wallet", "market", "sms", "compass",
    ] {
        let check = checks.iter().find(|check| check["check"] == name);
        ensure!(check.context(name)?["verdict"] == "ok", "{raw}");
    }
    let said = rich.iexec("doctor").await?;
    said.expect("ok    chain")?;
    said.expect("is the local network's")
}

/// On a native hub RLC is the coin: deposits are paid with it, and there is no ether.
async fn native(rich: &Person, net: &Net) -> Result<()> {
    let key = net.key(Role::Faucet)?;
    let mut deploy = program(&rich.project(), &net.data_dir);
    deploy
        .current_dir(rich.project())
        .env("IEXEC_PRIVATE_KEY", &key)
        .args([
            "chain",
            "deploy",
            "--native",
            "--json",
            "--rpc",
            &net.info.rpc_url,
        ]);
    let said = Said::by(&mut deploy).await?.success()?;
    let at: Value = serde_json::from_str(&said.stdout)?;
    let url = &net.info.rpc_url;
    let chain = json!({ "id": net.info.chain_id, "host": url, "hub": at["hub"], "native": true,
        "useGas": false, "voucherHub": "0x", "sms": { "scone": url } });
    let file = json!({ "default": "mine", "chains": { "mine": chain } });
    fs::write(rich.project().join("chain.json"), file.to_string())?;
    let raw = rich.raw("info").await?;
    ensure!(
        raw["rlcAddress"].is_null() && raw["hubAddress"] == at["hub"],
        "{raw}"
    );
    let said = rich.iexec("info").await?;
    said.expect("chains.mine.voucherHub has no use here")?;
    keys::check(&rich.raw("wallet show").await?["balance"], "RLC nRLC")?;
    let raw = rich.raw("account deposit 5 RLC").await?;
    ensure!(raw["amount"] == "5000000000", "{raw}");
    let raw = rich
        .raw(&format!(
            "account withdraw 2 RLC --chain {}",
            net.info.chain_id
        ))
        .await?;
    ensure!(raw["amount"] == "2000000000", "{raw}");
    let raw = rich.raw("account show").await?;
    ensure!(
        raw["balance"] == json!({ "stake": "3000000000", "locked": "0" }),
        "{raw}"
    );
    let to = "0x00000000000000000000000000000000000000aA";
    rich.raw(&format!("wallet send-RLC 1.5 --to {to} --force"))
        .await?;
    let raw = rich.raw(&format!("wallet show {to}")).await?;
    ensure!(
        raw["balance"] == json!({ "RLC": "1.5", "nRLC": "1500000000" }),
        "{raw}"
    );
    let refused = rich
        .raw_fails(&format!("wallet send-ether 1 --to {to} --force"))
        .await?;
    ensure!(
        refused["error"]["hint"].to_string().contains("send-RLC"),
        "{refused}"
    );
    let worker = address(net, Role::Worker)?;
    rich.raw(&format!("account approve 7 {worker}")).await?;
    let raw = rich.raw(&format!("account allowance {worker}")).await?;
    ensure!(raw["amount"] == "7", "{raw}");
    let raw = rich.raw(&format!("wallet sweep --to {to} --force")).await?;
    keys::check(&raw, "ok from to sendNativeTxHash")
}
