use std::{path::Path, sync::Mutex};

use async_trait::async_trait;
use engine::testing;
use protocol::B256;
use tempfile::TempDir;
use worker::agent::{Attestation, Reason};

use super::*;
use crate::{environment::testing::environment, redeem::testing::job};

const APP_SECRET: &str = "canary of the developer";
const KEY: &str = "0xdd3b993ec21c71c1f6d63a5240850e0d4d8dd83ff70d29e49247958548c1d479";
const CHALLENGE: &str = "0x9605a0B32a4b9bbE41043459ef4d1507600C10B1";
const RESULT: &str = r#"echo "$IEXEC_APP_DEVELOPER_SECRET" > /iexec_out/result.txt
    echo '{"deterministic-output-path":"/iexec_out/result.txt"}' > /iexec_out/computed.json
    echo done"#;

/// A session that was opened already.
struct Opened {
    app: B256,
    refused: Option<Stage>,
    asked: Mutex<Vec<Stage>>,
}

#[async_trait]
impl Stages for Opened {
    async fn open(&self, stage: Stage) -> Result<StageEnvironment, Failure> {
        self.asked.lock().unwrap().push(stage);
        if self.refused == Some(stage) {
            return Err(Failure::plain(Cause::TeePreparationFailed));
        }
        let job = job("", Attestation::default());
        let (task, worker) = (job.task.to_string(), job.worker.to_string());
        let variables: Vec<(&str, &str)> = match stage {
            Stage::PreCompute => vec![
                ("IEXEC_PRE_COMPUTE_OUT", "/iexec_in"),
                ("IS_DATASET_REQUIRED", "false"),
                ("IEXEC_INPUT_FILES_NUMBER", "0"),
            ],
            Stage::App => vec![
                ("IEXEC_IN", "/iexec_in"),
                ("IEXEC_OUT", "/iexec_out"),
                ("IEXEC_APP_DEVELOPER_SECRET", APP_SECRET),
            ],
            Stage::PostCompute => vec![
                ("IEXEC_TASK_ID", &task),
                ("SIGN_WORKER_ADDRESS", &worker),
                ("SIGN_TEE_CHALLENGE_PRIVATE_KEY", KEY),
                ("RESULT_ENCRYPTION", "false"),
                ("RESULT_STORAGE_CALLBACK", "false"),
            ],
        };
        Ok(environment(variables).of_image(format!("{:#x}", self.app)))
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<Frame>>, CancellationToken);

impl Voice for Heard {
    fn say(&self, frame: Frame) {
        if matches!(&frame, Frame::Output { text, .. } if text.contains("running")) {
            self.1.cancel();
        }
        self.0.lock().unwrap().push(frame);
    }
}

struct Scene {
    dir: TempDir,
    engine: Arc<dyn Engine>,
    image: B256,
    name: String,
}

impl Scene {
    /// None, with the reason printed, where there is no engine.
    async fn new(test: &str) -> Option<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let engine = testing::builtin(test, &dir.path().join("engine"))?;
        let image = match testing::busybox() {
            Ok(image) => image.archive().unwrap(),
            Err(reason) => {
                testing::skip(test, &reason);
                return None;
            }
        };
        let image = engine.import(image, "enclave/test:1").await.unwrap();
        Some(Self {
            image: B256::from(image.id.0),
            name: format!("enclave-{}-{test}", std::process::id()),
            dir,
            engine,
        })
    }

    fn job(&self, script: &str) -> Job {
        let mut job = job("", Attestation::default());
        job.challenge = CHALLENGE.parse().unwrap();
        job.private = self.dir.path().join("private");
        job.scratch = self.dir.path().to_owned();
        job.archive = self.dir.path().join("archive.zip");
        job.app.container.clone_from(&self.name);
        job.app.image = "enclave/test:1".into();
        job.app.checksum = self.image;
        job.app.args = vec![script.to_owned()];
        job
    }

    fn opened(&self) -> Opened {
        Opened {
            app: self.image,
            refused: None,
            asked: Mutex::default(),
        }
    }

    async fn run(&self, job: Job, stages: &Opened) -> Vec<Frame> {
        let heard = Heard::default();
        let agent = Agent {
            job,
            stages,
            engine: self.engine.clone(),
            voice: &heard,
            cancel: heard.1.clone(),
        };
        agent.run().await;
        assert!(!self.dir.path().join("private").exists());
        assert_eq!(self.engine.sweep(&self.name).await.unwrap(), 0);
        heard.0.into_inner().unwrap()
    }
}

fn failed(frames: &[Frame]) -> (Stage, Vec<Cause>) {
    match frames.last() {
        Some(Frame::Failed { stage, reasons }) => {
            (*stage, reasons.iter().map(|reason| reason.cause).collect())
        }
        other => panic!("{other:?}"),
    }
}

fn unzip(archive: &Path, name: &str) -> String {
    let file = std::fs::File::open(archive).unwrap();
    let mut zip = zip::ZipArchive::new(file).unwrap();
    std::io::read_to_string(zip.by_name(name).unwrap()).unwrap()
}

#[tokio::test]
async fn the_app_gets_its_secret_and_the_result_is_signed() {
    let Some(scene) = Scene::new("the_app_gets_its_secret").await else {
        return;
    };
    let stages = scene.opened();
    let job = scene.job(RESULT);
    let archive = job.archive.clone();
    let frames = scene.run(job, &stages).await;
    let asked = stages.asked.into_inner().unwrap();
    assert_eq!(asked, [Stage::PreCompute, Stage::App, Stage::PostCompute]);
    let Some(Frame::Done { signature, .. }) = frames.last() else {
        panic!("{frames:?}");
    };
    assert_eq!(signature.len(), 65);
    let ran = Frame::Ran {
        exit_code: Some(0),
        failure: None,
    };
    assert!(frames.contains(&ran), "{frames:?}");
    assert_eq!(unzip(&archive, "result.txt").trim(), APP_SECRET);
    assert_eq!(unzip(&archive, "stdout.txt"), "done\n");
    let told = format!("{frames:?}");
    assert!(
        !told.contains(APP_SECRET) && !told.contains(&KEY[2..]),
        "{told}"
    );
}

#[tokio::test]
async fn a_stage_that_is_refused_is_the_last() {
    let Some(scene) = Scene::new("a_stage_that_is_refused").await else {
        return;
    };
    for (refused, number) in [
        (Stage::PreCompute, 1),
        (Stage::App, 2),
        (Stage::PostCompute, 3),
    ] {
        let stages = Opened {
            refused: Some(refused),
            ..scene.opened()
        };
        let frames = scene.run(scene.job(RESULT), &stages).await;
        assert_eq!(
            failed(&frames),
            (refused, vec![Cause::TeePreparationFailed])
        );
        assert_eq!(stages.asked.lock().unwrap().len(), number);
    }
}

#[tokio::test]
async fn an_app_that_fails_has_its_exit_code_and_no_result() {
    let Some(scene) = Scene::new("an_app_that_fails").await else {
        return;
    };
    let frames = scene.run(scene.job("exit 3"), &scene.opened()).await;
    match frames.last() {
        Some(Frame::Ran {
            exit_code: Some(3),
            failure: Some(Reason { cause, .. }),
        }) => assert_eq!(*cause, Cause::AppComputeFailed),
        other => panic!("{other:?}"),
    }
    let frames = scene
        .run(scene.job("echo no result"), &scene.opened())
        .await;
    let expected = (Stage::PostCompute, vec![Cause::ComputedFileNotFound]);
    assert_eq!(failed(&frames), expected);
}

#[tokio::test]
async fn a_session_for_another_image_runs_nothing() {
    let Some(scene) = Scene::new("a_session_for_another_image").await else {
        return;
    };
    let stages = Opened {
        app: B256::ZERO,
        ..scene.opened()
    };
    let frames = scene.run(scene.job(RESULT), &stages).await;
    let expected = (Stage::App, vec![Cause::TeePreparationFailed]);
    assert_eq!(failed(&frames), expected);
}

#[tokio::test]
async fn a_cancelled_task_leaves_nothing() {
    let Some(scene) = Scene::new("a_cancelled_task").await else {
        return;
    };
    let job = scene.job("echo running; sleep 600");
    let frames = scene.run(job, &scene.opened()).await;
    let is_result = |frame: &Frame| matches!(frame, Frame::Done { .. } | Frame::Failed { .. });
    assert!(!frames.iter().any(is_result), "{frames:?}");
}

#[test]
fn only_secrets_are_handled_as_secrets() {
    for name in [
        "IEXEC_APP_DEVELOPER_SECRET",
        "IEXEC_APP_DEVELOPER_SECRET_1",
        "IEXEC_REQUESTER_SECRET_7",
    ] {
        assert!(is_secret(name), "{name}");
    }
    assert!(!is_secret("IEXEC_OUT") && !is_secret("IEXEC_TASK_ID"));
}
