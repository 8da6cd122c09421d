//! What the machine wants done. Everything to be saved is saved before anything is sent.

use std::sync::Arc;

use protocol::{
    Address, Bytes, Cause, DealId, TaskId,
    message::{Flow, Logs},
    status::{ReplicateStatus, TaskStage},
};

use super::{task::Failure, terms::Terms};

/// An order to a worker before it is signed: the machine holds no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run a task.
    Run {
        /// Its deal.
        deal: DealId,
        /// Its index.
        index: u64,
        /// The task.
        task: TaskId,
        /// The address of its enclave's key; zero for standard tasks.
        enclave_challenge: Address,
        /// How its result gets on chain.
        flow: Flow,
    },
    /// Reveal what was contributed: it is the consensus.
    Reveal {
        /// The task.
        task: TaskId,
    },
    /// Upload the result.
    Upload {
        /// The task.
        task: TaskId,
    },
    /// Forget a task: it is done.
    Complete {
        /// The task.
        task: TaskId,
    },
    /// Stop and forget a task.
    Abort {
        /// The task.
        task: TaskId,
        /// Why.
        cause: Cause,
    },
}

impl Command {
    /// The task it is about.
    pub fn task(&self) -> TaskId {
        match self {
            Self::Run { task, .. }
            | Self::Reveal { task }
            | Self::Upload { task }
            | Self::Complete { task }
            | Self::Abort { task, .. } => *task,
        }
    }
}

/// News of a task for those who watch it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The task.
    pub task: TaskId,
    /// [`super::task::Task::revision`] after it.
    pub revision: u64,
    /// The task's stage.
    pub stage: TaskStage,
    /// The step of a replicate, when that is the news.
    pub step: Option<(Address, ReplicateStatus)>,
    /// Milliseconds since 1970.
    pub date: u64,
    /// Why.
    pub failure: Option<Failure>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Save a deal.
    SaveDeal(Arc<Terms>),
    /// Save a task as it is after the step.
    SaveTask(TaskId),
    /// Save the output of an app.
    SaveLogs {
        /// The task.
        task: TaskId,
        /// Whose run.
        worker: Address,
        /// The output.
        logs: Logs,
        /// Seconds since 1970: no longer needed from here on.
        purge_at: u64,
    },
    /// Send a transaction that initialises tasks; at most [`super::INITIALIZE_BATCH_MAX`].
    Initialize {
        /// The deal.
        deal: DealId,
        /// The tasks' indices.
        indices: Vec<u64>,
    },
    /// Send a transaction that finalizes a task.
    Finalize {
        /// The task.
        task: TaskId,
        /// Its result link.
        results: String,
        /// What the callback gets; empty without one.
        callback: Bytes,
    },
    /// Send a transaction that reopens a task nobody revealed.
    Reopen(TaskId),
    /// Send a transaction that claims dead tasks; at most [`super::CLAIM_BATCH_MAX`].
    Claim(Vec<TaskId>),
    /// Read workers' scores and answer with [`super::Event::Scored`].
    ReadScores(Vec<Address>),
    /// Ask the secret manager for the key of a task's enclave.
    Challenge(TaskId),
    /// Ask the chain about tasks and answer with [`super::Event::Looked`].
    Check(Vec<TaskId>),
    /// Send an order.
    Send {
        /// To whom.
        worker: Address,
        /// Its number.
        id: u64,
        /// What.
        command: Command,
    },
    /// Tell a worker that its report is stored.
    Acknowledge {
        /// Whom.
        worker: Address,
        /// The report's number.
        seq: u64,
    },
    /// Tell those who watch.
    Publish(Notice),
}
