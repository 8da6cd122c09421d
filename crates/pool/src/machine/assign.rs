//! Who gets which task: the earliest contribution deadline first, to the worker with the most
//! free slots.

use std::ops::Bound::{Excluded, Unbounded};

use protocol::{Address, TaskId, status::ReplicateStatus};

use super::{Command, Effect, Machine, replicate::Replicate, worker::ORDERS_UNACKNOWLEDGED_MAX};

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
        let mut first = self.waiting.first_key_value().map(|(k, id)| (*k, *id));
        while let Some((key, id)) = first {
            if self.free.is_empty() {
                return;
            }
            after = after.max(key);
            if let Some(worker) = self.pick(id, now) {
                self.offer(id, worker, now);
            }
            let mut rest = self.waiting.range((Excluded(after), Unbounded));
            first = rest.next().map(|(k, id)| (*k, *id));
        }
    }

    fn pick(&self, id: TaskId, now: u64) -> Option<Address> {
        let task = self.tasks.get(&id)?;
        let may = |worker: &Address| match task.replicate(*worker) {
            Some(earlier) => !earlier.is_active() && now >= earlier.retry_at,
            None => true,
        };
        let is_listening = |worker: &Address| {
            let known = self.workers.get(worker);
            known.is_some_and(|w| w.outbox.len() < ORDERS_UNACKNOWLEDGED_MAX)
        };
        let by_room = self.free.iter().rev().map(|(_, worker)| worker);
        by_room
            .filter(|w| is_listening(w))
            .find(|w| may(w))
            .copied()
    }

    fn offer(&mut self, id: TaskId, worker: Address, now: u64) {
        self.dequeue(id);
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        match task.replicate_mut(worker) {
            Some(replicate) => replicate.restart(ReplicateStatus::Created, now),
            None => task.replicates.push(Replicate::new(worker, now)),
        }
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
        let (Some(task), Ok(flow)) = (self.tasks.get(&id), terms.flow(self.has_sms)) else {
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
