//! What sending and sweeping have in common: a receiver, and a question before anything goes.

use chain::Actor;
use protocol::Address;
use sdk::ens;

use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    context::Context,
    outcome::Failure,
    prompt, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
pub(super) struct PaymentArgs {
    /// Who gets it
    #[arg(long, value_name = "address")]
    to: Option<String>,
    /// Do not ask
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tx: TxArgs,
}

impl PaymentArgs {
    /// Who pays whom, once the payer agreed to send `what`.
    pub(super) async fn agreed(
        &self,
        context: &Context,
        what: &str,
    ) -> Result<(Actor, Address), Failure> {
        let to = self.receiver()?;
        let (client, actor) = wallets::actor(context, &self.wallet, &self.chain, &self.tx).await?;
        let to = ens::address(&client, "--to", to).await?;
        if !self.force {
            let chain = &client.chain().name;
            prompt::confirm(&format!("Send {what} to {to} on chain {chain}?"))?;
        }
        Ok((actor, to))
    }

    /// Upstream has it optional in the grammar, so that its absence is a failure of the command,
    /// with `--raw` as any other.
    fn receiver(&self) -> Result<&str, Failure> {
        let typed = self.to.as_deref().ok_or_else(|| {
            Failure::new("Missing --to option").hint("say who gets it: --to <address>")
        })?;
        ens::check_address("--to", typed)?;
        Ok(typed)
    }
}
