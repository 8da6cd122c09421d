//! The official contracts on a foreign node: what our services must work against unchanged.
//!
//! ```ignore
//! need!(poco::fetch());
//! let anvil = poco::Anvil::start(poco::Options::default())?;
//! let official = poco::deploy_official(&anvil).await?;
//! official.fund(address, gas_wei, rlc_nrlc).await?;
//! ```

mod anvil;
mod artifacts;
pub mod bindings;
mod official;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod scene;

use anyhow::Result;

pub use anvil::{Anvil, Options};
pub use official::{Official, deploy_official};

/// Fetches the node and the contracts from npm unless this machine has them already.
///
/// Tests ask for it with [`need!`](tools::need!), so that what fails later is a failure.
pub fn fetch() -> Result<()> {
    tools::anvil_program()?;
    artifacts::Artifacts::fetch().map(drop)
}

#[cfg(test)]
mod tests {
    use alloy::{
        network::TransactionBuilder as _,
        primitives::{Address, U256, keccak256},
        providers::Provider as _,
        rpc::types::TransactionRequest,
    };

    use super::{
        bindings::{Rlc, hub::Hub},
        orders::{APP_PRICE, NOBODY, TEST_CATEGORY},
        scene::{Actor, ONE_RLC, Scene},
        *,
    };

    fn gains(before: &[U256], after: &[U256]) -> Vec<i64> {
        let pairs = before.iter().zip(after);
        pairs
            .map(|(before, after)| after.to::<i64>() - before.to::<i64>())
            .collect()
    }

    #[tokio::test]
    async fn deployment_is_configured_as_the_public_ones() {
        tools::need!(fetch());
        let anvil = Anvil::start(Options::default()).unwrap();
        let official = deploy_official(&anvil).await.unwrap();
        let hub = Hub::new(official.hub, anvil.provider().unwrap());
        let domain = hub.domain().call().await.unwrap();
        assert_eq!(
            (domain.name.as_str(), domain.version.as_str()),
            ("iExecODB", "5.0.0")
        );
        assert_eq!(domain.chainId, U256::from(official.chain_id));
        assert_eq!(domain.verifyingContract, official.hub);
        assert_eq!(hub.token().call().await.unwrap(), official.token);
        assert_eq!(
            hub.owner().call().await.unwrap(),
            official.owner_key.address()
        );
        assert_eq!(
            hub.appregistry().call().await.unwrap(),
            official.app_registry
        );
        assert_eq!(
            hub.datasetregistry().call().await.unwrap(),
            official.dataset_registry
        );
        assert_eq!(
            hub.workerpoolregistry().call().await.unwrap(),
            official.workerpool_registry
        );
        assert_eq!(hub.countCategory().call().await.unwrap(), U256::from(6));
        let test = hub
            .viewCategory(U256::from(TEST_CATEGORY))
            .call()
            .await
            .unwrap();
        assert_eq!(test.workClockTimeRef, U256::ONE);
    }

    #[tokio::test]
    async fn approve_and_call_deposits() {
        tools::need!(fetch());
        let anvil = Anvil::start(Options::default()).unwrap();
        let official = deploy_official(&anvil).await.unwrap();
        let actor = Actor::funded(&official).await.unwrap();
        actor.deposit(&official, 400).await.unwrap();
        let hub = Hub::new(official.hub, anvil.provider().unwrap());
        let account = hub.viewAccount(actor.address()).call().await.unwrap();
        assert_eq!(
            (account.stake, account.locked),
            (U256::from(400), U256::ZERO)
        );
        let token = Rlc::new(official.token, anvil.provider().unwrap());
        let rest = token.balanceOf(actor.address()).call().await.unwrap();
        assert_eq!(rest, U256::from(ONE_RLC - 400));
    }

    #[tokio::test]
    async fn deployment_does_not_wait_for_the_block_time_but_leaves_it() {
        tools::need!(fetch());
        let options = Options {
            block_time_s: Some(3600),
            ..Options::default()
        };
        let anvil = Anvil::start(options).unwrap();
        let official = deploy_official(&anvil).await.unwrap();
        let owner = official.provider(official.owner_key.clone()).unwrap();
        let request = TransactionRequest::default()
            .with_to(NOBODY)
            .with_value(U256::ONE);
        let hash = *owner.send_transaction(request).await.unwrap().tx_hash();
        assert!(owner.get_transaction_receipt(hash).await.unwrap().is_none());
        anvil.advance(1).await.unwrap();
        assert!(owner.get_transaction_receipt(hash).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn standard_task_of_trust_1_is_done_in_two_transactions() {
        tools::need!(fetch());
        let anvil = Anvil::start(Options::default()).unwrap();
        let scene = Scene::new(&anvil).await.unwrap();
        let deal = scene.match_orders(1).await.unwrap();
        let before = scene.stakes().await.unwrap();
        let task = scene.initialize(deal).await.unwrap();
        let event = scene.contribute_and_finalize(task).await.unwrap();
        assert_eq!(event.taskid, task);
        let view = scene.hub().viewTask(task).call().await.unwrap();
        assert_eq!((view.status, &view.results[..]), (3, &b"result"[..]));
        assert_eq!(view.resultDigest, keccak256("result"));
        // Its price; 1 % of the pool's and the pool's stake; nothing back; 99 % of the pool's.
        let expected = [APP_PRICE as i64, 10 + 300, 0, 990];
        assert_eq!(gains(&before, &scene.stakes().await.unwrap()), expected);
    }

    #[tokio::test]
    async fn trust_above_1_refuses_contribute_and_finalize() {
        tools::need!(fetch());
        let anvil = Anvil::start(Options::default()).unwrap();
        let scene = Scene::new(&anvil).await.unwrap();
        let deal = scene.match_orders(2).await.unwrap();
        let task = scene.initialize(deal).await.unwrap();
        let error = scene.contribute_and_finalize(task).await.unwrap_err();
        assert!(error.to_string().contains("reverted"), "{error:#}");
    }

    #[tokio::test]
    async fn funding_runs_concurrently() {
        tools::need!(fetch());
        let anvil = Anvil::start(Options::default()).unwrap();
        let official = deploy_official(&anvil).await.unwrap();
        let [one, two] = [Address::repeat_byte(1), Address::repeat_byte(2)];
        let amount = U256::from(5);
        let both = tokio::join!(
            official.fund(one, amount, amount),
            official.fund(two, amount, amount)
        );
        both.0.and(both.1).unwrap();
        assert_eq!(
            anvil.provider().unwrap().get_balance(two).await.unwrap(),
            amount
        );
    }
}
