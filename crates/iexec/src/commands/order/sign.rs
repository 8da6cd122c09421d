//! `iexec order sign`.

use chain::Actor;
use protocol::order::Kind;
use sdk::{
    Client,
    files::{iexec_json::ProjectFile, orders_json},
    order::{life, salt},
};
use serde_json::Value;

use super::{kinds::KindFlags, parts::Parts};
use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec order sign --app --chain local")]
pub(crate) struct Args {
    #[command(flatten)]
    kinds: KindFlags,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Accepted for compatibility: nothing is asked
    #[arg(long, hide = true)]
    force: bool,
    /// Do not check what the orders need besides the signature
    #[arg(long)]
    skip_preflight_check: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let project = context.project_file()?;
    let found = wallets::find(context, &args.wallet)?;
    let client = context.client(args.chain.name()).await?;
    let actor = client.actor(found.unlock(&args.wallet)?);
    let mut parts = Parts::default();
    for kind in args.kinds.chosen() {
        let signed = sign(args, context, &client, &actor, &project, kind).await;
        parts.add(kind, signed);
    }
    let done = format!("signed and stored in \"{}\"", orders_json::FILE_NAME);
    parts.finish("sign", &done)
}

async fn sign(
    args: &Args,
    context: &Context,
    client: &Client,
    actor: &Actor,
    project: &ProjectFile,
    kind: Kind,
) -> Result<Value, Failure> {
    let order = project.order(kind, actor.address(), salt())?;
    if !args.skip_preflight_check {
        context.notes(life::check_needs(client, &order).await?);
    }
    let signed = life::sign(client, actor, order).await?;
    let mut file = context.orders()?;
    file.set(client.hub().chain_id(), &signed);
    context.save_orders(&file)?;
    Ok(signed.to_json())
}
