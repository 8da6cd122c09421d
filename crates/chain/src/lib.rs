//! A typed client of a hub on any JSON-RPC chain: reads ([`Hub`]), transactions ([`Actor`]) and a
//! stream of events ([`Events`]).
//!
//! It speaks the official ABI (spec/contracts.md), so it works unchanged against the official
//! contracts and against ours.

mod abi;
mod actor;
mod branch;
mod connect;
mod contribution;
mod convert;
mod ens;
mod error;
mod events;
pub mod fees;
mod grant;
mod heads;
mod hub;
mod past;
mod policy;
mod sender;
mod settlement;
mod wallet;

pub use actor::{Actor, NewAsset};
pub use alloy::providers::DynProvider;
pub use branch::{BlockRef, Branch, REORG_DEPTH_MAX, Span, Step};
pub use connect::{NONCE_HEADER, NONCE_MANAGED, connect};
pub use ens::Names;
pub use error::Error;
pub use events::{Batch, Events, HubEvent, Located};
pub use hub::{Account, AppInfo, Asset, DatasetInfo, Hub, WorkerpoolInfo};
pub use past::{HubAt, Standing};
pub use policy::Policy;
pub use sender::{Receipt, Sender};
pub use settlement::Settlement;
pub use wallet::{Wallet, authorize, recover_message_hash};
