//! The four orders, their hashes and their official JSON (spec/contracts.md §3–4,
//! spec/client.md §4.2). This is where an order is hashed.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{Eip712Domain, SolStruct};
use serde::{Deserialize, Serialize};

use crate::{OrderHash, Tag, json};

mod typed {
    //! The EIP-712 types: field names and order are the hash, so they are never renamed.
    alloy_sol_types::sol! {
        #[allow(missing_docs)]
        struct AppOrder {
            address app; uint256 appprice; uint256 volume; bytes32 tag; address datasetrestrict;
            address workerpoolrestrict; address requesterrestrict; bytes32 salt;
        }
        #[allow(missing_docs)]
        struct DatasetOrder {
            address dataset; uint256 datasetprice; uint256 volume; bytes32 tag;
            address apprestrict; address workerpoolrestrict; address requesterrestrict;
            bytes32 salt;
        }
        #[allow(missing_docs)]
        struct WorkerpoolOrder {
            address workerpool; uint256 workerpoolprice; uint256 volume; bytes32 tag;
            uint256 category; uint256 trust; address apprestrict; address datasetrestrict;
            address requesterrestrict; bytes32 salt;
        }
        #[allow(missing_docs)]
        struct RequestOrder {
            address app; uint256 appmaxprice; address dataset; uint256 datasetmaxprice;
            address workerpool; uint256 workerpoolmaxprice; address requester; uint256 volume;
            bytes32 tag; uint256 category; uint256 trust; address beneficiary; address callback;
            string params; bytes32 salt;
        }
    }
}

/// The signing domain of the hub at `hub` on `chain_id`: name `iExecODB`, version `5.0.0`.
pub fn domain(chain_id: u64, hub: Address) -> Eip712Domain {
    Eip712Domain::new(
        Some("iExecODB".into()),
        Some("5.0.0".into()),
        Some(U256::from(chain_id)),
        Some(hub),
        None,
    )
}

/// Which of the four kinds an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Sells runs of an app.
    App,
    /// Sells uses of a dataset.
    Dataset,
    /// Sells tasks' worth of computing.
    Workerpool,
    /// Asks for an execution.
    Request,
}

impl Kind {
    /// All four, in the order of `matchOrders`.
    pub const ALL: [Self; 4] = [Self::App, Self::Dataset, Self::Workerpool, Self::Request];

    /// `app`, `dataset`, `workerpool` or `request`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Dataset => "dataset",
            Self::Workerpool => "workerpool",
            Self::Request => "request",
        }
    }
}

/// What the four orders have in common.
pub trait Order: Clone + Serialize + for<'de> Deserialize<'de> + Send + Sync + 'static {
    /// Which kind it is.
    const KIND: Kind;
    /// The EIP-712 digest under `domain`: the order's id everywhere.
    fn hash(&self, domain: &Eip712Domain) -> OrderHash;
    /// How many tasks it is good for.
    fn volume(&self) -> U256;
    /// What it asks or offers.
    fn tag(&self) -> Tag;
    /// The resource it speaks of: app, dataset or workerpool; for a request, the requester.
    fn subject(&self) -> Address;
}

/// An order with its signature, as published and matched. JSON: the order's fields and `sign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed<O> {
    /// What was signed.
    #[serde(flatten)]
    pub order: O,
    /// 65 bytes of an EOA, any length for a contract wallet, empty when presigned on chain.
    pub sign: Bytes,
}

macro_rules! order {
    (
        $(#[$doc:meta])* $name:ident, $kind:ident, subject $subject:ident,
        { $($(#[$attr:meta])* $field:ident: $type:ty => $conv:ident,)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $name {
            $($(#[$attr])* pub $field: $type,)*
        }

        impl Order for $name {
            const KIND: Kind = Kind::$kind;

            fn hash(&self, domain: &Eip712Domain) -> OrderHash {
                let typed = typed::$name { $($field: order!(@$conv self.$field),)* };
                OrderHash(typed.eip712_signing_hash(domain))
            }
            fn volume(&self) -> U256 {
                self.volume
            }
            fn tag(&self) -> Tag {
                self.tag
            }
            fn subject(&self) -> Address {
                self.$subject
            }
        }
    };
    (@same $($value:tt)*) => { $($value)* };
    (@tag $($value:tt)*) => { $($value)*.0 };
    (@text $($value:tt)*) => { $($value)*.clone() };
}

order! {
    /// Sells up to `volume` runs of an app. Prices are nRLC; a zero restriction means anybody.
    AppOrder, App, subject app, {
        /// The app.
        #[serde(with = "json::checksummed")] app: Address => same,
        /// nRLC a task.
        #[serde(with = "json::decimal")] appprice: U256 => same,
        /// Tasks.
        #[serde(with = "json::decimal")] volume: U256 => same,
        /// What the app needs of the machine.
        tag: Tag => tag,
        /// Only with this dataset.
        #[serde(with = "json::checksummed")] datasetrestrict: Address => same,
        /// Only on this workerpool.
        #[serde(with = "json::checksummed")] workerpoolrestrict: Address => same,
        /// Only for this requester.
        #[serde(with = "json::checksummed")] requesterrestrict: Address => same,
        /// Makes equal orders distinct.
        salt: B256 => same,
    }
}

order! {
    /// Sells up to `volume` uses of a dataset. Prices are nRLC; a zero restriction means anybody.
    DatasetOrder, Dataset, subject dataset, {
        /// The dataset.
        #[serde(with = "json::checksummed")] dataset: Address => same,
        /// nRLC a task.
        #[serde(with = "json::decimal")] datasetprice: U256 => same,
        /// Tasks.
        #[serde(with = "json::decimal")] volume: U256 => same,
        /// What the dataset asks of the machine.
        tag: Tag => tag,
        /// Only by this app.
        #[serde(with = "json::checksummed")] apprestrict: Address => same,
        /// Only on this workerpool.
        #[serde(with = "json::checksummed")] workerpoolrestrict: Address => same,
        /// Only for this requester.
        #[serde(with = "json::checksummed")] requesterrestrict: Address => same,
        /// Makes equal orders distinct.
        salt: B256 => same,
    }
}

order! {
    /// Sells up to `volume` tasks of a workerpool. Prices are nRLC; a zero restriction means
    /// anybody.
    WorkerpoolOrder, Workerpool, subject workerpool, {
        /// The workerpool.
        #[serde(with = "json::checksummed")] workerpool: Address => same,
        /// nRLC a task.
        #[serde(with = "json::decimal")] workerpoolprice: U256 => same,
        /// Tasks.
        #[serde(with = "json::decimal")] volume: U256 => same,
        /// What the machines offer.
        tag: Tag => tag,
        /// How long a task may take.
        #[serde(with = "json::decimal")] category: U256 => same,
        /// The highest trust served.
        #[serde(with = "json::decimal")] trust: U256 => same,
        /// Only this app.
        #[serde(with = "json::checksummed")] apprestrict: Address => same,
        /// Only with this dataset.
        #[serde(with = "json::checksummed")] datasetrestrict: Address => same,
        /// Only for this requester.
        #[serde(with = "json::checksummed")] requesterrestrict: Address => same,
        /// Makes equal orders distinct.
        salt: B256 => same,
    }
}

order! {
    /// Asks for `volume` runs of an app, paying at most the given prices (nRLC a task).
    RequestOrder, Request, subject requester, {
        /// The app to run.
        #[serde(with = "json::checksummed")] app: Address => same,
        /// nRLC a task.
        #[serde(with = "json::decimal")] appmaxprice: U256 => same,
        /// The dataset, or zero.
        #[serde(with = "json::checksummed")] dataset: Address => same,
        /// nRLC a task.
        #[serde(with = "json::decimal")] datasetmaxprice: U256 => same,
        /// The workerpool, or zero for any.
        #[serde(with = "json::checksummed")] workerpool: Address => same,
        /// nRLC a task.
        #[serde(with = "json::decimal")] workerpoolmaxprice: U256 => same,
        /// Who asks and pays.
        #[serde(with = "json::checksummed")] requester: Address => same,
        /// Tasks: more than one is a bag of tasks.
        #[serde(with = "json::decimal")] volume: U256 => same,
        /// What the request asks of the machine.
        tag: Tag => tag,
        /// How long a task may take.
        #[serde(with = "json::decimal")] category: U256 => same,
        /// How sure the result must be; 0 and 1 are one worker's word.
        #[serde(with = "json::decimal")] trust: U256 => same,
        /// Who may decrypt the result.
        #[serde(with = "json::checksummed")] beneficiary: Address => same,
        /// The contract to call with the result, or zero.
        #[serde(with = "json::checksummed")] callback: Address => same,
        /// Deal parameters, a JSON text; hashed as it stands, so it is never re-serialised.
        params: String => text,
        /// Makes equal orders distinct.
        salt: B256 => same,
    }
}

impl<O: Order> Signed<O> {
    /// The order's id; the signature is not part of it.
    pub fn hash(&self, domain: &Eip712Domain) -> OrderHash {
        self.order.hash(domain)
    }
}

/// The least volume of a dataset order that may be used in a bulk: one below the largest integer
/// that JavaScript counts exactly (spec/client.md §4.6).
pub const BULK_VOLUME_MIN: u64 = (1 << 53) - 2;

impl DatasetOrder {
    /// Whether its owner gives the dataset away without counting: no task of a bulk is matched with
    /// the order, so nothing would be paid, and nothing used up.
    pub fn is_for_bulk(&self) -> bool {
        self.datasetprice.is_zero() && self.volume >= U256::from(BULK_VOLUME_MIN)
    }
}

impl Signed<DatasetOrder> {
    /// The stand-in for "no dataset" that `matchOrders` wants: all zero, unsigned.
    pub fn none() -> Self {
        let order = DatasetOrder {
            dataset: Address::ZERO,
            datasetprice: U256::ZERO,
            volume: U256::ZERO,
            tag: Tag::NONE,
            apprestrict: Address::ZERO,
            workerpoolrestrict: Address::ZERO,
            requesterrestrict: Address::ZERO,
            salt: B256::ZERO,
        };
        Self {
            order,
            sign: Bytes::new(),
        }
    }
}

#[cfg(test)]
mod tests;
