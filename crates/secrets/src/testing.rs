//! A scripted chain and a service over it, for the tests of the routes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use alloy::signers::{SignerSync, local::PrivateKeySigner};
use async_trait::async_trait;
use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode},
    response::Response,
};
use chain::{AppInfo, DatasetInfo};
use protocol::{
    Address, B256, DealId, Tag, TaskId, U256,
    deal::{Deal, Resource, Task, TaskStatus},
    digest,
    order::{DatasetOrder, Signed},
    sms,
};
use serde_json::{Value as Json, json};
use tower::ServiceExt;

use crate::{
    Attestation, Config, Error, Framework, Grant, Ipfs, Keys, Ledger, Service, Unavailable, Unread,
};

pub(crate) const APP: Address = Address::repeat_byte(0xaa);
pub(crate) const DATASET: Address = Address::repeat_byte(0xda);
pub(crate) const DATASET_KEY: &str = "N3IkzqY2a56Yux2sy2JRM4sBhmHGtK9ddOTQHFP8Gr8=";
pub(crate) const FINAL_DEADLINE: u64 = 4_000;
pub(crate) const ORIGIN: &str = "http://sms.test";

/// What the chain says; tests change it.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) place: (u64, Address),
    pub(crate) owner: Option<Address>,
    pub(crate) away: Option<Unavailable>,
    pub(crate) now: u64,
    pub(crate) tasks: Vec<Task>,
    pub(crate) deals: Vec<Deal>,
    pub(crate) has_app: bool,
    pub(crate) dataset: Option<DatasetInfo>,
    /// What is on IPFS, by CID.
    pub(crate) ipfs: BTreeMap<String, Vec<u8>>,
}

/// One wallet owns everything, or the chain is away.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script(pub(crate) Arc<Mutex<State>>);

impl Script {
    pub(crate) fn owned(owner: Option<Address>) -> Self {
        let script = Self::default();
        script.change(|state| state.owner = owner);
        script
    }

    pub(crate) fn away(error: Unavailable) -> Self {
        let script = Self::default();
        script.change(|state| state.away = Some(error));
        script
    }

    pub(crate) fn change(&self, how: impl FnOnce(&mut State)) {
        how(&mut self.0.lock().unwrap());
    }

    fn read<T>(&self, what: impl FnOnce(&State) -> T) -> Result<T, Unavailable> {
        let state = self.0.lock().unwrap();
        match &state.away {
            Some(error) => Err(error.clone()),
            None => Ok(what(&state)),
        }
    }
}

#[async_trait]
impl Ledger for Script {
    fn place(&self) -> (u64, Address) {
        self.0.lock().unwrap().place
    }

    async fn owner_of(&self, _: Address) -> Result<Option<Address>, Unavailable> {
        self.read(|state| state.owner)
    }

    async fn now(&self) -> Result<u64, Unavailable> {
        self.read(|state| state.now)
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>, Unavailable> {
        self.read(|state| state.tasks.iter().find(|task| task.id == id).cloned())
    }

    async fn deal(&self, id: DealId) -> Result<Option<Deal>, Unavailable> {
        self.read(|state| state.deals.iter().find(|deal| deal.id == id).cloned())
    }

    async fn app(&self, address: Address) -> Result<Option<AppInfo>, Unavailable> {
        self.read(|state| state.has_app.then(|| app(address)))
    }

    async fn dataset(&self, address: Address) -> Result<Option<DatasetInfo>, Unavailable> {
        let named = |dataset| DatasetInfo { address, ..dataset };
        self.read(|state| state.dataset.clone().map(named))
    }

    /// Two of the hub's rules. Who owns a dataset signs with its address.
    async fn grant(
        &self,
        signed: &Signed<DatasetOrder>,
        deal: DealId,
    ) -> Result<Grant, Unavailable> {
        let refused = |reason: &str| Grant::Refused(reason.to_owned());
        let deal = self.deal(deal).await?;
        let restriction = Some(signed.order.apprestrict).filter(|app| !app.is_zero());
        Ok(match deal {
            _ if signed.sign[..] != signed.order.dataset[..] => {
                refused("Invalid dataset order signature")
            }
            None => refused("Deal not found"),
            Some(deal) if restriction.is_some_and(|app| app != deal.app.pointer) => {
                refused("App restriction not satisfied")
            }
            Some(_) => Grant::Given,
        })
    }
}

#[async_trait]
impl Ipfs for Script {
    async fn read(&self, cid: &str, bytes_max: usize) -> Result<Vec<u8>, Unread> {
        let content = self.0.lock().unwrap().ipfs.get(cid).cloned();
        let cid = cid.to_owned();
        match content {
            Some(bytes) if bytes.len() > bytes_max => Err(Unread::TooLarge { cid, bytes_max }),
            Some(bytes) => Ok(bytes),
            None => Err(Unread::Unreachable {
                cid,
                reason: "down".to_owned(),
            }),
        }
    }
}

pub(crate) fn app(address: Address) -> AppInfo {
    AppInfo {
        address,
        owner: address,
        name: "app".into(),
        kind: "DOCKER".into(),
        multiaddr: b"registry.example/app:1".to_vec().into(),
        checksum: B256::repeat_byte(0xcc),
        mrenclave: Default::default(),
    }
}

pub(crate) fn dataset() -> DatasetInfo {
    DatasetInfo {
        address: DATASET,
        owner: DATASET,
        name: "data".into(),
        multiaddr: b"https://data.example/file.enc".to_vec().into(),
        checksum: B256::repeat_byte(0xdd),
    }
}

/// A deal with the tag of the published SDK.
pub(crate) fn deal(id: DealId, pool_owner: Address, params: &Json) -> Deal {
    let resource = |pointer, owner| Resource {
        pointer,
        owner,
        price: U256::ZERO,
    };
    let requester = Address::repeat_byte(0xee);
    Deal {
        id,
        app: resource(APP, APP),
        dataset: Resource::default(),
        workerpool: resource(Address::repeat_byte(0x77), pool_owner),
        trust: U256::from(1),
        category: 0,
        tag: Tag::TEE_TDX,
        requester,
        beneficiary: Address::repeat_byte(0xbe),
        callback: Address::ZERO,
        params: params.to_string(),
        start_time: 1_000,
        bot_first: 0,
        bot_size: 3,
        worker_stake: U256::ZERO,
        scheduler_reward_ratio: U256::ZERO,
        sponsor: requester,
    }
}

pub(crate) fn task(deal: DealId, index: u64) -> Task {
    Task {
        id: deal.task(index),
        status: TaskStatus::Active,
        deal,
        index,
        timeref: 300,
        contribution_deadline: 3_100,
        reveal_deadline: 0,
        final_deadline: FINAL_DEADLINE,
        consensus_value: B256::ZERO,
        reveal_counter: 0,
        winner_counter: 0,
        contributors: Vec::new(),
        result_digest: B256::ZERO,
        results: Default::default(),
        results_timestamp: 0,
        results_callback: Default::default(),
    }
}

/// A service over a script, and a wallet that signs.
pub(crate) struct Scene {
    pub(crate) service: Service,
    pub(crate) wallet: PrivateKeySigner,
    pub(crate) chain: Script,
    framework: Option<Framework>,
    pub(crate) attestation: Option<Attestation>,
    directory: tempfile::TempDir,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let wallet = PrivateKeySigner::random();
        let chain = Script::owned(Some(wallet.address()));
        Self::with(wallet, chain, None).await
    }

    pub(crate) async fn with(
        wallet: PrivateKeySigner,
        chain: Script,
        framework: Option<Framework>,
    ) -> Self {
        Self::opened(wallet, chain, framework, |_| None).await
    }

    async fn opened(
        wallet: PrivateKeySigner,
        chain: Script,
        framework: Option<Framework>,
        attestation: impl FnOnce(&Path) -> Option<Attestation>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let attestation = attestation(directory.path());
        let data_dir = directory.path().to_owned();
        let service = open(data_dir, &chain, framework, attestation.clone()).await;
        Self {
            service: service.unwrap(),
            wallet,
            chain,
            framework,
            attestation,
            directory,
        }
    }

    /// One whose key comes from elsewhere.
    pub(crate) async fn with_keys(keys: Keys) -> Self {
        let mut scene = Self::new().await;
        scene.directory = tempfile::tempdir().unwrap();
        let mut config = Config::new(scene.data_dir());
        config.keys = keys;
        let ledger = Arc::new(scene.chain.clone());
        scene.service = Service::open(config, ledger).await.unwrap();
        scene
    }

    /// What an operator is told.
    pub(crate) async fn operator(&self, uri: &str) -> Answer {
        let request = Request::get(uri).body(Body::empty()).unwrap();
        Answer::of(
            self.service
                .operator_router()
                .oneshot(request)
                .await
                .unwrap(),
        )
        .await
    }

    /// One that serves TDX; its wallet is the pool's owner, and there is a deal of three tasks.
    pub(crate) async fn tdx(params: &Json) -> (Self, DealId) {
        Self::attested(params, |_| None).await
    }

    /// The same, where enclaves prove what they are; told is its data directory.
    pub(crate) async fn attested(
        params: &Json,
        attestation: impl FnOnce(&Path) -> Option<Attestation>,
    ) -> (Self, DealId) {
        let wallet = PrivateKeySigner::random();
        let id = DealId::repeat(1);
        let chain = Script::owned(Some(wallet.address()));
        chain.change(|state| {
            state.place = (31_337, Address::repeat_byte(0x4b));
            state.deals = vec![deal(id, wallet.address(), params)];
            state.tasks = (0..3).map(|index| task(id, index)).collect();
            state.has_app = true;
            state.dataset = Some(dataset());
        });
        let framework = Some(Framework::Tdx);
        let scene = Self::opened(wallet, chain, framework, attestation).await;
        (scene, id)
    }

    /// The same data opened again.
    pub(crate) async fn restart(&mut self) {
        self.try_restart().await.unwrap();
    }

    pub(crate) async fn try_restart(&mut self) -> Result<(), Error> {
        let attestation = self.attestation.clone();
        let opened = open(self.data_dir(), &self.chain, self.framework, attestation).await;
        self.service = opened?;
        Ok(())
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        uri: &str,
        sign: Option<&str>,
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(sign) = sign {
            request = request.header("authorization", sign);
        }
        let request = request.body(body.into()).unwrap();
        Answer::of(self.service.router().oneshot(request).await.unwrap()).await
    }

    pub(crate) async fn head(&self, uri: &str) -> StatusCode {
        self.call("HEAD", uri, None, "").await.status
    }

    pub(crate) fn sign(&self, digest: B256) -> String {
        sign(&self.wallet, digest)
    }

    pub(crate) async fn push(&self, method: &str, uri: &str, digest: B256, value: &str) -> Answer {
        let sign = self.sign(digest);
        self.call(method, uri, Some(&sign), value.to_owned()).await
    }

    pub(crate) fn web2(&self, name: &str) -> String {
        let owner = self.wallet.address();
        format!("/secrets/web2?ownerAddress={owner}&secretName={name}")
    }

    pub(crate) fn requester(&self, name: &str) -> String {
        format!("/requesters/{}/secrets/{name}", self.wallet.address())
    }

    pub(crate) fn named(&self, name: &str, value: &str) -> B256 {
        sms::named(self.wallet.address(), name, value)
    }

    /// The pool's request for a task's enclave key.
    pub(crate) async fn challenge(&self, task: TaskId) -> Answer {
        let sign = self.sign(sms::enclave_challenge(task));
        let uri = format!("/tee/challenges/{task}");
        self.call("POST", &uri, Some(&sign), "").await
    }

    /// A worker's request for a session, signed by both.
    pub(crate) fn session(&self, worker: &PrivateKeySigner, task: TaskId, of: Address) -> Asked {
        let hash = digest::authorization(worker.address(), task, of);
        Asked {
            body: json!({
                "chainTaskId": task,
                "dealId": DealId::default(),
                "taskIndex": 0,
                "workerWallet": worker.address(),
                "enclaveChallenge": of,
                "signature": { "value": self.sign(hash) },
            }),
            authorization: sign(worker, hash),
        }
    }

    pub(crate) async fn ask(&self, session: &Asked) -> Answer {
        let sign = Some(session.authorization.as_str());
        let body = session.body.to_string();
        self.call("POST", "/tee/sessions", sign, body).await
    }
}

/// What else the tests of sessions need.
impl Scene {
    pub(crate) async fn push_dataset_key(&self) {
        let uri = format!("/secrets/web3?secretAddress={DATASET}");
        let digest = sms::dataset(DATASET, DATASET_KEY);
        let answer = self.push("POST", &uri, digest, DATASET_KEY).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
    }

    /// A session as it was before it was sealed.
    pub(crate) async fn sealed(&self, task: TaskId, worker: &PrivateKeySigner, id: &str) -> String {
        let session = self.service.vault().session(id).await;
        let (place, session) = session.unwrap().unwrap();
        assert_eq!((place.task, place.worker), (task, worker.address()));
        session.expose().to_owned()
    }

    /// Whether some file of the service but the key file has these bytes.
    pub(crate) fn is_in_files(&self, bytes: &[u8]) -> bool {
        let files = std::fs::read_dir(self.data_dir()).unwrap();
        files
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .any(|file| file.windows(bytes.len()).any(|window| window == bytes))
    }
}

async fn open(
    data_dir: PathBuf,
    chain: &Script,
    framework: Option<Framework>,
    attestation: Option<Attestation>,
) -> Result<Service, Error> {
    let mut config = Config::new(data_dir);
    config.framework = framework;
    config.attestation = attestation;
    config.public_url = format!("{ORIGIN}/");
    let chain = Arc::new(chain.clone());
    Service::open_with(config, chain.clone(), Some(chain)).await
}

pub(crate) fn sign(wallet: &PrivateKeySigner, digest: B256) -> String {
    wallet
        .sign_message_sync(digest.as_slice())
        .unwrap()
        .to_string()
}

/// A request to `/tee/sessions` before it is sent: tests spoil it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) body: Json,
    pub(crate) authorization: String,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Self { status, text }
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    pub(crate) fn error(&self) -> Json {
        self.json()["error"].clone()
    }
}
