//! The official contracts in place of ours, so that the same tests say what both do.
//!
//! `POCO_PACKAGE=<unpacked @iexec/poco> cargo test -p iexec-contracts --test poco` runs them;
//! what then fails is a difference. Known ones: what 6.2.0 changed since the package (6.1.0), the
//! custom errors of the registries, and what contracts/README.md calls different on purpose.
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use alloy::json_abi::JsonAbi;
use alloy::primitives::{Address, Bytes, FixedBytes, U256, hex};
use alloy::sol_types::{SolCall, SolConstructor};
use contracts::{AppRegistry, CATEGORIES, Deployment, Hub, Rlc};

use super::chain::Chain;

alloy::sol! {
    struct FacetCut { address facetAddress; uint8 action; bytes4[] functionSelectors; }
    struct DiamondArgs { address owner; address init; bytes initCalldata; }
    contract Diamond { constructor(FacetCut[] memory _diamondCut, DiamondArgs memory _args); }
    function init();
}

/// All but the escrow, which depends on what the hub holds.
const FACETS: [&str; 12] = [
    "AccessorsABILegacy",
    "CategoryManager",
    "ConfigurationExtra",
    "Configuration",
    "ERC20",
    "OrderManagement",
    "Poco1",
    "Poco2",
    "PocoAccessors",
    "PocoBoost",
    "PocoBoostAccessors",
    "Relay",
];
/// Where calls without and with unknown selectors go.
const RECEIVE: FixedBytes<4> = FixedBytes([0; 4]);
const FALLBACK: FixedBytes<4> = FixedBytes([0xff; 4]);
/// How many transactions a deployment may have before it is certainly not followed any more.
const NONCES_MAX: u64 = 64;

/// What all transactions that create nothing are billed as.
const CONFIGURATION: &str = "configuration";

/// The last version on npm with bytecode (spec/contracts.md §0).
const PACKAGE: (&str, &str) = ("@iexec/poco", "6.1.0");

/// Where the official package lies, when every test is to run against it.
pub(crate) fn chosen() -> Option<PathBuf> {
    std::env::var_os("POCO_PACKAGE").map(PathBuf::from)
}

/// The official package, fetched unless it was named.
pub(crate) fn package() -> anyhow::Result<PathBuf> {
    match chosen() {
        Some(folder) => Ok(folder),
        None => tools::npm_archive(PACKAGE.0, PACKAGE.1),
    }
}

struct Artifact {
    /// Empty for the token, which is published as code alone.
    abi: JsonAbi,
    code: String,
}

fn artifact(path: &Path) -> Artifact {
    let text = std::fs::read_to_string(path).unwrap_or_else(|_| panic!("no {}", path.display()));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    Artifact {
        abi: serde_json::from_value(json["abi"].clone()).unwrap_or_default(),
        code: json["bytecode"]
            .as_str()
            .unwrap()
            .trim_start_matches("0x")
            .to_owned(),
    }
}

/// What a transaction of the deployment did, and the gas it took.
pub(crate) type Bill = (String, u64);

struct Official<'a> {
    chain: &'a mut Chain,
    package: &'a Path,
    deployer: Address,
    bills: Vec<Bill>,
    /// Who creates what only the hub needs.
    helper: Address,
}

pub(crate) fn deployed(chain: &mut Chain, deployer: Address, package: &Path) -> Deployment {
    deployed_and_billed(chain, deployer, package).0
}

pub(crate) fn deployed_and_billed(
    chain: &mut Chain,
    deployer: Address,
    package: &Path,
) -> (Deployment, Vec<Bill>) {
    let mut official = Official {
        chain,
        package,
        deployer,
        bills: Vec::new(),
        helper: deployer,
    };
    let token = official.token();
    let hub = official.diamond("EscrowToken");
    let [app_registry, dataset_registry, workerpool_registry] =
        ["app", "dataset", "workerpool"].map(|kind| official.registry(kind));
    let deployment = Deployment {
        hub,
        extension: Address::ZERO,
        boost: Address::ZERO,
        token,
        app_registry,
        dataset_registry,
        workerpool_registry,
    };
    official.configure(&deployment);
    (deployment, official.bills)
}

/// Creates the official contracts, not configured, exactly where somebody else's deployment by
/// `deployer` has its own; `helper` creates what nobody calls. With equal addresses everything that
/// follows from them, hashes and signatures included, is equal too.
pub(crate) fn placed(
    chain: &mut Chain,
    [deployer, helper]: [Address; 2],
    package: &Path,
    at: &Deployment,
) {
    let mut official = Official {
        chain,
        package,
        deployer,
        bills: Vec::new(),
        helper,
    };
    let last = [at.hub, at.workerpool_registry, at.dataset_registry];
    for nonce in 0..NONCES_MAX {
        let created = official.put(deployer.create(nonce), at);
        let next = deployer.create(nonce);
        assert!(
            created.is_none_or(|created| created == next),
            "missed nonce {nonce}"
        );
    }
    assert!(
        last.iter()
            .all(|address| !official.chain.code(*address).is_empty())
    );
}

/// The three official registries of `deployer`, in the order app, dataset, workerpool.
pub(crate) fn registries(chain: &mut Chain, deployer: Address, package: &Path) -> [Address; 3] {
    let mut official = Official {
        chain,
        package,
        deployer,
        bills: Vec::new(),
        helper: deployer,
    };
    ["app", "dataset", "workerpool"].map(|kind| official.create_registry(kind))
}

impl Official<'_> {
    /// Puts whatever belongs at `address` there, or uses up the nonce.
    fn put(&mut self, address: Address, at: &Deployment) -> Option<Address> {
        if address == at.token {
            return Some(self.our_token());
        }
        if address == at.hub {
            let escrow = if at.token.is_zero() {
                "EscrowNative"
            } else {
                "EscrowToken"
            };
            return Some(self.diamond(escrow));
        }
        let kinds = [
            (at.app_registry, "app"),
            (at.dataset_registry, "dataset"),
            (at.workerpool_registry, "workerpool"),
        ];
        let kind = kinds.into_iter().find(|(place, _)| *place == address);
        if kind.is_none() {
            let nobody = Address::repeat_byte(0xee);
            self.chain
                .transact(self.deployer, nobody.into(), Bytes::new());
        }
        kind.map(|(_, kind)| self.create_registry(kind))
    }

    /// Ours in both worlds: what is compared is the hub.
    fn our_token(&mut self) -> Address {
        let arguments = Rlc::constructorCall {
            holder: self.deployer,
        };
        let code = [Rlc::BYTECODE.as_ref(), &arguments.abi_encode()].concat();
        self.chain.create(self.deployer, code.into()).value
    }

    /// The test RLC gives its whole supply to whoever creates it.
    fn token(&mut self) -> Address {
        let token = self.published("RLC");
        self.create("RLC", &token.code, Address::ZERO)
    }

    /// Links the library of order hashes into the facets that need it and joins all of them.
    fn diamond(&mut self, escrow: &str) -> Address {
        let library = self.compiled("libs/IexecLibOrders_v5.sol/IexecLibOrders_v5");
        let library = self.create("IexecLibOrders_v5", &library.code, Address::ZERO);
        let mut known = BTreeSet::new();
        let mut cuts = Vec::new();
        for name in ["DiamondCutFacet", "DiamondLoupeFacet", "OwnershipFacet"] {
            let facet = self.published(name);
            cuts.push(self.cut(name, &facet, library, &mut known));
        }
        let names = FACETS.into_iter().chain([escrow]);
        for name in names.map(|name| format!("Iexec{name}Facet")) {
            let facet = self.compiled(&format!("facets/{name}.sol/{name}"));
            cuts.push(self.cut(&name, &facet, library, &mut known));
        }
        let start = self.published("DiamondInit");
        let arguments = DiamondArgs {
            owner: self.deployer,
            init: self.create("DiamondInit", &start.code, library),
            initCalldata: initCall {}.abi_encode().into(),
        };
        let call = Diamond::constructorCall {
            _diamondCut: cuts,
            _args: arguments,
        };
        let diamond = self.compiled("Diamond.sol/Diamond");
        let code = diamond.code + &hex::encode(call.abi_encode());
        self.create_by(self.deployer, "Diamond, with all facets", &code, library)
    }

    fn cut(
        &mut self,
        name: &str,
        facet: &Artifact,
        library: Address,
        known: &mut BTreeSet<FixedBytes<4>>,
    ) -> FacetCut {
        let mut selectors: Vec<_> = facet.abi.functions().map(|one| one.selector()).collect();
        selectors.extend(facet.abi.receive.as_ref().map(|_| RECEIVE));
        selectors.extend(facet.abi.fallback.as_ref().map(|_| FALLBACK));
        selectors.retain(|selector| known.insert(*selector));
        FacetCut {
            facetAddress: self.create(name, &facet.code, library),
            action: 0,
            functionSelectors: selectors,
        }
    }

    fn create_registry(&mut self, kind: &str) -> Address {
        let name = format!("{}{}Registry", kind[..1].to_uppercase(), &kind[1..]);
        let compiled = self.compiled(&format!("registries/{kind}s/{name}.sol/{name}"));
        self.create_by(self.deployer, &name, &compiled.code, Address::ZERO)
    }

    fn registry(&mut self, kind: &str) -> Address {
        let registry = self.create_registry(kind);
        let call = AppRegistry::initializeCall {
            _previous: Address::ZERO,
        };
        self.act(registry, &call);
        registry
    }

    fn configure(&mut self, at: &Deployment) {
        let call = Hub::configureCall {
            token_: at.token,
            name_: "Staked RLC".to_owned(),
            symbol_: "SRLC".to_owned(),
            decimals_: 9,
            appregistry_: at.app_registry,
            datasetregistry_: at.dataset_registry,
            workerpoolregistry_: at.workerpool_registry,
            v3_iexecHub: Address::ZERO,
        };
        self.act(at.hub, &call);
        for (name, seconds) in CATEGORIES.into_iter().chain([("local", 1)]) {
            let call = Hub::createCategoryCall {
                name_: name.to_owned(),
                description: String::new(),
                workClockTimeRef: U256::from(seconds),
            };
            self.act(at.hub, &call);
        }
    }

    fn compiled(&self, name: &str) -> Artifact {
        artifact(
            &self
                .package
                .join(format!("artifacts/contracts/{name}.json")),
        )
    }

    fn published(&self, name: &str) -> Artifact {
        artifact(
            &self
                .package
                .join(format!("deployments/arbitrum/{name}.json")),
        )
    }

    fn create(&mut self, name: &str, code: &str, library: Address) -> Address {
        self.create_by(self.helper, name, code, library)
    }

    fn create_by(&mut self, creator: Address, name: &str, code: &str, library: Address) -> Address {
        let code: Bytes = linked(code, library).parse().unwrap();
        let receipt = self.chain.create(creator, code);
        self.bills.push((name.to_owned(), receipt.gas));
        receipt.value
    }

    fn act(&mut self, to: Address, call: &impl SolCall) {
        let receipt = self.chain.act(self.deployer, to, call);
        self.bills.push((CONFIGURATION.to_owned(), receipt.gas));
    }
}

/// Replaces the placeholders `__$…$__` of the only library there is.
fn linked(code: &str, library: Address) -> String {
    let mut linked = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(position) = rest.find("__$") {
        linked += &rest[..position];
        linked += &hex::encode(library);
        rest = &rest[position + 40..];
    }
    linked + rest
}
