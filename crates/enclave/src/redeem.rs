//! Opening a session's stages at the secret manager (spec/secrets-tee.md §5.4): its challenge, a
//! quote bound to that challenge and to a key of our own, and an answer that only this key opens.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use attest::{Ask, Attester, Binding, Challenge, Recipient, Redeem, Sealed};
use protocol::Cause;
use reqwest::{Client, Response, StatusCode, redirect};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use worker::{
    Failure,
    agent::{Job, Stage},
};
use zeroize::Zeroizing;

use crate::{environment::StageEnvironment, stages::Stages, tsm::Tsm};

/// Tries to open a stage: the secret manager does not release one more often.
const TRIES_MAX: u32 = 3;
/// First pause between tries; it doubles.
const RETRY_MS: u64 = 300;
/// A secret manager that says nothing for this long is asked again, seconds.
const TIMEOUT_S: u64 = 20;
/// Bytes of an answer: a session has a few secrets of 4 KiB, a bulk has a hundred keys.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Characters of an unknown answer that are kept for people.
const ANSWER_CHARS_MAX: usize = 200;

/// One task's session at a secret manager, for this process.
pub(crate) struct Session {
    http: Client,
    job: Job,
    attester: Arc<dyn Attester>,
}

/// A try that failed.
enum Trouble {
    /// The same would come again.
    Final(Failure),
    /// No answer, or one that says nothing of us.
    Passing(String),
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    reason: Option<String>,
}

fn failed(message: impl Into<String>) -> Failure {
    Failure::new(Cause::TeePreparationFailed, message)
}

fn refused(message: impl Into<String>) -> Trouble {
    Trouble::Final(failed(message))
}

impl Session {
    /// The session of `job`, with the platform that its settings name. Blocks until no other agent
    /// has that platform.
    ///
    /// # Errors
    /// [`Cause::TeePreparationFailed`] when there is no such platform.
    pub(crate) fn of(job: &Job) -> Result<Self, Failure> {
        let attester: Arc<dyn Attester> = match &job.attestation.simulator {
            Some(seed) => {
                let simulator = simulator::Simulator::open(seed);
                let simulator = simulator.map_err(|e| failed(format!("simulator: {e}")))?;
                Arc::new(simulator.attester())
            }
            None => {
                let tsm = Tsm::open(job.attestation.tsm.as_deref());
                let tsm = tsm.and_then(Tsm::take_turn);
                Arc::new(tsm.map_err(|e| failed(e.to_string()))?)
            }
        };
        Self::with(job, attester)
    }

    /// The same with any platform.
    ///
    /// # Errors
    /// [`Cause::TeePreparationFailed`] when there is no client for HTTPS.
    pub(crate) fn with(job: &Job, attester: Arc<dyn Attester>) -> Result<Self, Failure> {
        let http = Client::builder()
            .timeout(Duration::from_secs(TIMEOUT_S))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build();
        Ok(Self {
            http: http.map_err(|e| Failure::from_error(Cause::TeePreparationFailed, &e))?,
            job: job.clone(),
            attester,
        })
    }

    async fn open_once(&self, stage: Stage) -> Result<StageEnvironment, Trouble> {
        let challenge: Challenge = self.post("challenge", &Ask { stage }).await?;
        self.check(&challenge, stage)?;
        let recipient = Recipient::new();
        let binding = challenge.binding(&self.job.session, recipient.public());
        let info = binding.report_data();
        let redeem = self.evidence(binding).await?;
        let sealed: Sealed = self.post("redeem", &redeem).await?;
        let opened = recipient.open(&info, &sealed);
        let opened: Zeroizing<Vec<u8>> = opened.map_err(|e| refused(e.to_string()))?;
        StageEnvironment::parse(stage.name(), &opened).map_err(refused)
    }

    /// What the secret manager says has to be about this task, or it is not the one we work for.
    fn check(&self, challenge: &Challenge, stage: Stage) -> Result<(), Trouble> {
        let job = &self.job;
        let pinned = job.attestation.sms_id.map(|id| id.0);
        let known = challenge.verify(&job.session, pinned);
        known.map_err(|e| refused(e.to_string()))?;
        let is_ours = challenge.task_id == job.task
            && challenge.worker == job.worker
            && challenge.enclave_challenge == job.challenge
            && challenge.app_digest == job.app.checksum
            && challenge.stage == stage;
        match is_ours {
            true => Ok(()),
            false => Err(refused("the secret manager speaks of another task")),
        }
    }

    /// Blocking on the platform must not keep the app's output back.
    async fn evidence(&self, binding: Binding) -> Result<Redeem, Trouble> {
        let attester = Arc::clone(&self.attester);
        let work = move || {
            // Once, however many stages the task has, how often each is tried, and whether an agent
            // was killed before: who launches a task twice is refused.
            let launch = binding.launch();
            if attester.event_log()?.0.last() != Some(&launch) {
                attester.extend(launch)?;
            }
            Ok(Redeem {
                stage: binding.stage,
                nonce: binding.nonce.into(),
                platform: attester.platform(),
                hpke_pub: binding.hpke_pub.into(),
                quote: attester.quote(binding.report_data())?,
                event_log: attester.event_log()?,
            })
        };
        let made: Result<Result<_, attest::Error>, _> = tokio::task::spawn_blocking(work).await;
        let made = made.map_err(|_| refused("the platform's answer was lost"))?;
        made.map_err(|e| refused(e.to_string()))
    }

    async fn post<T: DeserializeOwned>(
        &self,
        step: &str,
        body: &impl Serialize,
    ) -> Result<T, Trouble> {
        let url = format!("{}/{step}", self.job.url.trim_end_matches('/'));
        let answer = self.http.post(url).json(body).send().await;
        let answer = answer.map_err(|e| Trouble::Passing(e.without_url().to_string()))?;
        let status = answer.status();
        let text = bounded(answer).await.map_err(Trouble::Passing)?;
        if !status.is_success() {
            return Err(understand(status, &text));
        }
        let read = serde_json::from_slice(&text);
        read.map_err(|_| Trouble::Passing(format!("the answer to {step} cannot be read")))
    }
}

async fn bounded(mut answer: Response) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut text = Zeroizing::new(Vec::new());
    while let Some(chunk) = answer.chunk().await.map_err(|e| e.to_string())? {
        if text.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err("the answer is too long".to_owned());
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

fn understand(status: StatusCode, text: &[u8]) -> Trouble {
    let told = match serde_json::from_slice::<Refusal>(text) {
        Ok(Refusal {
            error,
            reason: Some(reason),
        }) => format!("{error} ({reason})"),
        Ok(Refusal { error, .. }) => error,
        Err(_) => String::new(),
    };
    let told: String = told.chars().take(ANSWER_CHARS_MAX).collect();
    let told = format!("the secret manager refused: {status} {told}");
    let told = told.trim_end().to_owned();
    match status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        true => Trouble::Passing(told),
        false => refused(told),
    }
}

#[async_trait]
impl Stages for Session {
    async fn open(&self, stage: Stage) -> Result<StageEnvironment, Failure> {
        let mut pause = Duration::from_millis(RETRY_MS);
        let mut attempt = 1;
        loop {
            let reason = match self.open_once(stage).await {
                Ok(environment) => return Ok(environment),
                Err(Trouble::Final(failure)) => return Err(failure),
                Err(Trouble::Passing(reason)) => reason,
            };
            if attempt == TRIES_MAX {
                return Err(failed(format!("{stage}: {reason}")));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
