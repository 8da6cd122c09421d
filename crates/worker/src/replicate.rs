//! One replicate from order to payment: check, pull, fetch, run, digest, upload,
//! contribute-and-finalize (`design.md` §3, spec/pool-worker.md §2).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use chain::{Actor, AppInfo, Hub};
use engine::{Engine, Image, ImageRef, Pin, Progress, ProgressSink};
use protocol::{
    Bytes, Cause, TaskId,
    deal::{Deadlines, Deal, TaskStatus},
    digest,
    environment::Inputs,
    link::ResultLink,
    message::{Authorization, Flow, Logs, Report, Stream, ToPool},
    multiaddr,
    params::DealParams,
    status::ReplicateStatus as Status,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Config, Failure, Outcome, archive,
    inputs::{self, Policy},
    output,
    sandbox::{self, Folders, Ran, Run},
    upload,
};

/// Sends of the final transaction that may fail for reasons outside the task.
const CONTRIBUTE_TRIES_MAX: u32 = 3;
/// Pause between them.
const CONTRIBUTE_RETRY_MS: u64 = 1_000;
/// What a run gets when its category's time is tiny, for the container's start-up; well below the
/// contribution deadline, 7 s, of the smallest category.
const RUN_MIN_S: u64 = 3;

/// What all replicates of a worker share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) actor: Actor,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) http: reqwest::Client,
    /// The worker's token for the store is one secret, and a session takes the one that is there:
    /// pushing and asking is one replicate's turn.
    pub(crate) sms_turn: tokio::sync::Mutex<()>,
}

impl Context {
    /// Names of this worker's containers begin with this.
    pub(crate) fn container_prefix(&self) -> String {
        sandbox::container_prefix(self.actor.address(), &self.config.data_dir)
    }
}

/// Where a replicate's words go; the session numbers and resends them.
pub(crate) trait Voice: Send + Sync {
    /// A step is reached.
    fn report(&self, report: Report);
    /// Best effort: progress and log.
    fn whisper(&self, frame: ToPool);
}

/// One order to run.
pub(crate) struct Replicate<'a> {
    pub(crate) context: &'a Context,
    pub(crate) voice: Arc<dyn Voice>,
    pub(crate) authorization: Authorization,
    pub(crate) flow: Flow,
    pub(crate) result_proxy: String,
    /// The secret manager's origin, if the pool has one.
    pub(crate) sms: Option<String>,
    pub(crate) cancel: CancellationToken,
}

/// What the chain says about the task.
pub(crate) struct Facts {
    pub(crate) deal: Deal,
    pub(crate) app: AppInfo,
    params: DealParams,
    timeref: u64,
}

/// A step failed: which status to report, and why.
pub(crate) type Step<T> = Result<T, (Status, Failure)>;

pub(crate) fn at(status: Status) -> impl FnOnce(Failure) -> (Status, Failure) {
    move |failure| (status, failure)
}

fn aborted() -> (Status, Failure) {
    (Status::Aborted, Failure::plain(Cause::AbortedByWorker))
}

impl Replicate<'_> {
    pub(crate) fn task(&self) -> TaskId {
        self.authorization.chain_task_id
    }

    fn hub(&self) -> &Hub {
        self.context.actor.hub()
    }

    pub(crate) fn say(&self, status: Status) {
        self.voice.report(Report::new(self.task(), status));
    }

    pub(crate) fn say_failed(&self, status: Status, failure: &Failure) {
        let mut report = Report::new(self.task(), status);
        report.cause = Some(failure.cause);
        report.message = Some(failure.message.clone());
        self.voice.report(report);
    }

    /// Runs to the end; what happened is told through the voice.
    pub(crate) async fn run(self) {
        match self.steps().await {
            Ok(()) => self.say(Status::Completed),
            Err((status, failure)) => {
                tracing::warn!(task = %self.task(), status = %status.name(), %failure, "failed");
                self.say_failed(status, &failure);
            }
        }
    }

    /// Gives a step up when the task is aborted. Only the container is not dropped like that: the
    /// engine ends it, and we wait until it is gone.
    async fn unless_aborted<T>(&self, step: impl Future<Output = Step<T>>) -> Step<T> {
        tokio::select! {
            ended = step => ended,
            () = self.cancel.cancelled() => Err(aborted()),
        }
    }

    async fn steps(&self) -> Step<()> {
        self.say(Status::Starting);
        let (facts, folders) = self.unless_aborted(self.prepare()).await?;
        self.say(Status::Started);
        if facts.deal.tag.is_tee() {
            return self.unless_aborted(self.confidential(&facts)).await;
        }
        let downloaded = self.download(&facts, &folders);
        if let Some((image, names)) = self.unless_aborted(downloaded).await? {
            self.say(Status::Computing);
            self.execute(&facts, &folders, image, names).await?;
        }
        self.unless_aborted(self.deliver(&facts, &folders)).await
    }

    async fn prepare(&self) -> Step<(Facts, Folders)> {
        let facts = self.facts().await.map_err(at(Status::StartFailed))?;
        let root = self.context.config.data_dir.join(self.task().to_string());
        let folders = Folders::create(&root)
            .map_err(|e| Failure::from_error(Cause::Unknown, &e))
            .map_err(at(Status::StartFailed))?;
        Ok((facts, folders))
    }

    async fn deliver(&self, facts: &Facts, folders: &Folders) -> Step<()> {
        let outcome = output::read_outcome(&folders.output(), facts.deal.has_callback());
        let outcome = outcome.map_err(at(Status::ContributeFailed))?;
        self.wait_active(facts)
            .await
            .map_err(at(Status::ContributeFailed))?;
        let link = self.publish(facts, folders).await?;
        self.contribute(&outcome, &link).await
    }

    /// Reads what to do from the chain: the pool's word counts only as far as it is signed.
    async fn facts(&self) -> Result<Facts, Failure> {
        let a = &self.authorization;
        let unreachable = |e: chain::Error| Failure::from_error(Cause::ChainUnreachable, &e);
        let deal = self.hub().deal(a.deal_id).await.map_err(unreachable)?;
        let deal = deal.ok_or_else(|| Failure::plain(Cause::TaskDescriptionNotFound))?;
        let (app, category, task) = tokio::try_join!(
            self.hub().app(deal.app.pointer),
            self.hub().category(deal.category),
            self.hub().task(a.chain_task_id),
        )
        .map_err(unreachable)?;
        if task.is_some_and(|task| task.status.is_final()) {
            return Err(Failure::plain(Cause::TaskNotActive));
        }
        self.check(&deal)?;
        let (Some(app), Some(category)) = (app, category) else {
            return Err(Failure::plain(Cause::TaskDescriptionNotFound));
        };
        let params = DealParams::from_chain(&deal.params);
        if params.iexec_result_encryption == Some(true) && !deal.tag.is_tee() {
            return Err(Failure::plain(Cause::TaskDescriptionInvalid));
        }
        Ok(Facts {
            deal,
            app,
            params,
            timeref: category.work_clock_time_ref,
        })
    }

    fn check(&self, deal: &Deal) -> Result<(), Failure> {
        let a = &self.authorization;
        let refused = || Failure::plain(Cause::WorkerpoolAuthorizationNotFound);
        let hash = digest::authorization(a.worker_wallet, a.chain_task_id, a.enclave_challenge);
        let signer =
            chain::recover_message_hash(hash, &a.signature.value).map_err(|_| refused())?;
        let named =
            a.chain_task_id == deal.id.task(a.task_index) && deal.indices().contains(&a.task_index);
        if !named || a.worker_wallet != self.context.actor.address() {
            return Err(refused());
        }
        if signer != deal.workerpool.owner
            || deal.workerpool.pointer != self.context.config.workerpool
        {
            return Err(refused());
        }
        // A confidential task needs its enclave's key, and no other task may have one.
        if deal.tag.is_tee() == a.enclave_challenge.is_zero() {
            return Err(refused());
        }
        match self.flow {
            Flow::ContributeAndFinalize if deal.is_trust_one() => Ok(()),
            _ => Err(Failure::plain(Cause::TrustNot1)),
        }
    }

    /// Image and inputs; none when a download failed, which becomes the result itself.
    async fn download(
        &self,
        facts: &Facts,
        folders: &Folders,
    ) -> Step<Option<(Image, Vec<String>)>> {
        self.say(Status::AppDownloading);
        let image = match self.pull(&facts.app).await {
            Ok(image) => image,
            Err(failure) => {
                self.contribute_error(Status::AppDownloadFailed, &failure, folders)?;
                return Ok(None);
            }
        };
        self.say(Status::AppDownloaded);
        self.say(Status::DataDownloading);
        let names = match self.fetch(facts, folders).await {
            Ok(names) => names,
            Err(failure) => {
                self.contribute_error(Status::DataDownloadFailed, &failure, folders)?;
                return Ok(None);
            }
        };
        self.say(Status::DataDownloaded);
        Ok(Some((image, names)))
    }

    fn contribute_error(&self, status: Status, failure: &Failure, folders: &Folders) -> Step<()> {
        self.say_failed(status, failure);
        output::write_error(&folders.output(), status, failure.cause)
            .map_err(|e| Failure::from_error(Cause::PostComputeUnknown, &e))
            .map_err(at(Status::ContributeFailed))
    }

    pub(crate) async fn pull(&self, app: &AppInfo) -> Result<Image, Failure> {
        let cause = Cause::AppImageDownloadFailed;
        let reference = ImageRef::parse(&multiaddr::decode(&app.multiaddr))
            .map_err(|e| Failure::from_error(cause, &e))?;
        let pin = if self.context.config.allow_local_images {
            Pin::local(app.checksum.0)
        } else {
            Pin::registry(app.checksum.0)
        };
        let pulled = self
            .context
            .engine
            .pull(&reference, &pin, &self.progress())
            .await;
        pulled.map_err(|e| Failure::from_error(cause, &e))
    }

    async fn fetch(&self, facts: &Facts, folders: &Folders) -> Result<Vec<String>, Failure> {
        let policy = Policy {
            allow_private: self.context.config.allow_private_inputs,
            ipfs_gateway: self.context.config.ipfs_gateway.clone(),
        };
        inputs::fetch_all(facts.params.input_files(), &folders.input(), &policy).await
    }

    /// The engine's progress in whole percent, each told once.
    fn progress(&self) -> ProgressSink {
        let (voice, task) = (self.voice.clone(), self.task());
        let told = AtomicU8::new(0);
        ProgressSink::new(
            move |Progress {
                      done_bytes,
                      total_bytes,
                  }| {
                let percent = done_bytes.saturating_mul(100) / total_bytes.max(1);
                let percent = percent.min(100) as u8;
                if told.fetch_max(percent, Ordering::Relaxed) < percent {
                    voice.whisper(ToPool::Progress { task, percent });
                }
            },
        )
    }

    async fn execute(
        &self,
        facts: &Facts,
        folders: &Folders,
        image: Image,
        names: Vec<String>,
    ) -> Step<()> {
        let config = &self.context.config;
        let run = Run {
            name: format!("{}{}", self.context.container_prefix(), self.task()),
            image,
            args: facts.params.args(),
            env: Inputs::of(&facts.deal, self.authorization.task_index, names).variables(),
            limits: config.limits(),
            deadline: Duration::from_secs(facts.timeref.max(RUN_MIN_S)),
            network: config.network(),
            gpus: config.gpus && facts.deal.tag.is_gpu(),
        };
        let task = self.task();
        let on_log = |stream: Stream, text: &str| {
            self.voice.whisper(ToPool::Log {
                task,
                stream,
                text: text.to_owned(),
            });
        };
        let engine = self.context.engine.as_ref();
        let ran = sandbox::run(engine, folders, run, on_log, self.cancel.clone()).await;
        if self.cancel.is_cancelled() {
            return Err(aborted());
        }
        let judged = match ran {
            Ok(ran) => self.judge(ran, folders),
            Err(error) => {
                let failure = Failure::from_error(Cause::AppComputeFailed, &error);
                self.say_computed(Status::ComputeFailed, None, Logs::default(), Some(&failure));
                Err(failure)
            }
        };
        judged.map_err(at(Status::ComputeFailed))
    }

    /// An app that failed but wrote `computed.json` has a result all the same, as on the official
    /// worker; without it, the exit code is the cause.
    fn judge(&self, ran: Ran, folders: &Folders) -> Result<(), Failure> {
        let wrote = folders
            .output()
            .join(protocol::computed::FILE_NAME)
            .is_file();
        let exit = Some(ran.exit.code);
        match ran.failure() {
            Some(failure) if !wrote || failure.cause != Cause::AppComputeFailed => {
                self.say_computed(Status::ComputeFailed, exit, ran.logs, Some(&failure));
                Err(failure)
            }
            _ => {
                self.say_computed(Status::Computed, exit, ran.logs, None);
                Ok(())
            }
        }
    }

    fn say_computed(
        &self,
        status: Status,
        exit_code: Option<i64>,
        logs: Logs,
        failure: Option<&Failure>,
    ) {
        let mut report = Report::new(self.task(), status);
        report.exit_code = exit_code;
        report.logs = Some(logs);
        report.cause = failure.map(|f| f.cause);
        report.message = failure.map(|f| f.message.clone());
        self.voice.report(report);
    }

    /// Waits until the chain takes contributions: the pool hands tasks out before `initialize` is
    /// mined.
    async fn wait_active(&self, facts: &Facts) -> Result<(), Failure> {
        let deadline = Deadlines::of(facts.deal.start_time, facts.timeref).contribution;
        let mut heads = self.hub().heads();
        loop {
            heads.mark_unchanged();
            match self.hub().task(self.task()).await {
                Ok(Some(task)) if task.status == TaskStatus::Active => return Ok(()),
                Ok(Some(_)) => return Err(Failure::plain(Cause::TaskNotActive)),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "task not read, trying again"),
            }
            let now = self.hub().now().await.unwrap_or_default();
            if now >= deadline {
                return Err(Failure::plain(Cause::ContributionTimeout));
            }
            let left = Duration::from_secs(deadline - now);
            let _ = tokio::time::timeout(left, heads.changed()).await;
        }
    }

    /// Uploads the archive; a deal with a callback has none.
    async fn publish(&self, facts: &Facts, folders: &Folders) -> Step<ResultLink> {
        if facts.deal.has_callback() {
            return Ok(ResultLink::ethereum(&facts.deal.callback.to_checksum(None)));
        }
        self.say(Status::ResultUploading);
        let failed = at(Status::ResultUploadFailed);
        let link = async {
            archive::pack(&folders.output(), &folders.archive())?;
            let wallet = self.context.actor.wallet();
            let archive = folders.archive();
            let (http, to) = (&self.context.http, &self.result_proxy);
            upload::upload(http, to, wallet, &self.authorization, &archive).await
        };
        let link = ResultLink::ipfs(&link.await.map_err(failed)?);
        let mut report = Report::new(self.task(), Status::ResultUploaded);
        report.result_link = Some(String::from_utf8_lossy(&link.to_chain()).into_owned());
        self.voice.report(report);
        Ok(link)
    }

    async fn contribute(&self, outcome: &Outcome, link: &ResultLink) -> Step<()> {
        self.say(Status::ContributeAndFinalizeOngoing);
        let sent = self.contribute_and_finalize(outcome, link).await;
        sent.map_err(at(Status::ContributeAndFinalizeFailed))?;
        self.say(Status::ContributeAndFinalizeDone);
        Ok(())
    }

    async fn contribute_and_finalize(
        &self,
        outcome: &Outcome,
        link: &ResultLink,
    ) -> Result<(), Failure> {
        let mut attempt = 1;
        loop {
            let sent = self.context.actor.contribute_and_finalize(
                self.task(),
                outcome.digest,
                Bytes::from(link.to_chain()),
                Bytes::from(outcome.callback_data.clone()),
                &self.authorization,
            );
            let Err(error) = sent.await else {
                return Ok(());
            };
            if let Some(verdict) = self.verdict().await {
                return verdict;
            }
            if attempt == CONTRIBUTE_TRIES_MAX || error.is_revert() {
                return Err(Failure::from_error(Cause::ChainReceiptNotValid, &error));
            }
            tracing::warn!(%error, attempt, "contribution failed, trying again");
            tokio::time::sleep(Duration::from_millis(CONTRIBUTE_RETRY_MS)).await;
            attempt += 1;
        }
    }

    /// After a failed transaction: did the chain take it all the same, or somebody else's?
    async fn verdict(&self) -> Option<Result<(), Failure>> {
        let task = self.hub().task(self.task()).await.ok().flatten()?;
        let ours = task.contributors.contains(&self.context.actor.address());
        match task.status {
            TaskStatus::Completed if ours => Some(Ok(())),
            TaskStatus::Active if task.contributors.is_empty() => None,
            TaskStatus::Failed => Some(Err(Failure::plain(Cause::TaskNotActive))),
            _ => Some(Err(Failure::plain(Cause::TaskAlreadyContributed))),
        }
    }
}
