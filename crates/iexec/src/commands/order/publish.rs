//! `iexec order publish`.

use chain::{Actor, Policy};
use protocol::{OrderHash, order::Kind};
use sdk::{
    Client,
    order::{life, name},
};
use serde_json::{Value, json};

use super::{change::ChangeArgs, kinds::resolve};
use crate::{
    context::Context,
    outcome::{Failure, Report},
    prompt,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec order publish --app --chain local")]
pub(crate) struct Args {
    #[command(flatten)]
    change: ChangeArgs,
    /// Do not check what the orders need besides the signature
    #[arg(long)]
    skip_preflight_check: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let policy = Policy::default();
    let one = async |client: &Client, actor: &Actor, kind, hash| {
        publish(args, context, client, actor, (kind, hash)).await
    };
    args.change
        .each(context, policy, ["publish", "published"], one)
        .await
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
        context.notes(life::check_needs(client, &order).await?);
    }
    if !args.change.force && prompt::is_possible() {
        context.show(&order.to_json());
        prompt::confirm(&format!("Publish this {}?", name(kind)))?;
    }
    let hash = life::publish(client, actor, &order).await?;
    Ok(json!({ "orderHash": hash }))
}
