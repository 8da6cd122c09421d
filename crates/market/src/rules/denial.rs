//! Why a well-formed request is refused, in the official words (spec/market-explorer.md §6–7).

use protocol::{Address, OrderHash, U256, order::Kind};

/// A business rule that a request breaks; answered with status 403.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// A record with this hash exists and is not dead.
    #[error("order already published")]
    AlreadyPublished,
    /// The resource is in no registry.
    #[error("Resource not deployed")]
    NotDeployed,
    /// Somebody else's order.
    #[error("only order signer {0} can publish an order")]
    PublishByOther(Address),
    /// The hub does not accept the signature.
    #[error("invalid sign")]
    InvalidSign,
    /// The signer's book is full.
    #[error(
        "maximum of {max} published open {}order has been reached for wallet {signer}",
        kind.name()
    )]
    TooManyOpen {
        /// The limit.
        max: u64,
        /// Which book.
        kind: Kind,
        /// Whose.
        signer: Address,
    },
    /// Nothing of the volume is left.
    #[error("order already consumed")]
    Consumed,
    /// The pool's owner could not lock the stake of all tasks.
    #[error("workerpool owner's stake is too low to cover required workerpool lock")]
    WorkerpoolStake,
    /// The requester could not pay for all tasks at the highest prices.
    #[error(
        "requester stake is too low to cover requestorder payment, \
         minimum stake required is {0} nRLC"
    )]
    RequesterStake(U256),
    /// No counterpart is offered.
    #[error("No {}{}order published for {} {resource}", enclave(*.tee), kind.name(), kind.name())]
    NoOffer {
        /// App or dataset.
        kind: Kind,
        /// Whether it would have to be for enclaves.
        tee: bool,
        /// The resource asked for.
        resource: Address,
    },
    /// The cheapest counterpart is dearer than the request allows.
    #[error(
        "{}maxprice for {} {resource} is too low, actual best price is {best} nRLC",
        kind.name(),
        kind.name()
    )]
    TooDear {
        /// App or dataset.
        kind: Kind,
        /// The resource asked for.
        resource: Address,
        /// The best price, nRLC.
        best: u64,
    },
    /// No open order has this hash.
    #[error("{}order with orderHash {hash} is not published", kind.name())]
    NotPublished {
        /// Which book.
        kind: Kind,
        /// The hash asked for.
        hash: OrderHash,
    },
    /// Somebody else's order.
    #[error("only order signer {0} can unpublish an order")]
    UnpublishByOther(Address),
    /// The signer has no open order for the resource.
    #[error(
        "no open {}order published by signer {signer} for {field} {resource}",
        kind.name()
    )]
    NoneOpen {
        /// Which book.
        kind: Kind,
        /// Whose.
        signer: Address,
        /// How the resource is called in the request.
        field: &'static str,
        /// The resource.
        resource: Address,
    },
}

const fn enclave(needed: bool) -> &'static str {
    if needed { "tee enabled " } else { "" }
}
