//! What the machine is told.

use std::sync::Arc;

use protocol::{
    Address, B256, DealId, TaskId,
    deal::TaskStatus,
    message::{Busy, Profile, Report},
};

use super::{
    task::{Consensus, Contribution, Task},
    terms::Terms,
};

/// A worker's login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Who, proven by signature.
    pub address: Address,
    /// A name for people.
    pub name: String,
    /// Tasks it runs at once.
    pub slots: u32,
    /// `docker` or `builtin`.
    pub engine: String,
    /// What its machine is like.
    pub profile: Profile,
    /// What it is at since before this connection.
    pub busy: Vec<Busy>,
}

/// What the chain says about a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnChain {
    /// The task.
    pub task: TaskId,
    /// Its status there.
    pub status: TaskStatus,
    /// Its result link, once completed.
    pub results: Option<String>,
    /// Who contributed what, and the consensus; none when only the status is known.
    pub poll: Option<Poll>,
    /// The block that says so, when it was an event.
    pub block: Option<u64>,
}

impl OnChain {
    /// A bare status.
    pub fn new(task: TaskId, status: TaskStatus) -> Self {
        Self {
            task,
            status,
            results: None,
            poll: None,
            block: None,
        }
    }
}

/// What the chain knows about the contributions to a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Poll {
    /// In the order of the chain.
    pub contributions: Vec<Contribution>,
    /// Once they agreed.
    pub consensus: Option<Consensus>,
}

/// Which transaction about an open task failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settling {
    /// One that finalizes it.
    Finalize,
    /// One that reopens it.
    Reopen,
    /// One that claims it.
    Claim,
}

/// One thing that happened outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A deal names our workerpool. `chain` is what the chain says about its tasks when the deal
    /// is not fresh: then nothing is done twice.
    DealSeen {
        /// The deal.
        terms: Arc<Terms>,
        /// Known tasks.
        chain: Vec<OnChain>,
    },
    /// The chain told by itself about tasks.
    ChainSays(Vec<OnChain>),
    /// The answer to [`super::Effect::Check`].
    Looked {
        /// [`super::Machine::epoch`] when the chain was asked.
        epoch: u64,
        /// What it said.
        states: Vec<OnChain>,
    },
    /// Blocks are gone that told of tasks.
    Reverted {
        /// What the chain says of these tasks now.
        states: Vec<OnChain>,
        /// The same tasks as they were saved: final ones may not be in memory.
        stored: Vec<Task>,
    },
    /// A contribution stands on chain.
    Contributed {
        /// The task.
        task: TaskId,
        /// Whose.
        worker: Address,
        /// What.
        hash: B256,
    },
    /// The contributions agree.
    Agreed {
        /// The task.
        task: TaskId,
        /// On what.
        value: B256,
    },
    /// A worker revealed its digest.
    Revealed {
        /// The task.
        task: TaskId,
        /// Who.
        worker: Address,
    },
    /// Nobody revealed: the task takes contributions again.
    Reopened(TaskId),
    /// A transaction that finalizes, reopens or claims tasks did not go through.
    SettleFailed {
        /// The tasks.
        tasks: Vec<TaskId>,
        /// Which transaction.
        what: Settling,
        /// What the chain said.
        reason: String,
    },
    /// Scores of workers, from the chain.
    Scored(Vec<(Address, u64)>),
    /// Several things that happened at once: nobody gets a task in between.
    Many(Vec<Event>),
    /// A transaction that initialises tasks did not go through.
    InitializeFailed {
        /// The deal.
        deal: DealId,
        /// Their indices.
        indices: Vec<u64>,
        /// What the chain said.
        reason: String,
    },
    /// The secret manager has the key of a task's enclave.
    Challenged {
        /// The task.
        task: TaskId,
        /// The key's address.
        challenge: Address,
    },
    /// The secret manager gave no key.
    ChallengeFailed {
        /// The task.
        task: TaskId,
        /// What it said, or that it did not.
        reason: String,
    },
    /// A worker logged in; a second time counts as a reconnection.
    WorkerOnline(Hello),
    /// Other pools have taken slots of a worker, or given them back.
    SlotsChanged {
        /// Whose.
        worker: Address,
        /// Tasks it runs at once for this pool now.
        slots: u32,
    },
    /// A worker's connection is gone.
    WorkerOffline(Address),
    /// A worker has understood an order.
    OrderAcknowledged {
        /// Who.
        worker: Address,
        /// The order's number.
        id: u64,
    },
    /// A worker reached a step.
    Reported {
        /// Who.
        worker: Address,
        /// The report's number.
        seq: u64,
        /// Which step.
        report: Report,
    },
    /// Time passed: some deadline of [`super::Machine::next_wake`] is over.
    Tick,
}
