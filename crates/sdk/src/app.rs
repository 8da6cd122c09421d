//! Apps: deploying, showing, publishing (spec/client.md §1.4).

use chain::{Actor, AppInfo, Asset, NewAsset, Receipt};
use protocol::{
    Address, B256, Bytes, OrderHash, Tag, U256,
    order::{AppOrder, Kind, Signed},
};

use crate::{Client, Error, files::iexec_json::AppSection, image::Pinned, services::market};

/// Registers the app with the pinned image; its address comes back.
///
/// # Errors
/// [`Error::AlreadyDeployed`] before anything is sent, [`Error::Chain`].
pub async fn deploy(
    actor: &Actor,
    section: &AppSection,
    image: &Pinned,
) -> Result<(Address, Receipt), Error> {
    let asset = NewAsset::App {
        owner: section.owner.unwrap_or_else(|| actor.address()),
        name: section.name.clone(),
        kind: section.kind.clone(),
        multiaddr: Bytes::from(protocol::multiaddr::encode(&image.multiaddr)),
        checksum: image.checksum,
        mrenclave: Bytes::from(section.mrenclave.clone()),
    };
    let hub = actor.hub();
    let address = hub
        .predict(&asset)
        .await
        .map_err(Error::chain("predict the app's address"))?;
    let exists = hub.is_registered(Asset::App, address).await;
    if exists.map_err(Error::chain("look the app up"))? {
        return Err(Error::AlreadyDeployed {
            kind: "app",
            address,
        });
    }
    actor
        .create(&asset)
        .await
        .map_err(Error::chain("deploy the app"))
}

/// The app at `address`.
///
/// # Errors
/// [`Error::NotFound`] when nothing is registered there, [`Error::Chain`].
pub async fn show(client: &Client, address: Address) -> Result<AppInfo, Error> {
    let app = client
        .hub()
        .app(address)
        .await
        .map_err(Error::chain("read the app"))?;
    app.ok_or_else(|| client.not_found("app", address))
}

/// The address of the `index`-th app of `owner`.
///
/// # Errors
/// [`Error::NotFound`] when the owner has fewer, [`Error::Chain`].
pub async fn at_index(client: &Client, owner: Address, index: u64) -> Result<Address, Error> {
    if index >= count(client, owner).await? {
        return Err(client.not_found("app", format!("{index} of {owner}")));
    }
    let address = client.hub().asset_at(Asset::App, owner, index).await;
    address.map_err(Error::chain("read the list of apps"))
}

/// How many apps `owner` has.
///
/// # Errors
/// [`Error::Chain`].
pub async fn count(client: &Client, owner: Address) -> Result<u64, Error> {
    let count = client.hub().asset_count(Asset::App, owner).await;
    count.map_err(Error::chain("count the apps"))
}

/// What an app's owner asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// nRLC a run.
    pub price: U256,
    /// Runs.
    pub volume: U256,
    /// What the app needs of the machine.
    pub tag: Tag,
    /// Only with this dataset; zero for any.
    pub dataset: Address,
    /// Only on this workerpool; zero for any.
    pub workerpool: Address,
    /// Only for this requester; zero for anybody.
    pub requester: Address,
}

impl Offer {
    /// Runs offered when nothing is said.
    pub const VOLUME: u64 = 1_000_000;

    /// Free for everybody.
    pub fn free() -> Self {
        Self {
            price: U256::ZERO,
            volume: U256::from(Self::VOLUME),
            tag: Tag::NONE,
            dataset: Address::ZERO,
            workerpool: Address::ZERO,
            requester: Address::ZERO,
        }
    }

    /// The order for `app`; `salt` makes equal offers distinct.
    pub fn order(&self, app: Address, salt: B256) -> AppOrder {
        AppOrder {
            app,
            appprice: self.price,
            volume: self.volume,
            tag: self.tag,
            datasetrestrict: self.dataset,
            workerpoolrestrict: self.workerpool,
            requesterrestrict: self.requester,
            salt,
        }
    }
}

/// Signs an offer of the wallet's own app and publishes it.
///
/// # Errors
/// [`Error::NotOwner`], [`Error::NotFound`], [`Error::Api`], [`Error::Chain`].
pub async fn publish(
    client: &Client,
    actor: &Actor,
    app: Address,
    offer: &Offer,
) -> Result<OrderHash, Error> {
    let info = show(client, app).await?;
    owned(&info, actor.address(), "publish orders for it")?;
    let order = sign(actor, offer.order(app, crate::salt()))?;
    market::publish(client, actor.wallet(), &order).await
}

/// Takes published offers of an app back: the last, or all.
///
/// # Errors
/// [`Error::Api`].
pub async fn unpublish(
    client: &Client,
    actor: &Actor,
    app: Address,
    all: bool,
) -> Result<Vec<OrderHash>, Error> {
    market::unpublish(client, actor.wallet(), Kind::App, app, all).await
}

pub(crate) fn sign<O: protocol::order::Order>(actor: &Actor, order: O) -> Result<Signed<O>, Error> {
    actor
        .wallet()
        .sign_order(order, actor.hub().domain())
        .map_err(Error::chain("sign the order"))
}

fn owned(app: &AppInfo, wallet: Address, action: &'static str) -> Result<(), Error> {
    let (address, owner) = (app.address, app.owner);
    match owner == wallet {
        true => Ok(()),
        false => Err(Error::NotOwner {
            kind: "app",
            address,
            owner,
            action,
        }),
    }
}
