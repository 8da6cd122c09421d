//! One replicate from order to payment: check, pull, fetch, run, digest; then `deliver.rs` or
//! `contest.rs` (`design.md` §3, spec/pool-worker.md §2).

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use chain::{Actor, AppInfo, DatasetInfo, Hub};
use engine::{Engine, Image, ImageRef, Pin, Progress, ProgressSink};
use futures_util::future::BoxFuture;
use protocol::{
    Cause, TaskId,
    deal::{Deadlines, Deal},
    digest,
    environment::Inputs,
    message::{Authorization, Flow, Logs, Phase, Report, Stream, ToPool},
    multiaddr,
    params::DealParams,
    status::ReplicateStatus as Status,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    Config, Failure, Outcome,
    board::Slot,
    contest::Wishes,
    enclave::Enclave,
    inputs::{self, Policy},
    journal::Journal,
    output,
    printed::Observer,
    sandbox::{self, Folders, Ran, Run},
    services::Services,
    spool::{self, Spool},
    trace::{step, traced},
};

/// What a run gets when its category's time is tiny, for the container's start-up; well below the
/// contribution deadline, 7 s, of the smallest category.
const RUN_MIN_S: u64 = 3;
/// Time for a transfer whose deadline cannot be told, because the chain does not answer.
const CHAIN_SILENT_S: u64 = 60;

/// What all replicates of a worker share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) actor: Actor,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) http: reqwest::Client,
    /// Output of running apps; the session sends it.
    pub(crate) spool: Spool,
    /// The worker's token for the store is one secret, and a session takes the one that is there:
    /// pushing and asking is one replicate's turn.
    pub(crate) sms_turn: tokio::sync::Mutex<()>,
    /// For confidential tasks; without one they are refused.
    pub(crate) enclave: Option<Enclave>,
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
    /// Best effort: progress.
    fn whisper(&self, frame: ToPool);
    /// Returns when the pool has stored every report about a task.
    fn heard(&self, task: TaskId) -> BoxFuture<'_, ()>;
}

/// One order to run.
pub(crate) struct Replicate<'a> {
    pub(crate) context: &'a Context,
    pub(crate) voice: Arc<dyn Voice>,
    pub(crate) authorization: Authorization,
    pub(crate) flow: Flow,
    /// Where to go with the result and for secrets, now.
    pub(crate) services: watch::Receiver<Services>,
    pub(crate) cancel: CancellationToken,
    /// The worker stops: unlike after an abort, a result that is not paid yet is kept.
    pub(crate) shutdown: CancellationToken,
    /// What the pool asks of it besides.
    pub(crate) wishes: watch::Receiver<Wishes>,
    /// Given back as soon as the replicate only waits.
    pub(crate) slot: Mutex<Option<Slot<'a>>>,
    /// What was reported of the app's end; a restart reports it again.
    pub(crate) said: Mutex<Option<Report>>,
    /// A result of an earlier process to go on with.
    pub(crate) resumed: Option<Journal>,
}

/// What the chain says about the task.
pub(crate) struct Facts {
    pub(crate) deal: Deal,
    pub(crate) app: AppInfo,
    /// Of a standard task: enclaves get theirs decrypted.
    dataset: Option<DatasetInfo>,
    pub(crate) params: DealParams,
    pub(crate) timeref: u64,
}

/// Passes on what a running app tells.
pub(crate) struct Told<'a> {
    run: spool::Run,
    voice: &'a dyn Voice,
    task: TaskId,
}

impl Told<'_> {
    /// The app wrote something.
    pub(crate) fn write(&self, stream: Stream, text: &str) {
        self.run.write(stream, text);
    }

    /// The app says how far it is.
    pub(crate) fn tell(&self, percent: u8) {
        self.voice.whisper(ToPool::Progress {
            task: self.task,
            phase: Phase::App,
            percent,
        });
    }

    /// The end of what it wrote.
    pub(crate) fn logs(&self) -> Logs {
        self.run.logs()
    }
}

impl Observer for &Told<'_> {
    fn output(&mut self, stream: Stream, text: &str) {
        self.write(stream, text);
    }

    fn progress(&mut self, percent: u8) {
        self.tell(percent);
    }
}

/// A step failed: which status to report, and why.
pub(crate) type Step<T> = Result<T, (Status, Failure)>;

pub(crate) fn at(status: Status) -> impl FnOnce(Failure) -> (Status, Failure) {
    move |failure| (status, failure)
}

pub(crate) fn aborted() -> (Status, Failure) {
    (Status::Aborted, Failure::plain(Cause::AbortedByWorker))
}

/// How long an app may run.
pub(crate) fn run_time(facts: &Facts) -> Duration {
    Duration::from_secs(facts.timeref.max(RUN_MIN_S))
}

impl Replicate<'_> {
    pub(crate) fn task(&self) -> TaskId {
        self.authorization.chain_task_id
    }

    pub(crate) fn hub(&self) -> &Hub {
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
            Err(_) if self.shutdown.is_cancelled() && self.is_kept() => {
                tracing::info!(task = %self.task(), "stopped with a result; it is kept");
            }
            Err((status, failure)) => {
                tracing::warn!(task = %self.task(), status = %status.name(), %failure, "failed");
                self.say_failed(status, &failure);
            }
        }
    }

    /// Gives a step up when the task is aborted. Only the container is not dropped like that: the
    /// engine ends it, and we wait until it is gone.
    pub(crate) async fn unless_aborted<T>(&self, step: impl Future<Output = Step<T>>) -> Step<T> {
        tokio::select! {
            ended = step => ended,
            () = self.cancel.cancelled() => Err(aborted()),
        }
    }

    async fn steps(&self) -> Step<()> {
        if let Some(journal) = &self.resumed
            && let Some(resumed) = self.resume(journal).await
        {
            return resumed;
        }
        self.say(Status::Starting);
        let (facts, folders) = self.unless_aborted(self.prepare()).await?;
        self.say(Status::Started);
        if facts.deal.tag.is_tee() {
            let outcome = self.confidential(&facts, &folders).await?;
            self.keep(&folders, &outcome)?;
            return self.deliver(&facts, &folders, &outcome).await;
        }
        let downloaded = self.download(&facts, &folders);
        if let Some((image, names)) = self.unless_aborted(downloaded).await? {
            self.say(Status::Computing);
            let run = self.execute(&facts, &folders, image, names);
            traced(step!(self.task(), "run"), run).await?;
        }
        self.conclude(&facts, &folders).await
    }

    /// From the app's output to the end.
    pub(crate) async fn conclude(&self, facts: &Facts, folders: &Folders) -> Step<()> {
        let outcome = output::read_outcome(&folders.output(), facts.deal.has_callback());
        let outcome = outcome.map_err(at(Status::ContributeFailed))?;
        self.keep(folders, &outcome)?;
        self.deliver(facts, folders, &outcome).await
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.context.config.data_dir.join(self.task().to_string())
    }

    /// The replicate only waits from here on: another task may run.
    pub(crate) fn release_slot(&self) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        drop(slot.take());
    }

    /// The folders outlive this process only if it is stopped in the middle.
    pub(crate) async fn deliver(
        &self,
        facts: &Facts,
        folders: &Folders,
        outcome: &Outcome,
    ) -> Step<()> {
        let delivered = self.unless_aborted(async {
            match self.flow {
                Flow::ContributeAndFinalize => self.finish(facts, folders, outcome).await,
                Flow::ContributeAndReveal => self.contest(facts, folders, outcome).await,
            }
        });
        let delivered = delivered.await;
        self.release_slot();
        // What the app printed is the pool's before the folder goes, also after an abort.
        if self.is_heard().await {
            folders.forget();
        }
        delivered
    }

    async fn prepare(&self) -> Step<(Facts, Folders)> {
        let facts = self.facts().await.map_err(at(Status::StartFailed))?;
        if facts.deal.tag.is_tee() {
            self.enclave()?;
        }
        let folders = Folders::create(&self.folder())
            .map_err(|e| Failure::from_error(Cause::Unknown, &e))
            .map_err(at(Status::StartFailed))?;
        Ok((facts, folders))
    }

    /// Reads what to do from the chain: the pool's word counts only as far as it is signed.
    pub(crate) async fn facts(&self) -> Result<Facts, Failure> {
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
        // A result of an earlier process may be the one that ended it.
        if self.resumed.is_none() && task.is_some_and(|task| task.status.is_final()) {
            return Err(Failure::plain(Cause::TaskNotActive));
        }
        self.check(&deal)?;
        self.check_stake(&deal).await?;
        let (Some(app), Some(category)) = (app, category) else {
            return Err(Failure::plain(Cause::TaskDescriptionNotFound));
        };
        let params = DealParams::from_chain(&deal.params);
        if params.iexec_result_encryption == Some(true) && !deal.tag.is_tee() {
            return Err(Failure::plain(Cause::TaskDescriptionInvalid));
        }
        let dataset = self.dataset(&deal).await?;
        Ok(Facts {
            deal,
            app,
            dataset,
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
            Flow::ContributeAndFinalize if !deal.is_trust_one() => {
                Err(Failure::plain(Cause::TrustNot1))
            }
            Flow::ContributeAndReveal if deal.tag.is_tee() => Err(Failure::plain(Cause::TrustNot1)),
            _ => Ok(()),
        }
    }

    /// A contribution locks the deal's stake: better to know before the work than after it.
    async fn check_stake(&self, deal: &Deal) -> Result<(), Failure> {
        if self.flow == Flow::ContributeAndFinalize || self.resumed.is_some() {
            return Ok(());
        }
        let account = self.hub().account(self.context.actor.address()).await;
        let unreachable = |e: chain::Error| Failure::from_error(Cause::ChainUnreachable, &e);
        let (has, needs) = (account.map_err(unreachable)?.stake, deal.worker_stake);
        if has >= needs {
            return Ok(());
        }
        let message = format!("the deal needs {needs} nRLC, the worker's deposit is {has} nRLC");
        Err(Failure::new(Cause::StakeTooLow, message))
    }

    async fn dataset(&self, deal: &Deal) -> Result<Option<DatasetInfo>, Failure> {
        let dataset = deal.dataset.pointer;
        if dataset.is_zero() || deal.tag.is_tee() {
            return Ok(None);
        }
        let found = self.hub().dataset(dataset).await;
        found.map_err(|e| Failure::from_error(Cause::ChainUnreachable, &e))
    }

    /// Image and inputs; none when a download failed, which becomes the result itself.
    async fn download(
        &self,
        facts: &Facts,
        folders: &Folders,
    ) -> Step<Option<(Image, Vec<String>)>> {
        self.say(Status::AppDownloading);
        let image = match traced(step!(self.task(), "pull"), self.pull(&facts.app)).await {
            Ok(image) => image,
            Err(failure) => {
                self.contribute_error(Status::AppDownloadFailed, &failure, folders)?;
                return Ok(None);
            }
        };
        self.say(Status::AppDownloaded);
        self.say(Status::DataDownloading);
        let fetched = traced(step!(self.task(), "download"), self.fetch(facts, folders));
        let names = match fetched.await {
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
        // Later there would be no time to run.
        let last = Deadlines::of(facts.deal.start_time, facts.timeref).contribution;
        let last = last.saturating_sub(facts.timeref);
        let deadline = self.instant(last).await;
        if let Some(dataset) = &facts.dataset {
            inputs::fetch_dataset(dataset, &folders.input(), &policy, deadline).await?;
        }
        inputs::fetch_all(
            facts.params.input_files(),
            &folders.input(),
            &policy,
            deadline,
        )
        .await
    }

    /// When this machine's clock will show that time of the chain, seconds since 1970.
    pub(crate) async fn instant(&self, time: u64) -> Instant {
        let now = self.hub().now().await;
        // A chain that does not answer says nothing against trying.
        let left = now.map_or(CHAIN_SILENT_S, |now| time.saturating_sub(now));
        Instant::now() + Duration::from_secs(left)
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
                    let phase = Phase::Image;
                    voice.whisper(ToPool::Progress {
                        task,
                        phase,
                        percent,
                    });
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
            name: self.container(),
            image,
            args: facts.params.args(),
            env: Inputs::of(&facts.deal, self.authorization.task_index, names).variables(),
            secrets: Vec::new(),
            limits: config.limits(),
            deadline: run_time(facts),
            network: config.network(),
            gpus: config.gpus && facts.deal.tag.is_gpu(),
        };
        self.note_running(folders)?;
        let told = self.told();
        let engine = self.context.engine.as_ref();
        let ran = sandbox::run(engine, folders, run, &told, self.cancel.clone()).await;
        self.ran(ran, &told, folders)
    }

    /// The name of its container.
    pub(crate) fn container(&self) -> String {
        format!("{}{}", self.context.container_prefix(), self.task())
    }

    /// For what the app tells from now on.
    pub(crate) fn told(&self) -> Told<'_> {
        Told {
            run: self.context.spool.start(self.task()),
            voice: self.voice.as_ref(),
            task: self.task(),
        }
    }

    /// How the run ended, for the pool.
    pub(crate) fn ran(
        &self,
        ran: Result<Ran, engine::Error>,
        told: &Told<'_>,
        folders: &Folders,
    ) -> Step<()> {
        if self.cancel.is_cancelled() {
            return Err(aborted());
        }
        let judged = match ran {
            Ok(mut ran) => {
                ran.logs.from.run = told.run.number;
                self.judge(ran, folders)
            }
            Err(error) => {
                let failure = Failure::of_engine(&error);
                let logs = told.logs();
                self.say_computed(Status::ComputeFailed, None, logs, Some(&failure));
                Err(failure)
            }
        };
        judged.map_err(at(Status::ComputeFailed))
    }

    fn judge(&self, ran: Ran, folders: &Folders) -> Result<(), Failure> {
        let exit = Some(ran.exit.code);
        match ran.failure_without_result(&folders.output()) {
            Some(failure) => {
                self.say_computed(Status::ComputeFailed, exit, ran.logs, Some(&failure));
                Err(failure)
            }
            None => {
                self.say_computed(Status::Computed, exit, ran.logs, None);
                Ok(())
            }
        }
    }

    pub(crate) fn say_computed(
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
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        *said = Some(report.clone());
        self.voice.report(report);
    }
}
