//! Sends a planned deployment.
use alloy::network::TransactionBuilder;
use alloy::primitives::{Address, TxHash};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::TransactionRequest;
use chain::fees::{Fees, Prices};
use futures_util::future::{try_join_all, try_join3};
use tokio::time::{Duration, Instant, sleep};

use crate::resume::{BLOCK_WAIT_S, RECEIPT_POLL_MS};
use crate::{Deployment, Error, Options, Plan, Step, StepName, view::asked};

/// Deploys and configures everything and returns where it is once all receipts are good.
///
/// `provider` must be able to sign for `deployer`, who ends up owning the hub, the registries and
/// (unless `options` names a token) the whole supply of RLC. All transactions are sent at once,
/// with consecutive nonces and without asking for estimates.
///
/// # Errors
/// [`Error::Rpc`] when the node refuses a transaction, [`Error::Reverted`] when one fails,
/// [`Error::Waiting`] when one is not mined in time. What was mined before stays on the chain; a
/// second attempt deploys anew.
pub async fn deploy(
    provider: &DynProvider,
    deployer: Address,
    options: &Options,
) -> Result<Deployment, Error> {
    let (nonce, chain_id, prices) = try_join3(
        async {
            let count = provider.get_transaction_count(deployer).await;
            asked("count transactions", count)
        },
        async { asked("name its chain", provider.get_chain_id().await) },
        async { asked("price gas", Prices::now(provider).await) },
    )
    .await?;
    let plan = Plan::new(deployer, nonce, options);
    let fees = Fees::new(prices);
    let sends = plan.steps.iter().zip(nonce..).map(|(step, nonce)| {
        let request = request(step)
            .with_from(deployer)
            .with_nonce(nonce)
            .with_chain_id(chain_id);
        send(provider, step.name, fees.offer(request))
    });
    let sent = try_join_all(sends).await?;
    let checks = plan.steps.iter().zip(sent);
    try_join_all(checks.map(|(step, hash)| check(provider, step.name, hash))).await?;
    Ok(plan.deployment)
}

fn request(step: &Step) -> TransactionRequest {
    let request = TransactionRequest::default().with_gas_limit(step.gas);
    match step.to {
        Some(to) => request.with_to(to).with_input(step.data.clone()),
        None => request.with_deploy_code(step.data.clone()),
    }
}

async fn send(
    provider: &DynProvider,
    step: StepName,
    request: TransactionRequest,
) -> Result<TxHash, Error> {
    let pending = asked(step, provider.send_transaction(request).await)?;
    Ok(*pending.tx_hash())
}

/// A node that mines on demand has the receipt already, or a moment later; any other is asked
/// again. Alloy's own wait is not used: a block between its question and its subscription is never
/// seen, and it waits for ever.
async fn check(provider: &DynProvider, step: StepName, tx: TxHash) -> Result<(), Error> {
    let deadline = Instant::now() + Duration::from_secs(BLOCK_WAIT_S);
    while Instant::now() < deadline {
        let receipt = asked("show a receipt", provider.get_transaction_receipt(tx).await)?;
        match receipt.map(|receipt| receipt.status()) {
            Some(true) => return Ok(()),
            Some(false) => return Err(Error::Reverted { step, tx }),
            None => sleep(Duration::from_millis(RECEIPT_POLL_MS)).await,
        }
    }
    let seconds = BLOCK_WAIT_S;
    Err(Error::Waiting { step, tx, seconds })
}
