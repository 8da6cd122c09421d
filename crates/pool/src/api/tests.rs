//! The whole service over HTTP and WebSocket, on a scripted chain.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use chain::Wallet;
use futures_util::{SinkExt, StreamExt};
use protocol::{
    Address, Bytes, Cause, Tag, TaskId, challenge,
    message::{
        Busy, CONNECT_PATH, Flow, Heard, Logs, Order, Phase, Profile, Report, Stream, ToPool,
        ToWorker,
    },
    status::ReplicateStatus::{self, *},
};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    Config, Service,
    clock::Clock,
    database::Database,
    service::purge_once,
    sms::Sms,
    testing::{CHAIN_ID, ENCLAVE, Keys, Script, WORKERPOOL, config},
};

mod stream;

/// The run that all output here is of.
const RUN: u64 = 7;

/// A running pool.
struct Pool {
    chain: Script,
    router: axum::Router,
    url: String,
    parts: (Database, Clock),
    stop: CancellationToken,
    running: tokio::task::JoinHandle<Result<(), crate::Error>>,
}

impl Pool {
    async fn start(chain: &Script, config: Config) -> Self {
        Self::start_with(chain, config, None).await
    }

    async fn start_with(chain: &Script, config: Config, sms: Option<Arc<dyn Sms>>) -> Self {
        let service = Service::over(config, Arc::new(chain.clone()), None, sms);
        let service = service.await.unwrap();
        let router = service.router().merge(service.handle().status_router());
        let parts = service.parts();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}{CONNECT_PATH}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let served = axum::serve(listener, router.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(served.into_future()));
        let running = tokio::spawn(service.run(stop.clone()));
        Self {
            chain: chain.clone(),
            router,
            url,
            parts,
            stop,
            running,
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }

    async fn get_with(&self, path: &str, token: Option<&str>) -> (StatusCode, Value) {
        let mut request = Request::get(path).header(header::HOST, "pool");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20)
            .await
            .unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.get_with(path, None).await
    }

    /// The whole stream of a task until its `end`.
    async fn stream(&self, task: TaskId, token: Option<&str>) -> String {
        let mut path = format!("/tasks/{task}/stream");
        if let Some(token) = token {
            path = format!("{path}?authorization={token}");
        }
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let body = axum::body::to_bytes(response.into_body(), 1 << 20)
            .await
            .unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    async fn token(&self, wallet: &Wallet) -> String {
        let path = format!(
            "/tasks/logs/challenge?chainId={CHAIN_ID}&address={}",
            wallet.address()
        );
        let (status, data) = self.get(&path).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(data["domain"]["name"], "iExec Core");
        let text = data["message"]["challenge"].as_str().unwrap();
        let hash = challenge::Audience::Pool.hash(CHAIN_ID, text);
        let signature = wallet.sign_hash(hash).unwrap();
        let address = wallet.address();
        challenge::Token {
            hash,
            signature,
            address,
        }
        .to_string()
    }

    /// Waits for the end of a task.
    async fn end_of(&self, task: TaskId) -> Value {
        self.stream(task, None).await;
        self.get(&format!("/tasks/{task}")).await.1
    }
}

/// A worker's end of the wire.
struct Worker {
    wallet: Wallet,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    seq: u64,
    /// Orders that came while an acknowledgement was awaited.
    orders: std::collections::VecDeque<Order>,
}

impl Worker {
    async fn dial(pool: &Pool, wallet: Wallet) -> Self {
        Self::dial_busy(pool, wallet, Vec::new()).await
    }

    /// Comes back in the middle of its work.
    async fn dial_busy(pool: &Pool, wallet: Wallet, busy: Vec<Busy>) -> Self {
        let (socket, _) = connect_async(pool.url.as_str()).await.unwrap();
        let mut worker = Self {
            wallet,
            socket,
            seq: 0,
            orders: Default::default(),
        };
        let ToWorker::Challenge { challenge, .. } = worker.receive().await else {
            panic!("a challenge was expected");
        };
        let hash = challenge::worker_login(CHAIN_ID, WORKERPOOL, &challenge);
        let signature = worker.wallet.sign_hash(hash).unwrap();
        let login = ToPool::Login {
            profile: Profile {
                tee: true,
                ..Profile::default()
            },
            address: worker.wallet.address(),
            signature: Bytes::copy_from_slice(&signature.as_bytes()),
            name: "test".into(),
            slots: 1,
            engine: "builtin".into(),
            busy,
        };
        worker.send(&login).await;
        worker
    }

    async fn log_in(pool: &Pool) -> Self {
        let mut worker = Self::dial(pool, Wallet::random()).await;
        let ToWorker::Welcome {
            result_proxy, sms, ..
        } = worker.receive().await
        else {
            panic!("a welcome was expected");
        };
        assert_eq!((result_proxy.as_str(), sms), ("http://store", None));
        worker
    }

    /// What the pool knows of its output, from the welcome.
    async fn heard(&mut self) -> Vec<Heard> {
        match self.receive().await {
            ToWorker::Welcome { heard, .. } => heard,
            other => panic!("a welcome was expected, not {other:?}"),
        }
    }

    fn address(&self) -> Address {
        self.wallet.address()
    }

    async fn receive(&mut self) -> ToWorker {
        loop {
            match self.socket.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    async fn order(&mut self) -> Order {
        loop {
            if let Some(order) = self.orders.pop_front() {
                return order;
            }
            let frame = self.receive().await;
            self.keep(frame).await;
        }
    }

    async fn keep(&mut self, frame: ToWorker) {
        if let ToWorker::Order { id, order } = frame {
            self.orders.push_back(order);
            self.send(&ToPool::Acknowledge { id }).await;
        }
    }

    async fn send(&mut self, frame: &ToPool) {
        let text = serde_json::to_string(frame).unwrap();
        self.socket.send(Message::Text(text.into())).await.unwrap();
    }

    /// Reports and waits until the pool has stored it.
    async fn report(&mut self, report: Report) {
        self.seq += 1;
        let seq = self.seq;
        self.send(&ToPool::Report { seq, report }).await;
        loop {
            match self.receive().await {
                ToWorker::Acknowledge { seq: stored } if stored == seq => return,
                frame => self.keep(frame).await,
            }
        }
    }

    /// The app's output as it comes.
    async fn write(&mut self, task: TaskId, offset: u64, text: &str) {
        let (run, stream, text) = (RUN, Stream::Stdout, text.to_owned());
        let frame = ToPool::Log {
            task,
            run,
            stream,
            offset,
            text,
        };
        self.send(&frame).await;
    }

    async fn reach(&mut self, task: TaskId, status: ReplicateStatus) {
        self.report(Report::new(task, status)).await;
    }
}

fn memory() -> Config {
    config("sqlite::memory:")
}

#[tokio::test]
async fn a_deal_becomes_a_finished_task() {
    let chain = Script::new();
    let pool = Pool::start(&chain, memory()).await;
    let mut worker = Worker::log_in(&pool).await;
    let requester = Wallet::random();
    let deal = chain.add_deal(requester.address(), Tag::NONE, 1);
    let Order::Run {
        authorization,
        flow,
    } = worker.order().await
    else {
        panic!("a run order was expected");
    };
    assert_eq!((authorization.deal_id, authorization.task_index), (deal, 0));
    assert_eq!(flow, Flow::ContributeAndFinalize);
    let task = authorization.chain_task_id;
    let proof = protocol::digest::authorization(worker.address(), task, Address::ZERO);
    let signer = chain::recover_message_hash(proof, &authorization.signature.value).unwrap();
    assert_eq!(signer, chain.owner.address());
    worker.reach(task, Started).await;
    let (_, workers) = pool.get("/workers").await;
    assert_eq!(workers[0]["address"], worker.address().to_checksum(None));
    assert_eq!(workers[0]["busy"][0], task.to_string());
    let logs = Logs {
        stdout: "Hello World".into(),
        ..Logs::default()
    };
    let report = Report {
        logs: Some(logs),
        exit_code: Some(0),
        ..Report::new(task, Computed)
    };
    worker.report(report).await;
    chain.finalize(task, worker.address(), "the link");
    assert_eq!(worker.order().await, Order::Complete { task });
    let model = pool.end_of(task).await;
    assert_model(&model, task, worker.address());
    assert_eq!(chain.initialize_calls(), [[0]]);
    pool.stop().await;
}

fn assert_model(model: &Value, task: TaskId, worker: Address) {
    assert_eq!(model["chainTaskId"], task.to_string());
    assert_eq!(model["currentStatus"], "COMPLETED");
    assert_eq!(model["resultLink"], "the link");
    assert_eq!(model["commandLine"], "Hello World");
    assert_eq!(model["dappName"], "docker.io/hello:1");
    assert_eq!(model["dappType"], "DOCKER");
    assert_eq!(model["maxExecutionTime"], 300_000);
    assert!(model["finalDeadline"].as_str().unwrap().ends_with('Z'));
    assert_eq!(model["dateStatusList"][0]["status"], "RECEIVED");
    assert!(model.get("cause").is_none());
    let replicate = &model["replicates"][0];
    assert_eq!(replicate["walletAddress"], format!("{worker:#x}"));
    assert_eq!(replicate["appExitCode"], 0);
    assert_eq!(replicate["currentStatus"], "COMPLETED");
    assert_eq!(replicate["statusUpdateList"][0]["status"], "CREATED");
    let link = format!("http://pool/tasks/{task}/replicates/{worker:#x}");
    assert_eq!(replicate["self"], link);
    assert_eq!(replicate["appLogs"], format!("{link}/logs"));
}

#[tokio::test]
async fn unknown_things_are_404() {
    let pool = Pool::start(&Script::new(), memory()).await;
    let paths = [
        format!("/tasks/{}", TaskId::repeat(1)),
        "/tasks/nonsense".to_owned(),
        format!("/tasks/{}/replicates/{}", TaskId::repeat(1), Address::ZERO),
        format!("/tasks/{}/stream", TaskId::repeat(1)),
    ];
    for path in paths {
        let (status, body) = pool.get(&path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(body["ok"], false);
    }
}

#[tokio::test]
async fn a_pool_without_a_secret_manager_refuses_confidential_deals() {
    let chain = Script::new();
    let pool = Pool::start(&chain, memory()).await;
    let deal = chain.add_deal(Address::ZERO, Tag::TEE_TDX, 1);
    let task = seen(&pool, deal.task(0)).await;
    assert_eq!(task["currentStatus"], "FAILED");
    assert_eq!(task["cause"]["code"], "TEE_NOT_SUPPORTED");
    assert!(!task["cause"]["hint"].as_str().unwrap().is_empty());
    assert!(chain.initialize_calls().is_empty());
}

#[tokio::test]
async fn a_confidential_task_waits_for_its_enclaves_key() {
    let chain = Script::new();
    let keys = Keys::default();
    keys.refusals.store(1, std::sync::atomic::Ordering::SeqCst);
    let pool = Pool::start_with(&chain, memory(), Some(Arc::new(keys))).await;
    let mut worker = Worker::dial(&pool, Wallet::random()).await;
    let deal = chain.add_deal(Address::ZERO, Tag::TEE_TDX, 1);
    let id = deal.task(0);
    let Order::Run { authorization, .. } = worker.order().await else {
        panic!("a task was expected");
    };
    assert_eq!(authorization.enclave_challenge, ENCLAVE);
    let hash = protocol::digest::authorization(worker.wallet.address(), id, ENCLAVE);
    let signer = chain::recover_message_hash(hash, &authorization.signature.value);
    assert_eq!(signer.unwrap(), chain.owner.address());
    worker.report(Report::new(id, Started)).await;
    let refusal = Report {
        cause: Some(Cause::SessionDatasetSecretFailed),
        message: Some("no key".into()),
        ..Report::new(id, ComputeFailed)
    };
    worker.report(refusal).await;
    let task = pool.end_of(id).await;
    assert_eq!(task["enclaveChallenge"], format!("{ENCLAVE:#x}"));
    assert_eq!(task["currentStatus"], "FAILED");
    let code = "TEE_SESSION_GENERATION_PRE_COMPUTE_GET_DATASET_SECRET_FAILED";
    assert_eq!(task["cause"]["code"], code);
    assert_eq!(task["cause"]["message"], "no key");
}

/// The task as soon as the pool knows it.
async fn seen(pool: &Pool, task: TaskId) -> Value {
    loop {
        let (status, body) = pool.get(&format!("/tasks/{task}")).await;
        if status == StatusCode::OK {
            return body;
        }
        tokio::task::yield_now().await;
    }
}

async fn run_until_computing(pool: &Pool, worker: &mut Worker, requester: Address) -> TaskId {
    pool.chain.add_deal(requester, Tag::NONE, 1);
    let task = worker.order().await.task();
    worker.reach(task, Computing).await;
    task
}

#[tokio::test]
async fn logs_are_for_the_requester_only() {
    let pool = Pool::start(&Script::new(), memory()).await;
    let mut worker = Worker::log_in(&pool).await;
    let (requester, stranger) = (Wallet::random(), Wallet::random());
    let task = run_until_computing(&pool, &mut worker, requester.address()).await;
    let path = format!("/tasks/{task}/logs");
    let token = pool.token(&requester).await;
    assert_eq!(pool.get(&path).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(
        pool.get_with(&path, Some("a_b_c")).await.0,
        StatusCode::UNAUTHORIZED
    );
    let forged = token.replace(
        &requester.address().to_checksum(None),
        &stranger.address().to_checksum(None),
    );
    assert_eq!(
        pool.get_with(&path, Some(&forged)).await.0,
        StatusCode::UNAUTHORIZED
    );
    let other = pool.token(&stranger).await;
    assert_eq!(
        pool.get_with(&path, Some(&other)).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        pool.get_with(&path, Some(&token)).await.0,
        StatusCode::NOT_FOUND
    );
    worker.write(task, 0, "so far").await;
    worker.reach(task, Computed).await;
    let (status, body) = pool.get_with(&path, Some(&token)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["chainTaskId"], task.to_string());
    assert_eq!(body["computeLogsList"][0]["stdout"], "so far");
    let address = worker.address();
    assert_eq!(
        body["computeLogsList"][0]["walletAddress"],
        format!("{address:#x}")
    );
}

#[tokio::test]
async fn only_listed_workers_with_a_good_signature_get_in() {
    let friend = Wallet::random();
    let whitelist = vec![friend.address()];
    let config = Config {
        whitelist,
        ..memory()
    };
    let pool = Pool::start(&Script::new(), config).await;
    let mut stranger = Worker::dial(&pool, Wallet::random()).await;
    assert!(matches!(stranger.receive().await, ToWorker::Refused { .. }));
    let mut friend = Worker::dial(&pool, friend).await;
    assert!(matches!(friend.receive().await, ToWorker::Welcome { .. }));

    let (mut mute, _) = connect_async(pool.url.as_str()).await.unwrap();
    mute.next().await.unwrap().unwrap();
    mute.send(Message::Text("hello?".into())).await.unwrap();
    let told = mute.next().await.unwrap().unwrap();
    assert!(told.to_text().unwrap().contains("a login was expected"));
    let (_, status) = pool.get("/status").await;
    let refused = serde_json::json!({ "no-login": 1, "not-on-whitelist": 1 });
    assert_eq!(status["refused"], refused);
}

#[tokio::test]
async fn a_worker_tells_how_many_slots_others_leave() {
    let pool = Pool::start(&Script::new(), memory()).await;
    let mut worker = Worker::log_in(&pool).await;
    worker.send(&ToPool::Slots { slots: 0 }).await;
    // Frames of one worker are taken in their order.
    let task = TaskId::repeat(1);
    worker.report(Report::new(task, Computed)).await;
    let (_, workers) = pool.get("/workers").await;
    assert_eq!(workers[0]["slots"], 0);
}

#[tokio::test]
async fn a_newer_connection_replaces_the_older() {
    let pool = Pool::start(&Script::new(), memory()).await;
    let mut old = Worker::log_in(&pool).await;
    let wallet = old.wallet.clone();
    let mut new = Worker::dial(&pool, wallet).await;
    new.receive().await;
    while let Some(Ok(message)) = old.socket.next().await {
        assert!(!message.is_text());
    }
    run_until_computing(&pool, &mut new, Address::ZERO).await;
}

#[tokio::test]
async fn a_restarted_pool_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("pool.db").display());
    let chain = Script::new();
    let pool = Pool::start(&chain, config(&url)).await;
    let mut worker = Worker::log_in(&pool).await;
    let task = run_until_computing(&pool, &mut worker, Address::ZERO).await;
    pool.stop().await;
    let missed = chain.add_deal(Address::ZERO, Tag::NONE, 1);
    chain.finalize(task, worker.address(), "the link");
    let pool = Pool::start(&chain, config(&url)).await;
    let model = pool.end_of(task).await;
    assert_eq!(model["currentStatus"], "COMPLETED");
    let mut worker = Worker::log_in(&pool).await;
    assert_eq!(worker.order().await.task(), missed.task(0));
    assert_eq!(chain.initialize_calls().len(), 2);
    pool.stop().await;
}

#[tokio::test]
async fn a_pool_without_memory_reads_the_chain_again() {
    let chain = Script::new();
    let pool = Pool::start(&chain, memory()).await;
    let mut worker = Worker::log_in(&pool).await;
    let done = run_until_computing(&pool, &mut worker, Address::ZERO).await;
    let open = chain.add_deal(Address::ZERO, Tag::NONE, 1).task(0);
    seen(&pool, open).await;
    chain.finalize(done, worker.address(), "the link");
    pool.end_of(done).await;
    while chain.initialize_calls().len() < 2 {
        tokio::task::yield_now().await;
    }
    pool.stop().await;
    let pool = Pool::start(&chain, memory()).await;
    let mut worker = Worker::log_in(&pool).await;
    assert_eq!(worker.order().await.task(), open);
    assert_eq!(pool.end_of(done).await["resultLink"], "the link");
    assert_eq!(
        chain.initialize_calls().len(),
        2,
        "nothing is initialised twice"
    );
}
