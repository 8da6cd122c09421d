//! The secret manager as a worker uses it: the session of a confidential task
//! (spec/secrets-tee.md §1.4). The worker learns a session's name and place, never what is in it.

use std::time::Duration;

use chain::Wallet;
use protocol::{Cause, digest, message::Authorization, sms};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header};
use serde::Deserialize;

use crate::{Failure, answer};

/// Tries before the replicate gives up: another worker gets the task then.
const TRIES_MAX: u32 = 4;
/// First pause between tries; it doubles.
const RETRY_MS: u64 = 300;
/// A secret manager that says nothing for this long is asked again, seconds.
const TIMEOUT_S: u64 = 20;
/// Characters of an unknown answer that are kept for people.
const ANSWER_CHARS_MAX: usize = 200;

/// A session that was made: what an enclave needs to ask for its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    /// Its name.
    pub(crate) session_id: String,
    /// Where the enclave asks.
    pub(crate) secret_provisioning_url: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Option<Session>,
    #[serde(default)]
    error: Option<String>,
    /// What our secret manager tells beyond the official word.
    #[serde(default)]
    reason: Option<String>,
}

/// A secret manager and who asks it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sms<'a> {
    pub(crate) http: &'a Client,
    /// Its origin.
    pub(crate) url: &'a str,
    pub(crate) wallet: &'a Wallet,
}

/// A try that failed.
enum Trouble {
    /// The same would come again.
    Final(Failure),
    /// No answer, or one that says nothing.
    Passing(String),
}

impl From<chain::Error> for Trouble {
    fn from(error: chain::Error) -> Self {
        Self::Final(Failure::from_error(
            Cause::SessionInvalidAuthorization,
            &error,
        ))
    }
}

impl Sms<'_> {
    /// Has the session of a task made. `store_token` lets its enclave store the result; a deal
    /// with a callback needs none.
    ///
    /// # Errors
    /// The secret manager's word as a cause; [`Cause::SessionUnknownIssue`] when it has none.
    pub(crate) async fn session(
        &self,
        authorization: &Authorization,
        store_token: Option<&str>,
    ) -> Result<Session, Failure> {
        let mut pause = Duration::from_millis(RETRY_MS);
        let mut attempt = 1;
        loop {
            match self.session_once(authorization, store_token).await {
                Ok(session) => return Ok(session),
                Err(Trouble::Final(failure)) => return Err(failure),
                Err(Trouble::Passing(reason)) if attempt == TRIES_MAX => {
                    return Err(Failure::new(Cause::SessionUnknownIssue, reason));
                }
                Err(Trouble::Passing(reason)) => {
                    tracing::warn!(%reason, attempt, "no session, trying again");
                }
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }

    async fn session_once(
        &self,
        authorization: &Authorization,
        store_token: Option<&str>,
    ) -> Result<Session, Trouble> {
        if let Some(token) = store_token {
            self.push_token(token).await?;
        }
        let a = authorization;
        let hash = digest::authorization(a.worker_wallet, a.chain_task_id, a.enclave_challenge);
        let request = self.request(Method::POST, "/tee/sessions", hash)?;
        understand(send(request.json(authorization)).await?).await
    }

    /// The token is a secret of the worker's own, replaced with each task.
    async fn push_token(&self, token: &str) -> Result<(), Trouble> {
        let (owner, name) = (self.wallet.address(), sms::STORE_TOKEN);
        let path = format!("/secrets/web2?ownerAddress={owner}&secretName={name}");
        let hash = sms::named(owner, name, token);
        let push = async |method| {
            let request = self.request(method, &path, hash)?;
            send(request.body(token.to_owned())).await
        };
        let mut answer = push(Method::POST).await?;
        if answer.status() == StatusCode::CONFLICT {
            answer = push(Method::PUT).await?;
        }
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => {
                let reason =
                    format!("the secret manager does not take the store's token: {status}");
                Err(Trouble::Passing(reason))
            }
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        hash: protocol::B256,
    ) -> Result<RequestBuilder, Trouble> {
        let sign = self.wallet.sign_message_hash(hash)?;
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        let request = self.http.request(method, url);
        let request = request.timeout(Duration::from_secs(TIMEOUT_S));
        Ok(request.header(header::AUTHORIZATION, sign.to_string()))
    }
}

async fn send(request: RequestBuilder) -> Result<Response, Trouble> {
    let unreachable = |error: reqwest::Error| {
        let failure = Failure::from_error(Cause::SessionUnknownIssue, &error.without_url());
        Trouble::Passing(format!("the secret manager: {}", failure.message))
    };
    request.send().await.map_err(unreachable)
}

async fn understand(answer: Response) -> Result<Session, Trouble> {
    let status = answer.status();
    let text = answer::text(answer).await.unwrap_or_default();
    match serde_json::from_str(&text) {
        Ok(Answer {
            data: Some(session),
            ..
        }) if status.is_success() => Ok(session),
        Ok(Answer {
            error: Some(_),
            reason: Some(reason),
            ..
        }) if status == StatusCode::SERVICE_UNAVAILABLE => Err(Trouble::Passing(short(&reason))),
        Ok(Answer {
            error: Some(word),
            reason,
            ..
        }) if !status.is_success() => {
            let cause = Cause::from_session_error(&word);
            let told = reason.map(|reason| Failure::new(cause, short(&reason)));
            Err(Trouble::Final(told.unwrap_or(Failure::plain(cause))))
        }
        _ => {
            let reason = format!("the secret manager answered {status} {}", short(&text));
            Err(Trouble::Passing(reason.trim_end().to_owned()))
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(ANSWER_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{
        Router,
        extract::State,
        http::{HeaderMap, Method as Verb},
        routing::{any, post},
    };
    use protocol::{Address, DealId, Signature};
    use serde_json::{Value, json};

    use super::*;

    const ENCLAVE: Address = Address::repeat_byte(0xec);
    const MADE: &str = r#"{"data":{"sessionId":"s","secretProvisioningUrl":"http://x/s"}}"#;

    type Heard = Arc<Mutex<Vec<(String, String, String)>>>;

    /// A secret manager that has a token already, and gives these answers one by one.
    async fn serve(answers: Vec<(u16, &'static str)>, heard: Heard) -> String {
        let answers = Arc::new(Mutex::new(answers));
        let hear = async |State(heard): State<Heard>, verb: Verb, headers: HeaderMap, body| {
            let sign = headers[header::AUTHORIZATION].to_str().unwrap();
            let heard = &mut heard.lock().unwrap();
            heard.push((verb.to_string(), sign.to_owned(), body));
            match verb {
                Verb::PUT => StatusCode::NO_CONTENT,
                _ => StatusCode::CONFLICT,
            }
        };
        let session = move |State(heard): State<Heard>, headers: HeaderMap, body: String| {
            let (status, text) = answers.lock().unwrap().remove(0);
            async move {
                let sign = headers[header::AUTHORIZATION].to_str().unwrap();
                let heard = &mut heard.lock().unwrap();
                heard.push(("session".into(), sign.to_owned(), body));
                (StatusCode::from_u16(status).unwrap(), text)
            }
        };
        let router = Router::new()
            .route("/secrets/web2", any(hear))
            .route("/tee/sessions", post(session))
            .with_state(heard);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        url
    }

    fn client() -> Client {
        // Tests of one process race for it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        crate::upload::client().unwrap()
    }

    fn authorization(worker: &Wallet) -> Authorization {
        let pool = Wallet::random();
        chain::authorize(&pool, DealId::repeat(1), 0, worker.address(), ENCLAVE).unwrap()
    }

    async fn ask(
        answers: Vec<(u16, &'static str)>,
        token: Option<&str>,
    ) -> (Result<Session, Failure>, Heard, Wallet) {
        let (heard, wallet) = (Heard::default(), Wallet::random());
        let url = serve(answers, heard.clone()).await;
        let sms = Sms {
            http: &client(),
            url: &url,
            wallet: &wallet,
        };
        let session = sms.session(&authorization(&wallet), token).await;
        (session, heard, wallet)
    }

    #[tokio::test]
    async fn a_token_is_pushed_then_the_session_made() {
        let answers = vec![(200, MADE)];
        let (session, heard, wallet) = ask(answers, Some("token")).await;
        assert_eq!(session.unwrap().session_id, "s");
        let heard = heard.lock().unwrap();
        let verbs: Vec<&str> = heard.iter().map(|(verb, ..)| verb.as_str()).collect();
        assert_eq!(verbs, ["POST", "PUT", "session"]);
        let owner = wallet.address();
        let signer = |at: usize, hash| {
            let sign: Signature = heard[at].1.parse().unwrap();
            sign.recover_address_from_msg(hash).unwrap()
        };
        let named = sms::named(owner, sms::STORE_TOKEN, "token");
        let task = DealId::repeat(1).task(0);
        assert_eq!(signer(1, named), owner);
        assert_eq!(
            signer(2, digest::authorization(owner, task, ENCLAVE)),
            owner
        );
        let body: Value = serde_json::from_str(&heard[2].2).unwrap();
        assert_eq!(body["enclaveChallenge"], json!(ENCLAVE));
    }

    #[tokio::test]
    async fn a_callback_needs_no_token() {
        let (session, heard, _) = ask(vec![(200, MADE)], None).await;
        assert!(session.is_ok());
        assert_eq!(heard.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_refusal_is_a_cause_at_once() {
        let word = r#"{"error":"PRE_COMPUTE_GET_DATASET_SECRET_FAILED"}"#;
        let (refused, ..) = ask(vec![(500, word)], None).await;
        assert_eq!(
            refused.unwrap_err().cause,
            Cause::SessionDatasetSecretFailed
        );
        let (unknown, ..) = ask(vec![(401, r#"{"error":"NEW"}"#)], None).await;
        assert_eq!(unknown.unwrap_err().cause, Cause::SessionUnknownIssue);
        let word = r#"{"error":"GET_TASK_DESCRIPTION_FAILED","reason":"slice 3 is empty"}"#;
        let (told, ..) = ask(vec![(500, word)], None).await;
        let told = told.unwrap_err();
        assert_eq!(told.cause, Cause::SessionGetTaskDescriptionFailed);
        assert_eq!(told.message, "slice 3 is empty");
    }

    #[tokio::test]
    async fn an_answer_without_end_is_none() {
        let endless: &str = (" ".repeat(answer::BYTES_MAX) + MADE).leak();
        let (session, heard, _) = ask(vec![(200, endless), (200, MADE)], None).await;
        assert!(session.is_ok());
        assert_eq!(heard.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn an_answer_that_says_nothing_is_asked_for_again() {
        let (session, ..) = ask(vec![(502, "gateway"), (200, "{}"), (200, MADE)], None).await;
        assert!(session.is_ok());
        let bad = vec![(502, "gateway"); TRIES_MAX as usize];
        let (failed, ..) = ask(bad, None).await;
        let failed = failed.unwrap_err();
        assert_eq!(failed.cause, Cause::SessionUnknownIssue);
        assert!(failed.message.contains("502"), "{failed}");
    }

    #[tokio::test]
    async fn what_it_cannot_do_just_now_is_asked_for_again() {
        let word = r#"{"error":"UNKNOWN_ISSUE","reason":"IPFS is unreachable"}"#;
        let (session, ..) = ask(vec![(503, word), (200, MADE)], None).await;
        assert!(session.is_ok());
        let (failed, ..) = ask(vec![(503, word); TRIES_MAX as usize], None).await;
        let failed = failed.unwrap_err();
        assert_eq!(failed.cause, Cause::SessionUnknownIssue);
        assert_eq!(failed.message, "IPFS is unreachable");
    }
}
