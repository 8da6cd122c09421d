//! A host behind a real socket, and the keys of the recording.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use protocol::{B256, Bytes, TaskId, digest, stage::Stage};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{Files, Guest, Host, serve};

mod archive;
mod official;
mod said;

/// What the official programs sent.
static RECORDING: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../vectors/official_containers.json")).unwrap()
});

fn recorded(name: &str) -> &'static str {
    RECORDING[name].as_str().unwrap()
}

fn task() -> TaskId {
    recorded("task").parse().unwrap()
}

fn wallet() -> chain::Wallet {
    let key: B256 = recorded("key").parse().unwrap();
    chain::Wallet::from_key(&key).unwrap()
}

/// The enclave's signature of a call.
fn signed() -> String {
    let worker = recorded("worker").parse().unwrap();
    let sign = wallet().sign_message_hash(digest::host_call(task(), worker));
    Bytes::from(sign.unwrap().as_bytes()).to_string()
}

/// What a program of `stage` is, in the recording.
fn guest(stage: Stage) -> Guest {
    Guest {
        task: task(),
        worker: recorded("worker").parse().unwrap(),
        challenge: recorded("challenge").parse().unwrap(),
        stage,
        has_callback: false,
        token: Some(Zeroizing::new(recorded("token").to_owned())),
    }
}

/// The same of a deal with a callback, which uploads nothing.
fn with_callback() -> Guest {
    Guest {
        has_callback: true,
        token: None,
        ..guest(Stage::PostCompute)
    }
}

/// What the official post-compute told of a result: of an archive or of a callback.
fn told(scenario: &str) -> Value {
    let all = RECORDING["requests"].as_array().unwrap();
    let of = |request: &&Value| {
        let url = request["url"].as_str().unwrap();
        request["scenario"] == scenario && url.ends_with("/computed")
    };
    all.iter().find(of).unwrap()["body"].clone()
}

/// The official upload of an archive.
fn upload(zip: Value) -> Value {
    json!({
        "chainTaskId": task(), "dealId": B256::ZERO, "taskIndex": 0, "zip": zip,
        "deterministHash": B256::ZERO, "enclaveSignature": null,
    })
}

struct Answer {
    status: StatusCode,
    text: String,
}

/// A host that is served until it is dropped.
struct Scene {
    dir: tempfile::TempDir,
    host: Arc<Host>,
    at: SocketAddr,
    cancel: CancellationToken,
    served: JoinHandle<io::Result<()>>,
}

impl Scene {
    fn new(guest: Guest) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let files = Files {
            archive: dir.path().join("archive.zip"),
            datasets: vec![dir.path().join("one"), dir.path().join("two")],
        };
        let host = Arc::new(Host::new(guest, files));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let cancel = CancellationToken::new();
        let serving = serve(listener, Arc::clone(&host), cancel.clone());
        Self {
            dir,
            host,
            at,
            cancel,
            served: tokio::spawn(serving),
        }
    }

    fn archive(&self) -> PathBuf {
        self.dir.path().join("archive.zip")
    }

    /// Names of all that is in the host's folder.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let names = entries.map(|entry| name(entry).into_string().unwrap());
        names.collect()
    }

    async fn post(&self, path: &str, authorization: &str, body: impl ToString) -> Answer {
        let request = Client::new().post(format!("http://{}{path}", self.at));
        let request = match authorization {
            "" => request,
            authorization => request.header("Authorization", authorization),
        };
        let request = request.header("Content-Type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        Answer {
            status: answer.status(),
            text: answer.text().await.unwrap(),
        }
    }

    async fn status(&self, path: &str, authorization: &str, body: impl ToString) -> u16 {
        self.post(path, authorization, body).await.status.as_u16()
    }

    /// An upload with the right token.
    async fn upload(&self, body: impl ToString) -> u16 {
        self.status("/v1/results", recorded("token"), body).await
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
