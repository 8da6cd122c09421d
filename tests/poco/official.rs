//! The official contracts on a chain of ours.

use alloy::{
    network::TransactionBuilder as _,
    primitives::{Address, Bytes, FixedBytes, U256},
    providers::{DynProvider, Provider as _, ProviderBuilder},
    rpc::types::{TransactionReceipt, TransactionRequest},
    signers::local::PrivateKeySigner,
    sol_types::{SolCall as _, SolConstructor as _},
};
use anyhow::{Context as _, Result, ensure};
use tokio::sync::Mutex;

use super::{
    anvil::Anvil,
    artifacts::{Artifact, Artifacts},
    bindings::{Diamond, DiamondArgs, FacetCut, Registry, Rlc, hub::Hub},
};

/// Above the dearest creation (a registry, 4 M), below the 16.7 M a transaction may have.
const GAS_MAX: u64 = 12_000_000;
/// Official categories (spec/contracts.md §2), and number 5: a task of it can be claimed 10 s
/// after the match, so that tests see deadlines pass.
const CATEGORIES: [(&str, u64); 6] = [
    ("XS", 300),
    ("S", 1200),
    ("M", 3600),
    ("L", 10800),
    ("XL", 36000),
    ("test", 1),
];
/// Facets in the order the official script links them; the first to bring a selector keeps it.
const FACETS: [&str; 11] = [
    "IexecAccessorsABILegacyFacet",
    "IexecCategoryManagerFacet",
    "IexecConfigurationExtraFacet",
    "IexecConfigurationFacet",
    "IexecERC20Facet",
    "IexecEscrowTokenFacet",
    "IexecOrderManagementFacet",
    "IexecPoco1Facet",
    "IexecPoco2Facet",
    "IexecPocoAccessorsFacet",
    "IexecRelayFacet",
];

/// A hub in token mode with everything around it, as spec/contracts.md §15 deploys it.
///
/// Without the address-preserving factory: addresses differ from the public chains' anyway.
#[derive(Debug)]
pub struct Official {
    /// Where its chain answers JSON-RPC.
    pub rpc_url: String,
    /// Its chain.
    pub chain_id: u64,
    /// The diamond.
    pub hub: Address,
    /// The RLC of this chain, 9 decimals; what [`Official::fund`] gives from.
    pub token: Address,
    /// Registry of apps.
    pub app_registry: Address,
    /// Registry of datasets.
    pub dataset_registry: Address,
    /// Registry of workerpools.
    pub workerpool_registry: Address,
    /// Owner of the hub, of the registries and of all RLC not given away.
    /// Its transactions must not run beside a [`Official::fund`]: both count the same nonces.
    pub owner_key: PrivateKeySigner,
    provider: DynProvider,
    funding: Mutex<()>,
}

/// Deploys PoCo 6.1.0 from its npm artifacts, in a second or two, owned by anvil's account 0.
///
/// Fails when the npm packages cannot be had ([`fetch`](super::fetch) first).
/// Mines at once while it works, and as [`Options::block_time_s`](super::Options::block_time_s)
/// says afterwards.
pub async fn deploy_official(anvil: &Anvil) -> Result<Official> {
    anvil.mine_at_once().await?;
    let owner_key = anvil.key(0)?;
    let deployer = Deployer::new(&anvil.http_url(), owner_key)?;
    let official = deployer
        .deploy(anvil.options().chain_id, anvil.http_url())
        .await?;
    if let Some(seconds) = anvil.options().block_time_s {
        anvil.mine_every(seconds).await?;
    }
    Ok(official)
}

impl Official {
    /// Gives `address` gas money in wei and RLC in nRLC on top of what it has.
    ///
    /// RLC in the wallet, not in the hub: deposit it with `approveAndCall`.
    pub async fn fund(&self, address: Address, gas_wei: U256, rlc_nrlc: U256) -> Result<()> {
        let _turn = self.funding.lock().await;
        let gas = TransactionRequest::default()
            .with_to(address)
            .with_value(gas_wei);
        send(&self.provider, gas).await?;
        let transfer = Rlc::transferCall {
            to: address,
            value: rlc_nrlc,
        }
        .abi_encode();
        transact(&self.provider, self.token, transfer)
            .await
            .map(drop)
    }

    /// A client that signs with `key` and knows each receipt when
    /// [`send_transaction_sync`](alloy::providers::Provider::send_transaction_sync) returns.
    pub fn provider(&self, key: PrivateKeySigner) -> Result<DynProvider> {
        connect(&self.rpc_url, key)
    }
}

/// Creates contracts and configures them, one transaction after the other.
#[derive(Debug)]
struct Deployer {
    artifacts: Artifacts,
    owner_key: PrivateKeySigner,
    provider: DynProvider,
}

impl Deployer {
    fn new(rpc_url: &str, owner_key: PrivateKeySigner) -> Result<Self> {
        let provider = connect(rpc_url, owner_key.clone())?;
        Ok(Self {
            artifacts: Artifacts::fetch()?,
            owner_key,
            provider,
        })
    }

    async fn deploy(self, chain_id: u64, rpc_url: String) -> Result<Official> {
        let token = self
            .create(&self.artifacts.test_rlc()?, Address::ZERO, vec![])
            .await?;
        let hub = self.diamond().await?;
        self.link_facets(hub).await?;
        let app_registry = self.registry("apps", "App", chain_id).await?;
        let dataset_registry = self.registry("datasets", "Dataset", chain_id).await?;
        let workerpool_registry = self.registry("workerpools", "Workerpool", chain_id).await?;
        let official = Official {
            rpc_url,
            chain_id,
            hub,
            token,
            app_registry,
            dataset_registry,
            workerpool_registry,
            owner_key: self.owner_key.clone(),
            provider: self.provider.clone(),
            funding: Mutex::default(),
        };
        self.configure(&official).await?;
        Ok(official)
    }

    /// The diamond that can be cut, looked into and owned, but nothing else yet.
    async fn diamond(&self) -> Result<Address> {
        let mut cuts = vec![];
        for name in ["DiamondCutFacet", "DiamondLoupeFacet", "OwnershipFacet"] {
            let facet = self.artifacts.deployed(name)?;
            let address = self.create(&facet, Address::ZERO, vec![]).await?;
            cuts.push(add(address, facet.selectors()?));
        }
        let init = self.artifacts.deployed("DiamondInit")?;
        let init = self.create(&init, Address::ZERO, vec![]).await?;
        let init_calldata = Diamond::initCall {}.abi_encode().into();
        let owner = self.owner_key.address();
        let arguments = Diamond::constructorCall {
            cuts,
            args: DiamondArgs {
                owner,
                init,
                initCalldata: init_calldata,
            },
        };
        let diamond = self.artifacts.contract(".", "Diamond")?;
        self.create(&diamond, Address::ZERO, arguments.abi_encode())
            .await
    }

    async fn link_facets(&self, hub: Address) -> Result<()> {
        let library = self.artifacts.contract("libs", "IexecLibOrders_v5")?;
        let library = self.create(&library, Address::ZERO, vec![]).await?;
        let mut linked = self.artifacts.deployed("OwnershipFacet")?.selectors()?;
        for name in FACETS {
            let facet = self.artifacts.contract("facets", name)?;
            let mut selectors = facet.selectors()?;
            selectors.retain(|selector| !linked.contains(selector));
            linked.extend(&selectors);
            let address = self.create(&facet, library, vec![]).await?;
            let cuts = vec![add(address, selectors)];
            let (init, data) = (Address::ZERO, Bytes::new());
            self.call(
                hub,
                Diamond::diamondCutCall { cuts, init, data }.abi_encode(),
            )
            .await?;
        }
        Ok(())
    }

    async fn registry(&self, folder: &str, kind: &str, chain_id: u64) -> Result<Address> {
        let folder = format!("registries/{folder}");
        let contract = self
            .artifacts
            .contract(&folder, &format!("{kind}Registry"))?;
        let registry = self.create(&contract, Address::ZERO, vec![]).await?;
        let none = Registry::initializeCall {
            previous: Address::ZERO,
        };
        self.call(registry, none.abi_encode()).await?;
        let uri = format!("http://localhost/{}/{chain_id}/", kind.to_lowercase());
        self.call(registry, Registry::setBaseURICall { uri }.abi_encode())
            .await?;
        Ok(registry)
    }

    async fn configure(&self, official: &Official) -> Result<()> {
        let configure = Hub::configureCall {
            token: official.token,
            name: "Staked RLC".to_owned(),
            symbol: "SRLC".to_owned(),
            decimals: 9,
            appregistry: official.app_registry,
            datasetregistry: official.dataset_registry,
            workerpoolregistry: official.workerpool_registry,
            v3hub: Address::ZERO,
        };
        self.call(official.hub, configure.abi_encode()).await?;
        for (name, seconds) in CATEGORIES {
            let category = Hub::createCategoryCall {
                name: name.to_owned(),
                description: r#""""#.to_owned(),
                workClockTimeRef: U256::from(seconds),
            };
            self.call(official.hub, category.abi_encode()).await?;
        }
        Ok(())
    }

    async fn create(
        &self,
        artifact: &Artifact,
        library: Address,
        arguments: Vec<u8>,
    ) -> Result<Address> {
        let code = [artifact.code(library)?.to_vec(), arguments].concat();
        let request = TransactionRequest::default().with_deploy_code(code);
        let receipt = send(&self.provider, request).await;
        let receipt = receipt.with_context(|| format!("create `{}`", artifact.name()))?;
        receipt
            .contract_address
            .context("receipt without the new address")
    }

    async fn call(&self, to: Address, data: Vec<u8>) -> Result<()> {
        transact(&self.provider, to, data).await.map(drop)
    }
}

fn connect(rpc_url: &str, key: PrivateKeySigner) -> Result<DynProvider> {
    let provider = ProviderBuilder::new()
        .with_simple_nonce_management()
        .wallet(key);
    Ok(provider.connect_http(rpc_url.parse()?).erased())
}

fn add(facet: Address, selectors: Vec<FixedBytes<4>>) -> FacetCut {
    FacetCut {
        facetAddress: facet,
        action: 0,
        functionSelectors: selectors,
    }
}

/// Calls `to` with `data` as `provider`'s account; a revert is an error.
pub(super) async fn transact(
    provider: &DynProvider,
    to: Address,
    data: Vec<u8>,
) -> Result<TransactionReceipt> {
    let request = TransactionRequest::default().with_to(to).with_input(data);
    send(provider, request).await
}

async fn send(provider: &DynProvider, request: TransactionRequest) -> Result<TransactionReceipt> {
    let receipt = provider
        .send_transaction_sync(request.with_gas_limit(GAS_MAX))
        .await?;
    ensure!(
        receipt.status(),
        "transaction {} reverted",
        receipt.transaction_hash
    );
    Ok(receipt)
}
