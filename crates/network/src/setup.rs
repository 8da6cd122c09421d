//! Making a new local chain usable: contracts, money, a workerpool.

use std::path::{Path, PathBuf};

use alloy::{
    network::EthereumWallet,
    primitives::{Address, U256},
    providers::{Provider, ProviderBuilder},
    signers::local::PrivateKeySigner,
    transports::ws::WsConnect,
};
use chain::{Actor, Asset, Hub, NewAsset, Wallet};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::{Error, Role, local_wallet};

/// The local chain's id, as the official native test network's.
pub(crate) const CHAIN_ID: u64 = 65_535;
/// What the workerpool of a network says of itself.
const POOL_DESCRIPTION: &str = "iexec";
/// Gas each account starts with, in the coin's 10¹⁸ units: never needed, as gas is free, but
/// some clients refuse to send from an empty account.
const GAS_COINS: u64 = 10_000;
/// nRLC the faucet has to give: 10 million RLC.
const FAUCET_NRLC: u64 = 10_000_000 * NRLC;
/// nRLC in each other wallet: 10 000 RLC.
const WALLET_NRLC: u64 = 10_000 * NRLC;
/// nRLC in each account's deposit: 1 000 RLC.
const DEPOSIT_NRLC: u64 = 1_000 * NRLC;
const NRLC: u64 = 1_000_000_000;
/// Seconds of the extra category: a task that fails can be claimed after 10 s.
const QUICK_CATEGORY_S: u64 = 1;

/// What a finished set-up leaves in the data directory; its absence means that the chain is to
/// be made anew.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Deployment {
    pub(crate) hub: Address,
    pub(crate) workerpool: Address,
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("deployment.json")
}

impl Deployment {
    pub(crate) fn read(data_dir: &Path) -> Option<Self> {
        let bytes = std::fs::read(file(data_dir)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    fn write(&self, data_dir: &Path) -> Result<(), Error> {
        let path = file(data_dir);
        let temporary = path.with_extension("tmp");
        let text = serde_json::to_vec(self).unwrap_or_default();
        std::fs::write(&temporary, text).map_err(Error::at(&temporary))?;
        std::fs::rename(&temporary, &path).map_err(Error::at(&path))
    }
}

/// All roles but the workers', whose number varies.
pub(crate) const ROLES: [Role; 5] = [
    Role::Faucet,
    Role::HubOwner,
    Role::Requester,
    Role::Developer,
    Role::PoolOwner,
];

/// The wallets of the network, in the order of `network.json`.
pub(crate) fn wallets(workers: u32) -> Vec<(Role, Wallet)> {
    let fixed = ROLES.into_iter().map(|role| (role, local_wallet(role, 0)));
    let workers = (0..workers).map(|n| (Role::Worker, local_wallet(Role::Worker, n)));
    fixed.chain(workers).collect()
}

/// Opens the embedded chain of a data directory. A chain whose set-up never finished is dropped.
pub(crate) fn open_chain(data_dir: &Path) -> Result<devchain::Node, Error> {
    let folder = data_dir.join("chain");
    if Deployment::read(data_dir).is_none() && folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(Error::at(&folder))?;
    }
    std::fs::create_dir_all(&folder).map_err(Error::at(&folder))?;
    let coins = U256::from(GAS_COINS) * U256::from(10).pow(U256::from(18));
    let wallets = wallets(WORKERS_MAX);
    let alloc = wallets
        .iter()
        .map(|(_, wallet)| (wallet.address(), coins))
        .collect();
    let unlocked = ROLES
        .iter()
        .filter_map(|role| signer(&local_wallet(*role, 0)))
        .collect();
    let config = devchain::Config {
        data_dir: Some(folder),
        chain_id: CHAIN_ID,
        alloc,
        unlocked,
        ..Default::default()
    };
    Ok(devchain::Node::open(config)?)
}

/// Workers a local network can have: their accounts are in the genesis.
pub(crate) const WORKERS_MAX: u32 = 64;

fn signer(wallet: &Wallet) -> Option<PrivateKeySigner> {
    PrivateKeySigner::from_bytes(&wallet.key()).ok()
}

/// Deploys, funds and registers on a new chain; on one that has been set up, just says where
/// things are.
pub(crate) async fn prepare(data_dir: &Path, ws_url: &str) -> Result<Deployment, Error> {
    if let Some(known) = Deployment::read(data_dir) {
        return Ok(known);
    }
    let hub = deploy(ws_url).await?;
    let hub = Hub::connect(ws_url, hub).await?;
    fund(&hub).await?;
    let owner = Actor::new(hub.clone(), local_wallet(Role::PoolOwner, 0));
    let workerpool = workerpool(&owner).await?;
    let deployment = Deployment {
        hub: hub.address(),
        workerpool,
    };
    deployment.write(data_dir)?;
    Ok(deployment)
}

async fn deploy(ws_url: &str) -> Result<Address, Error> {
    let owner = local_wallet(Role::HubOwner, 0);
    let unreachable = |e: alloy::transports::TransportError| {
        let source = Box::new(e);
        Error::Chain(chain::Error::Unreachable {
            what: "connect",
            source,
        })
    };
    let provider = ProviderBuilder::new()
        .disable_recommended_fillers()
        .wallet(signer(&owner).map(EthereumWallet::from).unwrap_or_default())
        .connect_ws(WsConnect::new(ws_url))
        .await
        .map_err(unreachable)?
        .erased();
    let quick = contracts::Category {
        name: "quick".into(),
        description: "\"for trying deadlines by hand\"".into(),
        work_clock_time_ref_s: QUICK_CATEGORY_S,
    };
    let options = contracts::Options {
        extra_categories: vec![quick],
        ..Default::default()
    };
    Ok(contracts::deploy(&provider, owner.address(), &options)
        .await?
        .hub)
}

/// Gives every account RLC and a deposit. The hub's owner holds the supply.
async fn fund(hub: &Hub) -> Result<(), Error> {
    let bank = Actor::new(hub.clone(), local_wallet(Role::HubOwner, 0));
    let others: Vec<_> = wallets(FUNDED_WORKERS)
        .into_iter()
        .filter(|(role, _)| *role != Role::HubOwner)
        .collect();
    let gifts = others.iter().map(|(role, wallet)| {
        let nrlc = if *role == Role::Faucet {
            FAUCET_NRLC
        } else {
            WALLET_NRLC
        };
        bank.transfer_rlc(wallet.address(), U256::from(nrlc + DEPOSIT_NRLC))
    });
    try_join_all(gifts).await?;
    let actors: Vec<_> = others
        .into_iter()
        .map(|(_, wallet)| Actor::new(hub.clone(), wallet))
        .collect();
    let own = std::iter::once(&bank);
    let deposits = actors
        .iter()
        .chain(own)
        .map(|actor| actor.deposit(U256::from(DEPOSIT_NRLC)));
    try_join_all(deposits).await?;
    Ok(())
}

/// Workers that get RLC at genesis; more of them work all the same, without a stake.
const FUNDED_WORKERS: u32 = 8;

/// The owner's first workerpool, registered if there is none.
pub(crate) async fn workerpool(owner: &Actor) -> Result<Address, Error> {
    let hub = owner.hub();
    if hub.asset_count(Asset::Workerpool, owner.address()).await? > 0 {
        return Ok(hub.asset_at(Asset::Workerpool, owner.address(), 0).await?);
    }
    let description = POOL_DESCRIPTION.to_owned();
    let asset = NewAsset::Workerpool {
        owner: owner.address(),
        description,
    };
    Ok(owner.create(&asset).await?.0)
}
