//! One replicate: inputs, container, digest, upload, contribution.
//!
//! A worker dials its pool ([`Service`]), follows its orders ([`protocol::message`]) and, for
//! each task, walks through `replicate.rs`. What happens between the image and the digest is the
//! [`sandbox`], which `iexec app test` uses as well: what a developer tests is what a worker runs.

pub mod agent;
mod answer;
mod archive;
mod board;
mod confidential;
mod config;
mod contest;
mod deliver;
mod durations;
mod enclave;
mod error;
mod failure;
pub mod inputs;
mod jobs;
mod journal;
mod outbox;
mod output;
pub mod printed;
mod progress;
mod replicate;
mod resume;
mod retry;
pub mod sandbox;
mod services;
mod session;
mod sms;
mod spool;
pub mod status;
mod stock;
mod trace;
mod upload;

pub use archive::{names, pack};
pub use board::{Board, BoardView, PoolView, TaskView};
pub use config::Config;
pub use enclave::Enclave;
pub use error::Error;
pub use failure::Failure;
pub use output::{Outcome, read_outcome, write_error};
pub use session::Service;
