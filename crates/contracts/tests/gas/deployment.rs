//! Putting everything on a new chain, and how large it is.
use contracts::{Options, Plan};

use crate::chain::Chain;
use crate::official;
use crate::side::Side;
use crate::stage::key;

pub(crate) fn measure(side: &Side) {
    let bills = match side.package() {
        None => ours(),
        Some(package) => {
            official::deployed_and_billed(&mut Chain::new(), key(1).address(), package).1
        }
    };
    for (name, gas) in &bills {
        side.figure("deploy", name, *gas);
    }
}

fn ours() -> Vec<official::Bill> {
    let (mut chain, deployer) = (Chain::new(), key(1).address());
    let plan = Plan::new(deployer, 0, &Options::default());
    let send = |step: contracts::Step| {
        let result = chain.transact(deployer, step.to.into(), step.data);
        assert!(result.is_success(), "{}: {result:?}", step.name);
        (step.name.to_string(), result.gas().tx_gas_used())
    };
    plan.steps.into_iter().map(send).collect()
}
