//! What an official container of a stage says to its worker, and what it may fetch from it.
//!
//! The programs before and after an app expect the host API of the official worker
//! (spec/secrets-tee.md §2.5). A secret manager that names them gets them: the agent runs one in
//! place of its own stage, and serves this API in the loopback of that container alone. The result
//! proxy is served here too, since the container reaches nothing else: the worker uploads what was
//! left here.
//!
//! [`Host`] decides everything, with no runtime; [`serve`] is HTTP around it.

mod bounded;
mod guest;
mod heard;
mod host;
mod http;
mod incoming;
mod judge;
mod refused;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use guest::{ADDRESS, Guest, PORT, VARIABLES};
pub(crate) use host::{Files, Host};
pub(crate) use http::serve;
