//! What can go wrong between us and a chain.

use alloy::{
    primitives::{Address, B256, Bytes},
    sol_types::{Revert, SolError},
    transports::{RpcError, TransportError},
};

/// A failure of a read or a transaction.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL of the node is not one we can speak to.
    #[error("`{0}` is not an http(s) or ws(s) URL")]
    Url(String),
    /// The node could not be reached or answered nonsense.
    #[error("the chain did not answer `{what}`")]
    Unreachable {
        /// Which question.
        what: &'static str,
        /// What the transport said.
        #[source]
        source: Box<TransportError>,
    },
    /// The contract refused; nothing changed.
    #[error("the contract refused `{what}`: {reason}")]
    Reverted {
        /// Which call.
        what: &'static str,
        /// The revert text; empty for a silent revert.
        reason: String,
        /// The raw revert data.
        data: Bytes,
    },
    /// The node refused the transaction before it was mined.
    #[error("the chain refused the transaction `{what}`: {reason}")]
    Refused {
        /// Which call.
        what: &'static str,
        /// The node's words.
        reason: String,
    },
    /// Two answers were of different branches: the chain was reorganised between the questions.
    #[error("the chain changed while it was read")]
    Moving,
    /// The answer could not be decoded: most likely there is no hub at this address.
    #[error("the answer of {to} to `{what}` is not what a hub says")]
    Answer {
        /// Which call.
        what: &'static str,
        /// Who was called.
        to: Address,
    },
    /// The transaction was sent but no receipt came in time. It stays in the queue: whoever wants
    /// the same again waits for it, and nothing is sent twice.
    #[error(
        "no receipt for `{what}` within {seconds} s: nonce {nonce} still waits after {offers} \
         offers, the last is {tx}"
    )]
    NoReceipt {
        /// Which call.
        what: &'static str,
        /// The transaction in its newest form.
        tx: B256,
        /// Its nonce.
        nonce: u64,
        /// How many prices were offered for it, each higher.
        offers: usize,
        /// How long we waited.
        seconds: u64,
    },
    /// The transaction was mined without the event that proves its effect.
    #[error("transaction {tx} has no `{event}` event")]
    NoEvent {
        /// The transaction.
        tx: B256,
        /// What was expected.
        event: &'static str,
    },
    /// The journal of transactions cannot be read or written: nothing is sent without it.
    #[error("use the journal of transactions `{}`", path.display())]
    Journal {
        /// Where it is.
        path: std::path::PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A private key that is none, or a signature that could not be made or read.
    #[error("invalid key or signature: {0}")]
    Signature(String),
}

impl Error {
    /// Whether the same call may succeed later without anything being changed by the caller.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::NoReceipt { .. } | Self::Moving
        )
    }

    /// Whether the contract said no.
    pub fn is_revert(&self) -> bool {
        matches!(self, Self::Reverted { .. })
    }

    pub(crate) fn from_transport(what: &'static str, error: TransportError) -> Self {
        if let RpcError::ErrorResp(payload) = &error {
            let data = payload.as_revert_data();
            if data.is_some() || payload.message.contains("revert") {
                let data = data.unwrap_or_default();
                return Self::Reverted {
                    what,
                    reason: reason(&data, &payload.message),
                    data,
                };
            }
            return Self::Refused {
                what,
                reason: payload.message.to_string(),
            };
        }
        Self::Unreachable {
            what,
            source: Box::new(error),
        }
    }
}

fn reason(data: &Bytes, message: &str) -> String {
    match Revert::abi_decode(data) {
        Ok(revert) => revert.reason,
        Err(_) if data.len() >= 4 => format!("custom error {}", Bytes::copy_from_slice(&data[..4])),
        Err(_) => message
            .split_once("reverted: ")
            .map(|(_, r)| r.to_owned())
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_revert_text_is_found() {
        let data = Bytes::from(Revert::from("iExecV5-matchOrders-0x07").abi_encode());
        assert_eq!(
            reason(&data, "execution reverted"),
            "iExecV5-matchOrders-0x07"
        );
        assert_eq!(reason(&Bytes::new(), "execution reverted: no"), "no");
        assert_eq!(reason(&Bytes::new(), "execution reverted"), "");
    }
}
