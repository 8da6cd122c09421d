//! The rules of confidential tasks.

use protocol::{
    Address, Cause, Tag, TaskId,
    deal::TaskStatus,
    message::Profile,
    status::{
        ReplicateStatus::{self, *},
        TaskStage,
    },
};

use super::{
    CHALLENGE_RETRY_MS_MAX, CHALLENGE_TRIES_MAX, Command, Effect, Event, Hello, Machine, OnChain,
    Terms,
    tests::{ALICE, BOB, Pool, deal, id, runs, terms},
};

const ENCLAVE: Address = Address::repeat_byte(0xec);

fn tee(size: u64) -> Terms {
    Terms {
        tag: Tag::TEE_TDX,
        ..terms(size)
    }
}

fn asks(effects: &[Effect]) -> Vec<TaskId> {
    let ask = |e: &Effect| match e {
        Effect::Challenge(task) => Some(*task),
        _ => None,
    };
    effects.iter().filter_map(ask).collect()
}

fn challenged(task: TaskId) -> Event {
    Event::Challenged {
        task,
        challenge: ENCLAVE,
    }
}

fn refused(task: TaskId) -> Event {
    Event::ChallengeFailed {
        task,
        reason: "401 Unauthorized".into(),
    }
}

/// One task with its key, at Alice.
fn running() -> (Pool, TaskId) {
    let mut pool = Pool::with_deal(tee(1));
    pool.online(ALICE, 1, &[]);
    pool.online(BOB, 1, &[]);
    let task = id(0);
    pool.chain_says(task, TaskStatus::Active);
    pool.step(challenged(task));
    (pool, task)
}

fn worker_of(pool: &Pool, task: TaskId) -> Address {
    pool.task(task).active_workers().next().unwrap()
}

#[test]
fn first_the_chain_then_the_key_then_a_worker() {
    let mut pool = Pool::new();
    pool.online(ALICE, 1, &[]);
    let effects = pool.step(deal(tee(1)));
    let initializes = |e: &Effect| matches!(e, Effect::Initialize { .. });
    assert!(effects.iter().any(initializes));
    assert!(asks(&effects).is_empty() && runs(&effects).is_empty());
    let effects = pool.chain_says(id(0), TaskStatus::Active);
    assert_eq!(asks(&effects), [id(0)]);
    assert!(runs(&effects).is_empty());
    let again = pool.chain_says(id(0), TaskStatus::Active);
    assert!(asks(&again).is_empty(), "it is asked for once");
    let effects = pool.step(challenged(id(0)));
    assert_eq!(runs(&effects), [(ALICE, 0)]);
    let is_given = |e: &Effect| {
        matches!(e, Effect::Send { command: Command::Run { enclave_challenge, .. }, .. }
            if *enclave_challenge == ENCLAVE)
    };
    assert!(effects.iter().any(is_given));
    assert!(effects.contains(&Effect::SaveTask(id(0))));
}

#[test]
fn the_secret_manager_is_asked_again_and_then_given_up() {
    let mut pool = Pool::with_deal(tee(1));
    pool.online(ALICE, 1, &[]);
    let task = id(0);
    pool.chain_says(task, TaskStatus::Active);
    for _ in 1..CHALLENGE_TRIES_MAX {
        assert!(asks(&pool.step(refused(task))).is_empty(), "not at once");
        assert_eq!(pool.cause(task), Some(Cause::UnknownSms));
        assert_eq!(asks(&pool.pass(CHALLENGE_RETRY_MS_MAX)), [task]);
    }
    pool.step(refused(task));
    assert_eq!(pool.task(task).stage(), TaskStage::Failed);
    assert_eq!(pool.cause(task), Some(Cause::UnknownSms));
    let message = pool.task(task).failure.as_ref().unwrap().message.clone();
    assert_eq!(message.unwrap(), "enclave challenge: 401 Unauthorized");
    assert!(asks(&pool.pass(CHALLENGE_RETRY_MS_MAX)).is_empty());
    pool.step(challenged(task));
    assert_eq!(pool.task(task).stage(), TaskStage::Failed);
}

#[test]
fn an_answer_in_time_clears_the_trouble() {
    let mut pool = Pool::with_deal(tee(1));
    pool.online(ALICE, 1, &[]);
    pool.chain_says(id(0), TaskStatus::Active);
    pool.step(refused(id(0)));
    pool.pass(CHALLENGE_RETRY_MS_MAX);
    let effects = pool.step(challenged(id(0)));
    assert_eq!(runs(&effects), [(ALICE, 0)]);
    assert_eq!(pool.cause(id(0)), None);
}

#[test]
fn a_deadline_that_passes_first_keeps_the_trouble_in_the_message() {
    let mut pool = Pool::with_deal(tee(1));
    pool.chain_says(id(0), TaskStatus::Active);
    pool.step(refused(id(0)));
    pool.pass(2_100_000);
    assert_eq!(pool.cause(id(0)), Some(Cause::ContributionTimeout));
    let message = pool.task(id(0)).failure.as_ref().unwrap().message.clone();
    assert!(message.unwrap().contains("UNKNOWN_SMS"));
}

/// What was saved is enough: with the key, the task goes to a worker; without it, it is asked for.
#[test]
fn a_restart_loses_neither_the_key_nor_the_question() {
    for has_key in [false, true] {
        let mut pool = Pool::with_deal(tee(1));
        let task = id(0);
        pool.chain_says(task, TaskStatus::Active);
        if has_key {
            pool.step(challenged(task));
        }
        let saved = serde_json::to_string(pool.task(task)).unwrap();
        let mut loaded: super::Task = serde_json::from_str(&saved).unwrap();
        loaded.terms = pool.task(task).terms.clone();
        pool.machine = Machine::restore(vec![loaded], pool.now).with_rules(super::tests::rules());
        let active = OnChain::new(task, TaskStatus::Active);
        let effects = pool.step(Event::ChainSays(vec![active]));
        assert_eq!(asks(&effects).len(), usize::from(!has_key));
        let effects = pool.online(ALICE, 1, &[]);
        assert_eq!(runs(&effects).len(), usize::from(has_key));
        if !has_key {
            let effects = pool.step(challenged(task));
            assert_eq!(runs(&effects), [(ALICE, 0)]);
        }
    }
}

#[test]
fn without_a_secret_manager_nothing_is_initialised() {
    let mut pool = Pool::new();
    pool.machine = Machine::restore(Vec::new(), pool.now);
    pool.online(ALICE, 1, &[]);
    let effects = pool.step(deal(tee(1)));
    let initializes = |e: &Effect| matches!(e, Effect::Initialize { .. });
    assert!(!effects.iter().any(initializes));
    assert_eq!(pool.cause(id(0)), Some(Cause::TeeNotSupported));
}

/// What any worker would be told ends the task at once, with that cause.
#[test]
fn a_verdict_of_the_secret_manager_is_final() {
    for cause in [
        Cause::SessionDatasetSecretFailed,
        Cause::SessionEmptyBeneficiaryKey,
        Cause::SessionStorageTokensFailed,
        Cause::SessionInvalidSignature,
        Cause::PreInvalidDatasetChecksum,
        Cause::PreDatasetDecryptionFailed,
        Cause::PostMalformedEncryptionKey,
    ] {
        let (mut pool, task) = running();
        fails(&mut pool, task, cause);
        assert_eq!(pool.task(task).stage(), TaskStage::Failed, "{cause}");
        assert_eq!(pool.cause(task), Some(cause));
    }
}

/// What it could not do just now, another worker may get.
#[test]
fn a_bad_moment_of_the_secret_manager_is_not() {
    for cause in [
        Cause::SessionUnknownIssue,
        Cause::SessionGetChainTaskFailed,
        Cause::SessionStorageCallFailed,
        Cause::SessionInvalidAuthorization,
        Cause::AppImageDownloadFailed,
        Cause::PreDatasetDownloadFailed,
        Cause::TeePreparationFailed,
        Cause::TeeNotSupported,
    ] {
        let (mut pool, task) = running();
        let first = worker_of(&pool, task);
        fails(&mut pool, task, cause);
        assert_ne!(worker_of(&pool, task), first, "{cause}");
    }
}

/// A worker that can attest nothing is not asked.
#[test]
fn only_a_worker_with_an_enclave_gets_it() {
    let mut pool = Pool::with_deal(tee(1));
    pool.step(Event::WorkerOnline(Hello {
        address: ALICE,
        name: "a".into(),
        slots: 1,
        engine: "docker".into(),
        profile: Profile::default(),
        busy: Vec::new(),
    }));
    pool.chain_says(id(0), TaskStatus::Active);
    assert!(runs(&pool.step(challenged(id(0)))).is_empty());
    assert_eq!(runs(&pool.online(BOB, 1, &[])), [(BOB, 0)]);
}

fn fails(pool: &mut Pool, task: TaskId, cause: Cause) {
    let worker = worker_of(pool, task);
    let steps: [ReplicateStatus; 3] = [Started, AppDownloaded, Computing];
    for step in steps {
        pool.report(worker, task, step, None);
    }
    pool.report(worker, task, ComputeFailed, Some(cause));
}
