//! Clients of the services around the chain (spec/client.md §3).

pub mod attestation;
pub mod compass;
pub(crate) mod ipfs;
pub mod market;
pub mod pool;
pub mod sms;
pub mod sse;
