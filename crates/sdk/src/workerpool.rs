//! What only workerpools have: orders for computing, and an API where tasks can be followed
//! (spec/client.md §1.4).

use chain::{Actor, Asset, NewAsset, Receipt, WorkerpoolInfo};
use protocol::{Address, B256, Tag, U256, order::WorkerpoolOrder};

use crate::{
    Client, Error,
    asset::{self, Info},
    files::iexec_json::WorkerpoolSection,
};

/// Registers the workerpool; its address comes back.
///
/// # Errors
/// As [`asset::deploy`].
pub async fn deploy(
    actor: &Actor,
    section: &WorkerpoolSection,
) -> Result<(Address, Receipt), Error> {
    let new = NewAsset::Workerpool {
        owner: section.owner.unwrap_or_else(|| actor.address()),
        description: section.description.clone(),
    };
    asset::deploy(actor, &new).await
}

/// The workerpool at `address`.
///
/// # Errors
/// As [`asset::show`].
pub async fn show(client: &Client, address: Address) -> Result<WorkerpoolInfo, Error> {
    match asset::show(client, Asset::Workerpool, address).await? {
        Info::Workerpool(info) => Ok(info),
        _ => Err(client.not_found("workerpool", address)),
    }
}

/// What a workerpool's owner asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// nRLC a task.
    pub price: U256,
    /// Tasks.
    pub volume: U256,
    /// What its workers can do.
    pub tag: Tag,
    /// How long a task may take.
    pub category: U256,
    /// How sure a result is.
    pub trust: U256,
    /// Only with this app; zero for any.
    pub app: Address,
    /// Only with this dataset; zero for any.
    pub dataset: Address,
    /// Only for this requester; zero for anybody.
    pub requester: Address,
}

impl Offer {
    /// Tasks offered when nothing is said.
    pub const VOLUME: u64 = 1;
}

impl asset::Offer for Offer {
    type Order = WorkerpoolOrder;

    const ASSET: Asset = Asset::Workerpool;

    fn order(&self, workerpool: Address, salt: B256) -> WorkerpoolOrder {
        WorkerpoolOrder {
            workerpool,
            workerpoolprice: self.price,
            volume: self.volume,
            tag: self.tag,
            category: self.category,
            trust: self.trust,
            apprestrict: self.app,
            datasetrestrict: self.dataset,
            requesterrestrict: self.requester,
            salt,
        }
    }
}

/// What can be known of an order before it is published: the category must exist, or nobody can
/// match it.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Chain`].
pub async fn preflight(client: &Client, offer: &Offer) -> Result<(), Error> {
    let missing = || client.not_found("category", offer.category);
    let id = offer.category.try_into().map_err(|_| missing())?;
    let category = client.hub().category(id).await;
    let category = category.map_err(Error::chain("read the category"))?;
    category.map(|_| ()).ok_or_else(missing)
}
