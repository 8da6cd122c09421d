//! `iexec workerpool deploy`.

use chain::Asset;
use sdk::workerpool;

use crate::{
    commands::asset::deploy::{Args, finish},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let section = context.project_file()?.workerpool()?;
    let deployed = context.deployed()?;
    let found = wallets::find(context, &args.wallet)?;
    let client = context
        .client(args.chain.name())
        .await?
        .with_policy(args.tx.policy()?);
    let actor = client.actor(found.unlock(&args.wallet)?);
    let created = workerpool::deploy(&actor, &section).await?;
    finish(Asset::Workerpool, context, &client, deployed, created)
}
