//! Deals, tasks, contributions and categories as the hub returns them (spec/contracts.md §3).

use alloy_primitives::{Address, B256, Bytes, U256};

use crate::{DealId, Tag, TaskId};

/// One leg of a deal: what is used, who owned it when the deal was made, and its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Resource {
    /// The app, dataset or workerpool; zero for "no dataset".
    pub pointer: Address,
    /// The owner at match time: a later sale changes nothing.
    pub owner: Address,
    /// nRLC a task.
    pub price: U256,
}

/// A deal: immutable once matched; it has no status of its own, its tasks have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deal {
    /// Its id.
    pub id: DealId,
    /// The app.
    pub app: Resource,
    /// The dataset; zero pointer for none.
    pub dataset: Resource,
    /// The workerpool.
    pub workerpool: Resource,
    /// At least 1.
    pub trust: U256,
    /// Which time limit holds.
    pub category: u64,
    /// Union of what app, dataset and request ask.
    pub tag: Tag,
    /// Who asked.
    pub requester: Address,
    /// Who may decrypt the result.
    pub beneficiary: Address,
    /// Contract to call with the result, or zero.
    pub callback: Address,
    /// The request's parameters, verbatim.
    pub params: String,
    /// Seconds since 1970: all deadlines count from here.
    pub start_time: u64,
    /// First index of the bag.
    pub bot_first: u64,
    /// Number of tasks.
    pub bot_size: u64,
    /// nRLC a worker locks when it contributes.
    pub worker_stake: U256,
    /// Percent of the price that the scheduler keeps.
    pub scheduler_reward_ratio: U256,
    /// Who pays.
    pub sponsor: Address,
}

impl Deal {
    /// The indices of the deal's tasks.
    pub fn indices(&self) -> std::ops::Range<u64> {
        self.bot_first..self.bot_first.saturating_add(self.bot_size)
    }

    /// The ids of the deal's tasks, in order of index.
    pub fn tasks(&self) -> impl Iterator<Item = (u64, TaskId)> + '_ {
        self.indices().map(|index| (index, self.id.task(index)))
    }

    /// Whether the deal has a contract to call.
    pub fn has_callback(&self) -> bool {
        !self.callback.is_zero()
    }

    /// Whether one worker's word is enough, so that contribute-and-finalize is allowed.
    pub fn is_trust_one(&self) -> bool {
        self.trust <= U256::from(1)
    }
}

/// A category: how long a task may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// Short name, e.g. `XS`.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Seconds a run may take; the deadlines are multiples of it.
    pub work_clock_time_ref: u64,
}

/// A task's status on chain (spec/contracts.md §11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskStatus {
    /// Not initialised.
    Unset,
    /// Waiting for contributions.
    Active,
    /// Consensus reached, waiting for reveals.
    Revealing,
    /// Done and paid.
    Completed,
    /// Claimed after its deadline.
    Failed,
}

impl TaskStatus {
    /// From the contract's enum.
    pub const fn from_chain(value: u8) -> Self {
        match value {
            1 => Self::Active,
            2 => Self::Revealing,
            3 => Self::Completed,
            4 => Self::Failed,
            _ => Self::Unset,
        }
    }

    /// The contract's number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The official upper-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unset => "UNSET",
            Self::Active => "ACTIVE",
            Self::Revealing => "REVEALING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }

    /// Completed or failed: no transaction changes it any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// A task as on chain. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Where it is in its life.
    pub status: TaskStatus,
    /// The deal it belongs to; zero while it is not initialised.
    pub deal: DealId,
    /// Its index in the request order.
    pub index: u64,
    /// The category's seconds.
    pub timeref: u64,
    /// No contribution at or after this.
    pub contribution_deadline: u64,
    /// No reveal at or after this; 0 before consensus.
    pub reveal_deadline: u64,
    /// Claimable from here on.
    pub final_deadline: u64,
    /// The result hash agreed on.
    pub consensus_value: B256,
    /// Reveals so far.
    pub reveal_counter: u64,
    /// Workers that contributed the consensus.
    pub winner_counter: u64,
    /// Workers that contributed.
    pub contributors: Vec<Address>,
    /// The digest revealed.
    pub result_digest: B256,
    /// The result link, see [`crate::link`].
    pub results: Bytes,
    /// When the result came, in seconds since 1970; 0 on contracts that do not keep it.
    pub results_timestamp: u64,
    /// What the callback received.
    pub results_callback: Bytes,
}

/// What became of a contribution (spec/contracts.md §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContributionStatus {
    /// It counts.
    Contributed,
    /// Its digest is revealed.
    Proved,
    /// It was the consensus, and nobody revealed it in time.
    Rejected,
}

impl ContributionStatus {
    /// From the contract's enum; none for 0, which is no contribution.
    pub const fn from_chain(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::Contributed),
            2 => Some(Self::Proved),
            3 => Some(Self::Rejected),
            _ => None,
        }
    }
}

/// One worker's contribution to a task, as on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// Whose.
    pub worker: Address,
    /// What became of it.
    pub status: ContributionStatus,
    /// The hash of task and digest: equal for equal results.
    pub result_hash: B256,
}

/// Deadlines of a deal: multiples of the category's seconds from the deal's start
/// (spec/contracts.md §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Start + 7 × timeref.
    pub contribution: u64,
    /// Start + 10 × timeref.
    pub last: u64,
}

impl Deadlines {
    /// The deadlines of a deal that started at `start` in a category of `timeref` seconds.
    pub const fn of(start: u64, timeref: u64) -> Self {
        Self {
            contribution: start.saturating_add(timeref.saturating_mul(7)),
            last: start.saturating_add(timeref.saturating_mul(10)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_round_trip() {
        for number in 0..5 {
            assert_eq!(TaskStatus::from_chain(number).number(), number);
        }
        assert!(TaskStatus::Failed.is_final() && !TaskStatus::Revealing.is_final());
    }

    #[test]
    fn deadlines_are_multiples_of_the_category() {
        let d = Deadlines::of(1000, 300);
        assert_eq!((d.contribution, d.last), (3100, 4000));
    }
}
