//! The pool's core alone: how many steps of replicates it takes in a second while ten thousand
//! workers are idle, and how much memory that is.

use std::{sync::Arc, time::Instant};

use pool::machine::{Command, Effect, Event, Hello, Machine, OnChain, Rules, Terms};
use protocol::{
    Address, DealId, TaskId,
    deal::TaskStatus,
    message::{Profile, Report},
    status::ReplicateStatus::{self, *},
};

use crate::stats::say;

/// Workers that are there.
const WORKERS: u32 = 10_000;
/// Tasks that run through.
const TASKS: u64 = 50_000;
/// Tasks of one deal: far fewer than workers, so that most are idle.
const DEAL: u64 = 500;
/// Seconds since 1970 of the simulated day.
const START_S: u64 = 1_000_000;
/// What a worker reports of one task.
const STEPS: [ReplicateStatus; 12] = [
    Starting,
    Started,
    AppDownloading,
    AppDownloaded,
    DataDownloading,
    DataDownloaded,
    Computing,
    Computed,
    ResultUploading,
    ResultUploaded,
    ContributeAndFinalizeOngoing,
    ContributeAndFinalizeDone,
];

/// Prints steps a second and the memory of the process.
pub(crate) fn measure() {
    let now = START_S * 1000;
    let mut machine = Machine::restore(Vec::new(), now).with_rules(Rules::default());
    for number in 0..WORKERS {
        machine.step(online(number), now);
    }
    let start = Instant::now();
    let mut steps = 0;
    for deal in 0..TASKS / DEAL {
        steps += run_deal(&mut machine, deal, now + deal);
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = steps as f64 / seconds;
    say(&format!(
        "pool core, {WORKERS} workers: {rate:.0} replicate steps/s ({steps} in {seconds:.2} s), \
         {} MiB",
        resident_mib()
    ));
}

fn online(number: u32) -> Event {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Event::WorkerOnline(Hello {
        address: Address::from(bytes),
        name: String::new(),
        slots: 1,
        engine: String::new(),
        profile: Profile::default(),
        busy: Vec::new(),
    })
}

fn run_deal(machine: &mut Machine, number: u64, now: u64) -> u64 {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let terms = Arc::new(Terms {
        deal: DealId(id.into()),
        size: DEAL,
        trust: 1,
        timeref: 300,
        contribution_deadline: START_S + 2_100,
        final_deadline: START_S + 3_000,
        ..Terms::default()
    });
    let states = |status| {
        let of = |(_, id)| OnChain::new(id, status);
        Event::ChainSays(terms.tasks().map(of).collect())
    };
    let chain = Vec::new();
    let seen = Event::DealSeen {
        terms: terms.clone(),
        chain,
    };
    let runs = offered(&machine.step(seen, now));
    machine.step(states(TaskStatus::Active), now);
    let mut steps = 0;
    for status in STEPS {
        for (worker, task) in &runs {
            machine.step(reported(*worker, *task, status), now);
            steps += 1;
        }
    }
    machine.step(states(TaskStatus::Completed), now);
    steps
}

fn offered(effects: &[Effect]) -> Vec<(Address, TaskId)> {
    let run = |effect: &Effect| match effect {
        Effect::Send {
            worker,
            command: Command::Run { task, .. },
            ..
        } => Some((*worker, *task)),
        _ => None,
    };
    effects.iter().filter_map(run).collect()
}

fn reported(worker: Address, task: TaskId, status: ReplicateStatus) -> Event {
    Event::Reported {
        worker,
        seq: 1,
        report: Report::new(task, status),
    }
}

/// Memory of this process, all of it.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}
