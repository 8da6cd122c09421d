use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use attest::{Identity, Policy, Trust, Verifier, appraise, seal};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode as Status,
    response::{IntoResponse, Response},
    routing::post,
};
use protocol::{Address, B256, Bytes, TaskId};
use serde_json::json;
use simulator::Simulator;
use worker::agent::Attestation;

use super::{
    testing::{ID, job},
    *,
};

const SECRET: &str = "only the enclave reads this";

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// A secret manager with one session, which judges as the real one does.
struct Manager {
    identity: Identity,
    trusted: Simulator,
    policy: Policy,
    /// Answers before it is well, e.g. 503.
    sick: AtomicU32,
    /// Answers to evidence that are lost on the way.
    lost: AtomicU32,
    /// What it says of the task.
    edit: fn(&mut Challenge),
    nonce: Mutex<Option<Challenge>>,
    heard: AtomicU32,
}

impl Manager {
    fn new(dir: &tempfile::TempDir) -> Self {
        Self {
            identity: Identity::from_seed([5; 32]),
            trusted: Simulator::open(&dir.path().join("seed")).unwrap(),
            policy: Simulator::policy(),
            sick: AtomicU32::new(0),
            lost: AtomicU32::new(0),
            edit: |_| {},
            nonce: Mutex::default(),
            heard: AtomicU32::new(0),
        }
    }

    async fn serve(self) -> (String, Arc<Self>) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let manager = Arc::new(self);
        let router = Router::new()
            .route("/s/challenge", post(challenge))
            .route("/s/redeem", post(redeem))
            .with_state(manager.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/s", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        (url, manager)
    }
}

async fn challenge(State(manager): State<Arc<Manager>>, Json(ask): Json<Ask>) -> Response {
    let nonce = manager.heard.fetch_add(1, Ordering::Relaxed);
    if manager.sick.load(Ordering::Relaxed) > nonce {
        return Status::SERVICE_UNAVAILABLE.into_response();
    }
    let job = job("", Attestation::default());
    let mut challenge = Challenge {
        nonce: B256::from(protocol::U256::from(nonce)),
        expires_at: now() + 120,
        chain_id: 31_337,
        hub: Address::repeat_byte(9),
        sms_id: B256::ZERO,
        task_id: job.task,
        worker: job.worker,
        enclave_challenge: job.challenge,
        app_digest: job.app.checksum,
        stage: ask.stage,
        policy_id: B256::ZERO,
        insecure: true,
        signature: Bytes::new(),
    };
    (manager.edit)(&mut challenge);
    let challenge = challenge.sign(ID, &manager.identity);
    *manager.nonce.lock().unwrap() = Some(challenge.clone());
    Json(challenge).into_response()
}

async fn redeem(State(manager): State<Arc<Manager>>, Json(asked): Json<Redeem>) -> Response {
    let challenge = manager.nonce.lock().unwrap().take().unwrap();
    assert_eq!(asked.nonce, challenge.nonce);
    let binding = challenge.binding(ID, asked.hpke_pub.0);
    let trust = Trust::Simulated(manager.trusted.root_der());
    let verifier = Verifier::new(trust, manager.policy.clone());
    let collateral = manager.trusted.collateral(now());
    let judged = verifier
        .verify(&asked.quote, &collateral, now())
        .and_then(|evidence| appraise(&evidence, &asked.event_log, &binding, &manager.policy));
    if let Err(rejected) = judged {
        let body = json!({ "error": "ATTESTATION_REJECTED", "reason": rejected.reason });
        return (Status::FORBIDDEN, Json(body)).into_response();
    }
    if manager.lost.load(Ordering::Relaxed) > 0 {
        manager.lost.fetch_sub(1, Ordering::Relaxed);
        return Status::BAD_GATEWAY.into_response();
    }
    let stage = asked.stage;
    let session = json!({
        "name": ID, "version": "0.1.0",
        "services": [{
            "name": stage, "image_name": "u/app:1", "fingerprint": "0x01",
            "environment": { "SECRET": SECRET, "STAGE": stage },
        }],
    });
    let info = binding.report_data();
    let sealed = seal(&asked.hpke_pub.0, &info, session.to_string().as_bytes());
    Json(sealed.unwrap()).into_response()
}

fn simulated(dir: &tempfile::TempDir, sms_id: Option<[u8; 32]>) -> Attestation {
    Attestation {
        simulator: Some(dir.path().join("seed")),
        sms_id: sms_id.map(B256::from),
        tsm: None,
    }
}

async fn open(url: &str, attestation: Attestation) -> Result<StageEnvironment, Failure> {
    let session = Session::of(&job(url, attestation))?;
    session.open(Stage::App).await
}

async fn refusal(url: &str, attestation: Attestation) -> String {
    let failure = open(url, attestation).await.err().unwrap();
    assert_eq!(failure.cause, Cause::TeePreparationFailed);
    failure.message
}

#[tokio::test]
async fn each_stage_is_opened_by_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let manager = Manager::new(&dir);
    let id = manager.identity.id();
    let (url, _) = manager.serve().await;
    let session = Session::of(&job(&url, simulated(&dir, Some(id)))).unwrap();
    for (stage, name) in [
        (Stage::PreCompute, "pre-compute"),
        (Stage::App, "app"),
        (Stage::PostCompute, "post-compute"),
    ] {
        let environment = session.open(stage).await.unwrap();
        assert_eq!(environment.get("SECRET"), Some(SECRET));
        assert_eq!(environment.get("STAGE"), Some(name));
    }
}

/// Of every kind: stages, tries, and an agent that was killed before the machine was booted again.
#[tokio::test]
async fn a_launch_is_measured_once() {
    let dir = tempfile::tempdir().unwrap();
    let (url, manager) = Manager::new(&dir).serve().await;
    let machine = Arc::new(manager.trusted.attester());
    let before = machine.event_log().unwrap().0.len();
    for _ in 0..2 {
        manager.lost.store(1, Ordering::Relaxed);
        let job = job(&url, simulated(&dir, None));
        let session = Session::with(&job, machine.clone()).unwrap();
        for stage in Stage::ALL {
            assert!(session.open(stage).await.is_ok(), "{stage}");
        }
    }
    assert_eq!(machine.event_log().unwrap().0.len(), before + 1);
}

#[tokio::test]
async fn a_url_may_end_with_a_slash() {
    let dir = tempfile::tempdir().unwrap();
    let (url, _) = Manager::new(&dir).serve().await;
    assert!(
        open(&format!("{url}/"), simulated(&dir, None))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn another_installations_simulator_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (url, manager) = Manager::new(&dir).serve().await;
    let other = tempfile::tempdir().unwrap();
    let told = refusal(&url, simulated(&other, None)).await;
    assert!(told.contains("ATTESTATION_REJECTED (CHAIN)"), "{told}");
    let asked = manager.heard.load(Ordering::Relaxed);
    assert_eq!(asked, 1, "a refusal is not asked for again");
}

#[tokio::test]
async fn a_secret_manager_that_is_not_the_pinned_one_gets_no_quote() {
    let dir = tempfile::tempdir().unwrap();
    let (url, manager) = Manager::new(&dir).serve().await;
    let told = refusal(&url, simulated(&dir, Some([1; 32]))).await;
    assert!(told.contains("was expected"), "{told}");
    assert!(manager.nonce.lock().unwrap().is_some(), "it was redeemed");
}

#[tokio::test]
async fn a_challenge_about_anything_else_gets_no_quote() {
    let edits: [fn(&mut Challenge); 5] = [
        |c| c.task_id = TaskId::repeat(7),
        |c| c.worker = Address::ZERO,
        |c| c.enclave_challenge = Address::ZERO,
        |c| c.app_digest = B256::ZERO,
        |c| c.stage = Stage::PostCompute,
    ];
    for edit in edits {
        let dir = tempfile::tempdir().unwrap();
        let manager = Manager {
            edit,
            ..Manager::new(&dir)
        };
        let (url, manager) = manager.serve().await;
        let told = refusal(&url, simulated(&dir, None)).await;
        assert!(told.contains("another task"), "{told}");
        assert!(manager.nonce.lock().unwrap().is_some(), "it was redeemed");
    }
}

#[tokio::test]
async fn a_bad_moment_passes_but_not_for_ever() {
    for (sick, opens) in [(TRIES_MAX - 1, true), (TRIES_MAX, false)] {
        let dir = tempfile::tempdir().unwrap();
        let (url, manager) = Manager::new(&dir).serve().await;
        manager.sick.store(sick, Ordering::Relaxed);
        let opened = open(&url, simulated(&dir, None)).await;
        assert_eq!(opened.is_ok(), opens);
    }
}

#[tokio::test]
async fn a_machine_without_a_platform_says_so() {
    let attestation = Attestation {
        tsm: Some("/nowhere".into()),
        ..Attestation::default()
    };
    let told = refusal("http://127.0.0.1:1/s", attestation).await;
    assert!(told.contains("gives no quotes"), "{told}");
}
