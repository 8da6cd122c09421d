//! Who may upload a result: the rules behind an upload token (spec/pool-worker.md §3.3).
//!
//! The store never judges a result: the chain does. It only makes sure that those who fill its
//! disk are workers whom a pool let work on a task that still needs a result.

use async_trait::async_trait;
use protocol::{
    Address, B256, DealId, Signature, TaskId,
    deal::{Deal, Task, TaskStatus},
    digest,
    message::Authorization,
};

mod hub;
#[cfg(test)]
mod tests;

/// Says who may upload.
#[async_trait]
pub trait Gate: Send + Sync + 'static {
    /// Judges `authorization`, presented by the holder of the key of `signer`.
    ///
    /// # Errors
    /// The rule that is broken, or that the chain cannot be asked.
    async fn may_upload(
        &self,
        authorization: &Authorization,
        signer: Address,
    ) -> Result<Permit, Refusal>;
}

/// An upload is welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// Seconds until the task's final deadline, by the chain's clock: the token lives as long.
    pub life_s: u64,
}

/// Why an upload is not welcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The hub has no such task yet: it is not initialised.
    #[error("task {0} is not initialized on chain")]
    TaskUnknown(TaskId),
    /// The task needs no result any more.
    #[error("task is {0}, so its result can no longer be uploaded")]
    TaskClosed(&'static str),
    /// The task can only be claimed.
    #[error("the task's final deadline is over")]
    DeadlineOver,
    /// The task's deal cannot be found.
    #[error("deal {0} is unknown")]
    DealUnknown(DealId),
    /// TEE deals need an enclave challenge, standard ones must not have one.
    #[error("the enclave challenge does not fit the deal's tag")]
    EnclaveMismatch,
    /// The authorization is not signed by the owner of the deal's workerpool.
    #[error("the authorization is not signed by the workerpool's owner")]
    NotTheOwner,
    /// The caller is not the worker that the authorization names.
    #[error("the caller is not the authorized worker")]
    NotTheWorker,
    /// The chain cannot be asked now; asking again later makes sense.
    #[error("the chain is unreachable: {0}")]
    Unavailable(String),
}

/// What the gate reads of a chain. [`chain::Hub`] in earnest; a few values in tests.
#[async_trait]
pub trait Chain: Send + Sync + 'static {
    /// Seconds since 1970 by the newest block.
    ///
    /// # Errors
    /// A sentence when the chain cannot be asked.
    async fn now(&self) -> Result<u64, String>;
    /// The task, or none while it is not initialised.
    ///
    /// # Errors
    /// A sentence when the chain cannot be asked.
    async fn task(&self, id: TaskId) -> Result<Option<Task>, String>;
    /// The deal.
    ///
    /// # Errors
    /// A sentence when the chain cannot be asked.
    async fn deal(&self, id: DealId) -> Result<Option<Deal>, String>;
}

/// The rules over a chain.
#[derive(Clone, Debug)]
pub struct ChainGate<C> {
    chain: C,
}

impl<C: Chain> ChainGate<C> {
    /// A gate that asks `chain`.
    pub const fn new(chain: C) -> Self {
        Self { chain }
    }
}

#[async_trait]
impl<C: Chain> Gate for ChainGate<C> {
    async fn may_upload(
        &self,
        authorization: &Authorization,
        signer: Address,
    ) -> Result<Permit, Refusal> {
        if signer != authorization.worker_wallet {
            return Err(Refusal::NotTheWorker);
        }
        let id = authorization.chain_task_id;
        let (task, now) = tokio::join!(self.chain.task(id), self.chain.now());
        let task = task.map_err(Refusal::Unavailable)?;
        let task = task.ok_or(Refusal::TaskUnknown(id))?;
        let permit = needs_result(&task, now.map_err(Refusal::Unavailable)?)?;
        let deal = self.chain.deal(task.deal).await;
        let deal = deal.map_err(Refusal::Unavailable)?;
        let deal = deal.ok_or(Refusal::DealUnknown(task.deal))?;
        is_granted(&deal, authorization)?;
        Ok(permit)
    }
}

/// A result is needed between initialisation and finalisation: our workers upload before they
/// contribute-and-finalize, the official ones after they revealed.
fn needs_result(task: &Task, now: u64) -> Result<Permit, Refusal> {
    if !matches!(task.status, TaskStatus::Active | TaskStatus::Revealing) {
        return Err(Refusal::TaskClosed(task.status.name()));
    }
    match task.final_deadline.saturating_sub(now) {
        0 => Err(Refusal::DeadlineOver),
        life_s => Ok(Permit { life_s }),
    }
}

/// The pool owner of the time of the match let this worker work: the chain checks the same.
fn is_granted(deal: &Deal, authorization: &Authorization) -> Result<(), Refusal> {
    if deal.tag.is_tee() == authorization.enclave_challenge.is_zero() {
        return Err(Refusal::EnclaveMismatch);
    }
    let signer = recover(digest_of(authorization), &authorization.signature.value);
    if signer != Some(deal.workerpool.owner) {
        return Err(Refusal::NotTheOwner);
    }
    Ok(())
}

/// What pool owner and worker sign (EIP-191).
pub(crate) fn digest_of(authorization: &Authorization) -> B256 {
    digest::authorization(
        authorization.worker_wallet,
        authorization.chain_task_id,
        authorization.enclave_challenge,
    )
}

/// Who signed `hash` as an EIP-191 message.
pub(crate) fn recover(hash: B256, signature: &[u8]) -> Option<Address> {
    let signature = Signature::from_raw(signature).ok()?;
    signature.recover_address_from_msg(hash).ok()
}
