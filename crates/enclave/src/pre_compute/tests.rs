use std::time::Duration;

use axum::{Router, routing::get};

use super::*;
use crate::environment::testing::environment;

const CONTENT: &[u8] = include_bytes!("../../../sdk/vectors/dataset/binary1000.plain.bin");
const ENCRYPTED: &[u8] = include_bytes!("../../../sdk/vectors/dataset/binary1000.enc.bin");
const KEY: &str = "56ggkQfJ8YPSDnotSdzbCYLILUi2RXRk7lVYlF2TzSs=";
const CHECKSUM: &str = "0x05f3b868b38fc3709f3a121129485011400bb3ce485b807bc852d98cb480f3b0";
const NAME: &str = "0x3eca1b216a7df1c7689aeb259ffb83adfb894e7f";

/// Serves the encrypted dataset and a plain file; also as an IPFS gateway.
async fn serve() -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let router = Router::new()
        .route("/data.enc", get(async || ENCRYPTED))
        .route("/ipfs/{cid}", get(async || ENCRYPTED))
        .route("/file", get(async || "file"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

/// What the secret manager says of a task without dataset and files.
fn nothing() -> Vec<(String, String)> {
    pairs(&[
        ("IEXEC_PRE_COMPUTE_OUT", "/iexec_in"),
        ("IS_DATASET_REQUIRED", "false"),
        ("IEXEC_INPUT_FILES_NUMBER", "0"),
    ])
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    all.iter().map(own).collect()
}

fn dataset(prefix: &str, name: &str, url: &str) -> Vec<(String, String)> {
    let named = |field, value: &str| (format!("{prefix}_{field}"), value.to_owned());
    vec![
        named("FILENAME", name),
        named("URL", url),
        named("CHECKSUM", CHECKSUM),
        named("KEY", KEY),
    ]
}

struct Done {
    dir: tempfile::TempDir,
    result: Result<(), Vec<Failure>>,
}

impl Done {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.dir.path().join("in").join(name))
    }

    fn causes(&self) -> Vec<Cause> {
        let failures = self.result.as_ref().err().into_iter().flatten();
        failures.map(|failure| failure.cause).collect()
    }

    fn names(&self) -> usize {
        fs::read_dir(self.dir.path().join("in")).unwrap().count()
    }
}

/// `changes` over a task with nothing to fetch; an empty value is a missing one.
async fn run_within(bytes_max: u64, origin: &str, changes: Vec<(String, String)>) -> Done {
    let dir = tempfile::tempdir().unwrap();
    let inputs = dir.path().join("in");
    fs::create_dir(&inputs).unwrap();
    let policy = Policy {
        allow_private: true,
        ipfs_gateway: Some(origin.to_owned()),
    };
    let room = Room {
        inputs: &inputs,
        scratch: dir.path(),
        policy: &policy,
        deadline: Instant::now() + Duration::from_secs(2),
        bytes_max,
    };
    let all = nothing().into_iter().chain(changes);
    let result = pre_compute(&environment(all), room).await;
    assert!(!dir.path().join(DOWNLOAD).exists());
    Done { dir, result }
}

async fn run(origin: &str, changes: Vec<(String, String)>) -> Done {
    run_within(1 << 20, origin, changes).await
}

#[tokio::test]
async fn a_dataset_is_decrypted_under_its_name() {
    let origin = serve().await;
    for url in [&format!("{origin}/data.enc"), "/ipfs/Qm1", "/p2p/Qm1"] {
        let mut all = dataset("IEXEC_DATASET", NAME, url);
        all.extend(pairs(&[("IS_DATASET_REQUIRED", "true")]));
        let done = run(&origin, all).await;
        assert_eq!(done.result, Ok(()));
        assert_eq!(done.read(NAME).unwrap(), CONTENT);
    }
}

#[tokio::test]
async fn a_bulk_is_decrypted_and_files_are_named_by_their_url() {
    let origin = serve().await;
    let url = format!("{origin}/data.enc");
    let file = format!("{origin}/file");
    let mut all = dataset("IEXEC_DATASET_1", "first", &url);
    all.extend(dataset("IEXEC_DATASET_2", "second", &url));
    all.extend(pairs(&[
        ("IEXEC_BULK_SLICE_SIZE", "2"),
        ("IEXEC_INPUT_FILES_NUMBER", "1"),
        ("IEXEC_INPUT_FILE_URL_1", &file),
    ]));
    let done = run(&origin, all).await;
    assert_eq!(done.result, Ok(()));
    assert_eq!(done.read("first").unwrap(), CONTENT);
    assert_eq!(done.read("second").unwrap(), CONTENT);
    let name = format!("{:#x}", digest::file(file.as_bytes()));
    assert_eq!(done.read(&name).unwrap(), b"file");
}

#[tokio::test]
async fn each_variable_that_is_missing_has_its_cause() {
    let origin = serve().await;
    let url = format!("{origin}/data.enc");
    for (name, cause) in [
        ("IEXEC_PRE_COMPUTE_OUT", Cause::PreOutputPathMissing),
        ("IS_DATASET_REQUIRED", Cause::PreIsDatasetRequiredMissing),
        ("IEXEC_DATASET_URL", Cause::PreDatasetUrlMissing),
        ("IEXEC_DATASET_KEY", Cause::PreDatasetKeyMissing),
        ("IEXEC_DATASET_CHECKSUM", Cause::PreDatasetChecksumMissing),
        ("IEXEC_DATASET_FILENAME", Cause::PreDatasetFilenameMissing),
        (
            "IEXEC_INPUT_FILES_NUMBER",
            Cause::PreInputFilesNumberMissing,
        ),
        ("IEXEC_INPUT_FILE_URL_1", Cause::PreInputFileUrlMissing),
    ] {
        let mut all = dataset("IEXEC_DATASET", NAME, &url);
        let file = format!("{origin}/file");
        all.extend(pairs(&[
            ("IS_DATASET_REQUIRED", "true"),
            ("IEXEC_INPUT_FILES_NUMBER", "1"),
            ("IEXEC_INPUT_FILE_URL_1", &file),
            (name, ""),
        ]));
        let done = run(&origin, all).await;
        assert_eq!(done.causes(), [cause], "{name}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_one_input_does_not_hide_the_others() {
    let origin = serve().await;
    let url = format!("{origin}/data.enc");
    let mut all = dataset("IEXEC_DATASET_1", "good", &url);
    all.extend(dataset("IEXEC_DATASET_2", "checksum", &url));
    all.extend(dataset("IEXEC_DATASET_3", "key", &url));
    all.extend(dataset(
        "IEXEC_DATASET_4",
        "gone",
        &format!("{origin}/gone"),
    ));
    all.extend(dataset("IEXEC_DATASET_5", "../escape", &url));
    all.extend(dataset("IEXEC_DATASET_6", "good", &url));
    let other = "vE2TnltGv8cAzC7UPbuiNV7PIrVUNN0P495m3bGoaYc=";
    let missing = format!("{origin}/gone");
    all.extend(pairs(&[
        ("IEXEC_BULK_SLICE_SIZE", "6"),
        (
            "IEXEC_DATASET_2_CHECKSUM",
            &CHECKSUM.replace("0x05", "0x06"),
        ),
        ("IEXEC_DATASET_3_KEY", other),
        ("IEXEC_INPUT_FILES_NUMBER", "1"),
        ("IEXEC_INPUT_FILE_URL_1", &missing),
    ]));
    let done = run(&origin, all).await;
    assert_eq!(
        done.causes(),
        [
            Cause::PreInvalidDatasetChecksum,
            Cause::PreDatasetDecryptionFailed,
            Cause::PreDatasetDownloadFailed,
            Cause::PreSavingPlainDatasetFailed,
            Cause::PreSavingPlainDatasetFailed,
            Cause::PreInputFileDownloadFailed,
        ]
    );
    assert_eq!(done.read("good").unwrap(), CONTENT);
    assert_eq!(done.names(), 1);
    let told = format!("{:?}", done.result);
    assert!(!told.contains(KEY) && !told.contains(other), "{told}");
}

#[tokio::test]
async fn no_folder_and_too_many_datasets() {
    let origin = serve().await;
    let dir = tempfile::tempdir().unwrap();
    let policy = Policy::default();
    let room = Room {
        inputs: &dir.path().join("nothing"),
        scratch: dir.path(),
        policy: &policy,
        deadline: Instant::now(),
        bytes_max: 0,
    };
    let failures = pre_compute(&environment(nothing()), room)
        .await
        .unwrap_err();
    assert_eq!(failures[0].cause, Cause::PreOutputFolderNotFound);
    let size = (DATASETS_MAX + 1).to_string();
    let done = run(&origin, pairs(&[("IEXEC_BULK_SLICE_SIZE", &size)])).await;
    assert_eq!(done.causes(), [Cause::PreComputeUnknown]);
}

#[tokio::test]
async fn inputs_have_a_limit_together() {
    let origin = serve().await;
    let file = format!("{origin}/file");
    let all = pairs(&[
        ("IEXEC_INPUT_FILES_NUMBER", "2"),
        ("IEXEC_INPUT_FILE_URL_1", &file),
        ("IEXEC_INPUT_FILE_URL_2", &format!("{file}?again")),
    ]);
    let done = run_within(7, &origin, all).await;
    assert_eq!(done.causes(), [Cause::PreInputFileDownloadFailed]);
    assert_eq!(done.names(), 1);
}

#[tokio::test]
async fn neither_dataset_nor_file_comes_from_a_private_address() {
    let origin = serve().await;
    let dir = tempfile::tempdir().unwrap();
    let policy = Policy::default();
    let room = Room {
        inputs: dir.path(),
        scratch: dir.path(),
        policy: &policy,
        deadline: Instant::now() + Duration::from_secs(2),
        bytes_max: 1 << 20,
    };
    let file = format!("{origin}/file");
    let mut all = nothing();
    all.extend(dataset(
        "IEXEC_DATASET",
        NAME,
        &format!("{origin}/data.enc"),
    ));
    all.extend(pairs(&[
        ("IS_DATASET_REQUIRED", "true"),
        ("IEXEC_INPUT_FILES_NUMBER", "1"),
        ("IEXEC_INPUT_FILE_URL_1", &file),
    ]));
    let failures = pre_compute(&environment(all), room).await.unwrap_err();
    for failure in &failures {
        assert!(
            failure.message.contains("not a public address"),
            "{failure}"
        );
    }
    assert_eq!(failures.len(), 2);
}
