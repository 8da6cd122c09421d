//! Causes that an honest pool and a sane machine never meet with: the worker is given orders that
//! it has to refuse, and an engine in trouble. docs/causes.md has all causes.

use std::sync::Arc;

use anyhow::Result;
use chain::Actor;
use iexec_tests::{
    app::Image,
    bench::Bench,
    boss::Boss,
    cast::{Ask, Cast},
    idle::{Idle, Trouble},
};
use network::{Role, local_wallet};
use protocol::{
    Address, B256, Cause, DealId, TaskId,
    message::{Flow, Order},
    status::ReplicateStatus::{self, *},
};

use crate::bag;

/// nRLC a task; a worker's stake is 30 % of it.
const PRICE: u64 = 1_000;
/// The category of one second: it is over in ten.
const QUICK: u64 = 5;
/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

async fn app(cast: &Cast) -> Result<Address> {
    let image = Image {
        name: "idle:1".into(),
        checksum: B256::repeat_byte(1),
    };
    image.deploy(&cast.developer).await
}

fn ask(trust: u64) -> Ask {
    Ask {
        trust,
        pool_price: PRICE,
        ..Ask::default()
    }
}

/// What a worker of the chain says to orders that no honest pool gives it.
pub(crate) async fn orders_that_a_worker_refuses(bench: Bench) -> Result<()> {
    let network = bench.builder().own_engine(Arc::new(Idle::default()));
    let world = bench.world(network.workers(0), 0).await?;
    let (cast, app) = (&world.cast, app(&world.cast).await?);
    let (info, engine) = (world.network.info(), world.network.engine().clone());
    let mut boss = Boss::of(info, 0, engine, NOWHERE).await?;
    let owner = &cast.pool_owner;

    let at_once = Flow::ContributeAndFinalize;
    let unknown = boss.run(owner, DealId::repeat(9), 0, at_once).await?;
    refuses(
        &mut boss,
        unknown,
        StartFailed,
        Cause::TaskDescriptionNotFound,
    )
    .await?;

    let deal = cast.deal(app, &ask(1)).await?;
    let stranger = cast.developer.wallet();
    let forged = boss.run(stranger, deal.id, 0, at_once).await?;
    let cause = Cause::WorkerpoolAuthorizationNotFound;
    refuses(&mut boss, forged, StartFailed, cause).await?;

    let lost = boss.run(owner, deal.id, 0, at_once).await?;
    refuses(
        &mut boss,
        lost,
        ResultUploadFailed,
        Cause::ResultLinkMissing,
    )
    .await?;

    let deal = cast.deal(app, &ask(3)).await?;
    let alone = boss.run(owner, deal.id, 0, at_once).await?;
    refuses(&mut boss, alone, StartFailed, Cause::TrustNot1).await?;

    let secret = Ask {
        encrypts: true,
        ..ask(1)
    };
    let deal = cast.deal(app, &secret).await?;
    let secret = boss.run(owner, deal.id, 0, at_once).await?;
    refuses(
        &mut boss,
        secret,
        StartFailed,
        Cause::TaskDescriptionInvalid,
    )
    .await?;

    let quick = Ask {
        category: QUICK,
        ..ask(1)
    };
    let deal = cast.deal(app, &quick).await?;
    bag::transactions(cast, &deal, bag::initialized).await?;
    cast.advance(10).await?;
    cast.requester.claim(deal.tasks[0]).await?;
    let dead = boss.run(owner, deal.id, 0, at_once).await?;
    refuses(&mut boss, dead, StartFailed, Cause::TaskNotActive).await?;
    boss.stop().await?;
    world.stop().await
}

async fn refuses(
    boss: &mut Boss,
    task: TaskId,
    status: ReplicateStatus,
    cause: Cause,
) -> Result<()> {
    assert_eq!(boss.failure(task).await?, (status, cause));
    Ok(())
}

/// The worker's own money and word on the chain.
pub(crate) async fn a_worker_that_may_not_contribute(bench: Bench) -> Result<()> {
    let network = bench.builder().own_engine(Arc::new(Idle::default()));
    let world = bench.world(network.workers(0), 0).await?;
    let (cast, app) = (&world.cast, app(&world.cast).await?);
    let (info, engine) = (world.network.info(), world.network.engine().clone());
    let mut boss = Boss::of(info, 0, engine, NOWHERE).await?;
    let owner = &cast.pool_owner;
    let deal = cast.deal(app, &ask(3)).await?;
    bag::transactions(cast, &deal, bag::initialized).await?;

    // It has contributed something else before, and forgotten it.
    let worker = Actor::new(cast.hub.clone(), local_wallet(Role::Worker, 0));
    let (to, none) = (worker.address(), Address::ZERO);
    let permission = chain::authorize(owner, deal.id, 0, to, none)?;
    let other = B256::repeat_byte(7);
    worker.contribute(deal.tasks[0], other, &permission).await?;
    let in_turn = Flow::ContributeAndReveal;
    let twice = boss.run(owner, deal.id, 0, in_turn).await?;
    refuses(
        &mut boss,
        twice,
        ContributeFailed,
        Cause::ContributionAlreadySet,
    )
    .await?;

    let account = cast.hub.account(to).await?;
    worker.withdraw(account.stake).await?;
    let deal = cast.deal(app, &ask(3)).await?;
    let poor = boss.run(owner, deal.id, 0, in_turn).await?;
    refuses(&mut boss, poor, StartFailed, Cause::StakeTooLow).await?;
    boss.stop().await?;
    world.stop().await
}

/// An order to stop, and a machine in trouble.
pub(crate) async fn a_run_that_cannot_go_on(bench: Bench) -> Result<()> {
    let held = Arc::new(Idle::held());
    let builder = bench.builder().own_engine(held.clone()).workers(0);
    let world = bench.world(builder, 0).await?;
    let (cast, info) = (&world.cast, world.network.info());
    let (app, owner) = (app(cast).await?, &cast.pool_owner);
    let flow = Flow::ContributeAndFinalize;

    let mut boss = Boss::of(info, 0, held, NOWHERE).await?;
    let deal = cast.deal(app, &ask(1)).await?;
    let task = boss.run(owner, deal.id, 0, flow).await?;
    boss.reached(task, Computing).await?;
    let cause = Cause::TaskNotActive;
    boss.order(Order::Abort { task, cause }).await?;
    let (_, cause) = boss.failure(task).await?;
    assert_eq!(cause, Cause::AbortedByWorker);
    boss.stop().await?;

    for (number, trouble, expected) in [
        (1, Trouble::ImageGone, Cause::AppNotFoundLocally),
        (2, Trouble::FolderFull, Cause::PostComputeUnknown),
    ] {
        let engine = Arc::new(Idle::with(trouble));
        let mut boss = Boss::of(info, number, engine, NOWHERE).await?;
        let deal = cast.deal(app, &ask(1)).await?;
        let task = boss.run(owner, deal.id, 0, flow).await?;
        let (status, cause) = boss.failure(task).await?;
        assert_eq!(cause, expected, "{status:?}");
        boss.stop().await?;
    }
    world.stop().await
}
