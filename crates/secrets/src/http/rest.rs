//! spec/secrets-tee.md §6.3, G2 and G4: one value for ever, and nothing to read at rest.

use std::{path::Path, sync::Arc};

use alloy::signers::local::PrivateKeySigner;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use protocol::sms;
use serde_json::json;

use crate::{
    BackupSecret, Config, Service,
    testing::{DATASET_KEY, Scene, Script},
    vault::KEY_FILE,
};

/// Unlike anything else in a file.
const CANARIES: [&str; 4] = [
    "canary-Pj3vVw0aQk1Zr8",
    "canary-8eYqLr2NcXb7Ut",
    "canary-Gd5sHm9WfKz4Jo",
    DATASET_KEY,
];
/// Asks for more rounds than there is time for in each run of the tests.
const ROUNDS: &str = "IEXEC_TEST_SECRETS_ROUNDS";
const ROUNDS_STANDARD: usize = 20;
const AT_ONCE: usize = 64;

/// As text, in hexadecimal of both cases, and in base64 wherever it may begin in a longer text.
fn spellings(canary: &str) -> Vec<Vec<u8>> {
    let mut all = vec![
        canary.as_bytes().to_vec(),
        hex::encode(canary).into_bytes(),
        hex::encode_upper(canary).into_bytes(),
    ];
    for shift in 0..3 {
        let shifted = [&[0; 3][..shift], canary.as_bytes()].concat();
        let text = BASE64.encode(shifted).into_bytes();
        // The ends depend on what stands around it.
        all.push(text[4..text.len() - 4].to_vec());
    }
    all
}

fn assert_unreadable(bytes: &[u8], what: &Path) {
    for canary in CANARIES {
        for spelling in spellings(canary) {
            let found = bytes
                .windows(spelling.len())
                .any(|window| window == spelling);
            assert!(!found, "{canary} in {}", what.display());
        }
    }
}

#[tokio::test]
async fn no_file_has_a_secret_in_any_spelling() {
    let (scene, deal) = Scene::tdx(&json!({})).await;
    let [first, second, third, _] = CANARIES;
    let (uri, digest) = (scene.web2("a"), scene.named("a", first));
    assert_eq!(scene.push("POST", &uri, digest, first).await.status, 204);
    let digest = scene.named("a", second);
    assert_eq!(scene.push("PUT", &uri, digest, second).await.status, 204);
    let (uri, digest) = (scene.requester("b"), scene.named("b", third));
    assert_eq!(scene.push("POST", &uri, digest, third).await.status, 204);
    scene.push_dataset_key().await;
    scene.challenge(deal.task(0)).await;
    let task = scene.service.vault().challenge(deal.task(0)).await.unwrap();
    let enclave_key = task.unwrap().key;
    let to = BackupSecret::random().public().unwrap();
    let backup = scene.service.vault().backup(&to).await.unwrap();
    assert_unreadable(&backup, Path::new("the backup"));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(scene.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert_unreadable(&bytes, &path);
        let digits = enclave_key.expose().trim_start_matches("0x").as_bytes();
        assert!(!bytes.windows(digits.len()).any(|window| window == digits));
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    // The write-ahead log is one of them, with all of the above in it.
    for name in ["secrets.sqlite", "secrets.sqlite-wal", KEY_FILE] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
}

fn rounds() -> usize {
    let asked = std::env::var(ROUNDS).ok();
    let asked = asked.and_then(|text| text.parse().ok());
    asked.unwrap_or(ROUNDS_STANDARD)
}

async fn exactly_one_wins(config: Config) {
    let service = Service::open(config, Arc::new(Script::default()))
        .await
        .unwrap();
    let mut scene = Scene::new().await;
    scene.service = service;
    scene.wallet = PrivateKeySigner::random();
    for round in 0..rounds() {
        let name = round.to_string();
        let digest = sms::named(scene.wallet.address(), &name, "value");
        let (uri, sign) = (scene.requester(&name), scene.sign(digest));
        let push = |_| scene.call("POST", &uri, Some(&sign), "value");
        let all = futures_util::future::join_all((0..AT_ONCE).map(push)).await;
        let count = |status: u16| all.iter().filter(|one| one.status == status).count();
        assert_eq!((count(204), count(409)), (1, AT_ONCE - 1), "round {round}");
    }
}

#[tokio::test]
async fn of_many_at_once_exactly_one_wins_each_round() {
    let directory = tempfile::tempdir().unwrap();
    exactly_one_wins(Config::new(directory.path())).await;
}

#[tokio::test]
async fn of_many_at_once_exactly_one_wins_each_round_on_postgres() {
    let url = tools::need!(tools::postgres_database());
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config::new(directory.path());
    config.database = Some(url);
    exactly_one_wins(config).await;
}

/// G12: a new machine answers as the old one did.
#[tokio::test]
async fn after_a_wipe_a_restored_service_answers_alike() {
    let scene = Scene::new().await;
    let mut uris = Vec::new();
    for name in ["a", "b", "c"] {
        let digest = scene.named(name, name);
        for uri in [scene.requester(name), scene.web2(name)] {
            assert_eq!(scene.push("POST", &uri, digest, name).await.status, 204);
            uris.push(uri);
        }
        uris.push(scene.requester(&format!("{name}-absent")));
    }
    let secret = BackupSecret::random();
    let to = secret.public().unwrap();
    let backup = scene.service.vault().backup(&to).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("new"));
    config.restore(&secret, None, &backup).await.unwrap();
    let ledger = Arc::new(Script::default());
    let mut restored = Scene::new().await;
    restored.service = Service::open(config, ledger).await.unwrap();
    for uri in uris {
        assert_eq!(restored.head(&uri).await, scene.head(&uri).await, "{uri}");
    }
}
