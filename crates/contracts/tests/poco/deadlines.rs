//! Time runs out: claims, refunds and the kitty.
use alloy::primitives::{Address, B256, Bytes, U256, address};
use contracts::Hub;

use crate::stage::{APP_PRICE, POOL_PRICE, POOL_STAKE, Stage, TIMEREF, digest, finalize_call};

const KITTY: Address = address!("99c2268479b93fDe36232351229815DF80837e23");

fn claim(stage: &mut Stage, task: B256) -> Vec<String> {
    let call = Hub::claimCall { taskId: task };
    let receipt = stage.chain.act(Address::ZERO, stage.at.hub, &call);
    receipt.events(stage.at.hub)
}

#[test]
fn a_claim_gives_everything_back_and_fines_the_scheduler() {
    let mut stage = Stage::new();
    let task = stage.one_task(stage.offers().with_trust(U256::from(9)));
    stage.contribute(task, 0, digest(6));
    stage.contribute(task, 1, digest(7));
    let early = Hub::claimCall { taskId: task };
    stage.chain.wait(10 * TIMEREF - 1);
    assert_eq!(stage.chain.refuse(Address::ZERO, stage.at.hub, &early), "");
    stage.chain.wait(1);
    let logged = claim(&mut stage, task);
    let fine = ["Transfer", "Unlock", "Seize", "Reward", "Lock"];
    let workers = ["Transfer", "Unlock", "Transfer", "Unlock", "TaskClaimed"];
    assert_eq!(logged, [fine, workers].concat());
    assert_eq!(stage.gain(stage.requester.address()), 0);
    assert_eq!(stage.gain(stage.workers[0].address()), 0);
    assert_eq!(stage.gain(stage.scheduler.address()), -(POOL_STAKE as i64));
    assert_eq!(stage.account(KITTY), (0, POOL_STAKE));
    assert_eq!(stage.account(stage.at.hub), (POOL_STAKE, 0));
    assert_eq!(stage.view_task(task).status, 4);
    assert_eq!(
        stage.chain.refuse(Address::ZERO, stage.at.hub, &early),
        "",
        "only once"
    );
}

#[test]
fn the_next_success_takes_from_the_kitty() {
    let mut stage = Stage::new();
    let deal = stage.deal(stage.offers().for_volume(2));
    let lost = stage.task(deal, 0);
    stage.chain.wait(10 * TIMEREF);
    claim(&mut stage, lost);
    let mut orders = stage.offers();
    orders.request.salt = digest(1);
    orders.app.salt = digest(1);
    orders.workerpool.salt = digest(1);
    let task = stage.one_task(orders);
    let call = stage
        .contribution(task, 0, digest(7))
        .final_call(Bytes::new());
    let receipt = stage.act_as(0, &call);
    let seized = receipt.find::<Hub::Seize>();
    assert_eq!(
        (seized[1].owner, seized[1].amount),
        (KITTY, U256::from(POOL_STAKE))
    );
    assert_eq!(
        stage.account(KITTY),
        (0, 0),
        "less than one RLC is taken whole"
    );
}

#[test]
fn a_big_kitty_is_shared_by_tenths_or_one_token() {
    let mut stage = Stage::new();
    let price = U256::from(50_000_000_000_u64);
    let mut orders = stage.offers();
    orders.workerpool.workerpoolprice = price;
    orders.request.workerpoolmaxprice = price;
    let lost = stage.one_task(orders);
    stage.chain.wait(10 * TIMEREF);
    claim(&mut stage, lost);
    assert_eq!(stage.account(KITTY).1, 15_000_000_000);
    let mut cheap = stage.offers();
    cheap.request.salt = digest(1);
    cheap.app.salt = digest(1);
    let task = stage.one_task(cheap);
    let call = stage
        .contribution(task, 0, digest(7))
        .final_call(Bytes::new());
    stage.act_as(0, &call);
    assert_eq!(stage.account(KITTY).1, 13_500_000_000);
}

#[test]
fn nothing_is_contributed_revealed_or_finalized_too_late() {
    let mut stage = Stage::new();
    let deal = stage.deal(stage.offers().for_volume(2));
    let (late, open) = (stage.task(deal, 0), stage.task(deal, 1));
    stage.contribute(open, 0, digest(7));
    let worker = stage.workers[0].address();
    stage.chain.wait(2 * TIMEREF);
    let reveal = Hub::revealCall {
        taskId: open,
        resultDigest: digest(7),
    };
    assert_eq!(stage.chain.refuse(worker, stage.at.hub, &reveal), "");
    stage.chain.wait(5 * TIMEREF);
    let call = stage.contribution(late, 0, digest(7)).call();
    assert_eq!(stage.chain.refuse(worker, stage.at.hub, &call), "");
    let call = stage
        .contribution(late, 0, digest(7))
        .final_call(Bytes::new());
    assert_eq!(stage.chain.refuse(worker, stage.at.hub, &call), "");
    stage.chain.wait(3 * TIMEREF);
    let scheduler = stage.scheduler.address();
    assert_eq!(
        stage
            .chain
            .refuse(scheduler, stage.at.hub, &finalize_call(open)),
        ""
    );
    let reopen = Hub::reopenCall { taskId: open };
    assert_eq!(stage.chain.refuse(scheduler, stage.at.hub, &reopen), "");
    let call = Hub::claimArrayCall {
        taskIds: vec![late, open],
    };
    assert!(stage.chain.act(Address::ZERO, stage.at.hub, &call).value);
    assert_eq!(stage.gain(worker), 0);
}

#[test]
fn a_whole_bag_is_claimed_without_having_been_initialized() {
    let mut stage = Stage::new();
    let deal = stage.deal(stage.offers().for_volume(4));
    let indexes = (0..4).map(U256::from).collect::<Vec<_>>();
    let call = Hub::initializeAndClaimArrayCall {
        dealIds: vec![deal; 4],
        indexes,
    };
    assert_eq!(stage.chain.refuse(Address::ZERO, stage.at.hub, &call), "");
    stage.chain.wait(10 * TIMEREF);
    assert!(stage.chain.act(Address::ZERO, stage.at.hub, &call).value);
    assert_eq!(stage.gain(stage.requester.address()), 0);
    assert_eq!(stage.account(KITTY).1, 4 * POOL_STAKE);
    let uneven = Hub::initializeAndClaimArrayCall {
        dealIds: vec![deal; 2],
        indexes: vec![U256::ZERO],
    };
    assert_eq!(stage.chain.refuse(Address::ZERO, stage.at.hub, &uneven), "");
}

#[test]
fn a_pool_may_ask_any_stake_of_its_workers() {
    let mut stage = Stage::new();
    let policy = contracts::Workerpool::changePolicyCall {
        _newWorkerStakeRatioPolicy: U256::from(1) << 150,
        _newSchedulerRewardRatioPolicy: U256::from(100),
    };
    stage
        .chain
        .act(stage.scheduler.address(), stage.pool, &policy);
    let task = stage.one_task(stage.offers());
    let deal = stage.view_task(task).dealid;
    let stake = (U256::from(POOL_PRICE) << 150) / U256::from(100);
    assert_eq!(stage.view_deal(deal).workerStake, stake);
    let call = stage.contribution(task, 0, digest(7)).call();
    let worker = stage.workers[0].address();
    let refused = stage.chain.refuse(worker, stage.at.hub, &call);
    assert_eq!(refused, "IexecEscrow: Transfer amount exceeds balance");
    let call = stage
        .contribution(task, 0, digest(7))
        .final_call(Bytes::new());
    stage.act_as(0, &call);
    assert_eq!(stage.gain(worker), 0, "the scheduler keeps it all");
    assert_eq!(
        stage.gain(stage.requester.address()),
        -((APP_PRICE + POOL_PRICE) as i64)
    );
}
