//! Causes that the pool itself gives. docs/causes.md has all of them.

use protocol::{Cause, DealId, deal::TaskStatus, status::ReplicateStatus::*};

use super::{
    Command, Event, INITIALIZE_RETRY_MS, LOSSES_MAX, UNCONFIRMED_MS_MAX, WORKER_GRACE_MS,
    tests::{ALICE, Pool, deal, id, sends, terms},
};
use crate::machine::{CHECK_MS, Effect};

#[test]
fn a_chain_that_does_not_answer() {
    let mut pool = Pool::with_deal(terms(1));
    pool.step(Event::InitializeFailed {
        deal: DealId::repeat(1),
        indices: vec![0],
        reason: "node away".into(),
    });
    assert_eq!(pool.cause(id(0)), Some(Cause::ChainUnreachable));
    let effects = pool.pass(INITIALIZE_RETRY_MS);
    assert!(effects.contains(&Effect::Check(vec![id(0)])));
}

#[test]
fn a_result_that_never_gets_on_chain() {
    let (mut pool, task) = Pool::running();
    pool.report(ALICE, task, ContributeAndFinalizeDone, None);
    pool.pass(CHECK_MS);
    pool.pass(UNCONFIRMED_MS_MAX);
    assert_eq!(pool.cause(task), Some(Cause::ChainReceiptNotValid));
}

#[test]
fn a_task_that_the_pool_does_not_know() {
    let mut pool = Pool::new();
    let task = id(7);
    let effects = pool.online(ALICE, 1, &[task]);
    let cause = Cause::TaskNotActive;
    assert!(sends(&effects, &Command::Abort { task, cause }));
}

#[test]
fn workers_that_vanish_without_a_word() {
    let mut pool = Pool::new();
    pool.step(deal(terms(1)));
    pool.chain_says(id(0), TaskStatus::Active);
    for _ in 0..=LOSSES_MAX {
        pool.online(ALICE, 1, &[]);
        pool.step(Event::WorkerOffline(ALICE));
        pool.pass(WORKER_GRACE_MS);
        assert_eq!(pool.cause(id(0)), Some(Cause::Unknown));
    }
    assert!(pool.task(id(0)).is_final());
}
