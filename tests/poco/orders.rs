//! Orders of one task without restrictions, and the domain they are signed in.

use alloy::{
    primitives::{Address, B256, U256},
    sol_types::{Eip712Domain, eip712_domain},
};

use super::bindings::{AppOrder, RequestOrder, WorkerpoolOrder, hub};

/// What an app order asks and a request order offers, in nRLC.
pub(super) const APP_PRICE: u64 = 3;
/// What a workerpool order asks and a request order offers, in nRLC.
pub(super) const POOL_PRICE: u64 = 1000;
/// The category whose tasks can be claimed after ten seconds.
pub(super) const TEST_CATEGORY: u64 = 5;
/// No restriction, no dataset, no callback, no enclave.
pub(super) const NOBODY: Address = Address::ZERO;

/// The domain of every order of a hub (spec/contracts.md §4).
pub(super) fn domain(chain_id: u64, hub: Address) -> Eip712Domain {
    eip712_domain! {
        name: "iExecODB",
        version: "5.0.0",
        chain_id: chain_id,
        verifying_contract: hub,
    }
}

pub(super) fn app_order(app: Address) -> AppOrder {
    AppOrder {
        app,
        appprice: U256::from(APP_PRICE),
        volume: U256::ONE,
        tag: B256::ZERO,
        datasetrestrict: NOBODY,
        workerpoolrestrict: NOBODY,
        requesterrestrict: NOBODY,
        salt: B256::repeat_byte(0x11),
    }
}

pub(super) fn workerpool_order(workerpool: Address) -> WorkerpoolOrder {
    WorkerpoolOrder {
        workerpool,
        workerpoolprice: U256::from(POOL_PRICE),
        volume: U256::ONE,
        tag: B256::ZERO,
        category: U256::from(TEST_CATEGORY),
        trust: U256::from(9),
        apprestrict: NOBODY,
        datasetrestrict: NOBODY,
        requesterrestrict: NOBODY,
        salt: B256::repeat_byte(0x33),
    }
}

pub(super) fn request_order(app: Address, requester: Address, trust: u64) -> RequestOrder {
    RequestOrder {
        app,
        appmaxprice: U256::from(APP_PRICE),
        dataset: NOBODY,
        datasetmaxprice: U256::ZERO,
        workerpool: NOBODY,
        workerpoolmaxprice: U256::from(POOL_PRICE),
        requester,
        volume: U256::ONE,
        tag: B256::ZERO,
        category: U256::from(TEST_CATEGORY),
        trust: U256::from(trust),
        beneficiary: requester,
        callback: NOBODY,
        params: r#"{"iexec_args":"x"}"#.to_owned(),
        salt: B256::repeat_byte(0x44),
    }
}

pub(super) fn signed_app_order(order: AppOrder, sign: Vec<u8>) -> hub::AppOrder {
    hub::AppOrder {
        app: order.app,
        appprice: order.appprice,
        volume: order.volume,
        tag: order.tag,
        datasetrestrict: order.datasetrestrict,
        workerpoolrestrict: order.workerpoolrestrict,
        requesterrestrict: order.requesterrestrict,
        salt: order.salt,
        sign: sign.into(),
    }
}

pub(super) fn no_dataset() -> hub::DatasetOrder {
    hub::DatasetOrder {
        dataset: NOBODY,
        datasetprice: U256::ZERO,
        volume: U256::ZERO,
        tag: B256::ZERO,
        apprestrict: NOBODY,
        workerpoolrestrict: NOBODY,
        requesterrestrict: NOBODY,
        salt: B256::ZERO,
        sign: vec![].into(),
    }
}

pub(super) fn signed_workerpool_order(
    order: WorkerpoolOrder,
    sign: Vec<u8>,
) -> hub::WorkerpoolOrder {
    hub::WorkerpoolOrder {
        workerpool: order.workerpool,
        workerpoolprice: order.workerpoolprice,
        volume: order.volume,
        tag: order.tag,
        category: order.category,
        trust: order.trust,
        apprestrict: order.apprestrict,
        datasetrestrict: order.datasetrestrict,
        requesterrestrict: order.requesterrestrict,
        salt: order.salt,
        sign: sign.into(),
    }
}

pub(super) fn signed_request_order(order: RequestOrder, sign: Vec<u8>) -> hub::RequestOrder {
    hub::RequestOrder {
        app: order.app,
        appmaxprice: order.appmaxprice,
        dataset: order.dataset,
        datasetmaxprice: order.datasetmaxprice,
        workerpool: order.workerpool,
        workerpoolmaxprice: order.workerpoolmaxprice,
        requester: order.requester,
        volume: order.volume,
        tag: order.tag,
        category: order.category,
        trust: order.trust,
        beneficiary: order.beneficiary,
        callback: order.callback,
        params: order.params,
        salt: order.salt,
        sign: sign.into(),
    }
}

#[cfg(test)]
mod tests {
    use alloy::{
        primitives::{address, b256},
        sol_types::SolStruct as _,
    };

    use super::*;

    /// Values of spec/client.md, appendix A, computed by the official JavaScript client.
    #[test]
    fn order_hashes_are_those_of_the_official_client() {
        let domain = domain(31337, address!("4ed7c70F96B99c776995fB64377f0d4aB3B0e1C1"));
        let app = AppOrder {
            appprice: U256::ONE,
            volume: U256::from(2),
            tag: B256::with_last_byte(9),
            ..app_order(address!("f6BC713064256BE134A3f69445843828bfdc7D9F"))
        };
        let hash = b256!("48a735feebec3163e9da127140d05a97ef40dfd4817f3d3b138fe2e232072a54");
        assert_eq!(app.eip712_signing_hash(&domain), hash);
        let owner = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        let request = RequestOrder {
            appmaxprice: U256::ONE,
            workerpoolmaxprice: U256::ONE,
            volume: U256::from(2),
            tag: B256::with_last_byte(9),
            category: U256::ZERO,
            ..request_order(app.app, owner, 0)
        };
        let hash = b256!("d87168eb728a3818aa233c0c108c1fe83a94e01eaf43a2ba85ca20f061474d44");
        assert_eq!(request.eip712_signing_hash(&domain), hash);
    }
}
