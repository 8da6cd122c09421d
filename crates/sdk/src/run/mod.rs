//! Running an app: from wishes to a deal on chain (spec/client.md §5).
//!
//! [`request`] reads the wishes, [`choice`] picks orders and tells why the others do not fit,
//! [`check`] says why they would not match or could not be paid (all three pure), [`plan`] brings
//! them together with chain and market, [`preflight`] asks for what else is needed, and
//! [`execute`] sends the one transaction. [`execution`] only asks, and lets others match.

pub mod check;
pub mod choice;
pub mod execution;
mod mismatch;
pub mod plan;
pub mod preflight;
pub mod request;
mod shortfall;

use chain::{Actor, Receipt};
use protocol::{DealId, U256};

use crate::{Error, run::check::Orders};

/// A deal that was just made.
#[derive(Clone, Debug)]
pub struct Started {
    /// Its id.
    pub deal: DealId,
    /// Its tasks.
    pub volume: U256,
    /// The transaction.
    pub receipt: Receipt,
}

/// Matches the plan's orders on chain.
///
/// # Errors
/// [`Error::Chain`] with the contract's reason, e.g. when somebody else used an order up first.
pub async fn execute(actor: &Actor, plan: &plan::Plan) -> Result<Started, Error> {
    match_orders(actor, &plan.orders).await
}

/// Matches any four orders on chain.
///
/// # Errors
/// As [`execute`].
pub async fn match_orders(actor: &Actor, orders: &Orders) -> Result<Started, Error> {
    let (deal, volume, receipt) = actor
        .match_orders(
            &orders.app,
            &orders.dataset,
            &orders.workerpool,
            &orders.request,
        )
        .await
        .map_err(Error::chain("match the orders"))?;
    Ok(Started {
        deal,
        volume,
        receipt,
    })
}
