//! The workerpool: from a deal on chain to a finished task.
//!
//! The rules are in [`machine`], which is pure; around it are the database that survives a
//! `kill -9`, the follower of the chain, the workers' connections and the HTTP API. One loop
//! feeds the machine: it takes what happened, saves what changed, and only then sends anything.

mod api;
mod chain_watch;
mod clock;
mod config;
mod connection;
mod database;
mod error;
mod ledger;
mod live;
pub mod machine;
mod operate;
mod orders;
mod refusals;
mod service;
mod shell;
mod sms;
#[cfg(test)]
mod testing;
mod trace;

pub use config::{Config, Offer};
pub use error::Error;
pub use operate::Handle;
pub use service::Service;
