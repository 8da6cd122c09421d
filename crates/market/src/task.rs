//! Tasks as the market's index knows them.

use protocol::{DealId, TaskId};

/// Something that happened to a task; the last of them is its status (spec/market-explorer.md
/// §16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStep {
    /// It takes contributions.
    Initialized,
    /// A worker contributed.
    Contributed,
    /// The contributions agree.
    Consensus,
    /// A worker revealed.
    Revealed,
    /// Nobody revealed: it takes contributions again.
    Reopened,
    /// It is completed and paid.
    Finalized,
    /// It failed and the money went back.
    Claimed,
}

impl TaskStep {
    const ALL: [Self; 7] = [
        Self::Initialized,
        Self::Contributed,
        Self::Consensus,
        Self::Revealed,
        Self::Reopened,
        Self::Finalized,
        Self::Claimed,
    ];

    /// The lower-case word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initialized => "initialized",
            Self::Contributed => "contributed",
            Self::Consensus => "consensus",
            Self::Revealed => "revealed",
            Self::Reopened => "reopened",
            Self::Finalized => "finalized",
            Self::Claimed => "claimed",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

/// An initialised task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskView {
    /// Its id.
    pub id: TaskId,
    /// Its deal.
    pub deal: DealId,
    /// Its index in the request order.
    pub index: u64,
    /// What happened to it last.
    pub status: TaskStep,
    /// Contributions so far.
    pub contributions: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_known_by_their_names() {
        for step in TaskStep::ALL {
            assert_eq!(TaskStep::named(step.name()), Some(step));
        }
    }
}
