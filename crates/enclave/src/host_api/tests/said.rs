//! What a container says: each answer, and that nobody else is listened to.

use engine::Reason;
use protocol::Cause;

use super::{
    super::{
        ADDRESS, PORT, VARIABLES,
        heard::{CAUSES_MAX, MESSAGE_CHARS_MAX},
        http::BODY_BYTES_MAX,
        refused::Refused,
    },
    *,
};

const STAGES: [(Stage, &str, &str); 2] = [
    (Stage::PreCompute, "pre", "post"),
    (Stage::PostCompute, "post", "pre"),
];

/// What the official programs can tell. One more of theirs is unknown to the official scheduler.
const CODES: &[&str] = &[
    "PRE_COMPUTE_AT_LEAST_ONE_INPUT_FILE_URL_MISSING",
    "PRE_COMPUTE_DATASET_CHECKSUM_MISSING",
    "PRE_COMPUTE_DATASET_DECRYPTION_FAILED",
    "PRE_COMPUTE_DATASET_DOWNLOAD_FAILED",
    "PRE_COMPUTE_DATASET_FILENAME_MISSING",
    "PRE_COMPUTE_DATASET_KEY_MISSING",
    "PRE_COMPUTE_DATASET_URL_MISSING",
    "PRE_COMPUTE_FAILED_UNKNOWN_ISSUE",
    "PRE_COMPUTE_INPUT_FILES_NUMBER_MISSING",
    "PRE_COMPUTE_INPUT_FILE_DOWNLOAD_FAILED",
    "PRE_COMPUTE_INVALID_DATASET_CHECKSUM",
    "PRE_COMPUTE_INVALID_TEE_SIGNATURE",
    "PRE_COMPUTE_IS_DATASET_REQUIRED_MISSING",
    "PRE_COMPUTE_OUTPUT_FOLDER_NOT_FOUND",
    "PRE_COMPUTE_OUTPUT_PATH_MISSING",
    "PRE_COMPUTE_SAVING_PLAIN_DATASET_FAILED",
    "PRE_COMPUTE_TASK_ID_MISSING",
    "PRE_COMPUTE_TEE_CHALLENGE_PRIVATE_KEY_MISSING",
    "PRE_COMPUTE_WORKER_ADDRESS_MISSING",
    "POST_COMPUTE_COMPUTED_FILE_NOT_FOUND",
    "POST_COMPUTE_DROPBOX_UPLOAD_FAILED",
    "POST_COMPUTE_ENCRYPTION_FAILED",
    "POST_COMPUTE_ENCRYPTION_PUBLIC_KEY_MISSING",
    "POST_COMPUTE_FAILED_UNKNOWN_ISSUE",
    "POST_COMPUTE_INVALID_TEE_SIGNATURE",
    "POST_COMPUTE_IPFS_UPLOAD_FAILED",
    "POST_COMPUTE_MALFORMED_ENCRYPTION_PUBLIC_KEY",
    "POST_COMPUTE_OUT_FOLDER_ZIP_FAILED",
    "POST_COMPUTE_RESULT_DIGEST_COMPUTATION_FAILED",
    "POST_COMPUTE_RESULT_FILE_NOT_FOUND",
    "POST_COMPUTE_SEND_COMPUTED_FILE_FAILED",
    "POST_COMPUTE_STORAGE_TOKEN_MISSING",
    "POST_COMPUTE_TASK_ID_MISSING",
    "POST_COMPUTE_TEE_CHALLENGE_PRIVATE_KEY_MISSING",
    "POST_COMPUTE_TOO_LONG_RESULT_FILE_NAME",
    "POST_COMPUTE_WORKER_ADDRESS_MISSING",
];

fn failures(scene: &Scene) -> Vec<(Cause, String)> {
    let failures = scene.host.judge(1, Reason::Exited).unwrap_err();
    let pair = |failure: worker::Failure| (failure.cause, failure.message);
    failures.into_iter().map(pair).collect()
}

/// The text with the lowest bit of one of its hexadecimal digits changed.
fn changed(hex: &str, at: usize) -> String {
    let digit = hex[at..=at].to_owned();
    let other = u8::from_str_radix(&digit, 16).unwrap() ^ 1;
    format!("{}{other:x}{}", &hex[..at], &hex[at + 1..])
}

#[tokio::test]
async fn causes_have_the_official_answers() {
    let (good, task, other) = (signed(), task(), TaskId::repeat(1));
    for (stage, here, there) in STAGES {
        for (route, body) in [
            ("exit-causes", json!([{ "cause": "SOME", "message": "m" }])),
            ("exit", json!({ "cause": "SOME" })),
        ] {
            let scene = Scene::new(guest(stage));
            let path = format!("/compute/{here}/{task}/{route}");
            for wrong in ["", "0x", "junk", &changed(&good, 10), recorded("token")] {
                assert_eq!(scene.status(&path, wrong, &body).await, 401, "{wrong}");
            }
            for broken in ["", "[]", "{}", "[{}]", "[", "null", r#"[{"cause":1}]"#] {
                assert_eq!(scene.status(&path, &good, broken).await, 400, "{broken}");
            }
            for path in [
                format!("/compute/{there}/{task}/{route}"),
                format!("/compute/app/{task}/{route}"),
                format!("/compute/{here}/{other}/{route}"),
                format!("/compute/{here}/junk/{route}"),
                format!("/compute/{here}/{task}"),
            ] {
                assert_eq!(scene.status(&path, &good, &body).await, 404, "{path}");
            }
            let large = " ".repeat(BODY_BYTES_MAX + 1);
            assert_eq!(scene.status(&path, &good, large).await, 413);
            assert_eq!(scene.status(&path, &good, &body).await, 200);
            let again = json!([{ "cause": "OTHER" }]);
            let path = format!("/compute/{here}/{task}/exit-causes");
            assert_eq!(scene.status(&path, &good, again).await, 208);
            let told = failures(&scene);
            assert_eq!(told.len(), 1);
            assert!(["m", "SOME"].contains(&told[0].1.as_str()), "{told:?}");
        }
    }
}

#[tokio::test]
async fn codes_of_other_stages_and_unknown_ones_are_not_taken_over() {
    let scene = Scene::new(guest(Stage::PostCompute));
    let path = format!("/compute/post/{}/exit-causes", task());
    let body = json!([
        { "cause": "ABORTED_BY_WORKER", "message": "a" },
        { "cause": "PRE_COMPUTE_DATASET_URL_MISSING", "message": "b" },
        { "cause": "POST_COMPUTE_NEW", "message": "c" },
        { "cause": "POST_COMPUTE_IPFS_UPLOAD_FAILED", "message": null },
        { "cause": "POST_COMPUTE_ENCRYPTION_FAILED", "message": " two\nlines\u{1b}[2J " },
    ]);
    assert_eq!(scene.status(&path, &signed(), body).await, 200);
    let unknown = Cause::PostComputeUnknown;
    let silent = Cause::PostIpfsUploadFailed;
    let expected = [
        (unknown, "a"),
        (unknown, "b"),
        (unknown, "c"),
        (silent, silent.sentence()),
        (Cause::PostEncryptionFailed, "two lines [2J"),
    ];
    assert_eq!(
        failures(&scene),
        expected.map(|(cause, text)| (cause, text.to_owned()))
    );
}

#[test]
fn every_code_of_the_official_programs_is_taken_over() {
    let taken = |code: &str| {
        let (stage, segment) = match code.starts_with("PRE_") {
            true => (Stage::PreCompute, "pre"),
            false => (Stage::PostCompute, "post"),
        };
        let host = Host::new(guest(stage), Files::default());
        let admitted = host.admit(segment, &task().to_string(), Some(&signed()));
        let body = json!({ "cause": code }).to_string();
        admitted.unwrap().exit(body.as_bytes()).unwrap();
        host.judge(1, Reason::Exited).unwrap_err()[0].cause.code()
    };
    for code in CODES {
        assert_eq!(taken(code), *code);
    }
    let unknown = taken("POST_COMPUTE_INVALID_ENCLAVE_CHALLENGE_PRIVATE_KEY");
    assert_eq!(unknown, "POST_COMPUTE_FAILED_UNKNOWN_ISSUE");
}

#[tokio::test]
async fn a_flood_of_causes_is_cut() {
    let scene = Scene::new(guest(Stage::PreCompute));
    let path = format!("/compute/pre/{}/exit-causes", task());
    let long = "é".repeat(MESSAGE_CHARS_MAX + 1);
    let one = json!({ "cause": "PRE_COMPUTE_DATASET_KEY_MISSING", "message": long });
    let body = json!(vec![one; CAUSES_MAX + 1]);
    assert_eq!(scene.status(&path, &signed(), body).await, 200);
    let told = failures(&scene);
    assert_eq!(told.len(), CAUSES_MAX);
    assert!(
        told.iter()
            .all(|(_, text)| text.chars().count() == MESSAGE_CHARS_MAX)
    );
}

#[tokio::test]
async fn results_have_the_official_answers() {
    let (good, task) = (signed(), task());
    let body = told("post-compute plain");
    for path in [
        format!("/compute/post/{task}/computed"),
        format!("/iexec_out/{task}/computed"),
    ] {
        let scene = Scene::new(guest(Stage::PostCompute));
        for wrong in ["", "junk", &changed(&good, 10)] {
            assert_eq!(scene.status(&path, wrong, &body).await, 401, "{wrong}");
        }
        for broken in ["", "[]", "{", r#"{"task-id": 1}"#] {
            assert_eq!(scene.status(&path, &good, broken).await, 400, "{broken}");
        }
        for (field, value, status) in [
            ("task-id", json!(TaskId::repeat(1)), 400),
            ("task-id", json!(null), 400),
            ("result-digest", json!(null), 401),
            ("result-digest", json!(B256::ZERO), 401),
            ("result-digest", json!("0x1234"), 401),
            ("enclave-signature", json!(null), 401),
            ("enclave-signature", json!("0x"), 401),
            ("enclave-signature", json!("junk"), 401),
        ] {
            let mut body = body.clone();
            body[field] = value;
            assert_eq!(scene.status(&path, &good, &body).await, status, "{body}");
        }
        let other = path.replace(&task.to_string(), &TaskId::repeat(1).to_string());
        assert_eq!(scene.status(&other, &good, &body).await, 404);
        let large = " ".repeat(BODY_BYTES_MAX + 1);
        assert_eq!(scene.status(&path, &good, large).await, 413);
        assert_eq!(scene.status(&path, &good, &body).await, 200);
        assert_eq!(scene.status(&path, &good, &body).await, 401, "a second one");
        let before = Scene::new(guest(Stage::PreCompute));
        assert_eq!(before.status(&path, &good, &body).await, 404);
    }
}

#[tokio::test]
async fn data_of_a_callback_have_to_be_those_of_the_digest() {
    let (good, scene) = (signed(), Scene::new(with_callback()));
    let path = format!("/compute/post/{}/computed", task());
    let body = told("post-compute callback");
    for data in [
        json!(null),
        json!("0x"),
        json!("0x02"),
        json!("junk"),
        json!("0x0"),
    ] {
        let mut body = body.clone();
        body["callback-data"] = data;
        assert_eq!(scene.status(&path, &good, &body).await, 401, "{body}");
    }
    assert_eq!(
        scene.status(&path, &good, told("post-compute plain")).await,
        401
    );
    assert_eq!(scene.status(&path, &good, &body).await, 200);
}

#[tokio::test]
async fn callback_data_of_a_deal_without_callback_are_dropped() {
    let scene = Scene::new(guest(Stage::PostCompute));
    let path = format!("/compute/post/{}/computed", task());
    let body = told("post-compute callback");
    assert_eq!(scene.status(&path, &signed(), body).await, 200);
    assert_eq!(scene.upload(upload(json!([1]))).await, 200);
    let computed = scene.host.judge(0, Reason::Exited).unwrap().unwrap();
    assert!(computed.callback_data.is_empty());
}

#[test]
fn a_change_of_anything_signed_is_refused() {
    let (good, task) = (signed(), task().to_string());
    let host = |guest| Host::new(guest, Files::default());
    let post = || guest(Stage::PostCompute);
    for at in 2..good.len() {
        let host = host(post());
        let refused = host.admit("post", &task, Some(&changed(&good, at)));
        assert!(matches!(refused, Err(Refused::Unsigned)), "{at}");
    }
    let body = told("post-compute plain");
    for field in ["result-digest", "enclave-signature"] {
        let text = body[field].as_str().unwrap();
        for at in 2..text.len() {
            let mut body = body.clone();
            body[field] = json!(changed(text, at));
            let host = host(post());
            let admitted = host.admit("post", &task, Some(&good)).unwrap();
            let refused = admitted.computed(body.to_string().as_bytes());
            assert!(matches!(refused, Err(Refused::Rejected(_))), "{field} {at}");
        }
    }
    let mut others = [post(), post()];
    others[0].worker.0[7] ^= 1;
    others[1].challenge.0[7] ^= 1;
    for other in others {
        assert!(host(other).admit("post", &task, Some(&good)).is_err());
    }
}

#[test]
fn a_digest_of_nothing_is_refused_even_when_it_is_signed() {
    let (good, task) = (signed(), task().to_string());
    let mut body = told("post-compute plain");
    for (digest, is_taken) in [(B256::ZERO, false), (B256::with_last_byte(1), true)] {
        let worker = recorded("worker").parse().unwrap();
        let hash = digest::enclave(worker, super::task(), digest);
        let sign = wallet().sign_message_hash(hash).unwrap();
        body["result-digest"] = json!(digest);
        body["enclave-signature"] = json!(Bytes::from(sign.as_bytes()));
        let host = Host::new(guest(Stage::PostCompute), Files::default());
        let admitted = host.admit("post", &task, Some(&good)).unwrap();
        let answer = admitted.computed(body.to_string().as_bytes());
        assert_eq!(answer.is_ok(), is_taken, "{digest}");
    }
}

/// The contracts take no other form of the same signature.
#[test]
fn a_signature_with_another_recovery_number_is_refused() {
    let (good, task) = (signed(), task().to_string());
    let mut body = told("post-compute plain");
    let text = body["enclave-signature"].as_str().unwrap();
    let (rest, last) = text.split_at(text.len() - 2);
    let parity = u8::from_str_radix(last, 16).unwrap() - 27;
    body["enclave-signature"] = json!(format!("{rest}{parity:02x}"));
    let host = Host::new(guest(Stage::PostCompute), Files::default());
    let admitted = host.admit("post", &task, Some(&good)).unwrap();
    assert!(admitted.computed(body.to_string().as_bytes()).is_err());
}

#[test]
fn the_variables_lead_to_the_port() {
    assert_eq!(ADDRESS, format!("{}:{PORT}", Ipv4Addr::LOCALHOST));
    assert_eq!(VARIABLES, ["WORKER_HOST", "WORKER_HOST_ENV_VAR"]);
}

#[tokio::test]
async fn a_program_that_ends_well_has_to_leave_a_result() {
    let cause = |scene: &Scene| scene.host.judge(0, Reason::Exited).unwrap_err()[0].cause;
    let scene = Scene::new(guest(Stage::PostCompute));
    assert_eq!(cause(&scene), Cause::SendComputedFileFailed);
    let path = format!("/compute/post/{}/computed", task());
    let body = told("post-compute plain");
    assert_eq!(scene.status(&path, &signed(), body).await, 200);
    assert_eq!(cause(&scene), Cause::PostIpfsUploadFailed);
    let before = Scene::new(guest(Stage::PreCompute));
    assert_eq!(before.host.judge(0, Reason::Exited), Ok(None));
}
