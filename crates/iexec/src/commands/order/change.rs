//! What publishing, unpublishing and cancelling have in common: the unlocked wallet does the same
//! for each order that is meant.

use chain::{Actor, Policy};
use protocol::{OrderHash, order::Kind};
use sdk::Client;
use serde_json::Value;

use super::{kinds::HashFlags, parts::Parts};
use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
pub(super) struct ChangeArgs {
    #[command(flatten)]
    kinds: HashFlags,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Do not ask
    #[arg(long)]
    pub(super) force: bool,
}

impl ChangeArgs {
    /// Runs `change` for each order; `words` are what is being done, and what was done then.
    pub(super) async fn each(
        &self,
        context: &Context,
        policy: Policy,
        words: [&str; 2],
        change: impl AsyncFn(&Client, &Actor, Kind, Option<OrderHash>) -> Result<Value, Failure>,
    ) -> Result<Report, Failure> {
        let chosen = self.kinds.chosen()?;
        let found = wallets::find(context, &self.wallet)?;
        let client = context.client(self.chain.name()).await?.with_policy(policy);
        let actor = client.actor(found.unlock(&self.wallet)?);
        let mut parts = Parts::default();
        for (kind, hash) in chosen {
            parts.add(kind, change(&client, &actor, kind, hash).await);
        }
        parts.finish(words[0], words[1])
    }
}
