//! The replicates in progress: at most one a task, at most `slots` at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::future::BoxFuture;
use protocol::{
    Cause, TaskId,
    message::{Authorization, Busy, Flow, Order, Report, ToPool},
    status::ReplicateStatus,
};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    board::Seat,
    contest::Wishes,
    journal::Journal,
    outbox::Outbox,
    replicate::{Context, Replicate, Voice},
    services::Services,
};

/// Frames waiting for the connection; best-effort ones are dropped beyond this.
const FRAMES_MAX: usize = 1_024;

/// What a replicate starts with.
struct Start {
    authorization: Authorization,
    flow: Flow,
    resumed: Option<Journal>,
    cancel: CancellationToken,
    wishes: watch::Receiver<Wishes>,
}

/// What an earlier process did counts, so that the pool does not order it again.
fn status_of(resumed: Option<&Journal>) -> ReplicateStatus {
    match resumed {
        Some(journal) if journal.computed.is_some() => ReplicateStatus::Computed,
        Some(_) => ReplicateStatus::Computing,
        None => ReplicateStatus::Created,
    }
}

/// What was computed before needs no slot any more.
fn takes_slot(resumed: Option<&Journal>) -> bool {
    resumed.is_none_or(|journal| journal.computed.is_none())
}

#[derive(Debug)]
struct Job {
    status: ReplicateStatus,
    cancel: CancellationToken,
    wishes: watch::Sender<Wishes>,
}

#[derive(Debug, Default)]
struct State {
    jobs: HashMap<TaskId, Job>,
    outbox: Outbox,
}

/// What the session and the replicates share.
#[derive(Debug)]
pub(crate) struct Jobs {
    context: Arc<Context>,
    state: Mutex<State>,
    services: watch::Sender<Services>,
    frames: mpsc::Sender<ToPool>,
    seat: Seat,
    acknowledgements: Notify,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl Jobs {
    /// No jobs yet; frames for the pool come out of the receiver.
    pub(crate) fn new(
        context: Arc<Context>,
        seat: Seat,
        shutdown: CancellationToken,
    ) -> (Arc<Self>, mpsc::Receiver<ToPool>) {
        let (frames, receiver) = mpsc::channel(FRAMES_MAX);
        let tracker = TaskTracker::new();
        let state = Mutex::default();
        (
            Arc::new(Self {
                context,
                state,
                services: watch::Sender::default(),
                frames,
                seat,
                acknowledgements: Notify::new(),
                tracker,
                shutdown,
            }),
            receiver,
        )
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where results go and secrets are, as the pool says at login. Uploads that wait for a store
    /// to come back turn to the new one.
    pub(crate) fn set_services(&self, services: Services) {
        self.services.send_if_modified(|known| {
            let is_new = *known != services;
            *known = services;
            is_new
        });
    }

    /// What an earlier process was told, until the pool is heard.
    fn remember(&self, journal: &Journal) {
        self.services.send_if_modified(|known| {
            let is_unknown = known.result_proxy.is_empty();
            if is_unknown {
                known.result_proxy.clone_from(&journal.result_proxy);
            }
            is_unknown
        });
    }

    /// What to tell the pool at login.
    pub(crate) fn busy(&self) -> Vec<Busy> {
        let state = self.state();
        state
            .jobs
            .iter()
            .map(|(task, job)| Busy {
                task: *task,
                status: job.status,
            })
            .collect()
    }

    /// Reports to send again after a reconnection.
    pub(crate) fn unacknowledged(&self) -> Vec<ToPool> {
        self.state().outbox.unacknowledged()
    }

    /// The pool has stored a report.
    pub(crate) fn acknowledged(&self, seq: u64) {
        let mut state = self.state();
        state.outbox.acknowledged(seq);
        self.seat.heard(state.outbox.len());
        drop(state);
        self.acknowledgements.notify_waiters();
    }

    /// Follows an order; one that is followed already changes nothing.
    pub(crate) fn follow(self: &Arc<Self>, order: Order) {
        tracing::debug!(task = %order.task(), "order");
        match order {
            Order::Run {
                authorization,
                flow,
            } => self.start(authorization, flow),
            Order::Abort { task, cause } => {
                if let Some(job) = self.state().jobs.get(&task) {
                    tracing::info!(%task, %cause, "aborted by the pool");
                    job.cancel.cancel();
                }
            }
            Order::Reveal { task } => self.wish(task, |wishes| wishes.reveal = true),
            Order::Complete { task } => self.wish(task, |wishes| wishes.complete = true),
            Order::Upload { task } if self.state().jobs.contains_key(&task) => {
                self.wish(task, |wishes| wishes.uploads += 1);
            }
            Order::Upload { task } => self.cannot_upload(task),
        }
    }

    fn wish(&self, task: TaskId, change: impl FnOnce(&mut Wishes)) {
        if let Some(job) = self.state().jobs.get(&task) {
            job.wishes.send_modify(change);
        }
    }

    /// The result is lost with the folder: somebody else has to be asked.
    fn cannot_upload(&self, task: TaskId) {
        let mut report = Report::new(task, ReplicateStatus::ResultUploadFailed);
        report.cause = Some(Cause::ResultLinkMissing);
        report.message = Some("the worker has no such result any more".to_owned());
        self.report(report);
    }

    /// Goes on with what an earlier process left.
    pub(crate) fn resume(self: &Arc<Self>, journal: Journal) {
        tracing::info!(task = %journal.task(), "going on with an earlier task");
        self.remember(&journal);
        let (authorization, flow) = (journal.authorization.clone(), journal.flow);
        self.start_with(authorization, flow, Some(journal));
    }

    fn start(self: &Arc<Self>, authorization: Authorization, flow: Flow) {
        self.start_with(authorization, flow, None);
    }

    fn start_with(
        self: &Arc<Self>,
        authorization: Authorization,
        flow: Flow,
        resumed: Option<Journal>,
    ) {
        let task = authorization.chain_task_id;
        let cancel = self.shutdown.child_token();
        let (wishes, wished) = watch::channel(Wishes::default());
        {
            let mut state = self.state();
            if state.jobs.contains_key(&task) {
                return;
            }
            let job = Job {
                status: status_of(resumed.as_ref()),
                cancel: cancel.clone(),
                wishes,
            };
            state.jobs.insert(task, job);
        }
        self.seat.took(task, takes_slot(resumed.as_ref()));
        let jobs = self.clone();
        self.tracker.spawn(async move {
            let replicate = Start {
                authorization,
                flow,
                resumed,
                cancel,
                wishes: wished,
            };
            jobs.run(replicate).await;
            jobs.state().jobs.remove(&task);
            jobs.seat.ended(task);
        });
    }

    async fn run(self: &Arc<Self>, start: Start) {
        let task = start.authorization.chain_task_id;
        let slot = match takes_slot(start.resumed.as_ref()) {
            true => self.seat.slot(task).await,
            false => None,
        };
        let voice: Arc<dyn Voice> = self.clone();
        let context = &self.context;
        Replicate {
            context,
            voice,
            authorization: start.authorization,
            flow: start.flow,
            services: self.services.subscribe(),
            cancel: start.cancel,
            shutdown: self.shutdown.clone(),
            wishes: start.wishes,
            slot: Mutex::new(slot),
            said: Mutex::default(),
            resumed: start.resumed,
        }
        .run()
        .await;
    }

    /// Waits until all replicates have noticed the shutdown.
    pub(crate) async fn finish(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Voice for Jobs {
    fn report(&self, report: Report) {
        let mut state = self.state();
        if let Some(job) = state.jobs.get_mut(&report.task) {
            job.status = report.status;
        }
        let frame = state.outbox.add(report.clone());
        self.seat.reported(&report, state.outbox.len());
        // A frame that finds the queue full is not lost: it stays in the outbox.
        let _ = self.frames.try_send(frame);
    }

    fn whisper(&self, frame: ToPool) {
        let _ = self.frames.try_send(frame);
    }

    fn heard(&self, task: TaskId) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let acknowledged = self.acknowledgements.notified();
                tokio::pin!(acknowledged);
                acknowledged.as_mut().enable();
                if !self.state().outbox.has(task) {
                    return;
                }
                acknowledged.await;
            }
        })
    }
}
