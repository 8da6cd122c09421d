//! A session over a scripted chain, and machines that may or may not get it.

use alloy::signers::local::PrivateKeySigner;
use attest::{
    Attester, Binding, Challenge, Event, Platform, Reason, Recipient, Redeem, Sealed, Stage,
};
use axum::http::StatusCode;
use protocol::{Address, B256, TaskId, sms};
use serde_json::{Value as Json, json};
use simulator::{Machine, Simulator};

use crate::{
    Attestation,
    testing::{Answer, Scene, sign},
    vault::AUDIT_FILE,
};

/// Only post-compute may see it.
pub(super) const TOKEN: &str = "a token of the result store";

pub(super) struct World {
    pub(super) scene: Scene,
    pub(super) simulator: Simulator,
    pub(super) task: TaskId,
    pub(super) session: String,
    worker: PrivateKeySigner,
    key: Address,
}

impl World {
    pub(super) async fn new() -> Self {
        let params = json!({ "iexec_input_files": ["https://files.example/a"] });
        let (mut scene, deal) = Scene::tdx(&params).await;
        let place = (31_337, Address::repeat_byte(0x4b));
        scene.chain.change(|state| state.place = place);
        let seed = scene.data_dir().join("seed");
        scene.attestation = Some(Attestation::Simulation {
            seed: seed.clone(),
            insecure_simulation: true,
            production_chains: Vec::new(),
        });
        scene.restart().await;
        let task = deal.task(0);
        let key = scene.challenge(task).await.text.parse().unwrap();
        let mut world = Self {
            scene,
            simulator: Simulator::open(&seed).unwrap(),
            task,
            session: String::new(),
            worker: PrivateKeySigner::random(),
            key,
        };
        world.switch_to_another_worker().await;
        world
    }

    /// Another worker, with a session of its own.
    pub(super) async fn switch_to_another_worker(&mut self) {
        self.worker = PrivateKeySigner::random();
        let owner = self.worker.address();
        let uri = format!(
            "/secrets/web2?ownerAddress={owner}&secretName={}",
            sms::STORE_TOKEN
        );
        let signature = sign(&self.worker, sms::named(owner, sms::STORE_TOKEN, TOKEN));
        let answer = self.scene.call("POST", &uri, Some(&signature), TOKEN).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        let asked = self.scene.session(&self.worker, self.task, self.key);
        let answer = self.scene.ask(&asked).await.json();
        self.session = answer["data"]["sessionId"].as_str().unwrap().to_owned();
    }

    async fn post(&self, step: &str, body: &Json) -> Answer {
        let uri = format!("/attest/v1/sessions/{}/{step}", self.session);
        self.scene.call("POST", &uri, None, body.to_string()).await
    }

    pub(super) async fn ask(&self, body: &Json) -> Answer {
        self.post("challenge", body).await
    }

    pub(super) async fn redeem(&self, body: &Json) -> Answer {
        self.post("redeem", body).await
    }

    pub(super) async fn challenge(&self, stage: Stage) -> Challenge {
        let answer = self.ask(&json!({ "stage": stage })).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        serde_json::from_str(&answer.text).unwrap()
    }

    pub(super) async fn sms_id(&self) -> [u8; 32] {
        let answer = self.scene.call("GET", "/attest/v1/info", None, "").await;
        let id: B256 = serde_json::from_value(answer.json()["sms_id"].clone()).unwrap();
        id.0
    }

    /// The session as it was sealed.
    pub(super) async fn sealed(&self) -> String {
        self.scene
            .sealed(self.task, &self.worker, &self.session)
            .await
    }

    pub(super) fn booted(&self, number: u32) -> Machine {
        self.simulator.machine(number)
    }

    pub(super) fn launched(&self) -> Machine {
        self.launched_on(0)
    }

    pub(super) fn launched_on(&self, number: u32) -> Machine {
        let machine = self.booted(number);
        machine.extend(self.launch()).unwrap();
        machine
    }

    /// The launch of the task, as the enclave measures it.
    pub(super) fn launch(&self) -> Event {
        let binding = Binding {
            chain_id: 0,
            hub: Address::ZERO,
            sms_id: [0; 32],
            session_id: String::new(),
            task: self.task,
            worker: self.worker.address(),
            enclave_challenge: Address::ZERO,
            stage: Stage::App,
            app_digest: B256::repeat_byte(0xcc),
            nonce: [0; 32],
            hpke_pub: [0; 32],
        };
        binding.launch()
    }

    fn entries(&self) -> Vec<Json> {
        let text = std::fs::read_to_string(self.scene.data_dir().join(AUDIT_FILE)).unwrap();
        let read = |line| serde_json::from_str::<Json>(line).unwrap()["entry"].clone();
        text.lines()
            .map(read)
            .filter(|entry: &Json| entry["action"] == "session.redeem")
            .collect()
    }

    /// Redemptions that were written down.
    pub(super) fn audited(&self) -> usize {
        self.entries().len()
    }

    pub(super) fn last_entry(&self) -> Json {
        self.entries().pop().unwrap()
    }

    /// It is refused for that reason, and both is written down.
    pub(super) async fn is_rejected(&self, body: &Json, reason: Reason, why: &str) {
        let before = (self.audited(), self.sealed().await);
        let answer = self.redeem(body).await;
        rejected(&answer, reason, why);
        assert_eq!(self.audited(), before.0 + 1, "{why}");
        let entry = self.last_entry();
        assert_eq!(entry["decision"], "refused", "{why}");
        assert_eq!(entry["reason"], reason.name(), "{why}");
        assert_eq!(self.sealed().await, before.1, "{why}");
    }

    pub(super) async fn has_released_nothing(&self) {
        assert_eq!(self.scene.service.attested().metrics()["released"], 0);
        let rows = sqlx::query("select session from attest_release");
        let rows = rows.fetch_all(&self.scene.service.vault().pool).await;
        assert_eq!(rows.unwrap().len(), 0);
    }
}

pub(super) fn status(answer: &Answer, status: u16, word: &str) {
    let found = (answer.status.as_u16(), answer.json());
    assert_eq!(found, (status, json!({ "error": word })));
}

pub(super) fn rejected(answer: &Answer, reason: Reason, why: &str) {
    let found = (answer.status.as_u16(), answer.json());
    let body = json!({ "error": "ATTESTATION_REJECTED", "reason": reason });
    assert_eq!(found, (403, body), "{why}");
}

/// What an enclave sends, before a test spoils it.
pub(super) struct Evidence {
    pub(super) body: Json,
    recipient: Recipient,
    info: [u8; 64],
}

impl Evidence {
    pub(super) fn of(world: &World, challenge: &Challenge, machine: &Machine) -> Self {
        Self::changed(world, challenge, machine, |_| ())
    }

    /// With a quote that was made for something else.
    pub(super) fn changed(
        world: &World,
        challenge: &Challenge,
        machine: &Machine,
        change: impl FnOnce(&mut Binding),
    ) -> Self {
        let recipient = Recipient::new();
        let mut binding = challenge.binding(&world.session, recipient.public());
        change(&mut binding);
        let info = binding.report_data();
        let redeem = Redeem {
            stage: challenge.stage,
            nonce: challenge.nonce,
            platform: Platform::Tdx,
            hpke_pub: recipient.public().into(),
            quote: machine.quote(info).unwrap(),
            event_log: machine.event_log().unwrap(),
        };
        Self {
            body: serde_json::to_value(redeem).unwrap(),
            recipient,
            info,
        }
    }

    /// Changes one bit of the quote.
    pub(super) fn flip(&mut self, place: usize) {
        let mut redeem: Redeem = serde_json::from_value(self.body.clone()).unwrap();
        redeem.quote[place] ^= 0x40;
        self.body = serde_json::to_value(redeem).unwrap();
    }

    pub(super) fn open(&self, answer: &Json) -> Json {
        let sealed: Sealed = serde_json::from_value(answer.clone()).unwrap();
        let plain = self.recipient.open(&self.info, &sealed).unwrap();
        serde_json::from_slice(&plain).unwrap()
    }
}
