//! What the sessions of one worker share, whichever pool they serve: slots, the wish to drain, and
//! what there is to tell about the worker.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use protocol::{Address, TaskId, message::Report, status::ReplicateStatus as Status};
use serde::Serialize;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use crate::durations::Durations;

/// One worker process.
#[derive(Debug)]
pub struct Board {
    slots: u32,
    free: Semaphore,
    draining: CancellationToken,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    seats: Vec<SeatState>,
    ended: BTreeMap<Status, u64>,
    computed: Durations,
}

#[derive(Debug)]
struct SeatState {
    pool: String,
    workerpool: Address,
    is_online: bool,
    /// Reports that the pool has not acknowledged.
    unheard: usize,
    tasks: BTreeMap<TaskId, Entry>,
}

#[derive(Debug)]
struct Entry {
    status: Status,
    computing_since: Option<Instant>,
    /// It has a slot, or waits for one.
    takes_slot: bool,
}

/// What a worker says of itself.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BoardView {
    /// Tasks at once, over all pools.
    pub slots: u32,
    /// It takes no more tasks.
    pub draining: bool,
    /// One for each pool.
    pub pools: Vec<PoolView>,
    /// How many tasks ended how, since the start.
    pub ended: BTreeMap<String, u64>,
}

/// A pool as the worker sees it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolView {
    /// Its API.
    pub url: String,
    /// Its workerpool.
    #[serde(with = "protocol::json::checksummed")]
    pub workerpool: Address,
    /// The worker is logged in.
    pub online: bool,
    /// Tasks in progress.
    pub tasks: Vec<TaskView>,
}

/// A task in progress.
#[derive(Clone, Debug, Serialize)]
pub struct TaskView {
    /// Which.
    pub task: TaskId,
    /// The last step reported, with the official name.
    pub status: Status,
}

impl Board {
    /// A worker that runs so many tasks at once, at least one.
    pub fn new(slots: u32) -> Arc<Self> {
        let slots = slots.max(1);
        Arc::new(Self {
            slots,
            free: Semaphore::new(slots as usize),
            draining: CancellationToken::new(),
            state: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// From now on no pool offers more tasks; what runs goes on.
    pub fn drain(&self) {
        self.draining.cancel();
        self.changed.notify_waiters();
    }

    /// Returns when no task is in progress and the pools have heard of the last one's end.
    pub async fn idle(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.is_idle() {
                return;
            }
            changed.await;
        }
    }

    fn is_idle(&self) -> bool {
        let state = self.state();
        let is_busy =
            |seat: &SeatState| !seat.tasks.is_empty() || (seat.is_online && seat.unheard > 0);
        !state.seats.iter().any(is_busy)
    }

    /// What there is to tell.
    pub fn view(&self) -> BoardView {
        let state = self.state();
        let task = |(task, entry): (&TaskId, &Entry)| TaskView {
            task: *task,
            status: entry.status,
        };
        let pool = |seat: &SeatState| PoolView {
            url: seat.pool.clone(),
            workerpool: seat.workerpool,
            online: seat.is_online,
            tasks: seat.tasks.iter().map(task).collect(),
        };
        let ended = state.ended.iter();
        BoardView {
            slots: self.slots,
            draining: self.draining.is_cancelled(),
            pools: state.seats.iter().map(pool).collect(),
            ended: ended.map(|(status, n)| (status.name(), *n)).collect(),
        }
    }

    /// How long apps ran.
    pub(crate) fn computed(&self) -> Durations {
        self.state().computed.clone()
    }

    /// A place for one more session.
    pub(crate) fn seat(self: &Arc<Self>, pool: &str, workerpool: Address) -> Seat {
        let mut state = self.state();
        state.seats.push(SeatState {
            pool: pool.to_owned(),
            workerpool,
            is_online: false,
            unheard: 0,
            tasks: BTreeMap::new(),
        });
        Seat {
            board: self.clone(),
            index: state.seats.len() - 1,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One session's place on the board.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    board: Arc<Board>,
    index: usize,
}

impl Seat {
    /// A slot for a task that was taken, as soon as one is free.
    pub(crate) async fn slot(&self, task: TaskId) -> Option<Slot<'_>> {
        let permit = self.board.free.acquire().await.ok()?;
        Some(Slot {
            seat: self,
            task,
            _permit: permit,
        })
    }

    /// Tasks at once for this pool: what other pools' tasks leave. A worker that drains has no
    /// slots, so nothing is offered.
    pub(crate) fn slots(&self) -> u32 {
        if self.is_draining() {
            return 0;
        }
        let state = self.board.state();
        let others = state.seats.iter().enumerate();
        let others = others.filter(|(index, _)| *index != self.index);
        let entries = others.flat_map(|(_, seat)| seat.tasks.values());
        let taken = entries.filter(|entry| entry.takes_slot).count();
        let taken = u32::try_from(taken).unwrap_or(u32::MAX);
        self.board.slots.saturating_sub(taken)
    }

    /// Returns [`Seat::slots`] as soon as they are others than the pool was `told`.
    pub(crate) async fn slots_other_than(&self, told: u32) -> u32 {
        loop {
            let changed = self.board.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let slots = self.slots();
            if slots != told {
                return slots;
            }
            changed.await;
        }
    }

    /// The worker is to take no more tasks.
    pub(crate) fn is_draining(&self) -> bool {
        self.board.draining.is_cancelled()
    }

    /// Returns when the worker is to drain, unless the pool was told so at login.
    pub(crate) async fn drained(&self, was_told: bool) {
        match was_told {
            true => std::future::pending().await,
            false => self.board.draining.cancelled().await,
        }
    }

    /// Logged in until dropped.
    pub(crate) fn online(&self) -> Online<'_> {
        self.change(|seat| seat.is_online = true);
        Online(self)
    }

    /// A task was taken; one that is computed already runs in no slot.
    pub(crate) fn took(&self, task: TaskId, takes_slot: bool) {
        let entry = Entry {
            status: Status::Created,
            computing_since: None,
            takes_slot,
        };
        self.change(|seat| {
            seat.tasks.insert(task, entry);
        });
    }

    /// A step was reached; `unheard` reports wait for the pool.
    pub(crate) fn reported(&self, report: &Report, unheard: usize) {
        let mut state = self.board.state();
        let seat = &mut state.seats[self.index];
        seat.unheard = unheard;
        // With the pool's and the store's lines about it, one task can be followed by its id.
        tracing::info!(task = %report.task, status = report.status.name(), "step");
        let Some(entry) = seat.tasks.get_mut(&report.task) else {
            return;
        };
        entry.status = report.status;
        match report.status {
            Status::Computing => entry.computing_since = Some(Instant::now()),
            Status::Computed => {
                let took = entry.computing_since.take().map(|since| since.elapsed());
                state.computed.extend(took);
            }
            _ => {}
        }
    }

    /// The pool acknowledged something.
    pub(crate) fn heard(&self, unheard: usize) {
        self.change(|seat| seat.unheard = unheard);
    }

    /// A task is over.
    pub(crate) fn ended(&self, task: TaskId) {
        let mut state = self.board.state();
        if let Some(entry) = state.seats[self.index].tasks.remove(&task) {
            *state.ended.entry(entry.status).or_default() += 1;
        }
        drop(state);
        self.board.changed.notify_waiters();
    }

    fn change(&self, change: impl FnOnce(&mut SeatState)) {
        change(&mut self.board.state().seats[self.index]);
        self.board.changed.notify_waiters();
    }
}

/// A slot with a task in it. What it leaves when it is dropped is offered to all pools.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    seat: &'a Seat,
    task: TaskId,
    _permit: SemaphorePermit<'a>,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.seat.change(|seat| {
            if let Some(entry) = seat.tasks.get_mut(&self.task) {
                entry.takes_slot = false;
            }
        });
    }
}

/// Says that the session is over when it is.
pub(crate) struct Online<'a>(&'a Seat);

impl Drop for Online<'_> {
    fn drop(&mut self) {
        self.0.change(|seat| seat.is_online = false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slots_are_shared_by_all_pools() {
        let board = Board::new(2);
        let (one, two) = (
            board.seat("http://a", Address::repeat_byte(1)),
            board.seat("http://b", Address::repeat_byte(2)),
        );
        let tasks = [1, 2, 3].map(TaskId::repeat);
        one.took(tasks[0], true);
        let held = one.slot(tasks[0]).await;
        two.took(tasks[1], true);
        let _other = two.slot(tasks[1]).await;
        assert_eq!(board.free.available_permits(), 0);
        drop(held);
        assert!(one.slot(tasks[0]).await.is_some());
    }

    #[tokio::test]
    async fn a_pool_is_offered_what_others_leave() {
        let board = Board::new(2);
        let (one, two) = (
            board.seat("http://a", Address::repeat_byte(1)),
            board.seat("http://b", Address::repeat_byte(2)),
        );
        let [first, second, computed] = [1, 2, 3].map(TaskId::repeat);
        one.took(first, true);
        assert_eq!(
            (one.slots(), two.slots()),
            (2, 1),
            "its own it counts itself"
        );
        one.took(second, true);
        assert_eq!(
            two.slots_other_than(1).await,
            0,
            "one that waits counts too"
        );
        two.took(computed, false);
        assert_eq!(one.slots(), 2);
        let slot = one.slot(first).await;
        drop(slot);
        assert_eq!(
            two.slots_other_than(0).await,
            1,
            "it only waits for the chain now"
        );
        one.ended(first);
        one.ended(second);
        assert_eq!(two.slots_other_than(1).await, 2);
    }

    #[tokio::test]
    async fn idle_waits_for_tasks_and_for_their_acknowledgement() {
        let board = Board::new(1);
        let seat = board.seat("http://a", Address::repeat_byte(1));
        board.idle().await;
        let task = TaskId::repeat(3);
        let _online = seat.online();
        seat.took(task, true);
        seat.reported(&Report::new(task, Status::Completed), 1);
        board.drain();
        assert_eq!(seat.slots(), 0);
        seat.ended(task);
        assert!(!board.is_idle());
        let waiting = tokio::spawn(async move { board.idle().await });
        seat.heard(0);
        waiting.await.unwrap();
        let view = seat.board.view();
        assert_eq!(view.ended["COMPLETED"], 1);
        assert!(view.draining && view.pools[0].online && view.pools[0].tasks.is_empty());
    }
}
