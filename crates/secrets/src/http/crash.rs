//! spec/secrets-tee.md §6.3, G2 and G3: a real process is killed while it stores secrets. The
//! process is this very test program, told to be a server.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use alloy::signers::local::PrivateKeySigner;
use protocol::sms;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    Config, Service, Slot, audit,
    testing::{Script, sign},
    vault::AUDIT_FILE,
};

/// Tells the child where its data is.
const DATA: &str = "IEXEC_TEST_SECRETS_DATA";
/// Asks for more cycles than there is time for in each run of the tests.
const CYCLES: &str = "IEXEC_TEST_SECRETS_CYCLES";
const CYCLES_STANDARD: usize = 12;
const CLIENTS: usize = 6;
const PORT: &str = "listens on port ";

#[tokio::test]
#[ignore = "the server that the test below kills"]
async fn server() {
    let Ok(data) = std::env::var(DATA) else {
        return;
    };
    let ledger = Arc::new(Script::default());
    let service = Service::open(Config::new(data), ledger).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    writeln!(std::io::stdout(), "{PORT}{port}").unwrap();
    let (gone, parent_is_gone) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(gone);
    });
    let serve = axum::serve(listener, service.router());
    tokio::select! {
        served = serve => served.unwrap(),
        _ = parent_is_gone => {}
    }
}

/// How many cycles were asked for.
pub(super) fn cycles() -> Option<usize> {
    let cycles = std::env::var(CYCLES).ok();
    cycles.map(|count| count.parse().unwrap())
}

/// A server in a process of its own.
pub(super) struct Server {
    child: Mutex<Child>,
    port: u16,
}

impl Server {
    fn start(data: &Path) -> Self {
        let program = Command::new(std::env::current_exe().unwrap());
        Self::start_with(program, data).expect("the server did not start")
    }

    /// The same through a program that starts the one named by its last argument; none when the
    /// server ended before it listened.
    pub(super) fn start_with(mut command: Command, data: &Path) -> Option<Self> {
        let mut child = command
            .args(["--exact", "http::crash::server", "--ignored", "--nocapture"])
            .env(DATA, data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines.map_while(Result::ok);
        let port = told
            .filter_map(|line| Some(line.split_once(PORT)?.1.parse().unwrap()))
            .next();
        let Some(port) = port else {
            child.wait().unwrap();
            return None;
        };
        let child = Mutex::new(child);
        Some(Self { child, port })
    }

    /// SIGKILL.
    fn kill(&self) {
        self.child.lock().unwrap().kill().unwrap();
    }

    /// Waits for a server that is killed, or ends it.
    pub(super) fn end(self) {
        let mut child = self.child.lock().unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    async fn push(&self, wallet: &PrivateKeySigner, name: &str, value: &str) -> Option<u16> {
        let owner = wallet.address();
        let signature = sign(wallet, sms::named(owner, name, value));
        let request = format!("POST /requesters/{owner}/secrets/{name}");
        self.send(&request, &signature, value).await
    }

    /// The status; none when nobody answers any more.
    pub(super) async fn send(&self, request: &str, signature: &str, value: &str) -> Option<u16> {
        let request = format!(
            "{request} HTTP/1.1\r\nhost: sms\r\nconnection: close\r\n\
             authorization: {signature}\r\ncontent-length: {}\r\n\r\n{value}",
            value.len()
        );
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port))
            .await
            .ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        let status = answer.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
        std::str::from_utf8(status).ok()?.parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// What clients were told: the value of each name that was acknowledged.
type Acknowledged = Mutex<BTreeMap<String, String>>;

/// All clients push the same names, each a value of its own, until the server is killed: at once
/// after so many acknowledgements.
async fn cycle(
    server: &Server,
    wallet: &PrivateKeySigner,
    cycle: usize,
    acknowledged: &Acknowledged,
) {
    let before = acknowledged.lock().unwrap().len();
    let enough = before + 2 + cycle % 7;
    let client = |client: usize| async move {
        for number in 0.. {
            let (name, value) = (format!("{cycle}-{number}"), format!("{cycle}-{client}"));
            match server.push(wallet, &name, &value).await {
                Some(204) => {
                    let mut all = acknowledged.lock().unwrap();
                    assert_eq!(all.insert(name, value), None, "stored twice");
                    if all.len() == enough {
                        server.kill();
                    }
                }
                Some(status) => assert_eq!(status, 409),
                None => return,
            }
        }
    };
    futures_util::future::join_all((0..CLIENTS).map(client)).await;
}

#[tokio::test]
async fn what_was_acknowledged_outlives_kills_and_stays_the_only_value() {
    let directory = tempfile::tempdir().unwrap();
    let wallet = PrivateKeySigner::random();
    let acknowledged = Acknowledged::default();
    for number in 0..cycles().unwrap_or(CYCLES_STANDARD) {
        let server = Server::start(directory.path());
        let known = acknowledged
            .lock()
            .unwrap()
            .last_key_value()
            .map(|(name, _)| name.clone());
        if let Some(name) = known {
            assert_eq!(server.push(&wallet, &name, "another").await, Some(409));
        }
        cycle(&server, &wallet, number, &acknowledged).await;
    }
    let ledger = Arc::new(Script::default());
    let service = Service::open(Config::new(directory.path()), ledger)
        .await
        .unwrap();
    assert_eq!(service.vault().check().await.unwrap().damaged, 0);
    let log = directory.path().join(AUDIT_FILE);
    audit::verify(&log, None).unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    for (name, value) in acknowledged.into_inner().unwrap() {
        let slot = Slot::requester(wallet.address(), &name).unwrap();
        let stored = service.vault().get(&slot).await.unwrap().unwrap();
        assert_eq!(stored.expose(), value);
        let told = |line: &&str| line.contains(&format!("\"{name}\"")) && line.contains("stored");
        assert_eq!(log.lines().filter(told).count(), 1, "{name}");
    }
}
