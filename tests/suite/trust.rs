//! Results that several workers have to agree on, with real money: who lies or keeps silent pays.

use std::collections::BTreeMap;

use alloy::primitives::keccak256;
use anyhow::{Context as _, Result, ensure};
use chain::{Actor, HubEvent};
use iexec_tests::{
    app::Image,
    bench::Bench,
    cast::{Ask, Cast, Deal},
    liar::{Extra, Lying},
};
use network::{Role, local_wallet};
use protocol::{Address, B256, Bytes, TaskId, deal::TaskStatus, message::Authorization};
use sha2::{Digest as _, Sha256};

const SAY: &str = "echo truth > $IEXEC_OUT/x; declare_result /iexec_out/x";
const SAID: &str = "truth\n";
/// nRLC a task; a worker's stake is 30 % of it, the scheduler keeps 1 % (spec/contracts.md §2).
const PRICE: u64 = 1_000;
const STAKE: u64 = 300;
/// Seconds of category 0, and the ratio of its reveal deadline.
const REVEAL_S: u64 = 300 * 2;
/// The category of one second: it is over in ten.
const QUICK: u64 = 5;

fn ask(trust: u64) -> Ask {
    Ask {
        trust,
        pool_price: PRICE,
        ..Ask::default()
    }
}

async fn deal(bench: &Bench, cast: &Cast, ask: &Ask) -> Result<Deal> {
    let image = Image::of_script(&cast.engine, bench.test, SAY).await?;
    cast.deal(image.deploy(&cast.developer).await?, ask).await
}

/// Deposits by account, in nRLC: free and locked together.
async fn wealth(cast: &Cast, accounts: &[Address]) -> Result<BTreeMap<Address, i64>> {
    let mut all = BTreeMap::new();
    for account in accounts {
        let a = cast.hub.account(*account).await?;
        all.insert(*account, (a.stake + a.locked).to::<i64>());
    }
    Ok(all)
}

/// How much each account has won or lost since `before`.
async fn gains(cast: &Cast, before: &BTreeMap<Address, i64>) -> Result<BTreeMap<Address, i64>> {
    let accounts: Vec<Address> = before.keys().copied().collect();
    let after = wealth(cast, &accounts).await?;
    Ok(after
        .into_iter()
        .map(|(a, now)| (a, now - before[&a]))
        .collect())
}

fn worker(number: u32) -> Address {
    local_wallet(Role::Worker, number).address()
}

fn everybody(cast: &Cast, workers: u32) -> Vec<Address> {
    let people = [cast.requester.address(), cast.pool_owner.address()];
    people.into_iter().chain((0..workers).map(worker)).collect()
}

/// One liar among honest workers: these have the result and the liar's stake.
async fn one_liar(bench: Bench, trust: u64, honest: u32) -> Result<()> {
    let world = bench.network(honest).await?;
    let cast = &world.cast;
    let engine = Lying::over(cast.engine.clone(), "no");
    let liar = Extra::start(world.network.info(), 7, engine).await?;
    cast.online(honest as usize + 1).await?;
    let before = wealth(cast, &everybody(cast, 8)).await?;
    let deal = deal(&bench, cast, &ask(trust)).await?;
    Cast::expect_end(&cast.ended_one(&deal).await?, "COMPLETED", "")?;
    assert_eq!(cast.result(deal.tasks[0]).await?.text("x")?, SAID);
    let task = cast.on_chain(deal.tasks[0]).await?;
    ensure!(
        task.contributors.contains(&liar.address),
        "the liar was not asked"
    );
    let gains = gains(cast, &before).await?;
    let workers_part = (PRICE + STAKE) * 99 / 100;
    let each = workers_part / u64::from(honest);
    let rest = PRICE + STAKE - each * u64::from(honest);
    assert_eq!(gains[&cast.requester.address()], -(PRICE as i64));
    assert_eq!(gains[&cast.pool_owner.address()], rest as i64);
    assert_eq!(gains[&liar.address], -(STAKE as i64));
    for number in 0..honest {
        assert_eq!(gains[&worker(number)], each as i64, "worker {number}");
        assert_eq!(cast.hub.score(worker(number)).await?, 1);
    }
    assert_eq!(cast.hub.score(liar.address).await?, 0);
    liar.stop().await?;
    world.stop().await
}

pub(crate) async fn one_liar_at_trust_three(bench: Bench) -> Result<()> {
    one_liar(bench, 3, 3).await
}

pub(crate) async fn one_liar_at_trust_five(bench: Bench) -> Result<()> {
    one_liar(bench, 5, 4).await
}

/// Nobody agrees with anybody: nobody is paid, and what is locked comes back.
pub(crate) async fn everybody_lies_differently(bench: Bench) -> Result<()> {
    let world = bench.network(0).await?;
    let cast = &world.cast;
    let mut liars = Vec::new();
    for number in 0..3 {
        let engine = Lying::over(cast.engine.clone(), &number.to_string());
        liars.push(Extra::start(world.network.info(), number, engine).await?);
    }
    cast.online(liars.len()).await?;
    let before = wealth(cast, &everybody(cast, 3)).await?;
    let deal = deal(&bench, cast, &ask(3)).await?;
    contributed(cast, &deal, liars.len()).await?;
    cast.advance(300 * 7).await?;
    let ended = cast.ended_one(&deal).await?;
    Cast::expect_end(&ended, "FAILED", "CONTRIBUTION_TIMEOUT")?;
    cast.advance(300 * 3).await?;
    // The pool claims it by itself: its workers' stakes are locked in the task.
    claimed(cast, &deal).await?;
    let mut gains = gains(cast, &before).await?;
    let owner = gains.remove(&cast.pool_owner.address());
    assert_eq!(
        owner,
        Some(-(STAKE as i64)),
        "the scheduler's stake goes to the kitty"
    );
    assert!(gains.values().all(|gain| *gain == 0), "{gains:?}");
    for liar in liars {
        liar.stop().await?;
    }
    world.stop().await
}

/// Waits for so many contributions to the deal's first task.
async fn contributed(cast: &Cast, deal: &Deal, count: usize) -> Result<()> {
    cast.seen(
        deal,
        count,
        |event, task| matches!(event, HubEvent::TaskContribute { task: t, .. } if *t == task),
    )
    .await
}

async fn claimed(cast: &Cast, deal: &Deal) -> Result<()> {
    cast.seen(
        deal,
        1,
        |event, task| matches!(event, HubEvent::TaskClaimed { task: t } if *t == task),
    )
    .await
}

/// A worker of the test itself, which contributes and says no more.
struct Mute {
    actor: Actor,
    authorization: Authorization,
}

impl Mute {
    async fn contributes(cast: &Cast, deal: &Deal, number: u32) -> Result<Self> {
        let actor = Actor::new(cast.hub.clone(), local_wallet(Role::Worker, number));
        let (to, zero) = (actor.address(), Address::ZERO);
        let authorization = chain::authorize(&cast.pool_owner, deal.id, 0, to, zero)?;
        let digest = B256::from_slice(&Sha256::digest(SAID));
        actor
            .contribute(deal.tasks[0], digest, &authorization)
            .await?;
        Ok(Self {
            actor,
            authorization,
        })
    }

    fn address(&self) -> Address {
        assert_eq!(self.authorization.worker_wallet, self.actor.address());
        self.actor.address()
    }
}

async fn initialized(cast: &Cast, task: TaskId) -> Result<()> {
    let mut heads = cast.hub.heads();
    while cast.hub.task(task).await?.is_none() {
        heads.changed().await?;
    }
    Ok(())
}

pub(crate) async fn one_never_reveals(bench: Bench) -> Result<()> {
    let world = bench.network(0).await?;
    let cast = &world.cast;
    let deal = deal(&bench, cast, &ask(3)).await?;
    initialized(cast, deal.tasks[0]).await?;
    let before = wealth(cast, &everybody(cast, 2)).await?;
    let mute = Mute::contributes(cast, &deal, 0).await?;
    let honest = Extra::start(world.network.info(), 1, cast.engine.clone()).await?;
    cast.seen(
        &deal,
        1,
        |event, task| matches!(event, HubEvent::TaskReveal { task: t, .. } if *t == task),
    )
    .await?;
    cast.advance(REVEAL_S + 1).await?;
    Cast::expect_end(&cast.ended_one(&deal).await?, "COMPLETED", "")?;
    let gains = gains(cast, &before).await?;
    let won = (PRICE + STAKE) * 99 / 100;
    assert_eq!(gains[&mute.address()], -(STAKE as i64));
    assert_eq!(gains[&honest.address], won as i64);
    let rest = PRICE + STAKE - won;
    assert_eq!(gains[&cast.pool_owner.address()], rest as i64);
    honest.stop().await?;
    world.stop().await
}

pub(crate) async fn nobody_reveals_and_it_is_reopened(bench: Bench) -> Result<()> {
    let world = bench.network(0).await?;
    let cast = &world.cast;
    let deal = deal(&bench, cast, &ask(3)).await?;
    initialized(cast, deal.tasks[0]).await?;
    let mutes = [
        Mute::contributes(cast, &deal, 0).await?,
        Mute::contributes(cast, &deal, 1).await?,
    ];
    cast.advance(REVEAL_S + 1).await?;
    cast.seen(
        &deal,
        1,
        |event, task| matches!(event, HubEvent::TaskReopen { task: t } if *t == task),
    )
    .await?;
    let mut honest = Vec::new();
    for number in 2..4 {
        let engine = cast.engine.clone();
        honest.push(Extra::start(world.network.info(), number, engine).await?);
    }
    let ended = cast.ended_one(&deal).await?;
    Cast::expect_end(&ended, "COMPLETED", "")?;
    let stages = ended.stages();
    for stage in ["REOPENING", "REOPENED", "CONSENSUS_REACHED", "FINALIZED"] {
        ensure!(stages.iter().any(|s| s == stage), "{stage} in {stages:?}");
    }
    assert_eq!(cast.result(deal.tasks[0]).await?.text("x")?, SAID);
    for mute in mutes {
        assert_eq!(cast.hub.score(mute.address()).await?, 0);
    }
    for worker in honest {
        worker.stop().await?;
    }
    world.stop().await
}

/// Trust 1 as the official stack does it: contribute, reveal, upload, and the pool finalizes.
pub(crate) async fn trust_one_the_long_way(bench: Bench) -> Result<()> {
    let network = bench.builder().workers(1).finalizes_at_once(false);
    let world = bench.world(network, 1).await?;
    let cast = &world.cast;
    let before = wealth(cast, &everybody(cast, 1)).await?;
    let deal = deal(&bench, cast, &ask(1)).await?;
    let ended = cast.ended_one(&deal).await?;
    Cast::expect_end(&ended, "COMPLETED", "")?;
    assert_eq!(cast.result(deal.tasks[0]).await?.text("x")?, SAID);
    let statuses = ended.steps(0);
    for status in ["CONTRIBUTED", "REVEALED", "RESULT_UPLOADED", "COMPLETED"] {
        ensure!(
            statuses.iter().any(|s| s == status),
            "{status} in {statuses:?}"
        );
    }
    let gains = gains(cast, &before).await?;
    assert_eq!(gains[&worker(0)], (PRICE * 99 / 100) as i64);
    assert_eq!(gains[&cast.pool_owner.address()], (PRICE / 100) as i64);
    world.stop().await
}

/// A contract that keeps the hash of what it was told: `receiveResult(bytes32,bytes)` stores
/// keccak256 of its whole call data in slot 0.
const KEEPER: &str = "600a8060095f395ff3365f5f37365f205f5500";

/// The agreed bytes reach the contract that the deal names.
pub(crate) async fn callback_at_trust_three(bench: Bench) -> Result<()> {
    let world = bench.network(2).await?;
    let cast = &world.cast;
    let keeper = cast.deploy_code(KEEPER.parse::<Bytes>()?).await?;
    let script = r#"echo '{"callback-data":"0x1234"}' > $IEXEC_OUT/computed.json"#;
    let image = Image::of_script(&cast.engine, bench.test, script).await?;
    let ask = Ask {
        callback: keeper,
        ..ask(3)
    };
    let deal = cast
        .deal(image.deploy(&cast.developer).await?, &ask)
        .await?;
    Cast::expect_end(&cast.ended_one(&deal).await?, "COMPLETED", "")?;
    let task = cast.on_chain(deal.tasks[0]).await?;
    assert_eq!(task.results_callback, Bytes::from_static(&[0x12, 0x34]));
    // The call: selector, task, offset of the bytes, their length, themselves.
    let mut call = keccak256("receiveResult(bytes32,bytes)")[..4].to_vec();
    call.extend_from_slice(task.id.0.as_slice());
    call.extend_from_slice(&word(0x40));
    call.extend_from_slice(&word(2));
    call.extend_from_slice(&[0x12, 0x34]);
    call.resize(4 + 32 * 4, 0);
    assert_eq!(cast.slot_zero(keeper).await?, keccak256(call));
    world.stop().await
}

fn word(value: u8) -> [u8; 32] {
    let mut word = [0; 32];
    word[31] = value;
    word
}

/// A bag of which some tasks fail: each ends for itself, and nobody waits for the others.
pub(crate) async fn bag_with_failures_in_the_middle(bench: Bench) -> Result<()> {
    const SIZE: u64 = 50;
    let world = bench.network(3).await?;
    let cast = &world.cast;
    let script = format!(r#"[ $(($IEXEC_BOT_TASK_INDEX % 7)) = 3 ] && exit 1; {SAY}"#);
    let image = Image::of_script(&cast.engine, bench.test, &script).await?;
    let ask = Ask {
        volume: SIZE,
        category: 0,
        ..Ask::default()
    };
    let deal = cast
        .deal(image.deploy(&cast.developer).await?, &ask)
        .await?;
    let ended = cast.ended(&deal).await?;
    for (index, task) in ended.iter().enumerate() {
        let expected = match index % 7 {
            3 => ("FAILED", "APP_COMPUTE_FAILED"),
            _ => ("COMPLETED", ""),
        };
        Cast::expect_end(task, expected.0, expected.1).with_context(|| format!("task {index}"))?;
    }
    world.stop().await
}

/// Tasks nobody ran: after the final deadline one claim brings all the money back.
pub(crate) async fn refunds_of_a_dead_bag(bench: Bench) -> Result<()> {
    let world = bench.network(0).await?;
    let cast = &world.cast;
    let payer = cast.requester.address();
    let before = cast.hub.account(payer).await?;
    let ask = Ask {
        volume: 3,
        category: QUICK,
        ..ask(1)
    };
    let deal = deal(&bench, cast, &ask).await?;
    for task in &deal.tasks {
        initialized(cast, *task).await?;
    }
    let locked = cast.hub.account(payer).await?.locked - before.locked;
    assert_eq!(locked.to::<u64>(), 3 * PRICE);
    cast.advance(10).await?;
    cast.requester.claim_many(&deal.tasks).await?;
    assert_eq!(cast.hub.account(payer).await?, before);
    for task in &deal.tasks {
        assert_eq!(cast.on_chain(*task).await?.status, TaskStatus::Failed);
    }
    world.stop().await
}
