//! `iexec order cancel`.

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
    cli::{ChainArgs, TxArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    prompt, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec order cancel --app --chain local")]
pub(crate) struct Args {
    #[command(flatten)]
    kinds: HashFlags,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tx: TxArgs,
    /// Do not ask
    #[arg(long)]
    force: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let chosen = args.kinds.chosen()?;
    let found = wallets::find(context, &args.wallet)?;
    let client = context
        .client(args.chain.name())
        .await?
        .with_policy(args.tx.policy()?);
    let actor = client.actor(found.unlock(&args.wallet)?);
    let mut parts = Parts::default();
    for (kind, hash) in chosen {
        let cancelled = cancel(args, context, &client, &actor, (kind, hash)).await;
        parts.add(kind, cancelled);
    }
    parts.finish("cancel", "canceled")
}

async fn cancel(
    args: &Args,
    context: &Context,
    client: &Client,
    actor: &Actor,
    (kind, hash): (Kind, Option<OrderHash>),
) -> Result<Value, Failure> {
    let order = resolve(context, client, kind, hash).await?;
    if !args.force {
        context.show(&order.to_json());
        prompt::confirm(&format!("Cancel this {} for good?", name(kind)))?;
    }
    let receipt = life::cancel(client, actor, &order).await?;
    Ok(json!({ "txHash": receipt.tx }))
}
