//! The official contracts on a foreign node, with our services around them.

use std::sync::Arc;

use alloy::primitives::U256;
use anyhow::Result;
use chain::{Actor, Hub, Wallet};
use engine::Engine;
use iexec_tests::{
    app::Image,
    bench::Bench,
    cast::{Ask, Cast, Deal},
    poco::{self, Anvil, Official, Options},
    tools,
};
use network::{External, Info, Network};

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
        let external = External {
            rpc_url,
            http_url: self.anvil.http_url(),
            hub: self.official.hub,
            pool_owner: self.pool_owner.clone(),
            workers: vec![self.worker.clone()],
        };
        Ok(bench.builder().external(external).start().await?)
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
