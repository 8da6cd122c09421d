//! What `storage init` of the SDK before 9 does (spec/client.md Appendix B).

use protocol::challenge::{Audience, Token};

use super::*;

const CHAIN_ID: u64 = 65_535;

async fn authorization(scene: &Scene, wallet: &PrivateKeySigner, chain_id: u64) -> String {
    let address = wallet.address();
    let uri = format!("/results/challenge?address={address}&chainId={chain_id}");
    let data = scene.ask("GET", &uri, &[]).await.json();
    assert_eq!(data["domain"]["chainId"], chain_id.to_string());
    let text = data["message"]["challenge"].as_str().unwrap();
    let hash = Audience::ResultProxy.hash(chain_id, text);
    let signature = wallet.sign_hash_sync(&hash).unwrap();
    Token {
        hash,
        signature,
        address,
    }
    .to_string()
}

async fn log_in(scene: &Scene, chain_id: u64, text: String) -> Answer {
    let uri = format!("/results/login?chainId={chain_id}");
    scene.call("POST", &uri, &[], text).await
}

#[tokio::test]
async fn the_owner_of_a_wallet_gets_its_token() {
    let scene = Scene::new().await;
    let wallet = PrivateKeySigner::random();
    let text = authorization(&scene, &wallet, CHAIN_ID).await;
    let answer = log_in(&scene, CHAIN_ID, text).await;
    assert_eq!(answer.status, StatusCode::OK);
    let token = answer.text().to_owned();
    assert_eq!(token.split('.').count(), 3);
    let upload = scene.put(&token, TASK, ZIP).await;
    assert_eq!(upload.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn nobody_logs_in_as_another_or_elsewhere() {
    let scene = Scene::new().await;
    let wallet = PrivateKeySigner::random();
    let text = authorization(&scene, &wallet, CHAIN_ID).await;
    let own = wallet.address().to_checksum(None);
    let other = text.replace(&own, &Address::repeat_byte(1).to_checksum(None));
    for (chain_id, text) in [
        (CHAIN_ID, other),
        (CHAIN_ID + 1, text),
        (CHAIN_ID, String::new()),
        (CHAIN_ID, "a_b_c".to_owned()),
    ] {
        let answer = log_in(&scene, chain_id, text).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.json()["error"], "invalid token");
    }
}

#[tokio::test]
async fn malformed_questions_are_400() {
    let scene = Scene::new().await;
    for query in [
        "",
        "?chainId=1",
        "?chainId=x&address=0x1",
        "?chainId=1&address=0x1",
    ] {
        let uri = format!("/results/challenge{query}");
        let answer = scene.ask("GET", &uri, &[]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.json()["error"].is_string());
    }
    let answer = scene
        .call("POST", "/results/login", &[], String::new())
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}
