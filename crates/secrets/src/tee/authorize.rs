//! Who may ask for an enclave's key or a session: the official sequence, in the official order.

use protocol::{
    Address, B256, Cause, TaskId,
    deal::{Deal, Task, TaskStatus},
};

use crate::Ledger;

/// What is asked, by whom it has to be signed.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The task.
    pub(crate) task: TaskId,
    /// What the pool's owner signed (EIP-191).
    pub(crate) hash: B256,
    /// The signature as sent.
    pub(crate) signature: &'a str,
}

/// Task and deal, when the owner of the deal's workerpool at the time of the match signed; that of
/// today has no say.
///
/// # Errors
/// The first broken rule, always a cause of a session. A chain that does not answer counts as one
/// that does not know: the official service cannot tell either.
pub(crate) async fn authorize(
    ledger: &dyn Ledger,
    request: &Request<'_>,
) -> Result<(Task, Deal), Cause> {
    let task = ledger.task(request.task).await.inspect_err(warn);
    let task = task.ok().flatten();
    let task = task.ok_or(Cause::SessionGetChainTaskFailed)?;
    if task.status != TaskStatus::Active {
        return Err(Cause::SessionTaskNotActive);
    }
    let deal = ledger.deal(task.deal).await.inspect_err(warn);
    let deal = deal.ok().flatten();
    let deal = deal.ok_or(Cause::SessionGetChainDealFailed)?;
    if !deal.tag.is_tdx() {
        return Err(Cause::SessionNoMatchOnchainType);
    }
    if signer(request.hash, request.signature) != Some(deal.workerpool.owner) {
        return Err(Cause::SessionInvalidSignature);
    }
    Ok((task, deal))
}

fn warn(error: &crate::Unavailable) {
    tracing::warn!(%error, "an authorization cannot be checked");
}

/// Who signed 32 bytes as a personal message; none for what is no signature.
pub(crate) fn signer(hash: B256, signature: &str) -> Option<Address> {
    let signature: protocol::Signature = signature.parse().ok()?;
    signature.recover_address_from_msg(hash).ok()
}
