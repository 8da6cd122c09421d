//! A deployed market with everyone on it: what a test starts from.
use std::path::Path;

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolValue;
use contracts::{
    AppRegistry, Category, DatasetRegistry, Deployment, Hub, Options, Plan, Rlc, WorkerpoolRegistry,
};

use super::chain::{Chain, Receipt};
use super::official;
use super::orders::{Order, Orders};

pub(crate) const APP_PRICE: u64 = 1_000_000;
pub(crate) const DATASET_PRICE: u64 = 500_000;
pub(crate) const POOL_PRICE: u64 = 10_000_000;
/// What the scheduler locks per task: 30 % of the price.
pub(crate) const POOL_STAKE: u64 = 3_000_000;
/// What a worker locks per task: 30 % of the price as well, by default policy.
pub(crate) const WORKER_STAKE: u64 = 3_000_000;
/// What everyone has in the hub to begin with: 1000 RLC in nRLC.
pub(crate) const DEPOSIT: u64 = 1_000_000_000_000;
/// The time reference of category XS, in seconds.
pub(crate) const TIMEREF: u64 = 300;

pub(crate) struct Stage {
    pub(crate) chain: Chain,
    pub(crate) at: Deployment,
    pub(crate) deployer: Address,
    pub(crate) requester: PrivateKeySigner,
    pub(crate) app_owner: PrivateKeySigner,
    pub(crate) dataset_owner: PrivateKeySigner,
    pub(crate) scheduler: PrivateKeySigner,
    pub(crate) workers: Vec<PrivateKeySigner>,
    pub(crate) app: Address,
    pub(crate) dataset: Address,
    pub(crate) pool: Address,
}

pub(crate) fn key(seed: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(seed)).unwrap()
}

/// Deploys what `contracts::deploy` would.
pub(crate) fn deployed(chain: &mut Chain, deployer: Address) -> Deployment {
    let extra = Category {
        name: "local".to_owned(),
        description: String::new(),
        work_clock_time_ref_s: 1,
    };
    let options = Options {
        extra_categories: vec![extra],
        ..Options::default()
    };
    let plan = Plan::new(deployer, 0, &options);
    for step in plan.steps {
        let result = chain.transact(deployer, step.to.into(), step.data);
        assert!(result.is_success(), "{}: {result:?}", step.name);
        assert!(
            result.gas().tx_gas_used() <= step.gas,
            "{} needs more gas",
            step.name
        );
    }
    plan.deployment
}

impl Stage {
    /// A market on the contracts under test.
    pub(crate) fn new() -> Self {
        match official::chosen() {
            Some(package) => Self::official(&package),
            None => Self::ours(),
        }
    }

    pub(crate) fn ours() -> Self {
        Self::on(deployed)
    }

    pub(crate) fn official(package: &Path) -> Self {
        Self::on(|chain, deployer| official::deployed(chain, deployer, package))
    }

    fn on(deploy: impl FnOnce(&mut Chain, Address) -> Deployment) -> Self {
        let mut chain = Chain::new();
        let deployer = key(1).address();
        let at = deploy(&mut chain, deployer);
        let mut stage = Self {
            chain,
            at,
            deployer,
            requester: key(2),
            app_owner: key(3),
            dataset_owner: key(4),
            scheduler: key(5),
            workers: (10..14).map(key).collect(),
            app: Address::ZERO,
            dataset: Address::ZERO,
            pool: Address::ZERO,
        };
        stage.fund_everyone();
        stage.create_assets();
        stage
    }

    fn fund_everyone(&mut self) {
        let total = Rlc::approveCall {
            spender: self.at.hub,
            value: U256::from(100 * DEPOSIT),
        };
        self.chain.act(self.deployer, self.at.token, &total);
        let parties = [&self.requester, &self.scheduler].map(PrivateKeySigner::address);
        let workers = self.workers.iter().map(PrivateKeySigner::address);
        for target in parties.into_iter().chain(workers).collect::<Vec<_>>() {
            self.deposit_for(target);
        }
    }

    pub(crate) fn deposit_for(&mut self, target: Address) {
        let call = Hub::depositForCall {
            amount: U256::from(DEPOSIT),
            target,
        };
        self.chain.act(self.deployer, self.at.hub, &call);
    }

    fn create_assets(&mut self) {
        let app = app_call(self.app_owner.address());
        self.app = self
            .chain
            .act(self.deployer, self.at.app_registry, &app)
            .value;
        let dataset = DatasetRegistry::createDatasetCall {
            _datasetOwner: self.dataset_owner.address(),
            _datasetName: "data".to_owned(),
            _datasetMultiaddr: Bytes::from_static(b"/ipfs/x"),
            _datasetChecksum: B256::repeat_byte(2),
        };
        self.dataset = self
            .chain
            .act(self.deployer, self.at.dataset_registry, &dataset)
            .value;
        let pool = WorkerpoolRegistry::createWorkerpoolCall {
            _workerpoolOwner: self.scheduler.address(),
            _workerpoolDescription: "pool".to_owned(),
        };
        self.pool = self
            .chain
            .act(self.deployer, self.at.workerpool_registry, &pool)
            .value;
    }

    /// Unsigned orders for one task without a dataset.
    pub(crate) fn offers(&self) -> Orders {
        let app = Hub::AppOrder {
            app: self.app,
            appprice: U256::from(APP_PRICE),
            volume: U256::from(1),
            ..Hub::AppOrder::default()
        };
        let workerpool = Hub::WorkerpoolOrder {
            workerpool: self.pool,
            workerpoolprice: U256::from(POOL_PRICE),
            volume: U256::from(1),
            ..Hub::WorkerpoolOrder::default()
        };
        let request = Hub::RequestOrder {
            app: self.app,
            appmaxprice: U256::from(APP_PRICE),
            workerpoolmaxprice: U256::from(POOL_PRICE),
            datasetmaxprice: U256::from(DATASET_PRICE),
            requester: self.requester.address(),
            beneficiary: self.requester.address(),
            volume: U256::from(1),
            params: r#"{"iexec_args":"hello"}"#.to_owned(),
            ..Hub::RequestOrder::default()
        };
        Orders {
            app,
            dataset: Hub::DatasetOrder::default(),
            workerpool,
            request,
        }
    }

    pub(crate) fn offers_with_dataset(&self) -> Orders {
        let mut orders = self.offers();
        orders.request.dataset = self.dataset;
        orders.dataset = Hub::DatasetOrder {
            dataset: self.dataset,
            datasetprice: U256::from(DATASET_PRICE),
            volume: U256::from(1),
            ..Hub::DatasetOrder::default()
        };
        orders
    }

    /// Everyone signs their own order.
    pub(crate) fn signed(&self, mut orders: Orders) -> Orders {
        self.sign(&self.app_owner, &mut orders.app);
        self.sign(&self.dataset_owner, &mut orders.dataset);
        self.sign(&self.scheduler, &mut orders.workerpool);
        self.sign(&self.requester, &mut orders.request);
        orders
    }

    pub(crate) fn sign(&self, signer: &PrivateKeySigner, order: &mut impl Order) {
        let hash = order.hash(self.at.hub);
        order.sign(signature(signer, hash));
    }

    pub(crate) fn deal(&mut self, orders: Orders) -> B256 {
        let call = self.signed(orders).call();
        self.chain.act(Address::ZERO, self.at.hub, &call).value
    }

    pub(crate) fn task(&mut self, deal: B256, index: u64) -> B256 {
        let call = Hub::initializeCall {
            dealId: deal,
            index: U256::from(index),
        };
        self.chain.act(Address::ZERO, self.at.hub, &call).value
    }

    /// A deal of one task on these offers, and the task.
    pub(crate) fn one_task(&mut self, orders: Orders) -> B256 {
        let deal = self.deal(orders);
        self.task(deal, 0)
    }

    pub(crate) fn contribution(&self, task: B256, worker: usize, digest: B256) -> Contribution {
        Contribution::new(
            task,
            self.workers[worker].address(),
            digest,
            &self.scheduler,
        )
    }

    pub(crate) fn contribute(&mut self, task: B256, worker: usize, digest: B256) -> Receipt<()> {
        let call = self.contribution(task, worker, digest).call();
        self.act_as(worker, &call)
    }

    pub(crate) fn reveal(&mut self, task: B256, worker: usize, digest: B256) -> Receipt<()> {
        self.act_as(
            worker,
            &Hub::revealCall {
                taskId: task,
                resultDigest: digest,
            },
        )
    }

    pub(crate) fn finalize(&mut self, task: B256) -> Receipt<()> {
        let receipt = self
            .chain
            .act(self.scheduler.address(), self.at.hub, &finalize_call(task));
        Receipt {
            value: (),
            logs: receipt.logs,
            gas: receipt.gas,
        }
    }

    pub(crate) fn act_as(
        &mut self,
        worker: usize,
        call: &impl alloy::sol_types::SolCall,
    ) -> Receipt<()> {
        let receipt = self
            .chain
            .act(self.workers[worker].address(), self.at.hub, call);
        Receipt {
            value: (),
            logs: receipt.logs,
            gas: receipt.gas,
        }
    }

    pub(crate) fn view_task(&mut self, task: B256) -> Hub::Task {
        self.chain
            .read(self.at.hub, &Hub::viewTaskCall { id: task })
    }

    pub(crate) fn view_deal(&mut self, deal: B256) -> Hub::Deal {
        self.chain
            .read(self.at.hub, &Hub::viewDealCall { id: deal })
    }

    pub(crate) fn view_contribution(&mut self, task: B256, worker: usize) -> Hub::Contribution {
        let _worker = self.workers[worker].address();
        self.chain.read(
            self.at.hub,
            &Hub::viewContributionCall {
                _taskid: task,
                _worker,
            },
        )
    }

    /// Free and locked nRLC.
    pub(crate) fn account(&mut self, account: Address) -> (u64, u64) {
        let account = self
            .chain
            .read(self.at.hub, &Hub::viewAccountCall { account });
        (account.stake.to(), account.locked.to())
    }

    /// How the free balance differs from the first deposit.
    pub(crate) fn gain(&mut self, account: Address) -> i64 {
        self.account(account).0 as i64 - DEPOSIT as i64
    }

    pub(crate) fn score(&mut self, worker: usize) -> u64 {
        let _worker = self.workers[worker].address();
        self.chain
            .read(self.at.hub, &Hub::viewScoreCall { _worker })
            .to()
    }
}

pub(crate) fn finalize_call(task: B256) -> Hub::finalizeCall {
    Hub::finalizeCall {
        taskId: task,
        results: Bytes::from_static(b"result"),
        resultsCallback: Bytes::new(),
    }
}

pub(crate) fn app_call(owner: Address) -> AppRegistry::createAppCall {
    AppRegistry::createAppCall {
        _appOwner: owner,
        _appName: "hello".to_owned(),
        _appType: "DOCKER".to_owned(),
        _appMultiaddr: Bytes::from_static(b"registry/hello:1"),
        _appChecksum: B256::repeat_byte(1),
        _appMREnclave: Bytes::new(),
    }
}

/// The token of an entry.
pub(crate) fn id(entry: Address) -> U256 {
    U256::from_be_slice(entry.as_slice())
}

pub(crate) fn signature(signer: &PrivateKeySigner, hash: B256) -> Bytes {
    signer.sign_hash_sync(&hash).unwrap().as_bytes().into()
}

pub(crate) fn digest(seed: u8) -> B256 {
    B256::repeat_byte(seed)
}

/// What a worker knows when it contributes.
pub(crate) struct Contribution {
    pub(crate) task: B256,
    pub(crate) digest: B256,
    pub(crate) hash: B256,
    pub(crate) seal: B256,
    pub(crate) enclave: Address,
    pub(crate) enclave_sign: Bytes,
    pub(crate) authorization: Bytes,
}

impl Contribution {
    pub(crate) fn new(
        task: B256,
        worker: Address,
        digest: B256,
        authority: &PrivateKeySigner,
    ) -> Self {
        let hash = keccak256((task, digest).abi_encode_packed());
        let seal = keccak256((worker, task, digest).abi_encode_packed());
        let mut contribution = Self {
            task,
            digest,
            hash,
            seal,
            enclave: Address::ZERO,
            enclave_sign: Bytes::new(),
            authorization: Bytes::new(),
        };
        contribution.authorize(worker, authority);
        contribution
    }

    /// The enclave that produced the result signs it.
    pub(crate) fn with_enclave(
        mut self,
        worker: Address,
        enclave: &PrivateKeySigner,
        authority: &PrivateKeySigner,
    ) -> Self {
        self.enclave = enclave.address();
        let message = keccak256((self.hash, self.seal).abi_encode_packed());
        self.enclave_sign = personal(enclave, message);
        self.authorize(worker, authority);
        self
    }

    fn authorize(&mut self, worker: Address, authority: &PrivateKeySigner) {
        let message = keccak256((worker, self.task, self.enclave).abi_encode_packed());
        self.authorization = personal(authority, message);
    }

    pub(crate) fn call(&self) -> Hub::contributeCall {
        Hub::contributeCall {
            taskId: self.task,
            resultHash: self.hash,
            resultSeal: self.seal,
            enclaveChallenge: self.enclave,
            enclaveSign: self.enclave_sign.clone(),
            authorizationSign: self.authorization.clone(),
        }
    }

    pub(crate) fn final_call(&self, callback: Bytes) -> Hub::contributeAndFinalizeCall {
        Hub::contributeAndFinalizeCall {
            taskId: self.task,
            resultDigest: self.digest,
            results: Bytes::from_static(b"result"),
            resultsCallback: callback,
            enclaveChallenge: self.enclave,
            enclaveSign: self.enclave_sign.clone(),
            authorizationSign: self.authorization.clone(),
        }
    }
}

pub(crate) fn personal(signer: &PrivateKeySigner, message: B256) -> Bytes {
    signer
        .sign_message_sync(message.as_slice())
        .unwrap()
        .as_bytes()
        .into()
}
