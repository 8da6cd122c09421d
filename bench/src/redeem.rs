//! Redemptions of sessions: what the secret manager itself spends on one, in processor time, beside
//! the verification of the quote, without which nobody could do it. The chain is in memory, so it
//! costs nothing.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use attest::{Attester as _, Challenge, Platform, Recipient, Redeem, Stage, Trust, Verifier};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use chain::{AppInfo, DatasetInfo, Wallet, authorize};
use nix::time::{ClockId, clock_gettime};
use protocol::{
    Address, B256, DealId, Tag, TaskId, U256,
    deal::{Deal, Resource, Task, TaskStatus},
    digest,
    order::{DatasetOrder, Signed},
    sms,
};
use secrets::{Attestation, Config, Framework, Grant, Ledger, Service, Unavailable};
use serde_json::{Value, json};
use simulator::{Machine, Simulator};
use tower::ServiceExt as _;

use crate::stats::{line, say};

/// Workers, each with a session of the same task.
const SESSIONS: usize = 100;
/// Redemptions of one stage that a session allows.
const REDEMPTIONS: usize = 3;
/// Of the secret manager, for one redemption.
const GOAL_MS: u64 = 5;
/// An answer is a session's stage.
const ANSWER_BYTES_MAX: usize = 1 << 20;
const CHAIN_ID: u64 = 31_337;
/// Far away, in seconds since 1970.
const DEADLINE: u64 = 4_000_000_000;

/// One deal with one task.
struct Chain {
    pool_owner: Address,
    deal: DealId,
}

#[async_trait]
impl Ledger for Chain {
    fn place(&self) -> (u64, Address) {
        (CHAIN_ID, Address::repeat_byte(1))
    }
    async fn owner_of(&self, _: Address) -> Result<Option<Address>, Unavailable> {
        Ok(None)
    }
    async fn now(&self) -> Result<u64, Unavailable> {
        Ok(1)
    }
    async fn task(&self, _: TaskId) -> Result<Option<Task>, Unavailable> {
        Ok(Some(Task {
            id: self.deal.task(0),
            status: TaskStatus::Active,
            deal: self.deal,
            index: 0,
            timeref: 300,
            contribution_deadline: DEADLINE,
            reveal_deadline: 0,
            final_deadline: DEADLINE,
            consensus_value: B256::ZERO,
            reveal_counter: 0,
            winner_counter: 0,
            contributors: Vec::new(),
            result_digest: B256::ZERO,
            results: Default::default(),
            results_timestamp: 0,
            results_callback: Default::default(),
        }))
    }
    async fn deal(&self, _: DealId) -> Result<Option<Deal>, Unavailable> {
        let resource = |owner| Resource {
            pointer: owner,
            owner,
            price: U256::ZERO,
        };
        let requester = Address::repeat_byte(2);
        Ok(Some(Deal {
            id: self.deal,
            app: resource(Address::repeat_byte(3)),
            dataset: Resource::default(),
            workerpool: resource(self.pool_owner),
            trust: U256::from(1),
            category: 0,
            tag: Tag::TEE_TDX,
            requester,
            beneficiary: requester,
            callback: Address::ZERO,
            params: "{}".to_owned(),
            start_time: 1,
            bot_first: 0,
            bot_size: 1,
            worker_stake: U256::ZERO,
            scheduler_reward_ratio: U256::ZERO,
            sponsor: requester,
        }))
    }
    async fn app(&self, address: Address) -> Result<Option<AppInfo>, Unavailable> {
        Ok(Some(AppInfo {
            address,
            owner: address,
            name: "app".into(),
            kind: "DOCKER".into(),
            multiaddr: b"registry.example/app:1".to_vec().into(),
            checksum: B256::repeat_byte(0xcc),
            mrenclave: Default::default(),
        }))
    }
    async fn dataset(&self, _: Address) -> Result<Option<DatasetInfo>, Unavailable> {
        Ok(None)
    }
    async fn grant(&self, _: &Signed<DatasetOrder>, _: DealId) -> Result<Grant, Unavailable> {
        Err(Unavailable("there is no bulk".into()))
    }
}

/// Prints the processor time of a redemption and of its quote's verification.
pub(crate) async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(std::env::current_dir()?)?;
    let seed = folder.path().join("seed");
    let simulator = Simulator::open(&seed)?;
    let pool_owner = Wallet::random();
    let chain = Chain {
        pool_owner: pool_owner.address(),
        deal: DealId::repeat(7),
    };
    let deal = chain.deal;
    let mut config = Config::new(folder.path().join("sms"));
    config.framework = Some(Framework::Tdx);
    config.attestation = Some(Attestation::Simulation {
        seed,
        insecure_simulation: true,
        production_chains: Vec::new(),
    });
    let service = Service::open(config, Arc::new(chain)).await?;
    let sms = Sms(service.router());
    let mut bodies = Vec::new();
    for number in 0..SESSIONS {
        let machine = simulator.machine(u32::try_from(number)?);
        bodies.extend(session(&sms, &pool_owner, deal, &machine).await?);
    }
    let begun = spent()?;
    for (path, redeem) in &bodies {
        let answer = sms.post(path, None, serde_json::to_string(redeem)?).await?;
        ensure!(answer["ct"].is_string(), "it was refused: {answer}");
    }
    let each = (spent()? - begun) / u32::try_from(bodies.len())?;
    let alone = verification(&simulator, &bodies)?;
    line("the verification of a quote, processor", alone, None);
    line("a redemption, processor", each, Some(alone));
    let is_met = each <= Duration::from_millis(GOAL_MS);
    say(&format!(
        "within {GOAL_MS} ms: {}",
        if is_met { "yes" } else { "no" }
    ));
    Ok(())
}

/// Processor time of this process until now.
fn spent() -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into())
}

fn verification(simulator: &Simulator, bodies: &[(String, Redeem)]) -> anyhow::Result<Duration> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let now = now.as_secs();
    let collateral = simulator.collateral(now);
    let trust = Trust::Simulated(simulator.root_der());
    let verifier = Verifier::new(trust, Simulator::policy());
    let begun = spent()?;
    for (_, redeem) in bodies {
        let good = verifier.verify(&redeem.quote, &collateral, now);
        ensure!(good.is_ok(), "{good:?}");
    }
    Ok((spent()? - begun) / u32::try_from(bodies.len())?)
}

/// Makes a worker's session, and the redemptions of its app that are allowed.
async fn session(
    sms: &Sms,
    pool_owner: &Wallet,
    deal: DealId,
    machine: &Machine,
) -> anyhow::Result<Vec<(String, Redeem)>> {
    let (task, worker) = (deal.task(0), Wallet::random());
    let owner = worker.address();
    let signature = pool_owner.sign_message_hash(sms::enclave_challenge(task))?;
    let path = format!("/tee/challenges/{task}");
    let key = sms.text(&path, Some(signature.to_string()), String::new());
    let key: Address = key.await?.parse()?;
    let token = sms::named(owner, sms::STORE_TOKEN, "token");
    let path = format!(
        "/secrets/web2?ownerAddress={owner}&secretName={}",
        sms::STORE_TOKEN
    );
    let signature = worker.sign_message_hash(token)?.to_string();
    sms.text(&path, Some(signature), "token".to_owned()).await?;
    let authorization = authorize(pool_owner, deal, 0, owner, key)?;
    let signature = worker.sign_message_hash(digest::authorization(owner, task, key))?;
    let body = serde_json::to_string(&authorization)?;
    let made = sms.post("/tee/sessions", Some(signature.to_string()), body);
    let made = made.await?;
    let id = made["data"]["sessionId"].as_str();
    let id = id.with_context(|| format!("no session: {made}"))?;
    let path = format!("/attest/v1/sessions/{id}");
    let mut bodies = Vec::new();
    for number in 0..REDEMPTIONS {
        let body = json!({ "stage": Stage::App }).to_string();
        let challenge = sms.post(&format!("{path}/challenge"), None, body).await?;
        let challenge: Challenge = serde_json::from_value(challenge)?;
        let recipient = Recipient::new();
        let binding = challenge.binding(id, recipient.public());
        if number == 0 {
            machine.extend(binding.launch())?;
        }
        let redeem = Redeem {
            stage: Stage::App,
            nonce: challenge.nonce,
            platform: Platform::Tdx,
            hpke_pub: recipient.public().into(),
            quote: machine.quote(binding.report_data())?,
            event_log: machine.event_log()?,
        };
        bodies.push((format!("{path}/redeem"), redeem));
    }
    Ok(bodies)
}

/// The service without a network.
struct Sms(Router);

impl Sms {
    async fn text(
        &self,
        path: &str,
        signature: Option<String>,
        body: String,
    ) -> anyhow::Result<String> {
        let mut request = Request::post(path);
        if let Some(signature) = signature {
            request = request.header("authorization", signature);
        }
        let request = request.header("content-type", "application/json");
        let answer = self.0.clone().oneshot(request.body(Body::from(body))?);
        let bytes = to_bytes(answer.await?.into_body(), ANSWER_BYTES_MAX).await?;
        Ok(String::from_utf8(bytes.to_vec())?)
    }

    async fn post(
        &self,
        path: &str,
        signature: Option<String>,
        body: String,
    ) -> anyhow::Result<Value> {
        let text = self.text(path, signature, body).await?;
        serde_json::from_str(&text).with_context(|| format!("{path} answers `{text}`"))
    }
}
