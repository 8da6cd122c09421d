//! `iexec dataset deploy`.

use chain::Asset;
use sdk::dataset;

use crate::{
    commands::asset::deploy::{Args, finish},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let section = context.project_file()?.dataset()?;
    let deployed = context.deployed()?;
    let found = wallets::find(context, &args.wallet)?;
    if section.checksum.is_zero() {
        context.note(
            "dataset.checksum is zero: workers will refuse the file. \
             `iexec dataset encrypt` prints the right one",
        );
    }
    let client = context
        .client(args.chain.name())
        .await?
        .with_policy(args.tx.policy()?);
    let actor = client.actor(found.unlock(&args.wallet)?);
    let created = dataset::deploy(&actor, &section).await?;
    finish(Asset::Dataset, context, &client, deployed, created)
}
