//! The local network's accounts. Their keys follow from their names, so everybody knows them:
//! they are worth nothing, and the same project works after `--fresh`.

use alloy::primitives::{Address, B256, keccak256};
use chain::Wallet;
use serde::{Deserialize, Serialize};

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Has gas and RLC to give.
    Faucet,
    /// Deployed the hub and may add categories.
    HubOwner,
    /// Asks for executions.
    Requester,
    /// Deploys apps.
    Developer,
    /// Owns the workerpool and signs for it.
    PoolOwner,
    /// Runs tasks.
    Worker,
}

/// An account of `network.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// What it is for.
    pub role: Role,
    /// Its address.
    #[serde(with = "protocol::json::checksummed")]
    pub address: Address,
    /// Its key.
    pub private_key: B256,
}

impl Account {
    pub(crate) fn of(role: Role, wallet: &Wallet) -> Self {
        Self {
            role,
            address: wallet.address(),
            private_key: wallet.key(),
        }
    }
}

/// The wallet of a role on every local network; `number` tells workers apart, others have 0.
///
pub fn local_wallet(role: Role, number: u32) -> Wallet {
    let mut seed = keccak256(format!("iexec local network: {role:?} {number}"));
    loop {
        match Wallet::from_key(&seed) {
            Ok(wallet) => return wallet,
            Err(_) => seed = keccak256(seed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallets_are_distinct_and_stay_the_same() {
        let first = local_wallet(Role::Worker, 0);
        assert_eq!(first.address(), local_wallet(Role::Worker, 0).address());
        assert_ne!(first.address(), local_wallet(Role::Worker, 1).address());
        assert_ne!(first.address(), local_wallet(Role::Faucet, 0).address());
    }
}
