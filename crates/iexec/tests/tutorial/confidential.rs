//! The guide of confidential tasks (docs/confidential.md), command by command: an encrypted dataset
//! that is sold to one app and one requester, secrets of both, and a result that only the
//! beneficiary opens.

use std::{
    fs,
    io::{Cursor, Read as _},
};

use anyhow::{Context as _, Result, ensure};
use axum::{Router, routing::get};
use engine::testing;
use iexec_tests::{app::Image, bench::Bench};
use network::Role;
use sdk::dataset::{Key, cipher};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use zip::ZipArchive;

use crate::{net::Net, person::Person};

const SALARIES: &str = "name,salary\nAlice,1\nBob,2\n";
/// Shows everything that it was given.
const SCRIPT: &str = r#"
result="$IEXEC_OUT/result.txt"
echo "$1 $2, $IEXEC_REQUESTER_SECRET_1, $IEXEC_APP_DEVELOPER_SECRET" > "$result"
cat "$IEXEC_IN/$IEXEC_DATASET_FILENAME" >> "$result"
declare_result "$result"
"#;
/// In the tutorial's words: 5 RLC and 0.1 RLC a task.
const PRICES: [&str; 2] = ["5000000000", "100000000"];

/// The web server that the owner uploads to.
struct Upload {
    url: String,
    serving: JoinHandle<()>,
}

impl Upload {
    async fn of(content: Vec<u8>) -> Result<Self> {
        let routes = Router::new().route("/salaries.enc", get(move || async move { content }));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/salaries.enc", listener.local_addr()?);
        let serving = tokio::spawn(async move {
            // It ends with the test only.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { url, serving })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Plays the guide: the developer of the app, the owner of the dataset and the requester.
pub(crate) async fn tell(bench: Bench) -> Result<()> {
    let net = Net::up(&bench.data_dir(), bench.choice).await?;
    let developer = person(&bench, &net, Role::Developer).await?;
    let owner = person(&bench, &net, Role::Faucet).await?;
    let requester = person(&bench, &net, Role::Requester).await?;
    let app = sell_app(&bench, &developer).await.context("the app")?;
    let (dataset, _upload) = encrypt(&owner).await.context("the dataset")?;
    let who = address(&requester).await?;
    sell_dataset(&owner, &dataset, [&app, &who])
        .await
        .context("its order")?;
    let (deal, task) = run(&requester, &app, &dataset).await.context("the run")?;
    let params: Value = serde_json::from_str(deal["params"].as_str().context("no params")?)?;
    ensure!(
        params["iexec_secrets"] == json!({ "1": "my-login" }),
        "{params}"
    );
    ensure!(params["iexec_result_encryption"] == true, "{params}");
    let prices = [&deal["dataset"]["price"], &deal["app"]["price"]];
    ensure!(prices == PRICES, "{deal}");
    ensure!(deal["beneficiary"] == who.as_str(), "{deal}");
    open(&requester, &task).await.context("the result")?;
    after_cancel(&owner, &requester, &app, &dataset)
        .await
        .context("cancelled")?;
    net.down().await
}

async fn person(bench: &Bench, net: &Net, role: Role) -> Result<Person> {
    let person = Person::new(&bench.data_dir())?;
    person.raw("init --skip-wallet").await?;
    person.import(&net.key(role)?).await?;
    Ok(person)
}

async fn address(person: &Person) -> Result<String> {
    let shown = person.raw("wallet show --chain local").await?;
    Ok(shown["wallet"]["address"]
        .as_str()
        .context("no wallet")?
        .to_owned())
}

async fn sell_app(bench: &Bench, developer: &Person) -> Result<String> {
    let mut config = engine::Config::new(bench.choice, bench.data_dir().join("engine"));
    config.helper = testing::helper();
    let engine = engine::detect(&config).await?;
    let image = Image::of_script(&engine, bench.test, SCRIPT).await?;
    developer.raw("app init").await?;
    developer.edit_app(&[("multiaddr", json!(image.name)), ("checksum", Value::Null)])?;
    let app = developer.raw("app deploy --chain local").await?["address"].clone();
    developer
        .raw("app push-secret --secret-value my-api-key --chain local")
        .await?;
    developer
        .raw("app publish --tag tee,tdx --price 0.1 RLC --force --chain local")
        .await?;
    Ok(app.as_str().context("no app")?.to_owned())
}

async fn encrypt(owner: &Person) -> Result<(String, Upload)> {
    owner.raw("dataset init --encrypted").await?;
    let file = |name: &str| owner.project().join(name);
    fs::write(file("datasets/original/salaries.csv"), SALARIES)?;
    let made = owner.raw("dataset encrypt").await?["encryptedFiles"][0].take();
    let key = ".secrets/datasets/salaries.csv.key";
    let encrypted = fs::read(file("datasets/encrypted/salaries.csv.enc"))?;
    let opened = cipher::decrypt(&Key::parse(&fs::read_to_string(file(key))?)?, &encrypted)?;
    ensure!(opened == SALARIES.as_bytes(), "it does not open again");
    let upload = Upload::of(encrypted).await?;
    let path = file("iexec.json");
    let mut project: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
    project["dataset"]["multiaddr"] = json!(upload.url);
    project["dataset"]["checksum"] = made["checksum"].clone();
    fs::write(path, project.to_string())?;
    let dataset = owner.raw("dataset deploy --chain local").await?["address"].clone();
    // As a browser or an editor may have left it.
    let spelled = fs::read_to_string(file(key))?
        .replace('+', "-")
        .replace('/', "_");
    fs::write(
        file("spelled.key"),
        format!("{}\n", spelled.trim_end_matches('=')),
    )?;
    owner
        .raw("dataset push-secret --secret-path spelled.key --chain local")
        .await?;
    let set = owner.raw("dataset check-secret --chain local").await?;
    ensure!(set["isSecretSet"] == true, "{set}");
    Ok((dataset.as_str().context("no dataset")?.to_owned(), upload))
}

async fn sell_dataset(owner: &Person, dataset: &str, [app, who]: [&str; 2]) -> Result<()> {
    let publish = format!(
        "dataset publish {dataset} --tag tee,tdx --price 5 RLC --volume 10 --app-restrict {app} \
         --requester-restrict {who} --force --chain local"
    );
    owner.raw(&publish).await.map(drop)
}

/// The deal and its task.
async fn run(requester: &Person, app: &str, dataset: &str) -> Result<(Value, String)> {
    let push = "requester push-secret my-login --secret-value alice --chain local";
    requester.raw(push).await?;
    let set = requester
        .raw("requester check-secret my-login --chain local")
        .await?;
    ensure!(set["isSet"] == true, "{set}");
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk/vectors");
    let mine = requester.project().join("my-rsa-key.pem");
    fs::copy(format!("{vectors}/TEST_ONLY_rsa2048.pkcs1.key.pem"), mine)?;
    requester
        .raw("result import-encryption-key my-rsa-key.pem")
        .await?;
    let again = requester
        .raw_fails("result import-encryption-key my-rsa-key.pem")
        .await?;
    ensure!(again["error"]["name"] == "ExitPromptError", "{again}");
    requester
        .raw("result push-encryption-key --chain local")
        .await?;
    let set = requester
        .raw("result check-encryption-key --chain local")
        .await?;
    ensure!(set["isEncryptionKeySet"] == true, "{set}");
    requester.raw("account deposit 6 RLC --chain local").await?;
    let run = format!(
        "app run {app} --tag tee,tdx --dataset {dataset} --secret 1=my-login --encrypt-result \
         --args \"public words\" --watch --force --chain local"
    );
    let made = requester.raw(&run).await?;
    let deal = made["deals"][0]["dealid"].as_str().context("no deal")?;
    let shown = requester
        .raw(&format!("deal show {deal} --chain local"))
        .await?;
    let task = made["tasks"][0]["taskid"].as_str().context("no task")?;
    Ok((shown["deal"].clone(), task.to_owned()))
}

/// In one step, and from an archive that is there already.
async fn open(requester: &Person, task: &str) -> Result<()> {
    let show = format!("task show {task} --chain local --download");
    requester
        .raw(&format!("{show} my-result --decrypt"))
        .await?;
    let file = |name: &str| fs::read(requester.project().join(name));
    let opened = file("my-result.zip")?;
    let mut text = String::new();
    ZipArchive::new(Cursor::new(&opened))?
        .by_name("result.txt")?
        .read_to_string(&mut text)?;
    ensure!(
        text == format!("public words, alice, my-api-key\n{SALARIES}"),
        "{text}"
    );
    requester.raw(&format!("{show} sealed")).await?;
    let sealed = file("sealed.zip")?;
    ensure!(
        !sealed.windows(5).any(|bytes| bytes == b"Alice"),
        "it is not sealed"
    );
    let decrypt = format!("result decrypt sealed.zip --task {task} --chain local");
    let raw = requester.raw(&decrypt).await?;
    ensure!(raw["isVerified"] == true, "{raw}");
    ensure!(file("results.zip")? == opened, "another archive");
    Ok(())
}

/// Ended on chain, the order grants nothing any more.
async fn after_cancel(owner: &Person, requester: &Person, app: &str, dataset: &str) -> Result<()> {
    let book = format!("orderbook dataset {dataset} --app {app} --requester any --chain local");
    let book = owner.raw(&book).await?;
    let hash = book["datasetOrders"][0]["orderHash"]
        .as_str()
        .context("no order")?;
    owner
        .raw(&format!(
            "order cancel --dataset {hash} --force --chain local"
        ))
        .await?;
    let run = format!("app run {app} --tag tee,tdx --dataset {dataset} --force --chain local");
    let refused = requester.raw_fails(&run).await?;
    ensure!(
        refused["error"]["code"] == "DATASET_NOT_GRANTED",
        "{refused}"
    );
    Ok(())
}
