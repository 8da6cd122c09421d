//! Creating apps, datasets and workerpools: the owner's second one each.
use alloy::primitives::{Address, B256, Bytes, keccak256};
use contracts::{AppRegistry, DatasetRegistry, WorkerpoolRegistry};

use crate::market::Market;
use crate::side::Side;

pub(crate) fn measure(side: &Side) {
    let mut market = Market::busy(side);
    let owner = market.app_owner.address();
    let measurement = keccak256("enclave").repeat(7)[..200].to_vec();
    let apps = [
        (
            "createApp (TEE app, 200-byte mrenclave)",
            app(
                owner,
                "registry.example/tee/hello-world:1.2.3-prod",
                measurement,
            ),
        ),
        (
            "createApp (standard)",
            app(
                owner,
                "docker.io/iexechub/python-hello-world-with-a-long-name:8.0.0-production1",
                Vec::new(),
            ),
        ),
    ];
    for (name, call) in apps {
        let registry = market.at.app_registry;
        side.row(name, market.chain.act(owner, registry, &call).gas);
    }
    let owner = market.dataset_owner.address();
    let registry = market.at.dataset_registry;
    let call = dataset(owner);
    side.row(
        "createDataset",
        market.chain.act(owner, registry, &call).gas,
    );
    let owner = market.scheduler.address();
    let registry = market.at.workerpool_registry;
    let call = WorkerpoolRegistry::createWorkerpoolCall {
        _workerpoolOwner: owner,
        _workerpoolDescription: "a-second-pool-1".to_owned(),
    };
    side.row(
        "createWorkerpool",
        market.chain.act(owner, registry, &call).gas,
    );
}

fn app(owner: Address, image: &str, measurement: Vec<u8>) -> AppRegistry::createAppCall {
    AppRegistry::createAppCall {
        _appOwner: owner,
        _appName: "hello-gas1".to_owned(),
        _appType: "DOCKER".to_owned(),
        _appMultiaddr: Bytes::copy_from_slice(image.as_bytes()),
        _appChecksum: checksum(),
        _appMREnclave: measurement.into(),
    }
}

fn dataset(owner: Address) -> DatasetRegistry::createDatasetCall {
    DatasetRegistry::createDatasetCall {
        _datasetOwner: owner,
        _datasetName: "some numbers".to_owned(),
        _datasetMultiaddr: Bytes::from_static(
            b"/ipfs/QmUbh7ugQ9WVprTVYjzrCS4d9cCy73zUz4MMchsrqzzu1w",
        ),
        _datasetChecksum: checksum(),
    }
}

fn checksum() -> B256 {
    B256::repeat_byte(0xc5)
}
