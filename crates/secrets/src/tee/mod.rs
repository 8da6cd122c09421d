//! Confidential tasks: the enclave's key of each task, and the session that holds what the task's
//! enclave will be given (spec/secrets-tee.md §1.4, §1.5).
//!
//! A session is made and sealed here, and stays here: nothing in this crate hands one out.

mod authorize;
mod bulk;
#[cfg(test)]
mod bulk_tests;
pub(crate) mod challenge;
mod gather;
mod purge;
pub(crate) mod record;
mod refused;
mod session;
#[cfg(test)]
mod session_tests;

pub(crate) use authorize::{Request, authorize, signer};
pub(crate) use gather::describe;
pub(crate) use record::Place;
pub(crate) use refused::Refused;
pub use session::{Image, Pipeline};
pub(crate) use session::{Recipient, build};
