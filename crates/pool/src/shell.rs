//! The loop around the machine: takes what happened, saves what changed, then sends.

mod gathering;
mod settle;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use chain::Settlement;
use protocol::{
    Address, DealId, TaskId,
    deal::TaskStatus,
    message::{Order, Phase, Stream, ToWorker},
};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

pub(crate) use gathering::Gathering;

use crate::{
    Error,
    chain_watch::look_up,
    clock::Clock,
    database::{Database, SavedLogs, Writes},
    ledger::Ledger,
    live::Live,
    machine::{Command, Effect, Event, Hello, Machine, Notice, OnChain, Task},
    sms::Sms,
    trace::{Lives, note_failure, step},
};

/// Inputs waiting for the loop: beyond it, connections are slowed down.
pub(crate) const INPUTS_WAITING_MAX: usize = 4_096;
/// Inputs saved by one transaction.
const ROUND_INPUTS_MAX: usize = 512;
/// Initialising transactions on their way at the same time.
const INITIALIZE_AT_ONCE: usize = 32;
/// Questions to the secret manager at the same time.
const CHALLENGES_AT_ONCE: usize = 16;
/// Pause before the chain is asked again about a task.
const CHECK_RETRY_MS: u64 = 1_000;
/// Blocks without news before the cursor is saved all the same: a restart reads them again.
const CURSOR_BLOCKS_MAX: u64 = 500;
/// Longest sleep without a deadline in sight.
const IDLE_MS_MAX: u64 = 60_000;

/// The sending end of a worker's connection; dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) sender: mpsc::Sender<ToWorker>,
    /// Tells an old connection of a worker from its new one.
    pub(crate) number: u64,
}

/// A worker as listed by the API.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct WorkerView {
    address: String,
    name: String,
    slots: u32,
    engine: String,
    busy: BTreeSet<TaskId>,
}

/// What the loop takes.
#[derive(Debug)]
pub(crate) enum Input {
    /// Everything up to a block.
    Chain { events: Vec<Event>, cursor: u64 },
    /// The newest block's timestamp, seconds.
    ChainTime(u64),
    /// Something for the machine.
    Event(Event),
    /// A worker logged in.
    Online { hello: Hello, link: Link },
    /// A connection ended.
    Offline { worker: Address, number: u64 },
    /// Something long comes along.
    Progress {
        worker: Address,
        task: TaskId,
        phase: Phase,
        percent: u8,
    },
    /// The app of a task wrote something.
    Log {
        worker: Address,
        task: TaskId,
        /// Its run, which stream, and at which offset.
        place: (u64, Stream, u64),
        text: String,
    },
    /// Transactions that settle tasks came back, with what is to be said of them.
    Settled(Vec<Event>),
    /// How are things?
    Census(oneshot::Sender<crate::operate::Census>),
    /// Who is there?
    ListWorkers(oneshot::Sender<Vec<WorkerView>>),
}

/// What the loop works with.
pub(crate) struct Shell {
    pub(crate) machine: Machine,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) database: Database,
    pub(crate) live: Live,
    pub(crate) clock: Clock,
    pub(crate) inbox: mpsc::Receiver<Input>,
    /// For answers of jobs that the loop starts.
    pub(crate) sender: mpsc::Sender<Input>,
    pub(crate) links: HashMap<Address, Link>,
    pub(crate) saved_cursor: u64,
    /// The first block whose events are not known yet.
    pub(crate) next_block: u64,
    /// Deals since the start.
    pub(crate) deals: u64,
    /// Seconds after the final deadline.
    pub(crate) logs_kept_s: u64,
    pub(crate) initialize_slots: Arc<Semaphore>,
    pub(crate) sms: Option<Arc<dyn Sms>>,
    pub(crate) challenge_slots: Arc<Semaphore>,
    pub(crate) settle_slots: Arc<Semaphore>,
    pub(crate) gathering: Gathering,
    pub(crate) lives: Lives,
    pub(crate) shutdown: CancellationToken,
}

/// What one round has gathered.
#[derive(Debug, Default)]
struct Round {
    effects: Vec<Effect>,
    cursor: Option<u64>,
}

impl Shell {
    pub(crate) fn initialize_slots() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(INITIALIZE_AT_ONCE))
    }

    pub(crate) fn challenge_slots() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(CHALLENGES_AT_ONCE))
    }

    /// Runs until shutdown, or until something cannot be saved.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        let shutdown = self.shutdown.clone();
        let mut inputs = Vec::new();
        loop {
            let wake = self.wake();
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                _ = self.inbox.recv_many(&mut inputs, ROUND_INPUTS_MAX) => {}
                () = tokio::time::sleep(wake) => inputs.push(Input::Event(Event::Tick)),
            }
            while !inputs.is_empty() {
                inputs = self.round(std::mem::take(&mut inputs)).await?;
            }
        }
    }

    fn wake(&self) -> Duration {
        let now = self.clock.now();
        let wait = self.machine.next_wake().map(|at| at.saturating_sub(now));
        Duration::from_millis(wait.unwrap_or(IDLE_MS_MAX).min(IDLE_MS_MAX))
    }

    /// One round; returns what follows at once.
    pub(crate) async fn round(&mut self, inputs: Vec<Input>) -> Result<Vec<Input>, Error> {
        let mut round = Round::default();
        for input in inputs {
            self.take(input, &mut round);
        }
        let writes = self.writes(&mut round);
        if !writes.is_empty() {
            self.database.save(&writes).await?;
        }
        Ok(self.act(round.effects))
    }

    fn take(&mut self, input: Input, round: &mut Round) {
        match input {
            Input::Chain { events, cursor } => {
                self.next_block = cursor;
                let is_due = cursor >= self.saved_cursor.saturating_add(CURSOR_BLOCKS_MAX);
                if is_due || !events.is_empty() {
                    round.cursor = Some(cursor);
                    self.saved_cursor = cursor;
                }
                if !events.is_empty() {
                    self.step(Event::Many(events), round);
                }
            }
            Input::ChainTime(seconds) => {
                self.clock.chain_says(seconds);
                self.step(Event::Tick, round);
            }
            Input::Event(event) => {
                self.hear_out(&event);
                self.step(event, round);
            }
            Input::Online { hello, link } => {
                self.links.insert(hello.address, link);
                self.step(Event::WorkerOnline(hello), round);
            }
            Input::Offline { worker, number } => {
                if self.links.get(&worker).is_some_and(|l| l.number == number) {
                    self.links.remove(&worker);
                    self.step(Event::WorkerOffline(worker), round);
                }
            }
            Input::Progress {
                worker,
                task,
                phase,
                percent,
            } if self.machine.is_active(task, worker) => {
                self.live.progress(task, worker, phase, percent);
            }
            Input::Log {
                worker,
                task,
                place,
                text,
            } if self.machine.is_active(task, worker) => {
                self.live.log(task, worker, place, &text);
            }
            Input::Progress { .. } | Input::Log { .. } => {}
            Input::Settled(events) => {
                self.gathering.came_back();
                self.step(Event::Many(events), round);
            }
            Input::Census(answer) => {
                let _ = answer.send(self.census());
            }
            Input::ListWorkers(answer) => {
                // The asker may have left.
                let _ = answer.send(self.list_workers());
            }
        }
    }

    /// Those who watch get the end of the output before the step that it comes with.
    fn hear_out(&self, event: &Event) {
        if let Event::Reported { worker, report, .. } = event
            && let Some(logs) = &report.logs
            && self.machine.is_active(report.task, *worker)
        {
            self.live.complete(report.task, *worker, logs);
        }
    }

    fn step(&mut self, event: Event, round: &mut Round) {
        self.deals += u64::from(matches!(event, Event::DealSeen { .. }));
        let effects = self.machine.step(event, self.clock.now());
        round.effects.extend(effects);
    }

    pub(crate) fn list_workers(&self) -> Vec<WorkerView> {
        let view = |(address, worker): (Address, &crate::machine::Worker)| WorkerView {
            address: address.to_checksum(None),
            name: worker.name.clone(),
            slots: worker.slots,
            engine: worker.engine.clone(),
            busy: worker.active.clone(),
        };
        self.machine.workers_online().map(view).collect()
    }

    /// Moves what is to be saved out of the effects; each task once, as it is now.
    fn writes(&self, round: &mut Round) -> Writes {
        let mut writes = Writes {
            cursor: round.cursor,
            ..Writes::default()
        };
        let mut changed = BTreeSet::new();
        let mut rest = Vec::with_capacity(round.effects.len());
        for effect in round.effects.drain(..) {
            match effect {
                Effect::SaveDeal(terms) => writes.deals.push(terms),
                Effect::SaveTask(id) => {
                    changed.insert(id);
                }
                Effect::SaveLogs {
                    task,
                    worker,
                    logs,
                    purge_at,
                } => {
                    // The machine knows the usual time only.
                    let known = self.machine.task(task);
                    let purge_at = known.map_or(purge_at, |task| self.purge_at(task));
                    writes.logs.push(SavedLogs {
                        task,
                        worker,
                        logs,
                        purge_at,
                    });
                }
                other => {
                    writes.logs.extend(self.unreported_logs(&other));
                    rest.push(other);
                }
            }
        }
        round.effects = rest;
        let tasks = changed.into_iter().filter_map(|id| self.machine.task(id));
        writes.tasks = tasks.cloned().collect();
        writes
    }

    fn purge_at(&self, task: &Task) -> u64 {
        let deadline = task.terms.final_deadline;
        deadline.saturating_add(self.logs_kept_s)
    }

    /// What a run wrote whose worker never got to report it: kept when the task ends.
    fn unreported_logs(&self, effect: &Effect) -> Vec<SavedLogs> {
        let Effect::Publish(Notice {
            task: id, stage, ..
        }) = effect
        else {
            return Vec::new();
        };
        let Some(task) = self.machine.task(*id).filter(|_| stage.is_final()) else {
            return Vec::new();
        };
        let is_reported = |w: &Address| task.replicate(*w).is_some_and(|r| r.has_logs);
        let tails = self.live.tails(*id).into_iter();
        let saved = |(worker, logs)| SavedLogs {
            task: *id,
            worker,
            logs,
            purge_at: self.purge_at(task),
        };
        tails.filter(|(w, _)| !is_reported(w)).map(saved).collect()
    }

    fn act(&mut self, effects: Vec<Effect>) -> Vec<Input> {
        let mut to_check = Vec::new();
        let mut gone = BTreeSet::new();
        for effect in effects {
            match effect {
                Effect::Send {
                    worker,
                    id,
                    command,
                } => self.send_order(worker, id, command, &mut gone),
                Effect::Acknowledge { worker, seq } => {
                    self.send(worker, ToWorker::Acknowledge { seq }, &mut gone);
                }
                Effect::Publish(notice) => {
                    crate::operate::tell(&notice);
                    self.lives.follow(&notice);
                    self.live.publish(notice);
                }
                Effect::Initialize { deal, indices } => self.initialize(deal, indices),
                Effect::Challenge(task) => self.challenge(task),
                Effect::Check(ids) => to_check.extend(ids),
                Effect::Finalize {
                    task,
                    results,
                    callback,
                } => self.gathering.add(Settlement::Finalize {
                    task,
                    results: results.into_bytes().into(),
                    callback,
                }),
                Effect::Reopen(task) => self.gathering.add(Settlement::Reopen(task)),
                Effect::Claim(tasks) => self.gathering.add(Settlement::Claim(tasks)),
                Effect::ReadScores(workers) => self.read_scores(workers),
                Effect::SaveDeal(_) | Effect::SaveTask(_) | Effect::SaveLogs { .. } => {}
            }
        }
        self.settle();
        if !to_check.is_empty() {
            self.check(to_check);
        }
        let offline = |worker| Input::Event(Event::WorkerOffline(worker));
        gone.into_iter().map(offline).collect()
    }

    fn send_order(&mut self, to: Address, id: u64, command: Command, gone: &mut BTreeSet<Address>) {
        let _step = matches!(command, Command::Run { .. }).then(|| {
            step!(
                command.task(),
                "assign",
                worker = tracing::field::display(to)
            )
        });
        match self.sign(to, command) {
            Ok(order) => self.send(to, ToWorker::Order { id, order }, gone),
            Err(error) => error!(%error, "an authorization cannot be signed"),
        }
    }

    fn sign(&self, worker: Address, command: Command) -> Result<Order, Error> {
        Ok(match command {
            Command::Run {
                deal,
                index,
                enclave_challenge,
                flow,
                ..
            } => Order::Run {
                authorization: self
                    .ledger
                    .authorize(deal, index, worker, enclave_challenge)?,
                flow,
            },
            Command::Reveal { task } => Order::Reveal { task },
            Command::Upload { task } => Order::Upload { task },
            Command::Complete { task } => Order::Complete { task },
            Command::Abort { task, cause } => Order::Abort { task, cause },
        })
    }

    /// A worker whose connection is full or closed is gone; it gets its orders when it is back.
    fn send(&mut self, worker: Address, frame: ToWorker, gone: &mut BTreeSet<Address>) {
        let Some(link) = self.links.get(&worker) else {
            return;
        };
        if link.sender.try_send(frame).is_err() {
            debug!(%worker, "the connection of a worker is stuck");
            self.links.remove(&worker);
            gone.insert(worker);
        }
    }

    fn initialize(&self, deal: DealId, indices: Vec<u64>) {
        let (ledger, slots) = (self.ledger.clone(), self.initialize_slots.clone());
        self.job(async move {
            let span = |index: &u64| step!(deal.task(*index), "initialize");
            let steps: Vec<_> = indices.iter().map(span).collect();
            let _slot = slots.acquire_owned().await;
            match ledger.initialize(deal, &indices).await {
                Ok(block) => Event::ChainSays(active(deal, &indices, block)),
                Err(error) => {
                    warn!(%deal, tasks = indices.len(), %error, "tasks are not initialised");
                    note_failure(&steps, &error);
                    let reason = error_text(&error);
                    Event::InitializeFailed {
                        deal,
                        indices,
                        reason,
                    }
                }
            }
        });
    }

    fn challenge(&self, task: TaskId) {
        let (sms, slots) = (self.sms.clone(), self.challenge_slots.clone());
        self.job(async move {
            let Some(sms) = sms else {
                // The pool had one when it took the deal.
                let reason = "the pool has no secret manager any more".to_owned();
                return Event::ChallengeFailed { task, reason };
            };
            let _slot = slots.acquire_owned().await;
            match sms.challenge(task).await {
                Ok(challenge) => Event::Challenged { task, challenge },
                Err(error) => {
                    warn!(%task, %error, "the task has no enclave key");
                    let reason = error_text(&error);
                    Event::ChallengeFailed { task, reason }
                }
            }
        });
    }

    fn check(&self, ids: Vec<TaskId>) {
        let (ledger, epoch) = (self.ledger.clone(), self.machine.epoch());
        self.job(async move {
            loop {
                match look_up(ledger.as_ref(), ids.clone()).await {
                    Ok(states) => return Event::Looked { epoch, states },
                    Err(error) => warn!(%error, "tasks cannot be looked up; trying again"),
                }
                tokio::time::sleep(Duration::from_millis(CHECK_RETRY_MS)).await;
            }
        });
    }

    /// Runs beside the loop and brings its result back to it.
    pub(crate) fn job(&self, work: impl Future<Output = Event> + Send + 'static) {
        self.errand(async move { Input::Event(work.await) });
    }

    /// The same for what is no event of the machine.
    pub(crate) fn errand(&self, work: impl Future<Output = Input> + Send + 'static) {
        let (sender, shutdown) = (self.sender.clone(), self.shutdown.clone());
        tokio::spawn(shutdown.run_until_cancelled_owned(async move {
            let input = work.await;
            // The loop may be over.
            let _ = sender.send(input).await;
        }));
    }
}

fn active(deal: DealId, indices: &[u64], block: u64) -> Vec<OnChain> {
    let state = |index: &u64| OnChain {
        block: Some(block),
        ..OnChain::new(deal.task(*index), TaskStatus::Active)
    };
    indices.iter().map(state).collect()
}

/// An error and all that it was caused by, for people.
pub(crate) fn error_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
