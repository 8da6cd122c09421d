//! The secret management service.
//!
//! Owners push secrets, signed; nobody can read one back over HTTP. Dataset keys, app secrets and
//! requester secrets are written once for ever; only `web2` secrets can be replaced. Values are
//! sealed before they reach the database (spec/secrets-tee.md §1.2, spec/client.md §3.3).
//!
//! For a confidential task it makes the enclave's key and a session that holds what the enclave
//! is to be given (spec/secrets-tee.md §1.4), and releases each of its stages to an enclave that
//! has proved what it is, and to nobody else (§5.4).

mod accepted;
pub mod admin;
mod attested;
pub mod audit;
mod backup;
mod error;
mod http;
mod import;
mod ipfs;
mod keyring;
mod ledger;
mod metrics;
mod mode;
mod rotation;
mod seal;
mod service;
mod slot;
mod tables;
mod tee;
#[cfg(test)]
mod testing;
mod value;
mod vault;

pub use attest::Policy;
pub use attested::{Attestation, PRODUCTION_CHAINS};
pub use backup::{BackupPublic, BackupSecret, Manifest, Summary};
pub use error::Error;
pub use import::Imported;
pub use ipfs::{Ipfs, Unread};
pub use ledger::{Grant, Ledger, Unavailable};
pub use mode::Mode;
pub use rotation::Rotation;
pub use seal::Phrase;
pub use service::{Config, Framework, Handle, Keys, Service};
pub use slot::Slot;
pub use tee::{Image, Pipeline};
pub use value::{SECRET_BYTES_MAX, Value};
