//! A secret manager that says that its enclaves are simulated: nobody gives it a secret, runs a
//! confidential task or looks at one without being told.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use axum::{
    Json, Router,
    http::{Method, StatusCode},
    routing::get,
};
use iexec_tests::{bench::Bench, cast::Ask, cast::Cast};
use network::Role;
use protocol::Tag;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::{net::Net, person::Person};

const MARK: &str = "SIMULATED TEE";
/// Told by the client, not by the worker.
const WARNING: &str = "⚠ SIMULATED TEE: the enclaves of this network";
/// As in the documentation of the push commands.
const AT_PUSH: &str = "⚠ SIMULATED TEE: this secret manager releases secrets to simulated \
                       enclaves: do not push real secrets";
const KEY: &str = "N3IkzqY2a56Yux2sy2JRM4sBhmHGtK9ddOTQHFP8Gr8=";

/// Has no secret, takes every one, and says what it is.
struct Sms {
    origin: String,
    _serving: AbortOnDropHandle<()>,
}

impl Sms {
    async fn start() -> Result<Self> {
        let info = json!({ "mode": "simulation", "insecure": true, "sms_id": "0x12" });
        let answer = |method: Method| async move {
            match method == Method::HEAD || method == Method::GET {
                true => StatusCode::NOT_FOUND,
                false => StatusCode::NO_CONTENT,
            }
        };
        let routes = Router::new()
            .route("/attest/v1/info", get(|| async { Json(info) }))
            .fallback(answer);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let serving = tokio::spawn(async move {
            // It ends with the test only.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self {
            origin,
            _serving: AbortOnDropHandle::new(serving),
        })
    }
}

/// All commands, beside the same against a secret manager that says nothing.
pub(crate) async fn tell(bench: Bench) -> Result<()> {
    let net = Net::up(&bench.data_dir(), bench.choice).await?;
    let sms = Sms::start().await?;
    let person = Person::new(&bench.data_dir())?;
    person.import(&net.key(Role::Developer)?).await?;
    person.raw("init --skip-wallet").await?;
    let chain = json!({ "default": "dev", "chains": {
        "local": {}, "dev": chain(&net, &sms.origin), "silent": chain(&net, "http://127.0.0.1:1"),
    } });
    fs::write(person.project().join("chain.json"), chain.to_string())?;
    looks(&person).await.context("info and doctor")?;
    pushes(&person).await.context("pushes")?;
    shows(&bench, &net, &person).await.context("task show")?;
    net.down().await
}

fn chain(net: &Net, sms: &str) -> Value {
    let url = &net.info.rpc_url;
    json!({ "id": net.info.chain_id.to_string(), "host": url,
        "hub": net.info.hub.to_checksum(None), "sms": sms, "iexecGateway": url,
        "ipfsGateway": url, "compass": url })
}

async fn looks(person: &Person) -> Result<()> {
    person
        .iexec("info")
        .await?
        .expect("SIMULATED TEE, secret manager 0x12")?;
    ensure!(person.warned("info").await?["warning"] == MARK);
    let silent = person.warned("info --chain silent").await?;
    ensure!(silent["warning"].is_null(), "{silent}");
    let doctor = person.iexec("doctor --chain dev").await?;
    doctor.expect("warn  enclaves")?;
    doctor.expect("SIMULATED TEE, secret manager 0x12: secrets of this chain are not protected")
}

async fn pushes(person: &Person) -> Result<()> {
    person.raw("app init").await?;
    person.edit_app(&[("multiaddr", json!("127.0.0.1:1/x:1"))])?;
    person.raw("app deploy").await?;
    person.raw("dataset init").await?;
    person.raw("dataset deploy").await?;
    fs::write(person.project().join("k"), KEY)?;
    person.raw("result generate-encryption-keypair").await?;
    for push in [
        "app push-secret --secret-value x",
        "dataset push-secret --secret-path k",
        "requester push-secret name --secret-value x",
        "result push-encryption-key",
        "storage init dropbox --token x",
    ] {
        person.iexec(push).await?.expect(AT_PUSH)?;
        let raw = person.warned(push).await?;
        let told = raw["warning"].as_str().unwrap_or_default();
        ensure!(told.starts_with(MARK), "{push}: {raw}");
    }
    Ok(())
}

/// Of a confidential task only.
async fn shows(bench: &Bench, net: &Net, person: &Person) -> Result<()> {
    let mut config = engine::Config::new(bench.choice, bench.data_dir().join("engine"));
    config.helper = engine::testing::helper();
    let cast = Cast::local(&net.info, engine::detect(&config).await?).await?;
    let app = person.warned("app show").await?["address"].clone();
    let app = app.as_str().context("no app")?.parse()?;
    for (tag, is_told) in [(Tag::TEE_TDX, true), (Tag::NONE, false)] {
        let ask = Ask {
            tag,
            ..Ask::default()
        };
        let deal = cast.deal(app, &ask).await?;
        cast.ended_one(&deal).await?;
        let show = format!("task show {}", deal.tasks[0]);
        let said = person.iexec(&show).await?;
        ensure!(
            said.stderr.contains("Task details (SIMULATED TEE):") == is_told,
            "{said}"
        );
        ensure!(said.stderr.contains("⚠ SIMULATED TEE") == is_told, "{said}");
    }
    let run = "app run --tag tee,tdx --force --skip-preflight-check";
    person
        .iexec(run)
        .await?
        .expect("⚠ SIMULATED TEE: the enclaves of this network")?;
    let raw = person.warned(run).await?;
    ensure!(
        raw["warning"]
            .as_str()
            .is_some_and(|told| told.starts_with(MARK)),
        "{raw}"
    );
    let plain = person.warned("app run --force").await?;
    ensure!(plain["warning"].is_null(), "{plain}");
    fails(person).await.context("a run that fails")
}

/// Nobody can pull the image: the task fails, and what was said before must not get lost.
async fn fails(person: &Person) -> Result<()> {
    let run = "app run --tag tee,tdx --watch --force --skip-preflight-check";
    let raw = person.raw_fails(run).await?;
    let is_told = |raw: &Value| {
        raw["warning"]
            .as_str()
            .is_some_and(|it| it.starts_with(MARK))
    };
    let task = raw["tasks"][0]["taskid"].as_str().context("no task")?;
    let show = format!("task show {task} --watch");
    ensure!(is_told(&raw), "{raw}");
    let raw = person.raw_fails(&show).await?;
    ensure!(is_told(&raw), "{raw}");
    for line in [run, &show] {
        let said = person.fails(line).await?;
        let count = said.stderr.matches(WARNING).count();
        ensure!(count == 1, "{count} times: {said}");
    }
    Ok(())
}
