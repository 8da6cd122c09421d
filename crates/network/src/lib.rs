//! All roles wired together in one process: the local network of `iexec up`, of the demo and of
//! the tests. They are one code on purpose: what is tested is what runs (`design.md` decision 1).
//!
//! ```no_run
//! # async fn example() -> Result<(), network::Error> {
//! let network = network::Network::builder("/tmp/some-dir").port(0).start().await?;
//! println!("{}", network.info().rpc_url);
//! network.stop().await;
//! # Ok(()) }
//! ```

mod accounts;
mod alone;
mod builder;
mod compass;
mod error;
mod front;
pub mod health;
mod info;
mod rejection;
mod roles;
mod setup;

pub use accounts::{Account, Role, local_wallet};
pub use alone::{ChainInfo, ChainNode, open_to_browsers, reachable, serve};
pub use builder::{Builder, External, LOCK_FILE, Network, lock};
pub use error::Error;
pub use info::{FILE_NAME, Info};
