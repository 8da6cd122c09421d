//! Calls that end tasks or open them again; several go in one transaction where the hub takes that.

use alloy::{primitives::Bytes, sol_types::SolCall};
use protocol::TaskId;

use crate::{Actor, Error, Hub, Receipt, abi::Hub as Abi};

/// Gas of a finalize with a few contributors, the transaction's own included (contracts/gas.md).
const FINALIZE_GAS: u64 = 180_000;
/// Gas of a reopen.
const REOPEN_GAS: u64 = 60_000;
/// Gas of a claim with a few contributors.
const CLAIM_GAS: u64 = 90_000;

/// What a pool does to tasks that nobody works on any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Pays for a revealed task.
    Finalize {
        /// The task.
        task: TaskId,
        /// Its result link.
        results: Bytes,
        /// What the deal's callback gets.
        callback: Bytes,
    },
    /// Lets a task take contributions again that nobody revealed.
    Reopen(TaskId),
    /// Gives back what is locked in dead tasks.
    Claim(Vec<TaskId>),
}

impl Settlement {
    /// The tasks it is about.
    pub fn tasks(&self) -> &[TaskId] {
        match self {
            Self::Finalize { task, .. } | Self::Reopen(task) => std::slice::from_ref(task),
            Self::Claim(tasks) => tasks,
        }
    }

    /// About what it costs on our hub, to keep a transaction well below a block. What it really
    /// costs is estimated when it is sent.
    pub fn gas(&self) -> u64 {
        match self {
            Self::Finalize { .. } => FINALIZE_GAS,
            Self::Reopen(_) => REOPEN_GAS,
            Self::Claim(tasks) => CLAIM_GAS.saturating_mul(tasks.len() as u64),
        }
    }

    /// Whether code of strangers runs in it, which nobody else's call should share gas with.
    pub fn calls_back(&self) -> bool {
        matches!(self, Self::Finalize { callback, .. } if !callback.is_empty())
    }

    fn call(&self) -> Bytes {
        let data = match self.clone() {
            Self::Finalize {
                task,
                results,
                callback,
            } => Abi::finalizeCall {
                taskid: task.0,
                results,
                resultsCallback: callback,
            }
            .abi_encode(),
            Self::Reopen(task) => Abi::reopenCall { taskid: task.0 }.abi_encode(),
            Self::Claim(tasks) => Abi::claimArrayCall {
                taskids: tasks.iter().map(|task| task.0).collect(),
            }
            .abi_encode(),
        };
        data.into()
    }
}

impl Hub {
    /// Whether the hub is one that takes several calls in one transaction, as ours does.
    ///
    /// It is asked to make none: only one that knows the function answers with an empty list. The
    /// official hub refuses, or says nothing where its fallback takes deposits.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn has_multicall(&self) -> Result<bool, Error> {
        let call = Abi::multicallCall { calls: Vec::new() };
        match self.ask(call).await {
            Ok(results) => Ok(results.is_empty()),
            Err(Error::Reverted { .. } | Error::Answer { .. } | Error::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Actor {
    /// Does all of these or none, in one transaction: one alone as any hub takes it, more only
    /// where [`Hub::has_multicall`].
    ///
    /// # Errors
    /// [`Error::Reverted`] when one of them cannot be done: nothing changes then.
    pub async fn settle(&self, all: &[Settlement]) -> Result<Receipt, Error> {
        match all {
            [
                Settlement::Finalize {
                    task,
                    results,
                    callback,
                },
            ] => {
                self.finalize(*task, results.clone(), callback.clone())
                    .await
            }
            [Settlement::Reopen(task)] => self.reopen(*task).await,
            [Settlement::Claim(tasks)] => match tasks[..] {
                [task] => self.claim(task).await,
                _ => self.claim_many(tasks).await,
            },
            _ => {
                let calls = all.iter().map(Settlement::call).collect();
                self.act(Abi::multicallCall { calls }).await
            }
        }
    }
}
