//! The rows, by what they are about.

pub(crate) mod account;
pub(crate) mod app;
pub(crate) mod category;
pub(crate) mod chains;
pub(crate) mod dataset;
pub(crate) mod deals;
pub(crate) mod legacy;
pub(crate) mod orderbook;
pub(crate) mod orders;
pub(crate) mod secrets;
pub(crate) mod start;
pub(crate) mod wallet;
pub(crate) mod workerpool;
