//! The confidential task (spec/secrets-tee.md §2.1): the image, the session, and then an enclave
//! that does everything secret. Nothing secret is in this process.

use engine::Image;
use protocol::{
    Bytes, Cause, deal::Deadlines, digest, multiaddr, status::ReplicateStatus as Status,
};
use tokio::time::Instant;

use crate::{
    Failure, Outcome,
    agent::{App, EngineJob, Frame, Job, Stage, joined},
    enclave::{Enclave, Ended, private_folder},
    inputs::Policy,
    replicate::{Facts, Replicate, Step, Told, aborted, at, run_time},
    sandbox::Folders,
    services::Services,
    sms::{Session, Sms},
    trace::{step, traced},
    upload,
};

/// Bytes that one task may have in clear, inputs and output together: it is memory.
const PRIVATE_BYTES_MAX: u64 = 4 << 30;
/// Characters of an agent's words that are kept for people.
const TOLD_CHARS_MAX: usize = 2_000;

/// What was heard of an enclave until now.
#[derive(Default)]
struct Heard {
    failed: Option<(Status, Failure)>,
    outcome: Option<Outcome>,
}

impl Heard {
    /// What became of the task.
    fn judge(self, ended: Ended) -> Step<Outcome> {
        let failed = |failure| Err((Status::ComputeFailed, failure));
        match (ended, self.failed, self.outcome) {
            (Ended::Cancelled, ..) => Err(aborted()),
            (_, Some(failed), _) => Err(failed),
            (_, None, Some(outcome)) => Ok(outcome),
            (Ended::Late, ..) => failed(Failure::plain(Cause::ContributionTimeout)),
            (Ended::ByItself, ..) => {
                let message = "the enclave ended without a word";
                failed(Failure::new(Cause::EnclaveSignatureNotFound, message))
            }
        }
    }
}

impl Replicate<'_> {
    /// Whether this worker can prove to anybody that it has an enclave.
    pub(crate) fn enclave(&self) -> Step<&Enclave> {
        let none = || {
            let message = "this worker has no enclave that could be attested";
            Failure::new(Cause::TeeNotSupported, message)
        };
        let enclave = self.context.enclave.as_ref().ok_or_else(none);
        enclave.map_err(at(Status::StartFailed))
    }

    /// From the image to a result that the enclave has signed. An image that cannot be pulled is
    /// not contributed as an error: no enclave would sign for it.
    pub(crate) async fn confidential(&self, facts: &Facts, folders: &Folders) -> Step<Outcome> {
        let enclave = self.enclave()?;
        let prepared = self.unless_aborted(self.prepare_enclave(enclave, facts, folders));
        let (job, _image) = prepared.await?;
        let ran = self.converse(enclave, facts, &job);
        let outcome = traced(step!(self.task(), "run"), ran).await;
        self.clean(&job).await;
        let outcome = outcome?;
        self.check_signature(&outcome)?;
        Ok(outcome)
    }

    /// The image is held until the enclave has run it: nobody makes room with it.
    async fn prepare_enclave(
        &self,
        enclave: &Enclave,
        facts: &Facts,
        folders: &Folders,
    ) -> Step<(Job, Image)> {
        self.say(Status::AppDownloading);
        let image = match traced(step!(self.task(), "pull"), self.pull(&facts.app)).await {
            Ok(image) => image,
            Err(failure) => {
                self.say_failed(Status::AppDownloadFailed, &failure);
                return Err((Status::ComputeFailed, failure));
            }
        };
        self.say(Status::AppDownloaded);
        let job = async {
            let session = self.session(facts).await?;
            self.job(enclave, facts, folders, session).await
        };
        Ok((job.await.map_err(at(Status::ComputeFailed))?, image))
    }

    async fn session(&self, facts: &Facts) -> Result<Session, Failure> {
        let Services { result_proxy, sms } = self.services.borrow().clone();
        let none = || Failure::new(Cause::UnknownSms, "the pool named no secret manager");
        let (http, wallet) = (&self.context.http, self.context.actor.wallet());
        let sms = Sms {
            http,
            url: sms.as_deref().ok_or_else(none)?,
            wallet,
        };
        let token = if facts.deal.has_callback() {
            None
        } else {
            let token = upload::token(http, &result_proxy, wallet, &self.authorization);
            let refused = |reason| Failure::new(Cause::ResultLinkMissing, reason);
            Some(token.await.map_err(refused)?)
        };
        let _turn = self.context.sms_turn.lock().await;
        sms.session(&self.authorization, token.as_deref()).await
    }

    async fn job(
        &self,
        enclave: &Enclave,
        facts: &Facts,
        folders: &Folders,
        session: Session,
    ) -> Result<Job, Failure> {
        let config = &self.context.config;
        let authorization = &self.authorization;
        let container = self.container();
        let name = self.context.engine.name();
        Ok(Job {
            task: self.task(),
            worker: authorization.worker_wallet,
            challenge: authorization.enclave_challenge,
            session: session.session_id,
            url: session.secret_provisioning_url,
            attestation: enclave.attestation.clone(),
            has_inputs: self.has_inputs(facts).await?,
            policy: Policy {
                allow_private: config.allow_private_inputs,
                ipfs_gateway: config.ipfs_gateway.clone(),
            },
            inputs_s: self.seconds_for_inputs(facts).await,
            engine: EngineJob::of(&enclave.engine, name),
            private: private_folder(&container, &self.folder()),
            scratch: self.folder(),
            archive: folders.archive(),
            app: self.app(facts, container),
        })
    }

    fn app(&self, facts: &Facts, container: String) -> App {
        let config = &self.context.config;
        let mut limits = config.limits();
        limits.disk_bytes = limits.disk_bytes.min(PRIVATE_BYTES_MAX);
        App {
            container,
            image: multiaddr::decode(&facts.app.multiaddr),
            checksum: facts.app.checksum,
            is_local: config.allow_local_images,
            args: facts.params.args(),
            limits,
            seconds: run_time(facts).as_secs(),
            reach: config.network().into(),
            gpus: config.gpus && facts.deal.tag.is_gpu(),
        }
    }

    /// Whether the session has a stage before the app: for a dataset that has a file, for a bulk of
    /// them, or for files. The secret manager goes by the same rule.
    async fn has_inputs(&self, facts: &Facts) -> Result<bool, Failure> {
        if !facts.params.input_files().is_empty() || facts.params.bulk_cid.is_some() {
            return Ok(true);
        }
        let dataset = facts.deal.dataset.pointer;
        if dataset.is_zero() {
            return Ok(false);
        }
        let dataset = self.hub().dataset(dataset).await;
        let dataset = dataset.map_err(|e| Failure::from_error(Cause::ChainUnreachable, &e))?;
        Ok(dataset.is_some_and(|dataset| !multiaddr::is_blank(&dataset.multiaddr)))
    }

    async fn seconds_for_inputs(&self, facts: &Facts) -> u64 {
        // Later there would be no time to run.
        let last = Deadlines::of(facts.deal.start_time, facts.timeref).contribution;
        let last = self.instant(last.saturating_sub(facts.timeref)).await;
        last.saturating_duration_since(std::time::Instant::now())
            .as_secs()
    }

    /// Starts the enclave's agent and tells the pool what it says.
    async fn converse(&self, enclave: &Enclave, facts: &Facts, job: &Job) -> Step<Outcome> {
        let last = Deadlines::of(facts.deal.start_time, facts.timeref).contribution;
        let deadline = Instant::from_std(self.instant(last).await);
        let told = self.told();
        let mut heard = Heard::default();
        if !job.has_inputs {
            self.say(Status::DataDownloading);
            self.say(Status::DataDownloaded);
        }
        let listen = |frame| self.hear(frame, job, &told, &mut heard);
        let ended = enclave.run(job, deadline, &self.cancel, listen).await;
        let lost = |error: std::io::Error| {
            let message = format!("the enclave could not be started: {error}");
            Failure::new(Cause::TeePreparationFailed, message)
        };
        heard.judge(ended.map_err(lost).map_err(at(Status::ComputeFailed))?)
    }

    fn hear(&self, frame: Frame, job: &Job, told: &Told<'_>, heard: &mut Heard) {
        match frame {
            Frame::Began {
                stage: Stage::PreCompute,
            } => self.say(Status::DataDownloading),
            Frame::Began { stage: Stage::App } => {
                if job.has_inputs {
                    self.say(Status::DataDownloaded);
                }
                self.say(Status::Computing);
            }
            Frame::Began {
                stage: Stage::PostCompute,
            } => {}
            Frame::Output { stream, text } => told.write(stream, &text),
            Frame::Progress { percent } => told.tell(percent),
            Frame::Ran { exit_code, failure } => {
                let failure = failure.map(|reason| short(reason.into()));
                let status = match &failure {
                    Some(_) => Status::ComputeFailed,
                    None => Status::Computed,
                };
                self.say_computed(status, exit_code, told.logs(), failure.as_ref());
                heard.failed = failure.map(at(Status::ComputeFailed));
            }
            Frame::Failed { stage, reasons } => {
                let status = match stage {
                    Stage::PreCompute => Status::DataDownloadFailed,
                    Stage::App => Status::ComputeFailed,
                    Stage::PostCompute => Status::ContributeFailed,
                };
                heard.failed = Some((status, short(joined(reasons))));
            }
            Frame::Done {
                digest,
                callback_data,
                signature,
            } => {
                heard.outcome = Some(Outcome {
                    digest,
                    callback_data: callback_data.to_vec(),
                    enclave_sign: signature.to_vec(),
                });
            }
        }
    }

    /// Whatever became of the agent, its container and what was in clear are gone afterwards.
    async fn clean(&self, job: &Job) {
        if let Err(error) = self.context.engine.kill(&job.app.container).await {
            tracing::warn!(container = job.app.container, %error, "not removed");
        }
        if let Err(error) = engine::remove_tree(&job.private) {
            tracing::warn!(folder = %job.private.display(), %error, "not removed");
        }
    }

    /// The chain would refuse any other, and take the gas.
    fn check_signature(&self, outcome: &Outcome) -> Step<()> {
        let challenge = self.authorization.enclave_challenge;
        let worker = self.authorization.worker_wallet;
        let hash = digest::enclave(worker, self.task(), outcome.digest);
        let sign = Bytes::from(outcome.enclave_sign.clone());
        match chain::recover_message_hash(hash, &sign) {
            Ok(signer) if signer == challenge => Ok(()),
            _ => {
                let failure = Failure::plain(Cause::PostInvalidTeeSignature);
                Err((Status::ContributeFailed, failure))
            }
        }
    }
}

fn short(failure: Failure) -> Failure {
    let message = failure.message.chars().take(TOLD_CHARS_MAX).collect();
    Failure { message, ..failure }
}

#[cfg(test)]
mod tests {
    use protocol::B256;

    use super::*;

    fn outcome() -> Outcome {
        Outcome {
            digest: B256::repeat_byte(1),
            callback_data: Vec::new(),
            enclave_sign: vec![2],
        }
    }

    fn cause(ended: Ended, failed: Option<Cause>, outcome: Option<Outcome>) -> Option<Cause> {
        let failed = failed.map(|cause| (Status::ComputeFailed, Failure::plain(cause)));
        let judged = Heard { failed, outcome }.judge(ended);
        judged.err().map(|(_, failure)| failure.cause)
    }

    #[test]
    fn an_enclave_without_a_word() {
        let silent = cause(Ended::ByItself, None, None);
        assert_eq!(silent, Some(Cause::EnclaveSignatureNotFound));
        let late = cause(Ended::Late, None, None);
        assert_eq!(late, Some(Cause::ContributionTimeout));
    }

    #[test]
    fn a_failure_weighs_more_than_a_result_and_an_abort_more_than_both() {
        let failed = Some(Cause::AppComputeFailed);
        assert_eq!(cause(Ended::ByItself, failed, Some(outcome())), failed);
        let aborted = cause(Ended::Cancelled, failed, Some(outcome()));
        assert_eq!(aborted, Some(Cause::AbortedByWorker));
        assert_eq!(cause(Ended::Late, None, Some(outcome())), None);
    }

    #[test]
    fn what_an_agent_says_is_cut_for_people() {
        let long = Failure::new(Cause::AppComputeFailed, "x".repeat(TOLD_CHARS_MAX + 1));
        assert_eq!(short(long).message.len(), TOLD_CHARS_MAX);
    }
}
