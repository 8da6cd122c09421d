//! Who contributed what to a task, and how much each worker's word weighs.

use alloy::primitives::Address;
use protocol::{
    TaskId,
    deal::{Contribution, ContributionStatus},
};

use crate::{Error, Hub, abi::Hub as Abi, convert};

impl Hub {
    /// A worker's contribution to a task; none when there is none.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn contribution(
        &self,
        task: TaskId,
        worker: Address,
    ) -> Result<Option<Contribution>, Error> {
        let call = Abi::viewContributionCall { id: task.0, worker };
        let view = self.ask(call).await?;
        let status = ContributionStatus::from_chain(view.status);
        Ok(status.map(|status| Contribution {
            worker,
            status,
            result_hash: view.resultHash,
        }))
    }

    /// A worker's score, which is the same on all workerpools.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn score(&self, worker: Address) -> Result<u64, Error> {
        Ok(convert::small(
            self.ask(Abi::viewScoreCall { worker }).await?,
        ))
    }
}
