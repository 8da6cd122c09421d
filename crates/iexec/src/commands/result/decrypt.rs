//! `iexec result decrypt`.

use std::fs;

use serde_json::json;

use super::keys::KeyDirArgs;
use crate::{
    cli::WalletArgs,
    context::{Context, write},
    outcome::{Failure, Report},
    prompt, wallets,
};

/// Where the opened result goes.
const OUTPUT: &str = "results.zip";

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec result decrypt my-result.zip")]
pub(crate) struct Args {
    /// The encrypted result
    #[arg(
        value_name = "encryptedResultsPath",
        default_value = "./encryptedResults.zip"
    )]
    path: String,
    #[command(flatten)]
    keys: KeyDirArgs,
    /// The beneficiary's key in that directory (default: `<address>_key`)
    #[arg(long, value_name = "fileName")]
    beneficiary_key_file: Option<String>,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Overwrite results.zip
    #[arg(long)]
    force: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let path = context.project.join(&args.path);
    let archive = fs::read(&path)
        .map_err(|error| Failure::new(format!("failed to read {}: {error}", path.display())))?;
    let owner = || wallets::find(context, &args.wallet)?.address();
    let key = args.beneficiary_key_file.as_deref();
    let pem = args.keys.private_key(context, key, owner)?;
    let opened = sdk::result::decrypt(&archive, &pem)?;
    let output = context.project.join(OUTPUT);
    if output.exists() && !args.force {
        prompt::confirm(&format!(
            "{} exists already, overwrite it?",
            output.display()
        ))?;
    }
    write(&output, opened)?;
    let output = output.display().to_string();
    let message = format!("Result decrypted and saved in \"{output}\"");
    Ok(Report::new(json!({ "resultsPath": output }), message))
}
