//! The secret management service.
//!
//! Owners push secrets, signed; nobody can read one back over HTTP. Dataset keys, app secrets and
//! requester secrets are written once for ever; only `web2` secrets can be replaced. Values are
//! sealed before they reach the database (spec/secrets-tee.md §1.2, spec/client.md §3.3).

mod error;
mod http;
mod owners;
mod seal;
mod service;
mod slot;
mod value;
mod vault;

pub use error::Error;
pub use http::BODY_BYTES_MAX;
pub use owners::{Owners, Unavailable};
pub use service::{Config, Framework, Handle, Service};
pub use slot::{NAME_CHARS_MAX, Slot};
pub use value::{SECRET_BYTES_MAX, Value};
