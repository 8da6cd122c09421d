//! `iexec result push-encryption-key`.

use sdk::result::keypair;
use serde_json::json;

use crate::{
    cli::{ChainArgs, TeeArgs, WalletArgs},
    context::{Context, read},
    outcome::{Failure, Report},
    tee, wallets,
};

/// Where key pairs are made.
const DEFAULT_DIR: &str = ".secrets/beneficiary";

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec result push-encryption-key --chain local")]
pub(crate) struct Args {
    /// Replace the key that is there
    #[arg(long)]
    force_update: bool,
    /// File of the public key (default: the wallet's in .secrets/beneficiary)
    #[arg(long, value_name = "secretPath")]
    secret_path: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tee: TeeArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    args.tee.warn(context);
    let found = wallets::find(context, &args.wallet)?;
    let path = match &args.secret_path {
        Some(path) => context.project.join(path),
        None => {
            let [_, public] = keypair::file_names(found.address()?);
            context.project.join(DEFAULT_DIR).join(public)
        }
    };
    let pem = read(&path)?.ok_or_else(|| {
        Failure::new(format!("no public key at {}", path.display())).hint(
            "make one with `iexec result generate-encryption-keypair`, or name one with \
             --secret-path",
        )
    })?;
    let wallet = found.unlock(&args.wallet)?;
    let client = context.client(args.chain.name()).await?;
    tee::at_push(context, &client).await;
    let is_updated = keypair::push(&client, &wallet, &pem, args.force_update).await?;
    let raw = json!({ "isPushed": true, "isUpdated": is_updated });
    let message = format!("Results for {} can be encrypted", wallet.address());
    Ok(Report::new(raw, message))
}
