use axum::{Router, routing::get};
use chain::Wallet;
use engine::testing;
use protocol::digest;
use tempfile::TempDir;
use worker::{agent::Attestation, inputs::Policy};

use super::*;
use crate::{environment::testing::environment, redeem::testing::job};

const KEY: &str = "0xdd3b993ec21c71c1f6d63a5240850e0d4d8dd83ff70d29e49247958548c1d479";
const ARCHIVE: [u8; 4] = *b"PK\x03\x04";
/// A minute for a container to start.
const LOOKS_MAX: u32 = 3_000;
const LOOK: Duration = Duration::from_millis(20);
const ENCRYPTED: &str = "not to be read";
/// `say` sends `$3` to the route `$1`, with `$2` to be believed; `fetch` writes what the route `$1`
/// has. By hand, as the static busybox cannot look up any host. Who hangs up before the answer is
/// not answered, so both `stay`.
const TALKS: &str = r#"
head() {
    printf '%s HTTP/1.0\r\nAuthorization: %s\r\nContent-Type: application/json\r\n' "$1" "$2"
    printf 'Content-Length: %s\r\n\r\n' "${#3}"
}
host() { nc "${WORKER_HOST%:*}" "${WORKER_HOST#*:}"; }
say() { { head "POST $1" "$2" "$3"; printf %s "$3"; stay; } | host; }
fetch() { { head "GET $1"; stay; } | host | tr -d '\r' | sed '1,/^$/d'; }
stay() { sleep 600 & }
"#;
/// Takes the encrypted dataset for the plain one; the key is there, and nothing else is.
const PREPARES: &str = r#"
test -n "$IEXEC_DATASET_KEY" && test "$IEXEC_INPUT_FILES_NUMBER" = 0 || exit 9
fetch "/${IEXEC_DATASET_URL#http://*/}" > "$IEXEC_PRE_COMPUTE_OUT/$IEXEC_DATASET_FILENAME"
ip link | grep -q eth0 && exit 7
exit 0
"#;

struct Scene {
    dir: TempDir,
    engine: Arc<dyn Engine>,
    job: Job,
    image: String,
    fingerprint: String,
}

impl Scene {
    /// A container that runs `script`. None, with the reason printed, where there is no engine.
    async fn new(test: &str, script: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let engine = testing::builtin(test, &dir.path().join("engine"))?;
        Self::on(engine, dir, test, script).await
    }

    async fn on(engine: Arc<dyn Engine>, dir: TempDir, test: &str, script: &str) -> Option<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let Ok(mut image) = testing::busybox() else {
            testing::skip(test, "no busybox");
            return None;
        };
        image.entrypoint = vec!["/bin/sh".to_owned(), "/stage.sh".to_owned()];
        image.cmd = Vec::new();
        let image = image.with_file("/stage.sh", format!("{TALKS}{script}"));
        let (archive, name) = (image.archive().unwrap(), format!("enclave/stage-{test}:1"));
        let image = engine.import(archive, &name).await.unwrap();
        let mut job = job("", Attestation::default());
        job.challenge = wallet().address();
        job.archive = dir.path().join("archive.zip");
        job.private = dir.path().join("private");
        job.app.container = format!("enclave-{}-{test}", std::process::id());
        for folder in ["in", "out"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        Some(Self {
            image: name,
            fingerprint: format!("{:#x}", B256::from(image.id.0)),
            dir,
            engine,
            job,
        })
    }

    fn stage(&self, variables: &[(&str, &str)]) -> StageEnvironment {
        let (task, worker) = (self.job.task.to_string(), self.job.worker.to_string());
        let signing = [
            ("IEXEC_TASK_ID", &*task),
            ("SIGN_WORKER_ADDRESS", &*worker),
            ("SIGN_TEE_CHALLENGE_PRIVATE_KEY", KEY),
        ];
        let all = signing.iter().chain(variables).copied();
        environment(all)
            .of_image(self.fingerprint.clone())
            .by(&self.image)
    }

    async fn pre_compute(&self, environment: StageEnvironment) -> Result<(), Vec<Failure>> {
        let never = CancellationToken::new();
        self.pre_compute_until(&never, environment).await
    }

    async fn pre_compute_until(
        &self,
        cancel: &CancellationToken,
        environment: StageEnvironment,
    ) -> Result<(), Vec<Failure>> {
        let policy = Policy {
            allow_private: true,
            ipfs_gateway: None,
        };
        let inputs = self.dir.path().join("in");
        let room = Room {
            inputs: &inputs,
            scratch: self.dir.path(),
            policy: &policy,
            deadline: Instant::now() + Duration::from_secs(60),
            bytes_max: 1_000,
        };
        self.hosted(cancel).pre_compute(environment, room).await
    }

    async fn post_compute(&self, environment: StageEnvironment) -> Result<Computed, Vec<Failure>> {
        let cancel = CancellationToken::new();
        let output = self.dir.path().join("out");
        self.hosted(&cancel)
            .post_compute(environment, &output)
            .await
    }

    fn hosted<'a>(&'a self, cancel: &'a CancellationToken) -> Hosted<'a> {
        Hosted {
            job: &self.job,
            engine: self.engine.as_ref(),
            cancel,
        }
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap().flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn wallet() -> Wallet {
    Wallet::from_key(&KEY.parse().unwrap()).unwrap()
}

fn sign(hash: B256) -> String {
    wallet().sign_message_hash(hash).unwrap().to_string()
}

/// What the container is to send with each of its calls.
fn authorization() -> String {
    let job = job("", Attestation::default());
    sign(digest::host_call(job.task, job.worker))
}

/// The last words of a container with a result.
fn computed(digest: B256) -> String {
    let job = job("", Attestation::default());
    serde_json::json!({
        "deterministic-output-path": "/iexec_out/result.txt",
        "callback-data": null,
        "task-id": job.task,
        "result-digest": digest,
        "enclave-signature": sign(digest::enclave(job.worker, job.task, digest)),
        "error-message": null,
    })
    .to_string()
}

fn archive() -> String {
    let job = job("", Attestation::default());
    serde_json::json!({ "chainTaskId": job.task, "zip": ARCHIVE }).to_string()
}

async fn serve() -> String {
    let router = Router::new()
        .route("/data.enc", get(async || ENCRYPTED))
        .route("/file", get(async || "file"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

fn causes(failures: Vec<Failure>) -> Vec<Cause> {
    failures.into_iter().map(|failure| failure.cause).collect()
}

#[tokio::test]
async fn a_container_without_network_prepares_the_inputs() {
    let Some(scene) = Scene::new("prepares", PREPARES).await else {
        return;
    };
    let url = serve().await;
    let (data, file) = (format!("{url}/data.enc"), format!("{url}/file"));
    let environment = scene.stage(&[
        ("IEXEC_PRE_COMPUTE_OUT", "/iexec_in"),
        ("IS_DATASET_REQUIRED", "true"),
        ("IEXEC_DATASET_FILENAME", "0xda"),
        ("IEXEC_DATASET_URL", &data),
        ("IEXEC_DATASET_CHECKSUM", "0x00"),
        ("IEXEC_DATASET_KEY", "a key"),
        ("IEXEC_INPUT_FILES_NUMBER", "1"),
        ("IEXEC_INPUT_FILE_URL_1", &file),
    ]);
    scene.pre_compute(environment).await.unwrap();
    let read = |name: &str| fs::read_to_string(scene.dir.path().join("in").join(name)).unwrap();
    assert_eq!(read("0xda"), ENCRYPTED);
    assert_eq!(
        read(&format!("{:#x}", digest::file(file.as_bytes()))),
        "file"
    );
    assert_eq!(scene.names(), ["engine", "in", "out", "private"]);
}

/// A worker that is killed with its agent's last words unheard must leave nothing behind.
#[tokio::test]
async fn a_container_of_docker_is_gone_when_nobody_wants_it_any_more() {
    let Some(docker) = testing::docker("unwanted").await else {
        return;
    };
    let script = "echo here > /iexec_in/here; sleep 600";
    let dir = tempfile::tempdir().unwrap();
    let Some(scene) = Scene::on(docker, dir, "unwanted", script).await else {
        return;
    };
    let environment = scene.stage(&[
        ("IS_DATASET_REQUIRED", "false"),
        ("IEXEC_INPUT_FILES_NUMBER", "0"),
    ]);
    let (cancel, here) = (CancellationToken::new(), scene.dir.path().join("in/here"));
    let seen = async {
        for _ in 0..LOOKS_MAX {
            if here.exists() {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        cancel.cancel();
    };
    let done = scene.pre_compute_until(&cancel, environment);
    let (done, ()) = tokio::join!(done, seen);
    assert_eq!(causes(done.unwrap_err()), [Cause::AbortedByWorker]);
    let left = scene.engine.sweep(&scene.job.app.container).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn what_a_container_says_is_why_it_failed() {
    let causes_told = r#"[{"cause":"PRE_COMPUTE_DATASET_URL_MISSING","message":"none"},
        {"cause":"PRE_COMPUTE_INVALID_DATASET_CHECKSUM","message":"other"}]"#;
    let script = format!(
        "say \"/compute/pre/$IEXEC_TASK_ID/exit-causes\" {} '{causes_told}'\n\
         exit 1\n",
        authorization()
    );
    let Some(scene) = Scene::new("says", &script).await else {
        return;
    };
    let environment = scene.stage(&[
        ("IS_DATASET_REQUIRED", "false"),
        ("IEXEC_INPUT_FILES_NUMBER", "0"),
    ]);
    let failures = scene.pre_compute(environment).await.unwrap_err();
    let told = [
        Cause::PreDatasetUrlMissing,
        Cause::PreInvalidDatasetChecksum,
    ];
    assert_eq!(causes(failures), told);
}

#[tokio::test]
async fn a_container_closes_the_result() {
    let digest = B256::repeat_byte(7);
    let script = format!(
        "test \"$RESULT_STORAGE_PROXY\" = \"http://$WORKER_HOST\" || exit 9\n\
         echo in clear > \"$TMPDIR/packed\" || exit 8\n\
         say /v1/results \"$RESULT_STORAGE_TOKEN\" '{}'\n\
         say \"/compute/post/$IEXEC_TASK_ID/computed\" {} '{}'\n",
        archive(),
        authorization(),
        computed(digest)
    );
    let Some(scene) = Scene::new("closes", &script).await else {
        return;
    };
    let token = [
        ("RESULT_STORAGE_CALLBACK", "false"),
        ("RESULT_STORAGE_PROVIDER", "ipfs"),
        ("RESULT_STORAGE_TOKEN", "a.b.c"),
        ("RESULT_STORAGE_PROXY", "http://203.0.113.1"),
    ];
    let computed = scene.post_compute(scene.stage(&token)).await.unwrap();
    assert_eq!((computed.digest, computed.signature.len()), (digest, 65));
    assert_eq!(fs::read(&scene.job.archive).unwrap(), ARCHIVE);
    let packed = scene.job.private.join(TEMPORARY).join("packed");
    assert_eq!(fs::read_to_string(packed).unwrap(), "in clear\n");
}

#[tokio::test]
async fn a_container_that_says_nothing_has_no_result() {
    let Some(scene) = Scene::new("silent", "exit 0\n").await else {
        return;
    };
    let callback = [("RESULT_STORAGE_CALLBACK", "true")];
    let failures = scene.post_compute(scene.stage(&callback)).await;
    let silent = [Cause::SendComputedFileFailed];
    assert_eq!(causes(failures.unwrap_err()), silent);
    let dropbox = [("RESULT_STORAGE_PROVIDER", "dropbox")];
    let failures = scene.post_compute(scene.stage(&dropbox)).await;
    assert_eq!(causes(failures.unwrap_err()), [Cause::DropboxUploadFailed]);
}

#[tokio::test]
async fn no_other_image_gets_the_stages_secrets() {
    let Some(scene) = Scene::new("other", "exit 0\n").await else {
        return;
    };
    for fingerprint in [format!("{:#x}", B256::repeat_byte(9)), String::new()] {
        let environment = scene.stage(&[]).of_image(fingerprint.clone());
        let failures = scene.pre_compute(environment).await.unwrap_err();
        assert_eq!(causes(failures), [Cause::PreImageMissing], "{fingerprint}");
        let environment = scene.stage(&[]).of_image(fingerprint);
        let failures = scene.post_compute(environment).await.unwrap_err();
        assert_eq!(causes(failures), [Cause::PostImageMissing]);
    }
}
