//! `iexec wallet import`.

use sdk::keystore;

use super::create;
use crate::{
    cli::WalletCreateArgs,
    context::Context,
    outcome::{Failure, Report},
    secret::Secret,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec wallet import 0x0123…cdef")]
pub(crate) struct Args {
    /// 32 bytes in hexadecimal
    #[arg(value_name = "privateKey")]
    private_key: Secret,
    #[command(flatten)]
    wallet: WalletCreateArgs,
    /// Overwrite an existing file
    #[arg(long)]
    force: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let wallet = keystore::wallet_of_key(args.private_key.text())?;
    create::save(context, &wallet, &args.wallet, args.force)
}
