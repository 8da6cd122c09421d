//! The tutorial, command by command: a developer makes an app, runs it and publishes it; a
//! requester uses it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, path::PathBuf};

use alloy::primitives::{B256, keccak256};
use anyhow::{Context as _, Result, ensure};
use engine::Choice;
use iexec_tests::{archive::Archive, bench::Bench, files::FileServer, tools};
use network::Role;
use serde_json::{Value, json};

use crate::{
    image::{self, Pushed},
    keys,
    net::Net,
    person::Person,
};

const FILES: &[(&str, &str)] = &[
    ("file-A.txt", "content of A"),
    ("file-B.zip", "content of B"),
];
/// The requester's first argument is what the app greets.
const ARGS: &str = r#"--args "Ada --with-option""#;
const GREETING: &str = "Hello, Ada!";
const NOBODY: &str = "0x0000000000000000000000000000000000000000";
const ONE_RLC_NRLC: &str = "1000000000";
/// What the developer asks for a run, in nRLC.
const PRICE: &str = "7";

/// Plays all of it on a network of its own.
pub(crate) async fn tell(bench: Bench) -> Result<()> {
    let Some(figlet) = tools::need(bench.test, image::figlet()) else {
        return Ok(());
    };
    let image = image::push(bench.choice, &figlet).await;
    let Some(image) = tools::need(bench.test, image) else {
        return Ok(());
    };
    let net = Net::up(&bench.data_dir(), bench.choice).await?;
    let expected = image::drawn(&figlet, GREETING)?;
    let developer = Person::new(&bench.data_dir())?;
    make_project(&developer).await?;
    ask_the_faucet(&developer).await?;
    edit_project(&developer, &image).await?;
    test_locally(&developer, bench.choice, &expected).await?;
    let app = deploy(&developer, &image).await?;
    let task = run(&developer, &expected).await?;
    check_result(&developer, &task, &expected).await?;
    read_logs(&net, &developer, &task, &expected).await?;
    let requester = Person::new(&bench.data_dir())?;
    requester.import(&net.key(Role::Faucet)?).await?;
    move_money(&requester).await?;
    publish(&developer, &requester, &app, &expected).await?;
    look_around(&net, &developer).await?;
    net.down().await
}

/// A new wallet has nothing; the faucet of the local network gives what one asks for.
async fn ask_the_faucet(developer: &Person) -> Result<()> {
    let raw = developer.raw("chain faucet --rlc 2.5 --gas 3").await?;
    keys::check(&raw, "ok address rlc gas txHashes")?;
    let wallet = developer.raw("wallet show --chain local").await?;
    ensure!(
        wallet["wallet"]["address"] == raw["address"],
        "{wallet} {raw}"
    );
    ensure!(wallet["balance"]["nRLC"] == "2500000000", "{wallet}");
    ensure!(wallet["balance"]["ether"] == "3.0", "{wallet}");
    let words = developer.iexec("chain faucet --rlc 1 --gas 0").await?;
    words.expect("Gave 1 RLC")?;
    developer
        .raw_fails("chain faucet --rlc 10000001")
        .await
        .map(drop)
}

/// `iexec init` and `iexec app init`: a wallet behind a password, and the project's files.
async fn make_project(developer: &Person) -> Result<()> {
    let said = developer.iexec("init").await?;
    said.expect("iExec project is ready")?;
    let mut wallets = fs::read_dir(developer.keystore())?;
    let wallet = wallets.next().context("no wallet")??;
    ensure!(
        wallet.metadata()?.permissions().mode() & 0o777 == 0o600,
        "others may read the key"
    );
    ensure!(wallets.next().is_none(), "a second wallet");
    let chains = fs::read_to_string(developer.project().join("chain.json"))?;
    ensure!(chains.contains(r#""default": "local""#), "{chains}");
    developer.iexec("app init").await?;
    keys::check(&developer.raw("app init").await?, "ok app")?;
    let raw = developer.raw("wallet show --chain local").await?;
    keys::check(&raw, "ok balance wallet")?;
    keys::check(&raw["balance"], "ether RLC nRLC wei")?;
    let address = raw["wallet"]["address"].as_str().context("no address")?;
    let name = wallet.file_name().to_string_lossy().into_owned();
    ensure!(name.ends_with(&address[2..]), "{name} is not {address}");
    Ok(())
}

/// The tutorial's edit of `iexec.json`. A checksum that is not the image's is refused.
async fn edit_project(developer: &Person, image: &Pushed) -> Result<()> {
    let name = json!("my-hello-world");
    let wrong = B256::repeat_byte(7).to_string();
    let app = [
        ("name", name),
        ("multiaddr", json!(image.name)),
        ("checksum", json!(wrong)),
    ];
    developer.edit_app(&app)?;
    let refused = developer.raw_fails("app deploy --chain local").await?;
    let message = refused["error"]["message"].as_str().unwrap_or_default();
    ensure!(
        message.contains(&wrong) && message.contains(&image.checksum),
        "{refused}"
    );
    ensure!(
        !developer.project().join("deployed.json").exists(),
        "it counts as deployed"
    );
    developer.edit_app(&[("checksum", Value::Null)])
}

/// Two runs in the worker's sandbox.
async fn test_locally(developer: &Person, choice: Choice, expected: &str) -> Result<()> {
    let said = developer.iexec(&format!("app test {ARGS}")).await?;
    said.expect(expected.lines().next().unwrap_or_default())?;
    said.expect("computed.json is right and both runs gave digest")?;
    said.expect(if choice == Choice::Builtin {
        "builtin"
    } else {
        "docker"
    })?;
    let raw = developer.raw(&format!("app test {ARGS}")).await?;
    ensure!(
        raw["deterministic"] == true && raw["exitCode"] == 0,
        "{raw}"
    );
    ensure!(raw["stdout"] == format!("{expected}\n"), "{raw}");
    let files = ["computed.json", "result.txt", "stderr.txt", "stdout.txt"];
    let mut found: Vec<_> = raw["files"].as_array().into_iter().flatten().collect();
    found.sort_by_key(|name| name.to_string());
    ensure!(found == files, "{raw}");
    Ok(())
}

/// Deploys the app, in words and as a program would, and looks at it; the address of the second.
async fn deploy(developer: &Person, image: &Pushed) -> Result<String> {
    let said = developer.iexec("app deploy --chain local").await?;
    said.expect("Deployed new app at address 0x")?;
    said.expect(&image.checksum)?;
    let again = developer.raw_fails("app deploy --chain local").await?;
    ensure!(
        again["error"]["message"].to_string().contains("already"),
        "{again}"
    );
    let second = [
        ("name", json!("again")),
        ("checksum", json!(image.checksum)),
    ];
    developer.edit_app(&second)?;
    let raw = developer.raw("app deploy --chain local").await?;
    keys::check(&raw, "ok address txHash")?;
    let address = raw["address"].as_str().context("no address")?.to_owned();
    let said = developer.iexec("app show --chain local").await?;
    said.expect(&image.name)?;
    let raw = developer.raw("app show --chain local").await?;
    keys::check(&raw, "ok address app")?;
    keys::check(&raw["app"], keys::APP)?;
    ensure!(raw["address"] == address.as_str(), "{raw}");
    ensure!(
        raw["app"]["appChecksum"] == image.checksum.as_str(),
        "{raw}"
    );
    ensure!(raw["app"]["appMultiaddr"] == image.name.as_str(), "{raw}");
    let first = developer.raw("app show 0 --chain local").await?;
    ensure!(first["app"]["appName"] == "my-hello-world", "{first}");
    developer
        .iexec("app count --chain local")
        .await?
        .expect("2")?;
    let count = developer.raw("app count --chain local").await?;
    ensure!(count == json!({ "ok": true, "count": "2" }), "{count}");
    Ok(address)
}

/// Runs the app deployed last with arguments and input files; the second run's task.
async fn run(developer: &Person, expected: &str) -> Result<String> {
    let files = FileServer::start(FILES).await?;
    let urls = FILES
        .iter()
        .map(|(name, _)| files.url(name))
        .collect::<Vec<_>>()
        .join(",");
    let run = format!("app run --watch {ARGS} --input-files {urls} --chain local");
    let said = developer.iexec(&run).await?;
    said.expect("App run successful")?;
    for line in expected.lines() {
        said.expect(line.trim_end())?;
    }
    let raw = developer.raw(&run).await?;
    keys::check(&raw, "ok deals tasks")?;
    keys::check(&raw["deals"][0], "dealid volume txHash")?;
    keys::check(&raw["tasks"][0], keys::WATCHED_TASK)?;
    ensure!(raw["tasks"][0]["statusName"] == "COMPLETED", "{raw}");
    show_deal(developer, &raw).await?;
    Ok(raw["tasks"][0]["taskid"]
        .as_str()
        .context("no task")?
        .to_owned())
}

async fn show_deal(developer: &Person, run: &Value) -> Result<()> {
    let id = run["deals"][0]["dealid"].as_str().context("no deal")?;
    developer
        .iexec(&format!("deal show {id} --chain local"))
        .await?
        .expect("file-A.txt")?;
    let raw = developer
        .raw(&format!("deal show {id} --chain local"))
        .await?;
    keys::check(&raw, "ok deal")?;
    keys::check(&raw["deal"], keys::DEAL)?;
    ensure!(
        raw["deal"]["tasks"] == json!([run["tasks"][0]["taskid"]]),
        "{raw}"
    );
    let raw = developer
        .raw(&format!("deal show {id} --watch --chain local"))
        .await?;
    let counts = "tasksCount completedTasksCount failedTasksCount";
    keys::check(&raw, &format!("ok {counts} deal tasks failedTasks"))?;
    ensure!(
        raw["completedTasksCount"] == 1 && raw["failedTasks"] == json!([]),
        "{raw}"
    );
    Ok(())
}

/// Downloads the result, unzips it and compares it with what figlet says and the chain says.
async fn check_result(developer: &Person, task: &str, expected: &str) -> Result<()> {
    let show = format!("task show {task} --download my-app-result --chain local");
    developer
        .iexec(&show)
        .await?
        .expect("Result verified against the chain")?;
    let archive = read(&developer.project().join("my-app-result.zip"))?;
    let names = ["computed.json", "result.txt", "stderr.txt", "stdout.txt"];
    ensure!(archive.names() == names, "{:?}", archive.names());
    assert_eq!(archive.text("result.txt")?, expected);
    assert_eq!(archive.text("stdout.txt")?, format!("{expected}\n"));
    assert_eq!(archive.text("stderr.txt")?, "");
    let computed = r#"{"deterministic-output-path":"/iexec_out/result.txt"}"#;
    assert_eq!(archive.text("computed.json")?, computed);
    let raw = developer
        .raw(&format!("task show {task} --download other --chain local"))
        .await?;
    keys::check(&raw, "ok task claimable resultPath")?;
    keys::check(&raw["task"], keys::TASK)?;
    ensure!(raw["claimable"] == false, "{raw}");
    let path = PathBuf::from(raw["resultPath"].as_str().context("no path")?);
    ensure!(read(&path)?.names() == names, "the second download differs");
    let digest = archive.digest()?;
    ensure!(
        raw["task"]["resultDigest"] == digest.to_string(),
        "{digest} is not in {raw}"
    );
    let id: B256 = task.parse()?;
    let consensus = keccak256([id.0, digest.0].concat()).to_string();
    ensure!(
        raw["task"]["consensusValue"] == consensus,
        "{consensus} is not in {raw}"
    );
    ensure!(raw["task"]["results"]["storage"] == "ipfs", "{raw}");
    Ok(())
}

fn read(path: &Path) -> Result<Archive> {
    Archive::unzip(&fs::read(path).with_context(|| path.display().to_string())?)
}

/// The requester reads what the app wrote; nobody else does, whatever they ask with.
async fn read_logs(net: &Net, developer: &Person, task: &str, expected: &str) -> Result<()> {
    let debug = format!("task debug {task} --logs --chain local");
    let said = developer.iexec(&debug).await?;
    said.expect("RESULT_UPLOADED")?;
    said.expect(expected.lines().next().unwrap_or_default().trim_end())?;
    let raw = developer.raw(&debug).await?;
    keys::check(&raw, "ok onchainData offchainData appLogs")?;
    keys::check(&raw["onchainData"], keys::TASK)?;
    keys::check(&raw["offchainData"], "task replicates")?;
    keys::check(&raw["offchainData"]["task"], "status statusHistory")?;
    keys::check(
        &raw["offchainData"]["replicates"][0],
        "worker exitCode status statusHistory",
    )?;
    keys::check(&raw["appLogs"][0], "worker stdout stderr")?;
    ensure!(
        raw["offchainData"]["task"]["status"] == "COMPLETED",
        "{raw}"
    );
    ensure!(
        raw["appLogs"][0]["stdout"] == format!("{expected}\n"),
        "{raw}"
    );
    let stranger = Person::new(&net.data_dir)?;
    stranger.iexec("wallet create").await?;
    let refused = stranger.raw_fails(&debug).await?;
    ensure!(
        refused["error"]["message"]
            .to_string()
            .contains("requester"),
        "{refused}"
    );
    let raw = stranger
        .raw(&format!("task debug {task} --chain local"))
        .await?;
    keys::check(&raw, "ok onchainData offchainData")?;
    let answer = reqwest::get(format!("{}/tasks/{task}/logs", net.info.pool)).await?;
    ensure!(answer.status() == 401, "without a token: {answer:?}");
    Ok(())
}

/// A deposit and its withdrawal.
async fn move_money(requester: &Person) -> Result<()> {
    let stake = async || {
        let raw = requester.raw("account show --chain local").await?;
        keys::check(&raw, "ok balance")?;
        keys::check(&raw["balance"], "stake locked")?;
        let stake = raw["balance"]["stake"].as_str().context("no stake")?;
        anyhow::Ok(stake.parse::<u128>()?)
    };
    let before = stake().await?;
    let raw = requester.raw("account deposit 1 RLC --chain local").await?;
    keys::check(&raw, "ok amount txHash")?;
    ensure!(raw["amount"] == ONE_RLC_NRLC, "{raw}");
    ensure!(
        stake().await? == before + ONE_RLC_NRLC.parse::<u128>()?,
        "no deposit"
    );
    let raw = requester
        .raw("account withdraw 1 RLC --chain local")
        .await?;
    keys::check(&raw, "ok amount txHash")?;
    ensure!(stake().await? == before, "no withdrawal");
    requester
        .iexec("account deposit 1000 --chain local")
        .await?
        .expect("0.000001 RLC")?;
    requester
        .iexec("account show --chain local")
        .await?
        .expect("locked")?;
    let too_much = requester
        .raw_fails("account withdraw 1000000000 RLC --chain local")
        .await?;
    keys::check(&too_much["error"], "name message hint")
        .or_else(|_| keys::check(&too_much["error"], "name message"))
}

/// The app is for everybody, for a price, until it is withdrawn.
async fn publish(developer: &Person, requester: &Person, app: &str, expected: &str) -> Result<()> {
    let run = format!("app run {app} --watch {ARGS} --force --chain local");
    let early = requester.raw_fails(&run).await?;
    ensure!(
        early["error"]["message"].to_string().contains("order"),
        "{early}"
    );
    let said = developer.iexec("app publish --chain local").await?;
    said.expect("Successfully published apporder with orderHash 0x")?;
    let raw = developer.raw("app unpublish --chain local").await?;
    keys::check(&raw, "ok unpublished")?;
    let publish = format!("app publish {app} --price {PRICE} nRLC --chain local");
    let raw = developer.raw(&publish).await?;
    keys::check(&raw, "ok orderHash")?;
    let hash = raw["orderHash"].clone();
    requester
        .iexec("orderbook app any --chain local")
        .await?
        .expect("remaining")?;
    let book = requester
        .raw(&format!("orderbook app {app} --chain local"))
        .await?;
    keys::check(&book, "ok count appOrders")?;
    keys::check(&book["appOrders"][0], keys::APP_ORDER)?;
    ensure!(
        book["count"] == 1 && book["appOrders"][0]["orderHash"] == hash,
        "{book}"
    );
    ensure!(
        book["appOrders"][0]["price"].as_u64() == PRICE.parse().ok(),
        "{book}"
    );
    ensure!(
        book["appOrders"][0]["requesterrestrict"] == NOBODY,
        "{book}"
    );
    let ran = requester.raw(&run).await?;
    ensure!(ran["tasks"][0]["statusName"] == "COMPLETED", "{ran}");
    let task = ran["tasks"][0]["taskid"].as_str().context("no task")?;
    check_result(requester, task, expected).await?;
    let account = developer.raw("account show --chain local").await?;
    ensure!(account["balance"]["stake"] == PRICE, "{account}");
    let raw = developer
        .raw(&format!("app unpublish {app} --chain local"))
        .await?;
    ensure!(raw["unpublished"] == hash, "{raw}");
    let book = requester
        .raw(&format!("orderbook app {app} --chain local"))
        .await?;
    ensure!(
        book == json!({ "ok": true, "count": 0, "appOrders": [] }),
        "{book}"
    );
    requester.raw_fails(&run).await?;
    let nothing = developer
        .raw_fails(&format!("app unpublish {app} --chain local"))
        .await?;
    let told = nothing["error"]["message"].to_string();
    ensure!(told.contains("no open apporder published"), "{nothing}");
    Ok(())
}

/// The commands that only tell.
async fn look_around(net: &Net, developer: &Person) -> Result<()> {
    let ready = json!({ "ok": true, "isInitialized": true, "isUpdated": false });
    ensure!(developer.raw("storage init ipfs --chain local").await? == ready);
    let ready = json!({ "ok": true, "isInitialized": true });
    ensure!(developer.raw("storage check ipfs --chain local").await? == ready);
    let absent = json!({ "ok": true, "isInitialized": false });
    ensure!(developer.raw("storage check dropbox --chain local").await? == absent);
    let pushed = developer
        .raw("storage init dropbox --token some-token --chain local")
        .await?;
    ensure!(
        pushed["isInitialized"] == true && pushed["isUpdated"] == false,
        "{pushed}"
    );
    ensure!(developer.raw("storage check dropbox --chain local").await? == ready);
    let hub = net.info.hub.to_checksum(None);
    developer.iexec("info --chain local").await?.expect(&hub)?;
    let raw = developer.raw("info --chain local").await?;
    let registries = "appRegistryAddress datasetRegistryAddress workerpoolRegistryAddress";
    keys::check(
        &raw,
        &format!("ok pocoVersion host hubAddress rlcAddress {registries}"),
    )?;
    ensure!(raw["hubAddress"] == hub, "{raw}");
    let block = net.rpc("eth_blockNumber", json!([])).await?;
    ensure!(
        block.as_str().is_some_and(|block| block.starts_with("0x")),
        "{block}"
    );
    developer.raw_fails("info --chain nonsense").await.map(drop)
}
