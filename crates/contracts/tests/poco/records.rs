//! What entries were created with: nothing is lost, whatever its length, and it is cheap.
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::SolCall;
use contracts::{App, AppRegistry, Dataset, DatasetRegistry, Hub, Workerpool, WorkerpoolRegistry};

use crate::stage::{Stage, digest};

const OWNER: Address = Address::repeat_byte(0x0a);
/// A contract may have 24,576 bytes; one makes it data, and 20 name the entry.
const RECORD_BYTES_MAX: usize = 24_576 - 1 - 20;
/// Around the sizes of a word, and of what one byte can count.
const SIZES: [usize; 9] = [0, 1, 31, 32, 33, 255, 256, 257, 1000];

fn text(size: usize, seed: usize) -> String {
    let letter = |index| char::from(b'a' + ((index + seed) % 26) as u8);
    (0..size).map(letter).collect()
}

fn bytes(size: usize, seed: usize) -> Bytes {
    (0..size)
        .map(|index| (index * 7 + seed) as u8)
        .collect::<Vec<_>>()
        .into()
}

fn app(name: usize, kind: usize, multiaddr: usize, mrenclave: usize) -> AppRegistry::createAppCall {
    AppRegistry::createAppCall {
        _appOwner: OWNER,
        _appName: text(name, 1),
        _appType: text(kind, 2),
        _appMultiaddr: bytes(multiaddr, 3),
        _appChecksum: digest(4),
        _appMREnclave: bytes(mrenclave, 5),
    }
}

fn dataset(name: usize, multiaddr: usize) -> DatasetRegistry::createDatasetCall {
    DatasetRegistry::createDatasetCall {
        _datasetOwner: OWNER,
        _datasetName: text(name, 1),
        _datasetMultiaddr: bytes(multiaddr, 2),
        _datasetChecksum: digest(3),
    }
}

fn pool(description: usize) -> WorkerpoolRegistry::createWorkerpoolCall {
    WorkerpoolRegistry::createWorkerpoolCall {
        _workerpoolOwner: OWNER,
        _workerpoolDescription: text(description, 1),
    }
}

#[test]
fn an_app_keeps_every_field() {
    let mut stage = Stage::new();
    for (index, name) in SIZES.into_iter().enumerate() {
        let size = |step: usize| SIZES[(index + step) % SIZES.len()];
        check_app(&mut stage, &app(name, size(2), size(5), size(7)));
    }
    check_app(&mut stage, &app(0, 0, 0, 1));
    check_app(&mut stage, &app(0, 300, 0, 0));
    let blank = AppRegistry::createAppCall {
        _appChecksum: B256::ZERO,
        ..app(0, 0, 0, 0)
    };
    check_app(&mut stage, &blank);
}

fn check_app(stage: &mut Stage, call: &AppRegistry::createAppCall) {
    let registry = stage.at.app_registry;
    let at = stage.chain.act(Address::ZERO, registry, call).value;
    let chain = &mut stage.chain;
    assert_eq!(chain.read(at, &App::m_appNameCall {}), call._appName);
    assert_eq!(chain.read(at, &App::m_appTypeCall {}), call._appType);
    let multiaddr = chain.read(at, &App::m_appMultiaddrCall {});
    assert_eq!(multiaddr, call._appMultiaddr);
    let checksum = chain.read(at, &App::m_appChecksumCall {});
    assert_eq!(checksum, call._appChecksum);
    let mrenclave = chain.read(at, &App::m_appMREnclaveCall {});
    assert_eq!(mrenclave, call._appMREnclave);
    assert_eq!(chain.read(at, &App::ownerCall {}), OWNER);
    let view = chain.read(stage.at.hub, &Hub::viewAppCall { app: at });
    assert_eq!(view.m_appName, call._appName);
    assert_eq!(view.m_appMREnclave, call._appMREnclave);
}

#[test]
fn a_dataset_keeps_every_field() {
    let mut stage = Stage::new();
    for (index, name) in SIZES.into_iter().enumerate() {
        let multiaddr = SIZES[(index + 4) % SIZES.len()];
        check_dataset(&mut stage, &dataset(name, multiaddr));
    }
    let blank = DatasetRegistry::createDatasetCall {
        _datasetChecksum: B256::ZERO,
        ..dataset(0, 0)
    };
    check_dataset(&mut stage, &blank);
}

fn check_dataset(stage: &mut Stage, call: &DatasetRegistry::createDatasetCall) {
    let registry = stage.at.dataset_registry;
    let at = stage.chain.act(Address::ZERO, registry, call).value;
    let chain = &mut stage.chain;
    let name = chain.read(at, &Dataset::m_datasetNameCall {});
    assert_eq!(name, call._datasetName);
    let multiaddr = chain.read(at, &Dataset::m_datasetMultiaddrCall {});
    assert_eq!(multiaddr, call._datasetMultiaddr);
    let checksum = chain.read(at, &Dataset::m_datasetChecksumCall {});
    assert_eq!(checksum, call._datasetChecksum);
    let view = chain.read(stage.at.hub, &Hub::viewDatasetCall { dataset: at });
    assert_eq!(view.m_datasetMultiaddr, call._datasetMultiaddr);
}

#[test]
fn a_workerpool_keeps_its_description() {
    let mut stage = Stage::new();
    for size in SIZES {
        check_pool(&mut stage, &pool(size));
    }
}

fn check_pool(stage: &mut Stage, call: &WorkerpoolRegistry::createWorkerpoolCall) {
    let registry = stage.at.workerpool_registry;
    let at = stage.chain.act(Address::ZERO, registry, call).value;
    let description = stage
        .chain
        .read(at, &Workerpool::m_workerpoolDescriptionCall {});
    assert_eq!(description, call._workerpoolDescription);
}

/// The official contracts take anything; ours refuse rather than cut off.
#[test]
fn what_fits_in_no_contract_is_refused() {
    let mut stage = Stage::ours();
    check_pool(&mut stage, &pool(RECORD_BYTES_MAX));
    check_dataset(&mut stage, &dataset(10, RECORD_BYTES_MAX - 32 - 2 - 10));
    check_app(&mut stage, &app(RECORD_BYTES_MAX - 32 - 6 - 9, 2, 3, 4));
    // The last two are long enough for their length to be a short one in two bytes.
    for size in [RECORD_BYTES_MAX + 1, 0xffff, 0x1_0000, 0x1_0005] {
        let registry = stage.at.workerpool_registry;
        assert_eq!(stage.chain.refuse(OWNER, registry, &pool(size)), "");
        let (registry, call) = (stage.at.dataset_registry, dataset(size, 1));
        assert_eq!(stage.chain.refuse(OWNER, registry, &call), "");
        let (registry, call) = (stage.at.app_registry, app(1, 1, size, 1));
        assert_eq!(stage.chain.refuse(OWNER, registry, &call), "");
    }
}

/// A creation that was refused leaves no gap: later records are where they are expected.
#[test]
fn a_refused_creation_takes_no_number() {
    let mut stage = Stage::new();
    let registry = stage.at.app_registry;
    check_app(&mut stage, &app(5, 6, 7, 8));
    let refused = stage.chain.refuse(OWNER, registry, &app(5, 6, 7, 8));
    assert_eq!(refused, "Create2: Failed on deploy");
    let nobody = AppRegistry::createAppCall {
        _appOwner: Address::ZERO,
        ..app(1, 2, 3, 4)
    };
    let error = AppRegistry::ERC721InvalidReceiver {
        receiver: Address::ZERO,
    };
    let refused = stage.chain.refuse(OWNER, registry, &nobody);
    assert_eq!(refused, crate::chain::error(&error));
    check_app(&mut stage, &app(9, 6, 7, 8));
}

#[test]
fn records_are_where_they_are_computed() {
    let mut stage = Stage::ours();
    let registry = stage.at.workerpool_registry;
    let mut record_of = |entry| {
        let call = WorkerpoolRegistry::recordOfCall { entry };
        stage.chain.read(registry, &call)
    };
    assert_eq!(record_of(stage.pool), registry.create(3));
    assert_eq!(record_of(OWNER), Address::ZERO);
    let record = stage.chain.code(registry.create(3));
    assert_eq!(record[1..], [stage.pool.as_slice(), b"pool"].concat());
}

/// The master of a registry is no entry of it: it answers with nothing.
#[test]
fn a_master_is_empty() {
    let mut stage = Stage::new();
    let registry = stage.at.app_registry;
    let app = stage.chain.read(registry, &AppRegistry::masterCall {});
    assert_eq!(stage.chain.read(app, &App::m_appNameCall {}), "");
    assert!(
        stage
            .chain
            .read(app, &App::m_appMREnclaveCall {})
            .is_empty()
    );
    let checksum = stage.chain.read(app, &App::m_appChecksumCall {});
    assert_eq!(checksum, B256::ZERO);
    let registry = stage.at.workerpool_registry;
    let pool = stage
        .chain
        .read(registry, &WorkerpoolRegistry::masterCall {});
    let description = stage
        .chain
        .read(pool, &Workerpool::m_workerpoolDescriptionCall {});
    assert_eq!(description, "");
    let ratio = stage
        .chain
        .read(pool, &Workerpool::m_workerStakeRatioPolicyCall {});
    assert_eq!(ratio, U256::ZERO);
}

/// Gas of a creation with inputs like those of spec/contracts.md §21: an owner's first asset, the
/// next, and the tenth, whose number lies in another word than the length of the list.
#[test]
fn creations_are_cheap() {
    let standard = |seed: usize| AppRegistry::createAppCall {
        _appName: text(29, seed),
        _appType: "DOCKER".to_owned(),
        _appMultiaddr: text(62, 1).into_bytes().into(),
        ..app(0, 0, 0, 0)
    };
    let enclave = |seed: usize| AppRegistry::createAppCall {
        _appMREnclave: text(200, 1).into_bytes().into(),
        ..standard(seed)
    };
    let dataset = |seed: usize| DatasetRegistry::createDatasetCall {
        _datasetName: text(20, seed),
        _datasetMultiaddr: text(53, 1).into_bytes().into(),
        ..dataset(0, 0)
    };
    let pool = |seed: usize| WorkerpoolRegistry::createWorkerpoolCall {
        _workerpoolDescription: text(25, seed),
        ..pool(0)
    };
    assert_gas("createApp", creations(standard), [186, 169, 174]);
    assert_gas("createApp, TEE", creations(enclave), [230, 213, 218]);
    assert_gas("createDataset", creations(dataset), [179, 162, 167]);
    assert_gas("createWorkerpool", creations(pool), [161, 144, 149]);
}

fn creations<C: SolCall>(call: impl Fn(usize) -> C) -> [u64; 3] {
    let mut stage = Stage::ours();
    let registry = match C::SIGNATURE {
        AppRegistry::createAppCall::SIGNATURE => stage.at.app_registry,
        DatasetRegistry::createDatasetCall::SIGNATURE => stage.at.dataset_registry,
        _ => stage.at.workerpool_registry,
    };
    let mut gas = (0..10).map(|seed| stage.chain.act(OWNER, registry, &call(seed)).gas);
    [0, 0, 7].map(|skipped| gas.nth(skipped).unwrap())
}

/// `most` in thousands.
fn assert_gas(name: &str, gas: [u64; 3], most: [u64; 3]) {
    for (gas, most) in gas.into_iter().zip(most) {
        assert!(gas <= 1000 * most, "{name} takes {gas}");
    }
}
