//! The loop: everything that happens has its time, and happens in the order of times.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    fmt,
    sync::Arc,
};

use pool::machine::{Command, Effect, Event, Machine, Rules, Settling, Task, Terms};
use protocol::{
    Address, Cause, DealId, TaskId,
    deal::TaskStatus,
    message::Report,
    status::{ReplicateStatus::*, TaskStage},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    chain::{self, Chain, DEPTH_MAX, Tx},
    worker::{Character, Step, Worker},
};

const START_MS: u64 = 1_000_000_000;
const BLOCK_MS: u64 = 1_000;
/// Between two faults of a worker's connection.
const FAULT_MS: u64 = 200;
/// Between two looks of a worker at a task that it has contributed to.
pub(crate) const LOOK_MS: u64 = 20_000;
/// Seconds of the categories.
const TIMEREFS: [u64; 3] = [60, 120, 300];
/// Machine steps between two looks for idle workers.
const IDLE_LOOK_STEPS: u64 = 50_000;

/// How big a story is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) workers: u32,
    pub(crate) tasks: u64,
}

impl Size {
    pub(crate) const FULL: Self = Self {
        workers: 10_000,
        tasks: 100_000,
    };
    pub(crate) const SMALL: Self = Self {
        workers: 100,
        tasks: 2_000,
    };
}

/// Something that happens at its time.
pub(crate) enum What {
    Deal,
    Block,
    Fault,
    Tick,
    Restart,
    Heard(Event),
    Reverted(Vec<TaskId>),
    ToWorker(usize, u64, u64, Command),
    ToPool(usize, u64, Event),
    Stored(usize, u64, u64),
    Connect(usize),
    Computed(usize, TaskId),
    Uploaded(usize, TaskId),
    Look(usize, TaskId),
}

/// Who waits for a transaction.
#[derive(Clone, Copy)]
pub(crate) enum Sender {
    Worker(usize),
    Pool,
    Nobody,
}

/// How a story went.
#[derive(Debug, Default)]
pub(crate) struct Story {
    steps: u64,
    completed: u64,
    failed: u64,
    reorgs: u64,
    restarts: u64,
    breaks: u64,
    seconds: u64,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} completed, {} failed, {} steps, {} reorgs, {} restarts, {} broken connections, \
             {} simulated seconds",
            self.completed,
            self.failed,
            self.steps,
            self.reorgs,
            self.restarts,
            self.breaks,
            self.seconds
        )
    }
}

pub(crate) struct World {
    pub(crate) rng: StdRng,
    now: u64,
    size: Size,
    machine: Machine,
    pub(crate) chain: Chain,
    pub(crate) workers: Vec<Worker>,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    whats: HashMap<u64, What>,
    next_what: u64,
    pub(crate) next_link: u64,
    /// The pool hears of the chain in order.
    heard_until: u64,
    mempool: Vec<(Tx, Sender)>,
    left: u64,
    deals: u64,
    ended: BTreeMap<TaskId, TaskStage>,
    /// Tasks that a restart did not load.
    closed: HashMap<TaskId, Task>,
    story: Story,
}

impl World {
    /// Plays a whole story and judges it.
    pub(crate) fn play(seed: u64, size: Size) -> Story {
        let mut world = Self::new(seed, size);
        world.begin();
        while !world.is_over() {
            let Some(Reverse((at, number))) = world.queue.pop() else {
                break;
            };
            world.now = world.now.max(at);
            let what = world.whats.remove(&number).unwrap();
            world.happen(what);
        }
        world.judge();
        world.story
    }

    fn new(seed: u64, size: Size) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let workers = (0..size.workers).map(|n| Worker::new(n, character(&mut rng)));
        let workers: Vec<Worker> = workers.collect();
        let mut chain = Chain::default();
        for worker in &workers {
            let is_good = worker.character == Character::Honest;
            let score = if is_good { rng.gen_range(0..30) } else { 0 };
            chain.scores.insert(worker.address, score);
        }
        Self {
            rng,
            now: START_MS,
            size,
            machine: Machine::restore(Vec::new(), START_MS).with_rules(rules()),
            chain,
            workers,
            queue: BinaryHeap::new(),
            whats: HashMap::new(),
            next_what: 0,
            next_link: 1,
            heard_until: 0,
            mempool: Vec::new(),
            left: size.tasks,
            deals: 0,
            ended: BTreeMap::new(),
            closed: HashMap::new(),
            story: Story::default(),
        }
    }

    fn begin(&mut self) {
        for number in 0..self.workers.len() {
            let after = self.rng.gen_range(0..2_000);
            self.after(after, What::Connect(number));
        }
        self.after(500, What::Deal);
        self.after(BLOCK_MS, What::Block);
        self.after(FAULT_MS, What::Fault);
        for _ in 0..2 {
            let after = self.rng.gen_range(20_000..200_000);
            self.after(after, What::Restart);
        }
        self.after(100, What::Tick);
    }

    fn is_over(&self) -> bool {
        self.left == 0
            && self.ended.len() as u64 == self.size.tasks
            && self.mempool.is_empty()
            && self.heard_until <= self.now
    }

    pub(crate) fn after(&mut self, ms: u64, what: What) {
        self.at(self.now + ms, what);
    }

    fn at(&mut self, time: u64, what: What) {
        let number = self.next_what;
        self.next_what += 1;
        self.whats.insert(number, what);
        self.queue.push(Reverse((time, number)));
    }

    /// The chain's news, late, but one after the other.
    fn hear(&mut self, what: What) {
        let delay = self.rng.gen_range(10..2_000);
        self.heard_until = self.heard_until.max(self.now + delay);
        self.at(self.heard_until, what);
    }

    pub(crate) fn chance(&mut self, per_mille: u32) -> bool {
        self.rng.gen_range(0..1_000) < per_mille
    }

    pub(crate) fn latency(&mut self) -> u64 {
        self.rng.gen_range(2..80)
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Deal => self.new_deal(),
            What::Block => self.block(),
            What::Fault => self.fault(),
            What::Tick => self.tick(),
            What::Restart => self.restart(),
            What::Heard(event) => self.step(event),
            What::Reverted(tasks) => {
                let states = tasks.iter().map(|id| self.chain.view(*id)).collect();
                let stored = tasks.iter().filter_map(|id| self.closed.get(id).cloned());
                let stored = stored.collect();
                self.step(Event::Reverted { states, stored });
            }
            What::ToWorker(n, link, id, command) if self.linked(n, link) => {
                self.obey(n, link, id, command);
            }
            What::ToPool(n, link, event) if self.linked(n, link) => self.step(event),
            What::Stored(n, link, seq) if self.linked(n, link) => {
                self.workers[n].outbox.remove(&seq);
            }
            What::ToWorker(..) | What::ToPool(..) | What::Stored(..) => {}
            What::Connect(n) => self.connect(n),
            What::Computed(n, task) => self.computed(n, task),
            What::Uploaded(n, task) => self.uploaded(n, task),
            What::Look(n, task) => self.look(n, task),
        }
    }

    fn linked(&self, n: usize, link: u64) -> bool {
        self.workers[n].link == Some(link)
    }

    fn tick(&mut self) {
        self.step(Event::Tick);
        let wake = self.machine.next_wake().unwrap_or(self.now + 1_000);
        let wait = wake.saturating_sub(self.now).clamp(50, 1_000);
        self.after(wait, What::Tick);
    }

    pub(crate) fn step(&mut self, event: Event) {
        self.story.steps += 1;
        let effects = self.machine.step(event, self.now);
        for effect in effects {
            self.act(effect);
        }
        if self.story.steps.is_multiple_of(IDLE_LOOK_STEPS) {
            self.nobody_waits_in_vain();
        }
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Send {
                worker,
                id,
                command,
            } => {
                let n = Worker::number(worker);
                let (link, latency) = (self.workers[n].link.unwrap_or_default(), self.latency());
                self.after(latency, What::ToWorker(n, link, id, command));
            }
            Effect::Acknowledge { worker, seq } => {
                let n = Worker::number(worker);
                let (link, latency) = (self.workers[n].link.unwrap_or_default(), self.latency());
                self.after(latency, What::Stored(n, link, seq));
            }
            Effect::Initialize { deal, indices } => {
                let txs = indices.iter().map(|i| Tx::Initialize(deal.task(*i)));
                self.mempool.extend(txs.map(|tx| (tx, Sender::Pool)));
            }
            Effect::Finalize { task, .. } => self.send(Tx::Finalize(task), Sender::Pool),
            Effect::Reopen(task) => self.send(Tx::Reopen(task), Sender::Pool),
            Effect::Claim(tasks) => {
                for task in tasks {
                    self.send(Tx::Claim(task), Sender::Pool);
                }
            }
            Effect::Check(ids) => {
                let states = ids.iter().map(|id| self.chain.view(*id)).collect();
                let after = self.rng.gen_range(20..1_500);
                let epoch = self.machine.epoch();
                self.after(after, What::Heard(Event::Looked { epoch, states }));
            }
            Effect::ReadScores(workers) => {
                let score = |w: &Address| (*w, self.chain.scores[w]);
                let scores = workers.iter().map(score).collect();
                self.after(100, What::Heard(Event::Scored(scores)));
            }
            Effect::Publish(notice) if notice.stage.is_final() => {
                self.ended.insert(notice.task, notice.stage);
            }
            Effect::Publish(notice) => {
                self.ended.remove(&notice.task);
            }
            Effect::SaveDeal(_)
            | Effect::SaveTask(_)
            | Effect::SaveLogs { .. }
            | Effect::Challenge(_) => {}
        }
    }

    pub(crate) fn send(&mut self, tx: Tx, sender: Sender) {
        self.mempool.push((tx, sender));
    }

    fn new_deal(&mut self) {
        let start = self.now / 1000;
        let timeref = TIMEREFS[self.rng.gen_range(0..TIMEREFS.len())];
        let trust = match self.rng.gen_range(0..10) {
            0..7 => 1,
            _ => self.rng.gen_range(2..=5),
        };
        let size = self.rng.gen_range(1..=2_000).min(self.left);
        self.left -= size;
        self.deals += 1;
        let mut id = [0; 32];
        id[..8].copy_from_slice(&self.deals.to_be_bytes());
        let terms = Arc::new(Terms {
            deal: DealId(id.into()),
            size,
            trust,
            timeref,
            contribution_deadline: start + 7 * timeref,
            final_deadline: start + 10 * timeref,
            ..Terms::default()
        });
        let rules = chain::Rules {
            trust,
            timeref,
            contribution: terms.contribution_deadline,
            last: terms.final_deadline,
        };
        for (_, id) in terms.tasks() {
            self.chain.add(id, rules);
        }
        let chain = Vec::new();
        self.hear(What::Heard(Event::DealSeen { terms, chain }));
        if self.left > 0 {
            let after = self.rng.gen_range(100..4_000);
            self.after(after, What::Deal);
        }
    }

    /// Everything that was sent goes into a block, and sometimes blocks go.
    fn block(&mut self) {
        if self.chance(15) {
            self.reorganise();
        }
        let slow = self.chance(100);
        let txs = if slow {
            Vec::new()
        } else {
            std::mem::take(&mut self.mempool)
        };
        for (tx, sender) in txs {
            match self.chain.run(&tx, self.now / 1000) {
                Some(events) => {
                    self.hear(What::Heard(Event::Many(events)));
                    self.mined(&tx, sender);
                }
                None => self.refused(&tx, sender),
            }
        }
        self.chain.seal();
        self.after(BLOCK_MS, What::Block);
    }

    fn reorganise(&mut self) {
        self.story.reorgs += 1;
        let depth = self.rng.gen_range(1..=DEPTH_MAX);
        let (tasks, mut again) = self.chain.take_back(depth);
        if self.chance(500) {
            again.reverse();
        }
        self.hear(What::Reverted(tasks));
        // Who sent them sees that they are gone, and sends them again.
        let again = again.into_iter().map(|tx| (tx, Sender::Nobody));
        self.mempool.splice(0..0, again);
    }

    fn mined(&mut self, tx: &Tx, sender: Sender) {
        let Sender::Worker(n) = sender else {
            return;
        };
        let task = tx.task();
        let Some(job) = self.workers[n].jobs.get_mut(&task) else {
            return;
        };
        match tx {
            Tx::ContributeAndFinalize(..) => {
                self.workers[n].jobs.remove(&task);
                self.say(n, Report::new(task, ContributeAndFinalizeDone));
                self.say(n, Report::new(task, Completed));
            }
            Tx::Contribute(..) => {
                job.step = Step::Contributed;
                self.say(n, Report::new(task, Contributed));
                self.after(LOOK_MS, What::Look(n, task));
            }
            _ => {
                job.step = Step::Revealed;
                self.say(n, Report::new(task, Revealed));
            }
        }
    }

    fn refused(&mut self, tx: &Tx, sender: Sender) {
        let task = tx.task();
        match (sender, tx) {
            (Sender::Worker(n), Tx::Reveal(..)) => {
                if let Some(job) = self.workers[n].jobs.get_mut(&task) {
                    job.step = Step::Contributed;
                }
            }
            (Sender::Worker(n), Tx::Contribute(..)) => {
                self.give_up(n, task, ContributeFailed, Cause::ConsensusReached);
            }
            (Sender::Worker(n), _) => {
                let cause = Cause::TaskAlreadyContributed;
                self.give_up(n, task, ContributeAndFinalizeFailed, cause);
            }
            (Sender::Pool, Tx::Initialize(_)) => self.not_initialized(task),
            (Sender::Pool, tx) => {
                let what = match tx {
                    Tx::Finalize(_) => Settling::Finalize,
                    Tx::Reopen(_) => Settling::Reopen,
                    _ => Settling::Claim,
                };
                let failed = Event::SettleFailed {
                    tasks: vec![task],
                    what,
                    reason: "refused".into(),
                };
                self.after(50, What::Heard(failed));
            }
            (Sender::Nobody, _) => {}
        }
    }

    fn not_initialized(&mut self, id: TaskId) {
        let Some(task) = self.machine.task(id) else {
            return;
        };
        let failed = Event::InitializeFailed {
            deal: task.terms.deal,
            indices: vec![task.index],
            reason: "refused".into(),
        };
        self.after(50, What::Heard(failed));
    }

    /// A connection breaks; whoever crashes forgets.
    fn fault(&mut self) {
        let n = self.rng.gen_range(0..self.workers.len());
        if self.workers[n].link.take().is_some() {
            self.story.breaks += 1;
            if self.workers[n].character == Character::Crashing {
                self.workers[n].forget();
            }
            self.step(Event::WorkerOffline(self.workers[n].address));
            let after = self.rng.gen_range(100..8_000);
            self.after(after, What::Connect(n));
        }
        self.after(FAULT_MS, What::Fault);
    }

    /// `kill -9` of the pool and a start from what it had saved.
    fn restart(&mut self) {
        self.story.restarts += 1;
        let reload = |task: &Task| {
            let text = serde_json::to_string(task).unwrap();
            let mut loaded: Task = serde_json::from_str(&text).unwrap();
            loaded.terms = task.terms.clone();
            loaded
        };
        let (closed, open): (Vec<&Task>, Vec<&Task>) =
            self.machine.tasks().partition(|t| t.is_closed());
        let tasks: Vec<Task> = open.into_iter().map(reload).collect();
        self.closed = closed.into_iter().map(|t| (t.id, reload(t))).collect();
        let states = tasks.iter().map(|t| self.chain.view(t.id)).collect();
        self.machine = Machine::restore(tasks, self.now).with_rules(rules());
        self.step(Event::ChainSays(states));
        for n in 0..self.workers.len() {
            if self.workers[n].link.take().is_some() {
                let after = self.rng.gen_range(50..4_000);
                self.after(after, What::Connect(n));
            }
        }
    }

    /// Whoever could take a task that nobody has, has it.
    fn nobody_waits_in_vain(&self) {
        let idle = self
            .machine
            .workers_online()
            .find(|(_, w)| w.free_slots() > 0);
        let Some((idle, _)) = idle else {
            return;
        };
        let untouched = |t: &&Task| t.replicates.is_empty() && t.wants_workers();
        if let Some(task) = self.machine.tasks().find(untouched) {
            panic!("{idle} is idle and {} waits: {task:#?}", task.id);
        }
    }

    fn judge(&mut self) {
        self.story.seconds = (self.now - START_MS) / 1000;
        assert_eq!(self.left, 0, "all deals were made");
        for (id, entry) in &self.chain.entries {
            let stage = self.ended.get(id);
            let stage = stage.unwrap_or_else(|| panic!("{id} is lost: {entry:#?}"));
            let is_completed = entry.status == TaskStatus::Completed;
            assert_eq!(
                *stage == TaskStage::Completed,
                is_completed,
                "{id}: {entry:#?}"
            );
            if is_completed && entry.rules.trust >= 3 {
                let hash = entry.poll.consensus.as_ref().map(|c| c.value);
                assert_eq!(hash, Some(id.0), "a lie was believed: {entry:#?}");
            }
            match is_completed {
                true => self.story.completed += 1,
                false => self.story.failed += 1,
            }
        }
        let good = self
            .chain
            .entries
            .keys()
            .filter(|id| !is_bad_app(**id))
            .count() as u64;
        let share = self.story.completed * 100 / good.max(1);
        assert!(
            share >= 90,
            "only {share} % of the good tasks were completed: {}",
            self.story
        );
    }
}

fn rules() -> Rules {
    Rules {
        claims_for_requesters: true,
        ..Rules::default()
    }
}

fn character(rng: &mut StdRng) -> Character {
    match rng.gen_range(0..100) {
        0..3 => Character::Liar,
        3..5 => Character::Mute,
        5..10 => Character::Crashing,
        _ => Character::Honest,
    }
}

/// Apps that fail wherever they run.
pub(crate) fn is_bad_app(task: TaskId) -> bool {
    task.0[31] < 5
}
