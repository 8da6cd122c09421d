//! The rules one by one.

use std::sync::Arc;

use protocol::{
    Address, B256, Cause, DealId, Tag, TaskId,
    deal::TaskStatus,
    message::{Busy, Logs, Profile, Report},
    status::{
        ReplicateStatus::{self, *},
        TaskStage,
    },
};

use super::{
    CHECK_MS, Command, Effect, Event, Hello, INITIALIZE_BATCH_MAX, Machine, OnChain, REMIND_MS,
    RETRY_SAME_WORKER_MS, Rules, Task, Terms, UNCONFIRMED_MS_MAX, WORKER_GRACE_MS,
};

pub(super) const START: u64 = 1_000_000;
pub(super) const NOW: u64 = START * 1000;
pub(super) const ALICE: Address = Address::repeat_byte(0xa);
pub(super) const BOB: Address = Address::repeat_byte(0xb);

pub(super) fn rules() -> Rules {
    Rules {
        has_sms: true,
        ..Rules::default()
    }
}

pub(super) fn terms(size: u64) -> Terms {
    Terms {
        deal: DealId::repeat(1),
        size,
        trust: 1,
        timeref: 300,
        contribution_deadline: START + 2100,
        final_deadline: START + 3000,
        ..Terms::default()
    }
}

/// A machine, its time, and everything it wanted so far.
pub(super) struct Pool {
    pub(super) machine: Machine,
    pub(super) now: u64,
    effects: Vec<Effect>,
}

impl Pool {
    pub(super) fn new() -> Self {
        Self {
            machine: Machine::restore(Vec::new(), NOW).with_rules(rules()),
            now: NOW,
            effects: Vec::new(),
        }
    }

    pub(super) fn with_deal(terms: Terms) -> Self {
        let mut pool = Self::new();
        pool.step(deal(terms));
        pool
    }

    /// One task, one worker at it that has understood, initialised.
    pub(super) fn running() -> (Self, TaskId) {
        let (mut pool, id) = Self::started();
        pool.acknowledge_all(ALICE);
        (pool, id)
    }

    pub(super) fn acknowledge_all(&mut self, worker: Address) {
        let id = |e: &Effect| match e {
            Effect::Send { worker: w, id, .. } if *w == worker => Some(*id),
            _ => None,
        };
        let ids: Vec<u64> = self.effects.iter().filter_map(id).collect();
        for id in ids {
            self.step(Event::OrderAcknowledged { worker, id });
        }
    }

    /// The same with the order not acknowledged yet.
    pub(super) fn started() -> (Self, TaskId) {
        let mut pool = Self::with_deal(terms(1));
        pool.online(ALICE, 1, &[]);
        let id = id(0);
        pool.chain_says(id, TaskStatus::Active);
        pool.report(ALICE, id, Started, None);
        (pool, id)
    }

    pub(super) fn step(&mut self, event: Event) -> Vec<Effect> {
        let effects = self.machine.step(event, self.now);
        self.effects.extend(effects.clone());
        effects
    }

    pub(super) fn online(&mut self, address: Address, slots: u32, busy: &[TaskId]) -> Vec<Effect> {
        let status = Computing;
        let busy = busy.iter().map(|&task| Busy { task, status });
        self.step(Event::WorkerOnline(Hello {
            address,
            name: "w".into(),
            slots,
            engine: "docker".into(),
            profile: Profile {
                tee: true,
                ..Profile::default()
            },
            busy: busy.collect(),
        }))
    }

    pub(super) fn report(
        &mut self,
        worker: Address,
        task: TaskId,
        status: ReplicateStatus,
        cause: Option<Cause>,
    ) -> Vec<Effect> {
        let report = Report {
            cause,
            ..Report::new(task, status)
        };
        self.step(Event::Reported {
            worker,
            seq: 1,
            report,
        })
    }

    pub(super) fn chain_says(&mut self, task: TaskId, status: TaskStatus) -> Vec<Effect> {
        self.step(Event::ChainSays(vec![OnChain::new(task, status)]))
    }

    pub(super) fn pass(&mut self, ms: u64) -> Vec<Effect> {
        self.now += ms;
        self.step(Event::Tick)
    }

    pub(super) fn task(&self, id: TaskId) -> &Task {
        self.machine.task(id).unwrap()
    }

    pub(super) fn stages(&self, id: TaskId) -> Vec<TaskStage> {
        self.task(id).stages.iter().map(|s| s.stage).collect()
    }

    pub(super) fn cause(&self, id: TaskId) -> Option<Cause> {
        self.task(id).failure.as_ref().map(|f| f.cause)
    }

    pub(super) fn statuses(&self, id: TaskId, worker: Address) -> Vec<ReplicateStatus> {
        let replicate = self.task(id).replicate(worker).unwrap();
        replicate.updates.iter().map(|u| u.status).collect()
    }
}

pub(super) fn deal(terms: Terms) -> Event {
    Event::DealSeen {
        terms: Arc::new(terms),
        chain: Vec::new(),
    }
}

pub(super) fn id(index: u64) -> TaskId {
    DealId::repeat(1).task(index)
}

/// Who is told to run what.
pub(super) fn runs(effects: &[Effect]) -> Vec<(Address, u64)> {
    let run = |e: &Effect| match e {
        Effect::Send {
            worker,
            command: Command::Run { index, .. },
            ..
        } => Some((*worker, *index)),
        _ => None,
    };
    effects.iter().filter_map(run).collect()
}

pub(super) fn sends(effects: &[Effect], wanted: &Command) -> bool {
    let is = |e: &Effect| matches!(e, Effect::Send { command, .. } if command == wanted);
    effects.iter().any(is)
}

#[test]
fn a_task_is_offered_at_once_and_completes_by_the_chains_word() {
    let mut pool = Pool::new();
    pool.online(ALICE, 1, &[]);
    let effects = pool.step(deal(terms(1)));
    assert_eq!(runs(&effects), [(ALICE, 0)]);
    let initialize = Effect::Initialize {
        deal: DealId::repeat(1),
        indices: vec![0],
    };
    assert!(effects.contains(&initialize));
    let task = id(0);
    pool.report(ALICE, task, Started, None);
    assert_eq!(pool.task(task).stage(), TaskStage::Initializing);
    pool.chain_says(task, TaskStatus::Active);
    for status in [Computing, Computed, ContributeAndFinalizeOngoing] {
        pool.report(ALICE, task, status, None);
    }
    let effects = pool.step(Event::ChainSays(vec![OnChain {
        results: Some("link".into()),
        ..OnChain::new(task, TaskStatus::Completed)
    }]));
    assert!(sends(&effects, &Command::Complete { task }));
    use TaskStage as S;
    assert_eq!(
        pool.stages(task),
        [
            S::Received,
            S::Initializing,
            S::Initialized,
            S::Running,
            S::Finalized,
            S::Completed
        ]
    );
    assert_eq!(pool.task(task).result_link.as_deref(), Some("link"));
    assert_eq!(pool.statuses(task, ALICE).last(), Some(&Completed));
    assert_eq!(pool.cause(task), None);
}

#[test]
fn a_bag_is_initialised_in_batches_and_fills_the_slots() {
    let mut pool = Pool::new();
    pool.online(ALICE, 2, &[]);
    pool.online(BOB, 1, &[]);
    let effects = pool.step(deal(terms(250)));
    let batches = effects.iter().filter_map(|e| match e {
        Effect::Initialize { indices, .. } => Some(indices.len()),
        _ => None,
    });
    assert_eq!(
        batches.collect::<Vec<_>>(),
        [INITIALIZE_BATCH_MAX, INITIALIZE_BATCH_MAX, 50]
    );
    assert_eq!(runs(&effects).len(), 3);
    let effects = pool.report(BOB, id(1), ComputeFailed, Some(Cause::AppComputeFailed));
    assert_eq!(runs(&effects).len(), 1, "the free slot gets the next task");
}

#[test]
fn a_worker_gets_no_more_than_other_pools_leave_it() {
    let mut pool = Pool::new();
    pool.online(ALICE, 2, &[]);
    let slots = |slots| Event::SlotsChanged {
        worker: ALICE,
        slots,
    };
    pool.step(slots(1));
    let effects = pool.step(deal(terms(3)));
    assert_eq!(runs(&effects), [(ALICE, 0)]);
    pool.step(slots(0));
    assert!(pool.machine.is_active(id(0), ALICE), "what runs goes on");
    let failed = Some(Cause::AppComputeFailed);
    let effects = pool.report(ALICE, id(0), ComputeFailed, failed);
    assert!(runs(&effects).is_empty(), "its slot is another pool's now");
    assert_eq!(runs(&pool.step(slots(2))).len(), 2);
}

#[test]
fn deals_that_the_pool_cannot_serve_fail_with_the_reason() {
    let tee = Terms {
        tag: Tag::parse("tee,scone").unwrap(),
        ..terms(1)
    };
    let trust = Terms {
        tag: Tag::TEE_TDX,
        trust: 3,
        ..terms(1)
    };
    for (terms, cause) in [(tee, Cause::TeeNotSupported), (trust, Cause::TrustNot1)] {
        let mut pool = Pool::new();
        pool.online(ALICE, 1, &[]);
        let effects = pool.step(deal(terms));
        assert!(runs(&effects).is_empty());
        assert!(
            !effects
                .iter()
                .any(|e| matches!(e, Effect::Initialize { .. }))
        );
        assert_eq!(
            (pool.task(id(0)).stage(), pool.cause(id(0))),
            (TaskStage::Failed, Some(cause))
        );
    }
}

#[test]
fn an_apps_failure_is_final_at_once_and_keeps_its_root() {
    let (mut pool, task) = Pool::running();
    pool.online(BOB, 1, &[]);
    pool.report(ALICE, task, Computed, Some(Cause::AppComputeFailed));
    let failed = Some(Cause::DeterminismHashNotFound);
    let effects = pool.report(ALICE, task, ContributeFailed, failed);
    assert!(runs(&effects).is_empty());
    let stages = pool.stages(task);
    assert_eq!(
        stages[stages.len() - 2..],
        [TaskStage::RunningFailed, TaskStage::Failed]
    );
    assert_eq!(pool.cause(task), Some(Cause::AppComputeFailed));
    assert_eq!(pool.statuses(task, ALICE).last(), Some(&ContributeFailed));
}

#[test]
fn a_download_error_is_contributed_and_stays_visible() {
    let (mut pool, task) = Pool::running();
    let cause = Some(Cause::AppImageDownloadFailed);
    pool.report(ALICE, task, AppDownloadFailed, cause);
    assert!(pool.machine.is_active(task, ALICE));
    pool.report(ALICE, task, ContributeAndFinalizeOngoing, None);
    pool.chain_says(task, TaskStatus::Completed);
    assert_eq!(
        (pool.task(task).stage(), pool.cause(task)),
        (TaskStage::Completed, cause)
    );
}

#[test]
fn other_failures_go_to_another_worker_at_most_three_times() {
    let (mut pool, task) = Pool::running();
    pool.online(BOB, 1, &[]);
    let cause = Some(Cause::ResultLinkMissing);
    let effects = pool.report(ALICE, task, ResultUploadFailed, cause);
    assert_eq!(runs(&effects), [(BOB, 0)]);
    let effects = pool.report(BOB, task, ResultUploadFailed, cause);
    assert!(runs(&effects).is_empty(), "nobody else is there yet");
    let effects = pool.pass(RETRY_SAME_WORKER_MS);
    assert_eq!(runs(&effects).len(), 1);
    let last = runs(&effects)[0].0;
    pool.report(last, task, ResultUploadFailed, cause);
    assert_eq!(
        (pool.task(task).stage(), pool.cause(task)),
        (TaskStage::Failed, cause)
    );
}

#[test]
fn a_lost_worker_is_replaced_after_its_grace() {
    let (mut pool, task) = Pool::running();
    pool.online(BOB, 1, &[]);
    pool.step(Event::WorkerOffline(ALICE));
    assert!(runs(&pool.pass(WORKER_GRACE_MS - 1)).is_empty());
    assert_eq!(runs(&pool.pass(1)), [(BOB, 0)]);
    assert_eq!(pool.statuses(task, ALICE).last(), Some(&WorkerLost));
    let effects = pool.online(ALICE, 1, &[task]);
    let aborts = |e: &Effect| {
        matches!(
            e,
            Effect::Send {
                command: Command::Abort { .. },
                ..
            }
        )
    };
    assert!(effects.iter().any(aborts), "the late one has to stop");
}

#[test]
fn a_worker_that_comes_back_in_time_goes_on() {
    let (mut pool, task) = Pool::running();
    pool.step(Event::WorkerOffline(ALICE));
    pool.pass(WORKER_GRACE_MS - 1);
    assert!(runs(&pool.online(ALICE, 1, &[task])).is_empty());
    pool.pass(WORKER_GRACE_MS);
    assert!(pool.machine.is_active(task, ALICE));
}

#[test]
fn a_worker_that_forgot_its_task_is_told_again() {
    let (mut pool, _) = Pool::running();
    pool.step(Event::WorkerOffline(ALICE));
    assert!(
        runs(&pool.online(ALICE, 1, &[])).is_empty(),
        "it may have reports to deliver"
    );
    assert_eq!(runs(&pool.pass(REMIND_MS)), [(ALICE, 0)]);
}

#[test]
fn a_worker_that_reports_after_login_is_not_told_again() {
    let (mut pool, task) = Pool::running();
    pool.step(Event::WorkerOffline(ALICE));
    pool.online(ALICE, 1, &[]);
    pool.report(ALICE, task, ContributeAndFinalizeDone, None);
    assert!(runs(&pool.pass(REMIND_MS)).is_empty());
}

#[test]
fn a_lost_worker_with_the_task_in_hand_goes_on_when_nobody_else_has_it() {
    let (mut pool, task) = Pool::running();
    pool.step(Event::WorkerOffline(ALICE));
    pool.pass(WORKER_GRACE_MS);
    assert!(!pool.machine.is_active(task, ALICE));
    assert!(runs(&pool.online(ALICE, 1, &[task])).is_empty());
    assert!(pool.machine.is_active(task, ALICE));
    assert_eq!(pool.statuses(task, ALICE).last(), Some(&Recovering));
}

#[test]
fn orders_are_resent_until_acknowledged() {
    let (mut pool, task) = Pool::started();
    pool.step(Event::WorkerOffline(ALICE));
    assert_eq!(runs(&pool.online(ALICE, 1, &[task])), [(ALICE, 0)]);
    pool.acknowledge_all(ALICE);
    assert!(runs(&pool.online(ALICE, 1, &[task])).is_empty());
}

#[test]
fn repeated_and_reordered_reports_change_nothing() {
    let (mut pool, task) = Pool::running();
    for status in [Computing, Computed, Computing, Started, Computed] {
        let effects = pool.report(ALICE, task, status, None);
        assert!(effects.contains(&Effect::Acknowledge {
            worker: ALICE,
            seq: 1
        }));
    }
    assert_eq!(
        pool.statuses(task, ALICE),
        [Created, Started, Computing, Computed]
    );
}

#[test]
fn a_late_report_brings_its_logs_and_its_place() {
    let (mut pool, task) = Pool::running();
    pool.chain_says(task, TaskStatus::Completed);
    let logs = Logs {
        stdout: "out".into(),
        ..Logs::default()
    };
    let report = Report {
        logs: Some(logs.clone()),
        exit_code: Some(0),
        ..Report::new(task, Computed)
    };
    let effects = pool.step(Event::Reported {
        worker: ALICE,
        seq: 9,
        report,
    });
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::SaveLogs { logs: l, .. } if *l == logs))
    );
    let expected = [
        Created,
        Started,
        Computed,
        ContributeAndFinalizeDone,
        Completed,
    ];
    assert_eq!(pool.statuses(task, ALICE), expected);
    assert_eq!(pool.task(task).replicate(ALICE).unwrap().exit_code, Some(0));
}

#[test]
fn the_deadline_ends_a_task_and_stops_its_worker() {
    let (mut pool, task) = Pool::running();
    let effects = pool.pass(2_100_000);
    let cause = Cause::ContributionTimeout;
    assert!(sends(&effects, &Command::Abort { task, cause }));
    assert!(effects.contains(&Effect::Check(vec![task])));
    assert_eq!(
        (pool.task(task).stage(), pool.cause(task)),
        (TaskStage::Failed, Some(cause))
    );
    pool.chain_says(task, TaskStatus::Completed);
    assert_eq!(
        pool.task(task).stage(),
        TaskStage::Completed,
        "the chain has the last word"
    );
    assert_eq!(pool.cause(task), None);
}

#[test]
fn a_failed_initialisation_is_tried_again_after_a_look_at_the_chain() {
    let mut pool = Pool::with_deal(terms(1));
    let failed = Event::InitializeFailed {
        deal: DealId::repeat(1),
        indices: vec![0],
        reason: "node away".into(),
    };
    pool.step(failed);
    let effects = pool.pass(60_000);
    assert!(effects.contains(&Effect::Check(vec![id(0)])));
    let effects = pool.chain_says(id(0), TaskStatus::Unset);
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::Initialize { .. }))
    );
    pool.chain_says(id(0), TaskStatus::Active);
    assert_eq!(pool.task(id(0)).stage(), TaskStage::Initialized);
    assert_eq!(pool.cause(id(0)), None);
}

#[test]
fn an_old_deal_is_recorded_and_not_run_again() {
    let mut pool = Pool::new();
    pool.online(ALICE, 4, &[]);
    let chain = vec![
        OnChain::new(id(0), TaskStatus::Completed),
        OnChain::new(id(1), TaskStatus::Failed),
        OnChain::new(id(2), TaskStatus::Active),
    ];
    let terms = Arc::new(terms(4));
    let effects = pool.step(Event::DealSeen { terms, chain });
    assert_eq!(runs(&effects), [(ALICE, 2), (ALICE, 3)]);
    assert!(effects.contains(&Effect::Initialize {
        deal: DealId::repeat(1),
        indices: vec![3],
    }));
    assert_eq!(pool.task(id(0)).stage(), TaskStage::Completed);
    assert_eq!(pool.task(id(1)).stage(), TaskStage::Failed);
}

#[test]
fn the_contributor_wins_over_whoever_is_at_it() {
    let (mut pool, task) = Pool::running();
    pool.step(Event::WorkerOffline(ALICE));
    pool.pass(WORKER_GRACE_MS);
    pool.online(BOB, 1, &[]);
    let worker = ALICE;
    let hash = B256::ZERO;
    pool.step(Event::Contributed { task, worker, hash });
    let effects = pool.chain_says(task, TaskStatus::Completed);
    let cause = Cause::TaskAlreadyContributed;
    assert!(sends(&effects, &Command::Abort { task, cause }));
    assert_eq!(pool.statuses(task, ALICE).last(), Some(&Completed));
    assert_eq!(pool.statuses(task, BOB).last(), Some(&Aborted));
}

#[test]
fn a_workers_word_is_believed_until_the_chain_has_had_its_time() {
    let (mut pool, task) = Pool::running();
    pool.online(BOB, 1, &[]);
    pool.report(ALICE, task, ContributeAndFinalizeDone, None);
    let effects = pool.report(ALICE, task, Completed, None);
    assert!(runs(&effects).is_empty(), "nobody else has to do it");
    assert!(!pool.task(task).is_final(), "the chain decides");
    let effects = pool.pass(CHECK_MS);
    assert!(effects.contains(&Effect::Check(vec![task])));
    let effects = pool.pass(UNCONFIRMED_MS_MAX);
    assert_eq!(runs(&effects), [(BOB, 0)]);
}

#[test]
fn workers_that_are_stopped_do_not_use_the_attempts_up() {
    let (mut pool, task) = Pool::running();
    for _ in 0..4 {
        pool.report(ALICE, task, Aborted, Some(Cause::AbortedByWorker));
        assert_eq!(runs(&pool.pass(RETRY_SAME_WORKER_MS)), [(ALICE, 0)]);
    }
    assert!(pool.machine.is_active(task, ALICE));
}

/// The output once came after the pool had forgotten the task.
#[test]
fn the_output_of_a_completed_task_comes_after_a_restart() {
    let (mut pool, id) = Pool::running();
    pool.chain_says(id, TaskStatus::Completed);
    let saved = pool.task(id).clone();
    assert_eq!(saved.stage(), TaskStage::Completed);
    pool.machine = Machine::restore(vec![saved], pool.now).with_rules(rules());
    let effects = pool.online(ALICE, 1, &[id]);
    let aborts = |e: &Effect| {
        matches!(
            e,
            Effect::Send {
                command: Command::Abort { .. },
                ..
            }
        )
    };
    assert!(!effects.iter().any(aborts), "{effects:?}");
    let report = Report {
        logs: Some(Logs::default()),
        ..Report::new(id, Computed)
    };
    let effects = pool.step(Event::Reported {
        worker: ALICE,
        seq: 1,
        report,
    });
    let saves = |e: &Effect| matches!(e, Effect::SaveLogs { task, .. } if *task == id);
    assert!(effects.iter().any(saves), "{effects:?}");
    assert!(runs(&pool.pass(REMIND_MS)).is_empty(), "it is done");
}
