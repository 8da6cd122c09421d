//! What can go wrong in a deployment.
use alloy::providers::PendingTransactionError;
use alloy::transports::TransportError;

/// Why a deployment failed. Every variant names the step it failed at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The node could not be asked or refused to answer.
    #[error("ask the node to {step}")]
    Rpc {
        /// What was asked for.
        step: &'static str,
        /// The node's answer, or why there was none.
        #[source]
        source: TransportError,
    },
    /// The transaction was accepted but its receipt never came.
    #[error("wait for the receipt of {step}")]
    Receipt {
        /// The transaction.
        step: &'static str,
        /// Why waiting ended.
        #[source]
        source: PendingTransactionError,
    },
    /// The transaction was mined and reverted: the deployer has no gas, or the chain has other
    /// limits than Ethereum.
    #[error("transaction to {step} was reverted")]
    Reverted {
        /// The transaction.
        step: &'static str,
    },
}
