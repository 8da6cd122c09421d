//! `iexec result generate-encryption-keypair`.

use rand::rngs::OsRng;
use sdk::result::keypair;
use serde_json::json;

use super::keys::KeyDirArgs;
use crate::{
    cli::WalletArgs,
    context::{Context, write, write_secret},
    outcome::{Failure, Report},
    prompt, wallets,
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
    let dir = args.keys.path(context);
    let [private, public] = keypair::file_names(beneficiary).map(|name| dir.join(name));
    if (private.exists() || public.exists()) && !args.force {
        prompt::confirm(&format!(
            "{} exists already, overwrite it?",
            private.display()
        ))?;
    }
    context.note("Generating the key pair, this takes some seconds");
    let pair = keypair::generate(&mut OsRng, keypair::BITS)?;
    write_secret(&private, &pair.private)?;
    write(&public, &pair.public)?;
    let raw = json!({
        "secretPath": dir.display().to_string(),
        "privateKeyFile": name(&private),
        "publicKeyFile": name(&public),
    });
    let message = format!(
        "Key pair of {beneficiary} saved in \"{}\"\nBack the private key up: without it results \
         cannot be opened.\nRun `iexec result push-encryption-key` to have results encrypted.",
        dir.display()
    );
    Ok(Report::new(raw, message))
}

fn name(path: &std::path::Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
