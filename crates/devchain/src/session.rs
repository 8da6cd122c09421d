//! How the node behaves towards its clients while it runs. None of it is part of the chain: a node
//! that is started again mines at once and signs only for its own accounts, like any new one.

use std::collections::BTreeSet;

use alloy::primitives::Address;

/// Accounts impersonated at a time.
pub const IMPERSONATED_MAX: usize = 1024;

/// When blocks are mined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mining {
    /// For every transaction, as it comes.
    #[default]
    AtOnce,
    /// Every so many seconds.
    Every(u64),
    /// When somebody asks for it.
    ByHand,
}

/// What clients have set for this run of the node.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) mining: Mining,
    /// Accounts that may send without a signature.
    impersonated: BTreeSet<Address>,
    /// Every account may.
    pub(crate) impersonates_all: bool,
}

impl Session {
    /// Lets the account send without a signature. False when there are too many.
    pub(crate) fn impersonate(&mut self, address: Address) -> bool {
        if self.impersonated.len() < IMPERSONATED_MAX {
            self.impersonated.insert(address);
        }
        self.impersonated.contains(&address)
    }

    /// Ends that.
    pub(crate) fn stop_impersonating(&mut self, address: Address) {
        self.impersonated.remove(&address);
    }

    /// Whether the account may send without a signature.
    pub(crate) fn impersonates(&self, address: Address) -> bool {
        self.impersonates_all || self.impersonated.contains(&address)
    }
}
