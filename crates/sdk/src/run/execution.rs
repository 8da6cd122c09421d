//! Asking for an execution without matching: a request order on the market, which whoever fits
//! it may match (spec/client.md §5.3 `request-execution`).

use protocol::{Address, U256, order::RequestOrder};

use crate::{
    Client, Error,
    run::{check::Shortfall, request::Wishes},
};

/// The most that is paid, in nRLC a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// For the app.
    pub app: U256,
    /// For the dataset.
    pub dataset: U256,
    /// For the workerpool.
    pub workerpool: U256,
}

impl Prices {
    /// nRLC a task.
    pub fn sum(&self) -> U256 {
        self.app
            .saturating_add(self.dataset)
            .saturating_add(self.workerpool)
    }
}

/// The request order, checked: what it names is deployed, and the account covers all of it at the
/// highest prices.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Insolvent`], [`Error::Chain`], and those of
/// [`Wishes::params_text`].
pub async fn draft(
    client: &Client,
    requester: Address,
    wishes: &Wishes,
    prices: Prices,
) -> Result<RequestOrder, Error> {
    let params = wishes.params_text()?;
    crate::app::show(client, wishes.app).await?;
    let category = U256::from(wishes.category.unwrap_or_default());
    let account = crate::account::show(client, requester).await?;
    let needed = prices.sum().saturating_mul(wishes.volume);
    Shortfall::check(requester, needed, &account, &client.chain().name)
        .map_err(Error::Insolvent)?;
    let prices = [prices.app, prices.dataset, prices.workerpool];
    Ok(wishes.order(requester, params, prices, category))
}
