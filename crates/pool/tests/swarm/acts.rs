//! What workers do with their orders.

use pool::machine::{Command, Event, Hello, task::Standing};
use protocol::{
    Cause, TaskId,
    deal::TaskStatus,
    message::{Busy, Flow, Profile, Report},
    status::ReplicateStatus::{self, *},
};
use rand::Rng;

use crate::{
    chain::Tx,
    worker::{Character, Job, Step},
    world::{LOOK_MS, Sender, What, World, is_bad_app},
};

impl World {
    pub(crate) fn say(&mut self, n: usize, report: Report) {
        let seq = self.workers[n].say(report.clone());
        self.transmit(n, seq, report);
    }

    fn transmit(&mut self, n: usize, seq: u64, report: Report) {
        let Some(link) = self.workers[n].link else {
            return;
        };
        let worker = self.workers[n].address;
        let times = if self.chance(10) { 2 } else { 1 };
        for _ in 0..times {
            let event = Event::Reported {
                worker,
                seq,
                report: report.clone(),
            };
            let latency = self.latency();
            self.after(latency, What::ToPool(n, link, event));
        }
    }

    pub(crate) fn give_up(
        &mut self,
        n: usize,
        task: TaskId,
        status: ReplicateStatus,
        cause: Cause,
    ) {
        if self.workers[n].jobs.remove(&task).is_some() {
            let mut report = Report::new(task, status);
            report.cause = Some(cause);
            self.say(n, report);
        }
    }

    pub(crate) fn obey(&mut self, n: usize, link: u64, id: u64, command: Command) {
        match command {
            Command::Run { task, flow, .. } => self.start(n, task, flow),
            Command::Reveal { task } => self.look_now(n, task),
            Command::Upload { task } => {
                let after = self.rng.gen_range(100..3_000);
                self.after(after, What::Uploaded(n, task));
            }
            Command::Complete { task } | Command::Abort { task, .. } => {
                self.workers[n].jobs.remove(&task);
            }
        }
        let worker = self.workers[n].address;
        let event = Event::OrderAcknowledged { worker, id };
        let latency = self.latency();
        self.after(latency, What::ToPool(n, link, event));
    }

    pub(crate) fn start(&mut self, n: usize, task: TaskId, flow: Flow) {
        if self.workers[n].jobs.contains_key(&task) {
            return;
        }
        let job = Job {
            step: Step::Running,
            at_once: flow == Flow::ContributeAndFinalize,
        };
        self.workers[n].jobs.insert(task, job);
        self.say(n, Report::new(task, Started));
        let after = self.rng.gen_range(500..20_000);
        self.after(after, What::Computed(n, task));
    }

    pub(crate) fn computed(&mut self, n: usize, task: TaskId) {
        let job = self.workers[n].jobs.get(&task).copied();
        let Some(job) = job.filter(|job| job.step == Step::Running) else {
            return;
        };
        if is_bad_app(task) && self.workers[n].character != Character::Liar {
            return self.give_up(n, task, ComputeFailed, Cause::AppComputeFailed);
        }
        match self.chain.entries[&task].status {
            TaskStatus::Unset => return self.after(1_000, What::Computed(n, task)),
            TaskStatus::Active => {}
            _ => return self.give_up(n, task, ContributeFailed, Cause::TaskNotActive),
        }
        self.say(n, Report::new(task, Computed));
        self.workers[n].jobs.get_mut(&task).unwrap().step = Step::Sent;
        self.contribute(n, task, job.at_once);
    }

    pub(crate) fn contribute(&mut self, n: usize, task: TaskId, at_once: bool) {
        let worker = &self.workers[n];
        let (address, hash) = (worker.address, worker.hash(task));
        let tx = match at_once {
            true => Tx::ContributeAndFinalize(task, address, hash),
            false => Tx::Contribute(task, address, hash),
        };
        self.send(tx, Sender::Worker(n));
    }

    pub(crate) fn look(&mut self, n: usize, task: TaskId) {
        if self.workers[n].jobs.contains_key(&task) {
            self.look_now(n, task);
            self.after(LOOK_MS, What::Look(n, task));
        }
    }

    pub(crate) fn look_now(&mut self, n: usize, task: TaskId) {
        let Some(job) = self.workers[n].jobs.get(&task).copied() else {
            return;
        };
        let worker = &self.workers[n];
        let (address, hash) = (worker.address, worker.hash(task));
        let entry = &self.chain.entries[&task];
        let own = entry
            .poll
            .contributions
            .iter()
            .find(|c| c.worker == address);
        let wins = entry
            .poll
            .consensus
            .as_ref()
            .is_some_and(|c| c.value == hash);
        let (status, own) = (entry.status, own.map(|c| c.standing));
        match (status, own) {
            (TaskStatus::Completed | TaskStatus::Failed, _) => {
                self.workers[n].jobs.remove(&task);
            }
            (TaskStatus::Active, None) if job.step == Step::Contributed => {
                self.contribute(n, task, false);
            }
            (TaskStatus::Revealing, Some(Standing::Contributed))
                if wins && worker.character != Character::Mute && job.step == Step::Contributed =>
            {
                self.workers[n].jobs.get_mut(&task).unwrap().step = Step::Revealing;
                self.send(Tx::Reveal(task, address), Sender::Worker(n));
            }
            (TaskStatus::Revealing, Some(Standing::Contributed)) if job.step == Step::Revealed => {
                self.workers[n].jobs.get_mut(&task).unwrap().step = Step::Contributed;
            }
            _ => {}
        }
    }

    pub(crate) fn uploaded(&mut self, n: usize, task: TaskId) {
        let has_result = self.workers[n].jobs.contains_key(&task);
        if !has_result || self.chance(50) {
            let mut report = Report::new(task, ResultUploadFailed);
            report.cause = Some(Cause::ResultLinkMissing);
            return self.say(n, report);
        }
        let mut report = Report::new(task, ResultUploaded);
        report.result_link = Some("link".into());
        self.say(n, report);
    }

    pub(crate) fn connect(&mut self, n: usize) {
        let link = self.next_link;
        self.next_link += 1;
        self.workers[n].link = Some(link);
        let worker = &self.workers[n];
        let busy = worker.jobs.keys().map(|task| Busy {
            task: *task,
            status: Computing,
        });
        let hello = Hello {
            address: worker.address,
            name: String::new(),
            slots: 2,
            engine: String::new(),
            profile: Profile::default(),
            busy: busy.collect(),
        };
        let outbox: Vec<(u64, Report)> = worker.outbox.clone().into_iter().collect();
        self.step(Event::WorkerOnline(hello));
        for (seq, report) in outbox {
            self.transmit(n, seq, report);
        }
    }
}
