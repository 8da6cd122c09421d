//! A whole pool with workers, a chain and a network that fail, driven by one seed: whatever
//! happens, the rules hold, and once the faults stop every task ends as the chain says.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use protocol::{
    Address, Cause, DealId, Tag, TaskId,
    deal::TaskStatus,
    message::{Busy, Profile, Report},
    status::{
        ReplicateStatus::{self, *},
        TaskStage,
    },
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{Command, Effect, Event, Hello, Machine, OnChain, Task, Terms};

const START: u64 = 1_000_000;
const TIMEREF: u64 = 60;
const WORKERS: u8 = 4;
const DEALS: u8 = 6;
const FAULTY_STEPS: usize = 1_500;
const SCRIPT: [ReplicateStatus; 6] = [
    Starting,
    Started,
    AppDownloaded,
    Computing,
    Computed,
    ContributeAndFinalizeOngoing,
];

/// Something on its way; lost when the connection it travels on is gone.
#[derive(Clone, Debug)]
enum Wire {
    ToWorker(Address, u64, u64, Command),
    ToPool(Address, u64, Event),
    Stored(Address, u64, u64),
}

/// Every other deal is confidential.
fn tag(deal: u8) -> Tag {
    if deal.is_multiple_of(2) {
        Tag::TEE_TDX
    } else {
        Tag::NONE
    }
}

/// The enclave key of a task: the same whenever it is asked for.
fn challenge(task: TaskId) -> Address {
    Address::from_slice(&task.0[..20])
}

#[derive(Default)]
struct SimWorker {
    link: Option<u64>,
    running: BTreeMap<TaskId, usize>,
    reports: BTreeMap<u64, Report>,
    next_seq: u64,
}

struct World {
    rng: StdRng,
    now: u64,
    machine: Machine,
    saved: BTreeMap<TaskId, (String, Arc<Terms>)>,
    saved_deals: BTreeSet<DealId>,
    chain: BTreeMap<TaskId, OnChain>,
    log: Vec<Event>,
    read: usize,
    saved_read: usize,
    jobs: VecDeque<Effect>,
    wires: Vec<Wire>,
    workers: BTreeMap<Address, SimWorker>,
    next_link: u64,
    faults: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let workers = (1..=WORKERS).map(|n| (Address::repeat_byte(n), SimWorker::default()));
        Self {
            rng: StdRng::seed_from_u64(seed),
            now: START * 1000,
            machine: Machine::restore(Vec::new(), START * 1000).with_rules(super::tests::rules()),
            saved: BTreeMap::new(),
            saved_deals: BTreeSet::new(),
            chain: BTreeMap::new(),
            log: Vec::new(),
            read: 0,
            saved_read: 0,
            jobs: VecDeque::new(),
            wires: Vec::new(),
            workers: workers.collect(),
            next_link: 1,
            faults: true,
        }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.gen_range(0..100) < percent
    }

    fn step(&mut self, event: Event) {
        let effects = self.machine.step(event, self.now);
        for effect in &effects {
            self.save(effect);
        }
        self.saved_read = self.read;
        for effect in effects {
            self.act(effect);
        }
        self.check();
    }

    fn save(&mut self, effect: &Effect) {
        match effect {
            Effect::SaveDeal(terms) => {
                self.saved_deals.insert(terms.deal);
            }
            Effect::SaveTask(id) => {
                if let Some(task) = self.machine.task(*id) {
                    let text = serde_json::to_string(task).unwrap();
                    self.saved.insert(*id, (text, task.terms.clone()));
                }
            }
            _ => {}
        }
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Send {
                worker,
                id,
                command,
            } => {
                let link = self.workers[&worker].link.unwrap_or_default();
                self.wires.push(Wire::ToWorker(worker, link, id, command));
            }
            Effect::Acknowledge { worker, seq } => {
                let link = self.workers[&worker].link.unwrap_or_default();
                self.wires.push(Wire::Stored(worker, link, seq));
            }
            Effect::Initialize { .. } | Effect::Check(_) | Effect::Challenge(_) => {
                self.jobs.push_back(effect)
            }
            _ => {}
        }
    }

    /// What must hold at any time.
    fn check(&self) {
        for (address, worker) in self.machine.workers_online() {
            assert!(
                worker.active.len() <= worker.slots as usize,
                "slots of {address}"
            );
            for id in &worker.active {
                assert!(self.machine.is_active(*id, address), "{address} is at {id}");
            }
        }
        for task in self.machine.tasks() {
            assert!(
                task.active_workers().count() <= 1,
                "{} has two workers",
                task.id
            );
            if task.is_final() {
                assert_eq!(task.active_workers().count(), 0, "{} is over", task.id);
                assert!(task.stage() == TaskStage::Completed || task.failure.is_some());
            } else {
                assert!(self.now < task.terms.contribution_deadline_ms() + 60_000);
            }
        }
    }

    fn new_deal(&mut self, number: u8) {
        let start = self.now / 1000;
        let terms = Arc::new(Terms {
            deal: DealId::repeat(number),
            size: self.rng.gen_range(1..5),
            trust: 1,
            tag: tag(number),
            timeref: TIMEREF,
            contribution_deadline: start + 7 * TIMEREF,
            final_deadline: start + 10 * TIMEREF,
            ..Terms::default()
        });
        for (_, id) in terms.tasks() {
            self.chain.insert(id, OnChain::new(id, TaskStatus::Unset));
        }
        let chain = Vec::new();
        self.log.push(Event::DealSeen { terms, chain });
    }

    /// The follower: reads on, and skips deals that are saved already.
    fn read_chain(&mut self) {
        let Some(event) = self.log.get(self.read).cloned() else {
            return;
        };
        self.read += 1;
        let known = matches!(&event, Event::DealSeen { terms, .. }
            if self.saved_deals.contains(&terms.deal));
        if !known {
            self.step(event);
        }
    }

    fn run_job(&mut self) {
        let fails = self.faults && self.chance(20);
        match self.jobs.pop_front() {
            Some(Effect::Initialize { deal, indices }) if fails => {
                let reason = "the node is away".into();
                self.step(Event::InitializeFailed {
                    deal,
                    indices,
                    reason,
                });
            }
            Some(Effect::Initialize { deal, indices }) => {
                for index in indices {
                    self.initialize(deal.task(index));
                }
            }
            Some(Effect::Check(ids)) => self.answer(&ids),
            Some(Effect::Challenge(task)) if fails => {
                let reason = "the secret manager is away".into();
                self.step(Event::ChallengeFailed { task, reason });
            }
            Some(Effect::Challenge(task)) => {
                let challenge = challenge(task);
                self.step(Event::Challenged { task, challenge });
            }
            _ => {}
        }
    }

    fn initialize(&mut self, id: TaskId) {
        let task = self.chain.get_mut(&id).unwrap();
        if task.status == TaskStatus::Unset {
            task.status = TaskStatus::Active;
            let says = Event::ChainSays(vec![OnChain::new(id, TaskStatus::Active)]);
            self.log.push(says);
        }
    }

    fn answer(&mut self, ids: &[TaskId]) {
        let states = ids.iter().map(|id| self.chain[id].clone()).collect();
        self.step(Event::ChainSays(states));
    }

    fn deliver(&mut self) {
        if self.wires.is_empty() {
            return;
        }
        // Orders keep their order on a connection; reports may overtake each other.
        let at = self.rng.gen_range(0..self.wires.len());
        let is_report = matches!(self.wires[at], Wire::ToPool(..));
        let wire = self.wires.remove(if is_report { at } else { 0 });
        if self.faults && is_report && self.chance(5) {
            self.wires.push(wire.clone());
        }
        match wire {
            Wire::ToWorker(worker, link, id, command) => self.obey(worker, link, id, command),
            Wire::ToPool(worker, link, event) if self.is_linked(worker, link) => self.step(event),
            Wire::Stored(worker, link, seq) if self.is_linked(worker, link) => {
                self.worker(worker).reports.remove(&seq);
            }
            _ => {}
        }
    }

    fn worker(&mut self, address: Address) -> &mut SimWorker {
        self.workers.get_mut(&address).unwrap()
    }

    fn is_linked(&self, worker: Address, link: u64) -> bool {
        self.workers[&worker].link == Some(link)
    }

    fn obey(&mut self, address: Address, link: u64, id: u64, command: Command) {
        if !self.is_linked(address, link) {
            return;
        }
        let worker = self.worker(address);
        match command {
            Command::Run {
                task,
                deal,
                enclave_challenge,
                ..
            } => {
                let is_tee = tag(deal.0[0]).is_tee();
                let expected = if is_tee {
                    challenge(task)
                } else {
                    Address::ZERO
                };
                assert_eq!(enclave_challenge, expected, "{task}");
                worker.running.entry(task).or_insert(0);
            }
            Command::Reveal { .. } | Command::Upload { .. } => panic!("nothing is revealed here"),
            Command::Complete { task } | Command::Abort { task, .. } => {
                worker.running.remove(&task);
            }
        }
        let event = Event::OrderAcknowledged {
            worker: address,
            id,
        };
        self.wires.push(Wire::ToPool(address, link, event));
    }

    fn work(&mut self, address: Address) {
        let running: Vec<_> = self.workers[&address].running.clone().into_iter().collect();
        if running.is_empty() {
            return;
        }
        let (task, done) = running[self.rng.gen_range(0..running.len())];
        let trouble = self.faults && self.chance(2);
        let is_bad_app = task.0[0] % 8 == 0;
        match SCRIPT.get(done) {
            _ if trouble => self.fail(address, task, ContributeFailed, Cause::ChainUnreachable),
            Some(Computed) if is_bad_app => {
                self.fail(address, task, ComputeFailed, Cause::AppComputeFailed);
            }
            Some(status) => {
                self.worker(address).running.insert(task, done + 1);
                self.report(address, Report::new(task, *status));
            }
            None => self.contribute(address, task),
        }
    }

    fn contribute(&mut self, address: Address, id: TaskId) {
        let task = self.chain.get_mut(&id).unwrap();
        match task.status {
            TaskStatus::Unset => {}
            TaskStatus::Active => {
                task.status = TaskStatus::Completed;
                task.results = Some("link".into());
                let says = task.clone();
                self.log.push(Event::Contributed {
                    task: id,
                    worker: address,
                    hash: Default::default(),
                });
                self.log.push(Event::ChainSays(vec![says]));
                self.worker(address).running.remove(&id);
                self.report(address, Report::new(id, ContributeAndFinalizeDone));
                self.report(address, Report::new(id, Completed));
            }
            _ => self.fail(
                address,
                id,
                ContributeAndFinalizeFailed,
                Cause::TaskNotActive,
            ),
        }
    }

    fn fail(&mut self, address: Address, task: TaskId, status: ReplicateStatus, cause: Cause) {
        self.worker(address).running.remove(&task);
        let cause = Some(cause);
        let report = Report {
            cause,
            ..Report::new(task, status)
        };
        self.report(address, report);
    }

    fn report(&mut self, address: Address, report: Report) {
        let worker = self.worker(address);
        let seq = worker.next_seq;
        worker.next_seq += 1;
        worker.reports.insert(seq, report.clone());
        if let Some(link) = worker.link {
            let event = Event::Reported {
                worker: address,
                seq,
                report,
            };
            self.wires.push(Wire::ToPool(address, link, event));
        }
    }

    fn connect(&mut self, address: Address) {
        let link = self.next_link;
        self.next_link += 1;
        let worker = self.worker(address);
        worker.link = Some(link);
        let busy = worker.running.keys().map(|task| Busy {
            task: *task,
            status: Computing,
        });
        let hello = Hello {
            address,
            name: String::new(),
            slots: 2,
            engine: String::new(),
            profile: Profile {
                tee: true,
                ..Profile::default()
            },
            busy: busy.collect(),
        };
        let reports = worker.reports.clone();
        self.step(Event::WorkerOnline(hello));
        for (seq, report) in reports {
            let event = Event::Reported {
                worker: address,
                seq,
                report,
            };
            self.wires.push(Wire::ToPool(address, link, event));
        }
    }

    fn disconnect(&mut self, address: Address, with_memory: bool) {
        let worker = self.worker(address);
        if !with_memory {
            worker.running.clear();
            worker.reports.clear();
        }
        if worker.link.take().is_some() {
            self.step(Event::WorkerOffline(address));
        }
    }

    /// `kill -9` of the pool and a start from what was saved.
    fn restart(&mut self) {
        self.jobs.clear();
        self.wires.clear();
        for worker in self.workers.values_mut() {
            worker.link = None;
        }
        self.read = self.saved_read.saturating_sub(self.rng.gen_range(0..3));
        let now = self.now / 1000;
        let load = |(text, terms): &(String, Arc<Terms>)| {
            let mut task: Task = serde_json::from_str(text).unwrap();
            task.terms = terms.clone();
            task
        };
        let tasks = self.saved.values().map(load).filter(|task| {
            !task.is_final()
                || (task.stage() == TaskStage::Failed && task.terms.contribution_deadline > now)
        });
        let tasks: Vec<Task> = tasks.collect();
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
        self.machine = Machine::restore(tasks, self.now).with_rules(super::tests::rules());
        self.answer(&ids);
    }

    fn pass(&mut self, ms: u64) {
        self.now += ms;
        self.step(Event::Tick);
    }

    fn faulty_step(&mut self) {
        let address = Address::repeat_byte(self.rng.gen_range(1..=WORKERS));
        match self.rng.gen_range(0..1000) {
            0..300 => self.deliver(),
            300..600 => self.work(address),
            600..700 => self.read_chain(),
            700..780 => self.run_job(),
            780..880 => {
                let most = if self.chance(10) { 4_000 } else { 150 };
                let ms = self.rng.gen_range(0..most);
                self.pass(ms);
            }
            880..960 if self.workers[&address].link.is_none() => self.connect(address),
            980..992 => self.disconnect(address, true),
            992..998 => self.disconnect(address, false),
            998 => self.restart(),
            _ => {}
        }
    }

    /// No more faults: everything that is under way gets done.
    fn calm_down(&mut self) {
        self.faults = false;
        for _ in 0..400 {
            for n in 1..=WORKERS {
                let address = Address::repeat_byte(n);
                if self.workers[&address].link.is_none() {
                    self.connect(address);
                }
                for _ in 0..4 {
                    self.work(address);
                }
            }
            for _ in 0..20 {
                self.deliver();
                self.read_chain();
                self.run_job();
            }
            self.pass(500);
        }
    }

    fn final_tasks(&self) -> Vec<Task> {
        let load = |(text, _): &(String, Arc<Terms>)| serde_json::from_str(text).unwrap();
        self.saved.values().map(load).collect()
    }

    /// How every task ended.
    fn judge(&self) {
        let tasks = self.final_tasks();
        assert_eq!(tasks.len(), self.chain.len(), "every task is known");
        for task in tasks {
            assert!(task.is_final(), "{task:#?}");
            let is_completed = self.chain[&task.id].status == TaskStatus::Completed;
            assert_eq!(
                is_completed,
                task.stage() == TaskStage::Completed,
                "{task:#?}"
            );
            let cause = task.failure.as_ref().map(|f| f.cause);
            let app = cause == Some(Cause::AppComputeFailed);
            let keyless = cause == Some(Cause::UnknownSms) && task.enclave_challenge.is_none();
            assert!(
                is_completed || app || keyless || task.failures >= 3 || task.losses > 10,
                "{task:#?}"
            );
        }
        for (address, worker) in self.machine.workers_online() {
            assert!(worker.outbox.is_empty(), "{address} has not got all orders");
            assert!(worker.active.is_empty(), "{address} is free again");
        }
        assert!(self.workers.values().all(|w| w.reports.is_empty()));
    }
}

fn simulate(seed: u64) -> World {
    let mut world = World::new(seed);
    for step in 0..FAULTY_STEPS {
        if step % 100 == 0 && step / 100 < usize::from(DEALS) {
            world.new_deal((step / 100) as u8 + 1);
        }
        world.faulty_step();
    }
    world.calm_down();
    world
}

#[test]
fn every_story_ends_well() {
    let mut completed = 0;
    for seed in 0..150 {
        let world = simulate(seed);
        let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.judge()));
        assert!(judged.is_ok(), "seed {seed}");
        let is_completed = |t: &Task| t.stage() == TaskStage::Completed;
        completed += world
            .final_tasks()
            .iter()
            .filter(|t| is_completed(t))
            .count();
    }
    assert!(
        completed > 1_000,
        "the simulation has stopped to be about work: {completed}"
    );
}

#[test]
fn the_same_seed_is_the_same_story() {
    assert_eq!(simulate(7).final_tasks(), simulate(7).final_tasks());
}
