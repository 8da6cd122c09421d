//! The order book behind the market API (spec/market-explorer.md §1–15).
//!
//! Owners publish signed orders, requesters look for counterparts, and the status of every order
//! follows the chain. The rules are synchronous and tested with values ([`rules`], [`book`],
//! `input`); around them is a shell over axum and one database, SQLite or Postgres.
//!
//! ```no_run
//! # async fn demo(chain: std::sync::Arc<dyn market::Chain>) -> Result<(), market::Error> {
//! let config = market::Config::new("sqlite:///var/lib/iexec/market.db", 65535);
//! let service = market::Service::open(config, chain).await?;
//! let routes: axum::Router = service.router();
//! # drop(routes); Ok(()) }
//! ```

pub mod book;
mod chain;
mod challenge;
mod clock;
mod config;
mod database;
mod error;
mod event;
mod http;
mod index;
mod input;
mod order;
mod publish;
mod record;
mod refusal;
pub mod rules;
mod service;
mod task;
#[cfg(test)]
mod testing;
mod unpublish;

pub use crate::chain::{Chain, Claim, Fact, Located, Match};
pub use clock::Clock;
pub use config::{Config, RateLimit};
pub use error::Error;
pub use event::{Change, Event};
pub use order::Terms;
pub use record::{Record, Status};
pub use service::{Handle, Service, TASKS_MAX};
pub use task::{TaskStep, TaskView};
