//! The agent's work: pre-compute, the app, post-compute, in this order, each told as it begins.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{Engine, Secret};
use protocol::{Cause, message::Stream};
use tokio_util::sync::CancellationToken;
use worker::{
    Failure,
    agent::{Frame, Job, Stage},
    printed::Observer,
    sandbox::{self, Folders, Run},
};

use crate::{
    environment::StageEnvironment,
    hosted::Hosted,
    post_compute::{Computed, Place, post_compute},
    pre_compute::{Room, pre_compute},
    stages::Stages,
    steps::{abortable, pull},
};

/// Bytes of a task's inputs in clear. They are in memory: a task that needs more would take it from
/// all the others.
const PRIVATE_BYTES_MAX: u64 = 2 << 30;
/// Told before the app's own output when the platform is simulated.
const SIMULATED: &str = "SIMULATED TEE: nothing protects this task from whoever runs it\n";
/// How the names of the variables begin that are secret.
const SECRETS: [&str; 2] = ["IEXEC_APP_DEVELOPER_SECRET", "IEXEC_REQUESTER_SECRET_"];

/// Takes what the agent says. Nobody answers.
pub(crate) trait Voice: Send + Sync {
    /// One frame; lost when nobody listens any more.
    fn say(&self, frame: Frame);
}

/// A task and everything that is needed for it.
pub(crate) struct Agent<'a> {
    /// What to do.
    pub(crate) job: Job,
    /// Where stages are opened.
    pub(crate) stages: &'a dyn Stages,
    /// Who runs the app.
    pub(crate) engine: Arc<dyn Engine>,
    /// Who listens.
    pub(crate) voice: &'a dyn Voice,
    /// The worker wants no more of it.
    pub(crate) cancel: CancellationToken,
}

/// What went wrong, and when; none when it was told already.
type Stopped = Option<(Stage, Vec<Failure>)>;

impl Agent<'_> {
    /// Does the whole task. How it went is told through the voice.
    pub(crate) async fn run(&self) {
        match self.steps().await {
            Ok(computed) => self.voice.say(Frame::Done {
                digest: computed.digest,
                callback_data: computed.callback_data,
                signature: computed.signature,
            }),
            Err(None) => {}
            Err(Some((stage, failures))) => {
                let reasons = failures.into_iter().map(Into::into).collect();
                self.voice.say(Frame::Failed { stage, reasons });
            }
        }
    }

    async fn steps(&self) -> Result<Computed, Stopped> {
        let folders = Folders::create(&self.job.private);
        let folders = folders.map_err(|e| {
            let failure = Failure::from_error(Cause::PreOutputFolderNotFound, &e);
            Some((Stage::PreCompute, vec![failure]))
        })?;
        if self.job.has_inputs {
            let fetched = self.inputs(&folders).await;
            fetched.map_err(|failures| self.stopped(Stage::PreCompute, failures))?;
        }
        self.app(&folders).await?;
        let ended = self.result(folders).await;
        ended.map_err(|failures| self.stopped(Stage::PostCompute, failures))
    }

    /// Nobody wants to hear of a task that was cancelled.
    fn stopped(&self, stage: Stage, failures: Vec<Failure>) -> Stopped {
        (!self.cancel.is_cancelled()).then_some((stage, failures))
    }

    async fn open(&self, stage: Stage) -> Result<StageEnvironment, Failure> {
        self.voice.say(Frame::Began { stage });
        self.stages.open(stage).await
    }

    async fn inputs(&self, folders: &Folders) -> Result<(), Vec<Failure>> {
        let opened = abortable(&self.cancel, self.open(Stage::PreCompute)).await?;
        let environment = opened.map_err(|failure| vec![failure])?;
        let room = Room {
            inputs: &folders.input(),
            scratch: &self.job.scratch,
            policy: &self.job.policy,
            deadline: Instant::now() + Duration::from_secs(self.job.inputs_s),
            bytes_max: PRIVATE_BYTES_MAX,
        };
        match environment.image() {
            Some(_) => self.hosted().pre_compute(environment, room).await,
            None => abortable(&self.cancel, pre_compute(&environment, room)).await?,
        }
    }

    fn hosted(&self) -> Hosted<'_> {
        Hosted {
            job: &self.job,
            engine: self.engine.as_ref(),
            cancel: &self.cancel,
        }
    }

    async fn app(&self, folders: &Folders) -> Result<(), Stopped> {
        let prepared = abortable(&self.cancel, self.prepare()).await;
        let prepared = prepared.and_then(|done| done.map_err(|failure| vec![failure]));
        let run = prepared.map_err(|failures| self.stopped(Stage::App, failures))?;
        if self.job.attestation.simulator.is_some() {
            self.output(Stream::Stderr, SIMULATED);
        }
        let told = Told(self.voice);
        let cancel = self.cancel.clone();
        let ran = sandbox::run(self.engine.as_ref(), folders, run, told, cancel).await;
        if self.cancel.is_cancelled() {
            return Err(None);
        }
        let (exit_code, failure) = match ran {
            Ok(ran) => {
                let failure = ran.failure_without_result(&folders.output());
                (Some(ran.exit.code), failure)
            }
            Err(error) => (None, Some(Failure::of_engine(&error))),
        };
        let is_over = failure.is_some();
        let failure = failure.map(Into::into);
        self.voice.say(Frame::Ran { exit_code, failure });
        match is_over {
            true => Err(None),
            false => Ok(()),
        }
    }

    fn output(&self, stream: Stream, text: &str) {
        let text = text.to_owned();
        self.voice.say(Frame::Output { stream, text });
    }

    /// The app's stage and its image, which has to be the one that the secret manager means.
    async fn prepare(&self) -> Result<Run, Failure> {
        let app = &self.job.app;
        let environment = self.open(Stage::App).await?;
        if environment.fingerprint() != format!("{:#x}", app.checksum) {
            let message = "the session is for another image";
            return Err(Failure::new(Cause::TeePreparationFailed, message));
        }
        let (engine, cause) = (self.engine.as_ref(), Cause::AppNotFoundLocally);
        let image = pull(engine, &app.image, app.checksum, app.is_local, cause).await?;
        let run = Run {
            name: app.container.clone(),
            image,
            args: app.args.clone(),
            env: Vec::new(),
            secrets: Vec::new(),
            limits: app.limits,
            deadline: Duration::from_secs(app.seconds),
            network: app.reach.clone().into(),
            gpus: app.gpus,
        };
        Ok(with_variables(run, environment))
    }

    /// The folders are gone before the result is told.
    async fn result(&self, folders: Folders) -> Result<Computed, Vec<Failure>> {
        let opened = abortable(&self.cancel, self.open(Stage::PostCompute)).await?;
        let environment = opened.map_err(|failure| vec![failure])?;
        match environment.image() {
            Some(_) => {
                let hosted = self.hosted();
                hosted.post_compute(environment, &folders.output()).await
            }
            None => {
                let closing = self.close(environment, folders);
                let computed = abortable(&self.cancel, closing).await?;
                computed.map_err(|failure| vec![failure])
            }
        }
    }

    async fn close(
        &self,
        environment: StageEnvironment,
        folders: Folders,
    ) -> Result<Computed, Failure> {
        let (private, archive) = (self.job.private.clone(), self.job.archive.clone());
        let challenge = self.job.challenge;
        let work = move || {
            let place = Place {
                output: &folders.output(),
                private: &private,
                archive: &archive,
                challenge,
            };
            post_compute(&environment, place)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|_| Err(Failure::plain(Cause::PostComputeUnknown)))
    }
}

/// The only place where secrets are handed to the engine.
fn with_variables(mut run: Run, environment: StageEnvironment) -> Run {
    for (name, value) in environment.into_variables() {
        match is_secret(&name) {
            true => run.secrets.push((name, Secret::new(value.to_string()))),
            false => run.env.push((name, value.to_string())),
        }
    }
    run
}

/// Whether a variable of the app's stage is somebody's secret.
fn is_secret(name: &str) -> bool {
    SECRETS.iter().any(|prefix| name.starts_with(prefix))
}

struct Told<'a>(&'a dyn Voice);

impl Observer for Told<'_> {
    fn output(&mut self, stream: Stream, text: &str) {
        let text = text.to_owned();
        self.0.say(Frame::Output { stream, text });
    }

    fn progress(&mut self, percent: u8) {
        self.0.say(Frame::Progress { percent });
    }
}

#[cfg(test)]
mod tests;
