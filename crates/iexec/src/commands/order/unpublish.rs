//! `iexec order unpublish`.

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
#[command(after_help = "Example:\n  iexec order unpublish --app 0x48a7…2a54 --chain local")]
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
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let chosen = args.kinds.chosen()?;
    let found = wallets::find(context, &args.wallet)?;
    let client = context.client(args.chain.name()).await?;
    let actor = client.actor(found.unlock(&args.wallet)?);
    let mut parts = Parts::default();
    for (kind, hash) in chosen {
        let unpublished = unpublish(args, context, &client, &actor, (kind, hash)).await;
        parts.add(kind, unpublished);
    }
    parts.finish("unpublish", "unpublished")
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
    if !args.force && prompt::is_possible() {
        prompt::confirm(&format!("Unpublish {} {hash}?", name(kind)))?;
    }
    let hash = life::unpublish(client, actor, kind, hash).await?;
    Ok(json!({ "orderHash": hash }))
}
