use alloy::signers::{SignerSync, local::PrivateKeySigner};
use async_trait::async_trait;
use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use bytes::Bytes;
use futures_util::StreamExt;
use protocol::{
    Address, TaskId,
    message::{Authorization, SignatureValue},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{
    Config, Gate, Handle, Service, UPLOADS_MAX, cid_of,
    gate::{Permit, Refusal, digest_of},
};

const TASK: TaskId = TaskId::repeat(1);
const ZIP: &[u8] = b"PK\x03\x04 pretend archive";

/// Lets whoever signed as the worker it claims to be upload for an hour.
struct Open;

#[async_trait]
impl Gate for Open {
    async fn may_upload(&self, a: &Authorization, signer: Address) -> Result<Permit, Refusal> {
        match signer == a.worker_wallet {
            true => Ok(Permit { life_s: 3600 }),
            false => Err(Refusal::NotTheWorker),
        }
    }
}

struct Offline;

#[async_trait]
impl Gate for Offline {
    async fn may_upload(&self, _: &Authorization, _: Address) -> Result<Permit, Refusal> {
        Err(Refusal::Unavailable("no route".into()))
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

struct Scene {
    service: Service,
    directory: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::new(directory.path());
        change(&mut config);
        let service = Service::open(config, std::sync::Arc::new(Open)).await;
        let service = service.unwrap();
        Self { service, directory }
    }

    fn handle(&self) -> Handle {
        self.service.handle()
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.service.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: to_bytes(body, usize::MAX).await.unwrap(),
        }
    }

    async fn ask(&self, method: &str, uri: &str, headers: &[(&str, &str)]) -> Answer {
        self.call(method, uri, headers, Body::empty()).await
    }

    async fn call(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Files left in the directory of uploads.
    fn leftovers(&self) -> usize {
        let incoming = self.directory.path().join("incoming");
        std::fs::read_dir(incoming).unwrap().count()
    }

    async fn token(&self, worker: &PrivateKeySigner) -> String {
        let answer = self.ask_token(worker, worker.address()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text().to_owned()
    }

    async fn ask_token(&self, signer: &PrivateKeySigner, worker: Address) -> Answer {
        let authorization = authorization(worker);
        let hash = digest_of(&authorization);
        let signature = signer.sign_message_sync(hash.as_slice()).unwrap();
        let body = serde_json::to_vec(&authorization).unwrap();
        let header = signature.to_string();
        let headers = [("authorization", header.as_str())];
        self.call("POST", "/v1/results/token", &headers, body).await
    }

    async fn put(&self, token: &str, task: TaskId, zip: &'static [u8]) -> Answer {
        let uri = format!("/v1/results/{task}");
        self.call("PUT", &uri, &[("authorization", token)], zip)
            .await
    }

    async fn post(&self, token: &str, model: Value) -> Answer {
        let body = serde_json::to_vec(&model).unwrap();
        let headers = [
            ("authorization", token),
            ("content-type", "application/json"),
        ];
        self.call("POST", "/v1/results", &headers, body).await
    }
}

fn authorization(worker_wallet: Address) -> Authorization {
    Authorization {
        chain_task_id: TASK,
        deal_id: protocol::DealId::repeat(2),
        task_index: 0,
        worker_wallet,
        enclave_challenge: Address::ZERO,
        signature: SignatureValue {
            value: protocol::Bytes::new(),
        },
    }
}

mod gateway {
    use super::*;

    #[tokio::test]
    async fn content_comes_with_its_length_and_stays_cached() {
        let scene = Scene::new().await;
        let cid = scene.handle().put(ZIP).await.unwrap().to_string();
        let uri = format!("/ipfs/{cid}");
        for method in ["GET", "HEAD"] {
            let answer = scene.ask(method, &uri, &[]).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("content-length"), ZIP.len().to_string());
            assert_eq!(answer.header("content-type"), "application/zip");
            assert_eq!(answer.header("etag"), format!("\"{cid}\""));
            assert!(answer.header("cache-control").contains("immutable"));
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            let expected: &[u8] = if method == "GET" { ZIP } else { b"" };
            assert_eq!(answer.body, expected);
        }
        let etag = format!("\"{cid}\"");
        let answer = scene.ask("GET", &uri, &[("if-none-match", &etag)]).await;
        assert_eq!(answer.status, 304);
    }

    #[tokio::test]
    async fn parts_can_be_asked_for() {
        let scene = Scene::new().await;
        let cid = scene.handle().put(b"<html>0123").await.unwrap();
        let uri = format!("/ipfs/{cid}");
        let answer = scene.ask("GET", &uri, &[("range", "bytes=6-7")]).await;
        assert_eq!(answer.status, 206);
        assert_eq!(answer.text(), "01");
        assert_eq!(answer.header("content-range"), "bytes 6-7/10");
        assert_eq!(answer.header("content-length"), "2");
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        let answer = scene.ask("GET", &uri, &[("range", "bytes=10-")]).await;
        assert_eq!(answer.status, 416);
        assert_eq!(answer.header("content-range"), "bytes */10");
    }

    #[tokio::test]
    async fn an_empty_file_is_content_too() {
        let scene = Scene::new().await;
        let cid = scene.handle().put(b"").await.unwrap();
        let answer = scene.ask("GET", &format!("/ipfs/{cid}"), &[]).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, ""));
        assert_eq!(answer.header("content-length"), "0");
    }

    #[tokio::test]
    async fn unknown_content_is_404_and_nothing_else_is_reachable() {
        let scene = Scene::new().await;
        let uri = format!("/ipfs/{}", cid_of(ZIP));
        let unknown = scene.ask("GET", &uri, &[]).await;
        assert_eq!(unknown.status, 404);
        assert_eq!(unknown.json(), json!({ "error": "content not found" }));
        for path in [
            "/ipfs/..%2ftoken.key",
            "/ipfs/token.key",
            "/ipfs/%2e%2e",
            "/ipfs/../token.key",
            "/ipfs/QmX/..%2f..%2ftoken.key",
        ] {
            let answer = scene.ask("GET", path, &[]).await;
            assert!(answer.status.is_client_error(), "{path}");
        }
    }
}

mod node {
    use super::*;

    const MULTIPART: (&str, &str) = ("content-type", "multipart/form-data; boundary=x-1");

    fn part(name: &str, content: &str) -> String {
        format!(
            "--x-1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n{content}\r\n"
        )
    }

    async fn add(scene: &Scene, query: &str, parts: &[String]) -> Answer {
        let body = parts.concat() + "--x-1--\r\n";
        let uri = format!("/api/v0/add?{query}");
        scene.call("POST", &uri, &[MULTIPART], body).await
    }

    /// spec/client.md §3.6: query and part as the SDK sends them.
    #[tokio::test]
    async fn the_sdks_upload_is_answered_by_a_line_and_served() {
        let scene = Scene::new().await;
        let query = "stream-channels=true&progress=false";
        let answer = add(&scene, query, &[part("", "hello world\n")]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cid = "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o";
        let line = json!({ "Name": cid, "Hash": cid, "Size": "20" });
        assert_eq!(answer.text(), format!("{line}\n"));
        let head = scene.ask("HEAD", &format!("/ipfs/{cid}"), &[]).await;
        assert_eq!(head.status, 200);
        for arg in [cid.to_owned(), format!("/ipfs/{cid}")] {
            let uri = format!("/api/v0/cat?arg={arg}");
            let answer = scene.ask("POST", &uri, &[]).await;
            assert_eq!(answer.text(), "hello world\n");
        }
        let uri = format!("/api/v0/cat?arg={cid}&offset=6&length=5");
        assert_eq!(scene.ask("POST", &uri, &[]).await.text(), "world");
    }

    #[tokio::test]
    async fn several_files_give_several_lines() {
        let scene = Scene::new().await;
        let parts = [part("a%20b.txt", "one"), part("c", "two")];
        let answer = add(&scene, "cid-version=1", &parts).await;
        let lines: Vec<Value> = answer
            .text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines[0]["Name"], "a b.txt");
        assert_eq!(lines[1]["Name"], "c");
        for line in lines {
            let cid = line["Hash"].as_str().unwrap();
            assert!(cid.starts_with("bafkrei"), "{cid}");
            let answer = scene.ask("GET", &format!("/ipfs/{cid}"), &[]).await;
            assert_eq!(answer.status, 200);
        }
    }

    #[tokio::test]
    async fn only_hash_keeps_nothing() {
        let scene = Scene::new().await;
        let answer = add(&scene, "only-hash=true", &[part("", "x")]).await;
        let cid = answer.json()["Hash"].as_str().unwrap().to_owned();
        assert_eq!(cid, cid_of(b"x"));
        let answer = scene.ask("GET", &format!("/ipfs/{cid}"), &[]).await;
        assert_eq!(answer.status, 404);
        assert_eq!(scene.leftovers(), 0);
    }

    #[tokio::test]
    async fn what_would_give_another_cid_is_refused_not_ignored() {
        let scene = Scene::new().await;
        for query in [
            "chunker=rabin",
            "hash=blake3",
            "cid-version=2",
            "wrap-with-directory=true",
            "raw-leaves=maybe",
        ] {
            let answer = add(&scene, query, &[part("", "x")]).await;
            assert_eq!(answer.status, 400, "{query}");
            assert!(answer.json()["Message"].is_string(), "{query}");
        }
    }

    #[tokio::test]
    async fn a_body_that_is_cut_leaves_nothing() {
        let scene = Scene::new().await;
        let body = part("", "half of it");
        let answer = scene.call("POST", "/api/v0/add", &[MULTIPART], body).await;
        assert_eq!(answer.status, 400);
        assert_eq!(scene.leftovers(), 0);
        let answer = scene.call("POST", "/api/v0/add", &[], "no multipart");
        assert_eq!(answer.await.status, 400);
    }

    #[tokio::test]
    async fn strangers_who_dawdle_do_not_keep_workers_out() {
        let scene = Scene::new().await;
        let router = scene.service.router();
        let stalled = (0..100).map(|_| {
            let head = Bytes::from(part("", "slow"));
            let start = futures_util::stream::iter([Ok::<_, std::io::Error>(head)]);
            let body = start.chain(futures_util::stream::pending());
            let request = Request::post("/api/v0/add").header(MULTIPART.0, MULTIPART.1);
            let request = request.body(Body::from_stream(body)).unwrap();
            tokio::spawn(router.clone().oneshot(request))
        });
        let stalled: Vec<_> = stalled.collect();
        while scene.leftovers() < 64 {
            tokio::task::yield_now().await;
        }
        let token = scene.token(&PrivateKeySigner::random()).await;
        assert_eq!(scene.put(&token, TASK, ZIP).await.status, 200);
        stalled.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test]
    async fn the_operator_can_close_it() {
        let scene = Scene::with(|config| config.public_add = false).await;
        let answer = add(&scene, "", &[part("", "x")]).await;
        assert_eq!(answer.status, 403);
    }

    #[tokio::test]
    async fn size_and_capacity_are_bounded() {
        let scene = Scene::with(|config| {
            config.result_bytes_max = 10;
            config.capacity_bytes = 15;
        })
        .await;
        let answer = add(&scene, "", &[part("", "01234567890")]).await;
        assert_eq!(answer.status, 413);
        let answer = add(&scene, "", &[part("", "0123456789")]).await;
        assert_eq!(answer.status, 200);
        let answer = add(&scene, "", &[part("", "9876543210")]).await;
        assert_eq!(answer.status, 507);
        let answer = add(&scene, "", &[part("", "01234")]).await;
        assert_eq!(answer.status, 200, "what failed gave its bytes back");
    }
}

mod results {
    use super::*;

    #[tokio::test]
    async fn a_worker_uploads_and_the_gateway_serves() {
        let scene = Scene::new().await;
        let worker = PrivateKeySigner::random();
        let token = scene.token(&worker).await;
        let uri = format!("/v1/results/{TASK}");
        let auth = [("authorization", token.as_str())];
        assert_eq!(scene.ask("HEAD", &uri, &auth).await.status, 404);
        let answer = scene.put(&token, TASK, ZIP).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cid = cid_of(ZIP);
        assert_eq!(answer.json(), json!({ "cid": cid }));
        assert_eq!(scene.ask("HEAD", &uri, &auth).await.status, 204);
        let hash = scene.ask("GET", &format!("{uri}/ipfshash"), &[]).await;
        assert_eq!(hash.text(), cid);
        let answer = scene.ask("GET", &format!("/ipfs/{cid}"), &[]).await;
        assert_eq!(answer.body, ZIP);
    }

    #[tokio::test]
    async fn the_official_upload_takes_base64_and_numbers() {
        let scene = Scene::new().await;
        let token = scene.token(&PrivateKeySigner::random()).await;
        let official = |zip: Value| {
            json!({
                "chainTaskId": TASK, "dealId": "0x", "taskIndex": 0, "image": null, "cmd": null,
                "zip": zip, "deterministHash": "0x", "enclaveSignature": "0x",
            })
        };
        let numbers: Vec<u8> = ZIP.to_vec();
        for zip in [json!("UEsDBCBwcmV0ZW5kIGFyY2hpdmU="), json!(numbers)] {
            let answer = scene.post(&token, official(zip)).await;
            assert_eq!(answer.text(), format!("/ipfs/{}", cid_of(ZIP)));
        }
        for zip in [json!("***"), json!([256]), json!(1)] {
            let answer = scene.post(&token, official(zip)).await;
            assert_eq!(answer.status, 400);
        }
    }

    #[tokio::test]
    async fn only_the_authorized_worker_gets_a_token() {
        let scene = Scene::new().await;
        let worker = PrivateKeySigner::random();
        let stranger = PrivateKeySigner::random();
        let answer = scene.ask_token(&stranger, worker.address()).await;
        assert_eq!(answer.status, 401);
        let body = serde_json::to_vec(&authorization(worker.address())).unwrap();
        for header in ["", "0x", "0x1234", "junk"] {
            let headers = [("authorization", header)];
            let uri = "/v1/results/token";
            let answer = scene.call("POST", uri, &headers, body.clone()).await;
            assert_eq!(answer.status, 401, "{header}");
        }
        let answer = scene.call("POST", "/v1/results/token", &[], "{}").await;
        assert_eq!(answer.status, 400);
    }

    #[tokio::test]
    async fn a_chain_that_cannot_be_asked_is_not_the_workers_fault() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::new(directory.path());
        let service = Service::open(config, std::sync::Arc::new(Offline)).await;
        let service = service.unwrap();
        let scene = Scene { service, directory };
        let worker = PrivateKeySigner::random();
        let answer = scene.ask_token(&worker, worker.address()).await;
        assert_eq!(answer.status, 503);
    }

    #[tokio::test]
    async fn a_token_is_for_its_task_only() {
        let scene = Scene::new().await;
        let token = scene.token(&PrivateKeySigner::random()).await;
        let other = TaskId::repeat(9);
        assert_eq!(scene.put(&token, other, ZIP).await.status, 401);
        assert_eq!(scene.put("forged", TASK, ZIP).await.status, 401);
        let model = json!({ "chainTaskId": other, "zip": "" });
        assert_eq!(scene.post(&token, model).await.status, 401);
        let uri = format!("/v1/results/{other}");
        let auth = [("authorization", token.as_str())];
        assert_eq!(scene.ask("HEAD", &uri, &auth).await.status, 401);
        let uri = format!("/v1/results/{TASK}");
        assert_eq!(scene.ask("HEAD", &uri, &[]).await.status, 401);
    }

    #[tokio::test]
    async fn the_last_upload_wins_and_the_first_stays_readable() {
        let scene = Scene::new().await;
        let first = scene.token(&PrivateKeySigner::random()).await;
        let second = scene.token(&PrivateKeySigner::random()).await;
        scene.put(&first, TASK, b"PK first").await;
        scene.put(&second, TASK, b"PK second").await;
        let uri = format!("/v1/results/{TASK}/ipfshash");
        let hash = scene.ask("GET", &uri, &[]).await;
        assert_eq!(hash.text(), cid_of(b"PK second"));
        let uri = format!("/ipfs/{}", cid_of(b"PK first"));
        assert_eq!(scene.ask("GET", &uri, &[]).await.status, 200);
    }

    #[tokio::test]
    async fn uploads_of_one_worker_are_counted() {
        let scene = Scene::new().await;
        let token = scene.token(&PrivateKeySigner::random()).await;
        for _ in 0..UPLOADS_MAX {
            assert_eq!(scene.put(&token, TASK, ZIP).await.status, 200);
        }
        assert_eq!(scene.put(&token, TASK, ZIP).await.status, 429);
        let other = scene.token(&PrivateKeySigner::random()).await;
        assert_eq!(scene.put(&other, TASK, ZIP).await.status, 200);
    }
}

mod durability {
    use super::*;

    #[tokio::test]
    async fn a_restart_keeps_content_results_and_tokens_and_sweeps_the_rest() {
        let scene = Scene::new().await;
        let token = scene.token(&PrivateKeySigner::random()).await;
        scene.put(&token, TASK, ZIP).await;
        let torn = scene.directory.path().join("incoming/77");
        std::fs::write(torn, b"half").unwrap();
        let Scene { service, directory } = scene;
        drop(service);
        let config = Config::new(directory.path());
        let service = Service::open(config, std::sync::Arc::new(Open)).await;
        let service = service.unwrap();
        let scene = Scene { service, directory };
        assert_eq!(scene.leftovers(), 0);
        let cid = cid_of(ZIP).parse().unwrap();
        assert_eq!(scene.handle().get(cid).await.unwrap().unwrap(), ZIP);
        let uri = format!("/v1/results/{TASK}");
        let auth = [("authorization", token.as_str())];
        assert_eq!(scene.ask("HEAD", &uri, &auth).await.status, 204);
    }

    #[tokio::test]
    async fn the_same_content_at_once_is_kept_once() {
        let scene = Scene::new().await;
        let handle = scene.handle();
        let puts = (0..16).map(|_| handle.put(ZIP));
        for cid in futures_util::future::join_all(puts).await {
            assert_eq!(cid.unwrap().to_string(), cid_of(ZIP));
        }
        assert_eq!(scene.leftovers(), 0);
        let blobs = scene.directory.path().join("blobs");
        assert_eq!(std::fs::read_dir(blobs).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_client_that_breaks_off_leaves_nothing() {
        let scene = Scene::new().await;
        let token = scene.token(&PrivateKeySigner::random()).await;
        let pieces = [Ok(ZIP), Err(std::io::Error::other("gone"))];
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        let uri = format!("/v1/results/{TASK}");
        let auth = [("authorization", token.as_str())];
        let answer = scene.call("PUT", &uri, &auth, body).await;
        assert_eq!(answer.status, 400);
        assert_eq!(scene.leftovers(), 0);
        let uri = format!("/ipfs/{}", cid_of(ZIP));
        assert_eq!(scene.ask("GET", &uri, &[]).await.status, 404);
    }
}

mod login;
