//! One worker: what it is like, what it holds, and what it still has to say.

use std::collections::BTreeMap;

use protocol::{Address, B256, TaskId, message::Report};

/// How a worker behaves, for all its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Character {
    Honest,
    /// Contributes something of its own.
    Liar,
    /// Contributes, and never reveals.
    Mute,
    /// Forgets everything from time to time.
    Crashing,
}

/// Where a worker is with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Running,
    /// The transaction is on its way.
    Sent,
    Contributed,
    Revealing,
    Revealed,
}

/// One task in a worker's hands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) step: Step,
    /// Contribute and finalize at once.
    pub(crate) at_once: bool,
}

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) address: Address,
    pub(crate) character: Character,
    /// Its connection's number; none while it has none.
    pub(crate) link: Option<u64>,
    pub(crate) jobs: BTreeMap<TaskId, Job>,
    /// Reports that the pool has not acknowledged.
    pub(crate) outbox: BTreeMap<u64, Report>,
    pub(crate) next_seq: u64,
}

impl Worker {
    pub(crate) fn new(number: u32, character: Character) -> Self {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Self {
            address: Address::from(bytes),
            character,
            link: None,
            jobs: BTreeMap::new(),
            outbox: BTreeMap::new(),
            next_seq: 0,
        }
    }

    pub(crate) fn number(address: Address) -> usize {
        let bytes: [u8; 4] = address[..4].try_into().unwrap();
        u32::from_be_bytes(bytes) as usize
    }

    /// What it says the result is.
    pub(crate) fn hash(&self, task: TaskId) -> B256 {
        match self.character {
            Character::Liar => self.address.into_word() ^ task.0,
            _ => task.0,
        }
    }

    /// Numbers a report and keeps it until it is acknowledged.
    pub(crate) fn say(&mut self, report: Report) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.outbox.insert(seq, report);
        seq
    }

    pub(crate) fn forget(&mut self) {
        self.jobs.clear();
        self.outbox.clear();
    }
}
