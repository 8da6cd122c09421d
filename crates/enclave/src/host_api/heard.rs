//! What the container said. All of it is the word of a stranger's program: what a result says is
//! believed for its signature alone.

use protocol::{B256, Bytes, TaskId, digest};
use serde::Deserialize;
use worker::Failure;

use super::{guest::Guest, refused::Refused, words::Words};
use crate::post_compute::Computed;

/// Causes that are kept: each dataset of a bulk, of which there are at most a hundred, has one.
pub(super) const CAUSES_MAX: usize = 128;
/// Characters of a cause's message that are kept: a sentence for people.
pub(super) const MESSAGE_CHARS_MAX: usize = 500;
/// How a signature that the chain takes ends.
const RECOVERY: [u8; 2] = [27, 28];

/// All that one container said until now.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Why it fails; told once.
    pub(super) causes: Option<Vec<Failure>>,
    /// Its result; told once.
    pub(super) computed: Option<Computed>,
    /// The archive of it.
    pub(super) archive: Archive,
}

/// Where the archive is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Archive {
    /// Not here.
    #[default]
    Missing,
    /// Being received.
    Coming,
    /// In its file.
    Kept,
}

/// What became of a report; both are a success for whoever reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reported {
    /// It was noted.
    Now,
    /// There was one before, which counts.
    Before,
}

/// A cause on the wire. Its name is not the enum's: there are codes that we do not know.
#[derive(Deserialize)]
pub(super) struct Said {
    cause: String,
    #[serde(default)]
    message: Option<String>,
}

/// A result on the wire. The fields are text, as one that is malformed has another answer than
/// JSON that is.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Claim {
    task_id: Option<String>,
    callback_data: Option<String>,
    result_digest: Option<String>,
    enclave_signature: Option<String>,
}

impl Heard {
    /// Notes why the container fails.
    pub(super) fn report(&mut self, guest: &Guest, said: Vec<Said>) -> Result<Reported, Refused> {
        if said.is_empty() {
            return Err(Refused::Malformed("no cause is told"));
        }
        if self.causes.is_some() {
            return Ok(Reported::Before);
        }
        let words = Words::of(guest.stage);
        let kept = said.into_iter().take(CAUSES_MAX);
        self.causes = Some(kept.map(|said| said.failure(&words)).collect());
        Ok(Reported::Now)
    }

    /// Takes the result, which only the enclave can have signed.
    pub(super) fn compute(&mut self, guest: &Guest, body: &[u8]) -> Result<TaskId, Refused> {
        let claim: Claim = parse(body)?;
        let task = claim.task_id.as_deref().map(str::parse);
        if task != Some(Ok(guest.task)) {
            return Err(Refused::Malformed("the result is of another task"));
        }
        if self.computed.is_some() {
            return Err(Refused::Rejected("there is a result already"));
        }
        self.computed = Some(claim.computed(guest)?);
        Ok(guest.task)
    }
}

impl Said {
    fn failure(self, words: &Words) -> Failure {
        let cause = words.cause(&self.cause);
        let message = self.message.filter(|message| !message.trim().is_empty());
        match message {
            Some(message) => Failure::new(cause, for_people(&message)),
            None if cause == words.unknown => Failure::new(cause, for_people(&self.cause)),
            None => Failure::plain(cause),
        }
    }
}

impl Claim {
    fn computed(&self, guest: &Guest) -> Result<Computed, Refused> {
        let digest = self.result_digest.as_deref().map(protocol::bytes32);
        let digest = digest
            .and_then(Result::ok)
            .filter(|digest| !digest.is_zero());
        let digest = digest.ok_or(Refused::Rejected(
            "the digest is not 32 bytes that say much",
        ))?;
        Ok(Computed {
            digest,
            signature: self.signature(guest, digest)?,
            callback_data: self.callback(guest, digest)?,
        })
    }

    fn signature(&self, guest: &Guest, digest: B256) -> Result<Bytes, Refused> {
        let signature = bytes(self.enclave_signature.as_deref());
        let signature = signature.ok_or(Refused::Rejected("there is no signature"))?;
        let hash = digest::enclave(guest.worker, guest.task, digest);
        let signer = chain::recover_message_hash(hash, &signature).ok();
        let is_good = signer == Some(guest.challenge)
            && signature.last().is_some_and(|last| RECOVERY.contains(last));
        match is_good {
            true => Ok(signature),
            false => Err(Refused::Rejected("the enclave did not sign this result")),
        }
    }

    /// None is kept of a deal that has no use for it.
    fn callback(&self, guest: &Guest, digest: B256) -> Result<Bytes, Refused> {
        if !guest.has_callback {
            return Ok(Bytes::new());
        }
        let data = bytes(self.callback_data.as_deref());
        let data = data.filter(|data| digest::callback(data) == digest);
        data.ok_or(Refused::Rejected(
            "the callback data are not those of the digest",
        ))
    }
}

/// A body in JSON.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|_| Refused::Malformed("the body cannot be read"))
}

fn bytes(text: Option<&str>) -> Option<Bytes> {
    text?.parse().ok()
}

/// One line of a bounded length, that moves no cursor.
fn for_people(message: &str) -> String {
    let plain = message
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c });
    plain.take(MESSAGE_CHARS_MAX).collect()
}
