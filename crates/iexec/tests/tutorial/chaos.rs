//! A bag of tasks while processes are killed at random, stop answering for a while, or are cut off
//! the network: everything that was asked for is done, once.
//!
//! Each role is a process in a network namespace of its own, the requester is this one. What
//! happens to whom follows from the seed; when, and what it hits, is the machine's.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use chain::Hub;
use engine::Engine;
use iexec_tests::{
    bench::Bench,
    cast::{Ask, Cast, Deal},
    poco::{self, Anvil, Official, Options},
    tools,
};
use network::{ChainInfo, Info, Role, local_wallet};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use protocol::U256;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

use crate::{
    platform::{self, Platform},
    process::{Place, Process},
    verdict,
    wire::Wire,
};

/// Two minutes are enough on two busy processors: what takes longer hangs, and says where.
const STORY_MAX: Duration = Duration::from_secs(270);
/// Milliseconds between two blows: most of them hit something that has just begun.
const PAUSE_MS: std::ops::Range<u64> = 20..200;
/// Milliseconds that a process does not answer.
const SILENCE_MS: std::ops::Range<u64> = 200..2_500;
/// Milliseconds that a process is cut off.
const CUT_MS: std::ops::Range<u64> = 200..3_000;
const PRICE: u64 = 10;
/// Gas and nRLC of everybody on a chain of others.
const GAS_WEI: u64 = 1_000_000_000_000_000_000;
const RLC_NRLC: u64 = 100_000;

/// Says which task it is, takes its time, and writes it down.
const APP: &str = r#"
echo "task $IEXEC_BOT_TASK_INDEX"
sleep 0.7
echo "$IEXEC_BOT_TASK_INDEX" > "$IEXEC_OUT/index.txt"
declare_result "$IEXEC_OUT/index.txt"
"#;

/// How much there is, and how much happens to it.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// Each has two slots.
    workers: u32,
    tasks: u64,
    /// Blows that are no kills come on top.
    kills: u32,
}

const LARGE: Plan = Plan {
    workers: 4,
    tasks: 200,
    kills: 100,
};
const SMALL: Plan = Plan {
    workers: 3,
    tasks: 20,
    kills: 15,
};

#[derive(Clone, Copy, Debug)]
enum Whom {
    Worker(usize),
    Pool,
    Store,
    Chain,
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Blow {
    Kill(Whom),
    /// It is stopped and goes on later, as a machine that swaps.
    Silence(Whom, Duration),
    Cut(Whom, Duration),
}

fn blow(rng: &mut StdRng, plan: &Plan) -> Blow {
    let whom = match rng.gen_range(0..100) {
        0..50 => Whom::Worker(rng.gen_range(0..plan.workers as usize)),
        50..70 => Whom::Pool,
        70..85 => Whom::Store,
        _ => Whom::Chain,
    };
    match rng.gen_range(0..100) {
        0..78 => Blow::Kill(whom),
        78..84 => Blow::Silence(whom, Duration::from_millis(rng.gen_range(SILENCE_MS))),
        _ => Blow::Cut(whom, Duration::from_millis(rng.gen_range(CUT_MS))),
    }
}

pub(crate) struct World {
    /// They end before the network they are on.
    pub(crate) workers: Vec<Process>,
    pub(crate) platform: Platform,
    plan: Plan,
}

impl World {
    async fn start(bench: &Bench, platform: Platform, plan: Plan) -> Result<(Self, Deal)> {
        let image = platform::image_of(APP, bench, &platform, plan.workers).await?;
        let workers = (0..plan.workers).map(|number| platform.worker(number));
        let workers = workers.collect::<Result<Vec<_>>>()?;
        let cast = cast(&platform, platform.pool.url()).await?;
        let ask = Ask {
            volume: plan.tasks,
            pool_price: PRICE,
            ..Ask::default()
        };
        let deal = cast
            .deal(image.deploy(&cast.developer).await?, &ask)
            .await?;
        let world = Self {
            workers,
            platform,
            plan,
        };
        Ok((world, deal))
    }

    /// Blows until there were enough kills, and then judgement.
    async fn live(&mut self, deal: &Deal, seed: u64) -> Result<()> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut kills = 0;
        while kills < self.plan.kills {
            let pause = Duration::from_millis(rng.gen_range(PAUSE_MS));
            tokio::time::sleep(pause).await;
            let blow = blow(&mut rng, &self.plan);
            let struck = self.strike(blow);
            kills += u32::from(struck.with_context(|| format!("{blow:?} after {kills} kills"))?);
        }
        if let Some(wire) = &self.platform.place.wire {
            wire.healed()?;
        }
        verdict::judge(&self.platform, deal).await
    }

    /// Whether it was a kill.
    fn strike(&mut self, blow: Blow) -> Result<bool> {
        match blow {
            Blow::Kill(Whom::Chain) | Blow::Silence(Whom::Chain, _) | Blow::Cut(Whom::Chain, _)
                if self.platform.chain.is_none() =>
            {
                return Ok(false);
            }
            Blow::Kill(Whom::Worker(n)) => {
                self.workers[n].kill()?;
                self.workers[n] = self.platform.worker(n as u32)?;
            }
            Blow::Kill(Whom::Pool) => self.platform.kill_pool()?,
            Blow::Kill(Whom::Store) => self.platform.kill_store()?,
            Blow::Kill(Whom::Chain) => self.platform.kill_chain()?,
            Blow::Silence(whom, time) => silence(self.process(whom)?, time)?,
            Blow::Cut(whom, time) => {
                let name = &self.process(whom)?.name;
                let wire = self.platform.place.wire.as_ref().context("no wire")?;
                wire.cut(name, time)?;
            }
        }
        Ok(matches!(blow, Blow::Kill(_)))
    }

    fn process(&self, whom: Whom) -> Result<&Process> {
        match whom {
            Whom::Worker(n) => Ok(&self.workers[n]),
            Whom::Pool => Ok(&self.platform.pool),
            Whom::Store => Ok(&self.platform.store),
            Whom::Chain => self
                .platform
                .chain
                .as_ref()
                .context("the chain is not ours"),
        }
    }
}

/// It may be killed before it goes on; then nobody hears the second signal.
fn silence(process: &Process, time: Duration) -> Result<()> {
    let id = Pid::from_raw(i32::try_from(process.id())?);
    process.signal(Signal::SIGSTOP)?;
    tokio::spawn(async move {
        tokio::time::sleep(time).await;
        let _ = kill(id, Signal::SIGCONT);
    });
    Ok(())
}

/// The story of one seed on the embedded chain.
pub(crate) async fn survive(bench: Bench, seed: u64) -> Result<()> {
    let Some(wire) = tools::need(bench.test, Wire::new()) else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let place = Place::wired(std::fs::canonicalize(folder.path())?, wire);
    let platform = Platform::start(place, LARGE.workers)?;
    tell(&bench, platform, LARGE, seed).await
}

/// A shorter one on a foreign node, which stays, with the official contracts.
pub(crate) async fn survive_on_the_official_contracts(bench: Bench, seed: u64) -> Result<()> {
    let Some(wire) = tools::need(bench.test, Wire::new()) else {
        return Ok(());
    };
    if tools::need(bench.test, poco::fetch()).is_none() {
        return Ok(());
    }
    let anvil = Anvil::start(Options {
        host: wire.host(),
        ..Options::default()
    })?;
    let official = poco::deploy_official(&anvil).await?;
    let on = prepare(&anvil, &official).await?;
    let folder = tempfile::tempdir()?;
    let place = Place::wired(std::fs::canonicalize(folder.path())?, wire);
    let platform = Platform::around(place, on, None, SMALL.workers)?;
    tell(&bench, platform, SMALL, seed).await
}

async fn tell(bench: &Bench, platform: Platform, plan: Plan, seed: u64) -> Result<()> {
    let (mut world, deal) = World::start(bench, platform, plan).await?;
    let lived = tokio::time::timeout(STORY_MAX, world.live(&deal, seed)).await;
    let Err(error) = lived.context("it hangs").flatten() else {
        return Ok(());
    };
    let state = verdict::state(&world, &deal).await;
    Err(error.context(format!("seed {seed}\n{state}")))
}

/// The wallets of a local network with money on the official contracts, and a workerpool.
async fn prepare(anvil: &Anvil, official: &Official) -> Result<ChainInfo> {
    let people = [Role::Developer, Role::Requester, Role::PoolOwner].map(|role| (role, 0));
    let workers = (0..SMALL.workers).map(|number| (Role::Worker, number));
    let (gas, rlc) = (U256::from(GAS_WEI), U256::from(RLC_NRLC));
    for (role, number) in people.into_iter().chain(workers) {
        let address = local_wallet(role, number).address();
        official.fund(address, gas, rlc).await?;
    }
    let hub = Hub::connect(&anvil.ws_url(), official.hub).await?;
    for role in [Role::Requester, Role::PoolOwner] {
        let actor = chain::Actor::new(hub.clone(), local_wallet(role, 0));
        actor.deposit(U256::from(RLC_NRLC)).await?;
    }
    let owner = chain::Actor::new(hub, local_wallet(Role::PoolOwner, 0));
    let asset = chain::NewAsset::Workerpool {
        owner: owner.address(),
        description: "chaos".to_owned(),
    };
    Ok(ChainInfo {
        chain_id: official.chain_id,
        hub: official.hub,
        workerpool: owner.create(&asset).await?.0,
        rpc_url: anvil.http_url(),
        ws_url: anvil.ws_url(),
        accounts: vec![],
    })
}

/// Everybody on the chain, with their services at `origin`.
pub(crate) async fn cast(platform: &Platform, origin: &str) -> Result<Cast> {
    let on = &platform.on;
    let info: Info = serde_json::from_value(json!({
        "name": "chaos", "chainId": on.chain_id, "hub": on.hub,
        "token": null, "native": false, "workerpool": on.workerpool,
        "engine": "builtin", "rpcUrl": on.rpc_url, "wsUrl": on.ws_url,
        "market": origin, "sms": origin, "resultProxy": origin, "ipfsGateway": origin,
        "ipfsNode": origin, "compass": origin, "pool": origin, "explorer": origin,
        "accounts": [],
    }))?;
    let hub = Hub::connect(&on.ws_url, info.hub).await?;
    let wallets = [Role::Developer, Role::Requester, Role::PoolOwner];
    let wallets = wallets.map(|role| local_wallet(role, 0));
    Ok(Cast::new(hub, &info, wallets, nothing(platform).await?))
}

/// The cast runs nothing here.
async fn nothing(platform: &Platform) -> Result<Arc<dyn Engine>> {
    let root = platform.worker_dir(0).join("engine");
    let mut config = engine::Config::new(engine::Choice::Builtin, root);
    config.helper = engine::testing::helper();
    Ok(engine::detect(&config).await?)
}
