//! The market's rules, synchronous and without I/O.

mod denial;
pub mod publish;
pub mod status;

pub use denial::Denial;
