use alloy::signers::local::PrivateKeySigner;
use axum::http::StatusCode;
use protocol::{Address, DealId, Tag, TaskId, deal::TaskStatus, sms};
use serde_json::{Value as Json, json};

use crate::{
    Unavailable,
    testing::{Answer, Asked, DATASET, FINAL_DEADLINE, ORIGIN, Scene, sign},
};

const TOKEN: &str = "a token of the result store";

/// A scene whose worker may store results, and the enclave key of task 0.
async fn ready(params: &Json) -> (Scene, PrivateKeySigner, TaskId, Address) {
    let (scene, deal) = Scene::tdx(params).await;
    let worker = PrivateKeySigner::random();
    push_token(&scene, &worker).await;
    let task = deal.task(0);
    let challenge = address(&scene.challenge(task).await);
    (scene, worker, task, challenge)
}

async fn push_token(scene: &Scene, worker: &PrivateKeySigner) {
    let owner = worker.address();
    let (name, value) = (sms::STORE_TOKEN, TOKEN);
    let uri = format!("/secrets/web2?ownerAddress={owner}&secretName={name}");
    let sign = sign(worker, sms::named(owner, name, value));
    let answer = scene.call("POST", &uri, Some(&sign), value).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

fn address(answer: &Answer) -> Address {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.text, answer.text.to_lowercase());
    answer.text.parse().unwrap()
}

fn refused(answer: &Answer, status: u16, word: &str) {
    let expected = (status, json!(word));
    assert_eq!((answer.status.as_u16(), answer.error()), expected);
}

mod challenge {
    use super::*;

    #[tokio::test]
    async fn a_task_has_one_key_for_ever() {
        let (mut scene, deal) = Scene::tdx(&json!({})).await;
        let first = address(&scene.challenge(deal.task(0)).await);
        assert_eq!(address(&scene.challenge(deal.task(0)).await), first);
        assert_ne!(address(&scene.challenge(deal.task(1)).await), first);
        scene.restart().await;
        assert_eq!(address(&scene.challenge(deal.task(0)).await), first);
    }

    #[tokio::test]
    async fn of_many_who_ask_at_once_all_get_the_same_key() {
        let (scene, deal) = Scene::tdx(&json!({})).await;
        let asked = (0..32).map(|_| scene.challenge(deal.task(0)));
        let answers = futures_util::future::join_all(asked).await;
        let first = address(&answers[0]);
        assert!(answers.iter().all(|answer| address(answer) == first));
    }

    #[tokio::test]
    async fn only_the_pool_of_the_deal_gets_it() {
        let (scene, deal) = Scene::tdx(&json!({})).await;
        let task = deal.task(0);
        let uri = format!("/tee/challenges/{task}");
        let stranger = PrivateKeySigner::random();
        let other_task = scene.sign(sms::enclave_challenge(deal.task(1)));
        let by_stranger = sign(&stranger, sms::enclave_challenge(task));
        for wrong in [other_task.as_str(), by_stranger.as_str(), "", "junk"] {
            let answer = scene.call("POST", &uri, Some(wrong), "").await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (401, ""));
        }
        assert_eq!(scene.call("POST", &uri, None, "").await.status, 400);
        assert_eq!(scene.call("GET", &uri, None, "").await.status, 405);
    }

    #[tokio::test]
    async fn the_task_has_to_be_active_and_confidential() {
        let (scene, deal) = Scene::tdx(&json!({})).await;
        assert_eq!(scene.challenge(deal.task(7)).await.status, 401);
        scene
            .chain
            .change(|state| state.tasks[0].status = TaskStatus::Completed);
        assert_eq!(scene.challenge(deal.task(0)).await.status, 401);
        scene.chain.change(|state| state.deals[0].tag = Tag::NONE);
        assert_eq!(scene.challenge(deal.task(1)).await.status, 401);
    }

    #[tokio::test]
    async fn a_service_without_enclaves_has_no_keys() {
        let scene = Scene::new().await;
        assert_eq!(scene.challenge(TaskId::repeat(1)).await.status, 404);
    }

    #[tokio::test]
    async fn it_goes_after_the_final_deadline_by_the_chains_clock() {
        let (scene, worker, task, challenge) = ready(&json!({})).await;
        let session = scene.session(&worker, task, challenge);
        assert_eq!(scene.ask(&session).await.status, 200);
        scene.chain.change(|state| state.now = FINAL_DEADLINE - 1);
        scene.service.purge().await;
        assert_eq!(scene.ask(&session).await.status, 200);
        scene.chain.change(|state| state.now = FINAL_DEADLINE);
        scene.service.purge().await;
        let answer = scene.ask(&session).await;
        refused(
            &answer,
            500,
            "GET_SIGNATURE_TOKENS_FAILED_EMPTY_TEE_CHALLENGE",
        );
    }
}

mod session {
    use super::*;

    #[tokio::test]
    async fn a_worker_gets_an_id_and_nothing_else() {
        let (scene, worker, task, challenge) = ready(&json!({})).await;
        let answer = scene.ask(&scene.session(&worker, task, challenge)).await;
        assert_eq!(answer.status, 200);
        let data = &answer.json()["data"];
        let id = data["sessionId"].as_str().unwrap();
        let (random, rest) = id.split_at(10);
        assert!(random.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_eq!(rest, format!("0000{task}"));
        let url = format!("{ORIGIN}/attest/v1/sessions/{id}");
        assert_eq!(data["secretProvisioningUrl"], json!(url));
        assert!(!answer.text.contains(TOKEN));
    }

    #[tokio::test]
    async fn nothing_releases_a_session() {
        let (scene, worker, task, challenge) = ready(&json!({})).await;
        let answer = scene.ask(&scene.session(&worker, task, challenge)).await;
        let id = answer.json()["data"]["sessionId"].clone();
        let known = format!("/attest/v1/sessions/{}", id.as_str().unwrap());
        for base in [known.as_str(), "/attest/v1/sessions/unknown"] {
            for path in ["", "/challenge", "/redeem", "/anything"] {
                for method in ["GET", "POST"] {
                    let uri = format!("{base}{path}");
                    let answer = scene.call(method, &uri, None, "{}").await;
                    refused(&answer, 501, "ATTESTATION_NOT_AVAILABLE");
                }
            }
        }
    }

    #[tokio::test]
    async fn asking_again_changes_nothing_and_others_get_their_own() {
        let (mut scene, worker, task, challenge) = ready(&json!({})).await;
        let session = scene.session(&worker, task, challenge);
        let asked = (0..8).map(|_| scene.ask(&session));
        let answers = futures_util::future::join_all(asked).await;
        let first = answers[0].json();
        assert!(answers.iter().all(|a| a.status == 200 && a.json() == first));
        scene.restart().await;
        assert_eq!(scene.ask(&session).await.json(), first);
        let other = PrivateKeySigner::random();
        push_token(&scene, &other).await;
        let answer = scene.ask(&scene.session(&other, task, challenge)).await;
        assert_eq!(answer.status, 200);
        assert_ne!(answer.json(), first);
    }

    #[tokio::test]
    async fn the_worker_has_to_sign_what_the_pool_signed() {
        let (scene, worker, task, challenge) = ready(&json!({})).await;
        let good = scene.session(&worker, task, challenge);
        let stranger = PrivateKeySigner::random();
        let by_stranger = scene.session(&stranger, task, challenge).authorization;
        let other_task = scene.session(&worker, TaskId::repeat(9), challenge);
        let signatures = [by_stranger, other_task.authorization, "junk".into()];
        for authorization in signatures {
            let session = Asked {
                authorization,
                ..good.clone()
            };
            refused(&scene.ask(&session).await, 401, "INVALID_AUTHORIZATION");
        }
        for field in ["workerWallet", "enclaveChallenge", "chainTaskId"] {
            for value in [json!("0x12"), json!(format!("0x{}", "1".repeat(40)))] {
                let mut session = good.clone();
                session.body[field] = value;
                refused(&scene.ask(&session).await, 401, "INVALID_AUTHORIZATION");
            }
        }
    }

    #[tokio::test]
    async fn the_sequence_of_checks_is_the_official_one() {
        let (scene, worker, task, challenge) = ready(&json!({})).await;
        let session = scene.session(&worker, task, challenge);
        let mut nameless = session.clone();
        nameless.body["chainTaskId"] = json!("");
        let word = "EXECUTION_NOT_AUTHORIZED_EMPTY_PARAMS_UNAUTHORIZED";
        refused(&scene.ask(&nameless).await, 401, word);

        // Everything is wrong; each repair uncovers the next fault.
        let mut wrong = session.clone();
        wrong.body["signature"] = json!({ "value": "0x12" });
        let away = Some(Unavailable("no route".into()));
        scene.chain.change(|state| {
            state.away = away;
            state.tasks[0].status = TaskStatus::Revealing;
            state.tasks[0].deal = DealId::repeat(2);
            state.deals[0].tag = Tag::parse("tee,scone").unwrap();
        });
        let prefix = "EXECUTION_NOT_AUTHORIZED_";
        let next = async |word: &str| {
            let answer = scene.ask(&wrong).await;
            refused(&answer, 401, &format!("{prefix}{word}"));
        };
        next("GET_CHAIN_TASK_FAILED").await;
        scene.chain.change(|state| state.away = None);
        next("TASK_NOT_ACTIVE").await;
        scene
            .chain
            .change(|state| state.tasks[0].status = TaskStatus::Active);
        next("GET_CHAIN_DEAL_FAILED").await;
        scene
            .chain
            .change(|state| state.tasks[0].deal = DealId::repeat(1));
        next("NO_MATCH_ONCHAIN_TYPE").await;
        scene
            .chain
            .change(|state| state.deals[0].tag = Tag::TEE_TDX);
        next("INVALID_SIGNATURE").await;
        assert_eq!(scene.ask(&session).await.status, 200);
    }

    /// The owner at match time counts, and only for its own enclave key.
    #[tokio::test]
    async fn the_enclave_key_has_to_be_the_tasks_own() {
        let (scene, worker, task, _) = ready(&json!({})).await;
        let foreign = scene.session(&worker, task, Address::repeat_byte(3));
        let word = "EXECUTION_NOT_AUTHORIZED_INVALID_SIGNATURE";
        refused(&scene.ask(&foreign).await, 401, word);
        let none = scene.session(&worker, task, Address::ZERO);
        let word = "GET_SIGNATURE_TOKENS_FAILED_EMPTY_PUBLIC_ENCLAVE_CHALLENGE";
        refused(&scene.ask(&none).await, 500, word);
        let keyless = DealId::repeat(1).task(1);
        let session = scene.session(&worker, keyless, Address::repeat_byte(3));
        let word = "GET_SIGNATURE_TOKENS_FAILED_EMPTY_TEE_CHALLENGE";
        refused(&scene.ask(&session).await, 500, word);
    }

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let params = json!({ "iexec_result_encryption": true });
        let (scene, worker, task, challenge) = ready(&params).await;
        let session = scene.session(&worker, task, challenge);
        scene
            .chain
            .change(|state| state.deals[0].dataset.pointer = DATASET);
        refused(
            &scene.ask(&session).await,
            500,
            "PRE_COMPUTE_GET_DATASET_SECRET_FAILED",
        );
        scene.push_dataset_key().await;
        let word = "POST_COMPUTE_GET_ENCRYPTION_TOKENS_FAILED_EMPTY_BENEFICIARY_KEY";
        refused(&scene.ask(&session).await, 500, word);
        scene
            .chain
            .change(|state| state.deals[0].params = String::new());
        assert_eq!(scene.ask(&session).await.status, 200);
        let other = PrivateKeySigner::random();
        let tokenless = scene.session(&other, task, challenge);
        let word = "POST_COMPUTE_GET_STORAGE_TOKENS_FAILED";
        refused(&scene.ask(&tokenless).await, 500, word);
        scene.chain.change(|state| state.has_app = false);
        refused(
            &scene.ask(&session).await,
            500,
            "GET_TASK_DESCRIPTION_FAILED",
        );
    }

    /// What is missing is told until nothing is; a standard deal gets nothing in any case.
    #[tokio::test]
    async fn a_bulk_is_sealed_once_it_is_whole() {
        let (scene, worker, task, challenge) = ready(&json!({ "bulk_cid": "QmRoot" })).await;
        let session = scene.session(&worker, task, challenge);
        let asked = scene.ask(&session).await;
        refused(&asked, 503, "UNKNOWN_ISSUE");
        assert_eq!(
            asked.json()["reason"],
            "IPFS has no `QmRoot` just now: down"
        );
        let order = json!({
            "dataset": DATASET, "datasetprice": "0", "volume": "9007199254740990",
            "tag": Tag::TEE_TDX, "apprestrict": Address::ZERO,
            "workerpoolrestrict": Address::ZERO, "requesterrestrict": Address::ZERO,
            "salt": protocol::B256::ZERO, "sign": DATASET,
        });
        let put = |cid: &str, content: Json| {
            let content = content.to_string().into_bytes();
            scene
                .chain
                .change(|state| drop(state.ipfs.insert(cid.to_owned(), content)));
        };
        put("QmRoot", json!(["QmSlice"]));
        put("QmSlice", json!([order]));
        let word = "PRE_COMPUTE_GET_DATASET_SECRET_FAILED";
        refused(&scene.ask(&session).await, 500, word);
        scene.push_dataset_key().await;
        let answer = scene.ask(&session).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let id = answer.json()["data"]["sessionId"].clone();
        let sealed = scene.sealed(task, &worker, id.as_str().unwrap()).await;
        assert!(sealed.contains(crate::testing::DATASET_KEY));

        put("QmSlice", json!([]));
        let asked = scene.ask(&session).await;
        refused(&asked, 500, "GET_TASK_DESCRIPTION_FAILED");
        let reason = asked.json()["reason"].to_string();
        assert!(reason.contains("slice 0 has 0 orders"), "{reason}");
        scene.chain.change(|state| state.deals[0].tag = Tag::NONE);
        let word = "EXECUTION_NOT_AUTHORIZED_NO_MATCH_ONCHAIN_TYPE";
        refused(&scene.ask(&session).await, 401, word);
    }

    /// The key of the dataset, the token and the enclave's key are in the sealed session, and
    /// nowhere in the files.
    #[tokio::test]
    async fn the_files_hold_nothing_in_clear() {
        let (scene, worker, task, challenge) = ready(&json!({})).await;
        scene
            .chain
            .change(|state| state.deals[0].dataset.pointer = DATASET);
        scene.push_dataset_key().await;
        let answer = scene.ask(&scene.session(&worker, task, challenge)).await;
        let id = answer.json()["data"]["sessionId"].clone();
        let session = scene.sealed(task, &worker, id.as_str().unwrap()).await;
        assert!(session.contains(crate::testing::DATASET_KEY) && session.contains(TOKEN));
        let session: Json = serde_json::from_str(&session).unwrap();
        let environment = &session["services"][0]["environment"];
        let key = environment["SIGN_TEE_CHALLENGE_PRIVATE_KEY"]
            .as_str()
            .unwrap();
        let signer: PrivateKeySigner = key.parse().unwrap();
        assert_eq!(signer.address(), challenge);
        for secret in [crate::testing::DATASET_KEY, TOKEN, key, &key[2..]] {
            assert!(!scene.is_in_files(secret.as_bytes()), "{secret}");
        }
        let raw = signer.to_bytes();
        assert!(!scene.is_in_files(raw.as_slice()));
    }
}

/// No secret in any log, at the finest level, nor in what `Debug` shows.
mod silence {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::filter::LevelFilter;

    use super::*;
    use crate::{Ledger, tee};

    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<u8>>>);

    impl Write for Heard {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Everything that this process logs, from now on.
    fn listen() -> Heard {
        let heard = Heard::default();
        let writer = heard.clone();
        tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_writer(move || writer.clone())
            .try_init()
            .unwrap();
        heard
    }

    const APP_SECRET: &str = "the developer's own words";
    const REQUESTER_SECRET: &str = "the requester's own words";

    /// A deal that uses every kind of secret; wallet and requester are one.
    async fn full() -> (Scene, PrivateKeySigner, TaskId, Address) {
        let params = json!({ "iexec_secrets": { "1": "mine", "2": "missing" } });
        let (scene, worker, task, challenge) = ready(&params).await;
        let requester = scene.wallet.address();
        scene.chain.change(|state| {
            state.deals[0].dataset.pointer = DATASET;
            state.deals[0].requester = requester;
        });
        scene.push_dataset_key().await;
        let app = crate::testing::APP;
        let pushes = [
            (
                format!("/apps/{app}/secrets"),
                sms::app(app, APP_SECRET),
                APP_SECRET,
            ),
            (
                scene.requester("mine"),
                scene.named("mine", REQUESTER_SECRET),
                REQUESTER_SECRET,
            ),
        ];
        for (uri, digest, value) in pushes {
            let answer = scene.push("POST", &uri, digest, value).await;
            assert_eq!(answer.status, 204);
        }
        (scene, worker, task, challenge)
    }

    #[tokio::test]
    async fn logs_and_debug_tell_no_secret() {
        let heard = listen();
        let (mut scene, worker, task, challenge) = full().await;
        let good = scene.session(&worker, task, challenge);
        let answer = scene.ask(&good).await;
        let id = answer.json()["data"]["sessionId"].clone();
        let mut bad = good.clone();
        bad.authorization = "junk".into();
        scene.ask(&bad).await;
        scene.restart().await;
        scene.ask(&good).await;

        let vault = scene.service.vault();
        let (on_chain, deal) = (
            crate::testing::task(DealId::repeat(1), 0),
            DealId::repeat(1),
        );
        let deal = scene.chain.deal(deal).await.unwrap().unwrap();
        let description = tee::describe(&scene.chain, None, &on_chain, deal).await;
        let description = description.unwrap();
        let secrets = vault.secrets_for(&description, worker.address()).await;
        let mut shown = format!("{:?} {description:?}", secrets.unwrap());
        shown.push_str(&String::from_utf8_lossy(&heard.0.lock().unwrap()));
        assert!(
            shown.contains("a requester secret is missing"),
            "it did listen"
        );

        let session = scene.sealed(task, &worker, id.as_str().unwrap()).await;
        let json: Json = serde_json::from_str(&session).unwrap();
        let key = &json["services"][0]["environment"]["SIGN_TEE_CHALLENGE_PRIVATE_KEY"];
        let key = key.as_str().unwrap().trim_start_matches("0x");
        let dataset = crate::testing::DATASET_KEY;
        for secret in [APP_SECRET, REQUESTER_SECRET, TOKEN, dataset, key] {
            assert!(session.contains(secret), "{secret}");
            assert!(!shown.contains(secret), "{secret}");
        }
    }
}

mod operator {
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;

    use super::*;

    async fn get(scene: &Scene, uri: &str) -> String {
        let request = axum::http::Request::builder().uri(uri);
        let request = request.body(Body::empty()).unwrap();
        let router = scene.service.operator_router();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn secrets_are_counted_not_shown() {
        let (mut scene, worker, task, challenge) = ready(&json!({})).await;
        scene.ask(&scene.session(&worker, task, challenge)).await;
        for (initial, added) in [(0, 1), (1, 0)] {
            let text = get(&scene, "/metrics").await;
            let metrics: Json = serde_json::from_str(&text).unwrap();
            for kind in ["web2", "TEE challenges", "Ethereum Credentials"] {
                let expected = json!({
                    "secretsType": kind, "initialCount": initial, "storedCount": 1,
                    "addedSinceStartCount": added, "cachedSecretsCount": 0,
                });
                assert_eq!(metrics["secretsMetrics"][kind], expected);
            }
            assert_eq!(metrics["secretsMetrics"]["web3"]["storedCount"], 0);
            scene.restart().await;
        }
        assert_eq!(get(&scene, "/actuator/health").await, r#"{"status":"UP"}"#);
        assert_eq!(get(&scene, "/version").await, env!("CARGO_PKG_VERSION"));
    }
}
