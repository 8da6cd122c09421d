//! `iexec app push-secret`.

use chain::Asset;
use sdk::app;

use crate::{
    cli::{ChainArgs, TeeArgs, WalletArgs},
    commands::asset::secret,
    context::Context,
    outcome::{Failure, Report},
    prompt,
    secret::Secret,
    tee, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec app push-secret --secret-value my-api-key")]
pub(crate) struct Args {
    /// The app; the one deployed last if left out
    address: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tee: TeeArgs,
    /// The secret; asked for if left out, so that no other program can read it
    #[arg(long, value_name = "secretValue")]
    secret_value: Option<Secret>,
}

/// Runs it.
pub(crate) async fn push(args: &Args, context: &Context) -> Result<Report, Failure> {
    args.tee.warn(context);
    let found = wallets::find(context, &args.wallet)?;
    let client = context.client(args.chain.name()).await?;
    let chain_id = client.hub().chain_id();
    let app = context.address_or_deployed(args.address.as_deref(), Asset::App, chain_id)?;
    context.note(format!("App {app}"));
    tee::at_push(context, &client).await;
    let value = match &args.secret_value {
        Some(value) => value.text().to_owned(),
        None => prompt::secret("the secret of the app", "--secret-value")?,
    };
    if value.is_empty() {
        return Err(sdk::Error::invalid("--secret-value", "it is empty").into());
    }
    let actor = client.actor(found.unlock(&args.wallet)?);
    app::push_secret(&client, &actor, app, &value).await?;
    Ok(secret::pushed())
}
