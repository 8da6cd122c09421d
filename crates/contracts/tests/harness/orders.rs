//! Orders as wallets sign them, independently of the contracts.
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::{Eip712Domain, SolStruct, eip712_domain};
use contracts::Hub;

use super::chain::CHAIN_ID;

/// The signed parts of the orders: the bindings carry the signature inside.
pub(crate) mod typed {
    alloy::sol! {
        struct AppOrder {
            address app; uint256 appprice; uint256 volume; bytes32 tag; address datasetrestrict;
            address workerpoolrestrict; address requesterrestrict; bytes32 salt;
        }
        struct DatasetOrder {
            address dataset; uint256 datasetprice; uint256 volume; bytes32 tag; address apprestrict;
            address workerpoolrestrict; address requesterrestrict; bytes32 salt;
        }
        struct WorkerpoolOrder {
            address workerpool; uint256 workerpoolprice; uint256 volume; bytes32 tag;
            uint256 category; uint256 trust; address apprestrict; address datasetrestrict;
            address requesterrestrict; bytes32 salt;
        }
        struct RequestOrder {
            address app; uint256 appmaxprice; address dataset; uint256 datasetmaxprice;
            address workerpool; uint256 workerpoolmaxprice; address requester; uint256 volume;
            bytes32 tag; uint256 category; uint256 trust; address beneficiary; address callback;
            string params; bytes32 salt;
        }
        struct AppOrderOperation { AppOrder order; uint256 operation; }
        struct DatasetOrderOperation { DatasetOrder order; uint256 operation; }
        struct WorkerpoolOrderOperation { WorkerpoolOrder order; uint256 operation; }
        struct RequestOrderOperation { RequestOrder order; uint256 operation; }
    }
}

pub(crate) fn domain(hub: Address) -> Eip712Domain {
    eip712_domain! {
        name: "iExecODB", version: "5.0.0", chain_id: CHAIN_ID, verifying_contract: hub,
    }
}

/// An order of the bindings, seen as what its owner signs.
pub(crate) trait Order {
    type Typed: SolStruct;

    fn typed(&self) -> Self::Typed;
    fn sign(&mut self, signature: Bytes);

    fn hash(&self, hub: Address) -> B256 {
        self.typed().eip712_signing_hash(&domain(hub))
    }
}

impl Order for Hub::AppOrder {
    type Typed = typed::AppOrder;

    fn typed(&self) -> typed::AppOrder {
        typed::AppOrder {
            app: self.app,
            appprice: self.appprice,
            volume: self.volume,
            tag: self.tag,
            datasetrestrict: self.datasetrestrict,
            workerpoolrestrict: self.workerpoolrestrict,
            requesterrestrict: self.requesterrestrict,
            salt: self.salt,
        }
    }

    fn sign(&mut self, signature: Bytes) {
        self.sign = signature;
    }
}

impl Order for Hub::DatasetOrder {
    type Typed = typed::DatasetOrder;

    fn typed(&self) -> typed::DatasetOrder {
        typed::DatasetOrder {
            dataset: self.dataset,
            datasetprice: self.datasetprice,
            volume: self.volume,
            tag: self.tag,
            apprestrict: self.apprestrict,
            workerpoolrestrict: self.workerpoolrestrict,
            requesterrestrict: self.requesterrestrict,
            salt: self.salt,
        }
    }

    fn sign(&mut self, signature: Bytes) {
        self.sign = signature;
    }
}

impl Order for Hub::WorkerpoolOrder {
    type Typed = typed::WorkerpoolOrder;

    fn typed(&self) -> typed::WorkerpoolOrder {
        typed::WorkerpoolOrder {
            workerpool: self.workerpool,
            workerpoolprice: self.workerpoolprice,
            volume: self.volume,
            tag: self.tag,
            category: self.category,
            trust: self.trust,
            apprestrict: self.apprestrict,
            datasetrestrict: self.datasetrestrict,
            requesterrestrict: self.requesterrestrict,
            salt: self.salt,
        }
    }

    fn sign(&mut self, signature: Bytes) {
        self.sign = signature;
    }
}

impl Order for Hub::RequestOrder {
    type Typed = typed::RequestOrder;

    fn typed(&self) -> typed::RequestOrder {
        typed::RequestOrder {
            app: self.app,
            appmaxprice: self.appmaxprice,
            dataset: self.dataset,
            datasetmaxprice: self.datasetmaxprice,
            workerpool: self.workerpool,
            workerpoolmaxprice: self.workerpoolmaxprice,
            requester: self.requester,
            volume: self.volume,
            tag: self.tag,
            category: self.category,
            trust: self.trust,
            beneficiary: self.beneficiary,
            callback: self.callback,
            params: self.params.clone(),
            salt: self.salt,
        }
    }

    fn sign(&mut self, signature: Bytes) {
        self.sign = signature;
    }
}

/// Four orders that belong together.
#[derive(Clone)]
pub(crate) struct Orders {
    pub(crate) app: Hub::AppOrder,
    pub(crate) dataset: Hub::DatasetOrder,
    pub(crate) workerpool: Hub::WorkerpoolOrder,
    pub(crate) request: Hub::RequestOrder,
}

impl Orders {
    pub(crate) fn call(&self) -> Hub::matchOrdersCall {
        Hub::matchOrdersCall {
            apporder: self.app.clone(),
            datasetorder: self.dataset.clone(),
            workerpoolorder: self.workerpool.clone(),
            requestorder: self.request.clone(),
        }
    }

    pub(crate) fn sponsored(&self) -> Hub::sponsorMatchOrdersCall {
        Hub::sponsorMatchOrdersCall {
            apporder: self.app.clone(),
            datasetorder: self.dataset.clone(),
            workerpoolorder: self.workerpool.clone(),
            requestorder: self.request.clone(),
        }
    }

    /// The same offer of every party for `volume` tasks.
    pub(crate) fn for_volume(mut self, volume: u64) -> Self {
        let volume = U256::from(volume);
        self.app.volume = volume;
        self.dataset.volume = volume;
        self.workerpool.volume = volume;
        self.request.volume = volume;
        self
    }

    pub(crate) fn with_trust(mut self, trust: U256) -> Self {
        self.workerpool.trust = trust;
        self.request.trust = trust;
        self
    }

    pub(crate) fn with_tag(mut self, tag: u64) -> Self {
        let tag = B256::from(U256::from(tag));
        self.app.tag = tag;
        self.workerpool.tag = tag;
        self.request.tag = tag;
        self
    }

    pub(crate) fn with_callback(mut self, callback: Address) -> Self {
        self.request.callback = callback;
        self
    }
}
