//! One task: its stages, its replicates, and why it failed. What is persisted is this.

use std::sync::Arc;

use protocol::{Address, Cause, TaskId, status::TaskStage};
use serde::{Deserialize, Serialize};

use super::{replicate::Replicate, terms::Terms};

/// A stage and when it was entered, milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageDate {
    /// The stage.
    pub stage: TaskStage,
    /// When.
    pub date: u64,
}

/// Why a task failed, or why its result is an error file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The code.
    pub cause: Cause,
    /// What exactly.
    pub message: Option<String>,
}

impl Failure {
    /// A cause with the text that a worker or the chain gave for it.
    pub fn new(cause: Cause, message: Option<String>) -> Self {
        Self { cause, message }
    }
}

/// One task of a deal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Its index in the request order.
    pub index: u64,
    /// Its deal; stored apart, once for the whole bag.
    #[serde(skip)]
    pub terms: Arc<Terms>,
    /// Where it has been, oldest first; never empty.
    pub stages: Vec<StageDate>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// One for each worker that got it, oldest first.
    pub replicates: Vec<Replicate>,
    /// What stands on chain once it is completed.
    pub result_link: Option<String>,
    /// The chain knows it.
    pub is_initialized: bool,
    /// In which block it was initialised, when known.
    pub initialized_block: Option<u64>,
    /// Who contributed, as the chain says.
    pub contributor: Option<Address>,
    /// The address of its enclave's key, once the secret manager has made it; standard tasks have
    /// none.
    #[serde(default)]
    pub enclave_challenge: Option<Address>,
    /// Attempts that failed for the worker's or the chain's reasons.
    pub failures: u32,
    /// Attempts whose worker vanished.
    pub losses: u32,
    /// Counts every stage and every step: a reader of the history knows what it has seen.
    pub revision: u64,
    /// Place in the queue of tasks that want a worker.
    #[serde(skip)]
    pub(super) place: Option<(u64, u64)>,
    /// A transaction that initialises it is on its way.
    #[serde(skip)]
    pub(super) is_initializing: bool,
    /// Transactions that did not initialise it.
    #[serde(skip)]
    pub(super) initialize_failures: u32,
    /// The secret manager is being asked.
    #[serde(skip)]
    pub(super) is_challenging: bool,
    /// Questions to the secret manager without an answer.
    #[serde(skip)]
    pub(super) challenge_failures: u32,
}

impl Task {
    /// A task nobody has done anything for yet.
    pub fn new(terms: Arc<Terms>, index: u64, id: TaskId) -> Self {
        Self {
            id,
            index,
            terms,
            stages: Vec::new(),
            failure: None,
            replicates: Vec::new(),
            result_link: None,
            is_initialized: false,
            initialized_block: None,
            contributor: None,
            enclave_challenge: None,
            failures: 0,
            losses: 0,
            revision: 0,
            place: None,
            is_initializing: false,
            initialize_failures: 0,
            is_challenging: false,
            challenge_failures: 0,
        }
    }

    /// The stage it is in.
    pub fn stage(&self) -> TaskStage {
        self.stages.last().map_or(TaskStage::Received, |s| s.stage)
    }

    /// Whether it has been in `stage`.
    pub fn has(&self, stage: TaskStage) -> bool {
        self.stages.iter().any(|s| s.stage == stage)
    }

    /// Nothing more is done for it.
    pub fn is_final(&self) -> bool {
        self.stage().is_final()
    }

    /// The replicate of `worker`.
    pub fn replicate(&self, worker: Address) -> Option<&Replicate> {
        self.replicates.iter().find(|r| r.worker == worker)
    }

    pub(super) fn replicate_mut(&mut self, worker: Address) -> Option<&mut Replicate> {
        self.replicates.iter_mut().find(|r| r.worker == worker)
    }

    /// The workers that are at it.
    pub fn active_workers(&self) -> impl Iterator<Item = Address> + '_ {
        let active = self.replicates.iter().filter(|r| r.is_active());
        active.map(|r| r.worker)
    }

    /// A confidential task without the key of its enclave: no worker can be authorised for it.
    pub fn lacks_challenge(&self) -> bool {
        self.terms.tag.is_tee() && self.enclave_challenge.is_none()
    }

    /// Workers it wants besides those it has. One is enough for trust 1; how many a higher trust
    /// takes is decided here.
    pub fn wants_workers(&self) -> bool {
        let is_served = |r: &Replicate| r.is_active() || r.is_done();
        !self.is_final() && !self.lacks_challenge() && !self.replicates.iter().any(is_served)
    }
}
