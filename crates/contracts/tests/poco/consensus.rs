//! When workers agree, when they do not, and what it costs them.
use alloy::primitives::{U256, keccak256};
use alloy::sol_types::SolValue;
use contracts::Hub;

use crate::stage::{POOL_PRICE, Stage, TIMEREF, WORKER_STAKE, digest};

#[test]
fn new_workers_reach_the_trust_of_their_number() {
    for (workers, trust) in [(1, 2), (2, 4), (3, 8), (4, 16)] {
        for trust in [trust, trust + 1] {
            let mut stage = Stage::new();
            let task = stage.one_task(stage.offers().with_trust(U256::from(trust)));
            for worker in 0..workers {
                stage.contribute(task, worker, digest(7));
            }
            let reached = stage.view_task(task).status == 2;
            assert_eq!(
                reached,
                trust == 1 << workers,
                "{workers} workers, trust {trust}"
            );
        }
    }
}

#[test]
fn the_wrong_worker_pays_the_right_ones() {
    let mut stage = Stage::new();
    let task = stage.one_task(stage.offers().with_trust(U256::from(3)));
    stage.contribute(task, 0, digest(6));
    for worker in 1..4 {
        stage.contribute(task, worker, digest(7));
    }
    let view = stage.view_task(task);
    assert_eq!((view.status, view.winnerCounter), (2, U256::from(3)));
    for worker in 1..4 {
        stage.reveal(task, worker, digest(7));
    }
    let receipt = stage.finalize(task);
    assert_eq!(receipt.find::<Hub::FaultyContribution>().len(), 1);
    assert_eq!(receipt.find::<Hub::AccurateContribution>().len(), 3);
    let pot = POOL_PRICE + WORKER_STAKE;
    let share = pot * 99 / 100 / 3;
    assert_eq!(
        stage.gain(stage.workers[0].address()),
        -(WORKER_STAKE as i64)
    );
    assert_eq!(stage.gain(stage.workers[1].address()), share as i64);
    assert_eq!(
        stage.gain(stage.scheduler.address()),
        (pot - 3 * share) as i64
    );
    assert_eq!(stage.account(stage.at.hub), (0, 0));
}

#[test]
fn a_winner_that_does_not_reveal_loses_its_stake() {
    let mut stage = Stage::new();
    let task = stage.one_task(stage.offers().with_trust(U256::from(4)));
    stage.contribute(task, 0, digest(7));
    stage.contribute(task, 1, digest(7));
    stage.reveal(task, 0, digest(7));
    let early = crate::stage::finalize_call(task);
    let scheduler = stage.scheduler.address();
    assert_eq!(stage.chain.refuse(scheduler, stage.at.hub, &early), "");
    stage.chain.wait(2 * TIMEREF);
    stage.finalize(task);
    assert_eq!(
        stage.gain(stage.workers[1].address()),
        -(WORKER_STAKE as i64)
    );
    let share = (POOL_PRICE + WORKER_STAKE) * 99 / 100;
    assert_eq!(stage.gain(stage.workers[0].address()), share as i64);
}

/// Scores are worth weight only from twelve on; a worker is trained by tasks with another one.
#[test]
fn scores_grow_weight() {
    let mut stage = Stage::new();
    let deal = stage.deal(stage.offers().with_trust(U256::from(4)).for_volume(12));
    for index in 0..12 {
        let task = stage.task(deal, index);
        for worker in 0..2 {
            stage.contribute(task, worker, digest(7));
        }
        for worker in 0..2 {
            stage.reveal(task, worker, digest(7));
        }
        stage.finalize(task);
    }
    assert_eq!((stage.score(0), stage.score(1)), (12, 12));
    let mut offers = stage.offers().with_trust(U256::from(3));
    offers.request.salt = digest(1);
    offers.app.salt = digest(1);
    offers.workerpool.salt = digest(1);
    let task = stage.one_task(offers);
    stage.contribute(task, 0, digest(7));
    assert_eq!(
        stage.view_task(task).status,
        2,
        "three is enough weight for trust three"
    );
    assert_eq!(stage.view_contribution(task, 0).weight, U256::from(1));
}

#[test]
fn a_faulty_worker_loses_a_third_of_its_score() {
    let mut stage = Stage::new();
    let deal = stage.deal(stage.offers().with_trust(U256::from(4)).for_volume(4));
    for index in 0..3 {
        let task = stage.task(deal, index);
        for worker in 0..2 {
            stage.contribute(task, worker, digest(7));
        }
        for worker in 0..2 {
            stage.reveal(task, worker, digest(7));
        }
        stage.finalize(task);
    }
    let task = stage.task(deal, 3);
    stage.contribute(task, 0, digest(6));
    for worker in 1..4 {
        stage.contribute(task, worker, digest(7));
    }
    assert_eq!(
        stage.view_task(task).status,
        1,
        "eight against two is not four to one"
    );
    stage.chain.wait(10 * TIMEREF);
    let claim = Hub::claimCall { taskId: task };
    stage.chain.act(stage.deployer, stage.at.hub, &claim);
    assert_eq!(stage.score(0), 3, "a claim is nobody's fault");
}

#[test]
fn reveal_takes_the_digest_the_worker_committed_to() {
    let mut stage = Stage::new();
    let task = stage.one_task(stage.offers());
    let mut copied = stage.contribution(task, 0, digest(7));
    // The hash of the right result with somebody else's seal.
    let other = stage.workers[1].address();
    copied.seal = keccak256((other, task, digest(7)).abi_encode_packed());
    stage.act_as(0, &copied.call());
    for guess in [digest(7), digest(8)] {
        let call = Hub::revealCall {
            taskId: task,
            resultDigest: guess,
        };
        let worker = stage.workers[0].address();
        assert_eq!(stage.chain.refuse(worker, stage.at.hub, &call), "");
    }
}

#[test]
fn a_worker_contributes_once_and_only_when_authorized() {
    let mut stage = Stage::new();
    let task = stage.one_task(stage.offers().with_trust(U256::from(9)));
    stage.contribute(task, 0, digest(7));
    let again = stage.contribution(task, 0, digest(8)).call();
    let stolen = stage.contribution(task, 0, digest(7)).call();
    let (first, second) = (stage.workers[0].address(), stage.workers[1].address());
    assert_eq!(stage.chain.refuse(first, stage.at.hub, &again), "");
    assert_eq!(stage.chain.refuse(second, stage.at.hub, &stolen), "");
    let mut short = stage.contribution(task, 1, digest(7));
    short.authorization = short.authorization.slice(0..10);
    let refused = stage.chain.refuse(second, stage.at.hub, &short.call());
    assert_eq!(refused, "invalid-signature-format");
}

#[test]
fn a_worker_without_stake_cannot_contribute() {
    let mut stage = Stage::new();
    let task = stage.one_task(stage.offers());
    let worker = stage.workers[0].address();
    let (free, _) = stage.account(worker);
    let all = Hub::withdrawCall {
        amount: U256::from(free),
    };
    stage.act_as(0, &all);
    let call = stage.contribution(task, 0, digest(7)).call();
    let refused = stage.chain.refuse(worker, stage.at.hub, &call);
    assert_eq!(refused, "IexecEscrow: Transfer amount exceeds balance");
}

#[test]
fn nobody_revealing_reopens_the_task() {
    let mut stage = Stage::new();
    let task = stage.one_task(stage.offers().with_trust(U256::from(2)));
    stage.contribute(task, 0, digest(6));
    let call = Hub::reopenCall { taskId: task };
    let scheduler = stage.scheduler.address();
    assert_eq!(stage.chain.refuse(scheduler, stage.at.hub, &call), "");
    stage.chain.wait(2 * TIMEREF);
    assert_eq!(stage.chain.refuse(stage.deployer, stage.at.hub, &call), "");
    let receipt = stage.chain.act(scheduler, stage.at.hub, &call);
    assert_eq!(receipt.events(stage.at.hub), ["TaskReopen"]);
    let view = stage.view_task(task);
    assert_eq!((view.status, view.revealDeadline), (1, U256::ZERO));
    assert_eq!(view.contributors.len(), 1);
    let rejected = stage.view_contribution(task, 0);
    assert_eq!(rejected.status, 3);
    assert!(!rejected.resultSeal.is_zero());
    // The same result from somebody else counts from the start.
    stage.contribute(task, 1, digest(6));
    assert_eq!(stage.view_task(task).winnerCounter, U256::from(1));
    stage.reveal(task, 1, digest(6));
    stage.finalize(task);
    assert_eq!(
        stage.gain(stage.workers[0].address()),
        -(WORKER_STAKE as i64)
    );
}

#[test]
fn an_absurd_trust_matches_and_never_executes() {
    let mut stage = Stage::new();
    let task = stage.one_task(stage.offers().with_trust(U256::MAX));
    let deal = stage.view_task(task).dealid;
    assert_eq!(stage.view_deal(deal).trust, U256::MAX);
    let call = stage.contribution(task, 0, digest(7)).call();
    let worker = stage.workers[0].address();
    assert_eq!(
        stage.chain.refuse(worker, stage.at.hub, &call),
        "panic 0x11"
    );
}
