//! The hub as the contract's rules have it (spec/contracts.md §8.6, §12), with blocks that can be
//! taken back. Written apart from the pool's own arithmetic, so that one checks the other.

use std::collections::HashMap;

use pool::machine::{
    Event, OnChain, Poll,
    task::{Consensus, Contribution, Standing},
};
use protocol::{Address, B256, TaskId, deal::TaskStatus};

/// Blocks that may be taken back.
pub(crate) const DEPTH_MAX: usize = 10;

/// What somebody wants the hub to do.
#[derive(Clone, Debug)]
pub(crate) enum Tx {
    Initialize(TaskId),
    Contribute(TaskId, Address, B256),
    ContributeAndFinalize(TaskId, Address, B256),
    Reveal(TaskId, Address),
    Finalize(TaskId),
    Reopen(TaskId),
    Claim(TaskId),
}

impl Tx {
    pub(crate) fn task(&self) -> TaskId {
        match self {
            Self::Initialize(id)
            | Self::Contribute(id, ..)
            | Self::ContributeAndFinalize(id, ..)
            | Self::Reveal(id, _)
            | Self::Finalize(id)
            | Self::Reopen(id)
            | Self::Claim(id) => *id,
        }
    }
}

/// Deadlines and trust of a task, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) trust: u64,
    pub(crate) timeref: u64,
    pub(crate) contribution: u64,
    pub(crate) last: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) rules: Rules,
    pub(crate) status: TaskStatus,
    pub(crate) poll: Poll,
    pub(crate) weights: Vec<u64>,
}

#[derive(Default)]
struct Block {
    before: Vec<(TaskId, Entry)>,
    done: Vec<Tx>,
}

#[derive(Default)]
pub(crate) struct Chain {
    pub(crate) entries: HashMap<TaskId, Entry>,
    pub(crate) scores: HashMap<Address, u64>,
    blocks: Vec<Block>,
    open: Block,
}

impl Chain {
    pub(crate) fn add(&mut self, id: TaskId, rules: Rules) {
        let entry = Entry {
            rules,
            status: TaskStatus::Unset,
            poll: Poll::default(),
            weights: Vec::new(),
        };
        self.entries.insert(id, entry);
    }

    pub(crate) fn view(&self, id: TaskId) -> OnChain {
        let entry = &self.entries[&id];
        OnChain {
            results: (entry.status == TaskStatus::Completed).then(|| "link".into()),
            poll: (entry.status != TaskStatus::Unset).then(|| entry.poll.clone()),
            ..OnChain::new(id, entry.status)
        }
    }

    /// Ends a block.
    pub(crate) fn seal(&mut self) {
        self.blocks.push(std::mem::take(&mut self.open));
        if self.blocks.len() > DEPTH_MAX {
            self.blocks.remove(0);
        }
    }

    /// Takes blocks back: the tasks they touched, and the transactions to send again.
    pub(crate) fn take_back(&mut self, depth: usize) -> (Vec<TaskId>, Vec<Tx>) {
        let (mut tasks, mut again) = (Vec::new(), Vec::new());
        for _ in 0..depth.min(self.blocks.len()) {
            let Some(block) = self.blocks.pop() else {
                break;
            };
            for (id, entry) in block.before.into_iter().rev() {
                self.entries.insert(id, entry);
                tasks.push(id);
            }
            again.splice(0..0, block.done);
        }
        tasks.sort();
        tasks.dedup();
        (tasks, again)
    }

    /// Runs a transaction at `now` (seconds): what it logs, or none when the hub refuses it.
    pub(crate) fn run(&mut self, tx: &Tx, now: u64) -> Option<Vec<Event>> {
        let id = tx.task();
        let before = self.entries.get(&id)?.clone();
        let events = self.apply(tx, now)?;
        self.open.before.push((id, before));
        self.open.done.push(tx.clone());
        Some(events)
    }

    fn apply(&mut self, tx: &Tx, now: u64) -> Option<Vec<Event>> {
        let score = |w: &Address| self.scores.get(w).copied().unwrap_or_default();
        match tx {
            Tx::Contribute(_, worker, _) => {
                let weight = (score(worker) / 3).max(3) - 1;
                self.entries
                    .get_mut(&tx.task())?
                    .contribute(tx, weight, now)
            }
            _ => self.entries.get_mut(&tx.task())?.step(tx, now),
        }
    }
}

impl Entry {
    fn group(&self, hash: B256) -> u128 {
        let all = self.poll.contributions.iter().zip(&self.weights);
        let of = all.filter(|(c, _)| c.hash == hash && c.standing != Standing::Rejected);
        of.map(|(_, w)| u128::from(*w)).product()
    }

    fn total(&self) -> u128 {
        let counting = self.poll.contributions.iter();
        let counting = counting.filter(|c| c.standing != Standing::Rejected);
        let mut hashes: Vec<B256> = counting.map(|c| c.hash).collect();
        hashes.sort();
        hashes.dedup();
        1 + hashes
            .into_iter()
            .map(|hash| self.group(hash))
            .sum::<u128>()
    }

    fn has(&self, worker: Address) -> bool {
        self.poll.contributions.iter().any(|c| c.worker == worker)
    }

    fn contribute(&mut self, tx: &Tx, weight: u64, now: u64) -> Option<Vec<Event>> {
        let Tx::Contribute(task, worker, hash) = *tx else {
            return None;
        };
        let may = self.status == TaskStatus::Active && now < self.rules.contribution;
        if !may || self.has(worker) {
            return None;
        }
        self.push(worker, hash, Standing::Contributed, weight);
        let mut events = vec![Event::Contributed { task, worker, hash }];
        let trust = u128::from(self.rules.trust);
        if self.group(hash) * trust > self.total() * (trust - 1) {
            self.status = TaskStatus::Revealing;
            self.poll.consensus = Some(Consensus {
                value: hash,
                reveal_deadline: now + 2 * self.rules.timeref,
            });
            events.push(Event::Agreed { task, value: hash });
        }
        Some(events)
    }

    fn push(&mut self, worker: Address, hash: B256, standing: Standing, weight: u64) {
        self.weights.push(weight);
        self.poll.contributions.push(Contribution {
            worker,
            hash,
            standing,
        });
    }

    fn winners(&self) -> impl Iterator<Item = &Contribution> {
        let value = self.poll.consensus.as_ref().map(|c| c.value);
        let all = self.poll.contributions.iter();
        all.filter(move |c| Some(c.hash) == value && c.standing != Standing::Rejected)
    }

    fn revealed(&self) -> usize {
        self.winners()
            .filter(|c| c.standing == Standing::Revealed)
            .count()
    }

    fn reveal_deadline(&self) -> u64 {
        self.poll
            .consensus
            .as_ref()
            .map_or(0, |c| c.reveal_deadline)
    }

    fn step(&mut self, tx: &Tx, now: u64) -> Option<Vec<Event>> {
        use TaskStatus::*;
        let task = tx.task();
        let says = |status| vec![Event::ChainSays(vec![OnChain::new(task, status)])];
        match *tx {
            Tx::Initialize(_) if self.status == Unset => {
                self.status = Active;
                Some(says(Active))
            }
            Tx::ContributeAndFinalize(_, worker, hash) => self.at_once(task, worker, hash, now),
            Tx::Reveal(_, worker) => self.reveal(task, worker, now),
            Tx::Finalize(_) if self.status == Revealing && now < self.rules.last => {
                let revealed = self.revealed();
                let all = revealed == self.winners().count();
                if revealed == 0 || !all && now < self.reveal_deadline() {
                    return None;
                }
                self.status = Completed;
                Some(says(Completed))
            }
            Tx::Reopen(_) if self.status == Revealing => self.reopen(task, now),
            Tx::Claim(_) if matches!(self.status, Active | Revealing) && now >= self.rules.last => {
                self.status = Failed;
                Some(says(Failed))
            }
            _ => None,
        }
    }

    fn at_once(
        &mut self,
        task: TaskId,
        worker: Address,
        hash: B256,
        now: u64,
    ) -> Option<Vec<Event>> {
        let may = self.status == TaskStatus::Active && now < self.rules.contribution;
        if !may || !self.poll.contributions.is_empty() || self.rules.trust != 1 {
            return None;
        }
        self.push(worker, hash, Standing::Revealed, 0);
        self.status = TaskStatus::Completed;
        let completed = OnChain::new(task, TaskStatus::Completed);
        Some(vec![
            Event::Contributed { task, worker, hash },
            Event::ChainSays(vec![completed]),
        ])
    }

    fn reveal(&mut self, task: TaskId, worker: Address, now: u64) -> Option<Vec<Event>> {
        let in_time = self.status == TaskStatus::Revealing && now < self.reveal_deadline();
        let value = self.poll.consensus.as_ref()?.value;
        let mut all = self.poll.contributions.iter_mut();
        let own = all.find(|c| c.worker == worker && c.hash == value)?;
        if !in_time || own.standing != Standing::Contributed {
            return None;
        }
        own.standing = Standing::Revealed;
        Some(vec![Event::Revealed { task, worker }])
    }

    fn reopen(&mut self, task: TaskId, now: u64) -> Option<Vec<Event>> {
        let late = self.reveal_deadline() <= now && now < self.rules.last;
        if !late || self.revealed() > 0 {
            return None;
        }
        let value = self.poll.consensus.take()?.value;
        for c in self
            .poll
            .contributions
            .iter_mut()
            .filter(|c| c.hash == value)
        {
            c.standing = Standing::Rejected;
        }
        self.status = TaskStatus::Active;
        Some(vec![Event::Reopened(task)])
    }
}
