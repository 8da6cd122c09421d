//! What can go wrong in a deployment.
use std::path::PathBuf;

use alloy::primitives::{Address, TxHash, U256, utils::format_ether};
use alloy::transports::{RpcError, TransportError};

use crate::StepName;

/// Why a deployment failed. Where one step is to blame, the variant names it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The node could not be asked or refused to answer.
    #[error("ask the node to {what}")]
    Rpc {
        /// What was asked for.
        what: String,
        /// The node's answer, or why there was none.
        #[source]
        source: TransportError,
    },
    /// The transaction was mined and reverted: the chain has other limits than Ethereum, or the
    /// state changed while it waited.
    #[error("transaction {tx} to {step} was reverted")]
    Reverted {
        /// What it was for.
        step: StepName,
        /// Its hash.
        tx: TxHash,
    },
    /// The node says beforehand that the transaction would revert; it was not sent.
    #[error("the chain refuses to {step}: {reason}")]
    Refused {
        /// What it is for.
        step: StepName,
        /// The node's words.
        reason: String,
    },
    /// The deployer cannot pay for gas.
    #[error(
        "{deployer} has {} coins and needs at least {} for gas, to {step} and go on",
        format_ether(*balance), format_ether(*needed)
    )]
    Funds {
        /// Who pays.
        deployer: Address,
        /// What it has, in wei.
        balance: U256,
        /// What it needs, in wei.
        needed: U256,
        /// The next step.
        step: StepName,
    },
    /// There is no contract where the token should be.
    #[error("there is no contract at the token's address {0}")]
    TokenMissing(Address),
    /// The contract does not answer like a token.
    #[error("the contract at {0} is not an ERC-20 token")]
    NotToken(Address),
    /// A contract of ours does not answer as it must.
    #[error("the answer of {to} to `{call}` cannot be read")]
    Answer {
        /// Who was asked.
        to: Address,
        /// What.
        call: &'static str,
    },
    /// The chain has something else where this deployment should have been.
    #[error("cannot {step}: {found}")]
    Conflict {
        /// The step that finds its place taken.
        step: StepName,
        /// What is there.
        found: String,
    },
    /// A transaction waits for its block longer than is reasonable; it may still be mined.
    #[error("transaction {tx} to {step} is not mined after {seconds} s")]
    Waiting {
        /// What it is for.
        step: StepName,
        /// Its newest hash.
        tx: TxHash,
        /// How long we waited.
        seconds: u64,
    },
    /// Transactions of the deployer that are not ours wait for their block; sending would replace
    /// them.
    #[error("{count} other transactions of {deployer} are not mined after {seconds} s")]
    Others {
        /// Whose.
        deployer: Address,
        /// How many.
        count: u64,
        /// How long we waited.
        seconds: u64,
    },
    /// Again and again the step was not there after its nonce was used: somebody else uses the
    /// key, or the chain keeps changing its past.
    #[error("cannot {step}: its nonce was used by others {tries} times")]
    Unsettled {
        /// The step.
        step: StepName,
        /// How often it was tried.
        tries: usize,
    },
    /// A signature could not be made.
    #[error("sign the transaction to {step}: {reason}")]
    Signature {
        /// What it is for.
        step: StepName,
        /// What the signer said.
        reason: String,
    },
    /// The journal cannot be read or written.
    #[error("use the journal `{}`", path.display())]
    JournalFile {
        /// Where it is.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a journal.
    #[error("`{}` is not the journal of a deployment", path.display())]
    JournalFormat {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The journal is of another deployment.
    #[error("the journal `{}` was begun for {theirs}, and this is for {ours}", path.display())]
    JournalMismatch {
        /// Where it is.
        path: PathBuf,
        /// What the journal is of.
        theirs: String,
        /// What was asked for.
        ours: String,
    },
}

impl Error {
    /// Whether nobody answered, rather than somebody refused.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Rpc { source, .. } if !matches!(source, RpcError::ErrorResp(_)))
    }
}

/// Whether a contract refused, as far as the node's words tell.
pub(crate) fn is_revert(error: &TransportError) -> bool {
    matches!(error, RpcError::ErrorResp(words) if words.message.contains("revert"))
}
