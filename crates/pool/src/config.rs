//! What an operator configures.

use protocol::{Address, Tag, U256};
use serde::{Deserialize, Serialize};

use crate::machine::LOGS_KEPT_S;

/// A standing offer: one workerpool order of this kind is kept open on the market.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// How long a task may take.
    pub category: u64,
    /// What the machines offer.
    #[serde(default)]
    pub tag: Tag,
    /// nRLC a task.
    #[serde(default)]
    pub price: u64,
    /// The highest trust served.
    #[serde(default = "one")]
    pub trust: u64,
    /// Tasks one order is good for.
    #[serde(default = "volume")]
    pub volume: u64,
}

const fn one() -> u64 {
    1
}

const fn yes() -> bool {
    true
}

const fn volume() -> u64 {
    1_000_000
}

const fn logs_kept_s() -> u64 {
    LOGS_KEPT_S
}

impl Offer {
    /// The price as it stands in an order.
    pub fn price(&self) -> U256 {
        U256::from(self.price)
    }
}

/// The configuration of one workerpool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The workerpool on chain.
    pub workerpool: Address,
    /// `sqlite:///path/to/file`, `sqlite::memory:` or `postgres://…`; a missing SQLite file is
    /// made.
    pub database_url: String,
    /// The result store's origin, told to workers.
    pub result_proxy: String,
    /// The secret manager's origin; none: confidential deals are refused.
    #[serde(default)]
    pub sms_url: Option<String>,
    /// The market to publish `offers` on; none: nothing is published.
    #[serde(default)]
    pub market_url: Option<String>,
    /// What is kept on the market.
    #[serde(default)]
    pub offers: Vec<Offer>,
    /// Workers that may log in; empty: everybody.
    #[serde(default)]
    pub whitelist: Vec<Address>,
    /// How long the output of apps is kept after the final deadline of their task, seconds.
    #[serde(default = "logs_kept_s")]
    pub logs_kept_s: u64,
    /// At trust 1, let workers contribute and finalize in one transaction. Without it they
    /// contribute and reveal, and the pool finalizes, as at any other trust.
    #[serde(default = "yes")]
    pub finalizes_at_once: bool,
    /// Claim dead tasks although no worker's stake is locked in them: the requester has its money
    /// back without asking, and the pool pays the gas.
    #[serde(default)]
    pub claims_for_requesters: bool,
    /// First block read when the database is empty.
    #[serde(default)]
    pub start_block: u64,
}
