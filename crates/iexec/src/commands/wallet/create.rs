//! `iexec wallet create`.

use chain::Wallet;
use serde_json::json;

use crate::{
    cli::WalletCreateArgs,
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec wallet create")]
pub(crate) struct Args {
    #[command(flatten)]
    wallet: WalletCreateArgs,
    /// Overwrite an existing file
    #[arg(long)]
    force: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    save(context, &Wallet::random(), &args.wallet, args.force)
}

/// Stores the wallet and tells where; the key itself is only shown with `--raw --unencrypted`.
pub(super) fn save(
    context: &Context,
    wallet: &Wallet,
    args: &WalletCreateArgs,
    force: bool,
) -> Result<Report, Failure> {
    let saved = wallets::save(context, wallet, args, force)?;
    let address = saved.address.to_checksum(None);
    let message = format!(
        "Your wallet address is {address}\nWallet saved in \"{}\"\nBack this file up: without it \
         {}all funds are lost.",
        saved.path.display(),
        if args.unencrypted {
            ""
        } else {
            "and its password "
        },
    );
    let path = saved.path.strip_prefix(&context.project);
    let path = path.unwrap_or(&saved.path).display().to_string();
    let raw = json!({ "wallet": saved.content, "fileName": path, "address": address });
    Ok(Report::new(raw, message))
}
