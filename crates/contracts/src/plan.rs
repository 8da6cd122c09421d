//! What a deployment consists of, decided before anything is sent.
use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::{SolCall, SolConstructor};

use crate::{AppRegistry, DatasetRegistry, Hub, HubExtension, Rlc, WorkerpoolRegistry};

/// Gas given to a transaction that creates a contract: the hub with its 20 kB takes about 4.6 M.
const CREATE_GAS: u64 = 8_000_000;
/// Gas given to a transaction that configures: `configure` writes ten slots.
const CALL_GAS: u64 = 1_000_000;
/// Name, symbol and decimals of the hub's own ERC-20 (spec/contracts.md §15).
const STAKED_NAME: &str = "Staked RLC";
const STAKED_SYMBOL: &str = "SRLC";
const STAKED_DECIMALS: u8 = 9;
/// The official categories carry an empty JSON string as their description.
const CATEGORY_DESCRIPTION: &str = "\"\"";

/// The five official categories: names and `workClockTimeRef` in seconds (spec/contracts.md §2).
pub const CATEGORIES: [(&str, u64); 5] = [
    ("XS", 300),
    ("S", 1200),
    ("M", 3600),
    ("L", 10_800),
    ("XL", 36_000),
];

/// A category to create after the official ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Short name, as clients print it.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The unit of all deadlines of the category, in seconds; the final one is ten of it.
    pub work_clock_time_ref_s: u64,
}

/// How this deployment differs from the official one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The chain's RLC; when absent a test token is deployed and the deployer holds its supply.
    pub token: Option<Address>,
    /// Categories after the five official ones, numbered from 5.
    pub extra_categories: Vec<Category>,
}

/// Where everything lives. Addresses depend on the deployer and its nonce alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Deployment {
    /// The hub: the only address a client needs.
    pub hub: Address,
    /// The code that runs inside the hub for its cold functions; nobody calls it directly.
    pub extension: Address,
    /// RLC.
    pub token: Address,
    /// Registry of apps.
    pub app_registry: Address,
    /// Registry of datasets.
    pub dataset_registry: Address,
    /// Registry of workerpools.
    pub workerpool_registry: Address,
}

/// One transaction of a deployment; the nonce is the plan's first nonce plus its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What the transaction does, for errors.
    pub name: &'static str,
    /// The contract called; absent when one is created.
    pub to: Option<Address>,
    /// Call data, or init code.
    pub data: Bytes,
    /// Gas limit.
    pub gas: u64,
}

/// The transactions of a deployment, in order, and the addresses they lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Where everything will be.
    pub deployment: Deployment,
    /// The transactions, to be sent with consecutive nonces.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Plans the deployment by `deployer`, whose next nonce is `nonce`. The deployer will own the
    /// hub and the registries.
    #[must_use]
    pub fn new(deployer: Address, nonce: u64, options: &Options) -> Self {
        let mut creation = Creation {
            deployer,
            nonce,
            steps: Vec::new(),
        };
        let holder = Rlc::constructorCall { holder: deployer };
        let token = options
            .token
            .unwrap_or_else(|| creation.create("create the token", &Rlc::BYTECODE, &holder));
        let extension = creation.create_plain("create the extension", &HubExtension::BYTECODE);
        let ends = Hub::constructorCall {
            extension_: extension,
            boost_: Address::ZERO,
            owner_: deployer,
        };
        let hub = creation.create("create the hub", &Hub::BYTECODE, &ends);
        let app_registry = creation.create_plain("create the app registry", &AppRegistry::BYTECODE);
        let dataset_registry =
            creation.create_plain("create the dataset registry", &DatasetRegistry::BYTECODE);
        let workerpool_registry = creation.create_plain(
            "create the workerpool registry",
            &WorkerpoolRegistry::BYTECODE,
        );
        let deployment = Deployment {
            hub,
            extension,
            token,
            app_registry,
            dataset_registry,
            workerpool_registry,
        };
        let mut steps = creation.steps;
        steps.push(configure(&deployment));
        steps.extend(initialize_registries(&deployment));
        steps.extend(create_categories(hub, &options.extra_categories));
        Self { deployment, steps }
    }
}

/// Collects creations and counts the nonce that decides their addresses.
struct Creation {
    deployer: Address,
    nonce: u64,
    steps: Vec<Step>,
}

impl Creation {
    fn create(
        &mut self,
        name: &'static str,
        code: &Bytes,
        arguments: &impl SolConstructor,
    ) -> Address {
        self.push(
            name,
            [code.as_ref(), &arguments.abi_encode()].concat().into(),
        )
    }

    fn create_plain(&mut self, name: &'static str, code: &Bytes) -> Address {
        self.push(name, code.clone())
    }

    fn push(&mut self, name: &'static str, data: Bytes) -> Address {
        let address = self.deployer.create(self.nonce + self.steps.len() as u64);
        self.steps.push(Step {
            name,
            to: None,
            data,
            gas: CREATE_GAS,
        });
        address
    }
}

fn configure(deployment: &Deployment) -> Step {
    let call = Hub::configureCall {
        token_: deployment.token,
        name_: STAKED_NAME.to_owned(),
        symbol_: STAKED_SYMBOL.to_owned(),
        decimals_: STAKED_DECIMALS,
        appregistry_: deployment.app_registry,
        datasetregistry_: deployment.dataset_registry,
        workerpoolregistry_: deployment.workerpool_registry,
        v3_iexecHub: Address::ZERO,
    };
    step("configure the hub", deployment.hub, &call)
}

/// There is no older generation on a fresh chain, so no registry has a predecessor.
fn initialize_registries(deployment: &Deployment) -> [Step; 3] {
    let call = AppRegistry::initializeCall {
        _previous: Address::ZERO,
    };
    [
        deployment.app_registry,
        deployment.dataset_registry,
        deployment.workerpool_registry,
    ]
    .map(|registry| step("initialize a registry", registry, &call))
}

fn create_categories(hub: Address, extra: &[Category]) -> Vec<Step> {
    let official = CATEGORIES
        .iter()
        .map(|&(name, work_clock_time_ref_s)| Category {
            name: name.to_owned(),
            description: CATEGORY_DESCRIPTION.to_owned(),
            work_clock_time_ref_s,
        });
    official
        .chain(extra.iter().cloned())
        .map(|category| create_category(hub, category))
        .collect()
}

fn create_category(hub: Address, category: Category) -> Step {
    let call = Hub::createCategoryCall {
        name_: category.name,
        description: category.description,
        workClockTimeRef: U256::from(category.work_clock_time_ref_s),
    };
    step("create a category", hub, &call)
}

fn step(name: &'static str, to: Address, call: &impl SolCall) -> Step {
    Step {
        name,
        to: Some(to),
        data: call.abi_encode().into(),
        gas: CALL_GAS,
    }
}
