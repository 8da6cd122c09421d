//! What stops one replicate: a cause for the protocol, a message for people.

use protocol::Cause;

/// How every node begins its refusal of a transaction that its sender cannot pay.
const INSUFFICIENT_FUNDS: &str = "insufficient funds";

/// A cause and what exactly happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}: {message}")]
pub struct Failure {
    /// The official code.
    pub cause: Cause,
    /// One line for people. Never a secret.
    pub message: String,
}

impl Failure {
    /// A cause with its story.
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self {
            cause,
            message: message.into(),
        }
    }

    /// A cause whose sentence says it all.
    pub fn plain(cause: Cause) -> Self {
        Self::new(cause, cause.sentence())
    }

    /// A transaction that failed: a wallet without gas is the operator's to fill, anything else is
    /// the chain's word.
    pub(crate) fn of_transaction(error: &chain::Error) -> Self {
        let is_poor = matches!(error, chain::Error::Refused { reason, .. }
            if reason.to_lowercase().contains(INSUFFICIENT_FUNDS));
        match is_poor {
            true => Self::from_error(Cause::OutOfGas, error),
            false => Self::from_error(Cause::ChainReceiptNotValid, error),
        }
    }

    /// A container that did not run. An image that cannot be started fails anywhere; an engine in
    /// trouble is this worker's own.
    pub fn of_engine(error: &engine::Error) -> Self {
        let cause = match error {
            engine::Error::CannotStart { .. } | engine::Error::BadSpec { .. } => {
                Cause::AppComputeFailed
            }
            engine::Error::NotFound { .. } => Cause::AppNotFoundLocally,
            _ => Cause::Unknown,
        };
        Self::from_error(cause, error)
    }

    /// The error and its sources in one line.
    pub fn from_error(cause: Cause, error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            message = format!("{message}: {error}");
            source = error.source();
        }
        Self::new(cause, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_wallet_is_told_apart_from_a_chain_that_refuses() {
        let refused = |reason: &str| chain::Error::Refused {
            what: "contribute",
            reason: reason.to_owned(),
        };
        for (reason, cause) in [
            (
                "Insufficient funds for gas * price + value",
                Cause::OutOfGas,
            ),
            ("insufficient funds for transfer", Cause::OutOfGas),
            (
                "max fee per gas less than block base fee",
                Cause::ChainReceiptNotValid,
            ),
        ] {
            assert_eq!(Failure::of_transaction(&refused(reason)).cause, cause);
        }
    }
}
