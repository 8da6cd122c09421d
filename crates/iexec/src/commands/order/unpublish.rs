//! `iexec order unpublish`.

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
#[command(after_help = "Example:\n  iexec order unpublish --app 0x48a7…2a54 --chain local")]
pub(crate) struct Args {
    #[command(flatten)]
    change: ChangeArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let policy = Policy::default();
    let one = async |client: &Client, actor: &Actor, kind, hash| {
        unpublish(args, context, client, actor, (kind, hash)).await
    };
    args.change
        .each(context, policy, ["unpublish", "unpublished"], one)
        .await
}

/// A hash is enough: the order itself is not needed.
async fn unpublish(
    args: &Args,
    context: &Context,
    client: &Client,
    actor: &Actor,
    (kind, hash): (Kind, Option<OrderHash>),
) -> Result<Value, Failure> {
    let hash = match hash {
        Some(hash) => hash,
        None => resolve(context, client, kind, None).await?.hash(client),
    };
    if !args.change.force && prompt::is_possible() {
        prompt::confirm(&format!("Unpublish {} {hash}?", name(kind)))?;
    }
    let hash = life::unpublish(client, actor, kind, hash).await?;
    Ok(json!({ "orderHash": hash }))
}
