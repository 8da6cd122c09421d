//! Golden sessions: the variables of each stage are those of spec/secrets-tee.md §1.5.

use std::collections::BTreeMap;

use chain::DatasetInfo;
use protocol::{Address, B256, Cause, DealId, params::DealParams};
use serde_json::{Value as Json, json};

use super::{
    Refused,
    session::{Description, Image, Pipeline, Recipient, Secrets, build},
};
use crate::{
    Value,
    testing::{APP, DATASET, app, dataset, deal},
};

const WORKER: Address = Address::repeat_byte(0x1a);
const DEAL: &str = "0x0101010101010101010101010101010101010101010101010101010101010101";
const TASK: &str = "0xc193ec07688698196bbeea89d6df80e9233054964ddc03855e3e519862b8f99a";
const KEY: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

fn value(text: &str) -> Value {
    Value::new(text.to_owned())
}

fn describe(params: &Json) -> Description {
    let deal = deal(DealId::repeat(1), Address::repeat_byte(0x77), params);
    Description {
        task: TASK.parse().unwrap(),
        index: 2,
        app: app(APP),
        dataset: None,
        bulk: Vec::new(),
        params: DealParams::from_chain(&deal.params),
        deal,
    }
}

fn with_dataset(params: &Json) -> Description {
    let mut description = describe(params);
    description.deal.dataset.pointer = DATASET;
    description.dataset = Some(dataset());
    description
}

fn session(description: &Description, secrets: &Secrets) -> Result<Json, Refused> {
    let image = |name: &str| Image {
        image: format!("registry.example/{name}:1"),
        fingerprint: format!("print of {name}"),
    };
    let pipeline = Pipeline {
        pre_compute: image("pre"),
        post_compute: image("post"),
    };
    let key = value(KEY);
    let recipient = Recipient {
        worker: WORKER,
        key: &key,
    };
    let built = build(
        "session".into(),
        description,
        secrets,
        &recipient,
        &pipeline,
    )?;
    Ok(serde_json::from_str(built.to_value()?.expose()).unwrap())
}

fn token() -> Secrets {
    Secrets {
        storage_token: Some(value("jwt\n")),
        ..Secrets::default()
    }
}

fn plain_app() -> Json {
    json!({
        "IEXEC_DEAL_ID": DEAL,
        "IEXEC_TASK_INDEX": "2",
        "IEXEC_TASK_ID": TASK,
        "IEXEC_IN": "/iexec_in",
        "IEXEC_OUT": "/iexec_out",
        "IEXEC_BOT_SIZE": "3",
        "IEXEC_BOT_FIRST_INDEX": "0",
        "IEXEC_BOT_TASK_INDEX": "2",
        "IEXEC_DATASET_ADDRESS": "0x0000000000000000000000000000000000000000",
        "IEXEC_DATASET_FILENAME": "0x0000000000000000000000000000000000000000",
        "IEXEC_INPUT_FILES_NUMBER": "0",
    })
}

#[test]
fn the_plainest_session_has_app_and_post_compute() {
    let expected = json!({
        "name": "session",
        "version": "0.1.0",
        "services": [
            {
                "name": "app",
                "image_name": "registry.example/app:1",
                "fingerprint": format!("0x{}", "cc".repeat(32)),
                "environment": plain_app(),
            },
            {
                "name": "post-compute",
                "image_name": "registry.example/post:1",
                "fingerprint": "print of post",
                "environment": {
                    "IEXEC_TASK_ID": TASK,
                    "SIGN_WORKER_ADDRESS": WORKER.to_checksum(None),
                    "SIGN_TEE_CHALLENGE_PRIVATE_KEY": KEY,
                    "RESULT_ENCRYPTION": "false",
                    "RESULT_ENCRYPTION_PUBLIC_KEY": "",
                    "RESULT_STORAGE_CALLBACK": "false",
                    "RESULT_STORAGE_PROVIDER": "ipfs",
                    "RESULT_STORAGE_PROXY": "",
                    "RESULT_STORAGE_TOKEN": "jwt",
                },
            },
        ],
    });
    assert_eq!(session(&describe(&json!({})), &token()), Ok(expected));
}

const URL: &str = "https://example.com/a.txt";
/// sha256 of [`URL`].
const URL_NAME: &str = "0xe23a1e463a3d07a258a5fcdf4e5e30cd80eaa0b10aeaf7cae3ceeb4727ec598a";

fn full() -> (Description, Secrets) {
    let description = with_dataset(&json!({
        "iexec_input_files": [URL],
        "iexec_secrets": { "1": "mine" },
        "iexec_result_encryption": true,
        "iexec_result_storage_provider": "dropbox",
        "iexec_result_storage_proxy": "https://store.example",
    }));
    let secrets = Secrets {
        dataset_key: Some(value("dataset key \n")),
        bulk_keys: BTreeMap::new(),
        app: Some(value(" app secret ")),
        requester: BTreeMap::from([("1".to_owned(), value("requester secret"))]),
        result_key: Some(value("public key\n")),
        storage_token: Some(value("dropbox token")),
        storage_url: Some(value("https://pool.example")),
    };
    (description, secrets)
}

#[test]
fn the_fullest_pre_compute_has_every_variable() {
    let (description, secrets) = full();
    let session = session(&description, &secrets).unwrap();
    let expected = json!({
        "name": "pre-compute",
        "image_name": "registry.example/pre:1",
        "fingerprint": "print of pre",
        "environment": {
            "IEXEC_TASK_ID": TASK,
            "SIGN_WORKER_ADDRESS": WORKER.to_checksum(None),
            "SIGN_TEE_CHALLENGE_PRIVATE_KEY": KEY,
            "IEXEC_PRE_COMPUTE_OUT": "/iexec_in",
            "IS_DATASET_REQUIRED": "true",
            "IEXEC_DEAL_ID": DEAL,
            "IEXEC_TASK_INDEX": "2",
            "IEXEC_INPUT_FILES_NUMBER": "1",
            "IEXEC_INPUT_FILES_FOLDER": "/iexec_in",
            "IEXEC_INPUT_FILE_URL_1": URL,
            "IEXEC_DATASET_KEY": "dataset key",
            "IEXEC_DATASET_URL": "https://data.example/file.enc",
            "IEXEC_DATASET_CHECKSUM": format!("0x{}", "dd".repeat(32)),
            "IEXEC_DATASET_FILENAME": DATASET.to_checksum(None),
        },
    });
    assert_eq!(session["services"][0], expected);
    assert_eq!(session["services"].as_array().unwrap().len(), 3);
}

#[test]
fn the_fullest_app_and_post_compute_have_every_variable() {
    let (description, secrets) = full();
    let session = session(&description, &secrets).unwrap();
    let mut expected = plain_app();
    let dataset = DATASET.to_checksum(None);
    for (name, text) in [
        ("IEXEC_DATASET_ADDRESS", dataset.as_str()),
        ("IEXEC_DATASET_FILENAME", dataset.as_str()),
        ("IEXEC_INPUT_FILES_NUMBER", "1"),
        ("IEXEC_INPUT_FILES_FOLDER", "/iexec_in"),
        ("IEXEC_INPUT_FILE_NAME_1", URL_NAME),
        ("IEXEC_APP_DEVELOPER_SECRET", " app secret "),
        ("IEXEC_APP_DEVELOPER_SECRET_1", " app secret "),
        ("IEXEC_REQUESTER_SECRET_1", "requester secret"),
    ] {
        expected[name] = json!(text);
    }
    assert_eq!(session["services"][1]["environment"], expected);
    let post = &session["services"][2]["environment"];
    for (name, text) in [
        ("RESULT_ENCRYPTION", "true"),
        ("RESULT_ENCRYPTION_PUBLIC_KEY", "public key"),
        ("RESULT_STORAGE_PROVIDER", "dropbox"),
        ("RESULT_STORAGE_PROXY", "https://store.example"),
        ("RESULT_STORAGE_TOKEN", "dropbox token"),
    ] {
        assert_eq!(post[name], json!(text), "{name}");
    }
}

#[test]
fn a_callback_needs_no_storage() {
    let mut description = describe(&json!({}));
    description.deal.callback = Address::repeat_byte(9);
    let session = session(&description, &Secrets::default()).unwrap();
    let post = &session["services"][1]["environment"];
    assert_eq!(post["RESULT_STORAGE_CALLBACK"], "true");
    for name in [
        "RESULT_STORAGE_PROVIDER",
        "RESULT_STORAGE_PROXY",
        "RESULT_STORAGE_TOKEN",
    ] {
        assert_eq!(post[name], "", "{name}");
    }
}

#[test]
fn the_pools_store_is_the_default_proxy() {
    let secrets = Secrets {
        storage_url: Some(value("https://pool.example")),
        ..token()
    };
    let session = session(&describe(&json!({})), &secrets).unwrap();
    let post = &session["services"][1]["environment"];
    assert_eq!(post["RESULT_STORAGE_PROXY"], "https://pool.example");
}

#[test]
fn each_missing_secret_has_its_cause() {
    let none = Secrets::default();
    let encrypting = describe(&json!({ "iexec_result_encryption": true }));
    for (description, secrets, cause) in [
        (
            with_dataset(&json!({})),
            token(),
            Cause::SessionDatasetSecretFailed,
        ),
        (encrypting, token(), Cause::SessionEmptyBeneficiaryKey),
        (
            describe(&json!({})),
            none,
            Cause::SessionStorageTokensFailed,
        ),
    ] {
        let refused = session(&description, &secrets).unwrap_err();
        assert_eq!(refused.cause, cause);
    }
}

/// Two datasets of a bulk, and the key of the first.
fn with_bulk() -> (Description, Secrets) {
    let mut description = describe(&json!({ "bulk_cid": "Qm" }));
    description.bulk = [1, 2].map(dataset_number).to_vec();
    let key = (description.bulk[0].address, value("key 1\n"));
    let secrets = Secrets {
        bulk_keys: BTreeMap::from([key]),
        ..token()
    };
    (description, secrets)
}

fn dataset_number(number: u8) -> DatasetInfo {
    DatasetInfo {
        address: Address::repeat_byte(number),
        multiaddr: format!("https://data.example/{number}").into_bytes().into(),
        checksum: B256::repeat_byte(number),
        ..dataset()
    }
}

#[test]
fn a_bulk_has_numbered_variables() {
    let (description, mut secrets) = with_bulk();
    let second = description.bulk[1].address;
    secrets.bulk_keys.insert(second, value("key 2"));
    let session = session(&description, &secrets).unwrap();
    let mut pre = json!({
        "IEXEC_TASK_ID": TASK,
        "SIGN_WORKER_ADDRESS": WORKER.to_checksum(None),
        "SIGN_TEE_CHALLENGE_PRIVATE_KEY": KEY,
        "IEXEC_PRE_COMPUTE_OUT": "/iexec_in",
        "IS_DATASET_REQUIRED": "false",
        "IEXEC_DEAL_ID": DEAL,
        "IEXEC_TASK_INDEX": "2",
        "IEXEC_INPUT_FILES_NUMBER": "0",
        "IEXEC_BULK_SLICE_SIZE": "2",
    });
    let mut app = plain_app();
    app["IEXEC_BULK_SLICE_SIZE"] = json!("2");
    for (number, dataset) in (1..).zip(&description.bulk) {
        let variable = |field: &str| format!("IEXEC_DATASET_{number}_{field}");
        let name = json!(dataset.address.to_checksum(None));
        pre[variable("URL")] = json!(format!("https://data.example/{number}"));
        pre[variable("CHECKSUM")] = json!(dataset.checksum);
        pre[variable("KEY")] = json!(format!("key {number}"));
        pre[variable("FILENAME")] = name.clone();
        app[variable("FILENAME")] = name;
    }
    assert_eq!(session["services"][0]["environment"], pre);
    assert_eq!(session["services"][1]["environment"], app);
}

#[test]
fn a_bulk_without_one_of_its_keys_is_none() {
    let (description, secrets) = with_bulk();
    let refused = session(&description, &secrets).unwrap_err();
    assert_eq!(refused.cause, Cause::SessionDatasetSecretFailed);
    let second = description.bulk[1].address.to_string();
    assert!(refused.reason.unwrap().contains(&second));
}

/// The key that proves an enclave on chain never gets into the app's hands.
#[test]
fn the_app_gets_no_signing_key() {
    let (description, secrets) = full();
    let session = session(&description, &secrets).unwrap();
    assert!(!session["services"][1].to_string().contains(KEY));
}

#[test]
fn a_container_that_gets_secrets_is_pinned() {
    let image = |image: &str, fingerprint: &str| Image {
        image: image.to_owned(),
        fingerprint: fingerprint.to_owned(),
    };
    let check = |post_compute: Image| {
        let pipeline = Pipeline {
            post_compute,
            ..Pipeline::default()
        };
        pipeline.check().err().map(|error| error.to_string())
    };
    assert_eq!(check(Image::default()), None);
    let digest = format!("0x{}", "cc".repeat(32));
    assert_eq!(check(image("registry.example/post:1", &digest)), None);
    for fingerprint in ["", "0xcc", "latest", &digest[2..]] {
        let refused = check(image("registry.example/post:1", fingerprint)).unwrap();
        assert!(refused.contains("registry.example/post:1"), "{refused}");
    }
}
