//! Requests that the official SDK 9.0.1 sent, and signatures of the official protocol: the hashes
//! and signatures are those recorded, with the throw-away keys of the recording.

use alloy::signers::local::PrivateKeySigner;
use axum::http::StatusCode;
use protocol::{Address, DealId};
use serde_json::{Value as Json, json};

use crate::{
    Framework,
    testing::{Scene, Script, deal, task},
};

/// Each request as it was recorded: method, URI, body and signature.
const SDK: &str = include_str!("vectors/sdk.json");
/// The pool's and the worker's requests.
const PROTOCOL: &str = include_str!("vectors/protocol.json");

/// What each of them is answered: the SDK also sent a name with a slash, the same secret twice and
/// an empty one.
const EXPECTED: [u16; 9] = [204, 204, 204, 404, 204, 409, 204, 400, 204];

fn text<'a>(json: &'a Json, field: &str) -> &'a str {
    json[field].as_str().unwrap()
}

#[tokio::test]
async fn what_the_sdk_sends_is_taken() {
    let recorded: Json = serde_json::from_str(SDK).unwrap();
    let owner: Address = text(&recorded, "signer").parse().unwrap();
    let chain = Script::owned(Some(owner));
    let scene = Scene::with(PrivateKeySigner::random(), chain, None).await;
    let requests = recorded["vectors"].as_array().unwrap();
    assert_eq!(requests.len(), EXPECTED.len());
    for (request, expected) in requests.iter().zip(EXPECTED) {
        let sign = Some(text(request, "authorization"));
        let (method, uri) = (text(request, "method"), text(request, "url"));
        if expected == 204 {
            let other = scene.call(method, uri, sign, "something else").await;
            assert_eq!(other.status, StatusCode::UNAUTHORIZED, "{uri}");
        }
        let body = text(request, "body").to_owned();
        let answer = scene.call(method, uri, sign, body).await;
        assert_eq!(answer.status, expected, "{method} {uri}");
        if expected == 204 {
            assert_eq!(answer.text, "");
            assert_eq!(scene.head(uri).await, StatusCode::NO_CONTENT, "{uri}");
        }
    }
}

#[tokio::test]
async fn what_pool_and_worker_sign_is_recognised() {
    let recorded: Json = serde_json::from_str(PROTOCOL).unwrap();
    let (pool, worker) = (
        &recorded["tee_challenge_request"],
        &recorded["tee_session_request"],
    );
    let id = text(pool, "task_id").parse().unwrap();
    let mut of_task = task(DealId::repeat(1), 0);
    of_task.id = id;
    let chain = Script::default();
    chain.change(|state| {
        let owner = text(pool, "pool_owner").parse().unwrap();
        state.deals = vec![deal(DealId::repeat(1), owner, &json!({}))];
        state.tasks = vec![of_task];
        state.has_app = true;
    });
    let scene = Scene::with(PrivateKeySigner::random(), chain, Some(Framework::Tdx)).await;
    let uri = format!("/tee/challenges/{id}");
    let sign = Some(text(pool, "authorization"));
    assert_eq!(
        scene.call("POST", &uri, sign, "").await.status,
        StatusCode::OK
    );
    let sign = Some(text(worker, "authorization"));
    let body = worker["body"].to_string();
    let answer = scene.call("POST", "/tee/sessions", sign, body).await;
    // Both signatures are good; only the recorded enclave key is not the one made here.
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.error(),
        json!("EXECUTION_NOT_AUTHORIZED_INVALID_SIGNATURE")
    );
}
