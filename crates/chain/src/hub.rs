//! Reads of one hub.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use alloy::{
    eips::BlockNumberOrTag,
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes, U256},
    providers::{DynProvider, Provider},
    rpc::types::TransactionRequest,
    sol_types::{Eip712Domain, SolCall},
};
use protocol::{
    DealId, OrderHash, TaskId,
    deal::{Category, Deal, Task},
    order,
};
use tokio::sync::watch;

use crate::{
    BlockRef, Branch, Error, Events,
    abi::{Entry, Group, Hub as Abi, Registry, Token},
    actor::NewAsset,
    connect, convert, heads,
    past::HubAt,
};

/// The ERC-734 purpose that makes an address a member of a group contract
/// (spec/contracts.md §2).
const GROUP_MEMBER_PURPOSE: u64 = 4;

/// In native mode 1 RLC is 10¹⁸ wei, as any coin, and 10⁹ nRLC (spec/contracts.md §4).
pub(crate) const WEI_PER_NRLC: u64 = 1_000_000_000;

/// The three kinds of asset; each has a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asset {
    /// An application.
    App,
    /// A dataset.
    Dataset,
    /// A workerpool.
    Workerpool,
}

impl Asset {
    /// `app`, `dataset` or `workerpool`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Dataset => "dataset",
            Self::Workerpool => "workerpool",
        }
    }
}

/// What an account has in the hub, in nRLC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Account {
    /// Free to use or withdraw.
    pub stake: U256,
    /// Locked in running deals.
    pub locked: U256,
}

/// An app as deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppInfo {
    /// Its address.
    pub address: Address,
    /// Its present owner.
    pub owner: Address,
    /// Display name.
    pub name: String,
    /// `DOCKER`.
    pub kind: String,
    /// Where the image is; see [`protocol::multiaddr`].
    pub multiaddr: Bytes,
    /// The image's digest.
    pub checksum: B256,
    /// Enclave configuration; empty for standard apps.
    pub mrenclave: Bytes,
}

/// A dataset as deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetInfo {
    /// Its address.
    pub address: Address,
    /// Its present owner.
    pub owner: Address,
    /// Display name.
    pub name: String,
    /// Where the encrypted file is.
    pub multiaddr: Bytes,
    /// sha256 of that file.
    pub checksum: B256,
}

/// A workerpool as deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerpoolInfo {
    /// Its address.
    pub address: Address,
    /// Its present owner.
    pub owner: Address,
    /// Free text.
    pub description: String,
    /// Percent of the price a worker stakes.
    pub worker_stake_ratio: U256,
    /// Percent of the price the scheduler keeps.
    pub scheduler_reward_ratio: U256,
}

struct Inner {
    provider: DynProvider,
    address: Address,
    chain_id: u64,
    token: Address,
    registries: [Address; 3],
    domain: Eip712Domain,
    heads: watch::Receiver<u64>,
}

/// Reads of the hub at one address. A cheap clone; all clones share one connection.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hub({} on chain {})", self.0.address, self.0.chain_id)
    }
}

impl Hub {
    /// Connects to the node at `url` and reads what never changes about the hub.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the node does not answer, [`Error::Answer`] when there is no
    /// hub at `address`.
    pub async fn connect(url: &str, address: Address) -> Result<Self, Error> {
        Self::over(connect::connect(url).await?, address).await
    }

    /// The same over an existing connection.
    ///
    /// # Errors
    /// As [`Hub::connect`].
    pub async fn over(provider: DynProvider, address: Address) -> Result<Self, Error> {
        let chain_id = provider.get_chain_id();
        let chain_id = chain_id
            .await
            .map_err(|e| Error::from_transport("eth_chainId", e))?;
        let (token, app, dataset, pool) = tokio::try_join!(
            read(&provider, address, Abi::tokenCall {}),
            read(&provider, address, Abi::appregistryCall {}),
            read(&provider, address, Abi::datasetregistryCall {}),
            read(&provider, address, Abi::workerpoolregistryCall {}),
        )?;
        let heads = heads::follow(provider.clone()).await;
        Ok(Self(Arc::new(Inner {
            provider,
            address,
            chain_id,
            token,
            registries: [app, dataset, pool],
            domain: order::domain(chain_id, address),
            heads,
        })))
    }

    /// The connection.
    pub fn provider(&self) -> &DynProvider {
        &self.0.provider
    }

    /// The hub's address.
    pub fn address(&self) -> Address {
        self.0.address
    }

    /// The chain's id.
    pub fn chain_id(&self) -> u64 {
        self.0.chain_id
    }

    /// The RLC token; zero on a native chain.
    pub fn token(&self) -> Address {
        self.0.token
    }

    /// Whether RLC is the chain's own coin: there is no token then (spec/contracts.md §4).
    pub fn is_native(&self) -> bool {
        self.token().is_zero()
    }

    /// The registry of a kind of asset.
    pub fn registry(&self, asset: Asset) -> Address {
        self.0.registries[asset as usize]
    }

    /// The signing domain of orders.
    pub fn domain(&self) -> &Eip712Domain {
        &self.0.domain
    }

    /// The newest block's number, pushed as blocks come.
    pub fn heads(&self) -> watch::Receiver<u64> {
        self.0.heads.clone()
    }

    /// The time that deadlines are judged by, in seconds: the newest block's or this machine's,
    /// whichever is later. On a chain that mines on demand the newest block may be old; on a test
    /// chain it may be ahead.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn now(&self) -> Result<u64, Error> {
        let latest = self
            .0
            .provider
            .get_block_by_number(BlockNumberOrTag::Latest);
        let block = latest
            .await
            .map_err(|e| Error::from_transport("eth_getBlockByNumber", e))?;
        let chain = block.map(|b| b.header.timestamp).unwrap_or_default();
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(chain.max(wall.as_secs()))
    }

    /// Events of the hub from `from_block` on; see [`Events`].
    pub fn events(&self, from_block: u64) -> Events {
        Events::new(self.clone(), from_block)
    }

    /// Events of the winning branch from `next_block` on, of the hub and the registries; see
    /// [`Branch`].
    pub fn branch(&self, next_block: u64, trail: Vec<BlockRef>) -> Branch {
        Branch::new(self.clone(), next_block, trail)
    }

    /// The same hub as it was after block `number`.
    pub fn at(&self, number: u64) -> HubAt<'_> {
        HubAt::new(self, number)
    }

    pub(crate) async fn ask<C: SolCall + Send + 'static>(
        &self,
        call: C,
    ) -> Result<C::Return, Error> {
        read(&self.0.provider, self.0.address, call).await
    }

    pub(crate) async fn entry<C: SolCall + Send + 'static>(
        &self,
        to: Address,
        call: C,
    ) -> Result<C::Return, Error> {
        read(&self.0.provider, to, call).await
    }

    /// A deal; none when the hub does not know it.
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::Answer`], as all reads below.
    pub async fn deal(&self, id: DealId) -> Result<Option<Deal>, Error> {
        Ok(convert::deal(
            id,
            self.ask(Abi::viewDealCall { id: id.0 }).await?,
        ))
    }

    /// A task; none while it is not initialised.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn task(&self, id: TaskId) -> Result<Option<Task>, Error> {
        Ok(convert::task(
            id,
            self.ask(Abi::viewTaskCall { id: id.0 }).await?,
        ))
    }

    /// A category; none when there is no such number.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn category(&self, id: u64) -> Result<Option<Category>, Error> {
        match self.ask(Abi::viewCategoryCall { id: U256::from(id) }).await {
            Ok(category) => Ok(Some(convert::category(category))),
            Err(error) if error.is_revert() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How many categories there are.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn category_count(&self) -> Result<u64, Error> {
        Ok(convert::small(self.ask(Abi::countCategoryCall {}).await?))
    }

    /// An account's deposit.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn account(&self, account: Address) -> Result<Account, Error> {
        let view = self.ask(Abi::viewAccountCall { account }).await?;
        Ok(Account {
            stake: view.stake,
            locked: view.locked,
        })
    }

    /// How much of an order's volume is used or closed.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn consumed(&self, hash: OrderHash) -> Result<U256, Error> {
        self.ask(Abi::viewConsumedCall { hash: hash.0 }).await
    }

    /// Whether the hub accepts `sign` as `signer`'s over `hash` (EOA or contract wallet).
    ///
    /// # Errors
    /// As [`Hub::deal`]; a malformed signature is `false`.
    pub async fn verify_signature(
        &self,
        signer: Address,
        hash: B256,
        sign: &Bytes,
    ) -> Result<bool, Error> {
        match self
            .ask(Abi::verifySignatureCall {
                signer,
                hash,
                sign: sign.clone(),
            })
            .await
        {
            Err(error) if error.is_revert() => Ok(false),
            other => other,
        }
    }

    /// Whether `signer` signed `hash` on chain.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn verify_presigned(&self, signer: Address, hash: B256) -> Result<bool, Error> {
        self.ask(Abi::verifyPresignatureCall { signer, hash }).await
    }

    /// Whether `group` is a group contract that has `account` as a member, as the hub asks it
    /// (spec/contracts.md §6 `isAuthorized`). What is no such contract has no members.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn is_member(&self, group: Address, account: Address) -> Result<bool, Error> {
        let call = Group::keyHasPurposeCall {
            key: account.into_word(),
            purpose: U256::from(GROUP_MEMBER_PURPOSE),
        };
        match self.entry(group, call).await {
            Err(Error::Reverted { .. } | Error::Answer { .. }) => Ok(false),
            other => other,
        }
    }

    /// Gas a block has room for.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn block_gas(&self) -> Result<u64, Error> {
        let latest = BlockNumberOrTag::Latest;
        let block = self.0.provider.get_block_by_number(latest).await;
        let block = block.map_err(|e| Error::from_transport("eth_getBlockByNumber", e))?;
        Ok(block.map(|b| b.header.gas_limit).unwrap_or_default())
    }

    /// Whether an address is an asset of that kind.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn is_registered(&self, asset: Asset, entry: Address) -> Result<bool, Error> {
        self.entry(self.registry(asset), Registry::isRegisteredCall { entry })
            .await
    }

    /// The present owner of an asset.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn owner_of(&self, entry: Address) -> Result<Address, Error> {
        self.entry(entry, Entry::ownerCall {}).await
    }

    /// An app; none when it is not registered.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn app(&self, app: Address) -> Result<Option<AppInfo>, Error> {
        if !self.is_registered(Asset::App, app).await? {
            return Ok(None);
        }
        let (owner, name, kind, multiaddr, checksum, mrenclave) = tokio::try_join!(
            self.owner_of(app),
            self.entry(app, Entry::m_appNameCall {}),
            self.entry(app, Entry::m_appTypeCall {}),
            self.entry(app, Entry::m_appMultiaddrCall {}),
            self.entry(app, Entry::m_appChecksumCall {}),
            self.entry(app, Entry::m_appMREnclaveCall {}),
        )?;
        Ok(Some(AppInfo {
            address: app,
            owner,
            name,
            kind,
            multiaddr,
            checksum,
            mrenclave,
        }))
    }

    /// A dataset; none when it is not registered.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn dataset(&self, dataset: Address) -> Result<Option<DatasetInfo>, Error> {
        if !self.is_registered(Asset::Dataset, dataset).await? {
            return Ok(None);
        }
        let (owner, name, multiaddr, checksum) = tokio::try_join!(
            self.owner_of(dataset),
            self.entry(dataset, Entry::m_datasetNameCall {}),
            self.entry(dataset, Entry::m_datasetMultiaddrCall {}),
            self.entry(dataset, Entry::m_datasetChecksumCall {}),
        )?;
        Ok(Some(DatasetInfo {
            address: dataset,
            owner,
            name,
            multiaddr,
            checksum,
        }))
    }

    /// A workerpool; none when it is not registered.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn workerpool(&self, pool: Address) -> Result<Option<WorkerpoolInfo>, Error> {
        if !self.is_registered(Asset::Workerpool, pool).await? {
            return Ok(None);
        }
        let (owner, description, worker_stake_ratio, scheduler_reward_ratio) = tokio::try_join!(
            self.owner_of(pool),
            self.entry(pool, Entry::m_workerpoolDescriptionCall {}),
            self.entry(pool, Entry::m_workerStakeRatioPolicyCall {}),
            self.entry(pool, Entry::m_schedulerRewardRatioPolicyCall {}),
        )?;
        Ok(Some(WorkerpoolInfo {
            address: pool,
            owner,
            description,
            worker_stake_ratio,
            scheduler_reward_ratio,
        }))
    }

    /// How many assets of that kind an owner has.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn asset_count(&self, asset: Asset, owner: Address) -> Result<u64, Error> {
        let count = self
            .entry(self.registry(asset), Registry::balanceOfCall { owner })
            .await?;
        Ok(convert::small(count))
    }

    /// The owner's asset number `index`, from 0.
    ///
    /// # Errors
    /// As [`Hub::deal`]; [`Error::Reverted`] when there is no such index.
    pub async fn asset_at(
        &self,
        asset: Asset,
        owner: Address,
        index: u64,
    ) -> Result<Address, Error> {
        let call = Registry::tokenOfOwnerByIndexCall {
            owner,
            index: U256::from(index),
        };
        Ok(convert::entry(
            self.entry(self.registry(asset), call).await?,
        ))
    }

    /// The address a new asset will have: the same content and owner give the same address.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn predict(&self, asset: &NewAsset) -> Result<Address, Error> {
        let to = self.registry(asset.kind());
        let answer = ask_raw(&self.0.provider, to, asset.predict_call(), "predict").await?;
        if answer.len() != 32 {
            return Err(Error::Answer {
                what: "predict",
                to,
            });
        }
        Ok(Address::from_word(B256::from_slice(&answer)))
    }

    /// Who may create categories and change the hub's configuration.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn owner(&self) -> Result<Address, Error> {
        self.ask(Abi::ownerCall {}).await
    }

    /// nRLC of `account`'s deposit that `spender` may move.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn allowance(&self, account: Address, spender: Address) -> Result<U256, Error> {
        self.ask(Abi::allowanceCall { account, spender }).await
    }

    /// RLC in a wallet (not deposited), in nRLC; in native mode the whole nRLC of its coin.
    ///
    /// # Errors
    /// As [`Hub::deal`].
    pub async fn rlc_balance(&self, account: Address) -> Result<U256, Error> {
        if self.is_native() {
            return Ok(self.gas_balance(account).await? / U256::from(WEI_PER_NRLC));
        }
        self.entry(self.token(), Token::balanceOfCall { account })
            .await
    }

    /// Whether there is a contract at an address, and not a wallet.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn is_contract(&self, address: Address) -> Result<bool, Error> {
        let code = self.0.provider.get_code_at(address).await;
        let code = code.map_err(|e| Error::from_transport("eth_getCode", e))?;
        Ok(!code.is_empty())
    }

    /// The chain's coin in a wallet, in wei.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn gas_balance(&self, account: Address) -> Result<U256, Error> {
        let balance = self.0.provider.get_balance(account).await;
        balance.map_err(|e| Error::from_transport("eth_getBalance", e))
    }
}

/// Calls a view function at the newest block.
pub(crate) async fn read<C: SolCall>(
    provider: &DynProvider,
    to: Address,
    call: C,
) -> Result<C::Return, Error> {
    let answer = ask_raw(provider, to, call.abi_encode(), C::SIGNATURE).await?;
    C::abi_decode_returns(&answer).map_err(|_| Error::Answer {
        what: C::SIGNATURE,
        to,
    })
}

async fn ask_raw(
    provider: &DynProvider,
    to: Address,
    data: Vec<u8>,
    what: &'static str,
) -> Result<Bytes, Error> {
    let request = TransactionRequest::default().with_to(to).with_input(data);
    provider
        .call(request)
        .await
        .map_err(|e| Error::from_transport(what, e))
}
