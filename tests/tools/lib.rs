//! Foreign programs the tests are checked against: fetched once, kept outside the repository,
//! and skipped politely where a machine cannot have them.

mod anvil;
mod debian;
mod keep;
mod npm;
mod postgres;
mod requirement;

pub use anvil::{ANVIL_MNEMONIC, Anvil, anvil_program};
pub use debian::apt_install;
pub use npm::{npm_archive, npm_package};
pub use postgres::{Postgres, postgres_database};
pub use requirement::{docker, need, npm, root, strace, test_name};
