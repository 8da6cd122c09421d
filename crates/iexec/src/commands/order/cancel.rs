//! `iexec order cancel`.

use chain::Actor;
use protocol::{OrderHash, order::Kind};
use sdk::{
    Client,
    order::{life, name},
};
use serde_json::{Value, json};

use super::{change::ChangeArgs, kinds::resolve};
use crate::{
    cli::TxArgs,
    context::Context,
    outcome::{Failure, Report},
    prompt,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec order cancel --app --chain local")]
pub(crate) struct Args {
    #[command(flatten)]
    change: ChangeArgs,
    #[command(flatten)]
    tx: TxArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let policy = args.tx.policy()?;
    let one = async |client: &Client, actor: &Actor, kind, hash| {
        cancel(args, context, client, actor, (kind, hash)).await
    };
    args.change
        .each(context, policy, ["cancel", "canceled"], one)
        .await
}

async fn cancel(
    args: &Args,
    context: &Context,
    client: &Client,
    actor: &Actor,
    (kind, hash): (Kind, Option<OrderHash>),
) -> Result<Value, Failure> {
    let order = resolve(context, client, kind, hash).await?;
    if !args.change.force {
        context.show(&order.to_json());
        prompt::confirm(&format!("Cancel this {} for good?", name(kind)))?;
    }
    let receipt = life::cancel(client, actor, &order).await?;
    Ok(json!({ "txHash": receipt.tx }))
}
