//! The registries of the deployment and their entries: what 6.1.0 and ours answer differently is
//! only how they refuse.
use alloy::primitives::{Address, B256, Bytes, FixedBytes, U256};
use alloy::sol_types::SolCall;
use contracts::{App, AppRegistry, Dataset, DatasetRegistry, Workerpool, WorkerpoolRegistry};

use super::{Gen, Make};
use crate::chain::Tx;
use crate::mocks;
use crate::step::{Step, What};

pub(super) const OPS: &[(u64, &str, Make)] = &[
    (3, "createApp", create_app),
    (3, "createDataset", create_dataset),
    (3, "createWorkerpool", create_pool),
    (2, "predict", predict_something),
    (8, "registry view", view),
    (8, "view of a token", view_token),
    (3, "registry transferFrom", transfer_from),
    (3, "safeTransferFrom", safe_transfer_from),
    (3, "registry approve", approve),
    (3, "setApprovalForAll", set_approval_for_all),
    (2, "registry ownership", ownership),
    (6, "entry", entry),
    (2, "entry changePolicy", change_policy),
    (2, "registry, broken call", broken),
];

/// The question that says where a creation will put the entry.
pub(crate) fn predict(data: &Bytes) -> Option<Bytes> {
    let selectors = [
        (
            AppRegistry::createAppCall::SELECTOR,
            AppRegistry::predictAppCall::SELECTOR,
        ),
        (
            DatasetRegistry::createDatasetCall::SELECTOR,
            DatasetRegistry::predictDatasetCall::SELECTOR,
        ),
        (
            WorkerpoolRegistry::createWorkerpoolCall::SELECTOR,
            WorkerpoolRegistry::predictWorkerpoolCall::SELECTOR,
        ),
    ];
    let selector = data.get(..4)?;
    let (_, predict) = selectors
        .iter()
        .find(|(create, predict)| create == selector || predict == selector)?;
    Some([predict.as_slice(), &data[4..]].concat().into())
}

fn send(from: Address, to: Address, data: Vec<u8>) -> Step {
    Step::of(What::Registry(Tx {
        from,
        to,
        value: U256::ZERO,
        data: data.into(),
    }))
}

fn id(entry: Address) -> U256 {
    U256::from_be_slice(entry.as_slice())
}

impl Gen<'_> {
    fn registries(&self) -> [Address; 3] {
        let at = self.known.places.at;
        [at.app_registry, at.dataset_registry, at.workerpool_registry]
    }

    /// One of few, so that some are asked for twice.
    fn label(&mut self) -> String {
        match self.dice.below(3) {
            0 => self.dice.pick(&["", "a", "b"]).to_owned(),
            _ => self.text(),
        }
    }

    fn asset_owner(&mut self) -> Address {
        match self.dice.below(12) {
            0 => Address::ZERO,
            1 => self.anyone(),
            _ => self.rich(),
        }
    }

    /// A registry and one of its entries, or something else.
    fn asset(&mut self) -> (usize, Address) {
        let kind = self.dice.index(3);
        let other = self.dice.address();
        let found = self.dice.find(&self.known.natural[kind]);
        let known = found.filter(|_| self.dice.chance(92));
        (kind, known.unwrap_or(other))
    }

    /// Who may move an entry, mostly.
    fn mover(&mut self, entry: Address) -> Address {
        let owner = self.known.owner_of(entry);
        match self.dice.below(4) {
            0 => self.rich(),
            _ => owner,
        }
    }

    fn app_call(&mut self) -> AppRegistry::createAppCall {
        AppRegistry::createAppCall {
            _appOwner: self.asset_owner(),
            _appName: self.label(),
            _appType: "DOCKER".to_owned(),
            _appMultiaddr: self.bytes(),
            _appChecksum: B256::ZERO,
            _appMREnclave: self.bytes(),
        }
    }

    fn dataset_call(&mut self) -> DatasetRegistry::createDatasetCall {
        DatasetRegistry::createDatasetCall {
            _datasetOwner: self.asset_owner(),
            _datasetName: self.label(),
            _datasetMultiaddr: self.bytes(),
            _datasetChecksum: B256::ZERO,
        }
    }

    fn pool_call(&mut self) -> WorkerpoolRegistry::createWorkerpoolCall {
        WorkerpoolRegistry::createWorkerpoolCall {
            _workerpoolOwner: self.asset_owner(),
            _workerpoolDescription: self.label(),
        }
    }
}

fn create_app(g: &mut Gen<'_>) -> Step {
    let (from, call) = (g.sender(), g.app_call());
    send(from, g.registries()[0], call.abi_encode())
}

fn create_dataset(g: &mut Gen<'_>) -> Step {
    let (from, call) = (g.sender(), g.dataset_call());
    send(from, g.registries()[1], call.abi_encode())
}

fn create_pool(g: &mut Gen<'_>) -> Step {
    let (from, call) = (g.sender(), g.pool_call());
    send(from, g.registries()[2], call.abi_encode())
}

fn predict_something(g: &mut Gen<'_>) -> Step {
    let kind = g.dice.index(3);
    let create = match kind {
        0 => g.app_call().abi_encode(),
        1 => g.dataset_call().abi_encode(),
        _ => g.pool_call().abi_encode(),
    };
    let data = predict(&create.into()).unwrap_or_default();
    let from = g.sender();
    send(from, g.registries()[kind], data.to_vec())
}

fn view(g: &mut Gen<'_>) -> Step {
    let (kind, registry) = (g.dice.index(3), g.registries());
    let owner = g.rich();
    let index = U256::from(g.dice.below(1 + g.known.natural[kind].len() as u64));
    let small = U256::from(g.dice.below(4));
    let data = match g.dice.below(13) {
        0 => AppRegistry::nameCall {}.abi_encode(),
        1 => AppRegistry::symbolCall {}.abi_encode(),
        2 => AppRegistry::totalSupplyCall {}.abi_encode(),
        3 => AppRegistry::ownerCall {}.abi_encode(),
        4 => AppRegistry::baseURICall {}.abi_encode(),
        5 => AppRegistry::previousCall {}.abi_encode(),
        6 => AppRegistry::initializedCall {}.abi_encode(),
        7 => AppRegistry::tokenByIndexCall { index }.abi_encode(),
        8 => AppRegistry::tokenOfOwnerByIndexCall {
            owner,
            index: small,
        }
        .abi_encode(),
        9 => {
            let owner = g.asset_owner();
            AppRegistry::balanceOfCall { owner }.abi_encode()
        }
        10 => {
            let operator = g.rich();
            AppRegistry::isApprovedForAllCall { owner, operator }.abi_encode()
        }
        11 => {
            let known = [
                0x01ff_c9a7,
                0x80ac_58cd,
                0x5b5e_139f,
                0x780e_9d63,
                0xffff_ffff,
                0,
            ];
            let interfaceId = FixedBytes(u32::to_be_bytes(g.dice.pick(&known)));
            AppRegistry::supportsInterfaceCall { interfaceId }.abi_encode()
        }
        _ => AppRegistry::masterCall {}.abi_encode(),
    };
    let from = g.sender();
    send(from, registry[kind], data)
}

fn view_token(g: &mut Gen<'_>) -> Step {
    let (kind, entry) = g.asset();
    let tokenId = if g.dice.chance(95) {
        id(entry)
    } else {
        g.dice.huge()
    };
    let entry = if g.dice.chance(70) {
        entry
    } else {
        g.entry(kind)
    };
    let data = match g.dice.below(4) {
        0 => AppRegistry::ownerOfCall { tokenId }.abi_encode(),
        1 => AppRegistry::getApprovedCall { tokenId }.abi_encode(),
        2 => AppRegistry::tokenURICall { tokenId }.abi_encode(),
        _ => AppRegistry::isRegisteredCall { _entry: entry }.abi_encode(),
    };
    let from = g.sender();
    send(from, g.registries()[kind], data)
}

fn transfer_from(g: &mut Gen<'_>) -> Step {
    let (kind, entry) = g.asset();
    let owner = g.known.owner_of(entry);
    let call = AppRegistry::transferFromCall {
        from: if g.dice.chance(92) { owner } else { g.rich() },
        to: g.asset_owner(),
        tokenId: id(entry),
    };
    let from = g.mover(entry);
    send(from, g.registries()[kind], call.abi_encode())
}

/// To people, to contracts that take it and to others, with data and without.
fn safe_transfer_from(g: &mut Gen<'_>) -> Step {
    let (kind, entry) = g.asset();
    let from = g.known.owner_of(entry);
    let to = match g.dice.below(3) {
        0 => g.asset_owner(),
        1 => mocks::RECEIVER,
        _ => g.dice.pick(&mocks::ALL),
    };
    let tokenId = id(entry);
    let data = if g.dice.chance(50) {
        AppRegistry::safeTransferFrom_0Call { from, to, tokenId }.abi_encode()
    } else {
        let _data = g.bytes();
        AppRegistry::safeTransferFrom_1Call {
            from,
            to,
            tokenId,
            _data,
        }
        .abi_encode()
    };
    let sender = g.mover(entry);
    send(sender, g.registries()[kind], data)
}

fn approve(g: &mut Gen<'_>) -> Step {
    let (kind, entry) = g.asset();
    let (to, tokenId) = (g.asset_owner(), id(entry));
    let from = g.mover(entry);
    send(
        from,
        g.registries()[kind],
        AppRegistry::approveCall { to, tokenId }.abi_encode(),
    )
}

fn set_approval_for_all(g: &mut Gen<'_>) -> Step {
    let call = AppRegistry::setApprovalForAllCall {
        operator: g.asset_owner(),
        approved: g.dice.chance(60),
    };
    let (from, kind) = (g.rich(), g.dice.index(3));
    send(from, g.registries()[kind], call.abi_encode())
}

/// What only the owner of a registry may do; it stays with the owner, or the rest would be refused.
fn ownership(g: &mut Gen<'_>) -> Step {
    let owner = g.cast.owner;
    let (mut from, kind) = (g.mostly(owner), g.dice.index(3));
    let data = match g.dice.below(6) {
        0 => AppRegistry::setNameCall {
            _0: g.anyone(),
            _1: g.text(),
        }
        .abi_encode(),
        1 => AppRegistry::initializeCall {
            _previous: g.anyone(),
        }
        .abi_encode(),
        2 => {
            let newOwner = if from == owner {
                Address::ZERO
            } else {
                g.anyone()
            };
            AppRegistry::transferOwnershipCall { newOwner }.abi_encode()
        }
        3 => {
            from = g.stranger();
            AppRegistry::renounceOwnershipCall {}.abi_encode()
        }
        _ => AppRegistry::setBaseURICall {
            _baseURI: g.label(),
        }
        .abi_encode(),
    };
    send(from, g.registries()[kind], data)
}

/// What entries answer, and that they cannot be changed.
fn entry(g: &mut Gen<'_>) -> Step {
    let kind = g.dice.index(3);
    let Some(entry) = g.dice.find(&g.known.natural[kind]) else {
        return create_app(g);
    };
    let of_app = [
        App::m_appNameCall::SELECTOR,
        App::m_appTypeCall::SELECTOR,
        App::m_appMultiaddrCall::SELECTOR,
        App::m_appChecksumCall::SELECTOR,
        App::m_appMREnclaveCall::SELECTOR,
    ];
    let of_dataset = [
        Dataset::m_datasetNameCall::SELECTOR,
        Dataset::m_datasetMultiaddrCall::SELECTOR,
        Dataset::m_datasetChecksumCall::SELECTOR,
    ];
    let of_pool = [
        Workerpool::m_workerpoolDescriptionCall::SELECTOR,
        Workerpool::m_workerStakeRatioPolicyCall::SELECTOR,
        Workerpool::m_schedulerRewardRatioPolicyCall::SELECTOR,
    ];
    let own = [of_app.as_slice(), &of_dataset, &of_pool][kind];
    let data = match g.dice.below(8) {
        0 => App::ownerCall {}.abi_encode(),
        1 => App::registryCall {}.abi_encode(),
        2 => App::setNameCall {
            _0: g.anyone(),
            _1: g.text(),
        }
        .abi_encode(),
        3 => initialize_again(kind),
        _ => g.dice.pick(own).to_vec(),
    };
    let owner = g.known.owner_of(entry);
    send(g.mostly(owner), entry, data)
}

fn initialize_again(kind: usize) -> Vec<u8> {
    match kind {
        0 => App::initializeCall {
            _appName: String::new(),
            _appType: String::new(),
            _appMultiaddr: Bytes::new(),
            _appChecksum: B256::ZERO,
            _appMREnclave: Bytes::new(),
        }
        .abi_encode(),
        1 => Dataset::initializeCall {
            _datasetName: String::new(),
            _datasetMultiaddr: Bytes::new(),
            _datasetChecksum: B256::ZERO,
        }
        .abi_encode(),
        _ => Workerpool::initializeCall {
            _workerpoolDescription: String::new(),
        }
        .abi_encode(),
    }
}

fn change_policy(g: &mut Gen<'_>) -> Step {
    let Some(pool) = g.dice.find(&g.known.natural[2]) else {
        return create_pool(g);
    };
    let huge = g.dice.huge();
    let call = Workerpool::changePolicyCall {
        _newWorkerStakeRatioPolicy: g.dice.pick(&[U256::ZERO, U256::from(70), huge]),
        _newSchedulerRewardRatioPolicy: U256::from(g.dice.pick(&[0, 1, 100, 101])),
    };
    let owner = g.known.owner_of(pool);
    send(g.mostly(owner), pool, call.abi_encode())
}

fn broken(g: &mut Gen<'_>) -> Step {
    let make = g.dice.pick::<Make>(&[
        create_app,
        view_token,
        transfer_from,
        approve,
        safe_transfer_from,
    ]);
    let mut step = make(g);
    if let Some(tx) = step.tx_mut() {
        tx.data = g.damage(&tx.data);
    }
    step
}
