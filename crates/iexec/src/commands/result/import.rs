//! `iexec result import-encryption-key`.

use sdk::result::keypair;

use super::keys::KeyDirArgs;
use crate::{
    cli::WalletArgs,
    context::{Context, read},
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec result import-encryption-key my-rsa-key.pem")]
pub(crate) struct Args {
    /// PEM file of an RSA private key, PKCS#8 or PKCS#1, without a password
    #[arg(value_name = "privateKeyPath")]
    path: String,
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
    let path = context.project.join(&args.path);
    let pem = read(&path)?
        .ok_or_else(|| Failure::new(format!("there is no key in {}", path.display())))?;
    let pair = keypair::import(&pem)?;
    let beneficiary = wallets::find(context, &args.wallet)?.address()?;
    let files = args.keys.make_room(context, beneficiary, args.force)?;
    let raw = args.keys.save(context, &files, &pair)?;
    let message = format!(
        "Key pair of {beneficiary} saved in \"{}\"\n\
         Run `iexec result push-encryption-key` to have results encrypted.",
        args.keys.path(context).display()
    );
    Ok(Report::new(raw, message))
}
