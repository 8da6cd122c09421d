//! Who is listened to: one container, of one stage of one task.

use protocol::{Address, Bytes, TaskId, digest, stage::Stage};
use zeroize::Zeroizing;

use super::{refused::Refused, words::Words};

/// Where the official programs look for their worker when nothing tells them.
pub(crate) const PORT: u16 = 13100;
/// The API as the container sees it: in its own loopback.
pub(crate) const ADDRESS: &str = "127.0.0.1:13100";
/// The variables that are to hold [`ADDRESS`]: the official programs do not agree on one.
pub(crate) const VARIABLES: [&str; 2] = ["WORKER_HOST", "WORKER_HOST_ENV_VAR"];

/// A container and what its word is worth. It holds a token, so it has no `Debug`.
pub(crate) struct Guest {
    /// The task it works for.
    pub(crate) task: TaskId,
    /// Whose replicate.
    pub(crate) worker: Address,
    /// The address of the enclave's key, which it signs with.
    pub(crate) challenge: Address,
    /// What it does.
    pub(crate) stage: Stage,
    /// Whether the deal has a callback: the result is then data and not an archive.
    pub(crate) has_callback: bool,
    /// What it was given to upload the archive with; without it there is no upload.
    pub(crate) token: Option<Zeroizing<String>>,
}

impl Guest {
    /// Whether a route is about this container: each is told of its own task and stage only.
    pub(super) fn is_at(&self, stage: &str, task: &str) -> Result<(), Refused> {
        let is_here = Words::of(self.stage).segment == stage && task.parse() == Ok(self.task);
        is_here.then_some(()).ok_or(Refused::NotFound)
    }

    /// Whether a call is signed with the enclave's key.
    pub(super) fn has_signed(&self, authorization: Option<&str>) -> Result<(), Refused> {
        let signature = authorization.and_then(|text| text.parse::<Bytes>().ok());
        let hash = digest::host_call(self.task, self.worker);
        let signer = signature.and_then(|sign| chain::recover_message_hash(hash, &sign).ok());
        let is_signed = signer == Some(self.challenge);
        is_signed.then_some(()).ok_or(Refused::Unsigned)
    }

    /// Whether it may upload: nobody else knows the token.
    pub(super) fn has_token(&self, authorization: Option<&str>) -> Result<(), Refused> {
        let given = self.token.as_ref().map(|token| token.as_str());
        let is_known = given.is_some() && given == authorization;
        is_known.then_some(()).ok_or(Refused::Unsigned)
    }
}
