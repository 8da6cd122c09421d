//! Bringing the archive to the result store: a token for the task, then the file.

use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

use chain::Wallet;
use protocol::{Cause, digest, message::Authorization};
use reqwest::{Body, Client, Response, header};
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::io::ReaderStream;

use crate::{
    Failure, answer,
    retry::{self, Fault, Tries},
    services::{self, Services},
};

/// A store that accepts no byte for this long is gone.
const TIMEOUT_S: u64 = 600;

#[derive(Deserialize)]
struct Stored {
    cid: String,
}

/// A client for all uploads: making one costs more than a small upload.
///
/// # Errors
/// The system's, when there are no root certificates.
pub(crate) fn client() -> reqwest::Result<Client> {
    Client::builder()
        .timeout(Duration::from_secs(TIMEOUT_S))
        .build()
}

/// Uploads `archive` and returns its CID. What may pass is tried again until `deadline`, at once
/// and from the beginning when the store has moved; another worker gets the task then.
///
/// # Errors
/// [`Cause::ResultLinkMissing`] with the store's last answer.
pub(crate) async fn upload(
    client: &Client,
    mut services: watch::Receiver<Services>,
    wallet: &Wallet,
    authorization: &Authorization,
    archive: &Path,
    deadline: Instant,
) -> Result<String, Failure> {
    let clock = &retry::System;
    let tries = Tries { clock, deadline };
    loop {
        let store = services.borrow_and_update().result_proxy.clone();
        let once = || upload_once(client, &store, wallet, authorization, archive);
        tokio::select! {
            uploaded = tries.run("upload", once) => {
                return uploaded.map_err(|reason| Failure::new(Cause::ResultLinkMissing, reason));
            }
            () = services::moved(&mut services, &store) => {}
        }
    }
}

async fn upload_once(
    client: &Client,
    store: &str,
    wallet: &Wallet,
    authorization: &Authorization,
    archive: &Path,
) -> Result<String, Fault> {
    let store = store.trim_end_matches('/');
    let token = ask_token(client, store, wallet, authorization).await?;
    let disk = |e: io::Error| Fault::lasting(e.to_string());
    let file = tokio::fs::File::open(archive).await.map_err(disk)?;
    let size = file.metadata().await.map_err(disk)?.len();
    let task = authorization.chain_task_id;
    let answer = client
        .put(format!("{store}/v1/results/{task}"))
        .header(header::AUTHORIZATION, token)
        .header(header::CONTENT_TYPE, "application/zip")
        .header(header::CONTENT_LENGTH, size)
        .body(Body::wrap_stream(ReaderStream::new(file)))
        .send()
        .await
        .map_err(|e| Fault::of_error(&e))?;
    // An answer that cannot be read says nothing of what was stored: sending again is harmless.
    let text = answer::text(good(answer).await?).await;
    let text = text.map_err(|e| Fault::passing(e.to_string()))?;
    let stored: Result<Stored, _> = serde_json::from_str(&text);
    Ok(stored.map_err(|e| Fault::passing(e.to_string()))?.cid)
}

/// A token to store the result of a task with.
///
/// # Errors
/// What the store says, or that it does not.
pub(crate) async fn token(
    client: &Client,
    store: &str,
    wallet: &Wallet,
    authorization: &Authorization,
) -> Result<String, String> {
    let token = ask_token(client, store, wallet, authorization).await;
    token.map_err(|fault| fault.reason)
}

async fn ask_token(
    client: &Client,
    store: &str,
    wallet: &Wallet,
    authorization: &Authorization,
) -> Result<String, Fault> {
    let store = store.trim_end_matches('/');
    let a = authorization;
    let hash = digest::authorization(a.worker_wallet, a.chain_task_id, a.enclave_challenge);
    let sign = wallet.sign_message_hash(hash);
    let sign = sign.map_err(|e| Fault::lasting(e.to_string()))?;
    let answer = client
        .post(format!("{store}/v1/results/token"))
        .header(header::AUTHORIZATION, sign.to_string())
        .json(authorization)
        .send()
        .await
        .map_err(|e| Fault::of_error(&e))?;
    let token = answer::text(good(answer).await?).await;
    token.map_err(|e| Fault::of_error(&e))
}

async fn good(answer: Response) -> Result<Response, Fault> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let mut fault = Fault::of_answer(&answer, "");
    let text = answer::text(answer).await.unwrap_or_default();
    fault.reason = format!("the store answered {status}: {text}");
    // It judges by its own node, which may see a task a block later than ours.
    Err(fault.or_refused(status))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{
        Router,
        http::StatusCode,
        routing::{post, put},
    };
    use protocol::{Address, DealId};

    use super::*;
    use crate::retry::testing::Still;

    /// A store that gives these answers to uploads, one by one; returns its URL.
    async fn serve(answers: Vec<(u16, &'static str)>) -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let (kept, answers) = (bodies.clone(), Arc::new(Mutex::new(answers)));
        let take = move |body: axum::body::Bytes| {
            kept.lock().unwrap().push(body.to_vec());
            let (status, text) = answers.lock().unwrap().remove(0);
            std::future::ready((StatusCode::from_u16(status).unwrap(), text))
        };
        let router = Router::new()
            .route("/v1/results/token", post(async || "token"))
            .route("/v1/results/{id}", put(take));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        (url, bodies)
    }

    /// A worker with a result.
    struct Scene {
        dir: tempfile::TempDir,
        client: Client,
        worker: Wallet,
        permit: Authorization,
    }

    impl Scene {
        fn new() -> Self {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("r.zip"), "archive").unwrap();
            let (pool, worker) = (Wallet::random(), Wallet::random());
            let deal = DealId::repeat(1);
            let permit = chain::authorize(&pool, deal, 0, worker.address(), Address::ZERO);
            Self {
                dir,
                client: client().unwrap(),
                worker,
                permit: permit.unwrap(),
            }
        }

        fn archive(&self) -> std::path::PathBuf {
            self.dir.path().join("r.zip")
        }
    }

    fn services(url: &str) -> Services {
        Services {
            result_proxy: url.to_owned(),
            sms: None,
        }
    }

    async fn upload_to(answers: Vec<(u16, &'static str)>) -> (Result<String, String>, usize) {
        let (url, bodies) = serve(answers).await;
        let scene = Scene::new();
        let (client, worker) = (&scene.client, &scene.worker);
        let (permit, archive) = (&scene.permit, scene.archive());
        let (clock, deadline) = Still::new(Duration::from_secs(3_600));
        let tries = Tries {
            clock: &clock,
            deadline,
        };
        let once = || upload_once(client, &url, worker, permit, &archive);
        let uploaded = tries.run("upload", once).await;
        let bodies = bodies.lock().unwrap();
        assert!(bodies.iter().all(|body| body == b"archive"));
        (uploaded, bodies.len())
    }

    const STORED: (u16, &str) = (200, r#"{"cid":"c"}"#);

    #[tokio::test]
    async fn a_store_in_trouble_gets_the_archive_again() {
        let answers = vec![(503, "busy"), (500, ""), (429, ""), (200, "what?"), STORED];
        assert_eq!(upload_to(answers).await, (Ok("c".to_owned()), 5));
    }

    #[tokio::test]
    async fn a_store_that_refuses_is_asked_a_few_times_and_one_that_cannot_once() {
        let answers = vec![(401, "task not initialized"), STORED];
        assert_eq!(upload_to(answers).await, (Ok("c".to_owned()), 2));
        let (refused, asked) = upload_to(vec![(401, "not yours"); 9]).await;
        assert!(refused.unwrap_err().contains("not yours"));
        assert!(asked < 9);
        for status in [400, 404, 413] {
            let (refused, asked) = upload_to(vec![(status, "no")]).await;
            assert!(refused.unwrap_err().contains("no"));
            assert_eq!(asked, 1, "{status}");
        }
    }

    #[tokio::test]
    async fn an_answer_without_end_is_none() {
        let endless: &str = (" ".repeat(answer::BYTES_MAX) + STORED.1).leak();
        let uploaded = upload_to(vec![(200, endless), STORED]).await;
        assert_eq!(uploaded, (Ok("c".to_owned()), 2));
    }

    /// A pool that was started anew may have its store elsewhere.
    #[tokio::test]
    async fn a_store_that_has_moved_is_not_waited_for() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nowhere = format!("http://{}", silent.local_addr().unwrap());
        let (url, bodies) = serve(vec![STORED]).await;
        let scene = Scene::new();
        let (known, told) = watch::channel(services(&nowhere));
        let deadline = Instant::now() + Duration::from_secs(60);
        let archive = scene.archive();
        let uploading = upload(
            &scene.client,
            told,
            &scene.worker,
            &scene.permit,
            &archive,
            deadline,
        );
        let moving = async {
            silent.accept().await.unwrap();
            known.send_replace(services(&url));
        };
        let (uploaded, ()) = tokio::join!(uploading, moving);
        assert_eq!(uploaded.unwrap(), "c");
        assert_eq!(bodies.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_tried_again() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = free.local_addr().unwrap();
        drop(free);
        let fault = client().unwrap().get(format!("http://{gone}")).send().await;
        let fault = Fault::of_error(&fault.unwrap_err());
        assert_eq!(fault, Fault::passing(fault.reason.clone()));
    }
}
