//! Stages around the app that a container does and not our own code: the official pre- and
//! post-compute, where the secret manager names an image for them (spec/secrets-tee.md §2.2-2.5).
//!
//! Such a container has no network. What it needs is fetched for it, what it makes is uploaded for
//! it, and the only server that it reaches is the host API on its own loopback.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{Bind, Engine, Exit, Image, Loopback, RunSpec, Secret};
use protocol::{
    B256, Cause,
    environment::{IN, OUT},
};
use tokio_util::sync::CancellationToken;
use worker::{
    Failure,
    agent::{Job, Stage},
};
use zeroize::Zeroizing;

use crate::{
    environment::StageEnvironment,
    host_api::{self, ADDRESS, Files, Guest, Host, PORT, VARIABLES},
    post_compute::Computed,
    pre_compute::{Download, Room, download},
    steps::{abortable, pull},
};

/// How the names of the variables end that are secret: keys of datasets and the enclave's, tokens.
const SECRETS: [&str; 2] = ["_KEY", "_TOKEN"];
/// A folder in the private one: the official post-compute packs a result in clear before it
/// encrypts it, which must not touch the disk under the container.
const TEMPORARY: &str = "temporary";
/// The same in the container.
const IN_TEMPORARY: &str = "/iexec_tmp";

/// A task whose stages are done by containers.
pub(crate) struct Hosted<'a> {
    /// The task.
    pub(crate) job: &'a Job,
    /// Who runs the containers.
    pub(crate) engine: &'a dyn Engine,
    /// The worker wants no more of it.
    pub(crate) cancel: &'a CancellationToken,
}

/// How a container is run.
struct Setting {
    image: Image,
    environment: StageEnvironment,
    bind: Bind,
    deadline: Duration,
}

impl Hosted<'_> {
    /// Has all inputs put into the task's folder.
    ///
    /// # Errors
    /// What the container says, with the official causes, or why it could not be run.
    pub(crate) async fn pre_compute(
        &self,
        mut environment: StageEnvironment,
        room: Room<'_>,
    ) -> Result<(), Vec<Failure>> {
        let image = self.image(&environment, Cause::PreImageMissing).await?;
        let downloads = abortable(self.cancel, download(&environment, room)).await??;
        let closed = |e| vec![Failure::from_error(Cause::PreOutputFolderNotFound, &e)];
        open_to_all(room.inputs).map_err(closed)?;
        point_at(&mut environment, &downloads);
        let datasets: Vec<PathBuf> = downloads.into_iter().map(|one| one.file).collect();
        let files = Files {
            datasets: datasets.clone(),
            ..Files::default()
        };
        let setting = Setting {
            image,
            environment,
            bind: Bind::writable(room.inputs, IN),
            deadline: room.deadline.saturating_duration_since(Instant::now()),
        };
        let host = Host::new(self.guest(Stage::PreCompute, false, None), files);
        let done = self.run(host, setting, Cause::PreComputeUnknown).await;
        for file in datasets {
            let _ = fs::remove_file(file);
        }
        done.map(drop)
    }

    /// Has the result in `output` judged, signed and packed.
    ///
    /// # Errors
    /// As [`Self::pre_compute`].
    pub(crate) async fn post_compute(
        &self,
        mut environment: StageEnvironment,
        output: &Path,
    ) -> Result<Computed, Vec<Failure>> {
        if environment.get("RESULT_STORAGE_PROVIDER") == Some("dropbox") {
            return Err(vec![Failure::plain(Cause::DropboxUploadFailed)]);
        }
        let image = self.image(&environment, Cause::PostImageMissing).await?;
        let flag = environment.flag("RESULT_STORAGE_CALLBACK");
        let has_callback = flag.map_err(|failure| vec![failure])?;
        let token = environment.get("RESULT_STORAGE_TOKEN");
        let token = token.map(|token| Zeroizing::new(token.to_owned()));
        let token = token.filter(|_| !has_callback);
        environment.set("RESULT_STORAGE_PROXY", format!("http://{ADDRESS}"));
        let files = Files {
            archive: self.job.archive.clone(),
            ..Files::default()
        };
        let setting = Setting {
            image,
            environment,
            bind: Bind::writable(output, OUT),
            deadline: Duration::from_secs(self.job.app.seconds),
        };
        let host = Host::new(self.guest(Stage::PostCompute, has_callback, token), files);
        let unknown = Cause::PostComputeUnknown;
        let computed = self.run(host, setting, unknown).await?;
        computed.ok_or_else(|| vec![Failure::plain(unknown)])
    }

    fn guest(&self, stage: Stage, has_callback: bool, token: Option<Zeroizing<String>>) -> Guest {
        Guest {
            task: self.job.task,
            worker: self.job.worker,
            challenge: self.job.challenge,
            stage,
            has_callback,
            token,
        }
    }

    async fn image(
        &self,
        environment: &StageEnvironment,
        cause: Cause,
    ) -> Result<Image, Vec<Failure>> {
        let name = environment.image().unwrap_or_default();
        let digest: Result<B256, _> = environment.fingerprint().parse();
        let digest = digest.map_err(|_| {
            let reason = format!("{name} has no fingerprint");
            vec![Failure::new(cause, reason)]
        })?;
        let pulled = pull(self.engine, name, digest, self.job.app.is_local, cause);
        let pulled = abortable(self.cancel, pulled).await?;
        pulled.map_err(|failure| vec![failure])
    }

    async fn run(
        &self,
        host: Host,
        setting: Setting,
        unknown: Cause,
    ) -> Result<Option<Computed>, Vec<Failure>> {
        let host = Arc::new(host);
        let ended = self.container(Arc::clone(&host), setting, unknown).await;
        let exit = ended.map_err(|failure| vec![failure])?;
        host.judge(exit.code, exit.reason)
    }

    /// Ends with the container, also when nobody wants it any more. Its output is for nobody: it
    /// may tell what the worker must not know.
    async fn container(
        &self,
        host: Arc<Host>,
        setting: Setting,
        unknown: Cause,
    ) -> Result<Exit, Failure> {
        let temporary = self.job.private.join(TEMPORARY);
        let made = fs::create_dir_all(&temporary).and_then(|()| open_to_all(&temporary));
        made.map_err(|e| Failure::from_error(unknown, &e))?;
        let (loopback, listener) = Loopback::new(PORT);
        let name = self.job.app.container.clone();
        let mut spec = RunSpec::new(name, setting.image, setting.deadline);
        spec.limits = self.job.app.limits;
        spec.binds = vec![setting.bind, Bind::writable(temporary, IN_TEMPORARY)];
        spec.loopback = Some(loopback);
        let spec = with_variables(spec, setting.environment);
        let over = CancellationToken::new();
        let running = async {
            let (logs, _) = engine::log_channel();
            let exit = self.engine.run(spec, logs, self.cancel.clone()).await;
            over.cancel();
            exit
        };
        let serving = async {
            // Without a container there is never a listener, and nobody to serve.
            let listener = listener.await.ok()?;
            host_api::serve(listener, host, over.clone()).await.err()
        };
        let (exit, unserved) = tokio::join!(running, serving);
        match unserved {
            Some(error) => Err(Failure::from_error(unknown, &error)),
            None => exit.map_err(|e| Failure::from_error(unknown, &e)),
        }
    }
}

/// For containers with a user of their own; nobody else gets through the closed folder around it.
fn open_to_all(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777))
}

/// Lets a container look for its datasets where they are served to it. The input files are in
/// their place: there is none to fetch.
fn point_at(environment: &mut StageEnvironment, downloads: &[Download]) {
    environment.set("IEXEC_INPUT_FILES_NUMBER", "0");
    for (number, Download { prefix, .. }) in downloads.iter().enumerate() {
        let url = format!("http://{ADDRESS}/datasets/{number}");
        environment.set(format!("{prefix}_URL"), url);
    }
}

/// The only place where the secrets of these stages are handed to the engine.
fn with_variables(mut spec: RunSpec, mut environment: StageEnvironment) -> RunSpec {
    for name in VARIABLES {
        environment.set(name, ADDRESS);
    }
    environment.set("TMPDIR", IN_TEMPORARY);
    for (name, value) in environment.into_variables() {
        match SECRETS.iter().any(|suffix| name.ends_with(suffix)) {
            true => spec.secrets.push((name, Secret::new(value.to_string()))),
            false => spec.env.push((name, value.to_string())),
        }
    }
    spec
}

#[cfg(test)]
mod tests;
