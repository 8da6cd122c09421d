//! Every call that the official programs were seen to make.

use engine::Reason;
use protocol::Cause;

use super::*;

/// Makes the calls of one recorded program; all of them have to be taken.
async fn replay(scenario: &str, guest: Guest) -> Scene {
    let scene = Scene::new(guest);
    let calls = RECORDING["requests"].as_array().unwrap();
    for call in calls.iter().filter(|call| call["scenario"] == scenario) {
        let mut body = call["body"].clone();
        if let Some(bytes) = call["zip_bytes"].as_u64() {
            body["zip"] = json!(zip(bytes));
        }
        let (url, authorization) = (&call["url"], &call["authorization"]);
        let (url, authorization) = (url.as_str().unwrap(), authorization.as_str().unwrap());
        let answer = scene.post(url, authorization, body).await;
        assert_eq!(answer.status, 200, "{scenario}: {}", answer.text);
        let expected = match url.ends_with("/computed") {
            true => task().to_string(),
            false if url == "/v1/results" => "/ipfs/".to_owned(),
            false => String::new(),
        };
        assert_eq!(answer.text, expected, "{url}");
    }
    scene
}

fn zip(bytes: u64) -> Vec<u8> {
    (0..bytes).map(|n| (n * 7) as u8).collect()
}

#[tokio::test]
async fn a_result_with_its_archive_is_taken() {
    for (scenario, bytes) in [
        ("post-compute encrypted", 1184),
        ("post-compute plain", 404),
    ] {
        let scene = replay(scenario, guest(Stage::PostCompute)).await;
        assert_eq!(fs::read(scene.archive()).unwrap(), zip(bytes));
        assert_eq!(scene.files(), ["archive.zip"]);
        let computed = scene.host.judge(0, Reason::Exited).unwrap().unwrap();
        let told = told(scenario);
        assert_eq!(json!(computed.digest), told["result-digest"]);
        assert_eq!(json!(computed.signature), told["enclave-signature"]);
        assert!(computed.callback_data.is_empty());
    }
}

#[tokio::test]
async fn a_result_for_a_callback_is_taken() {
    let scene = replay("post-compute callback", with_callback()).await;
    let computed = scene.host.judge(0, Reason::Exited).unwrap().unwrap();
    let told = told("post-compute callback");
    assert_eq!(json!(computed.callback_data), told["callback-data"]);
    assert_eq!(json!(computed.digest), told["result-digest"]);
}

#[tokio::test]
async fn what_went_wrong_is_heard() {
    let post = replay("post-compute failure", guest(Stage::PostCompute)).await;
    let failures = post.host.judge(1, Reason::Exited).unwrap_err();
    let missing = (
        Cause::ComputedFileNotFound,
        "computed.json file missing".to_owned(),
    );
    assert_eq!(pairs(failures), [missing]);
    let pre = replay("pre-compute bulk failure", guest(Stage::PreCompute)).await;
    let failures = pairs(pre.host.judge(1, Reason::Exited).unwrap_err());
    let causes: Vec<_> = failures.iter().map(|(cause, _)| *cause).collect();
    let expected = [
        Cause::PreDatasetUrlMissing,
        Cause::PreInvalidDatasetChecksum,
    ];
    assert_eq!(causes, expected);
    assert_eq!(failures[1].1, "Invalid dataset checksum for dataset 0xd3");
}

fn pairs(failures: Vec<worker::Failure>) -> Vec<(Cause, String)> {
    let pair = |failure: worker::Failure| (failure.cause, failure.message);
    failures.into_iter().map(pair).collect()
}
