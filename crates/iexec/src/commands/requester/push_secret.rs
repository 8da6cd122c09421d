//! `iexec requester push-secret`.

use sdk::requester;
use serde_json::json;

use crate::{
    cli::{ChainArgs, TeeArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    prompt,
    secret::Secret,
    tee, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec requester push-secret my-key --secret-value 42")]
pub(crate) struct Args {
    /// The name that `app run --secret <index>=<name>` refers to
    #[arg(value_name = "secretName")]
    name: String,
    /// The secret; asked for if left out
    #[arg(long, value_name = "secretValue")]
    secret_value: Option<Secret>,
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
    let client = context.client(args.chain.name()).await?;
    // before the secret is typed
    tee::at_push(context, &client).await;
    let value = match &args.secret_value {
        Some(value) => value.text().to_owned(),
        None => prompt::secret(&format!("the secret \"{}\"", args.name), "--secret-value")?,
    };
    let wallet = found.unlock(&args.wallet)?;
    requester::push_secret(&client, &wallet, &args.name, &value).await?;
    let raw = json!({ "isPushed": true, "name": args.name });
    let message = format!(
        "Secret \"{}\" is kept, and cannot be changed any more",
        args.name
    );
    Ok(Report::new(raw, message))
}
