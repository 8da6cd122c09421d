//! Commands of version 8 that this program does not have: whoever types one learns why.

use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    outcome::Failure,
};

/// The options that the commands had, so that the answer is the reason and not a complaint about
/// an option.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example of what to use instead:\n  iexec wallet send-RLC 1 --to 0xf39F…2266"
)]
pub(crate) struct Args {
    _words: Vec<String>,
    #[command(flatten)]
    _chain: ChainArgs,
    #[command(flatten)]
    _wallet: WalletArgs,
    #[command(flatten)]
    _tx: TxArgs,
    #[arg(long = "force")]
    _force: bool,
}

/// Why nothing moves RLC from chain to chain.
pub(crate) fn bridge() -> Failure {
    Failure::new(
        "the bridge is not offered: it joined mainnet and bellecour, and version 9 dropped it",
    )
    .hint(
        "move RLC between chains on the pages of the bridge you trust, then send it with send-RLC",
    )
}

/// Why nothing pays with vouchers.
pub(crate) fn voucher() -> Failure {
    Failure::new(
        "vouchers are not offered: they existed on bellecour only, and version 9 dropped them",
    )
    .hint("pay from your account: `iexec account deposit`")
}
