//! What apps, datasets and workerpools have in common: each is an entry of a registry, owned by
//! somebody, and sold by published orders (spec/client.md §1.4). What is special to one kind is in
//! [`crate::app`], [`crate::dataset`] and [`crate::workerpool`].

use chain::{Actor, AppInfo, Asset, DatasetInfo, NewAsset, Receipt, WorkerpoolInfo};
use protocol::{
    Address, B256, OrderHash,
    order::{Kind, Order, Signed},
};

use crate::{Client, Error, services::market};

/// An asset as it is on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Info {
    /// An app.
    App(AppInfo),
    /// A dataset.
    Dataset(DatasetInfo),
    /// A workerpool.
    Workerpool(WorkerpoolInfo),
}

impl Info {
    /// Its present owner.
    pub const fn owner(&self) -> Address {
        match self {
            Self::App(info) => info.owner,
            Self::Dataset(info) => info.owner,
            Self::Workerpool(info) => info.owner,
        }
    }
}

/// What the owner of an asset asks for its use: everything of an order but the asset itself.
pub trait Offer {
    /// The order it becomes.
    type Order: Order;

    /// The kind of asset it sells.
    const ASSET: Asset;

    /// The order for `subject`; `salt` makes equal offers distinct.
    fn order(&self, subject: Address, salt: B256) -> Self::Order;
}

/// The book where orders of an asset are published.
pub const fn book(asset: Asset) -> Kind {
    match asset {
        Asset::App => Kind::App,
        Asset::Dataset => Kind::Dataset,
        Asset::Workerpool => Kind::Workerpool,
    }
}

/// Registers an asset; its address comes back. Anybody may register for any owner.
///
/// # Errors
/// [`Error::AlreadyDeployed`] before anything is sent, [`Error::Chain`].
pub async fn deploy(actor: &Actor, new: &NewAsset) -> Result<(Address, Receipt), Error> {
    let (hub, kind) = (actor.hub(), new.kind());
    let address = hub.predict(new).await;
    let address = address.map_err(Error::chain("predict the address"))?;
    if is_registered(hub, kind, address).await? {
        let kind = kind.name();
        return Err(Error::AlreadyDeployed { kind, address });
    }
    actor.create(new).await.map_err(Error::chain("deploy"))
}

/// The asset at `address`.
///
/// # Errors
/// [`Error::NotFound`] when none of this kind is registered there, [`Error::Chain`].
pub async fn show(client: &Client, asset: Asset, address: Address) -> Result<Info, Error> {
    let hub = client.hub();
    let found = match asset {
        Asset::App => hub.app(address).await.map(|found| found.map(Info::App)),
        Asset::Dataset => hub
            .dataset(address)
            .await
            .map(|found| found.map(Info::Dataset)),
        Asset::Workerpool => hub
            .workerpool(address)
            .await
            .map(|found| found.map(Info::Workerpool)),
    };
    let found = found.map_err(Error::chain("read the registry"))?;
    found.ok_or_else(|| client.not_found(asset.name(), address))
}

/// The address of the `index`-th asset of `owner`, from 0.
///
/// # Errors
/// [`Error::NoSuchIndex`] when the owner has fewer, [`Error::Chain`].
pub async fn at_index(
    client: &Client,
    asset: Asset,
    owner: Address,
    index: u64,
) -> Result<Address, Error> {
    if index >= count(client, asset, owner).await? {
        let kind = asset.name();
        return Err(Error::NoSuchIndex { kind, index, owner });
    }
    let address = client.hub().asset_at(asset, owner, index).await;
    address.map_err(Error::chain("read the owner's list"))
}

/// How many assets of this kind `owner` has.
///
/// # Errors
/// [`Error::Chain`].
pub async fn count(client: &Client, asset: Asset, owner: Address) -> Result<u64, Error> {
    let count = client.hub().asset_count(asset, owner).await;
    count.map_err(Error::chain("count the owner's entries"))
}

/// Signs an offer of the wallet's own asset and publishes it.
///
/// # Errors
/// [`Error::NotOwner`], [`Error::NotFound`], [`Error::Api`], [`Error::Chain`].
pub async fn publish<O: Offer>(
    client: &Client,
    actor: &Actor,
    address: Address,
    offer: &O,
) -> Result<OrderHash, Error> {
    check_owner(client, actor, O::ASSET, address, "publish orders for it").await?;
    let order = sign(actor, offer.order(address, crate::salt()))?;
    market::publish(client, actor.wallet(), &order).await
}

/// Takes the wallet's published offers of an asset back: the last, or all. Their hashes come back.
///
/// # Errors
/// [`Error::MarketRefused`] when nothing was published (spec/market-explorer.md §7);
/// [`Error::Api`].
pub async fn unpublish(
    client: &Client,
    actor: &Actor,
    asset: Asset,
    address: Address,
    all: bool,
) -> Result<Vec<OrderHash>, Error> {
    market::unpublish(client, actor.wallet(), book(asset), address, all).await
}

/// Gives the wallet's own asset to somebody else, for good. Orders that its former owner signed
/// can no longer be matched.
///
/// # Errors
/// [`Error::NotOwner`], [`Error::NotFound`] and [`Error::Invalid`] before anything is sent;
/// [`Error::Chain`], also when `to` is a contract that does not take assets.
pub async fn transfer(
    client: &Client,
    actor: &Actor,
    asset: Asset,
    address: Address,
    to: Address,
) -> Result<Receipt, Error> {
    if to.is_zero() {
        return Err(Error::invalid("--to", "nobody has the zero address"));
    }
    check_owner(client, actor, asset, address, "transfer it").await?;
    let receipt = actor.transfer_asset(asset, address, to).await;
    receipt.map_err(Error::chain("transfer"))
}

/// Whether the asset is registered and the wallet's own; `action` says what for.
///
/// # Errors
/// [`Error::NotOwner`], [`Error::NotFound`], [`Error::Chain`].
pub async fn check_owner(
    client: &Client,
    actor: &Actor,
    asset: Asset,
    address: Address,
    action: &'static str,
) -> Result<(), Error> {
    if !is_registered(client.hub(), asset, address).await? {
        let kind = asset.name();
        return Err(Error::NotDeployed { kind, address });
    }
    let owner = client.hub().owner_of(address).await;
    let owner = owner.map_err(Error::chain("read the owner"))?;
    if owner == actor.address() {
        return Ok(());
    }
    Err(Error::NotOwner {
        kind: asset.name(),
        address,
        owner,
        action,
    })
}

/// Signs an order with the actor's wallet.
pub(crate) fn sign<O: Order>(actor: &Actor, order: O) -> Result<Signed<O>, Error> {
    actor
        .wallet()
        .sign_order(order, actor.hub().domain())
        .map_err(Error::chain("sign the order"))
}

async fn is_registered(hub: &chain::Hub, asset: Asset, address: Address) -> Result<bool, Error> {
    let is_registered = hub.is_registered(asset, address).await;
    is_registered.map_err(Error::chain("look it up in the registry"))
}
