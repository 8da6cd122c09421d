//! Registries, entries and what the owner of the hub decides.
use alloy::primitives::{Address, Bytes, U256, keccak256};
use alloy::sol_types::{SolCall, SolError, SolValue};
use contracts::{
    App, AppRegistry, CATEGORIES, Dataset, DatasetRegistry, Hub, Workerpool, WorkerpoolRegistry,
};

use crate::chain::error;
use crate::stage::{Stage, app_call, digest, id};

const OTHER: Address = Address::repeat_byte(0x0e);
const NOT_OWNER: &str = "Ownable: caller is not the owner";

#[test]
fn an_address_follows_from_content_and_owner() {
    let mut stage = Stage::new();
    let registry = stage.at.app_registry;
    let create = app_call(OTHER);
    let predict = AppRegistry::predictAppCall {
        _appOwner: create._appOwner,
        _appName: create._appName.clone(),
        _appType: create._appType.clone(),
        _appMultiaddr: create._appMultiaddr.clone(),
        _appChecksum: create._appChecksum,
        _appMREnclave: create._appMREnclave.clone(),
    };
    let predicted = stage.chain.read(registry, &predict);
    let initializer = App::initializeCall {
        _appName: create._appName.clone(),
        _appType: create._appType.clone(),
        _appMultiaddr: create._appMultiaddr.clone(),
        _appChecksum: create._appChecksum,
        _appMREnclave: create._appMREnclave.clone(),
    };
    let code = stage.chain.read(registry, &AppRegistry::proxyCodeCall {});
    let hash = stage
        .chain
        .read(registry, &AppRegistry::proxyCodeHashCall {});
    assert_eq!(keccak256(&code), hash);
    let salt = keccak256((Bytes::from(initializer.abi_encode()), OTHER).abi_encode_packed());
    assert_eq!(registry.create2(salt, hash), predicted);
    let receipt = stage.chain.act(stage.deployer, registry, &create);
    assert_eq!(receipt.value, predicted);
    let minted = &receipt.find::<AppRegistry::Transfer>()[0];
    assert_eq!((minted.from, minted.to), (Address::ZERO, OTHER));
    assert_eq!(minted.tokenId, id(predicted));
    let refused = stage.chain.refuse(stage.deployer, registry, &create);
    assert_eq!(refused, "Create2: Failed on deploy");
}

#[test]
fn an_entry_says_what_it_was_created_with() {
    let mut stage = Stage::new();
    let app = stage.app;
    assert_eq!(stage.chain.read(app, &App::m_appNameCall {}), "hello");
    assert_eq!(
        stage.chain.read(app, &App::registryCall {}),
        stage.at.app_registry
    );
    assert_eq!(
        stage.chain.read(app, &App::ownerCall {}),
        stage.app_owner.address()
    );
    let view = stage.chain.read(stage.at.hub, &Hub::viewAppCall { app });
    assert_eq!(
        (view.m_appType.as_str(), view.m_appChecksum),
        ("DOCKER", digest(1))
    );
    assert_eq!(view.m_appMultiaddr.as_ref(), b"registry/hello:1");
    let dataset = stage.dataset;
    let view = stage
        .chain
        .read(stage.at.hub, &Hub::viewDatasetCall { dataset });
    assert_eq!(
        (view.m_datasetName.as_str(), view.m_datasetChecksum),
        ("data", digest(2))
    );
    assert_eq!(
        stage.chain.read(dataset, &Dataset::m_datasetNameCall {}),
        "data"
    );
    let workerpool = stage.pool;
    let view = stage
        .chain
        .read(stage.at.hub, &Hub::viewWorkerpoolCall { workerpool });
    assert_eq!(view.m_workerpoolDescription, "pool");
    assert_eq!(view.m_workerStakeRatioPolicy, U256::from(30));
    assert_eq!(view.m_schedulerRewardRatioPolicy, U256::from(1));
    let again = Workerpool::initializeCall {
        _workerpoolDescription: "mine".to_owned(),
    };
    let refused = stage
        .chain
        .refuse(stage.scheduler.address(), workerpool, &again);
    assert_eq!(refused, "already initialized");
}

#[test]
fn assets_are_enumerated_and_sold() {
    let mut stage = Stage::new();
    let (registry, owner) = (stage.at.app_registry, stage.app_owner.address());
    for name in ["second", "third"] {
        let call = AppRegistry::createAppCall {
            _appName: name.to_owned(),
            ..app_call(owner)
        };
        stage.chain.act(OTHER, registry, &call);
    }
    let list = |stage: &mut Stage, owner: Address| {
        let count: u64 = stage
            .chain
            .read(registry, &AppRegistry::balanceOfCall { owner })
            .to();
        let at = |index| AppRegistry::tokenOfOwnerByIndexCall {
            owner,
            index: U256::from(index),
        };
        (0..count)
            .map(|index| stage.chain.read(registry, &at(index)))
            .collect::<Vec<_>>()
    };
    let before = list(&mut stage, owner);
    assert_eq!((before.len(), before[0]), (3, id(stage.app)));
    let sale = AppRegistry::transferFromCall {
        from: owner,
        to: OTHER,
        tokenId: before[0],
    };
    let refused = stage.chain.refuse(OTHER, registry, &sale);
    let error = AppRegistry::ERC721InsufficientApproval {
        operator: OTHER,
        tokenId: before[0],
    };
    assert_eq!(refused, Bytes::from(error.abi_encode()).to_string());
    let approve = AppRegistry::approveCall {
        to: OTHER,
        tokenId: before[0],
    };
    stage.chain.act(owner, registry, &approve);
    stage.chain.act(OTHER, registry, &sale);
    assert_eq!(list(&mut stage, owner), [before[2], before[1]]);
    assert_eq!(list(&mut stage, OTHER), [before[0]]);
    assert_eq!(stage.chain.read(stage.app, &App::ownerCall {}), OTHER);
    let total = stage.chain.read(registry, &AppRegistry::totalSupplyCall {});
    assert_eq!(total, U256::from(3));
    let unknown = AppRegistry::ownerOfCall {
        tokenId: U256::from(1),
    };
    let error = AppRegistry::ERC721NonexistentToken {
        tokenId: U256::from(1),
    };
    let refused = stage.chain.refuse(OTHER, registry, &unknown);
    assert_eq!(refused, Bytes::from(error.abi_encode()).to_string());
}

#[test]
fn a_registry_trusts_the_one_before() {
    let mut stage = Stage::new();
    let first = stage.at.app_registry;
    let code = contracts::AppRegistry::BYTECODE.clone();
    let second = stage.chain.create(stage.deployer, code).value;
    let known = |stage: &mut Stage| {
        let call = AppRegistry::isRegisteredCall { _entry: stage.app };
        stage.chain.read(second, &call)
    };
    assert!(!known(&mut stage));
    let call = AppRegistry::initializeCall { _previous: first };
    assert_eq!(stage.chain.refuse(OTHER, second, &call), NOT_OWNER);
    stage.chain.act(stage.deployer, second, &call);
    assert!(known(&mut stage));
    assert_eq!(
        stage.chain.refuse(stage.deployer, second, &call),
        "",
        "only once"
    );
}

#[test]
fn a_registry_tells_where_its_metadata_is() {
    let mut stage = Stage::new();
    let registry = stage.at.workerpool_registry;
    let name = stage.chain.read(registry, &WorkerpoolRegistry::nameCall {});
    assert_eq!(name, "iExec Workerpool Registry (V5)");
    let set = WorkerpoolRegistry::setBaseURICall {
        _baseURI: "ipfs://pools/".to_owned(),
    };
    assert_eq!(stage.chain.refuse(OTHER, registry, &set), NOT_OWNER);
    stage.chain.act(stage.deployer, registry, &set);
    let token = id(stage.pool);
    let uri = stage.chain.read(
        registry,
        &WorkerpoolRegistry::tokenURICall { tokenId: token },
    );
    assert_eq!(uri, format!("ipfs://pools/{token}"));
    let rename = WorkerpoolRegistry::setNameCall {
        _0: OTHER,
        _1: "pool".to_owned(),
    };
    let refused = stage.chain.refuse(stage.deployer, registry, &rename);
    assert_eq!(refused, "Operation not supported on this chain");
}

#[test]
fn only_its_owner_changes_the_policy_of_a_pool() {
    let mut stage = Stage::new();
    let call = Workerpool::changePolicyCall {
        _newWorkerStakeRatioPolicy: U256::from(50),
        _newSchedulerRewardRatioPolicy: U256::from(10),
    };
    let refused = stage.chain.refuse(OTHER, stage.pool, &call);
    assert_eq!(refused, "caller is not the owner");
    let owner = stage.scheduler.address();
    let receipt = stage.chain.act(owner, stage.pool, &call);
    let update = &receipt.find::<Workerpool::PolicyUpdate>()[0];
    assert_eq!(update.oldWorkerStakeRatioPolicy, U256::from(30));
    assert_eq!(update.newSchedulerRewardRatioPolicy, U256::from(10));
    let greedy = Workerpool::changePolicyCall {
        _newSchedulerRewardRatioPolicy: U256::from(101),
        ..call
    };
    assert_eq!(stage.chain.refuse(owner, stage.pool, &greedy), "");
}

#[test]
fn a_policy_has_no_highest_stake_and_is_sold_with_the_pool() {
    let mut stage = Stage::new();
    let (pool, registry) = (stage.pool, stage.at.workerpool_registry);
    // What fits in the word of the pool, the first that does not, the highest, and back.
    let fits = U256::from(0xff_fffe);
    let ratios = [fits, fits + U256::ONE, U256::MAX, U256::from(5), U256::ZERO];
    let mut old = (U256::from(30), U256::from(1));
    let mut owner = stage.scheduler.address();
    for (index, ratio) in ratios.into_iter().enumerate() {
        let new = (ratio, U256::from(100 - index));
        let call = Workerpool::changePolicyCall {
            _newWorkerStakeRatioPolicy: new.0,
            _newSchedulerRewardRatioPolicy: new.1,
        };
        let receipt = stage.chain.act(owner, pool, &call);
        let update = &receipt.find::<Workerpool::PolicyUpdate>()[0];
        let from = (
            update.oldWorkerStakeRatioPolicy,
            update.oldSchedulerRewardRatioPolicy,
        );
        let to = (
            update.newWorkerStakeRatioPolicy,
            update.newSchedulerRewardRatioPolicy,
        );
        assert_eq!((from, to), (old, new));
        let buyer = Address::repeat_byte(0x50 + index as u8);
        let sale = WorkerpoolRegistry::transferFromCall {
            from: owner,
            to: buyer,
            tokenId: id(pool),
        };
        stage.chain.act(owner, registry, &sale);
        assert_eq!(policy(&mut stage, pool), new);
        (old, owner) = (new, buyer);
    }
}

fn policy(stage: &mut Stage, pool: Address) -> (U256, U256) {
    let stake = Workerpool::m_workerStakeRatioPolicyCall {};
    let reward = Workerpool::m_schedulerRewardRatioPolicyCall {};
    (
        stage.chain.read(pool, &stake),
        stage.chain.read(pool, &reward),
    )
}

#[test]
fn terms_are_the_owner_and_the_policy() {
    let mut stage = Stage::ours();
    let app = AppRegistry::termsOfCall { entry: stage.app };
    let terms = stage.chain.read(stage.at.app_registry, &app);
    let (stake, reward) = (terms.workerStakeRatio, terms.schedulerRewardRatio);
    assert_eq!(terms.owner, stage.app_owner.address());
    assert_eq!((stake, reward), (U256::ZERO, U256::ZERO));
    let dataset = DatasetRegistry::termsOfCall {
        entry: stage.dataset,
    };
    let terms = stage.chain.read(stage.at.dataset_registry, &dataset);
    assert_eq!(terms.owner, stage.dataset_owner.address());
    let call = WorkerpoolRegistry::termsOfCall { entry: stage.pool };
    let registry = stage.at.workerpool_registry;
    let terms = stage.chain.read(registry, &call);
    let (stake, reward) = (terms.workerStakeRatio, terms.schedulerRewardRatio);
    assert_eq!(terms.owner, stage.scheduler.address());
    assert_eq!((stake, reward), (U256::from(30), U256::from(1)));
    let change = Workerpool::changePolicyCall {
        _newWorkerStakeRatioPolicy: U256::MAX,
        _newSchedulerRewardRatioPolicy: U256::from(7),
    };
    stage.chain.act(terms.owner, stage.pool, &change);
    let terms = stage.chain.read(registry, &call);
    let (stake, reward) = (terms.workerStakeRatio, terms.schedulerRewardRatio);
    assert_eq!((stake, reward), (U256::MAX, U256::from(7)));
    let stranger = WorkerpoolRegistry::termsOfCall { entry: stage.app };
    assert_eq!(stage.chain.read(registry, &stranger).owner, Address::ZERO);
}

/// A policy is set by the pool it belongs to, and a pool is what the registry has created: neither
/// an account nor another proxy to the same code.
#[test]
fn nothing_but_a_pool_sets_a_policy() {
    let mut stage = Stage::ours();
    let registry = stage.at.workerpool_registry;
    let set = WorkerpoolRegistry::setPolicyCall {
        workerStakeRatio: U256::ZERO,
        schedulerRewardRatio: U256::ZERO,
    };
    let unknown = |account| {
        error(&AppRegistry::ERC721NonexistentToken {
            tokenId: id(account),
        })
    };
    let owner = stage.scheduler.address();
    let refused = stage.chain.refuse(owner, registry, &set);
    assert_eq!(refused, unknown(owner));
    let twin = Address::repeat_byte(0x77);
    let code = stage.chain.code(stage.pool);
    stage.chain.put_code(twin, code);
    let change = Workerpool::changePolicyCall {
        _newWorkerStakeRatioPolicy: U256::ZERO,
        _newSchedulerRewardRatioPolicy: U256::ZERO,
    };
    assert_eq!(stage.chain.refuse(owner, twin, &change), unknown(twin));
    let pool = stage.pool;
    assert_eq!(policy(&mut stage, pool), (U256::from(30), U256::from(1)));
}

#[test]
fn nobody_initializes_an_entry_again() {
    let mut stage = Stage::new();
    let app = App::initializeCall {
        _appName: String::new(),
        _appType: String::new(),
        _appMultiaddr: Bytes::new(),
        _appChecksum: digest(1),
        _appMREnclave: Bytes::new(),
    };
    let dataset = Dataset::initializeCall {
        _datasetName: String::new(),
        _datasetMultiaddr: Bytes::new(),
        _datasetChecksum: digest(1),
    };
    let owner = stage.app_owner.address();
    let refused = stage.chain.refuse(owner, stage.app, &app);
    assert_eq!(refused, "already initialized");
    let refused = stage.chain.refuse(owner, stage.dataset, &dataset);
    assert_eq!(refused, "already initialized");
}

#[test]
fn the_official_categories_come_first() {
    let mut stage = Stage::new();
    let hub = stage.at.hub;
    let expected = CATEGORIES.into_iter().chain([("local", 1)]);
    for (index, (name, seconds)) in expected.enumerate() {
        let category = stage.chain.read(
            hub,
            &Hub::viewCategoryCall {
                _catid: U256::from(index),
            },
        );
        assert_eq!(
            (category.name.as_str(), category.workClockTimeRef.to()),
            (name, seconds)
        );
    }
    let count = stage.chain.read(hub, &Hub::countCategoryCall {});
    let beyond = Hub::viewCategoryCall { _catid: count };
    assert_eq!(stage.chain.refuse(OTHER, hub, &beyond), "");
    let beyond = Hub::viewCategoryABILegacyCall { _catid: count };
    assert_eq!(stage.chain.refuse(OTHER, hub, &beyond), "panic 0x32");
}

#[test]
fn only_the_owner_configures_and_once() {
    let mut stage = Stage::new();
    let (hub, deployer) = (stage.at.hub, stage.deployer);
    let configure = Hub::configureCall {
        token_: OTHER,
        name_: String::new(),
        symbol_: String::new(),
        decimals_: 9,
        appregistry_: OTHER,
        datasetregistry_: OTHER,
        workerpoolregistry_: OTHER,
        v3_iexecHub: OTHER,
    };
    assert_eq!(
        stage.chain.refuse(deployer, hub, &configure),
        "already-configured"
    );
    assert_eq!(stage.chain.refuse(OTHER, hub, &configure), NOT_OWNER);
    let gas = Hub::setCallbackGasCall {
        gas_: U256::from(7),
    };
    assert_eq!(stage.chain.refuse(OTHER, hub, &gas), NOT_OWNER);
    stage.chain.act(deployer, hub, &gas);
    assert_eq!(
        stage.chain.read(hub, &Hub::callbackgasCall {}),
        U256::from(7)
    );
    let category = Hub::createCategoryCall {
        name_: "mine".to_owned(),
        description: String::new(),
        workClockTimeRef: U256::ONE,
    };
    assert_eq!(stage.chain.refuse(OTHER, hub, &category), NOT_OWNER);
    let hand_over = Hub::transferOwnershipCall { newOwner: OTHER };
    let error = Hub::NotContractOwner {
        user: OTHER,
        owner: deployer,
    };
    let refused = stage.chain.refuse(OTHER, hub, &hand_over);
    assert_eq!(refused, Bytes::from(error.abi_encode()).to_string());
    stage.chain.act(deployer, hub, &hand_over);
    assert_eq!(stage.chain.read(hub, &Hub::ownerCall {}), OTHER);
    assert_eq!(stage.chain.act(OTHER, hub, &category).value, U256::from(6));
}

#[test]
fn a_score_of_the_generation_before_is_imported_once() {
    let mut stage = Stage::new();
    let import = Hub::importScoreCall {
        worker: stage.workers[0].address(),
    };
    let refused = stage.chain.refuse(OTHER, stage.at.hub, &import);
    assert_eq!(refused, "", "there is no generation before");
}

#[test]
fn flat_answers_agree_with_the_structs() {
    let mut stage = Stage::new();
    let hub = stage.at.hub;
    let deal_id = stage.deal(stage.offers_with_dataset());
    let task_id = stage.task(deal_id, 0);
    stage.contribute(task_id, 0, digest(7));
    let (deal, task) = (stage.view_deal(deal_id), stage.view_task(task_id));
    let first = stage
        .chain
        .read(hub, &Hub::viewDealABILegacy_pt1Call { _id: deal_id });
    assert_eq!(
        (first._0, first._4, first._8),
        (deal.app.pointer, deal.dataset.owner, deal.workerpool.price)
    );
    let second = stage
        .chain
        .read(hub, &Hub::viewDealABILegacy_pt2Call { _id: deal_id });
    assert_eq!((second._0, second._5), (deal.trust, deal.params));
    let config = stage
        .chain
        .read(hub, &Hub::viewConfigABILegacyCall { _id: deal_id });
    assert_eq!((config._1, config._4), (deal.startTime, deal.workerStake));
    let flat = stage
        .chain
        .read(hub, &Hub::viewTaskABILegacyCall { _taskid: task_id });
    assert_eq!(
        (flat._0, flat._6, flat._10),
        (task.status, task.finalDeadline, task.contributors)
    );
    let worker = stage.workers[0].address();
    let call = Hub::viewContributionABILegacyCall {
        _taskid: task_id,
        _worker: worker,
    };
    assert_eq!(stage.chain.read(hub, &call)._0, 1);
    let account = stage
        .chain
        .read(hub, &Hub::viewAccountABILegacyCall { _user: worker });
    assert_eq!((account._0.to(), account._1.to()), stage.account(worker));
}
