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
    /// A slot, as soon as one is free.
    pub(crate) async fn slot(&self) -> Option<SemaphorePermit<'_>> {
        self.board.free.acquire().await.ok()
    }

    /// What to tell a pool at login: a worker that drains has no slots, so nothing is offered.
    pub(crate) fn slots(&self) -> u32 {
        match self.board.draining.is_cancelled() {
            true => 0,
            false => self.board.slots,
        }
    }

    /// Returns when the worker is to drain, unless the pool was told so with `slots` at login.
    pub(crate) async fn drained(&self, slots: u32) {
        match slots {
            0 => std::future::pending().await,
            _ => self.board.draining.cancelled().await,
        }
    }

    /// Logged in until dropped.
    pub(crate) fn online(&self) -> Online<'_> {
        self.change(|seat| seat.is_online = true);
        Online(self)
    }

    /// A task was taken.
    pub(crate) fn took(&self, task: TaskId) {
        let entry = Entry {
            status: Status::Created,
            computing_since: None,
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
        let held = one.slot().await;
        let _other = two.slot().await;
        assert_eq!(board.free.available_permits(), 0);
        drop(held);
        assert!(one.slot().await.is_some());
    }

    #[tokio::test]
    async fn idle_waits_for_tasks_and_for_their_acknowledgement() {
        let board = Board::new(1);
        let seat = board.seat("http://a", Address::repeat_byte(1));
        board.idle().await;
        let task = TaskId::repeat(3);
        let _online = seat.online();
        seat.took(task);
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
