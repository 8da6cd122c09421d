//! What a requester's or developer's program does, as a library.
//!
//! It knows no terminal, no home directory and no environment: the caller reads files and asks
//! for passwords, this crate says what they mean. `iexec` is a thin skin over it.
//!
//! ```no_run
//! # async fn example() -> Result<(), sdk::Error> {
//! use sdk::{Client, chains, run};
//!
//! let chain = chains::resolve(Some("arbitrum-sepolia-testnet"), None, None)?;
//! let client = Client::connect(chain).await?;
//! let actor = client.actor(chain::Wallet::random());
//! let app = sdk::parse::address("app", "0xf6BC713064256BE134A3f69445843828bfdc7D9F")?;
//! let plan = run::plan::prepare(&client, &actor, &run::request::Wishes::of(app)).await?;
//! let started = run::execute(&actor, &plan).await?;
//! # drop(started);
//! # Ok(()) }
//! ```

pub mod account;
pub mod app;
pub mod asset;
pub mod category;
pub mod chains;
mod client;
pub mod dataset;
pub mod deal;
pub mod ens;
mod error;
pub mod files;
mod http;
pub mod image;
pub mod keystore;
mod misuse;
pub mod order;
pub mod parse;
pub mod requester;
pub mod result;
pub mod run;
pub mod services;
pub mod storage;
pub mod view;
pub mod wallet;
pub mod wallet_file;
pub mod watch;
pub mod workerpool;

pub use client::Client;
pub use error::{Api, Error, Move};
pub use misuse::{Code, Misuse};

fn keccak(bytes: impl AsRef<[u8]>) -> protocol::B256 {
    alloy::primitives::keccak256(bytes)
}

/// Makes equal orders distinct.
fn salt() -> protocol::B256 {
    protocol::B256::from(rand::random::<[u8; 32]>())
}
