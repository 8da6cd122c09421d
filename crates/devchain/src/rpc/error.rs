//! JSON-RPC errors with the codes and wordings that client libraries recognise.

use std::fmt::{self, Display};

use alloy::primitives::Bytes;
use alloy::sol_types::decode_revert_reason;
use revm::context::result::{EVMError, HaltReason, InvalidTransaction};
use serde::Serialize;
use serde_json::Value;

use crate::chain::OutOfReach;

/// The answer to a request that failed. ethers, viem and alloy tell failures apart by these codes
/// and by words in the message, so both are part of the interface.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RpcError {
    /// JSON-RPC code: 3 for a revert, -32000 for a refused transaction, -32601 and so on.
    pub code: i64,
    /// For people, and for libraries that match on words such as `nonce too low`.
    pub message: String,
    /// The revert data as a hex string, when there is any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl RpcError {
    fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// The body was not JSON.
    pub(crate) fn parse(error: impl Display) -> Self {
        Self::new(-32700, format!("parse error: {error}"))
    }

    /// The body was not a JSON-RPC request.
    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self::new(-32600, message)
    }

    /// Clients probe for optional methods and fall back on exactly this code.
    pub(crate) fn method(method: &str) -> Self {
        Self::new(
            -32601,
            format!("the method {method} does not exist/is not available"),
        )
    }

    pub(crate) fn params(message: impl Into<String>) -> Self {
        Self::new(-32602, message)
    }

    pub(crate) fn internal(error: impl std::error::Error) -> Self {
        let cause = error
            .source()
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        Self::new(-32603, format!("{error}{cause}"))
    }

    /// Too much was asked for at once.
    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new(-32005, message)
    }

    /// A well-formed request that the chain's rules refuse.
    pub(crate) fn rejected(message: impl Into<String>) -> Self {
        Self::new(-32000, message)
    }

    /// A transaction or call that could not even start.
    pub(crate) fn invalid<E: Display>(error: EVMError<E>) -> Self {
        let EVMError::Transaction(error) = error else {
            return Self::new(-32603, error.to_string());
        };
        Self::rejected(match error {
            InvalidTransaction::LackOfFundForMaxFee { fee, balance } => {
                format!("insufficient funds for gas * price + value: have {balance} want {fee}")
            }
            InvalidTransaction::CallGasCostMoreThanGasLimit {
                initial_gas,
                gas_limit,
            } => {
                format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}")
            }
            InvalidTransaction::GasFloorMoreThanGasLimit {
                gas_floor,
                gas_limit,
            } => {
                format!("intrinsic gas too low: have {gas_limit}, want {gas_floor}")
            }
            InvalidTransaction::CallerGasLimitMoreThanBlock => "exceeds block gas limit".into(),
            error => format!("invalid transaction: {error}"),
        })
    }

    /// A call that ended in `revert`; carries the data from which clients decode custom errors.
    pub(crate) fn reverted(output: &Bytes) -> Self {
        let reason = decode_revert_reason(output).filter(|reason| !reason.is_empty());
        let message = match reason {
            Some(reason) => format!("execution reverted: {}", strip(&reason)),
            None if output.is_empty() => "execution reverted".into(),
            None => format!("execution reverted: custom error {output}"),
        };
        Self {
            code: 3,
            message,
            data: Some(Value::String(output.to_string())),
        }
    }

    /// A call that ran out of gas or did what no program may.
    pub(crate) fn halted(reason: &HaltReason, gas_limit: u64) -> Self {
        Self::rejected(match reason {
            HaltReason::OutOfGas(_) => {
                format!("out of gas: gas required exceeds allowance ({gas_limit})")
            }
            HaltReason::InvalidFEOpcode => "invalid opcode: INVALID".into(),
            HaltReason::OpcodeNotFound => "invalid opcode".into(),
            reason => format!("execution halted: {reason:?}"),
        })
    }
}

/// The bare reason: the decoder puts `revert: ` before a reason string.
fn strip(reason: &str) -> &str {
    reason.strip_prefix("revert: ").unwrap_or(reason)
}

impl Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.message, self.code)
    }
}

impl std::error::Error for RpcError {}

impl From<OutOfReach> for RpcError {
    fn from(_: OutOfReach) -> Self {
        let limit = crate::chain::HISTORY_BLOCKS_MAX;
        Self::rejected(format!(
            "missing state: only the last {limit} blocks have theirs kept"
        ))
    }
}
