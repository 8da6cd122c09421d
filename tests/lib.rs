//! Helpers of the whole-network tests.

pub mod agent;
pub mod app;
pub mod archive;
pub mod bench;
pub mod boss;
pub mod cast;
pub mod cutter;
pub mod files;
pub mod idle;
pub mod liar;
pub mod poco;
pub mod task;
pub use tools;
