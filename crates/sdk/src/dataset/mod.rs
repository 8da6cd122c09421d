//! What only datasets have: an encrypted file, and the key that workers get to open it
//! (spec/client.md §1.4, §4.8).

mod key;

pub mod cipher;
pub mod probe;
#[cfg(test)]
mod vectors;

use chain::{Actor, Asset, DatasetInfo, NewAsset, Receipt};
use protocol::{Address, B256, Bytes, Tag, U256, order::DatasetOrder};

pub use key::Key;

use crate::{
    Client, Error,
    asset::{self, Info},
    files::iexec_json::DatasetSection,
    services::sms,
};

/// Registers the dataset; its address comes back.
///
/// # Errors
/// As [`asset::deploy`].
pub async fn deploy(actor: &Actor, section: &DatasetSection) -> Result<(Address, Receipt), Error> {
    let new = NewAsset::Dataset {
        owner: section.owner.unwrap_or_else(|| actor.address()),
        name: section.name.clone(),
        multiaddr: Bytes::from(protocol::multiaddr::encode(&section.multiaddr)),
        checksum: section.checksum,
    };
    asset::deploy(actor, &new).await
}

/// The dataset at `address`.
///
/// # Errors
/// As [`asset::show`].
pub async fn show(client: &Client, address: Address) -> Result<DatasetInfo, Error> {
    match asset::show(client, Asset::Dataset, address).await? {
        Info::Dataset(info) => Ok(info),
        _ => Err(client.not_found("dataset", address)),
    }
}

/// What a dataset's owner asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// nRLC a use.
    pub price: U256,
    /// Uses.
    pub volume: U256,
    /// What the machine needs to be given the dataset.
    pub tag: Tag,
    /// Only with this app; zero for any.
    pub app: Address,
    /// Only on this workerpool; zero for any.
    pub workerpool: Address,
    /// Only for this requester; zero for anybody.
    pub requester: Address,
}

impl Offer {
    /// Uses offered when nothing is said.
    pub const VOLUME: u64 = 1_000_000;
}

impl asset::Offer for Offer {
    type Order = DatasetOrder;

    const ASSET: Asset = Asset::Dataset;

    fn order(&self, dataset: Address, salt: B256) -> DatasetOrder {
        DatasetOrder {
            dataset,
            datasetprice: self.price,
            volume: self.volume,
            tag: self.tag,
            apprestrict: self.app,
            workerpoolrestrict: self.workerpool,
            requesterrestrict: self.requester,
            salt,
        }
    }
}

/// Whether the dataset's key is in the SMS.
///
/// # Errors
/// [`Error::Api`].
pub async fn has_key(client: &Client, dataset: Address) -> Result<bool, Error> {
    sms::has_dataset_key(client, dataset).await
}

/// Stores the key that confidential tasks open the wallet's own dataset with. It can be set once.
///
/// # Errors
/// [`Error::NotOwner`], [`Error::NotFound`], [`Error::SecretExists`], [`Error::Api`],
/// [`Error::Chain`].
pub async fn push_key(
    client: &Client,
    actor: &Actor,
    dataset: Address,
    key: &Key,
) -> Result<(), Error> {
    asset::check_owner(client, actor, Asset::Dataset, dataset, "set its key").await?;
    sms::push_dataset_key(client, actor.wallet(), dataset, &key.to_text()).await
}
