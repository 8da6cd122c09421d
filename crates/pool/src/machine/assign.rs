//! Who gets which task: the earliest contribution deadline first, to a worker whose machine fits.
//! Of those with the most free slots, one that has the image goes first, then the heaviest.

use std::ops::Bound::{Excluded, Unbounded};

use std::collections::BTreeSet;

use protocol::{Address, TaskId, status::ReplicateStatus};

use super::{
    Command, Effect, Machine, OVERDUE_MS, REPLICATES_AT_ONCE_MAX, Task,
    consensus::WEIGHT_MIN,
    replicate::Replicate,
    terms::Needs,
    timer::Timer,
    worker::{ORDERS_UNACKNOWLEDGED_MAX, Worker},
};

/// Fitting workers looked at before one is chosen: a choice among thousands is not better.
const CANDIDATES_MAX: usize = 32;

impl Machine {
    pub(super) fn enqueue(&mut self, id: TaskId) {
        let place = self.next_place;
        let Some(task) = self.tasks.get_mut(&id).filter(|t| t.place.is_none()) else {
            return;
        };
        let key = (task.terms.contribution_deadline, place);
        task.place = Some(key);
        self.next_place += 1;
        self.waiting.insert(key, id);
    }

    pub(super) fn dequeue(&mut self, id: TaskId) {
        let place = self.tasks.get_mut(&id).and_then(|t| t.place.take());
        if let Some(key) = place {
            self.waiting.remove(&key);
        }
    }

    /// Gives waiting tasks to free workers, until there are no more of one or the other.
    pub(super) fn assign(&mut self, now: u64) {
        let mut after = (0, 0);
        // What no free worker has: tasks that need it are not looked at again.
        let mut missing: BTreeSet<Needs> = BTreeSet::new();
        let mut first = self.waiting.first_key_value().map(|(k, id)| (*k, *id));
        while let Some((key, id)) = first {
            if self.free.is_empty() {
                return;
            }
            after = after.max(key);
            self.assign_one(id, &mut missing, now);
            let mut rest = self.waiting.range((Excluded(after), Unbounded));
            first = rest.next().map(|(k, id)| (*k, *id));
        }
    }

    /// Gives a task all the workers it wants, as far as there are some.
    fn assign_one(&mut self, id: TaskId, missing: &mut BTreeSet<Needs>, now: u64) {
        while let Some(task) = self.tasks.get(&id).filter(|t| t.wants_workers()) {
            let needs = task.terms.needs();
            if missing.contains(&needs) {
                return;
            }
            let Some(worker) = self.pick(task, needs, now) else {
                if !self.free.iter().any(|(_, w)| self.fits(*w, needs)) {
                    missing.insert(needs);
                }
                return;
            };
            self.offer(id, worker, now);
        }
        self.dequeue(id);
    }

    fn pick(&self, task: &Task, needs: Needs, now: u64) -> Option<Address> {
        if task.active_workers().count() >= REPLICATES_AT_ONCE_MAX {
            return None;
        }
        let owners = self.owners_at(task);
        let by_room = self.free.iter().rev().map(|(_, worker)| *worker);
        let fitting = by_room.filter(|w| self.fits(*w, needs) && may_have(task, *w, now));
        let fitting = fitting.filter(|w| !owners.contains(&self.owner_of(*w)));
        let ranked = fitting.take(CANDIDATES_MAX).enumerate();
        let best = ranked.max_by_key(|(place, worker)| {
            let has_image = self.workers.get(worker).is_some_and(|w| w.has_image(task));
            (
                has_image,
                self.weight_of(*worker),
                std::cmp::Reverse(*place),
            )
        });
        best.map(|(_, worker)| worker)
    }

    fn fits(&self, worker: Address, needs: Needs) -> bool {
        let takes =
            |w: &Worker| w.outbox.len() < ORDERS_UNACKNOWLEDGED_MAX && needs.are_met_by(&w.profile);
        self.workers.get(&worker).is_some_and(takes)
    }

    /// The weight of a worker's word, as far as its score is known.
    pub(super) fn weight_of(&self, worker: Address) -> u64 {
        self.weights.get(&worker).copied().unwrap_or(WEIGHT_MIN)
    }

    /// Whose machine it is, by the worker's own word: it can only lose by it.
    fn owner_of(&self, worker: Address) -> Address {
        let owner = self.workers.get(&worker).and_then(|w| w.profile.owner);
        owner.unwrap_or(worker)
    }

    /// Owners whose workers are at a task or contributed to it: theirs vouch for each other.
    fn owners_at(&self, task: &Task) -> BTreeSet<Address> {
        if task.terms.trust <= 1 {
            return BTreeSet::new();
        }
        let contributors = task.contributions.iter().map(|c| c.worker);
        let all = task.active_workers().chain(contributors);
        all.map(|worker| self.owner_of(worker)).collect()
    }

    fn offer(&mut self, id: TaskId, worker: Address, now: u64) {
        let weight = self.weight_of(worker);
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        match task.replicate_mut(worker) {
            Some(replicate) => {
                replicate.weight = weight;
                replicate.restart(ReplicateStatus::Created, now);
            }
            None => task.replicates.push(Replicate::new(worker, weight, now)),
        }
        let overdue = task.terms.run_ms().saturating_add(OVERDUE_MS);
        self.at(now.saturating_add(overdue), Timer::Overdue(id, worker));
        self.publish_step(id, worker, ReplicateStatus::Created, None, now);
        if let Some(entry) = self.workers.get_mut(&worker) {
            entry.active.insert(id);
        }
        self.reindex(worker);
        self.order_run(id, worker);
    }

    /// Orders a worker to run a task; it does nothing twice when it is at it already.
    pub(super) fn order_run(&mut self, id: TaskId, worker: Address) {
        let Some(terms) = self.terms_of(id) else {
            return;
        };
        let (Some(task), Ok(flow)) = (self.tasks.get(&id), terms.flow(self.rules)) else {
            return;
        };
        let command = Command::Run {
            deal: terms.deal,
            index: task.index,
            task: id,
            enclave_challenge: task.enclave_challenge.unwrap_or_default(),
            flow,
        };
        self.order(worker, command);
    }

    /// Keeps an order until it is acknowledged, and sends it when the worker is there. An order
    /// that ends a task replaces the unacknowledged ones about it.
    pub(super) fn order(&mut self, worker: Address, command: Command) {
        let id = self.next_order;
        let Some(entry) = self.workers.get_mut(&worker) else {
            return;
        };
        self.next_order += 1;
        entry.outbox.retain(|_, old| old.task() != command.task());
        entry.outbox.insert(id, command.clone());
        if entry.is_online {
            let send = Effect::Send {
                worker,
                id,
                command,
            };
            self.effects.push(send);
        }
    }

    pub(super) fn order_acknowledged(&mut self, worker: Address, id: u64) {
        if let Some(entry) = self.workers.get_mut(&worker) {
            entry.outbox.remove(&id);
        }
    }

    /// A worker's slot is free again.
    pub(super) fn release(&mut self, worker: Address, id: TaskId) {
        if let Some(entry) = self.workers.get_mut(&worker) {
            entry.active.remove(&id);
            entry.holding.remove(&id);
        }
        self.reindex(worker);
    }

    /// A worker has contributed: its slot is free, but it is not done yet.
    pub(super) fn hold(&mut self, worker: Address, id: TaskId) {
        let Some(entry) = self.workers.get_mut(&worker) else {
            return;
        };
        if entry.active.remove(&id) {
            entry.holding.insert(id);
        }
        self.reindex(worker);
    }

    /// Brings the index of free workers up to date with one of them.
    pub(super) fn reindex(&mut self, worker: Address) {
        let Some(entry) = self.workers.get_mut(&worker) else {
            return;
        };
        if let Some(old) = entry.listed.take() {
            self.free.remove(&(old, worker));
        }
        let free = entry.free_slots();
        if entry.is_online && free > 0 {
            entry.listed = Some(free);
            self.free.insert((free, worker));
        }
    }
}

/// A worker gets a task once more only after a pause, and never after it contributed.
fn may_have(task: &Task, worker: Address, now: u64) -> bool {
    if task.contribution(worker).is_some() {
        return false;
    }
    let earlier = task.replicate(worker);
    earlier.is_none_or(|r| !r.is_active() && !r.is_done() && now >= r.retry_at)
}
