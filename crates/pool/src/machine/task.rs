//! One task: its stages, its replicates, and why it failed. What is persisted is this.

use std::{collections::BTreeMap, sync::Arc};

use protocol::{Address, B256, Bytes, Cause, TaskId, status::TaskStage};
use serde::{Deserialize, Serialize};

use super::{
    consensus::{self, Tally},
    replicate::Replicate,
    terms::Terms,
};

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

/// What the chain thinks of a contribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It counts.
    Contributed,
    /// Its digest is revealed: its worker is paid when the task is finalized.
    Revealed,
    /// It was the consensus, and nobody revealed it: it counts no more.
    Rejected,
}

/// One worker's contribution, as the chain has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// Whose.
    pub worker: Address,
    /// What was contributed: equal hashes are equal results.
    pub hash: B256,
    /// What became of it.
    pub standing: Standing,
}

/// What the contributions agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consensus {
    /// The result hash.
    pub value: B256,
    /// Seconds since 1970: no reveal from here on.
    pub reveal_deadline: u64,
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
    /// Who contributed what, as the chain says, in the order of the chain.
    #[serde(default)]
    pub contributions: Vec<Contribution>,
    /// What they agreed on, once they did.
    #[serde(default)]
    pub consensus: Option<Consensus>,
    /// Whom we asked last for the result.
    #[serde(default)]
    pub uploader: Option<Address>,
    /// What the deal's callback gets, as the uploader says; the chain checks it.
    #[serde(default)]
    pub callback_data: Option<Bytes>,
    /// It failed, and our workers' stakes (or, where the pool does that, the requester's money)
    /// come back by a claim after the final deadline.
    #[serde(default)]
    pub claims: bool,
    /// The claim stands on chain.
    #[serde(default)]
    pub is_claimed: bool,
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
    /// A transaction that finalizes, reopens or claims it is on its way.
    #[serde(skip)]
    pub(super) is_settling: bool,
    /// Such transactions that failed.
    #[serde(skip)]
    pub(super) settle_failures: u32,
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
            contributions: Vec::new(),
            consensus: None,
            uploader: None,
            callback_data: None,
            claims: false,
            is_claimed: false,
            enclave_challenge: None,
            failures: 0,
            losses: 0,
            revision: 0,
            place: None,
            is_initializing: false,
            initialize_failures: 0,
            is_challenging: false,
            challenge_failures: 0,
            is_settling: false,
            settle_failures: 0,
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

    /// Nothing more is done for it, and nothing locked in it is waited for.
    pub fn is_closed(&self) -> bool {
        self.is_final() && (!self.claims || self.is_claimed)
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

    /// The contribution of `worker`, if the chain has one.
    pub fn contribution(&self, worker: Address) -> Option<&Contribution> {
        self.contributions.iter().find(|c| c.worker == worker)
    }

    /// Whether it wants workers besides those it has: those that contributed and those at it do not
    /// reach the trust asked for, even if they all agree.
    pub fn wants_workers(&self) -> bool {
        let is_open = !self.is_final() && !self.lacks_challenge() && self.consensus.is_none();
        is_open && !self.tally().is_enough(self.terms.trust)
    }

    /// What stands on chain and who may add to it.
    pub fn tally(&self) -> Tally {
        let pending = self.replicates.iter().filter(|r| self.is_pending(r));
        Tally {
            groups: self.groups(),
            pending: pending.map(|r| r.weight).collect(),
        }
    }

    /// A contribution may still come of it.
    fn is_pending(&self, replicate: &Replicate) -> bool {
        let at_it = replicate.is_active() && !replicate.is_overdue || replicate.is_done();
        at_it && self.contribution(replicate.worker).is_none()
    }

    /// Weights of the groups of equal contributions that count.
    fn groups(&self) -> Vec<u128> {
        let counting = |c: &&Contribution| c.standing != Standing::Rejected;
        let mut groups: BTreeMap<B256, Vec<u64>> = BTreeMap::new();
        for contribution in self.contributions.iter().filter(counting) {
            let replicate = self.replicate(contribution.worker);
            let weight = replicate.map_or(consensus::WEIGHT_MIN, |r| r.weight);
            groups.entry(contribution.hash).or_default().push(weight);
        }
        let weights = groups.values();
        weights.map(|group| consensus::product(group)).collect()
    }

    /// Contributions to the result agreed on.
    pub fn winners(&self) -> impl Iterator<Item = &Contribution> {
        let value = self.consensus.as_ref().map(|consensus| consensus.value);
        let agrees =
            move |c: &&Contribution| Some(c.hash) == value && c.standing != Standing::Rejected;
        self.contributions.iter().filter(agrees)
    }

    /// Workers that revealed the result agreed on.
    pub fn revealers(&self) -> impl Iterator<Item = Address> + '_ {
        let revealed = self.winners().filter(|c| c.standing == Standing::Revealed);
        revealed.map(|c| c.worker)
    }

    /// The link of a result that one of the revealers uploaded.
    pub fn uploaded_link(&self) -> Option<&str> {
        let mut replicates = self.revealers().filter_map(|w| self.replicate(w));
        replicates.find_map(|r| r.uploaded_link())
    }

    /// Whether so many workers say that the app itself fails that no other could be believed.
    pub fn is_failure_agreed(&self, fails: impl Fn(&Replicate) -> bool) -> bool {
        let failed = self.replicates.iter().filter(|r| fails(r));
        let weights: Vec<u64> = failed.map(|r| r.weight).collect();
        let others = self.groups().into_iter().fold(0, u128::saturating_add);
        !weights.is_empty()
            && consensus::wins(consensus::product(&weights), others, self.terms.trust)
    }
}
