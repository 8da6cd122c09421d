//! The secret manager as the pool uses it: the enclave's key of each confidential task, and where
//! post-computes find the result store (spec/secrets-tee.md §1.4, §2.1).

use std::time::Duration;

use async_trait::async_trait;
use chain::Wallet;
use protocol::{Address, TaskId, sms};
use reqwest::{Client, Method, Response, StatusCode, header::AUTHORIZATION};

use tokio::sync::OnceCell;

use crate::Error;

/// A secret manager that says nothing for this long is asked again later.
const TIMEOUT_S: u64 = 20;
/// Bytes of an answer: an address has fifty, what is more is an error told at length.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Characters of an answer that are kept for people.
const ANSWER_CHARS_MAX: usize = 200;

/// Gives the address of a task's enclave key. Tests put a scripted one in its place.
#[async_trait]
pub(crate) trait Sms: Send + Sync + 'static {
    /// The same address each time.
    ///
    /// # Errors
    /// What the secret manager said, or that it did not.
    async fn challenge(&self, task: TaskId) -> Result<Address, Error>;
}

/// The secret manager at a URL.
#[derive(Debug)]
pub(crate) struct Remote {
    url: String,
    result_proxy: String,
    owner: Wallet,
    http: Client,
    knows_store: OnceCell<()>,
}

impl Remote {
    /// `owner` owns the workerpool.
    pub(crate) fn new(url: &str, result_proxy: &str, owner: Wallet) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            result_proxy: result_proxy.to_owned(),
            owner,
            http: Client::new(),
            knows_store: OnceCell::new(),
        }
    }

    fn unreachable(&self, source: reqwest::Error) -> Error {
        Error::SmsUnreachable {
            url: self.url.clone(),
            source,
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        hash: protocol::B256,
        body: &str,
    ) -> Result<Response, Error> {
        let sign = self.owner.sign_message_hash(hash)?;
        let request = self.http.request(method, format!("{}{path}", self.url));
        let request = request
            .timeout(Duration::from_secs(TIMEOUT_S))
            .header(AUTHORIZATION, sign.to_string())
            .body(body.to_owned());
        request
            .send()
            .await
            .map_err(|error| self.unreachable(error))
    }

    /// Tells once where the pool's results go. Failing to is not fatal here: the next challenge
    /// tells it again.
    async fn introduce_store(&self) {
        let told = self.knows_store.get_or_try_init(|| self.push_store()).await;
        if let Err(error) = told {
            tracing::warn!(%error, "the result store is not told to the SMS");
        }
    }

    async fn push_store(&self) -> Result<(), Error> {
        let name = sms::STORE_URL;
        let respelt = sms::respelt(name, rand::random());
        let mut answer = self.tell_store(Method::POST, name).await?;
        // It knows a store, this one or another; then perhaps this one from before that other.
        for name in [name, &respelt] {
            if answer.status() == StatusCode::CONFLICT {
                answer = self.tell_store(Method::PUT, name).await?;
            }
        }
        good(answer).await.map(drop)
    }

    async fn tell_store(&self, method: Method, name: &str) -> Result<Response, Error> {
        let owner = self.owner.address();
        let path = format!("/secrets/web2?ownerAddress={owner}&secretName={name}");
        let hash = sms::named(owner, name, &self.result_proxy);
        self.send(method, &path, hash, &self.result_proxy).await
    }
}

/// An answer as text, or the first [`ANSWER_BYTES_MAX`] bytes of it.
async fn beginning(mut answer: Response) -> reqwest::Result<String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await?
        && bytes.len() < ANSWER_BYTES_MAX
    {
        let room = ANSWER_BYTES_MAX - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn good(answer: Response) -> Result<Response, Error> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let text = beginning(answer).await.unwrap_or_default();
    let text: String = text.chars().take(ANSWER_CHARS_MAX).collect();
    Err(Error::SmsRefused(
        format!("{status} {text}").trim_end().to_owned(),
    ))
}

#[async_trait]
impl Sms for Remote {
    async fn challenge(&self, task: TaskId) -> Result<Address, Error> {
        self.introduce_store().await;
        let (path, hash) = (
            format!("/tee/challenges/{task}"),
            sms::enclave_challenge(task),
        );
        let answer = good(self.send(Method::POST, &path, hash, "").await?).await?;
        let text = beginning(answer).await;
        let text = text.map_err(|error| self.unreachable(error))?;
        let address: Option<Address> = text.trim().trim_matches('"').parse().ok();
        let address = address.filter(|address| !address.is_zero());
        address.ok_or_else(|| Error::SmsRefused("its answer is no address".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{
        Router,
        extract::{RawQuery, State},
        http::HeaderMap,
        routing::post,
    };
    use protocol::Signature;

    use super::*;

    const TASK: TaskId = TaskId::repeat(5);
    const ENCLAVE: Address = Address::repeat_byte(0xec);

    type Heard = Arc<Mutex<Vec<String>>>;

    /// A secret manager that knows the store's URL already.
    async fn serve(status: StatusCode, body: &'static str, heard: Heard) -> String {
        let hear = |word: &'static str| {
            move |State(heard): State<Heard>, headers: HeaderMap, body: String| async move {
                let sign = headers[AUTHORIZATION].to_str().unwrap();
                heard.lock().unwrap().push(format!("{word} {sign} {body}"));
                if word == "POST" {
                    StatusCode::CONFLICT
                } else {
                    StatusCode::NO_CONTENT
                }
            }
        };
        let router = Router::new()
            .route(
                "/tee/challenges/{task}",
                post(move || async move { (status, body) }),
            )
            .route("/secrets/web2", post(hear("POST")).put(hear("PUT")))
            .with_state(heard);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        url
    }

    fn remote(url: &str) -> Remote {
        // Tests of one process race for it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Remote::new(url, "http://store", Wallet::random())
    }

    #[tokio::test]
    async fn the_store_is_told_once_and_the_key_is_an_address() {
        let heard = Heard::default();
        let body = "0xecececececececececececececececececececec";
        let remote = remote(&serve(StatusCode::OK, body, heard.clone()).await);
        for _ in 0..2 {
            assert_eq!(remote.challenge(TASK).await.unwrap(), ENCLAVE);
        }
        let heard = heard.lock().unwrap();
        let words: Vec<_> = heard.iter().map(|line| line.split(' ').collect()).collect();
        let words: Vec<Vec<&str>> = words;
        assert_eq!(
            words.iter().map(|w| w[0]).collect::<Vec<_>>(),
            ["POST", "PUT"]
        );
        let owner = remote.owner.address();
        let hash = sms::named(owner, sms::STORE_URL, "http://store");
        let sign: Signature = words[0][1].parse().unwrap();
        assert_eq!(sign.recover_address_from_msg(hash).unwrap(), owner);
        assert_eq!(words[0][2], "http://store");
    }

    /// A store that was left and is used again: its push would be taken for a replay.
    #[tokio::test]
    async fn a_store_from_before_is_told_under_another_spelling() {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let take = |taken: Arc<Mutex<Vec<String>>>| {
            move |RawQuery(query): RawQuery| async move {
                let query = query.unwrap();
                if query.ends_with(sms::STORE_URL) {
                    return StatusCode::CONFLICT;
                }
                taken.lock().unwrap().push(query);
                StatusCode::NO_CONTENT
            }
        };
        let take = take(taken.clone());
        let router = Router::new().route("/secrets/web2", post(take.clone()).put(take));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        remote(&url).push_store().await.unwrap();
        let name = taken.lock().unwrap().concat();
        assert!(name.to_lowercase().ends_with(sms::STORE_URL), "{name}");
    }

    #[tokio::test]
    async fn a_refusal_says_what_was_answered() {
        let zero = "0x0000000000000000000000000000000000000000";
        for (status, body, said) in [
            (StatusCode::UNAUTHORIZED, "", "401 Unauthorized"),
            (StatusCode::NOT_FOUND, "no", "404 Not Found no"),
            (StatusCode::OK, "no", "its answer is no address"),
            (StatusCode::OK, zero, "its answer is no address"),
        ] {
            let remote = remote(&serve(status, body, Heard::default()).await);
            let error = remote.challenge(TASK).await.unwrap_err();
            let expected = format!("the secret manager refuses: {said}");
            assert_eq!(error.to_string(), expected);
        }
        let nobody = remote("http://127.0.0.1:1").challenge(TASK).await;
        assert!(matches!(nobody, Err(Error::SmsUnreachable { .. })));
    }
}
