//! `iexec wallet sweep`.

use sdk::{
    ens,
    wallet::{self, Swept},
};
use serde_json::{Value, json};

use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    prompt, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  iexec wallet sweep --to 0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
)]
pub(crate) struct Args {
    /// Who gets everything
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

/// Runs it. What was sent before something failed is told, but it is a failure.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let to = super::receiver(args.to.as_deref())?;
    let (client, actor) = wallets::actor(context, &args.wallet, &args.chain, &args.tx).await?;
    let to = ens::address(&client, "--to", to).await?;
    if !args.force {
        let chain = &client.chain().name;
        prompt::confirm(&format!("Send all RLC and ether on chain {chain} to {to}?"))?;
    }
    let mut swept = Swept::default();
    let ended = wallet::sweep(&actor, to, &mut swept).await;
    let mut raw = json!({
        "from": actor.address().to_checksum(None),
        "to": to.to_checksum(None),
    });
    add(&mut raw, "sendNativeTxHash", swept.ether.as_ref());
    add(&mut raw, "sendERC20TxHash", swept.rlc.as_ref());
    match ended {
        Ok(()) => Ok(Report::new(raw, format!("Wallet swept to {to}"))),
        Err(error) => {
            raw["errors"] = json!([error.to_string()]);
            Err(Failure::from(error).partial(raw))
        }
    }
}

fn add(raw: &mut Value, key: &str, receipt: Option<&chain::Receipt>) {
    if let Some(receipt) = receipt {
        raw[key] = json!(receipt.tx);
    }
}
