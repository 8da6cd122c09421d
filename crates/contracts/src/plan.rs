//! What a deployment consists of, decided before anything is sent.
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::sol_types::{SolCall, SolConstructor};

use crate::{
    AppRegistry, Boost, Contract, DatasetRegistry, Hub, HubExtension, HubExtensionNative,
    HubNative, Rlc, StepName, WorkerpoolRegistry,
};

/// Gas given to a transaction that creates a contract: the hub with its 20 kB takes about 4.6 M.
const CREATE_GAS: u64 = 8_000_000;
/// Gas given to a transaction that configures: `configure` writes ten slots.
const CALL_GAS: u64 = 1_000_000;
/// Name, symbol and decimals of the hub's own ERC-20 (spec/contracts.md §15).
const STAKED_NAME: &str = "Staked RLC";
const STAKED_SYMBOL: &str = "SRLC";
const STAKED_DECIMALS: u8 = 9;
/// Where the official registries say that the metadata of their entries is (spec/contracts.md §15).
const METADATA_URL: &str = "https://nfts-metadata.iex.ec";
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
    /// Whether the hub holds the chain's own coin instead of an RLC token.
    pub native: bool,
    /// The chain's RLC; when absent a test token is deployed and the deployer holds its supply.
    pub token: Option<Address>,
    /// Categories after the five official ones, numbered from 5.
    pub extra_categories: Vec<Category>,
    /// Makes the registries say that the metadata of their entries is where the official ones of
    /// this chain id have it. A local network leaves it out: nobody serves metadata for it, and
    /// three transactions are saved.
    pub metadata_chain_id: Option<u64>,
}

impl Options {
    /// The contracts to create, in order.
    pub(crate) fn created(&self) -> Vec<Contract> {
        let wants_token = !self.native && self.token.is_none();
        let token = wants_token.then_some(Contract::Token);
        let others = [Contract::Extension, Contract::Boost, Contract::Hub];
        let registries = Contract::REGISTRIES;
        token.into_iter().chain(others).chain(registries).collect()
    }

    /// What a transaction that creates `contract` carries.
    fn init_code(&self, contract: Contract, deployer: Address, at: &Deployment) -> Bytes {
        match contract {
            Contract::Token => {
                with_arguments(&Rlc::BYTECODE, &Rlc::constructorCall { holder: deployer })
            }
            Contract::Extension if self.native => HubExtensionNative::BYTECODE.clone(),
            Contract::Extension => HubExtension::BYTECODE.clone(),
            Contract::Boost => Boost::BYTECODE.clone(),
            Contract::Hub => self.hub_init_code(deployer, at),
            Contract::AppRegistry => AppRegistry::BYTECODE.clone(),
            Contract::DatasetRegistry => DatasetRegistry::BYTECODE.clone(),
            Contract::WorkerpoolRegistry => WorkerpoolRegistry::BYTECODE.clone(),
        }
    }

    /// Both hubs are constructed alike.
    fn hub_init_code(&self, deployer: Address, at: &Deployment) -> Bytes {
        let arguments = Hub::constructorCall {
            extension_: at.extension,
            boost_: at.boost,
            owner_: deployer,
        };
        let code = match self.native {
            true => &HubNative::BYTECODE,
            false => &Hub::BYTECODE,
        };
        with_arguments(code, &arguments)
    }

    /// The category of this number.
    pub(crate) fn category(&self, number: usize) -> Category {
        match CATEGORIES.get(number) {
            Some(&(name, work_clock_time_ref_s)) => Category {
                name: name.to_owned(),
                description: CATEGORY_DESCRIPTION.to_owned(),
                work_clock_time_ref_s,
            },
            None => self.extra_categories[number - CATEGORIES.len()].clone(),
        }
    }

    fn base_uri(&self, registry: Contract) -> String {
        let kind = match registry {
            Contract::DatasetRegistry => "dataset",
            Contract::WorkerpoolRegistry => "workerpool",
            _ => "app",
        };
        let chain_id = self.metadata_chain_id.unwrap_or_default();
        format!("{METADATA_URL}/{kind}/{chain_id}/")
    }
}

fn with_arguments(code: &Bytes, arguments: &impl SolConstructor) -> Bytes {
    [code.as_ref(), &arguments.abi_encode()].concat().into()
}

/// Where everything lives. Addresses depend on the deployer and its nonces alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Deployment {
    /// The hub: the only address a client needs.
    pub hub: Address,
    /// The code that runs inside the hub for its cold functions; nobody calls it directly.
    pub extension: Address,
    /// The same for its functions of PoCo Boost.
    #[serde(default)]
    pub boost: Address,
    /// RLC; zero in native mode.
    pub token: Address,
    /// Registry of apps.
    pub app_registry: Address,
    /// Registry of datasets.
    pub dataset_registry: Address,
    /// Registry of workerpools.
    pub workerpool_registry: Address,
}

impl Deployment {
    /// Nothing is anywhere yet, but the token that `options` name.
    pub(crate) fn before(options: &Options) -> Self {
        Self {
            token: options.token.unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Where `contract` is; zero before it has an address.
    pub(crate) fn get(&self, contract: Contract) -> Address {
        match contract {
            Contract::Token => self.token,
            Contract::Extension => self.extension,
            Contract::Boost => self.boost,
            Contract::Hub => self.hub,
            Contract::AppRegistry => self.app_registry,
            Contract::DatasetRegistry => self.dataset_registry,
            Contract::WorkerpoolRegistry => self.workerpool_registry,
        }
    }

    pub(crate) fn set(&mut self, contract: Contract, address: Address) {
        let place = match contract {
            Contract::Token => &mut self.token,
            Contract::Extension => &mut self.extension,
            Contract::Boost => &mut self.boost,
            Contract::Hub => &mut self.hub,
            Contract::AppRegistry => &mut self.app_registry,
            Contract::DatasetRegistry => &mut self.dataset_registry,
            Contract::WorkerpoolRegistry => &mut self.workerpool_registry,
        };
        *place = address;
    }
}

/// One transaction of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What the transaction does.
    pub name: StepName,
    /// The contract called; absent when one is created.
    pub to: Option<Address>,
    /// Call data, or init code.
    pub data: Bytes,
    /// Gas limit that is enough on a chain that prices gas like Ethereum.
    pub gas: u64,
}

impl Step {
    /// The transaction of a step. `at` must know what the step names: whatever the steps before it
    /// create.
    pub(crate) fn new(
        name: StepName,
        deployer: Address,
        options: &Options,
        at: &Deployment,
    ) -> Self {
        match name {
            StepName::Create(contract) => Self {
                name,
                to: None,
                data: options.init_code(contract, deployer, at),
                gas: CREATE_GAS,
            },
            StepName::Configure => Self::call(name, at.hub, &configure(at)),
            StepName::Initialize(registry) => {
                // there is no older generation on a fresh chain, so no registry has a predecessor
                let call = AppRegistry::initializeCall {
                    _previous: Address::ZERO,
                };
                Self::call(name, at.get(registry), &call)
            }
            StepName::SetBaseUri(registry) => {
                let uri = options.base_uri(registry);
                let call = AppRegistry::setBaseURICall { _baseURI: uri };
                Self::call(name, at.get(registry), &call)
            }
            StepName::CreateCategory(number) => {
                Self::call(name, at.hub, &create_category(options.category(number)))
            }
        }
    }

    fn call(name: StepName, to: Address, call: &impl SolCall) -> Self {
        Self {
            name,
            to: Some(to),
            data: call.abi_encode().into(),
            gas: CALL_GAS,
        }
    }
}

fn configure(at: &Deployment) -> Hub::configureCall {
    Hub::configureCall {
        token_: at.token,
        name_: STAKED_NAME.to_owned(),
        symbol_: STAKED_SYMBOL.to_owned(),
        decimals_: STAKED_DECIMALS,
        appregistry_: at.app_registry,
        datasetregistry_: at.dataset_registry,
        workerpoolregistry_: at.workerpool_registry,
        v3_iexecHub: Address::ZERO,
    }
}

fn create_category(category: Category) -> Hub::createCategoryCall {
    Hub::createCategoryCall {
        name_: category.name,
        description: category.description,
        workClockTimeRef: U256::from(category.work_clock_time_ref_s),
    }
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
        let mut deployment = Deployment::before(options);
        for (contract, nonce) in options.created().into_iter().zip(nonce..) {
            deployment.set(contract, deployer.create(nonce));
        }
        let names = StepName::all(options).into_iter();
        let steps = names.map(|name| Step::new(name, deployer, options, &deployment));
        Self {
            deployment,
            steps: steps.collect(),
        }
    }

    /// Tells this plan from all others, whoever carries it out and where: the contracts' code,
    /// their arguments, the categories.
    pub(crate) fn digest(options: &Options) -> B256 {
        let steps = Self::new(Address::ZERO, 0, options).steps;
        let data = steps.iter().map(|step| keccak256(&step.data));
        keccak256(data.collect::<Vec<_>>().concat())
    }
}

/// Whether `code`, read from the chain, is what creating `contract` leaves there.
///
/// Init code holds the code it leaves, with zeros where immutable values go.
pub(crate) fn is_code_of(contract: Contract, options: &Options, code: &[u8]) -> bool {
    let init = options.init_code(contract, Address::ZERO, &Deployment::default());
    let fits = |template: &[u8]| {
        let mut pairs = template.iter().zip(code);
        pairs.all(|(known, found)| *known == 0 || known == found)
    };
    !code.is_empty()
        && init.windows(code.len()).any(|template| {
            let zeros = template.iter().filter(|byte| **byte == 0).count();
            fits(template) && zeros < code.len() / 2
        })
}
