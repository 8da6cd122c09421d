//! Running an app: from wishes to a deal on chain (spec/client.md §5).
//!
//! [`request`] reads the wishes, [`select`] picks orders, [`check`] says why they would not match
//! or could not be paid (all three pure), [`plan`] brings them together with chain and market, and
//! [`execute`] sends the one transaction.

pub mod check;
pub mod plan;
pub mod preflight;
pub mod request;
pub mod select;

use chain::{Actor, Receipt};
use protocol::{DealId, U256};

use crate::Error;

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
    let orders = &plan.orders;
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
