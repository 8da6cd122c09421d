//! The official contracts on a foreign node, with our services around them.

use std::sync::Arc;

use alloy::{consensus::Transaction as _, primitives::U256, providers::Provider as _};
use anyhow::{Context as _, Result};
use chain::{Actor, Hub, Wallet};
use engine::Engine;
use iexec_tests::{
    app::Image,
    bench::Bench,
    cast::{Ask, Cast, Deal},
    idle::Idle,
    poco::{self, Anvil, Official, Options},
    tools,
};
use network::{Builder, External, Info, Network};
use protocol::B256;

use crate::bag::{finalized, transactions};

/// `finalize(bytes32,bytes,bytes)`.
const FINALIZE: [u8; 4] = [0x8f, 0xc3, 0x75, 0xe5];
const GAS_WEI: u64 = 1_000_000_000_000_000_000;
const RLC_NRLC: u64 = 10_000;
const POOL_PRICE: u64 = 1_000;
const APP_PRICE: u64 = 3;

/// The chain and the wallets on it, each with gas and RLC.
struct Foreign {
    anvil: Anvil,
    official: Official,
    pool_owner: Wallet,
    worker: Wallet,
    developer: Wallet,
    requester: Wallet,
}

async fn funded(official: &Official) -> Result<Wallet> {
    let wallet = Wallet::random();
    let gas = U256::from(GAS_WEI);
    official
        .fund(wallet.address(), gas, U256::from(RLC_NRLC))
        .await?;
    Ok(wallet)
}

impl Foreign {
    /// None, with the reason printed, when this machine cannot have it.
    async fn new(bench: &Bench) -> Result<Option<Self>> {
        if tools::need(bench.test, poco::fetch()).is_none() {
            return Ok(None);
        }
        let anvil = Anvil::start(Options::default())?;
        let official = poco::deploy_official(&anvil).await?;
        let foreign = Self {
            pool_owner: funded(&official).await?,
            worker: funded(&official).await?,
            developer: funded(&official).await?,
            requester: funded(&official).await?,
            anvil,
            official,
        };
        let (pool_owner, requester) = (&foreign.pool_owner, &foreign.requester);
        foreign.deposit(pool_owner, POOL_PRICE).await?;
        foreign.deposit(requester, POOL_PRICE + APP_PRICE).await?;
        Ok(Some(foreign))
    }

    async fn hub(&self) -> Result<Hub> {
        Ok(Hub::connect(&self.anvil.ws_url(), self.official.hub).await?)
    }

    async fn deposit(&self, wallet: &Wallet, nrlc: u64) -> Result<()> {
        let actor = Actor::new(self.hub().await?, wallet.clone());
        actor.deposit(U256::from(nrlc)).await?;
        Ok(())
    }

    async fn network(&self, bench: &Bench, rpc_url: String) -> Result<Network> {
        let builder = self.around(bench.builder(), rpc_url);
        Ok(builder.start().await?)
    }

    /// The services of `builder` on this chain.
    fn around(&self, builder: Builder, rpc_url: String) -> Builder {
        let external = External {
            rpc_url,
            http_url: self.anvil.http_url(),
            hub: self.official.hub,
            pool_owner: self.pool_owner.clone(),
            workers: vec![self.worker.clone()],
        };
        builder.external(external)
    }

    async fn cast(&self, info: &Info, engine: &Arc<dyn Engine>) -> Result<Cast> {
        let wallets = [&self.developer, &self.requester, &self.pool_owner];
        let wallets = wallets.map(Wallet::clone);
        Ok(Cast::new(self.hub().await?, info, wallets, engine.clone()))
    }

    /// What these wallets have free in the hub, in nRLC.
    async fn stakes(&self) -> Result<[u64; 3]> {
        let hub = self.hub().await?;
        let mut stakes = [0; 3];
        for (stake, wallet) in
            stakes
                .iter_mut()
                .zip([&self.requester, &self.developer, &self.worker])
        {
            *stake = hub.account(wallet.address()).await?.stake.to();
        }
        Ok(stakes)
    }
}

const SCRIPT: &str = "echo official > $IEXEC_OUT/x; declare_result /iexec_out/x";

async fn paid_deal(bench: &Bench, cast: &Cast) -> Result<Deal> {
    let image = Image::of_script(&cast.engine, bench.test, SCRIPT).await?;
    let app = image.deploy(&cast.developer).await?;
    let ask = Ask {
        app_price: APP_PRICE,
        pool_price: POOL_PRICE,
        ..Ask::default()
    };
    cast.deal(app, &ask).await
}

async fn check(foreign: &Foreign, cast: &Cast, deal: &Deal) -> Result<()> {
    cast.completed(deal, 1).await?;
    Cast::expect_end(&cast.ended_one(deal).await?, "COMPLETED", "")?;
    assert_eq!(cast.result(deal.tasks[0]).await?.text("x")?, "official\n");
    // 1 % is the scheduler's share of a pool that changed no policy (spec/contracts.md §7).
    let expected = [0, APP_PRICE, POOL_PRICE - POOL_PRICE / 100];
    assert_eq!(foreign.stakes().await?, expected);
    Ok(())
}

pub(crate) async fn one_paid_task(bench: Bench) -> Result<()> {
    let Some(foreign) = Foreign::new(&bench).await? else {
        return Ok(());
    };
    let network = foreign.network(&bench, foreign.anvil.ws_url()).await?;
    let cast = foreign.cast(network.info(), network.engine()).await?;
    let deal = paid_deal(&bench, &cast).await?;
    check(&foreign, &cast, &deal).await?;
    network.stop().await;
    Ok(())
}

/// As on public chains: transactions wait for their block, and nothing is pushed over HTTP.
pub(crate) async fn a_block_every_second(bench: Bench) -> Result<()> {
    let Some(foreign) = Foreign::new(&bench).await? else {
        return Ok(());
    };
    foreign.anvil.mine_every(1).await?;
    let network = foreign.network(&bench, foreign.anvil.http_url()).await?;
    let cast = foreign.cast(network.info(), network.engine()).await?;
    let deal = paid_deal(&bench, &cast).await?;
    check(&foreign, &cast, &deal).await?;
    network.stop().await;
    Ok(())
}

pub(crate) async fn deal_made_while_the_pool_is_away(bench: Bench) -> Result<()> {
    let Some(foreign) = Foreign::new(&bench).await? else {
        return Ok(());
    };
    let network = foreign.network(&bench, foreign.anvil.ws_url()).await?;
    let cast = foreign.cast(network.info(), network.engine()).await?;
    network.stop().await;
    let deal = paid_deal(&bench, &cast).await?;

    let network = foreign.network(&bench, foreign.anvil.ws_url()).await?;
    let cast = foreign.cast(network.info(), network.engine()).await?;
    check(&foreign, &cast, &deal).await?;
    network.stop().await;
    Ok(())
}

/// The official hub has no `multicall`: each task gets a plain `finalize`, as fast as before.
pub(crate) async fn each_task_is_finalized_by_itself(bench: Bench) -> Result<()> {
    const SIZE: u64 = 5;
    let Some(foreign) = Foreign::new(&bench).await? else {
        return Ok(());
    };
    // Other than at once, contributing takes a stake.
    foreign.deposit(&foreign.worker, POOL_PRICE).await?;
    foreign.anvil.mine_every(1).await?;
    let builder = bench.builder().own_engine(Arc::new(Idle::default()));
    let builder = builder.slots(SIZE as u32).finalizes_at_once(false);
    let network = foreign.around(builder, foreign.anvil.ws_url());
    let network = network.start().await?;
    let cast = foreign.cast(network.info(), network.engine()).await?;
    assert!(!cast.hub.has_multicall().await?);
    let image = Image {
        name: "idle:1".into(),
        checksum: B256::repeat_byte(1),
    };
    let ask = Ask {
        volume: SIZE,
        pool_price: POOL_PRICE / SIZE,
        ..Ask::default()
    };
    let deal = cast
        .deal(image.deploy(&cast.developer).await?, &ask)
        .await?;
    let finalize = transactions(&cast, &deal, finalized).await?;
    assert_eq!(finalize.len(), SIZE as usize);
    for tx in finalize {
        let tx = foreign
            .anvil
            .provider()?
            .get_transaction_by_hash(tx)
            .await?;
        let input = tx.context("a transaction is gone")?.input().clone();
        assert_eq!(input[..4], FINALIZE);
    }
    network.stop().await;
    Ok(())
}

/// A worker whose wallet cannot pay its transaction says so.
pub(crate) async fn worker_without_gas(bench: Bench) -> Result<()> {
    let Some(mut foreign) = Foreign::new(&bench).await? else {
        return Ok(());
    };
    foreign.worker = Wallet::random();
    let builder = bench.builder().own_engine(Arc::new(Idle::default()));
    let network = foreign.around(builder, foreign.anvil.ws_url());
    let network = network.start().await?;
    let cast = foreign.cast(network.info(), network.engine()).await?;
    let image = Image {
        name: "idle:1".into(),
        checksum: B256::repeat_byte(1),
    };
    let ask = Ask {
        pool_price: POOL_PRICE,
        ..Ask::default()
    };
    let deal = cast
        .deal(image.deploy(&cast.developer).await?, &ask)
        .await?;
    let ended = cast.ended_one(&deal).await?;
    Cast::expect_end(&ended, "FAILED", "OUT_OF_GAS")?;
    network.stop().await;
    Ok(())
}
