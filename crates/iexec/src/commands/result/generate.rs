//! `iexec result generate-encryption-keypair`.

use rand::rngs::OsRng;
use sdk::result::keypair;

use super::keys::KeyDirArgs;
use crate::{
    cli::WalletArgs,
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec result generate-encryption-keypair")]
pub(crate) struct Args {
    #[command(flatten)]
    keys: KeyDirArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Overwrite existing keys: results encrypted for them cannot be opened any more
    #[arg(long)]
    force: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let beneficiary = wallets::find(context, &args.wallet)?.address()?;
    let files = args.keys.make_room(context, beneficiary, args.force)?;
    context.note("Generating the key pair, this takes some seconds");
    let pair = keypair::generate(&mut OsRng, keypair::BITS)?;
    let raw = args.keys.save(context, &files, &pair)?;
    let message = format!(
        "Key pair of {beneficiary} saved in \"{}\"\nBack the private key up: without it results \
         cannot be opened.\nRun `iexec result push-encryption-key` to have results encrypted.",
        args.keys.path(context).display()
    );
    Ok(Report::new(raw, message))
}
