//! `iexec app unpublish`.

use sdk::{app, files::deployed_json::Kind};
use serde_json::{Value, json};

use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    prompt, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec app unpublish --all --chain local")]
pub(crate) struct Args {
    /// The app; the one deployed last if left out
    address: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Do not ask
    #[arg(long)]
    force: bool,
    /// All orders, not only the last one
    #[arg(long)]
    all: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let found = wallets::find(context, &args.wallet)?;
    let client = context.client(args.chain.name()).await?;
    let chain_id = client.hub().chain_id();
    let app = context.address_or_deployed(args.address.as_deref(), Kind::App, chain_id)?;
    if !args.force && prompt::is_possible() {
        let which = if args.all {
            "all orders"
        } else {
            "the last order"
        };
        prompt::confirm(&format!("Unpublish {which} of app {app}?"))?;
    }
    let actor = client.actor(found.unlock(&args.wallet)?);
    let hashes = app::unpublish(&client, &actor, app, args.all).await?;
    let unpublished = match (&hashes[..], args.all) {
        ([], _) => Value::Null,
        (all, true) => json!(all),
        ([.., last], false) => json!(last),
    };
    let message = match hashes.len() {
        0 => "Nothing was published".to_owned(),
        1 => format!("Successfully unpublished apporder {}", hashes[0]),
        count => format!("Successfully unpublished {count} apporders"),
    };
    Ok(Report::new(json!({ "unpublished": unpublished }), message))
}
