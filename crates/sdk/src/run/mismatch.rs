//! Why four orders do not become a deal.

use std::fmt;

use protocol::{Address, U256};

/// The first rule that the orders break; Display completes "orders cannot be matched: …".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Code 0x00.
    Category {
        /// Of the request.
        wanted: U256,
        /// Of the workerpool order.
        offered: U256,
    },
    /// Code 0x02.
    Trust {
        /// Of the request.
        wanted: U256,
        /// Of the workerpool order.
        offered: U256,
    },
    /// Codes 0x03–0x05.
    Price {
        /// `app`, `dataset` or `workerpool`.
        kind: &'static str,
        /// nRLC the request pays at most.
        max: U256,
        /// nRLC asked for.
        asked: U256,
    },
    /// Code 0x06.
    Tag,
    /// Code 0x07.
    AppNotConfidential,
    /// Codes 0x10–0x12: the request asks for another object.
    Other {
        /// `app`, `dataset` or `workerpool`.
        kind: &'static str,
    },
    /// Codes 0x13–0x1b: an order is restricted to somebody else.
    Restricted {
        /// Whose order.
        kind: &'static str,
        /// What it is restricted on.
        to: &'static str,
        /// The only one it allows.
        only: Address,
    },
    /// Code 0x01: the chain has no such category.
    UnknownCategory(U256),
    /// Codes 0x20, 0x30, 0x40.
    NotRegistered {
        /// `app`, `dataset` or `workerpool`.
        kind: &'static str,
        /// What is not one.
        address: Address,
    },
    /// Codes 0x21, 0x31, 0x41, 0x50.
    Unsigned {
        /// Whose order.
        kind: &'static str,
        /// Who would have to sign it.
        signer: Address,
    },
    /// The scheduler could not lock its part; the contract says so without a code.
    PoolStake {
        /// Who owns the workerpool.
        owner: Address,
        /// nRLC to be locked.
        needed: U256,
        /// nRLC there are.
        present: U256,
    },
    /// Code 0x60.
    Consumed {
        /// Whose order is used up.
        kind: &'static str,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Category { wanted, offered } => {
                write!(
                    f,
                    "category {wanted} is wanted, the workerpool order offers {offered}"
                )
            }
            Self::Trust { wanted, offered } => {
                write!(
                    f,
                    "trust {wanted} is wanted, the workerpool order offers {offered}"
                )
            }
            Self::Price { kind, max, asked } => {
                write!(
                    f,
                    "{kind}maxprice is {max} nRLC, the {kind} order asks {asked} nRLC"
                )
            }
            Self::Tag => f.write_str("the workerpool order does not offer the tag of the deal"),
            Self::AppNotConfidential => {
                f.write_str("dataset or request need the tag tee, the app order does not have it")
            }
            Self::Other { kind } => write!(f, "the request asks for another {kind}"),
            Self::Restricted { kind, to, only } => {
                write!(f, "the {kind} order is restricted to {to} {only}")
            }
            Self::UnknownCategory(category) => write!(f, "there is no category {category}"),
            Self::NotRegistered { kind, address } => {
                write!(f, "{kind} {address} is not deployed on this chain")
            }
            Self::Unsigned { kind, signer } => write!(
                f,
                "the {kind} order is not signed by {signer}, neither in itself nor on chain"
            ),
            Self::PoolStake {
                owner,
                needed,
                present,
            } => write!(
                f,
                "the workerpool's owner {owner} must lock {needed} nRLC for this deal, but has \
                 {present} nRLC"
            ),
            Self::Consumed { kind } => write!(f, "the {kind} order is fully consumed"),
        }
    }
}
