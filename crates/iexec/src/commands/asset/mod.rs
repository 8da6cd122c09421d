//! What `iexec app`, `iexec dataset` and `iexec workerpool` have in common: the same words for 3
//! kinds of asset.

pub(crate) mod count;
pub(crate) mod deploy;
pub(crate) mod init;
pub(crate) mod publish;
pub(crate) mod secret;
pub(crate) mod show;
pub(crate) mod transfer;
pub(crate) mod unpublish;

use chain::Asset;
use protocol::Address;

use crate::{cli::WalletArgs, context::Context, outcome::Failure, wallets};

/// The kind at the beginning of a sentence.
const fn title(asset: Asset) -> &'static str {
    match asset {
        Asset::App => "App",
        Asset::Dataset => "Dataset",
        Asset::Workerpool => "Workerpool",
    }
}

/// `--user`, else the wallet's address.
fn owner(user: Option<&str>, context: &Context, wallet: &WalletArgs) -> Result<Address, Failure> {
    match user {
        Some(user) => Ok(sdk::parse::address("--user", user)?),
        None => wallets::find(context, wallet)?.address(),
    }
}
