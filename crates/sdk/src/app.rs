//! What only apps have: an image, and a secret of their developer (spec/client.md §1.4).

use chain::{Actor, AppInfo, Asset, NewAsset, Receipt};
use protocol::{Address, B256, Bytes, OrderHash, Tag, U256, order::AppOrder};

use crate::{
    Client, Error,
    asset::{self, Info},
    files::iexec_json::AppSection,
    image::Pinned,
    services::sms,
};

/// Registers the app with the pinned image; its address comes back.
///
/// # Errors
/// As [`asset::deploy`].
pub async fn deploy(
    actor: &Actor,
    section: &AppSection,
    image: &Pinned,
) -> Result<(Address, Receipt), Error> {
    let new = NewAsset::App {
        owner: section.owner.unwrap_or_else(|| actor.address()),
        name: section.name.clone(),
        kind: section.kind.clone(),
        multiaddr: Bytes::from(protocol::multiaddr::encode(&image.multiaddr)),
        checksum: image.checksum,
        mrenclave: Bytes::from(section.mrenclave.clone()),
    };
    asset::deploy(actor, &new).await
}

/// The app at `address`.
///
/// # Errors
/// As [`asset::show`].
pub async fn show(client: &Client, address: Address) -> Result<AppInfo, Error> {
    match asset::show(client, Asset::App, address).await? {
        Info::App(info) => Ok(info),
        _ => Err(client.not_found("app", address)),
    }
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

impl asset::Offer for Offer {
    type Order = AppOrder;

    const ASSET: Asset = Asset::App;

    fn order(&self, subject: Address, salt: B256) -> AppOrder {
        self.order(subject, salt)
    }
}

/// Signs an offer of the wallet's own app and publishes it.
///
/// # Errors
/// As [`asset::publish`].
pub async fn publish(
    client: &Client,
    actor: &Actor,
    app: Address,
    offer: &Offer,
) -> Result<OrderHash, Error> {
    asset::publish(client, actor, app, offer).await
}

/// Whether the app has a secret of its developer.
///
/// # Errors
/// [`Error::Api`].
pub async fn has_secret(client: &Client, app: Address) -> Result<bool, Error> {
    sms::has_app_secret(client, app).await
}

/// Stores the secret that confidential runs of the wallet's own app get. It can be set once.
///
/// # Errors
/// [`Error::NotOwner`], [`Error::NotFound`], [`Error::SecretExists`], [`Error::Api`],
/// [`Error::Chain`].
pub async fn push_secret(
    client: &Client,
    actor: &Actor,
    app: Address,
    value: &str,
) -> Result<(), Error> {
    asset::check_owner(client, actor, Asset::App, app, "set its secret").await?;
    sms::push_app_secret(client, actor.wallet(), app, value).await
}
