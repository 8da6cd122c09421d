//! The two worlds: the official contracts and ours, with everything at the same address.
use std::path::Path;

use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::SolCall;
use contracts::{AppRegistry, Category, Deployment, Hub, Options, Plan};
use revm::context::result::ExecutionResult;
use revm::state::EvmState;

use crate::cast::Cast;
use crate::chain::{Chain, Tx};
use crate::mocks;
use crate::official;
use crate::outcome::Outcome;

/// Creates the facets of the official hub, which nobody calls.
const HELPER: Address = Address::repeat_byte(0xe1);
/// Creates the registries of the generation before.
const ANCESTOR: Address = Address::repeat_byte(0xe2);
/// Creates the registries that the hubs of both worlds use.
const COMMON: Address = Address::repeat_byte(0xe3);
/// As much RLC as there is, in nRLC.
const SUPPLY: u64 = 87_000_000_000_000_000;

/// What the hub of a life holds, and which facets are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Token,
    Native,
    Boost,
}

impl Mode {
    pub(crate) fn is_native(self) -> bool {
        self == Self::Native
    }

    /// How ours is deployed; nothing while ours cannot do it. Both worlds are official then, which
    /// tries the generator and the reference at least.
    fn ours(self) -> Option<Options> {
        let options = Options {
            extra_categories: vec![category("local", 1), category("never", 0)],
            ..Options::default()
        };
        match self {
            Self::Token => Some(options),
            Self::Native => Some(Options {
                native: true,
                ..options
            }),
            Self::Boost => Some(options),
        }
    }
}

fn category(name: &str, work_clock_time_ref_s: u64) -> Category {
    Category {
        name: name.to_owned(),
        description: String::new(),
        work_clock_time_ref_s,
    }
}

/// Where everything is, in both worlds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    /// What the deployment consists of. Its registries differ between the worlds and are compared
    /// with each other; the hubs use the common ones.
    pub(crate) at: Deployment,
    /// Ours in both worlds: app, dataset, workerpool. So entries and all hashes are the same.
    pub(crate) common: [Address; 3],
    /// Official ones in both worlds, which the common ones call previous.
    pub(crate) ancestors: [Address; 3],
}

pub(crate) struct World {
    pub(crate) chain: Chain,
}

impl World {
    pub(crate) fn apply(&mut self, tx: &Tx) -> (Outcome, EvmState) {
        let done = self.chain.try_out(tx);
        (done.result.into(), done.state)
    }

    pub(crate) fn ask(&mut self, to: Address, data: &Bytes) -> Outcome {
        self.chain.ask(to, data.clone()).into()
    }
}

/// Both worlds, before anybody has anything.
pub(crate) fn pair(
    mode: Mode,
    cast: &Cast,
    package: &Path,
    old_hub: bool,
) -> (World, World, Places) {
    let plan = Plan::new(cast.owner, 0, &mode.ours().unwrap_or_default());
    let mut at = plan.deployment;
    if mode.is_native() {
        at.token = Address::ZERO;
    }
    let calls = calls(&plan, at, old_hub);
    let deployers = [cast.owner, HELPER];
    let theirs = world(cast, package, at, |chain| {
        official::placed(chain, deployers, package, &at);
        send_all(chain, cast.owner, &calls);
    });
    let ours = world(cast, package, at, |chain| {
        if mode.ours().is_none() {
            official::placed(chain, deployers, package, &at);
        } else {
            create_all(chain, cast.owner, &plan);
        }
        send_all(chain, cast.owner, &calls);
    });
    assert_eq!(ours.1, theirs.1, "the worlds have other places");
    let [common, ancestors] = ours.1;
    let places = Places {
        at,
        common,
        ancestors,
    };
    (ours.0, theirs.0, places)
}

/// The common and the older registries of a world besides what `deploy` puts there.
fn world(
    cast: &Cast,
    package: &Path,
    at: Deployment,
    deploy: impl FnOnce(&mut Chain),
) -> (World, [[Address; 3]; 2]) {
    let mut chain = Chain::new();
    deploy(&mut chain);
    mocks::put(&mut chain, at.hub);
    chain.put_code(cast.delegating, crate::chain::answering(Default::default()));
    let ancestors = official::registries(&mut chain, ANCESTOR, package);
    let plan = Plan::new(COMMON, 0, &Options::default());
    create_all(&mut chain, COMMON, &plan);
    let common = [
        plan.deployment.app_registry,
        plan.deployment.dataset_registry,
        plan.deployment.workerpool_registry,
    ];
    let natural = [at.app_registry, at.dataset_registry, at.workerpool_registry];
    let generations = [
        (COMMON, common),
        (ANCESTOR, ancestors),
        (cast.owner, natural),
    ];
    for (owner, registries) in generations {
        for (registry, older) in registries.into_iter().zip(ancestors) {
            let _previous = if owner == ANCESTOR {
                Address::ZERO
            } else {
                older
            };
            chain.act(owner, registry, &AppRegistry::initializeCall { _previous });
        }
    }
    chain.act(cast.owner, at.hub, &change_registries(common));
    (World { chain }, [common, ancestors])
}

pub(crate) fn change_registries(to: [Address; 3]) -> Hub::changeRegistriesCall {
    Hub::changeRegistriesCall {
        appregistry_: to[0],
        datasetregistry_: to[1],
        workerpoolregistry_: to[2],
    }
}

fn create_all(chain: &mut Chain, deployer: Address, plan: &Plan) {
    for step in plan.steps.iter().filter(|step| step.to.is_none()) {
        let result = chain.transact(deployer, None.into(), step.data.clone());
        assert!(result.is_success(), "{result:?}");
    }
}

fn send_all(chain: &mut Chain, from: Address, calls: &[(Address, Bytes)]) {
    for (to, data) in calls {
        let result = chain.transact(from, (*to).into(), data.clone());
        assert!(
            matches!(result, ExecutionResult::Success { .. }),
            "{result:?}"
        );
    }
}

/// What the plan sends to its hub, with the token and the older hub of this life.
fn calls(plan: &Plan, at: Deployment, old_hub: bool) -> Vec<(Address, Bytes)> {
    let steps = plan.steps.iter().filter(|step| step.to == Some(at.hub));
    let mut calls: Vec<_> = steps.map(|step| (at.hub, step.data.clone())).collect();
    for (_, data) in &mut calls {
        if let Ok(mut call) = Hub::configureCall::abi_decode(data) {
            call.token_ = at.token;
            call.v3_iexecHub = if old_hub {
                mocks::OLD_HUB
            } else {
                Address::ZERO
            };
            *data = call.abi_encode().into();
        }
    }
    calls.push((at.hub, callback_gas().abi_encode().into()));
    calls
}

/// 6.1.0 starts with 100,000; see [`crate::differences`].
fn callback_gas() -> Hub::setCallbackGasCall {
    Hub::setCallbackGasCall {
        gas_: U256::from(200_000),
    }
}

/// Gives everybody money: their share of the token, or coins.
pub(crate) fn endow(world: &mut World, cast: &Cast, at: &Deployment) {
    let people = cast.rich();
    let share = U256::from(SUPPLY / (people.len() as u64 + 1));
    for person in people {
        if at.token.is_zero() {
            let wei = share * U256::from(1_000_000_000);
            world.chain.give(person, wei);
        } else if person != cast.owner {
            let (to, value) = (person, share);
            let call = contracts::Rlc::transferCall { to, value };
            world.chain.act(cast.owner, at.token, &call);
        }
    }
}
