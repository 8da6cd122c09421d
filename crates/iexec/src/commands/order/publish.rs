//! `iexec order publish`.

use chain::Actor;
use protocol::{OrderHash, order::Kind};
use sdk::{
    Client,
    order::{life, name},
};
use serde_json::{Value, json};

use super::{
    kinds::{HashFlags, resolve},
    parts::Parts,
};
use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    prompt, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec order publish --app --chain local")]
pub(crate) struct Args {
    #[command(flatten)]
    kinds: HashFlags,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Do not ask
    #[arg(long)]
    force: bool,
    /// Do not check what the orders need besides the signature
    #[arg(long)]
    skip_preflight_check: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let chosen = args.kinds.chosen()?;
    let found = wallets::find(context, &args.wallet)?;
    let client = context.client(args.chain.name()).await?;
    let actor = client.actor(found.unlock(&args.wallet)?);
    let mut parts = Parts::default();
    for (kind, hash) in chosen {
        let published = publish(args, context, &client, &actor, (kind, hash)).await;
        parts.add(kind, published);
    }
    parts.finish("publish", "published")
}

async fn publish(
    args: &Args,
    context: &Context,
    client: &Client,
    actor: &Actor,
    (kind, hash): (Kind, Option<OrderHash>),
) -> Result<Value, Failure> {
    let order = resolve(context, client, kind, hash).await?;
    if !args.skip_preflight_check {
        life::check_needs(client, &order).await?;
    }
    if !args.force && prompt::is_possible() {
        context.show(&order.to_json());
        prompt::confirm(&format!("Publish this {}?", name(kind)))?;
    }
    let hash = life::publish(client, actor, &order).await?;
    Ok(json!({ "orderHash": hash }))
}
