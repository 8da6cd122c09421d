//! The rules of iExec that need no machine: ids, orders, EIP-712, tags, deal parameters, task and
//! deal states, digests, failure causes and the messages between pool and worker.
//!
//! Everything here is synchronous and free of I/O, so each rule can be tested with values alone:
//!
//! ```
//! use protocol::{digest, TaskId};
//! let task = TaskId::repeat(0x11);
//! let hello = digest::file(b"hello\n");
//! assert_ne!(digest::result_hash(task, hello), hello);
//! ```

mod amount;
pub mod args;
pub mod cause;
pub mod challenge;
pub mod cipher;
pub mod computed;
pub mod deal;
pub mod digest;
pub mod environment;
mod error;
pub mod ether;
mod ids;
pub mod json;
pub mod link;
pub mod message;
pub mod multiaddr;
pub mod order;
pub mod output;
pub mod params;
pub mod rlc;
pub mod sms;
pub mod stage;
pub mod status;
mod tag;

pub use cause::Cause;
pub use error::Error;
pub use ids::{DealId, OrderHash, TaskId, bytes32};
pub use tag::Tag;

pub use alloy_primitives::{Address, B256, Bytes, Signature, U256};
