//! docs/causes.md is the whole official list, and each of its tests is there.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::{collections::BTreeMap, fs, path::PathBuf};

use protocol::Cause;

/// `ReplicateStatusCause` of the official scheduler (spec/pool-worker.md §1.7).
const OFFICIAL: &[&str] = &[
    // Chain.
    "CHAIN_UNREACHABLE",
    "BLOCK_NOT_REACHED",
    "STAKE_TOO_LOW",
    "OUT_OF_GAS",
    "TASK_NOT_ACTIVE",
    "TASK_DESCRIPTION_INVALID",
    "TASK_DESCRIPTION_NOT_FOUND",
    "CONTRIBUTION_ALREADY_SET",
    "CONSENSUS_REACHED",
    "CHAIN_RECEIPT_NOT_VALID",
    "CONSENSUS_BLOCK_MISSING",
    // Download.
    "APP_IMAGE_DOWNLOAD_FAILED",
    "INPUT_FILES_DOWNLOAD_FAILED",
    "DATASET_FILE_DOWNLOAD_FAILED",
    "DATASET_FILE_BAD_CHECKSUM",
    // Session of a confidential task.
    "TEE_SESSION_GENERATION_INVALID_AUTHORIZATION",
    "TEE_SESSION_GENERATION_EXECUTION_NOT_AUTHORIZED_EMPTY_PARAMS_UNAUTHORIZED",
    "TEE_SESSION_GENERATION_EXECUTION_NOT_AUTHORIZED_NO_MATCH_ONCHAIN_TYPE",
    "TEE_SESSION_GENERATION_EXECUTION_NOT_AUTHORIZED_GET_CHAIN_TASK_FAILED",
    "TEE_SESSION_GENERATION_EXECUTION_NOT_AUTHORIZED_TASK_NOT_ACTIVE",
    "TEE_SESSION_GENERATION_EXECUTION_NOT_AUTHORIZED_GET_CHAIN_DEAL_FAILED",
    "TEE_SESSION_GENERATION_EXECUTION_NOT_AUTHORIZED_INVALID_SIGNATURE",
    "TEE_SESSION_GENERATION_GET_SIGNATURE_TOKENS_FAILED_EMPTY_WORKER_ADDRESS",
    "TEE_SESSION_GENERATION_GET_SIGNATURE_TOKENS_FAILED_EMPTY_PUBLIC_ENCLAVE_CHALLENGE",
    "TEE_SESSION_GENERATION_GET_SIGNATURE_TOKENS_FAILED_EMPTY_TEE_CHALLENGE",
    "TEE_SESSION_GENERATION_GET_SIGNATURE_TOKENS_FAILED_EMPTY_TEE_CREDENTIALS",
    "TEE_SESSION_GENERATION_PRE_COMPUTE_GET_DATASET_SECRET_FAILED",
    "TEE_SESSION_GENERATION_APP_COMPUTE_NO_ENCLAVE_CONFIG",
    "TEE_SESSION_GENERATION_APP_COMPUTE_INVALID_ENCLAVE_CONFIG",
    "TEE_SESSION_GENERATION_POST_COMPUTE_GET_ENCRYPTION_TOKENS_FAILED_EMPTY_BENEFICIARY_KEY",
    "TEE_SESSION_GENERATION_POST_COMPUTE_GET_STORAGE_TOKENS_FAILED",
    "TEE_SESSION_GENERATION_SECURE_SESSION_STORAGE_CALL_FAILED",
    "TEE_SESSION_GENERATION_SECURE_SESSION_GENERATION_FAILED",
    "TEE_SESSION_GENERATION_SECURE_SESSION_NO_TEE_FRAMEWORK",
    "TEE_SESSION_GENERATION_GET_TASK_DESCRIPTION_FAILED",
    "TEE_SESSION_GENERATION_NO_SESSION_REQUEST",
    "TEE_SESSION_GENERATION_NO_TASK_DESCRIPTION",
    "TEE_SESSION_GENERATION_UNKNOWN_ISSUE",
    // Compute.
    "APP_NOT_FOUND_LOCALLY",
    "APP_COMPUTE_FAILED",
    "APP_COMPUTE_TIMEOUT",
    // Pre-compute.
    "PRE_COMPUTE_MISSING_ENCLAVE_CONFIGURATION",
    "PRE_COMPUTE_INVALID_ENCLAVE_CONFIGURATION",
    "PRE_COMPUTE_INVALID_ENCLAVE_HEAP_CONFIGURATION",
    "PRE_COMPUTE_IMAGE_MISSING",
    "PRE_COMPUTE_TASK_ID_MISSING",
    "PRE_COMPUTE_EXIT_REPORTING_FAILED",
    "PRE_COMPUTE_TIMEOUT",
    "PRE_COMPUTE_WORKER_ADDRESS_MISSING",
    "PRE_COMPUTE_TEE_CHALLENGE_PRIVATE_KEY_MISSING",
    "PRE_COMPUTE_INVALID_TEE_SIGNATURE",
    "PRE_COMPUTE_OUTPUT_PATH_MISSING",
    "PRE_COMPUTE_IS_DATASET_REQUIRED_MISSING",
    "PRE_COMPUTE_DATASET_URL_MISSING",
    "PRE_COMPUTE_DATASET_KEY_MISSING",
    "PRE_COMPUTE_DATASET_CHECKSUM_MISSING",
    "PRE_COMPUTE_DATASET_FILENAME_MISSING",
    "PRE_COMPUTE_INPUT_FILES_NUMBER_MISSING",
    "PRE_COMPUTE_AT_LEAST_ONE_INPUT_FILE_URL_MISSING",
    "PRE_COMPUTE_OUTPUT_FOLDER_NOT_FOUND",
    "PRE_COMPUTE_DATASET_DOWNLOAD_FAILED",
    "PRE_COMPUTE_INVALID_DATASET_CHECKSUM",
    "PRE_COMPUTE_DATASET_DECRYPTION_FAILED",
    "PRE_COMPUTE_SAVING_PLAIN_DATASET_FAILED",
    "PRE_COMPUTE_INPUT_FILE_DOWNLOAD_FAILED",
    "PRE_COMPUTE_FAILED_UNKNOWN_ISSUE",
    // Post-compute.
    "POST_COMPUTE_IMAGE_MISSING",
    "POST_COMPUTE_TASK_ID_MISSING",
    "POST_COMPUTE_EXIT_REPORTING_FAILED",
    "POST_COMPUTE_TIMEOUT",
    "POST_COMPUTE_WORKER_ADDRESS_MISSING",
    "POST_COMPUTE_TEE_CHALLENGE_PRIVATE_KEY_MISSING",
    "POST_COMPUTE_INVALID_TEE_SIGNATURE",
    "POST_COMPUTE_ENCRYPTION_PUBLIC_KEY_MISSING",
    "POST_COMPUTE_MALFORMED_ENCRYPTION_PUBLIC_KEY",
    "POST_COMPUTE_ENCRYPTION_FAILED",
    "POST_COMPUTE_STORAGE_TOKEN_MISSING",
    "POST_COMPUTE_COMPUTED_FILE_NOT_FOUND",
    "POST_COMPUTE_RESULT_DIGEST_COMPUTATION_FAILED",
    "POST_COMPUTE_OUT_FOLDER_ZIP_FAILED",
    "POST_COMPUTE_TOO_LONG_RESULT_FILE_NAME",
    "POST_COMPUTE_RESULT_FILE_NOT_FOUND",
    "POST_COMPUTE_DROPBOX_UPLOAD_FAILED",
    "POST_COMPUTE_IPFS_UPLOAD_FAILED",
    "POST_COMPUTE_SEND_COMPUTED_FILE_FAILED",
    "POST_COMPUTE_FAILED_UNKNOWN_ISSUE",
    // Contribution, upload, time.
    "TEE_NOT_SUPPORTED",
    "DETERMINISM_HASH_NOT_FOUND",
    "ENCLAVE_SIGNATURE_NOT_FOUND",
    "WORKERPOOL_AUTHORIZATION_NOT_FOUND",
    "RESULT_LINK_MISSING",
    "TRUST_NOT_1",
    "TASK_ALREADY_CONTRIBUTED",
    "CONTRIBUTION_TIMEOUT",
    "REVEAL_TIMEOUT",
    "TEE_PREPARATION_FAILED",
    "UNKNOWN_SMS",
    "GET_TEE_SERVICES_CONFIGURATION_FAILED",
    "ABORTED_BY_WORKER",
    "CANNOT_REVEAL",
    "UNKNOWN",
];
/// What the codes of the secret manager begin with; its tests leave it out.
const PREFIXES: [&str; 2] = ["TEE_SESSION_GENERATION_", "EXECUTION_NOT_AUTHORIZED_"];
/// In the last column of a code for which there is no situation.
const NEVER: &str = "never";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Each code with when it comes and its test.
fn table() -> BTreeMap<String, (String, String)> {
    let text = fs::read_to_string(root().join("docs/causes.md")).unwrap();
    let mut table = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [codes, _, when, test] = cells[..] else {
            panic!("four columns: {line}");
        };
        for code in codes.split(", ") {
            let row = (when.to_owned(), test.to_owned());
            let before = table.insert(code.trim_matches('`').to_owned(), row);
            assert_eq!(before, None, "{code} has two rows");
        }
    }
    table
}

#[test]
fn every_official_cause_has_a_row_and_no_other() {
    let table = table();
    let rows: Vec<&str> = table.keys().map(String::as_str).collect();
    let mut official = OFFICIAL.to_vec();
    official.sort_unstable();
    assert_eq!(rows, official);
}

#[test]
fn what_is_said_here_has_a_sentence() {
    let has_sentence = |code: &str| Cause::ALL.iter().any(|cause| cause.code() == code);
    for (code, (_, test)) in table() {
        if test != NEVER {
            assert!(has_sentence(&code), "{code} is unknown to protocol::Cause");
        }
    }
    for cause in Cause::ALL {
        assert!(OFFICIAL.contains(&cause.code()), "{cause} is not official");
    }
}

#[test]
fn every_test_is_there_and_about_its_cause() {
    for (code, (when, test)) in table() {
        assert!(!when.is_empty(), "{code} needs a reason");
        if test == NEVER {
            continue;
        }
        let (path, name) = test.trim_matches('`').split_once("::").unwrap();
        let source = fs::read_to_string(root().join(path));
        let source = source.unwrap_or_else(|error| panic!("{path} of {code}: {error}"));
        let is_there = source.contains(&format!("fn {name}("));
        assert!(is_there, "{path} has no test {name} of {code}");
        let cause: Cause = code.parse().unwrap();
        let short = PREFIXES.iter().fold(code.as_str(), |code, prefix| {
            code.strip_prefix(prefix).unwrap_or(code)
        });
        let speaks = source.contains(&format!("Cause::{cause:?}")) || source.contains(short);
        assert!(speaks, "{path} does not speak of {code}");
    }
}
