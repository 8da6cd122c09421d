//! `iexec result decrypt`.

use std::fs;

use protocol::TaskId;
use sdk::{deal, result};
use serde_json::json;

use super::keys::KeyDirArgs;
use crate::{
    cli::{ChainArgs, WalletArgs},
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
    /// The task it is the result of: compares what was decrypted with the chain
    #[arg(long, value_name = "taskid")]
    task: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
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
    let opened = result::decrypt(&archive, &pem)?;
    match &args.task {
        Some(task) => verify(args, context, &opened, task).await?,
        None => context.note(
            "The result is whole, but nothing proves that it is the task's: name it with --task \
             <taskid> to compare it with the chain",
        ),
    }
    let output = context.project.join(OUTPUT);
    if output.exists() && !args.force {
        prompt::confirm(&format!(
            "{} exists already, overwrite it?",
            output.display()
        ))?;
    }
    write(&output, opened)?;
    let output = output.display().to_string();
    let verified = args.task.as_ref().map(|_| true);
    let how = if verified.is_some() {
        ", verified against the chain"
    } else {
        ""
    };
    let message = format!("Result decrypted{how} and saved in \"{output}\"");
    let raw = json!({ "resultsPath": output, "isVerified": verified });
    Ok(Report::new(raw, message))
}

/// The encryption has no authentication: only the digest on chain tells that nobody changed it.
async fn verify(args: &Args, context: &Context, opened: &[u8], task: &str) -> Result<(), Failure> {
    let id: TaskId = task.parse().map_err(sdk::Error::from)?;
    let client = context.client(args.chain.name()).await?;
    let task = deal::task(&client, id).await?;
    let deal = deal::show(&client, task.deal).await?;
    result::verify_opened(opened, &deal, &task)?;
    Ok(())
}
