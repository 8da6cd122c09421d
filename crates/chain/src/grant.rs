//! Who may use a dataset that a deal was made without (spec/contracts.md §6).

use alloy::sol_types::SolError;
use protocol::{
    DealId,
    order::{DatasetOrder, Signed},
};

use crate::{Error, Hub, abi::Hub as Abi};

impl Hub {
    /// Why the owner of a dataset does not let a deal that has none use it; none when the order
    /// does (`assertDatasetDealCompatibility`). Neither price nor registration are
    /// looked at. A hub without this function allows nothing.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Refused`]: that is no permission either.
    pub async fn dataset_refusal(
        &self,
        order: &Signed<DatasetOrder>,
        deal: DealId,
    ) -> Result<Option<String>, Error> {
        let call = Abi::assertDatasetDealCompatibilityCall {
            order: order.into(),
            dealid: deal.0,
        };
        match self.ask(call).await {
            Ok(_) => Ok(None),
            Err(Error::Reverted { reason, data, .. }) => {
                let told = Abi::IncompatibleDatasetOrder::abi_decode(&data);
                Ok(Some(told.map_or(reason, |told| told.reason)))
            }
            Err(error) => Err(error),
        }
    }
}
